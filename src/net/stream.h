/*
 * One attempt to move bytes between a connected socket and a buffer, without
 * blocking and without SIGPIPE.  The plain half of conn; tls_stream is the
 * other one and answers in the same words.
 *
 * Descriptors that a peer passes along (SCM_RIGHTS) are closed by the kernel,
 * since nothing here asks for them.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"

enum stream_result {
	STREAM_MOVED,       /* at least one octet */
	STREAM_WANTS_READ,  /* try again when the socket is readable */
	STREAM_WANTS_WRITE, /* try again when it is writable */
	STREAM_ENDED, /* reading: the peer's orderly end; through TLS, octets
		       * may have come before it */
	STREAM_FAILED /* the same; error says why: ERROR_CLOSED where the peer
		       * has gone, else ERROR_SYSTEM or ERROR_TLS */
};

/* Least room a read is made with; needs that much below buffer's ceiling, or
 * takes what there is. */
#define STREAM_READ_MIN ((size_t)4096)

/* Octets that still fit below buffer's ceiling. */
size_t stream_room(const struct buffer *buffer);
/*
 * What a read may go into: at least STREAM_READ_MIN octets behind buffer's
 * bytes, or stream_room() where that is less, and up to *out_size where memory
 * is there anyway.  There is room.
 */
char *stream_reserve(struct buffer *buffer, size_t *out_size);

/* Append to buffer all that has arrived, as far as it fits.  There is room. */
enum stream_result stream_read(
    int fd, struct buffer *buffer, struct error *error);
/* Send from the front of buffer, which is not empty, and consume what went;
 * STREAM_MOVED where all did. */
enum stream_result stream_write(
    int fd, struct buffer *buffer, struct error *error);

/* Set error to what errno means for a connection: ERROR_CLOSED or
 * ERROR_SYSTEM, number errno.  Returns STREAM_FAILED. */
enum stream_result stream_failed(struct error *error, const char *doing);
