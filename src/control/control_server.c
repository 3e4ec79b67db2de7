#include "control/control_server.h"

#include "base/clock.h"
#include "base/memory.h"
#include "control/access.h"
#include "control/http_request.h"
#include "net/conn.h"
#include "net/listener.h"

#include <assert.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#define CONNECTIONS_PER_USER 16
#define SILENCE_MAX          (30 * CLOCK_SECOND)
/* A stream may wait for somebody who reads it page by page. */
#define STREAM_SILENCE_MAX (10 * CLOCK_MINUTE)
/* One answer, or one piece of a stream. */
#define ANSWER_MAX ((size_t)1024 * 1024 - 4096)

enum request_state {
	REQUEST_READING,
	REQUEST_ANSWERING, /* the resource has it */
	REQUEST_STREAMING,
	REQUEST_ENDING /* the stream's last piece is in the output */
};

struct control_request {
	TAILQ_ENTRY(control_request) link;
	struct control_server *server;
	struct conn *conn;
	struct access_caller caller;
	bool can_read;
	bool can_write;
	enum request_state state;
	struct http_request http;
	char *part;           /* what stood for ":name", or NULL */
	json_t *body;         /* an object, or NULL */
	const char **texts;   /* of control_request_texts() */
	struct buffer answer; /* the object, or a piece */
	struct json_writer json;
	control_cancel_fn *cancel; /* when streaming, the end function */
	void *cancel_ctx;
	control_more_fn *more;
	struct loop_timer next_piece;
};

TAILQ_HEAD(request_list, control_request);

struct control_server {
	struct loop *loop;
	struct listener *listener;
	struct control_server_options options;
	struct access_list readers;
	struct access_list writers;
	struct request_list requests;
};

/* ---- the end of a request ---- */

/* Forget request; its connection is somebody else's by now. */
static void
request_free(struct control_request *request)
{
	TAILQ_REMOVE(&request->server->requests, request, link);
	loop_timer_clear(&request->next_piece);
	http_request_clear(&request->http);
	json_decref(request->body);
	free(request->texts);
	free(request->part);
	buffer_clear(&request->answer);
	free(request);
}

/* What is in the output is the last of it. */
static void
request_finish(struct control_request *request)
{
	conn_finish(request->conn);
	request_free(request);
}

/* The caller has gone, or we go: the resource hears of it. */
static void
request_cancel(struct control_request *request)
{
	control_cancel_fn *cancel = request->cancel;
	void *ctx = request->cancel_ctx;

	conn_close(request->conn);
	request_free(request);
	if (cancel != NULL)
		cancel(ctx);
}

/* ---- answers ---- */

static const char *
status_words(int status)
{
	static const struct {
		int status;
		const char *words;
	} all[] = {{200, "OK"}, {400, "Bad Request"}, {403, "Forbidden"},
	    {404, "Not Found"}, {405, "Method Not Allowed"}, {409, "Conflict"},
	    {411, "Length Required"}, {413, "Content Too Large"},
	    {417, "Expectation Failed"}, {431, "Header Fields Too Large"},
	    {500, "Internal Server Error"}, {503, "Service Unavailable"},
	    {505, "HTTP Version Not Supported"}};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i].status == status)
			return all[i].words;
	return status < 500 ? "Refused" : "Failed";
}

static void
append_header(struct buffer *output, int status, const char *content_type)
{
	buffer_printf(output,
	    "HTTP/1.1 %d %s\r\n"
	    "Content-Type: %s\r\n"
	    "Cache-Control: no-store\r\n"
	    "Connection: close\r\n",
	    status, status_words(status), content_type);
}

/* Answer with what is in request->answer, whole. */
static void
answer(struct control_request *request, int status)
{
	struct buffer *output = conn_output(request->conn);

	json_writer_end_line(&request->json);
	if (request->answer.overflowed) {
		/* A listing belongs into a stream. */
		status = 500;
		buffer_empty(&request->answer);
		buffer_append_text(&request->answer,
		    "{\"error\":\"the answer is too large\"}\n");
	}
	append_header(output, status, "application/json");
	buffer_printf(
	    output, "Content-Length: %zu\r\n\r\n", request->answer.len);
	buffer_append(output, buffer_bytes(&request->answer));
	request_finish(request);
}

struct json_writer *
control_request_json(struct control_request *request)
{
	if (request->json.depth == 0)
		json_writer_object(&request->json, NULL);
	return &request->json;
}

void
control_reply(struct control_request *request)
{
	assert(request->state == REQUEST_ANSWERING);

	(void)control_request_json(request); /* opens "{" where nothing was */
	answer(request, 200);
}

void
control_fail(
    struct control_request *request, int status, const char *format, ...)
{
	struct buffer text;
	va_list args;

	assert(request->state < REQUEST_STREAMING);

	buffer_init(&text, 4096);
	va_start(args, format);
	buffer_vprintf(&text, format, args);
	va_end(args);
	buffer_empty(&request->answer);
	json_writer_init(&request->json, &request->answer);
	json_writer_bytes(
	    control_request_json(request), "error", buffer_bytes(&text));
	buffer_clear(&text);
	answer(request, status);
}

void
control_on_cancel(
    struct control_request *request, control_cancel_fn *fn, void *ctx)
{
	request->cancel = fn;
	request->cancel_ctx = ctx;
}

/* ---- streams ---- */

static bool
is_chunked(const struct control_request *request)
{
	return request->http.minor > 0;
}

static void
append_piece(struct control_request *request)
{
	struct buffer *output = conn_output(request->conn);

	if (request->answer.len == 0)
		return;
	if (is_chunked(request))
		buffer_printf(output, "%zx\r\n", request->answer.len);
	buffer_append(output, buffer_bytes(&request->answer));
	if (is_chunked(request))
		buffer_append_text(output, "\r\n");
	buffer_empty(&request->answer);
}

static void
wait_for_caller(struct control_request *request)
{
	conn_set_deadline(request->conn,
	    loop_now(request->server->loop).mono_ms + STREAM_SILENCE_MAX);
}

static void
end_stream(struct control_request *request)
{
	control_cancel_fn *end = request->cancel;
	void *ctx = request->cancel_ctx;

	if (is_chunked(request))
		buffer_append_text(conn_output(request->conn), "0\r\n\r\n");
	request->state = REQUEST_ENDING;
	request->cancel = NULL;
	conn_flush(request->conn);
	if (conn_output(request->conn)->len == 0)
		request_finish(request);
	else
		wait_for_caller(request);
	if (end != NULL)
		end(ctx);
}

/* One piece each turn of the loop, while the caller takes them. */
static void
send_piece(void *ctx)
{
	struct control_request *request = ctx;
	struct loop *loop = request->server->loop;

	bool more = request->more(&request->answer, request->cancel_ctx);
	/* A piece that does not fit is our bug: cut it off, visibly. */
	if (request->answer.overflowed) {
		request_cancel(request);
		return;
	}
	append_piece(request);
	if (!more) {
		end_stream(request);
		return;
	}
	conn_flush(request->conn);
	wait_for_caller(request);
	if (conn_output(request->conn)->len < CONN_OUTPUT_HIGH)
		loop_timer_set(&request->next_piece, loop_now(loop).mono_ms);
}

void
control_stream(struct control_request *request, const char *content_type,
    control_more_fn *fn, control_cancel_fn *end, void *ctx)
{
	struct buffer *output = conn_output(request->conn);

	assert(request->state == REQUEST_ANSWERING);

	request->state = REQUEST_STREAMING;
	request->more = fn;
	control_on_cancel(request, end, ctx);
	buffer_empty(&request->answer);
	append_header(output, 200, content_type);
	if (is_chunked(request))
		buffer_append_text(output, "Transfer-Encoding: chunked\r\n");
	buffer_append_text(output, "\r\n");
	loop_timer_set(
	    &request->next_piece, loop_now(request->server->loop).mono_ms);
}

/* ---- what was asked ---- */

uid_t
control_request_uid(const struct control_request *request)
{
	return request->caller.uid;
}

bool
control_request_can_read(const struct control_request *request)
{
	return request->can_read;
}

bool
control_request_can_write(const struct control_request *request)
{
	return request->can_write;
}

bool
control_request_owns(const struct control_request *request, uint32_t uid)
{
	return request->can_read || request->caller.uid == uid;
}

struct bytes
control_request_part(const struct control_request *request)
{
	return bytes_of(request->part);
}

const char *
control_request_query(const struct control_request *request, const char *name)
{
	return http_request_query(&request->http, name);
}

bool
control_request_text(
    struct control_request *request, const char *key, const char **out_text)
{
	const json_t *value = json_object_get(request->body, key);

	if (value != NULL && !json_is_string(value)) {
		control_fail(request, 400, "'%s' must be a text", key);
		return false;
	}
	*out_text = value == NULL ? NULL : json_string_value(value);
	return true;
}

bool
control_request_bool(
    struct control_request *request, const char *key, bool *out_value)
{
	const json_t *value = json_object_get(request->body, key);

	if (value != NULL && !json_is_boolean(value)) {
		control_fail(request, 400, "'%s' must be true or false", key);
		return false;
	}
	*out_value = json_is_true(value);
	return true;
}

bool
control_request_texts(struct control_request *request, const char *key,
    const char *const **out_texts, size_t *out_count)
{
	const json_t *value = json_object_get(request->body, key);
	size_t count = json_array_size(value);
	bool good = value == NULL || json_is_array(value);

	free(request->texts);
	request->texts = memory_array(count + 1, sizeof(*request->texts));
	for (size_t i = 0; i < count; i++) {
		request->texts[i] = json_string_value(json_array_get(value, i));
		good = good && request->texts[i] != NULL;
	}
	if (!good) {
		control_fail(
		    request, 400, "'%s' must be an array of texts", key);
		return false;
	}
	*out_texts = value == NULL ? NULL : request->texts;
	*out_count = count;
	return true;
}

/* ---- to the resource ---- */

static bool
may_use(const struct control_request *request,
    const struct control_resource *resource)
{
	switch (resource->access) {
	case CONTROL_ANYONE:
		return true;
	case CONTROL_READER:
		return request->can_read;
	case CONTROL_WRITER:
		return request->can_write;
	}
	return false;
}

/* NULL, and answered, where there is none. */
static const struct control_resource *
find_resource(struct control_request *request)
{
	const struct control_server_options *options =
	    &request->server->options;
	bool other_method = false;

	for (size_t i = 0; i < options->resource_count; i++) {
		const struct control_resource *resource =
		    &options->resources[i];

		if (!http_request_matches(
			request->http.path, resource->path, &request->part))
			continue;
		if (strcmp(resource->method, request->http.method) == 0)
			return resource;
		other_method = true;
		free(request->part);
		request->part = NULL;
	}
	if (other_method)
		control_fail(request, 405, "%s is not for %s",
		    request->http.method, request->http.path);
	else
		control_fail(
		    request, 404, "there is no %s", request->http.path);
	return NULL;
}

/* False, and answered, where the body is no JSON object. */
static bool
read_body(struct control_request *request)
{
	struct bytes body = buffer_bytes(&request->http.body);
	json_error_t error;

	if (body.len == 0)
		return true;
	request->body =
	    json_loadb(body.data, body.len, JSON_REJECT_DUPLICATES, &error);
	if (json_is_object(request->body))
		return true;
	control_fail(request, 400, "the body must be a JSON object%s%s",
	    request->body == NULL ? ": " : "",
	    request->body == NULL ? error.text : "");
	return false;
}

static void
dispatch(struct control_request *request)
{
	request->state = REQUEST_ANSWERING;
	conn_set_deadline(request->conn, CLOCK_NEVER);
	const struct control_resource *resource = find_resource(request);

	if (resource == NULL || !read_body(request))
		return;
	if (may_use(request, resource))
		resource->fn(request, request->server->options.ctx);
	else
		control_fail(request, 403,
		    "not permitted: this is for %s only (admin.%s in "
		    "postrider.conf)",
		    resource->access == CONTROL_READER ? "readers" : "writers",
		    resource->access == CONTROL_READER ? "readers" : "writers");
}

/* ---- connections ---- */

static void
read_on(struct control_request *request)
{
	enum http_request_progress progress =
	    http_request_read(&request->http, conn_input(request->conn));

	switch (progress) {
	case HTTP_REQUEST_MORE:
		break;
	case HTTP_REQUEST_READY:
		dispatch(request);
		break;
	case HTTP_REQUEST_BAD:
		control_fail(
		    request, request->http.status, "%s", request->http.problem);
		break;
	}
}

static void
drained(struct control_request *request)
{
	if (request->state == REQUEST_STREAMING)
		loop_timer_set(&request->next_piece,
		    loop_now(request->server->loop).mono_ms);
	if (request->state == REQUEST_ENDING &&
	    conn_output(request->conn)->len == 0)
		request_finish(request);
}

static void
hear(struct conn *conn, enum conn_event event, void *ctx)
{
	struct control_request *request = ctx;

	(void)conn;
	switch (event) {
	case CONN_READABLE:
		/* After the request nothing is read any more. */
		if (request->state == REQUEST_READING)
			read_on(request);
		break;
	case CONN_DRAINED:
		drained(request);
		break;
	case CONN_EOF:
	case CONN_FAILED:
	case CONN_TIMEOUT:
		request_cancel(request);
		break;
	case CONN_OPENED:
	case CONN_SECURED:
		break;
	}
}

static bool
is_ours(uid_t uid)
{
	return uid == 0 || uid == geteuid();
}

static bool
has_too_many(const struct control_server *server, uid_t uid)
{
	const struct control_request *request;
	size_t count = 0;

	TAILQ_FOREACH (request, &server->requests, link)
		count += request->caller.uid == uid;
	return count >= CONNECTIONS_PER_USER && !is_ours(uid);
}

static void
accept_caller(int fd, const struct peer *peer, void *ctx)
{
	struct control_server *server = ctx;
	struct access_caller caller;

	(void)peer;
	if (!access_identify(fd, &caller) || has_too_many(server, caller.uid)) {
		(void)close(fd); /* nothing was written to it */
		return;
	}
	struct control_request *request = memory_new(sizeof(*request));
	request->server = server;
	request->caller = caller;
	request->can_write =
	    is_ours(caller.uid) || access_list_has(&server->writers, &caller);
	request->can_read =
	    request->can_write || access_list_has(&server->readers, &caller);
	http_request_init(&request->http);
	buffer_init(&request->answer, ANSWER_MAX);
	json_writer_init(&request->json, &request->answer);
	loop_timer_init(
	    &request->next_piece, server->loop, send_piece, request);
	TAILQ_INSERT_TAIL(&server->requests, request, link);
	request->conn = conn_accept(server->loop, fd, hear, request);
	conn_set_deadline(
	    request->conn, loop_now(server->loop).mono_ms + SILENCE_MAX);
}

bool
control_server_new(struct loop *loop, int fd,
    const struct control_server_options *options, struct buffer *warnings,
    struct control_server **out_server, struct error *error)
{
	/* A descriptor of our own for the same socket. */
	int own_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	struct control_server *server = memory_new(sizeof(*server));

	if (own_fd < 0) {
		free(server);
		return error_system(error, "admin socket");
	}
	server->loop = loop;
	server->options = *options;
	TAILQ_INIT(&server->requests);
	if (!listener_inherit(loop, own_fd, accept_caller, server,
		&server->listener, error)) {
		(void)close(own_fd); /* nothing was written to it */
		free(server);
		return false;
	}
	access_list_init(&server->readers, options->readers,
	    options->reader_count, "readers", warnings);
	access_list_init(&server->writers, options->writers,
	    options->writer_count, "writers", warnings);
	*out_server = server;
	return true;
}

void
control_server_free(struct control_server *server)
{
	if (server == NULL)
		return;
	while (!TAILQ_EMPTY(&server->requests))
		request_cancel(TAILQ_FIRST(&server->requests));
	listener_free(server->listener);
	access_list_clear(&server->readers);
	access_list_clear(&server->writers);
	free(server);
}
