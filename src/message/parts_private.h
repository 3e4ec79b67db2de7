/*
 * What the files that find the parts share; for nobody else:
 *
 *   parts.c       the walk: where each header, body and boundary lies
 *   parts_line.c  a line of the content, and what is in it
 *   parts_type.c  what the header of a part says that it is
 */
#pragma once

#include "base/bytes.h"
#include "message/parts.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of a line, so much is looked at: field names and boundaries are in front. */
#define PARTS_LINE_FRONT_MAX ((size_t)1024)

/* UTF-8 read octet by octet: how many more must follow, and within what. */
struct parts_utf8 {
	unsigned left;
	unsigned char low, high;
	bool is_bad;
};

/* One line of the content, as far as it was read. */
struct parts_line {
	uint64_t offset;
	uint64_t len; /* with its line end */
	char front[PARTS_LINE_FRONT_MAX];
	size_t front_len;
	char last, before_last; /* octets at its end */
	struct parts_utf8 utf8;
	struct traits traits;
};

/* ---- parts_line.c ---- */

/* A new line, of which nothing was read; offset is its place in the content. */
void parts_line_begin(struct parts_line *line, uint64_t offset);
/* Take a piece of the line, not empty. */
void parts_line_append(struct parts_line *line, struct bytes piece);
/* Octets of the line end: 0 where the content ends without one. */
unsigned parts_line_end_len(const struct parts_line *line);
/* All of it was taken: its traits hold from now on. */
void parts_line_finish(struct parts_line *line);
/* What was kept of it: borrowed until line is changed. */
struct bytes parts_line_front(const struct parts_line *line);

/* ---- parts_type.c ---- */

/* Take from header, which is cut to HEADER_SIZE_MAX, what part is; part is
 * new. */
void parts_type_read(struct part *part, struct bytes header);
