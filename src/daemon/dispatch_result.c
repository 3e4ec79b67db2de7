/* An order is back: what came of it is committed, or the message waits again.
 */
#include "base/log.h"
#include "base/seed.h"
#include "daemon/dispatch_private.h"

#include <assert.h>

static bool
is_move(const struct order *order)
{
	return order->kind == ORDER_LOAD && order->verb == NULL;
}

static bool
is_for_verb(const struct order *order)
{
	return order->kind == ORDER_LOAD && order->verb != NULL;
}

/* ---- outcomes ---- */

static void
count_outcome(struct dispatch *dispatch, const struct order *order)
{
	const struct settlement *settlement = &order->settlement;

	dispatch->counters.delivered += settlement->delivered;
	dispatch->counters.bounced += settlement->failed;
	if (order->kind == ORDER_ATTEMPT)
		dispatch->counters.deferred += settlement->waiting;
	if (order->in_doubt)
		dispatch->counters.in_doubt++;
}

/* What each recipient met with was logged by the attempt. */
static void
log_outcome(const struct order *order)
{
	const struct message *report = order->settlement.report;
	struct queue_id id = queue_id_of(order->id);

	if (order->kind == ORDER_EXPIRE)
		log_warning("%s: given up, its time is over: %s", id.text,
		    order->reason);
	if (report != NULL)
		log_info("%s: report=%s to=<%s>", id.text,
		    queue_id_of(report->id).text,
		    report->envelope.recipients[0].address);
	if (order->settlement.finished)
		log_info("%s: finished", id.text);
}

/* The outcome itself: FINISHED, or how far it has come. */
static void
add_outcome(struct commit *commit, uint8_t flags)
{
	struct progress *progress = &commit->message->progress;

	if (flags & FLAG_WANT_HOLD)
		progress->held = true;
	if (flags & FLAG_WANT_REMOVE)
		commit->finishes = true;
	if (commit->finishes)
		unit_add(&commit->unit, record_finished(commit->id));
	else
		unit_add(&commit->unit, record_progress(commit->id, progress));
}

/* It waits, as it did, for the same recipients, or is once more in doubt: on a
 * full disk that is not worth the room that was kept for what must not be done
 * twice. */
static bool
is_mere_deferral(const struct order *order, const struct commit *commit)
{
	return !commit->finishes && commit->report == NULL &&
	    !commit->message->progress.held &&
	    (!order->in_doubt || commit->message->progress.in_doubt > 1) &&
	    order->settlement.delivered == 0 && order->settlement.failed == 0;
}

/* Make what came of an order durable. Takes message and report from it. */
static void
settle(struct dispatch *dispatch, struct ledger_entry *entry,
    struct order *order, struct clock_time now)
{
	struct commit *commit = commit_new(COMMIT_OUTCOME, order->id);
	struct message *report = order->settlement.report;

	commit->message = order->message;
	commit->report = report;
	commit->route = order->settlement.route;
	commit->finishes = order->settlement.finished;
	if (report != NULL) {
		report->id = ledger_new_id(dispatch->ledger, now.wall_ms);
		commit->report_route =
		    dispatch_first_route(dispatch, &report->envelope);
		if (!SEED(BOUNCE_NOT_DURABLE))
			unit_add(&commit->unit, record_message(report));
	}
	add_outcome(commit, entry->flags);
	commit->unit.needs_room = is_mere_deferral(order, commit);
	entry->flags &= (uint8_t)~FLAG_WANT_HOLD;
	count_outcome(dispatch, order);
	log_outcome(order);
	order->message = NULL;
	order->settlement.report = NULL;
	ledger_move(dispatch->ledger, entry, LEDGER_SETTLING);
	if (SEED(LARGE_REMOVED_FIRST) && commit->finishes && entry->is_large)
		dispatch_remove_large(dispatch, commit->id);
	dispatch_push_commit(dispatch, commit);
}

/* Commit a message that pins the oldest segment again, at the head. */
static void
move(struct dispatch *dispatch, struct ledger_entry *entry, struct order *order)
{
	struct commit *commit = commit_new(COMMIT_MOVE, order->id);

	commit->message = order->message;
	commit->route = order->route;
	commit->due = order->due;
	commit->pressure = order->octets;
	unit_add(&commit->unit, record_message(commit->message));
	if (!SEED(MOVED_WITHOUT_PROGRESS))
		unit_add(&commit->unit,
		    record_progress(order->id, &commit->message->progress));
	order->message = NULL;
	ledger_move(dispatch->ledger, entry, LEDGER_SETTLING);
	dispatch_push_commit(dispatch, commit);
}

static void
quarantine(
    struct dispatch *dispatch, struct ledger_entry *entry, struct order *order)
{
	struct commit *commit = commit_new(COMMIT_QUARANTINE, order->id);

	log_error("%s: damaged, moved to corrupt/: %s",
	    queue_id_of(order->id).text, order->failure);
	dispatch->counters.damaged++;
	if (is_move(order))
		dispatch_move_over(dispatch, order->octets);
	commit->where = order->where;
	commit->finishes = true;
	unit_add(&commit->unit, record_finished(order->id));
	ledger_move(dispatch->ledger, entry, LEDGER_SETTLING);
	dispatch_push_commit(dispatch, commit);
}

static void
done(struct dispatch *dispatch, struct ledger_entry *entry, struct order *order,
    struct clock_time now)
{
	if (is_for_verb(order))
		dispatch_verbs_loaded(dispatch, order, now);
	else if (is_move(order))
		move(dispatch, entry, order);
	else
		settle(dispatch, entry, order, now);
}

/* ---- nothing came of it ---- */

/* Another route, or the same again; perhaps the round is over. */
static void
elsewhere(struct dispatch *dispatch, struct ledger_entry *entry,
    struct order *order, struct clock_time now)
{
	if (order->settlement.round_over)
		settle(dispatch, entry, order, now);
	else
		dispatch_rest(dispatch, entry, order->settlement.route,
		    now.mono_ms, false, now);
}

/* By our own trouble: not at once again, whatever it was. */
static void
failed(struct dispatch *dispatch, struct ledger_entry *entry,
    const struct order *order, struct clock_time now)
{
	int64_t later = now.mono_ms + DISPATCH_TROUBLE_MS;
	bool is_attempt = order->kind == ORDER_ATTEMPT;

	log_error("%s: cannot be read now, trying again: %s",
	    queue_id_of(order->id).text, order->failure);
	if (is_move(order)) {
		dispatch_move_over(dispatch, order->octets);
		dispatch->move_at = later;
	}
	dispatch_rest(dispatch, entry, order->route,
	    is_attempt ? later : order->due, order->was_held, now);
	if (entry->state == LEDGER_WAITING)
		ledger_set_alarm(dispatch->ledger, entry, later);
}

/* ---- the event ---- */

static void
count_back(struct dispatch *dispatch, const struct order *order)
{
	assert(dispatch->orders_out > 0);
	dispatch->orders_out--;
	if (!dispatch_is_chore(order->kind))
		return;
	assert(dispatch->chores > 0);
	dispatch->chores--;
}

void
dispatch_result(
    struct dispatch *dispatch, struct order *order, struct clock_time now)
{
	struct ledger_entry *entry = ledger_find(dispatch->ledger, order->id);

	assert(entry != NULL);
	assert(entry->state == LEDGER_IN_FLIGHT);
	count_back(dispatch, order);
	if (order->kind == ORDER_ATTEMPT)
		dispatch_judge_upstream(dispatch, order, now);
	if (is_for_verb(order) && order->result != ORDER_DONE)
		dispatch_verbs_failed(order);

	switch (order->result) {
	case ORDER_DONE:
		done(dispatch, entry, order, now);
		break;
	case ORDER_REROUTED:
	case ORDER_UPSTREAM_FAILED:
		elsewhere(dispatch, entry, order, now);
		break;
	case ORDER_FAILED:
		failed(dispatch, entry, order, now);
		break;
	case ORDER_DAMAGED:
		quarantine(dispatch, entry, order);
		break;
	}
	order_free(order);
}
