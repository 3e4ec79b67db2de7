/*
 * Texts that settings are read from: files, and variables of the environment.
 */
#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>

struct source {
	char *name;     /* as it is shown */
	unsigned order; /* diagnoses of a lower one are printed first */
	char *text;     /* NUL-ended, owned; overwritten before it is freed */
	size_t len;
	bool is_public; /* a file that everyone can read */
};

/* A stretch of a source; source NULL: nowhere. */
struct source_place {
	const struct source *source;
	size_t offset;
	size_t len;
};

/* Takes text, which is memory of its own with a NUL behind len octets. */
struct source *source_new(
    const char *name, unsigned order, char *text, size_t len);
/* Forget the text: it may hold a password.  The name stays. */
void source_forget(struct source *source);
void source_free(struct source *source);
/* Counted from 1. */
unsigned source_line(const struct source *source, size_t offset);
/* The line that offset is in, without its end; out_column from 0, in octets. */
struct bytes source_line_text(
    const struct source *source, size_t offset, size_t *out_column);
