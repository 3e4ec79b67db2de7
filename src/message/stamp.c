#include "message/stamp.h"

#include "base/clock.h"
#include "message/header.h"
#include "message/phrase.h"
#include "message/printable.h"

#include <string.h>

/* Of a text in a Received field; several fit in a line. */
#define TEXT_MAX ((size_t)255)

/* ---- Received ----
 *
 *   "Received:" ["from" domain [comment]] "by" domain [comment]
 *       "with" protocol "id" queue-id ["for" path] ";" date-time
 */

/* Append text where a comment may stand, without its brackets. */
static void
append_comment(struct buffer *buffer, const char *text)
{
	size_t start = buffer->len;

	printable_append(buffer, bytes_of(text), TEXT_MAX, false);
	if (buffer->overflowed)
		return;
	char *end = buffer->memory + buffer->start + buffer->len;
	for (char *c = end - (buffer->len - start); c < end; c++) {
		if (*c == '(' || *c == ')' || *c == '\\')
			*c = '?';
	}
}

/* Append the name the client gave itself: a peer's text, so only what may be in
 * a domain or an address literal. */
static void
append_hello(struct buffer *buffer, const char *hello, bool utf8)
{
	struct bytes name = bytes_first(bytes_of(hello), TEXT_MAX);

	if (name.len == 0)
		buffer_append_text(buffer, "unknown");
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];
		bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
		    (c >= 'a' && c <= 'z') ||
		    bytes_contains(BYTES(".-_[]:"), c);
		bool wide = utf8 && (unsigned char)c >= 0x80;
		buffer_append_char(buffer, plain || wide ? c : '?');
	}
}

static void
append_from(
    struct buffer *buffer, const struct stamp_received *received, bool utf8)
{
	if (received->hello == NULL)
		return;
	buffer_append_text(buffer, "from ");
	append_hello(buffer, received->hello, utf8);
	if (received->client != NULL) {
		buffer_append_text(buffer, " (");
		append_comment(buffer, received->client);
		buffer_append_text(buffer, ")");
	}
	buffer_append_text(buffer, "\r\n\t");
}

static void
append_by(struct buffer *buffer, const struct stamp_received *received)
{
	buffer_append_text(buffer, "by ");
	buffer_append_text(buffer, received->hostname);
	if (received->hello == NULL && received->client != NULL) {
		buffer_append_text(buffer, " (from ");
		append_comment(buffer, received->client);
		buffer_append_text(buffer, ")");
	}
}

static void
append_with(
    struct buffer *buffer, const struct stamp_received *received, uint64_t id)
{
	buffer_append_text(buffer, "\r\n\twith ");
	buffer_append_text(buffer, received->protocol);
	buffer_append_text(buffer, " id ");
	buffer_append_text(buffer, queue_id_of(id).text);
	if (received->tls == NULL)
		return;
	buffer_append_text(buffer, "\r\n\t(");
	append_comment(buffer, received->tls);
	buffer_append_text(buffer, ")");
}

/* One recipient is told; of several, none, or blind copies would be seen. */
static void
append_for(struct buffer *buffer, const struct envelope *envelope)
{
	if (envelope->recipient_count != 1)
		return;
	struct bytes address = bytes_of(envelope->recipients[0].address);
	if (address.len > HEADER_LINE_MAX / 2 ||
	    (!envelope->utf8 && !bytes_is_ascii(address)))
		return;
	buffer_append_text(buffer, "\r\n\tfor <");
	buffer_append(buffer, address);
	buffer_append_text(buffer, ">");
}

void
stamp_received(struct buffer *buffer, const struct stamp_received *received,
    const struct message *message)
{
	const struct envelope *envelope = &message->envelope;

	buffer_append_text(buffer, "Received: ");
	append_from(buffer, received, envelope->utf8);
	append_by(buffer, received);
	append_with(buffer, received, message->id);
	append_for(buffer, envelope);
	buffer_append_text(buffer, ";\r\n\t");
	date_append_rfc5322(buffer, envelope->arrived_at);
	buffer_append_text(buffer, "\r\n");
}

/* ---- what a submission lacks ---- */

static bool
has_field(struct bytes header, const char *name)
{
	struct header_field field;
	return header_find(header, name, &field);
}

static void
append_from_field(
    struct buffer *buffer, const struct stamp_submission *submission)
{
	struct bytes name = bytes_trim(bytes_of(submission->name));
	struct bytes sender = bytes_of(submission->sender);
	struct buffer value;

	buffer_init(&value, HEADER_SIZE_MAX);
	if (name.len > 0) {
		phrase_append(&value, bytes_first(name, TEXT_MAX));
		buffer_append_text(&value, " <");
	}
	buffer_append(&value, sender);
	if (sender.len == 0)
		buffer_printf(&value, "MAILER-DAEMON@%s", submission->hostname);
	if (name.len > 0)
		buffer_append_text(&value, ">");
	header_write(buffer, "From", buffer_bytes(&value));
	buffer_clear(&value);
}

void
stamp_submission(struct buffer *buffer, struct bytes header,
    const struct stamp_submission *submission, const struct message *message)
{
	if (!has_field(header, "Date")) {
		buffer_append_text(buffer, "Date: ");
		date_append_rfc5322(buffer, message->envelope.arrived_at);
		buffer_append_text(buffer, "\r\n");
	}
	/* The queue id is unique on this host for ever. */
	if (!has_field(header, "Message-ID"))
		buffer_printf(buffer, "Message-ID: <%s@%s>\r\n",
		    queue_id_of(message->id).text, submission->hostname);
	if (!has_field(header, "From"))
		append_from_field(buffer, submission);
}

size_t
stamp_hops(struct bytes header)
{
	return header_count(header, "Received");
}
