/*
 * Any octets as content, both ways: cuts do not matter, nothing but CRLF.CRLF
 * ends it, and what goes out comes in again as it was.
 *
 * Input: one octet that chooses dots and the size of pieces, then the octets.
 */
#include "smtp/dot.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct decoded {
	struct dot_decoder decoder;
	struct buffer content;
	size_t used;
	bool end;
};

static void
decode(struct decoded *decoded, struct bytes input, bool dots, size_t piece)
{
	struct bytes content = BYTES_NONE;

	*decoded = (struct decoded){.used = 0};
	buffer_init(&decoded->content, (size_t)1 << 24);
	dot_decoder_init(&decoded->decoder);
	while (decoded->used < input.len && !decoded->end) {
		struct bytes part =
		    bytes_first(bytes_from(input, decoded->used), piece);
		size_t used = dot_decode(
		    &decoded->decoder, part, dots, &content, &decoded->end);
		assert(used <= part.len);
		assert(used > 0 || content.len > 0);
		assert(!decoded->end || content.len == 0);
		decoded->used += used;
		buffer_append(&decoded->content, content);
	}
	if (!decoded->end)
		buffer_append(
		    &decoded->content, dot_decode_end(&decoded->decoder));
}

static void
check_same(const struct decoded *a, const struct decoded *b)
{
	assert(a->used == b->used && a->end == b->end);
	assert(a->decoder.saw_bare == b->decoder.saw_bare);
	assert(a->decoder.saw_nul == b->decoder.saw_nul);
	assert(
	    bytes_equal(buffer_bytes(&a->content), buffer_bytes(&b->content)));
}

/* Only CRLF in it; and none lost where it was so from the start. */
static void
check_canonical(struct bytes content)
{
	for (size_t i = 0; i < content.len; i++) {
		char c = content.data[i];
		if (c == '\n')
			assert(i > 0 && content.data[i - 1] == '\r');
		if (c == '\r')
			assert(
			    i + 1 < content.len && content.data[i + 1] == '\n');
	}
}

static void
check_end(const struct decoded *decoded, struct bytes input)
{
	static const struct bytes end = {"\r\n.\r\n", 5};
	size_t found = bytes_search(input, end) + end.len;

	if (bytes_has_prefix(input, ".\r\n"))
		found = 3;
	assert(decoded->end == (found <= input.len));
	assert(decoded->used == (decoded->end ? found : input.len));
}

static void
encode(struct buffer *output, struct bytes content, bool dots, size_t piece)
{
	struct dot_encoder encoder;

	buffer_init(output, (size_t)1 << 24);
	dot_encoder_init(&encoder);
	for (size_t i = 0; i < content.len; i += piece)
		dot_encode(&encoder, bytes_first(bytes_from(content, i), piece),
		    dots, output);
	dot_encode_end(&encoder, dots, output);
}

static void
check_there_and_back(struct bytes content, bool dots, size_t piece)
{
	struct buffer whole, cut, again;
	struct decoded decoded;

	encode(&whole, content, dots, content.len + 1);
	encode(&cut, content, dots, piece);
	assert(bytes_equal(buffer_bytes(&whole), buffer_bytes(&cut)));
	check_canonical(buffer_bytes(&whole));
	decode(&decoded, buffer_bytes(&whole), dots, whole.len + 1);
	assert(decoded.end == dots && decoded.used == whole.len);
	assert(!decoded.decoder.saw_bare);
	encode(&again, buffer_bytes(&decoded.content), dots, piece);
	assert(bytes_equal(buffer_bytes(&whole), buffer_bytes(&again)));
	buffer_clear(&whole);
	buffer_clear(&cut);
	buffer_clear(&again);
	buffer_clear(&decoded.content);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	bool dots = (data[0] & 1) != 0;
	size_t piece = 1U + (data[0] >> 1);
	struct bytes input = bytes_make(data + 1, size - 1);
	struct decoded whole, cut;

	decode(&whole, input, dots, input.len + 1);
	decode(&cut, input, dots, piece);
	check_same(&whole, &cut);
	check_canonical(buffer_bytes(&whole.content));
	if (dots)
		check_end(&whole, input);
	else
		assert(!whole.end && whole.used == input.len);
	check_there_and_back(input, dots, piece);
	buffer_clear(&whole.content);
	buffer_clear(&cut.content);
	return 0;
}
