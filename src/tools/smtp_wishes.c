#include "tools/smtp_wishes.h"

#include "base/clock.h"
#include "base/memory.h"

#include <limits.h>
#include <string.h>
#include <time.h>

/* Each is the parameter, to be released by smtp_free_str(), or NULL where value
 * is none. */
typedef char *make_fn(const char *value);

static char *
make_ret(const char *value)
{
	if (bytes_is_nocase(bytes_of(value), "full"))
		return memory_copy_text("RET=FULL");
	if (bytes_is_nocase(bytes_of(value), "hdrs"))
		return memory_copy_text("RET=HDRS");
	return NULL;
}

static char *
make_notify(const char *value)
{
	static const struct {
		const char *name;
		int when;
	} words[] = {
	    {"success", SMTP_NOTIFY_SUCCESS},
	    {"failure", SMTP_NOTIFY_FAILURE},
	    {"delay", SMTP_NOTIFY_DELAY},
	};
	struct bytes rest = bytes_of(value);
	int all = 0;

	if (bytes_is_nocase(rest, "never"))
		return smtp_param_notify(0);
	do {
		const struct bytes word = bytes_trim(bytes_cut(&rest, ','));
		int when = 0;
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (bytes_is_nocase(word, words[i].name))
				when = words[i].when;
		if (when == 0)
			return NULL;
		all |= when;
	} while (rest.len > 0);
	return smtp_param_notify(all);
}

static bool
read_number(struct bytes text, int64_t *out_number)
{
	const bool is_negative = bytes_has_prefix(text, "-");
	unsigned long long number = 0;

	if (!bytes_to_u64(bytes_from(text, is_negative), INT_MAX, &number))
		return false;
	*out_number = is_negative ? -(int64_t)number : (int64_t)number;
	return true;
}

/* "120", "120;R", "-5;NT": RFC 2852 4. */
static char *
make_by(const char *value)
{
	struct bytes mode = bytes_of(value);
	int64_t seconds = 0;

	if (!read_number(bytes_cut(&mode, ';'), &seconds))
		return NULL;
	if (mode.len == 0)
		mode = BYTES("R");
	const bool traces =
	    mode.len == 2 && bytes_is_nocase(bytes_from(mode, 1), "T");
	if (mode.len != 1 && !traces)
		return NULL;
	const bool returns = bytes_is_nocase(bytes_first(mode, 1), "R");
	return smtp_param_by(
	    seconds, returns ? 'R' : mode.data[0] & ~0x20, traces);
}

/* "2027-01-31T09:00:00Z" */
static bool
read_date(const char *value, int64_t *out_seconds)
{
	struct tm date = {0};
	const char *rest = strptime(value, "%Y-%m-%dT%H:%M:%SZ", &date);

	if (rest == NULL || rest[0] != '\0')
		return false;
	*out_seconds = (int64_t)timegm(&date);
	return true;
}

/* Seconds, "1h", or a date: RFC 4865 4.1. */
static char *
make_hold(const char *value)
{
	int64_t seconds = 0;
	int64_t ms = 0;

	if (read_number(bytes_of(value), &seconds))
		return smtp_param_holdfor(seconds);
	if (duration_parse(bytes_of(value), &ms))
		return smtp_param_holdfor(ms / CLOCK_SECOND);
	if (read_date(value, &seconds))
		return smtp_param_holduntil(seconds);
	return NULL;
}

static char *
make_priority(const char *value)
{
	int64_t priority = 0;

	return read_number(bytes_of(value), &priority)
	    ? smtp_param_priority((int)priority)
	    : NULL;
}

/* ---- the table ---- */

#define FIELD(name) offsetof(struct smtp_words, name)

static const struct row {
	const char *option;
	size_t field; /* its text, NULL where it was not said */
	bool is_rcpt;
	make_fn *make;
	const char *say;
} rows[] = {
    {"--ret", FIELD(ret), false, make_ret, "full or hdrs"},
    {"--envid", FIELD(envelope_id), false, smtp_param_envid,
	"1 to 100 printable characters"},
    {"--notify", FIELD(notify), true, make_notify,
	"never, or some of success,failure,delay"},
    {"--orcpt", FIELD(original), true, smtp_param_orcpt, "an address"},
    {"--by", FIELD(by), false, make_by,
	"seconds, and ;R to have it returned or ;N to be told"},
    {"--hold", FIELD(hold), false, make_hold,
	"seconds, or a date as 2027-01-31T09:00:00Z"},
    {"--mt-priority", FIELD(priority), false, make_priority,
	"a number from -9 to 9"},
};

static void
add_all(struct smtp_list *list, const struct smtp_list *more)
{
	for (size_t i = 0; i < more->count; i++)
		smtp_list_add(list, bytes_of(more->items[i]));
}

bool
smtp_wishes_make(const struct smtp_words *words, struct smtp_wishes *out_wishes,
    struct error *error)
{
	*out_wishes = (struct smtp_wishes){0};
	add_all(&out_wishes->mail, &words->mail_options);
	add_all(&out_wishes->rcpt, &words->rcpt_options);
	if (words->require_tls)
		smtp_list_add(&out_wishes->mail, BYTES("REQUIRETLS"));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		const char *value = NULL;

		memcpy(&value, (const char *)words + row->field, sizeof(value));
		if (value == NULL)
			continue;
		char *parameter = row->make(value);
		if (parameter == NULL)
			return error_set(error, ERROR_CONFIG, "%s %s: say %s",
			    row->option, value, row->say);
		smtp_list_add(
		    row->is_rcpt ? &out_wishes->rcpt : &out_wishes->mail,
		    bytes_of(parameter));
		smtp_free_str(parameter);
	}
	return true;
}

void
smtp_wishes_clear(struct smtp_wishes *wishes)
{
	smtp_list_clear(&wishes->mail);
	smtp_list_clear(&wishes->rcpt);
}
