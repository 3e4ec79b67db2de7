#include "smtp/smtp_wire.h"

#include <assert.h>

/* A command with all its parameters, or a SASL response, is far shorter. */
#define LINE_MAX_OCTETS ((size_t)64 * 1024)

static void
trace(const struct smtp_wire *wire, struct bytes octets, bool secret)
{
	const struct smtp_client_options *options = wire->options;

	if (options->trace != NULL && octets.len > 0)
		options->trace(true, octets, secret, options->trace_ctx);
}

static char
to_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

void
smtp_wire_init(struct smtp_wire *wire,
    const struct smtp_client_options *options, struct buffer *output)
{
	*wire = (struct smtp_wire){
	    .options = options,
	    .output = output,
	    .written = output->len,
	};
	buffer_init(&wire->line, LINE_MAX_OCTETS);
}

void
smtp_wire_clear(struct smtp_wire *wire)
{
	buffer_clear_secret(&wire->line);
}

/* UPPER "MAIL FROM:", LOWER "mail from:", SEED "mail FROM:". */
struct buffer *
smtp_wire_begin(struct smtp_wire *wire, const char *verb)
{
	const enum smtp_verbs verbs = wire->options->verbs;
	bool lower = verbs != SMTP_VERBS_UPPER;

	buffer_empty(&wire->line);
	for (const char *p = verb; *p != '\0'; p++) {
		if (*p == ' ' && verbs == SMTP_VERBS_SEED)
			lower = false;
		buffer_append_char(&wire->line, lower ? to_lower(*p) : *p);
	}
	return &wire->line;
}

bool
smtp_wire_is_line(const struct smtp_wire *wire)
{
	const struct bytes line = buffer_bytes(&wire->line);

	return !wire->line.overflowed && !bytes_contains(line, '\r') &&
	    !bytes_contains(line, '\n') && !bytes_contains(line, '\0');
}

void
smtp_wire_end_with(struct smtp_wire *wire, struct smtp_expected expected,
    struct bytes payload, bool secret, int64_t now)
{
	assert(smtp_wire_is_line(wire));

	buffer_append_text(&wire->line, "\r\n");
	smtp_wire_raw(wire, buffer_bytes(&wire->line), secret);
	smtp_wire_raw(wire, payload, secret);
	smtp_wire_expect(wire, expected, now);
	if (secret)
		buffer_clear_secret(&wire->line);
}

void
smtp_wire_end(struct smtp_wire *wire, struct smtp_expected expected,
    bool secret, int64_t now)
{
	smtp_wire_end_with(wire, expected, BYTES_NONE, secret, now);
}

void
smtp_wire_raw(struct smtp_wire *wire, struct bytes octets, bool secret)
{
	trace(wire, octets, secret);
	buffer_append(wire->output, octets);
	wire->written += octets.len;
}

void
smtp_wire_content(struct smtp_wire *wire, struct dot_encoder *encoder,
    struct bytes content, bool last)
{
	const size_t before = wire->output->len;

	dot_encode(encoder, content, true, wire->output);
	if (last)
		dot_encode_end(encoder, true, wire->output);
	wire->written += wire->output->len - before;
	trace(wire, bytes_from(buffer_bytes(wire->output), before), false);
}

void
smtp_wire_expect(
    struct smtp_wire *wire, struct smtp_expected expected, int64_t now)
{
	assert(wire->len < SMTP_WIRE_WINDOW);

	if (wire->len == 0)
		wire->since = now;
	expected.due_after = wire->written;
	wire->ring[(wire->first + wire->len) % SMTP_WIRE_WINDOW] = expected;
	wire->len++;
	if (wire->len > wire->most)
		wire->most = wire->len;
}

const struct smtp_expected *
smtp_wire_oldest(const struct smtp_wire *wire)
{
	return wire->len > 0 ? &wire->ring[wire->first] : NULL;
}

void
smtp_wire_pop(struct smtp_wire *wire, int64_t now)
{
	assert(wire->len > 0);

	wire->first = (wire->first + 1) % SMTP_WIRE_WINDOW;
	wire->len--;
	wire->since = now;
}

void
smtp_wire_shut(struct smtp_wire *wire)
{
	wire->len = 0;
	buffer_empty(wire->output);
}

bool
smtp_wire_has_left(const struct smtp_wire *wire, uint64_t octets)
{
	return wire->written - wire->output->len >= octets;
}

bool
smtp_wire_is_due(const struct smtp_wire *wire)
{
	const struct smtp_expected *oldest = smtp_wire_oldest(wire);

	return oldest != NULL && smtp_wire_has_left(wire, oldest->due_after);
}

bool
smtp_wire_has_room(const struct smtp_wire *wire)
{
	return wire->output->len < SMTP_WIRE_HIGH_WATER &&
	    wire->len + SMTP_WIRE_RESERVE <= SMTP_WIRE_WINDOW;
}

bool
smtp_wire_has_progressed(struct smtp_wire *wire)
{
	const uint64_t left = wire->written - wire->output->len;
	const bool progressed = left > wire->left;

	wire->left = left;
	return progressed;
}
