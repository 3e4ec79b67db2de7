/*
 * The inside of an attempt, for the files that make it up:
 *
 *   attempt.c   from order to result; the table of transports; maildir
 *   relay.c     over an SMTP or LMTP session
 */
#pragma once

#include "base/buffer.h"
#include "delivery/attempt.h"
#include "delivery/upstream.h"
#include "delivery/verdict.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

enum attempt_recipient_state {
	ATTEMPT_WAITS,
	ATTEMPT_SENT,     /* part of the transaction under way */
	ATTEMPT_ACCEPTED, /* the same, and accepted at RCPT */
	ATTEMPT_SETTLED   /* its outcome is written */
};

struct attempt_recipient {
	size_t index; /* in the envelope */
	enum attempt_recipient_state state;
};

/* result.remote is "" until a session is known. */
struct attempt {
	struct upstream_job job;    /* first */
	TAILQ_ENTRY(attempt) entry; /* of the finished */
	struct delivery *delivery;
	unsigned upstream;                    /* index */
	struct message *message;              /* borrowed */
	struct attempt_recipient *recipients; /* owned */
	size_t count;
	size_t settled; /* recipients whose outcome is written */
	attempt_fn *fn;
	void *ctx;
	struct attempt_result result;
	struct relay *relay; /* relay.c's own, or NULL */
};

/* Write the outcome of recipient (an index into attempt->recipients), and log
 * it.  AT_ONCE counts as AGAIN. */
void attempt_settle(
    struct attempt *attempt, size_t recipient, const struct verdict *verdict);
/* The same for all that are not settled. */
void attempt_settle_rest(
    struct attempt *attempt, const struct verdict *verdict);
/*
 * The upstream failed, or we did, and nothing is held against the message;
 * unless some recipients are settled: then the others are tried again later, as
 * verdict says.
 */
void attempt_fail_upstream(
    struct attempt *attempt, const struct verdict *verdict);
void attempt_fail_local(struct attempt *attempt, const char *reason);
void attempt_set_remote(struct attempt *attempt, const char *remote);
/* The result is told in a later turn; attempt is the caller's no more. */
void attempt_finish(struct attempt *attempt);

struct loop *delivery_loop(const struct delivery *delivery);
struct upstream *delivery_upstream(
    const struct delivery *delivery, unsigned upstream);

/* ---- relay.c ---- */

void relay_start(struct attempt *attempt);
