/*
 * The door through which every accepted message passes, whichever way it came:
 * what intake asks of the rest of the daemon.  The daemon fills in the
 * functions; intake knows neither the queue nor the threads behind them.
 *
 * All on the hub's thread.
 */
#pragma once

#include "base/bytes.h"
#include "message/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum door_answer {
	DOOR_TAKEN,       /* durable: 250, exit 0, remove the drop file */
	DOOR_DISK_FULL,   /* 452 4.3.1; nothing was kept */
	DOOR_DISK_FAILED, /* 451 4.3.0; nothing was kept */
	DOOR_CLOSED       /* shutting down: 421 4.3.2; nothing was kept */
};

struct receipt;
typedef void receipt_fn(
    struct receipt *receipt, enum door_answer answer, uint64_t id);

/*
 * Lent by the session to whoever takes the message; fn is called exactly once,
 * in a later turn, unless cancelled.  Embedded in the session.
 */
struct receipt {
	receipt_fn *fn;
	void *owner; /* the lender's own */
	void
	    *taker; /* set by door->submit, cleared before fn; NULL: not lent */
};

struct door {
	/* An id for a message about to come, unique for ever. */
	uint64_t (*take_id)(void *ctx);
	/* Is there room for a message of that size (0: unknown)?  DOOR_TAKEN,
	 * or the refusal to give at MAIL. */
	enum door_answer (*ask)(uint64_t size_bytes, void *ctx);
	/* Takes message, complete but for durability.  receipt is lent. */
	void (*submit)(
	    struct message *message, struct receipt *receipt, void *ctx);
	/* The session died first: the message stays accepted, nobody is told.
	 */
	void (*cancel)(struct receipt *receipt, void *ctx);
	/* ETRN at us: try what waits for domain ("x", "@x") now. Number of
	 * messages; -1: not a domain we relay for. */
	long (*flush_domain)(struct bytes domain, void *ctx);
	void *ctx;
};
