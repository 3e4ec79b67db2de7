/*
 * Requests on the admin socket: however the input is cut, the outcome is the
 * same.
 */
#include "base/memory.h"
#include "control/http_request.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum http_request_progress
feed(struct http_request *request, struct bytes rest, size_t piece)
{
	enum http_request_progress progress = HTTP_REQUEST_MORE;
	struct buffer input;

	buffer_init(&input, 1 << 24);
	http_request_init(request);
	while (rest.len > 0 && progress == HTTP_REQUEST_MORE) {
		buffer_append(&input, bytes_first(rest, piece));
		rest = bytes_from(rest, piece);
		progress = http_request_read(request, &input);
	}
	buffer_clear(&input);
	return progress;
}

static bool
is_same(const char *a, const char *b)
{
	return (a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0);
}

/* Paths of all kinds of patterns, with whatever came for one. */
static void
match(const char *path)
{
	static const char *const patterns[] = {
	    "/v1/queue", "/v1/queue/:id", "/v1/queue/:id/content", "/:a/:b"};

	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		char *part = NULL;

		if (http_request_matches(path, patterns[i], &part) && i > 0)
			assert(part != NULL && part[0] != '\0');
		free(part);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_request whole;
	struct http_request cut;
	struct bytes input = bytes_make(data, size);
	size_t piece = size > 0 ? 1 + data[size - 1] % 7 : 1;
	enum http_request_progress progress = feed(&whole, input, size + 1);
	enum http_request_progress again = feed(&cut, input, piece);

	assert(progress == again);
	assert(is_same(whole.problem, cut.problem));
	if (progress == HTTP_REQUEST_READY) {
		assert(is_same(whole.method, cut.method));
		assert(is_same(whole.path, cut.path));
		assert(whole.query_count == cut.query_count);
		assert(bytes_equal(
		    buffer_bytes(&whole.body), buffer_bytes(&cut.body)));
		match(whole.path);
	}
	http_request_clear(&whole);
	http_request_clear(&cut);
	return 0;
}
