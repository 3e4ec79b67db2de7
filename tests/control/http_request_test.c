#include "control/http_request.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* Feed text in pieces of so many octets. */
static enum http_request_progress
feed(struct http_request *request, const char *text, size_t piece)
{
	enum http_request_progress progress = HTTP_REQUEST_MORE;
	struct bytes rest = bytes_of(text);
	struct buffer input;

	buffer_init(&input, 1 << 20);
	while (rest.len > 0 && progress == HTTP_REQUEST_MORE) {
		buffer_append(&input, bytes_first(rest, piece));
		rest = bytes_from(rest, piece);
		progress = http_request_read(request, &input);
	}
	buffer_clear(&input);
	return progress;
}

static const struct {
	const char *text;
	int status; /* 0: good; 1: not all there */
	const char *method;
	const char *path;
	const char *body;
} rows[] = {
    {"GET / HTTP/1.1\r\n\r\n", 0, "GET", "/", ""},
    {"GET /a/b?x=1 HTTP/1.0\r\nHost: h\r\n\r\n", 0, "GET", "/a/b", ""},
    {"GET / HTTP/1.1\nHost: h\n\n", 0, "GET", "/", ""},
    {"POST /p HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", 0, "POST", "/p",
	"hello"},
    {"POST /p HTTP/1.1\r\ncontent-length:0\r\n\r\n", 0, "POST", "/p", ""},
    {"POST /p HTTP/1.1\r\nContent-Length: 6\r\n\r\nhello", 1, NULL, NULL, NULL},
    {"GET / HTTP/1.1\r\nHost: h\r\n", 1, NULL, NULL, NULL},
    {"get / HTTP/1.1\r\n\r\n", 400, NULL, NULL, NULL},
    {"EHLO me\r\n\r\n", 400, NULL, NULL, NULL},
    {"GET / HTTP/2.0\r\n\r\n", 505, NULL, NULL, NULL},
    {"GET / HTTP/1.1x\r\n\r\n", 505, NULL, NULL, NULL},
    {"GET http://x/ HTTP/1.1\r\n\r\n", 400, NULL, NULL, NULL},
    {"GET /\x01 HTTP/1.1\r\n\r\n", 400, NULL, NULL, NULL},
    {"GET /\xc3\xb6 HTTP/1.1\r\n\r\n", 400, NULL, NULL, NULL},
    {"GET /?a=%00 HTTP/1.1\r\n\r\n", 400, NULL, NULL, NULL},
    {"GET /?a=%4 HTTP/1.1\r\n\r\n", 400, NULL, NULL, NULL},
    {"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400, NULL, NULL, NULL},
    {"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400, NULL, NULL, NULL},
    {"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400,
	NULL, NULL, NULL},
    {"GET / HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n", 413, NULL, NULL,
	NULL},
    {"GET / HTTP/1.1\r\nContent-Length : 1\r\n\r\n", 400, NULL, NULL, NULL},
    {"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", 400, NULL, NULL, NULL},
    {"GET / HTTP/1.1\r\nnonsense\r\n\r\n", 400, NULL, NULL, NULL},
    {"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411, NULL, NULL,
	NULL},
    {"GET / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n", 417, NULL, NULL, NULL},
};

Test(http_request, reads_however_it_is_cut)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t piece = 1; piece < 40; piece++) {
			struct http_request request;

			http_request_init(&request);
			enum http_request_progress progress =
			    feed(&request, rows[i].text, piece);
			int status = progress == HTTP_REQUEST_READY ? 0
			    : progress == HTTP_REQUEST_MORE         ? 1
							    : request.status;
			cr_assert_eq(status, rows[i].status, "%d: %s", status,
			    rows[i].text);
			if (status == 0) {
				struct bytes body = buffer_bytes(&request.body);
				cr_expect_str_eq(
				    request.method, rows[i].method);
				cr_expect_str_eq(request.path, rows[i].path);
				cr_expect(bytes_is(body, rows[i].body));
			}
			http_request_clear(&request);
		}
}

Test(http_request, refuses_a_header_without_end)
{
	struct http_request request;
	struct buffer input;

	buffer_init(&input, 1 << 20);
	buffer_append_text(&input, "GET / HTTP/1.1\r\n");
	while (input.len < HTTP_REQUEST_HEADER_MAX)
		buffer_append_text(&input, "X: y\r\n");
	http_request_init(&request);
	cr_expect_eq(http_request_read(&request, &input), HTTP_REQUEST_BAD);
	cr_expect_eq(request.status, 431);
	http_request_clear(&request);
	buffer_clear(&input);
}

Test(http_request, decodes_the_query)
{
	struct http_request request;

	http_request_init(&request);
	cr_assert_eq(
	    feed(&request,
		"GET /q?limit=10&a%20b=c+d%26e&&empty=&flag HTTP/1.1\r\n\r\n",
		1000),
	    HTTP_REQUEST_READY);
	cr_expect_str_eq(http_request_query(&request, "limit"), "10");
	cr_expect_str_eq(http_request_query(&request, "a b"), "c d&e");
	cr_expect_str_eq(http_request_query(&request, "empty"), "");
	cr_expect_str_eq(http_request_query(&request, "flag"), "");
	cr_expect_null(http_request_query(&request, "other"));
	http_request_clear(&request);
}

Test(http_request, matches_paths)
{
	static const struct {
		const char *path;
		const char *pattern;
		bool matches;
		const char *part;
	} paths[] = {
	    {"/v1/queue", "/v1/queue", true, NULL},
	    {"/v1/queue/", "/v1/queue", false, NULL},
	    {"/v1/queue", "/v1/queue/:id", false, NULL},
	    {"/v1/queue/", "/v1/queue/:id", false, NULL},
	    {"/v1/queue/X1", "/v1/queue/:id", true, "X1"},
	    {"/v1/queue/X%2f1", "/v1/queue/:id", true, "X/1"},
	    {"/v1/queue/X%", "/v1/queue/:id", false, NULL},
	    {"/v1/queue/X1/content", "/v1/queue/:id/content", true, "X1"},
	    {"/v1/queue/X1/contents", "/v1/queue/:id/content", false, NULL},
	    {"/v1/queue//content", "/v1/queue/:id/content", false, NULL},
	    {"/v1/queue/X1/content/x", "/v1/queue/:id/content", false, NULL},
	    {"/v2/queue", "/v1/queue", false, NULL},
	    {"/", "/v1/queue", false, NULL},
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		char *part = NULL;
		bool matches = http_request_matches(
		    paths[i].path, paths[i].pattern, &part);

		cr_expect_eq(matches, paths[i].matches, "%s %s", paths[i].path,
		    paths[i].pattern);
		if (paths[i].part == NULL)
			cr_expect_null(part, "%s", paths[i].path);
		else
			cr_expect_str_eq(part, paths[i].part);
		free(part);
	}
}
