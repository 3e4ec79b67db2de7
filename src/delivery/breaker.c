#include "delivery/breaker.h"

#include "base/clock.h"

#include <assert.h>
#include <stdio.h>

#define OPEN_FIRST (5 * CLOCK_SECOND)
#define OPEN_MAX   (10 * CLOCK_MINUTE)

void
breaker_init(struct breaker *breaker)
{
	*breaker = (struct breaker){.untried = true};
}

bool
breaker_allows(const struct breaker *breaker, unsigned limit, int64_t now)
{
	if (breaker->in_flight >= limit)
		return false;
	if (breaker->failures == 0)
		return true;
	/* Half open: a probe, one at a time, whatever is still under way from
	 * before. */
	return now >= breaker->open_until &&
	    breaker->in_flight == breaker->stragglers;
}

void
breaker_started(struct breaker *breaker)
{
	breaker->in_flight++;
}

/* A delivery is over; which one does not matter. */
static void
ended(struct breaker *breaker)
{
	assert(breaker->in_flight > 0);
	breaker->in_flight--;
	if (breaker->stragglers > breaker->in_flight)
		breaker->stragglers = breaker->in_flight;
}

void
breaker_succeeded(struct breaker *breaker)
{
	ended(breaker);
	breaker_reset(breaker);
	breaker->untried = false;
	breaker->reason[0] = '\0';
}

/* 5 s, 10 s, 20 s, ... +-20 %, for the given number of failures in a row. */
static int64_t
open_time(unsigned failures, uint32_t random)
{
	int64_t time_ms = OPEN_FIRST;

	for (unsigned i = 1; i < failures && time_ms < OPEN_MAX; i++)
		time_ms *= 2;
	if (time_ms > OPEN_MAX)
		time_ms = OPEN_MAX;

	int64_t spread = time_ms / 5;
	return time_ms - spread +
	    (int64_t)(random % 1024) * (2 * spread) / 1023;
}

void
breaker_failed(struct breaker *breaker, const char *reason, int64_t now,
    int64_t now_wall, uint32_t random)
{
	bool is_straggler = breaker->stragglers > 0;

	breaker->untried = false;
	breaker->failed_at = now_wall;
	/* Cut where it does not fit. */
	(void)snprintf(breaker->reason, sizeof(breaker->reason), "%s", reason);
	if (is_straggler)
		breaker->stragglers--;
	ended(breaker);
	if (is_straggler)
		return;

	if (breaker->failures < UINT32_MAX)
		breaker->failures++;
	breaker->open_until = now + open_time(breaker->failures, random);
	breaker->stragglers = breaker->in_flight;
}

void
breaker_ended(struct breaker *breaker)
{
	ended(breaker);
}

void
breaker_reset(struct breaker *breaker)
{
	breaker->failures = 0;
	breaker->open_until = 0;
	breaker->stragglers = 0;
}

int64_t
breaker_next_try(const struct breaker *breaker)
{
	return breaker->open_until;
}
