/*
 * What is wrong with a configuration, told so that it can be put right: file,
 * line, column, the line itself with a caret, and what to write instead.
 *
 *   postrider.conf:4:1: error: unknown setting 'passwordfile'; did you mean
 * 'password_file'? 4 | passwordfile = "/etc/postrider/password" | ^~~~~~~~~~~~
 *
 * Diagnoses are gathered and printed in the order of files and lines, whatever
 * the order in which they were found.
 */
#pragma once

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>

/* A text that settings are read from: a file, or a variable of the environment.
 */
struct source {
	char *name;     /* as it is shown */
	unsigned order; /* diagnoses of a lower one are printed first */
	char *text;     /* NUL-ended, owned; overwritten before it is freed */
	size_t len;
	bool is_public; /* a file that everyone can read */
};

/* A stretch of a source; source NULL: nowhere. */
struct place {
	const struct source *source;
	size_t offset;
	size_t len;
};

struct diagnosis {
	struct place place;
	bool is_error;
	char *text;
};

struct diagnose {
	struct diagnosis *list; /* owned */
	size_t count;
	size_t errors;
};

/* Takes text, which is memory of its own with a NUL behind len octets. */
struct source *source_new(
    const char *name, unsigned order, char *text, size_t len);
/* Forget the text: it may hold a password.  The name stays. */
void source_forget(struct source *source);
void source_free(struct source *source);
/* Counted from 1. */
unsigned source_line(const struct source *source, size_t offset);

void diagnose_init(struct diagnose *diagnose);
void diagnose_clear(struct diagnose *diagnose);
/* One line of text, printf-like: what is wrong; what to write instead. */
void diagnose_error(struct diagnose *diagnose, struct place place,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
void diagnose_warning(struct diagnose *diagnose, struct place place,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Append all of them, sorted. */
void diagnose_print(struct diagnose *diagnose, struct buffer *buffer);

/* ---- what may have been meant ---- */

/* best is the candidate nearest to word; NULL while none is near enough. */
struct guess {
	const char *word;
	const char *best;
	unsigned distance; /* of best */
};

struct guess guess_begin(const char *word);
void guess_try(struct guess *guess, const char *candidate);
