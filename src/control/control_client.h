/*
 * One request to the daemon's admin socket, blocking: for the tools.  Plain
 * sockets and as much of HTTP/1.1 (RFC 9112) as control_server sends; needs
 * base alone, so that sendmail can use it.
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"

#include <stdbool.h>

struct control_client_request {
	const char *socket; /* path */
	const char *method; /* "GET" or "POST" */
	const char *target; /* "/v1/queue?limit=10" */
	struct bytes body;  /* JSON, or empty */
	int timeout_ms;     /* without any progress; 0: 30 s */
};

/* A piece of the body of an answer of 200; false: enough, hang up. */
typedef bool control_client_fn(struct bytes piece, void *ctx);

/*
 * out_status  of the answer; where it is not 200, out_error_text (the caller's,
 *             to be freed) is its "error", or the status in words; else NULL
 *
 * A request that was closed on before it was read, as by a daemon that reloads,
 * is sent again.
 *
 * False: no answer.  ERROR_SYSTEM with ECONNREFUSED, ENOENT or EACCES where the
 * daemon can not be reached; ERROR_CLOSED where the answer was cut off, pieces
 * may have been handed over then; ERROR_TIMEOUT; ERROR_DATA for no HTTP.
 */
bool control_client_call(const struct control_client_request *request,
    control_client_fn *fn, void *ctx, int *out_status, char **out_error_text,
    struct error *error) MUST_USE;

/* A control_client_fn that gathers the body; ctx is a struct buffer. */
bool control_client_gather(struct bytes piece, void *ctx);
/* A control_client_fn that writes to a descriptor; ctx is a const int *. */
bool control_client_copy(struct bytes piece, void *ctx);

/* Append text as it must stand in a target: RFC 3986's unreserved as they are,
 * all else as %XX. */
void control_client_escape(struct buffer *buffer, struct bytes text);
