/*
 * Allocation that is zeroed and never fails: out of memory aborts.  Accepted
 * mail is on disk and the service manager starts us again, so no caller has
 * an out-of-memory path; instead, everything a peer can make grow has a
 * ceiling of its own.
 */
#pragma once

#include "base/bytes.h"

#include <stddef.h>

/* Takes what an allocator gave, a library's own perhaps; returns it only if
 * there is some. */
void *memory_given(void *memory);

/* The caller owns the result and releases it with free(). */
void *memory_new(size_t size);
/* count * size, checked for overflow. */
void *memory_array(size_t count, size_t size);
/* As realloc; the new part is not zeroed. */
void *memory_resize(void *memory, size_t size);
/* As memory_resize, for count elements of size, checked for overflow. */
void *memory_resize_array(void *memory, size_t count, size_t size);
/* A NUL-ended copy; a NUL inside bytes is kept. */
char *memory_copy(struct bytes bytes);
char *memory_copy_text(const char *text);
/* As asprintf. */
char *memory_format(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* Overwrite size octets so that the compiler cannot leave it out. */
void secret_clear(void *secret, size_t size);
