#include "lib/smtp_session.h"

static void
start_tls_now(struct smtp *session)
{
	struct error error;

	/* What lies behind the 220 is an attack; the core says so next. */
	if (conn_input(session->conn)->len > 0)
		return;
	if (!smtp_link_start_tls(session, &error))
		smtp_link_fail(
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
	smtp_link_fail(session,
	    error.kind == ERROR_DATA ? SMTP_E_INVAL : SMTP_E_OS,
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

void
smtp_hear_event(struct smtp *session, const struct smtp_client_event *event)
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
