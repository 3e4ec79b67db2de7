/*
 * Passwords: where one is kept, and getting it at the start.  Never from an
 * argument, never into a log, never into what config_show() prints.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum secret_source {
	SECRET_NONE,
	SECRET_FILE,       /* text: an absolute path */
	SECRET_CREDENTIAL, /* text: a name in $CREDENTIALS_DIRECTORY */
	SECRET_VALUE,      /* text: itself */
	SECRET_COMMAND     /* argv: run without a shell */
};

struct secret {
	enum secret_source source;
	char *text;  /* owned, or NULL */
	char **argv; /* owned, NULL-ended, or NULL */
};

/* Overwrites what it held. */
void secret_release(struct secret *secret);

/*
 * Is this file fit to hold a secret?  A regular file (links are followed),
 * owned by root or by us, that no one else can read, and no group but root's or
 * ours. The error says which command puts it right.
 */
bool secret_check_file(const char *path, struct error *error) MUST_USE;

/*
 * Get the secret: the first line of the file, credential or command's output,
 * without its line end, at most 64 KiB.
 *
 * credentials_directory  $CREDENTIALS_DIRECTORY, or NULL
 * out_text               the caller's, to be given to secret_forget()
 *
 * A command gets a clean environment (PATH alone), /dev/null as its input and
 * 10 s.  Blocks: for starts and for the moment after a 535 only.  SECRET_NONE
 * is our bug.
 */
bool secret_load(const struct secret *secret, const char *credentials_directory,
    char **out_text, struct error *error) MUST_USE;
/* Overwrite and free; NULL does nothing. */
void secret_forget(char *text);
