#include "smtp/idn.h"

#include <criterion/criterion.h>
#include <string.h>

/* Mailboxes, and what an ASCII server is told; NULL: they have no such form. */
static const struct {
	const char *mailbox;
	const char *ascii;
} rows[] = {
    {"", ""},
    {"a@x.example", "a@x.example"},
    {"a", "a"},
    {"a@[192.0.2.1]", "a@[192.0.2.1]"},
    {"a@b\xc3\xbc"
     "cher.example",
	"a@xn--bcher-kva.example"},
    {"A@B\xc3\x9c"
     "CHER.Example",
	"A@xn--bcher-kva.example"},
    /* u and a combining diaeresis */
    {"a@bu\xcc\x88"
     "cher.example",
	"a@xn--bcher-kva.example"},
    {"a@xn--bcher-kva.example", "a@xn--bcher-kva.example"},
    {"a@fa\xc3\x9f.example", "a@xn--fa-hia.example"},
    {"\"a@b\"@\xd0\xbf\xd0\xbe\xd1\x87\xd1\x82\xd0\xb0.\xd1\x80\xd1\x84",
	"\"a@b\"@xn--80a1acny.xn--p1ai"},
    {"\xc3\xbc@x.example", NULL},
    {"\xc3\xbc", NULL},
    {"\xc3\xbc@b\xc3\xbc"
     "cher.example",
	NULL},
    {"a@\xff.example", NULL},
    {"a@b\xc3", NULL},
    {"a@\xe2\x80\xae.example", NULL},
};

Test(idn, gives_domains_their_ascii_form)
{
	struct buffer buffer;

	buffer_init(&buffer, 1000);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct bytes mailbox = bytes_of(rows[i].mailbox);
		buffer_empty(&buffer);
		buffer_append_char(&buffer, '<');
		const bool ok = idn_append_mailbox(&buffer, mailbox);
		cr_expect_eq(ok, rows[i].ascii != NULL, "%zu", i);
		cr_expect_eq(idn_is_mailbox_sendable(mailbox), ok, "%zu", i);
		const struct bytes text = bytes_from(buffer_bytes(&buffer), 1);
		cr_expect(bytes_is(text, ok ? rows[i].ascii : ""), "%zu: %.*s",
		    i, BYTES_ARGS(text));
	}
	buffer_clear(&buffer);
}

Test(idn, refuses_what_is_too_long_for_a_name)
{
	char domain[3 + 3000] = "a@";
	struct buffer buffer;

	buffer_init(&buffer, 10000);
	for (size_t i = 0; i < 1500; i++)
		memcpy(domain + 2 + 2 * i, "\xc3\xbc", 2);
	for (size_t len = 128; len <= 3000; len *= 2) {
		cr_expect_not(
		    idn_append_mailbox(&buffer, bytes_make(domain, 2 + len)));
		cr_expect_eq(buffer.len, 0);
	}
	cr_expect_not(idn_append_domain(&buffer, bytes_make("\xc3\xbc\0x", 4)));
	buffer_clear(&buffer);
}
