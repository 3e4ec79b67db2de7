/* From the greeting to the login: RFC 5321 3.1 and 3.2, 3207, 4954. */
#include "smtp/smtp_client_private.h"
#include "smtp/smtp_phase.h"

#include <string.h>

/* Octets of a command with its CRLF, RFC 5321 4.5.3.1.4; a longer initial
 * response waits for the challenge (RFC 4954 4). */
#define COMMAND_OCTETS_MAX 512
/* Of a response line with its CRLF, RFC 4954 4. */
#define RESPONSE_OCTETS_MAX 12288
#define CHALLENGES_MAX      5

/* ---- where a phase leads to ---- */

/* A phase of the caller's own ends. */
static void
tell(struct smtp_client *client, const struct smtp_outcome *outcome)
{
	smtp_client_emit(client, SMTP_CLIENT_REPLY, NULL, 0, outcome);
}

/* No way on.  The server still listens: say QUIT, then OVER with outcome. */
static void
refuse(struct smtp_client *client, const struct smtp_outcome *outcome)
{
	smtp_opening_forget_login(client);
	if (!client->is_chained) {
		tell(client, outcome);
		return;
	}
	client->is_chained = false;
	client->is_spoilt = true;
	client->wants_quit = false;
	smtp_outcome_keep(&client->verdict, outcome);
	smtp_phase_enter(client, SMTP_PHASE_QUIT, NULL);
}

static void
become_ready(struct smtp_client *client, const struct smtp_outcome *outcome)
{
	client->is_chained = false;
	client->is_ready = true;
	smtp_client_emit(client, SMTP_CLIENT_READY, NULL, 0, outcome);
}

static void
log_in(struct smtp_client *client, const struct smtp_outcome *outcome)
{
	if (client->options->user != NULL)
		smtp_phase_enter(client, SMTP_PHASE_AUTH, NULL);
	else
		become_ready(client, outcome);
}

/* The extensions are known: go on as the options say. */
static void
secure(struct smtp_client *client, const struct smtp_outcome *outcome)
{
	const enum smtp_security security = client->options->security;
	const bool wants =
	    !smtp_opening_is_safe(client) && security != SMTP_SECURITY_NONE;

	if (!wants) {
		log_in(client, outcome);
	} else if (extensions_has(&client->extensions, EXTENSION_STARTTLS)) {
		smtp_phase_enter(client, SMTP_PHASE_STARTTLS, NULL);
	} else if (security == SMTP_SECURITY_OPPORTUNISTIC) {
		log_in(client, outcome);
	} else {
		const struct smtp_outcome refusal =
		    smtp_outcome_not_offered(SMTP_PHASE_STARTTLS, 454, "4.7.0",
			"the server does not offer STARTTLS");
		refuse(client, &refusal);
	}
}

/* EHLO or HELO was accepted. */
static void
greeted(struct smtp_client *client, const struct smtp_outcome *outcome)
{
	if (client->is_chained) {
		secure(client, outcome);
	} else {
		client->is_ready = true;
		tell(client, outcome);
	}
}

/* ---- greeting, EHLO, HELO ---- */

void
smtp_opening_greeted(struct smtp_client *client,
    const struct smtp_expected *expected, const struct reply *reply)
{
	const struct smtp_outcome outcome =
	    smtp_outcome_replied(expected->phase, reply);

	if (reply->code / 100 != 2)
		refuse(client, &outcome);
	else if (client->is_chained)
		smtp_phase_enter(client, SMTP_PHASE_EHLO, NULL);
	else
		tell(client, &outcome);
}

static void
say(struct smtp_client *client, enum smtp_phase phase, const char *verb,
    const char *argument)
{
	struct buffer *line = smtp_wire_begin(&client->wire, verb);

	if (argument != NULL)
		buffer_printf(line, " %s", argument);
	smtp_wire_end(&client->wire, (struct smtp_expected){.phase = phase},
	    false, client->now);
}

/* What was learnt by an earlier hello holds no more. */
static void
forget_server(struct smtp_client *client)
{
	client->extensions = (struct extensions){0};
	client->is_ready = false;
}

void
smtp_opening_send_ehlo(
    struct smtp_client *client, struct smtp_transaction *transaction)
{
	(void)transaction; /* outside of any */
	forget_server(client);
	say(client, SMTP_PHASE_EHLO, client->options->lmtp ? "LHLO" : "EHLO",
	    client->options->hello);
}

void
smtp_opening_ehlo_replied(struct smtp_client *client,
    const struct smtp_expected *expected, const struct reply *reply)
{
	const struct smtp_outcome outcome =
	    smtp_outcome_replied(expected->phase, reply);
	const bool is_unknown = reply->code == 500 || reply->code == 502;

	if (reply->code / 100 == 2) {
		extensions_read(&client->extensions, reply->text);
		greeted(client, &outcome);
	} else if (is_unknown && client->is_chained && !client->options->lmtp) {
		smtp_phase_enter(client, SMTP_PHASE_HELO, NULL);
	} else {
		refuse(client, &outcome);
	}
}

void
smtp_opening_send_helo(
    struct smtp_client *client, struct smtp_transaction *transaction)
{
	(void)transaction; /* outside of any */
	forget_server(client);
	say(client, SMTP_PHASE_HELO, "HELO", client->options->hello);
}

void
smtp_opening_helo_replied(struct smtp_client *client,
    const struct smtp_expected *expected, const struct reply *reply)
{
	const struct smtp_outcome outcome =
	    smtp_outcome_replied(expected->phase, reply);

	if (reply->code / 100 == 2)
		greeted(client, &outcome);
	else
		refuse(client, &outcome);
}

/* ---- STARTTLS ---- */

/* The styles of verbs leave these two alone, as smtplib does. */
static struct buffer *
begin_upper(struct smtp_client *client, const char *verb)
{
	struct buffer *line = smtp_wire_begin(&client->wire, "");

	buffer_append_text(line, verb);
	return line;
}

void
smtp_opening_send_starttls(
    struct smtp_client *client, struct smtp_transaction *transaction)
{
	(void)transaction; /* outside of any */
	(void)begin_upper(client, "STARTTLS");
	smtp_wire_end(&client->wire,
	    (struct smtp_expected){.phase = SMTP_PHASE_STARTTLS}, false,
	    client->now);
}

void
smtp_opening_starttls_replied(struct smtp_client *client,
    const struct smtp_expected *expected, const struct reply *reply)
{
	const struct smtp_outcome outcome =
	    smtp_outcome_replied(expected->phase, reply);
	const bool is_optional =
	    client->options->security == SMTP_SECURITY_OPPORTUNISTIC;

	if (reply->code / 100 == 2) {
		client->is_tls_due = true;
		smtp_client_emit(
		    client, SMTP_CLIENT_START_TLS, NULL, 0, &outcome);
	} else if (client->is_chained && is_optional) {
		log_in(client, &outcome);
	} else {
		refuse(client, &outcome);
	}
}

bool
smtp_opening_is_safe(const struct smtp_client *client)
{
	return client->is_secure ||
	    client->options->security == SMTP_SECURITY_PRESENT;
}

void
smtp_opening_start_over(struct smtp_client *client)
{
	forget_server(client);
	smtp_opening_forget_login(client);
	client->is_secure = true;
	if (client->is_chained)
		smtp_phase_enter(client, SMTP_PHASE_EHLO, NULL);
}

/* ---- AUTH ---- */

static void
forget_exchange(struct smtp_client *client)
{
	sasl_free(client->sasl);
	client->sasl = NULL;
	buffer_clear_secret(&client->response);
	client->is_response_kept = false;
	client->is_cancelled = false;
	client->challenges = 0;
}

void
smtp_opening_forget_login(struct smtp_client *client)
{
	forget_exchange(client);
	/* Written out, since the server has answered; but still in memory. */
	if (client->mechanisms_tried != 0 && client->wire.output->len == 0)
		buffer_clear_secret(client->wire.output);
	client->mechanisms_tried = 0;
}

static void
set_identity(struct smtp_client *client)
{
	const struct smtp_client_options *options = client->options;

	client->identity = (struct sasl_identity){
	    .user = options->user,
	    .password = options->password,
	    .host = options->host,
	    .allowed = options->mechanisms,
	    .clear_ok = smtp_opening_is_safe(client) || options->auth_in_clear,
	    .exporter_binding = client->exporter_binding,
	    .unique_binding = client->unique_binding,
	};
}

static const struct sasl_mechanism *
next_mechanism(const struct smtp_client *client)
{
	return sasl_choose(
	    &client->identity, &client->extensions, client->mechanisms_tried);
}

static void
refuse_mechanisms(struct smtp_client *client)
{
	const bool has_auth =
	    extensions_has(&client->extensions, EXTENSION_AUTH);
	const struct smtp_outcome outcome =
	    smtp_outcome_not_offered(SMTP_PHASE_AUTH, 454, "4.7.0",
		has_auth ? "the server offers no AUTH mechanism that we may use"
			 : "the server does not offer AUTH");

	refuse(client, &outcome);
}

static void
send_auth_line(struct smtp_client *client, bool secret)
{
	smtp_wire_end(&client->wire,
	    (struct smtp_expected){.phase = SMTP_PHASE_AUTH}, secret,
	    client->now);
}

/*
 * The initial response behind "AUTH NAME", "=" for an empty one; where the line
 * would become too long it is kept for the first challenge.
 */
static void
add_initial_response(struct smtp_client *client, struct buffer *line)
{
	const size_t len = client->response.len > 0 ? client->response.len : 1;

	if (line->len + 1 + len + 2 > COMMAND_OCTETS_MAX) {
		client->is_response_kept = true;
		return;
	}
	buffer_append_char(line, ' ');
	if (client->response.len > 0)
		buffer_append(line, buffer_bytes(&client->response));
	else
		buffer_append_char(line, '=');
	buffer_clear_secret(&client->response);
}

/* False where the mechanism does not work here. */
static bool
start_exchange(
    struct smtp_client *client, const struct sasl_mechanism *mechanism)
{
	const bool is_initial = sasl_mechanism_is_initial(mechanism) &&
	    !client->options->no_initial_response;

	forget_exchange(client);
	client->mechanism = mechanism;
	client->mechanisms_tried |= sasl_mechanism_bit(mechanism);
	client->sasl = sasl_new(mechanism, &client->identity);
	if (is_initial &&
	    !sasl_respond(client->sasl, BYTES_NONE, &client->response))
		return false;

	struct buffer *line = begin_upper(client, "AUTH ");
	buffer_append_text(line, sasl_mechanism_name(mechanism));
	if (is_initial)
		add_initial_response(client, line);
	send_auth_line(client, is_initial);
	return true;
}

void
smtp_opening_send_auth(
    struct smtp_client *client, struct smtp_transaction *transaction)
{
	(void)transaction; /* outside of any */
	set_identity(client);
	for (;;) {
		const struct sasl_mechanism *mechanism = next_mechanism(client);
		if (mechanism == NULL) {
			refuse_mechanisms(client);
			return;
		}
		if (start_exchange(client, mechanism))
			return;
	}
}

static void
cancel(struct smtp_client *client)
{
	client->is_cancelled = true;
	buffer_append_text(smtp_wire_begin(&client->wire, ""), "*");
	send_auth_line(client, false);
}

/* The response to challenge; false where the exchange must be cancelled. */
static bool
find_response(struct smtp_client *client, struct bytes challenge)
{
	const bool asks_initial = client->challenges == 1 &&
	    client->options->no_initial_response &&
	    sasl_mechanism_is_initial(client->mechanism);

	if (client->challenges > CHALLENGES_MAX)
		return false;
	const bool is_kept = client->is_response_kept;
	client->is_response_kept = false;
	/* Whatever the prompt for an initial response says. */
	const bool is_found = is_kept ||
	    sasl_respond(client->sasl, asks_initial ? BYTES_NONE : challenge,
		&client->response);
	return is_found &&
	    client->response.len + strlen("\r\n") <= RESPONSE_OCTETS_MAX;
}

static void
answer_challenge(struct smtp_client *client, struct bytes challenge)
{
	client->challenges++;
	if (client->is_cancelled) {
		smtp_client_malformed(client, SMTP_PHASE_AUTH,
		    "a challenge after the exchange was cancelled", BYTES_NONE);
		return;
	}
	if (!find_response(client, challenge)) {
		if (sasl_is_refuted(client->sasl))
			smtp_client_malformed(client, SMTP_PHASE_AUTH,
			    "the server does not know the password itself",
			    BYTES_NONE);
		else
			cancel(client);
		return;
	}
	buffer_append(smtp_wire_begin(&client->wire, ""),
	    buffer_bytes(&client->response));
	buffer_clear_secret(&client->response);
	send_auth_line(client, true);
}

static void
become_known(struct smtp_client *client, const struct smtp_outcome *outcome)
{
	if (client->is_cancelled || !sasl_is_proven(client->sasl)) {
		smtp_client_malformed(client, SMTP_PHASE_AUTH,
		    "success without the server's part of the exchange",
		    BYTES_NONE);
		return;
	}
	smtp_opening_forget_login(client);
	if (client->is_chained)
		become_ready(client, outcome);
	else
		tell(client, outcome);
}

/* The next mechanism may do better, as long as there is one; but 503 says that
 * we are logged in already. */
static void
be_refused(struct smtp_client *client, struct smtp_outcome outcome)
{
	if (client->is_cancelled)
		outcome.text =
		    BYTES("challenge not understood, login cancelled");
	if (outcome.code != 503 && next_mechanism(client) != NULL)
		smtp_phase_enter(client, SMTP_PHASE_AUTH, NULL);
	else
		refuse(client, &outcome);
}

void
smtp_opening_auth_replied(struct smtp_client *client,
    const struct smtp_expected *expected, const struct reply *reply)
{
	const struct smtp_outcome outcome =
	    smtp_outcome_replied(expected->phase, reply);

	if (reply->code / 100 == 3)
		answer_challenge(client, reply->text);
	else if (reply->code / 100 == 2)
		become_known(client, &outcome);
	else
		be_refused(client, outcome);
}
