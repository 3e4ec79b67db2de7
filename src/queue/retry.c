#include "queue/retry.h"

#include <assert.h>
#include <sys/param.h>

int64_t
retry_delay(
    const struct retry_policy *policy, unsigned attempts, uint32_t random)
{
	assert(attempts > 0);
	assert(policy->delay_count > 0);
	size_t step = attempts - 1;
	if (step >= policy->delay_count)
		step = policy->delay_count - 1;
	int64_t delay = policy->delays_ms[step];

	/* 80.0 to 120.0 percent. */
	return delay / 1000 * (800 + random % 401) +
	    delay % 1000 * (800 + random % 401) / 1000;
}

static int64_t
longest_delay(const struct retry_policy *policy)
{
	int64_t longest = 0;

	for (size_t i = 0; i < policy->delay_count; i++)
		if (policy->delays_ms[i] > longest)
			longest = policy->delays_ms[i];
	return longest;
}

static int64_t
clamp(int64_t value, int64_t max)
{
	if (value < 0)
		return 0;
	return MIN(value, max);
}

/* to - from, without overflow for whatever a disk may hold. */
static int64_t
distance(int64_t to, int64_t from)
{
	int64_t result;

	if (__builtin_sub_overflow(to, from, &result))
		return to > from ? INT64_MAX : INT64_MIN;
	return result;
}

int64_t
retry_due(
    const struct retry_policy *policy, int64_t next_at, struct clock_time now)
{
	/* The longest delay may have been 20 % longer. */
	int64_t longest = longest_delay(policy) + longest_delay(policy) / 5;
	return now.mono_ms + clamp(distance(next_at, now.wall_ms), longest);
}

/* Monotonic: when what came at arrived_at is of this age. */
static int64_t
age_at(int64_t age, int64_t arrived_at, struct clock_time now)
{
	int64_t passed = distance(now.wall_ms, arrived_at);
	return now.mono_ms +
	    (passed < 0 ? age : clamp(distance(age, passed), age));
}

int64_t
retry_expiry(const struct retry_policy *policy, int64_t arrived_at,
    struct clock_time now)
{
	return age_at(policy->lifetime_ms, arrived_at, now);
}

int64_t
retry_notice(const struct retry_policy *policy, int64_t arrived_at,
    struct clock_time now)
{
	if (policy->notice_ms == CLOCK_NEVER)
		return CLOCK_NEVER;
	return age_at(policy->notice_ms, arrived_at, now);
}
