/*
 * The large writer: the thread that writes large content out ahead of its
 * commit.  The group with it, and all mail behind that, then waits for what is
 * left to sync, and not for the whole of it.
 */
#pragma once

#include "base/error.h"
#include "daemon/commit.h"
#include "net/mailbox.h"
#include "queue/journal.h"

#include <stdbool.h>

struct large_writer;

/* Start the thread.  inbox: the committer's, to which each commit goes on; both
 * are borrowed. */
bool large_writer_new(const struct journal *journal, struct mailbox *inbox,
    struct large_writer **out_writer, struct error *error) MUST_USE;
/* Any thread.  Takes commit, whose content is a file; where that cannot be
 * written out, it goes on as refused. */
void large_writer_post(struct large_writer *writer, struct commit *commit);
/* Finish what was posted, and end the thread. */
void large_writer_free(struct large_writer *writer);
