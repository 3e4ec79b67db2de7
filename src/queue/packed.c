#include "queue/packed.h"

#include "base/memory.h"

#include <endian.h>
#include <string.h>

void
packed_put16(struct buffer *buffer, uint16_t value)
{
	value = htole16(value);
	buffer_append(buffer, bytes_make(&value, sizeof(value)));
}

void
packed_put32(struct buffer *buffer, uint32_t value)
{
	value = htole32(value);
	buffer_append(buffer, bytes_make(&value, sizeof(value)));
}

void
packed_put64(struct buffer *buffer, uint64_t value)
{
	value = htole64(value);
	buffer_append(buffer, bytes_make(&value, sizeof(value)));
}

void
packed_put_text(struct buffer *buffer, const char *text)
{
	size_t len = text == NULL ? 0 : strlen(text) + 1;

	packed_put32(buffer, (uint32_t)len);
	if (len > 1)
		buffer_append(buffer, bytes_make(text, len - 1));
}

void
packed_put_filling(struct buffer *buffer, size_t start)
{
	while ((buffer->len - start) % 8 != 0 && !buffer->overflowed)
		buffer_append_char(buffer, 0);
}

void
packed_set32(struct buffer *buffer, size_t at, uint32_t value)
{
	value = htole32(value);
	memcpy(buffer->memory + buffer->start + at, &value, sizeof(value));
}

void
packed_set64(struct buffer *buffer, size_t at, uint64_t value)
{
	value = htole64(value);
	memcpy(buffer->memory + buffer->start + at, &value, sizeof(value));
}

struct bytes
packed_take(struct packed *packed, size_t len)
{
	if (packed->is_bad || len > packed->rest.len) {
		packed->is_bad = true;
		return BYTES_NONE;
	}
	struct bytes taken = bytes_first(packed->rest, len);
	packed->rest = bytes_from(packed->rest, len);
	return taken;
}

unsigned
packed_take8(struct packed *packed)
{
	struct bytes taken = packed_take(packed, 1);
	return taken.len == 0 ? 0 : (unsigned char)taken.data[0];
}

uint16_t
packed_take16(struct packed *packed)
{
	uint16_t value = 0;
	struct bytes taken = packed_take(packed, sizeof(value));

	memcpy(&value, taken.data, taken.len);
	return le16toh(value);
}

uint32_t
packed_take32(struct packed *packed)
{
	uint32_t value = 0;
	struct bytes taken = packed_take(packed, sizeof(value));

	memcpy(&value, taken.data, taken.len);
	return le32toh(value);
}

uint64_t
packed_take64(struct packed *packed)
{
	uint64_t value = 0;
	struct bytes taken = packed_take(packed, sizeof(value));

	memcpy(&value, taken.data, taken.len);
	return le64toh(value);
}

char *
packed_take_text(struct packed *packed)
{
	uint32_t len = packed_take32(packed);
	if (len == 0)
		return NULL;

	struct bytes text = packed_take(packed, len - 1);
	if (bytes_contains(text, 0))
		packed->is_bad = true;
	return packed->is_bad ? NULL : memory_copy(text);
}
