/*
 * Plays a client session from a transcript (transcript.h).
 *
 *   O: open                  an order, as below
 *   S: 220 mx.example        the server says; lines together make one turn
 *   B: 220 mx\r\n25          the same, but octets as they are
 *   C: EHLO me.example       the client's output, written out after each turn
 *   P: par                   output that ends no line
 *   E: DONE 1 DATA 554 5.5.1 an event and its outcome
 *   T: sent QUIT             what was traced, where it is asked for
 *
 * Orders: open, start PHASE, start-content REPLIES, send NUMBER, command LINE,
 * secret LINE, write LINE, expect, quit, tls, eof [WHY], fail PHASE, wait MS.
 * WANT_CONTENT is answered at once with the next stretch of the content.
 */
#pragma once

#include "base/buffer.h"
#include "smtp/smtp_client.h"
#include "smtp/transcript.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For initialisers of messages. */
#define DIALOGUE_MESSAGE(from, to, to_count)                                   \
	.message = {                                                           \
	    .sender = {from, sizeof(from) - 1},                                \
	    .params = {.envelope_id = {"", 0}, .auth = {"", 0}},               \
	    .recipients = to,                                                  \
	    .recipient_count = to_count,                                       \
	}
#define DIALOGUE_RECIPIENT(to)                                                 \
	{                                                                      \
		.address = {to, sizeof(to) - 1},                               \
		.params = {.original = {"", 0}},                               \
	}

struct dialogue_message {
	struct smtp_client_message message;
	const char *content;
	size_t stretch; /* octets given at a time; 0: all */
};

struct dialogue {
	const char *name;
	const char *text;
	struct smtp_client_options options; /* hello: "me.example" where NULL */
	const struct dialogue_message *messages;
	struct bytes binding; /* tls-exporter */
	bool with_texts;      /* events are told with their text */
	bool with_requests;   /* WANT_CONTENT is told, too */
	bool with_trace;
};

/* Play it in all ways of cutting: always as its text says. */
void dialogue_check(const struct dialogue *dialogue);

/* ---- for tests that go their own way ---- */

struct dialogue_player {
	const struct dialogue *dialogue;
	struct smtp_client_options options;
	struct smtp_client *client;
	struct buffer input;
	struct buffer output;
	struct buffer *log;
	struct transcript_cuts cuts;
	int64_t now;
	size_t given[16]; /* octets of content by message */
};

void dialogue_init(struct dialogue_player *player,
    const struct dialogue *dialogue, struct buffer *log);
void dialogue_clear(struct dialogue_player *player);
/* One turn of the server; then all that happens of itself. */
void dialogue_feed(struct dialogue_player *player, struct bytes turn);
/* An order, without its "O: "; then all that happens of itself. */
void dialogue_order(struct dialogue_player *player, struct bytes line);
