#include "message/header.h"
#include "message/parts_private.h"

#include <string.h>

/* Octets up to the next ';' outside quotes and comments. */
static size_t
parameter_len(struct bytes text)
{
	bool quoted = false;
	unsigned depth = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		if (c == '\\')
			i++;
		else if (c == '"' && depth == 0)
			quoted = !quoted;
		else if (c == '(' && !quoted)
			depth++;
		else if (c == ')' && !quoted && depth > 0)
			depth--;
		else if (c == ';' && !quoted && depth == 0)
			return i;
	}
	return text.len;
}

/* Append a parameter's value: a quoted string, or a token up to a blank or
 * comment. */
static void
append_value(struct buffer *buffer, struct bytes value)
{
	bool quoted = bytes_has_prefix(value, "\"");

	for (size_t i = quoted ? 1 : 0; i < value.len; i++) {
		char c = value.data[i];
		if (quoted ? c == '"' : bytes_is_space_char(c) || c == '(')
			return;
		if (quoted && c == '\\' && i + 1 < value.len)
			c = value.data[++i];
		if (c != '\r' && c != '\n')
			buffer_append_char(buffer, c);
	}
}

bool
parts_parameter(struct buffer *buffer, struct bytes value, const char *name)
{
	while (value.len > 0) {
		value = bytes_from(value, parameter_len(value) + 1);
		struct bytes one = bytes_first(value, parameter_len(value));
		struct bytes given = bytes_trim(bytes_cut(&one, '='));
		if (!bytes_is_nocase(given, name))
			continue;
		append_value(buffer, bytes_trim(one));
		return true;
	}
	return false;
}

/* "text/plain" of "text/plain (comment); charset=…". */
static struct bytes
media_type(struct bytes value)
{
	value = bytes_trim(bytes_first(value, bytes_index(value, ';')));
	return bytes_trim(bytes_first(value, bytes_index(value, '(')));
}

/* A parameter as a string of at most size - 1 octets; "" where it has none, is
 * longer, or is not plain. */
static void
copy_parameter(struct bytes value, const char *name, char *text, size_t size)
{
	struct buffer buffer;

	buffer_init(&buffer, size - 1);
	bool found = parts_parameter(&buffer, value, name);
	struct bytes copy = buffer_bytes(&buffer);
	text[0] = '\0';
	if (found && !buffer.overflowed && bytes_is_ascii(copy) &&
	    !bytes_has_control(copy)) {
		memcpy(text, copy.data, copy.len);
		text[copy.len] = '\0';
	}
	buffer_clear(&buffer);
}

static enum part_kind
multipart_kind(const struct part *part, struct bytes type)
{
	if (bytes_is_nocase(type, "multipart/signed") ||
	    bytes_is_nocase(type, "multipart/encrypted"))
		return PART_SEALED;
	return part->boundary[0] == '\0' ? PART_OPAQUE : PART_MULTIPART;
}

/* What the encoding says of a multipart is wrong where it says that it is
 * encoded: then nobody can find its boundaries. */
static bool
is_encoded(enum transfer_encoding encoding)
{
	return encoding == TRANSFER_QUOTED_PRINTABLE ||
	    encoding == TRANSFER_BASE64;
}

static void
read_type(struct part *part, struct bytes value)
{
	struct bytes type = media_type(value);

	part->has_type = true;
	part->is_text = bytes_has_prefix_nocase(type, "text/");
	copy_parameter(value, "charset", part->charset, sizeof(part->charset));
	if (bytes_has_prefix_nocase(type, "message/"))
		part->kind = PART_OPAQUE;
	if (!bytes_has_prefix_nocase(type, "multipart/"))
		return;
	copy_parameter(
	    value, "boundary", part->boundary, sizeof(part->boundary));
	part->kind = multipart_kind(part, type);
	part->is_digest = bytes_is_nocase(type, "multipart/digest");
}

void
parts_type_read(struct part *part, struct bytes header)
{
	struct header_field field;

	part->is_text = true;
	part->kind = PART_LEAF;
	if (header_find(header, "Content-Type", &field))
		read_type(part, field.value);
	if (header_find(header, "Content-Transfer-Encoding", &field))
		part->encoding = transfer_find(media_type(field.value));
	part->has_version = header_find(header, "MIME-Version", &field);
	if (part->kind == PART_MULTIPART && is_encoded(part->encoding))
		part->kind = PART_LEAF;
}
