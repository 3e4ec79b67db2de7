#include "daemon/committer.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "daemon/large_writer.h"
#include "daemon/thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/*
 * A group in which nobody waits for an answer is held back so long, for others
 * to join it: a delivered message's FINISHED may come late (a crash meanwhile
 * costs a duplicate, as a crash before it would have), and thousands of syncs
 * become a few.
 */
#define PATIENCE_MS 20

#define GROUP_MAX 1024

/*
 * Summaries are written when nobody has wanted anything for so long: a segment
 * that is soon dropped again needs none.
 */
#define IDLE_MS 50
/*
 * Where there is never such a time, one slice of a summary follows each group
 * as soon as so many segments lack theirs: a start after days under load is not
 * to take long, either.
 */
#define BACKLOG_MAX 4

struct committer {
	struct journal *journal;
	struct mailbox *inbox;
	struct large_writer *large_writer; /* posts to inbox, too */
	struct mailbox *answers;           /* borrowed */
	struct letter *failed;             /* borrowed; posted once */
	struct letter stop;                /* posted to inbox at the end */
	pthread_t thread;
	bool has_ended;
	bool broken; /* nothing can be committed any more */
};

static struct commit *
commit_of(struct letter *letter)
{
	return (struct commit *)(void *)letter;
}

static bool
is_patient(const struct commit *commit)
{
	return commit->kind == COMMIT_OUTCOME && commit->finishes &&
	    commit->report == NULL && commit->verb == NULL;
}

/* Nobody waits for any of these. */
static bool
is_patient_group(const struct committer *committer, struct letter *letters)
{
	for (; letters != NULL; letters = letters->next)
		if (letters == &committer->stop ||
		    !is_patient(commit_of(letters)))
			return false;
	return true;
}

static void
append_letters(struct letter *letters, struct letter *more)
{
	while (letters->next != NULL)
		letters = letters->next;
	letters->next = more;
}

/* Let others join a group that nobody waits for. */
static void
gather(struct committer *committer, struct letter *letters)
{
	int64_t end = clock_now().mono_ms + PATIENCE_MS;

	while (is_patient_group(committer, letters)) {
		int64_t left = end - clock_now().mono_ms;
		if (left <= 0)
			return;
		append_letters(
		    letters, mailbox_wait(committer->inbox, (int)left));
	}
}

/* ---- units: together ---- */

static bool
has_unit(const struct commit *commit)
{
	switch (commit->kind) {
	case COMMIT_ACCEPT:
	case COMMIT_OUTCOME:
	case COMMIT_MOVE:
	case COMMIT_QUARANTINE:
		return true;
	case COMMIT_DROP:
	case COMMIT_REMOVE_LARGE:
		return false;
	}
	return false;
}

static void
refuse_unit(struct unit *unit, const struct error *error)
{
	unit->is_committed = false;
	unit->error = *error;
}

static void
commit_units(
    struct committer *committer, struct unit *const *units, size_t count)
{
	struct error error = {.kind = ERROR_SYSTEM, .number = EIO};

	if (count == 0)
		return;
	if (committer->broken) {
		(void)error_set(&error, ERROR_SYSTEM,
		    "the queue cannot be written any more");
		for (size_t i = 0; i < count; i++)
			refuse_unit(units[i], &error);
		return;
	}
	if (!journal_commit(committer->journal, units, count, &error)) {
		committer->broken = true;
		mailbox_post(committer->answers, committer->failed);
	}
}

/* The damaged bytes are put aside before the message is taken off the queue. */
static bool
prepare(struct committer *committer, struct commit *commit)
{
	commit->done = true;
	if (commit->is_refused)
		return false;
	if (commit->kind != COMMIT_QUARANTINE)
		return has_unit(commit);
	commit->done = journal_quarantine(
	    committer->journal, &commit->where, &commit->error);
	if (!commit->done)
		refuse_unit(&commit->unit, &commit->error);
	return commit->done;
}

/* ---- the rest: one by one, behind the units ---- */

static void
do_rest(struct committer *committer, struct commit *commit)
{
	if (commit->kind == COMMIT_DROP)
		commit->done = journal_drop(
		    committer->journal, commit->id, &commit->error);
	if (commit->kind == COMMIT_REMOVE_LARGE)
		commit->done = journal_remove_large(
		    committer->journal, commit->id, &commit->error);
	commit->segment_bytes = journal_current_bytes(committer->journal);
	commit->free_bytes = journal_free_bytes(committer->journal);
	commit->lacks_room = journal_lacks_room(committer->journal);
}

/* One group: at most GROUP_MAX letters of the list; the rest is returned. */
static struct letter *
commit_group(struct committer *committer, struct letter *letters)
{
	struct unit *units[GROUP_MAX];
	size_t unit_count = 0;
	size_t count = 0;
	struct letter **end = &letters;

	for (; *end != NULL && count < GROUP_MAX; end = &(*end)->next) {
		if (prepare(committer, commit_of(*end)))
			units[unit_count++] = &commit_of(*end)->unit;
		count++;
	}
	struct letter *rest = *end;
	*end = NULL;
	commit_units(committer, units, unit_count);
	for (struct letter *letter = letters; letter != NULL;
	     letter = letter->next)
		do_rest(committer, commit_of(letter));
	mailbox_post_list(committer->answers, letters);
	return rest;
}

/* ---- summaries: when there is nothing better to do ---- */

static void
summarize(struct committer *committer)
{
	struct error error;

	if (!journal_summarize(committer->journal, &error))
		log_warning("queue: no summary, so that the next start may "
			    "take longer: %s",
		    error_text(&error));
}

/* All that has gathered; meanwhile, summaries are written. */
static struct letter *
await_letters(struct committer *committer)
{
	bool is_idle = false;

	for (;;) {
		bool has_chore = !committer->broken &&
		    journal_summaries_wanted(committer->journal) > 0;
		int wait_ms = has_chore ? is_idle ? 0 : IDLE_MS : -1;
		struct letter *letters =
		    mailbox_wait(committer->inbox, wait_ms);
		if (letters != NULL)
			return letters;
		is_idle = has_chore;
		if (has_chore)
			summarize(committer);
	}
}

static void
catch_up(struct committer *committer)
{
	if (journal_summaries_wanted(committer->journal) > BACKLOG_MAX)
		summarize(committer);
}

/* Take the letter out that asks to stop, if it is there. */
static bool
take_stop(struct committer *committer, struct letter **letters)
{
	for (struct letter **link = letters; *link != NULL;
	     link = &(*link)->next)
		if (*link == &committer->stop) {
			*link = committer->stop.next;
			return true;
		}
	return false;
}

static void *
committer_main(void *ctx)
{
	struct committer *committer = ctx;
	bool stop = false;

	while (!stop) {
		struct letter *letters = await_letters(committer);
		gather(committer, letters);
		stop = take_stop(committer, &letters);
		while (letters != NULL) {
			letters = commit_group(committer, letters);
			catch_up(committer);
		}
	}
	return NULL;
}

/* ---- the hub's side ---- */

static bool
start(struct committer *committer, struct error *error)
{
	if (!large_writer_new(committer->journal, committer->inbox,
		&committer->large_writer, error))
		return false;
	if (thread_start(&committer->thread, committer_main, committer,
		"the committer thread", error))
		return true;
	large_writer_free(committer->large_writer);
	return false;
}

bool
committer_new(struct journal *journal, struct mailbox *answers,
    struct letter *failed, struct committer **out_committer,
    struct error *error)
{
	struct committer *committer = memory_new(sizeof(*committer));

	committer->journal = journal;
	committer->answers = answers;
	committer->failed = failed;
	committer->inbox = mailbox_new_blocking();
	if (!start(committer, error)) {
		mailbox_free(committer->inbox);
		free(committer);
		return false;
	}
	*out_committer = committer;
	return true;
}

static bool
is_large(const struct commit *commit)
{
	return commit->kind == COMMIT_ACCEPT &&
	    commit->message->body.name[0] != '\0';
}

void
committer_post(struct committer *committer, struct commit *commit)
{
	if (is_large(commit))
		large_writer_post(committer->large_writer, commit);
	else
		mailbox_post(committer->inbox, &commit->letter);
}

void
committer_end(struct committer *committer)
{
	if (committer->has_ended)
		return;
	large_writer_free(committer->large_writer);
	mailbox_post(committer->inbox, &committer->stop);
	(void)pthread_join(committer->thread, NULL); /* our own, joined once */
	committer->has_ended = true;
}

void
committer_free(struct committer *committer)
{
	if (committer == NULL)
		return;
	committer_end(committer);
	mailbox_free(committer->inbox);
	journal_free(committer->journal);
	free(committer);
}
