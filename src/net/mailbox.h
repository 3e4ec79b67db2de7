/*
 * Letters from any thread to one: the only thing that threads share, and the
 * only lock of the program.  Nothing is called while the lock is held, so there
 * is no lock order to get wrong.
 *
 * The receiver is handed the whole list that has gathered, oldest first: for
 * the committer that list is the commit group.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct loop;
struct mailbox;

/* First member of (or embedded in) whatever is sent. A letter is in at most one
 * mailbox; posting it hands it over. */
struct letter {
	struct letter *next;
};

/* Called in the owner's loop with a list of at least one. */
typedef void mailbox_fn(struct letter *letters, void *ctx);

/* A mailbox read by loop: fn is called there, at most once a turn. */
struct mailbox *mailbox_new(struct loop *loop, mailbox_fn *fn, void *ctx);
/* A mailbox without a loop, read by mailbox_wait(). */
struct mailbox *mailbox_new_blocking(void);
/* Must be empty, or its letters are leaked; no one may post any more. */
void mailbox_free(struct mailbox *mailbox);

/* Any thread. Takes letter. */
void mailbox_post(struct mailbox *mailbox, struct letter *letter);
/* Post a list linked by next, oldest first, with one wake-up. */
void mailbox_post_list(struct mailbox *mailbox, struct letter *first);
/* The owner of a blocking mailbox: wait at most timeout_ms (-1: for ever) and
 * take all that is there; NULL after the time. */
struct letter *mailbox_wait(struct mailbox *mailbox, int timeout_ms);
