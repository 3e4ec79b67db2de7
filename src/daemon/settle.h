/*
 * What becomes of a message after an attempt: finished, tried again, returned.
 * Pure but for reading the content that a report quotes; run by a worker, which
 * has the message at hand.
 */
#pragma once

#include "base/error.h"
#include "delivery/route.h"
#include "message/message.h"
#include "message/report.h"
#include "queue/retry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Immutable; borrowed from the daemon by every worker. */
struct settle_options {
	struct report_options report;
	struct retry_policy retry;
	struct route_table routes;
};

struct settlement {
	bool finished;          /* no recipient waits any more */
	struct message *report; /* to the sender, or NULL; the caller owns it */
	uint16_t route;         /* of the recipients to be tried next */
	size_t delivered;       /* of the recipients tried */
	size_t failed;
	size_t waiting;
};

/*
 * Recipients of message that wait and go by route: their indexes are written to
 * out_recipients (room for all of the envelope's); returns how many.
 */
size_t settle_group(const struct settle_options *options,
    const struct message *message, uint16_t route, size_t *out_recipients);
/* The route of the first waiting recipient. */
uint16_t settle_first_route(const struct settle_options *options,
    const struct envelope *envelope, const struct progress *progress);
/* The next route behind route, in order and around, with a waiting recipient;
 * route itself where there is no other. */
uint16_t settle_next_route(const struct settle_options *options,
    const struct message *message, uint16_t route);

/*
 * The recipients listed have been tried, and their outcomes stand in message's
 * progress.  Those that wait beyond the lifetime are given up; who was given up
 * is reported; the rest waits until progress.next_at.  now is wall clock;
 * random: any 32 bits, for the jitter.
 *
 * False where the report could not be made (the content could not be read): the
 * message must then be tried again later as it was on disk.
 */
bool settle_attempt(const struct settle_options *options,
    struct message *message, uint16_t route, const size_t *recipients,
    size_t count, int64_t now, uint32_t random,
    struct settlement *out_settlement, struct error *error) MUST_USE;
/*
 * The lifetime is over and no attempt can be made: all waiting recipients are
 * given up for the reason given.
 */
bool settle_expired(const struct settle_options *options,
    struct message *message, struct bytes reason, int64_t now,
    struct settlement *out_settlement, struct error *error) MUST_USE;
/* Tell the sender that the message is late; progress.delay_reported is set. */
bool settle_delayed(const struct settle_options *options,
    struct message *message, struct bytes reason, int64_t now,
    struct settlement *out_settlement, struct error *error) MUST_USE;
