/*
 * One connection to an upstream: look it up, connect, secure, log in, carry
 * orders, keep idle, say QUIT, close.  A client session (smtp_client) and a
 * conn joined together; what orders there are and what their replies mean is
 * its owner's business.
 */
#pragma once

#include "base/bytes.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "net/tls.h"
#include "smtp/smtp_client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;
struct upstream_options;

enum session_event {
	/* Logged in; SESSION_FREE follows. */
	SESSION_READY,
	/* Another order may be given now: session_send(), session_command(),
	 * session_quit(), or none; then session_run() later.  Told again after
	 * each order that was given within. */
	SESSION_FREE,
	/* A client event that concerns an order: WANT_CONTENT, RECIPIENT, DONE
	 * or REPLY. */
	SESSION_HEARD,
	/* The end; outcome of the client event says why, phase CONNECT
	 * included. Call session_free() within. */
	SESSION_OVER
};

/* heard: for HEARD and OVER, else NULL; borrowed. */
typedef void session_fn(struct session *session, enum session_event event,
    const struct smtp_client_event *heard, void *ctx);

/* Where the session runs, and what differs from its options. Borrowed. */
struct session_place {
	struct loop *loop;
	struct resolver *resolver;
	const struct upstream_options *options;
	struct tls_context *tls; /* or NULL */
	bool no_pipelining;
	bool no_tls; /* opportunistic TLS was tried and does not work */
};

/* Begin to open one; fn is never called within this. */
struct session *session_new(
    const struct session_place *place, session_fn *fn, void *ctx);
/* Close the connection as it is; fn is not called any more. NULL does nothing.
 */
void session_free(struct session *session);

/* Something may have become possible: write, offer SESSION_FREE where orders
 * may be given.  Not within fn. */
void session_run(struct session *session);
/* Say QUIT once nothing is under way; SESSION_OVER follows, and SESSION_FREE no
 * more.  A session that is not READY is over in a later turn. */
void session_quit(struct session *session);

/* Only within SESSION_FREE (or, for a command, HEARD). message is borrowed
 * until its DONE. */
void session_send(
    struct session *session, const struct smtp_client_message *message);
/* False: line holds control characters, nothing was sent. */
bool session_command(struct session *session, struct bytes line)
    __attribute__((warn_unused_result));
/* Answer WANT_CONTENT, within HEARD: at most SESSION_CONTENT_MAX octets. */
#define SESSION_CONTENT_MAX ((size_t)64 * 1024)
void session_content(struct session *session, struct bytes content, bool last);
/* Answer WANT_CONTENT: it cannot be had.  The session is over. */
void session_fail(struct session *session, struct bytes why);

/* For what the server offers; orders go through the session. */
const struct smtp_client *session_client(const struct session *session);
/* "main smtp.example.com[192.0.2.1]:587", as long as session lives. */
const char *session_remote(const struct session *session);
/* Orders may be given, now or when SESSION_FREE is told. */
bool session_is_ready(const struct session *session);
/* READY was told. */
bool session_was_ready(const struct session *session);
/* READY, and no order is under way. */
bool session_is_idle(const struct session *session);
/* Orders given so far. */
unsigned session_orders(const struct session *session);
/* Verified TLS, or the upstream is on this machine. */
bool session_is_verified(const struct session *session);
