/*
 * A worker: a thread with a loop of its own that carries orders out.  It reads
 * messages from the queue's files, delivers them, and writes nothing there.
 */
#pragma once

#include "base/error.h"
#include "daemon/order.h"
#include "daemon/settle.h"
#include "delivery/attempt.h"
#include "net/mailbox.h"

#include <stdbool.h>
#include <stddef.h>

struct worker;

/* Borrowed as long as the worker lives. */
struct worker_options {
	const struct settle_options *settle;
	const struct upstream_options *upstreams;
	size_t upstream_count;
	int large_fd; /* directory of large bodies */
	struct mailbox
	    *answers; /* the hub's, to which every order comes back, */
	struct mailbox *etrn_answers; /* and every ETRN order */
};

/* ETRN, asked of one server for some nodes; travels like an order. */
struct etrn_order {
	struct letter letter; /* first */
	unsigned upstream;
	const char *const *nodes; /* borrowed */
	size_t count;
	struct etrn_answer *answers; /* owned, one for each node */
	char
	    why[ORDER_TEXT_MAX]; /* the session ended so; "" when all is well */
};
struct etrn_answer {
	int code; /* 0: no reply */
	char text[ORDER_TEXT_MAX];
};

struct etrn_order *etrn_order_new(
    unsigned upstream, const char *const *nodes, size_t count);
void etrn_order_free(struct etrn_order *order);

bool worker_new(const struct worker_options *options,
    struct worker **out_worker, struct error *error) MUST_USE;
/* Any thread. Takes order. */
void worker_post(struct worker *worker, struct order *order);
/* The same. */
void worker_post_etrn(struct worker *worker, struct etrn_order *order);
/* Begin to close all sessions. Every order has come back before. */
void worker_stop(struct worker *worker);
/* Wait until that is done, at most 10 s, and end the thread. */
void worker_free(struct worker *worker);
