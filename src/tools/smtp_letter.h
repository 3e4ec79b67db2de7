/*
 * A letter to be sent: out of a file, standard input, or made for a test; and
 * feeding it to the library, with a word on the terminal where that takes long.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "tools/smtp_words.h"

#include <stdbool.h>
#include <stdint.h>

/* Octets of one letter. */
#define SMTP_LETTER_MAX ((size_t)1 << 30)

/* Append the file called name; "-" is standard input. */
bool smtp_letter_read(
    const char *name, struct buffer *content, struct error *error) MUST_USE;
/*
 * Append a test letter with LF line ends: words->headers take the place of what
 * we would write.  False: ERROR_CONFIG where one of them is no header line.
 */
bool smtp_letter_make(const struct smtp_words *words, const char *from,
    struct buffer *content, struct error *error) MUST_USE;
/* Octets with CRLF line ends, the last line's too. */
uint64_t smtp_letter_wire_size(struct bytes content);
/* The caller's login at hostname; to be freed. */
char *smtp_letter_sender(const char *hostname);

/* Gives content piece by piece; smtp_letter_feed_fn is a smtp_read_fn of it,
 * which can begin again. */
struct smtp_letter_feed {
	struct bytes content; /* borrowed */
	size_t given;         /* octets of it */
	bool is_told;         /* on a terminal */
	int64_t told_at;      /* monotonic ms */
};

void smtp_letter_feed_begin(
    struct smtp_letter_feed *feed, struct bytes content);
int64_t smtp_letter_feed_fn(void *arg, void *buffer, size_t capacity);
/* Take the word off the terminal again. */
void smtp_letter_feed_end(struct smtp_letter_feed *feed);
