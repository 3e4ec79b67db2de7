#include "base/clock.h"
#include "lib/smtp_atrn.h"
#include "lib/smtp_session.h"
#include "net/loop.h"

#include <stdlib.h>

/* smtp_send() at a time. */
#define RAW_STRETCH ((size_t)64 * 1024)
/* For octets to leave (RFC 5321 4.5.3.2.5), and for a handshake. */
#define BLOCK_TIMEOUT (3 * CLOCK_MINUTE)
#define TLS_TIMEOUT   CLOCK_MINUTE

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

/* ---- steps ---- */

static void
begin_step(struct smtp *session, smtp_step_fn *then)
{
	session->then = then;
	session->hear = NULL;
	session->drains = false;
	session->is_step_over = false;
	session->step_err = SMTP_OK;
	session->failure = SMTP_E_DISCONNECTED;
	session->command = SMTP_PHASE_COMMAND;
}

/* A step may follow one that lost the connection. */
static bool
begin_talking(struct smtp *session, smtp_step_fn *then)
{
	begin_step(session, then);
	if (session->client != NULL)
		return true;
	session->is_step_over = true;
	session->step_err = SMTP_E_DISCONNECTED;
	return false;
}

static void
set_timeouts(struct smtp *session, enum smtp_phase command)
{
	for (int phase = 0; phase < SMTP_PHASE_COUNT; phase++)
		session->options.timeout_ms[phase] =
		    smtp_session_timeout(session, (enum smtp_phase)phase);
	session->options.timeout_ms[SMTP_PHASE_COMMAND] =
	    smtp_session_timeout(session, command);
}

void
smtp_link_phase(struct smtp *session, enum smtp_phase phase, smtp_step_fn *then)
{
	if (!begin_talking(session, then))
		return;
	set_timeouts(session, SMTP_PHASE_COMMAND);
	smtp_client_start(session->client, phase, smtp_link_now(session));
}

void
smtp_link_command(struct smtp *session, struct bytes line,
    enum smtp_phase phase, bool secret, smtp_step_fn *then)
{
	bool ok = false;

	if (!begin_talking(session, then))
		return;
	set_timeouts(session, phase);
	session->command = phase;
	if (secret)
		ok = smtp_client_secret_command(
		    session->client, line, smtp_link_now(session));
	else
		ok = smtp_client_command(
		    session->client, line, smtp_link_now(session));
	if (ok)
		return;
	session->is_step_over = true;
	session->step_err = smtp_last_fail(session, SMTP_E_INVAL,
	    smtp_last_stage_of(phase), "the line is too long, or several");
}

void
smtp_link_reply(struct smtp *session, smtp_step_fn *then)
{
	if (!begin_talking(session, then))
		return;
	set_timeouts(session, SMTP_PHASE_COMMAND);
	smtp_client_expect(session->client, smtp_link_now(session));
}

void
smtp_link_content(struct smtp *session, unsigned replies, smtp_step_fn *then)
{
	if (!begin_talking(session, then))
		return;
	set_timeouts(session, SMTP_PHASE_COMMAND);
	smtp_client_start_content(
	    session->client, replies, smtp_link_now(session));
}

void
smtp_link_message(struct smtp *session, smtp_hear_fn *hear, smtp_step_fn *then)
{
	if (!begin_talking(session, then))
		return;
	set_timeouts(session, SMTP_PHASE_COMMAND);
	session->hear = hear;
	smtp_client_send(
	    session->client, &session->mail.message, smtp_link_now(session));
}

void
smtp_link_quit(struct smtp *session, smtp_step_fn *then)
{
	if (!begin_talking(session, then))
		return;
	set_timeouts(session, SMTP_PHASE_COMMAND);
	smtp_client_quit(session->client, smtp_link_now(session));
}

void
smtp_link_write(struct smtp *session, smtp_step_fn *then)
{
	if (!begin_talking(session, then))
		return;
	set_timeouts(session, SMTP_PHASE_COMMAND);
	session->drains = true;
}

void
smtp_link_serve(struct smtp *session, smtp_step_fn *then)
{
	begin_step(session, then);
	smtp_client_free(session->client);
	session->client = NULL;
	session->state = SMTP_LINK_SERVING;
}

void
smtp_link_nothing(struct smtp *session, int err, smtp_step_fn *then)
{
	begin_step(session, then);
	session->is_step_over = true;
	session->step_err = err;
}

/* ---- what is heard ---- */

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

static void
fail_core(struct smtp *session, int err, enum smtp_phase phase, const char *why)
{
	session->failure = err;
	smtp_client_fail(session->client, phase, bytes_of(why));
}

static void
start_tls_now(struct smtp *session)
{
	struct error error;

	/* What lies behind the 220 is an attack; the core says so next. */
	if (conn_input(session->conn)->len > 0)
		return;
	if (!smtp_link_start_tls(session, &error))
		fail_core(
		    session, SMTP_E_TLS, SMTP_PHASE_TLS, error_text(&error));
}

static void
give_content(struct smtp *session)
{
	struct bytes stretch = BYTES_NONE;
	bool last = false;
	struct error error;

	if (smtp_content_next(&session->content, &stretch, &last, &error)) {
		smtp_client_content(
		    session->client, stretch, last, smtp_link_now(session));
		return;
	}
	session->number = error.number;
	fail_core(session, error.kind == ERROR_DATA ? SMTP_E_INVAL : SMTP_E_OS,
	    SMTP_PHASE_CONTENT, error_text(&error));
}

static void
end_step(struct smtp *session, const struct smtp_outcome *heard)
{
	struct smtp_outcome outcome = *heard;

	if (session->is_step_over)
		return;
	if (outcome.phase == SMTP_PHASE_COMMAND)
		outcome.phase = session->command;
	session->is_step_over = true;
	session->step_err = smtp_last_keep(session, &outcome);
}

/* LMTP: the reply is that for the next accepted recipient. */
static void
note_final(struct smtp *session, const struct smtp_outcome *outcome)
{
	while (session->finals < session->results_len &&
	    session->results[session->finals].cls != SMTP_C_OK)
		session->finals++;
	if (session->finals < session->results_len)
		smtp_last_set_result(
		    session, &session->results[session->finals++], outcome);
	session->finals_due--;
}

/* The connection is over before all had theirs. */
static void
note_no_final(struct smtp *session, const struct smtp_outcome *outcome)
{
	if (session->settings.lmtp)
		while (session->finals_due > 0)
			note_final(session, outcome);
}

static void
replied(struct smtp *session, const struct smtp_outcome *outcome)
{
	if (outcome->phase == SMTP_PHASE_END && session->settings.lmtp)
		note_final(session, outcome);
	if (outcome->phase != SMTP_PHASE_END || session->finals_due == 0 ||
	    !session->settings.lmtp)
		end_step(session, outcome);
}

static void
heard(struct smtp *session, const struct smtp_client_event *event)
{
	if (session->hear != NULL && session->hear(session, event))
		return;
	switch (event->kind) {
	case SMTP_CLIENT_WANT_CONTENT:
		give_content(session);
		return;
	case SMTP_CLIENT_START_TLS:
		(void)smtp_last_keep(session, &event->outcome); /* a reply */
		start_tls_now(session);
		return;
	case SMTP_CLIENT_REPLY:
		replied(session, &event->outcome);
		return;
	case SMTP_CLIENT_READY:
	case SMTP_CLIENT_RECIPIENT:
		return;
	case SMTP_CLIENT_DONE:
		end_step(session, &event->outcome);
		return;
	case SMTP_CLIENT_OVER:
		note_no_final(session, &event->outcome);
		end_step(session, &event->outcome);
		session->is_over = true;
		return;
	}
}

/* ---- the pump ---- */

static void
finish_step(struct smtp *session)
{
	smtp_step_fn *then = session->then;

	session->then = NULL;
	session->hear = NULL;
	if (session->is_over)
		smtp_link_close(session);
	then(session, session->step_err);
}

/* More of what is to go out as it is; true where that was the last of it. */
static bool
drain(struct smtp *session)
{
	const struct bytes stretch = bytes_first(session->raw, RAW_STRETCH);

	if (conn_output(session->conn)->len > 0)
		return false;
	smtp_client_write(session->client, stretch);
	session->raw = bytes_from(session->raw, stretch.len);
	return stretch.len == 0;
}

static bool
is_open(const struct smtp *session)
{
	return session->state == SMTP_LINK_TALKING ||
	    session->state == SMTP_LINK_SERVING;
}

/* Something happened; the step may be over by it. */
static bool
advance(struct smtp *session)
{
	struct smtp_client_event event;

	if (session->state == SMTP_LINK_SERVING)
		return smtp_atrn_advance(session);
	if (session->drains) {
		const size_t before = session->raw.len;
		session->is_step_over = drain(session);
		return session->is_step_over || session->raw.len < before;
	}
	if (!smtp_client_next(session->client, smtp_link_now(session), &event))
		return false;
	heard(session, &event);
	return true;
}

/* Replies are taken as they are asked for: not a look beyond. */
static bool
is_finished(const struct smtp *session)
{
	return session->is_step_over &&
	    (session->is_over || session->client == NULL || session->drains ||
		smtp_client_is_idle(session->client));
}

static void
take_steps(struct smtp *session)
{
	while (session->then != NULL && !session->is_close_due) {
		if (is_finished(session))
			finish_step(session);
		else if (!is_open(session) || !advance(session))
			return;
	}
}

static void
set_deadline(struct smtp *session)
{
	if (!is_open(session))
		return; /* connecting and handshakes have their own */
	if (session->then == NULL)
		conn_set_deadline(session->conn, CLOCK_NEVER);
	else if (session->state == SMTP_LINK_SERVING)
		conn_set_deadline(session->conn, smtp_atrn_deadline(session));
	else if (session->drains)
		smtp_link_wait(session,
		    smtp_session_timeout_or(
			session, SMTP_PHASE_CONTENT, BLOCK_TIMEOUT));
	else {
		int64_t deadline = smtp_client_deadline(session->client);
		if (deadline > session->session_deadline)
			deadline = session->session_deadline;
		conn_set_deadline(session->conn, deadline);
	}
}

/* In the middle of a call, from within a function of the caller's; only a
 * blocking one is still waited for. */
static void
close_now(struct smtp *session)
{
	const bool is_waited_for = session->is_busy && !session->is_foreign;

	session->is_close_due = false;
	smtp_close(session);
	if (!is_waited_for)
		return;
	session->result = smtp_last_fail(session, SMTP_E_DISCONNECTED,
	    session->stage, "closed by the caller");
	loop_stop(session->loop);
}

/*
 * Where some of the output has left there may be room for more.  That waits for
 * the loop's next turn: what the server says meanwhile is to be read first (a
 * reply before the content is over is none to it), and however much a server
 * takes at once, others on the loop and the time-outs have theirs.
 */
static void
write_on(struct smtp *session)
{
	const size_t before = conn_output(session->conn)->len;

	conn_flush(session->conn);
	if (conn_output(session->conn)->len < before)
		loop_later(session->loop, &session->pump_task);
}

void
smtp_link_pump(struct smtp *session)
{
	if (session->is_pumping)
		return;
	session->is_pumping = true;
	take_steps(session);
	if (is_open(session) && !session->is_close_due)
		write_on(session);
	session->is_pumping = false;
	if (session->is_close_due)
		close_now(session);
	else if (session->conn != NULL)
		set_deadline(session);
}

static void
pump(void *ctx)
{
	smtp_link_pump(ctx);
}

void
smtp_link_init(struct smtp *session)
{
	loop_task_init(&session->pump_task, pump, session);
}

/* ---- the connection ---- */

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
	fail_core(session, is_late ? SMTP_E_TIMEOUT : SMTP_E_TLS,
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
		fail_core(session, SMTP_E_TIMEOUT, SMTP_PHASE_COMMAND,
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
	smtp_link_pump(session);
}
