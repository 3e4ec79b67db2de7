/*
 * Header fields (RFC 5322 2.2): walk, find, fold (header.c), and the addresses
 * in them (header_address.c).
 *
 * Nothing is rewritten unless asked: a walk gives views of the content.  A line
 * that is no field and no continuation ends the header (the body begins there).
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>

/* Our own parsing looks no further into a header than this. */
#define HEADER_SIZE_MAX ((size_t)256 * 1024)
/* RFC 5322 2.1.1, without CRLF. */
#define HEADER_LINE_MAX 998
/* Of a field's name, where we write it. */
#define HEADER_NAME_MAX 70

struct header_field {
	struct bytes name; /* without ':' and blanks before it */
	struct bytes
	    value; /* behind ':', folded as it stands, without the last CRLF */
	struct bytes raw; /* the whole field, with its CRLF */
};

/* Octets of the header in content, without the empty line; content may be cut
 * off behind HEADER_SIZE_MAX. Lines end in CRLF or LF. */
size_t header_len(struct bytes content);
/* Take the next field from *header (content cut to header_len()). */
bool header_next(struct bytes *header, struct header_field *out_field);
/* The first field of that name (without case). */
bool header_find(
    struct bytes header, const char *name, struct header_field *out_field);
size_t header_count(struct bytes header, const char *name);
/* Append value with its folds undone (CRLF removed) and trimmed; a line end
 * that is no fold becomes a blank. */
void header_unfold(struct buffer *buffer, struct bytes value);
/* Append "Name: value\r\n", folded at blanks near 78 columns, never beyond 998:
 * a longer word is cut by a fold.  Folds in value are undone first, any other
 * line end becomes a blank.  name has at most HEADER_NAME_MAX octets. */
void header_write(struct buffer *buffer, const char *name, struct bytes value);

/* ---- addresses in To, Cc, Bcc, From, … (RFC 5322 3.4), iterative ---- */

struct header_address {
	struct bytes mailbox; /* "a@b", "a", or "" for "<>"; view of value where
				 it needs no cleaning, else of scratch */
	struct bytes whole; /* the mailbox with display name and comments, as it
			       stands */
};

enum header_address_result {
	HEADER_ADDRESS,
	HEADER_ADDRESS_END,
	HEADER_ADDRESS_BAD /* unbalanced or nested beyond 100: EX_DATAERR */
};

/*
 * Take the next address from *value: comments (nested), quoted strings, groups,
 * routes, obsolete blanks and empty list members are understood, a missing
 * comma behind ">" is forgiven.  Words with no "@" between them keep one blank
 * ("John Doe"), which address_check() refuses.
 *
 * scratch holds mailboxes that had to be cleaned, until it is emptied or the
 * walk of another value begins; its ceiling is at least twice the value's
 * length. BAD ends the walk: *value is empty then.
 */
enum header_address_result header_next_address(struct bytes *value,
    struct buffer *scratch, struct header_address *out_address);
