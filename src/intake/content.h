/*
 * The content of one message as it comes in: the header is gathered, completed
 * and put behind our own fields; the rest goes straight to the body.
 *
 * A header longer than HEADER_SIZE_MAX is not looked into: it is passed on as
 * it stands, and refused only where something must be taken out of it.
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
	bool strip;      /* take Bcc, Resent-Bcc and Return-Path out */
};

struct content {
	struct content_options options;
	struct message *message;        /* borrowed: what the content is of */
	struct stamp_received received; /* its texts are borrowed */
	struct buffer header;           /* until its end has been seen */
	bool in_header;
	bool finished; /* message has the body */
	struct body_writer writer;
	uint64_t reserved; /* octets of memory */
	size_t hops;
};

/* message has its id and envelope; its body is set by content_finish(). */
void content_begin(struct content *content,
    const struct content_options *options, struct message *message,
    const struct stamp_received *received);
/*
 * Content of CRLF lines.  False: it cannot be taken, for now (ERROR_LIMIT:
 * memory or disk is full; ERROR_SYSTEM: the file for a large one) or ever
 * (ERROR_DATA); content_cancel() is left to do.
 */
bool content_append(
    struct content *content, struct bytes octets, struct error *error) MUST_USE;
/* All has come: message->body is set.  False as above. */
bool content_finish(struct content *content, struct error *error) MUST_USE;
/* Too many Received fields: a loop. After content_finish(). */
bool content_loops(const struct content *content);
/* Give it up, file and all; also after content_finish(), as long as the message
 * has not been handed on. */
void content_cancel(struct content *content);
/* The message was handed on, or is gone: the memory that was reserved is
 * somebody else's now, or free again. */
void content_release(struct content *content);
