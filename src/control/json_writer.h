/*
 * JSON written piece by piece into a buffer (RFC 8259), with commas and quotes
 * in their places.  key is NULL for the elements of an array and for what
 * stands alone.
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

#define JSON_WRITER_DEPTH_MAX 16

struct json_writer {
	struct buffer *buffer; /* borrowed */
	unsigned depth;
	char
	    closers[JSON_WRITER_DEPTH_MAX]; /* '}' or ']' for each open level */
	bool comma; /* an element stands before at this level */
};

void json_writer_init(struct json_writer *writer, struct buffer *buffer);

void json_writer_object(struct json_writer *writer, const char *key);
void json_writer_array(struct json_writer *writer, const char *key);
/* Close the innermost object or array. */
void json_writer_end(struct json_writer *writer);
/* Close all that is open and write '\n': one line of JSON Lines. */
void json_writer_end_line(struct json_writer *writer);

/* What is not UTF-8 in text becomes U+FFFD.  NULL is written as null. */
void json_writer_text(
    struct json_writer *writer, const char *key, const char *text);
void json_writer_bytes(
    struct json_writer *writer, const char *key, struct bytes text);
void json_writer_number(
    struct json_writer *writer, const char *key, int64_t number);
void json_writer_bool(struct json_writer *writer, const char *key, bool value);
void json_writer_null(struct json_writer *writer, const char *key);
/* "2026-11-23T05:52:00.123Z"; null for 0, negative and CLOCK_NEVER. */
void json_writer_time(
    struct json_writer *writer, const char *key, int64_t wall_ms);
