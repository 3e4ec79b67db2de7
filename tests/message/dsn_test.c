#include "base/memory.h"
#include "message/dsn.h"
#include "message/header.h"

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

TestSuite(dsn, .init = use_utc);

static struct message *
make_message(const char *recipient)
{
	struct message *message = message_new();

	message->id = (uint64_t)NOW * 1000;
	message->envelope.arrived_at = NOW;
	envelope_add_recipient(&message->envelope, bytes_of(recipient));
	progress_init(&message->progress, 1);
	return message;
}

static const struct status_row {
	enum report_kind kind;
	const char *status;
	const char *expected;
} status_rows[] = {
    {REPORT_FAILED, "5.1.1", "5.1.1"},
    {REPORT_FAILED, "5.7.509", "5.7.509"},
    {REPORT_FAILED, "4.2.0", "4.4.7"},
    {REPORT_FAILED, "2.0.0", "5.0.0"},
    {REPORT_FAILED, "", "5.0.0"},
    {REPORT_FAILED, "5.1", "5.0.0"},
    {REPORT_FAILED, "5.1.1.1", "5.0.0"},
    {REPORT_FAILED, "5.1.1000", "5.0.0"},
    {REPORT_FAILED, "5.1.x", "5.0.0"},
    {REPORT_FAILED, "55.1.1", "5.0.0"},
    {REPORT_DELAYED, "4.2.0", "4.2.0"},
    {REPORT_DELAYED, "5.7.0", "4.0.0"},
    {REPORT_RELAYED, "2.1.5", "2.1.5"},
    {REPORT_RELAYED, "", "2.0.0"},
};

Test(dsn, has_a_status_that_fits)
{
	for (size_t i = 0; i < sizeof(status_rows) / sizeof(status_rows[0]);
	     i++) {
		struct message *message = make_message("a@b");
		struct dsn dsn = {
		    .kind = status_rows[i].kind, .message = message};
		progress_set(&message->progress, 0, RECIPIENT_FAILED,
		    bytes_of(status_rows[i].status), BYTES_NONE, BYTES_NONE);
		cr_expect_str_eq(dsn_status(&dsn, 0), status_rows[i].expected,
		    "%s: %s", status_rows[i].status, dsn_status(&dsn, 0));
		message_free(message);
	}
}

Test(dsn, tells_replies_from_other_reasons)
{
	cr_expect(dsn_is_reply("550 no"));
	cr_expect(dsn_is_reply("550"));
	cr_expect(dsn_is_reply("550-no"));
	cr_expect_not(dsn_is_reply("5500 octets"));
	cr_expect_not(dsn_is_reply("55"));
	cr_expect_not(dsn_is_reply(""));
	cr_expect_not(dsn_is_reply("connection refused"));
	cr_expect_not(dsn_is_reply(NULL));
}

Test(dsn, knows_the_host_of_an_upstream)
{
	cr_expect(
	    bytes_is(dsn_host("main mx.x[192.0.2.1]"), "mx.x[192.0.2.1]"));
	cr_expect(bytes_is(dsn_host("mx.x"), "mx.x"));
	cr_expect(bytes_is(dsn_host(""), ""));
	cr_expect(bytes_is(dsn_host(NULL), ""));
}

static const struct field_row {
	const char *name;
	const char *recipient, *original, *id, *reason, *upstream;
	bool utf8;
	const char *fields; /* all, each with '\n' */
} field_rows[] = {
    {"all there", "b@y.example", "rfc822;B+2Bx@y.example", "e+3D1",
	"550 5.1.1 no such user", "main mx.example[192.0.2.1]", false,
	"Original-Envelope-Id: e=1\n"
	"Reporting-MTA: dns; r.example\n"
	"Arrival-Date: Mon, 23 Nov 2026 05:52:00 +0000\n"
	"\n"
	"Original-Recipient: rfc822; B+x@y.example\n"
	"Final-Recipient: rfc822; b@y.example\n"
	"Action: delayed\n"
	"Status: 4.0.0\n"
	"Remote-MTA: dns; mx.example\n"
	"Diagnostic-Code: smtp; 550 5.1.1 no such user\n"
	"Last-Attempt-Date: Mon, 23 Nov 2026 05:53:00 +0000\n"
	"Final-Log-ID: @\n"
	"Will-Retry-Until: Mon, 23 Nov 2026 05:54:00 +0000\n"},
    {"little there", "b", NULL, NULL, NULL, NULL, false,
	"Reporting-MTA: dns; r.example\n"
	"Arrival-Date: Mon, 23 Nov 2026 05:52:00 +0000\n"
	"\n"
	"Final-Recipient: rfc822; b\n"
	"Action: delayed\n"
	"Status: 4.0.0\n"
	"Last-Attempt-Date: Mon, 23 Nov 2026 05:53:00 +0000\n"
	"Final-Log-ID: @\n"
	"Will-Retry-Until: Mon, 23 Nov 2026 05:54:00 +0000\n"},
    {"words of ours, a socket, bad xtext", "b", "rfc822;a+0A", "+0D",
	"connection refused", "main /run/x.sock", false,
	"Reporting-MTA: dns; r.example\n"
	"Arrival-Date: Mon, 23 Nov 2026 05:52:00 +0000\n"
	"\n"
	"Final-Recipient: rfc822; b\n"
	"Action: delayed\n"
	"Status: 4.0.0\n"
	"Diagnostic-Code: x-postrider; connection refused\n"
	"Last-Attempt-Date: Mon, 23 Nov 2026 05:53:00 +0000\n"
	"Final-Log-ID: @\n"
	"Will-Retry-Until: Mon, 23 Nov 2026 05:54:00 +0000\n"},
    {"an address alone", "b", NULL, NULL, "450 k\xc3\xb6tt", "main [192.0.2.1]",
	false,
	"Reporting-MTA: dns; r.example\n"
	"Arrival-Date: Mon, 23 Nov 2026 05:52:00 +0000\n"
	"\n"
	"Final-Recipient: rfc822; b\n"
	"Action: delayed\n"
	"Status: 4.0.0\n"
	"Remote-MTA: dns; [192.0.2.1]\n"
	"Diagnostic-Code: smtp; 450 k?tt\n"
	"Last-Attempt-Date: Mon, 23 Nov 2026 05:53:00 +0000\n"
	"Final-Log-ID: @\n"
	"Will-Retry-Until: Mon, 23 Nov 2026 05:54:00 +0000\n"},
    {"UTF-8 to ASCII", "\xe4\xb8\xad\\\xc3\xb6@y", NULL, NULL, NULL, NULL,
	false,
	"Reporting-MTA: dns; r.example\n"
	"Arrival-Date: Mon, 23 Nov 2026 05:52:00 +0000\n"
	"\n"
	"Final-Recipient: utf-8; \\x{4E2D}\\x{5C}\\x{F6}@y\n"
	"Action: delayed\n"
	"Status: 4.0.0\n"
	"Last-Attempt-Date: Mon, 23 Nov 2026 05:53:00 +0000\n"
	"Final-Log-ID: @\n"
	"Will-Retry-Until: Mon, 23 Nov 2026 05:54:00 +0000\n"},
    {"UTF-8", "\xe4\xb8\xad@y", NULL, NULL, "450 k\xc3\xb6tt", NULL, true,
	"Reporting-MTA: dns; r.example\n"
	"Arrival-Date: Mon, 23 Nov 2026 05:52:00 +0000\n"
	"\n"
	"Final-Recipient: utf-8; \xe4\xb8\xad@y\n"
	"Action: delayed\n"
	"Status: 4.0.0\n"
	"Diagnostic-Code: smtp; 450 k\xc3\xb6tt\n"
	"Last-Attempt-Date: Mon, 23 Nov 2026 05:53:00 +0000\n"
	"Final-Log-ID: @\n"
	"Will-Retry-Until: Mon, 23 Nov 2026 05:54:00 +0000\n"},
};

/* With '\n' for CRLF, and '@' alone for the queue id. */
static void
simplify(struct buffer *output, struct bytes text, uint64_t id)
{
	const char *queue_id = queue_id_of(id).text;
	size_t at = bytes_search(text, bytes_of(queue_id));

	for (size_t i = 0; i < text.len; i++) {
		if (i == at) {
			buffer_append_char(output, '@');
			i += QUEUE_ID_LEN;
		}
		if (text.data[i] != '\r')
			buffer_append_char(output, text.data[i]);
	}
}

Test(dsn, writes_the_fields)
{
	for (size_t i = 0; i < sizeof(field_rows) / sizeof(field_rows[0]);
	     i++) {
		const struct field_row *row = &field_rows[i];
		struct message *message = make_message(row->recipient);
		const size_t recipients[] = {0};
		struct dsn dsn = {
		    .hostname = "r.example",
		    .kind = REPORT_DELAYED,
		    .message = message,
		    .recipients = recipients,
		    .count = 1,
		    .expires_at = NOW + 120000,
		    .utf8 = row->utf8,
		};
		struct buffer buffer;
		struct buffer simple;
		buffer_init(&buffer, 10000);
		buffer_init(&simple, 10000);
		if (row->original != NULL)
			message->envelope.recipients[0].original =
			    memory_copy_text(row->original);
		if (row->id != NULL)
			message->envelope.id = memory_copy_text(row->id);
		message->progress.attempted_at = NOW + 60000;
		progress_set(&message->progress, 0, RECIPIENT_WAITING,
		    BYTES_NONE, bytes_of(row->reason), bytes_of(row->upstream));
		dsn_append(&dsn, &buffer);
		simplify(&simple, buffer_bytes(&buffer), message->id);
		cr_expect(bytes_is(buffer_bytes(&simple), row->fields),
		    "%s:\n%.*s", row->name, BYTES_ARGS(buffer_bytes(&simple)));
		buffer_clear(&buffer);
		buffer_clear(&simple);
		message_free(message);
	}
}
