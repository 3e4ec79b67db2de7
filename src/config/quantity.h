/*
 * Quantities as people write them in quotes: sizes, shares, permissions.
 * (Lengths of time: base/clock.h.)  Each is false, out_value untouched, for
 * anything else.
 */
#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

/* "512", "64K", "50M", "10G", "1T": octets; a K is 1024. */
bool quantity_parse_size(struct bytes text, int64_t *out_bytes);
/* "5%", 0 to 100. */
bool quantity_parse_percent(struct bytes text, int64_t *out_percent);
/* "0660" or "660": permissions, octal, at most 0777. */
bool quantity_parse_mode(struct bytes text, int64_t *out_mode);
