/*
 * Asking by ETRN at the right times: holds the plan of every node, sends due
 * ones to a worker, takes the answers.  Hub's thread.
 */
#pragma once

#include "base/clock.h"
#include "daemon/wiring.h"
#include "daemon/worker.h"

#include <stddef.h>
#include <stdint.h>

struct etrn_poller;

/* wiring is borrowed. All nodes are due at once. */
struct etrn_poller *etrn_poller_new(const struct wiring *wiring);
void etrn_poller_free(struct etrn_poller *poller);

/* The next session that is due, to be given to a worker; NULL: none. */
struct etrn_order *etrn_poller_next(
    struct etrn_poller *poller, struct clock_time now);
/* It is back. Takes order. random: any 32 bits. */
void etrn_poller_answered(struct etrn_poller *poller, struct etrn_order *order,
    struct clock_time now, uint32_t random);
/* Monotonic ms: when something will be due. */
int64_t etrn_poller_deadline(const struct etrn_poller *poller);
/* Make node due now, those that are off too; all where node is NULL.  Calls fn
 * with the name of each. */
typedef void etrn_poller_name_fn(const char *node, void *ctx);
void etrn_poller_ask_now(struct etrn_poller *poller, const char *node,
    struct clock_time now, etrn_poller_name_fn *fn, void *ctx);

/* For the status: node number i of all; NULL at the end. */
const struct etrn_node *etrn_poller_node(
    const struct etrn_poller *poller, size_t i, const char **out_host);
