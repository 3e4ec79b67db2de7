#include "intake/rewrite.h"

#include <criterion/criterion.h>
#include <stdint.h>

static const struct rewrite_options options = {
    .hostname = "web1.example.org",
    .origin = "example.net",
    .root = "admin@x.example",
};

static const struct {
	const char *address;
	const char *sender;
	const char *recipient;
} addresses[] = {
    {"ada", "ada@example.net", "ada@example.net"},
    {"ada@web1", "ada@example.net", "ada@example.net"},
    {"ada@WEB1", "ada@example.net", "ada@example.net"},
    {"ada@web2", "ada@web2", "ada@web2"},
    {"ada@web1.example.org", "ada@web1.example.org", "ada@web1.example.org"},
    {"ada@localhost", "ada@localhost", "ada@localhost"},
    {"\"a b\"", "\"a b\"@example.net", "\"a b\"@example.net"},
    {"\"a@b\"", "\"a@b\"@example.net", "\"a@b\"@example.net"},
    {"", "", ""},
    {"root", "root@example.net", "admin@x.example"},
    {"Root", "Root@example.net", "admin@x.example"},
    {"postmaster", "postmaster@example.net", "admin@x.example"},
    {"root@web1", "root@example.net", "admin@x.example"},
    {"root@web1.example.org", "root@web1.example.org", "admin@x.example"},
    {"root@example.net", "root@example.net", "admin@x.example"},
    {"root@localhost", "root@localhost", "admin@x.example"},
    {"root@elsewhere.example", "root@elsewhere.example",
	"root@elsewhere.example"},
    {"[x]@[192.0.2.1]", "[x]@[192.0.2.1]", "[x]@[192.0.2.1]"},
};

Test(rewrite, gives_local_addresses_a_domain)
{
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		struct bytes address = bytes_of(addresses[i].address);
		struct buffer out;

		buffer_init(&out, 1024);
		rewrite_sender(&options, address, &out);
		cr_expect(bytes_is(buffer_bytes(&out), addresses[i].sender),
		    "%s: %.*s", addresses[i].address,
		    BYTES_ARGS(buffer_bytes(&out)));
		buffer_empty(&out);
		rewrite_recipient(&options, address, &out);
		cr_expect(bytes_is(buffer_bytes(&out), addresses[i].recipient),
		    "%s: %.*s", addresses[i].address,
		    BYTES_ARGS(buffer_bytes(&out)));
		buffer_clear(&out);
	}
}

Test(rewrite, gives_roots_mail_to_nobody_else_unless_told)
{
	struct rewrite_options none = options;
	struct rewrite_options bare = options;
	struct buffer out;

	none.root = NULL;
	bare.root = "ada";
	buffer_init(&out, 1024);
	rewrite_recipient(&none, BYTES("root"), &out);
	cr_expect(bytes_is(buffer_bytes(&out), "root@example.net"));
	buffer_empty(&out);
	rewrite_recipient(&bare, BYTES("root"), &out);
	cr_expect(bytes_is(buffer_bytes(&out), "ada@example.net"));
	buffer_clear(&out);
}

Test(rewrite, knows_no_short_name_where_the_name_is_short)
{
	struct rewrite_options dotless = options;
	struct buffer out;

	dotless.hostname = "web1";
	buffer_init(&out, 1024);
	rewrite_sender(&dotless, BYTES("ada@web1"), &out);
	cr_expect(bytes_is(buffer_bytes(&out), "ada@web1"));
	buffer_clear(&out);
}

static const struct {
	const char *name;
	const char *header;
	const char *expected; /* NULL: as it is */
} headers[] = {
    {"nothing", "", NULL},
    {"qualified", "From: a@x\r\nTo: B <b@y>, c@z\r\n", NULL},
    {"bare", "To: ada\r\n", "To: ada@example.net\r\n"},
    {"our short name", "From: Ada <ada@web1>\r\n",
	"From: Ada <ada@example.net>\r\n"},
    {"with a comment", "From: root (Cron Daemon)\r\n",
	"From: root@example.net (Cron Daemon)\r\n"},
    {"with a name", "From: \"(Cron Daemon)\" <root>\r\n",
	"From: \"(Cron Daemon)\" <root@example.net>\r\n"},
    {"several, folded", "To: ada,\r\n\tb@y, Carl <carl> ,dan\r\nX: y\r\n",
	"To: ada@example.net,\r\n\tb@y, Carl <carl@example.net> "
	",dan@example.net\r\nX: y\r\n"},
    {"groups", "Cc: friends: ada, b@y;\r\n",
	"Cc: friends: ada@example.net, b@y;\r\n"},
    {"no recipients told", "To: undisclosed-recipients:;\r\n", NULL},
    {"the null address", "From: <>\r\n", NULL},
    {"all fields", "sender: a\r\nReply-To: b\r\nBCC: c\r\nResent-To: d\r\n",
	"sender: a@example.net\r\nReply-To: b@example.net\r\n"
	"BCC: c@example.net\r\nResent-To: d@example.net\r\n"},
    {"no other fields", "Subject: ada\r\nX-To: ada\r\nList-Id: ada\r\n", NULL},
    {"a name alone", "To: Ada Lovelace\r\n", NULL},
    {"unbalanced", "To: ada, \"b\r\nSubject: s\r\n",
	"To: ada@example.net, \"b\r\nSubject: s\r\n"},
    {"empty", "To:\r\nCc: \r\n", NULL},
    {"LF", "To: ada\nSubject: s\n", "To: ada@example.net\nSubject: s\n"},
    {"what is no field", "To: ada\r\njunk\r\nTo: ada\r\n",
	"To: ada@example.net\r\njunk\r\nTo: ada\r\n"},
};

Test(rewrite, qualifies_addresses_in_the_header)
{
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		struct buffer out;
		const char *expected = headers[i].expected == NULL
		    ? headers[i].header
		    : headers[i].expected;

		buffer_init(&out, 4096);
		rewrite_header(&options, bytes_of(headers[i].header), &out);
		cr_expect(bytes_is(buffer_bytes(&out), expected), "%s: %.*s",
		    headers[i].name, BYTES_ARGS(buffer_bytes(&out)));
		buffer_clear(&out);
	}
}
