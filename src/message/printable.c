#include "message/printable.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

static const struct range {
	uint32_t first, last;
} hidden[] = {
    {0x0080, 0x009f}, /* C1 controls: some are terminal escapes */
    {0x00ad, 0x00ad}, /* soft hyphen */
    {0x061c, 0x061c}, /* Arabic letter mark */
    {0x180e, 0x180e}, /* Mongolian vowel separator */
    {0x200b, 0x200f}, /* zero width, direction marks */
    {0x2028, 0x202e}, /* line and paragraph separators, bidi embedding */
    {0x2060, 0x206f}, /* invisible operators, bidi isolates */
    {0xfeff, 0xfeff}, {0xfff0, 0xfffb}, {0xe0000, 0xe007f}, /* tags */
};

/* The character of a well-formed sequence of len octets. */
static uint32_t
code_point(struct bytes sequence)
{
	static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t code = (unsigned char)sequence.data[0] & masks[sequence.len];

	for (size_t i = 1; i < sequence.len; i++)
		code = code << 6 | ((unsigned char)sequence.data[i] & 0x3f);
	return code;
}

static bool
is_shown(struct bytes sequence, bool utf8)
{
	uint32_t code = code_point(sequence);

	if (code < 0x80)
		return code >= 0x20 && code != 0x7f;
	if (!utf8)
		return false;
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
		if (code >= hidden[i].first && code <= hidden[i].last)
			return false;
	}
	return true;
}

/* Cut the next character from *text; out_shown is how it is shown. */
static void
take_character(struct bytes *text, bool utf8, struct bytes *out_shown)
{
	size_t len = bytes_utf8_len(*text);

	*out_shown = bytes_first(*text, len);
	if (len == 0 || !is_shown(*out_shown, utf8))
		*out_shown = BYTES("?");
	*text = bytes_from(*text, len == 0 ? 1 : len);
}

/* Cut the next character or run of blanks from *text. */
static void
take_shown(struct bytes *text, bool utf8, struct bytes *out_shown)
{
	if (!bytes_is_space_char(text->data[0])) {
		take_character(text, utf8, out_shown);
		return;
	}
	while (text->len > 0 && bytes_is_space_char(text->data[0]))
		*text = bytes_from(*text, 1);
	*out_shown = BYTES(" ");
}

void
printable_append(
    struct buffer *buffer, struct bytes text, size_t max, bool utf8)
{
	const struct bytes dots = BYTES("...");
	size_t start = buffer->len;
	size_t fits = start; /* end of what fits with the dots behind it */

	assert(max > dots.len);
	text = bytes_trim(text);
	while (text.len > 0 && !buffer->overflowed) {
		struct bytes shown;
		take_shown(&text, utf8, &shown);
		if (buffer->len - start + shown.len > max) {
			buffer_truncate(buffer, fits);
			buffer_append(buffer, dots);
			return;
		}
		buffer_append(buffer, shown);
		if (buffer->len - start + dots.len <= max)
			fits = buffer->len;
	}
}

char *
printable_copy(struct bytes text, size_t max, bool utf8)
{
	struct buffer buffer;

	buffer_init(&buffer, max);
	printable_append(&buffer, text, max, utf8);
	char *copy = buffer_to_text(&buffer);
	buffer_clear(&buffer);
	return copy;
}
