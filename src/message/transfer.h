/*
 * Content transfer encodings (RFC 2045 6.7, 6.8): quoted-printable and base64,
 * encoded in one go or piece by piece, independent of how the octets are cut.
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>

/* Octets of an encoded line, without its CRLF. */
#define TRANSFER_LINE_MAX 76

enum transfer_encoding {
	TRANSFER_7BIT,
	TRANSFER_8BIT,
	TRANSFER_BINARY,
	TRANSFER_QUOTED_PRINTABLE,
	TRANSFER_BASE64,
	TRANSFER_OTHER /* none we know */
};

/* The value of a Content-Transfer-Encoding field, trimmed; "" is 7bit. */
enum transfer_encoding transfer_find(struct bytes name);
const char *transfer_name(enum transfer_encoding encoding);

struct transfer_encoder {
	enum transfer_encoding encoding; /* QUOTED_PRINTABLE or BASE64 */
	size_t column;                   /* of the line being written */
	char held[4];                    /* octets that wait for the next */
	size_t held_len;
};

void transfer_init(
    struct transfer_encoder *encoder, enum transfer_encoding encoding);
/* Append what content gives; quoted-printable: CRLF ends a line. */
void transfer_append(struct transfer_encoder *encoder, struct bytes content,
    struct buffer *output);
/* Append what is still held.  The output ends in CRLF, or, quoted-printable, as
 * the content did. */
void transfer_end(struct transfer_encoder *encoder, struct buffer *output);

/* Base64 without line ends. */
void transfer_base64(struct buffer *output, struct bytes octets);
