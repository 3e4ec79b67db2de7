/*
 * What went wrong in the world outside (disk, configuration, socket), as one
 * line of text that reads outward in:
 *
 *   recover /var/spool/postrider: open 0000000a.log: Permission denied
 *
 * A function that can fail so returns bool, takes struct error *error as its
 * last parameter and leaves its out-parameters untouched on failure.  What a
 * peer says is never an error: that is a value.
 */
#pragma once

#include "base/bytes.h"

#include <stdbool.h>

#define MUST_USE __attribute__((warn_unused_result))

enum error_kind {
	ERROR_NONE,
	ERROR_SYSTEM,  /* a system call failed; number is its errno */
	ERROR_CONFIG,  /* what the administrator wrote */
	ERROR_DATA,    /* what was read is damaged or not of its form */
	ERROR_RESOLVE, /* name resolution */
	ERROR_TLS,     /* handshake, certificate, record layer */
	ERROR_TIMEOUT,
	ERROR_CLOSED, /* the peer closed the connection */
	ERROR_LIMIT   /* a ceiling of ours was reached */
};

struct error {
	enum error_kind kind;
	int number; /* errno, or 0 */
	char text[512];
};

/*
 * All return false, so that a caller can say: return error_set(...).  Text that
 * does not fit is cut.  The arguments may borrow from error.
 */

/* "text", printf-like. */
bool error_set(struct error *error, enum error_kind kind, const char *format,
    ...) __attribute__((format(printf, 3, 4)));
/* "text: strerror(errno)"; errno is taken at the call. */
bool error_system(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Prepend "text: " to what error already says; it says something. */
bool error_context(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The line, never NULL. */
const char *error_text(const struct error *error);
