#include "base/clock.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

static const struct unit {
	const char *name;
	int64_t ms;
	bool written; /* by duration_append: people say 14d, not 2w */
} units[] = {
    {"w", 7 * CLOCK_DAY, false},
    {"d", CLOCK_DAY, true},
    {"h", CLOCK_HOUR, true},
    {"m", CLOCK_MINUTE, true},
    {"s", CLOCK_SECOND, true},
    {"ms", 1, true},
};
#define UNIT_COUNT (sizeof(units) / sizeof(units[0]))

static const char weekdays[7][4] = {
    "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static int64_t
read_clock(clockid_t id)
{
	struct timespec now;

	int result = clock_gettime(id, &now);
	assert(result == 0);
	return (int64_t)now.tv_sec * CLOCK_SECOND + now.tv_nsec / 1000000;
}

struct clock_time
clock_now(void)
{
	return (struct clock_time){
	    .wall_ms = read_clock(CLOCK_REALTIME),
	    .mono_ms = read_clock(CLOCK_MONOTONIC),
	};
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Cut from *rest the longest front of only digits, or of none. */
static struct bytes
take_run(struct bytes *rest, bool digits)
{
	size_t len = 0;

	while (len < rest->len && is_digit(rest->data[len]) == digits)
		len++;
	struct bytes run = bytes_first(*rest, len);
	*rest = bytes_from(*rest, len);
	return run;
}

/* Index of the unit, not before first; UNIT_COUNT where there is none. */
static size_t
find_unit(struct bytes name, size_t first)
{
	size_t index = first;

	while (index < UNIT_COUNT && !bytes_is(name, units[index].name))
		index++;
	return index;
}

bool
duration_parse(struct bytes text, int64_t *out_ms)
{
	int64_t total_ms = 0;
	size_t next_unit = 0;

	if (text.len == 0)
		return false;
	if (bytes_is(text, "0"))
		text = BYTES_NONE;
	while (text.len > 0) {
		struct bytes digits = take_run(&text, true);
		size_t unit = find_unit(take_run(&text, false), next_unit);
		unsigned long long count;
		int64_t ms;

		if (!bytes_to_u64(digits, INT64_MAX, &count) ||
		    unit == UNIT_COUNT ||
		    __builtin_mul_overflow(count, units[unit].ms, &ms) ||
		    __builtin_add_overflow(total_ms, ms, &total_ms))
			return false;
		next_unit = unit + 1;
	}
	*out_ms = total_ms;
	return true;
}

void
duration_append(struct buffer *buffer, int64_t ms)
{
	/* Unsigned, since the smallest int64_t has no positive twin. */
	uint64_t left = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;

	if (ms == 0)
		buffer_append_text(buffer, "0s");
	if (ms < 0)
		buffer_append_char(buffer, '-');
	for (size_t i = 0; i < UNIT_COUNT; i++) {
		uint64_t unit_ms = (uint64_t)units[i].ms;
		if (!units[i].written || left < unit_ms)
			continue;
		buffer_printf(buffer, "%llu%s",
		    (unsigned long long)(left / unit_ms), units[i].name);
		left %= unit_ms;
	}
}

/* Whole seconds, downwards also before 1970; the rest is 0 to 999 ms. */
static time_t
whole_seconds(int64_t wall_ms, int *out_rest_ms)
{
	int64_t seconds = wall_ms / CLOCK_SECOND;
	int64_t rest_ms = wall_ms % CLOCK_SECOND;

	if (rest_ms < 0) {
		seconds--;
		rest_ms += CLOCK_SECOND;
	}
	*out_rest_ms = (int)rest_ms;
	return (time_t)seconds;
}

/* value from 0 to 99.  Two of these dates go into each message, and printf took
 * longer for them than for all else there. */
static void
append_two_digits(struct buffer *buffer, long value)
{
	const char digits[] = {
	    (char)('0' + value / 10), (char)('0' + value % 10)};

	buffer_append(buffer, bytes_make(digits, sizeof(digits)));
}

static void
append_year(struct buffer *buffer, long long year)
{
	if (year < 0 || year > 9999) {
		buffer_printf(buffer, "%04lld", year);
		return;
	}
	append_two_digits(buffer, (long)year / 100);
	append_two_digits(buffer, (long)year % 100);
}

static void
append_time(struct buffer *buffer, const struct tm *time)
{
	append_two_digits(buffer, time->tm_hour);
	buffer_append_char(buffer, ':');
	append_two_digits(buffer, time->tm_min);
	buffer_append_char(buffer, ':');
	append_two_digits(buffer, time->tm_sec);
}

static void
append_zone(struct buffer *buffer, long offset_seconds)
{
	const long minutes = labs(offset_seconds) / 60;

	buffer_append_char(buffer, offset_seconds < 0 ? '-' : '+');
	append_two_digits(buffer, minutes / 60);
	append_two_digits(buffer, minutes % 60);
}

void
date_append_rfc5322(struct buffer *buffer, int64_t wall_ms)
{
	const size_t start = buffer->len;
	int rest_ms;
	time_t seconds = whole_seconds(wall_ms, &rest_ms);
	struct tm local;

	/* Fails past the year 2^31 only, which no int64_t of ms reaches. */
	struct tm *result = localtime_r(&seconds, &local);
	assert(result != NULL);

	buffer_append_text(buffer, weekdays[local.tm_wday]);
	buffer_append(buffer, BYTES(", "));
	append_two_digits(buffer, local.tm_mday);
	buffer_append_char(buffer, ' ');
	buffer_append_text(buffer, months[local.tm_mon]);
	buffer_append_char(buffer, ' ');
	append_year(buffer, local.tm_year + 1900LL);
	buffer_append_char(buffer, ' ');
	append_time(buffer, &local);
	buffer_append_char(buffer, ' ');
	append_zone(buffer, local.tm_gmtoff);
	if (buffer->overflowed)
		buffer_truncate(buffer, start); /* whole, or not at all */
}

void
date_append_rfc3339(struct buffer *buffer, int64_t wall_ms)
{
	int rest_ms;
	time_t seconds = whole_seconds(wall_ms, &rest_ms);
	struct tm utc;

	struct tm *result = gmtime_r(&seconds, &utc);
	assert(result != NULL);
	buffer_printf(buffer, "%04lld-%02d-%02dT%02d:%02d:%02d.%03dZ",
	    utc.tm_year + 1900LL, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour,
	    utc.tm_min, utc.tm_sec, rest_ms);
}

/* Take count digits from the front of *rest; false where they are not there. */
static bool
take_digits(struct bytes *rest, size_t count, int *out_value)
{
	unsigned long long value = 0;

	if (rest->len < count ||
	    !bytes_to_u64(bytes_first(*rest, count), INT32_MAX, &value))
		return false;
	*rest = bytes_from(*rest, count);
	*out_value = (int)value;
	return true;
}

static bool
take_char(struct bytes *rest, char lower)
{
	const char upper =
	    lower >= 'a' && lower <= 'z' ? (char)(lower - 'a' + 'A') : lower;

	if (rest->len == 0 ||
	    (rest->data[0] != lower && rest->data[0] != upper))
		return false;
	*rest = bytes_from(*rest, 1);
	return true;
}

/* time-secfrac = "." 1*DIGIT; all but three digits are dropped. */
static bool
take_fraction(struct bytes *rest, int64_t *out_ms)
{
	int64_t unit_ms = CLOCK_SECOND;

	*out_ms = 0;
	if (!take_char(rest, '.'))
		return true;
	const struct bytes digits = take_run(rest, true);
	for (size_t i = 0; i < digits.len; i++) {
		unit_ms /= 10;
		*out_ms += (digits.data[i] - '0') * unit_ms;
	}
	return digits.len > 0;
}

/* time-offset = "Z" / ( "+" / "-" ) time-hour ":" time-minute */
static bool
take_offset(struct bytes *rest, int64_t *out_ms)
{
	int hours = 0;
	int minutes = 0;

	*out_ms = 0;
	if (take_char(rest, 'z'))
		return true;
	const bool is_behind = take_char(rest, '-');
	if (!is_behind && !take_char(rest, '+'))
		return false;
	if (!take_digits(rest, 2, &hours) || !take_char(rest, ':') ||
	    !take_digits(rest, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*out_ms = hours * CLOCK_HOUR + minutes * CLOCK_MINUTE;
	if (is_behind)
		*out_ms = -*out_ms;
	return true;
}

/* full-date "T" time-hour ":" time-minute ":" time-second */
static bool
take_date_time(struct bytes *rest, struct tm *date)
{
	const bool read = take_digits(rest, 4, &date->tm_year) &&
	    take_char(rest, '-') && take_digits(rest, 2, &date->tm_mon) &&
	    take_char(rest, '-') && take_digits(rest, 2, &date->tm_mday) &&
	    take_char(rest, 't') && take_digits(rest, 2, &date->tm_hour) &&
	    take_char(rest, ':') && take_digits(rest, 2, &date->tm_min) &&
	    take_char(rest, ':') && take_digits(rest, 2, &date->tm_sec);

	date->tm_year -= 1900;
	date->tm_mon--;
	return read && date->tm_hour < 24 && date->tm_min < 60 &&
	    date->tm_sec <= 60;
}

bool
date_parse_rfc3339(struct bytes text, int64_t *out_wall_ms)
{
	struct tm date = {0};
	int64_t fraction_ms = 0;
	int64_t offset_ms = 0;

	if (!take_date_time(&text, &date) ||
	    !take_fraction(&text, &fraction_ms) ||
	    !take_offset(&text, &offset_ms) || text.len > 0)
		return false;
	const struct tm given = date;
	const int seconds = date.tm_sec;
	date.tm_sec = 0;
	const time_t minute = timegm(&date);
	/* It makes 3 March of 31 February. */
	if (date.tm_mon != given.tm_mon || date.tm_mday != given.tm_mday)
		return false;
	*out_wall_ms = ((int64_t)minute + seconds) * CLOCK_SECOND +
	    fraction_ms - offset_ms;
	return true;
}
