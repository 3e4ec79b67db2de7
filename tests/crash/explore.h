/*
 * What may be left of a disk after a crash, and whether the promise holds on
 * it.
 *
 * Of each state that the disk may be in the world is started, and looked at;
 * some are started again after that, and take mail.  States are counted by
 * their contents: the same one is not looked at twice, unless something else
 * was promised.
 */
#pragma once

#include "lib/journal_world.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A set of hashes. */
struct seen {
	uint64_t *slots; /* owned; 0: free */
	size_t capacity;
	size_t count;
};

struct tally {
	struct seen states;  /* of the disk */
	struct seen checked; /* states with what was promised */
	size_t crashes, checks;
	struct world_verdict sum;
	uint64_t random;
	/* Crashes while recovering from a crash: how many in a row, and how
	 * many states after each but the first. */
	unsigned recoveries;
	size_t recovery_limit;
};

void tally_init(struct tally *tally);
void tally_clear(struct tally *tally);
/* Write the figures to the log of the test. */
void tally_tell(const struct tally *tally, const char *name);
uint64_t tally_draw(struct tally *tally);

/*
 * Look at what a crash may have left, at most limit states of it, all where
 * they are few.  what: for the messages of tests that fail.
 */
void explore_crash(struct tally *tally, const struct world *crashed,
    size_t limit, const char *what);
/* Look at one disk, which is taken. */
void explore_disk(struct tally *tally, const struct world *crashed,
    struct fake_disk *fake, const char *what);
/* Start a world that has been stopped, and look. */
void explore_check(struct tally *tally, struct world *world, const char *what);
/* What a start has seen is there for good, and new mail comes on top. */
void explore_check_stays(
    struct tally *tally, struct world *world, const char *what);
/* After a power cut that keeps all that is pending, or nothing of it. */
struct fake_disk *explore_cut_power(const struct fake_disk *fake, bool keeps);
