/*
 * One message over SMTP or LMTP sessions: a transaction for as many recipients
 * as one may have, then the next for the rest.
 */
#include "base/memory.h"
#include "delivery/attempt_private.h"
#include "message/header.h"
#include "message/mime.h"
#include "smtp/idn.h"

#include <stdio.h>
#include <stdlib.h>

/* Sessions that may die under a message before its MAIL was answered, each of
 * which had been in use before: the server closes those as it likes. */
#define DEATHS_MAX 3
/* A piece of converted content; a header may be larger than 64 KiB. */
#define PIECE_MAX SMTP_CLIENT_CONTENT_MAX

struct relay {
	struct mime *mime; /* NULL: the content was not looked at */
	bool has_8bitmime; /* what mime was made for */
	struct smtp_client_message order;
	struct smtp_client_recipient *recipients; /* of order; owned */
	size_t *places;   /* of them in attempt->recipients; owned */
	uint64_t offset;  /* of content that goes as it is */
	bool is_accepted; /* a recipient was, in this transaction */
	bool is_first;    /* the session's first order */
	unsigned deaths;
	char failure[512]; /* why the content could not be read, or "" */
};

/* ---- the end ---- */

static enum upstream_job_state
finish(struct attempt *attempt, enum upstream_job_state state)
{
	struct relay *relay = attempt->relay;

	attempt->relay = NULL;
	mime_free(relay->mime);
	free(relay->recipients);
	free(relay->places);
	free(relay);
	attempt_finish(attempt);
	return state;
}

static enum upstream_job_state
give_up(struct attempt *attempt, const char *status, const char *reason)
{
	const struct verdict verdict =
	    verdict_make(VERDICT_MESSAGE, VERDICT_GIVE_UP, status, reason);

	attempt_settle_rest(attempt, &verdict);
	return finish(attempt, UPSTREAM_JOB_ENDED);
}

static enum upstream_job_state
fail_local(struct attempt *attempt, const char *reason)
{
	attempt_fail_local(attempt, reason);
	return finish(attempt, UPSTREAM_JOB_ENDED);
}

/* ---- may it go over this session at all? ---- */

static bool
offers(const struct session *session, enum extension extension)
{
	return extensions_has(
	    smtp_client_extensions(session_client(session)), extension);
}

/* False where reading failed. */
static bool
is_header_ascii(
    const struct body *body, bool *out_is_ascii, struct error *error)
{
	char *content = memory_new(HEADER_SIZE_MAX);
	size_t len = 0;
	bool read = body_read(body, 0, content, HEADER_SIZE_MAX, &len, error);

	if (read) {
		const struct bytes front = bytes_make(content, len);
		*out_is_ascii =
		    bytes_is_ascii(bytes_first(front, header_len(front)));
	}
	free(content);
	return read;
}

/*
 * RFC 6531 3.1: a message for SMTPUTF8 may go without it where nothing of it is
 * in the envelope or the header; the core writes domains in their ASCII form.
 * Recipients that need it are given up alone.
 */
static void
give_up_utf8_recipients(struct attempt *attempt)
{
	const struct recipient *recipients =
	    attempt->message->envelope.recipients;
	const struct verdict verdict =
	    verdict_make(VERDICT_RECIPIENT, VERDICT_GIVE_UP, "5.6.7",
		"the server does not offer SMTPUTF8, which the address needs");

	for (size_t i = 0; i < attempt->count; i++) {
		struct attempt_recipient *recipient = &attempt->recipients[i];
		if (recipient->state == ATTEMPT_WAITS &&
		    !idn_is_mailbox_sendable(
			bytes_of(recipients[recipient->index].address)))
			attempt_settle(attempt, i, &verdict);
	}
}

/* True: the transaction may go on; else attempt is finished. */
static bool
go_without_utf8(struct attempt *attempt)
{
	const struct message *message = attempt->message;
	struct error error;
	bool is_ascii = true;

	if (!message->envelope.utf8)
		return true;
	if (!is_header_ascii(&message->body, &is_ascii, &error)) {
		(void)fail_local(attempt, error_text(&error));
		return false;
	}
	if (!is_ascii ||
	    !idn_is_mailbox_sendable(bytes_of(message->envelope.sender))) {
		(void)give_up(attempt, "5.6.7",
		    "the server does not offer SMTPUTF8, which the message "
		    "needs");
		return false;
	}
	give_up_utf8_recipients(attempt);
	return true;
}

/* The same. */
static bool
open_content(struct attempt *attempt, bool has_8bitmime)
{
	struct relay *relay = attempt->relay;
	struct error error;

	if (relay->mime != NULL && relay->has_8bitmime == has_8bitmime) {
		mime_rewind(relay->mime);
		return true;
	}
	mime_free(relay->mime);
	relay->mime = NULL;
	relay->has_8bitmime = has_8bitmime;
	if (!mime_open(
		&attempt->message->body, has_8bitmime, &relay->mime, &error)) {
		(void)fail_local(attempt, error_text(&error));
		return false;
	}
	if (mime_answer(relay->mime) == MIME_REFUSE) {
		(void)give_up(
		    attempt, mime_status(relay->mime), mime_why(relay->mime));
		return false;
	}
	return true;
}

static bool
may_go(struct attempt *attempt, const struct session *session)
{
	if (attempt->message->envelope.require_tls &&
	    !session_is_verified(session)) {
		(void)give_up(attempt, "5.7.30",
		    "REQUIRETLS: the connection is not verified TLS");
		return false;
	}
	if (!offers(session, EXTENSION_SMTPUTF8) && !go_without_utf8(attempt))
		return false;
	return open_content(attempt, offers(session, EXTENSION_8BITMIME));
}

/* ---- the order ---- */

/* How many recipients one transaction may have. */
static size_t
recipients_max(const struct attempt *attempt, const struct session *session)
{
	const struct upstream_options *options = upstream_options_of(
	    delivery_upstream(attempt->delivery, attempt->upstream));
	uint64_t offered =
	    smtp_client_extensions(session_client(session))->recipients_max;
	size_t max = attempt->count;

	if (options->recipients_max > 0 && options->recipients_max < max)
		max = options->recipients_max;
	if (offered > 0 && offered < max)
		max = (size_t)offered;
	return max;
}

static void
add_recipient(struct attempt *attempt, size_t place)
{
	struct relay *relay = attempt->relay;
	struct attempt_recipient *entry = &attempt->recipients[place];
	const struct recipient *recipient =
	    &attempt->message->envelope.recipients[entry->index];
	size_t i = relay->order.recipient_count++;

	entry->state = ATTEMPT_SENT;
	relay->places[i] = place;
	relay->recipients[i] = (struct smtp_client_recipient){
	    .address = bytes_of(recipient->address),
	    .params =
		{
		    .notify = recipient->notify,
		    .original = bytes_of(recipient->original),
		},
	};
}

/* Size is told where somebody wants to know it; false where reading failed. */
static bool
find_size(struct attempt *attempt, uint64_t *out_size, struct error *error)
{
	struct mime *mime = attempt->relay->mime;

	*out_size = attempt->message->body.len;
	return mime_answer(mime) == MIME_AS_IS ||
	    mime_size(mime, out_size, error);
}

static void
make_order(
    struct attempt *attempt, const struct session *session, uint64_t size_bytes)
{
	struct relay *relay = attempt->relay;
	const struct envelope *envelope = &attempt->message->envelope;
	size_t max = recipients_max(attempt, session);

	relay->order = (struct smtp_client_message){
	    .sender = bytes_of(envelope->sender),
	    .params =
		{
		    .has_size = true,
		    .size_bytes = size_bytes,
		    .body = mime_needs_8bitmime(relay->mime)
			? MAIL_BODY_8BITMIME
			: MAIL_BODY_UNDECLARED,
		    .utf8 =
			envelope->utf8 && offers(session, EXTENSION_SMTPUTF8),
		    .ret = envelope->ret,
		    .envelope_id = bytes_of(envelope->id),
		    .auth = BYTES_NONE,
		    .require_tls = envelope->require_tls,
		},
	    .recipients = relay->recipients,
	    .ctx = &attempt->job,
	};
	for (size_t i = 0;
	     i < attempt->count && relay->order.recipient_count < max; i++)
		if (attempt->recipients[i].state == ATTEMPT_WAITS)
			add_recipient(attempt, i);
	relay->offset = 0;
	relay->is_accepted = false;
}

static enum upstream_job_state
begin(struct upstream_job *job, struct session *session)
{
	struct attempt *attempt = (struct attempt *)(void *)job;
	struct relay *relay = attempt->relay;
	uint64_t size_bytes = 0;
	struct error error;

	attempt_set_remote(attempt, session_remote(session));
	if (!may_go(attempt, session))
		return UPSTREAM_JOB_ENDED;
	if (!find_size(attempt, &size_bytes, &error))
		return fail_local(attempt, error_text(&error));
	make_order(attempt, session, size_bytes);
	if (relay->order.recipient_count == 0)
		return finish(attempt, UPSTREAM_JOB_ENDED);
	relay->is_first = session_orders(session) == 0;
	session_send(session, &relay->order);
	return UPSTREAM_JOB_RUNS;
}

/* ---- content ---- */

static bool
send_as_it_is(
    struct attempt *attempt, struct session *session, struct error *error)
{
	struct relay *relay = attempt->relay;
	const struct body *body = &attempt->message->body;
	char piece[SESSION_CONTENT_MAX];
	size_t len = 0;

	if (!body_read(body, relay->offset, piece, sizeof(piece), &len, error))
		return false;
	relay->offset += len;
	if (len == 0 && relay->offset < body->len)
		return error_set(
		    error, ERROR_DATA, "the content ends before its length");
	session_content(
	    session, bytes_make(piece, len), relay->offset >= body->len);
	return true;
}

static bool
send_converted(
    struct attempt *attempt, struct session *session, struct error *error)
{
	struct buffer piece;
	bool is_last = false;

	buffer_init(&piece, PIECE_MAX);
	bool read = mime_read(attempt->relay->mime, &piece, &is_last, error);
	if (read && piece.overflowed)
		read = error_set(error, ERROR_LIMIT, "a header is too large");
	if (read)
		session_content(session, buffer_bytes(&piece), is_last);
	buffer_clear(&piece);
	return read;
}

static void
send_content(struct attempt *attempt, struct session *session)
{
	struct relay *relay = attempt->relay;
	struct error error;
	bool sent = mime_answer(relay->mime) == MIME_AS_IS
	    ? send_as_it_is(attempt, session, &error)
	    : send_converted(attempt, session, &error);

	if (sent)
		return;
	/* Cut where it does not fit. */
	(void)snprintf(
	    relay->failure, sizeof(relay->failure), "%s", error_text(&error));
	session_fail(session, bytes_of(relay->failure));
}

/* ---- outcomes ---- */

static void
hear_recipient(struct attempt *attempt, const struct smtp_client_event *event)
{
	struct relay *relay = attempt->relay;
	size_t place = relay->places[event->recipient];
	struct attempt_recipient *recipient = &attempt->recipients[place];
	const struct verdict verdict = verdict_of(&event->outcome,
	    (struct verdict_context){.is_accepted = relay->is_accepted});

	if (event->outcome.phase == SMTP_PHASE_RCPT &&
	    verdict.action == VERDICT_TAKEN) {
		recipient->state = ATTEMPT_ACCEPTED;
		relay->is_accepted = true;
	} else if (verdict.action == VERDICT_AT_ONCE) {
		recipient->state = ATTEMPT_WAITS;
	} else {
		attempt->result.in_doubt |= event->outcome.in_doubt;
		attempt_settle(attempt, place, &verdict);
	}
}

/* Those of the transaction that were not judged one by one. */
static void
settle_transaction(struct attempt *attempt, const struct verdict *verdict)
{
	for (size_t i = 0; i < attempt->count; i++)
		if (attempt->recipients[i].state == ATTEMPT_SENT ||
		    attempt->recipients[i].state == ATTEMPT_ACCEPTED)
			attempt_settle(attempt, i, verdict);
}

static void
take_back_transaction(struct attempt *attempt)
{
	for (size_t i = 0; i < attempt->count; i++)
		if (attempt->recipients[i].state != ATTEMPT_SETTLED)
			attempt->recipients[i].state = ATTEMPT_WAITS;
}

/*
 * Nothing was said of this message, by a session that had been in use: the
 * server may close those as it likes, and that says nothing of a new one.
 */
static bool
is_stale_session(struct relay *relay, const struct smtp_outcome *outcome)
{
	const bool is_unheard = outcome->phase == SMTP_PHASE_RSET ||
	    (outcome->phase == SMTP_PHASE_MAIL &&
		(outcome->code == 0 || outcome->code == 421));

	return is_unheard && !relay->is_first && relay->deaths++ < DEATHS_MAX;
}

static enum upstream_job_state
done(struct attempt *attempt, const struct smtp_outcome *outcome)
{
	const struct verdict verdict =
	    verdict_of(outcome, (struct verdict_context){0});

	attempt->result.in_doubt |= outcome->in_doubt;
	if (attempt->relay->failure[0] != '\0')
		return fail_local(attempt, attempt->relay->failure);
	if (is_stale_session(attempt->relay, outcome)) {
		take_back_transaction(attempt);
		return UPSTREAM_JOB_AGAIN;
	}
	if (verdict.scope == VERDICT_UPSTREAM) {
		attempt_fail_upstream(attempt, &verdict);
		return finish(attempt, UPSTREAM_JOB_REFUSED);
	}
	settle_transaction(attempt, &verdict);
	/* After a "later" no further transaction is begun now. */
	if (verdict.scope == VERDICT_MESSAGE && verdict.action == VERDICT_AGAIN)
		attempt_settle_rest(attempt, &verdict);
	if (attempt->settled < attempt->count)
		return UPSTREAM_JOB_AGAIN;
	return finish(attempt, UPSTREAM_JOB_ENDED);
}

static enum upstream_job_state
heard(struct upstream_job *job, struct session *session,
    const struct smtp_client_event *event)
{
	struct attempt *attempt = (struct attempt *)(void *)job;

	switch (event->kind) {
	case SMTP_CLIENT_WANT_CONTENT:
		send_content(attempt, session);
		return UPSTREAM_JOB_RUNS;
	case SMTP_CLIENT_RECIPIENT:
		hear_recipient(attempt, event);
		return UPSTREAM_JOB_RUNS;
	case SMTP_CLIENT_DONE:
		return done(attempt, &event->outcome);
	case SMTP_CLIENT_READY:
	case SMTP_CLIENT_START_TLS:
	case SMTP_CLIENT_REPLY:
	case SMTP_CLIENT_OVER:
		return UPSTREAM_JOB_RUNS; /* not ours */
	}
	return UPSTREAM_JOB_RUNS;
}

static void
failed(struct upstream_job *job, enum upstream_job_end why, const char *reason,
    const char *remote)
{
	struct attempt *attempt = (struct attempt *)(void *)job;
	const struct verdict verdict =
	    verdict_make(VERDICT_UPSTREAM, VERDICT_AGAIN, "4.4.1", reason);

	attempt_set_remote(attempt, remote);
	if (why == UPSTREAM_JOB_DRAINED)
		attempt_fail_local(attempt, reason);
	else
		attempt_fail_upstream(attempt, &verdict);
	(void)finish(attempt, UPSTREAM_JOB_ENDED);
}

static const struct upstream_job_type relay_job = {
    .begin = begin,
    .event = heard,
    .failed = failed,
};

void
relay_start(struct attempt *attempt)
{
	struct relay *relay = memory_new(sizeof(*relay));

	relay->recipients =
	    memory_array(attempt->count, sizeof(*relay->recipients));
	relay->places = memory_array(attempt->count, sizeof(*relay->places));
	attempt->relay = relay;
	attempt->job.type = &relay_job;
	upstream_start(delivery_upstream(attempt->delivery, attempt->upstream),
	    &attempt->job);
}
