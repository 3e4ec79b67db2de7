#include "base/clock.h"
#include "base/memory.h"
#include "control/control_private.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* An answer may wait for somebody who reads it page by page. */
#define SENDING_SILENCE_MAX (10 * CLOCK_MINUTE)
#define SLICE_MAX           ((size_t)64 * 1024)

/* ---- the end of a request ---- */

/* Forget request; its connection is somebody else's by now. */
static void
request_free(struct control_request *request)
{
	TAILQ_REMOVE(&request->server->requests, request, link);
	loop_task_cancel(request->server->loop, &request->next_piece);
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

void
control_request_cancel(struct control_request *request)
{
	control_cancel_fn *cancel = request->cancel;
	void *ctx = request->cancel_ctx;

	conn_close(request->conn);
	request_free(request);
	if (cancel != NULL)
		cancel(ctx);
}

/* ---- sending ---- */

/* A stretch of the answer into the output, in a chunk of its own if need be. */
static void
append_slice(struct control_request *request)
{
	struct buffer *output = conn_output(request->conn);
	struct bytes slice =
	    bytes_first(buffer_bytes(&request->answer), SLICE_MAX);

	if (request->is_chunked)
		buffer_printf(output, "%zx\r\n", slice.len);
	buffer_append(output, slice);
	if (request->is_chunked)
		buffer_append_text(output, "\r\n");
	buffer_consume(&request->answer, slice.len);
}

/* That was the last piece. */
static void
end_stream(struct control_request *request)
{
	control_cancel_fn *end = request->cancel;

	request->more = NULL;
	request->cancel = NULL;
	if (end != NULL)
		end(request->cancel_ctx);
}

/* False where the request is over. */
static bool
get_piece(struct control_request *request)
{
	enum control_more more =
	    request->more(&request->answer, request->cancel_ctx);

	if (more == CONTROL_MORE_LAST)
		end_stream(request);
	if (more != CONTROL_MORE_CUT && !request->answer.overflowed)
		return true;
	/* Cut off where it can be seen: no last chunk follows. */
	control_request_cancel(request);
	return false;
}

/* Everything is in the output; wait until the caller has taken it, for
 * conn_finish() is not patient. */
static void
finish_sending(struct control_request *request)
{
	if (request->is_chunked)
		buffer_append_text(conn_output(request->conn), "0\r\n\r\n");
	request->is_chunked = false;
	conn_flush(request->conn);
	if (conn_output(request->conn)->len == 0)
		request_finish(request);
}

void
control_request_send(void *ctx)
{
	struct control_request *request = ctx;
	const struct buffer *output = conn_output(request->conn);
	struct loop *loop = request->server->loop;

	conn_set_deadline(
	    request->conn, loop_now(loop).mono_ms + SENDING_SILENCE_MAX);
	if (request->answer.len == 0 && request->more != NULL &&
	    !get_piece(request))
		return;
	while (request->answer.len > 0 && output->len < CONN_OUTPUT_HIGH)
		append_slice(request);
	if (request->answer.len == 0 && request->more == NULL) {
		finish_sending(request);
		return;
	}
	conn_flush(request->conn);
	if (output->len < CONN_OUTPUT_HIGH)
		loop_later(loop, &request->next_piece);
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
		status = 500;
		buffer_empty(&request->answer);
		buffer_append_text(&request->answer,
		    "{\"error\":\"the answer is too large\"}\n");
	}
	append_header(output, status, "application/json");
	buffer_printf(
	    output, "Content-Length: %zu\r\n\r\n", request->answer.len);
	request->state = REQUEST_SENDING;
	request->cancel = NULL;
	control_request_send(request);
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

	assert(request->state != REQUEST_SENDING);

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

void
control_stream(struct control_request *request, const char *content_type,
    control_more_fn *fn, control_cancel_fn *end, void *ctx)
{
	struct buffer *output = conn_output(request->conn);

	assert(request->state == REQUEST_ANSWERING);

	request->state = REQUEST_SENDING;
	request->more = fn;
	control_on_cancel(request, end, ctx);
	buffer_empty(&request->answer);
	append_header(output, 200, content_type);
	request->is_chunked = request->http.minor > 0;
	if (request->is_chunked)
		buffer_append_text(output, "Transfer-Encoding: chunked\r\n");
	buffer_append_text(output, "\r\n");
	loop_later(request->server->loop, &request->next_piece);
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
