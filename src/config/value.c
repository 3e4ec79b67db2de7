#include "config/value.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "config/guess.h"
#include "config/quantity.h"

#include <string.h>

const char *
value_example(const struct option *option)
{
	switch (option->type) {
	case OPTION_DURATION:
	case OPTION_DURATIONS:
		return "a time with its unit in quotes, like \"15m\" "
		       "(ms s m h d w)";
	case OPTION_SIZE:
		return "a size in quotes, like \"64K\" (K M G T)";
	case OPTION_FREE:
		return "a share or a size in quotes, like \"5%\" or \"10G\"";
	case OPTION_MODE:
		return "permissions in quotes, like \"0660\"";
	case OPTION_COUNT:
		return "a number without quotes";
	case OPTION_PORT:
		return "a port without quotes, 1 to 65535";
	case OPTION_BOOL:
		return "true or false, without quotes";
	case OPTION_TEXT:
	case OPTION_TEXTS:
	case OPTION_CHOICE:
		return "a text in quotes";
	case OPTION_PATH:
		return "a path in quotes";
	case OPTION_GROUP:
		return "{ name = value; }";
	case OPTION_GROUPS:
		return "( { name = value; }, { name = value; } )";
	}
	return "";
}

/* What is beyond all bounds stays there: -1, or the largest number. */
static bool
parse_count(struct bytes text, int64_t *out_number)
{
	unsigned long long number;
	bool negative = text.len > 0 && text.data[0] == '-';

	if (negative)
		text = bytes_from(text, 1);
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
	if (!bytes_to_u64(text, INT64_MAX, &number))
		number = INT64_MAX;
	*out_number = negative ? -1 : (int64_t)number;
	return text.len > 0;
}

bool
value_number(
    const struct option *option, struct bytes text, int64_t *out_number)
{
	switch (option->type) {
	case OPTION_DURATION:
	case OPTION_DURATIONS:
		return duration_parse(text, out_number);
	case OPTION_SIZE:
		return quantity_parse_size(text, out_number);
	case OPTION_FREE:
		return quantity_parse_percent(text, out_number) ||
		    quantity_parse_size(text, out_number);
	case OPTION_MODE:
		return quantity_parse_mode(text, out_number);
	case OPTION_COUNT:
	case OPTION_PORT:
		return parse_count(text, out_number);
	case OPTION_BOOL:
		*out_number = bytes_is_nocase(text, "true");
		return *out_number || bytes_is_nocase(text, "false");
	case OPTION_TEXT:
	case OPTION_TEXTS:
	case OPTION_PATH:
	case OPTION_CHOICE:
	case OPTION_GROUP:
	case OPTION_GROUPS:
		break;
	}
	return false;
}

/* The bound as people write it. */
static void
append_bound(struct buffer *buffer, const struct option *option, int64_t bound)
{
	static const char units[] = "\0KMGT";
	unsigned unit = 0;

	if (option->type == OPTION_DURATION ||
	    option->type == OPTION_DURATIONS) {
		buffer_append_char(buffer, '"');
		duration_append(buffer, bound);
		buffer_append_char(buffer, '"');
	} else if (option->type == OPTION_SIZE) {
		while (bound != 0 && bound % 1024 == 0 && unit < 4) {
			bound /= 1024;
			unit++;
		}
		buffer_printf(buffer, "\"%lld", (long long)bound);
		if (unit > 0)
			buffer_append_char(buffer, units[unit]);
		buffer_append_char(buffer, '"');
	} else
		buffer_printf(buffer, "%lld", (long long)bound);
}

static void
check_bounds(const struct option *option, int64_t number,
    struct source_place place, struct diagnose *diagnose)
{
	struct buffer range;

	if (option->min == 0 && option->max == 0)
		return;
	if (number >= option->min && number <= option->max)
		return;
	buffer_init(&range, 256);
	append_bound(&range, option, option->min);
	buffer_append_text(&range, " to ");
	append_bound(&range, option, option->max);
	struct bytes shown = buffer_bytes(&range);
	diagnose_error(diagnose, place, "'%s' must be %.*s", option->name,
	    BYTES_ARGS(shown));
	buffer_clear(&range);
}

/* "plain, login or auto". */
static void
append_choices(struct buffer *buffer, const struct option_choice *choices)
{
	size_t count = 0;
	size_t shown = 0;

	for (size_t i = 0; choices[i].word != NULL; i++)
		count += choices[i].value != OPTION_LATER;
	for (size_t i = 0; choices[i].word != NULL; i++) {
		if (choices[i].value == OPTION_LATER)
			continue;
		shown++;
		if (shown > 1)
			buffer_append_text(
			    buffer, shown == count ? " or " : ", ");
		buffer_printf(buffer, "\"%s\"", choices[i].word);
	}
}

static void
tell_choice(const struct option *option, const char *text, bool later,
    struct source_place place, struct diagnose *diagnose)
{
	struct guess guess = guess_begin(text);
	struct buffer choices;

	buffer_init(&choices, 1024);
	append_choices(&choices, option->choices);
	for (size_t i = 0; option->choices[i].word != NULL; i++)
		if (option->choices[i].value != OPTION_LATER)
			guess_try(&guess, option->choices[i].word);
	struct bytes all = buffer_bytes(&choices);
	if (later)
		diagnose_error(diagnose, place,
		    "%s = \"%s\" is not carried out yet; write %.*s",
		    option->name, text, BYTES_ARGS(all));
	else if (guess.best != NULL)
		diagnose_error(diagnose, place,
		    "\"%s\" is unknown to '%s'; did you mean \"%s\"?", text,
		    option->name, guess.best);
	else
		diagnose_error(diagnose, place,
		    "\"%s\" is unknown to '%s'; write %.*s", text, option->name,
		    BYTES_ARGS(all));
	buffer_clear(&choices);
}

const struct option_choice *
value_choice(const struct option *option, const char *text)
{
	if (option->choices == NULL)
		return NULL;
	for (size_t i = 0; option->choices[i].word != NULL; i++)
		if (strcmp(option->choices[i].word, text) == 0)
			return &option->choices[i];
	return NULL;
}

bool
value_is_number(const struct option *option)
{
	enum option_type type = option->type;

	return type == OPTION_DURATION || type == OPTION_DURATIONS ||
	    type == OPTION_SIZE || type == OPTION_FREE || type == OPTION_MODE ||
	    type == OPTION_COUNT || type == OPTION_PORT || type == OPTION_BOOL;
}

void
value_check(const struct option *option, const char *text,
    struct source_place place, struct diagnose *diagnose)
{
	const struct option_choice *choice = value_choice(option, text);
	int64_t number;

	if (option->type == OPTION_CHOICE) {
		if (choice == NULL || choice->value == OPTION_LATER)
			tell_choice(
			    option, text, choice != NULL, place, diagnose);
	} else if (!value_is_number(option)) {
		if (bytes_has_control(bytes_of(text)))
			diagnose_error(diagnose, place,
			    "'%s' holds a control character", option->name);
	} else if (!value_number(option, bytes_of(text), &number))
		diagnose_error(diagnose, place, "'%s' must be %s", option->name,
		    value_example(option));
	else
		check_bounds(option, number, place, diagnose);
}
