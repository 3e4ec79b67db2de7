/*
 * Outcomes that could not be recorded.  They are sent again, the oldest alone
 * at first, then twice as many each time that all go well.  Meanwhile nothing
 * is ordered whose outcome might not be recorded either: what is delivered and
 * not recorded is delivered again by the next process.
 */
#include "base/log.h"
#include "daemon/dispatch_private.h"

#include <assert.h>

/* After a failure, the next try comes so much later; twice as much each time.
 */
#define FIRST_WAIT_MS 50
#define MOST_WAIT_MS  (16 * CLOCK_SECOND)
/* That it still fails is said so often. */
#define SAY_EVERY_MS CLOCK_MINUTE
/* Outcomes at the committer: a disk that hangs must not have more of them wait
 * than a slow one needs. */
#define OUT_MAX 2048

void
dispatch_recording_init(struct recording *recording, int64_t now)
{
	*recording = (struct recording){
	    .wait_ms = FIRST_WAIT_MS,
	    .window = 1,
	    .said_at = now - SAY_EVERY_MS,
	};
	STAILQ_INIT(&recording->blocked);
	STAILQ_INIT(&recording->refused);
}

bool
dispatch_can_record(const struct dispatch *dispatch)
{
	const struct recording *recording = &dispatch->recording;

	return recording->counts[COMMIT_BLOCKED] == 0 &&
	    recording->out < OUT_MAX;
}

const char *
dispatch_recording_problem(const struct dispatch *dispatch)
{
	const struct recording *recording = &dispatch->recording;

	return recording->counts[COMMIT_BLOCKED] == 0
	    ? ""
	    : error_text(&recording->error);
}

size_t
dispatch_unrecorded(const struct dispatch *dispatch)
{
	const struct recording *recording = &dispatch->recording;

	return recording->counts[COMMIT_BLOCKED] +
	    recording->counts[COMMIT_REFUSED];
}

/* ---- failures ---- */

/* The disk's failure is everybody's; all else is this unit's own. */
static enum commit_failure
failure_of(const struct commit *commit)
{
	return commit->done && commit->unit.error.kind == ERROR_SYSTEM
	    ? COMMIT_BLOCKED
	    : COMMIT_REFUSED;
}

static void
count_as(struct recording *recording, struct commit *commit,
    enum commit_failure failure)
{
	if (commit->failure != COMMIT_UNHARMED)
		recording->counts[commit->failure]--;
	commit->failure = failure;
	if (failure != COMMIT_UNHARMED)
		recording->counts[failure]++;
}

static void
say(struct recording *recording, int64_t now)
{
	if (now - recording->said_at < SAY_EVERY_MS)
		return;
	recording->said_at = now;
	recording->is_said = true;
	log_error("queue: outcomes=%zu cannot be recorded, and nothing is "
		  "delivered until they can: %s",
	    recording->counts[COMMIT_BLOCKED], error_text(&recording->error));
}

static void
block(struct recording *recording, struct commit *commit, int64_t now)
{
	STAILQ_INSERT_TAIL(&recording->blocked, commit, siblings);
	recording->error = commit->unit.error;
	recording->window = 1;
	/* Those that were on their way with the first say nothing new. */
	if (recording->again_at <= now) {
		recording->again_at = now + recording->wait_ms;
		recording->wait_ms *= 2;
	}
	if (recording->wait_ms > MOST_WAIT_MS)
		recording->wait_ms = MOST_WAIT_MS;
	say(recording, now);
}

static void
refuse(struct recording *recording, struct commit *commit, int64_t now)
{
	log_error("%s: outcome not recorded, trying again: %s",
	    queue_id_of(commit->id).text, error_text(&commit->unit.error));
	commit->again_at = now + DISPATCH_TROUBLE_MS;
	STAILQ_INSERT_TAIL(&recording->refused, commit, siblings);
}

void
dispatch_record_again(
    struct dispatch *dispatch, struct commit *commit, struct clock_time now)
{
	struct recording *recording = &dispatch->recording;

	if (commit->failure == COMMIT_BLOCKED)
		recording->again--;
	count_as(recording, commit, failure_of(commit));
	if (commit->failure == COMMIT_BLOCKED)
		block(recording, commit, now.mono_ms);
	else
		refuse(recording, commit, now.mono_ms);
}

/* ---- success ---- */

/* All of the last ones went well: let more try, or all is over. */
static void
widen(struct recording *recording)
{
	recording->window *= 2;
	recording->wait_ms = FIRST_WAIT_MS;
	recording->again_at = 0;
	if (recording->counts[COMMIT_BLOCKED] > 0)
		return;
	recording->window = 1;
	if (recording->is_said)
		log_warning("queue: outcomes are recorded again");
	recording->is_said = false;
}

void
dispatch_recorded(struct dispatch *dispatch, struct commit *commit)
{
	struct recording *recording = &dispatch->recording;
	bool was_blocked = commit->failure == COMMIT_BLOCKED;

	count_as(recording, commit, COMMIT_UNHARMED);
	if (!was_blocked)
		return;
	assert(recording->again > 0);
	recording->again--;
	if (recording->again == 0)
		widen(recording);
}

/* ---- again ---- */

static bool
has_turn(const struct recording *recording)
{
	return !STAILQ_EMPTY(&recording->blocked) &&
	    recording->again < recording->window;
}

static struct commit *
take_first(struct commit_list *list)
{
	struct commit *commit = STAILQ_FIRST(list);

	STAILQ_REMOVE_HEAD(list, siblings);
	return commit;
}

bool
dispatch_recording_step(struct dispatch *dispatch, struct clock_time now)
{
	struct recording *recording = &dispatch->recording;
	const struct commit *refused = STAILQ_FIRST(&recording->refused);

	if (has_turn(recording) && recording->again_at <= now.mono_ms) {
		recording->again++;
		dispatch_push_commit(dispatch, take_first(&recording->blocked));
		return true;
	}
	if (refused == NULL || refused->again_at > now.mono_ms)
		return false;
	dispatch_push_commit(dispatch, take_first(&recording->refused));
	return true;
}

int64_t
dispatch_recording_deadline(const struct dispatch *dispatch)
{
	const struct recording *recording = &dispatch->recording;
	const struct commit *refused = STAILQ_FIRST(&recording->refused);
	int64_t deadline = refused == NULL ? CLOCK_NEVER : refused->again_at;

	if (has_turn(recording) && recording->again_at < deadline)
		deadline = recording->again_at;
	return deadline;
}

void
dispatch_recording_hurry(struct dispatch *dispatch)
{
	dispatch->recording.again_at = 0;
	dispatch->recording.wait_ms = FIRST_WAIT_MS;
}
