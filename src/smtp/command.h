/*
 * Command lines (RFC 5321 4.1, with the verbs of 1985, 2033, 2645, 3030, 3207,
 * 4954): one table of verbs, for reading and for writing.
 *
 * What a verb means, and when it may be said, is the server's and the client's
 * business.
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"

#include <stdbool.h>

enum command_verb {
	COMMAND_HELO,
	COMMAND_EHLO,
	COMMAND_LHLO,
	COMMAND_MAIL,
	COMMAND_RCPT,
	COMMAND_DATA,
	COMMAND_BDAT,
	COMMAND_RSET,
	COMMAND_NOOP,
	COMMAND_QUIT,
	COMMAND_HELP,
	COMMAND_VRFY,
	COMMAND_EXPN,
	COMMAND_ETRN,
	COMMAND_ATRN,
	COMMAND_STARTTLS,
	COMMAND_AUTH,
	COMMAND_OBSOLETE, /* SEND, SOML, SAML, TURN */
	COMMAND_HTTP,     /* the methods of HTTP: a browser talks to us */
	COMMAND_UNKNOWN
};

/* Octets of a line with its end: four times RFC 5321 4.5.3.1.4, more where
 * paths and parameters stand. */
#define COMMAND_LINE_MAX      2048
#define COMMAND_LINE_MAX_LONG 4096

struct command {
	enum command_verb verb;
	struct bytes
	    argument; /* a view of the line, without blanks at its ends */
};

/*
 * Take a line, without its end, apart.  The verb is what stands before the
 * first blank or tab, read without case; how many blanks follow it does not
 * matter.
 */
struct command command_read(struct bytes line);
/* How long may the line become that begins so? */
size_t command_line_max(struct bytes start);

/* "MAIL", "STARTTLS"; "" for those that are only read: OBSOLETE and on. */
const char *command_name(enum command_verb verb);
/*
 * Append "VERB argument\r\n", or without a blank where argument is empty.
 * False, and nothing appended, where argument holds CR, LF or NUL.
 */
bool command_write(struct buffer *buffer, enum command_verb verb,
    struct bytes argument) __attribute__((warn_unused_result));
