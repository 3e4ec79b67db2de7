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
	bool round_over;        /* route is to be tried after a delay */
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

/*
 * Routes in their order make a round, and a delay lies between rounds; the wall
 * clock says now, and random is any 32 bits, for the jitter.
 */

/*
 * Nothing goes by route now: the next one behind it with a waiting recipient.
 * Where that is in the next round, round_over is set, and so are attempts and
 * next_at in message's progress.  Route itself where there is no other.
 */
struct settlement settle_elsewhere(const struct settle_options *options,
    struct message *message, uint16_t route, int64_t now, uint32_t random);

/* What has been tried. */
struct settle_tried {
	uint16_t route;
	const size_t *recipients; /* indexes */
	size_t count;
	bool is_last; /* the lifetime is over: who waits still is given up */
};

/*
 * The recipients tried have their outcomes in message's progress.  Who was
 * given up is reported; the rest waits until progress.next_at.
 *
 * False where the report could not be made (the content could not be read): the
 * message must then be tried again later as it was on disk.
 */
bool settle_attempt(const struct settle_options *options,
    struct message *message, const struct settle_tried *tried, int64_t now,
    uint32_t random, struct settlement *out_settlement,
    struct error *error) MUST_USE;
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
