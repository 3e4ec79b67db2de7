#include "base/clock.h"
#include "delivery/breaker.h"

#include <criterion/criterion.h>
#include <string.h>

#define MIDDLE 511 /* of the spread, very nearly */

static void
fail_one(struct breaker *breaker, int64_t now, uint32_t random)
{
	breaker_started(breaker);
	breaker_failed(breaker, "refused", now, 7, random);
}

Test(breaker, is_closed_and_untried_at_first)
{
	struct breaker breaker;

	breaker_init(&breaker);
	cr_expect(breaker.untried);
	cr_expect(breaker_allows(&breaker, 1, 0));
	cr_expect_eq(breaker_next_try(&breaker), 0);
	cr_expect_not(breaker_allows(&breaker, 0, 0));
}

Test(breaker, lets_as_many_through_as_the_limit)
{
	struct breaker breaker;

	breaker_init(&breaker);
	breaker_started(&breaker);
	cr_expect(breaker_allows(&breaker, 2, 0));
	breaker_started(&breaker);
	cr_expect_not(breaker_allows(&breaker, 2, 0));
	breaker_succeeded(&breaker);
	cr_expect(breaker_allows(&breaker, 2, 0));
	cr_expect_not(breaker.untried);
}

Test(breaker, opens_for_twice_as_long_each_time)
{
	static const int64_t seconds[] = {
	    5, 10, 20, 40, 80, 160, 320, 600, 600};
	struct breaker breaker;
	int64_t now = 1000;

	breaker_init(&breaker);
	for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
		fail_one(&breaker, now, MIDDLE);
		int64_t open_ms = breaker_next_try(&breaker) - now;
		int64_t expected_ms = seconds[i] * CLOCK_SECOND;
		cr_expect_leq(open_ms, expected_ms, "%zu", i);
		cr_expect_geq(
		    open_ms, expected_ms - expected_ms / 500, "%zu", i);
		cr_expect_not(breaker_allows(&breaker, 9, now + open_ms - 1));
		cr_expect(breaker_allows(&breaker, 9, now + open_ms));
		now += open_ms;
	}
	cr_expect_eq(breaker.failures, 9);
	cr_expect_eq(breaker.failed_at, 7);
	cr_expect_str_eq(breaker.reason, "refused");
}

Test(breaker, spreads_by_a_fifth)
{
	static const struct {
		uint32_t random;
		int64_t open_ms;
	} rows[] = {{0, 4000}, {1023, 6000}, {1024, 4000}, {UINT32_MAX, 6000}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct breaker breaker;
		breaker_init(&breaker);
		fail_one(&breaker, 0, rows[i].random);
		cr_expect_eq(
		    breaker_next_try(&breaker), rows[i].open_ms, "%zu", i);
	}
}

Test(breaker, lets_one_probe_through)
{
	struct breaker breaker;

	breaker_init(&breaker);
	fail_one(&breaker, 0, 0);
	int64_t now = breaker_next_try(&breaker);
	breaker_started(&breaker);
	cr_expect_not(breaker_allows(&breaker, 9, now));
	breaker_succeeded(&breaker);
	cr_expect(breaker_allows(&breaker, 9, now));
	cr_expect_eq(breaker.failures, 0);
	cr_expect_str_eq(breaker.reason, "");
	breaker_started(&breaker);
	cr_expect(breaker_allows(&breaker, 9, now));
}

Test(breaker, opens_again_when_the_probe_fails)
{
	struct breaker breaker;

	breaker_init(&breaker);
	fail_one(&breaker, 0, 0);
	fail_one(&breaker, breaker_next_try(&breaker), 0);
	cr_expect_eq(breaker.failures, 2);
	cr_expect_eq(breaker_next_try(&breaker), 4000 + 8000);
}

Test(breaker, counts_failures_of_one_time_once)
{
	struct breaker breaker;

	breaker_init(&breaker);
	for (int i = 0; i < 5; i++)
		breaker_started(&breaker);
	for (int i = 0; i < 4; i++)
		breaker_failed(&breaker, "refused", 100 * i, 0, 0);
	cr_expect_eq(breaker.failures, 1);
	cr_expect_eq(breaker_next_try(&breaker), 4000);
	/* The fifth does not keep the probe from going, nor counts when it
	 * fails later. */
	cr_expect(breaker_allows(&breaker, 9, 4000));
	breaker_failed(&breaker, "slowly refused", 9000, 0, 0);
	cr_expect_eq(breaker.failures, 1);
	cr_expect_str_eq(breaker.reason, "slowly refused");
	fail_one(&breaker, 9000, 0);
	cr_expect_eq(breaker.failures, 2);
}

Test(breaker, probes_beside_what_is_still_under_way)
{
	struct breaker breaker;

	breaker_init(&breaker);
	breaker_started(&breaker);
	breaker_started(&breaker);
	breaker_failed(&breaker, "refused", 0, 0, 0);
	cr_expect(breaker_allows(&breaker, 9, 4000));
	breaker_started(&breaker);
	cr_expect_not(breaker_allows(&breaker, 9, 4000));
}

Test(breaker, learns_nothing_from_what_says_nothing)
{
	struct breaker breaker;

	breaker_init(&breaker);
	breaker_started(&breaker);
	breaker_ended(&breaker);
	cr_expect(breaker.untried);
	cr_expect_eq(breaker.in_flight, 0);
	fail_one(&breaker, 0, 0);
	breaker_started(&breaker);
	breaker_ended(&breaker);
	cr_expect_eq(breaker.failures, 1);
	cr_expect(breaker_allows(&breaker, 1, 4000));
}

Test(breaker, tries_at_once_after_a_reset)
{
	struct breaker breaker;

	breaker_init(&breaker);
	fail_one(&breaker, 0, 0);
	cr_expect_not(breaker_allows(&breaker, 9, 1));
	breaker_reset(&breaker);
	cr_expect(breaker_allows(&breaker, 9, 1));
	cr_expect_eq(breaker_next_try(&breaker), 0);
	cr_expect_str_eq(breaker.reason, "refused");
}

Test(breaker, cuts_a_long_reason)
{
	struct breaker breaker;
	char reason[2000];

	memset(reason, 'x', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	breaker_init(&breaker);
	breaker_started(&breaker);
	breaker_failed(&breaker, reason, 0, 0, 0);
	cr_expect_eq(strlen(breaker.reason), sizeof(breaker.reason) - 1);
}
