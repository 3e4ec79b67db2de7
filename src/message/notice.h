/*
 * The part of a report that people read: what happened to which message, what
 * the upstream said, and what to do.
 */
#pragma once

#include "base/buffer.h"
#include "message/dsn.h"

#include <stdbool.h>

/* Append it as CRLF lines of UTF-8; full: the whole message will follow. */
void notice_append(const struct dsn *dsn, struct buffer *buffer, bool full);
