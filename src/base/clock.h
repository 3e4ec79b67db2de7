/*
 * Time in milliseconds: wall clock for what people and disks see, monotonic
 * for deadlines.  Only loops and main() read the clock; everything else is
 * given the time as an argument.
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_SECOND ((int64_t)1000)
#define CLOCK_MINUTE (60 * CLOCK_SECOND)
#define CLOCK_HOUR   (60 * CLOCK_MINUTE)
#define CLOCK_DAY    (24 * CLOCK_HOUR)
/* No deadline at all; later than every time. */
#define CLOCK_NEVER INT64_MAX

/* now + wait_ms, which is not negative; CLOCK_NEVER where that is past it. */
static inline int64_t
clock_after(int64_t now, int64_t wait_ms)
{
	return wait_ms < CLOCK_NEVER - now ? now + wait_ms : CLOCK_NEVER;
}

/*
 * Both clocks at one moment.  wall_ms may jump either way; mono_ms never goes
 * back and means nothing outside this boot.
 */
struct clock_time {
	int64_t wall_ms; /* since 1970-01-01 UTC */
	int64_t mono_ms;
};

struct clock_time clock_now(void);

/*
 * A length of time: digits and one unit of ms s m h d w ("90s", "15m"), or
 * several such from large to small ("1h30m").  "0" needs no unit.
 * False for anything else, overflow included.
 */
bool duration_parse(struct bytes text, int64_t *out_ms);
/*
 * "1d4h", "90s" becomes "1m30s", below a second "250ms", zero "0s".  Exact, so
 * that duration_parse() reads the same time again; negative times, which it
 * does not read, begin with '-'.
 */
void duration_append(struct buffer *buffer, int64_t ms);

/* "Mon, 23 Nov 2026 05:52:00 +0000", RFC 5322 3.3, in local time. */
void date_append_rfc5322(struct buffer *buffer, int64_t wall_ms);
/* "2026-11-23T05:52:00.123Z", RFC 3339, in UTC. */
void date_append_rfc3339(struct buffer *buffer, int64_t wall_ms);
/*
 * The same read: "T" and "Z" of any case, any fraction of a second, any offset
 * ("+01:00").  False for anything else, impossible dates included; a leap
 * second is the second behind it.
 */
bool date_parse_rfc3339(struct bytes text, int64_t *out_wall_ms);
