/*
 * Any octets as a drop file: it gives an envelope that is safe to pass on, or
 * is refused in one line of words.
 */
#include "message/dropfile.h"
#include "message/header.h"
#include "smtp/address.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_envelope(const struct envelope *envelope)
{
	struct bytes sender = bytes_of(envelope->sender);

	assert(sender.len == 0 ||
	    address_check(sender, true, envelope->utf8) == ADDRESS_OK);
	assert(
	    envelope->id == NULL || !bytes_has_control(bytes_of(envelope->id)));
	assert(envelope->recipient_count > 0);
	for (size_t i = 0; i < envelope->recipient_count; i++) {
		const struct recipient *recipient = &envelope->recipients[i];
		assert(address_check(bytes_of(recipient->address), true,
			   envelope->utf8) == ADDRESS_OK);
		assert(recipient->original == NULL ||
		    !bytes_has_control(bytes_of(recipient->original)));
	}
}

static void
check_strip(struct bytes header)
{
	struct buffer stripped;
	struct header_field field;

	buffer_init(&stripped, SIZE_MAX);
	dropfile_strip(&stripped, header);
	struct bytes left = buffer_bytes(&stripped);
	assert(left.len <= header.len);
	assert(!header_find(left, "Bcc", &field));
	assert(!header_find(left, "Return-Path", &field));
	assert(header_len(left) == left.len);
	buffer_clear(&stripped);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes content = bytes_make(data, size);
	struct envelope envelope;
	struct dropfile dropfile = {.content_from = SIZE_MAX};
	struct error error = {.kind = ERROR_NONE};

	envelope_init(&envelope);
	if (dropfile_read(content, &envelope, &dropfile, &error)) {
		assert(dropfile.content_from <= size);
		check_envelope(&envelope);
		struct bytes rest = bytes_from(content, dropfile.content_from);
		check_strip(bytes_first(rest, header_len(rest)));
	} else {
		assert(error.kind == ERROR_DATA);
		assert(!bytes_has_control(bytes_of(error_text(&error))));
	}
	check_strip(content);
	envelope_clear(&envelope);
	return 0;
}
