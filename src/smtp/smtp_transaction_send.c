/* The commands and the content of one message. */
#include "smtp/address.h"
#include "smtp/idn.h"
#include "smtp/params.h"
#include "smtp/smtp_client_private.h"

#include <assert.h>

static void
end_line_with(struct smtp_client *client, struct smtp_transaction *transaction,
    enum smtp_phase phase, struct bytes payload)
{
	const struct smtp_expected expected = {
	    .phase = phase,
	    .transaction = transaction,
	    .recipient = transaction->recipients_seen,
	};

	transaction->outstanding++;
	smtp_wire_end_with(
	    &client->wire, expected, payload, false, client->now);
}

static void
end_line(struct smtp_client *client, struct smtp_transaction *transaction,
    enum smtp_phase phase)
{
	end_line_with(client, transaction, phase, BYTES_NONE);
}

void
smtp_transaction_send_rset(
    struct smtp_client *client, struct smtp_transaction *transaction)
{
	const struct smtp_expected alone = {.phase = SMTP_PHASE_RSET};

	(void)smtp_wire_begin(&client->wire, "RSET");
	client->is_rset_due = false;
	if (transaction == NULL) {
		smtp_wire_end(&client->wire, alone, false, client->now);
		return;
	}
	end_line(client, transaction, SMTP_PHASE_RSET);
	transaction->awaits_rset = true;
	transaction->next = SMTP_PHASE_MAIL;
}

static void
append_more(struct buffer *line, struct bytes more)
{
	if (more.len == 0)
		return;
	buffer_append_char(line, ' ');
	buffer_append(line, more);
}

/* Without SMTPUTF8 in its ASCII form; false where it has none. */
static bool
append_path(struct buffer *line, const struct smtp_transaction *transaction,
    struct bytes address)
{
	bool ok = true;

	buffer_append_char(line, '<');
	if (transaction->utf8)
		buffer_append(line, address);
	else
		ok = idn_append_mailbox(line, address);
	buffer_append_char(line, '>');
	return ok;
}

/* What smtplib writes in lower case. */
static void
append_mail_params(struct smtp_client *client,
    const struct smtp_transaction *transaction, struct buffer *line)
{
	const unsigned offered = client->extensions.offered;
	struct mail_params params = transaction->message->params;

	params.utf8 = transaction->utf8;
	if (client->options->verbs != SMTP_VERBS_UPPER && params.has_size &&
	    extensions_has(&client->extensions, EXTENSION_SIZE)) {
		buffer_printf(
		    line, " size=%llu", (unsigned long long)params.size_bytes);
		params.has_size = false;
	}
	params_write_mail(line, &params, offered);
	append_more(line, transaction->message->more);
}

void
smtp_transaction_send_mail(
    struct smtp_client *client, struct smtp_transaction *transaction)
{
	const struct smtp_outcome unfit =
	    smtp_outcome_not_offered(SMTP_PHASE_MAIL, 553, "5.1.7",
		"the sender or a parameter is more than one line");
	struct buffer *line = smtp_wire_begin(&client->wire, "MAIL FROM:");

	/* Where it has no ASCII form the message is SMTPUTF8. */
	(void)append_path(line, transaction, transaction->message->sender);
	append_mail_params(client, transaction, line);
	transaction->next = SMTP_PHASE_RCPT;
	if (!smtp_wire_is_line(&client->wire)) {
		smtp_transaction_fail(transaction, &unfit);
		return;
	}
	client->messages_sent++;
	end_line(client, transaction, SMTP_PHASE_MAIL);
}

/* Is the domain of recipient one of those that were sent before it? */
static bool
is_known_domain(const struct smtp_transaction *transaction, size_t recipient)
{
	const struct smtp_client_recipient *recipients =
	    transaction->message->recipients;
	const struct bytes domain =
	    address_domain(recipients[recipient].address);

	for (size_t i = 0; i < recipient; i++)
		if (transaction->states[i] != SMTP_RECIPIENT_LEFT &&
		    bytes_equal_nocase(
			domain, address_domain(recipients[i].address)))
			return true;
	return false;
}

/* RFC 9422.  Counts the domain, too, where recipient is within the limits. */
static bool
is_past_limits(const struct smtp_client *client,
    struct smtp_transaction *transaction, size_t recipient)
{
	const uint64_t max = client->extensions.recipients_max;
	const uint64_t domains_max = client->extensions.recipient_domains_max;

	if (max > 0 && transaction->recipients_sent >= max)
		return true;
	if (domains_max == 0 || is_known_domain(transaction, recipient))
		return false;
	if (transaction->domains >= domains_max)
		return true;
	transaction->domains++;
	return false;
}

/* Begin the line of RCPT; what forbids it as for a message. */
static struct smtp_outcome
begin_rcpt(struct smtp_client *client, struct smtp_transaction *transaction)
{
	const size_t index = transaction->recipients_seen;
	const struct smtp_client_recipient *recipient =
	    &transaction->message->recipients[index];
	const enum smtp_phase phase = SMTP_PHASE_RCPT;
	struct buffer *line = smtp_wire_begin(&client->wire, "RCPT TO:");

	const bool is_sendable =
	    append_path(line, transaction, recipient->address);
	params_write_rcpt(line, &recipient->params, client->extensions.offered);
	append_more(line, recipient->more);
	if (!smtp_wire_is_line(&client->wire))
		return smtp_outcome_not_offered(phase, 553, "5.1.3",
		    "the address or a parameter is more than one line");
	if (!is_sendable)
		return smtp_outcome_not_offered(phase, 553, "5.6.7",
		    "the address is not ASCII, the message not SMTPUTF8");
	if (is_past_limits(client, transaction, index))
		return smtp_outcome_not_offered(phase, 452, "4.5.3",
		    "more recipients than the server takes at a time");
	return (struct smtp_outcome){.code = 0};
}

void
smtp_transaction_send_rcpt(
    struct smtp_client *client, struct smtp_transaction *transaction)
{
	const size_t index = transaction->recipients_seen;
	const struct smtp_outcome obstacle = begin_rcpt(client, transaction);

	if (obstacle.code == 0) {
		end_line(client, transaction, SMTP_PHASE_RCPT);
		transaction->recipients_sent++;
		transaction->states[index] = SMTP_RECIPIENT_SENT;
	} else {
		smtp_transaction_refuse(client, transaction, index, &obstacle);
	}
	transaction->recipients_seen++;
	if (transaction->recipients_seen ==
	    transaction->message->recipient_count)
		transaction->next =
		    transaction->chunked ? SMTP_PHASE_CONTENT : SMTP_PHASE_DATA;
}

void
smtp_transaction_send_data(
    struct smtp_client *client, struct smtp_transaction *transaction)
{
	(void)smtp_wire_begin(&client->wire, "DATA");
	end_line(client, transaction, SMTP_PHASE_DATA);
	transaction->next = SMTP_PHASE_COUNT;
}

void
smtp_transaction_send_content(
    struct smtp_client *client, struct smtp_transaction *transaction)
{
	transaction->wants_content = true;
	transaction->next = SMTP_PHASE_COUNT;
	smtp_client_emit(
	    client, SMTP_CLIENT_WANT_CONTENT, transaction->message, 0, NULL);
}

/* A stretch of content and, where last, the dot. */
static void
send_stretch(struct smtp_client *client, struct smtp_transaction *transaction,
    struct bytes content, bool last)
{
	smtp_wire_content(&client->wire, &transaction->encoder, content, last);
	if (!last)
		return;
	transaction->outstanding++;
	smtp_wire_expect(&client->wire,
	    (struct smtp_expected){
		.phase = SMTP_PHASE_END,
		.transaction = transaction,
	    },
	    client->now);
}

/* BDAT SP chunk-size [ SP "LAST" ] CRLF, and chunk-size octets. */
static void
send_chunk(struct smtp_client *client, struct smtp_transaction *transaction,
    struct bytes chunk, bool last)
{
	if (chunk.len == 0 && !last)
		return;
	struct buffer *line = smtp_wire_begin(&client->wire, "BDAT");
	buffer_printf(line, " %zu%s", chunk.len, last ? " LAST" : "");
	end_line_with(client, transaction,
	    last ? SMTP_PHASE_END : SMTP_PHASE_CONTENT, chunk);
	transaction->chunk_sent = true;
}

static void
send_text_chunk(struct smtp_client *client,
    struct smtp_transaction *transaction, struct bytes content, bool last)
{
	struct buffer chunk;

	buffer_init(&chunk, 2 * SMTP_CLIENT_CONTENT_MAX + 2);
	dot_encode(&transaction->encoder, content, false, &chunk);
	if (last)
		dot_encode_end(&transaction->encoder, false, &chunk);
	assert(!chunk.overflowed);
	send_chunk(client, transaction, buffer_bytes(&chunk), last);
	buffer_clear(&chunk);
}

void
smtp_transaction_send_stretch(struct smtp_client *client,
    struct smtp_transaction *transaction, struct bytes content, bool last)
{
	transaction->wants_content = false;
	transaction->is_handed = last;
	transaction->next = last ? SMTP_PHASE_COUNT : SMTP_PHASE_CONTENT;
	if (!transaction->chunked)
		send_stretch(client, transaction, content, last);
	else if (transaction->message->params.body == MAIL_BODY_BINARYMIME)
		send_chunk(client, transaction, content, last);
	else
		send_text_chunk(client, transaction, content, last);
	transaction->end = client->wire.written;
}

void
smtp_transaction_send_lone_dot(
    struct smtp_client *client, struct smtp_transaction *transaction)
{
	buffer_append_char(smtp_wire_begin(&client->wire, ""), '.');
	end_line(client, transaction, SMTP_PHASE_END);
}
