#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *
memory_given(void *memory)
{
	static const char text[] = "out of memory\n";

	if (memory != NULL)
		return memory;
	/* We abort either way. */
	ssize_t ignored = write(STDERR_FILENO, text, sizeof(text) - 1);
	(void)ignored;
	abort();
}

/* An allocation of nothing still has an address of its own. */
static size_t
at_least_one(size_t size)
{
	return size == 0 ? 1 : size;
}

void *
memory_new(size_t size)
{
	return memory_given(calloc(1, at_least_one(size)));
}

void *
memory_array(size_t count, size_t size)
{
	return memory_given(calloc(at_least_one(count), at_least_one(size)));
}

void *
memory_resize(void *memory, size_t size)
{
	return memory_given(realloc(memory, at_least_one(size)));
}

void *
memory_resize_array(void *memory, size_t count, size_t size)
{
	return memory_given(
	    reallocarray(memory, at_least_one(count), at_least_one(size)));
}

char *
memory_copy(struct bytes bytes)
{
	char *copy = memory_given(malloc(bytes.len + 1));

	memcpy(copy, bytes.data, bytes.len);
	copy[bytes.len] = '\0';
	return copy;
}

char *
memory_copy_text(const char *text)
{
	return memory_copy(bytes_of(text));
}

char *
memory_format(const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	int len = vasprintf(&text, format, args);
	va_end(args);
	return memory_given(len < 0 ? NULL : text);
}

void
secret_clear(void *secret, size_t size)
{
	if (size > 0)
		explicit_bzero(secret, size);
}
