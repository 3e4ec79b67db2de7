#include "base/clock.h"
#include "base/memory.h"
#include "lib/smtp_session.h"
#include "net/loop.h"
#include "net/tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CONNECT_TIMEOUT (30 * CLOCK_SECOND)
#define PORT_MAX        65535

/* ---- TLS ---- */

bool
smtp_connect_tls_context(struct smtp *session, struct ssl_ctx_st *ssl_ctx,
    bool verify, struct error *error)
{
	const int wish = session->settings.tls_verify;
	if (ssl_ctx == NULL && wish != 0)
		verify = wish > 0;
	const struct tls_client_options options = {
	    .verify = verify ? TLS_VERIFY_FULL : TLS_VERIFY_OFF,
	    .ca = session->settings.tls_ca,
	    .version_min = 12,
	};

	if (ssl_ctx != NULL) {
		tls_context_free(session->tls_own);
		session->tls_own = tls_context_of(ssl_ctx, true);
		session->tls_now = session->tls_own;
		return true;
	}
	/* Nothing is in TLS now. */
	if (session->tls_verifies != verify || session->is_tls_stale) {
		tls_context_free(session->tls);
		session->tls = NULL;
	}
	session->is_tls_stale = false;
	if (session->tls == NULL &&
	    !tls_client_new(&options, &session->tls, error))
		return false;
	session->tls_verifies = verify;
	session->tls_now = session->tls;
	return true;
}

/* ---- the end of connecting ---- */

static void
fail(struct smtp *session, int err, enum smtp_stage stage, const char *why)
{
	session->is_step_over = true;
	session->step_err = smtp_last_fail(session, err, stage, why);
	smtp_link_close(session);
	smtp_step_pump(session);
}

static void
greeted(struct smtp *session, int err)
{
	const bool is_refused =
	    session->wants_220 && err == SMTP_OK && session->code != 220;

	if (is_refused) {
		smtp_link_close(session);
		err = smtp_last_refused(session, SMTP_E_CONNECT);
	}
	smtp_call_end(session, err);
}

static void
greet(struct smtp *session)
{
	smtp_link_talk(session);
	smtp_step_phase(session, SMTP_PHASE_GREETING, greeted);
}

static void
secure_first(struct smtp *session)
{
	struct error error;

	session->is_first = true;
	smtp_session_set(&session->tls_name_now, session->settings.tls_name);
	if (!smtp_connect_tls_context(
		session, session->settings.ssl_ctx, true, &error) ||
	    !smtp_link_start_tls(session, &error))
		fail(session, SMTP_E_TLS, SMTP_S_CONNECT, error_text(&error));
}

void
smtp_connect_opened(struct smtp *session)
{
	if (session->settings.tls == SMTP_TLS_IMPLICIT && !session->is_local)
		secure_first(session);
	else
		greet(session);
}

void
smtp_connect_secured(struct smtp *session)
{
	session->is_first = false;
	greet(session);
}

void
smtp_connect_tls_failed(struct smtp *session, const struct error *error)
{
	session->is_first = false;
	fail(session,
	    error->kind == ERROR_TIMEOUT ? SMTP_E_TIMEOUT : SMTP_E_TLS,
	    SMTP_S_CONNECT, error_text(error));
}

/* ---- connecting ---- */

static void
open_conn(struct smtp *session, const struct sockaddr *address, socklen_t len)
{
	const struct socket_address *source = &session->settings.source;
	const bool has_source = session->settings.has_source &&
	    source->storage.ss_family == address->sa_family;

	session->state = SMTP_LINK_CONNECTING;
	session->conn = conn_open(session->loop, address, len,
	    has_source ? socket_address_get(source) : NULL,
	    has_source ? source->len : 0, smtp_link_hear, session);
	smtp_link_wait(session,
	    smtp_session_timeout_or(
		session, SMTP_PHASE_CONNECT, CONNECT_TIMEOUT));
}

/* As smtplib shows it: ('192.0.2.1', 25) None */
static void
show_address(struct smtp *session, const struct resolver_address *address)
{
	const struct sockaddr *to = (const struct sockaddr *)&address->address;
	const bool has_source = session->settings.has_source &&
	    session->settings.source.storage.ss_family == to->sa_family;
	char text[SOCKET_ADDRESS_TEXT_MAX];
	char source[SOCKET_ADDRESS_TEXT_MAX] = "None";
	struct bytes host = bytes_of(address->text);

	socket_address_print(text, to, address->len);
	if (has_source)
		socket_address_print(source,
		    socket_address_get(&session->settings.source),
		    session->settings.source.len);
	struct bytes port = bytes_of(text);
	port = bytes_from(port, bytes_last_index(port, ':') + 1);
	if (host.data[0] == '[')
		host = bytes_first(bytes_from(host, 1), host.len - 2);
	char *shown = memory_format(
	    "('%.*s', %.*s) %s", BYTES_ARGS(host), BYTES_ARGS(port), source);
	smtp_trace_connect(session, shown);
	free(shown);
}

static void
connect_next(struct smtp *session)
{
	const struct resolver_address *address =
	    &session->addresses[session->address];

	show_address(session, address);
	open_conn(
	    session, (const struct sockaddr *)&address->address, address->len);
}

void
smtp_connect_failed(struct smtp *session, const struct error *error)
{
	const struct error why = *error; /* it goes with the connection */
	const bool is_session =
	    smtp_link_now(session) >= session->session_deadline;

	conn_close(session->conn);
	session->conn = NULL;
	session->address++;
	if (session->address < session->address_count && !is_session) {
		connect_next(session);
		return;
	}
	session->number = why.number;
	fail(session, why.kind == ERROR_TIMEOUT ? SMTP_E_TIMEOUT : SMTP_E_OS,
	    SMTP_S_CONNECT, error_text(&why));
}

static void
resolved(const struct resolver_address *addresses, size_t count,
    const struct error *error, void *ctx)
{
	struct smtp *session = ctx;

	session->query = NULL;
	loop_timer_set(&session->resolve_timer, CLOCK_NEVER);
	if (count == 0) {
		session->number = error->number;
		fail(
		    session, SMTP_E_RESOLVE, SMTP_S_CONNECT, error_text(error));
		return;
	}
	session->addresses = memory_array(count, sizeof(*addresses));
	memcpy(session->addresses, addresses, count * sizeof(*addresses));
	session->address_count = count;
	session->address = 0;
	connect_next(session);
}

/* The name server takes longer than the session may. */
static void
resolved_too_late(void *ctx)
{
	struct smtp *session = ctx;

	fail(session, SMTP_E_TIMEOUT, SMTP_S_CONNECT,
	    "timed out: the host is not found yet");
}

/* t_connect holds for the name alone as for each address. */
static void
set_resolve_timer(struct smtp *session)
{
	const int64_t wait_ms = smtp_session_timeout_or(
	    session, SMTP_PHASE_CONNECT, CONNECT_TIMEOUT);
	const int64_t deadline = clock_after(smtp_link_now(session), wait_ms);

	loop_timer_set(&session->resolve_timer,
	    deadline < session->session_deadline ? deadline
						 : session->session_deadline);
}

void
smtp_connect_init(struct smtp *session)
{
	loop_timer_init(
	    &session->resolve_timer, session->loop, resolved_too_late, session);
}

/* ---- hosts as people write them ---- */

static const struct {
	const char *name;
	unsigned port;
} services[] = {
    {"smtp", SMTP_PORT},
    {"smtps", SMTPS_PORT},
    {"submissions", SMTPS_PORT},
    {"submission", SMTP_SUBMISSION_PORT},
    {"odmr", SMTP_ODMR_PORT},
    {"lmtp", SMTP_LMTP_PORT},
};

/* 0 is a port, too: smtplib takes it for the default. */
static bool
read_port(struct bytes text, unsigned *out_port)
{
	unsigned long long port = 0;

	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++)
		if (bytes_is_nocase(text, services[i].name)) {
			*out_port = services[i].port;
			return true;
		}
	if (!bytes_to_u64(text, PORT_MAX, &port))
		return false;
	*out_port = (unsigned)port;
	return true;
}

static unsigned
default_port(const struct smtp *session)
{
	if (session->settings.default_port > 0)
		return session->settings.default_port;
	if (session->settings.lmtp)
		return SMTP_LMTP_PORT;
	return session->settings.tls == SMTP_TLS_IMPLICIT ? SMTPS_PORT
							  : SMTP_PORT;
}

/* Cut "host:port" in two: "[v6]:port", or one colon alone.  False: there is no
 * port. */
static bool
split_host(struct bytes *host, struct bytes *out_port)
{
	const size_t colon = bytes_last_index(*host, ':');
	const bool is_only = bytes_index(*host, ':') == colon;
	const bool is_behind = colon > 0 && colon < host->len &&
	    host->data[0] == '[' && host->data[colon - 1] == ']';

	const bool has_port = colon < host->len && (is_only || is_behind);

	if (has_port) {
		*out_port = bytes_from(*host, colon + 1);
		*host = bytes_first(*host, colon);
	}
	if (host->len > 2 && host->data[0] == '[' &&
	    host->data[host->len - 1] == ']')
		*host = bytes_first(bytes_from(*host, 1), host->len - 2);
	return has_port;
}

/* ---- the beginning ---- */

static void
begin_session(struct smtp *session)
{
	const int64_t session_ms = session->settings.session_ms;

	smtp_session_forget_server(session);
	session->stage = SMTP_S_CONNECT;
	session->is_first = false;
	session->session_deadline = session_ms > 0
	    ? clock_after(smtp_link_now(session), session_ms)
	    : CLOCK_NEVER;
}

/* A step that is over once there is a greeting. */
static void
await_greeting(struct smtp *session)
{
	smtp_step_nothing(session, SMTP_OK, greeted);
	session->is_step_over = false;
}

static int
begin_unix(struct smtp *session, const char *path)
{
	struct socket_address address;
	struct error error;

	if (!socket_address_parse(path, &address, &error)) {
		session->number = EINVAL;
		return smtp_call_refuse(session, SMTP_E_OS, error_text(&error));
	}
	smtp_session_set(&session->host, "localhost");
	session->is_local = true;
	await_greeting(session);
	smtp_trace_connect(session, path);
	open_conn(session, socket_address_get(&address), address.len);
	return SMTP_OK;
}

static int
begin_host(struct smtp *session, struct bytes host, const char *service)
{
	struct bytes port_text = bytes_of(service);
	bool has_port = port_text.len > 0;
	unsigned port = 0;
	struct error error;

	if (service == NULL)
		has_port = split_host(&host, &port_text);
	session->number = EINVAL;
	if (has_port && !read_port(port_text, &port))
		return smtp_call_refuse(session, SMTP_E_OS, "nonnumeric port");
	if (port == 0)
		port = default_port(session);
	if (session->resolver == NULL &&
	    !resolver_new(session->loop, NULL, &session->resolver, &error))
		return smtp_call_refuse(
		    session, SMTP_E_RESOLVE, error_text(&error));
	session->number = 0;
	free(session->host);
	session->host = memory_copy(host);
	session->is_local = false;
	session->state = SMTP_LINK_RESOLVING;
	await_greeting(session);
	set_resolve_timer(session);
	session->query = resolver_lookup(
	    session->resolver, session->host, port, resolved, session);
	return SMTP_OK;
}

static int
begin(struct smtp *session, const char *host, const char *service,
    bool wants_220, smtp_done_fn fn, void *arg)
{
	int err = SMTP_OK;

	if (!smtp_call_begin(session, fn, arg, &err))
		return err;
	smtp_link_close(session);
	begin_session(session);
	session->wants_220 = wants_220;
	if (host == NULL || host[0] == '\0')
		host = "localhost";
	if (host[0] == '/')
		return begin_unix(session, host);
	return begin_host(session, bytes_of(host), service);
}

int
smtp_connect_async(struct smtp *s, const char *host, const char *service,
    smtp_done_fn cb, void *arg)
{
	return begin(s, host, service, false, cb, arg);
}

int
smtp_connect(struct smtp *s, const char *host, const char *service)
{
	return smtp_call_wait(
	    s, smtp_connect_async(s, host, service, NULL, NULL));
}

int
smtp_open_async(struct smtp *s, const char *host, const char *service,
    smtp_done_fn cb, void *arg)
{
	return begin(s, host, service, true, cb, arg);
}

int
smtp_open(struct smtp *s, const char *host, const char *service)
{
	return smtp_call_wait(s, smtp_open_async(s, host, service, NULL, NULL));
}

/* False, with errno set. */
static bool
is_stream_socket(int fd)
{
	int type = 0;
	socklen_t len = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0)
		return false;
	errno = EPROTOTYPE;
	return type == SOCK_STREAM;
}

int
smtp_attach_fd_async(struct smtp *s, int fd, smtp_done_fn cb, void *arg)
{
	int err = SMTP_OK;

	if (!smtp_call_begin(s, cb, arg, &err))
		return err;
	smtp_link_close(s);
	s->stage = SMTP_S_CONNECT;
	if (!is_stream_socket(fd)) {
		s->number = errno;
		return smtp_call_refuse(s, SMTP_E_OS, strerror(errno));
	}
	begin_session(s);
	smtp_session_set(&s->host, NULL);
	s->conn = conn_accept(s->loop, fd, smtp_link_hear, s);
	s->is_local = conn_peer(s->conn)->local;
	await_greeting(s);
	smtp_connect_opened(s);
	return smtp_call_go(s);
}

int
smtp_attach_fd(struct smtp *s, int fd)
{
	return smtp_call_wait(s, smtp_attach_fd_async(s, fd, NULL, NULL));
}

int
smtp_fd(const struct smtp *s)
{
	return smtp_connected(s) ? conn_fd(s->conn) : -1;
}

int
smtp_connected(const struct smtp *s)
{
	return s->client != NULL;
}

void
smtp_close(struct smtp *s)
{
	/* Called by a function of the caller's: what asked it goes first. */
	s->is_close_due = s->is_pumping;
	if (s->is_close_due)
		return;
	smtp_call_drop(s);
	smtp_link_close(s);
}

void
smtp_cancel(struct smtp *s)
{
	smtp_close(s);
}
