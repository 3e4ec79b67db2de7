/* What is due: outcomes to be sent again, orders, alarms, segments. */
#include "base/log.h"
#include "base/memory.h"
#include "daemon/dispatch_private.h"

#include <assert.h>
#include <stdio.h>

/* Messages that only wait for their turn and are looked at in a millisecond: a
 * hundredth of a processor. */
#define LOOKS_A_MS 4

/* Messages that may pin the oldest segment and are looked at in a turn. */
#define PINNING_LOOKS 64

/* Pinned messages on their way at once, and what they may take: little where
 * the log is hardly too large, to let others go first. */
#define MOVES_MAX       256
#define MOVE_OCTETS_MIN ((uint64_t)64 * 1024)
#define MOVE_OCTETS_MAX ((uint64_t)4 * 1024 * 1024)
#define MOVE_SHARE      16 /* of what the log is too large */

static void
push_order(struct dispatch *dispatch, struct order *order)
{
	struct ready_order *ready = memory_new(sizeof(*ready));

	ready->order = order;
	STAILQ_INSERT_TAIL(&dispatch->orders, ready, siblings);
}

bool
dispatch_is_chore(enum order_kind kind)
{
	return kind != ORDER_ATTEMPT && kind != ORDER_LOAD;
}

struct order *
dispatch_take(
    struct dispatch *dispatch, struct ledger_entry *entry, enum order_kind kind)
{
	struct order *order = order_new(kind, entry->id);

	order->route = entry->route;
	order->settlement.route = entry->route;
	order->where = ledger_where(dispatch->ledger, entry);
	order->was_held = entry->state == LEDGER_HELD;
	order->attempts = entry->attempts;
	order->due = dispatch_due(entry);
	if (dispatch_is_chore(kind))
		dispatch->chores++;
	ledger_move(dispatch->ledger, entry, LEDGER_IN_FLIGHT);
	push_order(dispatch, order);
	return order;
}

/* ---- segments ---- */

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
may_move(const struct dispatch *dispatch, int64_t now)
{
	uint64_t share =
	    ledger_excess(dispatch->ledger, dispatch->options.segment_size) /
	    MOVE_SHARE;

	if (share < MOVE_OCTETS_MIN)
		share = MOVE_OCTETS_MIN;
	if (share > MOVE_OCTETS_MAX)
		share = MOVE_OCTETS_MAX;
	return dispatch->move_at <= now && dispatch->moves < MOVES_MAX &&
	    dispatch->move_octets < share;
}

static bool
is_tight(const struct dispatch *dispatch)
{
	return dispatch->room < dispatch->options.segment_size;
}

/* Its turn will come: to deliver it takes less room than to move it. */
static bool
goes_soon(const struct dispatch *dispatch, const struct ledger_entry *entry)
{
	return entry->state == LEDGER_WAITING && entry->item.is_ready &&
	    dispatch_route_reason(dispatch, entry->route)[0] == '\0';
}

static struct ledger_entry *
next_pinning(struct dispatch *dispatch)
{
	for (int i = 0; i < PINNING_LOOKS; i++) {
		struct ledger_entry *entry = ledger_pinning(dispatch->ledger,
		    dispatch->options.segment_size, dispatch->room);
		if (entry == NULL || !is_tight(dispatch) ||
		    !goes_soon(dispatch, entry))
			return entry;
	}
	return NULL;
}

static bool
step_move(struct dispatch *dispatch, struct clock_time now)
{
	if (!may_move(dispatch, now.mono_ms))
		return false;
	dispatch->move_at = 0;
	struct ledger_entry *entry = next_pinning(dispatch);
	if (entry == NULL)
		return false;

	struct order *order = dispatch_take(dispatch, entry, ORDER_LOAD);
	order->octets = entry->place.len + entry->size;
	dispatch->moves++;
	dispatch->move_octets += order->octets;
	return true;
}

void
dispatch_move_over(struct dispatch *dispatch, uint64_t octets)
{
	assert(dispatch->moves > 0);
	assert(dispatch->move_octets >= octets);
	dispatch->moves--;
	dispatch->move_octets -= octets;
}

/* ---- alarms ---- */

/*
 * It only waits for its turn on an open route, which may close.  The looks of a
 * long queue are spread, or they would all come together each time.
 */
static int64_t
next_look(struct dispatch *dispatch, int64_t now)
{
	int64_t soonest = now + DISPATCH_REROUTE_MS;

	if (dispatch->look_at < soonest) {
		dispatch->look_at = soonest;
		dispatch->looks = 0;
	}
	if (dispatch->looks == LOOKS_A_MS) {
		dispatch->look_at++;
		dispatch->looks = 0;
	}
	dispatch->looks++;
	return dispatch->look_at;
}

static void
take_with_reason(struct dispatch *dispatch, struct ledger_entry *entry,
    enum order_kind kind, const char *reason)
{
	struct order *order = dispatch_take(dispatch, entry, kind);

	/* Cut where it does not fit. */
	(void)snprintf(order->reason, sizeof(order->reason), "%s", reason);
}

/*
 * Its lifetime is over.  Where its route is open, one more attempt decides,
 * now; and it is looked at again, should that not come to pass.
 */
static void
end_life(struct dispatch *dispatch, struct ledger_entry *entry,
    const char *reason, struct clock_time now)
{
	if (reason[0] != '\0') {
		take_with_reason(dispatch, entry, ORDER_EXPIRE, reason);
		return;
	}
	if (dispatch_due(entry) > now.mono_ms)
		ledger_wait(dispatch->ledger, entry, entry->route, now.mono_ms,
		    now.mono_ms);
	ledger_set_alarm(
	    dispatch->ledger, entry, next_look(dispatch, now.mono_ms));
}

/*
 * Never urgent: of a full disk, notices would take what is kept for outcomes.
 * One now and then goes all the same, and finds out whether there is room.
 */
static void
tell_of_delay(struct dispatch *dispatch, struct ledger_entry *entry,
    const char *reason, int64_t now)
{
	if (dispatch->lacks_room && now < dispatch->notice_at) {
		ledger_set_alarm(
		    dispatch->ledger, entry, next_look(dispatch, now));
		return;
	}
	dispatch->notice_at = now + DISPATCH_REROUTE_MS;
	take_with_reason(dispatch, entry, ORDER_DELAY, reason);
}

/* No age of interest; should another route be free by then, it is found. */
static void
wait_on(struct dispatch *dispatch, struct ledger_entry *entry,
    struct clock_time now)
{
	int64_t due = dispatch_due(entry);

	if ((entry->flags & FLAG_MANY_ROUTES) && due <= now.mono_ms)
		due = next_look(dispatch, now.mono_ms) - DISPATCH_REROUTE_MS;
	dispatch_set_alarm(dispatch, entry, due, now);
}

/* A message has come of age: give up, tell of the delay, or find another way.
 */
static void
handle_alarm(struct dispatch *dispatch, struct ledger_entry *entry,
    struct clock_time now)
{
	const char *reason = dispatch_route_reason(dispatch, entry->route);

	if (entry->state != LEDGER_WAITING)
		return; /* it is set anew when it waits again */
	if (dispatch_has_expired(dispatch, entry, now))
		end_life(dispatch, entry, reason, now);
	else if (dispatch_wants_notice(dispatch, entry, now))
		tell_of_delay(dispatch, entry, reason, now.mono_ms);
	else if (reason[0] != '\0' && (entry->flags & FLAG_MANY_ROUTES) &&
	    dispatch_due(entry) <= now.mono_ms)
		(void)dispatch_take(dispatch, entry, ORDER_REROUTE);
	else
		wait_on(dispatch, entry, now);
}

static bool
step_alarm(struct dispatch *dispatch, struct clock_time now)
{
	if (dispatch->chores >= DISPATCH_CHORES_MAX ||
	    dispatch->alarm_budget == 0)
		return false;
	struct ledger_entry *entry =
	    ledger_take_alarm(dispatch->ledger, now.mono_ms);
	if (entry == NULL)
		return false;

	dispatch->alarm_budget--;
	handle_alarm(dispatch, entry, now);
	return true;
}

/* ---- attempts ---- */

/* Where no segment fits on the disk any more, what holds the oldest one goes
 * first: no other gives room back. */
static struct ledger_entry *
next_due(struct dispatch *dispatch, int64_t now)
{
	struct ledger_entry *entry =
	    is_tight(dispatch) ? ledger_due_in_oldest(dispatch->ledger) : NULL;

	return entry != NULL ? entry : ledger_due(dispatch->ledger, now);
}

static bool
step_due(struct dispatch *dispatch, struct clock_time now)
{
	struct ledger_entry *entry = next_due(dispatch, now.mono_ms);
	unsigned upstream;
	if (entry == NULL)
		return false;
	if (!dispatch_find_upstream(
		dispatch, entry->route, now.mono_ms, &upstream)) {
		/* Open routes are kept in step; this one was not. */
		dispatch_refresh_routes(dispatch, now.mono_ms);
		return true;
	}
	struct order *order = dispatch_take(dispatch, entry, ORDER_ATTEMPT);
	order->upstream = upstream;
	order->is_last = dispatch_has_expired(dispatch, entry, now);
	dispatch_upstream_started(dispatch, upstream, now.mono_ms);
	return true;
}

bool
dispatch_step(struct dispatch *dispatch, struct clock_time now)
{
	if (dispatch_recording_step(dispatch, now) || step_drop(dispatch))
		return true;
	if (dispatch->stopped)
		return false;
	if (dispatch->reopen_at <= now.mono_ms)
		dispatch_refresh_routes(dispatch, now.mono_ms);
	if (dispatch_verbs_step(dispatch, now))
		return true;
	return dispatch_can_record(dispatch) &&
	    (step_alarm(dispatch, now) || step_move(dispatch, now) ||
		step_due(dispatch, now));
}
