#include "lib/smtp_session.h"
#include "net/tls.h"
#include "smtp/extensions.h"

/* ---- EHLO and HELO ---- */

static void
keep_ehlo(struct smtp *session, int err)
{
	if (err != SMTP_OK)
		return;
	smtp_session_set(&session->ehlo_text, session->text);
	if (session->code / 100 != 2)
		return;
	session->is_esmtp = true;
	smtp_session_learn(session);
}

static void
keep_helo(struct smtp *session, int err)
{
	if (err == SMTP_OK)
		smtp_session_set(&session->helo_text, session->text);
}

static void
ehlo_said(struct smtp *session, int err)
{
	keep_ehlo(session, err);
	smtp_call_end(session, err);
}

static void
helo_said(struct smtp *session, int err)
{
	keep_helo(session, err);
	smtp_call_end(session, err);
}

static int
begin_hello(struct smtp *session, const char *name, enum smtp_phase phase,
    smtp_step_fn *then, smtp_done_fn fn, void *arg)
{
	int err = SMTP_OK;

	if (!smtp_call_begin_connected(session, fn, arg, &err))
		return err;
	if (name != NULL && !bytes_is_ascii(bytes_of(name)))
		return smtp_call_refuse(
		    session, SMTP_E_ENCODING, "the name is not ASCII");
	if (name != NULL && bytes_has_control(bytes_of(name)))
		return smtp_call_refuse(
		    session, SMTP_E_INVAL, "the name holds control characters");
	if (name != NULL && bytes_of(name).len > SMTP_HELLO_MAX)
		return smtp_call_refuse(
		    session, SMTP_E_INVAL, "the name is too long");
	if (name != NULL)
		smtp_session_set(&session->settings.local_hostname, name);
	session->options.hello = smtp_session_hello(session);
	if (phase == SMTP_PHASE_EHLO)
		smtp_session_forget_server(session);
	smtp_step_phase(session, phase, then);
	return smtp_call_go(session);
}

int
smtp_ehlo_async(struct smtp *s, const char *name, smtp_done_fn cb, void *arg)
{
	return begin_hello(s, name, SMTP_PHASE_EHLO, ehlo_said, cb, arg);
}

int
smtp_ehlo(struct smtp *s, const char *name)
{
	return smtp_call_wait(s, smtp_ehlo_async(s, name, NULL, NULL));
}

int
smtp_helo_async(struct smtp *s, const char *name, smtp_done_fn cb, void *arg)
{
	return begin_hello(s, name, SMTP_PHASE_HELO, helo_said, cb, arg);
}

int
smtp_helo(struct smtp *s, const char *name)
{
	return smtp_call_wait(s, smtp_helo_async(s, name, NULL, NULL));
}

/* ---- where need be ---- */

static void
go_on(struct smtp *session, int err)
{
	smtp_step_nothing(session, err, session->after);
}

static void
say_ehlo(struct smtp *session, smtp_step_fn *then)
{
	smtp_session_forget_server(session);
	session->options.hello = smtp_session_hello(session);
	smtp_step_phase(session, SMTP_PHASE_EHLO, then);
}

/* The second EHLO, within TLS: there is no falling back. */
static void
greeted_again(struct smtp *session, int err)
{
	keep_ehlo(session, err);
	if (err == SMTP_OK && session->code / 100 != 2)
		err = smtp_last_refused(session, SMTP_E_HELO);
	go_on(session, err);
}

static void
secured(struct smtp *session, int err)
{
	const bool may_go_on =
	    session->client != NULL && session->settings.tls == SMTP_TLS_MAY;

	if (err == SMTP_OK && session->is_secure)
		say_ehlo(session, greeted_again);
	else if (err == SMTP_OK && !may_go_on)
		go_on(session, smtp_last_refused(session, SMTP_E_RESPONSE));
	else
		go_on(session, err);
}

static void
secure(struct smtp *session)
{
	const bool must = session->settings.tls == SMTP_TLS_MUST;
	struct error error;

	smtp_session_set(&session->tls_name_now, session->settings.tls_name);
	if (smtp_connect_tls_context(
		session, session->settings.ssl_ctx, must, &error))
		smtp_step_phase(session, SMTP_PHASE_STARTTLS, secured);
	else
		go_on(session,
		    smtp_last_fail(session, SMTP_E_TLS, SMTP_S_STARTTLS,
			error_text(&error)));
}

/* EHLO or HELO was accepted, now or before. */
static void
greeted(struct smtp *session)
{
	const enum smtp_tls tls = session->settings.tls;
	const bool wants = tls == SMTP_TLS_MAY || tls == SMTP_TLS_MUST;

	if (!wants || session->is_secure || session->is_local)
		go_on(session, SMTP_OK);
	else if (smtp_has_extn(session, "starttls"))
		secure(session);
	else if (tls == SMTP_TLS_MAY)
		go_on(session, SMTP_OK);
	else
		go_on(session,
		    smtp_last_fail(session, SMTP_E_NOTSUPP, SMTP_S_STARTTLS,
			"the server does not offer STARTTLS"));
}

static void
helo_tried(struct smtp *session, int err)
{
	keep_helo(session, err);
	if (err == SMTP_OK && session->code / 100 == 2)
		greeted(session);
	else
		go_on(session,
		    err != SMTP_OK ? err
				   : smtp_last_refused(session, SMTP_E_HELO));
}

static void
ehlo_tried(struct smtp *session, int err)
{
	keep_ehlo(session, err);
	if (err != SMTP_OK)
		go_on(session, err);
	else if (session->code / 100 == 2)
		greeted(session);
	else if (session->client == NULL || session->settings.lmtp)
		go_on(session, smtp_last_refused(session, SMTP_E_HELO));
	else
		smtp_step_phase(session, SMTP_PHASE_HELO, helo_tried);
}

void
smtp_greet_begin(struct smtp *session, smtp_step_fn *then)
{
	session->after = then;
	if (session->is_esmtp || session->helo_text != NULL)
		greeted(session);
	else
		say_ehlo(session, ehlo_tried);
}

int
smtp_ehlo_or_helo_async(struct smtp *s, smtp_done_fn cb, void *arg)
{
	int err = SMTP_OK;

	if (!smtp_call_begin_connected(s, cb, arg, &err))
		return err;
	smtp_greet_begin(s, smtp_call_end);
	return smtp_call_go(s);
}

int
smtp_ehlo_or_helo(struct smtp *s)
{
	return smtp_call_wait(s, smtp_ehlo_or_helo_async(s, NULL, NULL));
}

/* ---- STARTTLS by itself ---- */

static void
started(struct smtp *session, int err)
{
	if (err == SMTP_OK && !session->is_secure)
		err = smtp_last_refused(session, SMTP_E_RESPONSE);
	smtp_call_end(session, err);
}

static void
start(struct smtp *session, int err)
{
	if (err != SMTP_OK)
		smtp_call_end(session, err);
	else if (!smtp_has_extn(session, "starttls"))
		smtp_call_end(session,
		    smtp_last_fail(session, SMTP_E_NOTSUPP, SMTP_S_STARTTLS,
			"the server does not offer STARTTLS"));
	else
		smtp_step_phase(session, SMTP_PHASE_STARTTLS, started);
}

/* EHLO where none was said; TLS is what was asked for, whatever the settings.
 */
static void
greet_plainly(struct smtp *session, int err)
{
	keep_ehlo(session, err);
	if (err == SMTP_OK && session->code / 100 != 2)
		err = smtp_last_refused(session, SMTP_E_HELO);
	start(session, err);
}

int
smtp_starttls_async(struct smtp *s, struct ssl_ctx_st *ctx, const char *name,
    smtp_done_fn cb, void *arg)
{
	const struct smtp_settings *settings = &s->settings;
	int err = SMTP_OK;
	struct error error;

	if (!smtp_call_begin_connected(s, cb, arg, &err))
		return err;
	s->stage = SMTP_S_STARTTLS;
	if (s->is_secure)
		return smtp_call_refuse(
		    s, SMTP_E_INVAL, "the session is TLS already");
	smtp_session_set(
	    &s->tls_name_now, name != NULL ? name : settings->tls_name);
	if (!smtp_connect_tls_context(s, ctx != NULL ? ctx : settings->ssl_ctx,
		settings->tls != SMTP_TLS_MAY, &error))
		return smtp_call_refuse(s, SMTP_E_TLS, error_text(&error));
	if (s->is_esmtp || s->helo_text != NULL)
		smtp_step_nothing(s, SMTP_OK, start);
	else
		say_ehlo(s, greet_plainly);
	return smtp_call_go(s);
}

int
smtp_starttls(struct smtp *s, struct ssl_ctx_st *ctx, const char *name)
{
	return smtp_call_wait(s, smtp_starttls_async(s, ctx, name, NULL, NULL));
}
