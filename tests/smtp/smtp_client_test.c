#include "base/clock.h"
#include "smtp/dialogue.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct smtp_client_recipient people[] = {
    DIALOGUE_RECIPIENT("b@y.example"),
    DIALOGUE_RECIPIENT("c@y.example"),
};

static const struct dialogue_message messages[] = {
    {DIALOGUE_MESSAGE("a@x.example", people, 2), "Hi\n", 0},
    {DIALOGUE_MESSAGE("a@x.example", people, 1), "Ho\n", 0},
};

#define TALK(title, ...)                                                       \
	{                                                                      \
		.name = title, .messages = messages, .text = __VA_ARGS__       \
	}
#define CHECK_ALL(dialogues)                                                   \
	check_all(dialogues, sizeof(dialogues) / sizeof(dialogues[0]))

static void
check_all(const struct dialogue *dialogues, size_t count)
{
	for (size_t i = 0; i < count; i++)
		dialogue_check(&dialogues[i]);
}

#define EHLO    "O: open\nS: 220 mx\nC: EHLO me.example\n"
#define GREETED EHLO "S: 250 mx\nE: READY\n"
#define ENVELOPE                                                               \
	GREETED "O: send 1\nC: MAIL FROM:<a@x.example>\nS: 250 ok\n"           \
		"C: RCPT TO:<b@y.example>\n"

/* ---- commands of the caller's own ---- */

static const struct dialogue commands[] = {
    TALK("ETRN, without a greeting of ours",
	"O: start greeting\nS: 220 mx\nE: REPLY greeting 220\n"
	"O: command ETRN rnd.abcde.ru\nC: ETRN rnd.abcde.ru\n"
	"S: 250 2.0.0 Queuing for node rnd.abcde.ru started\n"
	"E: REPLY command 250 2.0.0\nO: command ETRN x.ru\nC: ETRN x.ru\n"
	"S: 458 no\nE: REPLY command 458\n"
	"O: quit\nC: QUIT\nS: 221 bye\nE: REPLY QUIT 221\nE: OVER QUIT 221\n"),
    TALK("any code is a reply",
	GREETED "O: command FOO\nC: FOO\nS: 354 go\nE: REPLY command 354\n"
		"O: command .\nC: .\nS: 599 no\nE: REPLY command 599\n"),
    TALK("421 to a command",
	GREETED "O: command NOOP\nC: NOOP\nS: 421 4.3.2 no\n"
		"E: REPLY command 421 4.3.2\nE: OVER command 421 4.3.2\n"
		"O: command NOOP\n"),
    TALK("QUIT is not answered",
	GREETED "O: quit\nC: QUIT\nO: eof\nE: OVER QUIT closed\n"),
    TALK("421 to QUIT",
	GREETED "O: quit\nC: QUIT\nS: 421 no\nE: REPLY QUIT 421\n"
		"E: OVER QUIT 421\n"),
    TALK("content of the caller's own",
	GREETED "O: command DATA\nC: DATA\nS: 354 go\nE: REPLY command 354\n"
		"O: start-content 1\nC: Hi\nC: .\nS: 250 ok\n"
		"E: REPLY end of data 250\nO: command NOOP\nC: NOOP\n"),
    TALK("content of the caller's own, over LMTP",
	GREETED "O: command DATA\nC: DATA\nS: 354 go\nE: REPLY command 354\n"
		"O: start-content 2\nC: Hi\nC: .\nS: 250 ok\nS: 452 no\n"
		"E: REPLY end of data 250\nE: REPLY end of data 452\n"
		"O: command NOOP\nC: NOOP\n"),
    TALK("content of the caller's own is in doubt, too",
	GREETED "O: start-content 1\nC: Hi\nC: .\nO: eof\n"
		"E: OVER end of data closed, in doubt\n"),
    TALK("octets as they are, and their replies",
	"O: start greeting\nS: 220 mx\nE: REPLY greeting 220\n"
	"O: write NOOP\nC: NOOP\nO: write HELP\nC: HELP\n"
	"O: expect\nS: 250 ok\nE: REPLY command 250\n"
	"O: expect\nS: 214 no help\nE: REPLY command 214\n"),
};

Test(smtp_client, takes_commands)
{
	CHECK_ALL(commands);
}

Test(smtp_client, sends_no_command_of_two_lines)
{
	const struct bytes lines[] = {
	    BYTES("NOOP\r\nQUIT"),
	    BYTES("NOOP\n"),
	    BYTES("NOOP\r"),
	    BYTES("NOOP\0"),
	};
	const struct smtp_client_options options = {.hello = "me.example"};
	struct buffer input, output;

	buffer_init(&input, 1000);
	buffer_init(&output, SMTP_CLIENT_OUTPUT_MAX);
	struct smtp_client *client = smtp_client_new(&options, &input, &output);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		cr_expect_not(smtp_client_command(client, lines[i], 0));
		cr_expect_not(smtp_client_secret_command(client, lines[i], 0));
	}
	cr_expect_eq(output.len, 0);
	cr_expect(smtp_client_is_idle(client));
	smtp_client_free(client);
	buffer_clear(&output);
}

/* ---- words ---- */

static const struct dialogue words[] = {
    TALK("all lines of a reply",
	GREETED "O: command HELP\nC: HELP\n"
		"S: 214-2.0.0 one\nS: 214-\nS: 214 two\n"
		"E: REPLY command 214 2.0.0: 2.0.0 one\\n\\ntwo\n",
	.with_texts = true),
    TALK("a reply without words",
	GREETED "O: command NOOP\nC: NOOP\nS: 250\n"
		"E: REPLY command 250: (no text)\n",
	.with_texts = true),
    TALK("I10: whatever the peer says is told as it is",
	GREETED "O: command NOOP\nC: NOOP\nS: 250 %n%s\\x1b[2J\\xff\n"
		"E: REPLY command 250: %n%s\\x1b[2J\\xff\n",
	.with_texts = true),
    TALK("nonsense is told, printable",
	EHLO "S: he\\x1bllo\n"
	     "E: OVER EHLO malformed: not an SMTP reply: he?llo\n",
	.with_texts = true),
    TALK("a reply that was not due",
	GREETED "S: 250 ok\n"
		"E: OVER command malformed: a reply that was not due: ok\n",
	.with_texts = true),
    TALK("a reply without sense",
	EHLO "S: 354 go\n"
	     "E: OVER EHLO malformed: a reply that makes no sense here: go\n",
	.with_texts = true),
    TALK("the end of the connection",
	EHLO "O: eof\nE: OVER EHLO closed: connection closed\n",
	.with_texts = true),
    TALK("why the connection ended",
	EHLO "O: eof read: Connection reset by peer\n"
	     "E: OVER EHLO closed: read: Connection reset by peer\n",
	.with_texts = true),
    TALK("a time-out",
	EHLO "O: wait 300000\nE: OVER EHLO timed out: timed out after 300 s\n",
	.with_texts = true),
    TALK("what the caller said",
	EHLO "O: fail EHLO\nE: OVER EHLO failed: as told\n",
	.with_texts = true),
};

Test(smtp_client, tells_why)
{
	CHECK_ALL(words);
}

Test(smtp_client, has_words_for_each_phase)
{
	for (unsigned i = 0; i < SMTP_PHASE_COUNT; i++)
		cr_expect_gt(
		    strlen(smtp_phase_name((enum smtp_phase)i)), 0, "%u", i);
}

/* ---- time ---- */

static const struct dialogue timeouts[] = {
    TALK("greeting: 5 minutes",
	"O: open\nO: wait 299999\nO: wait 1\nE: OVER greeting timed out\n"),
    TALK("a greeting a byte at a time: 5 minutes in all",
	"O: open\nB: 220-\nO: wait 200000\nB: mx\\r\\n220\nO: wait 99999\n"
	"O: wait 1\nE: OVER greeting timed out\n"),
    TALK("EHLO: 5 minutes",
	EHLO "O: wait 299999\nO: wait 1\nE: OVER EHLO timed out\n"),
    TALK("HELO: 5 minutes",
	EHLO "S: 502 no\nC: HELO me.example\nO: wait 299999\nO: wait 1\n"
	     "E: OVER HELO timed out\n"),
    TALK("AUTH: 2 minutes a step",
	EHLO "S: 250-mx\nS: 250 AUTH LOGIN\nC: AUTH LOGIN dQ==\n"
	     "O: wait 119999\nS: 334 UGFzc3dvcmQ6\nC: cA==\nO: wait 119999\n"
	     "O: wait 1\nE: OVER AUTH timed out\n",
	.options = {.user = "u", .password = "p", .auth_in_clear = true}),
    TALK("MAIL: 5 minutes",
	GREETED
	"O: wait 100000000\n"
	"O: send 1\nC: MAIL FROM:<a@x.example>\nO: wait 299999\n"
	"O: wait 1\nE: DONE 1 MAIL timed out\nE: OVER MAIL timed out\n"),
    TALK("RCPT: 5 minutes each",
	ENVELOPE "O: wait 299999\nS: 250 ok\nE: RECIPIENT 1.0 RCPT 250\n"
		 "C: RCPT TO:<c@y.example>\nO: wait 299999\nO: wait 1\n"
		 "E: DONE 1 RCPT timed out\nE: OVER RCPT timed out\n"),
    TALK("in a group, too",
	EHLO "S: 250-mx\nS: 250 PIPELINING\nE: READY\n"
	     "O: send 1\nC: MAIL FROM:<a@x.example>\nC: RCPT TO:<b@y.example>\n"
	     "C: RCPT TO:<c@y.example>\nC: DATA\nO: wait 299999\nS: 250 ok\n"
	     "O: wait 299999\nS: 250 ok\nE: RECIPIENT 1.0 RCPT 250\n"
	     "O: wait 299999\nS: 250 ok\nE: RECIPIENT 1.1 RCPT 250\n"
	     "O: wait 119999\nO: wait 1\nE: DONE 1 DATA timed out\n"
	     "E: OVER DATA timed out\n"),
    TALK("the end of data: 10 minutes",
	ENVELOPE "S: 550 no\nE: RECIPIENT 1.0 RCPT 550\n"
		 "C: RCPT TO:<c@y.example>\nS: 250 ok\n"
		 "E: RECIPIENT 1.1 RCPT 250\nC: DATA\nS: 354 go\n"
		 "C: Hi\nC: .\nO: wait 599999\nO: wait 1\n"
		 "E: DONE 1 end of data timed out, in doubt\n"
		 "E: OVER end of data timed out, in doubt\n"),
    TALK("RSET: 20 seconds",
	GREETED "O: start RSET\nC: RSET\nO: wait 19999\nO: wait 1\n"
		"E: OVER RSET timed out\n"),
    TALK("a command: 5 minutes",
	GREETED "O: command ETRN x\nC: ETRN x\nO: wait 299999\nO: wait 1\n"
		"E: OVER command timed out\n"),
    TALK("QUIT: 10 seconds",
	GREETED "O: quit\nC: QUIT\nO: wait 9999\nO: wait 1\n"
		"E: OVER QUIT timed out\n"),
    TALK("as told", EHLO "O: wait 999\nO: wait 1\nE: OVER EHLO timed out\n",
	.options = {.timeout_ms[SMTP_PHASE_EHLO] = 1000}),
    TALK("never, where told so",
	EHLO "O: wait 100000000\nS: 250 mx\nE: READY\n",
	.options = {.timeout_ms[SMTP_PHASE_EHLO] = CLOCK_NEVER}),
    TALK("a reply that is there is taken, however late",
	"O: open\nB: 220 m\nO: wait 299999\nS: x\nC: EHLO me.example\n"),
};

Test(smtp_client, waits_as_long_as_each_phase_may_take)
{
	CHECK_ALL(timeouts);
}

/* ---- sessions driven by hand ---- */

struct session {
	struct smtp_client_options options;
	struct smtp_client *client;
	struct buffer input;
	struct buffer output;
	struct smtp_client_event event;
	int64_t now;
};

static void
session_init(struct session *session)
{
	*session = (struct session){.options = {.hello = "me.example"}};
	buffer_init(&session->input, (size_t)1024 * 1024);
	buffer_init(&session->output, SMTP_CLIENT_OUTPUT_MAX);
	session->client = smtp_client_new(
	    &session->options, &session->input, &session->output);
}

static void
session_clear(struct session *session)
{
	smtp_client_free(session->client);
	buffer_clear(&session->input);
	buffer_clear(&session->output);
}

static bool
session_next(struct session *session)
{
	return smtp_client_next(session->client, session->now, &session->event);
}

/* All output leaves, the server says text; the kind of the first event, or -1.
 */
static int
session_feed(struct session *session, const char *text)
{
	buffer_empty(&session->output);
	smtp_client_progress(session->client, session->now);
	buffer_append_text(&session->input, text);
	return session_next(session) ? (int)session->event.kind : -1;
}

static void
session_greet(struct session *session, const char *ehlo)
{
	smtp_client_open(session->client, session->now);
	cr_assert_eq(session_feed(session, "220 mx\r\n"), -1);
	cr_assert_eq(session_feed(session, ehlo), SMTP_CLIENT_READY);
}

/* Up to the question for content of message. */
static void
session_envelope(
    struct session *session, const struct smtp_client_message *message)
{
	smtp_client_send(session->client, message, session->now);
	cr_assert_not(session_next(session));
	for (size_t i = 0; i < message->recipient_count; i++)
		cr_assert_eq(
		    session_feed(session,
			i == 0 ? "250 ok\r\n250 ok\r\n" : "250 ok\r\n"),
		    SMTP_CLIENT_RECIPIENT);
	cr_assert_eq(
	    session_feed(session, "354 go\r\n"), SMTP_CLIENT_WANT_CONTENT);
}

Test(smtp_client, gives_content_time_as_long_as_it_moves)
{
	struct session session;

	session_init(&session);
	session_greet(&session, "250-mx\r\n250 PIPELINING\r\n");
	session_envelope(&session, &messages[1].message);
	cr_expect_eq(smtp_client_deadline(session.client), 180000);

	/* The caller reads slowly. */
	session.now = 100000;
	smtp_client_content(
	    session.client, BYTES("0123456789"), false, session.now);
	cr_expect_eq(smtp_client_deadline(session.client), 280000);

	/* The peer reads slowly. */
	session.now = 200000;
	buffer_consume(&session.output, 1);
	smtp_client_progress(session.client, session.now);
	cr_expect_eq(smtp_client_deadline(session.client), 380000);
	session.now = 250000;
	smtp_client_progress(session.client, session.now);
	cr_expect_eq(smtp_client_deadline(session.client), 380000);

	/* All is given, but the dot has not left. */
	cr_assert(session_next(&session));
	smtp_client_content(session.client, BYTES_NONE, true, session.now);
	session.now = 260000;
	buffer_consume(&session.output, session.output.len - 3);
	smtp_client_progress(session.client, session.now);
	cr_expect_eq(smtp_client_deadline(session.client), 440000);

	/* It has: now the server's ten minutes run. */
	session.now = 300000;
	buffer_empty(&session.output);
	smtp_client_progress(session.client, session.now);
	cr_expect_eq(smtp_client_deadline(session.client), 900000);
	session.now = 900000;
	cr_assert(session_next(&session));
	cr_expect_eq(session.event.kind, SMTP_CLIENT_DONE);
	cr_expect_eq(session.event.outcome.kind, SMTP_TIMED_OUT);
	cr_expect_eq(session.event.outcome.phase, SMTP_PHASE_END);
	cr_expect(session.event.outcome.in_doubt);
	session_clear(&session);
}

Test(smtp_client, times_out_content_that_does_not_move)
{
	struct session session;

	session_init(&session);
	session_greet(&session, "250-mx\r\n250 PIPELINING\r\n");
	session_envelope(&session, &messages[1].message);
	smtp_client_content(session.client, BYTES("Hi\r\n"), true, 0);
	session.now = 179999;
	cr_expect_not(session_next(&session));
	session.now = 180000;
	cr_assert(session_next(&session));
	cr_expect_eq(session.event.outcome.kind, SMTP_TIMED_OUT);
	cr_expect_eq(session.event.outcome.phase, SMTP_PHASE_CONTENT);
	cr_expect_not(session.event.outcome.in_doubt);
	cr_assert(session_next(&session));
	cr_expect_eq(session.event.kind, SMTP_CLIENT_OVER);
	cr_expect_eq(session.output.len, 0, "and it never leaves");
	session_clear(&session);
}

Test(smtp_client, waits_for_nothing_between_orders)
{
	struct session session;

	session_init(&session);
	cr_expect_eq(smtp_client_deadline(session.client), CLOCK_NEVER);
	session_greet(&session, "250 mx\r\n");
	cr_expect_eq(smtp_client_deadline(session.client), CLOCK_NEVER);
	smtp_client_eof(session.client, BYTES_NONE);
	cr_assert(session_next(&session));
	cr_expect_eq(smtp_client_deadline(session.client), CLOCK_NEVER);
	cr_expect_not(session_next(&session));
	session_clear(&session);
}

Test(smtp_client, says_when_it_can_send)
{
	struct session session;

	session_init(&session);
	smtp_client_open(session.client, 0);
	cr_expect_not(smtp_client_can_send(session.client));
	cr_expect_eq(session_feed(&session, "220 mx\r\n"), -1);
	cr_expect_eq(session_feed(&session,
			 "250-mx\r\n250-LIMITS MAILMAX=2\r\n"
			 "250 PIPELINING\r\n"),
	    SMTP_CLIENT_READY);
	cr_expect(smtp_client_is_reusable(session.client));
	cr_expect(smtp_client_can_send(session.client));
	cr_expect_not(smtp_client_has_pipelined(session.client));
	session_envelope(&session, &messages[1].message);
	cr_expect_not(smtp_client_is_idle(session.client));
	cr_expect_not(smtp_client_can_send(session.client));
	smtp_client_content(session.client, BYTES("Hi\n"), false, 0);
	cr_expect_not(smtp_client_can_send(session.client));
	cr_expect(session_next(&session));
	smtp_client_content(session.client, BYTES("Hi\n"), true, 0);
	cr_expect(smtp_client_can_send(session.client), "behind the dot");
	cr_expect(smtp_client_has_pipelined(session.client));
	smtp_client_send(session.client, &messages[1].message, 0);
	cr_expect_not(smtp_client_can_send(session.client));
	cr_expect_not(session_next(&session));
	cr_expect_eq(session_feed(&session, "250 ok\r\n"), SMTP_CLIENT_DONE);
	cr_expect_eq(session_feed(&session, "550 no\r\n503 no\r\n503 no\r\n"),
	    SMTP_CLIENT_DONE);
	cr_expect(smtp_client_is_idle(session.client));
	cr_expect_not(smtp_client_can_send(session.client), "MAILMAX");
	cr_expect_not(smtp_client_is_reusable(session.client));
	session_clear(&session);
}

Test(smtp_client, keeps_no_password_in_the_output)
{
	struct session session;

	session_init(&session);
	session.options.user = "user";
	session.options.password = "password";
	session.options.auth_in_clear = true;
	smtp_client_open(session.client, 0);
	cr_expect_eq(session_feed(&session, "220 mx\r\n"), -1);
	cr_expect_eq(
	    session_feed(&session, "250-mx\r\n250 AUTH PLAIN\r\n"), -1);
	cr_expect_gt(session.output.len, 0);
	cr_expect_eq(session_feed(&session, "235 ok\r\n"), SMTP_CLIENT_READY);
	cr_expect_null(session.output.memory);
	session_clear(&session);
}

/* ---- many recipients ---- */

#define MANY 5000

/* The server takes all of them; what is unread stays bounded. */
static size_t
send_to_many(struct session *session, size_t drain)
{
	size_t replies_due = 0, most = 0, recipients = 0;
	bool is_done = false;

	while (!is_done) {
		while (session_next(session)) {
			const enum smtp_client_event_kind kind =
			    session->event.kind;
			recipients += kind == SMTP_CLIENT_RECIPIENT;
			is_done |= kind == SMTP_CLIENT_DONE;
			if (kind == SMTP_CLIENT_WANT_CONTENT)
				smtp_client_content(session->client,
				    BYTES("Hi\n"), true, session->now);
		}
		most = session->output.len > most ? session->output.len : most;
		struct bytes out =
		    bytes_first(buffer_bytes(&session->output), drain);
		for (size_t i = 0; i < out.len; i++)
			if (out.data[i] == '\n')
				replies_due++;
		const bool is_content = bytes_has_prefix(out, "Hi\r\n");
		const bool is_data = bytes_has_suffix_nocase(out, "DATA\r\n");
		buffer_consume(&session->output, out.len);
		for (; replies_due > (is_content || is_data ? 1U : 0U);
		     replies_due--)
			if (!is_content)
				buffer_append_text(
				    &session->input, "250 ok\r\n");
		if (is_content || is_data)
			buffer_append_text(&session->input,
			    is_data ? "354 go\r\n" : "250 ok\r\n");
		replies_due = 0;
	}
	cr_expect_eq(recipients, MANY);
	return most;
}

Test(smtp_client, holds_many_recipients_back_until_the_output_drains)
{
	static struct smtp_client_recipient crowd[MANY];
	static char addresses[MANY][32];
	struct smtp_client_message message = messages[0].message;
	struct session session;

	for (size_t i = 0; i < MANY; i++) {
		(void)snprintf(
		    addresses[i], sizeof(addresses[i]), "u%zu@y.example", i);
		crowd[i] = (struct smtp_client_recipient){
		    .address = bytes_of(addresses[i]),
		    .params = {.original = BYTES_NONE},
		};
	}
	message.recipients = crowd;
	message.recipient_count = MANY;
	session_init(&session);
	session_greet(&session, "250-mx\r\n250 PIPELINING\r\n");
	smtp_client_send(session.client, &message, 0);
	const size_t most = send_to_many(&session, SIZE_MAX);
	cr_expect_lt(most, (size_t)32 * 1024, "%zu octets of output", most);
	session_clear(&session);
}

/* ---- the connection ends at each octet ---- */

struct ending {
	const char *turns[8]; /* of the server */
	/* Octets from which on the message is in doubt, and is accepted. */
	size_t doubt_from;
	size_t accepted_from;
};

static size_t
length_of(const struct ending *ending, size_t turns)
{
	size_t len = 0;

	for (size_t i = 0; i < turns; i++)
		len += strlen(ending->turns[i]);
	return len;
}

struct result {
	unsigned done;
	unsigned over;
	struct smtp_outcome outcome; /* of DONE; texts are gone */
	bool was_ready;
};

static void
take_all(struct session *session, struct result *result)
{
	while (session_next(session)) {
		const struct smtp_client_event *event = &session->event;
		cr_assert_eq(result->over, 0, "OVER comes last");
		switch (event->kind) {
		case SMTP_CLIENT_READY:
			result->was_ready = true;
			smtp_client_send(
			    session->client, &messages[1].message, 0);
			break;
		case SMTP_CLIENT_WANT_CONTENT:
			smtp_client_content(
			    session->client, BYTES("Ho\n"), true, 0);
			break;
		case SMTP_CLIENT_DONE:
			result->done++;
			result->outcome = event->outcome;
			smtp_client_quit(session->client, 0);
			break;
		case SMTP_CLIENT_OVER:
			result->over++;
			break;
		case SMTP_CLIENT_START_TLS:
		case SMTP_CLIENT_RECIPIENT:
		case SMTP_CLIENT_REPLY:
			break;
		}
	}
}

/* The server's octets up to limit, then the end. */
static struct result
play_until(const struct ending *ending, size_t limit)
{
	struct session session;
	struct result result = {0};

	session_init(&session);
	smtp_client_open(session.client, 0);
	for (size_t i = 0; ending->turns[i] != NULL; i++) {
		const struct bytes turn =
		    bytes_first(bytes_of(ending->turns[i]), limit);
		take_all(&session, &result);
		buffer_empty(&session.output);
		buffer_append(&session.input, turn);
		take_all(&session, &result);
		limit -= turn.len;
	}
	smtp_client_eof(session.client, BYTES_NONE);
	take_all(&session, &result);
	session_clear(&session);
	return result;
}

static void
check_endings(const struct ending *ending, size_t turns)
{
	for (size_t i = 0; i <= length_of(ending, turns); i++) {
		const struct result result = play_until(ending, i);
		const bool is_accepted = i >= ending->accepted_from;
		cr_expect_eq(result.over, 1, "%zu", i);
		cr_expect_eq(result.done, result.was_ready ? 1 : 0, "%zu", i);
		if (result.done == 0)
			continue;
		cr_expect_eq(result.outcome.kind,
		    is_accepted ? SMTP_REPLIED : SMTP_CLOSED, "%zu", i);
		cr_expect_eq(
		    result.outcome.code, is_accepted ? 250 : 0, "%zu", i);
		cr_expect_eq(result.outcome.in_doubt,
		    !is_accepted && i >= ending->doubt_from, "%zu", i);
	}
}

Test(smtp_client, is_right_wherever_the_connection_ends)
{
	struct ending lockstep = {
	    .turns = {"220-mx\r\n220 hi\r\n", "250 mx\r\n", "250 ok\r\n",
		"250 ok\r\n", "354 go\r\n", "250-2.0.0\r\n250 ok\r\n",
		"221 bye\r\n"}};
	struct ending pipelined = {
	    .turns = {"220 mx\r\n", "250-mx\r\n250 PIPELINING\r\n",
		"250 ok\r\n250 ok\r\n354 go\r\n", "250 ok\r\n", "221 bye\r\n"}};
	struct ending chunked = {
	    .turns = {"220 mx\r\n",
		"250-mx\r\n250-CHUNKING\r\n250 PIPELINING\r\n",
		"250 ok\r\n250 ok\r\n250 ok\r\n", "221 bye\r\n"}};

	lockstep.doubt_from = length_of(&lockstep, 5);
	lockstep.accepted_from = length_of(&lockstep, 6);
	check_endings(&lockstep, 7);
	pipelined.doubt_from = length_of(&pipelined, 3);
	pipelined.accepted_from = length_of(&pipelined, 4);
	check_endings(&pipelined, 5);
	chunked.doubt_from = length_of(&chunked, 2);
	chunked.accepted_from = length_of(&chunked, 3);
	check_endings(&chunked, 4);
}

/* ---- any reply at each phase ---- */

/* The final word of each phase on a reply that is not the one hoped for. */
static void
check_reply(size_t turn, const char *code)
{
	static const char *const hoped[] = {"220 mx\r\n", "250 mx\r\n",
	    "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250 ok\r\n"};
	static const enum smtp_phase phases[] = {SMTP_PHASE_GREETING,
	    SMTP_PHASE_EHLO, SMTP_PHASE_MAIL, SMTP_PHASE_RCPT, SMTP_PHASE_DATA,
	    SMTP_PHASE_END};
	const int number = (int)strtol(code, NULL, 10);
	const bool is_nonsense = code[0] == '3' || code[0] == '1';
	struct ending ending = {.doubt_from = 0};
	char text[64];

	for (size_t i = 0; i < turn; i++)
		ending.turns[i] = hoped[i];
	(void)snprintf(text, sizeof(text), "%s x\r\n", code);
	ending.turns[turn] = text;
	const struct result result = play_until(&ending, SIZE_MAX);
	cr_expect_eq(result.over, 1, "%zu %s", turn, code);
	cr_expect_eq(result.done, turn < 2 ? 0 : 1, "%zu %s", turn, code);
	if (result.done == 0)
		return;
	cr_expect_eq(result.outcome.kind,
	    is_nonsense ? SMTP_MALFORMED : SMTP_REPLIED, "%zu %s", turn, code);
	cr_expect_eq(result.outcome.code, is_nonsense ? 0 : number, "%zu %s",
	    turn, code);
	cr_expect_eq(result.outcome.phase, phases[turn], "%zu %s", turn, code);
	cr_expect_eq(result.outcome.in_doubt, is_nonsense && turn == 5,
	    "%zu %s", turn, code);
}

Test(smtp_client, takes_each_refusal_at_each_phase_for_what_it_is)
{
	static const char *const codes[] = {
	    "421", "450", "451", "452", "500", "530", "550", "554", "599"};

	for (size_t turn = 0; turn < 6; turn++)
		for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
			check_reply(turn, codes[i]);
	for (size_t turn = 2; turn < 6; turn++) {
		check_reply(turn, "150");
		if (turn != 4)
			check_reply(turn, "354");
	}
}

/* ---- I1: replies without end ---- */

/* What the session makes of text, said as often as it listens. */
static struct smtp_outcome
flood(struct session *session, const char *text, size_t *out_octets)
{
	*out_octets = 0;
	while (!session_next(session)) {
		cr_assert_lt(*out_octets, (size_t)2 * 1024 * 1024);
		cr_assert_lt(session->input.len, (size_t)16 * 1024);
		buffer_empty(&session->output);
		buffer_append_text(&session->input, text);
		*out_octets += strlen(text);
	}
	return session->event.outcome;
}

Test(smtp_client, does_not_listen_for_ever)
{
	static const char *const floods[] = {"250-x\r\n", "250-", "250", "x",
	    "\n", "\xff",
	    "250-a long line of a long reply, so that it is"
	    " longer than a mebibyte before it has too many lines: "
	    "01234567890123456789012345678901234567890123456789012345678901234"
	    "56789012345678901234567890123456789012345678901234567890123456789"
	    "\r\n"};

	for (size_t i = 0; i < sizeof(floods) / sizeof(floods[0]); i++) {
		struct session session;
		size_t octets = 0;
		session_init(&session);
		smtp_client_open(session.client, 0);
		cr_assert_eq(session_feed(&session, "220 mx\r\n"), -1);
		const struct smtp_outcome outcome =
		    flood(&session, floods[i], &octets);
		cr_expect_eq(session.event.kind, SMTP_CLIENT_OVER);
		cr_expect_eq(outcome.kind, SMTP_MALFORMED, "%s", floods[i]);
		session_clear(&session);
	}
}

Test(smtp_client, fails_where_the_output_is_too_small)
{
	struct session session;

	session_init(&session);
	session_greet(&session, "250-mx\r\n250 PIPELINING\r\n");
	session_envelope(&session, &messages[1].message);
	session.output.limit = 10;
	smtp_client_content(
	    session.client, BYTES("more than ten octets\n"), true, 0);
	cr_assert(session_next(&session));
	cr_expect_eq(session.event.kind, SMTP_CLIENT_DONE);
	cr_expect_eq(session.event.outcome.kind, SMTP_FAILED);
	cr_expect_not(session.event.outcome.in_doubt);
	session_clear(&session);
}

Test(smtp_client, tells_what_the_server_offers)
{
	struct session session;

	session_init(&session);
	session_greet(&session, "250-mx\r\n250-SIZE 1000\r\n250 ETRN\r\n");
	const struct extensions *offers =
	    smtp_client_extensions(session.client);
	cr_expect(offers->esmtp);
	cr_expect(extensions_has(offers, EXTENSION_ETRN));
	cr_expect_eq(offers->size_max, 1000);
	session_clear(&session);
}

Test(smtp_client, takes_no_order_once_it_is_over)
{
	struct session session;

	session_init(&session);
	smtp_client_open(session.client, 0);
	smtp_client_eof(session.client, BYTES_NONE);
	smtp_client_eof(session.client, BYTES("again"));
	cr_assert(session_next(&session));
	cr_expect_eq(session.event.kind, SMTP_CLIENT_OVER);
	cr_expect(smtp_client_command(session.client, BYTES("NOOP"), 0));
	smtp_client_start(session.client, SMTP_PHASE_EHLO, 0);
	smtp_client_start_content(session.client, 1, 0);
	smtp_client_write(session.client, BYTES("NOOP\r\n"));
	smtp_client_expect(session.client, 0);
	smtp_client_tls_started(session.client, 0);
	smtp_client_content(session.client, BYTES("Hi"), true, 0);
	smtp_client_fail(session.client, SMTP_PHASE_TLS, BYTES_NONE);
	smtp_client_quit(session.client, 0);
	cr_expect_not(session_next(&session));
	cr_expect_not(smtp_client_can_send(session.client));
	cr_expect_eq(session.output.len, 0);
	session_clear(&session);
}
