/*
 * What the configuration comes to for each module: the small structs of options
 * that they take.  Made once at start; immutable, so every thread may read it.
 * The only place besides main that knows struct config.
 */
#pragma once

#include "base/error.h"
#include "config/config.h"
#include "daemon/settle.h"
#include "delivery/etrn.h"
#include "delivery/upstream.h"
#include "intake/admission.h"
#include "intake/smtp_intake.h"
#include "queue/retry.h"

#include <stdbool.h>
#include <stddef.h>

/* One server that is asked by ETRN, and its nodes. */
struct wiring_etrn {
	const char *host;
	unsigned upstream; /* its index among the upstream options */
	struct etrn_timing timing;
	const char *const *nodes; /* borrowed from the config */
	size_t node_count;
	bool has_login; /* it is that of an upstream for deliveries, */
	unsigned login; /* namely of this one */
};

struct wiring {
	const struct config *config; /* borrowed */
	/* The configured upstreams, then one for each ETRN server. */
	struct upstream_options *upstreams;
	size_t upstream_count; /* without those for ETRN */
	size_t total_count;
	char **secrets; /* one for each of total_count, or NULL */
	const char **upstream_names;
	unsigned *upstream_limits;
	struct route_rule *rules;
	struct settle_options settle;
	struct retry_policy retry;
	struct admission_options
	    admission; /* door and directory are the caller's */
	struct smtp_intake_options *intakes; /* one for each listen */
	struct wiring_etrn *etrns;
	size_t etrn_count;
};

/* Secrets are read here. */
bool wiring_new(const struct config *config, struct wiring **out_wiring,
    struct error *error) MUST_USE;
void wiring_free(struct wiring *wiring);

/* A listener's address is a unix socket's or loopback: who comes in by it may
 * send anywhere. */
bool wiring_is_local_door(const char *address);
/* How an inherited socket, that is none of the configured, is to be served. */
struct smtp_intake_options wiring_inherited_intake(
    const struct wiring *wiring, bool loopback);
