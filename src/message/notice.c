#include "message/notice.h"

#include "base/clock.h"
#include "message/header.h"
#include "message/printable.h"

#include <string.h>

#define TEXT_COLUMN ((size_t)76)
#define TEXT_MAX    ((size_t)1024)
#define SUBJECT_MAX ((size_t)200)

static const char *const openings[] = {
    [REPORT_FAILED] =
	"Your message could not be delivered to the recipients below, and it "
	"will not be tried again.",
    [REPORT_DELAYED] =
	"Your message has not yet been delivered to the recipients below. You "
	"need not send it again: it is kept here and will be tried again.",
    [REPORT_RELAYED] =
	"Your message was handed on to the servers below. They do not report "
	"deliveries, so this may be the last that you hear of it.",
};

static const char opening_postmaster[] =
    "The message below has no sender to report to, being a report itself, or "
    "sent as one. It could not be delivered to the recipients below, and it "
    "will not be tried again. You are told as postmaster.";

static const char closing_full[] =
    "Below, for programs, is the same once more, and then the message itself.";
static const char closing_header[] =
    "Below, for programs, is the same once more, and then the header of the "
    "message.";

/* What to do, by the enhanced code without its class; the first that fits. */
static const struct advice {
	const char *code;
	const char *text;
} advices[] = {
    {"1.1", "There is no such mailbox. Please check the address."},
    {"1.2",
	"That domain takes no mail. Please check what stands behind the @ "
	"in the address."},
    {"1.10",
	"That domain takes no mail. Please check what stands behind the "
	"@ in the address."},
    {"1.", "Please check the address."},
    {"2.2",
	"The mailbox is full. Please send the message again later, or "
	"reach the recipient in another way."},
    {"2.3",
	"The message is too large for that mailbox. Please send it in "
	"smaller parts."},
    {"2.",
	"The mailbox takes no mail at present. Please reach the recipient "
	"in another way."},
    {"3.4",
	"The message is too large for that server. Please send it in "
	"smaller parts."},
    {"4.7",
	"It was tried until its time was over. Please send it again "
	"later; if that fails too, tell the administrator of this host."},
    {"4.",
	"The server could not be reached. Please send the message again "
	"later; if that fails too, tell the administrator of this host."},
    {"6.7",
	"The server takes only plain ASCII addresses. Please use such "
	"an address of the recipient."},
    {"6.",
	"The server cannot take content of this kind. Please send it in "
	"another form, for example unsigned or as a plain attachment."},
    {"7.",
	"The server refuses the message by its rules. If you think that "
	"it should not, send its administrator this report."},
    {"",
	"If what the server says does not help you, show this report to the "
	"administrator of this host."},
};

static const char *
advice_for(const char *status)
{
	const struct bytes code = bytes_of(status + strlen("5."));
	const struct advice *row = advices;

	for (;; row++) {
		struct bytes wanted = bytes_of(row->code);
		bool exact = wanted.len > 0 &&
		    !bytes_is(bytes_from(wanted, wanted.len - 1), ".");
		if (exact ? bytes_equal(code, wanted)
			  : bytes_has_prefix(code, row->code))
			return row->text;
	}
}

/* Append text, words broken to lines, each behind indent. */
static void
append_wrapped(struct buffer *buffer, const char *indent, struct bytes text)
{
	size_t column = 0;

	while (text.len > 0) {
		struct bytes word = bytes_cut(&text, ' ');
		if (word.len == 0)
			continue;
		if (column > 0 && column + 1 + word.len > TEXT_COLUMN) {
			buffer_append_text(buffer, "\r\n");
			column = 0;
		}
		const char *before = column == 0 ? indent : " ";
		buffer_append_text(buffer, before);
		buffer_append(buffer, word);
		column += strlen(before) + word.len;
	}
	buffer_append_text(buffer, "\r\n");
}

static void
append_paragraph(struct buffer *buffer, const char *text)
{
	append_wrapped(buffer, "", bytes_of(text));
	buffer_append_text(buffer, "\r\n");
}

static void
append_subject(const struct dsn *dsn, struct buffer *buffer)
{
	struct header_field field;

	if (!header_find(dsn->header, "Subject", &field))
		return;
	buffer_append_text(buffer, "    Subject:  ");
	printable_append(buffer, field.value, SUBJECT_MAX, true);
	buffer_append_text(buffer, "\r\n");
}

static void
append_facts(const struct dsn *dsn, struct buffer *buffer)
{
	const struct message *message = dsn->message;

	append_subject(dsn, buffer);
	buffer_append_text(buffer, "    Taken:    ");
	date_append_rfc5322(buffer, message->envelope.arrived_at);
	buffer_printf(
	    buffer, "\r\n    Queue id: %s\r\n", queue_id_of(message->id).text);
	if (dsn->kind == REPORT_DELAYED) {
		buffer_append_text(buffer, "    Until:    ");
		date_append_rfc5322(buffer, dsn->expires_at);
		buffer_append_text(buffer, "\r\n");
	}
	buffer_append_text(buffer, "\r\n");
}

/* Append "host said:" and the reply, or what happened in our words. */
static void
append_reason(const struct recipient_progress *progress, struct buffer *buffer)
{
	struct bytes host = dsn_host(progress->upstream);

	if (progress->reason == NULL)
		return;
	if (host.len > 0 && dsn_is_reply(progress->reason)) {
		buffer_append_text(buffer, "    ");
		buffer_append(buffer, host);
		buffer_append_text(buffer, " said:\r\n");
	} else if (host.len > 0) {
		buffer_append_text(buffer, "    At ");
		buffer_append(buffer, host);
		buffer_append_text(buffer, ":\r\n");
	}
	append_wrapped(buffer, "        ", bytes_of(progress->reason));
}

static void
append_recipient(const struct dsn *dsn, struct buffer *buffer, size_t i)
{
	const struct message *message = dsn->message;

	buffer_append_text(buffer, "<");
	printable_append(buffer,
	    bytes_of(message->envelope.recipients[i].address), TEXT_MAX, true);
	buffer_append_text(buffer, ">\r\n");
	append_reason(&message->progress.recipients[i], buffer);
	if (dsn->kind == REPORT_FAILED)
		append_wrapped(
		    buffer, "    ", bytes_of(advice_for(dsn_status(dsn, i))));
	buffer_append_text(buffer, "\r\n");
}

void
notice_append(const struct dsn *dsn, struct buffer *buffer, bool full)
{
	buffer_printf(
	    buffer, "This is the mail system at %s.\r\n\r\n", dsn->hostname);
	append_paragraph(buffer,
	    dsn->to_postmaster ? opening_postmaster : openings[dsn->kind]);
	append_facts(dsn, buffer);
	for (size_t i = 0; i < dsn->count; i++)
		append_recipient(dsn, buffer, dsn->recipients[i]);
	append_wrapped(
	    buffer, "", bytes_of(full ? closing_full : closing_header));
}
