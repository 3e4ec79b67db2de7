#include "message/parts.h"

#include "base/memory.h"
#include "message/header.h"
#include "message/parts_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#define READ_SIZE ((size_t)64 * 1024)

static void
traits_add(struct traits *traits, const struct traits *more)
{
	traits->has_8bit = traits->has_8bit || more->has_8bit;
	traits->has_nul = traits->has_nul || more->has_nul;
	traits->has_long_line = traits->has_long_line || more->has_long_line;
	traits->is_utf8 = traits->is_utf8 && more->is_utf8;
	traits->high_count += more->high_count;
}

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
add_line(struct walk *walk, const struct parts_line *line)
{
	struct stretch *stretch = current(walk);

	stretch->len += line->len;
	traits_add(&stretch->traits, &line->traits);
	walk->last_end_len =
	    stretch->kind == STRETCH_BODY ? parts_line_end_len(line) : 0;
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
	size_t size = (size_t)MIN(stretch->len, HEADER_SIZE_MAX);
	char *header = memory_array(size, 1);
	size_t len = 0;

	bool ok = body_read(
	    walk->body, stretch->offset, header, size, &len, walk->error);
	if (ok)
		parts_type_read(part, bytes_make(header, len));
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
    struct walk *walk, const struct parts_line *line, size_t level, bool close)
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
is_field_line(struct walk *walk, const struct parts_line *line)
{
	bool blank = line->front[0] == ' ' || line->front[0] == '\t';

	return blank ? current(walk)->len > 0
		     : header_len(parts_line_front(line)) > 0;
}

/* In a header; *out_taken is false where the line is no part of it. */
static bool
take_header_line(
    struct walk *walk, const struct parts_line *line, bool *out_taken)
{
	bool empty = line->len == parts_line_end_len(line);

	*out_taken = empty || is_field_line(walk, line);
	if (*out_taken)
		add_line(walk, line);
	if (*out_taken && !empty)
		return true;
	return end_header(walk, line->offset + (empty ? line->len : 0), empty);
}

static bool
take_line(struct walk *walk, const struct parts_line *line)
{
	bool taken = false;

	if (walk->in_header && !take_header_line(walk, line, &taken))
		return false;
	if (taken)
		return true;

	bool close = false;
	size_t level = find_level(walk, parts_line_front(line), &close);
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
take_piece(struct walk *walk, struct parts_line *line, struct bytes piece)
{
	while (piece.len > 0) {
		size_t end = bytes_index(piece, '\n');
		size_t len = end < piece.len ? end + 1 : end;
		parts_line_append(line, bytes_first(piece, len));
		if (end < piece.len) {
			parts_line_finish(line);
			if (!take_line(walk, line))
				return false;
			parts_line_begin(line, line->offset + line->len);
		}
		piece = bytes_from(piece, len);
	}
	return true;
}

static bool
take_all(struct walk *walk, struct parts_line *line, char *memory, size_t size)
{
	uint64_t offset = 0;

	while (offset < walk->body->len) {
		size_t len = 0;
		if (!body_read(
			walk->body, offset, memory, size, &len, walk->error))
			return false;
		assert(len > 0);
		if (!take_piece(walk, line, bytes_make(memory, len)))
			return false;
		offset += len;
	}
	if (line->len > 0) {
		parts_line_finish(line);
		if (!take_line(walk, line))
			return false;
	}
	return !walk->in_header || end_header(walk, offset, false);
}

bool
parts_find(const struct body *body, struct parts *parts, struct error *error)
{
	struct walk walk = {.body = body, .parts = parts, .error = error};
	struct parts_line *line = memory_new(sizeof(*line));
	size_t size = (size_t)MIN(body->len, READ_SIZE);
	char *memory = memory_array(size, 1);

	*parts = (struct parts){0};
	parts_line_begin(line, 0);
	begin_part(&walk, 0);
	bool ok = take_all(&walk, line, memory, size);
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
