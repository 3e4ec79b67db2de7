/* Our client and our server, face to face. */
#include "smtp/dialogue.h"
#include "smtp/smtp_client.h"
#include "smtp/smtp_server.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGES 4

static const struct smtp_client_recipient people[] = {
    DIALOGUE_RECIPIENT("b@y.example"),
    DIALOGUE_RECIPIENT("nobody@y.example"),
    DIALOGUE_RECIPIENT("c@y.example"),
};

static const struct dialogue_message sent[MESSAGES] = {
    {DIALOGUE_MESSAGE("a@x.example", people, 3),
	"Subject: x\r\n\r\n.\r\n..\r\n.x\r\nno end", 5},
    {DIALOGUE_MESSAGE("", people, 1), "", 0},
    {DIALOGUE_MESSAGE("refused@x.example", people, 1), "never\r\n", 0},
    {DIALOGUE_MESSAGE("a@x.example", people, 3), "\r\n.\r\n", 1},
};

/* What the server has once all of them are through. */
static const char received[] = "Subject: x\r\n\r\n.\r\n..\r\n.x\r\nno end\r\n|"
			       "|"
			       "\r\n.\r\n|";

struct pair {
	struct smtp_client *client;
	struct smtp_server server;
	struct buffer to_server; /* the client's output, the server's input */
	struct buffer to_client;
	struct buffer content;
	bool lmtp;
	unsigned recipients; /* accepted by the server */
	unsigned next;       /* message to send */
	size_t given;
	unsigned done[MESSAGES]; /* codes */
	unsigned delivered;      /* recipients of accepted messages */
	bool is_over;
};

/* ---- the server ---- */

static void
answer(struct pair *pair, int code)
{
	smtp_server_answer(&pair->server, code,
	    code == 354      ? ""
		: code < 300 ? "2.0.0"
			     : "5.1.1",
	    "so be it", 0);
}

static void
end_content(struct pair *pair)
{
	buffer_append_char(&pair->content, '|');
	for (unsigned i = 0; i < (pair->lmtp ? pair->recipients : 1); i++)
		answer(pair, 250);
	pair->recipients = 0;
}

static void
serve(struct pair *pair)
{
	struct smtp_server_event event;

	while (smtp_server_next(&pair->server, 0, &event)) {
		switch (event.kind) {
		case SMTP_SERVER_MAIL:
			pair->recipients = 0;
			answer(pair,
			    bytes_has_prefix(event.text, "refused") ? 550
								    : 250);
			break;
		case SMTP_SERVER_RCPT: {
			const bool is_known =
			    !bytes_has_prefix(event.text, "nobody");
			pair->recipients += is_known;
			answer(pair, is_known ? 250 : 550);
			break;
		}
		case SMTP_SERVER_DATA:
			answer(pair, 354);
			break;
		case SMTP_SERVER_CONTENT:
			buffer_append(&pair->content, event.text);
			break;
		case SMTP_SERVER_END:
			end_content(pair);
			break;
		case SMTP_SERVER_ETRN:
			answer(pair, 250);
			break;
		case SMTP_SERVER_HELLO:
		case SMTP_SERVER_RESET:
		case SMTP_SERVER_CLOSE:
		case SMTP_SERVER_START_TLS:
			break;
		}
	}
}

/* ---- the client ---- */

static size_t
number_of(const struct smtp_client_message *message)
{
	size_t i = 0;

	while (&sent[i].message != message)
		i++;
	return i;
}

static void
give(struct pair *pair, const struct smtp_client_message *message)
{
	const struct dialogue_message *source = &sent[number_of(message)];
	const struct bytes rest =
	    bytes_from(bytes_of(source->content), pair->given);
	const struct bytes stretch =
	    bytes_first(rest, source->stretch > 0 ? source->stretch : rest.len);

	pair->given += stretch.len;
	smtp_client_content(pair->client, stretch, stretch.len == rest.len, 0);
}

static void
see(struct pair *pair, const struct smtp_client_event *event)
{
	const struct smtp_outcome *outcome = &event->outcome;

	switch (event->kind) {
	case SMTP_CLIENT_WANT_CONTENT:
		give(pair, event->message);
		break;
	case SMTP_CLIENT_RECIPIENT:
		if (outcome->code == 250 &&
		    (outcome->phase == SMTP_PHASE_END || !pair->lmtp))
			pair->delivered++;
		break;
	case SMTP_CLIENT_DONE:
		pair->done[number_of(event->message)] = (unsigned)outcome->code;
		break;
	case SMTP_CLIENT_OVER:
		pair->is_over = true;
		cr_expect_eq(outcome->kind, SMTP_REPLIED, "%.*s",
		    BYTES_ARGS(outcome->text));
		break;
	case SMTP_CLIENT_READY:
	case SMTP_CLIENT_START_TLS:
	case SMTP_CLIENT_REPLY:
		break;
	}
}

static void
talk(struct pair *pair)
{
	struct smtp_client_event event;

	while (smtp_client_next(pair->client, 0, &event)) {
		see(pair, &event);
		if (!smtp_client_can_send(pair->client))
			continue;
		if (pair->next < MESSAGES) {
			pair->given = 0;
			smtp_client_send(
			    pair->client, &sent[pair->next++].message, 0);
		} else if (smtp_client_is_idle(pair->client)) {
			smtp_client_quit(pair->client, 0);
		}
	}
}

/* ---- both ---- */

static void
play(const struct smtp_client_options *client_options)
{
	const struct smtp_server_options server_options = {
	    .hostname = "mx.example",
	    .lmtp = client_options->lmtp,
	    .message_size_max = 10000,
	    .recipients_max = 100,
	    .command_timeout_ms = 1000,
	    .content_timeout_ms = 1000,
	    .errors_max = 20,
	};
	struct pair pair = {.lmtp = client_options->lmtp};

	buffer_init(&pair.to_server, SMTP_CLIENT_OUTPUT_MAX);
	buffer_init(&pair.to_client, 100000);
	buffer_init(&pair.content, 100000);
	smtp_server_init(
	    &pair.server, &server_options, &pair.to_server, &pair.to_client, 0);
	pair.client =
	    smtp_client_new(client_options, &pair.to_client, &pair.to_server);
	smtp_client_open(pair.client, 0);
	for (int turns = 0; turns < 200 && !pair.is_over; turns++) {
		talk(&pair);
		serve(&pair);
	}
	cr_expect(pair.is_over);
	cr_expect(bytes_is(buffer_bytes(&pair.content), received), "%.*s",
	    BYTES_ARGS(buffer_bytes(&pair.content)));
	cr_expect_eq(pair.delivered, 2 + 1 + 2);
	for (size_t i = 0; i < MESSAGES; i++)
		cr_expect_eq(pair.done[i], i == 2 ? 550 : 250, "%zu", i);
	smtp_client_free(pair.client);
	smtp_server_clear(&pair.server);
	buffer_clear(&pair.to_server);
	buffer_clear(&pair.to_client);
	buffer_clear(&pair.content);
}

Test(smtp_pair, carries_messages_in_every_way)
{
	for (unsigned ways = 0; ways < 8; ways++) {
		const struct smtp_client_options options = {
		    .hello = "me.example",
		    .lmtp = (ways & 1U) != 0,
		    .no_pipelining = (ways & 2U) != 0,
		    .no_chunking = (ways & 4U) != 0,
		};
		play(&options);
	}
}
