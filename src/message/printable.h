/*
 * Text that others wrote, made safe to show: in logs, reports, mailq and header
 * comments.  A peer's reply, a subject, a client's name.
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Append text as one line of printable characters, at most max octets: a run of
 * blanks, tabs and line ends becomes one blank, none at either end; other
 * control characters, octets that are not UTF-8, and characters that turn or
 * break lines (U+0080 to U+009F, bidi controls, U+2028, U+2029, U+FEFF) become
 * '?'. utf8 false: so does everything that is not ASCII.  What is cut off ends
 * in
 * "...".
 */
void printable_append(
    struct buffer *buffer, struct bytes text, size_t max, bool utf8);
/* The same in a string of its own; the caller frees it. */
char *printable_copy(struct bytes text, size_t max, bool utf8);
