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

/* One answer, or one piece of a stream: a message of 50,000 recipients, each
 * with its reason, fits. */
#define CONTROL_ANSWER_MAX ((size_t)64 * 1024 * 1024)

enum request_state {
	REQUEST_READING,
	REQUEST_ANSWERING, /* the resource has it */
	REQUEST_SENDING    /* the header is in the output */
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
	control_more_fn *more; /* NULL: no more pieces will come */
	bool is_chunked;
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
/* Bring the answer into the output as fast as the caller takes it, one piece of
 * a stream each turn of the loop.  A task; request may be over then. */
void control_request_send(void *ctx);
