#include "control/json_writer.h"

#include "base/clock.h"

#include <assert.h>

/* U+FFFD, for what is no UTF-8. */
#define REPLACEMENT "\xef\xbf\xbd"

void
json_writer_init(struct json_writer *writer, struct buffer *buffer)
{
	*writer = (struct json_writer){.buffer = buffer};
}

static void
append_escaped(struct buffer *buffer, unsigned char c)
{
	static const char escapes[][2] = {
	    {'"', '"'}, {'\\', '\\'}, {'\n', 'n'}, {'\r', 'r'}, {'\t', 't'}};

	for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++)
		if ((unsigned char)escapes[i][0] == c) {
			buffer_append_char(buffer, '\\');
			buffer_append_char(buffer, escapes[i][1]);
			return;
		}
	buffer_printf(buffer, "\\u%04x", c);
}

static bool
is_plain(unsigned char c)
{
	return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

static void
append_string(struct buffer *buffer, struct bytes text)
{
	buffer_append_char(buffer, '"');
	while (text.len > 0) {
		size_t len = 0;

		while (
		    len < text.len && is_plain((unsigned char)text.data[len]))
			len++;
		buffer_append(buffer, bytes_first(text, len));
		text = bytes_from(text, len);
		if (text.len == 0)
			break;
		len = bytes_utf8_len(text);
		if (len > 1)
			buffer_append(buffer, bytes_first(text, len));
		else if (len == 1)
			append_escaped(buffer, (unsigned char)text.data[0]);
		else
			buffer_append_text(buffer, REPLACEMENT);
		text = bytes_from(text, len > 0 ? len : 1);
	}
	buffer_append_char(buffer, '"');
}

static void
begin_value(struct json_writer *writer, const char *key)
{
	if (writer->comma)
		buffer_append_char(writer->buffer, ',');
	writer->comma = true;
	if (key == NULL)
		return;
	append_string(writer->buffer, bytes_of(key));
	buffer_append_char(writer->buffer, ':');
}

static void
open_level(
    struct json_writer *writer, const char *key, char opener, char closer)
{
	assert(writer->depth < JSON_WRITER_DEPTH_MAX);

	begin_value(writer, key);
	buffer_append_char(writer->buffer, opener);
	writer->closers[writer->depth++] = closer;
	writer->comma = false;
}

void
json_writer_object(struct json_writer *writer, const char *key)
{
	open_level(writer, key, '{', '}');
}

void
json_writer_array(struct json_writer *writer, const char *key)
{
	open_level(writer, key, '[', ']');
}

void
json_writer_end(struct json_writer *writer)
{
	assert(writer->depth > 0);

	buffer_append_char(writer->buffer, writer->closers[--writer->depth]);
	writer->comma = true;
}

void
json_writer_end_line(struct json_writer *writer)
{
	while (writer->depth > 0)
		json_writer_end(writer);
	buffer_append_char(writer->buffer, '\n');
	writer->comma = false;
}

void
json_writer_text(struct json_writer *writer, const char *key, const char *text)
{
	if (text == NULL)
		json_writer_null(writer, key);
	else
		json_writer_bytes(writer, key, bytes_of(text));
}

void
json_writer_bytes(
    struct json_writer *writer, const char *key, struct bytes text)
{
	begin_value(writer, key);
	append_string(writer->buffer, text);
}

void
json_writer_number(struct json_writer *writer, const char *key, int64_t number)
{
	begin_value(writer, key);
	buffer_printf(writer->buffer, "%lld", (long long)number);
}

void
json_writer_bool(struct json_writer *writer, const char *key, bool value)
{
	begin_value(writer, key);
	buffer_append_text(writer->buffer, value ? "true" : "false");
}

void
json_writer_null(struct json_writer *writer, const char *key)
{
	begin_value(writer, key);
	buffer_append_text(writer->buffer, "null");
}

void
json_writer_time(struct json_writer *writer, const char *key, int64_t wall_ms)
{
	if (wall_ms <= 0 || wall_ms == CLOCK_NEVER) {
		json_writer_null(writer, key);
		return;
	}
	begin_value(writer, key);
	buffer_append_char(writer->buffer, '"');
	date_append_rfc3339(writer->buffer, wall_ms);
	buffer_append_char(writer->buffer, '"');
}
