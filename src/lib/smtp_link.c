#include "base/clock.h"
#include "lib/smtp_atrn.h"
#include "lib/smtp_session.h"
#include "net/loop.h"

#include <stdlib.h>

/* For a handshake. */
#define TLS_TIMEOUT CLOCK_MINUTE

int64_t
smtp_link_now(const struct smtp *session)
{
	return loop_now(session->loop).mono_ms;
}

void
smtp_link_wait(struct smtp *session, int64_t wait_ms)
{
	int64_t deadline = clock_after(smtp_link_now(session), wait_ms);

	if (deadline > session->session_deadline)
		deadline = session->session_deadline;
	conn_set_deadline(session->conn, deadline);
}

void
smtp_link_talk(struct smtp *session)
{
	char data[64];
	const char *type = NULL;
	size_t len =
	    conn_channel_binding(session->conn, data, sizeof(data), &type);
	const struct bytes binding = bytes_make(data, len);
	const bool is_exporter = type != NULL && type[4] == 'e';

	session->state = SMTP_LINK_TALKING;
	if (session->client == NULL) {
		session->options.lmtp = session->settings.lmtp;
		session->options.trace = smtp_trace_pass;
		session->options.trace_ctx = session;
		smtp_trace_begin(session);
		session->options.hello = smtp_session_hello(session);
		session->options.host = session->host;
		session->options.auth_in_clear =
		    session->settings.auth_in_clear;
		session->options.security =
		    session->is_local || session->is_secure
		    ? SMTP_SECURITY_PRESENT
		    : SMTP_SECURITY_OPPORTUNISTIC;
		session->client = smtp_client_new(&session->options,
		    conn_input(session->conn), conn_output(session->conn));
	}
	if (len > 0)
		smtp_client_set_channel_binding(session->client,
		    is_exporter ? binding : BYTES_NONE,
		    is_exporter ? BYTES_NONE : binding);
}

bool
smtp_link_start_tls(struct smtp *session, struct error *out_error)
{
	const char *name = session->tls_name_now != NULL ? session->tls_name_now
							 : session->host;

	if (name == NULL)
		return error_set(out_error, ERROR_TLS,
		    "no name that the certificate should carry");
	if (!conn_start_tls(session->conn, session->tls_now, name, out_error))
		return false;
	session->state = SMTP_LINK_SECURING;
	smtp_link_wait(session,
	    smtp_session_timeout_or(session, SMTP_PHASE_TLS, TLS_TIMEOUT));
	return true;
}

bool
smtp_link_is_verified(const struct smtp *session)
{
	const struct tls_summary *summary = conn_tls(session->conn);

	return session->is_local || (summary != NULL && summary->verified);
}

void
smtp_link_close(struct smtp *session)
{
	loop_task_cancel(session->loop, &session->pump_task);
	resolver_cancel(session->query);
	session->query = NULL;
	loop_timer_set(&session->resolve_timer, CLOCK_NEVER);
	smtp_atrn_free(session);
	smtp_client_free(session->client);
	session->client = NULL;
	conn_close(session->conn);
	session->conn = NULL;
	free(session->addresses);
	session->addresses = NULL;
	session->address_count = 0;
	tls_context_free(session->tls_own);
	session->tls_own = NULL;
	session->state = SMTP_LINK_NONE;
	session->is_over = false;
	session->is_secure = false;
	session->is_utf8 = false;
}

void
smtp_link_fail(
    struct smtp *session, int err, enum smtp_phase phase, const char *why)
{
	session->failure = err;
	smtp_client_fail(session->client, phase, bytes_of(why));
}

static void
secured(struct smtp *session)
{
	session->is_secure = true;
	if (session->is_first) {
		smtp_connect_secured(session);
		return;
	}
	smtp_link_talk(session);
	smtp_client_tls_started(session->client, smtp_link_now(session));
	smtp_session_forget_server(session);
	/* Else the core has something to say about what came too early. */
	session->is_step_over = conn_input(session->conn)->len == 0;
}

static void
securing_failed(struct smtp *session, const struct error *error)
{
	const bool is_late = error->kind == ERROR_TIMEOUT;

	if (session->is_first) {
		smtp_connect_tls_failed(session, error);
		return;
	}
	session->state = SMTP_LINK_TALKING; /* to hear that it is over */
	smtp_link_fail(session, is_late ? SMTP_E_TIMEOUT : SMTP_E_TLS,
	    SMTP_PHASE_TLS, error_text(error));
}

static void
ended(struct smtp *session, const struct error *error)
{
	switch (session->state) {
	case SMTP_LINK_CONNECTING:
		smtp_connect_failed(session, error);
		return;
	case SMTP_LINK_SECURING:
		securing_failed(session, error);
		return;
	case SMTP_LINK_TALKING:
		smtp_client_eof(session->client, bytes_of(error_text(error)));
		/* What is still to go out never will. */
		session->drains = session->drains && session->then == NULL;
		return;
	case SMTP_LINK_SERVING:
		smtp_atrn_ended(session, error);
		return;
	case SMTP_LINK_NONE:
	case SMTP_LINK_RESOLVING:
		return;
	}
}

static void
timed_out(struct smtp *session)
{
	const bool is_session =
	    smtp_link_now(session) >= session->session_deadline;
	struct error error;

	if (session->state == SMTP_LINK_SERVING)
		return; /* seen by who serves */
	(void)error_set(&error, ERROR_TIMEOUT, "timed out");
	if (session->state != SMTP_LINK_TALKING)
		ended(session, &error);
	else if (session->then != NULL && (is_session || session->drains))
		smtp_link_fail(session, SMTP_E_TIMEOUT, SMTP_PHASE_COMMAND,
		    is_session ? "the session takes too long" : "timed out");
	session->drains = false; /* the core sees its own time-outs */
}

void
smtp_link_hear(struct conn *conn, enum conn_event event, void *ctx)
{
	struct smtp *session = ctx;
	struct error closed;

	switch (event) {
	case CONN_OPENED:
		smtp_connect_opened(session);
		break;
	case CONN_SECURED:
		secured(session);
		break;
	case CONN_READABLE:
	case CONN_DRAINED:
		break;
	case CONN_EOF:
		(void)error_set(
		    &closed, ERROR_CLOSED, "connection unexpectedly closed");
		ended(session, &closed);
		break;
	case CONN_FAILED:
		ended(session, conn_error(conn));
		break;
	case CONN_TIMEOUT:
		timed_out(session);
		break;
	}
	smtp_step_pump(session);
}
