/*
 * The content of one message as it comes in: the header is gathered, completed
 * and put behind our own fields; the rest goes straight to the body.
 */
#pragma once

#include "base/error.h"
#include "intake/admission.h"
#include "intake/rewrite.h"
#include "message/stamp.h"

#include <stdbool.h>

struct content_options {
	struct admission *admission;
	const struct rewrite_options *rewrite;
	bool submission; /* local mail: complete and qualify its header */
};

struct content {
	struct content_options options;
	struct message *message;        /* borrowed: what the content is of */
	struct stamp_received received; /* its texts are borrowed */
	struct buffer header;           /* until its end has been seen */
	bool in_header;
	struct body_writer writer;
	uint64_t reserved; /* octets of memory */
	size_t hops;
};

/* message has its id and envelope; its body is set by content_finish(). */
void content_begin(struct content *content,
    const struct content_options *options, struct message *message,
    const struct stamp_received *received);
/*
 * False: it cannot be taken (ERROR_LIMIT: memory or disk is full for now;
 * ERROR_SYSTEM: the file for a large one); content_cancel() is left to do.
 */
bool content_append(
    struct content *content, struct bytes octets, struct error *error) MUST_USE;
/* All has come: message->body is set. */
bool content_finish(struct content *content, struct error *error) MUST_USE;
/* Too many Received fields: a loop. After content_finish(). */
bool content_loops(const struct content *content);
/* Give it up; also after content_finish(), before the message is handed on. */
void content_cancel(struct content *content);
/* The memory that was reserved is somebody else's now, or free again. */
void content_release(struct content *content);
