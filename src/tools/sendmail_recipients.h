/*
 * Whom the message is for, from the command line and from its header, and from
 * whom.  Each mailbox is there once.  One that is no address is told of and
 * left out, so that it does not stop the others.
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/table.h"
#include "message/envelope.h"

#include <stdbool.h>
#include <stddef.h>

struct sendmail_recipients {
	struct envelope *envelope; /* borrowed: they are added to it */
	struct buffer *complaints; /* borrowed: a line for each left out */
	size_t refused;            /* how many were left out */
	struct table known;
};

/* envelope has no recipients yet. */
void sendmail_recipients_init(struct sendmail_recipients *recipients,
    struct envelope *envelope, struct buffer *complaints);
void sendmail_recipients_clear(struct sendmail_recipients *recipients);

/*
 * Add what an operand or a field names: one address or several, with names and
 * comments.  False: quotes or brackets are not balanced, so that nobody knows
 * whom it names.
 */
bool sendmail_recipients_add(struct sendmail_recipients *recipients,
    struct bytes text, struct error *error) MUST_USE;
/* Add those of To, Cc and Bcc, or of Resent-To, -Cc and -Bcc where any of them
 * is there.  False as above. */
bool sendmail_recipients_add_header(struct sendmail_recipients *recipients,
    struct bytes header, struct error *error) MUST_USE;

/* Set envelope's sender to the one address in text, with or without a name;
 * empty and "<>" are the null sender.  False: it is no address. */
bool sendmail_recipients_set_sender(
    struct envelope *envelope, struct bytes text, struct error *error) MUST_USE;
