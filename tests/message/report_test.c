#include "message/header.h"
#include "message/parts.h"
#include "message/report.h"
#include "smtp/params.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* 2026-11-23 05:52:00 UTC. */
#define NOW INT64_C(1795413120000)

static const struct report_options options = {"r.example", "postmaster@x"};

#define CONTENT                                                                \
	"Message-ID: <1@x.example>\r\nSubject: hello\r\nTo: b@y.example\r\n"   \
	"\r\nthe body\r\n"

static struct message *
make_message(const char *sender, const char *content)
{
	struct message *message = message_new();

	message->id = (uint64_t)NOW * 1000;
	message->envelope.arrived_at = NOW;
	envelope_set_sender(&message->envelope, bytes_of(sender));
	envelope_add_recipient(&message->envelope, BYTES("b@y.example"));
	envelope_add_recipient(&message->envelope, BYTES("c@y.example"));
	progress_init(&message->progress, 2);
	progress_set(&message->progress, 0, RECIPIENT_FAILED, BYTES("5.1.1"),
	    BYTES("550 5.1.1 no"), BYTES("main mx.example[192.0.2.1]"));
	body_set(&message->body, bytes_of(content));
	return message;
}

static struct message *
make_report(const struct message *message, enum report_kind kind, size_t count)
{
	const size_t recipients[] = {0, 1};
	struct message *report = NULL;
	struct error error = {0};

	cr_assert(report_make(&options, kind, message, recipients, count,
		      NOW + 3600000, NOW + 60000, &report, &error),
	    "%s", error_text(&error));
	return report;
}

static struct bytes
content_of(const struct message *message)
{
	return buffer_bytes(&message->body.memory);
}

static bool
holds(const struct message *message, const char *text)
{
	struct bytes content = content_of(message);
	return bytes_search(content, bytes_of(text)) < content.len;
}

/* What every report is (H4). */
static void
expect_sound(const struct message *report)
{
	struct bytes content = content_of(report);
	struct bytes header = bytes_first(content, header_len(content));
	struct header_field field;
	struct parts parts;
	struct error error = {0};

	cr_expect_eq(report->id, 0);
	cr_expect(envelope_is_null_sender(&report->envelope));
	cr_expect_eq(report->envelope.origin, ORIGIN_OWN);
	cr_expect_eq(report->envelope.recipient_count, 1);
	cr_expect_eq(report->progress.recipient_count, 1);
	cr_expect_eq(report->envelope.arrived_at, NOW + 60000);
	cr_expect_eq(report->body.len, content.len);
	static const char *const needed[] = {"From", "To", "Date", "Subject",
	    "Message-ID", "MIME-Version", "Content-Type", "Auto-Submitted"};
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		cr_expect_eq(
		    header_count(header, needed[i]), 1, "%s", needed[i]);
	cr_assert(header_find(header, "Auto-Submitted", &field));
	cr_expect(bytes_is(bytes_trim(field.value), "auto-replied"));
	cr_assert(header_find(header, "From", &field));
	cr_expect_lt(
	    bytes_search(field.value, BYTES("MAILER-DAEMON@r.example")),
	    field.value.len);

	/* Seven bits, short lines, no controls but CRLF and tab. */
	cr_expect(report->envelope.utf8 || bytes_is_ascii(content));
	for (size_t i = 0; i < content.len; i++) {
		unsigned char c = (unsigned char)content.data[i];
		cr_assert(c >= ' ' || c == '\r' || c == '\n' || c == '\t');
	}
	for (struct bytes rest = content; rest.len > 0;) {
		struct bytes line = bytes_cut(&rest, '\n');
		cr_assert(bytes_has_suffix_nocase(line, "\r"));
		cr_assert_leq(line.len, HEADER_LINE_MAX + 1);
	}

	/* Three parts, the first a text. */
	cr_assert(parts_find(&report->body, &parts, &error));
	cr_assert_eq(parts.part_count, 4);
	cr_expect_eq(parts.parts[0].kind, PART_MULTIPART);
	cr_expect_eq(parts.parts[1].kind, PART_LEAF);
	cr_expect(parts.parts[1].is_text);
	cr_expect_eq(parts.parts[2].kind, PART_OPAQUE);
	parts_clear(&parts);
}

Test(report, tells_the_sender_of_a_failure)
{
	struct message *message = make_message("a@x.example", CONTENT);
	struct message *report = make_report(message, REPORT_FAILED, 1);

	expect_sound(report);
	cr_expect_str_eq(report->envelope.recipients[0].address, "a@x.example");
	cr_expect(holds(report, "\r\nTo: a@x.example\r\n"));
	cr_expect(holds(report, "\r\nIn-Reply-To: <1@x.example>\r\n"));
	cr_expect(holds(report, "\r\nReferences: <1@x.example>\r\n"));
	cr_expect(holds(report, "report-type=delivery-status"));
	cr_expect(holds(report, "Final-Recipient: rfc822; b@y.example"));
	cr_expect_not(holds(report, "c@y.example"), "H5");
	cr_expect(holds(report, "Content-Type: text/rfc822-headers"));
	cr_expect_not(holds(report, "the body"));
	cr_expect_not(holds(report, "X-Postrider-Report"));
	message_free(report);
	message_free(message);
}

static const struct notify_row {
	enum report_kind kind;
	unsigned notify;
	bool told;
} notify_rows[] = {
    {REPORT_FAILED, 0, true},
    {REPORT_FAILED, NOTIFY_FAILURE, true},
    {REPORT_FAILED, NOTIFY_NEVER, false},
    {REPORT_FAILED, NOTIFY_SUCCESS | NOTIFY_DELAY, false},
    {REPORT_DELAYED, 0, true},
    {REPORT_DELAYED, NOTIFY_DELAY, true},
    {REPORT_DELAYED, NOTIFY_FAILURE, false},
    {REPORT_DELAYED, NOTIFY_NEVER, false},
    {REPORT_RELAYED, 0, false},
    {REPORT_RELAYED, NOTIFY_SUCCESS, true},
    {REPORT_RELAYED, NOTIFY_NEVER, false},
};

Test(report, heeds_notify)
{
	for (size_t i = 0; i < sizeof(notify_rows) / sizeof(notify_rows[0]);
	     i++) {
		const struct notify_row *row = &notify_rows[i];
		struct message *message = make_message("a@x", CONTENT);
		message->envelope.recipients[0].notify = row->notify;
		message->envelope.recipients[1].notify = NOTIFY_NEVER;
		struct message *report = make_report(message, row->kind, 2);
		cr_expect_eq(report != NULL, row->told, "row %zu", i);
		if (report != NULL)
			expect_sound(report);
		message_free(report);
		message_free(message);
	}
}

Test(report, goes_to_the_postmaster_for_the_null_sender_and_no_further)
{
	struct message *message = make_message("", CONTENT);

	cr_expect_null(make_report(message, REPORT_DELAYED, 1));
	struct message *report = make_report(message, REPORT_FAILED, 1);
	cr_assert_not_null(report);
	expect_sound(report);
	cr_expect_str_eq(
	    report->envelope.recipients[0].address, "postmaster@x");

	/* The report fails in its turn: nothing more, even by another name. */
	report->id = 42;
	envelope_add_recipient(&report->envelope, BYTES("root@x"));
	progress_clear(&report->progress);
	progress_init(&report->progress, 2);
	cr_expect_null(make_report(report, REPORT_FAILED, 2));
	/* But what somebody else marks so is none of ours. */
	report->envelope.origin = ORIGIN_TCP;
	struct message *other = make_report(report, REPORT_FAILED, 1);
	cr_expect_not_null(other);
	message_free(other);
	message_free(report);
	message_free(message);
}

Test(report, on_a_report_goes_to_the_postmaster)
{
	struct message *message = make_message("a@x.example", CONTENT);
	struct message *report = make_report(message, REPORT_FAILED, 1);

	progress_set(&report->progress, 0, RECIPIENT_FAILED, BYTES("5.1.1"),
	    BYTES("550 no"), BYTES("main mx"));
	struct message *second = make_report(report, REPORT_FAILED, 1);
	cr_assert_not_null(second);
	expect_sound(second);
	cr_expect_str_eq(
	    second->envelope.recipients[0].address, "postmaster@x");
	message_free(second);
	message_free(report);
	message_free(message);
}

#define VERSION "MIME-Version: 1.0\r\n"

static const struct return_row {
	const char *name;
	enum report_kind kind;
	enum mail_return ret;
	const char *content;
	const char *part, *not_part;
} return_rows[] = {
    {"undeclared", REPORT_FAILED, MAIL_RETURN_UNDECLARED, CONTENT,
	"Subject: hello", "the body"},
    {"headers", REPORT_FAILED, MAIL_RETURN_HEADERS, CONTENT, "Subject: hello",
	"the body"},
    {"full", REPORT_FAILED, MAIL_RETURN_FULL, CONTENT,
	"Content-Type: message/rfc822\r\n\r\n" CONTENT, "text/rfc822-headers"},
    {"full, of a delay", REPORT_DELAYED, MAIL_RETURN_FULL, CONTENT,
	"Subject: hello", "the body"},
    {"full, 8-bit", REPORT_FAILED, MAIL_RETURN_FULL,
	VERSION "Content-Type: text/plain; charset=utf-8\r\n\r\n"
		"plain words, k\xc3\xb6tt\r\n",
	"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	"plain words, k=C3=B6tt\r\n",
	"text/rfc822-headers"},
    {"full, not to be converted", REPORT_FAILED, MAIL_RETURN_FULL,
	"Content-Type: message/rfc822\r\n\r\n\xff", "text/rfc822-headers",
	"Content-Description: Undelivered message"},
    {"8-bit header", REPORT_FAILED, MAIL_RETURN_HEADERS,
	"Subject: k\xc3\xb6tt\r\n\r\n",
	"Content-Type: text/rfc822-headers; charset=utf-8\r\n"
	"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	"Subject: k=C3=B6tt\r\n",
	"message/rfc822"},
    {"a header that is none", REPORT_FAILED, MAIL_RETURN_HEADERS, "x",
	"Content-Type: text/rfc822-headers; charset=us-ascii\r\n\r\n\r\n--",
	"message/rfc822"},
    {"controls", REPORT_FAILED, MAIL_RETURN_FULL,
	"Subject: \x1b[1m\x07\r\nMessage-ID: <a b>\r\n\r\nx\r\n",
	"Subject:  ?[1m?\r\n", "References"},
    {"its own boundary inside", REPORT_FAILED, MAIL_RETURN_HEADERS,
	"X: =_25X2T9K04DJ_0\r\n\r\n", "boundary=\"=_25X2T9K04DJ_1\"",
	"--=_25X2T9K04DJ_0"},
};

Test(report, returns_what_ret_wants)
{
	for (size_t i = 0; i < sizeof(return_rows) / sizeof(return_rows[0]);
	     i++) {
		const struct return_row *row = &return_rows[i];
		struct message *message = make_message("a@x", row->content);
		message->envelope.ret = row->ret;
		struct message *report = make_report(message, row->kind, 1);
		cr_assert_not_null(report);
		if (strcmp(row->name, "controls") != 0)
			expect_sound(report);
		cr_expect(holds(report, row->part), "%s:\n%.*s", row->name,
		    BYTES_ARGS(content_of(report)));
		cr_expect_not(holds(report, row->not_part), "%s:\n%.*s",
		    row->name, BYTES_ARGS(content_of(report)));
		message_free(report);
		message_free(message);
	}
}

Test(report, is_bounded_whatever_the_original)
{
	struct buffer content;

	buffer_init(&content, SIZE_MAX);
	buffer_append_text(&content, "Message-ID: <1@x>\r\n");
	for (int i = 0; i < 100000; i++)
		buffer_append_text(&content, "X-Field: value\r\n more\r\n");
	buffer_append_text(&content, "\r\nbody\r\n");
	struct message *message = make_message("a@x", "");
	body_set(&message->body, buffer_bytes(&content));
	message->envelope.ret = MAIL_RETURN_FULL;
	struct message *report = make_report(message, REPORT_FAILED, 2);
	expect_sound(report);
	cr_expect_lt(report->body.len, 80 * 1024);
	/* Nothing is cut within a field. */
	cr_expect(holds(report, "X-Field: value\r\n more\r\n\r\n--="));
	message_free(report);
	message_free(message);
	buffer_clear(&content);
}

Test(report, to_a_utf8_sender_goes_by_smtputf8)
{
	struct message *message = make_message("k\xc3\xb6tt@x", CONTENT);
	message->envelope.utf8 = true;
	struct message *report = make_report(message, REPORT_FAILED, 1);

	expect_sound(report);
	cr_expect(report->envelope.utf8);
	cr_expect(holds(report, "\r\nTo: k\xc3\xb6tt@x\r\n"));
	cr_expect(holds(report, "message/global-delivery-status"));
	message_free(report);
	message_free(message);
}

Test(report, to_an_ascii_sender_is_ascii)
{
	struct message *message = make_message(
	    "a@x", "Subject: \xc3\xb6\r\nTo: k\xc3\xb6@x\r\n\r\n\xc3\xb6\r\n");
	message->envelope.utf8 = true;
	message->envelope.ret = MAIL_RETURN_FULL;
	envelope_add_recipient(&message->envelope, BYTES("k\xc3\xb6@x"));
	progress_clear(&message->progress);
	progress_init(&message->progress, 3);
	progress_set(&message->progress, 2, RECIPIENT_FAILED, BYTES("5.6.7"),
	    BYTES("550 k\xc3\xb6tt"), BYTES("main mx"));
	const size_t recipients[] = {2};
	struct message *report = NULL;
	struct error error;
	cr_assert(report_make(&options, REPORT_FAILED, message, recipients, 1,
	    0, NOW + 60000, &report, &error));
	expect_sound(report);
	cr_expect_not(report->envelope.utf8);
	cr_expect(holds(report, "Final-Recipient: utf-8; k\\x{F6}@x"));
	cr_expect(holds(report, "k=C3=B6tt"));
	message_free(report);
	message_free(message);
}

Test(report, tells_when_the_content_cannot_be_read)
{
	struct message *message = make_message("a@x", "");
	const size_t recipients[] = {0};
	struct message *report = message;
	struct error error = {0};

	message->body.fd = 12345;
	message->body.len = 10;
	cr_expect_not(report_make(&options, REPORT_FAILED, message, recipients,
	    1, 0, NOW, &report, &error));
	cr_expect_eq(error.kind, ERROR_SYSTEM);
	cr_expect_eq(report, message, "untouched");
	message_free(message);
}
