/*
 * Any octets as a message: what is sent of it fits the upstream, is not changed
 * again, and needs no other structure.  The first octet says what the upstream
 * offers.
 */
#include "message/header.h"
#include "message/mime.h"
#include "message/parts.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_parts(const struct body *body)
{
	struct parts parts;
	struct error error;
	uint64_t at = 0;

	assert(parts_find(body, &parts, &error));
	for (size_t i = 0; i < parts.stretch_count; i++) {
		assert(parts.stretches[i].offset == at);
		assert(parts.stretches[i].part < parts.part_count);
		at += parts.stretches[i].len;
	}
	assert(at == body->len);
	parts_clear(&parts);
}

static void
check_sent(struct bytes sent, bool has_8bitmime)
{
	assert(has_8bitmime || bytes_is_ascii(sent));
	assert(!bytes_contains(sent, '\0'));
	while (sent.len > 0) {
		struct bytes line = bytes_cut(&sent, '\n');
		size_t end = bytes_has_suffix_nocase(line, "\r") ? 1 : 0;
		assert(line.len <= HEADER_LINE_MAX + end);
	}
}

static enum mime_answer
convert(struct bytes content, bool has_8bitmime, struct buffer *output)
{
	struct body body;
	struct mime *mime;
	struct error error;
	uint64_t size;
	bool end = false;

	body_init(&body);
	body_set(&body, content);
	check_parts(&body);
	assert(mime_open(&body, has_8bitmime, &mime, &error));
	enum mime_answer answer = mime_answer(mime);
	if (answer != MIME_REFUSE) {
		assert(mime_size(mime, &size, &error));
		while (!end)
			assert(mime_read(mime, output, &end, &error));
		assert(output->len == size);
		assert(mime_needs_8bitmime(mime) ==
		    !bytes_is_ascii(buffer_bytes(output)));
	}
	mime_free(mime);
	body_clear(&body);
	return answer;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes content = bytes_from(bytes_make(data, size), 1);
	bool has_8bitmime = size > 0 && (data[0] & 1) != 0;
	struct buffer first;
	struct buffer second;

	buffer_init(&first, SIZE_MAX);
	buffer_init(&second, SIZE_MAX);
	enum mime_answer answer = convert(content, has_8bitmime, &first);
	if (answer != MIME_REFUSE) {
		check_sent(buffer_bytes(&first), has_8bitmime);
		assert(convert(buffer_bytes(&first), has_8bitmime, &second) ==
		    MIME_AS_IS);
		assert(
		    bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
	}
	if (answer == MIME_AS_IS)
		assert(bytes_equal(buffer_bytes(&first), content));
	buffer_clear(&first);
	buffer_clear(&second);
	return 0;
}
