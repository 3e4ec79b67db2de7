#include "tools/sendmail_message.h"
#include "tools/sendmail_user.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	const char *content;
	const char *expected;
	const char *display; /* name; NULL: "" */
} rows[] = {
    {"nothing is missing", "From: a@x\r\nX: d\r\n\r\nbody\r\n",
	"From: a@x\r\nX: d\r\n\r\nbody\r\n", NULL},
    {"From", "Subject: s\r\n\r\nbody\r\n",
	"Subject: s\r\nFrom: ada\r\n\r\nbody\r\n", NULL},
    {"a name", "X: d\r\n\r\n", "X: d\r\nFrom: Ada Lovelace <ada>\r\n\r\n",
	"Ada Lovelace"},
    {"a name with a comma", "X: d\r\n\r\n",
	"X: d\r\nFrom: \"L, Ada\" <ada>\r\n\r\n", "L, Ada"},
    {"a name that is not ASCII", "X: d\r\n\r\n",
	"X: d\r\nFrom: =?utf-8?B?w4RkYQ==?= <ada>\r\n\r\n",
	"\xc3\x84"
	"da"},
    {"a name with a line end", "X: d\r\n\r\n",
	"X: d\r\nFrom: \"A??Bcc: x\" <ada>\r\n\r\n", "A\r\nBcc: x"},
    {"Bcc, Resent-Bcc and Return-Path go",
	"From: a\r\nBcc: b@y,\r\n c@z\r\nReturn-Path: <r>\r\nX: d\r\n"
	"resent-bcc: e\r\nTo: t\r\n\r\nBcc: stays\r\n",
	"From: a\r\nX: d\r\nTo: t\r\n\r\nBcc: stays\r\n", NULL},
    {"a mbox line goes",
	"From ada Mon Nov 23 05:52:00 2026\r\nFrom: a\r\nX: d\r\n\r\nb\r\n",
	"From: a\r\nX: d\r\n\r\nb\r\n", NULL},
    {"nothing but a mbox line", "From ada Mon Nov 23 05:52:00 2026\r\n",
	"From: ada\r\n\r\n", NULL},
    {"a body alone", "just text\r\nmore\r\n",
	"From: ada\r\n\r\njust text\r\nmore\r\n", NULL},
    {"no empty line behind the header", "To: b\r\njust text\r\n",
	"To: b\r\nFrom: ada\r\n\r\njust text\r\n", NULL},
    {"a header alone", "To: b\r\n", "To: b\r\nFrom: ada\r\n\r\n", NULL},
    {"nothing at all", "", "From: ada\r\n\r\n", NULL},
    {"an empty line alone", "\r\n", "From: ada\r\n\r\n", NULL},
};

Test(sendmail_message, completes_the_header)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sendmail_message message;
		struct buffer head;

		buffer_init(&head, 65536);
		sendmail_message_split(bytes_of(rows[i].content), &message);
		sendmail_message_complete(
		    &message, rows[i].display, "ada", &head);
		buffer_append(&head, message.rest);
		cr_expect(bytes_is(buffer_bytes(&head), rows[i].expected),
		    "%s: %.*s", rows[i].name, BYTES_ARGS(buffer_bytes(&head)));
		buffer_clear(&head);
	}
}

Test(sendmail_message, encodes_nul)
{
	static const char content[] =
	    "Subject: s\r\nMIME-Version: 1.0\r\n\r\na\0b\r\n";
	struct buffer buffer;
	struct error error = {0};

	buffer_init(&buffer, 65536);
	buffer_append(&buffer, bytes_make(content, sizeof(content) - 1));
	cr_assert(sendmail_message_encode(&buffer, &error), "%s", error.text);
	struct bytes all = buffer_bytes(&buffer);
	cr_expect_not(bytes_contains(all, '\0'));
	cr_expect_lt(bytes_search(all, BYTES("Subject: s\r\n")), all.len);
	cr_expect(bytes_search(all, BYTES("a=00b\r\n")) < all.len ||
		bytes_search(all, BYTES("YQBiDQo=")) < all.len,
	    "%.*s", BYTES_ARGS(all));
	buffer_clear(&buffer);
}

Test(sendmail_message, leaves_a_signed_message_with_nul_alone)
{
	static const char content[] =
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/signed; boundary=b\r\n\r\n"
	    "--b\r\n\r\na\0b\r\n--b--\r\n";
	struct buffer buffer;
	struct error error = {0};

	buffer_init(&buffer, 65536);
	buffer_append(&buffer, bytes_make(content, sizeof(content) - 1));
	cr_expect_not(sendmail_message_encode(&buffer, &error));
	cr_expect_eq(error.kind, ERROR_DATA);
	cr_expect_eq(buffer.len, sizeof(content) - 1);
	buffer_clear(&buffer);
}

static const struct {
	const char *gecos;
	const char *login;
	const char *expected;
} users[] = {
    {"Ada Lovelace,,,", "ada", "Ada Lovelace"},
    {"root", "root", "root"},
    {"", "ada", ""},
    {",Room 1", "ada", ""},
    {"& Lovelace", "ada", "Ada Lovelace"},
    {"The &", "X1", "The X1"},
    {"&", "", ""},
};

Test(sendmail_user, knows_what_gecos_means)
{
	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
		char *name = sendmail_user_name(users[i].gecos, users[i].login);
		cr_expect_str_eq(
		    name, users[i].expected, "%s: %s", users[i].gecos, name);
		free(name);
	}
}
