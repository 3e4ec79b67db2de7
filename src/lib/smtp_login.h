/* Mechanisms of AUTH that a smtp_auth_fn need not know itself. */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"

#include <stdbool.h>

/* Append the octets that base64 stands for; false (output untouched) where it
 * is none. */
bool smtp_login_decode(struct buffer *output, struct bytes base64);
