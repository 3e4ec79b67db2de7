/*
 * The inside of a session, for the files that make it up:
 *
 *   session.c        its life, orders, and what is heard
 *   session_open.c   look up, connect, secure, greet
 */
#pragma once

#include "delivery/session.h"
#include "delivery/upstream.h"
#include "net/conn.h"

enum session_state {
	SESSION_STATE_RESOLVING,
	SESSION_STATE_CONNECTING,
	SESSION_STATE_SECURING, /* a handshake, implicit or by STARTTLS */
	SESSION_STATE_TALKING,  /* the client session leads */
	SESSION_STATE_OVER
};

/*
 * conn is there from CONNECTING on, client from TALKING on; address < count
 * while connecting to a host.
 */
struct session {
	struct session_place place;
	struct smtp_client_options client_options;
	session_fn *fn;
	void *ctx;
	enum session_state state;
	bool was_ready;
	bool is_quitting;
	bool is_running;    /* within session_go_on() */
	bool is_freed;      /* by fn, within session_go_on() */
	bool is_first;      /* the handshake is implicit TLS */
	bool is_in_content; /* more of one is to follow */
	unsigned orders;
	int64_t idle_deadline;  /* monotonic ms; CLOCK_NEVER: not idle */
	int64_t order_deadline; /* for the newest; CLOCK_NEVER: idle */

	struct resolver_query *query;       /* or NULL */
	struct resolver_address *addresses; /* owned */
	size_t count;
	size_t address;
	struct conn *conn;
	struct smtp_client *client;
	struct loop_task task; /* session_open_begin() */
	struct loop_task write_task;
	char remote[192];
};

/* ---- session.c ---- */

int64_t session_now(const struct session *session);
/* Take all events, offer what is free, write; session may be gone then.  What
 * is left of a content follows in later turns of the loop. */
void session_go_on(struct session *session);
/* SESSION_OVER where the client session cannot say it. */
void session_end(
    struct session *session, enum smtp_phase phase, const char *why);
conn_fn session_hear_conn;

/* ---- session_open.c ---- */

/* Of the session, its ctx: look up and connect; or, given up, end. */
loop_task_fn session_open_begin;
void session_open_connected(struct session *session);
/* The address does not answer: try the next. */
void session_open_failed(struct session *session, const char *why);
void session_open_timed_out(struct session *session);
/* Begin the handshake; false with nothing changed. */
bool session_open_start_tls(
    struct session *session, struct error *error) MUST_USE;
void session_open_secured(struct session *session);
void session_open_tls_failed(struct session *session, const char *why);
