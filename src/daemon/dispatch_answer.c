/* A commit is back: the sender is answered, or the message goes on. */
#include "base/log.h"
#include "base/seed.h"
#include "daemon/dispatch_private.h"

#include <assert.h>
#include <errno.h>

/* ---- accepted ---- */

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

static enum door_answer
refuse(struct dispatch *dispatch, const struct commit *commit)
{
	log_error("%s: not accepted: %s", queue_id_of(commit->id).text,
	    error_text(&commit->unit.error));
	if (commit->message->body.name[0] != '\0')
		dispatch_remove_large(dispatch, commit->id);
	return refusal_of(commit);
}

static void
accepted(
    struct dispatch *dispatch, struct commit *commit, struct clock_time now)
{
	enum door_answer answer = DOOR_TAKEN;

	assert(dispatch->pressure >= commit->pressure);
	dispatch->pressure -= commit->pressure;
	if (commit->unit.is_committed) {
		dispatch->counters.accepted++;
		dispatch_begin_waiting(dispatch, commit->message,
		    commit->unit.place, commit->route, now);
	} else {
		answer = refuse(dispatch, commit);
		if (SEED(REFUSAL_HIDDEN))
			answer = DOOR_TAKEN;
	}
	tell_receipt(commit, answer);
	commit_free(commit);
}

/* ---- outcomes ---- */

static void
finished(struct dispatch *dispatch, struct ledger_entry *entry)
{
	if (entry->is_large)
		dispatch_remove_large(dispatch, entry->id);
	dispatch_forget(dispatch, entry);
}

/* On a full disk: it is known to this process alone. */
static void
left_out(const struct commit *commit)
{
	log_info("%s: deferral not recorded, a restart would try it at once: "
		 "%s",
	    queue_id_of(commit->id).text, error_text(&commit->unit.error));
}

/* Wait, or be held. */
static void
progressed(struct dispatch *dispatch, struct ledger_entry *entry,
    const struct commit *commit, struct clock_time now)
{
	if (commit->unit.lacked_room)
		left_out(commit);
	else
		ledger_set_progress_place(
		    dispatch->ledger, entry, commit->unit.place);
	dispatch_rest_as(
	    dispatch, entry, &commit->message->progress, commit->route, now);
}

static void
outcome_recorded(struct dispatch *dispatch, struct ledger_entry *entry,
    struct commit *commit, struct clock_time now)
{
	if (!commit->unit.is_committed && !commit->unit.lacked_room &&
	    !SEED(OUTCOME_NOT_REPEATED)) {
		dispatch_record_again(dispatch, commit, now);
		return;
	}
	dispatch_recorded(dispatch, commit);
	if (commit->report != NULL)
		dispatch_begin_waiting(dispatch, commit->report,
		    commit->unit.place, commit->report_route, now);
	if (commit->finishes)
		finished(dispatch, entry);
	else
		progressed(dispatch, entry, commit, now);
	if (commit->verb != NULL)
		dispatch_verbs_recorded(commit->verb);
	commit_free(commit);
}

/* Those that were on their way with it say nothing new. */
static void
not_moved(struct dispatch *dispatch, const struct commit *commit,
    struct clock_time now)
{
	if (dispatch->move_at <= now.mono_ms)
		log_warning("%s: not moved out of the oldest segment: %s",
		    queue_id_of(commit->id).text,
		    error_text(&commit->unit.error));
	dispatch->move_at = now.mono_ms + DISPATCH_TROUBLE_MS;
}

static void
moved(struct dispatch *dispatch, struct ledger_entry *entry,
    struct commit *commit, struct clock_time now)
{
	dispatch_move_over(dispatch, commit->pressure);
	if (commit->unit.is_committed) {
		ledger_set_place(dispatch->ledger, entry, commit->unit.place);
		ledger_set_progress_place(
		    dispatch->ledger, entry, commit->unit.place);
	} else {
		not_moved(dispatch, commit, now);
	}
	dispatch_rest(dispatch, entry, commit->route, commit->due,
	    commit->message->progress.held, now);
	commit_free(commit);
}

static void
put_aside(struct dispatch *dispatch, struct ledger_entry *entry,
    struct commit *commit, struct clock_time now)
{
	if (!commit->done || !commit->unit.is_committed) {
		dispatch_record_again(dispatch, commit, now);
		return;
	}
	dispatch_recorded(dispatch, commit);
	finished(dispatch, entry);
	commit_free(commit);
}

/* ---- files ---- */

static void
segment_dropped(struct commit *commit)
{
	if (!commit->done)
		log_warning("queue: segment not removed yet: %s",
		    error_text(&commit->error));
	commit_free(commit);
}

static void
large_removed(struct commit *commit)
{
	if (!commit->done)
		log_warning("%s: its file is not removed until the next "
			    "start: %s",
		    queue_id_of(commit->id).text, error_text(&commit->error));
	commit_free(commit);
}

/* ---- the event ---- */

/* The message that commit is about, which is on record. */
static struct ledger_entry *
entry_of(const struct dispatch *dispatch, const struct commit *commit)
{
	struct ledger_entry *entry = ledger_find(dispatch->ledger, commit->id);

	assert(entry != NULL);
	assert(entry->state == LEDGER_SETTLING);
	return entry;
}

void
dispatch_committed(
    struct dispatch *dispatch, struct commit *commit, struct clock_time now)
{
	assert(dispatch->commits_out > 0);
	dispatch->commits_out--;
	dispatch->recording.out -= commit->kind == COMMIT_OUTCOME;
	dispatch->room = commit->free_bytes;
	dispatch->lacks_room = commit->lacks_room;
	if (commit->unit.is_committed)
		ledger_set_segment(dispatch->ledger, commit->unit.segment,
		    commit->segment_bytes);

	switch (commit->kind) {
	case COMMIT_ACCEPT:
		accepted(dispatch, commit, now);
		break;
	case COMMIT_OUTCOME:
		outcome_recorded(
		    dispatch, entry_of(dispatch, commit), commit, now);
		break;
	case COMMIT_MOVE:
		moved(dispatch, entry_of(dispatch, commit), commit, now);
		break;
	case COMMIT_QUARANTINE:
		put_aside(dispatch, entry_of(dispatch, commit), commit, now);
		break;
	case COMMIT_DROP:
		segment_dropped(commit);
		break;
	case COMMIT_REMOVE_LARGE:
		large_removed(commit);
		break;
	}
}
