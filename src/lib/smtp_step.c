#include "base/clock.h"
#include "lib/smtp_atrn.h"
#include "lib/smtp_session.h"
#include "net/loop.h"

/* smtp_send() at a time. */
#define RAW_STRETCH ((size_t)64 * 1024)
/* For octets to leave (RFC 5321 4.5.3.2.5). */
#define BLOCK_TIMEOUT (3 * CLOCK_MINUTE)

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
smtp_step_phase(struct smtp *session, enum smtp_phase phase, smtp_step_fn *then)
{
	if (!begin_talking(session, then))
		return;
	set_timeouts(session, SMTP_PHASE_COMMAND);
	smtp_client_start(session->client, phase, smtp_link_now(session));
}

void
smtp_step_command(struct smtp *session, struct bytes line,
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
smtp_step_reply(struct smtp *session, smtp_step_fn *then)
{
	if (!begin_talking(session, then))
		return;
	set_timeouts(session, SMTP_PHASE_COMMAND);
	smtp_client_expect(session->client, smtp_link_now(session));
}

void
smtp_step_content(struct smtp *session, unsigned replies, smtp_step_fn *then)
{
	if (!begin_talking(session, then))
		return;
	set_timeouts(session, SMTP_PHASE_COMMAND);
	smtp_client_start_content(
	    session->client, replies, smtp_link_now(session));
}

void
smtp_step_message(struct smtp *session, smtp_hear_fn *hear, smtp_step_fn *then)
{
	if (!begin_talking(session, then))
		return;
	set_timeouts(session, SMTP_PHASE_COMMAND);
	session->hear = hear;
	smtp_client_send(
	    session->client, &session->mail.message, smtp_link_now(session));
}

void
smtp_step_quit(struct smtp *session, smtp_step_fn *then)
{
	if (!begin_talking(session, then))
		return;
	set_timeouts(session, SMTP_PHASE_COMMAND);
	smtp_client_quit(session->client, smtp_link_now(session));
}

void
smtp_step_write(struct smtp *session, smtp_step_fn *then)
{
	if (!begin_talking(session, then))
		return;
	set_timeouts(session, SMTP_PHASE_COMMAND);
	session->drains = true;
}

void
smtp_step_serve(struct smtp *session, smtp_step_fn *then)
{
	begin_step(session, then);
	smtp_client_free(session->client);
	session->client = NULL;
	session->state = SMTP_LINK_SERVING;
}

void
smtp_step_nothing(struct smtp *session, int err, smtp_step_fn *then)
{
	begin_step(session, then);
	session->is_step_over = true;
	session->step_err = err;
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
	smtp_hear_event(session, &event);
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
smtp_step_pump(struct smtp *session)
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
	smtp_step_pump(ctx);
}

void
smtp_step_init(struct smtp *session)
{
	loop_task_init(&session->pump_task, pump, session);
}
