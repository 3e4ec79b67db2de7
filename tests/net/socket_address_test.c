#include "net/socket_address.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/un.h>

struct row {
	const char *text;
	const char *printed; /* NULL: no address */
};

Test(socket_address, parses_and_prints)
{
	static const struct row rows[] = {
	    {"/run/smtp.sock", "/run/smtp.sock"},
	    {"/", "/"},
	    {"127.0.0.1:25", "127.0.0.1:25"},
	    {"0.0.0.0:0", "0.0.0.0:0"},
	    {"255.255.255.255:65535", "255.255.255.255:65535"},
	    {"[::1]:25", "[::1]:25"},
	    {"[2001:DB8:0:0::1]:587", "[2001:db8::1]:587"},
	    {"", NULL},
	    {":25", NULL},
	    {"run/smtp.sock", NULL},
	    {"localhost:25", NULL},
	    {"127.0.0.1", NULL},
	    {"127.0.0.1:", NULL},
	    {"127.0.0.1:x", NULL},
	    {"127.0.0.1:+25", NULL},
	    {"127.0.0.1:65536", NULL},
	    {"127.1:25", NULL},
	    {"127.0.0.1 :25", NULL},
	    {"[127.0.0.1]:25", NULL},
	    {"::1", NULL},
	    {"::1:25", NULL},
	    {"[::1]", NULL},
	    {"[::1:25", NULL},
	    {"[]:25", NULL},
	    {"[fe80::1%lo]:25", NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct socket_address address;
		struct error error;
		char text[SOCKET_ADDRESS_TEXT_MAX];
		bool is_address =
		    socket_address_parse(rows[i].text, &address, &error);
		cr_expect_eq(is_address, rows[i].printed != NULL, "\"%s\"",
		    rows[i].text);
		if (!is_address) {
			cr_expect_eq(error.kind, ERROR_CONFIG);
			continue;
		}
		socket_address_print(
		    text, socket_address_get(&address), address.len);
		cr_expect_str_eq(text, rows[i].printed);
	}
}

Test(socket_address, knows_literals)
{
	static const struct row rows[] = {
	    {"192.0.2.1", "192.0.2.1:7"},
	    {"[192.0.2.1]", "192.0.2.1:7"},
	    {"::1", "[::1]:7"},
	    {"[::1]", "[::1]:7"},
	    {"", NULL},
	    {"[]", NULL},
	    {"[::1", NULL},
	    {"mail.example", NULL},
	    {"192.0.2", NULL},
	    {"0x7f000001", NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct socket_address address;
		char text[SOCKET_ADDRESS_TEXT_MAX];
		bool is_literal =
		    socket_address_of_literal(rows[i].text, 7, &address);
		cr_expect_eq(is_literal, rows[i].printed != NULL, "\"%s\"",
		    rows[i].text);
		if (!is_literal)
			continue;
		socket_address_print(
		    text, socket_address_get(&address), address.len);
		cr_expect_str_eq(text, rows[i].printed);
	}
	struct socket_address ignored;
	cr_expect_not(socket_address_of_literal("::1", 65536, &ignored));
}

Test(socket_address, takes_the_longest_path_and_no_longer)
{
	struct socket_address address;
	struct error error;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1];
	char text[SOCKET_ADDRESS_TEXT_MAX];

	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 2] = '\0';
	cr_assert(
	    socket_address_parse(path, &address, &error), "%s", error.text);
	socket_address_print(text, socket_address_get(&address), address.len);
	cr_expect_str_eq(text, path);
	path[sizeof(path) - 2] = 'x';
	path[sizeof(path) - 1] = '\0';
	cr_expect_not(socket_address_parse(path, &address, &error));
	cr_expect_eq(error.kind, ERROR_CONFIG);
}

Test(socket_address, compares)
{
	static const char *const texts[] = {
	    "127.0.0.1:25", "127.0.0.1:26", "127.0.0.2:25", "[::1]:25", "/x"};
	struct error error;

	for (size_t i = 0; i < 5; i++) {
		for (size_t k = 0; k < 5; k++) {
			struct socket_address a;
			struct socket_address b;
			cr_assert(socket_address_parse(texts[i], &a, &error));
			cr_assert(socket_address_parse(texts[k], &b, &error));
			cr_expect_eq(socket_address_equal(&a, &b), i == k);
		}
	}
}
