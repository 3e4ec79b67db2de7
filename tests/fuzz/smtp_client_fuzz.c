/*
 * A client session against any server.
 *
 * The same octets, in whatever pieces, give the same story.  Each message gets
 * one DONE, then comes OVER, then nothing.  No message is accepted without a
 * whole reply 2yz behind its content.  Only whole lines leave, and no password
 * where it must not.
 *
 * Input: 4 octets of options (see init()), then what the server says.  Turns of
 * the server end at octets 0xf8 and on, which also say what happens then.
 */
#include "base/clock.h"
#include "smtp/smtp_client.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BUFFER_MAX ((size_t)8 * 1024 * 1024)
#define PASSWORD   "pAsSw0rD"
#define PLAIN      "AHVzZXIAcEFzU3cwckQ=" /* user and password in base64 */
#define MESSAGES   3

enum turn_end {
	TURN_ON = 0xf8, /* just the next turn */
	TURN_EOF,
	TURN_WAIT, /* ten minutes pass */
	TURN_QUIT,
	TURN_COMMAND, /* NOOP, where the session is idle */
	TURN_FAIL,
	TURN_STEP, /* RSET, where the session is idle */
	TURN_SLOW  /* only some output leaves */
};

struct message {
	struct smtp_client_message message;
	struct bytes content;
	size_t given;
	bool is_sent;
	bool is_done;
	size_t end; /* octets that have left with its content; 0: not known */
	bool has_left;
	unsigned successes_before; /* when it had */
};

struct run {
	struct smtp_client_options options;
	struct smtp_client *client;
	struct buffer input;
	struct buffer output;
	struct buffer left; /* all octets that ever left */
	struct buffer log;
	struct message messages[MESSAGES];
	unsigned next; /* message to send */
	size_t stretch;
	int64_t now;
	unsigned seed;      /* for the pieces; 0: none */
	struct buffer line; /* of the server, as far as it has come */
	unsigned successes; /* replies 2yz that have come whole */
	bool is_tls_due;
	bool had_tls;
	bool is_over;
};

static const struct smtp_client_recipient recipients[] = {
    {{"b@y.example", 11}, {.original = {"", 0}}, {"", 0}},
    {{"c@y.example", 11}, {.original = {"rfc822;c@y.example", 18}}, {"", 0}},
    {{"d\r\nQUIT@z.example", 17}, {.original = {"", 0}}, {"", 0}},
    {{"\xc3\xa9@z.example", 12}, {.original = {"", 0}}, {"", 0}},
    {{"e@z.example", 11}, {.notify = NOTIFY_NEVER, .original = {"", 0}},
	{"", 0}},
};

/* ---- what is looked at ---- */

/* Lines that end a reply 2yz, in the turn and what came before. */
static void
count_successes(struct run *run, struct bytes turn)
{
	buffer_append(&run->line, turn);
	for (;;) {
		const struct bytes text = buffer_bytes(&run->line);
		const size_t len = bytes_index(text, '\n');
		if (len == text.len)
			return;
		const struct bytes line = bytes_trim(bytes_first(text, len));
		run->successes += line.len >= 3 && line.data[0] == '2' &&
		    (line.len == 3 || line.data[3] != '-');
		buffer_consume(&run->line, len + 1);
	}
}

static struct message *
find_message(struct run *run, const struct smtp_client_message *message)
{
	struct message *found = message->ctx;

	assert(found >= run->messages && found < run->messages + MESSAGES);
	return found;
}

static void
log_outcome(struct run *run, const struct smtp_outcome *outcome)
{
	assert(outcome->text.len > 0);
	assert((outcome->code != 0) ==
	    (outcome->kind == SMTP_REPLIED ||
		outcome->kind == SMTP_NOT_OFFERED));
	assert(outcome->phase < SMTP_PHASE_COUNT);
	assert(!outcome->in_doubt || outcome->kind != SMTP_REPLIED);
	buffer_printf(&run->log, " %d %d %d %d ", (int)outcome->kind,
	    (int)outcome->phase, outcome->code, outcome->in_doubt);
	buffer_append(&run->log, outcome->enhanced);
	buffer_append_char(&run->log, ' ');
	buffer_append(&run->log, outcome->text);
}

static void
see_done(struct run *run, const struct smtp_client_event *event)
{
	const struct smtp_outcome *outcome = &event->outcome;
	struct message *message = find_message(run, event->message);

	assert(message->is_sent && !message->is_done);
	message->is_done = true;
	if (outcome->kind != SMTP_REPLIED || outcome->code / 100 != 2)
		return;
	/* Accepted: all was given and has left, and then came a reply. */
	assert(outcome->phase == SMTP_PHASE_END);
	assert(message->given == message->content.len);
	assert(message->has_left);
	assert(run->successes > message->successes_before);
}

/* ---- the caller ---- */

static void
send_next(struct run *run)
{
	if (run->next == MESSAGES || !smtp_client_can_send(run->client))
		return;
	struct message *message = &run->messages[run->next];
	run->next++;
	message->is_sent = true;
	smtp_client_send(run->client, &message->message, run->now);
}

static void
give_content(struct run *run, const struct smtp_client_message *message)
{
	struct message *source = find_message(run, message);
	const struct bytes rest = bytes_from(source->content, source->given);
	const struct bytes stretch = bytes_first(rest, run->stretch);

	assert(!source->is_done);
	source->given += stretch.len;
	smtp_client_content(
	    run->client, stretch, stretch.len == rest.len, run->now);
	if (stretch.len == rest.len)
		source->end = run->left.len + run->output.len;
}

static void
see(struct run *run, const struct smtp_client_event *event)
{
	assert(!run->is_over);
	buffer_printf(&run->log, "%d", (int)event->kind);
	switch (event->kind) {
	case SMTP_CLIENT_WANT_CONTENT:
		give_content(run, event->message);
		break;
	case SMTP_CLIENT_START_TLS:
		run->is_tls_due = true;
		break;
	case SMTP_CLIENT_RECIPIENT:
		assert(!find_message(run, event->message)->is_done);
		assert(event->recipient < event->message->recipient_count);
		buffer_printf(&run->log, " %zu", event->recipient);
		log_outcome(run, &event->outcome);
		break;
	case SMTP_CLIENT_DONE:
		see_done(run, event);
		log_outcome(run, &event->outcome);
		break;
	case SMTP_CLIENT_OVER:
		run->is_over = true;
		log_outcome(run, &event->outcome);
		break;
	case SMTP_CLIENT_REPLY:
		log_outcome(run, &event->outcome);
		break;
	case SMTP_CLIENT_READY:
		break;
	}
	buffer_append_char(&run->log, '\n');
}

static void
take_events(struct run *run)
{
	struct smtp_client_event event;

	while (smtp_client_next(run->client, run->now, &event)) {
		see(run, &event);
		send_next(run);
	}
	if (run->is_over) {
		assert(run->output.len == 0);
		assert(smtp_client_deadline(run->client) == CLOCK_NEVER);
	}
}

static void
note_what_left(struct run *run)
{
	for (unsigned i = 0; i < MESSAGES; i++) {
		struct message *message = &run->messages[i];
		if (message->has_left || message->end == 0 ||
		    run->left.len < message->end)
			continue;
		message->has_left = true;
		message->successes_before = run->successes;
	}
}

static void
write_out(struct run *run, size_t max)
{
	take_events(run);
	while (run->output.len > 0 && max > 0) {
		const struct bytes part =
		    bytes_first(buffer_bytes(&run->output), max);
		buffer_append(&run->left, part);
		max -= part.len;
		buffer_consume(&run->output, part.len);
		note_what_left(run);
		take_events(run);
	}
}

static void
feed(struct run *run, struct bytes turn)
{
	count_successes(run, turn);
	while (turn.len > 0) {
		size_t len = turn.len;
		if (run->seed != 0) {
			run->seed = run->seed * 1103515245U + 12345U;
			len = 1 + (run->seed >> 16) % (len < 32 ? len : 32);
		}
		buffer_append(&run->input, bytes_first(turn, len));
		turn = bytes_from(turn, len);
		take_events(run);
	}
}

static void
end_turn(struct run *run, enum turn_end end)
{
	const bool is_idle = smtp_client_is_idle(run->client) && !run->is_over;

	switch (end) {
	case TURN_ON:
	case TURN_SLOW:
		break;
	case TURN_EOF:
		smtp_client_eof(run->client, BYTES_NONE);
		break;
	case TURN_WAIT:
		run->now += 10 * CLOCK_MINUTE;
		break;
	case TURN_QUIT:
		smtp_client_quit(run->client, run->now);
		break;
	case TURN_COMMAND:
		if (is_idle)
			assert(smtp_client_command(
			    run->client, BYTES("NOOP"), run->now));
		break;
	case TURN_FAIL:
		smtp_client_fail(run->client, SMTP_PHASE_CONTENT, BYTES_NONE);
		break;
	case TURN_STEP:
		if (is_idle)
			smtp_client_start(
			    run->client, SMTP_PHASE_RSET, run->now);
		break;
	}
	write_out(run, end == TURN_SLOW ? 7 : SIZE_MAX);
	if (run->is_tls_due && end != TURN_SLOW) {
		run->is_tls_due = false;
		run->had_tls = true;
		smtp_client_tls_started(run->client, run->now);
		write_out(run, SIZE_MAX);
	}
}

/* ---- a run ---- */

static void
set_message(struct run *run, unsigned index, const char *sender,
    size_t recipient_count, struct bytes content)
{
	struct message *message = &run->messages[index];

	*message = (struct message){
	    .message =
		{
		    .sender = bytes_of(sender),
		    .params = {.envelope_id = BYTES_NONE, .auth = BYTES_NONE},
		    .recipients = recipients,
		    .recipient_count = recipient_count,
		    .ctx = message,
		},
	    .content = content,
	};
}

static void
check_trace(bool sent, struct bytes octets, bool secret, void *ctx)
{
	(void)ctx;
	assert(octets.len > 0);
	assert(!sent || secret ||
	    bytes_search(octets, BYTES(PLAIN)) == octets.len);
}

/* Octets: security and flags, AUTH, stretch of content, messages. */
static void
init(struct run *run, const uint8_t *bytes)
{
	static const size_t stretches[] = {SIZE_MAX, 1, 3, 1000};

	*run = (struct run){.now = 1};
	run->options = (struct smtp_client_options){
	    .hello = "me.example",
	    .security = (enum smtp_security)(bytes[0] & 3U),
	    .lmtp = (bytes[0] & 4U) != 0,
	    .no_pipelining = (bytes[0] & 8U) != 0,
	    .no_chunking = (bytes[0] & 16U) != 0,
	    .no_initial_response = (bytes[0] & 32U) != 0,
	    .auth_in_clear = (bytes[0] & 64U) != 0,
	    .verbs =
		(bytes[0] & 128U) != 0 ? SMTP_VERBS_SEED : SMTP_VERBS_UPPER,
	    .user = (bytes[1] & 1U) != 0 ? "user" : NULL,
	    .password = PASSWORD,
	    .mechanisms = (bytes[1] & 2U) != 0 ? "XOAUTH2 LOGIN PLAIN" : NULL,
	    .host = "mx.example",
	    .trace = check_trace,
	};
	buffer_init(&run->input, BUFFER_MAX);
	buffer_init(&run->output, SMTP_CLIENT_OUTPUT_MAX);
	buffer_init(&run->left, BUFFER_MAX);
	buffer_init(&run->log, BUFFER_MAX);
	buffer_init(&run->line, BUFFER_MAX);
	run->stretch = stretches[bytes[2] & 3U];
	set_message(run, 0, "a@x.example", 1 + (bytes[3] & 3U),
	    BYTES("Subject: x\n\n.\n..\r\n\r.\rlast"));
	set_message(run, 1, "", 1, BYTES(""));
	set_message(run, 2, "a@x.example", 5, BYTES("\n.\n"));
	run->messages[0].message.params.has_size = (bytes[3] & 4U) != 0;
	run->messages[0].message.params.size_bytes = 40;
	run->messages[2].message.params.utf8 = (bytes[3] & 8U) != 0;
	if ((bytes[3] & 16U) != 0)
		run->messages[1].message.params.body = MAIL_BODY_8BITMIME;
	run->client = smtp_client_new(&run->options, &run->input, &run->output);
	smtp_client_open(run->client, run->now);
}

/* CR and LF only together, and nothing said too early. */
static void
check_left(const struct run *run)
{
	const struct bytes left = buffer_bytes(&run->left);
	const struct smtp_client_options *options = &run->options;
	const bool is_safe = options->auth_in_clear || run->had_tls ||
	    options->security == SMTP_SECURITY_PRESENT;

	for (size_t i = 0; i < left.len; i++)
		if (left.data[i] == '\n')
			assert(i > 0 && left.data[i - 1] == '\r');
	for (size_t i = 0; i + 1 < left.len; i++)
		if (left.data[i] == '\r')
			assert(left.data[i + 1] == '\n');
	if (!is_safe)
		assert(bytes_search(left, BYTES("AUTH PLAIN")) == left.len &&
		    bytes_search(left, BYTES("AUTH LOGIN")) == left.len);
	if (options->security == SMTP_SECURITY_REQUIRED && !run->had_tls)
		assert(bytes_search(left, BYTES("AUTH ")) == left.len &&
		    bytes_search(left, BYTES("FROM:")) == left.len);
}

static void
check_end(struct run *run)
{
	struct smtp_client_event event;

	assert(run->is_over);
	assert(!smtp_client_next(run->client, run->now, &event));
	assert(!smtp_client_can_send(run->client));
	assert(!run->input.overflowed && !run->log.overflowed);
	for (unsigned i = 0; i < MESSAGES; i++)
		assert(run->messages[i].is_sent == run->messages[i].is_done);
	check_left(run);
}

static bool
is_turn_end(char octet)
{
	return (uint8_t)octet >= TURN_ON;
}

/* The story; the caller clears it. */
static struct buffer
play(const uint8_t *options, struct bytes script, unsigned seed)
{
	struct run run;

	init(&run, options);
	run.seed = seed;
	while (script.len > 0) {
		size_t len = 0;
		while (len < script.len && !is_turn_end(script.data[len]))
			len++;
		feed(&run, bytes_first(script, len));
		end_turn(&run,
		    len < script.len ? (enum turn_end)(uint8_t)script.data[len]
				     : TURN_ON);
		send_next(&run);
		script = bytes_from(script, len + 1);
	}
	end_turn(&run, TURN_EOF);
	check_end(&run);
	smtp_client_free(run.client);
	buffer_append(&run.log, buffer_bytes(&run.left));
	buffer_clear(&run.input);
	buffer_clear(&run.output);
	buffer_clear(&run.left);
	buffer_clear(&run.line);
	return run.log;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 4 || size > (size_t)64 * 1024)
		return 0;
	const struct bytes script = bytes_make(data + 4, size - 4);
	const unsigned seed = data[2] | 1U;
	struct buffer whole = play(data, script, 0);
	struct buffer cut = play(data, script, seed);

	/* Nonces differ from run to run. */
	if (bytes_search(buffer_bytes(&whole), BYTES("AUTH SCRAM")) ==
	    whole.len)
		assert(bytes_equal(buffer_bytes(&whole), buffer_bytes(&cut)));
	buffer_clear(&whole);
	buffer_clear(&cut);
	return 0;
}
