#include "message/report.h"

#include "base/clock.h"
#include "base/memory.h"
#include "message/dsn.h"
#include "message/header.h"
#include "message/mime.h"
#include "message/notice.h"
#include "message/transfer.h"
#include "smtp/params.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Of the original, this much is looked at and returned. */
#define RETURN_MAX     ((size_t)64 * 1024)
#define MESSAGE_ID_MAX ((size_t)500)

/* Marks what went to the postmaster, so that nothing follows from it. */
#define MARK_NAME  "X-Postrider-Report"
#define MARK_VALUE "postmaster"

/* What the kinds differ in. */
static const struct kind_row {
	unsigned notify; /* NOTIFY bit that asks for it */
	bool by_default; /* also where NOTIFY is undeclared */
	const char *subject;
} kinds[] = {
    [REPORT_FAILED] = {NOTIFY_FAILURE, true,
	"Undelivered mail returned to sender"},
    [REPORT_DELAYED] = {NOTIFY_DELAY, true, "Delayed mail (still being tried)"},
    [REPORT_RELAYED] = {NOTIFY_SUCCESS, false, "Mail handed on"},
};

struct writer {
	struct dsn dsn;
	const char *to;         /* the sender, or the postmaster */
	int64_t now;            /* wall clock ms */
	struct buffer returned; /* the original's first RETURN_MAX octets */
};

/* ---- who is told of what ---- */

static bool
is_wanted(const struct kind_row *kind, unsigned notify)
{
	return notify == 0 ? kind->by_default : (notify & kind->notify) != 0;
}

static size_t
choose_recipients(const struct kind_row *kind, const struct message *message,
    const size_t *recipients, size_t count, size_t *chosen)
{
	size_t chosen_count = 0;

	for (size_t i = 0; i < count; i++) {
		assert(recipients[i] < message->envelope.recipient_count);
		assert(recipients[i] < message->progress.recipient_count);
		if (is_wanted(kind,
			message->envelope.recipients[recipients[i]].notify))
			chosen[chosen_count++] = recipients[i];
	}
	return chosen_count;
}

/* The octets of the first whole fields; a field that is cut off is left out. */
static struct bytes
whole_fields(struct bytes content, bool is_cut)
{
	struct bytes rest = bytes_first(content, header_len(content));
	size_t len = rest.len;
	struct header_field field;

	if (!is_cut || len < content.len)
		return rest;
	size_t last = 0;
	while (header_next(&rest, &field))
		last = field.raw.len;
	return bytes_first(content, len - last);
}

static bool
read_original(struct writer *writer, struct error *error)
{
	const struct body *body = &writer->dsn.message->body;
	size_t len = 0;

	buffer_init(&writer->returned, RETURN_MAX);
	char *room = buffer_reserve(&writer->returned, RETURN_MAX);
	if (!body_read(body, 0, room, RETURN_MAX, &len, error))
		return false;
	buffer_commit(&writer->returned, len);
	writer->dsn.header =
	    whole_fields(buffer_bytes(&writer->returned), body->len > len);
	return true;
}

/* Is message itself what the postmaster was told? */
static bool
is_marked(const struct writer *writer)
{
	struct header_field field;

	return writer->dsn.message->envelope.origin == ORIGIN_OWN &&
	    header_find(writer->dsn.header, MARK_NAME, &field) &&
	    bytes_is(bytes_trim(field.value), MARK_VALUE);
}

/* ---- parts ---- */

/* Is content fit to stand in a message as it is? */
static bool
is_plain(struct bytes content)
{
	if (!bytes_is_ascii(content) || bytes_contains(content, '\0'))
		return false;
	while (content.len > 0) {
		struct bytes line = bytes_cut(&content, '\n');
		if (line.len > HEADER_LINE_MAX)
			return false;
	}
	return true;
}

/* Append a part: its header, and content, encoded where it must be.  charset is
 * the word for what is not ASCII, where the type wants one. */
static void
append_part(struct buffer *buffer, const char *type, bool has_charset,
    const char *description, struct bytes content)
{
	bool plain = is_plain(content);
	struct transfer_encoder encoder;

	buffer_printf(buffer, "Content-Description: %s\r\n", description);
	buffer_printf(buffer, "Content-Type: %s", type);
	if (has_charset)
		buffer_printf(buffer, "; charset=%s",
		    bytes_is_ascii(content)      ? "us-ascii"
			: bytes_is_utf8(content) ? "utf-8"
						 : "unknown-8bit");
	buffer_append_text(buffer, "\r\n");
	if (plain) {
		buffer_append_text(buffer, "\r\n");
		buffer_append(buffer, content);
		return;
	}
	buffer_append_text(
	    buffer, "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
	transfer_init(&encoder, TRANSFER_QUOTED_PRINTABLE);
	transfer_append(&encoder, content, buffer);
	transfer_end(&encoder, buffer);
}

/* Append the whole original, in 7 bit. *out_done is false where that cannot be,
 * and nothing was appended. */
static bool
append_original(const struct writer *writer, struct buffer *buffer,
    bool *out_done, struct error *error)
{
	struct mime *mime;
	bool end = false;
	bool ok = true;

	if (!mime_open(&writer->dsn.message->body, false, &mime, error))
		return false;
	*out_done = mime_answer(mime) != MIME_REFUSE;
	if (*out_done)
		buffer_append_text(buffer,
		    "Content-Description: Undelivered message\r\n"
		    "Content-Type: message/rfc822\r\n\r\n");
	while (*out_done && ok && !end)
		ok = mime_read(mime, buffer, &end, error);
	mime_free(mime);
	return ok;
}

/* Append the last part: the original as RET wants it, which is about failures
 * only. */
static bool
append_returned(const struct writer *writer, struct buffer *buffer,
    bool *out_full, struct error *error)
{
	const struct message *message = writer->dsn.message;
	bool full = message->envelope.ret == MAIL_RETURN_FULL &&
	    writer->dsn.kind == REPORT_FAILED &&
	    message->body.len <= RETURN_MAX;

	if (full && !append_original(writer, buffer, &full, error))
		return false;
	if (!full)
		append_part(buffer, "text/rfc822-headers", true,
		    "Header of the message", writer->dsn.header);
	*out_full = full;
	return true;
}

/* ---- the whole ---- */

/* Append the original's Message-ID where it is one. */
static void
append_references(const struct writer *writer, struct buffer *buffer)
{
	struct header_field field;

	if (!header_find(writer->dsn.header, "Message-ID", &field))
		return;
	struct bytes id = bytes_trim(field.value);
	if (id.len < 3 || id.len > MESSAGE_ID_MAX || id.data[0] != '<' ||
	    id.data[id.len - 1] != '>' || bytes_has_control(id) ||
	    bytes_contains(id, ' ') || !bytes_is_ascii(id))
		return;
	header_write(buffer, "In-Reply-To", id);
	header_write(buffer, "References", id);
}

static void
append_header(
    const struct writer *writer, struct buffer *buffer, const char *boundary)
{
	const char *hostname = writer->dsn.hostname;

	if (writer->dsn.to_postmaster)
		buffer_append_text(buffer, MARK_NAME ": " MARK_VALUE "\r\n");
	buffer_append_text(buffer, "Date: ");
	date_append_rfc5322(buffer, writer->now);
	buffer_printf(buffer,
	    "\r\nFrom: Mail Delivery System <MAILER-DAEMON@%s>\r\n", hostname);
	header_write(buffer, "To", bytes_of(writer->to));
	buffer_printf(
	    buffer, "Subject: %s\r\n", kinds[writer->dsn.kind].subject);
	buffer_printf(buffer, "Message-ID: <%s.%s.%zu@%s>\r\n",
	    queue_id_of((uint64_t)writer->now * 1000).text,
	    queue_id_of(writer->dsn.message->id).text,
	    writer->dsn.recipients[0], hostname);
	append_references(writer, buffer);
	buffer_append_text(buffer,
	    "Auto-Submitted: auto-replied\r\n"
	    "MIME-Version: 1.0\r\n");
	buffer_printf(buffer,
	    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
	    "\tboundary=\"%s\"\r\n\r\n",
	    boundary);
}

/* A boundary that no part holds; the caller frees it. */
static char *
make_boundary(
    const struct message *message, const struct buffer *parts, size_t count)
{
	for (unsigned number = 0;; number++) {
		char *boundary = memory_format(
		    "=_%s_%u", queue_id_of(message->id).text, number);
		bool found = false;
		for (size_t i = 0; i < count; i++) {
			struct bytes part = buffer_bytes(&parts[i]);
			found = found ||
			    bytes_search(part, bytes_of(boundary)) < part.len;
		}
		if (!found)
			return boundary;
		free(boundary);
	}
}

#define PART_COUNT 3

static bool
write_parts(
    const struct writer *writer, struct buffer *parts, struct error *error)
{
	struct buffer content;
	bool full = false;

	if (!append_returned(writer, &parts[2], &full, error))
		return false;

	buffer_init(&content, SIZE_MAX);
	notice_append(&writer->dsn, &content, full);
	append_part(
	    &parts[0], "text/plain", true, "Report", buffer_bytes(&content));
	buffer_empty(&content);
	dsn_append(&writer->dsn, &content);
	append_part(&parts[1],
	    writer->dsn.utf8 ? "message/global-delivery-status"
			     : "message/delivery-status",
	    false, "Delivery status", buffer_bytes(&content));
	buffer_clear(&content);
	return true;
}

static void
join_parts(const struct writer *writer, const struct buffer *parts,
    struct buffer *content)
{
	char *boundary = make_boundary(writer->dsn.message, parts, PART_COUNT);

	append_header(writer, content, boundary);
	for (size_t i = 0; i < PART_COUNT; i++) {
		buffer_printf(content, "--%s\r\n", boundary);
		buffer_append(content, buffer_bytes(&parts[i]));
		buffer_append_text(content, "\r\n");
	}
	buffer_printf(content, "--%s--\r\n", boundary);
	free(boundary);
}

static bool
write_report(
    const struct writer *writer, struct buffer *content, struct error *error)
{
	struct buffer parts[PART_COUNT];

	for (size_t i = 0; i < PART_COUNT; i++)
		buffer_init(&parts[i], SIZE_MAX);
	bool ok = write_parts(writer, parts, error);
	if (ok)
		join_parts(writer, parts, content);
	for (size_t i = 0; i < PART_COUNT; i++)
		buffer_clear(&parts[i]);
	return ok;
}

/* The message around content. */
static struct message *
make_message(const struct writer *writer, const struct buffer *content)
{
	struct message *report = message_new();

	envelope_add_recipient(&report->envelope, bytes_of(writer->to));
	report->envelope.utf8 = writer->dsn.utf8;
	report->envelope.body = MAIL_BODY_7BIT;
	report->envelope.origin = ORIGIN_OWN;
	report->envelope.arrived_at = writer->now;
	progress_init(&report->progress, 1);
	body_set(&report->body, buffer_bytes(content));
	return report;
}

static bool
make_report(
    struct writer *writer, struct message **out_report, struct error *error)
{
	struct buffer content;

	if (!read_original(writer, error))
		return false;
	if (is_marked(writer)) {
		*out_report = NULL;
		return true;
	}
	buffer_init(&content, SIZE_MAX);
	bool ok = write_report(writer, &content, error);
	if (ok)
		*out_report = make_message(writer, &content);
	buffer_clear(&content);
	return ok;
}

bool
report_make(const struct report_options *options, enum report_kind kind,
    const struct message *message, const size_t *recipients, size_t count,
    int64_t expires_at, int64_t now_wall, struct message **out_report,
    struct error *error)
{
	bool to_postmaster = envelope_is_null_sender(&message->envelope);
	const char *to =
	    to_postmaster ? options->postmaster : message->envelope.sender;
	size_t *chosen = memory_array(count, sizeof(*chosen));
	struct writer writer = {
	    .dsn =
		{
		    .hostname = options->hostname,
		    .kind = kind,
		    .message = message,
		    .recipients = chosen,
		    .count = choose_recipients(
			&kinds[kind], message, recipients, count, chosen),
		    .header = BYTES_NONE,
		    .expires_at = expires_at,
		    .to_postmaster = to_postmaster,
		    .utf8 = !bytes_is_ascii(bytes_of(to)),
		},
	    .to = to,
	    .now = now_wall,
	};
	/* What has no sender matters to nobody until it has failed. */
	bool nobody =
	    writer.dsn.count == 0 || (to_postmaster && kind != REPORT_FAILED);
	bool ok = true;

	if (nobody)
		*out_report = NULL;
	else
		ok = make_report(&writer, out_report, error) ||
		    error_context(
			error, "report on %s", queue_id_of(message->id).text);
	buffer_clear(&writer.returned);
	free(chosen);
	return ok;
}
