#include "message/parts.h"

#include "base/memory.h"
#include "message/header.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define READ_SIZE ((size_t)64 * 1024)
/* Of a line, so much is looked at: field names and boundaries are in front. */
#define FRONT_MAX ((size_t)1024)

/* ---- Content-Type ---- */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

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
		if (quoted ? c == '"' : is_blank(c) || c == '(')
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

static void
read_part(struct part *part, struct bytes header)
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

/* ---- lines ---- */

/* UTF-8 read octet by octet: how many more must follow, and within what. */
struct utf8_state {
	unsigned left;
	unsigned char low, high;
	bool is_bad;
};

static void
utf8_begin(struct utf8_state *state, unsigned char c)
{
	state->low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	state->high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	state->left = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
	if (c > 0xf4 || (c >= 0x80 && c < 0xc2))
		state->is_bad = true;
}

static void
utf8_next(struct utf8_state *state, unsigned char c)
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

/* One line of the content, as far as it was read. */
struct line {
	uint64_t offset;
	uint64_t len; /* with its line end */
	char front[FRONT_MAX];
	size_t front_len;
	char last, before_last; /* octets at its end */
	struct utf8_state utf8;
	struct traits traits;
};

static void
line_begin(struct line *line, uint64_t offset)
{
	line->offset = offset;
	line->len = 0;
	line->front_len = 0;
	line->last = '\0';
	line->before_last = '\0';
	line->utf8 = (struct utf8_state){0};
	line->traits = (struct traits){.is_utf8 = true};
}

static void
line_look(struct line *line, struct bytes piece)
{
	for (size_t i = 0; i < piece.len; i++) {
		unsigned char c = (unsigned char)piece.data[i];
		line->traits.high_count += c > 0x7f;
		line->traits.has_nul = line->traits.has_nul || c == 0;
		if (c > 0x7f || line->utf8.left > 0)
			utf8_next(&line->utf8, c);
	}
}

/* Take a piece of the line, not empty. */
static void
line_append(struct line *line, struct bytes piece)
{
	struct bytes front = bytes_first(piece, FRONT_MAX - line->front_len);

	memcpy(line->front + line->front_len, front.data, front.len);
	line->front_len += front.len;
	line_look(line, piece);
	line->before_last =
	    piece.len > 1 ? piece.data[piece.len - 2] : line->last;
	line->last = piece.data[piece.len - 1];
	line->len += piece.len;
}

/* Octets of the line end: 0 where the content ends without one. */
static unsigned
line_end_len(const struct line *line)
{
	if (line->last != '\n')
		return 0;
	return line->before_last == '\r' ? 2 : 1;
}

static void
line_finish(struct line *line)
{
	struct traits *traits = &line->traits;

	traits->has_8bit = traits->high_count > 0;
	traits->is_utf8 = !line->utf8.is_bad && line->utf8.left == 0;
	traits->has_long_line =
	    line->len - line_end_len(line) > HEADER_LINE_MAX;
}

static struct bytes
line_front(const struct line *line)
{
	return bytes_make(line->front, line->front_len);
}

static void
traits_add(struct traits *traits, const struct traits *more)
{
	traits->has_8bit = traits->has_8bit || more->has_8bit;
	traits->has_nul = traits->has_nul || more->has_nul;
	traits->has_long_line = traits->has_long_line || more->has_long_line;
	traits->is_utf8 = traits->is_utf8 && more->is_utf8;
	traits->high_count += more->high_count;
}

/* ---- the walk ---- */

struct walk {
	const struct body *body;
	struct parts *parts;
	size_t open[PARTS_DEPTH_MAX]; /* multiparts we are in: their parts */
	size_t depth;
	size_t part; /* we are in */
	bool in_header;
	unsigned last_end_len; /* of the line before, where it is a body's */
	struct error *error;
};

/* The last stretch. */
static struct stretch *
current(struct walk *walk)
{
	return &walk->parts->stretches[walk->parts->stretch_count - 1];
}

/* Doubles whenever count is a power of two. */
static void *
grown(void *array, size_t count, size_t size)
{
	if ((count & (count - 1)) != 0)
		return array;
	return memory_resize_array(array, count == 0 ? 1 : count * 2, size);
}

static void
begin_stretch(struct walk *walk, enum stretch_kind kind, uint64_t offset)
{
	struct parts *parts = walk->parts;

	parts->stretches = grown(
	    parts->stretches, parts->stretch_count, sizeof(struct stretch));
	parts->stretches[parts->stretch_count] = (struct stretch){
	    .kind = kind,
	    .offset = offset,
	    .part = walk->part,
	    .traits = {.is_utf8 = true},
	};
	parts->stretch_count++;
}

/* A new part, whose header begins at offset. */
static void
begin_part(struct walk *walk, uint64_t offset)
{
	struct parts *parts = walk->parts;

	parts->parts =
	    grown(parts->parts, parts->part_count, sizeof(struct part));
	parts->parts[parts->part_count] = (struct part){
	    .header = parts->stretch_count,
	    .body = SIZE_MAX,
	};
	walk->part = parts->part_count;
	parts->part_count++;
	walk->in_header = true;
	begin_stretch(walk, STRETCH_HEADER, offset);
}

static void
add_line(struct walk *walk, const struct line *line)
{
	struct stretch *stretch = current(walk);

	stretch->len += line->len;
	traits_add(&stretch->traits, &line->traits);
	walk->last_end_len =
	    stretch->kind == STRETCH_BODY ? line_end_len(line) : 0;
}

static bool
is_in_digest(const struct walk *walk)
{
	return walk->depth > 0 &&
	    walk->parts->parts[walk->open[walk->depth - 1]].is_digest;
}

/* Read the header that ends here, and begin what it says; by an empty line, or
 * by something else. */
static bool
end_header(struct walk *walk, uint64_t offset, bool is_empty_line)
{
	struct stretch *stretch = current(walk);
	struct part *part = &walk->parts->parts[walk->part];
	size_t size = stretch->len < HEADER_SIZE_MAX ? (size_t)stretch->len
						     : HEADER_SIZE_MAX;
	char *header = memory_array(size, 1);
	size_t len = 0;

	bool ok = body_read(
	    walk->body, stretch->offset, header, size, &len, walk->error);
	if (ok)
		read_part(part, bytes_make(header, len));
	free(header);
	if (!part->has_type && is_in_digest(walk))
		part->kind = PART_OPAQUE;

	if (part->kind == PART_MULTIPART && walk->depth == PARTS_DEPTH_MAX)
		part->kind = PART_OPAQUE;
	walk->in_header = false;
	part->is_ended = is_empty_line;
	if (part->kind == PART_MULTIPART) {
		walk->open[walk->depth] = walk->part;
		walk->depth++;
		begin_stretch(walk, STRETCH_GLUE, offset);
		return ok;
	}
	part->body = walk->parts->stretch_count;
	begin_stretch(walk, STRETCH_BODY, offset);
	return ok;
}

/*
 *   delimiter       = "--" boundary *WSP CRLF
 *   close-delimiter = "--" boundary "--" *WSP CRLF
 */
static bool
is_boundary(struct bytes line, const char *boundary, bool *out_close)
{
	struct bytes rest = bytes_from(line, strlen("--"));

	if (!bytes_has_prefix(line, "--") || !bytes_has_prefix(rest, boundary))
		return false;
	rest = bytes_from(rest, strlen(boundary));
	*out_close = bytes_has_prefix(rest, "--");
	return *out_close || bytes_trim(rest).len == 0;
}

/* Level of the innermost multipart whose boundary this is; depth: of none. */
static size_t
find_level(const struct walk *walk, struct bytes line, bool *out_close)
{
	if (!bytes_has_prefix(line, "--"))
		return walk->depth;
	for (size_t level = walk->depth; level > 0; level--) {
		const struct part *part =
		    &walk->parts->parts[walk->open[level - 1]];
		if (is_boundary(line, part->boundary, out_close))
			return level - 1;
	}
	return walk->depth;
}

/* Whether another part would be one too many. */
static bool
is_full(const struct walk *walk)
{
	return walk->parts->stretch_count > PARTS_MAX;
}

/* A boundary line: the line end before it belongs to it. */
static void
take_boundary(
    struct walk *walk, const struct line *line, size_t level, bool close)
{
	struct stretch *stretch = current(walk);
	unsigned end_len =
	    stretch->kind == STRETCH_BODY ? walk->last_end_len : 0;
	stretch->len -= end_len;
	walk->part = walk->open[level];
	begin_stretch(walk, STRETCH_GLUE, line->offset - end_len);
	current(walk)->len = end_len;
	add_line(walk, line);

	walk->depth = close ? level : level + 1;
	if (!close)
		begin_part(walk, line->offset + line->len);
}

/* From here on, nothing is understood. */
static void
give_up(struct walk *walk, uint64_t offset)
{
	walk->depth = 0;
	walk->in_header = false;
	begin_part(walk, offset);
	walk->parts->parts[walk->part].kind = PART_OPAQUE;
	walk->parts->parts[walk->part].is_ended = true;
	walk->parts->parts[walk->part].body = walk->parts->stretch_count;
	begin_stretch(walk, STRETCH_BODY, offset);
	walk->in_header = false;
}

/* In a header: is this line part of it? */
static bool
is_field_line(struct walk *walk, const struct line *line)
{
	bool blank = line->front[0] == ' ' || line->front[0] == '\t';

	return blank ? current(walk)->len > 0
		     : header_len(line_front(line)) > 0;
}

/* In a header; *out_taken is false where the line is no part of it. */
static bool
take_header_line(struct walk *walk, const struct line *line, bool *out_taken)
{
	bool empty = line->len == line_end_len(line);

	*out_taken = empty || is_field_line(walk, line);
	if (*out_taken)
		add_line(walk, line);
	if (*out_taken && !empty)
		return true;
	return end_header(walk, line->offset + (empty ? line->len : 0), empty);
}

static bool
take_line(struct walk *walk, const struct line *line)
{
	bool taken = false;

	if (walk->in_header && !take_header_line(walk, line, &taken))
		return false;
	if (taken)
		return true;

	bool close = false;
	size_t level = find_level(walk, line_front(line), &close);
	if (level == walk->depth) {
		add_line(walk, line);
	} else if (is_full(walk)) {
		give_up(walk, line->offset);
		add_line(walk, line);
	} else {
		take_boundary(walk, line, level, close);
	}
	return true;
}

/* Take the lines of a piece of content; the last may be unfinished. */
static bool
take_piece(struct walk *walk, struct line *line, struct bytes piece)
{
	while (piece.len > 0) {
		size_t end = bytes_index(piece, '\n');
		size_t len = end < piece.len ? end + 1 : end;
		line_append(line, bytes_first(piece, len));
		if (end < piece.len) {
			line_finish(line);
			if (!take_line(walk, line))
				return false;
			line_begin(line, line->offset + line->len);
		}
		piece = bytes_from(piece, len);
	}
	return true;
}

static bool
take_all(struct walk *walk, struct line *line, char *memory)
{
	uint64_t offset = 0;

	while (offset < walk->body->len) {
		size_t len = 0;
		if (!body_read(walk->body, offset, memory, READ_SIZE, &len,
			walk->error))
			return false;
		assert(len > 0);
		if (!take_piece(walk, line, bytes_make(memory, len)))
			return false;
		offset += len;
	}
	if (line->len > 0) {
		line_finish(line);
		if (!take_line(walk, line))
			return false;
	}
	return !walk->in_header || end_header(walk, offset, false);
}

bool
parts_find(const struct body *body, struct parts *parts, struct error *error)
{
	struct walk walk = {.body = body, .parts = parts, .error = error};
	struct line *line = memory_new(sizeof(*line));
	char *memory = memory_array(READ_SIZE, 1);

	*parts = (struct parts){0};
	line_begin(line, 0);
	begin_part(&walk, 0);
	bool ok = take_all(&walk, line, memory);
	free(memory);
	free(line);
	return ok;
}

void
parts_clear(struct parts *parts)
{
	free(parts->stretches);
	free(parts->parts);
	*parts = (struct parts){0};
}
