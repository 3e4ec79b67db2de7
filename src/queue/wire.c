#include "queue/wire.h"

#include "base/memory.h"

#include <endian.h>
#include <string.h>

void
wire_put16(struct buffer *buffer, uint16_t value)
{
	value = htole16(value);
	buffer_append(buffer, bytes_make(&value, sizeof(value)));
}

void
wire_put32(struct buffer *buffer, uint32_t value)
{
	value = htole32(value);
	buffer_append(buffer, bytes_make(&value, sizeof(value)));
}

void
wire_put64(struct buffer *buffer, uint64_t value)
{
	value = htole64(value);
	buffer_append(buffer, bytes_make(&value, sizeof(value)));
}

void
wire_put_text(struct buffer *buffer, const char *text)
{
	size_t len = text == NULL ? 0 : strlen(text) + 1;

	wire_put32(buffer, (uint32_t)len);
	if (len > 1)
		buffer_append(buffer, bytes_make(text, len - 1));
}

void
wire_put_filling(struct buffer *buffer, size_t start)
{
	while ((buffer->len - start) % 8 != 0 && !buffer->overflowed)
		buffer_append_char(buffer, 0);
}

void
wire_set32(struct buffer *buffer, size_t at, uint32_t value)
{
	value = htole32(value);
	memcpy(buffer->memory + buffer->start + at, &value, sizeof(value));
}

void
wire_set64(struct buffer *buffer, size_t at, uint64_t value)
{
	value = htole64(value);
	memcpy(buffer->memory + buffer->start + at, &value, sizeof(value));
}

struct bytes
wire_take(struct wire *wire, size_t len)
{
	if (wire->is_bad || len > wire->rest.len) {
		wire->is_bad = true;
		return BYTES_NONE;
	}
	struct bytes taken = bytes_first(wire->rest, len);
	wire->rest = bytes_from(wire->rest, len);
	return taken;
}

unsigned
wire_take8(struct wire *wire)
{
	struct bytes taken = wire_take(wire, 1);
	return taken.len == 0 ? 0 : (unsigned char)taken.data[0];
}

uint16_t
wire_take16(struct wire *wire)
{
	uint16_t value = 0;
	struct bytes taken = wire_take(wire, sizeof(value));

	memcpy(&value, taken.data, taken.len);
	return le16toh(value);
}

uint32_t
wire_take32(struct wire *wire)
{
	uint32_t value = 0;
	struct bytes taken = wire_take(wire, sizeof(value));

	memcpy(&value, taken.data, taken.len);
	return le32toh(value);
}

uint64_t
wire_take64(struct wire *wire)
{
	uint64_t value = 0;
	struct bytes taken = wire_take(wire, sizeof(value));

	memcpy(&value, taken.data, taken.len);
	return le64toh(value);
}

char *
wire_take_text(struct wire *wire)
{
	uint32_t len = wire_take32(wire);
	if (len == 0)
		return NULL;

	struct bytes text = wire_take(wire, len - 1);
	if (bytes_contains(text, 0))
		wire->is_bad = true;
	return wire->is_bad ? NULL : memory_copy(text);
}
