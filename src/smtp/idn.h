/*
 * Domain names in other scripts as ASCII (RFC 5890, UTS 46): A-labels, for a
 * server that does not offer SMTPUTF8 (RFC 6531).
 *
 * libidn2 is known only here.
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"

#include <stdbool.h>

/* Append domain, UTF-8, with A-labels in place of what is not ASCII.  False,
 * and nothing appended, where it has none. */
bool idn_append_domain(struct buffer *buffer, struct bytes domain);
/*
 * The same of a mailbox (address.h), by its domain: false also where the local
 * part is not ASCII, which nothing but SMTPUTF8 can carry.
 */
bool idn_append_mailbox(struct buffer *buffer, struct bytes mailbox);
/* Would that do? */
bool idn_is_mailbox_sendable(struct bytes mailbox);
