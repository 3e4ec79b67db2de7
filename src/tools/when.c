#include "tools/when.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

bool
when_parse(const char *text, int64_t *out_wall_ms)
{
	struct tm utc = {0};

	if (text == NULL)
		return false;
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);
	if (rest == NULL)
		return false;
	long ms = 0;
	if (*rest == '.') {
		char *end;

		ms = strtol(rest + 1, &end, 10);
		if (end != rest + 4)
			return false;
		rest = end;
	}
	if (strcmp(rest, "Z") != 0)
		return false;
	*out_wall_ms = (int64_t)timegm(&utc) * CLOCK_SECOND + ms;
	return true;
}

void
when_append_local(struct buffer *buffer, int64_t wall_ms)
{
	time_t seconds = (time_t)(wall_ms / CLOCK_SECOND);
	struct tm local;
	char text[64];

	if (localtime_r(&seconds, &local) != NULL &&
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &local) > 0)
		buffer_append_text(buffer, text);
}

void
when_append_length(struct buffer *buffer, int64_t length_ms)
{
	static const struct {
		int64_t ms;
		char unit;
	} units[] = {{CLOCK_DAY, 'd'}, {CLOCK_HOUR, 'h'}, {CLOCK_MINUTE, 'm'},
	    {CLOCK_SECOND, 's'}};
	size_t last = sizeof(units) / sizeof(units[0]) - 1;
	size_t i = 0;

	while (i < last && length_ms < units[i].ms)
		i++;
	buffer_printf(buffer, "%lld%c", (long long)(length_ms / units[i].ms),
	    units[i].unit);
	if (i == last || length_ms % units[i].ms < units[i + 1].ms)
		return;
	buffer_printf(buffer, "%lld%c",
	    (long long)(length_ms % units[i].ms / units[i + 1].ms),
	    units[i + 1].unit);
}

void
when_append_distance(struct buffer *buffer, int64_t wall_ms, int64_t now_ms)
{
	int64_t ahead = wall_ms - now_ms;

	if (ahead > -CLOCK_SECOND && ahead < CLOCK_SECOND) {
		buffer_append_text(buffer, "now");
		return;
	}
	if (ahead > 0)
		buffer_append_text(buffer, "in ");
	when_append_length(buffer, ahead > 0 ? ahead : -ahead);
	if (ahead < 0)
		buffer_append_text(buffer, " ago");
}
