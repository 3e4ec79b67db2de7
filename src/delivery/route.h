/*
 * Routes: which upstreams a recipient's mail may go by.  The first rule whose
 * sender and recipient patterns match; a rule without patterns is the default.
 * Pure; immutable once made, so any thread may ask.
 */
#pragma once

#include "base/bytes.h"

#include <stddef.h>
#include <stdint.h>

#define ROUTES_MAX          1024
#define ROUTE_UPSTREAMS_MAX 16
/* No rule matches: the message waits, and the status says why. */
#define ROUTE_NONE UINT16_MAX

/* Patterns as address_matches() takes them; NULL matches all.  Borrowed. */
struct route_rule {
	const char *recipient;
	const char *sender;
	unsigned upstreams[ROUTE_UPSTREAMS_MAX]; /* indexes, best first */
	size_t upstream_count;                   /* at least 1 */
};

struct route_table {
	const struct route_rule *rules; /* borrowed */
	size_t count;                   /* at most ROUTES_MAX */
};

/* The index of the rule, or ROUTE_NONE. */
uint16_t route_find(const struct route_table *table, struct bytes sender,
    struct bytes recipient);
