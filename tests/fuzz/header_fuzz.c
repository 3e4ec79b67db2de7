/*
 * Any octets as a header: its fields are its octets, addresses end, and what is
 * written anew is one field of lines that fit.
 */
#include "message/header.h"
#include "message/phrase.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_written(struct bytes text, bool ascii)
{
	assert(header_len(text) == text.len);
	assert(!ascii || bytes_is_ascii(text));
	while (text.len > 0) {
		struct bytes line = bytes_cut(&text, '\n');
		assert(bytes_has_suffix_nocase(line, "\r"));
		assert(line.len <= HEADER_LINE_MAX + 1);
	}
}

static void
check_addresses(struct bytes value)
{
	struct buffer scratch;
	struct header_address address;
	enum header_address_result result;
	size_t left = value.len;

	buffer_init(&scratch, 2 * value.len + 1);
	do {
		result = header_next_address(&value, &scratch, &address);
		assert(value.len < left || result != HEADER_ADDRESS);
		left = value.len;
		if (result == HEADER_ADDRESS)
			assert(!bytes_contains(address.mailbox, '\n'));
	} while (result == HEADER_ADDRESS);
	assert(value.len == 0);
	buffer_clear(&scratch);
}

static void
check_field(const struct header_field *field)
{
	struct buffer output;

	buffer_init(&output, SIZE_MAX);
	assert(field->name.len > 0 && field->raw.len > field->name.len);
	header_unfold(&output, field->value);
	assert(!bytes_contains(buffer_bytes(&output), '\n'));
	buffer_empty(&output);
	header_write(&output, "X-Written", field->value);
	check_written(buffer_bytes(&output), false);
	buffer_empty(&output);
	if (field->name.len <= HEADER_NAME_MAX &&
	    phrase_downgrade(&output, field, "koi8-r"))
		check_written(buffer_bytes(&output), true);
	check_addresses(field->value);
	buffer_clear(&output);
}

static void
check_name(struct bytes name)
{
	struct buffer phrase;
	struct buffer field;

	buffer_init(&phrase, SIZE_MAX);
	buffer_init(&field, SIZE_MAX);
	phrase_append(&phrase, name);
	assert(bytes_is_ascii(buffer_bytes(&phrase)));
	assert(!bytes_has_control(buffer_bytes(&phrase)));
	buffer_append_text(&phrase, " <a@b>");
	header_write(&field, "From", buffer_bytes(&phrase));
	check_written(buffer_bytes(&field), true);
	/* Whatever the name, the address is the one there is. */
	struct bytes value = bytes_from(buffer_bytes(&field), 5);
	struct buffer scratch;
	struct header_address address;
	buffer_init(&scratch, 2 * value.len);
	assert(
	    header_next_address(&value, &scratch, &address) == HEADER_ADDRESS);
	assert(bytes_is(address.mailbox, "a@b"));
	assert(header_next_address(&value, &scratch, &address) ==
	    HEADER_ADDRESS_END);
	buffer_clear(&scratch);
	buffer_clear(&phrase);
	buffer_clear(&field);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes content = bytes_make(data, size);
	struct bytes header = bytes_first(content, header_len(content));
	struct bytes rest = header;
	struct header_field field;
	size_t sum = 0;

	while (header_next(&rest, &field)) {
		assert(field.raw.data == header.data + sum);
		sum += field.raw.len;
		check_field(&field);
	}
	assert(sum == header.len);
	check_addresses(content);
	check_name(content);
	return 0;
}
