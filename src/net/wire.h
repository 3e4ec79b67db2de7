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

enum wire_result {
	WIRE_MOVED,       /* at least one octet */
	WIRE_WANTS_READ,  /* try again when the socket is readable */
	WIRE_WANTS_WRITE, /* try again when it is writable */
	WIRE_ENDED, /* reading: the peer's orderly end; through TLS, octets
		     * may have come before it */
	WIRE_FAILED /* the same; error says why: ERROR_CLOSED where the peer has
		     * gone, else ERROR_SYSTEM or ERROR_TLS */
};

/* Least room a read is made with; needs that much below buffer's ceiling, or
 * takes what there is. */
#define WIRE_READ_MIN ((size_t)4096)

/* Octets that still fit below buffer's ceiling. */
size_t wire_room(const struct buffer *buffer);
/*
 * What a read may go into: at least WIRE_READ_MIN octets behind buffer's bytes,
 * or wire_room() where that is less, and up to *out_size where memory is there
 * anyway.  There is room.
 */
char *wire_reserve(struct buffer *buffer, size_t *out_size);

/* Append to buffer all that has arrived, as far as it fits.  There is room. */
enum wire_result wire_read(int fd, struct buffer *buffer, struct error *error);
/* Send from the front of buffer, which is not empty, and consume what went;
 * WIRE_MOVED where all did. */
enum wire_result wire_write(int fd, struct buffer *buffer, struct error *error);

/* Set error to what errno means for a connection: ERROR_CLOSED or
 * ERROR_SYSTEM, number errno.  Returns WIRE_FAILED. */
enum wire_result wire_failed(struct error *error, const char *doing);
