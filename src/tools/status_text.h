/*
 * What the daemon says of itself (GET /v1/status, GET /v1/queue/ID: see
 * control_server.h), laid out for people.
 */
#pragma once

#include "base/buffer.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct status_style {
	bool color;
	size_t columns; /* lines are cut to so many; 0: never */
	int64_t now_ms; /* wall clock */
};

/* What is missing in status, or of another type, is left out. */
void status_text(const json_t *status, const struct status_style *style,
    struct buffer *buffer);
/* Of the status, the ETRN nodes alone. */
void status_text_etrn(const json_t *status, const struct status_style *style,
    struct buffer *buffer);
/* One message of the queue, its header at the end. */
void status_text_message(const json_t *message,
    const struct status_style *style, struct buffer *buffer);
