#include "control/control_client.h"

#include "base/clock.h"
#include "base/memory.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TIMEOUT_DEFAULT_MS (30 * 1000)
#define HEADER_MAX         ((size_t)16 * 1024)
#define PIECE_MAX          ((size_t)64 * 1024)
#define CALLS_MAX          3 /* of a request that was not read */

/* An answer, as far as it has come. */
struct answer {
	int fd;
	int timeout_ms;
	struct buffer input;
	struct buffer line; /* the last one read */
	int status;
	bool is_chunked;
	bool has_length;
	unsigned long long left; /* octets of the body, or of this chunk */
	struct buffer problem;   /* the body of a status that is not 200 */
	control_client_fn *fn;
	void *ctx;
	bool enough; /* fn said so */
};

/* ---- the socket ---- */

static bool
connect_to(const char *path, int *out_fd, struct error *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = strlen(path);

	if (len >= sizeof(address.sun_path))
		return error_set(
		    error, ERROR_CONFIG, "%s: too long for a socket", path);
	memcpy(address.sun_path, path, len);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_system(error, "socket");
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) !=
	    0) {
		error_system(error, "%s", path);
		(void)close(fd); /* nothing was sent */
		return false;
	}
	*out_fd = fd;
	return true;
}

static bool
wait_for(int fd, short events, int timeout_ms, struct error *error)
{
	struct pollfd wait = {.fd = fd, .events = events};
	int ready;

	do
		ready = poll(&wait, 1, timeout_ms);
	while (ready < 0 && errno == EINTR);
	if (ready < 0)
		return error_system(error, "poll");
	if (ready == 0)
		return error_set(error, ERROR_TIMEOUT,
		    "no answer for %d seconds", timeout_ms / 1000);
	return true;
}

static bool
send_all(int fd, struct bytes bytes, int timeout_ms, struct error *error)
{
	while (bytes.len > 0) {
		if (!wait_for(fd, POLLOUT, timeout_ms, error))
			return false;
		ssize_t sent = send(
		    fd, bytes.data, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			return error_system(error, "send");
		if (sent > 0)
			bytes = bytes_from(bytes, (size_t)sent);
	}
	return true;
}

/* More input; ERROR_CLOSED at its end. */
static bool
receive(struct answer *answer, struct error *error)
{
	char *room = buffer_reserve(&answer->input, PIECE_MAX);

	if (room == NULL)
		return error_set(error, ERROR_DATA, "a line is too long");
	if (!wait_for(answer->fd, POLLIN, answer->timeout_ms, error))
		return false;
	ssize_t len = recv(answer->fd, room, PIECE_MAX, 0);
	if (len < 0 && errno == EINTR)
		return true;
	if (len < 0)
		return error_system(error, "receive");
	if (len == 0)
		return error_set(error, ERROR_CLOSED, "the answer was cut off");
	buffer_commit(&answer->input, (size_t)len);
	return true;
}

/* ---- the header ---- */

/* A line without its CRLF, valid until the next one. */
static bool
read_line(struct answer *answer, struct bytes *out_line, struct error *error)
{
	for (;;) {
		struct bytes input = buffer_bytes(&answer->input);
		size_t end = bytes_index(input, '\n');

		if (end < input.len) {
			buffer_empty(&answer->line);
			buffer_append(&answer->line, bytes_first(input, end));
			buffer_consume(&answer->input, end + 1);
			*out_line = bytes_trim(buffer_bytes(&answer->line));
			return true;
		}
		if (input.len > HEADER_MAX)
			return error_set(error, ERROR_DATA, "this is not HTTP");
		if (!receive(answer, error))
			return false;
	}
}

static bool
read_status(struct answer *answer, struct error *error)
{
	struct bytes line;
	unsigned long long status;

	if (!read_line(answer, &line, error))
		return false;
	bool http = bytes_has_prefix(line, "HTTP/1.");
	(void)bytes_cut(&line, ' ');
	if (!http || !bytes_to_u64(bytes_cut(&line, ' '), 599, &status) ||
	    status < 200)
		return error_set(error, ERROR_DATA, "this is not HTTP");
	answer->status = (int)status;
	return true;
}

static bool
read_header(struct answer *answer, struct error *error)
{
	struct bytes line;

	if (!read_status(answer, error))
		return false;
	for (;;) {
		if (!read_line(answer, &line, error))
			return false;
		if (line.len == 0)
			return true;
		struct bytes name = bytes_cut(&line, ':');
		if (bytes_is_nocase(name, "Transfer-Encoding"))
			answer->is_chunked =
			    bytes_is_nocase(bytes_trim(line), "chunked");
		if (bytes_is_nocase(name, "Content-Length"))
			answer->has_length = bytes_to_u64(
			    bytes_trim(line), UINT64_MAX, &answer->left);
	}
}

/* ---- the body ---- */

static void
hand_over(struct answer *answer, struct bytes piece)
{
	if (answer->status != 200)
		buffer_append(&answer->problem, piece);
	else if (!answer->enough && !answer->fn(piece, answer->ctx))
		answer->enough = true;
}

/* Exactly answer->left octets. */
static bool
read_stretch(struct answer *answer, struct error *error)
{
	while (answer->left > 0 && !answer->enough) {
		if (answer->input.len == 0 && !receive(answer, error))
			return false;
		size_t len = (size_t)MIN(answer->left, answer->input.len);

		hand_over(
		    answer, bytes_first(buffer_bytes(&answer->input), len));
		buffer_consume(&answer->input, len);
		answer->left -= len;
	}
	return true;
}

static bool
parse_size(struct bytes line, unsigned long long *out_size)
{
	char text[17];
	char *end;

	line = bytes_trim(bytes_cut(&line, ';'));
	if (line.len == 0 || line.len >= sizeof(text))
		return false;
	memcpy(text, line.data, line.len);
	text[line.len] = '\0';
	*out_size = strtoull(text, &end, 16);
	return *end == '\0';
}

static bool
read_chunks(struct answer *answer, struct error *error)
{
	struct bytes line;

	while (!answer->enough) {
		if (!read_line(answer, &line, error))
			return false;
		if (!parse_size(line, &answer->left))
			return error_set(error, ERROR_DATA, "malformed chunk");
		if (answer->left == 0)
			return true;
		if (!read_stretch(answer, error))
			return false;
		if (!answer->enough && !read_line(answer, &line, error))
			return false;
	}
	return true;
}

/* A body without a length ends with the connection. */
static bool
read_rest(struct answer *answer, struct error *error)
{
	do {
		hand_over(answer, buffer_bytes(&answer->input));
		buffer_empty(&answer->input);
	} while (!answer->enough && receive(answer, error));
	return answer->enough || error->kind == ERROR_CLOSED;
}

static bool
read_answer(struct answer *answer, struct error *error)
{
	if (!read_header(answer, error))
		return false;
	if (answer->is_chunked)
		return read_chunks(answer, error);
	if (answer->has_length)
		return read_stretch(answer, error);
	return read_rest(answer, error);
}

/* ---- the call ---- */

/* The text of {"error":"..."}, of which no more than the escapes json_writer
 * makes is understood; else the status.  The caller frees it. */
static char *
problem_text(const struct answer *answer)
{
	struct bytes body = buffer_bytes(&answer->problem);
	struct bytes key = BYTES("\"error\":\"");
	size_t at = bytes_search(body, key);

	if (at == body.len)
		return memory_format("the daemon answers %d", answer->status);
	body = bytes_from(body, at + key.len);
	char *text = memory_new(body.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < body.len && body.data[i] != '"'; i++) {
		if (body.data[i] == '\\' && i + 1 < body.len)
			i++;
		text[len++] = body.data[i];
	}
	return text;
}

static void
append_request(
    const struct control_client_request *request, struct buffer *buffer)
{
	buffer_printf(buffer,
	    "%s %s HTTP/1.1\r\n"
	    "Host: localhost\r\n"
	    "Content-Length: %zu\r\n"
	    "\r\n",
	    request->method, request->target, request->body.len);
	buffer_append(buffer, request->body);
}

/* Answered, or failed; *out_unread: before the daemon had read it all, so that
 * it did nothing. */
static bool
call_on(struct answer *answer, struct bytes request, bool *out_unread,
    struct error *error)
{
	bool is_sent = send_all(answer->fd, request, answer->timeout_ms, error);
	bool is_read = is_sent && read_answer(answer, error);

	*out_unread = !is_read && error->kind == ERROR_SYSTEM &&
	    (error->number == EPIPE || error->number == ECONNRESET) &&
	    answer->status == 0 && answer->input.len == 0;
	return is_read;
}

/* A daemon that reloads closes what it has not read; its socket stays, and who
 * comes next is served. */
static bool
call(struct answer *answer, const struct control_client_request *request,
    struct error *error)
{
	struct buffer text;
	bool is_unread = true;
	bool is_good = false;

	buffer_init(&text, request->body.len + HEADER_MAX);
	append_request(request, &text);
	for (int i = 0; i < CALLS_MAX && is_unread && !is_good; i++) {
		if (!connect_to(request->socket, &answer->fd, error))
			break;
		is_good =
		    call_on(answer, buffer_bytes(&text), &is_unread, error);
		(void)close(answer->fd); /* everything was read */
	}
	buffer_clear(&text);
	return is_good;
}

bool
control_client_call(const struct control_client_request *request,
    control_client_fn *fn, void *ctx, int *out_status, char **out_error_text,
    struct error *error)
{
	struct answer answer = {.fn = fn, .ctx = ctx};

	answer.timeout_ms =
	    request->timeout_ms > 0 ? request->timeout_ms : TIMEOUT_DEFAULT_MS;
	buffer_init(&answer.input, 2 * PIECE_MAX + HEADER_MAX);
	buffer_init(&answer.line, 2 * PIECE_MAX + HEADER_MAX);
	buffer_init(&answer.problem, PIECE_MAX);
	bool good = call(&answer, request, error);
	if (good) {
		*out_status = answer.status;
		*out_error_text =
		    answer.status == 200 ? NULL : problem_text(&answer);
	}
	buffer_clear(&answer.problem);
	buffer_clear(&answer.line);
	buffer_clear(&answer.input);
	return good;
}

bool
control_client_gather(struct bytes piece, void *ctx)
{
	struct buffer *buffer = ctx;

	buffer_append(buffer, piece);
	return !buffer->overflowed;
}

bool
control_client_copy(struct bytes piece, void *ctx)
{
	const int *fd = ctx;

	while (piece.len > 0) {
		ssize_t len = write(*fd, piece.data, piece.len);

		if (len < 0 && errno != EINTR)
			return false;
		if (len > 0)
			piece = bytes_from(piece, (size_t)len);
	}
	return true;
}

void
control_client_escape(struct buffer *buffer, struct bytes text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";

	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (c != '\0' && strchr(plain, c) != NULL)
			buffer_append_char(buffer, c);
		else
			buffer_printf(buffer, "%%%02X", (unsigned char)c);
	}
}
