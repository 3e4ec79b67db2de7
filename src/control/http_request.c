#include "control/http_request.h"

#include "base/memory.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void
http_request_init(struct http_request *request)
{
	*request = (struct http_request){0};
	buffer_init(&request->body, HTTP_REQUEST_BODY_MAX);
}

void
http_request_clear(struct http_request *request)
{
	for (size_t i = 0; i < request->query_count; i++) {
		free(request->query[i].name);
		free(request->query[i].value);
	}
	free(request->method);
	free(request->path);
	buffer_clear(&request->body);
	http_request_init(request);
}

static bool
refuse(struct http_request *request, int status, const char *problem)
{
	request->status = status;
	request->problem = problem;
	return false;
}

/* ---- percent-encoding ---- */

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The caller frees it; NULL for a bad escape or a NUL. */
static char *
decode(struct bytes text, bool plus_is_blank)
{
	char *decoded = memory_new(text.len + 1);
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (c == '+' && plus_is_blank)
			c = ' ';
		if (c == '%') {
			int high =
			    i + 2 < text.len ? hex_digit(text.data[i + 1]) : -1;
			int low = high >= 0 ? hex_digit(text.data[i + 2]) : -1;

			if (low < 0)
				goto bad;
			c = (char)(high * 16 + low);
			i += 2;
		}
		if (c == '\0')
			goto bad;
		decoded[len++] = c;
	}
	return decoded;
bad:
	free(decoded);
	return NULL;
}

/* ---- the request line ---- */

static bool
read_parameter(struct http_request *request, struct bytes pair)
{
	struct bytes value = pair;
	struct bytes name = bytes_cut(&value, '=');

	if (pair.len == 0)
		return true;
	if (request->query_count == HTTP_REQUEST_QUERY_MAX)
		return refuse(request, 400, "too many query parameters");
	struct http_request_parameter parameter = {
	    decode(name, true), decode(value, true)};
	request->query[request->query_count++] = parameter;
	if (parameter.name == NULL || parameter.value == NULL)
		return refuse(request, 400, "malformed query");
	return true;
}

static bool
read_target(struct http_request *request, struct bytes target)
{
	struct bytes query = target;
	struct bytes path = bytes_cut(&query, '?');

	if (path.len == 0 || path.data[0] != '/' || !bytes_is_ascii(target) ||
	    bytes_has_control(target))
		return refuse(request, 400, "malformed target");
	request->path = memory_copy(path);
	while (query.len > 0)
		if (!read_parameter(request, bytes_cut(&query, '&')))
			return false;
	return true;
}

static bool
is_method(struct bytes word)
{
	for (size_t i = 0; i < word.len; i++)
		if (!isupper((unsigned char)word.data[i]))
			return false;
	return word.len > 0;
}

static bool
read_request_line(struct http_request *request, struct bytes line)
{
	struct bytes method = bytes_cut(&line, ' ');
	struct bytes target = bytes_cut(&line, ' ');

	if (!is_method(method) || !bytes_has_prefix(line, "HTTP/"))
		return refuse(request, 400, "this is not HTTP");
	if (line.len != strlen("HTTP/1.1") ||
	    !bytes_has_prefix(line, "HTTP/1.") ||
	    !isdigit((unsigned char)line.data[line.len - 1]))
		return refuse(request, 505, "only HTTP/1 is spoken here");
	request->minor = line.data[line.len - 1] == '0' ? 0 : 1;
	request->method = memory_copy(method);
	return read_target(request, target);
}

/* ---- the fields ---- */

static bool
read_length(struct http_request *request, struct bytes value, bool *seen)
{
	unsigned long long length;

	if (*seen || !bytes_to_u64(value, SIZE_MAX, &length))
		return refuse(request, 400, "malformed Content-Length");
	*seen = true;
	if (length > HTTP_REQUEST_BODY_MAX)
		return refuse(request, 413, "the body is too large");
	request->body_left = (size_t)length;
	return true;
}

static bool
read_field(struct http_request *request, struct bytes line, bool *seen_length)
{
	struct bytes value = line;
	struct bytes name = bytes_cut(&value, ':');

	/* A blank before the colon, or a folded line, is an attack. */
	if (name.len == line.len || name.len == 0 ||
	    bytes_contains(name, ' ') || bytes_contains(name, '\t'))
		return refuse(request, 400, "malformed header");
	if (bytes_is_nocase(name, "Content-Length"))
		return read_length(request, bytes_trim(value), seen_length);
	if (bytes_is_nocase(name, "Transfer-Encoding"))
		return refuse(request, 411, "send a Content-Length");
	if (bytes_is_nocase(name, "Expect"))
		return refuse(request, 417, "Expect is not known");
	return true;
}

static struct bytes
cut_line(struct bytes *rest)
{
	struct bytes line = bytes_cut(rest, '\n');

	if (line.len > 0 && line.data[line.len - 1] == '\r')
		line = bytes_first(line, line.len - 1);
	return line;
}

static bool
read_header(struct http_request *request, struct bytes header)
{
	bool seen_length = false;

	if (!read_request_line(request, cut_line(&header)))
		return false;
	while (header.len > 0) {
		struct bytes line = cut_line(&header);

		if (line.len > 0 && !read_field(request, line, &seen_length))
			return false;
	}
	return true;
}

/* Octets up to and with the empty line; 0 where it has not come. */
static size_t
header_size(struct bytes input)
{
	size_t at = 0;

	while (at < input.len) {
		struct bytes rest = bytes_from(input, at);
		size_t end = bytes_index(rest, '\n');

		if (end == rest.len)
			return 0;
		at += end + 1;
		if (at > 2 && (end == 0 || (end == 1 && rest.data[0] == '\r')))
			return at;
	}
	return 0;
}

enum http_request_progress
http_request_read(struct http_request *request, struct buffer *input)
{
	if (!request->has_header) {
		struct bytes bytes = buffer_bytes(input);
		size_t size =
		    header_size(bytes_first(bytes, HTTP_REQUEST_HEADER_MAX));

		if (size == 0 && bytes.len < HTTP_REQUEST_HEADER_MAX)
			return HTTP_REQUEST_MORE;
		if (size == 0) {
			refuse(request, 431, "the header is too large");
			return HTTP_REQUEST_BAD;
		}
		if (!read_header(request, bytes_first(bytes, size)))
			return HTTP_REQUEST_BAD;
		buffer_consume(input, size);
		request->has_header = true;
	}
	struct bytes body =
	    bytes_first(buffer_bytes(input), request->body_left);
	buffer_append(&request->body, body);
	request->body_left -= body.len;
	buffer_consume(input, body.len);
	return request->body_left > 0 ? HTTP_REQUEST_MORE : HTTP_REQUEST_READY;
}

const char *
http_request_query(const struct http_request *request, const char *name)
{
	for (size_t i = 0; i < request->query_count; i++)
		if (strcmp(request->query[i].name, name) == 0)
			return request->query[i].value;
	return NULL;
}

bool
http_request_matches(const char *path, const char *pattern, char **out_part)
{
	struct bytes rest = bytes_of(path);
	struct bytes wanted = bytes_of(pattern);
	char *found = NULL;

	while (rest.len > 0 && wanted.len > 0) {
		struct bytes part = bytes_cut(&rest, '/');
		struct bytes want = bytes_cut(&wanted, '/');

		if (want.len == 0 || want.data[0] != ':') {
			if (bytes_equal(part, want))
				continue;
			free(found);
			return false;
		}
		free(found);
		found = part.len == 0 ? NULL : decode(part, false);
		if (found == NULL)
			return false;
	}
	/* "a/" is not "a": the one has an empty last part more. */
	bool ends = rest.len == 0 && wanted.len == 0 &&
	    (strlen(path) == 0 || path[strlen(path) - 1] != '/');
	if (!ends) {
		free(found);
		return false;
	}
	if (found != NULL)
		*out_part = found;
	return true;
}
