#include "lib/smtp_split.h"

#include "base/memory.h"
#include "smtp/extensions.h"

/* What every server must take (RFC 5321 4.5.3.1.8). */
#define RECIPIENTS_MAX 100

enum recipient_state {
	RECIPIENT_LEFT, /* for this transaction or a later one */
	RECIPIENT_SENT, /* in this one */
	RECIPIENT_SETTLED
};

/* ---- what comes of it ---- */

/* Too many of them: the others go in a transaction of their own. */
static bool
is_too_many(const struct smtp_mail *mail, const struct smtp_outcome *outcome)
{
	if (outcome->phase != SMTP_PHASE_RCPT)
		return false;
	if (outcome->kind == SMTP_NOT_OFFERED)
		return outcome->code == 452; /* the server's LIMITS */
	return mail->is_accepted &&
	    (outcome->code == 452 || outcome->code == 552);
}

/* In LMTP: a success stays what is told, whatever the others hear. */
static void
note_final(struct smtp *session, const struct smtp_outcome *outcome)
{
	if (outcome->phase != SMTP_PHASE_END || outcome->code / 100 != 2)
		return;
	session->mail.is_delivered = true;
	(void)smtp_last_keep(session, outcome); /* a reply */
}

static void
note_recipient(struct smtp *session, const struct smtp_client_event *event)
{
	const struct smtp_outcome *outcome = &event->outcome;
	struct smtp_mail *mail = &session->mail;
	const size_t place = mail->places[event->recipient];

	smtp_last_set_result(session, &session->results[place], outcome);
	mail->is_sent = true;
	if (outcome->phase == SMTP_PHASE_RCPT && outcome->code / 100 == 2) {
		session->accepted++;
		mail->is_accepted = true;
	} else if (is_too_many(mail, outcome)) {
		mail->states[place] = RECIPIENT_LEFT;
		mail->is_left = true;
	} else {
		mail->states[place] = RECIPIENT_SETTLED;
		note_final(session, outcome);
	}
}

static void
settle(struct smtp *session, enum recipient_state state,
    const struct smtp_outcome *outcome)
{
	struct smtp_mail *mail = &session->mail;

	for (size_t i = 0; i < session->results_len; i++) {
		/* Of those that were too many we know what was said. */
		const bool is_told =
		    state == RECIPIENT_LEFT && session->results[i].code > 0;
		if (mail->states[i] != state || is_told)
			continue;
		smtp_last_set_result(session, &session->results[i], outcome);
		mail->states[i] = RECIPIENT_SETTLED;
	}
}

static bool
is_delivery(const struct smtp_outcome *outcome)
{
	return outcome->kind == SMTP_REPLIED &&
	    outcome->phase == SMTP_PHASE_END && outcome->code / 100 == 2;
}

/* In LMTP, where each recipient has a reply, it is that of one alone. */
static bool
is_of_recipients(const struct smtp *session, const struct smtp_outcome *outcome)
{
	return outcome->code > 0 &&
	    (outcome->phase == SMTP_PHASE_RCPT ||
		(session->settings.lmtp && outcome->phase == SMTP_PHASE_END));
}

/* Where the message itself is what was refused, that holds for those who were
 * not even asked for. */
static void
note_done(struct smtp *session, const struct smtp_outcome *outcome)
{
	struct smtp_mail *mail = &session->mail;

	mail->is_delivered |= is_delivery(outcome) && mail->is_accepted;
	mail->may_go_on =
	    is_delivery(outcome) || is_of_recipients(session, outcome);
	/* A success is what is told, unless the connection is lost. */
	session->keeps_last =
	    mail->is_delivered && !is_delivery(outcome) && outcome->code > 0;
	settle(session, RECIPIENT_SENT, outcome);
	if (!mail->may_go_on)
		settle(session, RECIPIENT_LEFT, outcome);
}

/* A DATA never comes before the replies to RCPT; a first chunk may. */
static void
keep_content(struct smtp *session)
{
	const struct smtp_mail *mail = &session->mail;
	const bool is_early = session->settings.chunking && mail->count > 1;
	struct error error;

	/* Where there is no room for it the others are told so later. */
	if ((is_early || mail->is_left) &&
	    !smtp_content_keep(&session->content, &error))
		return;
}

static bool
hear(struct smtp *session, const struct smtp_client_event *event)
{
	if (event->kind == SMTP_CLIENT_RECIPIENT) {
		note_recipient(session, event);
		return true;
	}
	if (event->kind == SMTP_CLIENT_WANT_CONTENT)
		keep_content(session);
	if (event->kind == SMTP_CLIENT_DONE) {
		note_done(session, &event->outcome);
		session->mail.is_sent |=
		    event->outcome.kind != SMTP_NOT_OFFERED ||
		    event->outcome.phase != SMTP_PHASE_MAIL;
	}
	return false;
}

/* ---- the end ---- */

/* The words of smtplib for where it was refused. */
static int
err_of_refusal(const struct smtp *session)
{
	switch (session->stage) {
	case SMTP_S_MAIL:
		return SMTP_E_SENDER;
	case SMTP_S_RCPT:
		return SMTP_E_RECIPIENTS;
	case SMTP_S_DATA:
	case SMTP_S_BODY:
	case SMTP_S_DOT:
		return SMTP_E_DATA;
	case SMTP_S_CONNECT:
	case SMTP_S_GREETING:
	case SMTP_S_EHLO:
	case SMTP_S_STARTTLS:
	case SMTP_S_AUTH:
	case SMTP_S_RSET:
	case SMTP_S_QUIT:
	case SMTP_S_CMD:
		break;
	}
	return SMTP_E_RESPONSE;
}

static void
reset(struct smtp *session, int err)
{
	(void)err; /* the first failure is what is told */
	smtp_call_end(session, session->mail.err);
}

/* The server forgets what came to nothing, as smtplib sees to. */
static void
give_up(struct smtp *session, int err)
{
	if (session->client == NULL || !session->mail.is_sent) {
		smtp_call_end(session, err);
		return;
	}
	session->mail.err = err;
	session->keeps_last = true;
	smtp_step_phase(session, SMTP_PHASE_RSET, reset);
}

/* err: of the last transaction.  Unless the connection is lost, one who has the
 * message is a success, as in smtplib; the results tell about each. */
static void
finish(struct smtp *session, int err)
{
	if (session->mail.is_delivered && session->client != NULL)
		smtp_call_end(session, SMTP_OK);
	else if (err == SMTP_OK)
		give_up(session,
		    smtp_last_refused(session, err_of_refusal(session)));
	else if (err == SMTP_E_NOTSUPP && session->stage == SMTP_S_RCPT)
		give_up(session, SMTP_E_RECIPIENTS);
	else
		give_up(session, err);
}

/* ---- a transaction ---- */

static size_t
recipients_max(const struct smtp *session)
{
	const uint64_t told =
	    smtp_client_extensions(session->client)->recipients_max;

	return told > 0 && told < RECIPIENTS_MAX ? (size_t)told
						 : RECIPIENTS_MAX;
}

/* Those that are left, as many as may go at a time. */
static void
choose_recipients(struct smtp *session)
{
	struct smtp_mail *mail = &session->mail;
	const size_t max = recipients_max(session);
	size_t count = 0;

	mail->is_left = false;
	for (size_t i = 0; i < mail->count; i++) {
		if (mail->states[i] != RECIPIENT_LEFT)
			continue;
		mail->is_left |= count == max;
		if (count == max)
			break;
		mail->states[i] = RECIPIENT_SENT;
		mail->places[count] = i;
		mail->list[count] = (struct smtp_client_recipient){
		    .address = bytes_of(mail->recipients[i]),
		    .params = RCPT_PARAMS_NONE,
		    .more = bytes_of(mail->more_rcpt),
		};
		count++;
	}
	mail->message.recipient_count = count;
}

static void sent(struct smtp *session, int err);

static void
begin_transaction(struct smtp *session)
{
	struct smtp_mail *mail = &session->mail;

	choose_recipients(session);
	mail->is_accepted = false;
	mail->may_go_on = false;
	session->accepted = 0;
	session->options.raw_lines = mail->raw;
	smtp_step_message(session, hear, sent);
}

static bool
has_left(const struct smtp_mail *mail)
{
	for (size_t i = 0; i < mail->count; i++)
		if (mail->states[i] == RECIPIENT_LEFT)
			return true;
	return false;
}

/* The rest cannot be sent in this session: later, then. */
static void
leave_rest(struct smtp *session, const char *text)
{
	const struct smtp_outcome outcome = {
	    .kind = SMTP_NOT_OFFERED,
	    .phase = SMTP_PHASE_RCPT,
	    .code = 452,
	    .enhanced = BYTES("4.5.3"),
	    .text = bytes_of(text),
	};

	settle(session, RECIPIENT_LEFT, &outcome);
}

static void
sent(struct smtp *session, int err)
{
	struct smtp_mail *mail = &session->mail;
	const bool may_go_on = mail->may_go_on && session->client != NULL;

	if (!has_left(mail) || !may_go_on) {
		finish(session, err);
		return;
	}
	if (!smtp_client_can_send(session->client)) {
		leave_rest(session,
		    "the server takes no more messages in this session");
		finish(session, err);
	} else if (!smtp_content_restart(&session->content)) {
		leave_rest(session, "the message cannot be read again");
		finish(session, err);
	} else {
		begin_transaction(session);
	}
}

/* ---- external ---- */

void
smtp_split_begin(struct smtp *session, const struct mail_params *params)
{
	struct smtp_mail *mail = &session->mail;

	mail->list = memory_array(mail->count, sizeof(*mail->list));
	mail->places = memory_array(mail->count, sizeof(*mail->places));
	mail->states = memory_array(mail->count, sizeof(*mail->states));
	mail->message = (struct smtp_client_message){
	    .sender = bytes_of(mail->sender),
	    .params = *params,
	    .more = bytes_of(mail->more),
	    .recipients = mail->list,
	};
	begin_transaction(session);
}

void
smtp_split_refuse(
    struct smtp *session, int code, const char *enhanced, const char *text)
{
	const struct smtp_outcome outcome = {
	    .kind = SMTP_NOT_OFFERED,
	    .phase = SMTP_PHASE_MAIL,
	    .code = code,
	    .enhanced = bytes_of(enhanced),
	    .text = bytes_of(text),
	};

	for (size_t i = 0; i < session->results_len; i++)
		smtp_last_set_result(session, &session->results[i], &outcome);
	smtp_call_end(session, smtp_last_keep(session, &outcome));
}
