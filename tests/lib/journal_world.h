/*
 * A small mail system on the journal and a fake disk, and what it has promised.
 *
 * It accepts, tries, finishes, bounces, moves and drops, and takes files out of
 * a drop directory, by a script; it notes what was acknowledged and what was
 * under way.  After a crash world_check()
 * says whether the promise was kept.
 */
#pragma once

#include "lib/fake_disk.h"
#include "queue/journal.h"
#include "queue/ledger.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORLD_MESSAGES_MAX 256
#define WORLD_SEGMENT_SIZE 6144
#define WORLD_DROPS_MAX    32

enum world_doubt {
	WORLD_NO,      /* never, or refused */
	WORLD_MAYBE,   /* under way when the disk died */
	WORLD_REFUSED, /* answered "not committed"; must do no harm should it be
			  there */
	WORLD_YES      /* acknowledged */
};

/* What is promised of one message. */
struct world_message {
	uint64_t id;
	size_t size;
	bool is_large;
	uint64_t drop_key; /* of the file it was taken from, or 0 */
	enum world_doubt accepted;
	unsigned attempts;       /* acknowledged; */
	unsigned attempts_maybe; /* or this */
	enum world_doubt finished;
	uint64_t
	    partner; /* the message whose end is in one unit with this one */
	struct place
	    finished_at; /* where its FINISHED is, where acknowledged */
};

struct world {
	struct fake_disk *fake;  /* owned */
	struct journal *journal; /* NULL: not running */
	struct ledger *ledger;
	struct journal_report report;
	struct error error;
	size_t problems; /* told of at the last start; */
	size_t gone;     /* of them, that segments are gone */
	uint64_t facts;  /* a hash of all else that was told */
	char problem[512];
	struct world_message messages[WORLD_MESSAGES_MAX];
	size_t count;
	uint64_t free_floor;
	uint64_t reserve;    /* 0: a segment's size */
	uint64_t drop_count; /* files that were dropped: keys 1 to that */
	/* What the daemon knows to be in the queue. */
	bool is_drop_known[WORLD_DROPS_MAX + 1];
};

/* Takes fake. */
void world_init(struct world *world, struct fake_disk *fake);
void world_clear(struct world *world);
/* Another world that promised the same, on another disk, which it takes; it is
 * not running. */
void world_copy(
    struct world *to, const struct world *from, struct fake_disk *fake);

/* Recover and run. False: error says why. */
bool world_start(struct world *world);
/* The process ends, well or not. */
void world_stop(struct world *world);

/*
 * One step: a letter and a number.
 *
 *   a N  accept a group of N messages    l    accept a large one
 *   p N  N messages in one group were tried and are to be tried again
 *   f N  N messages are finished         b    one fails: its bounce and its end
 *   m    the oldest that pins is moved   d    drop what can be dropped
 *   r    stop and start                  x    finish all
 *   s    summarize what is sealed        t    begin with it
 *   h    hold one                         i    a file is dropped, taken in,
 * removed j    take in what still lies in the drop directory
 *
 * False: the journal cannot go on, or the disk died.
 */
bool world_step(struct world *world, const char *step);
/* All steps of a script, separated by blanks; false as world_step(). */
bool world_run(struct world *world, const char *script);

/* What became of a message. */
enum world_state {
	WORLD_ABSENT,
	WORLD_INTACT,
	WORLD_OLDER,   /* but its newest progress is not there */
	WORLD_DAMAGED, /* and that is said when it is read */
	WORLD_ALTERED
};

/* world is running. text, of 128 octets, says what is wrong. */
enum world_state world_examine(
    struct world *world, const struct world_message *facts, char *text);

/* What world_check() found wrong. */
struct world_verdict {
	size_t lost;     /* acknowledged and not there; a file that is neither
			    in the drop directory nor in the queue */
	size_t altered;  /* there, but not as it was given */
	size_t invented; /* nobody ever gave it; or ended, and there again; or
			    one file became two messages */
	size_t
	    revived; /* refused, and there all the same: a duplicate at most */
	size_t doubled;   /* one file taken in twice, and both are there */
	size_t forgotten; /* acknowledged progress is not there, or an id that
			     was given out */
	char text[256];   /* of the first */
};

/* Of a world that has been started after a crash. True: nothing wrong. */
bool world_check(struct world *world, struct world_verdict *verdict);
/* Number of messages there. */
size_t world_size(const struct world *world);
