#include "lib/smtp_atrn.h"

#include "base/clock.h"
#include "base/memory.h"
#include "lib/smtp_order.h"
#include "smtp/smtp_server.h"

#include <stdlib.h>
#include <string.h>

#define TOO_LONG       "The session takes too long"
#define RECIPIENTS_MAX 1000
#define ERRORS_MAX     20
#define COMMAND_MAX_MS (5 * CLOCK_MINUTE) /* RFC 5321 4.5.3.2.7 */
#define CONTENT_MAX_MS (3 * CLOCK_MINUTE)
/* For our last reply to leave. */
#define CLOSE_MAX_MS (10 * CLOCK_SECOND)

struct smtp_atrn {
	struct smtp_server server;
	struct smtp_server_options options;
	struct smtp_taker taker;
	bool is_open;    /* a message was begun, neither ended nor reset */
	bool has_failed; /* its content could not be taken */
	bool is_waiting; /* for smtp_atrn_answer() */
	int err;         /* how it ended; SMTP_OK: by QUIT */
	int64_t close_deadline; /* once the last reply is written; else 0 */
	bool has_ended;
	struct error ending;
};

/* ---- what is answered ---- */

static void
answer(struct smtp *session, enum smtp_server_event_kind kind, int code)
{
	static const struct {
		enum smtp_server_event_kind kind;
		const char *enhanced;
		const char *text;
	} yes[] = {
	    {SMTP_SERVER_MAIL, "2.1.0", "Sender ok"},
	    {SMTP_SERVER_RCPT, "2.1.5", "Recipient ok"},
	    {SMTP_SERVER_END, "2.0.0", "Ok: taken"},
	};
	struct smtp_server *server = &session->atrn->server;
	const int64_t now = smtp_link_now(session);
	size_t i = 0;

	if (code / 100 != 2) {
		const bool is_permanent = code >= 500 && code <= 559;
		smtp_server_answer(server,
		    code < 400 || code > 559 ? 451 : code,
		    is_permanent ? "5.0.0" : "4.0.0", "Not taken", now);
		return;
	}
	while (yes[i].kind != kind)
		i++;
	smtp_server_answer(server, 250, yes[i].enhanced, yes[i].text, now);
}

static char *
params_of(const struct smtp_server_event *event)
{
	struct buffer text;

	buffer_init(&text, SMTP_ORDER_MAX);
	if (event->kind == SMTP_SERVER_MAIL)
		params_write_mail(&text, &event->mail, ~0U);
	else
		params_write_rcpt(&text, &event->rcpt, ~0U);
	char *params = memory_copy(bytes_trim(buffer_bytes(&text)));
	buffer_clear(&text);
	return params;
}

/* The sender, or a recipient. */
static void
take_address(struct smtp *session, const struct smtp_server_event *event)
{
	struct smtp_atrn *atrn = session->atrn;
	const struct smtp_taker *taker = &atrn->taker;
	const bool is_mail = event->kind == SMTP_SERVER_MAIL;
	int (*take)(void *, const char *, const char *) =
	    is_mail ? taker->mail : taker->rcpt;
	char *address = memory_copy(event->text);
	char *params = params_of(event);
	int code = 250;

	if (is_mail) {
		atrn->is_open = true;
		atrn->has_failed = false;
	}
	if (take != NULL)
		code = take(taker->arg, address, params);
	if (is_mail && code / 100 != 2)
		atrn->is_open = false;
	answer(session, event->kind, code);
	free(params);
	free(address);
}

static void
take_content(struct smtp_atrn *atrn, struct bytes content)
{
	if (!atrn->has_failed && content.len > 0)
		atrn->has_failed = atrn->taker.content(atrn->taker.arg,
				       content.data, content.len) != 0;
}

static void
drop_message(struct smtp_atrn *atrn)
{
	if (!atrn->is_open)
		return;
	atrn->is_open = false;
	if (atrn->taker.reset != NULL)
		atrn->taker.reset(atrn->taker.arg);
}

static void
answer_end(struct smtp *session, int code)
{
	session->taken += code / 100 == 2;
	answer(session, SMTP_SERVER_END, code);
}

static void
take_end(struct smtp *session)
{
	struct smtp_atrn *atrn = session->atrn;

	if (atrn->has_failed) {
		drop_message(atrn);
		answer_end(session, 451);
		return;
	}
	atrn->is_open = false;
	const int code = atrn->taker.end(atrn->taker.arg);
	if (code == 0 && session->is_foreign)
		atrn->is_waiting = true;
	else
		answer_end(session, code);
}

static void
fail(struct smtp_atrn *atrn, int err, const char *why)
{
	atrn->err = err;
	(void)error_set(&atrn->ending, ERROR_CLOSED, "%s", why);
}

static void
begin_closing(struct smtp *session, struct bytes why)
{
	struct smtp_atrn *atrn = session->atrn;
	char *text = memory_copy(why);

	atrn->is_waiting = false; /* nobody hears the answer */
	atrn->close_deadline = smtp_link_now(session) + CLOSE_MAX_MS;
	if (bytes_is(why, "QUIT"))
		atrn->err = SMTP_OK;
	else if (bytes_is(why, "time-out") || bytes_is(why, TOO_LONG))
		fail(atrn, SMTP_E_TIMEOUT, text);
	else
		fail(atrn, SMTP_E_PROTO, text);
	free(text);
}

static void
hear(struct smtp *session, const struct smtp_server_event *event)
{
	struct smtp_atrn *atrn = session->atrn;

	switch (event->kind) {
	case SMTP_SERVER_MAIL:
	case SMTP_SERVER_RCPT:
		take_address(session, event);
		return;
	case SMTP_SERVER_DATA:
		smtp_server_answer(&atrn->server, 354, "",
		    "End data with <CR><LF>.<CR><LF>", smtp_link_now(session));
		return;
	case SMTP_SERVER_CONTENT:
		take_content(atrn, event->text);
		return;
	case SMTP_SERVER_END:
		take_content(atrn, event->text);
		take_end(session);
		return;
	case SMTP_SERVER_RESET:
	case SMTP_SERVER_HELLO: /* ends a transaction, too */
		drop_message(atrn);
		return;
	case SMTP_SERVER_CLOSE:
		begin_closing(session, event->text);
		return;
	case SMTP_SERVER_ETRN:
	case SMTP_SERVER_START_TLS:
		return; /* not offered */
	}
}

/* ---- driving it ---- */

static bool
end(struct smtp *session)
{
	const struct smtp_atrn *atrn = session->atrn;

	session->is_step_over = true;
	session->is_over = true;
	session->step_err = atrn->err == SMTP_OK
	    ? SMTP_OK
	    : smtp_last_fail(
		  session, atrn->err, SMTP_S_CMD, error_text(&atrn->ending));
	return true;
}

static bool
is_closed(struct smtp *session)
{
	const struct smtp_atrn *atrn = session->atrn;

	return atrn->close_deadline > 0 &&
	    (atrn->has_ended || conn_output(session->conn)->len == 0 ||
		smtp_link_now(session) >= atrn->close_deadline);
}

bool
smtp_atrn_advance(struct smtp *session)
{
	struct smtp_atrn *atrn = session->atrn;
	struct smtp_server_event event;

	if (smtp_link_now(session) >= session->session_deadline)
		smtp_server_shut(&atrn->server, "4.4.2", TOO_LONG);
	if (smtp_server_next(&atrn->server, smtp_link_now(session), &event)) {
		hear(session, &event);
		return true;
	}
	if (!is_closed(session) && !atrn->has_ended)
		return false;
	return end(session);
}

int64_t
smtp_atrn_deadline(const struct smtp *session)
{
	const struct smtp_atrn *atrn = session->atrn;
	const int64_t deadline = smtp_server_deadline(&atrn->server);

	if (atrn->close_deadline > 0)
		return atrn->close_deadline;
	return deadline < session->session_deadline ? deadline
						    : session->session_deadline;
}

void
smtp_atrn_ended(struct smtp *session, const struct error *error)
{
	struct smtp_atrn *atrn = session->atrn;

	atrn->has_ended = true;
	atrn->is_waiting = false;
	if (atrn->close_deadline == 0)
		fail(atrn, SMTP_E_DISCONNECTED, error_text(error));
}

void
smtp_atrn_free(struct smtp *session)
{
	struct smtp_atrn *atrn = session->atrn;

	if (atrn == NULL)
		return;
	session->atrn = NULL;
	drop_message(atrn);
	smtp_server_clear(&atrn->server);
	free(atrn);
}

/* ---- the call ---- */

static void
turn(struct smtp *session)
{
	struct smtp_atrn *atrn = session->atrn;

	atrn->options = (struct smtp_server_options){
	    .hostname = smtp_session_hello(session),
	    .recipients_max = RECIPIENTS_MAX,
	    .bare_newline = BARE_NEWLINE_REJECT,
	    .command_timeout_ms = smtp_session_timeout_or(
		session, SMTP_PHASE_COMMAND, COMMAND_MAX_MS),
	    .content_timeout_ms = smtp_session_timeout_or(
		session, SMTP_PHASE_CONTENT, CONTENT_MAX_MS),
	    .errors_max = ERRORS_MAX,
	};
	smtp_step_serve(session, smtp_call_end);
	smtp_server_init(&atrn->server, &atrn->options,
	    conn_input(session->conn), conn_output(session->conn),
	    smtp_link_now(session));
}

static void
atrn_said(struct smtp *session, int err)
{
	if (err == SMTP_OK && session->code != 250)
		err = smtp_last_refused(session, SMTP_E_RESPONSE);
	if (err == SMTP_OK) {
		turn(session);
		return;
	}
	smtp_atrn_free(session);
	smtp_call_end(session, err);
}

static void
say_atrn(struct smtp *session, int err)
{
	struct buffer line;

	if (err != SMTP_OK) {
		smtp_atrn_free(session);
		smtp_call_end(session, err);
		return;
	}
	buffer_init(&line, SMTP_ORDER_MAX);
	smtp_order_verb(session, &line, "atrn");
	if (session->mechanism[0] != '\0')
		buffer_printf(&line, " %s", session->mechanism);
	smtp_step_command(
	    session, buffer_bytes(&line), SMTP_PHASE_COMMAND, false, atrn_said);
	buffer_clear(&line);
}

/* What a caller who knows fewer functions did not set is none. */
static struct smtp_taker
known_taker(const struct smtp_taker *given)
{
	struct smtp_taker taker = {0};
	size_t size = sizeof(taker);

	if (given->size > 0 && given->size < size)
		size = given->size;
	memcpy(&taker, given, size);
	return taker;
}

int
smtp_atrn_async(struct smtp *s, const char *domains,
    const struct smtp_taker *taker, smtp_done_fn cb, void *arg)
{
	int err = SMTP_OK;

	if (!smtp_call_begin_connected(s, cb, arg, &err))
		return err;
	s->stage = SMTP_S_CMD;
	s->taken = 0;
	if (domains == NULL)
		domains = "";
	const struct smtp_taker known = known_taker(taker);
	if (bytes_has_control(bytes_of(domains)) ||
	    bytes_contains(bytes_of(domains), ' ') || known.content == NULL ||
	    known.end == NULL || s->settings.lmtp)
		return smtp_call_refuse(s, SMTP_E_INVAL,
		    "domains with blanks, no functions to take mail, or LMTP");
	if (!bytes_is_ascii(bytes_of(domains)))
		return smtp_call_refuse(
		    s, SMTP_E_ENCODING, "a domain is not ASCII");
	s->atrn = memory_new(sizeof(*s->atrn));
	s->atrn->taker = known;
	smtp_session_set(&s->mechanism, domains); /* until it is said */
	smtp_greet_begin(s, say_atrn);
	return smtp_call_go(s);
}

int
smtp_atrn(struct smtp *s, const char *domains, const struct smtp_taker *taker)
{
	return smtp_call_wait(
	    s, smtp_atrn_async(s, domains, taker, NULL, NULL));
}

int
smtp_atrn_answer(struct smtp *s, int code)
{
	if (s->atrn == NULL || !s->atrn->is_waiting)
		return SMTP_E_INVAL;
	s->atrn->is_waiting = false;
	answer_end(s, code);
	smtp_step_pump(s);
	if (s->conn != NULL)
		conn_read_on(s->conn);
	return SMTP_OK;
}

size_t
smtp_taken(const struct smtp *s)
{
	return s->taken;
}
