/*
 * A commit: one task for the committer, from the hub and back.  It owns what
 * its unit borrows.
 */
#pragma once

#include "intake/door.h"
#include "message/message.h"
#include "net/mailbox.h"
#include "queue/record.h"
#include "queue/segment.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

enum commit_kind {
	COMMIT_ACCEPT,  /* a message from intake: {MESSAGE} */
	COMMIT_OUTCOME, /* what came of an order: {report?, PROGRESS or
			   FINISHED} */
	COMMIT_MOVE, /* {MESSAGE, PROGRESS} again, out of the oldest segment */
	COMMIT_QUARANTINE,  /* copy what is damaged to corrupt/, then {FINISHED}
			     */
	COMMIT_DROP,        /* give up the oldest segment: its number is id */
	COMMIT_REMOVE_LARGE /* the file of message id */
};

/* Of an OUTCOME or QUARANTINE: why it has to be committed again. */
enum commit_failure {
	COMMIT_UNHARMED,
	COMMIT_BLOCKED, /* nothing can be committed now */
	COMMIT_REFUSED  /* this one alone could not */
};
#define COMMIT_FAILURES 3

struct commit {
	struct letter letter;          /* first: letters are cast back */
	STAILQ_ENTRY(commit) siblings; /* in dispatch's lists */
	enum commit_kind kind;
	uint64_t id;             /* of the message, or the segment */
	struct unit unit;        /* ACCEPT, OUTCOME, MOVE, QUARANTINE */
	struct message *message; /* owned: what it is about */
	struct message *report;  /* owned: a new message of ours, or NULL */
	struct receipt *receipt; /* ACCEPT: lent, or NULL */
	struct segment_message where; /* QUARANTINE */
	bool finishes;                /* OUTCOME: FINISHED, not PROGRESS */
	uint16_t route;               /* of message, afterwards */
	uint16_t report_route;
	int64_t due; /* MOVE: when it is to be tried, monotonic */
	void *verb;  /* OUTCOME: the hub's own, or NULL: who waits for it */
	enum commit_failure failure; /* the newest */
	int64_t again_at; /* monotonic: when to send a REFUSED one again */
	/* ACCEPT: octets of content in memory.  MOVE: octets on their way. */
	uint64_t pressure;
	bool is_refused; /* ACCEPT: its content could not be written out; the
			    unit's error says why */

	/* The committer's answer, besides the unit's. */
	bool done;
	uint64_t segment_bytes; /* size of the segment that was written */
	uint64_t free_bytes;    /* on the disk */
	bool lacks_room;        /* only outcomes are taken */
	struct error error;     /* where not done */
};

/* id: of the message or segment. */
struct commit *commit_new(enum commit_kind kind, uint64_t id);
/* Frees message and report with it. */
void commit_free(struct commit *commit);
