#include "queue/retry.h"

#include <criterion/criterion.h>

static const int64_t DELAYS[] = {300000, 600000, 1200, 14400000};

static const struct retry_policy POLICY = {
    .delays_ms = DELAYS,
    .delay_count = 4,
    .lifetime_ms = 432000000,
    .notice_ms = 14400000,
};

Test(retry, goes_by_the_table_and_stays_at_its_end)
{
	static const struct {
		unsigned attempts;
		uint32_t random;
		int64_t expected;
	} rows[] = {
	    {1, 200, 300000},
	    {1, 0, 240000},
	    {1, 400, 360000},
	    {1, 401, 240000},
	    {2, 200, 600000},
	    {3, 200, 1200},
	    {3, 400, 1440},
	    {4, 200, 14400000},
	    {5, 200, 14400000},
	    {UINT32_MAX, 400, 17280000},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(
		    retry_delay(&POLICY, rows[i].attempts, rows[i].random),
		    rows[i].expected, "row %zu", i);
}

Test(retry, anchors_times_once_whatever_the_wall_clock_says)
{
	const struct clock_time now = {
	    .wall_ms = 1700000000000, .mono_ms = 5000};
	static const struct {
		const char *name;
		int64_t next_at;
		int64_t expected; /* from now */
	} rows[] = {
	    {"now", 1700000000000, 0},
	    {"in a minute", 1700000060000, 60000},
	    {"a minute ago", 1699999940000, 0},
	    {"ten years ago: the clock jumped ahead", 1384640000000, 0},
	    {"in ten years: the clock jumped back", 2015360000000, 17280000},
	    {"never was", 0, 0},
	    {"nonsense", INT64_MIN, 0},
	    {"nonsense", INT64_MAX, 17280000},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(retry_due(&POLICY, rows[i].next_at, now),
		    5000 + rows[i].expected, "%s", rows[i].name);
}

Test(retry, gives_every_message_its_lifetime_at_most)
{
	const struct clock_time now = {
	    .wall_ms = 1700000000000, .mono_ms = 5000};
	static const struct {
		const char *name;
		int64_t arrived_at;
		int64_t expiry, notice; /* from now */
	} rows[] = {
	    {"just now", 1700000000000, 432000000, 14400000},
	    {"an hour ago", 1699996400000, 428400000, 10800000},
	    {"a day ago", 1699913600000, 345600000, 0},
	    {"ten days ago", 1699136000000, 0, 0},
	    {"tomorrow", 1700086400000, 432000000, 14400000},
	    {"nonsense", INT64_MAX, 432000000, 14400000},
	    {"nonsense", INT64_MIN, 0, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_expect_eq(retry_expiry(&POLICY, rows[i].arrived_at, now),
		    5000 + rows[i].expiry, "%s", rows[i].name);
		cr_expect_eq(retry_notice(&POLICY, rows[i].arrived_at, now),
		    5000 + rows[i].notice, "%s", rows[i].name);
	}
}

Test(retry, tells_nobody_where_that_is_off)
{
	struct retry_policy policy = POLICY;
	const struct clock_time now = {.wall_ms = 1, .mono_ms = 1};

	policy.notice_ms = CLOCK_NEVER;
	cr_expect_eq(retry_notice(&policy, 0, now), CLOCK_NEVER);
}
