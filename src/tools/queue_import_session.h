/* The relay that messages are handed to: one connection, many messages. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "message/envelope.h"

#include <stdbool.h>

struct queue_import_session;

struct queue_import_session *queue_import_session_new(const char *socket);
/* Says QUIT, where it is connected. */
void queue_import_session_free(struct queue_import_session *session);

enum queue_import_result {
	QUEUE_IMPORT_TAKEN,   /* durably; text is what the relay said */
	QUEUE_IMPORT_LATER,   /* refused for now, or the answer is missing */
	QUEUE_IMPORT_REFUSED, /* for good */
	QUEUE_IMPORT_NOBODY   /* no relay there: nothing more will go */
};

/*
 * Hand over content for all recipients of envelope, or for none.  *out_text,
 * the caller's, says what the relay said, or what happened.
 */
enum queue_import_result queue_import_session_send(
    struct queue_import_session *session, const struct envelope *envelope,
    struct bytes content, char **out_text);
