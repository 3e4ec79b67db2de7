#include "base/clock.h"
#include "tools/when.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

Test(when, reads_rfc_3339)
{
	static const struct {
		const char *text;
		int64_t wall_ms; /* -1: none */
	} rows[] = {
	    {"2026-11-23T05:52:00.123Z", 1795413120123},
	    {"2026-11-23T05:52:00Z", 1795413120000},
	    {"1970-01-01T00:00:00.000Z", 0},
	    {"2026-11-23T05:52:00.1Z", -1},
	    {"2026-11-23T05:52:00.1234Z", -1},
	    {"2026-11-23T05:52:00.123", -1},
	    {"2026-11-23 05:52:00Z", -1},
	    {"2026-13-23T05:52:00Z", -1},
	    {"", -1},
	    {NULL, -1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t wall_ms = -1;

		(void)when_parse(rows[i].text, &wall_ms);
		cr_expect_eq(wall_ms, rows[i].wall_ms, "%s", rows[i].text);
	}
}

Test(when, says_how_far_it_is)
{
	static const struct {
		int64_t ahead_ms;
		const char *expected;
	} rows[] = {
	    {0, "now"},
	    {999, "now"},
	    {-999, "now"},
	    {CLOCK_SECOND, "in 1s"},
	    {-59 * CLOCK_SECOND, "59s ago"},
	    {90 * CLOCK_SECOND, "in 1m30s"},
	    {CLOCK_HOUR, "in 1h"},
	    {CLOCK_HOUR + 59 * CLOCK_SECOND, "in 1h"},
	    {-3 * CLOCK_HOUR - 12 * CLOCK_MINUTE, "3h12m ago"},
	    {2 * CLOCK_DAY + 4 * CLOCK_HOUR, "in 2d4h"},
	    {-100 * CLOCK_DAY, "100d ago"},
	};
	const int64_t now = 1795413120000;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buffer buffer;

		buffer_init(&buffer, 4096);
		when_append_distance(&buffer, now + rows[i].ahead_ms, now);
		cr_expect(bytes_is(buffer_bytes(&buffer), rows[i].expected),
		    "%.*s instead of %s", BYTES_ARGS(buffer_bytes(&buffer)),
		    rows[i].expected);
		buffer_clear(&buffer);
	}
}

Test(when, is_shown_in_local_time)
{
	struct buffer buffer;

	cr_assert_eq(setenv("TZ", "CET-1", 1), 0);
	tzset();
	buffer_init(&buffer, 4096);
	when_append_local(&buffer, 1795413120123);
	cr_expect(bytes_is(buffer_bytes(&buffer), "2026-11-23 06:52:00"));
	buffer_clear(&buffer);
}
