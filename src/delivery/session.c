#include "delivery/session.h"

#include "base/memory.h"
#include "delivery/session_private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ORDER_TIMEOUT (30 * CLOCK_MINUTE)

int64_t
session_now(const struct session *session)
{
	return loop_now(session->place.loop).mono_ms;
}

/* ---- the end ---- */

static void
over(struct session *session, const struct smtp_client_event *heard)
{
	session->state = SESSION_STATE_OVER;
	session->fn(session, SESSION_OVER, heard, session->ctx);
}

void
session_end(struct session *session, enum smtp_phase phase, const char *why)
{
	const struct smtp_client_event heard = {
	    .kind = SMTP_CLIENT_OVER,
	    .outcome =
		{
		    .kind = SMTP_FAILED,
		    .phase = phase,
		    .enhanced = BYTES_NONE,
		    .text = bytes_of(why),
		},
	};

	over(session, &heard);
}

/* ---- talking ---- */

static void
note_idleness(struct session *session)
{
	if (!session_is_idle(session)) {
		session->idle_deadline = CLOCK_NEVER;
	} else if (session->idle_deadline == CLOCK_NEVER) {
		session->idle_deadline =
		    session_now(session) + session->place.options->idle_ms;
		session->order_deadline = CLOCK_NEVER;
	}
}

static void
set_deadline(struct session *session)
{
	int64_t deadline = smtp_client_deadline(session->client);

	if (session->state != SESSION_STATE_TALKING)
		return; /* a handshake has its own */
	note_idleness(session);
	if (session->idle_deadline < deadline)
		deadline = session->idle_deadline;
	if (session->order_deadline < deadline)
		deadline = session->order_deadline;
	conn_set_deadline(session->conn, deadline);
}

/* The client session says: STARTTLS was accepted. */
static void
start_tls_now(struct session *session)
{
	struct error error;

	session->is_first = false;
	if (!session_open_start_tls(session, &error))
		smtp_client_fail(session->client, SMTP_PHASE_TLS,
		    bytes_of(error_text(&error)));
}

static void
heard(struct session *session, const struct smtp_client_event *event)
{
	switch (event->kind) {
	case SMTP_CLIENT_READY:
		session->was_ready = true;
		session->fn(session, SESSION_READY, NULL, session->ctx);
		return;
	case SMTP_CLIENT_START_TLS:
		start_tls_now(session);
		return;
	case SMTP_CLIENT_WANT_CONTENT:
	case SMTP_CLIENT_RECIPIENT:
	case SMTP_CLIENT_DONE:
	case SMTP_CLIENT_REPLY:
		if (!session->is_quitting || event->message != NULL)
			session->fn(
			    session, SESSION_HEARD, event, session->ctx);
		return;
	case SMTP_CLIENT_OVER:
		over(session, event);
		return;
	}
}

/* True: an order was given. */
static bool
offer(struct session *session)
{
	unsigned before = session->orders;

	if (!session_is_ready(session))
		return false;
	if (session_is_idle(session) &&
	    !smtp_client_is_reusable(session->client)) {
		session_quit(session);
		return true;
	}
	if (!smtp_client_can_send(session->client))
		return false;
	session->fn(session, SESSION_FREE, NULL, session->ctx);
	return session->orders != before || session->is_quitting;
}

/* All events there are, and all orders that may be given. */
static void
take_events(struct session *session)
{
	struct smtp_client_event event;

	do {
		while (session->state != SESSION_STATE_OVER &&
		    smtp_client_next(
			session->client, session_now(session), &event))
			heard(session, &event);
	} while (session->state == SESSION_STATE_TALKING && offer(session));
}

static void
release(struct session *session)
{
	resolver_cancel(session->query);
	loop_task_cancel(session->place.loop, &session->task);
	loop_task_cancel(session->place.loop, &session->write_task);
	smtp_client_free(session->client);
	conn_close(session->conn);
	free(session->addresses);
	free(session);
}

/*
 * True where something has left, and there is room for more at once.  More of a
 * content waits for the loop's next turn: what the server says meanwhile is
 * read first, since a reply before the content is over is none to it; and
 * however fast a server takes it, others have their turn.
 */
static bool
write_on(struct session *session)
{
	const size_t before = conn_output(session->conn)->len;

	conn_flush(session->conn);
	const bool has_left = conn_output(session->conn)->len < before;
	if (has_left && session->is_in_content)
		loop_later(session->place.loop, &session->write_task);
	return has_left && !session->is_in_content;
}

void
session_go_on(struct session *session)
{
	bool goes_on = true;

	session->is_running = true;
	while (session->state != SESSION_STATE_OVER && goes_on) {
		take_events(session);
		goes_on =
		    session->state != SESSION_STATE_OVER && write_on(session);
	}
	session->is_running = false;
	if (session->is_freed)
		release(session);
	else if (session->state != SESSION_STATE_OVER)
		set_deadline(session);
}

static void
write_more(void *ctx)
{
	session_run(ctx);
}

/* ---- what the connection says ---- */

static void
ended(struct session *session, const char *why)
{
	assert(session->conn != NULL);
	switch (session->state) {
	case SESSION_STATE_CONNECTING:
		session_open_failed(session, why);
		return;
	case SESSION_STATE_SECURING:
		session_open_tls_failed(session, why);
		return;
	case SESSION_STATE_TALKING:
		smtp_client_eof(session->client, bytes_of(why));
		session_go_on(session);
		return;
	case SESSION_STATE_RESOLVING:
	case SESSION_STATE_OVER:
		return;
	}
}

static void
talk_timed_out(struct session *session)
{
	const int64_t now = session_now(session);

	if (now >= session->idle_deadline)
		session_quit(session);
	else if (now >= session->order_deadline)
		smtp_client_fail(session->client, SMTP_PHASE_CONTENT,
		    BYTES("the server is too slow"));
	session_go_on(session); /* the client sees its own time-outs */
}

static void
timed_out(struct session *session)
{
	assert(session->conn != NULL);
	switch (session->state) {
	case SESSION_STATE_CONNECTING:
		session_open_timed_out(session);
		return;
	case SESSION_STATE_SECURING:
		session_open_tls_failed(session, "the TLS handshake timed out");
		return;
	case SESSION_STATE_TALKING:
		talk_timed_out(session);
		return;
	case SESSION_STATE_RESOLVING:
	case SESSION_STATE_OVER:
		return;
	}
}

void
session_hear_conn(struct conn *conn, enum conn_event event, void *ctx)
{
	struct session *session = ctx;

	switch (event) {
	case CONN_OPENED:
		session_open_connected(session);
		return;
	case CONN_SECURED:
		session_open_secured(session);
		return;
	case CONN_READABLE:
	case CONN_DRAINED:
		if (session->state == SESSION_STATE_TALKING)
			session_go_on(session);
		return;
	case CONN_EOF:
		ended(session, "the server closed the connection");
		return;
	case CONN_FAILED:
		ended(session, error_text(conn_error(conn)));
		return;
	case CONN_TIMEOUT:
		timed_out(session);
		return;
	}
}

/* ---- life ---- */

/* As long as no address is known; cut where it does not fit. */
static void
name_remote(struct session *session)
{
	const struct upstream_options *options = session->place.options;

	if (options->socket != NULL)
		(void)snprintf(session->remote, sizeof(session->remote),
		    "%s %s", options->name, options->socket);
	else
		(void)snprintf(session->remote, sizeof(session->remote),
		    "%s %.100s:%u", options->name, options->host,
		    options->port);
}

struct session *
session_new(const struct session_place *place, session_fn *fn, void *ctx)
{
	struct session *session = memory_new(sizeof(*session));

	session->place = *place;
	session->fn = fn;
	session->ctx = ctx;
	session->idle_deadline = CLOCK_NEVER;
	session->order_deadline = CLOCK_NEVER;
	name_remote(session);
	loop_task_init(&session->task, session_open_begin, session);
	loop_task_init(&session->write_task, write_more, session);
	loop_later(place->loop, &session->task);
	return session;
}

void
session_free(struct session *session)
{
	if (session == NULL)
		return;
	session->is_freed = true;
	session->state = SESSION_STATE_OVER;
	if (!session->is_running)
		release(session);
}

void
session_run(struct session *session)
{
	if (session->state == SESSION_STATE_TALKING)
		session_go_on(session);
}

void
session_quit(struct session *session)
{
	if (session->is_quitting)
		return;
	session->is_quitting = true;
	if (session->was_ready) {
		smtp_client_quit(session->client, session_now(session));
		return;
	}
	/* Nobody has promised anything yet. */
	resolver_cancel(session->query);
	session->query = NULL;
	smtp_client_free(session->client);
	session->client = NULL;
	conn_close(session->conn);
	session->conn = NULL;
	session->state = SESSION_STATE_RESOLVING;
	loop_later(session->place.loop, &session->task);
}

/* ---- orders ---- */

void
session_send(struct session *session, const struct smtp_client_message *message)
{
	const int64_t configured = session->place.options->order_ms;

	session->orders++;
	session->is_in_content = false;
	session->order_deadline = session_now(session) +
	    (configured > 0 ? configured : ORDER_TIMEOUT) +
	    (int64_t)message->params.size_bytes;
	smtp_client_send(session->client, message, session_now(session));
}

bool
session_command(struct session *session, struct bytes line)
{
	if (!smtp_client_command(session->client, line, session_now(session)))
		return false;
	session->orders++;
	return true;
}

void
session_content(struct session *session, struct bytes content, bool last)
{
	assert(content.len <= SESSION_CONTENT_MAX);
	session->is_in_content = !last;
	smtp_client_content(
	    session->client, content, last, session_now(session));
}

void
session_fail(struct session *session, struct bytes why)
{
	smtp_client_fail(session->client, SMTP_PHASE_CONTENT, why);
}

/* ---- what is known of it ---- */

const struct smtp_client *
session_client(const struct session *session)
{
	return session->client;
}

const char *
session_remote(const struct session *session)
{
	return session->remote;
}

bool
session_is_ready(const struct session *session)
{
	return session->was_ready && !session->is_quitting &&
	    session->state != SESSION_STATE_OVER;
}

bool
session_was_ready(const struct session *session)
{
	return session->was_ready;
}

bool
session_is_idle(const struct session *session)
{
	return session_is_ready(session) &&
	    smtp_client_is_idle(session->client);
}

unsigned
session_orders(const struct session *session)
{
	return session->orders;
}

bool
session_is_verified(const struct session *session)
{
	const struct tls_summary *summary = conn_tls(session->conn);

	return session->place.options->socket != NULL ||
	    (summary != NULL && summary->verified);
}
