/*
 * Passwords: where one is kept, and getting it at the start.  Never from an
 * argument, never into a log, never into what config_show() prints.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* At most one of the four is there; the others are "" or of length 0. */
struct secret {
	char *file;       /* an absolute path */
	char *credential; /* a name in $CREDENTIALS_DIRECTORY */
	char *value;      /* itself */
	char **command;   /* an argv, NULL-ended */
	size_t command_len;
};

bool secret_is_there(const struct secret *secret);

/*
 * Is this file fit to hold a secret?  A regular file (links are followed),
 * owned by root or by us, that no one else can read, and no group but root's or
 * ours. The error says which command puts it right.  root may look at any
 * owner's.
 */
bool secret_check_file(const char *path, struct error *error) MUST_USE;

/*
 * Get the secret: the first line of the file, the credential or the command's
 * output, without its line end, at most 64 KiB; empty is an error.
 *
 * credentials_directory  $CREDENTIALS_DIRECTORY, or NULL
 * out_text               the caller's, to be given to secret_forget()
 *
 * A command gets a clean environment (PATH alone), /dev/null as its input and
 * 10 s.  Blocks: for starts and for the moment after a 535 only.  A secret that
 * is not there is our bug.
 */
bool secret_load(const struct secret *secret, const char *credentials_directory,
    char **out_text, struct error *error) MUST_USE;
/* Overwrite and free; NULL does nothing. */
void secret_forget(char *text);
