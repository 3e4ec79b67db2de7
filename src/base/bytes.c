#include "base/bytes.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

struct bytes
bytes_make(const void *data, size_t len)
{
	assert(data != NULL || len == 0);
	return data == NULL ? BYTES_NONE : (struct bytes){data, len};
}

struct bytes
bytes_trim(struct bytes bytes)
{
	while (bytes.len > 0 && bytes_is_space_char(bytes.data[0]))
		bytes = bytes_from(bytes, 1);
	while (bytes.len > 0 && bytes_is_space_char(bytes.data[bytes.len - 1]))
		bytes.len--;
	return bytes;
}

bool
bytes_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

bool
bytes_equal_nocase(struct bytes a, struct bytes b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++) {
		if (lower(a.data[i]) != lower(b.data[i]))
			return false;
	}
	return true;
}

bool
bytes_is(struct bytes a, const char *text)
{
	return bytes_equal(a, bytes_of(text));
}

bool
bytes_is_nocase(struct bytes a, const char *text)
{
	return bytes_equal_nocase(a, bytes_of(text));
}

bool
bytes_has_prefix(struct bytes bytes, const char *prefix)
{
	struct bytes wanted = bytes_of(prefix);
	return bytes_equal(bytes_first(bytes, wanted.len), wanted);
}

bool
bytes_has_prefix_nocase(struct bytes bytes, const char *prefix)
{
	struct bytes wanted = bytes_of(prefix);
	return bytes_equal_nocase(bytes_first(bytes, wanted.len), wanted);
}

bool
bytes_has_suffix_nocase(struct bytes bytes, const char *suffix)
{
	struct bytes wanted = bytes_of(suffix);
	if (wanted.len > bytes.len)
		return false;
	return bytes_equal_nocase(
	    bytes_from(bytes, bytes.len - wanted.len), wanted);
}

size_t
bytes_last_index(struct bytes bytes, char c)
{
	const char *found = memrchr(bytes.data, c, bytes.len);
	return found == NULL ? bytes.len : (size_t)(found - bytes.data);
}

size_t
bytes_search(struct bytes bytes, struct bytes needle)
{
	const char *found =
	    memmem(bytes.data, bytes.len, needle.data, needle.len);
	return found == NULL ? bytes.len : (size_t)(found - bytes.data);
}

struct bytes
bytes_cut(struct bytes *rest, char separator)
{
	size_t end = bytes_index(*rest, separator);
	struct bytes before = bytes_first(*rest, end);

	*rest = bytes_from(*rest, end + 1);
	return before;
}

bool
bytes_is_ascii(struct bytes bytes)
{
	const uint64_t high_bits = 0x8080808080808080;
	uint64_t seen = 0;

	/* Whole bodies are asked about: eight octets at a time. */
	while (bytes.len >= sizeof(seen)) {
		uint64_t octets;
		memcpy(&octets, bytes.data, sizeof(octets));
		seen |= octets;
		bytes = bytes_from(bytes, sizeof(octets));
	}
	for (size_t i = 0; i < bytes.len; i++)
		seen |= (unsigned char)bytes.data[i];
	return (seen & high_bits) == 0;
}

/*
 * The rows of RFC 3629, 4: which first octets begin a character, how long it
 * is, and where its second octet must lie.  All further octets are 80 to BF.
 */
static const struct utf8_row {
	unsigned char first_min, first_max, len, second_min, second_max;
} utf8_rows[] = {
    {0x00, 0x7f, 1, 0x00, 0x00},
    {0xc2, 0xdf, 2, 0x80, 0xbf},
    {0xe0, 0xe0, 3, 0xa0, 0xbf},
    {0xe1, 0xec, 3, 0x80, 0xbf},
    {0xed, 0xed, 3, 0x80, 0x9f},
    {0xee, 0xef, 3, 0x80, 0xbf},
    {0xf0, 0xf0, 4, 0x90, 0xbf},
    {0xf1, 0xf3, 4, 0x80, 0xbf},
    {0xf4, 0xf4, 4, 0x80, 0x8f},
};

static const struct utf8_row *
utf8_row(unsigned char first)
{
	for (size_t i = 0; i < sizeof(utf8_rows) / sizeof(utf8_rows[0]); i++) {
		if (first >= utf8_rows[i].first_min &&
		    first <= utf8_rows[i].first_max)
			return &utf8_rows[i];
	}
	return NULL;
}

size_t
bytes_utf8_len(struct bytes bytes)
{
	if (bytes.len == 0)
		return 0;

	const unsigned char *octets = (const unsigned char *)bytes.data;
	const struct utf8_row *row = utf8_row(octets[0]);
	if (row == NULL || row->len > bytes.len)
		return 0;
	if (row->len > 1 &&
	    (octets[1] < row->second_min || octets[1] > row->second_max))
		return 0;
	for (size_t i = 2; i < row->len; i++) {
		if (octets[i] < 0x80 || octets[i] > 0xbf)
			return 0;
	}
	return row->len;
}

bool
bytes_is_utf8(struct bytes bytes)
{
	while (bytes.len > 0) {
		size_t len = bytes_utf8_len(bytes);
		if (len == 0)
			return false;
		bytes = bytes_from(bytes, len);
	}
	return true;
}

bool
bytes_has_control(struct bytes bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		unsigned char octet = (unsigned char)bytes.data[i];
		if (octet < 0x20 || octet == 0x7f)
			return true;
	}
	return false;
}

bool
bytes_to_u64(
    struct bytes bytes, unsigned long long max, unsigned long long *out_value)
{
	unsigned long long value = 0;

	if (bytes.len == 0)
		return false;
	for (size_t i = 0; i < bytes.len; i++) {
		char c = bytes.data[i];
		if (c < '0' || c > '9')
			return false;
		if (__builtin_mul_overflow(value, 10ULL, &value) ||
		    __builtin_add_overflow(
			value, (unsigned long long)(c - '0'), &value))
			return false;
	}
	if (value > max)
		return false;
	*out_value = value;
	return true;
}
