/*
 * The message as it comes on standard input, to its end.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* Octets that are taken in at all; the daemon's own limit is far below. */
#define SENDMAIL_INPUT_MAX ((size_t)1 << 30)

/*
 * Read fd to its end and append it to content with CRLF line ends, whichever it
 * had; a last line that has none gets one.  fd may be non-blocking.
 *
 * lone_dot: a line of a single dot is the end, too, as people type it.
 *
 * False: ERROR_SYSTEM where reading failed, ERROR_LIMIT where it is too large.
 * Nothing of it may be sent then.
 */
bool sendmail_input_read(int fd, bool lone_dot, struct buffer *content,
    struct error *error) MUST_USE;

/*
 * Read fd to its end and throw it away, so that whoever writes to it is not
 * killed by SIGPIPE: at most SENDMAIL_INPUT_MAX octets and half a minute, and
 * nothing of a terminal.
 */
void sendmail_input_drain(int fd);
