#include "base/clock.h"
#include "base/memory.h"
#include "control/control_private.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECTIONS_PER_USER 16
#define SILENCE_MAX          (30 * CLOCK_SECOND)

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
		if (request->state == REQUEST_SENDING)
			control_request_send(request);
		break;
	case CONN_EOF:
		/* Who sent half a request has gone; who has sent it all may
		 * still listen, which only writing shows. */
		if (request->state != REQUEST_SENDING)
			control_request_cancel(request);
		break;
	case CONN_FAILED:
	case CONN_TIMEOUT:
		control_request_cancel(request);
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
	buffer_init(&request->answer, CONTROL_ANSWER_MAX);
	json_writer_init(&request->json, &request->answer);
	loop_task_init(&request->next_piece, control_request_send, request);
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
		control_request_cancel(TAILQ_FIRST(&server->requests));
	listener_free(server->listener);
	access_list_clear(&server->readers);
	access_list_clear(&server->writers);
	free(server);
}
