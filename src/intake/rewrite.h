/*
 * Addresses of local mail: bare ones get the origin, root's mail goes where the
 * administrator wants it.  Addresses with a domain of somebody else are never
 * touched.
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"

struct rewrite_options {
	const char *hostname; /* ours: user@hostname is a local address */
	const char *origin;   /* domain of bare addresses */
	const char *root;     /* who gets root's mail; NULL: root@origin */
};

/* Append "user@origin" for "user", and for "user@web1" where hostname is
 * "web1.example"; anything else, "" included, as it is. */
void rewrite_sender(const struct rewrite_options *options, struct bytes sender,
    struct buffer *out);
/* As rewrite_sender; root, and what goes to him, to options->root. */
void rewrite_recipient(const struct rewrite_options *options,
    struct bytes recipient, struct buffer *out);
/*
 * Append header with the addresses in From, Sender, Reply-To, To, Cc, Bcc (and
 * their Resent- forms) as rewrite_sender() has them; comments and display names
 * stay as they stand, and so does a field that cannot be understood.
 */
void rewrite_header(const struct rewrite_options *options, struct bytes header,
    struct buffer *out);
