/*
 * The health of one upstream, as the hub keeps it: a circuit breaker.  Pure.
 *
 * Closed: deliveries go.  A failure of the upstream opens it for a time that
 * doubles from 5 s to 10 minutes (each +-20 %).  Afterwards one delivery is let
 * through as a probe; its success closes the breaker, its failure opens it
 * again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Closed where failures is 0; then open_until is 0, too.
 * stragglers <= in_flight.
 */
struct breaker {
	unsigned failures;   /* in a row */
	int64_t open_until;  /* monotonic ms; 0: closed */
	unsigned in_flight;  /* deliveries under way */
	unsigned stragglers; /* those of them that began before it opened */
	bool untried;        /* nothing was ever sent there */
	char reason[512];    /* of the newest failure, or "" */
	int64_t failed_at;   /* wall clock ms of it */
};

void breaker_init(struct breaker *breaker);
/* May one more delivery start, limit being the most at once? */
bool breaker_allows(const struct breaker *breaker, unsigned limit, int64_t now);
void breaker_started(struct breaker *breaker);
/* A delivery ended and the upstream was well. */
void breaker_succeeded(struct breaker *breaker);
/* A delivery ended because the upstream failed.  random: any 32 bits.  Several
 * failures of deliveries that were under way together count once. */
void breaker_failed(struct breaker *breaker, const char *reason, int64_t now,
    int64_t now_wall, uint32_t random);
/* A delivery ended that says nothing of the upstream. */
void breaker_ended(struct breaker *breaker);
/* Try at once (the network came back, the administrator asked): closed, the
 * reason is kept. */
void breaker_reset(struct breaker *breaker);
/* When it will next allow a delivery; now or less: at once. */
int64_t breaker_next_try(const struct breaker *breaker);
