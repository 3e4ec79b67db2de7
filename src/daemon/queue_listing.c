#include "daemon/queue_listing.h"

#include "base/log.h"
#include "base/memory.h"
#include "control/mailq_text.h"

#include <stdlib.h>
#include <string.h>

struct listing {
	struct queue_view view;
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
	queue_view_write(&listing->view, entry, message, &json);
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
		if (!queue_view_is_waiting(message, i))
			continue;
		recipients[shown.recipient_count++] = (struct mailq_recipient){
		    .address = message->envelope.recipients[i].address,
		    .reason = queue_view_delay_reason(
			&listing->view, entry, message, i),
		};
	}
	mailq_text_entry(&listing->mailq, &shown, out);
	free(recipients);
}

/* It is in the queue, whatever can be read of it; whose it is cannot be told.
 */
static void
append_unread(struct listing *listing, const struct ledger_entry *entry,
    const struct error *why, struct buffer *out)
{
	struct queue_id id = queue_id_of(entry->id);
	struct mailq_recipient nobody = {"?", error_text(why)};
	struct mailq_entry shown = {
	    .id = id.text,
	    .state = mailq_state_of(entry),
	    .size_bytes = entry->size,
	    .arrived_at = entry->arrived_at,
	    .sender = "?",
	    .recipients = &nobody,
	    .recipient_count = 1,
	};
	struct json_writer json;

	log_warning("%s: cannot be read: %s", id.text, error_text(why));
	if (!listing->may_see_all)
		return;
	listing->left--;
	if (listing->form == QUEUE_LISTING_MAILQ) {
		mailq_text_entry(&listing->mailq, &shown, out);
		return;
	}
	json_writer_init(&json, out);
	json_writer_object(&json, NULL);
	queue_view_write_unread(entry, why, &json);
	json_writer_end_line(&json);
}

static void
append_entry(struct listing *listing, const struct ledger_entry *entry,
    struct buffer *out)
{
	struct message *message;
	struct error error;

	if (!queue_view_load(&listing->view, entry, &message, &error)) {
		append_unread(listing, entry, &error, out);
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

/* What all listings together do in a turn: messages read from the disk, and
 * messages looked at. */
#define TURN_LOADS 64
#define TURN_LOOKS 4096

/* Whether it is to be shown, as far as that can be told without reading it. */
static bool
is_meant(const struct listing *listing, const struct ledger_entry *entry)
{
	const char *state =
	    queue_view_state_name((enum ledger_state)entry->state);

	if (listing->state != NULL && strcmp(listing->state, state) != 0)
		return false;
	return listing->may_see_all || dispatch_may_be_of(entry, listing->uid);
}

static void
append_some(struct listing *listing, struct buffer *out)
{
	const struct ledger *ledger = dispatch_ledger(listing->view.dispatch);
	unsigned looks = 1 + TURN_LOOKS / *listing->view.listings;
	unsigned loads = 1 + TURN_LOADS / *listing->view.listings;

	while (listing->left > 0 && looks > 0 && loads > 0 &&
	    out->len < CONTROL_PIECE_SIZE) {
		const struct ledger_entry *entry =
		    ledger_after(ledger, listing->cursor);
		if (entry == NULL) {
			listing->left = 0;
			return;
		}
		listing->cursor = entry->id;
		looks--;
		if (!is_meant(listing, entry))
			continue;
		append_entry(listing, entry, out);
		loads--;
	}
}

static enum control_more
listing_more(struct buffer *out, void *ctx)
{
	struct listing *listing = ctx;

	append_some(listing, out);
	if (listing->left > 0)
		return CONTROL_MORE_FOLLOWS;
	if (listing->form == QUEUE_LISTING_MAILQ)
		mailq_text_finish(&listing->mailq, out);
	return CONTROL_MORE_LAST;
}

static void
listing_end(void *ctx)
{
	struct listing *listing = ctx;

	(*listing->view.listings)--;
	free(listing);
}

/* The name of ours that text is, or NULL. */
static const char *
known_state(const char *text)
{
	for (size_t i = 0; i < LEDGER_STATES; i++)
		if (strcmp(text, queue_view_state_name((enum ledger_state)i)) ==
		    0)
			return queue_view_state_name((enum ledger_state)i);
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
queue_listing_stream(const struct queue_view *view,
    struct control_request *request, enum queue_listing_form form)
{
	struct listing *listing = memory_new(sizeof(*listing));

	listing->view = *view;
	listing->form = form;
	listing->may_see_all = control_request_can_read(request);
	listing->uid = control_request_uid(request);
	if (!read_query(listing, request)) {
		free(listing);
		return;
	}
	(*listing->view.listings)++;
	control_stream(request,
	    form == QUEUE_LISTING_JSON ? "application/jsonl" : "text/plain",
	    listing_more, listing_end, listing);
}
