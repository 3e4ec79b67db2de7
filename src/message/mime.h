/*
 * What to send of a message to an upstream that does not take it as it is:
 * one without 8BITMIME (RFC 6152 3), or simply an SMTP server, where the
 * content has lines of more than 998 octets (RFC 5321 4.5.3.1.6) or NUL.
 *
 * Leaf by leaf, bodies become quoted-printable or base64, headers encoded
 * words. Multipart/signed and /encrypted are never changed, nor is
 * message/rfc822 encoded (RFC 2046 5.2.1): where that would be needed the
 * message is refused with 5.6.3.  Lines that are merely too long and may not be
 * encoded are folded.
 *
 * A message of any size is converted in pieces; memory held is that of a piece,
 * the structure (see parts.h), and one header of at most HEADER_SIZE_MAX.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "message/body.h"
#include "message/transfer.h"

#include <stdbool.h>
#include <stdint.h>

enum mime_answer {
	MIME_AS_IS,   /* send the body itself */
	MIME_CONVERT, /* send what mime_read() gives */
	MIME_REFUSE   /* cannot be sent: 554, mime_status(), mime_why() */
};

struct mime;

/*
 * Look at body, which is borrowed until free, for an upstream that offers
 * 8BITMIME or not.  Fails only where reading fails.  Any thread.
 */
bool mime_open(const struct body *body, bool has_8bitmime,
    struct mime **out_mime, struct error *error) MUST_USE;
/*
 * The same, where text that must be encoded gets this form, TRANSFER_BASE64 or
 * TRANSFER_QUOTED_PRINTABLE; TRANSFER_OTHER: whichever suits it.
 */
bool mime_open_as(const struct body *body, bool has_8bitmime,
    enum transfer_encoding form, struct mime **out_mime,
    struct error *error) MUST_USE;
void mime_free(struct mime *mime);
enum mime_answer mime_answer(const struct mime *mime);
/* One line, for the log (CONVERT) or the sender (REFUSE); "" for AS_IS. Static.
 */
const char *mime_why(const struct mime *mime);
/* The enhanced code of REFUSE: "5.6.3", or "5.6.7" where SMTPUTF8 is missing.
 */
const char *mime_status(const struct mime *mime);
/* Does what is to be sent hold octets above 0x7f: BODY=8BITMIME is to be said?
 */
bool mime_needs_8bitmime(const struct mime *mime);

/*
 * Append the next piece, about 64 KiB at most (a header: its size).  *out_end:
 * that was the last.  For AS_IS the pieces of the body; not for REFUSE.
 */
bool mime_read(struct mime *mime, struct buffer *output, bool *out_end,
    struct error *error) MUST_USE;
/* Start again at the first piece. */
void mime_rewind(struct mime *mime);
/* Octets that all pieces have (for SIZE=); reads them once where they are to be
 * converted, and rewinds. */
bool mime_size(
    struct mime *mime, uint64_t *out_size, struct error *error) MUST_USE;
