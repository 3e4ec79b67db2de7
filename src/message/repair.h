/*
 * Content mended so that a server takes it: lines of more than 998 octets cut,
 * octets escaped that should have been.  What it means stays as far as it can.
 * Piece by piece, independent of how the octets are cut.  A lone CR or LF
 * becomes CRLF, which it will be on the wire.
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>

/* Where we are; all zero at the start. */
struct repair {
	size_t column;        /* of the line being written */
	unsigned escape_left; /* octets of "=XX" still to come */
	bool after_cr;        /* the line end is written already */
};

/* Append piece with long lines cut by CRLF and a blank, which in a header is a
 * fold, not within a UTF-8 character; mask: octets above 0x7f and NUL become
 * '?'. */
void repair_fold(struct repair *repair, struct bytes piece, bool mask,
    struct buffer *output);
/* Quoted-printable: octets above 0x7f and NUL are escaped, long lines get soft
 * breaks, not within "=XX". */
void repair_quoted(
    struct repair *repair, struct bytes piece, struct buffer *output);
/* Base64: what is none of it is left out, as decoders do, long lines are cut.
 */
void repair_base64(
    struct repair *repair, struct bytes piece, struct buffer *output);
