#include "smtp/dot.h"

#include <string.h>

/* A newline is looked for in stretches: what holds many lone CRs or LFs would
 * else be walked to its end for each of them. */
#define STRETCH ((size_t)512)

/* The first CR or LF, or text.len. */
static size_t
newline_index(struct bytes text)
{
	for (size_t i = 0; i < text.len; i += STRETCH) {
		struct bytes part = bytes_first(bytes_from(text, i), STRETCH);
		size_t cr = bytes_index(part, '\r');
		size_t lf = bytes_index(bytes_first(part, cr), '\n');
		if (lf < part.len)
			return i + lf;
	}
	return text.len;
}

/*
 * The octets at the front of text, whose first is no dot that matters, that
 * stay as they are: whole lines up to one that begins with a dot, up to a lone
 * newline, or up to a CR that ends text.  *out_line_start: they end in CRLF.
 */
static size_t
plain_len(struct bytes text, bool dots, bool *out_line_start)
{
	size_t len = 0;

	*out_line_start = false;
	while (len < text.len) {
		size_t end = len + newline_index(bytes_from(text, len));
		if (end > len)
			*out_line_start = false;
		if (end + 1 >= text.len || text.data[end] != '\r' ||
		    text.data[end + 1] != '\n')
			return end;
		*out_line_start = true;
		len = end + 2;
		if (dots && len < text.len && text.data[len] == '.')
			return len;
	}
	return len;
}

void
dot_encoder_init(struct dot_encoder *encoder)
{
	*encoder = (struct dot_encoder){.last = '\n'};
}

static void
encode_newline(struct dot_encoder *encoder, struct buffer *output)
{
	buffer_append(output, BYTES("\r\n"));
	encoder->last = '\n';
	encoder->after_cr = false;
}

/* One of: a held CR, a dot to double, a plain run, a lone newline.  Returns how
 * many octets of content, which is not empty, it took. */
static size_t
encode_some(struct dot_encoder *encoder, struct bytes content, bool dots,
    struct buffer *output)
{
	char first = content.data[0];

	if (encoder->after_cr) {
		encode_newline(encoder, output);
		return first == '\n' ? 1 : 0;
	}
	if (dots && encoder->last == '\n' && first == '.') {
		buffer_append_char(output, '.');
		encoder->last = 0;
	}
	bool line_start = false;
	size_t len = plain_len(content, dots, &line_start);
	if (len > 0) {
		buffer_append(output, bytes_first(content, len));
		encoder->last = line_start ? '\n' : 0;
		return len;
	}
	if (first == '\n')
		encode_newline(encoder, output);
	else
		encoder->after_cr = true;
	return 1;
}

/* How the octets end that went out last. */
static void
note_raw(struct dot_encoder *encoder, struct bytes line)
{
	const char last = line.data[line.len - 1];
	const bool is_crlf =
	    line.len > 1 ? line.data[line.len - 2] == '\r' : encoder->after_cr;

	encoder->last = last == '\n' ? '\n' : 0;
	encoder->ends_bare = last == '\n' && !is_crlf;
	encoder->after_cr = last == '\r';
}

/* Line by line, each with the end that it has. */
static void
encode_raw(struct dot_encoder *encoder, struct bytes content, bool dots,
    struct buffer *output)
{
	while (content.len > 0) {
		const struct bytes line =
		    bytes_first(content, bytes_index(content, '\n') + 1);
		if (dots && encoder->last == '\n' && line.data[0] == '.')
			buffer_append_char(output, '.');
		buffer_append(output, line);
		note_raw(encoder, line);
		content = bytes_from(content, line.len);
	}
}

void
dot_encode(struct dot_encoder *encoder, struct bytes content, bool dots,
    struct buffer *output)
{
	if (encoder->raw) {
		encode_raw(encoder, content, dots, output);
		return;
	}
	while (content.len > 0)
		content = bytes_from(
		    content, encode_some(encoder, content, dots, output));
}

void
dot_encode_end(struct dot_encoder *encoder, bool dots, struct buffer *output)
{
	if (encoder->after_cr || encoder->last != '\n' || encoder->ends_bare)
		encode_newline(encoder, output);
	if (dots)
		buffer_append(output, BYTES(".\r\n"));
}

bool
dot_has_long_line(struct bytes content, size_t *column)
{
	while (content.len > 0) {
		const size_t len = newline_index(content);
		*column += len;
		if (*column > DOT_LINE_MAX)
			return true;
		if (len < content.len)
			*column = 0;
		content = bytes_from(content, len + 1);
	}
	return false;
}

/* What the octets read last were; those named HELD are not given out yet. */
enum state {
	LINE_START, /* a CRLF, or nothing at all */
	TEXT,
	HELD_CR,
	HELD_DOT,    /* CRLF "." */
	HELD_DOT_CR, /* CRLF "." CR */
	BARE_LF,
	HELD_BARE_DOT /* LF "." */
};

/* A step does one of: take the octet, give something out, change the state. */
struct step {
	enum state next;
	size_t used; /* 0 or 1 */
	struct bytes content;
	bool bare; /* a newline stood alone */
	bool end;
};

#define TAKE(state)  ((struct step){state, 1, BYTES_NONE, false, false})
#define LEAVE(state) ((struct step){state, 0, BYTES_NONE, false, false})
#define NEWLINE(taken)                                                         \
	((struct step){LINE_START, taken, BYTES("\r\n"), false, false})
#define BARE_CR ((struct step){TEXT, 0, BYTES("\r\n"), true, false})

static struct step
step_at(enum state state, char c, bool dots)
{
	switch (state) {
	case LINE_START:
		return dots && c == '.' ? TAKE(HELD_DOT) : LEAVE(TEXT);
	case HELD_CR:
		return c == '\n' ? NEWLINE(1) : BARE_CR;
	case HELD_DOT:
		return c == '\r' ? TAKE(HELD_DOT_CR) : LEAVE(TEXT);
	case HELD_DOT_CR:
		if (c != '\n')
			return BARE_CR;
		return (struct step){LINE_START, 1, BYTES_NONE, false, true};
	case BARE_LF:
		return dots && c == '.' ? TAKE(HELD_BARE_DOT) : LEAVE(TEXT);
	case HELD_BARE_DOT:
		if (c == '.')
			return LEAVE(TEXT);
		return (struct step){TEXT, 0, BYTES("."), false, false};
	case TEXT:
		break;
	}
	/* Only a newline gets here: see dot_decode(). */
	if (c == '\r')
		return TAKE(HELD_CR);
	return (struct step){BARE_LF, 1, BYTES("\r\n"), true, false};
}

void
dot_decoder_init(struct dot_decoder *decoder)
{
	*decoder = (struct dot_decoder){.state = LINE_START};
}

static size_t
decode_run(struct dot_decoder *decoder, struct bytes input, bool dots,
    struct bytes *out_content)
{
	bool line_start = false;
	size_t len = plain_len(input, dots, &line_start);

	*out_content = bytes_first(input, len);
	decoder->saw_nul |= bytes_contains(*out_content, '\0');
	if (line_start)
		decoder->state = LINE_START;
	return len;
}

size_t
dot_decode(struct dot_decoder *decoder, struct bytes input, bool dots,
    struct bytes *out_content, bool *out_end)
{
	size_t used = 0;

	*out_content = BYTES_NONE;
	*out_end = false;
	while (used < input.len && out_content->len == 0 && !*out_end) {
		struct bytes rest = bytes_from(input, used);
		if (decoder->state == TEXT) {
			size_t len =
			    decode_run(decoder, rest, dots, out_content);
			used += len;
			if (len > 0)
				break;
		}
		struct step step =
		    step_at((enum state)decoder->state, rest.data[0], dots);
		decoder->state = (int)step.next;
		decoder->saw_bare |= step.bare;
		used += step.used;
		*out_content = step.content;
		*out_end = step.end;
	}
	return used;
}

struct bytes
dot_decode_end(struct dot_decoder *decoder)
{
	bool holds_cr = decoder->state == HELD_CR;

	decoder->saw_bare |= holds_cr;
	decoder->state = LINE_START;
	return holds_cr ? BYTES("\r\n") : BYTES_NONE;
}
