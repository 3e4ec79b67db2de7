/*
 * A letter to be sent: out of a file, standard input, or made for a test; and
 * feeding it to the library, with a word on the terminal where that takes long.
 *
 * Of a letter of any size no more than its first octets are in memory.  The
 * others are read where they lie: in its file, or, where it cannot be read
 * twice, in a file without a name ($TMPDIR, else /tmp).
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "lib/smtp_spool.h"
#include "tools/smtp_words.h"

#include <stdbool.h>
#include <stdint.h>

/* Octets that are in memory: all of most letters, and the header of any. */
#define SMTP_LETTER_HEAD_MAX ((size_t)1024 * 1024)

struct smtp_letter {
	struct bytes head;      /* of kept, or borrowed */
	struct buffer kept;     /* owned */
	struct smtp_spool rest; /* owned: the octets behind head; fd -1: none */
	uint64_t offset;        /* where they begin there; rest.len is theirs */
};

/* What has to be known before it is sent. */
struct smtp_letter_facts {
	uint64_t len;
	uint64_t wire_len; /* with CRLF line ends, the last line's too */
	bool is_8bit;
	bool has_long_line; /* see dot.h */
};

/* The file called name; "-" is standard input.  letter is to be closed in any
 * case. */
bool smtp_letter_open(
    const char *name, struct smtp_letter *letter, struct error *error) MUST_USE;
/* One that is in memory, borrowed. */
struct smtp_letter smtp_letter_of(struct bytes content);
void smtp_letter_close(struct smtp_letter *letter);
/* Reads all of it; false where that failed. */
bool smtp_letter_survey(const struct smtp_letter *letter,
    struct smtp_letter_facts *out_facts, struct error *error) MUST_USE;

/*
 * Append a test letter with LF line ends: words->headers take the place of what
 * we would write.  False: ERROR_CONFIG where one of them is no header line.
 */
bool smtp_letter_make(const struct smtp_words *words, const char *from,
    struct buffer *content, struct error *error) MUST_USE;
/* The caller's login at hostname; to be freed. */
char *smtp_letter_sender(const char *hostname);

/* Gives a letter piece by piece; smtp_letter_feed_fn is a smtp_read_fn of it,
 * which can begin again. */
struct smtp_letter_feed {
	const struct smtp_letter *letter; /* borrowed */
	uint64_t given;                   /* octets of it */
	bool is_told;                     /* on a terminal */
	int64_t told_at;                  /* monotonic ms */
};

void smtp_letter_feed_begin(
    struct smtp_letter_feed *feed, const struct smtp_letter *letter);
int64_t smtp_letter_feed_fn(void *arg, void *buffer, size_t capacity);
/* Take the word off the terminal again. */
void smtp_letter_feed_end(struct smtp_letter_feed *feed);
