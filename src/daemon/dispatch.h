/*
 * The heart: what happens to a message.  Events and the time go in, actions
 * come out; no thread, no socket, no disk, no clock.
 *
 *   submit ─> COMMIT ─> committed ─> waiting ─> ORDER ─> result ─> COMMIT ─>
 *   committed ─> gone, or waiting again
 *
 * The hub calls the function of an event, then takes actions with
 * dispatch_next() until there are none, then sleeps until dispatch_deadline().
 *
 * Ages and delays go by the monotonic clock: what the wall clock does while the
 * daemon runs changes nothing.
 */
#pragma once

#include "base/clock.h"
#include "daemon/commit.h"
#include "daemon/order.h"
#include "daemon/settle.h"
#include "delivery/breaker.h"
#include "intake/door.h"
#include "queue/journal.h"
#include "queue/ledger.h"
#include "queue/retry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dispatch;

struct dispatch_options {
	const struct settle_options *settle; /* borrowed; its routes, too */
	struct retry_policy retry;
	const unsigned *upstream_limits; /* orders at once, for each upstream */
	const char *const *upstream_names;
	size_t upstream_count;
	uint64_t segment_size;
	uint64_t queue_size_max; /* octets of the whole queue: 452 above it */
	uint32_t (*random)(void *ctx);
	void *random_ctx;
};

struct dispatch_counters {
	unsigned long accepted;
	unsigned long delivered; /* recipients, as all below */
	unsigned long deferred;
	unsigned long bounced;
	unsigned long in_doubt; /* attempts that may have delivered twice */
	unsigned long damaged;  /* messages */
};

enum action_kind {
	ACTION_COMMIT, /* for the committer */
	ACTION_ORDER   /* for a worker */
};

struct action {
	enum action_kind kind;
	struct commit *commit; /* taken by whoever carries it out */
	struct order *order;
};

struct dispatch *dispatch_new(
    const struct dispatch_options *options, struct clock_time now);
void dispatch_free(struct dispatch *dispatch);

/* ---- events ---- */

/* A fact of the journal's replay, before everything else. */
void dispatch_recovered(struct dispatch *dispatch,
    const struct journal_fact *fact, struct clock_time now);
/* The replay is over; highest_id: as the journal reports. */
void dispatch_ready(struct dispatch *dispatch, uint64_t highest_id);

/* The door's functions: intake/door.h says what they mean.  Mail is taken even
 * after dispatch_stop(): the doors are somebody else's. */
uint64_t dispatch_take_id(struct dispatch *dispatch, int64_t now_wall);
enum door_answer dispatch_ask(
    const struct dispatch *dispatch, uint64_t size_bytes);
/* Takes message. */
void dispatch_submit(struct dispatch *dispatch, struct message *message,
    struct receipt *receipt);
void dispatch_cancel(struct dispatch *dispatch, struct receipt *receipt);

/* A commit comes back, answered. Takes commit; tells the receipt last. */
void dispatch_committed(
    struct dispatch *dispatch, struct commit *commit, struct clock_time now);
/* An order comes back, carried out. Takes order. */
void dispatch_result(
    struct dispatch *dispatch, struct order *order, struct clock_time now);

/* ---- actions ---- */

/* False: nothing more to do now. */
bool dispatch_next(struct dispatch *dispatch, struct clock_time now,
    struct action *out_action);
/* Monotonic ms: when there may be something again without an event. */
int64_t dispatch_deadline(const struct dispatch *dispatch);
/* No new attempts from now on: the daemon is about to end.  Commits go on. */
void dispatch_stop(struct dispatch *dispatch);
/* Orders that are out; commits that are out; outcomes that could not be
 * recorded and are sent again. */
size_t dispatch_orders(const struct dispatch *dispatch);
size_t dispatch_commits(const struct dispatch *dispatch);
size_t dispatch_unrecorded(const struct dispatch *dispatch);
/* Why outcomes cannot be recorded now, so that nothing is ordered; "" where
 * they can.  Until the next event. */
const char *dispatch_recording_problem(const struct dispatch *dispatch);
/* Octets of content in memory, handed to the committer and not yet answered. */
uint64_t dispatch_pressure(const struct dispatch *dispatch);

/* ---- verbs of the administrator ---- */

enum dispatch_verb {
	DISPATCH_RETRY,
	DISPATCH_HOLD,
	DISPATCH_RELEASE,
	DISPATCH_REMOVE
};

/* matched: how many messages it was done to. */
typedef void dispatch_verb_fn(unsigned long matched, void *ctx);

/*
 * Do verb to the messages with these ids (copied), or to all where ids is NULL;
 * with domain (copied; NULL: any), only where a recipient that waits has it
 * ("x.example", or "@x.example" for its subdomains, too).  Goes on piece by
 * piece; fn is called when it is over, unless it is NULL.  Messages that come
 * later are not meant.
 *
 * What is under way right now is held or removed as soon as it is back.  What
 * nobody waits for is not begun while the same is being done already.
 */
void dispatch_do(struct dispatch *dispatch, enum dispatch_verb verb,
    const uint64_t *ids, size_t count, const char *domain, dispatch_verb_fn *fn,
    void *ctx);
/* Its caller has gone: fn is not called any more. */
void dispatch_do_forget(struct dispatch *dispatch, void *ctx);
/* All upstreams are tried at once. */
void dispatch_reset_upstreams(struct dispatch *dispatch);
/* Somebody else has seen this upstream fail: it is down for a while. */
void dispatch_upstream_fails(struct dispatch *dispatch, unsigned upstream,
    const char *reason, struct clock_time now);

/* ---- to be looked at ---- */

const struct ledger *dispatch_ledger(const struct dispatch *dispatch);
/* False: entry is none that uid has sent.  True: it may be. */
bool dispatch_may_be_of(const struct ledger_entry *entry, uint32_t uid);
/* Attempts, and when it is tried again, wall clock in ms: as message has them
 * on record, or as entry has them where there was no room to record them. */
unsigned dispatch_attempts(
    const struct ledger_entry *entry, const struct message *message);
int64_t dispatch_next_at(const struct ledger_entry *entry,
    const struct message *message, struct clock_time now);
const struct dispatch_counters *dispatch_counters(
    const struct dispatch *dispatch);
const struct breaker *dispatch_breaker(
    const struct dispatch *dispatch, unsigned upstream);
/* Why messages on this route cannot go now; "" where they can. */
const char *dispatch_route_reason(
    const struct dispatch *dispatch, uint16_t route);
