#include "base/memory.h"
#include "message/notice.h"

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

TestSuite(notice, .init = use_utc);

/* What is written of one recipient. */
static void
write_notice(struct buffer *buffer, enum report_kind kind, const char *status,
    const char *reason, const char *header, bool to_postmaster)
{
	struct message *message = message_new();
	const size_t recipients[] = {0};
	struct dsn dsn = {
	    .hostname = "r.example",
	    .kind = kind,
	    .message = message,
	    .recipients = recipients,
	    .count = 1,
	    .header = bytes_of(header),
	    .expires_at = NOW + 60000,
	    .to_postmaster = to_postmaster,
	};

	message->envelope.arrived_at = NOW;
	envelope_add_recipient(&message->envelope, BYTES("b@y.example"));
	progress_init(&message->progress, 1);
	progress_set(&message->progress, 0, RECIPIENT_FAILED, bytes_of(status),
	    bytes_of(reason), BYTES("main mx.example[192.0.2.1]"));
	notice_append(&dsn, buffer, false);
	message_free(message);
}

static const struct row {
	const char *name;
	enum report_kind kind;
	const char *status, *reason, *header;
	bool to_postmaster;
	const char *expected; /* '\n' for CRLF */
} rows[] = {
    {"a failure", REPORT_FAILED, "5.1.1", "550 5.1.1 No such user",
	"Subject: hello\r\n world\r\n", false,
	"This is the mail system at r.example.\n"
	"\n"
	"Your message could not be delivered to the recipients below, and it "
	"will not\n"
	"be tried again.\n"
	"\n"
	"    Subject:  hello world\n"
	"    Taken:    Mon, 23 Nov 2026 05:52:00 +0000\n"
	"    Queue id: 00000000000\n"
	"\n"
	"<b@y.example>\n"
	"    mx.example[192.0.2.1] said:\n"
	"        550 5.1.1 No such user\n"
	"    There is no such mailbox. Please check the address.\n"
	"\n"
	"Below, for programs, is the same once more, and then the header of "
	"the\n"
	"message.\n"},
    {"a delay", REPORT_DELAYED, "4.4.1", "connection timed out", "", false,
	"This is the mail system at r.example.\n"
	"\n"
	"Your message has not yet been delivered to the recipients below. You "
	"need\n"
	"not send it again: it is kept here and will be tried again.\n"
	"\n"
	"    Taken:    Mon, 23 Nov 2026 05:52:00 +0000\n"
	"    Queue id: 00000000000\n"
	"    Until:    Mon, 23 Nov 2026 05:53:00 +0000\n"
	"\n"
	"<b@y.example>\n"
	"    At mx.example[192.0.2.1]:\n"
	"        connection timed out\n"
	"\n"
	"Below, for programs, is the same once more, and then the header of "
	"the\n"
	"message.\n"},
    {"to the postmaster", REPORT_FAILED, "5.7.1", "550 no", "", true,
	"This is the mail system at r.example.\n"
	"\n"
	"The message below has no sender to report to, being a report itself, "
	"or sent\n"
	"as one. It could not be delivered to the recipients below, and it "
	"will not\n"
	"be tried again. You are told as postmaster.\n"
	"\n"
	"    Taken:    Mon, 23 Nov 2026 05:52:00 +0000\n"
	"    Queue id: 00000000000\n"
	"\n"
	"<b@y.example>\n"
	"    mx.example[192.0.2.1] said:\n"
	"        550 no\n"
	"    The server refuses the message by its rules. If you think that "
	"it should\n"
	"    not, send its administrator this report.\n"
	"\n"
	"Below, for programs, is the same once more, and then the header of "
	"the\n"
	"message.\n"},
};

Test(notice, tells_people_what_happened)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct buffer buffer;
		struct buffer simple;
		buffer_init(&buffer, 10000);
		buffer_init(&simple, 10000);
		write_notice(&buffer, row->kind, row->status, row->reason,
		    row->header, row->to_postmaster);
		for (size_t k = 0; k < buffer.len; k++) {
			char c = buffer_bytes(&buffer).data[k];
			if (c != '\r')
				buffer_append_char(&simple, c);
		}
		cr_expect(bytes_is(buffer_bytes(&simple), row->expected),
		    "%s:\n%.*s", row->name, BYTES_ARGS(buffer_bytes(&simple)));
		buffer_clear(&buffer);
		buffer_clear(&simple);
	}
}

static const struct advice_row {
	const char *status;
	const char *words;
} advice_rows[] = {
    {"5.1.1", "no such mailbox"},
    {"5.1.10", "takes no mail"},
    {"5.1.3", "check the address"},
    {"5.2.2", "mailbox is full"},
    {"5.2.20", "takes no mail at present"},
    {"5.3.4", "too large"},
    {"4.4.1", "its time was over"},
    {"5.4.4", "could not be reached"},
    {"5.6.7", "ASCII addresses"},
    {"5.6.3", "of this kind"},
    {"5.7.26", "by its rules"},
    {"5.0.0", "administrator of this host"},
    {"", "administrator of this host"},
};

Test(notice, advises)
{
	for (size_t i = 0; i < sizeof(advice_rows) / sizeof(advice_rows[0]);
	     i++) {
		struct buffer buffer;
		buffer_init(&buffer, 10000);
		write_notice(&buffer, REPORT_FAILED, advice_rows[i].status,
		    "550 no", "", false);
		cr_expect_lt(bytes_search(buffer_bytes(&buffer),
				 bytes_of(advice_rows[i].words)),
		    buffer.len, "%s: %.*s", advice_rows[i].status,
		    BYTES_ARGS(buffer_bytes(&buffer)));
		buffer_clear(&buffer);
	}
}
