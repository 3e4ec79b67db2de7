#include "message/header.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#define FOLD_COLUMN ((size_t)78)

/* ---- walking ---- */

/* Octets of the first line, with its LF where it has one. */
static size_t
line_len(struct bytes content)
{
	size_t end = bytes_index(content, '\n');
	return end < content.len ? end + 1 : end;
}

/*
 * Octets of "name [blanks] :" at the front, or 0: no field begins here.
 *
 *   field-name = 1*(%d33-57 / %d59-126)
 */
static size_t
name_len(struct bytes line, size_t *out_colon)
{
	size_t len = 0;

	while (len < line.len && line.data[len] > ' ' && line.data[len] < 127 &&
	    line.data[len] != ':')
		len++;
	size_t colon = len;
	while (colon < line.len && bytes_is_blank_char(line.data[colon]))
		colon++;
	if (len == 0 || colon == line.len || line.data[colon] != ':')
		return 0;
	*out_colon = colon;
	return len;
}

/* Octets of the field at the front, continuations and all; 0: none is there. */
static size_t
field_len(struct bytes content)
{
	size_t colon;
	size_t first = line_len(content);
	size_t len = first;

	if (name_len(bytes_first(content, first), &colon) == 0)
		return 0;
	while (len < content.len && bytes_is_blank_char(content.data[len]))
		len += line_len(bytes_from(content, len));
	return len;
}

size_t
header_len(struct bytes content)
{
	size_t len = 0;
	size_t field;

	do {
		field = field_len(bytes_from(content, len));
		len += field;
	} while (field > 0);
	return len;
}

/* Without the line end it ends with, if any. */
static struct bytes
without_line_end(struct bytes line)
{
	if (line.len > 0 && line.data[line.len - 1] == '\n')
		line.len--;
	if (line.len > 0 && line.data[line.len - 1] == '\r')
		line.len--;
	return line;
}

bool
header_next(struct bytes *header, struct header_field *out_field)
{
	struct bytes raw = bytes_first(*header, field_len(*header));
	size_t colon = 0;
	size_t name = name_len(raw, &colon);

	if (name == 0)
		return false;
	*out_field = (struct header_field){
	    .name = bytes_first(raw, name),
	    .value = without_line_end(bytes_from(raw, colon + 1)),
	    .raw = raw,
	};
	*header = bytes_from(*header, raw.len);
	return true;
}

bool
header_find(
    struct bytes header, const char *name, struct header_field *out_field)
{
	struct header_field field;

	while (header_next(&header, &field)) {
		if (!bytes_is_nocase(field.name, name))
			continue;
		*out_field = field;
		return true;
	}
	return false;
}

size_t
header_count(struct bytes header, const char *name)
{
	struct header_field field;
	size_t count = 0;

	while (header_next(&header, &field))
		count += bytes_is_nocase(field.name, name);
	return count;
}

/* ---- folding ---- */

void
header_unfold(struct buffer *buffer, struct bytes value)
{
	value = bytes_trim(value);
	while (value.len > 0) {
		struct bytes line = bytes_first(value, line_len(value));
		value = bytes_from(value, line.len);
		buffer_append(buffer, without_line_end(line));
		if (value.len > 0 && !bytes_is_blank_char(value.data[0]))
			buffer_append_char(buffer, ' ');
	}
}

/* Octets of the first word and the blanks before it.  Line ends are blanks. */
static size_t
word_len(struct bytes value, size_t *out_blanks)
{
	size_t len = 0;

	while (len < value.len && bytes_is_space_char(value.data[len]))
		len++;
	*out_blanks = len;
	while (len < value.len && !bytes_is_space_char(value.data[len]))
		len++;
	return len;
}

/* Append octets as they are, but line ends as blanks, and no NUL. */
static void
append_clean(struct buffer *buffer, struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		if (bytes_is_line_end_char(c))
			c = ' ';
		buffer_append_char(buffer, c == '\0' ? '?' : c);
	}
}

/* At most max octets of word, cut between characters where it is UTF-8. */
static size_t
cut_len(struct bytes word, size_t max)
{
	if (word.len <= max)
		return word.len;

	size_t len = max;
	while (len > max - 4 && (word.data[len] & 0xc0) == 0x80)
		len--;
	return (word.data[len] & 0xc0) == 0x80 ? max : len;
}

/* Append a word that may be too long for any line; returns the new column. */
static size_t
append_word(struct buffer *buffer, struct bytes word, size_t column)
{
	for (;;) {
		size_t len = cut_len(word, HEADER_LINE_MAX - column);
		append_clean(buffer, bytes_first(word, len));
		word = bytes_from(word, len);
		if (word.len == 0)
			return column + len;
		buffer_append_text(buffer, "\r\n ");
		column = 1;
	}
}

/* The blanks of a folded line: of a long run only so much is kept. */
static struct bytes
fold_blanks(struct bytes value, size_t len)
{
	return bytes_first(value, len < FOLD_COLUMN ? len : FOLD_COLUMN);
}

/* Append text, one line, behind column, folded. */
static void
append_folded(struct buffer *buffer, struct bytes text, size_t column)
{
	for (bool first = true; text.len > 0; first = false) {
		size_t blanks;
		size_t len = word_len(text, &blanks);
		struct bytes space = fold_blanks(text, blanks);
		struct bytes word = bytes_from(bytes_first(text, len), blanks);

		if (!first && column + space.len + word.len > FOLD_COLUMN) {
			buffer_append_text(buffer, "\r\n");
			column = 0;
		}
		append_clean(buffer, space);
		column = append_word(buffer, word, column + space.len);
		text = bytes_from(text, len);
	}
}

void
header_write(struct buffer *buffer, const char *name, struct bytes value)
{
	struct buffer text;

	assert(strlen(name) <= HEADER_NAME_MAX);
	buffer_init(&text, SIZE_MAX);
	header_unfold(&text, value);
	buffer_append_text(buffer, name);
	buffer_append_text(buffer, ": ");
	append_folded(buffer, buffer_bytes(&text), strlen(name) + strlen(": "));
	buffer_append_text(buffer, "\r\n");
	buffer_clear(&text);
}
