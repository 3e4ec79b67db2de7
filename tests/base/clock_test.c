#include "base/clock.h"

#include <criterion/criterion.h>
#include <locale.h>
#include <stdlib.h>
#include <time.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static void
expect_text(const struct buffer *buffer, const char *expected, const char *name)
{
	struct bytes text = buffer_bytes(buffer);
	cr_expect(bytes_is(text, expected), "%s: \"%.*s\", not \"%s\"", name,
	    BYTES_ARGS(text), expected);
}

Test(clock, does_not_go_back)
{
	struct clock_time before = clock_now();
	struct clock_time after = clock_now();

	cr_expect_geq(after.mono_ms, before.mono_ms);
	cr_expect_gt(before.wall_ms, 1700000000 * CLOCK_SECOND);
	cr_expect_lt(before.wall_ms, CLOCK_NEVER);
	cr_expect_leq(
	    llabs(before.wall_ms - time(NULL) * CLOCK_SECOND), CLOCK_MINUTE);
}

Test(clock, reads_durations)
{
	static const struct {
		const char *text;
		bool ok;
		int64_t expected_ms;
	} rows[] = {
	    {"0", true, 0},
	    {"0s", true, 0},
	    {"250ms", true, 250},
	    {"90s", true, 90 * CLOCK_SECOND},
	    {"15m", true, 15 * CLOCK_MINUTE},
	    {"1h", true, CLOCK_HOUR},
	    {"5d", true, 5 * CLOCK_DAY},
	    {"2w", true, 14 * CLOCK_DAY},
	    {"1h30m", true, 90 * CLOCK_MINUTE},
	    {"1d0h5ms", true, CLOCK_DAY + 5},
	    {"1w1d1h1m1s1ms", true, 8 * CLOCK_DAY + 3661001},
	    {"090s", true, 90 * CLOCK_SECOND},
	    {"100s", true, 100 * CLOCK_SECOND},
	    {"9223372036854775807ms", true, INT64_MAX},
	    {"9223372036854775s807ms", true, INT64_MAX},
	    {"", false, 0},
	    {"00", false, 0},
	    {"1", false, 0},
	    {"s", false, 0},
	    {"1h30", false, 0},
	    {"30m1h", false, 0},
	    {"1h1h", false, 0},
	    {"1ms1s", false, 0},
	    {"1 h", false, 0},
	    {" 1h", false, 0},
	    {"1h ", false, 0},
	    {"1h 30m", false, 0},
	    {"1H", false, 0},
	    {"1M", false, 0},
	    {"1y", false, 0},
	    {"1sec", false, 0},
	    {"-1s", false, 0},
	    {"+1s", false, 0},
	    {"1.5h", false, 0},
	    {"0x1s", false, 0},
	    {"9223372036854775808ms", false, 0},
	    {"9223372036854775s808ms", false, 0},
	    {"9223372036854776s", false, 0},
	    {"18446744073709551616s", false, 0},
	    {"15250284453w", false, 0},
	    {"15250284452w6d", false, 0},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t ms = 77;
		bool ok = duration_parse(bytes_of(rows[i].text), &ms);
		cr_expect_eq(ok, rows[i].ok, "\"%s\"", rows[i].text);
		cr_expect_eq(ms, ok ? rows[i].expected_ms : 77, "\"%s\": %lld",
		    rows[i].text, (long long)ms);
	}
}

Test(clock, reads_no_duration_across_a_nul)
{
	int64_t ms;

	cr_expect_not(duration_parse(BYTES("1h\0"), &ms));
	cr_expect_not(duration_parse(BYTES("0\0"), &ms));
	cr_expect_not(duration_parse(BYTES("1\0h"), &ms));
}

Test(clock, writes_durations)
{
	static const struct {
		int64_t ms;
		const char *expected;
	} rows[] = {
	    {0, "0s"},
	    {1, "1ms"},
	    {250, "250ms"},
	    {999, "999ms"},
	    {1000, "1s"},
	    {1250, "1s250ms"},
	    {90 * CLOCK_SECOND, "1m30s"},
	    {28 * CLOCK_HOUR, "1d4h"},
	    {14 * CLOCK_DAY, "14d"},
	    {CLOCK_DAY + 1, "1d1ms"},
	    {INT64_MAX, "106751991167d7h12m55s807ms"},
	    {-1500, "-1s500ms"},
	    {INT64_MIN, "-106751991167d7h12m55s808ms"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer buffer;
		buffer_init(&buffer, 100);
		duration_append(&buffer, rows[i].ms);
		expect_text(&buffer, rows[i].expected, rows[i].expected);

		int64_t back_ms;
		cr_expect_eq(duration_parse(buffer_bytes(&buffer), &back_ms),
		    rows[i].ms >= 0, "%s", rows[i].expected);
		if (rows[i].ms >= 0)
			cr_expect_eq(
			    back_ms, rows[i].ms, "%s", rows[i].expected);
		buffer_clear(&buffer);
	}
}

Test(clock, writes_dates_in_local_time)
{
	static const struct {
		const char *zone;
		int64_t wall_ms;
		const char *expected;
	} rows[] = {
	    {"UTC0", 1795413120000, "Mon, 23 Nov 2026 05:52:00 +0000"},
	    {"UTC0", 0, "Thu, 01 Jan 1970 00:00:00 +0000"},
	    {"UTC0", 999, "Thu, 01 Jan 1970 00:00:00 +0000"},
	    {"UTC0", -1, "Wed, 31 Dec 1969 23:59:59 +0000"},
	    {"UTC0", 951782400000, "Tue, 29 Feb 2000 00:00:00 +0000"},
	    {"UTC0", 253402300800000, "Sat, 01 Jan 10000 00:00:00 +0000"},
	    {"CET-1CEST,M3.5.0,M10.5.0/3", 1795413120000,
		"Mon, 23 Nov 2026 06:52:00 +0100"},
	    {"CET-1CEST,M3.5.0,M10.5.0/3", 1785000000000,
		"Sat, 25 Jul 2026 19:20:00 +0200"},
	    {"NST3:30", 1795413120000, "Mon, 23 Nov 2026 02:22:00 -0330"},
	    {"IST-5:30", 1795413120000, "Mon, 23 Nov 2026 11:22:00 +0530"},
	    {"PST8", 1795413120000, "Sun, 22 Nov 2026 21:52:00 -0800"},
	    {"LMT0:25:21", 0, "Wed, 31 Dec 1969 23:34:39 -0025"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer buffer;
		buffer_init(&buffer, 100);
		setenv("TZ", rows[i].zone, 1);
		tzset();
		date_append_rfc5322(&buffer, rows[i].wall_ms);
		expect_text(&buffer, rows[i].expected, rows[i].zone);
		buffer_clear(&buffer);
	}
}

Test(clock, writes_dates_in_utc)
{
	static const struct {
		int64_t wall_ms;
		const char *expected;
	} rows[] = {
	    {1795413120123, "2026-11-23T05:52:00.123Z"},
	    {0, "1970-01-01T00:00:00.000Z"},
	    {-1, "1969-12-31T23:59:59.999Z"},
	    {-1000, "1969-12-31T23:59:59.000Z"},
	    {253402300799999, "9999-12-31T23:59:59.999Z"},
	    {INT64_MAX, "292278994-08-17T07:12:55.807Z"},
	    {INT64_MIN, "-292275055-05-16T16:47:04.192Z"},
	};

	setenv("TZ", "PST8", 1);
	tzset();
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer buffer;
		buffer_init(&buffer, 100);
		date_append_rfc3339(&buffer, rows[i].wall_ms);
		expect_text(&buffer, rows[i].expected, rows[i].expected);
		buffer_clear(&buffer);
	}
}

Test(clock, writes_dates_past_no_ceiling)
{
	struct buffer buffer;

	buffer_init(&buffer, 10);
	date_append_rfc5322(&buffer, 0);
	expect_text(&buffer, "", "ceiling");
	cr_expect(buffer.overflowed);
	buffer_clear(&buffer);
}

Test(clock, reads_rfc3339)
{
	static const struct {
		const char *text;
		bool ok;
		int64_t wall_ms;
	} rows[] = {
	    {"1970-01-01T00:00:00Z", true, 0},
	    {"1970-01-01t00:00:00.25z", true, 250},
	    {"1970-01-01T00:00:00.123456789Z", true, 123},
	    {"2026-11-23T05:52:00Z", true, 1795413120 * CLOCK_SECOND},
	    {"2026-11-23T05:52:00.5+01:30", true,
		1795413120 * CLOCK_SECOND + 500 - 90 * CLOCK_MINUTE},
	    {"2026-11-23T05:52:00-23:59", true,
		1795413120 * CLOCK_SECOND + 23 * CLOCK_HOUR +
		    59 * CLOCK_MINUTE},
	    {"2024-02-29T00:00:00Z", true, 1709164800 * CLOCK_SECOND},
	    {"2016-12-31T23:59:60Z", true, 1483228800 * CLOCK_SECOND},
	    {"9999-12-31T23:59:59Z", true, 253402300799 * CLOCK_SECOND},
	    {"2023-02-29T00:00:00Z", false, 0},
	    {"2026-00-01T00:00:00Z", false, 0},
	    {"2026-13-01T00:00:00Z", false, 0},
	    {"2026-01-00T00:00:00Z", false, 0},
	    {"2026-01-32T00:00:00Z", false, 0},
	    {"2026-01-01T24:00:00Z", false, 0},
	    {"2026-01-01T00:60:00Z", false, 0},
	    {"2026-01-01T00:00:61Z", false, 0},
	    {"2026-01-01T00:00:00", false, 0},
	    {"2026-01-01T00:00:00.Z", false, 0},
	    {"2026-01-01T00:00:00Zx", false, 0},
	    {"2026-01-01T00:00:00+0100", false, 0},
	    {"2026-01-01T00:00:00+24:00", false, 0},
	    {"2026-01-01 00:00:00Z", false, 0},
	    {"2026-1-1T00:00:00Z", false, 0},
	    {"-026-01-01T00:00:00Z", false, 0},
	    {"", false, 0},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t wall_ms = -1;
		const bool ok =
		    date_parse_rfc3339(bytes_of(rows[i].text), &wall_ms);
		cr_expect_eq(ok, rows[i].ok, "%s", rows[i].text);
		cr_expect_eq(wall_ms, ok ? rows[i].wall_ms : -1, "%s: %lld",
		    rows[i].text, (long long)wall_ms);
	}
}
