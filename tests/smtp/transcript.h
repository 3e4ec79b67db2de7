/*
 * Conversations as text, for the protocol cores: read, cut and compared.
 *
 * A transcript is lines of "K: text", K being what the line is; blanks before K
 * do not matter.  The text may hold \r \n \t \0 \\ and \xNN.  What the kinds
 * mean is the test's business, but two do the same everywhere:
 *
 *   C: what the client sends, a CRLF is added     S: what the server sends
 *
 * A runner plays a transcript and writes what it saw into a log of the same
 * form; transcript_check() compares that with the transcript's lines, with the
 * input whole, byte by byte, and in random cuts.  An expected line that ends in
 * "*" matches all that begins so.
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"

#include <stdbool.h>

struct transcript_line {
	char kind;
	struct bytes text; /* as written, a view of the transcript */
};

/* False at the end of the transcript. */
bool transcript_next(struct bytes *rest, struct transcript_line *out_line);

void transcript_unescape(struct buffer *buffer, struct bytes text);
/* Printable ASCII stays, but for the backslash. */
void transcript_escape(struct buffer *buffer, struct bytes octets);

enum transcript_cutting {
	TRANSCRIPT_WHOLE,
	TRANSCRIPT_BYTES,
	TRANSCRIPT_RANDOM
};

struct transcript_cuts {
	enum transcript_cutting cutting;
	unsigned seed; /* changes with every piece */
};

/* How many of the octets left, at least one, to bring next. */
size_t transcript_piece(struct transcript_cuts *cuts, size_t left);

/* Play text; append "K: text\n" for each thing seen to log. */
typedef void transcript_run_fn(const char *text, struct transcript_cuts *cuts,
    struct buffer *log, void *ctx);

/*
 * Run text in all ways of cutting; the log must be the lines of text whose kind
 * is among kinds.  Fails the test with name, the cuts and both.  The seed is
 * taken from TRANSCRIPT_SEED where that is set.
 */
void transcript_check(const char *name, const char *text, const char *kinds,
    transcript_run_fn *run, void *ctx);
