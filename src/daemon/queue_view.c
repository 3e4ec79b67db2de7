#include "daemon/queue_view.h"

static const char *const state_names[LEDGER_STATES] = {
    [LEDGER_WAITING] = "waiting",
    [LEDGER_IN_FLIGHT] = "in_flight",
    [LEDGER_SETTLING] = "settling",
    [LEDGER_HELD] = "held",
};

const char *
queue_view_state_name(enum ledger_state state)
{
	return state_names[state];
}

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

bool
queue_view_load(const struct queue_view *view, const struct ledger_entry *entry,
    struct message **out_message, struct error *error)
{
	struct segment_message where =
	    ledger_where(dispatch_ledger(view->dispatch), entry);

	return segment_load_facts(
	    disk_real(), view->large_fd, &where, out_message, error);
}

const char *
queue_view_delay_reason(const struct queue_view *view,
    const struct ledger_entry *entry, const struct message *message,
    size_t recipient)
{
	const char *reason = message->progress.recipients[recipient].reason;
	const char *route = dispatch_route_reason(view->dispatch, entry->route);

	if (message->progress.recipients[recipient].state != RECIPIENT_WAITING)
		return reason;
	if (route[0] != '\0')
		return route;
	return reason;
}

bool
queue_view_is_waiting(const struct message *message, size_t recipient)
{
	return message->progress.recipients[recipient].state ==
	    RECIPIENT_WAITING;
}

static void
write_recipients(struct json_writer *json, const struct queue_view *view,
    const struct ledger_entry *entry, const struct message *message)
{
	json_writer_array(json, "recipients");
	for (size_t i = 0; i < message->envelope.recipient_count; i++) {
		if (!queue_view_is_waiting(message, i))
			continue;
		json_writer_object(json, NULL);
		json_writer_text(
		    json, "address", message->envelope.recipients[i].address);
		const char *reason =
		    queue_view_delay_reason(view, entry, message, i);
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

/* What is known without its file. */
static void
write_entry(const struct ledger_entry *entry, const char *sender,
    struct json_writer *json)
{
	json_writer_text(json, "queue_name", queue_name(entry));
	json_writer_text(json, "queue_id", queue_id_of(entry->id).text);
	json_writer_number(json, "arrival_time", entry->arrived_at / 1000);
	json_writer_number(json, "message_size", (int64_t)entry->size);
	json_writer_bool(json, "forced_expire", false);
	json_writer_text(json, "sender", sender);
}

void
queue_view_write(const struct queue_view *view,
    const struct ledger_entry *entry, const struct message *message,
    struct json_writer *json)
{
	const struct envelope *envelope = &message->envelope;

	write_entry(entry, envelope->sender, json);
	write_recipients(json, view, entry, message);
	json_writer_text(json, "state",
	    queue_view_state_name((enum ledger_state)entry->state));
	json_writer_number(json, "attempts", dispatch_attempts(entry, message));
	json_writer_time(
	    json, "next_at", dispatch_next_at(entry, message, clock_now()));
	if (envelope->uid == UID_UNKNOWN)
		json_writer_null(json, "uid");
	else
		json_writer_number(json, "uid", envelope->uid);
	json_writer_text(json, "route", tried_upstream(message));
}

void
queue_view_write_unread(const struct ledger_entry *entry,
    const struct error *why, struct json_writer *json)
{
	write_entry(entry, "", json);
	json_writer_array(json, "recipients");
	json_writer_end(json);
	json_writer_text(json, "state",
	    queue_view_state_name((enum ledger_state)entry->state));
	json_writer_number(json, "attempts", entry->attempts);
	json_writer_text(json, "error", error_text(why));
}
