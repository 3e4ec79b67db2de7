/*
 * The queue as the admin socket lists it, piece by piece. Envelopes are read
 * from the queue's files as they are needed: a listing is a few reads for each
 * message, in pieces of 64 KiB of text, so the hub is not kept long.
 */
#pragma once

#include "control/control_server.h"
#include "daemon/queue_view.h"

enum queue_listing_form {
	QUEUE_LISTING_JSON,
	QUEUE_LISTING_MAILQ
};

/* All messages that the caller may see and its query selects. */
void queue_listing_stream(const struct queue_view *view,
    struct control_request *request, enum queue_listing_form form);
