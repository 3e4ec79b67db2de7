/*
 * Replies: the same whole and in pieces, within their limits, and only where an
 * independent look at the lines finds them, too.
 *
 * Input: an octet that seeds the pieces, then what the server says.
 */
#include "smtp/reply.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX ((size_t)2 * 1024 * 1024)

static unsigned
next_random(unsigned *seed)
{
	*seed = *seed * 1103515245U + 12345U;
	return *seed >> 16;
}

static void
check_reply(const struct reply *reply)
{
	assert(reply->code >= 200 && reply->code <= 599);
	assert(reply->text.len <= REPLY_SIZE_MAX);
	assert(reply->enhanced.len <= strlen("5.999.999"));
	assert(reply->enhanced.len == 0 ||
	    (reply->enhanced.data[0] - '0' == reply->code / 100 &&
		bytes_equal(reply->enhanced,
		    bytes_first(reply->text, reply->enhanced.len))));
}

/* What was read, as text, and how many replies; a seed of 0: in one piece. */
static size_t
read_all(struct bytes octets, unsigned seed, struct buffer *log)
{
	struct reply_reader reader;
	struct buffer input;
	struct reply reply;
	enum reply_progress progress = REPLY_UNFINISHED;
	size_t replies = 0;

	reply_reader_init(&reader);
	buffer_init(&input, INPUT_MAX);
	while (octets.len > 0 && progress != REPLY_MALFORMED) {
		const size_t len = seed == 0 ? octets.len
					     : 1 +
			next_random(&seed) %
			    (octets.len < 64 ? octets.len : 64);
		buffer_append(&input, bytes_first(octets, len));
		octets = bytes_from(octets, len);
		do {
			progress = reply_read(&reader, &input, &reply);
			if (progress != REPLY_FINISHED)
				continue;
			replies++;
			check_reply(&reply);
			buffer_printf(log, "%d ", reply.code);
			buffer_append(log, reply.text);
			buffer_append_char(log, '\n');
		} while (progress == REPLY_FINISHED);
		assert(progress == REPLY_MALFORMED ||
		    input.len < REPLY_CHALLENGE_MAX);
	}
	if (progress == REPLY_MALFORMED)
		buffer_append_text(log, "malformed");
	reply_reader_clear(&reader);
	buffer_clear(&input);
	return replies;
}

/* Lines that could be the last of a reply. */
static size_t
count_ends(struct bytes octets)
{
	size_t ends = 0;

	while (bytes_contains(octets, '\n')) {
		const struct bytes line = bytes_trim(bytes_cut(&octets, '\n'));
		ends += line.len == 3 || (line.len > 3 && line.data[3] == ' ');
	}
	return ends;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buffer whole, cut;

	if (size < 1 || size > INPUT_MAX)
		return 0;
	const struct bytes octets = bytes_make(data + 1, size - 1);
	buffer_init(&whole, 2 * INPUT_MAX);
	buffer_init(&cut, 2 * INPUT_MAX);
	const size_t replies = read_all(octets, 0, &whole);
	(void)read_all(octets, data[0] + 1U, &cut);
	assert(bytes_equal(buffer_bytes(&whole), buffer_bytes(&cut)));
	assert(replies <= count_ends(octets));
	buffer_clear(&whole);
	buffer_clear(&cut);
	return 0;
}
