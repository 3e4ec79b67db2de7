/*
 * The queue as the admin socket shows it: lists piece by piece, one message
 * whole. Envelopes are read from the queue's files as they are needed: a
 * listing is a few reads for each message, in pieces of 64 KiB of text, so the
 * hub is not kept long.
 */
#pragma once

#include "control/control_server.h"
#include "daemon/dispatch.h"

struct queue_listing_source {
	struct dispatch *dispatch;
	int large_fd;
	struct clock_time now;
};

enum queue_listing_form {
	QUEUE_LISTING_JSON,
	QUEUE_LISTING_MAILQ
};

/* All messages that the caller may see and its query selects. */
void queue_listing_stream(const struct queue_listing_source *source,
    struct control_request *request, enum queue_listing_form form);
/* The message of the path, in full; or its content. */
void queue_listing_show(
    const struct queue_listing_source *source, struct control_request *request);
void queue_listing_content(
    const struct queue_listing_source *source, struct control_request *request);
