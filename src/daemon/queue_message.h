/*
 * One message of the queue for the admin socket: all that is known of it, or
 * its content.
 */
#pragma once

#include "control/control_server.h"
#include "daemon/queue_view.h"

/* The message whose id is in the path, where the caller may see it: an object.
 */
void queue_message_show(
    const struct queue_view *view, struct control_request *request);
/* Its content, in pieces.  What is not sent whole, since the message left the
 * queue meanwhile or cannot be read, is cut off where the caller sees it. */
void queue_message_content(
    const struct queue_view *view, struct control_request *request);
