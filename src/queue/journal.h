/*
 * The journal: what is accepted, and what became of it, durably.
 *
 * Only the committer thread calls it (before the threads run, main). Directory:
 *
 *   lock          held while a process uses the queue
 *   <number>.log  segments (segment.h, record.h: the format)
 *   <number>.sum  their summaries, for a quick start (summary.h)
 *   bounds        which segments there are to be (bounds.h)
 *   spare         the next segment's file: recycled, and room for a full disk
 *   large/        bodies too large to lie inline, by queue id
 *   corrupt/      what could not be read, octet for octet
 *
 * Segments are dropped oldest first only: one further on may hold the FINISHED
 * of a message that lies in an older one.
 */
#pragma once

#include "base/error.h"
#include "message/message.h"
#include "queue/disk.h"
#include "queue/place.h"
#include "queue/record.h"
#include "queue/segment.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct journal;

struct journal_options {
	const struct disk *disk;
	const char *path;      /* the queue's directory, made where missing */
	uint64_t segment_size; /* rotated past this; 64 MiB is good */
	uint64_t free_floor;   /* octets below which space is low */
	/* Octets kept on the disk for what is done when it is full: outcomes
	 * can be written then, until the oldest segment can go; half of one is
	 * good.  Space is low, too, where they are not there whole. */
	uint64_t reserve;
};

/* ---- recovery ---- */

enum journal_fact_kind {
	JOURNAL_SEGMENT, /* follows: the facts of this segment */
	JOURNAL_MESSAGE,
	JOURNAL_PROGRESS,
	JOURNAL_FINISHED,
	JOURNAL_PROBLEM /* something was damaged; text says what and what was
			   done */
};

/* One fact, in the order of the log. Pointers are borrowed for the call. */
struct journal_fact {
	enum journal_fact_kind kind;
	uint64_t id;                     /* of the message */
	struct segment_ref segment;      /* all but PROBLEM */
	struct place place;              /* MESSAGE, PROGRESS */
	const struct envelope *envelope; /* MESSAGE */
	uint64_t size;                   /* MESSAGE: octets of content */
	bool is_large; /* MESSAGE: the content is a large file */
	const struct progress *progress; /* PROGRESS */
	uint64_t bytes;                  /* SEGMENT: its size */
	size_t index, count; /* SEGMENT: which of how many, from 0 */
	const char *text;    /* PROBLEM */
};

typedef void (*journal_fact_fn)(const struct journal_fact *fact, void *ctx);

struct journal_report {
	size_t segments;
	uint64_t units;
	uint64_t highest_id; /* no id up to this may be given out again */
	size_t problems;     /* told of as JOURNAL_PROBLEM */
	uint64_t damaged;    /* stretches that could not be read, found anew; */
	uint64_t damaged_bytes;  /* they are in corrupt/ now */
	uint64_t damaged_before; /* those that were in corrupt/ already */
	size_t kept_files; /* all that lies there until somebody looks at it,
			      and takes it away */
	uint64_t
	    missing_units; /* lost with them, or with segments that are gone */
	uint64_t torn_bytes; /* cut from the end: a commit that was under way */
	size_t unread_segments; /* that could not be read whole: they are kept,
				   and may be read another time */
	size_t summaries;       /* segments that were not read, but these; */
	size_t ignored_summaries; /* those that did not count (summary.h) */
};

/*
 * Lock the directory, replay what is there, and be ready for journal_commit().
 * What is torn is cut; what is damaged is copied to corrupt/, reported, and
 * costs only itself.  Segments that are gone as whole files are told of, too.
 *
 * ERROR_CONFIG: a segment is of another format version, or the directory or a
 * segment is in other hands (ownership.h); nothing is changed. ERROR_SYSTEM
 * with EWOULDBLOCK: another process has the queue.
 */
bool journal_open(const struct journal_options *options,
    journal_fact_fn fact_fn, void *ctx, struct journal **out_journal,
    struct journal_report *out_report, struct error *error) MUST_USE;
/* Closes everything; nothing is pending, since every commit is answered. */
void journal_free(struct journal *journal);

/* Tells whether the message is in the queue. */
typedef bool (*journal_is_live_fn)(uint64_t id, void *ctx);
/*
 * Remove the files in large/ that belong to no live message: after a replay,
 * before intake begins.  Where the replay had problems, or something lies in
 * corrupt/ that may have told of them, the messages they belong to may have
 * been damaged; then they are put into corrupt/, or, on a full disk, left where
 * they are.
 */
bool journal_remove_orphans(struct journal *journal,
    journal_is_live_fn is_live_fn, void *ctx, size_t *out_removed,
    struct error *error) MUST_USE;

/* ---- committing ---- */

/*
 * Ahead of its commit, write out the large body of unit, if it has one, so that
 * the group with it has little to wait for.  False: it cannot be written; the
 * unit must not be committed.  Any thread.
 */
bool journal_write_out(const struct journal *journal, const struct unit *unit,
    struct error *error) MUST_USE;
/*
 * One group: append all units, one fdatasync, answer each (unit.h's answer).
 * Large bodies in it are synced first, then their directory.
 *
 * A unit that cannot be encoded, or that needs room while space is low, fails
 * alone.  A failed write or sync fails the whole group, and what was written of
 * it is cut off or made not to count; the next group goes to a new segment.
 *
 * False: the group failed and nothing more can be committed; all units are
 * answered. Exit, to be restarted on what is durable.
 */
bool journal_commit(struct journal *journal, struct unit *const *units,
    size_t count, struct error *error) MUST_USE;

/* The segment that is being written, and its size so far. */
struct segment_ref journal_current(const struct journal *journal);
uint64_t journal_current_bytes(const struct journal *journal);
/* Free octets on the disk, as of the newest commit. */
uint64_t journal_free_bytes(const struct journal *journal);
/* Whether the newest commit found less than what is kept for outcomes. */
bool journal_lacks_room(const struct journal *journal);
/* Directory of large bodies: for body_writer_init() and segment_load(). */
int journal_large_fd(const struct journal *journal);

/*
 * Give up the oldest segment, number, which is not the current one, and which
 * nobody reads any more.  One that fails is tried again with each group.
 */
bool journal_drop(
    struct journal *journal, uint64_t number, struct error *error) MUST_USE;

/*
 * Remove the large body of a message whose FINISHED is durable.  Not synced:
 * should it come back, it is an orphan.
 */
bool journal_remove_large(
    struct journal *journal, uint64_t id, struct error *error) MUST_USE;

/*
 * Copy a damaged message, as far as it can be read, to corrupt/, durably.  Then
 * commit its FINISHED.
 */
bool journal_quarantine(struct journal *journal,
    const struct segment_message *where, struct error *error) MUST_USE;

/* ---- summaries ---- */

/*
 * How many sealed segments are to get a summary; 0 while the disk is nearly
 * full.  Whenever there is nothing better to do, call journal_summarize() then.
 */
size_t journal_summaries_wanted(const struct journal *journal);
/*
 * Go on with one of them, for a fraction of a millisecond, or as long as the
 * disk takes to read and write some 256 KiB; nothing is synced.  False: that
 * segment gets none before the next start, which will take longer; all else is
 * as it was.
 */
bool journal_summarize(struct journal *journal, struct error *error) MUST_USE;
