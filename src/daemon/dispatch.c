#include "daemon/dispatch.h"

#include "base/memory.h"
#include "daemon/dispatch_private.h"

#include <assert.h>
#include <stdlib.h>

/* Messages that verbs look at, and alarms that are heard, before others have
 * their turn: some milliseconds in a queue of a million. */
#define VERB_BUDGET  512
#define ALARM_BUDGET 512

/* ---- making and freeing ---- */

struct dispatch *
dispatch_new(const struct dispatch_options *options, struct clock_time now)
{
	struct dispatch *dispatch = memory_new(sizeof(*dispatch));

	dispatch->options = *options;
	dispatch->steady = now.wall_ms - now.mono_ms;
	dispatch->room = UINT64_MAX;
	dispatch->lacks_room = true; /* the first commit will tell */
	dispatch->verb_budget = VERB_BUDGET;
	dispatch->alarm_budget = ALARM_BUDGET;
	dispatch_recording_init(&dispatch->recording, now.mono_ms);
	dispatch->ledger = ledger_new();
	dispatch->breakers = memory_array(
	    options->upstream_count + 1, sizeof(*dispatch->breakers));
	for (size_t i = 0; i < options->upstream_count; i++)
		breaker_init(&dispatch->breakers[i]);
	STAILQ_INIT(&dispatch->commits);
	STAILQ_INIT(&dispatch->orders);
	TAILQ_INIT(&dispatch->bulks);
	dispatch_refresh_routes(dispatch, now.mono_ms);
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
	free_commits(&dispatch->recording.blocked);
	free_commits(&dispatch->recording.refused);
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
dispatch_remove_large(struct dispatch *dispatch, uint64_t id)
{
	dispatch_push_commit(dispatch, commit_new(COMMIT_REMOVE_LARGE, id));
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
	uint64_t max = dispatch->options.queue_size_max;
	uint64_t used = ledger_segment_bytes(dispatch->ledger) +
	    dispatch->large_octets + dispatch->pressure;

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
	commit->route = dispatch_first_route(dispatch, &message->envelope);
	commit->pressure = message->body.memory.len;
	commit->unit.needs_room = true;
	unit_add(&commit->unit, record_message(message));
	if (receipt != NULL)
		receipt->taker = commit;
	dispatch->pressure += commit->pressure;
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

/* ---- actions ---- */

static bool
pop_action(struct dispatch *dispatch, struct action *out_action)
{
	struct commit *commit = STAILQ_FIRST(&dispatch->commits);
	struct ready_order *ready = STAILQ_FIRST(&dispatch->orders);

	if (commit != NULL) {
		STAILQ_REMOVE_HEAD(&dispatch->commits, siblings);
		dispatch->commits_out++;
		dispatch->recording.out += commit->kind == COMMIT_OUTCOME;
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
		if (!dispatch_step(dispatch, now)) {
			dispatch->verb_budget = VERB_BUDGET;
			dispatch->alarm_budget = ALARM_BUDGET;
			return false;
		}
	return true;
}

/* Alarms that nobody can look at now do not wake anybody. */
static int64_t
alarm_deadline(const struct dispatch *dispatch)
{
	return dispatch->chores < DISPATCH_CHORES_MAX
	    ? ledger_alarm_deadline(dispatch->ledger)
	    : CLOCK_NEVER;
}

static int64_t
earliest(const int64_t *deadlines, size_t count)
{
	int64_t earliest = CLOCK_NEVER;

	for (size_t i = 0; i < count; i++)
		if (deadlines[i] < earliest)
			earliest = deadlines[i];
	return earliest;
}

/* Of what may be ordered. */
static int64_t
order_deadline(const struct dispatch *dispatch)
{
	const int64_t deadlines[] = {
	    schedule_deadline(ledger_schedule(dispatch->ledger)),
	    alarm_deadline(dispatch),
	    dispatch->move_at > 0 ? dispatch->move_at : CLOCK_NEVER,
	};

	return dispatch_can_record(dispatch) ? earliest(deadlines, 3)
					     : CLOCK_NEVER;
}

int64_t
dispatch_deadline(const struct dispatch *dispatch)
{
	int64_t recording = dispatch_recording_deadline(dispatch);
	if (dispatch->stopped)
		return recording;

	const int64_t deadlines[] = {
	    recording,
	    order_deadline(dispatch),
	    dispatch->reopen_at,
	    dispatch->yielded ? 0 : CLOCK_NEVER,
	};
	return earliest(deadlines, 4);
}

void
dispatch_stop(struct dispatch *dispatch)
{
	dispatch->stopped = true;
	/* As if never made: all that counts is on disk. */
	free_orders(dispatch);
	dispatch_recording_hurry(dispatch);
}

/* ---- to be looked at ---- */

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
