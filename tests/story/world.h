/*
 * A world for dispatch: virtual clock, a disk that is a list, upstreams that do
 * as they are told.  What happens is written down as text, one line for each
 * event, "[seconds] what", and the text is what a test compares.
 *
 * The promise is asserted wherever it could be broken: who is told "accepted"
 * has his message on disk; nothing is handed over twice but for a crash or a
 * reply that did not come; who is given up is reported in the same unit; no
 * large body and no segment goes before what needs it.
 */
#pragma once

#include "base/buffer.h"
#include "daemon/dispatch.h"

#include <stdbool.h>
#include <stdint.h>

#define WORLD_UPSTREAMS 2
#define WORLD_KEPT_MAX  256

enum upstream_mood {
	MOOD_GOOD,      /* takes everything */
	MOOD_DOWN,      /* cannot be reached */
	MOOD_TEMPORARY, /* 451 to every recipient */
	MOOD_PERMANENT, /* 550 to every recipient */
	MOOD_CUT        /* may have taken it, but the reply does not come */
};

/* Where a message cannot be read. */
enum disk_mood {
	DISK_GOOD,
	DISK_TROUBLED, /* not now */
	DISK_DAMAGED   /* never again */
};

struct world_message;

struct world {
	struct dispatch *dispatch;
	struct settle_options settle;
	struct clock_time now;
	int64_t start;
	enum upstream_mood moods[WORLD_UPSTREAMS];
	int disk_errno;  /* commits fail with this; 0: they succeed */
	uint64_t room;   /* free octets on the disk, where that is not full */
	bool lacks_room; /* what needs room is refused */
	enum disk_mood disk_mood;
	bool refuses_quarantine; /* what is damaged cannot be copied */
	/* Orders and commits are kept until world_let_go(). */
	bool keeps_orders;
	bool keeps_commits;
	struct order *orders[WORLD_KEPT_MAX];
	size_t order_count;
	struct commit *commits[WORLD_KEPT_MAX];
	size_t commit_count;
	bool submits_large;        /* bodies in files of their own */
	unsigned long large_files; /* that are there */
	unsigned crashes;
	unsigned units_per_segment; /* 0: there is one segment */
	unsigned drops;             /* of segments */
	unsigned moves;
	unsigned long taken; /* recipients, by upstreams */
	/* Recipients, durably: */
	unsigned long delivered;
	unsigned long returned;
	unsigned long removed;
	unsigned long accepted; /* of senders and of reports */

	struct world_message *disk; /* what is durable */
	uint32_t next_offset;
	struct buffer story;
	struct buffer log;
	uint64_t first_id;
};

/* rules: borrowed. */
void world_init(
    struct world *world, const struct route_rule *rules, size_t rule_count);
void world_clear(struct world *world);

/* Submit a message from sender to recipients (blanks between); the answer of
 * its receipt goes into the story. */
void world_submit(
    struct world *world, const char *sender, const char *recipients);
/* Carry out everything that is to be done by now. */
void world_settle(struct world *world);
/* Let time pass, stopping wherever something is to be done. */
void world_pass(struct world *world, int64_t ms);
/* What was kept is carried out, and whatever that leads to. */
void world_let_go(struct world *world);
/* One kept order, or the oldest kept commit, is carried out. */
void world_let_go_order(struct world *world, size_t i);
void world_let_go_commit(struct world *world);
/* The wall clock jumps. */
void world_jump(struct world *world, int64_t ms);
/* The process dies and starts again on what is durable. */
void world_crash(struct world *world);
/* Messages that are durable. */
size_t world_disk_size(const struct world *world);
/* Recipients that wait in them. */
size_t world_disk_waiting(const struct world *world);
/* Number of the message, as the story counts them, to its id. */
uint64_t world_id(const struct world *world, unsigned number);

/* The story so far is expected; it is forgotten then. */
void world_expect(struct world *world, const char *expected);
