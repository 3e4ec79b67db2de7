/*
 * The committer: the thread that blocks on the disk, and owns the journal.  The
 * letters that have gathered while it was busy are one commit group, so groups
 * form by themselves: there is no timer and no size to tune.  What comes with a
 * large file passes the large writer first, and so may be overtaken.
 */
#pragma once

#include "base/error.h"
#include "daemon/commit.h"
#include "net/mailbox.h"
#include "queue/journal.h"

#include <stdbool.h>

struct committer;

/*
 * Start the threads.  Takes journal.  answers: the hub's mailbox, to which
 * every commit comes back.  failed: posted once, on that mailbox too, when
 * nothing can be committed any more; the daemon must then exit (borrowed).
 */
bool committer_new(struct journal *journal, struct mailbox *answers,
    struct letter *failed, struct committer **out_committer,
    struct error *error) MUST_USE;
/* Any thread. Takes commit. */
void committer_post(struct committer *committer, struct commit *commit);
/* Finish what was posted, end the threads; the journal stays open. */
void committer_end(struct committer *committer);
/* The same, and close the journal. */
void committer_free(struct committer *committer);
