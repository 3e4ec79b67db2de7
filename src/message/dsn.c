#include "message/dsn.h"

#include "base/clock.h"
#include "message/header.h"
#include "message/printable.h"
#include "smtp/params.h"

#include <stdint.h>
#include <string.h>

/* Of a text in a field. */
#define TEXT_MAX ((size_t)1024)

/* What the kinds are called. */
static const struct kind_row {
	const char *action;
	const char *unknown; /* status where none fits */
	const char *expired; /* where a temporary one has become final */
} kinds[] = {
    [REPORT_FAILED] = {"failed", "5.0.0", "4.4.7"},
    [REPORT_DELAYED] = {"delayed", "4.0.0", "4.0.0"},
    [REPORT_RELAYED] = {"relayed", "2.0.0", "2.0.0"},
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "5.1.1": class "." 1*3digit "." 1*3digit (RFC 3463 2). */
static bool
is_status(struct bytes text)
{
	struct bytes rest = text;
	struct bytes class = bytes_cut(&rest, '.');
	struct bytes subject = bytes_cut(&rest, '.');
	unsigned long long number;

	return class.len == 1 && bytes_to_u64(class, 5, &number) &&
	    number >= 2 && bytes_to_u64(subject, 999, &number) &&
	    bytes_to_u64(rest, 999, &number);
}

const char *
dsn_status(const struct dsn *dsn, size_t recipient)
{
	const struct kind_row *kind = &kinds[dsn->kind];
	const char *status =
	    dsn->message->progress.recipients[recipient].status;

	if (status == NULL || !is_status(bytes_of(status)))
		return kind->unknown;
	if (status[0] != kind->unknown[0])
		return status[0] == '4' ? kind->expired : kind->unknown;
	return status;
}

bool
dsn_is_reply(const char *reason)
{
	return reason != NULL && is_digit(reason[0]) && is_digit(reason[1]) &&
	    is_digit(reason[2]) &&
	    (reason[3] == ' ' || reason[3] == '-' || reason[3] == '\0');
}

struct bytes
dsn_host(const char *upstream)
{
	struct bytes text = bytes_of(upstream);
	size_t blank = bytes_last_index(text, ' ');

	return blank == text.len ? text : bytes_from(text, blank + 1);
}

static void
append_date_field(struct buffer *buffer, const char *name, int64_t wall_ms)
{
	buffer_printf(buffer, "%s: ", name);
	date_append_rfc5322(buffer, wall_ms);
	buffer_append_text(buffer, "\r\n");
}

/*
 * Append "rfc822; a@b" or, not ASCII, "utf-8; …", as it is or, where the report
 * must be ASCII, as utf-8-addr-xtext with \x{4E2D} (RFC 6533 3).
 */
static void
append_typed_address(struct buffer *buffer, struct bytes address, bool utf8)
{
	if (bytes_is_ascii(address)) {
		buffer_append_text(buffer, "rfc822; ");
		printable_append(buffer, address, TEXT_MAX, false);
		return;
	}
	buffer_append_text(buffer, "utf-8; ");
	if (utf8) {
		printable_append(buffer, address, TEXT_MAX, true);
		return;
	}
	while (address.len > 0) {
		size_t len = bytes_utf8_len(address);
		unsigned code = (unsigned char)address.data[0];
		if (len > 1)
			code &= 0x7fU >> len;
		for (size_t i = 1; i < len; i++)
			code = code << 6 |
			    ((unsigned char)address.data[i] & 0x3fU);
		if (code > ' ' && code < 0x7f && code != '\\')
			buffer_append_char(buffer, (char)code);
		else
			buffer_printf(buffer, "\\x{%02X}", code);
		address = bytes_from(address, len == 0 ? 1 : len);
	}
}

static void
append_final_recipient(
    const struct dsn *dsn, struct buffer *buffer, const char *address)
{
	struct buffer value;

	buffer_init(&value, SIZE_MAX);
	append_typed_address(&value, bytes_of(address), dsn->utf8);
	header_write(buffer, "Final-Recipient", buffer_bytes(&value));
	buffer_clear(&value);
}

/* ORCPT is "type;xtext"; here the xtext is undone (RFC 3461 6.3). */
static void
append_original_recipient(
    const struct dsn *dsn, struct buffer *buffer, const char *original)
{
	struct bytes address = bytes_of(original);
	struct bytes type = bytes_cut(&address, ';');
	struct buffer decoded;
	struct buffer value;

	buffer_init(&decoded, HEADER_SIZE_MAX);
	buffer_init(&value, HEADER_SIZE_MAX);
	if (type.len > 0 && xtext_decode(&decoded, address)) {
		printable_append(&value, type, TEXT_MAX, false);
		buffer_append_text(&value, "; ");
		printable_append(
		    &value, buffer_bytes(&decoded), TEXT_MAX, dsn->utf8);
		header_write(
		    buffer, "Original-Recipient", buffer_bytes(&value));
	}
	buffer_clear(&value);
	buffer_clear(&decoded);
}

static void
append_envelope_id(const struct dsn *dsn, struct buffer *buffer, const char *id)
{
	struct buffer decoded;
	struct buffer value;

	buffer_init(&decoded, HEADER_SIZE_MAX);
	buffer_init(&value, HEADER_SIZE_MAX);
	if (xtext_decode(&decoded, bytes_of(id)) && decoded.len > 0) {
		printable_append(
		    &value, buffer_bytes(&decoded), TEXT_MAX, dsn->utf8);
		header_write(
		    buffer, "Original-Envelope-Id", buffer_bytes(&value));
	}
	buffer_clear(&value);
	buffer_clear(&decoded);
}

static void
append_remote(struct buffer *buffer, const char *upstream)
{
	struct bytes host = dsn_host(upstream);
	size_t bracket = bytes_index(host, '[');
	struct buffer value;

	/* A socket's path is no name that anybody else knows. */
	if (host.len == 0 || host.data[0] == '/')
		return;
	if (bracket > 0)
		host = bytes_first(host, bracket);
	buffer_init(&value, HEADER_SIZE_MAX);
	buffer_append_text(&value, "dns; ");
	printable_append(&value, host, TEXT_MAX, false);
	header_write(buffer, "Remote-MTA", buffer_bytes(&value));
	buffer_clear(&value);
}

static void
append_diagnostic(
    const struct dsn *dsn, struct buffer *buffer, const char *reason)
{
	struct buffer value;

	if (reason == NULL)
		return;
	buffer_init(&value, HEADER_SIZE_MAX);
	buffer_append_text(
	    &value, dsn_is_reply(reason) ? "smtp; " : "x-postrider; ");
	printable_append(&value, bytes_of(reason), TEXT_MAX, dsn->utf8);
	header_write(buffer, "Diagnostic-Code", buffer_bytes(&value));
	buffer_clear(&value);
}

static void
append_recipient_status(const struct dsn *dsn, struct buffer *buffer, size_t i)
{
	const struct message *message = dsn->message;
	const struct recipient *recipient = &message->envelope.recipients[i];
	const struct recipient_progress *progress =
	    &message->progress.recipients[i];

	buffer_append_text(buffer, "\r\n");
	if (recipient->original != NULL)
		append_original_recipient(dsn, buffer, recipient->original);
	append_final_recipient(dsn, buffer, recipient->address);
	buffer_printf(buffer, "Action: %s\r\nStatus: %s\r\n",
	    kinds[dsn->kind].action, dsn_status(dsn, i));
	append_remote(buffer, progress->upstream);
	append_diagnostic(dsn, buffer, progress->reason);
	if (message->progress.attempted_at != 0)
		append_date_field(buffer, "Last-Attempt-Date",
		    message->progress.attempted_at);
	buffer_printf(
	    buffer, "Final-Log-ID: %s\r\n", queue_id_of(message->id).text);
	if (dsn->kind == REPORT_DELAYED)
		append_date_field(buffer, "Will-Retry-Until", dsn->expires_at);
}

void
dsn_append(const struct dsn *dsn, struct buffer *buffer)
{
	const struct envelope *envelope = &dsn->message->envelope;

	if (envelope->id != NULL)
		append_envelope_id(dsn, buffer, envelope->id);
	buffer_printf(buffer, "Reporting-MTA: dns; %s\r\n", dsn->hostname);
	append_date_field(buffer, "Arrival-Date", envelope->arrived_at);
	for (size_t i = 0; i < dsn->count; i++)
		append_recipient_status(dsn, buffer, dsn->recipients[i]);
}
