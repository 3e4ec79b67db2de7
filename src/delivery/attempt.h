/*
 * Delivery attempts as one worker runs them: a message to some of its
 * recipients by one upstream, from order to result.
 *
 * A recipient's outcome is written into the message's progress; a failure of
 * the upstream itself (DNS, connect, TLS, AUTH, greeting) is not: that is a
 * state of the upstream, told in the result, and nothing is held against the
 * message.
 */
#pragma once

#include "base/error.h"
#include "delivery/upstream.h"
#include "message/message.h"
#include "net/loop.h"

#include <stdbool.h>
#include <stddef.h>

struct delivery;
struct attempt;

/*
 * At most one of upstream_failed and local_failed; then nothing was delivered
 * or refused, and the message's progress is untouched.
 */
struct attempt_result {
	bool upstream_failed; /* nothing was tried, or the session died before
				 it said anything of this message: try
				 another */
	bool in_doubt;     /* the upstream may have taken it all the same; who
			      counts that in the progress is the caller */
	bool local_failed; /* nobody's fault upstream: the content could not be
			      read, or this worker is draining */
	char reason[512];  /* of either failure, in one line; else "" */
	char remote[192];  /* "main smtp.example.com[192.0.2.1]:587" */
};

/* Called once for each attempt, in a later turn. result is borrowed. */
typedef void attempt_fn(const struct attempt_result *result, void *ctx);

/* options: an array borrowed for ever. */
bool delivery_new(struct loop *loop, const struct upstream_options *options,
    size_t count, struct delivery **out_delivery, struct error *error) MUST_USE;
/* No attempt may be under way. */
void delivery_free(struct delivery *delivery);

/*
 * Deliver message to the recipients listed (indexes) by options[upstream].
 * message is borrowed until fn, recipients for the call; its progress is
 * written for these recipients (state, status, reason, upstream) before fn,
 * unless upstream_failed or local_failed.  Any number may be started: what
 * exceeds the upstream's connections waits here.
 */
void attempt_start(struct delivery *delivery, unsigned upstream,
    struct message *message, const size_t *recipients, size_t count,
    attempt_fn *fn, void *ctx);

/* Say QUIT on idle connections and start no new session; what waits for one is
 * local_failed, what is under way goes on.  fn, in a later turn, when all are
 * gone. */
typedef void delivery_quiet_fn(void *ctx);
void delivery_drain(
    struct delivery *delivery, delivery_quiet_fn *fn, void *ctx);
/* Connections open to options[upstream], and how many of them idle. */
void delivery_connections(const struct delivery *delivery, unsigned upstream,
    size_t *out_open, size_t *out_idle);
