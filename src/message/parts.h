/*
 * The parts of a message as MIME sees them (RFC 2045, 2046): where each header,
 * body and boundary lies, and whether it holds what not every upstream takes.
 *
 * A message of any size is read once, in pieces; only the header of a part is
 * looked at as a whole.  What cannot be understood is one opaque body.
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "message/body.h"
#include "message/transfer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Multiparts within multiparts; what is deeper is opaque. */
#define PARTS_DEPTH_MAX 20
/* Stretches of one message; what comes behind is opaque. */
#define PARTS_MAX 10000
/* Of a boundary; RFC 2046 says 70, people say more. */
#define PARTS_BOUNDARY_MAX 200

enum part_kind {
	PART_LEAF,
	PART_MULTIPART,
	PART_SEALED, /* multipart/signed or /encrypted: changing it breaks it */
	PART_OPAQUE  /* message/rfc822 and the like: may not be encoded; or not
		      * understood */
};

enum stretch_kind {
	STRETCH_HEADER, /* with the empty line behind it, if there is one */
	STRETCH_BODY,   /* of a part that is no multipart */
	STRETCH_GLUE    /* boundary lines, and what is around the parts */
};

/* What is in some octets. */
struct traits {
	bool has_8bit;
	bool has_nul;
	bool has_long_line;  /* more than HEADER_LINE_MAX octets without CRLF */
	bool is_utf8;        /* well-formed, which ASCII is, too */
	uint64_t high_count; /* octets above 0x7f */
};

/* Stretches in their order cover the content without gaps. */
struct stretch {
	enum stretch_kind kind;
	uint64_t offset;
	uint64_t len;
	size_t part; /* whose it is: index into parts */
	struct traits traits;
};

struct part {
	enum part_kind kind;
	enum transfer_encoding encoding;
	bool is_text;     /* text/…, which is the default, too */
	bool is_digest;   /* multipart/digest: its parts are messages */
	bool has_type;    /* Content-Type was there */
	bool has_version; /* MIME-Version was there */
	bool is_ended;    /* the header, by an empty line */
	char charset[48]; /* or "" */
	char boundary[PARTS_BOUNDARY_MAX + 1]; /* of a multipart */
	size_t header;                         /* its stretch */
	size_t body; /* its stretch; SIZE_MAX where it has none */
};

struct parts {
	struct stretch *stretches; /* owned */
	size_t stretch_count;
	struct part *parts; /* owned; parts[0] is the message */
	size_t part_count;
};

/* Fill parts, which was not filled before; to be cleared even on failure, which
 * is that of reading the body. */
bool parts_find(
    const struct body *body, struct parts *parts, struct error *error) MUST_USE;
void parts_clear(struct parts *parts);

/* The value of a parameter (RFC 2045 5.1) of Content-Type, unquoted, appended.
 * False where there is none. */
bool parts_parameter(
    struct buffer *buffer, struct bytes value, const char *name);
