/*
 * When to try again, when to tell the sender, and when to give up.
 *
 * Times on disk are wall clock; times in memory are monotonic, anchored here
 * once when a message is queued or recovered.  So a jump of the wall clock
 * changes nothing for a running process; at a restart a message is due no later
 * than one longest delay from then, and never lives longer than its lifetime
 * from then.
 */
#pragma once

#include "base/clock.h"

#include <stddef.h>
#include <stdint.h>

struct retry_policy {
	/* After the first failure, the second, …; the last one repeats.
	 * Borrowed. */
	const int64_t *delays_ms;
	size_t delay_count; /* at least 1 */
	int64_t lifetime_ms;
	/* Age at which the sender is told; CLOCK_NEVER: not. */
	int64_t notice_ms;
};

/*
 * The delay after so many attempts (at least 1) have failed, up to 20 % longer
 * or shorter as random says, so that what failed together does not come back
 * together.
 */
int64_t retry_delay(
    const struct retry_policy *policy, unsigned attempts, uint32_t random);
/* Monotonic: when a message is due whose next attempt is at next_at (wall). */
int64_t retry_due(
    const struct retry_policy *policy, int64_t next_at, struct clock_time now);
/* Monotonic: when a message that came at arrived_at (wall) is to be given up.
 */
int64_t retry_expiry(const struct retry_policy *policy, int64_t arrived_at,
    struct clock_time now);
/* Monotonic: when its sender is to be told of the delay; may be past. */
int64_t retry_notice(const struct retry_policy *policy, int64_t arrived_at,
    struct clock_time now);
