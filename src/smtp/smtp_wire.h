/*
 * What a client session writes, and which replies it expects for it.
 *
 * Replies come in the order of the commands, so one small ring of expected
 * replies is all there is to pipelining.  Private to the client session.
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"
#include "smtp/dot.h"
#include "smtp/smtp_client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Replies that may be outstanding; a few places are kept for the commands that
 * end a transaction or a session. */
#define SMTP_WIRE_WINDOW  128
#define SMTP_WIRE_RESERVE 8
/* Nothing but what must be is appended while the output holds more. */
#define SMTP_WIRE_HIGH_WATER ((size_t)16 * 1024)

struct smtp_transaction;

struct smtp_expected {
	enum smtp_phase phase;
	struct smtp_transaction *transaction; /* or NULL */
	size_t recipient;                     /* RCPT: its index */
	/* Octets, of all ever written, that must have left before the reply
	 * can come: up to the last of its command.  Set by expect(). */
	uint64_t due_after;
};

/*
 * written - output->len octets have left; that never falls.
 * first < SMTP_WIRE_WINDOW, len <= SMTP_WIRE_WINDOW.
 */
struct smtp_wire {
	const struct smtp_client_options *options;
	struct buffer *output; /* borrowed */
	struct buffer line;    /* the command under construction */
	uint64_t written;
	uint64_t left; /* as last seen by smtp_wire_has_progressed() */
	struct smtp_expected ring[SMTP_WIRE_WINDOW];
	unsigned first;
	unsigned len;
	unsigned most; /* largest len ever */
	int64_t since; /* since when we wait for the oldest, monotonic ms */
};

void smtp_wire_init(struct smtp_wire *wire,
    const struct smtp_client_options *options, struct buffer *output);
void smtp_wire_clear(struct smtp_wire *wire);

/*
 * A command: begin with its verb ("MAIL FROM:", written in the verbs' style of
 * the options), append to the buffer returned, then end it.  No CR, LF or NUL
 * may be in it.
 */
struct buffer *smtp_wire_begin(struct smtp_wire *wire, const char *verb);
/* secret: it holds credentials; no copy of it stays here. */
void smtp_wire_end(struct smtp_wire *wire, struct smtp_expected expected,
    bool secret, int64_t now);
/* The same for a command that octets belong to, which follow its line. */
void smtp_wire_end_with(struct smtp_wire *wire, struct smtp_expected expected,
    struct bytes payload, bool secret, int64_t now);
/* Would the command under construction stay one line? */
bool smtp_wire_is_line(const struct smtp_wire *wire);
/* Octets as they are, with no reply expected. */
void smtp_wire_raw(struct smtp_wire *wire, struct bytes octets, bool secret);
/* A stretch of content with dots doubled, and the final dot where last. */
void smtp_wire_content(struct smtp_wire *wire, struct dot_encoder *encoder,
    struct bytes content, bool last);

/* Expect a reply to what was written last. */
void smtp_wire_expect(
    struct smtp_wire *wire, struct smtp_expected expected, int64_t now);
/* NULL where nothing is expected. */
const struct smtp_expected *smtp_wire_oldest(const struct smtp_wire *wire);
/* Only where one is expected. */
void smtp_wire_pop(struct smtp_wire *wire, int64_t now);
/* Nothing more is expected, and nothing more goes out. */
void smtp_wire_shut(struct smtp_wire *wire);

/* Have so many octets, of all ever written, left? */
bool smtp_wire_has_left(const struct smtp_wire *wire, uint64_t octets);
/* Has the command of the oldest expected reply left? */
bool smtp_wire_is_due(const struct smtp_wire *wire);
/* May more be appended now? */
bool smtp_wire_has_room(const struct smtp_wire *wire);
/* Have octets left since the last call? */
bool smtp_wire_has_progressed(struct smtp_wire *wire);
