/* Parameters for callers who put them together. */
#include "base/clock.h"
#include "base/memory.h"
#include "lib/smtp_order.h"
#include "smtp/params.h"

#include <stdlib.h>

char *
smtp_param_by(int64_t seconds, int mode, int trace)
{
	const bool is_return = mode == 'R';

	if (seconds > PARAMS_SECONDS_MAX || seconds < -PARAMS_SECONDS_MAX ||
	    (!is_return && mode != 'N') || (is_return && seconds <= 0))
		return NULL;
	return memory_format("BY=%lld;%c%s", (long long)seconds,
	    is_return ? 'R' : 'N', trace != 0 ? "T" : "");
}

char *
smtp_param_holdfor(int64_t seconds)
{
	if (seconds <= 0 || seconds > PARAMS_SECONDS_MAX)
		return NULL;
	return memory_format("HOLDFOR=%lld", (long long)seconds);
}

char *
smtp_param_holduntil(int64_t time)
{
	const int64_t end = INT64_C(253402300800); /* the year 10000 */
	struct buffer text;

	if (time < 0 || time >= end)
		return NULL;
	buffer_init(&text, 100);
	buffer_append_text(&text, "HOLDUNTIL=");
	date_append_rfc3339(&text, time * CLOCK_SECOND);
	buffer_truncate(&text, text.len - 5); /* ".000Z" */
	buffer_append_char(&text, 'Z');
	char *made = buffer_to_text(&text);
	buffer_clear(&text);
	return made;
}

char *
smtp_param_priority(int priority)
{
	if (priority < -PARAMS_PRIORITY_MAX || priority > PARAMS_PRIORITY_MAX)
		return NULL;
	return memory_format("MT-PRIORITY=%d", priority);
}

/* "KEYWORD=TYPE;xtext", where RCPT or MAIL takes it so. */
static char *
make_xtext(const char *keyword, const char *text, size_t max)
{
	const struct bytes octets = bytes_of(text);
	char *made = NULL;
	struct buffer buffer;

	if (octets.len == 0 || bytes_has_control(octets) ||
	    !bytes_is_ascii(octets))
		return NULL;
	buffer_init(&buffer, SMTP_ORDER_MAX);
	buffer_append_text(&buffer, keyword);
	const size_t before = bytes_index(buffer_bytes(&buffer), '=') + 1;
	xtext_append(&buffer, octets);
	if (!buffer.overflowed && buffer.len - before <= max)
		made = buffer_to_text(&buffer);
	buffer_clear(&buffer);
	return made;
}

char *
smtp_param_envid(const char *id)
{
	return make_xtext("ENVID=", id, PARAMS_ENVELOPE_ID_MAX);
}

char *
smtp_param_orcpt(const char *address)
{
	char *bare = smtp_addr_only(address);
	char *made = bare != NULL
	    ? make_xtext("ORCPT=rfc822;", bare, PARAMS_ORIGINAL_MAX)
	    : NULL;

	free(bare);
	return made;
}

char *
smtp_param_notify(int when)
{
	const int all =
	    SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_FAILURE | SMTP_NOTIFY_DELAY;
	struct buffer text;

	if (when < 0 || (when & ~all) != 0)
		return NULL;
	const struct rcpt_params params = {
	    .notify = when == 0
		? NOTIFY_NEVER
		: ((when & SMTP_NOTIFY_SUCCESS) != 0 ? NOTIFY_SUCCESS : 0U) |
		    ((when & SMTP_NOTIFY_FAILURE) != 0 ? NOTIFY_FAILURE : 0U) |
		    ((when & SMTP_NOTIFY_DELAY) != 0 ? NOTIFY_DELAY : 0U),
	    .original = BYTES_NONE,
	};
	buffer_init(&text, 100);
	params_write_rcpt(&text, &params, ~0U);
	buffer_consume(&text, 1); /* the blank */
	char *made = buffer_to_text(&text);
	buffer_clear(&text);
	return made;
}
