/*
 * SMTP replies (RFC 5321 4.2, enhanced codes RFC 2034 and 3463): read line by
 * line as a client does, written as a server does.
 *
 * A reply is one or more lines with one code: "250-" has more to come, "250 "
 * is the last.  Nothing here reads a socket; the caller brings the bytes.
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"

#include <stdbool.h>

#define REPLY_LINE_MAX 8192 /* octets with CRLF */
#define REPLY_CHALLENGE_MAX                                                    \
	12288 /* the same of a line that begins with 334 (RFC 4954 4) */
#define REPLY_LINES_MAX 1024
#define REPLY_SIZE_MAX  (1024 * 1024) /* octets of all lines */

struct reply {
	int code;              /* 200 to 599 */
	struct bytes enhanced; /* "5.1.1" out of the first line, or empty */
	struct bytes text;     /* the lines without codes, joined by '\n'; the
				  enhanced code is part of it */
};

enum reply_progress {
	REPLY_UNFINISHED, /* more input is needed */
	REPLY_FINISHED,
	/*
	 * What came is no reply, changes the code midway, or outgrows a limit.
	 * We are out of step with the peer: close the connection.  The line at
	 * fault stays at the front of the input.
	 */
	REPLY_MALFORMED
};

/* Called with every line as it is taken, its end included. */
typedef void reply_line_fn(struct bytes line, void *ctx);

struct reply_reader {
	struct buffer text; /* owned */
	int code;           /* of the reply under way; 0: none */
	unsigned lines;
	bool finished;          /* text is that of a finished reply */
	reply_line_fn *on_line; /* NULL unless the owner sets it after init */
	void *ctx;
};

void reply_reader_init(struct reply_reader *reader);
void reply_reader_clear(struct reply_reader *reader);

/*
 * Take whole lines from input until a reply is complete.  Lines end in LF, a CR
 * before it belongs to the end; blanks at both ends of the text are dropped.
 * out_reply, set on REPLY_FINISHED only, is borrowed from reader until the next
 * call.
 */
enum reply_progress reply_read(
    struct reply_reader *reader, struct buffer *input, struct reply *out_reply);
/* Are lines of a reply read whose last line has not come? */
bool reply_is_begun(const struct reply_reader *reader);

/* The enhanced code at the front of text whose class fits code, or empty. */
struct bytes reply_enhanced(int code, struct bytes text);

/* "250 2.1.5 text\r\n"; enhanced may be empty; text is one line, octets that
 * are not printable ASCII are replaced by '?'. */
void reply_write(
    struct buffer *output, int code, const char *enhanced, const char *text);
