#include "message/header.h"
#include "message/stamp.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* 2026-11-23 05:52:00 UTC. */
#define NOW INT64_C(1795413120000)

static void
use_utc(void)
{
	setenv("TZ", "UTC", 1);
	tzset();
}

TestSuite(stamp, .init = use_utc);

static struct message *
make_message(const char *first, const char *second)
{
	struct message *message = message_new();

	message->id = (uint64_t)NOW * 1000;
	message->envelope.arrived_at = NOW;
	if (first != NULL)
		envelope_add_recipient(&message->envelope, bytes_of(first));
	if (second != NULL)
		envelope_add_recipient(&message->envelope, bytes_of(second));
	return message;
}

static const struct received_row {
	const char *name;
	struct stamp_received received;
	const char *first, *second;
	bool utf8;
	const char *expected;
} received_rows[] = {
    {"SMTP",
	{.hostname = "r.example",
	    .hello = "c.example",
	    .client = "[192.0.2.1]",
	    .protocol = "ESMTP"},
	"b@y.example", NULL, false,
	"Received: from c.example ([192.0.2.1])\r\n"
	"\tby r.example\r\n"
	"\twith ESMTP id 26TDPH8L0X2\r\n"
	"\tfor <b@y.example>;\r\n"
	"\tMon, 23 Nov 2026 05:52:00 +0000\r\n"},
    {"local",
	{.hostname = "r.example", .client = "uid 1000", .protocol = "local"},
	"b@y.example", "c@y.example", false,
	"Received: by r.example (from uid 1000)\r\n"
	"\twith local id 26TDPH8L0X2;\r\n"
	"\tMon, 23 Nov 2026 05:52:00 +0000\r\n"},
    {"TLS",
	{.hostname = "r.example",
	    .hello = "[IPv6:::1]",
	    .protocol = "ESMTPS",
	    .tls = "TLSv1.3 with cipher X"},
	NULL, NULL, false,
	"Received: from [IPv6:::1]\r\n"
	"\tby r.example\r\n"
	"\twith ESMTPS id 26TDPH8L0X2\r\n"
	"\t(TLSv1.3 with cipher X);\r\n"
	"\tMon, 23 Nov 2026 05:52:00 +0000\r\n"},
    {"a client that lies",
	{.hostname = "r.example",
	    .hello = "x\r\nBcc: a@b(\"",
	    .client = "a) by evil (\r\nX: y",
	    .protocol = "SMTP"},
	NULL, NULL, false,
	"Received: from x?"
	"?Bcc:?a?b?"
	"? (a? by evil ? X: y)\r\n"
	"\tby r.example\r\n"
	"\twith SMTP id 26TDPH8L0X2;\r\n"
	"\tMon, 23 Nov 2026 05:52:00 +0000\r\n"},
    {"a UTF-8 recipient of a plain message",
	{.hostname = "r.example", .protocol = "local"}, "k\xc3\xb6@b", NULL,
	false,
	"Received: by r.example\r\n"
	"\twith local id 26TDPH8L0X2;\r\n"
	"\tMon, 23 Nov 2026 05:52:00 +0000\r\n"},
    {"UTF-8",
	{.hostname = "r.example",
	    .hello = "k\xc3\xb6.example",
	    .protocol = "UTF8SMTP"},
	"k\xc3\xb6@b", NULL, true,
	"Received: from k\xc3\xb6.example\r\n"
	"\tby r.example\r\n"
	"\twith UTF8SMTP id 26TDPH8L0X2\r\n"
	"\tfor <k\xc3\xb6@b>;\r\n"
	"\tMon, 23 Nov 2026 05:52:00 +0000\r\n"},
};

Test(stamp, writes_received)
{
	for (size_t i = 0; i < sizeof(received_rows) / sizeof(received_rows[0]);
	     i++) {
		const struct received_row *row = &received_rows[i];
		struct message *message = make_message(row->first, row->second);
		struct buffer buffer;
		struct buffer expected;
		buffer_init(&buffer, 10000);
		buffer_init(&expected, 10000);
		message->envelope.utf8 = row->utf8;
		stamp_received(&buffer, &row->received, message);
		/* The rows' id stands for the message's own. */
		struct bytes rest = bytes_of(row->expected);
		size_t at = bytes_search(rest, BYTES("26TDPH8L0X2"));
		buffer_append(&expected, bytes_first(rest, at));
		buffer_append_text(&expected, queue_id_of(message->id).text);
		buffer_append(&expected, bytes_from(rest, at + QUEUE_ID_LEN));
		cr_expect(
		    bytes_equal(buffer_bytes(&buffer), buffer_bytes(&expected)),
		    "%s: \"%.*s\"", row->name,
		    BYTES_ARGS(buffer_bytes(&buffer)));
		cr_expect_eq(header_len(buffer_bytes(&buffer)), buffer.len);
		buffer_clear(&buffer);
		buffer_clear(&expected);
		message_free(message);
	}
}

static const struct submission_row {
	const char *name;
	const char *header;
	const char *sender;
	const char *display;
	const char *from; /* expected, or NULL: none is added */
	bool date, id;    /* are added */
} submission_rows[] = {
    {"nothing there", "", "a@b", NULL, "From: a@b\r\n", true, true},
    {"all there", "date: x\r\nMESSAGE-ID: y\r\nFrom: z\r\n", "a@b", "N", NULL,
	false, false},
    {"twice there", "Date: x\r\nDate: y\r\n", "a@b", "N", "From: N <a@b>\r\n",
	false, true},
    {"a name", "", "a@b", "John Doe", "From: John Doe <a@b>\r\n", true, true},
    {"a name to quote", "", "a@b", "Doe, John", "From: \"Doe, John\" <a@b>\r\n",
	true, true},
    {"a name to encode", "", "a@b", "J\xc3\xb6rg",
	"From: =?utf-8?B?SsO2cmc=?= <a@b>\r\n", true, true},
    {"an empty name", "", "a@b", " ", "From: a@b\r\n", true, true},
    {"a name that lies", "", "a@b", "x\r\nBcc: y",
	"From: \"x?"
	"?Bcc: y\" <a@b>\r\n",
	true, true},
    {"the null sender", "", "", NULL, "From: MAILER-DAEMON@r.example\r\n", true,
	true},
};

Test(stamp, adds_what_is_missing)
{
	for (size_t i = 0;
	     i < sizeof(submission_rows) / sizeof(submission_rows[0]); i++) {
		const struct submission_row *row = &submission_rows[i];
		struct message *message = make_message(NULL, NULL);
		struct stamp_submission submission = {
		    "r.example", row->sender, row->display};
		struct buffer buffer;
		struct header_field field;
		buffer_init(&buffer, 10000);
		stamp_submission(
		    &buffer, bytes_of(row->header), &submission, message);
		struct bytes added = buffer_bytes(&buffer);
		cr_expect_eq(header_len(added), added.len);
		cr_expect_eq(header_count(added, "Date"), row->date);
		cr_expect_eq(header_count(added, "Message-ID"), row->id);
		cr_expect_eq(header_find(added, "From", &field),
		    row->from != NULL, "%s", row->name);
		cr_expect(row->from == NULL || bytes_is(field.raw, row->from),
		    "%s: \"%.*s\"", row->name, BYTES_ARGS(field.raw));
		cr_expect(!row->date ||
		    bytes_search(added,
			BYTES("Date: Mon, 23 Nov 2026 05:52:00 +0000\r\n")) <
			added.len);
		buffer_clear(&buffer);
		message_free(message);
	}
}

Test(stamp, counts_hops)
{
	cr_expect_eq(stamp_hops(BYTES_NONE), 0);
	cr_expect_eq(stamp_hops(BYTES("Received: a\r\nX-Received: b\r\n"
				      "received: c\r\n d\r\n")),
	    2);
}
