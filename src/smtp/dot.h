/*
 * Content on the wire (RFC 5321 2.3.8, 4.1.1.4, 4.5.2): dot transparency and
 * line ends, both ways, independent of how the octets are cut.
 *
 * Nothing but CRLF.CRLF ends content.  A CR or LF that stands alone becomes a
 * CRLF in both directions, so that no later peer can read it another way.
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"

#include <stdbool.h>

/* ---- out: our content to the peer ---- */

/* Octets of a line of content, without CRLF, that every server must take (RFC
 * 5321 4.5.3.1.6). */
#define DOT_LINE_MAX 998

struct dot_encoder {
	int last;      /* '\n' at the start of a line, else 0 */
	bool after_cr; /* a CR is held back until the octet behind it is seen;
			  raw: it is out already */
	bool raw; /* set after init: lines end in LF and stay as they are; only
		     leading dots are doubled */
	bool ends_bare; /* raw: the last line end was an LF alone */
};

void dot_encoder_init(struct dot_encoder *encoder);
/*
 * Append content with leading dots doubled; a lone CR or LF becomes CRLF, so
 * that nothing but CRLF ends a line on the wire.  dots false: only the line
 * ends (for BDAT).
 */
void dot_encode(struct dot_encoder *encoder, struct bytes content, bool dots,
    struct buffer *output);
/* Append the CRLF that is missing at the end, if any, then ".\r\n" where dots.
 */
void dot_encode_end(
    struct dot_encoder *encoder, bool dots, struct buffer *output);

/* Is a line of content longer than DOT_LINE_MAX once it is encoded?  *column:
 * octets of the line under way, 0 at first. */
bool dot_has_long_line(struct bytes content, size_t *column);

/* ---- in: the peer's content to us ---- */

struct dot_decoder {
	int state;     /* private */
	bool saw_bare; /* a CR or LF stood alone: refuse, or normalised */
	bool saw_nul;
};

void dot_decoder_init(struct dot_decoder *decoder);
/*
 * Decode from the front of input.  Returns how many octets were used up, sets
 * *out_content to decoded octets (a view of input, or of static text for an
 * inserted CRLF; valid until input changes) and *out_end when CRLF.CRLF was
 * read: the octets behind it are not used.  Call again while octets remain and
 * *out_end is false.  dots false: no transparency and no end (for BDAT).
 *
 * Behind a lone LF a leading dot is taken away only where two stand: a client
 * that stuffs Unix lines gets its text back, and one that knows only CRLF lines
 * loses no dot.
 */
size_t dot_decode(struct dot_decoder *decoder, struct bytes input, bool dots,
    struct bytes *out_content, bool *out_end);
/*
 * Where content ends without a dot (the last BDAT chunk): what the decoder
 * still holds, a CR become CRLF, or nothing.
 */
struct bytes dot_decode_end(struct dot_decoder *decoder);
