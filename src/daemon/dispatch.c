#include "daemon/dispatch.h"

#include "base/log.h"
#include "base/memory.h"
#include "daemon/dispatch_private.h"
#include "smtp/address.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* A commit that failed, and an order that failed by our own trouble, is tried
 * again after this. */
#define AGAIN_MS   (1 * CLOCK_SECOND)
#define TROUBLE_MS CLOCK_MINUTE
/* What is held or busy is looked at again after this. */
#define BUSY_ALARM_MS CLOCK_MINUTE
/* How often a message with several routes is asked whether another is free. */
#define REROUTE_MS (30 * CLOCK_SECOND)

/* ---- making and freeing ---- */

struct dispatch *
dispatch_new(const struct dispatch_options *options)
{
	struct dispatch *dispatch = memory_new(sizeof(*dispatch));

	dispatch->options = *options;
	dispatch->ledger = ledger_new();
	dispatch->reopen_at = CLOCK_NEVER;
	dispatch->breakers = memory_array(
	    options->upstream_count + 1, sizeof(*dispatch->breakers));
	for (size_t i = 0; i < options->upstream_count; i++)
		breaker_init(&dispatch->breakers[i]);
	STAILQ_INIT(&dispatch->commits);
	STAILQ_INIT(&dispatch->failed);
	STAILQ_INIT(&dispatch->orders);
	TAILQ_INIT(&dispatch->bulks);
	dispatch_refresh_routes(dispatch, 0);
	return dispatch;
}

static void
free_commits(struct commit_list *list)
{
	while (!STAILQ_EMPTY(list)) {
		struct commit *commit = STAILQ_FIRST(list);
		STAILQ_REMOVE_HEAD(list, siblings);
		commit_free(commit);
	}
}

static void
free_orders(struct dispatch *dispatch)
{
	while (!STAILQ_EMPTY(&dispatch->orders)) {
		struct ready_order *ready = STAILQ_FIRST(&dispatch->orders);
		STAILQ_REMOVE_HEAD(&dispatch->orders, siblings);
		order_free(ready->order);
		free(ready);
	}
}

void
dispatch_free(struct dispatch *dispatch)
{
	if (dispatch == NULL)
		return;
	dispatch_verbs_free(dispatch);
	free_commits(&dispatch->commits);
	free_commits(&dispatch->failed);
	free_orders(dispatch);
	ledger_free(dispatch->ledger);
	free(dispatch->breakers);
	free(dispatch);
}

void
dispatch_push_commit(struct dispatch *dispatch, struct commit *commit)
{
	STAILQ_INSERT_TAIL(&dispatch->commits, commit, siblings);
}

void
dispatch_push_order(struct dispatch *dispatch, struct order *order)
{
	struct ready_order *ready = memory_new(sizeof(*ready));

	ready->order = order;
	STAILQ_INSERT_TAIL(&dispatch->orders, ready, siblings);
}

/* ---- routes and upstreams ---- */

static const struct route_table *
routes_of(const struct dispatch *dispatch)
{
	return &dispatch->options.settle->routes;
}

static bool
upstream_allows(const struct dispatch *dispatch, unsigned upstream, int64_t now)
{
	return breaker_allows(&dispatch->breakers[upstream],
	    dispatch->options.upstream_limits[upstream], now);
}

/* The first upstream of route that can take a message now. */
static bool
find_upstream(const struct dispatch *dispatch, uint16_t route, int64_t now,
    unsigned *out_upstream)
{
	if (route >= routes_of(dispatch)->count)
		return false;

	const struct route_rule *rule = &routes_of(dispatch)->rules[route];
	for (size_t i = 0; i < rule->upstream_count; i++)
		if (upstream_allows(dispatch, rule->upstreams[i], now)) {
			*out_upstream = rule->upstreams[i];
			return true;
		}
	return false;
}

void
dispatch_refresh_routes(struct dispatch *dispatch, int64_t now)
{
	struct schedule *schedule = ledger_schedule(dispatch->ledger);
	unsigned upstream;

	for (size_t i = 0; i < routes_of(dispatch)->count; i++)
		if (find_upstream(dispatch, (uint16_t)i, now, &upstream))
			schedule_open_route(schedule, (uint16_t)i);
		else
			schedule_close_route(schedule, (uint16_t)i);
	schedule_close_route(schedule, ROUTE_NONE);

	dispatch->reopen_at = CLOCK_NEVER;
	for (size_t i = 0; i < dispatch->options.upstream_count; i++) {
		int64_t at = breaker_next_try(&dispatch->breakers[i]);
		if (at > now && at < dispatch->reopen_at)
			dispatch->reopen_at = at;
	}
}

/* After a change of one upstream's health, which allowed before said. */
static void
refresh_if_changed(
    struct dispatch *dispatch, unsigned upstream, bool before, int64_t now)
{
	if (before != upstream_allows(dispatch, upstream, now))
		dispatch_refresh_routes(dispatch, now);
}

void
dispatch_reset_upstreams(struct dispatch *dispatch)
{
	for (size_t i = 0; i < dispatch->options.upstream_count; i++)
		breaker_reset(&dispatch->breakers[i]);
	/* The time does not matter: what was reset is open at all times. */
	dispatch_refresh_routes(dispatch, 0);
}

const char *
dispatch_route_reason(const struct dispatch *dispatch, uint16_t route)
{
	if (route >= routes_of(dispatch)->count)
		return "no upstream is configured for its recipients";

	const struct route_rule *rule = &routes_of(dispatch)->rules[route];
	for (size_t i = 0; i < rule->upstream_count; i++) {
		const struct breaker *breaker =
		    &dispatch->breakers[rule->upstreams[i]];
		if (breaker->open_until != 0)
			return breaker->reason;
	}
	return "";
}

/* ---- entries ---- */

static uint32_t
sender_hash(const struct envelope *envelope)
{
	if (envelope->uid != UID_UNKNOWN)
		return (uint32_t)XXH3_64bits(
		    &envelope->uid, sizeof(envelope->uid));
	return (uint32_t)XXH3_64bits(
	    envelope->sender, strlen(envelope->sender));
}

static bool
has_many_routes(
    const struct dispatch *dispatch, const struct envelope *envelope)
{
	const struct route_table *routes = routes_of(dispatch);
	struct bytes sender = bytes_of(envelope->sender);

	if (envelope->recipient_count < 2 || routes->count < 2)
		return false;
	uint16_t first = route_find(
	    routes, sender, bytes_of(envelope->recipients[0].address));
	for (size_t i = 1; i < envelope->recipient_count; i++)
		if (route_find(routes, sender,
			bytes_of(envelope->recipients[i].address)) != first)
			return true;
	return false;
}

static uint16_t
first_route(const struct dispatch *dispatch, const struct envelope *envelope)
{
	return route_find(routes_of(dispatch), bytes_of(envelope->sender),
	    bytes_of(envelope->recipients[0].address));
}

static struct ledger_entry *
add_entry(struct dispatch *dispatch, uint64_t id, struct place place,
    const struct envelope *envelope, uint64_t size, bool is_large)
{
	struct ledger_entry *entry = ledger_add(
	    dispatch->ledger, id, place, size, is_large, sender_hash(envelope));

	entry->arrived_at = envelope->arrived_at;
	if (has_many_routes(dispatch, envelope))
		entry->flags |= FLAG_MANY_ROUTES;
	return entry;
}

void
dispatch_set_alarm(struct dispatch *dispatch, struct ledger_entry *entry,
    struct clock_time now)
{
	const struct retry_policy *policy = &dispatch->options.retry;
	int64_t at = retry_expiry(policy, entry->arrived_at, now);
	int64_t notice = retry_notice(policy, entry->arrived_at, now);

	if (!(entry->flags & FLAG_DELAY_REPORTED) && notice < at)
		at = notice;
	if ((entry->flags & FLAG_MANY_ROUTES) && now.mono_ms + REROUTE_MS < at)
		at = now.mono_ms + REROUTE_MS;
	ledger_set_alarm(dispatch->ledger, entry, at);
}

void
dispatch_finish(struct dispatch *dispatch, struct ledger_entry *entry)
{
	struct commit *commit = commit_new(COMMIT_OUTCOME, entry->id);

	commit->finishes = true;
	unit_add(&commit->unit, record_finished(entry->id));
	ledger_move(dispatch->ledger, entry, LEDGER_SETTLING);
	dispatch_push_commit(dispatch, commit);
}

void
dispatch_wait(struct dispatch *dispatch, struct ledger_entry *entry,
    uint16_t route, int64_t due, int64_t now)
{
	if (entry->flags & FLAG_WANT_REMOVE) {
		dispatch_finish(dispatch, entry);
		return;
	}
	ledger_wait(dispatch->ledger, entry, route, due, now);
}

/* ---- recovery ---- */

static void
recovered_message(struct dispatch *dispatch, const struct journal_fact *fact,
    struct clock_time now)
{
	struct ledger_entry *entry = ledger_find(dispatch->ledger, fact->id);

	if (entry != NULL) {
		ledger_set_place(dispatch->ledger, entry, fact->place);
		return;
	}
	entry = add_entry(dispatch, fact->id, fact->place, fact->envelope,
	    fact->size, fact->is_large);
	ledger_wait(dispatch->ledger, entry,
	    first_route(dispatch, fact->envelope), now.mono_ms, now.mono_ms);
	dispatch_set_alarm(dispatch, entry, now);
}

static void
recovered_progress(struct dispatch *dispatch, const struct journal_fact *fact,
    struct clock_time now)
{
	struct ledger_entry *entry = ledger_find(dispatch->ledger, fact->id);
	const struct progress *progress = fact->progress;
	if (entry == NULL)
		return;

	uint16_t route = entry->route;
	ledger_set_progress_place(dispatch->ledger, entry, fact->place);
	entry->attempts = (uint16_t)progress->attempts;
	if (progress->delay_reported)
		entry->flags |= FLAG_DELAY_REPORTED;
	dispatch_set_alarm(dispatch, entry, now);
	if (progress->held)
		ledger_move(dispatch->ledger, entry, LEDGER_HELD);
	else
		ledger_wait(dispatch->ledger, entry, route,
		    retry_due(&dispatch->options.retry, progress->next_at, now),
		    now.mono_ms);
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
			ledger_remove(dispatch->ledger, entry);
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

/* ---- intake ---- */

uint64_t
dispatch_take_id(struct dispatch *dispatch, int64_t now_wall)
{
	return ledger_new_id(dispatch->ledger, now_wall);
}

enum door_answer
dispatch_ask(const struct dispatch *dispatch, uint64_t size_bytes)
{
	uint64_t used = ledger_segment_bytes(dispatch->ledger);
	uint64_t max = dispatch->options.queue_size_max;

	if (dispatch->stopped)
		return DOOR_CLOSED;
	if (max > 0 && (used > max || size_bytes > max - used))
		return DOOR_DISK_FULL;
	return DOOR_TAKEN;
}

void
dispatch_submit(
    struct dispatch *dispatch, struct message *message, struct receipt *receipt)
{
	struct commit *commit = commit_new(COMMIT_ACCEPT, message->id);

	commit->message = message;
	commit->receipt = receipt;
	commit->route = first_route(dispatch, &message->envelope);
	commit->unit.is_intake = true;
	unit_add(&commit->unit, record_message(message));
	if (receipt != NULL)
		receipt->taker = commit;
	dispatch->pressure += message->body.len;
	dispatch_push_commit(dispatch, commit);
}

void
dispatch_cancel(struct dispatch *dispatch, struct receipt *receipt)
{
	struct commit *commit = receipt->taker;

	(void)dispatch; /* the commit is with the committer, or still here */
	if (commit != NULL)
		commit->receipt = NULL;
	receipt->taker = NULL;
}

static void
tell_receipt(struct commit *commit, enum door_answer answer)
{
	struct receipt *receipt = commit->receipt;
	if (receipt == NULL)
		return;

	commit->receipt = NULL;
	receipt->taker = NULL;
	receipt->fn(receipt, answer, commit->id);
}

static enum door_answer
refusal_of(const struct commit *commit)
{
	int number = commit->unit.error.number;

	return number == ENOSPC || number == EDQUOT ? DOOR_DISK_FULL
						    : DOOR_DISK_FAILED;
}

static void
remove_large(struct dispatch *dispatch, uint64_t id)
{
	dispatch_push_commit(dispatch, commit_new(COMMIT_REMOVE_LARGE, id));
}

/* A message of ours or of a sender's is durable: it begins to wait. */
static void
begin_waiting(struct dispatch *dispatch, const struct message *message,
    struct place place, uint16_t route, struct clock_time now)
{
	struct ledger_entry *entry =
	    add_entry(dispatch, message->id, place, &message->envelope,
		message->body.len, message->body.name[0] != '\0');

	ledger_wait(dispatch->ledger, entry, route, now.mono_ms, now.mono_ms);
	dispatch_set_alarm(dispatch, entry, now);
}

static void
accept_committed(
    struct dispatch *dispatch, struct commit *commit, struct clock_time now)
{
	const struct message *message = commit->message;
	enum door_answer answer = DOOR_TAKEN;

	assert(dispatch->pressure >= message->body.len);
	dispatch->pressure -= message->body.len;
	if (commit->unit.is_committed) {
		dispatch->counters.accepted++;
		begin_waiting(
		    dispatch, message, commit->unit.place, commit->route, now);
	} else {
		answer = refusal_of(commit);
		log_error("%s: not accepted: %s", queue_id_of(commit->id).text,
		    error_text(&commit->unit.error));
		if (message->body.name[0] != '\0')
			remove_large(dispatch, commit->id);
	}
	tell_receipt(commit, answer);
	commit_free(commit);
}

/* ---- outcomes ---- */

/* The committer could not: the same again, a little later. */
static void
commit_again(
    struct dispatch *dispatch, struct commit *commit, struct clock_time now)
{
	log_error("%s: outcome not recorded, trying again: %s",
	    queue_id_of(commit->id).text, error_text(&commit->unit.error));
	commit->again_at = now.mono_ms + AGAIN_MS;
	STAILQ_INSERT_TAIL(&dispatch->failed, commit, siblings);
}

static void
entry_gone(struct dispatch *dispatch, struct ledger_entry *entry)
{
	if (entry->is_large)
		remove_large(dispatch, entry->id);
	ledger_remove(dispatch->ledger, entry);
}

/* PROGRESS is durable: wait, or be held. */
static void
entry_progressed(struct dispatch *dispatch, struct ledger_entry *entry,
    const struct commit *commit, struct clock_time now)
{
	const struct progress *progress = &commit->message->progress;

	ledger_set_progress_place(dispatch->ledger, entry, commit->unit.place);
	entry->attempts = (uint16_t)progress->attempts;
	if (progress->delay_reported)
		entry->flags |= FLAG_DELAY_REPORTED;
	dispatch_set_alarm(dispatch, entry, now);
	if (progress->held)
		ledger_move(dispatch->ledger, entry, LEDGER_HELD);
	else
		dispatch_wait(dispatch, entry, commit->route,
		    retry_due(&dispatch->options.retry, progress->next_at, now),
		    now.mono_ms);
}

static void
outcome_committed(
    struct dispatch *dispatch, struct commit *commit, struct clock_time now)
{
	if (!commit->unit.is_committed) {
		commit_again(dispatch, commit, now);
		return;
	}
	if (commit->report != NULL)
		begin_waiting(dispatch, commit->report, commit->unit.place,
		    commit->report_route, now);

	struct ledger_entry *entry = ledger_find(dispatch->ledger, commit->id);
	assert(entry != NULL);
	if (commit->finishes)
		entry_gone(dispatch, entry);
	else
		entry_progressed(dispatch, entry, commit, now);
	commit_free(commit);
}

static void
move_committed(
    struct dispatch *dispatch, struct commit *commit, struct clock_time now)
{
	struct ledger_entry *entry = ledger_find(dispatch->ledger, commit->id);
	const struct progress *progress = &commit->message->progress;

	assert(entry != NULL);
	dispatch->moving = false;
	if (commit->unit.is_committed) {
		ledger_set_place(dispatch->ledger, entry, commit->unit.place);
		if (entry->progress_place.segment != 0)
			ledger_set_progress_place(
			    dispatch->ledger, entry, commit->unit.place);
	} else {
		log_warning("%s: not moved out of the oldest segment: %s",
		    queue_id_of(commit->id).text,
		    error_text(&commit->unit.error));
	}
	if (progress->held)
		ledger_move(dispatch->ledger, entry, LEDGER_HELD);
	else
		dispatch_wait(dispatch, entry, commit->route,
		    retry_due(&dispatch->options.retry, progress->next_at, now),
		    now.mono_ms);
	commit_free(commit);
}

static void
quarantine_committed(
    struct dispatch *dispatch, struct commit *commit, struct clock_time now)
{
	if (!commit->done || !commit->unit.is_committed) {
		commit_again(dispatch, commit, now);
		return;
	}
	struct ledger_entry *entry = ledger_find(dispatch->ledger, commit->id);
	assert(entry != NULL);
	entry_gone(dispatch, entry);
	commit_free(commit);
}

static void
segment_dropped(struct dispatch *dispatch, struct commit *commit)
{
	(void)dispatch;
	if (!commit->done)
		log_warning("queue: segment not removed until the next start: "
			    "%s",
		    error_text(&commit->error));
	commit_free(commit);
}

static void
large_removed(struct dispatch *dispatch, struct commit *commit)
{
	(void)dispatch;
	if (!commit->done)
		log_warning("%s: its file is not removed until the next "
			    "start: %s",
		    queue_id_of(commit->id).text, error_text(&commit->error));
	commit_free(commit);
}

void
dispatch_committed(
    struct dispatch *dispatch, struct commit *commit, struct clock_time now)
{
	assert(dispatch->commits_out > 0);
	dispatch->commits_out--;
	if (commit->unit.is_committed)
		ledger_set_segment(dispatch->ledger, commit->unit.segment,
		    commit->segment_bytes);

	switch (commit->kind) {
	case COMMIT_ACCEPT:
		accept_committed(dispatch, commit, now);
		break;
	case COMMIT_OUTCOME:
		outcome_committed(dispatch, commit, now);
		break;
	case COMMIT_MOVE:
		move_committed(dispatch, commit, now);
		break;
	case COMMIT_QUARANTINE:
		quarantine_committed(dispatch, commit, now);
		break;
	case COMMIT_DROP:
		segment_dropped(dispatch, commit);
		break;
	case COMMIT_REMOVE_LARGE:
		large_removed(dispatch, commit);
		break;
	}
}

/* ---- results of orders ---- */

static void
count_outcome(struct dispatch *dispatch, const struct order *order)
{
	const struct settlement *settlement = &order->settlement;

	dispatch->counters.delivered += settlement->delivered;
	dispatch->counters.bounced += settlement->failed;
	if (order->kind == ORDER_ATTEMPT)
		dispatch->counters.deferred += settlement->waiting;
}

static void
log_outcome(const struct order *order)
{
	const struct progress *progress = &order->message->progress;
	const struct envelope *envelope = &order->message->envelope;
	struct queue_id id = queue_id_of(order->id);

	for (size_t i = 0; i < progress->recipient_count; i++)
		if (progress->recipients[i].state == RECIPIENT_FAILED &&
		    order->settlement.failed > 0)
			log_warning("%s: returned to=<%s> status=%s", id.text,
			    envelope->recipients[i].address,
			    progress->recipients[i].status);
	if (order->settlement.report != NULL)
		log_info("%s: report=%s to=<%s>", id.text,
		    queue_id_of(order->settlement.report->id).text,
		    order->settlement.report->envelope.recipients[0].address);
	if (order->settlement.finished)
		log_info("%s: finished", id.text);
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
	commit->finishes = order->settlement.finished ||
	    (entry->flags & FLAG_WANT_REMOVE) != 0;
	if (entry->flags & FLAG_WANT_HOLD)
		order->message->progress.held = true;
	entry->flags &= (uint8_t)~FLAG_WANT_HOLD;
	if (report != NULL) {
		report->id = ledger_new_id(dispatch->ledger, now.wall_ms);
		commit->report_route = first_route(dispatch, &report->envelope);
		unit_add(&commit->unit, record_message(report));
	}
	if (commit->finishes)
		unit_add(&commit->unit, record_finished(order->id));
	else
		unit_add(&commit->unit,
		    record_progress(order->id, &order->message->progress));

	count_outcome(dispatch, order);
	log_outcome(order);
	order->message = NULL;
	order->settlement.report = NULL;
	ledger_move(dispatch->ledger, entry, LEDGER_SETTLING);
	dispatch_push_commit(dispatch, commit);
}

/* Commit a message that pins the oldest segment again, at the head. */
static void
move(struct dispatch *dispatch, struct ledger_entry *entry, struct order *order)
{
	struct commit *commit = commit_new(COMMIT_MOVE, order->id);

	commit->message = order->message;
	commit->route = order->route;
	unit_add(&commit->unit, record_message(commit->message));
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
	commit->where = order->where;
	commit->finishes = true;
	unit_add(&commit->unit, record_finished(order->id));
	ledger_move(dispatch->ledger, entry, LEDGER_SETTLING);
	dispatch_push_commit(dispatch, commit);
}

/* What an attempt says of its upstream. */
static void
judge_upstream(
    struct dispatch *dispatch, const struct order *order, struct clock_time now)
{
	unsigned upstream = order->upstream;
	struct breaker *breaker = &dispatch->breakers[upstream];
	bool before = upstream_allows(dispatch, upstream, now.mono_ms);
	bool was_open = breaker->open_until != 0;

	if (order->result == ORDER_UPSTREAM_FAILED) {
		breaker_failed(breaker, order->failure, now.mono_ms,
		    now.wall_ms,
		    dispatch->options.random(dispatch->options.random_ctx));
		if (!was_open)
			log_warning("upstream %s is down: %s",
			    dispatch->options.upstream_names[upstream],
			    order->failure);
		/* Its time has changed even where it was closed before. */
		dispatch_refresh_routes(dispatch, now.mono_ms);
		return;
	}
	if (order->result == ORDER_DONE)
		breaker_succeeded(breaker);
	else
		breaker_ended(breaker);
	if (was_open && breaker->open_until == 0)
		log_info("upstream %s is back",
		    dispatch->options.upstream_names[upstream]);
	refresh_if_changed(dispatch, upstream, before, now.mono_ms);
}

static void
order_done(struct dispatch *dispatch, struct ledger_entry *entry,
    struct order *order, struct clock_time now)
{
	if (order->kind != ORDER_LOAD)
		settle(dispatch, entry, order, now);
	else if (order->verb != NULL)
		dispatch_verbs_loaded(dispatch, order, now);
	else
		move(dispatch, entry, order);
}

/* It could not be done now, for reasons that are not the message's. */
static void
order_put_back(struct dispatch *dispatch, struct ledger_entry *entry,
    const struct order *order, struct clock_time now)
{
	int64_t due = now.mono_ms;

	if (order->result == ORDER_FAILED) {
		log_error("%s: cannot be read now, trying again: %s",
		    queue_id_of(order->id).text, order->failure);
		due += TROUBLE_MS;
	}
	if (order->kind == ORDER_LOAD && order->verb == NULL)
		dispatch->moving = false;
	dispatch_set_alarm(dispatch, entry, now);
	if (order->was_held)
		ledger_move(dispatch->ledger, entry, LEDGER_HELD);
	else
		dispatch_wait(
		    dispatch, entry, order->settlement.route, due, now.mono_ms);
}

void
dispatch_result(
    struct dispatch *dispatch, struct order *order, struct clock_time now)
{
	struct ledger_entry *entry = ledger_find(dispatch->ledger, order->id);

	assert(entry != NULL);
	assert(dispatch->orders_out > 0);
	dispatch->orders_out--;
	if (order->kind == ORDER_ATTEMPT)
		judge_upstream(dispatch, order, now);
	if (order->kind == ORDER_LOAD && order->verb != NULL &&
	    order->result != ORDER_DONE)
		dispatch_verbs_loaded(dispatch, order, now);

	switch (order->result) {
	case ORDER_DONE:
		order_done(dispatch, entry, order, now);
		break;
	case ORDER_REROUTED:
	case ORDER_UPSTREAM_FAILED: /* perhaps by another route */
	case ORDER_FAILED:
		order_put_back(dispatch, entry, order, now);
		break;
	case ORDER_DAMAGED:
		quarantine(dispatch, entry, order);
		break;
	}
	order_free(order);
}

/* ---- actions ---- */

static struct order *
take_entry(
    struct dispatch *dispatch, struct ledger_entry *entry, enum order_kind kind)
{
	struct order *order = order_new(kind, entry->id);

	order->route = entry->route;
	order->settlement.route = entry->route;
	order->where = ledger_where(dispatch->ledger, entry);
	order->was_held = entry->state == LEDGER_HELD;
	ledger_move(dispatch->ledger, entry, LEDGER_IN_FLIGHT);
	dispatch_push_order(dispatch, order);
	return order;
}

static bool
step_failed_commits(struct dispatch *dispatch, struct clock_time now)
{
	struct commit *commit = STAILQ_FIRST(&dispatch->failed);
	if (commit == NULL || commit->again_at > now.mono_ms)
		return false;

	STAILQ_REMOVE_HEAD(&dispatch->failed, siblings);
	dispatch_push_commit(dispatch, commit);
	return true;
}

static void
copy_reason(struct order *order, const char *reason)
{
	size_t len = strlen(reason);

	if (len >= sizeof(order->reason))
		len = sizeof(order->reason) - 1;
	memcpy(order->reason, reason, len);
}

/* A message has come of age: give up, tell of the delay, or find another way.
 */
static void
handle_alarm(struct dispatch *dispatch, struct ledger_entry *entry,
    struct clock_time now)
{
	const struct retry_policy *policy = &dispatch->options.retry;
	const char *reason = dispatch_route_reason(dispatch, entry->route);

	if (entry->state != LEDGER_WAITING) {
		ledger_set_alarm(
		    dispatch->ledger, entry, now.mono_ms + BUSY_ALARM_MS);
		return;
	}
	if (retry_expiry(policy, entry->arrived_at, now) <= now.mono_ms)
		copy_reason(take_entry(dispatch, entry, ORDER_EXPIRE), reason);
	else if (!(entry->flags & FLAG_DELAY_REPORTED) &&
	    retry_notice(policy, entry->arrived_at, now) <= now.mono_ms)
		copy_reason(take_entry(dispatch, entry, ORDER_DELAY), reason);
	else if (reason[0] != '\0' && (entry->flags & FLAG_MANY_ROUTES))
		(void)take_entry(dispatch, entry, ORDER_REROUTE);
	else
		dispatch_set_alarm(dispatch, entry, now);
}

static bool
step_alarm(struct dispatch *dispatch, struct clock_time now)
{
	struct ledger_entry *entry =
	    ledger_take_alarm(dispatch->ledger, now.mono_ms);
	if (entry == NULL)
		return false;

	handle_alarm(dispatch, entry, now);
	return true;
}

static bool
step_due(struct dispatch *dispatch, struct clock_time now)
{
	struct ledger_entry *entry = ledger_due(dispatch->ledger, now.mono_ms);
	unsigned upstream;
	if (entry == NULL)
		return false;
	if (!find_upstream(dispatch, entry->route, now.mono_ms, &upstream)) {
		/* Open routes are kept in step; this one was not. */
		dispatch_refresh_routes(dispatch, now.mono_ms);
		return true;
	}
	take_entry(dispatch, entry, ORDER_ATTEMPT)->upstream = upstream;
	breaker_started(&dispatch->breakers[upstream]);
	refresh_if_changed(dispatch, upstream, true, now.mono_ms);
	return true;
}

static bool
step_drop(struct dispatch *dispatch)
{
	uint64_t segment;

	if (!ledger_take_droppable(dispatch->ledger, &segment))
		return false;
	dispatch_push_commit(dispatch, commit_new(COMMIT_DROP, segment));
	return true;
}

static bool
step_move(struct dispatch *dispatch)
{
	if (dispatch->moving)
		return false;
	struct ledger_entry *entry =
	    ledger_pinning(dispatch->ledger, dispatch->options.segment_size);
	if (entry == NULL)
		return false;

	dispatch->moving = true;
	(void)take_entry(dispatch, entry, ORDER_LOAD);
	return true;
}

static bool
step(struct dispatch *dispatch, struct clock_time now)
{
	if (step_failed_commits(dispatch, now) || step_drop(dispatch))
		return true;
	if (dispatch->stopped)
		return false;
	if (dispatch->reopen_at <= now.mono_ms)
		dispatch_refresh_routes(dispatch, now.mono_ms);
	return dispatch_verbs_step(dispatch, now) ||
	    step_alarm(dispatch, now) || step_due(dispatch, now) ||
	    step_move(dispatch);
}

static bool
pop_action(struct dispatch *dispatch, struct action *out_action)
{
	struct commit *commit = STAILQ_FIRST(&dispatch->commits);
	struct ready_order *ready = STAILQ_FIRST(&dispatch->orders);

	if (commit != NULL) {
		STAILQ_REMOVE_HEAD(&dispatch->commits, siblings);
		dispatch->commits_out++;
		*out_action =
		    (struct action){.kind = ACTION_COMMIT, .commit = commit};
		return true;
	}
	if (ready == NULL)
		return false;
	STAILQ_REMOVE_HEAD(&dispatch->orders, siblings);
	dispatch->orders_out++;
	*out_action =
	    (struct action){.kind = ACTION_ORDER, .order = ready->order};
	free(ready);
	return true;
}

bool
dispatch_next(
    struct dispatch *dispatch, struct clock_time now, struct action *out_action)
{
	while (!pop_action(dispatch, out_action))
		if (!step(dispatch, now))
			return false;
	return true;
}

int64_t
dispatch_deadline(const struct dispatch *dispatch)
{
	const struct commit *commit = STAILQ_FIRST(&dispatch->failed);
	int64_t deadline = commit == NULL ? CLOCK_NEVER : commit->again_at;
	if (dispatch->stopped)
		return deadline;

	const int64_t others[] = {
	    schedule_deadline(ledger_schedule(dispatch->ledger)),
	    ledger_alarm_deadline(dispatch->ledger),
	    dispatch->reopen_at,
	};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i] < deadline)
			deadline = others[i];
	return deadline;
}

void
dispatch_stop(struct dispatch *dispatch)
{
	dispatch->stopped = true;
	/* As if never made: all that counts is on disk. */
	free_orders(dispatch);
}

size_t
dispatch_orders(const struct dispatch *dispatch)
{
	return dispatch->orders_out;
}

size_t
dispatch_commits(const struct dispatch *dispatch)
{
	return dispatch->commits_out;
}

uint64_t
dispatch_pressure(const struct dispatch *dispatch)
{
	return dispatch->pressure;
}

const struct ledger *
dispatch_ledger(const struct dispatch *dispatch)
{
	return dispatch->ledger;
}

const struct dispatch_counters *
dispatch_counters(const struct dispatch *dispatch)
{
	return &dispatch->counters;
}

const struct breaker *
dispatch_breaker(const struct dispatch *dispatch, unsigned upstream)
{
	assert(upstream < dispatch->options.upstream_count);
	return &dispatch->breakers[upstream];
}
