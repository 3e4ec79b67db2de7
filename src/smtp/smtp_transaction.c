/* One message: RFC 5321 3.3, 2033 (LMTP), 2920 (PIPELINING), 3030 (BDAT). */
#include "base/memory.h"
#include "smtp/idn.h"
#include "smtp/smtp_client_private.h"
#include "smtp/smtp_phase.h"

#include <stdlib.h>

/* Chunks without a reply: a server that refuses one refuses all behind it, and
 * Postfix slows down at ten errors, and hangs up at twenty. */
#define CHUNKS_MAX 8

/* ---- may it be sent at all? ---- */

static bool
offers(const struct smtp_client *client, enum extension extension)
{
	return extensions_has(&client->extensions, extension);
}

static bool
may_chunk(const struct smtp_client *client)
{
	return !client->options->no_chunking &&
	    offers(client, EXTENSION_CHUNKING);
}

static bool
needs_utf8(const struct smtp_client_message *message)
{
	return message->params.utf8 ||
	    !idn_is_mailbox_sendable(message->sender);
}

static bool
is_too_large(const struct smtp_client *client, const struct mail_params *params)
{
	const uint64_t max = client->extensions.size_max;

	return params->has_size && max > 0 && params->size_bytes > max;
}

/* Can the body go over as it is declared? */
static bool
takes_body(const struct smtp_client *client, enum mail_body body)
{
	switch (body) {
	case MAIL_BODY_UNDECLARED:
	case MAIL_BODY_7BIT:
		return true;
	case MAIL_BODY_8BITMIME:
		return offers(client, EXTENSION_8BITMIME);
	case MAIL_BODY_BINARYMIME:
		return offers(client, EXTENSION_BINARYMIME) &&
		    may_chunk(client);
	}
	abort();
}

/* What forbids message here, as what to tell its sender; code 0: nothing. */
static struct smtp_outcome
find_obstacle(
    const struct smtp_client *client, const struct smtp_client_message *message)
{
	const struct mail_params *params = &message->params;
	const enum smtp_phase phase = SMTP_PHASE_MAIL;

	if (needs_utf8(message) && !offers(client, EXTENSION_SMTPUTF8))
		return smtp_outcome_not_offered(
		    phase, 553, "5.6.7", "the server does not offer SMTPUTF8");
	if (!takes_body(client, params->body))
		return smtp_outcome_not_offered(phase, 554, "5.6.3",
		    "the server does not take the body without conversion");
	if (params->require_tls &&
	    !(offers(client, EXTENSION_REQUIRETLS) &&
		smtp_opening_is_safe(client)))
		return smtp_outcome_not_offered(phase, 550, "5.7.30",
		    "the server does not offer REQUIRETLS");
	if (is_too_large(client, params))
		return smtp_outcome_not_offered(phase, 552, "5.3.4",
		    "the message is larger than the server takes");
	return (struct smtp_outcome){.code = 0};
}

/* ---- life ---- */

struct smtp_transaction *
smtp_transaction_new_bare(const struct smtp_client *client, unsigned finals)
{
	struct smtp_transaction *transaction = memory_new(sizeof(*transaction));

	transaction->next = SMTP_PHASE_CONTENT;
	transaction->finals_due = finals;
	dot_encoder_init(&transaction->encoder);
	transaction->encoder.raw = client->options->raw_lines;
	return transaction;
}

/*
 * A RSET goes first where the server may hold a dead transaction; also behind a
 * BDAT that is not answered yet, since one that is refused leaves it open.
 */
static enum smtp_phase
first_phase(const struct smtp_client *client)
{
	const bool may_fail =
	    client->transactions_len > 0 && client->transactions[0]->chunked;

	return client->is_rset_due || may_fail ? SMTP_PHASE_RSET
					       : SMTP_PHASE_MAIL;
}

struct smtp_transaction *
smtp_transaction_new(struct smtp_client *client,
    const struct smtp_client_message *message, struct smtp_outcome *out_refusal)
{
	const struct smtp_outcome obstacle = find_obstacle(client, message);

	if (obstacle.code != 0) {
		*out_refusal = obstacle;
		return NULL;
	}
	struct smtp_transaction *transaction =
	    smtp_transaction_new_bare(client, 1);
	transaction->message = message;
	transaction->next = first_phase(client);
	transaction->chunked = may_chunk(client);
	transaction->utf8 = needs_utf8(message);
	transaction->states =
	    memory_array(message->recipient_count, sizeof(unsigned char));
	return transaction;
}

void
smtp_transaction_free(struct smtp_transaction *transaction)
{
	smtp_outcome_drop(&transaction->failure);
	smtp_outcome_drop(&transaction->refusal);
	smtp_outcome_drop(&transaction->answer);
	free(transaction->states);
	free(transaction);
}

/* ---- how it ends ---- */

void
smtp_transaction_fail(
    struct smtp_transaction *transaction, const struct smtp_outcome *outcome)
{
	if (!transaction->failure.is_set)
		smtp_outcome_keep(&transaction->failure, outcome);
	transaction->wants_content = false;
}

/* Has every recipient been refused? */
static bool
has_no_recipient(const struct smtp_transaction *transaction)
{
	const struct smtp_client_message *message = transaction->message;

	return message != NULL && transaction->refusal.is_set &&
	    transaction->recipients_refused == message->recipient_count;
}

void
smtp_transaction_refuse(struct smtp_client *client,
    struct smtp_transaction *transaction, size_t recipient,
    const struct smtp_outcome *outcome)
{
	const struct smtp_kept_outcome *kept = &transaction->refusal;
	const bool is_first_temporary = outcome->code / 100 == 4 &&
	    kept->is_set && kept->outcome.code / 100 != 4;

	transaction->recipients_refused++;
	if (!kept->is_set || is_first_temporary)
		smtp_outcome_keep(&transaction->refusal, outcome);
	smtp_client_emit(client, SMTP_CLIENT_RECIPIENT, transaction->message,
	    recipient, outcome);
	if (has_no_recipient(transaction))
		transaction->wants_content = false;
}

/* What it came to, without regard to what is outstanding; NULL: open yet. */
static const struct smtp_outcome *
find_result(const struct smtp_transaction *transaction)
{
	if (transaction->failure.is_set)
		return &transaction->failure.outcome;
	if (has_no_recipient(transaction))
		return &transaction->refusal.outcome;
	if (transaction->is_answered)
		return &transaction->answer.outcome;
	return NULL;
}

/* DONE; bare content has told its replies already. */
static void
finish(struct smtp_client *client, struct smtp_transaction *transaction,
    const struct smtp_outcome *outcome)
{
	if (transaction->message != NULL)
		smtp_client_emit(
		    client, SMTP_CLIENT_DONE, transaction->message, 0, outcome);
	smtp_client_drop_transaction(client, transaction);
}

void
smtp_transaction_settle(
    struct smtp_client *client, struct smtp_transaction *transaction)
{
	const struct smtp_outcome *result = find_result(transaction);
	const bool is_last = client->transactions_len == 1;

	if (result == NULL || transaction->outstanding > 0)
		return;
	/* Of two, the second has begun with a RSET where need be. */
	if (transaction->is_open && is_last)
		client->is_rset_due = true;
	finish(client, transaction, result);
}

/* What the oldest reply expected for transaction is to, or what comes next. */
static enum smtp_phase
phase_of(const struct smtp_client *client,
    const struct smtp_transaction *transaction)
{
	const struct smtp_wire *wire = &client->wire;

	for (unsigned i = 0; i < wire->len; i++) {
		const struct smtp_expected *expected =
		    &wire->ring[(wire->first + i) % SMTP_WIRE_WINDOW];
		if (expected->transaction == transaction)
			return expected->phase;
	}
	return transaction->next == SMTP_PHASE_COUNT ? SMTP_PHASE_CONTENT
						     : transaction->next;
}

/* What has not left by now never will. */
static bool
is_sent(const struct smtp_client *client,
    const struct smtp_transaction *transaction)
{
	return transaction->is_handed &&
	    smtp_wire_has_left(&client->wire, transaction->end);
}

bool
smtp_transaction_abandon(struct smtp_client *client,
    struct smtp_transaction *transaction, bool is_oldest,
    const struct smtp_outcome *outcome)
{
	const struct smtp_outcome *result = find_result(transaction);
	struct smtp_outcome last = *outcome;

	if (result == NULL) {
		if (!is_oldest)
			last.phase = phase_of(client, transaction);
		last.in_doubt = outcome->kind != SMTP_REPLIED &&
		    is_sent(client, transaction);
		result = &last;
	}
	const bool in_doubt = result->in_doubt;
	finish(client, transaction, result);
	return in_doubt;
}

/* ---- when it is sent ---- */

/* Commands stand in one group where PIPELINING is offered; else each waits for
 * the reply to the one before. */
static bool
is_turn(const struct smtp_client *client)
{
	return smtp_client_is_pipelining(client) || client->wire.len == 0;
}

/*
 * With the envelope goes one chunk at most: it may be all for nothing.  None
 * before a RSET is answered: where that is refused the server may take the
 * message all the same, which is then told as failed, and sent again.
 */
static bool
is_chunk_turn(const struct smtp_client *client,
    const struct smtp_transaction *transaction)
{
	const size_t answered =
	    transaction->recipients_accepted + transaction->recipients_refused;

	return is_turn(client) && !transaction->awaits_rset &&
	    (!transaction->chunk_sent ||
		(answered == transaction->message->recipient_count &&
		    transaction->outstanding < CHUNKS_MAX));
}

static bool
may_send(const struct smtp_client *client,
    const struct smtp_transaction *transaction)
{
	if (transaction->next == SMTP_PHASE_COUNT ||
	    !smtp_wire_has_room(&client->wire))
		return false;
	if (transaction->next != SMTP_PHASE_CONTENT)
		return is_turn(client);
	return !transaction->chunked || is_chunk_turn(client, transaction);
}

bool
smtp_transaction_advance(
    struct smtp_client *client, struct smtp_transaction *transaction)
{
	if (find_result(transaction) != NULL) {
		if (transaction->outstanding > 0)
			return false;
		smtp_transaction_settle(client, transaction);
		return true;
	}
	if (!may_send(client, transaction))
		return false;
	smtp_phase_enter(client, transaction->next, transaction);
	return true;
}

/* ---- what replies mean ---- */

static bool
is_success(const struct reply *reply)
{
	return reply->code / 100 == 2;
}

/* The first thing that goes wrong is what is told. */
static void
judge(struct smtp_transaction *transaction,
    const struct smtp_expected *expected, const struct reply *reply)
{
	const struct smtp_outcome outcome =
	    smtp_outcome_replied(expected->phase, reply);

	if (!is_success(reply) && find_result(transaction) == NULL)
		smtp_transaction_fail(transaction, &outcome);
}

void
smtp_transaction_rset_replied(struct smtp_client *client,
    const struct smtp_expected *expected, const struct reply *reply)
{
	struct smtp_transaction *transaction = expected->transaction;
	const struct smtp_outcome outcome =
	    smtp_outcome_replied(expected->phase, reply);

	/* What the server still holds would get the next message, too. */
	client->is_spoilt |= !is_success(reply);
	if (transaction == NULL) {
		smtp_client_emit(client, SMTP_CLIENT_REPLY, NULL, 0, &outcome);
		return;
	}
	transaction->awaits_rset = false;
	judge(transaction, expected, reply);
	smtp_transaction_settle(client, transaction);
}

void
smtp_transaction_mail_replied(struct smtp_client *client,
    const struct smtp_expected *expected, const struct reply *reply)
{
	struct smtp_transaction *transaction = expected->transaction;

	transaction->is_open = is_success(reply);
	judge(transaction, expected, reply);
	smtp_transaction_settle(client, transaction);
}

static void
note_acceptance(struct smtp_client *client,
    struct smtp_transaction *transaction, size_t recipient,
    const struct smtp_outcome *outcome)
{
	transaction->states[recipient] = SMTP_RECIPIENT_ACCEPTED;
	transaction->recipients_accepted++;
	if (client->options->lmtp)
		transaction->finals_due = transaction->recipients_accepted;
	smtp_client_emit(client, SMTP_CLIENT_RECIPIENT, transaction->message,
	    recipient, outcome);
}

void
smtp_transaction_rcpt_replied(struct smtp_client *client,
    const struct smtp_expected *expected, const struct reply *reply)
{
	struct smtp_transaction *transaction = expected->transaction;
	const struct smtp_outcome outcome =
	    smtp_outcome_replied(expected->phase, reply);

	transaction->recipients_open += is_success(reply);
	/* Without MAIL it means nothing. */
	if (!transaction->failure.is_set) {
		if (is_success(reply))
			note_acceptance(
			    client, transaction, expected->recipient, &outcome);
		else
			smtp_transaction_refuse(
			    client, transaction, expected->recipient, &outcome);
	}
	smtp_transaction_settle(client, transaction);
}

/*
 * The server wants content though the message has failed.  Where it has taken
 * no recipient it is given none (RFC 2920 3.1), and whatever it says to that
 * does not matter.  Else they would get an empty message, be they of an earlier
 * transaction that it did not forget; and in LMTP no reply would follow, nor is
 * the server allowed to ask (RFC 2033 4.2).
 */
static void
give_nothing(struct smtp_client *client, struct smtp_transaction *transaction)
{
	if (client->options->lmtp || client->is_spoilt ||
	    transaction->recipients_open > 0)
		smtp_client_malformed(
		    client, SMTP_PHASE_DATA, "354 after a refusal", BYTES_NONE);
	else
		smtp_transaction_send_lone_dot(client, transaction);
}

void
smtp_transaction_data_replied(struct smtp_client *client,
    const struct smtp_expected *expected, const struct reply *reply)
{
	struct smtp_transaction *transaction = expected->transaction;
	const bool is_wanted = reply->code / 100 == 3;

	if (is_wanted && find_result(transaction) == NULL) {
		transaction->next = SMTP_PHASE_CONTENT;
	} else if (is_wanted) {
		give_nothing(client, transaction);
	} else {
		judge(transaction, expected, reply);
		smtp_transaction_settle(client, transaction);
	}
}

void
smtp_transaction_chunk_replied(struct smtp_client *client,
    const struct smtp_expected *expected, const struct reply *reply)
{
	judge(expected->transaction, expected, reply);
	smtp_transaction_settle(client, expected->transaction);
}

/* Tell who the final reply is for, where it is for one alone. */
static void
tell_final(struct smtp_client *client, struct smtp_transaction *transaction,
    const struct smtp_outcome *outcome)
{
	const struct smtp_client_message *message = transaction->message;

	if (message == NULL) {
		smtp_client_emit(client, SMTP_CLIENT_REPLY, NULL, 0, outcome);
		return;
	}
	if (!client->options->lmtp || transaction->recipients_accepted == 0)
		return;
	size_t index = transaction->final_index;
	while (transaction->states[index] != SMTP_RECIPIENT_ACCEPTED)
		index++;
	transaction->final_index = index + 1;
	smtp_client_emit(
	    client, SMTP_CLIENT_RECIPIENT, message, index, outcome);
}

void
smtp_transaction_final_replied(struct smtp_client *client,
    const struct smtp_expected *expected, const struct reply *reply)
{
	struct smtp_transaction *transaction = expected->transaction;
	const struct smtp_outcome outcome =
	    smtp_outcome_replied(expected->phase, reply);

	tell_final(client, transaction, &outcome);
	transaction->finals_due--;
	if (transaction->finals_due > 0)
		return;
	/* A chunk that is refused leaves the transaction as it was. */
	if (!transaction->chunked || is_success(reply))
		transaction->is_open = false;
	transaction->is_answered = true;
	smtp_outcome_keep(&transaction->answer, &outcome);
	smtp_transaction_settle(client, transaction);
}
