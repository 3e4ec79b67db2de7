#include "config/diagnose.h"

#include "base/bytes.h"
#include "base/memory.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a source line, no more is shown than this. */
#define SHOWN_MAX 160

/* Characters, not octets: what a person counts. */
static unsigned
characters(struct bytes text)
{
	unsigned count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += ((unsigned char)text.data[i] & 0xc0) != 0x80;
	return count;
}

static void
append_shown(struct buffer *buffer, struct bytes line)
{
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.data[i];

		if (c == '\r' && i == line.len - 1)
			break;
		bool control = (c < ' ' && c != '\t') || c == 0x7f;
		buffer_append_char(buffer, control ? '?' : (char)c);
	}
}

/* "^~~~" below the stretch; tabs are repeated so that it stays below. */
static void
append_caret(
    struct buffer *buffer, struct bytes line, size_t column, size_t len)
{
	struct bytes before = bytes_first(line, column);
	struct bytes below = bytes_first(bytes_from(line, column), len);

	for (size_t i = 0; i < before.len; i++) {
		unsigned char c = (unsigned char)before.data[i];

		if ((c & 0xc0) != 0x80)
			buffer_append_char(buffer, c == '\t' ? '\t' : ' ');
	}
	buffer_append_char(buffer, '^');
	for (unsigned i = 1; i < characters(below); i++)
		buffer_append_char(buffer, '~');
	buffer_append_char(buffer, '\n');
}

static void
append_line(struct buffer *buffer, const struct source_place *place)
{
	size_t column;
	struct bytes line =
	    source_line_text(place->source, place->offset, &column);

	line = bytes_first(line, SHOWN_MAX);
	buffer_printf(
	    buffer, "%5u | ", source_line(place->source, place->offset));
	append_shown(buffer, line);
	buffer_append_text(buffer, "\n      | ");
	if (column <= line.len)
		append_caret(buffer, line, column, place->len);
	else
		buffer_append_text(buffer, "...\n");
}

static void
append_diagnosis(struct buffer *buffer, const struct diagnosis *diagnosis)
{
	const struct source_place *place = &diagnosis->place;
	const char *severity = diagnosis->is_error ? "error" : "warning";

	if (place->source == NULL) {
		buffer_printf(buffer, "%s: %s\n", severity, diagnosis->text);
		return;
	}
	if (place->source->text == NULL) {
		buffer_printf(buffer, "%s: %s: %s\n", place->source->name,
		    severity, diagnosis->text);
		return;
	}
	size_t column;
	struct bytes line =
	    source_line_text(place->source, place->offset, &column);
	buffer_printf(buffer, "%s:%u:%u: %s: %s\n", place->source->name,
	    source_line(place->source, place->offset),
	    1 + characters(bytes_first(line, column)), severity,
	    diagnosis->text);
	append_line(buffer, place);
}

static int
compare(const void *left, const void *right)
{
	const struct diagnosis *a = left;
	const struct diagnosis *b = right;
	unsigned order_a = a->place.source ? a->place.source->order : 0;
	unsigned order_b = b->place.source ? b->place.source->order : 0;

	if (order_a != order_b)
		return order_a < order_b ? -1 : 1;
	if (a->place.offset != b->place.offset)
		return a->place.offset < b->place.offset ? -1 : 1;
	return strcmp(a->text, b->text);
}

__attribute__((format(printf, 4, 0))) static void
add(struct diagnose *diagnose, struct source_place place, bool is_error,
    const char *format, va_list args)
{
	struct buffer text;

	buffer_init(&text, 4096);
	buffer_vprintf(&text, format, args);
	if (text.overflowed)
		buffer_append_text(&text, "...");
	diagnose->list = memory_resize_array(
	    diagnose->list, diagnose->count + 1, sizeof(*diagnose->list));
	diagnose->list[diagnose->count++] =
	    (struct diagnosis){place, is_error, buffer_to_text(&text)};
	diagnose->errors += is_error;
	buffer_clear(&text);
}

void
diagnose_init(struct diagnose *diagnose)
{
	*diagnose = (struct diagnose){0};
}

void
diagnose_clear(struct diagnose *diagnose)
{
	for (size_t i = 0; i < diagnose->count; i++)
		free(diagnose->list[i].text);
	free(diagnose->list);
	diagnose_init(diagnose);
}

void
diagnose_error(struct diagnose *diagnose, struct source_place place,
    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(diagnose, place, true, format, args);
	va_end(args);
}

void
diagnose_warning(struct diagnose *diagnose, struct source_place place,
    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(diagnose, place, false, format, args);
	va_end(args);
}

void
diagnose_print(struct diagnose *diagnose, struct buffer *buffer)
{
	if (diagnose->count > 1)
		qsort(diagnose->list, diagnose->count, sizeof(*diagnose->list),
		    compare);
	for (size_t i = 0; i < diagnose->count; i++)
		append_diagnosis(buffer, &diagnose->list[i]);
}
