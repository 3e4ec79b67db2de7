#include "daemon/queue_message.h"

#include "base/log.h"
#include "base/memory.h"
#include "message/header.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- JSON ---- */

static const char *
recipient_state_name(enum recipient_state state)
{
	switch (state) {
	case RECIPIENT_WAITING:
		return "waiting";
	case RECIPIENT_DELIVERED:
		return "delivered";
	case RECIPIENT_FAILED:
		return "failed";
	}
	return "";
}

/* Behind the path in MAIL or RCPT, as they were given: "NOTIFY=NEVER". */
static void
write_parameters(struct json_writer *json, struct buffer *parameters)
{
	json_writer_bytes(
	    json, "parameters", bytes_trim(buffer_bytes(parameters)));
	buffer_clear(parameters);
}

static void
write_mail_parameters(struct json_writer *json, const struct envelope *envelope)
{
	struct mail_params params = envelope_mail_params(envelope);
	struct buffer text;

	buffer_init(&text, SIZE_MAX);
	params_write_mail(&text, &params, UINT32_MAX);
	write_parameters(json, &text);
}

static void
write_rcpt_parameters(
    struct json_writer *json, const struct recipient *recipient)
{
	struct rcpt_params params = envelope_rcpt_params(recipient);
	struct buffer text;

	buffer_init(&text, SIZE_MAX);
	params_write_rcpt(&text, &params, UINT32_MAX);
	write_parameters(json, &text);
}

static void
write_history(struct json_writer *json, const struct queue_view *view,
    const struct ledger_entry *entry, const struct message *message)
{
	json_writer_array(json, "history");
	for (size_t i = 0; i < message->envelope.recipient_count; i++) {
		const struct recipient_progress *progress =
		    &message->progress.recipients[i];
		json_writer_object(json, NULL);
		json_writer_text(
		    json, "address", message->envelope.recipients[i].address);
		write_rcpt_parameters(json, &message->envelope.recipients[i]);
		json_writer_text(
		    json, "state", recipient_state_name(progress->state));
		json_writer_text(json, "status", progress->status);
		json_writer_text(json, "reason",
		    queue_view_delay_reason(view, entry, message, i));
		json_writer_text(json, "upstream", progress->upstream);
		json_writer_end(json);
	}
	json_writer_end(json);
}

static void
write_header(struct json_writer *json, const struct message *message)
{
	char *start = memory_new(HEADER_SIZE_MAX);
	struct error error;
	size_t len;

	if (body_read(
		&message->body, 0, start, HEADER_SIZE_MAX, &len, &error)) {
		struct bytes content = bytes_make(start, len);
		json_writer_bytes(
		    json, "header", bytes_first(content, header_len(content)));
	} else {
		json_writer_null(json, "header");
	}
	free(start);
}

/* As text: not every JSON reader knows 64 bits. */
static void
write_check(struct json_writer *json, uint64_t check)
{
	char text[20];

	(void)snprintf(
	    text, sizeof(text), "%016llx", (unsigned long long)check);
	json_writer_text(json, "content_check", text);
}

/* ---- which one ---- */

/* The message of the path, which the caller may see; else answered. */
static struct message *
find_message(const struct queue_view *view, struct control_request *request,
    const struct ledger_entry **out_entry)
{
	struct bytes part = control_request_part(request);
	struct message *message;
	struct error error;
	uint64_t id;

	if (!queue_id_parse(part, &id)) {
		control_fail(
		    request, 400, "no queue id: %.*s", BYTES_ARGS(part));
		return NULL;
	}
	const struct ledger_entry *entry =
	    ledger_find(dispatch_ledger(view->dispatch), id);
	if (entry == NULL) {
		control_fail(request, 404, "no such message in the queue: %s",
		    queue_id_of(id).text);
		return NULL;
	}
	if (!queue_view_load(view, entry, &message, &error)) {
		control_fail(request, 500, "%s", error_text(&error));
		return NULL;
	}
	if (!control_request_owns(request, message->envelope.uid)) {
		message_free(message);
		control_fail(request, 403, "this message is not yours");
		return NULL;
	}
	*out_entry = entry;
	return message;
}

void
queue_message_show(
    const struct queue_view *view, struct control_request *request)
{
	const struct ledger_entry *entry;
	struct message *message = find_message(view, request, &entry);
	if (message == NULL)
		return;

	struct json_writer *json = control_request_json(request);
	queue_view_write(view, entry, message, json);
	json_writer_time(json, "arrived_at", message->envelope.arrived_at);
	json_writer_text(json, "envelope_id", message->envelope.id);
	write_mail_parameters(json, &message->envelope);
	write_check(json, message->check);
	json_writer_text(json, "client", message->envelope.client);
	json_writer_time(json, "attempted_at", message->progress.attempted_at);
	json_writer_number(json, "in_doubt", message->progress.in_doubt);
	write_history(json, view, entry, message);
	write_header(json, message);
	control_reply(request);
	message_free(message);
}

/* Content on its way to the caller, found anew for each piece: the message may
 * be delivered, or be moved, meanwhile. */
struct content_stream {
	struct queue_view view;
	uint64_t id;
	uint64_t offset;
};

/* The next piece into out; false, with error, where there is none. */
static bool
append_piece(struct content_stream *stream, struct buffer *out, bool *out_more,
    struct error *error)
{
	const struct ledger_entry *entry =
	    ledger_find(dispatch_ledger(stream->view.dispatch), stream->id);
	struct message *message;
	size_t len = 0;

	if (entry == NULL)
		return error_set(
		    error, ERROR_CLOSED, "it has left the queue meanwhile");
	if (!queue_view_load(&stream->view, entry, &message, error))
		return false;
	char *piece = buffer_reserve(out, CONTROL_PIECE_SIZE);
	assert(piece != NULL); /* out is empty, and takes more than that */
	bool is_read = body_read(&message->body, stream->offset, piece,
	    CONTROL_PIECE_SIZE, &len, error);
	buffer_commit(out, is_read ? len : 0);
	stream->offset += len;
	*out_more = stream->offset < message->body.len;
	message_free(message);
	return is_read;
}

static enum control_more
content_more(struct buffer *out, void *ctx)
{
	struct content_stream *stream = ctx;
	struct error error;
	bool has_more = false;

	if (!append_piece(stream, out, &has_more, &error)) {
		log_warning("%s: its content is shown in part only: %s",
		    queue_id_of(stream->id).text, error_text(&error));
		return CONTROL_MORE_CUT;
	}
	return has_more ? CONTROL_MORE_FOLLOWS : CONTROL_MORE_LAST;
}

static void
content_end(void *ctx)
{
	free(ctx);
}

void
queue_message_content(
    const struct queue_view *view, struct control_request *request)
{
	const struct ledger_entry *entry;
	struct message *message = find_message(view, request, &entry);
	if (message == NULL)
		return;

	struct content_stream *stream = memory_new(sizeof(*stream));
	stream->view = *view;
	stream->id = entry->id;
	message_free(message);
	control_stream(
	    request, "message/rfc822", content_more, content_end, stream);
}
