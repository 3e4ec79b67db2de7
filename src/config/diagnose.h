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
#include "config/source.h"

#include <stdbool.h>
#include <stddef.h>

struct diagnosis {
	struct source_place place;
	bool is_error;
	char *text;
};

struct diagnose {
	struct diagnosis *list; /* owned */
	size_t count;
	size_t errors;
};

void diagnose_init(struct diagnose *diagnose);
void diagnose_clear(struct diagnose *diagnose);
/* One line of text, printf-like: what is wrong; what to write instead. */
void diagnose_error(struct diagnose *diagnose, struct source_place place,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
void diagnose_warning(struct diagnose *diagnose, struct source_place place,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Append all of them, sorted. */
void diagnose_print(struct diagnose *diagnose, struct buffer *buffer);
