/*
 * Growable bytes with a ceiling.
 *
 * An append that would pass the ceiling appends nothing and sets overflowed,
 * which stays set until buffer_empty() or buffer_clear(): write everything,
 * then ask once.
 *
 * Taking bytes from the front (buffer_consume) is cheap: the front is given
 * back when the buffer grows or runs empty.
 */
#pragma once

#include "base/bytes.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buffer {
	char *memory;    /* owned; NULL until the first append */
	size_t start;    /* of the unconsumed bytes in memory */
	size_t len;      /* unconsumed octets */
	size_t capacity; /* octets of memory */
	size_t limit;    /* ceiling for len */
	bool overflowed;
};

void buffer_init(struct buffer *buffer, size_t limit);
/* Release the memory; the buffer is as after buffer_init(). */
void buffer_clear(struct buffer *buffer);
/* As buffer_clear, overwriting the memory first: for secrets. */
void buffer_clear_secret(struct buffer *buffer);
/* Forget the bytes, keep the memory. */
void buffer_empty(struct buffer *buffer);

/* Valid until the next change of buffer. */
struct bytes buffer_bytes(const struct buffer *buffer);

void buffer_append(struct buffer *buffer, struct bytes bytes);
void buffer_append_text(struct buffer *buffer, const char *text);
void buffer_append_char(struct buffer *buffer, char c);
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void buffer_vprintf(struct buffer *buffer, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* Drop the first len octets; len is at most buffer->len. */
void buffer_consume(struct buffer *buffer, size_t len);
/* Keep only the first len octets; len is at most buffer->len. */
void buffer_truncate(struct buffer *buffer, size_t len);

/*
 * Room for at least size octets behind the bytes, to be filled by read() and
 * then claimed with buffer_commit().  NULL, and overflowed, past the ceiling.
 * Valid until the next change of buffer.
 */
char *buffer_reserve(struct buffer *buffer, size_t size);
void buffer_commit(struct buffer *buffer, size_t size);

/* The bytes as a NUL-ended string of their own; the caller frees it. */
char *buffer_to_text(const struct buffer *buffer);
