/* A message at rest: how it begins to wait, how it ends, and recovery. */
#include "base/log.h"
#include "daemon/dispatch_private.h"

#include <assert.h>
#include <string.h>
#include <sys/param.h>
#include <xxhash.h>

/* ---- age ---- */

/* The time, had nobody touched the wall clock since the start. */
static struct clock_time
steady(const struct dispatch *dispatch, struct clock_time now)
{
	return (struct clock_time){
	    .wall_ms = now.mono_ms + dispatch->steady,
	    .mono_ms = now.mono_ms,
	};
}

bool
dispatch_has_expired(const struct dispatch *dispatch,
    const struct ledger_entry *entry, struct clock_time now)
{
	return retry_expiry(&dispatch->options.retry, entry->arrived_at,
		   steady(dispatch, now)) <= now.mono_ms;
}

bool
dispatch_wants_notice(const struct dispatch *dispatch,
    const struct ledger_entry *entry, struct clock_time now)
{
	return !(entry->flags & FLAG_DELAY_REPORTED) &&
	    retry_notice(&dispatch->options.retry, entry->arrived_at,
		steady(dispatch, now)) <= now.mono_ms;
}

int64_t
dispatch_due(const struct ledger_entry *entry)
{
	bool sleeps = entry->state == LEDGER_WAITING && !entry->item.is_ready;

	return sleeps ? entry->item.node.key : 0;
}

unsigned
dispatch_attempts(
    const struct ledger_entry *entry, const struct message *message)
{
	return MAX(entry->attempts, message->progress.attempts);
}

int64_t
dispatch_next_at(const struct ledger_entry *entry,
    const struct message *message, struct clock_time now)
{
	int64_t left = dispatch_due(entry) - now.mono_ms;

	if (entry->attempts <= message->progress.attempts)
		return message->progress.next_at;
	return now.wall_ms + MAX(left, 0);
}

void
dispatch_set_alarm(struct dispatch *dispatch, struct ledger_entry *entry,
    int64_t due, struct clock_time now)
{
	const struct retry_policy *policy = &dispatch->options.retry;
	struct clock_time time = steady(dispatch, now);
	int64_t at = retry_expiry(policy, entry->arrived_at, time);
	int64_t notice = retry_notice(policy, entry->arrived_at, time);
	int64_t reroute =
	    (due > now.mono_ms ? due : now.mono_ms) + DISPATCH_REROUTE_MS;

	if (!(entry->flags & FLAG_DELAY_REPORTED) && notice < at)
		at = notice;
	if ((entry->flags & FLAG_MANY_ROUTES) && reroute < at)
		at = reroute;
	ledger_set_alarm(dispatch->ledger, entry, at);
}

/* ---- beginning ---- */

static uint32_t
uid_hash(uint32_t uid)
{
	return (uint32_t)XXH3_64bits(&uid, sizeof(uid));
}

bool
dispatch_may_be_of(const struct ledger_entry *entry, uint32_t uid)
{
	return entry->sender == uid_hash(uid);
}

/* Of whom it is from: a share of the schedule each. */
static uint32_t
sender_hash(const struct envelope *envelope)
{
	if (envelope->uid != UID_UNKNOWN)
		return uid_hash(envelope->uid);
	return (uint32_t)XXH3_64bits(
	    envelope->sender, strlen(envelope->sender));
}

/* arrived_at: by the steady clock. */
static struct ledger_entry *
add_entry(struct dispatch *dispatch, uint64_t id, struct place place,
    const struct envelope *envelope, uint64_t size, bool is_large,
    int64_t arrived_at)
{
	struct ledger_entry *entry = ledger_add(
	    dispatch->ledger, id, place, size, is_large, sender_hash(envelope));

	entry->arrived_at = arrived_at;
	if (is_large)
		dispatch->large_octets += size;
	if (dispatch_has_many_routes(dispatch, envelope))
		entry->flags |= FLAG_MANY_ROUTES;
	return entry;
}

void
dispatch_begin_waiting(struct dispatch *dispatch, const struct message *message,
    struct place place, uint16_t route, struct clock_time now)
{
	struct ledger_entry *entry = add_entry(dispatch, message->id, place,
	    &message->envelope, message->body.len,
	    message->body.name[0] != '\0', steady(dispatch, now).wall_ms);

	dispatch_rest(dispatch, entry, route, now.mono_ms, false, now);
}

/* ---- rest and end ---- */

static void
keep_held(struct dispatch *dispatch, struct ledger_entry *entry)
{
	/* It does not age. */
	ledger_set_alarm(dispatch->ledger, entry, CLOCK_NEVER);
	ledger_move(dispatch->ledger, entry, LEDGER_HELD);
}

static void
keep_waiting(struct dispatch *dispatch, struct ledger_entry *entry,
    uint16_t route, int64_t due, struct clock_time now)
{
	/* The lane of those that no route takes is behind all others: lanes up
	 * to ROUTE_NONE would be many. */
	size_t routes = dispatch->options.settle->routes.count;

	ledger_wait(dispatch->ledger, entry,
	    route < routes ? route : (uint16_t)routes, due, now.mono_ms);
	dispatch_set_alarm(dispatch, entry, due, now);
}

void
dispatch_rest(struct dispatch *dispatch, struct ledger_entry *entry,
    uint16_t route, int64_t due, bool held, struct clock_time now)
{
	uint8_t wishes = entry->flags;

	entry->flags &= (uint8_t) ~(FLAG_WANT_HOLD | FLAG_WANT_RELEASE);
	if (wishes & FLAG_WANT_REMOVE) {
		dispatch_remove(dispatch, entry, NULL);
	} else if (held) {
		keep_held(dispatch, entry);
		if (wishes & FLAG_WANT_RELEASE)
			dispatch_verbs_late(dispatch, entry, DISPATCH_RELEASE);
	} else {
		keep_waiting(dispatch, entry, route, due, now);
		if (wishes & FLAG_WANT_HOLD)
			dispatch_verbs_late(dispatch, entry, DISPATCH_HOLD);
	}
}

void
dispatch_rest_as(struct dispatch *dispatch, struct ledger_entry *entry,
    const struct progress *progress, uint16_t route, struct clock_time now)
{
	entry->attempts = (uint16_t)progress->attempts;
	if (progress->delay_reported)
		entry->flags |= FLAG_DELAY_REPORTED;
	dispatch_rest(dispatch, entry, route,
	    retry_due(&dispatch->options.retry, progress->next_at, now),
	    progress->held, now);
}

void
dispatch_remove(
    struct dispatch *dispatch, struct ledger_entry *entry, struct bulk *bulk)
{
	struct commit *commit = commit_new(COMMIT_OUTCOME, entry->id);

	log_info(
	    "%s: removed by the administrator", queue_id_of(entry->id).text);
	commit->finishes = true;
	commit->verb = bulk;
	unit_add(&commit->unit, record_finished(entry->id));
	ledger_move(dispatch->ledger, entry, LEDGER_SETTLING);
	dispatch_push_commit(dispatch, commit);
}

void
dispatch_forget(struct dispatch *dispatch, struct ledger_entry *entry)
{
	if (entry->is_large) {
		assert(dispatch->large_octets >= entry->size);
		dispatch->large_octets -= entry->size;
	}
	ledger_remove(dispatch->ledger, entry);
}

/* ---- recovery ---- */

static void
recovered_message(struct dispatch *dispatch, const struct journal_fact *fact,
    struct clock_time now)
{
	struct ledger_entry *entry = ledger_find(dispatch->ledger, fact->id);
	int64_t arrived_at = fact->envelope->arrived_at;
	int64_t latest = steady(dispatch, now).wall_ms;

	if (entry != NULL) {
		ledger_set_place(dispatch->ledger, entry, fact->place);
		return;
	}
	/* From the future, by a clock that has been set back: it is new. */
	entry = add_entry(dispatch, fact->id, fact->place, fact->envelope,
	    fact->size, fact->is_large,
	    arrived_at < latest ? arrived_at : latest);
	dispatch_rest(dispatch, entry,
	    dispatch_first_route(dispatch, fact->envelope), now.mono_ms, false,
	    now);
}

static void
recovered_progress(struct dispatch *dispatch, const struct journal_fact *fact,
    struct clock_time now)
{
	struct ledger_entry *entry = ledger_find(dispatch->ledger, fact->id);
	if (entry == NULL)
		return;

	ledger_set_progress_place(dispatch->ledger, entry, fact->place);
	dispatch_rest_as(dispatch, entry, fact->progress, entry->route, now);
}

void
dispatch_recovered(struct dispatch *dispatch, const struct journal_fact *fact,
    struct clock_time now)
{
	struct ledger_entry *entry;

	switch (fact->kind) {
	case JOURNAL_SEGMENT:
		ledger_set_segment(
		    dispatch->ledger, fact->segment, fact->bytes);
		break;
	case JOURNAL_MESSAGE:
		recovered_message(dispatch, fact, now);
		break;
	case JOURNAL_PROGRESS:
		recovered_progress(dispatch, fact, now);
		break;
	case JOURNAL_FINISHED:
		entry = ledger_find(dispatch->ledger, fact->id);
		if (entry != NULL)
			dispatch_forget(dispatch, entry);
		break;
	case JOURNAL_PROBLEM:
		dispatch->counters.damaged++;
		log_error("queue: %s", fact->text);
		break;
	}
}

void
dispatch_ready(struct dispatch *dispatch, uint64_t highest_id)
{
	ledger_raise_id(dispatch->ledger, highest_id);
}
