/*
 * What we add to a message's header: Received always (RFC 5321 4.4), and Date,
 * Message-ID and From where a local submission has none (RFC 6409 8).
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"
#include "message/message.h"

#include <stdbool.h>

struct stamp_received {
	const char *hostname; /* ours */
	const char *hello;    /* the client's name, or NULL */
	const char *client;   /* "[192.0.2.1]", "uid 1000", or NULL */
	const char *protocol; /* "ESMTP", "SMTP", "LMTP", "ESMTPS", "UTF8SMTP",
				 "local" */
	const char *tls;      /* "TLSv1.3 with cipher …", or NULL */
};

/* Append the Received field for message, ending in CRLF. */
void stamp_received(struct buffer *buffer,
    const struct stamp_received *received, const struct message *message);

struct stamp_submission {
	const char *hostname; /* for Message-ID */
	const char *sender;   /* for From: an address */
	const char *name;     /* its display name, or NULL */
};

/* Append Date, Message-ID and From where header has none. */
void stamp_submission(struct buffer *buffer, struct bytes header,
    const struct stamp_submission *submission, const struct message *message);
/* Number of Received fields in header, for loop detection. */
size_t stamp_hops(struct bytes header);
