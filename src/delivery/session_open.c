#include "base/log.h"
#include "base/memory.h"
#include "delivery/session_private.h"
#include "net/socket_address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* RFC 5321 has no time for it; this is for each address. */
#define CONNECT_TIMEOUT (30 * CLOCK_SECOND)
#define TLS_TIMEOUT     CLOCK_MINUTE
/* Octets of one line in the log. */
#define TRACE_MAX ((size_t)1024)

static int64_t
timeout_of(const struct session *session, enum smtp_phase phase, int64_t value)
{
	int64_t configured = session->place.options->timeout_ms[phase];

	return configured > 0 ? configured : value;
}

/* ---- greeting ---- */

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

static enum smtp_security
security_of(const struct session_place *place)
{
	if (place->options->socket != NULL)
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

/* The name the certificate must carry. */
static const char *
tls_name(const struct upstream_options *options)
{
	return options->tls_name != NULL ? options->tls_name : options->host;
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

/* Connected, and secured where TLS is implicit. */
static void
greet(struct session *session)
{
	session->state = SESSION_STATE_TALKING;
	make_client_options(session);
	session->client = smtp_client_new(&session->client_options,
	    conn_input(session->conn), conn_output(session->conn));
	bind_channel(session);
	smtp_client_open(session->client, session_now(session));
	session_go_on(session);
}

/* ---- TLS ---- */

bool
session_open_start_tls(struct session *session, struct error *error)
{
	if (!conn_start_tls(session->conn, session->place.tls,
		tls_name(session->place.options), error))
		return false;
	session->state = SESSION_STATE_SECURING;
	conn_set_deadline(session->conn,
	    session_now(session) +
		timeout_of(session, SMTP_PHASE_TLS, TLS_TIMEOUT));
	return true;
}

/* Where TLS is implicit; the next address would fail the same way. */
static void
implicit_tls_failed(struct session *session, const char *why)
{
	session_end(session, SMTP_PHASE_TLS, why);
}

void
session_open_secured(struct session *session)
{
	if (session->is_first) {
		greet(session);
		return;
	}
	session->state = SESSION_STATE_TALKING;
	bind_channel(session);
	smtp_client_tls_started(session->client, session_now(session));
	session_go_on(session);
}

void
session_open_tls_failed(struct session *session, const char *why)
{
	if (session->is_first) {
		implicit_tls_failed(session, why);
		return;
	}
	session->state = SESSION_STATE_TALKING; /* to hear the client say
						   SESSION_STATE_OVER */
	smtp_client_fail(session->client, SMTP_PHASE_TLS, bytes_of(why));
	session_go_on(session);
}

/* ---- connecting ---- */

static void
open_conn(struct session *session, const struct sockaddr *address,
    socklen_t len, const struct socket_address *source)
{
	session->state = SESSION_STATE_CONNECTING;
	session->conn = conn_open(session->place.loop, address, len,
	    source != NULL ? socket_address_get(source) : NULL,
	    source != NULL ? source->len : 0, session_hear_conn, session);
	conn_set_deadline(session->conn,
	    session_now(session) +
		timeout_of(session, SMTP_PHASE_CONNECT, CONNECT_TIMEOUT));
}

/* Our own address for a connection to one of family; false: any. */
static bool
find_source(const struct upstream_options *options, sa_family_t family,
    struct socket_address *out_source)
{
	return options->source != NULL &&
	    socket_address_of_literal(options->source, 0, out_source) &&
	    out_source->storage.ss_family == family;
}

/* Try the next address; false where none is left. */
static bool
connect_next(struct session *session)
{
	const struct upstream_options *options = session->place.options;
	struct socket_address source;

	if (session->address >= session->count)
		return false;
	const struct resolver_address *address =
	    &session->addresses[session->address];
	(void)snprintf(session->remote, sizeof(session->remote),
	    "%s %.100s[%s]:%u", options->name, options->host, address->text,
	    options->port); /* cut where it does not fit */
	bool has_source =
	    find_source(options, address->address.ss_family, &source);
	open_conn(session, (const struct sockaddr *)&address->address,
	    address->len, has_source ? &source : NULL);
	return true;
}

void
session_open_failed(struct session *session, const char *why)
{
	conn_close(session->conn);
	session->conn = NULL;
	session->address++;
	if (!connect_next(session))
		session_end(session, SMTP_PHASE_CONNECT, why);
}

void
session_open_timed_out(struct session *session)
{
	char *why = memory_format("connect to %s: timed out", session->remote);

	session_open_failed(session, why);
	free(why);
}

void
session_open_connected(struct session *session)
{
	const struct upstream_options *options = session->place.options;
	struct error error;

	if (options->socket != NULL || options->tls != UPSTREAM_TLS_IMPLICIT) {
		greet(session);
		return;
	}
	session->is_first = true;
	if (!session_open_start_tls(session, &error))
		implicit_tls_failed(session, error_text(&error));
}

/* ---- the beginning ---- */

static void
resolved(const struct resolver_address *addresses, size_t count,
    const struct error *error, void *ctx)
{
	struct session *session = ctx;

	session->query = NULL;
	if (count == 0) {
		session_end(session, SMTP_PHASE_CONNECT, error_text(error));
		return;
	}
	session->addresses = memory_array(count, sizeof(*addresses));
	memcpy(session->addresses, addresses, count * sizeof(*addresses));
	session->count = count;
	(void)connect_next(session); /* there is one */
}

static void
open_socket(struct session *session)
{
	struct socket_address address;
	struct error error;

	if (socket_address_parse(
		session->place.options->socket, &address, &error))
		open_conn(
		    session, socket_address_get(&address), address.len, NULL);
	else
		session_end(session, SMTP_PHASE_CONNECT, error_text(&error));
}

void
session_open_begin(void *ctx)
{
	struct session *session = ctx;
	const struct upstream_options *options = session->place.options;

	if (session->is_quitting)
		session_end(
		    session, SMTP_PHASE_CONNECT, "given up before it was open");
	else if (options->socket != NULL)
		open_socket(session);
	else
		session->query = resolver_lookup(session->place.resolver,
		    options->host, options->port, resolved, session);
}
