#include "base/error.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/*
 * Everything is written to a text of our own first: the arguments may well
 * borrow from the error that is about to change.
 */
struct draft {
	char text[sizeof(((struct error *)NULL)->text)];
	size_t len;
};

/* What does not fit is cut. */
static void
advance(struct draft *draft, int written)
{
	size_t room = sizeof(draft->text) - 1 - draft->len;

	assert(written >= 0);
	draft->len += (size_t)written < room ? (size_t)written : room;
}

static void __attribute__((format(printf, 2, 0)))
add_formatted(struct draft *draft, const char *format, va_list args)
{
	advance(draft,
	    vsnprintf(draft->text + draft->len,
		sizeof(draft->text) - draft->len, format, args));
}

static void
add_text(struct draft *draft, const char *separator, const char *text)
{
	advance(draft,
	    snprintf(draft->text + draft->len, sizeof(draft->text) - draft->len,
		"%s%s", separator, text));
}

static bool
finish(struct error *error, enum error_kind kind, int number,
    const struct draft *draft)
{
	error->kind = kind;
	error->number = number;
	memcpy(error->text, draft->text, draft->len + 1);
	return false;
}

/* In English whatever the locale, and safe in threads. */
static const char *
describe(int number)
{
	const char *text = strerrordesc_np(number);
	return text == NULL ? "Unknown error" : text;
}

bool
error_set(struct error *error, enum error_kind kind, const char *format, ...)
{
	struct draft draft = {.len = 0};
	va_list args;

	assert(kind != ERROR_NONE);
	va_start(args, format);
	add_formatted(&draft, format, args);
	va_end(args);
	return finish(error, kind, 0, &draft);
}

bool
error_system(struct error *error, const char *format, ...)
{
	int number = errno;
	struct draft draft = {.len = 0};
	va_list args;

	va_start(args, format);
	add_formatted(&draft, format, args);
	va_end(args);
	add_text(&draft, ": ", describe(number));
	return finish(error, ERROR_SYSTEM, number, &draft);
}

bool
error_context(struct error *error, const char *format, ...)
{
	struct draft draft = {.len = 0};
	va_list args;

	assert(error->kind != ERROR_NONE);
	va_start(args, format);
	add_formatted(&draft, format, args);
	va_end(args);
	add_text(&draft, ": ", error->text);
	return finish(error, error->kind, error->number, &draft);
}

const char *
error_text(const struct error *error)
{
	return error->text;
}
