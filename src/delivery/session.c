#include "delivery/session.h"

#include "base/log.h"
#include "base/memory.h"
#include "delivery/upstream.h"
#include "net/conn.h"
#include "net/socket_address.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* RFC 5321 has no time for it; architecture: each address. */
#define CONNECT_TIMEOUT (30 * CLOCK_SECOND)
#define TLS_TIMEOUT     CLOCK_MINUTE
/* Octets of one line in the log. */
#define TRACE_MAX ((size_t)1024)

enum session_state {
	RESOLVING,
	CONNECTING,
	SECURING, /* a handshake, implicit or by STARTTLS */
	TALKING,  /* the client session leads */
	OVER
};

/*
 * conn and client are there from CONNECTING and TALKING on; address < count
 * while connecting.
 */
struct session {
	struct session_place place;
	struct smtp_client_options client_options;
	session_fn *fn;
	void *ctx;
	enum session_state state;
	bool was_ready;
	bool is_quitting;
	bool is_running; /* within run() */
	bool is_freed;   /* by fn, within run() */
	bool is_first;   /* the handshake is implicit TLS */
	unsigned orders;
	int64_t idle_deadline; /* monotonic ms; CLOCK_NEVER: not idle */

	struct resolver_query *query;
	struct resolver_address *addresses; /* owned */
	size_t count;
	size_t address;
	struct conn *conn;
	struct smtp_client *client;
	struct loop_task task; /* begins, or ends without a client */
	char failure[512];     /* why it ends without a client */
	char remote[192];
};

static int64_t
now_of(const struct session *session)
{
	return loop_now(session->place.loop).mono_ms;
}

static int64_t
timeout_of(const struct session *session, enum smtp_phase phase, int64_t value)
{
	int64_t configured = session->place.options->timeout_ms[phase];

	return configured > 0 ? configured : value;
}

/* ---- the end ---- */

static void
over(struct session *session, const struct smtp_client_event *heard)
{
	session->state = OVER;
	session->fn(session, SESSION_OVER, heard, session->ctx);
}

/* Before there was a client to say it. */
static void
over_without_client(struct session *session)
{
	const struct smtp_client_event heard = {
	    .kind = SMTP_CLIENT_OVER,
	    .outcome =
		{
		    .kind = SMTP_FAILED,
		    .phase = SMTP_PHASE_CONNECT,
		    .enhanced = BYTES_NONE,
		    .text = bytes_of(session->failure),
		},
	};

	over(session, &heard);
}

static void
set_failure(struct session *session, const char *text)
{
	/* Cut where it does not fit. */
	(void)snprintf(session->failure, sizeof(session->failure), "%s", text);
}

/* ---- talking ---- */

static void
set_deadline(struct session *session)
{
	int64_t deadline = smtp_client_deadline(session->client);

	if (session->state != TALKING)
		return; /* a handshake has its own */
	if (!session_is_idle(session))
		session->idle_deadline = CLOCK_NEVER;
	else if (session->idle_deadline == CLOCK_NEVER)
		session->idle_deadline =
		    now_of(session) + session->place.options->idle_ms;
	if (session->idle_deadline < deadline)
		deadline = session->idle_deadline;
	conn_set_deadline(session->conn, deadline);
}

static void
bind_channel(struct session *session)
{
	char data[64];
	const char *type = NULL;
	size_t len =
	    conn_channel_binding(session->conn, data, sizeof(data), &type);
	const struct bytes binding = bytes_make(data, len);

	if (len == 0)
		return;
	if (strcmp(type, "tls-exporter") == 0)
		smtp_client_set_channel_binding(
		    session->client, binding, BYTES_NONE);
	else
		smtp_client_set_channel_binding(
		    session->client, BYTES_NONE, binding);
}

/* The name the certificate must carry. */
static const char *
tls_name(const struct upstream_options *options)
{
	return options->tls_name != NULL ? options->tls_name : options->host;
}

static bool
start_tls(struct session *session, struct error *error)
{
	if (!conn_start_tls(session->conn, session->place.tls,
		tls_name(session->place.options), error))
		return false;
	session->state = SECURING;
	conn_set_deadline(session->conn,
	    now_of(session) + timeout_of(session, SMTP_PHASE_TLS, TLS_TIMEOUT));
	return true;
}

/* The client session says: STARTTLS was accepted. */
static void
start_tls_now(struct session *session)
{
	struct error error;

	session->is_first = false;
	if (!start_tls(session, &error))
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
		while (session->state != OVER &&
		    smtp_client_next(session->client, now_of(session), &event))
			heard(session, &event);
	} while (session->state == TALKING && offer(session));
}

static void
release(struct session *session)
{
	resolver_cancel(session->query);
	loop_task_cancel(session->place.loop, &session->task);
	smtp_client_free(session->client);
	conn_close(session->conn);
	free(session->addresses);
	free(session);
}

/* What has left the output makes room for more. */
static void
run(struct session *session)
{
	bool has_left = true;

	session->is_running = true;
	while (session->state != OVER && has_left) {
		take_events(session);
		if (session->state == OVER)
			break;
		size_t before = conn_output(session->conn)->len;
		conn_flush(session->conn);
		has_left = conn_output(session->conn)->len < before;
	}
	session->is_running = false;
	if (session->is_freed)
		release(session);
	else if (session->state != OVER)
		set_deadline(session);
}

/* ---- opening ---- */

static void
trace(bool sent, struct bytes octets, bool secret, void *ctx)
{
	const struct session *session = ctx;
	struct buffer line;

	buffer_init(&line, 8 * TRACE_MAX);
	log_quote(
	    &line, secret ? BYTES("(secret)") : bytes_first(octets, TRACE_MAX));
	log_debug("%s: %s %.*s", session->remote, sent ? "C" : "S",
	    BYTES_ARGS(buffer_bytes(&line)));
	buffer_clear(&line);
}

static bool
is_local(const struct upstream_options *options)
{
	return options->socket != NULL;
}

static enum smtp_security
security_of(const struct session_place *place)
{
	if (is_local(place->options))
		return SMTP_SECURITY_PRESENT;
	switch (place->options->tls) {
	case UPSTREAM_TLS_STARTTLS:
		return SMTP_SECURITY_REQUIRED;
	case UPSTREAM_TLS_IMPLICIT:
		return SMTP_SECURITY_PRESENT;
	case UPSTREAM_TLS_OPPORTUNISTIC:
		return place->no_tls ? SMTP_SECURITY_NONE
				     : SMTP_SECURITY_OPPORTUNISTIC;
	case UPSTREAM_TLS_NONE:
		return SMTP_SECURITY_NONE;
	}
	return SMTP_SECURITY_REQUIRED;
}

static void
make_client_options(struct session *session)
{
	const struct upstream_options *options = session->place.options;

	session->client_options = (struct smtp_client_options){
	    .hello = options->hello,
	    .lmtp = options->transport == UPSTREAM_LMTP,
	    .security = security_of(&session->place),
	    .user = options->user,
	    .password = options->password,
	    .mechanisms = options->mechanisms,
	    .auth_in_clear = options->auth_in_clear,
	    .host = tls_name(options),
	    .no_pipelining =
		!options->pipelining || session->place.no_pipelining,
	    .no_chunking = !options->chunking,
	    .trace = log_is_on(LOG_LEVEL_DEBUG) ? trace : NULL,
	    .trace_ctx = session,
	};
	memcpy(session->client_options.timeout_ms, options->timeout_ms,
	    sizeof(options->timeout_ms));
}

/* Connected, and secured where TLS is implicit. */
static void
greet(struct session *session)
{
	session->state = TALKING;
	make_client_options(session);
	session->client = smtp_client_new(&session->client_options,
	    conn_input(session->conn), conn_output(session->conn));
	bind_channel(session);
	smtp_client_open(session->client, now_of(session));
	run(session);
}

static conn_fn on_conn;

/* Try the next address; false where none is left. */
static bool
connect_next(struct session *session)
{
	const struct upstream_options *options = session->place.options;
	struct socket_address source = {.len = 0};

	if (session->address >= session->count)
		return false;
	const struct resolver_address *address =
	    &session->addresses[session->address];
	if (options->source != NULL &&
	    (!socket_address_of_literal(options->source, 0, &source) ||
		source.storage.ss_family != address->address.ss_family))
		source.len = 0;

	session->state = CONNECTING;
	(void)snprintf(session->remote, sizeof(session->remote),
	    "%s %.100s[%s]:%u", options->name, options->host, address->text,
	    options->port); /* cut where it does not fit */
	session->conn = conn_open(session->place.loop,
	    (const struct sockaddr *)&address->address, address->len,
	    source.len > 0 ? socket_address_get(&source) : NULL, source.len,
	    on_conn, session);
	conn_set_deadline(session->conn,
	    now_of(session) +
		timeout_of(session, SMTP_PHASE_CONNECT, CONNECT_TIMEOUT));
	return true;
}

static void
connect_failed(struct session *session, const char *why)
{
	set_failure(session, why);
	conn_close(session->conn);
	session->conn = NULL;
	session->address++;
	if (!connect_next(session))
		over_without_client(session);
}

static void
connect_timed_out(struct session *session)
{
	char *why = memory_format("connect to %s: timed out", session->remote);

	connect_failed(session, why);
	free(why);
}

/* Implicit TLS failed, or could not even begin; the next address would fail the
 * same way. */
static void
implicit_tls_failed(struct session *session, const char *why)
{
	const struct smtp_client_event heard_event = {
	    .kind = SMTP_CLIENT_OVER,
	    .outcome =
		{
		    .kind = SMTP_FAILED,
		    .phase = SMTP_PHASE_TLS,
		    .enhanced = BYTES_NONE,
		    .text = bytes_of(why),
		},
	};

	over(session, &heard_event);
}

static void
connected(struct session *session)
{
	const struct upstream_options *options = session->place.options;
	struct error error;

	if (is_local(options) || options->tls != UPSTREAM_TLS_IMPLICIT) {
		greet(session);
		return;
	}
	session->is_first = true;
	if (!start_tls(session, &error))
		implicit_tls_failed(session, error_text(&error));
}

static void
secured(struct session *session)
{
	if (session->is_first) {
		greet(session);
		return;
	}
	session->state = TALKING;
	bind_channel(session);
	smtp_client_tls_started(session->client, now_of(session));
	run(session);
}

static void
tls_failed(struct session *session, const char *why)
{
	if (session->is_first) {
		implicit_tls_failed(session, why);
		return;
	}
	session->state = TALKING; /* to hear the client say OVER */
	smtp_client_fail(session->client, SMTP_PHASE_TLS, bytes_of(why));
	run(session);
}

/* ---- what the connection says ---- */

static void
ended(struct session *session, const char *why)
{
	assert(session->conn != NULL);
	switch (session->state) {
	case CONNECTING:
		connect_failed(session, why);
		return;
	case SECURING:
		tls_failed(session, why);
		return;
	case TALKING:
		smtp_client_eof(session->client, bytes_of(why));
		run(session);
		return;
	case RESOLVING:
	case OVER:
		return;
	}
}

static void
timed_out(struct session *session)
{
	assert(session->conn != NULL);
	switch (session->state) {
	case CONNECTING:
		connect_timed_out(session);
		return;
	case SECURING:
		tls_failed(session, "the TLS handshake timed out");
		return;
	case TALKING:
		if (session_is_idle(session) &&
		    now_of(session) >= session->idle_deadline)
			session_quit(session);
		run(session);
		return;
	case RESOLVING:
	case OVER:
		return;
	}
}

static void
on_conn(struct conn *conn, enum conn_event event, void *ctx)
{
	struct session *session = ctx;

	switch (event) {
	case CONN_OPENED:
		connected(session);
		return;
	case CONN_SECURED:
		secured(session);
		return;
	case CONN_READABLE:
	case CONN_DRAINED:
		if (session->state == TALKING)
			run(session);
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

/* ---- the beginning ---- */

static void
resolved(const struct resolver_address *addresses, size_t count,
    const struct error *error, void *ctx)
{
	struct session *session = ctx;

	session->query = NULL;
	if (count == 0) {
		set_failure(session, error_text(error));
		over_without_client(session);
		return;
	}
	session->addresses = memory_array(count, sizeof(*addresses));
	memcpy(session->addresses, addresses, count * sizeof(*addresses));
	session->count = count;
	if (!connect_next(session))
		over_without_client(session);
}

static void
open_socket(struct session *session)
{
	const struct upstream_options *options = session->place.options;
	struct socket_address address;
	struct error error;

	(void)snprintf(session->remote, sizeof(session->remote), "%s %s",
	    options->name, options->socket); /* cut where it does not fit */
	if (!socket_address_parse(options->socket, &address, &error)) {
		set_failure(session, error_text(&error));
		over_without_client(session);
		return;
	}
	session->state = CONNECTING;
	session->conn =
	    conn_open(session->place.loop, socket_address_get(&address),
		address.len, NULL, 0, on_conn, session);
	conn_set_deadline(session->conn,
	    now_of(session) +
		timeout_of(session, SMTP_PHASE_CONNECT, CONNECT_TIMEOUT));
}

static void
begin(void *ctx)
{
	struct session *session = ctx;
	const struct upstream_options *options = session->place.options;

	if (session->is_quitting) {
		set_failure(session, "given up before it was open");
		over_without_client(session);
	} else if (is_local(options)) {
		open_socket(session);
	} else {
		session->query = resolver_lookup(session->place.resolver,
		    options->host, options->port, resolved, session);
	}
}

struct session *
session_new(const struct session_place *place, session_fn *fn, void *ctx)
{
	struct session *session = memory_new(sizeof(*session));
	const struct upstream_options *options = place->options;

	session->place = *place;
	session->fn = fn;
	session->ctx = ctx;
	session->idle_deadline = CLOCK_NEVER;
	(void)snprintf(session->remote, sizeof(session->remote), "%s %.100s:%u",
	    options->name, is_local(options) ? options->socket : options->host,
	    options->port); /* cut where it does not fit */
	loop_task_init(&session->task, begin, session);
	loop_later(place->loop, &session->task);
	return session;
}

void
session_free(struct session *session)
{
	if (session == NULL)
		return;
	session->is_freed = true;
	session->state = OVER;
	if (!session->is_running)
		release(session);
}

void
session_run(struct session *session)
{
	if (session->state == TALKING)
		run(session);
}

void
session_quit(struct session *session)
{
	if (session->is_quitting)
		return;
	session->is_quitting = true;
	if (session->was_ready) {
		smtp_client_quit(session->client, now_of(session));
		return;
	}
	/* Nobody has promised anything yet. */
	resolver_cancel(session->query);
	session->query = NULL;
	smtp_client_free(session->client);
	session->client = NULL;
	conn_close(session->conn);
	session->conn = NULL;
	session->state = RESOLVING;
	loop_later(session->place.loop, &session->task);
}

/* ---- orders ---- */

void
session_send(struct session *session, const struct smtp_client_message *message)
{
	session->orders++;
	smtp_client_send(session->client, message, now_of(session));
}

bool
session_command(struct session *session, struct bytes line)
{
	if (!smtp_client_command(session->client, line, now_of(session)))
		return false;
	session->orders++;
	return true;
}

void
session_content(struct session *session, struct bytes content, bool last)
{
	assert(content.len <= SESSION_CONTENT_MAX);
	smtp_client_content(session->client, content, last, now_of(session));
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
	    session->state != OVER;
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

	return is_local(session->place.options) ||
	    (summary != NULL && summary->verified);
}
