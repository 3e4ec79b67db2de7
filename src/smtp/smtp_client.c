#include "smtp/smtp_client.h"

#include "base/clock.h"
#include "base/memory.h"
#include "smtp/smtp_client_private.h"
#include "smtp/smtp_phase.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* How much of what we did not understand is told. */
#define EXCERPT_MAX ((size_t)128)

/* ---- outcomes and events ---- */

void
smtp_client_emit(struct smtp_client *client, enum smtp_client_event_kind kind,
    const struct smtp_client_message *message, size_t recipient,
    const struct smtp_outcome *outcome)
{
	const struct smtp_outcome none = {
	    .enhanced = BYTES(""), .text = BYTES("")};

	assert(client->events_len < SMTP_EVENTS_MAX);
	struct smtp_queued_event *queued =
	    &client->events[(client->events_first + client->events_len) %
		SMTP_EVENTS_MAX];
	smtp_outcome_keep(&queued->outcome, outcome != NULL ? outcome : &none);
	queued->event = (struct smtp_client_event){
	    .kind = kind,
	    .message = message,
	    .recipient = recipient,
	    .outcome = queued->outcome.outcome,
	};
	client->events_len++;
}

static struct smtp_client_event
take_event(struct smtp_client *client)
{
	const struct smtp_client_event event =
	    client->events[client->events_first].event;

	client->events_first = (client->events_first + 1) % SMTP_EVENTS_MAX;
	client->events_len--;
	return event;
}

/* ---- the end of a session ---- */

void
smtp_client_end(struct smtp_client *client, const struct smtp_outcome *outcome)
{
	struct smtp_outcome last = *outcome;

	if (client->is_over)
		return;
	client->is_over = true;
	for (bool is_oldest = true; client->transactions_len > 0;
	     is_oldest = false)
		last.in_doubt |= smtp_transaction_abandon(
		    client, client->transactions[0], is_oldest, outcome);
	if (client->verdict.is_set)
		last = client->verdict.outcome;
	smtp_client_emit(client, SMTP_CLIENT_OVER, NULL, 0, &last);
	smtp_wire_shut(&client->wire);
	smtp_opening_forget_login(client);
}

/* "words: what came", what came being cut and made printable. */
void
smtp_client_malformed(struct smtp_client *client, enum smtp_phase phase,
    const char *words, struct bytes excerpt)
{
	struct buffer text;

	buffer_init(&text, 4 * EXCERPT_MAX);
	buffer_append_text(&text, words);
	if (excerpt.len > 0)
		buffer_append_text(&text, ": ");
	for (size_t i = 0; i < excerpt.len && i < EXCERPT_MAX; i++) {
		const char c = excerpt.data[i];
		buffer_append_char(&text, c >= ' ' && c <= '~' ? c : '?');
	}
	const struct smtp_outcome outcome = {
	    .kind = SMTP_MALFORMED,
	    .phase = phase,
	    .enhanced = BYTES_NONE,
	    .text = buffer_bytes(&text),
	};
	smtp_client_end(client, &outcome);
	buffer_clear(&text);
}

/* ---- what is under way ---- */

bool
smtp_client_is_pipelining(const struct smtp_client *client)
{
	return !client->options->no_pipelining &&
	    extensions_has(&client->extensions, EXTENSION_PIPELINING);
}

void
smtp_client_drop_transaction(
    struct smtp_client *client, struct smtp_transaction *transaction)
{
	unsigned i = 0;

	while (client->transactions[i] != transaction)
		i++;
	client->transactions_len--;
	for (; i < client->transactions_len; i++)
		client->transactions[i] = client->transactions[i + 1];
	client->transactions[client->transactions_len] = NULL;
	smtp_transaction_free(transaction);
}

bool
smtp_client_is_quiet(const struct smtp_client *client)
{
	return client->wire.len == 0 && client->transactions_len == 0 &&
	    !client->is_tls_due;
}

/* ---- life ---- */

static void
trace_reply_line(struct bytes line, void *ctx)
{
	const struct smtp_client *client = ctx;

	client->options->trace(false, line, false, client->options->trace_ctx);
}

struct smtp_client *
smtp_client_new(const struct smtp_client_options *options, struct buffer *input,
    struct buffer *output)
{
	struct smtp_client *client = memory_new(sizeof(*client));

	client->options = options;
	client->input = input;
	client->exporter_binding = BYTES_NONE;
	client->unique_binding = BYTES_NONE;
	smtp_wire_init(&client->wire, options, output);
	reply_reader_init(&client->reader);
	if (options->trace != NULL) {
		client->reader.on_line = trace_reply_line;
		client->reader.ctx = client;
	}
	buffer_init(&client->response, (size_t)64 * 1024);
	buffer_init(&client->ending, 4 * EXCERPT_MAX);
	return client;
}

void
smtp_client_free(struct smtp_client *client)
{
	if (client == NULL)
		return;
	while (client->transactions_len > 0)
		smtp_client_drop_transaction(client, client->transactions[0]);
	for (unsigned i = 0; i < SMTP_EVENTS_MAX; i++)
		smtp_outcome_drop(&client->events[i].outcome);
	smtp_client_set_channel_binding(client, BYTES_NONE, BYTES_NONE);
	smtp_opening_forget_login(client);
	smtp_outcome_drop(&client->verdict);
	buffer_clear(&client->ending);
	reply_reader_clear(&client->reader);
	smtp_wire_clear(&client->wire);
	free(client);
}

/* ---- orders ---- */

void
smtp_client_open(struct smtp_client *client, int64_t now)
{
	assert(smtp_client_is_idle(client));

	client->now = now;
	client->is_chained = true;
	smtp_phase_enter(client, SMTP_PHASE_GREETING, NULL);
}

void
smtp_client_start(
    struct smtp_client *client, enum smtp_phase phase, int64_t now)
{
	assert(phase >= SMTP_PHASE_GREETING && phase <= SMTP_PHASE_RSET);
	assert(phase <= SMTP_PHASE_AUTH || phase == SMTP_PHASE_RSET);
	assert(phase != SMTP_PHASE_TLS);
	if (client->is_over)
		return;
	assert(smtp_client_is_idle(client));

	client->now = now;
	smtp_phase_enter(client, phase, NULL);
}

static void
add_transaction(
    struct smtp_client *client, struct smtp_transaction *transaction)
{
	if (smtp_client_is_quiet(client))
		client->wire.since = client->now;
	client->transactions[client->transactions_len] = transaction;
	client->transactions_len++;
}

void
smtp_client_start_content(
    struct smtp_client *client, unsigned replies, int64_t now)
{
	assert(replies > 0);
	if (client->is_over)
		return;
	assert(smtp_client_is_idle(client));

	client->now = now;
	add_transaction(client, smtp_transaction_new_bare(client, replies));
}

void
smtp_client_send(struct smtp_client *client,
    const struct smtp_client_message *message, int64_t now)
{
	struct smtp_outcome refusal;

	assert(smtp_client_can_send(client));
	assert(message->recipient_count > 0);

	client->now = now;
	struct smtp_transaction *transaction =
	    smtp_transaction_new(client, message, &refusal);
	if (transaction != NULL)
		add_transaction(client, transaction);
	else
		smtp_client_emit(
		    client, SMTP_CLIENT_DONE, message, 0, &refusal);
}

static bool
is_used_up(const struct smtp_client *client)
{
	const uint64_t max = client->extensions.messages_max;

	return max > 0 && client->messages_sent >= max;
}

/* No order has ended the session, nor forbids another message. */
static bool
is_open(const struct smtp_client *client)
{
	return client->is_ready && !client->is_spoilt && !client->is_over &&
	    !client->has_ended && !client->wants_quit && !is_used_up(client);
}

bool
smtp_client_can_send(const struct smtp_client *client)
{
	if (!is_open(client) || client->events_len > SMTP_EVENTS_MAX / 2)
		return false;
	if (client->transactions_len == 0)
		return smtp_client_is_quiet(client);

	const struct smtp_transaction *last =
	    client->transactions[client->transactions_len - 1];
	return client->transactions_len < SMTP_TRANSACTIONS_MAX &&
	    smtp_client_is_pipelining(client) && last->message != NULL &&
	    last->is_handed && !last->failure.is_set;
}

void
smtp_client_content(
    struct smtp_client *client, struct bytes content, bool last, int64_t now)
{
	assert(content.len <= SMTP_CLIENT_CONTENT_MAX);

	client->now = now;
	for (unsigned i = 0; i < client->transactions_len; i++) {
		struct smtp_transaction *transaction = client->transactions[i];
		if (!transaction->wants_content)
			continue;
		if (client->wire.len == 0)
			client->wire.since = now;
		smtp_transaction_send_stretch(
		    client, transaction, content, last);
		return;
	}
	/* What had asked for it has ended meanwhile. */
}

static bool
command(struct smtp_client *client, struct bytes line, bool secret, int64_t now)
{
	buffer_append(smtp_wire_begin(&client->wire, ""), line);
	if (!smtp_wire_is_line(&client->wire))
		return false;
	if (client->is_over)
		return true;
	assert(smtp_client_is_idle(client));

	client->now = now;
	smtp_wire_end(&client->wire,
	    (struct smtp_expected){.phase = SMTP_PHASE_COMMAND}, secret, now);
	return true;
}

bool
smtp_client_command(struct smtp_client *client, struct bytes line, int64_t now)
{
	return command(client, line, false, now);
}

bool
smtp_client_secret_command(
    struct smtp_client *client, struct bytes line, int64_t now)
{
	return command(client, line, true, now);
}

void
smtp_client_write(struct smtp_client *client, struct bytes octets)
{
	if (!client->is_over)
		smtp_wire_raw(&client->wire, octets, false);
}

void
smtp_client_expect(struct smtp_client *client, int64_t now)
{
	if (client->is_over)
		return;
	client->now = now;
	smtp_wire_expect(&client->wire,
	    (struct smtp_expected){.phase = SMTP_PHASE_COMMAND}, now);
}

void
smtp_client_quit(struct smtp_client *client, int64_t now)
{
	client->now = now;
	client->wants_quit = true;
}

/* ---- what the caller tells ---- */

void
smtp_client_tls_started(struct smtp_client *client, int64_t now)
{
	if (client->is_over)
		return;
	assert(client->is_tls_due);

	client->now = now;
	if (client->input->len > 0)
		return; /* next() says what that is */
	client->is_tls_due = false;
	smtp_opening_start_over(client);
}

static struct bytes
copy(struct bytes bytes)
{
	if (bytes.len == 0)
		return BYTES_NONE;
	return bytes_make(memory_copy(bytes), bytes.len);
}

/* What copy() made. */
static void
release(struct bytes bytes)
{
	if (bytes.len > 0)
		free((void *)(uintptr_t)bytes.data);
}

void
smtp_client_set_channel_binding(
    struct smtp_client *client, struct bytes exporter, struct bytes unique)
{
	release(client->exporter_binding);
	release(client->unique_binding);
	client->exporter_binding = copy(exporter);
	client->unique_binding = copy(unique);
}

void
smtp_client_eof(struct smtp_client *client, struct bytes why)
{
	const struct bytes words =
	    why.len > 0 ? why : BYTES("connection closed");

	if (client->has_ended)
		return;
	client->has_ended = true;
	buffer_append(
	    &client->ending, bytes_first(words, client->ending.limit));
}

void
smtp_client_fail(
    struct smtp_client *client, enum smtp_phase phase, struct bytes text)
{
	const struct smtp_outcome outcome = {
	    .kind = SMTP_FAILED,
	    .phase = phase,
	    .enhanced = BYTES_NONE,
	    .text = text.len > 0 ? text : BYTES("failed"),
	};

	smtp_client_end(client, &outcome);
}

void
smtp_client_progress(struct smtp_client *client, int64_t now)
{
	if (smtp_wire_has_progressed(&client->wire))
		client->wire.since = now;
}

/* ---- what the caller asks ---- */

bool
smtp_client_next(struct smtp_client *client, int64_t now,
    struct smtp_client_event *out_event)
{
	client->now = now;
	smtp_client_progress(client, now);
	while (client->events_len == 0)
		if (!smtp_phase_advance(client))
			return false;
	*out_event = take_event(client);
	return true;
}

int64_t
smtp_client_deadline(const struct smtp_client *client)
{
	const enum smtp_phase phase = smtp_phase_awaited(client);

	if (client->is_over || phase == SMTP_PHASE_COUNT)
		return CLOCK_NEVER;

	int64_t timeout_ms = client->options->timeout_ms[phase];
	if (timeout_ms == 0)
		timeout_ms = smtp_phase_timeout_ms(phase);
	return clock_after(client->wire.since, timeout_ms);
}

const struct extensions *
smtp_client_extensions(const struct smtp_client *client)
{
	return &client->extensions;
}

bool
smtp_client_is_idle(const struct smtp_client *client)
{
	return smtp_client_is_quiet(client) && client->events_len == 0 &&
	    !client->wants_quit;
}

bool
smtp_client_is_reusable(const struct smtp_client *client)
{
	return is_open(client) && smtp_client_is_idle(client);
}

bool
smtp_client_has_pipelined(const struct smtp_client *client)
{
	return client->wire.most > 1;
}
