#include "base/hosts.h"

#include <criterion/criterion.h>

Test(hosts, names_a_host_in_full)
{
	static const struct {
		const char *hosts, *name, *dotted;
	} rows[] = {
	    {"127.0.0.1 localhost\n192.0.2.1\tme.example me\n", "me",
		"me.example"},
	    {"192.0.2.1 me  alias.example other.example\n", "ME",
		"alias.example"},
	    {"192.0.2.1 me # me.example\n", "me", ""},
	    {"# 192.0.2.1 me.example me\n", "me", ""},
	    {"192.0.2.1 me\n192.0.2.2 me.example me", "me", "me.example"},
	    {"192.0.2.1 you.example you\n", "me", ""},
	    {"me.example me\n", "me", ""},
	    {"", "me", ""},
	    {"\n\n \t\r\n", "me", ""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct bytes dotted =
		    hosts_dotted_name(bytes_of(rows[i].hosts), rows[i].name);
		cr_expect(bytes_is(dotted, rows[i].dotted), "%zu: %.*s", i,
		    BYTES_ARGS(dotted));
	}
}
