/*
 * A request on the admin socket, for control_server.c (which accepts it and
 * finds its resource) and control_request.c (which answers it).
 */
#pragma once

#include "control/access.h"
#include "control/control_server.h"
#include "control/http_request.h"
#include "net/conn.h"
#include "net/listener.h"

#include <jansson.h>
#include <sys/queue.h>

/* One answer, or one piece of a stream. */
#define CONTROL_ANSWER_MAX ((size_t)1024 * 1024 - 4096)

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
	struct loop_task next_piece;
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

/* The caller has gone, or we go: the resource hears of it. */
void control_request_cancel(struct control_request *request);
/* One piece each turn of the loop, while the caller takes them; a task. */
void control_request_send_piece(void *ctx);
/* The caller has taken what was in the output. */
void control_request_drained(struct control_request *request);
