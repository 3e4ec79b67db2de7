/*
 * Borrowed runs of bytes: a pointer and a length, passed by value.
 *
 * Bytes own nothing.  Whoever hands them out says until when they are valid.
 * data is never NULL, not even when len is 0.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct bytes {
	const char *data;
	size_t len;
};

#define BYTES_NONE ((struct bytes){"", 0})
/* Bytes of a string literal. */
#define BYTES(literal) ((struct bytes){"" literal, sizeof(literal) - 1})
/* For "%.*s": two arguments. */
#define BYTES_ARGS(bytes) ((int)(bytes).len), ((bytes).data)

struct bytes bytes_make(const void *data, size_t len);

/* text is borrowed; NULL counts as empty. */
static inline struct bytes
bytes_of(const char *text)
{
	return text == NULL ? BYTES_NONE : (struct bytes){text, strlen(text)};
}

/* The first len bytes, or all where there are fewer. */
static inline struct bytes
bytes_first(struct bytes bytes, size_t len)
{
	return (struct bytes){bytes.data, len < bytes.len ? len : bytes.len};
}

/* What follows the first skip bytes; empty where there are fewer. */
static inline struct bytes
bytes_from(struct bytes bytes, size_t skip)
{
	size_t skipped = skip < bytes.len ? skip : bytes.len;
	return (struct bytes){bytes.data + skipped, bytes.len - skipped};
}

/* RFC 5234 WSP. */
static inline bool
bytes_is_blank_char(char c)
{
	return c == ' ' || c == '\t';
}

static inline bool
bytes_is_line_end_char(char c)
{
	return c == '\r' || c == '\n';
}

/* Either. */
static inline bool
bytes_is_space_char(char c)
{
	return bytes_is_blank_char(c) || bytes_is_line_end_char(c);
}

/* Without blanks, tabs, CR and LF at both ends. */
struct bytes bytes_trim(struct bytes bytes);

bool bytes_equal(struct bytes a, struct bytes b);
/* ASCII letters compare without case; all other bytes as they are. */
bool bytes_equal_nocase(struct bytes a, struct bytes b);
bool bytes_is(struct bytes a, const char *text);
bool bytes_is_nocase(struct bytes a, const char *text);
bool bytes_has_prefix(struct bytes bytes, const char *prefix);
bool bytes_has_prefix_nocase(struct bytes bytes, const char *prefix);
bool bytes_has_suffix_nocase(struct bytes bytes, const char *suffix);

/* Index of the first byte c, or bytes.len where there is none. */
static inline size_t
bytes_index(struct bytes bytes, char c)
{
	const char *found = (const char *)memchr(bytes.data, c, bytes.len);
	return found == NULL ? bytes.len : (size_t)(found - bytes.data);
}

/* Index of the last byte c, or bytes.len where there is none. */
size_t bytes_last_index(struct bytes bytes, char c);

static inline bool
bytes_contains(struct bytes bytes, char c)
{
	return memchr(bytes.data, c, bytes.len) != NULL;
}

/* Index of the first occurrence of needle (0 when empty), or bytes.len. */
size_t bytes_search(struct bytes bytes, struct bytes needle);

/*
 * Cut *rest at the first separator: returns what stood before it and leaves
 * in *rest what follows it.  Without a separator everything is returned and
 * *rest is empty.
 */
struct bytes bytes_cut(struct bytes *rest, char separator);

/* Only octets 0x00 to 0x7f. */
bool bytes_is_ascii(struct bytes bytes);
/* Well-formed UTF-8 (RFC 3629): no overlong form, surrogate or > U+10FFFF. */
bool bytes_is_utf8(struct bytes bytes);
/* Length of the UTF-8 character bytes begins with; 0 where there is none. */
size_t bytes_utf8_len(struct bytes bytes);
/* Holds an octet below 0x20 (tab too) or 0x7f. */
bool bytes_has_control(struct bytes bytes);

/*
 * An unsigned decimal number: digits only, at least one, at most max.
 * False (out_value untouched) for anything else, overflow included.
 */
bool bytes_to_u64(
    struct bytes bytes, unsigned long long max, unsigned long long *out_value);
