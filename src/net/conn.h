/*
 * A byte stream with time-outs: unix or TCP, plain or TLS, accepted or opened.
 *
 * The owner reads conn_input(), appends to conn_output() and calls
 * conn_flush(). It is told what happens by one function; within it, or at any
 * time on the loop's thread, it may call conn_close(), after which the conn
 * does not exist for it any more (the memory is released once the current turn
 * is over).
 *
 * A conn lives and dies on one loop.  No SIGPIPE, TCP_NODELAY always, CLOEXEC.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "net/loop.h"
#include "net/peer.h"
#include "net/tls.h"
#include "net/tls_facts.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct conn;

enum conn_event {
	CONN_OPENED,   /* conn_open() succeeded */
	CONN_READABLE, /* input grew */
	CONN_DRAINED,  /* output that stood above the low-water mark is below
			* it, or output that had to wait is all written */
	CONN_SECURED,  /* the TLS handshake is done and verified */
	CONN_EOF,      /* the peer sent its end; input stays readable */
	CONN_FAILED,   /* conn_error() says why; only conn_close() is left to do
			*/
	CONN_TIMEOUT   /* the deadline has passed; it is unset */
};

typedef void conn_fn(struct conn *conn, enum conn_event event, void *ctx);

/* input_limit: reading pauses by itself while so much input lies unread. */
#define CONN_INPUT_LIMIT (64 * 1024)
/* conn_output() may always be appended to up to its ceiling; writers of bulk
 * stop above this and go on at CONN_DRAINED. */
#define CONN_OUTPUT_HIGH (256 * 1024)
#define CONN_OUTPUT_LOW  (64 * 1024)
/* Output's ceiling. */
#define CONN_OUTPUT_LIMIT (1024 * 1024)
/* How long conn_finish() tries. */
#define CONN_FINISH_MAX (10 * CLOCK_SECOND)

/* Takes the connected descriptor fd. */
struct conn *conn_accept(struct loop *loop, int fd, conn_fn *fn, void *ctx);
/*
 * Connect to address; CONN_OPENED or CONN_FAILED follows, never before this
 * returns.  source: an address to bind to, or NULL.
 */
struct conn *conn_open(struct loop *loop, const struct sockaddr *address,
    socklen_t address_len, const struct sockaddr *source, socklen_t source_len,
    conn_fn *fn, void *ctx);
/* Also at a failed or finished one.  Output not yet written is lost: see
 * conn_finish().  NULL does nothing. */
void conn_close(struct conn *conn);
/* Write what is left in the output (at most 10 s), then close; fn is not called
 * any more.  For a last reply: input that would make the kernel reset the
 * connection, and the reply with it, is read and thrown away. */
void conn_finish(struct conn *conn);

/* Owned by conn; consume from input, append to output. Input's ceiling is
 * CONN_INPUT_LIMIT, output's CONN_OUTPUT_LIMIT. */
struct buffer *conn_input(struct conn *conn);
struct buffer *conn_output(struct conn *conn);
/* Try to write now; what does not fit is written when the socket allows, as is
 * all that was flushed before CONN_OPENED or CONN_SECURED.  Errors come as
 * CONN_FAILED in a later turn. */
void conn_flush(struct conn *conn);
/* After consuming input in a later turn (not within fn): read on. */
void conn_read_on(struct conn *conn);
/* Read what has arrived, without waiting for the loop to say so; it is told to
 * fn before this returns.  Not within fn. */
void conn_read_now(struct conn *conn);

/* Two reasons to pause reading do not fight: bits.  Pausing costs nothing while
 * the peer is silent; a handshake is not paused. */
#define CONN_PAUSE_ANSWER   1U /* the session waits for a verdict */
#define CONN_PAUSE_PRESSURE 2U /* the daemon holds too much unwritten */
void conn_pause(struct conn *conn, unsigned reasons);
void conn_resume(struct conn *conn, unsigned reasons);

/* Monotonic ms; CLOCK_NEVER unsets. */
void conn_set_deadline(struct conn *conn, int64_t deadline);
/* Change who is told. */
void conn_set_fn(struct conn *conn, conn_fn *fn, void *ctx);

/*
 * Begin TLS: as the client (name: what the certificate must carry, and the SNI)
 * or as the server (name NULL).  False, with nothing changed, where plaintext
 * is still unread in input or unwritten in output: that is an injection attack
 * or our bug; close.  Ends in CONN_SECURED or CONN_FAILED (ERROR_TLS).
 */
bool conn_start_tls(struct conn *conn, struct tls_context *context,
    const char *name, struct error *error) MUST_USE;
/* NULL before CONN_SECURED. */
const struct tls_summary *conn_tls(const struct conn *conn);
/*
 * What a handshake of ours came to and what the peer's certificate says, judged
 * anew by the authorities in ca (see tls.h), whatever the context asked for.
 * False before CONN_SECURED; else out_facts is to be cleared.
 */
bool conn_tls_facts(
    const struct conn *conn, const char *ca, struct tls_facts *out_facts);
/*
 * Channel binding for SCRAM-PLUS: out_type "tls-exporter" (TLS 1.3, RFC 9266)
 * or "tls-unique" (RFC 5929).  Returns the octets written, 0 where there is
 * none or capacity does not suffice (64 always does).
 */
size_t conn_channel_binding(
    struct conn *conn, char *out_data, size_t capacity, const char **out_type);

const struct error *conn_error(const struct conn *conn);
const struct peer *conn_peer(const struct conn *conn);
int conn_fd(const struct conn *conn);
struct loop *conn_loop(const struct conn *conn);
