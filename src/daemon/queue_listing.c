#include "daemon/queue_listing.h"

#include "base/log.h"
#include "base/memory.h"
#include "control/json_writer.h"
#include "control/mailq_text.h"
#include "message/header.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const state_names[LEDGER_STATES] = {
    [LEDGER_WAITING] = "waiting",
    [LEDGER_IN_FLIGHT] = "in_flight",
    [LEDGER_SETTLING] = "settling",
    [LEDGER_HELD] = "held",
};

/* postqueue's name for it. */
static const char *
queue_name(const struct ledger_entry *entry)
{
	switch ((enum ledger_state)entry->state) {
	case LEDGER_WAITING:
		return entry->attempts > 0 ? "deferred" : "incoming";
	case LEDGER_IN_FLIGHT:
	case LEDGER_SETTLING:
		return "active";
	case LEDGER_HELD:
		return "hold";
	}
	return "";
}

static bool
load(const struct queue_listing_source *source,
    const struct ledger_entry *entry, struct message **out_message,
    struct error *error)
{
	struct segment_message where =
	    ledger_where(dispatch_ledger(source->dispatch), entry);

	return segment_load_facts(
	    disk_real(), source->large_fd, &where, out_message, error);
}

/* Why this recipient waits: what its upstream said, or that the upstream is
 * down. */
static const char *
delay_reason(const struct queue_listing_source *source,
    const struct ledger_entry *entry, const struct message *message,
    size_t recipient)
{
	const char *reason = message->progress.recipients[recipient].reason;
	const char *route =
	    dispatch_route_reason(source->dispatch, entry->route);

	if (message->progress.recipients[recipient].state != RECIPIENT_WAITING)
		return reason;
	if (route[0] != '\0')
		return route;
	return reason;
}

static bool
is_shown(const struct message *message, size_t recipient)
{
	return message->progress.recipients[recipient].state ==
	    RECIPIENT_WAITING;
}

/* ---- JSON ---- */

static void
write_recipients(struct json_writer *json,
    const struct queue_listing_source *source, const struct ledger_entry *entry,
    const struct message *message)
{
	json_writer_array(json, "recipients");
	for (size_t i = 0; i < message->envelope.recipient_count; i++) {
		if (!is_shown(message, i))
			continue;
		json_writer_object(json, NULL);
		json_writer_text(
		    json, "address", message->envelope.recipients[i].address);
		const char *reason = delay_reason(source, entry, message, i);
		if (reason != NULL)
			json_writer_text(json, "delay_reason", reason);
		json_writer_end(json);
	}
	json_writer_end(json);
}

static const char *
tried_upstream(const struct message *message)
{
	for (size_t i = 0; i < message->progress.recipient_count; i++)
		if (message->progress.recipients[i].upstream != NULL)
			return message->progress.recipients[i].upstream;
	return NULL;
}

static void
write_summary(struct json_writer *json,
    const struct queue_listing_source *source, const struct ledger_entry *entry,
    const struct message *message)
{
	const struct envelope *envelope = &message->envelope;

	json_writer_text(json, "queue_name", queue_name(entry));
	json_writer_text(json, "queue_id", queue_id_of(entry->id).text);
	json_writer_number(
	    json, "arrival_time", message->envelope.arrived_at / 1000);
	json_writer_number(json, "message_size", (int64_t)entry->size);
	json_writer_bool(json, "forced_expire", false);
	json_writer_text(json, "sender", envelope->sender);
	write_recipients(json, source, entry, message);
	json_writer_text(json, "state", state_names[entry->state]);
	json_writer_number(json, "attempts", message->progress.attempts);
	json_writer_time(json, "next_at", message->progress.next_at);
	if (envelope->uid == UID_UNKNOWN)
		json_writer_null(json, "uid");
	else
		json_writer_number(json, "uid", envelope->uid);
	json_writer_text(json, "route", tried_upstream(message));
}

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
write_history(struct json_writer *json,
    const struct queue_listing_source *source, const struct ledger_entry *entry,
    const struct message *message)
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
		json_writer_text(
		    json, "reason", delay_reason(source, entry, message, i));
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

/* ---- lists ---- */

struct listing {
	struct queue_listing_source source;
	struct control_request *request;
	enum queue_listing_form form;
	struct mailq_text mailq;
	uint64_t cursor;
	unsigned long long left; /* of the limit */
	const char *state;       /* only this one; NULL: any */
	bool may_see_all;
	uid_t uid;
};

static void
append_json(struct listing *listing, const struct ledger_entry *entry,
    const struct message *message, struct buffer *out)
{
	struct json_writer json;

	json_writer_init(&json, out);
	json_writer_object(&json, NULL);
	write_summary(&json, &listing->source, entry, message);
	json_writer_end_line(&json);
}

static enum mailq_state
mailq_state_of(const struct ledger_entry *entry)
{
	switch ((enum ledger_state)entry->state) {
	case LEDGER_WAITING:
		return MAILQ_WAITING;
	case LEDGER_IN_FLIGHT:
	case LEDGER_SETTLING:
		return MAILQ_ACTIVE;
	case LEDGER_HELD:
		return MAILQ_HELD;
	}
	return MAILQ_WAITING;
}

static void
append_mailq(struct listing *listing, const struct ledger_entry *entry,
    const struct message *message, struct buffer *out)
{
	struct queue_id id = queue_id_of(entry->id);
	struct mailq_recipient *recipients = memory_array(
	    message->envelope.recipient_count + 1, sizeof(*recipients));
	struct mailq_entry shown = {
	    .id = id.text,
	    .state = mailq_state_of(entry),
	    .size_bytes = entry->size,
	    .arrived_at = message->envelope.arrived_at,
	    .sender = message->envelope.sender,
	    .recipients = recipients,
	};

	for (size_t i = 0; i < message->envelope.recipient_count; i++) {
		if (!is_shown(message, i))
			continue;
		recipients[shown.recipient_count++] = (struct mailq_recipient){
		    .address = message->envelope.recipients[i].address,
		    .reason = delay_reason(&listing->source, entry, message, i),
		};
	}
	mailq_text_entry(&listing->mailq, &shown, out);
	free(recipients);
}

static void
append_entry(struct listing *listing, const struct ledger_entry *entry,
    struct buffer *out)
{
	struct message *message;
	struct error error;

	if (!load(&listing->source, entry, &message, &error)) {
		log_warning("%s: cannot be listed: %s",
		    queue_id_of(entry->id).text, error_text(&error));
		return;
	}
	bool own = message->envelope.uid == listing->uid;
	if (listing->may_see_all || own) {
		if (listing->form == QUEUE_LISTING_JSON)
			append_json(listing, entry, message, out);
		else
			append_mailq(listing, entry, message, out);
		listing->left--;
	}
	message_free(message);
}

/* Messages looked at in one turn, shown or not. */
#define TURN_MESSAGES 1000

static bool
listing_more(struct buffer *out, void *ctx)
{
	struct listing *listing = ctx;
	const struct ledger *ledger = dispatch_ledger(listing->source.dispatch);

	for (int i = 0; i < TURN_MESSAGES && listing->left > 0; i++) {
		if (out->len >= CONTROL_PIECE_SIZE)
			return true;
		const struct ledger_entry *entry =
		    ledger_after(ledger, listing->cursor);
		if (entry == NULL) {
			listing->left = 0;
			break;
		}
		listing->cursor = entry->id;
		if (listing->state == NULL ||
		    strcmp(listing->state, state_names[entry->state]) == 0)
			append_entry(listing, entry, out);
	}
	if (listing->left > 0)
		return true;
	if (listing->form == QUEUE_LISTING_MAILQ)
		mailq_text_finish(&listing->mailq, out);
	return false;
}

static void
listing_end(void *ctx)
{
	free(ctx);
}

/* The name of ours that text is, or NULL. */
static const char *
known_state(const char *text)
{
	for (size_t i = 0; i < LEDGER_STATES; i++)
		if (strcmp(text, state_names[i]) == 0)
			return state_names[i];
	return NULL;
}

/* False: the request was wrong, and has been answered. */
static bool
read_query(struct listing *listing, struct control_request *request)
{
	const char *limit = control_request_query(request, "limit");
	const char *after = control_request_query(request, "after");
	const char *state = control_request_query(request, "state");

	listing->left = UINT64_MAX;
	if (limit != NULL &&
	    !bytes_to_u64(bytes_of(limit), UINT64_MAX, &listing->left)) {
		control_fail(request, 400, "limit is no number: %s", limit);
		return false;
	}
	if (after != NULL &&
	    !queue_id_parse(bytes_of(after), &listing->cursor)) {
		control_fail(request, 400, "no queue id: %s", after);
		return false;
	}
	listing->state = state == NULL ? NULL : known_state(state);
	if (state != NULL && listing->state == NULL) {
		control_fail(request, 400,
		    "no state: %s; it is waiting, in_flight, settling or held",
		    state);
		return false;
	}
	return true;
}

void
queue_listing_stream(const struct queue_listing_source *source,
    struct control_request *request, enum queue_listing_form form)
{
	struct listing *listing = memory_new(sizeof(*listing));

	listing->source = *source;
	listing->form = form;
	listing->may_see_all = control_request_can_read(request);
	listing->uid = control_request_uid(request);
	if (!read_query(listing, request)) {
		free(listing);
		return;
	}
	control_stream(request,
	    form == QUEUE_LISTING_JSON ? "application/jsonl" : "text/plain",
	    listing_more, listing_end, listing);
}

/* ---- one message ---- */

/* The message of the path, which the caller may see; else answered. */
static struct message *
find_message(const struct queue_listing_source *source,
    struct control_request *request, const struct ledger_entry **out_entry)
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
	    ledger_find(dispatch_ledger(source->dispatch), id);
	if (entry == NULL) {
		control_fail(request, 404, "no such message in the queue: %s",
		    queue_id_of(id).text);
		return NULL;
	}
	if (!load(source, entry, &message, &error)) {
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
queue_listing_show(
    const struct queue_listing_source *source, struct control_request *request)
{
	const struct ledger_entry *entry;
	struct message *message = find_message(source, request, &entry);
	if (message == NULL)
		return;

	struct json_writer *json = control_request_json(request);
	write_summary(json, source, entry, message);
	json_writer_time(json, "arrived_at", message->envelope.arrived_at);
	json_writer_text(json, "envelope_id", message->envelope.id);
	write_mail_parameters(json, &message->envelope);
	write_check(json, message->check);
	json_writer_text(json, "client", message->envelope.client);
	json_writer_time(json, "attempted_at", message->progress.attempted_at);
	json_writer_number(json, "in_doubt", message->progress.in_doubt);
	write_history(json, source, entry, message);
	write_header(json, message);
	control_reply(request);
	message_free(message);
}

/* Content on its way to the caller, found anew for each piece: the message may
 * be delivered, or be moved, meanwhile. */
struct content_stream {
	struct queue_listing_source source;
	uint64_t id;
	uint64_t offset;
};

static bool
content_more(struct buffer *out, void *ctx)
{
	struct content_stream *stream = ctx;
	const struct ledger_entry *entry =
	    ledger_find(dispatch_ledger(stream->source.dispatch), stream->id);
	struct message *message;
	struct error error;
	size_t len = 0;
	if (entry == NULL || !load(&stream->source, entry, &message, &error))
		return false;

	char *piece = buffer_reserve(out, CONTROL_PIECE_SIZE);
	bool read = piece != NULL &&
	    body_read(&message->body, stream->offset, piece, CONTROL_PIECE_SIZE,
		&len, &error);
	if (read)
		buffer_commit(out, len);
	stream->offset += len;
	bool more = read && stream->offset < message->body.len;
	message_free(message);
	return more;
}

void
queue_listing_content(
    const struct queue_listing_source *source, struct control_request *request)
{
	const struct ledger_entry *entry;
	struct message *message = find_message(source, request, &entry);
	if (message == NULL)
		return;

	struct content_stream *stream = memory_new(sizeof(*stream));
	stream->source = *source;
	stream->id = entry->id;
	message_free(message);
	control_stream(
	    request, "message/rfc822", content_more, listing_end, stream);
}
