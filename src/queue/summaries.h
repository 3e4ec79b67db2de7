/*
 * Which segments on the shelf get a summary (summary.h), when, and when they
 * lose it again.
 *
 * All here is done in the background and for speed alone: whatever fails, the
 * queue is as safe as before.
 */
#pragma once

#include "base/error.h"
#include "queue/shelf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct summaries {
	struct shelf *shelf;           /* borrowed */
	struct summary_writer *writer; /* owned: what is being written, or NULL,
					*/
	uint64_t generation;           /* and of which segment */
};

void summaries_init(struct summaries *summaries, struct shelf *shelf);
void summaries_clear(struct summaries *summaries);

/* How many sealed segments are to get one. */
size_t summaries_wanted(const struct summaries *summaries);
/*
 * Go on with the oldest that is to get one; there is one.  False: it gets none
 * after all.
 */
bool summaries_step(struct summaries *summaries, struct error *error) MUST_USE;
/* Before this segment is dropped. */
void summaries_forget(struct summaries *summaries, uint64_t generation);
/*
 * Remove all, for their room; they are wanted again.  False: there were none.
 */
bool summaries_give_up(struct summaries *summaries);
/* Remove those of no segment, or put them into corrupt/, where segments may be
 * missing that they tell of; as far as that goes well: at the start. */
void summaries_remove_orphans(
    const struct summaries *summaries, bool is_any_missing);
