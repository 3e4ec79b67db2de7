#include "message/header.h"
#include "message/parts_private.h"

#include <string.h>

static void
utf8_begin(struct parts_utf8 *state, unsigned char c)
{
	state->low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	state->high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	state->left = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
	if (c > 0xf4 || (c >= 0x80 && c < 0xc2))
		state->is_bad = true;
}

static void
utf8_next(struct parts_utf8 *state, unsigned char c)
{
	if (state->left == 0) {
		utf8_begin(state, c);
		return;
	}
	if (c < state->low || c > state->high)
		state->is_bad = true;
	state->left--;
	state->low = 0x80;
	state->high = 0xbf;
}

void
parts_line_begin(struct parts_line *line, uint64_t offset)
{
	line->offset = offset;
	line->len = 0;
	line->front_len = 0;
	line->last = '\0';
	line->before_last = '\0';
	line->utf8 = (struct parts_utf8){0};
	line->traits = (struct traits){.is_utf8 = true};
}

static void
line_look(struct parts_line *line, struct bytes piece)
{
	for (size_t i = 0; i < piece.len; i++) {
		unsigned char c = (unsigned char)piece.data[i];
		line->traits.high_count += c > 0x7f;
		line->traits.has_nul = line->traits.has_nul || c == 0;
		if (c > 0x7f || line->utf8.left > 0)
			utf8_next(&line->utf8, c);
	}
}

void
parts_line_append(struct parts_line *line, struct bytes piece)
{
	struct bytes front =
	    bytes_first(piece, PARTS_LINE_FRONT_MAX - line->front_len);

	memcpy(line->front + line->front_len, front.data, front.len);
	line->front_len += front.len;
	line_look(line, piece);
	line->before_last =
	    piece.len > 1 ? piece.data[piece.len - 2] : line->last;
	line->last = piece.data[piece.len - 1];
	line->len += piece.len;
}

unsigned
parts_line_end_len(const struct parts_line *line)
{
	if (line->last != '\n')
		return 0;
	return line->before_last == '\r' ? 2 : 1;
}

void
parts_line_finish(struct parts_line *line)
{
	struct traits *traits = &line->traits;

	traits->has_8bit = traits->high_count > 0;
	traits->is_utf8 = !line->utf8.is_bad && line->utf8.left == 0;
	traits->has_long_line =
	    line->len - parts_line_end_len(line) > HEADER_LINE_MAX;
}

struct bytes
parts_line_front(const struct parts_line *line)
{
	return bytes_make(line->front, line->front_len);
}
