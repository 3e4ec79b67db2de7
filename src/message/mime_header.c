#include "base/memory.h"
#include "message/header.h"
#include "message/mime_private.h"
#include "message/phrase.h"

#include <stdlib.h>

static bool
is_encoding(const struct header_field *field)
{
	return bytes_is_nocase(field->name, "Content-Transfer-Encoding");
}

static bool
has_long_line(struct bytes field)
{
	while (field.len > 0) {
		struct bytes line = bytes_cut(&field, '\n');
		bool has_cr = bytes_has_suffix_nocase(line, "\r");
		if (line.len > HEADER_LINE_MAX + (has_cr ? 1 : 0))
			return true;
	}
	return false;
}

/* Append the field with its lines cut; NUL becomes '?'. */
static void
write_refolded(struct buffer *output, const struct header_field *field)
{
	char *name = memory_copy(field->name);

	header_write(output, name, field->value);
	free(name);
}

/* False: it cannot be sent. */
static bool
write_field(struct mime *mime, struct buffer *output,
    const struct header_field *field, const char *charset)
{
	bool high = !mime->has_8bitmime && !bytes_is_ascii(field->raw);
	bool rewrite =
	    has_long_line(field->raw) || bytes_contains(field->raw, '\0');

	if (!high && !rewrite) {
		buffer_append(output, field->raw);
		return true;
	}
	if (field->name.len > HEADER_NAME_MAX)
		return false;
	if (high)
		return phrase_downgrade(output, field, charset);
	write_refolded(output, field);
	return true;
}

/* What the part must say now that it is encoded. */
static void
write_encoding(const struct mime *mime, struct buffer *output,
    const struct part *part, enum transfer_encoding encoding)
{
	bool is_message = part == &mime->parts.parts[0];
	const struct stretch *body =
	    part->body == SIZE_MAX ? NULL : &mime->parts.stretches[part->body];

	if (is_message && !part->has_version)
		buffer_append_text(output, "MIME-Version: 1.0\r\n");
	if (!part->has_type && body != NULL)
		buffer_printf(output,
		    "Content-Type: text/plain; charset=%s\r\n",
		    !body->traits.has_8bit     ? "us-ascii"
			: body->traits.is_utf8 ? "utf-8"
					       : "unknown-8bit");
	buffer_printf(output, "Content-Transfer-Encoding: %s\r\n",
	    transfer_name(encoding));
}

/* Write the header anew. False: it cannot be. */
static bool
write_header(struct mime *mime, struct bytes header, const struct part *part,
    enum transfer_encoding encoding, struct buffer *output)
{
	struct bytes rest = bytes_first(header, header_len(header));
	struct bytes behind = bytes_from(header, rest.len);
	struct header_field field;
	bool encoding_changes = encoding != part->encoding;

	while (header_next(&rest, &field)) {
		if (encoding_changes && is_encoding(&field))
			continue;
		if (!write_field(mime, output, &field, part->charset))
			return false;
	}
	if (encoding_changes)
		write_encoding(mime, output, part, encoding);
	/* What follows may look like a field, now that it is converted. */
	buffer_append(output, behind.len > 0 ? behind : BYTES("\r\n"));
	return true;
}

bool
mime_header_convert(struct mime *mime, const struct stretch *stretch,
    const struct mime_plan *plan, struct buffer *output, bool *out_possible,
    struct error *error)
{
	char *memory = memory_array((size_t)stretch->len, 1);
	size_t len = 0;
	const struct part *part = &mime->parts.parts[stretch->part];

	bool ok = body_read(mime->body, stretch->offset, memory,
	    (size_t)stretch->len, &len, error);
	if (ok)
		*out_possible = write_header(mime, bytes_make(memory, len),
		    part, plan->encoding, output);
	free(memory);
	return ok;
}
