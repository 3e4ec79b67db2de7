/*
 * Words of people in header fields: display names and free text that are not
 * ASCII, as encoded words (RFC 2047) or, in parameters, RFC 2231.
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"
#include "message/header.h"

#include <stdbool.h>

/* RFC 2047 2. */
#define PHRASE_WORD_MAX 75

/*
 * Append a display name (RFC 5322 phrase): bare, as a quoted string, or as
 * encoded words.  Control characters become '?'.  Empty gives "\"\"".
 */
void phrase_append(struct buffer *buffer, struct bytes name);
/* Append text, whatever it holds, as encoded words with a blank between them.
 * charset is that of octets that are not UTF-8, or NULL. */
void phrase_append_encoded(
    struct buffer *buffer, struct bytes text, const char *charset);

/*
 * Append field, which holds octets that are not ASCII, in ASCII: encoded words
 * in names, comments and free text, RFC 2231 in MIME parameters.  False,
 * nothing appended, where a mailbox is not ASCII: that needs SMTPUTF8.
 */
bool phrase_downgrade(struct buffer *buffer, const struct header_field *field,
    const char *charset);
