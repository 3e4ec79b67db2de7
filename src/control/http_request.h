/*
 * One HTTP/1 request as a server reads it (RFC 9112), without I/O.  Only what
 * an admin socket needs: no chunked bodies, no trailers, one request for each
 * connection.
 *
 *   request-line = method SP target SP "HTTP/1." DIGIT CRLF
 *   header       = *(field-line CRLF) CRLF         ; a bare LF ends a line too
 *   target       = "/" path ["?" name "=" value *("&" name "=" value)]
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>

#define HTTP_REQUEST_HEADER_MAX ((size_t)8 * 1024)
#define HTTP_REQUEST_BODY_MAX   ((size_t)1024 * 1024)
#define HTTP_REQUEST_QUERY_MAX  16

enum http_request_progress {
	HTTP_REQUEST_MORE, /* it is not all there yet */
	HTTP_REQUEST_READY,
	HTTP_REQUEST_BAD /* status and problem say why; answer and close */
};

struct http_request_parameter {
	char *name; /* decoded, owned */
	char *value;
};

struct http_request {
	char *method; /* "GET" */
	char *path;   /* as it came, without the query */
	struct http_request_parameter query[HTTP_REQUEST_QUERY_MAX];
	size_t query_count;
	unsigned minor; /* HTTP/1.0 or 1.1 */
	struct buffer body;
	size_t body_left; /* octets that are still to come */
	bool has_header;
	int status; /* of HTTP_REQUEST_BAD */
	const char *problem;
};

void http_request_init(struct http_request *request);
void http_request_clear(struct http_request *request);
/* Consume from input what belongs to the request. */
enum http_request_progress http_request_read(
    struct http_request *request, struct buffer *input);
/* A parameter's value; NULL where it is not there. */
const char *http_request_query(
    const struct http_request *request, const char *name);
/*
 * Does path fit pattern, "/v1/queue/:id/content"?  ":name" stands for one part
 * that is not empty; it is decoded into out_part (the caller's; untouched where
 * the pattern has none).
 */
bool http_request_matches(
    const char *path, const char *pattern, char **out_part);
