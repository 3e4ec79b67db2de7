#include "smtp/smtp_phase.h"

#include "base/clock.h"
#include "base/memory.h"
#include "smtp/reply.h"
#include "smtp/smtp_client_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static smtp_send_fn await_greeting, send_quit;
static smtp_reply_fn command_replied, quit_replied;

struct phase {
	const char *name; /* words for logs and bounces */
	int64_t timeout_ms;
	const char *accepts; /* first digits of replies that make sense */
	smtp_send_fn *send;
	smtp_reply_fn *replied;
};

/* Read it as RFC 5321: what we are doing, how long the reply may take (4.5.3.2
 * and its subsections), what we send, and what the reply means. */
static const struct phase phases[SMTP_PHASE_COUNT] = {
    [SMTP_PHASE_CONNECT] = {"connect", 30 * CLOCK_SECOND, "", NULL, NULL},
    [SMTP_PHASE_GREETING] = {"greeting", 5 * CLOCK_MINUTE /* .1 */, "245",
	await_greeting, smtp_opening_greeted},
    [SMTP_PHASE_EHLO] = {"EHLO", 5 * CLOCK_MINUTE, "245",
	smtp_opening_send_ehlo, smtp_opening_ehlo_replied},
    [SMTP_PHASE_HELO] = {"HELO", 5 * CLOCK_MINUTE, "245",
	smtp_opening_send_helo, smtp_opening_helo_replied},
    [SMTP_PHASE_STARTTLS] = {"STARTTLS", 5 * CLOCK_MINUTE, "245",
	smtp_opening_send_starttls, smtp_opening_starttls_replied},
    [SMTP_PHASE_TLS] = {"TLS handshake", CLOCK_MINUTE, "", NULL, NULL},
    [SMTP_PHASE_AUTH] = {"AUTH", 2 * CLOCK_MINUTE, "2345",
	smtp_opening_send_auth, smtp_opening_auth_replied},
    [SMTP_PHASE_MAIL] = {"MAIL", 5 * CLOCK_MINUTE /* .2 */, "245",
	smtp_transaction_send_mail, smtp_transaction_mail_replied},
    [SMTP_PHASE_RCPT] = {"RCPT", 5 * CLOCK_MINUTE /* .3 */, "245",
	smtp_transaction_send_rcpt, smtp_transaction_rcpt_replied},
    [SMTP_PHASE_DATA] = {"DATA", 2 * CLOCK_MINUTE /* .4 */, "345",
	smtp_transaction_send_data, smtp_transaction_data_replied},
    [SMTP_PHASE_CONTENT] = {"content", 3 * CLOCK_MINUTE /* .5 */, "245",
	smtp_transaction_send_content, smtp_transaction_chunk_replied},
    [SMTP_PHASE_END] = {"end of data", 10 * CLOCK_MINUTE /* .6 */, "245", NULL,
	smtp_transaction_final_replied},
    [SMTP_PHASE_RSET] = {"RSET", 20 * CLOCK_SECOND, "245",
	smtp_transaction_send_rset, smtp_transaction_rset_replied},
    [SMTP_PHASE_COMMAND] = {"command", 5 * CLOCK_MINUTE, "2345", NULL,
	command_replied},
    [SMTP_PHASE_QUIT] = {"QUIT", 10 * CLOCK_SECOND, "2345", send_quit,
	quit_replied},
};

/* As smtp_phase_awaited(), for an outcome: between orders it is the next
 * command that will not be. */
static enum smtp_phase
current_phase(const struct smtp_client *client)
{
	const enum smtp_phase phase = smtp_phase_awaited(client);

	return phase == SMTP_PHASE_COUNT ? SMTP_PHASE_COMMAND : phase;
}

static void
end_here(
    struct smtp_client *client, enum smtp_outcome_kind kind, struct bytes text)
{
	const struct smtp_outcome outcome = {
	    .kind = kind,
	    .phase = current_phase(client),
	    .enhanced = BYTES_NONE,
	    .text = text,
	};

	smtp_client_end(client, &outcome);
}

static void
end_timed_out(struct smtp_client *client)
{
	const int64_t waited_ms = client->now - client->wire.since;
	char *text = memory_format(
	    "timed out after %lld s", (long long)(waited_ms / CLOCK_SECOND));

	end_here(client, SMTP_TIMED_OUT, bytes_of(text));
	free(text);
}

/* ---- replies ---- */

/*
 * 421: the server closes, whatever it was asked (RFC 5321 3.8).  Who waited for
 * just this reply is told first.
 */
static void
end_shut_down(struct smtp_client *client, const struct smtp_expected *expected,
    const struct reply *reply)
{
	const struct smtp_outcome outcome =
	    smtp_outcome_replied(expected->phase, reply);
	const struct smtp_transaction *transaction = expected->transaction;

	if (transaction != NULL && expected->phase == SMTP_PHASE_RCPT &&
	    !transaction->failure.is_set)
		smtp_client_emit(client, SMTP_CLIENT_RECIPIENT,
		    transaction->message, expected->recipient, &outcome);
	if (transaction == NULL && !client->is_chained &&
	    !client->verdict.is_set)
		smtp_client_emit(client, SMTP_CLIENT_REPLY, NULL, 0, &outcome);
	smtp_client_end(client, &outcome);
}

/* Nobody asked: only a server that closes may speak so. */
static void
handle_early_reply(struct smtp_client *client, const struct reply *reply)
{
	const struct smtp_outcome outcome =
	    smtp_outcome_replied(current_phase(client), reply);

	if (reply->code == 421)
		smtp_client_end(client, &outcome);
	else
		smtp_client_malformed(client, outcome.phase,
		    "a reply that was not due", outcome.text);
}

/* In LMTP one "end of data" is answered once for each accepted recipient. */
static bool
is_answered_again(const struct smtp_expected *expected)
{
	return expected->phase == SMTP_PHASE_END &&
	    expected->transaction->finals_due > 1;
}

static void
handle_reply(struct smtp_client *client, const struct reply *reply)
{
	const struct smtp_expected expected = *smtp_wire_oldest(&client->wire);
	const struct phase *phase = &phases[expected.phase];

	if (is_answered_again(&expected)) {
		client->wire.since = client->now;
	} else {
		smtp_wire_pop(&client->wire, client->now);
		if (expected.transaction != NULL)
			expected.transaction->outstanding--;
	}
	if (reply->code == 421)
		end_shut_down(client, &expected, reply);
	else if (strchr(phase->accepts, '0' + reply->code / 100) == NULL)
		smtp_client_malformed(client, expected.phase,
		    "a reply that makes no sense here",
		    smtp_outcome_replied(expected.phase, reply).text);
	else
		phase->replied(client, &expected, reply);
}

/* The line that is none of a reply is at the front of the input. */
static void
handle_nonsense(struct smtp_client *client)
{
	struct bytes rest = buffer_bytes(client->input);
	const struct bytes line = bytes_trim(bytes_cut(&rest, '\n'));

	smtp_client_malformed(
	    client, current_phase(client), "not an SMTP reply", line);
}

/* True where a whole reply, or what is none, was taken. */
static bool
read_one_reply(struct smtp_client *client)
{
	struct reply reply;

	if (client->input->len == 0)
		return false;
	if (!reply_is_begun(&client->reader) &&
	    !smtp_wire_is_due(&client->wire))
		client->is_early = true;

	switch (reply_read(&client->reader, client->input, &reply)) {
	case REPLY_UNFINISHED:
		return false;
	case REPLY_MALFORMED:
		handle_nonsense(client);
		return true;
	case REPLY_FINISHED:
		break;
	}
	if (client->is_early)
		handle_early_reply(client, &reply);
	else
		handle_reply(client, &reply);
	return true;
}

static void
await_greeting(struct smtp_client *client, struct smtp_transaction *transaction)
{
	(void)transaction; /* outside of any */
	smtp_wire_expect(&client->wire,
	    (struct smtp_expected){.phase = SMTP_PHASE_GREETING}, client->now);
}

static void
command_replied(struct smtp_client *client,
    const struct smtp_expected *expected, const struct reply *reply)
{
	const struct smtp_outcome outcome =
	    smtp_outcome_replied(expected->phase, reply);

	smtp_client_emit(client, SMTP_CLIENT_REPLY, NULL, 0, &outcome);
}

static void
send_quit(struct smtp_client *client, struct smtp_transaction *transaction)
{
	(void)transaction; /* outside of any */
	(void)smtp_wire_begin(&client->wire, "QUIT");
	smtp_wire_end(&client->wire,
	    (struct smtp_expected){.phase = SMTP_PHASE_QUIT}, false,
	    client->now);
}

static void
quit_replied(struct smtp_client *client, const struct smtp_expected *expected,
    const struct reply *reply)
{
	const struct smtp_outcome outcome =
	    smtp_outcome_replied(expected->phase, reply);

	if (!client->verdict.is_set)
		smtp_client_emit(client, SMTP_CLIENT_REPLY, NULL, 0, &outcome);
	smtp_client_end(client, &outcome);
}

/* ---- one step ---- */

/* True where something was sent, or an event queued. */
static bool
send_next(struct smtp_client *client)
{
	for (unsigned i = 0; i < client->transactions_len; i++)
		if (smtp_transaction_advance(client, client->transactions[i]))
			return true;
	if (!client->wants_quit || !smtp_client_is_quiet(client))
		return false;
	client->wants_quit = false;
	client->is_spoilt = true;
	smtp_phase_enter(client, SMTP_PHASE_QUIT, NULL);
	return true;
}

/* ---- external ---- */

const char *
smtp_phase_name(enum smtp_phase phase)
{
	assert(phase < SMTP_PHASE_COUNT);
	return phases[phase].name;
}

int64_t
smtp_phase_timeout_ms(enum smtp_phase phase)
{
	assert(phase < SMTP_PHASE_COUNT);
	return phases[phase].timeout_ms;
}

void
smtp_phase_enter(struct smtp_client *client, enum smtp_phase phase,
    struct smtp_transaction *transaction)
{
	phases[phase].send(client, transaction);
}

enum smtp_phase
smtp_phase_awaited(const struct smtp_client *client)
{
	const struct smtp_expected *oldest = smtp_wire_oldest(&client->wire);

	if (client->is_tls_due)
		return SMTP_PHASE_TLS;
	/* The dot has not left yet: it is still the content that we send. */
	if (oldest != NULL && oldest->phase == SMTP_PHASE_END &&
	    !smtp_wire_is_due(&client->wire))
		return SMTP_PHASE_CONTENT;
	if (oldest != NULL)
		return oldest->phase;
	if (client->transactions_len == 0)
		return SMTP_PHASE_COUNT;
	if (client->transactions[0]->wants_content)
		return SMTP_PHASE_CONTENT;
	return client->transactions[0]->next;
}

bool
smtp_phase_advance(struct smtp_client *client)
{
	if (client->is_over)
		return false;
	if (client->wire.output->overflowed) {
		end_here(client, SMTP_FAILED, BYTES("output is full"));
		return true;
	}
	if (client->is_tls_due && client->input->len > 0) {
		smtp_client_malformed(client, SMTP_PHASE_STARTTLS,
		    "plaintext behind STARTTLS", BYTES_NONE);
		return true;
	}
	/* All that a reply leads to is done before the next is looked at: then
	 * it does not matter whether they came together. */
	if (!client->has_ended && send_next(client))
		return true;
	if (read_one_reply(client))
		return true;
	if (client->has_ended) {
		end_here(client, SMTP_CLOSED, buffer_bytes(&client->ending));
		return true;
	}
	if (client->now >= smtp_client_deadline(client)) {
		end_timed_out(client);
		return true;
	}
	return false;
}
