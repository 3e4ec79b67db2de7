/* Times as people read them: in local time, and how far from now. */
#pragma once

#include "base/buffer.h"

#include <stdbool.h>
#include <stdint.h>

/* RFC 3339 in UTC, as json_writer_time() writes it.  False for anything else,
 * NULL too. */
bool when_parse(const char *text, int64_t *out_wall_ms);
/* "2026-11-23 05:52:00" in local time. */
void when_append_local(struct buffer *buffer, int64_t wall_ms);
/* "in 4m", "3h12m ago", "now". */
void when_append_distance(
    struct buffer *buffer, int64_t wall_ms, int64_t now_ms);
/* Its two largest units: "45s", "3h12m", "2d4h". */
void when_append_length(struct buffer *buffer, int64_t length_ms);
