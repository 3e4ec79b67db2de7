/*
 * The parameters of MAIL and RCPT out of --ret, --notify, --by and their like:
 * RFC 2852, 3461, 4865, 6710, 8689.
 */
#pragma once

#include "base/error.h"
#include "lib/postrider/smtp.h"
#include "tools/smtp_words.h"

#include <stdbool.h>

struct smtp_wishes {
	struct smtp_list mail;
	struct smtp_list rcpt;
};

/* ERROR_CONFIG where a value makes no sense.  out_wishes is to be cleared in
 * any case. */
bool smtp_wishes_make(const struct smtp_words *words,
    struct smtp_wishes *out_wishes, struct error *error) MUST_USE;
void smtp_wishes_clear(struct smtp_wishes *wishes);
