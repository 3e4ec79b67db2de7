#include "base/memory.h"
#include "lib/smtp_session.h"
#include "net/loop.h"
#include "net/tls.h"

#include <stdlib.h>

/* What the call was given, and its steps. */
static void
release(struct smtp *session)
{
	struct smtp_mail *mail = &session->mail;

	for (size_t i = 0; i < mail->count; i++)
		free(mail->recipients[i]);
	free(mail->recipients);
	free(mail->sender);
	free(mail->options);
	free(mail->rcpt_options);
	free(mail->more);
	free(mail->more_rcpt);
	free(mail->list);
	free(mail->places);
	free(mail->states);
	*mail = (struct smtp_mail){0};
	smtp_content_clear(&session->content);
	smtp_session_set_secret(&session->user, NULL);
	smtp_session_set_secret(&session->password, NULL);
	smtp_session_set(&session->mechanism, NULL);
	smtp_session_set(&session->tls_name_now, NULL);
	session->options.user = NULL;
	session->options.password = NULL;
	session->options.mechanisms = NULL;
	session->options.raw_lines = false;
	session->options.no_chunking = !session->settings.chunking;
	session->then = NULL;
	session->after = NULL;
	session->hear = NULL;
	session->keeps_last = false;
	session->finals_due = 0;
	session->wants_220 = false;
}

static void
tell(void *ctx)
{
	struct smtp *session = ctx;

	session->is_busy = false;
	session->done(session, session->result, session->done_arg);
}

static bool
cannot_begin(struct smtp *session, smtp_done_fn fn)
{
	return session->is_busy || (fn != NULL) != session->is_foreign;
}

bool
smtp_call_begin(struct smtp *session, smtp_done_fn fn, void *arg, int *out_err)
{
	if (cannot_begin(session, fn)) {
		*out_err = SMTP_E_INVAL;
		return false;
	}
	smtp_last_clear(session);
	session->is_busy = true;
	session->done = fn;
	session->done_arg = arg;
	loop_task_init(&session->done_task, tell, session);
	*out_err = SMTP_OK;
	return true;
}

bool
smtp_call_begin_connected(
    struct smtp *session, smtp_done_fn fn, void *arg, int *out_err)
{
	if (!smtp_call_begin(session, fn, arg, out_err))
		return false;
	/* What came since the last call was not asked for, and must not be
	 * taken for the reply to what is said now. */
	if (smtp_connected(session))
		conn_read_now(session->conn);
	if (smtp_connected(session))
		return true;
	session->stage = SMTP_S_CMD;
	*out_err = smtp_call_refuse(
	    session, SMTP_E_DISCONNECTED, "please run smtp_connect() first");
	return false;
}

int
smtp_call_refuse(struct smtp *session, int err, const char *why)
{
	release(session);
	session->is_busy = false;
	return smtp_last_fail(session, err, session->stage, why);
}

void
smtp_call_end(struct smtp *session, int err)
{
	release(session);
	session->result = err;
	if (session->is_foreign) {
		loop_later(session->loop, &session->done_task);
		return;
	}
	session->is_busy = false;
	loop_stop(session->loop);
}

void
smtp_call_drop(struct smtp *session)
{
	if (!session->is_busy)
		return;
	loop_task_cancel(session->loop, &session->done_task);
	release(session);
	session->is_busy = false;
}

int
smtp_call_go(struct smtp *session)
{
	smtp_step_pump(session);
	return SMTP_OK;
}

int
smtp_call_wait(struct smtp *session, int begun)
{
	if (begun != SMTP_OK)
		return begun;
	loop_run(session->loop);
	return session->result;
}
