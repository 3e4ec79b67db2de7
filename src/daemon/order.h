/*
 * An order: one task for a worker, from the hub and back, with what came of it.
 */
#pragma once

#include "daemon/settle.h"
#include "message/message.h"
#include "net/mailbox.h"
#include "queue/segment.h"

#include <stdbool.h>
#include <stdint.h>

enum order_kind {
	ORDER_ATTEMPT, /* deliver to the recipients of route by upstream */
	ORDER_EXPIRE,  /* the lifetime is over: report */
	ORDER_DELAY,   /* tell the sender of the delay */
	ORDER_REROUTE, /* route is blocked: has it recipients on another? */
	ORDER_LOAD     /* only load it: for a verb, or to be moved */
};

enum order_result {
	ORDER_DONE, /* settlement and message are set */
	/* These two: settlement.route is set, and where its round_over is so,
	 * message's progress shall be kept. */
	ORDER_REROUTED,        /* nobody waits on route, or it is blocked */
	ORDER_UPSTREAM_FAILED, /* a state of the upstream: failure says what */
	ORDER_FAILED,          /* our own trouble, to be tried again later */
	ORDER_DAMAGED          /* the message cannot be read: quarantine it */
};

#define ORDER_TEXT_MAX 512

struct order {
	struct letter letter; /* first: letters are cast back */
	enum order_kind kind;
	uint64_t id;
	struct segment_message where;
	uint16_t route;
	unsigned upstream;           /* ATTEMPT */
	char reason[ORDER_TEXT_MAX]; /* EXPIRE, DELAY: why it waits */
	bool is_last;      /* ATTEMPT: who waits afterwards is given up */
	void *verb;        /* LOAD: the hub's own */
	int64_t due;       /* when it was to be tried, monotonic */
	bool was_held;     /* it goes back to HELD when nothing comes of this */
	unsigned attempts; /* that were made, on record or not */
	uint64_t octets;   /* LOAD, to be moved: what will be written */

	/* The worker's own while it works. */
	struct worker *worker;
	size_t *recipients;
	size_t recipient_count;

	/* The answer. */
	enum order_result result;
	char failure[ORDER_TEXT_MAX];
	struct message *message; /* owned; its progress is what shall be kept */
	bool in_doubt;           /* it may have been delivered all the same */
	struct settlement settlement;
};

struct order *order_new(enum order_kind kind, uint64_t id);
/* Takes message as it was loaded.  Attempts that are not on record, for want of
 * room, count all the same. */
void order_take_message(struct order *order, struct message *message);
/* Frees message and report, where they are still the order's. */
void order_free(struct order *order);
