/* Single commands: how their lines are put together. */
#pragma once

#include "base/buffer.h"
#include "lib/smtp_session.h"

/* Octets of a line; the core has a ceiling of its own. */
#define SMTP_ORDER_MAX ((size_t)64 * 1024)

/* Append verb, "mail from:", as the settings write it. */
void smtp_order_verb(
    const struct smtp *session, struct buffer *line, const char *verb);
/* Append " A B" of a list that ends in NULL, or is NULL. */
void smtp_order_options(struct buffer *line, const char *const *options);
/* Is name (without case) the keyword of one of them? */
bool smtp_order_has_option(const char *const *options, const char *name);
/* May line be said?  SMTP_OK, SMTP_E_INVAL or SMTP_E_ENCODING, told. */
int smtp_order_check(struct smtp *session, struct bytes line);
