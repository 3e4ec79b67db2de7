#include "base/buffer.h"

#include "base/memory.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY ((size_t)256)
/* Secrets (passwords, tokens) are shorter than this. */
#define SECRET_SIZE_MAX ((size_t)4096)

static size_t
room_behind(const struct buffer *buffer)
{
	return buffer->capacity - buffer->start - buffer->len;
}

static void
move_to_front(struct buffer *buffer)
{
	assert(buffer->memory != NULL);
	memmove(buffer->memory, buffer->memory + buffer->start, buffer->len);
	buffer->start = 0;
}

/* Doubles at least, so that a long run of appends copies each octet O(1). */
static size_t
next_capacity(const struct buffer *buffer, size_t needed)
{
	size_t capacity = buffer->capacity < FIRST_CAPACITY ? FIRST_CAPACITY
							    : buffer->capacity;

	while (capacity < needed)
		capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
	return capacity;
}

/*
 * To capacity octets, the bytes at the front; nobody reads behind them, so they
 * are not zeroed.  A small buffer may hold a secret, so what it leaves behind
 * is overwritten; a large one is moved by realloc, which need not copy.
 */
static void
resize(struct buffer *buffer, size_t capacity)
{
	if (buffer->capacity > SECRET_SIZE_MAX) {
		move_to_front(buffer);
		buffer->memory = memory_resize(buffer->memory, capacity);
	} else {
		char *memory = memory_resize(NULL, capacity);
		if (buffer->memory != NULL) {
			memcpy(memory, buffer->memory + buffer->start,
			    buffer->len);
			secret_clear(buffer->memory, buffer->capacity);
			free(buffer->memory);
		}
		buffer->memory = memory;
		buffer->start = 0;
	}
	buffer->capacity = capacity;
}

/*
 * Moving is cheap as long as more octets were consumed than are moved; else
 * grow, so that many are consumed until the next time.
 */
static void
move_or_grow(struct buffer *buffer, size_t size)
{
	assert(size <= SIZE_MAX - buffer->start - buffer->len);
	size_t needed = buffer->len + size;

	if (buffer->memory != NULL && needed <= buffer->capacity &&
	    buffer->len <= buffer->start)
		move_to_front(buffer);
	else
		resize(buffer, next_capacity(buffer, needed + buffer->start));
}

/* Memory for size octets behind the bytes, whatever the limit says. */
static char *
make_room(struct buffer *buffer, size_t size)
{
	if (buffer->memory == NULL || room_behind(buffer) < size)
		move_or_grow(buffer, size);
	return buffer->memory + buffer->start + buffer->len;
}

void
buffer_init(struct buffer *buffer, size_t limit)
{
	*buffer = (struct buffer){.limit = limit};
}

void
buffer_clear(struct buffer *buffer)
{
	free(buffer->memory);
	buffer_init(buffer, buffer->limit);
}

void
buffer_clear_secret(struct buffer *buffer)
{
	secret_clear(buffer->memory, buffer->capacity);
	buffer_clear(buffer);
}

void
buffer_empty(struct buffer *buffer)
{
	buffer->start = 0;
	buffer->len = 0;
	buffer->overflowed = false;
}

struct bytes
buffer_bytes(const struct buffer *buffer)
{
	if (buffer->memory == NULL)
		return BYTES_NONE;
	return (struct bytes){buffer->memory + buffer->start, buffer->len};
}

void
buffer_append(struct buffer *buffer, struct bytes bytes)
{
	if (bytes.len == 0)
		return;
	char *room = buffer_reserve(buffer, bytes.len);
	if (room == NULL)
		return;
	memcpy(room, bytes.data, bytes.len);
	buffer->len += bytes.len;
}

void
buffer_append_text(struct buffer *buffer, const char *text)
{
	buffer_append(buffer, bytes_of(text));
}

void
buffer_append_char(struct buffer *buffer, char c)
{
	if (buffer->memory == NULL || buffer->len == buffer->limit ||
	    room_behind(buffer) == 0) {
		buffer_append(buffer, bytes_make(&c, 1));
		return;
	}
	buffer->memory[buffer->start + buffer->len] = c;
	buffer->len++;
}

void
buffer_printf(struct buffer *buffer, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buffer_vprintf(buffer, format, args);
	va_end(args);
}

void
buffer_vprintf(struct buffer *buffer, const char *format, va_list args)
{
	size_t room = room_behind(buffer);
	char *end =
	    room > 0 ? buffer->memory + buffer->start + buffer->len : NULL;
	va_list again;

	va_copy(again, args);
	int len = vsnprintf(end, room, format, args);
	size_t size = (size_t)len + 1; /* vsnprintf ends with a NUL */
	/* Longer than INT_MAX is past every ceiling, too. */
	bool fits = len >= 0 && (size_t)len <= buffer->limit - buffer->len;
	if (fits && size > room)
		(void)vsnprintf(make_room(buffer, size), size, format, again);
	va_end(again);
	if (fits)
		buffer->len += (size_t)len;
	else
		buffer->overflowed = true;
}

void
buffer_consume(struct buffer *buffer, size_t len)
{
	assert(len <= buffer->len);
	buffer->len -= len;
	buffer->start = buffer->len == 0 ? 0 : buffer->start + len;
}

void
buffer_truncate(struct buffer *buffer, size_t len)
{
	assert(len <= buffer->len);
	buffer->len = len;
}

char *
buffer_reserve(struct buffer *buffer, size_t size)
{
	if (size > buffer->limit - buffer->len) {
		buffer->overflowed = true;
		return NULL;
	}
	return make_room(buffer, size);
}

void
buffer_commit(struct buffer *buffer, size_t size)
{
	assert(size <= room_behind(buffer));
	assert(size <= buffer->limit - buffer->len);
	buffer->len += size;
}

char *
buffer_to_text(const struct buffer *buffer)
{
	return memory_copy(buffer_bytes(buffer));
}
