#include "queue/facts.h"

#include "queue/wire.h"

#include <stdint.h>
#include <stdlib.h>

#define FIXED_LEN      40 /* of an envelope, and of a progress */
#define ENVELOPE_UTF8  1U
#define ENVELOPE_TLS   2U
#define PROGRESS_DELAY 1U
#define PROGRESS_HELD  2U
/* The least that a recipient takes: 4 octets and three texts. */
#define RECIPIENT_LEN_MIN 16

void
facts_put_envelope(struct buffer *buffer, const struct envelope *envelope)
{
	unsigned flags = (envelope->utf8 ? ENVELOPE_UTF8 : 0) |
	    (envelope->require_tls ? ENVELOPE_TLS : 0);

	wire_put16(buffer, FIXED_LEN);
	buffer_append_char(buffer, (char)flags);
	buffer_append_char(buffer, (char)envelope->body);
	buffer_append_char(buffer, (char)envelope->ret);
	buffer_append_char(buffer, (char)envelope->origin);
	wire_put16(buffer, 0);
	wire_put64(buffer, (uint64_t)envelope->arrived_at);
	wire_put64(buffer, envelope->drop_key);
	wire_put32(buffer, envelope->uid);
	wire_put32(buffer, (uint32_t)envelope->recipient_count);
	wire_put64(buffer, 0);
	wire_put_text(buffer, envelope->sender);
	wire_put_text(buffer, envelope->id);
	wire_put_text(buffer, envelope->client);
	for (size_t i = 0; i < envelope->recipient_count; i++) {
		wire_put32(buffer, envelope->recipients[i].notify);
		wire_put_text(buffer, envelope->recipients[i].address);
		wire_put_text(buffer, envelope->recipients[i].original);
	}
}

void
facts_put_progress(struct buffer *buffer, const struct progress *progress)
{
	unsigned flags = (progress->delay_reported ? PROGRESS_DELAY : 0) |
	    (progress->held ? PROGRESS_HELD : 0);

	wire_put16(buffer, FIXED_LEN);
	wire_put16(buffer, (uint16_t)flags);
	wire_put32(buffer, progress->attempts);
	wire_put64(buffer, (uint64_t)progress->attempted_at);
	wire_put64(buffer, (uint64_t)progress->next_at);
	wire_put32(buffer, progress->in_doubt);
	wire_put32(buffer, (uint32_t)progress->recipient_count);
	wire_put64(buffer, 0);
	for (size_t i = 0; i < progress->recipient_count; i++) {
		const struct recipient_progress *recipient =
		    &progress->recipients[i];
		wire_put32(buffer, (uint32_t)recipient->state);
		wire_put_text(buffer, recipient->status);
		wire_put_text(buffer, recipient->reason);
		wire_put_text(buffer, recipient->upstream);
	}
}

/* The fixed part, which a later version may have made longer. */
static struct wire
take_fixed(struct wire *wire)
{
	size_t len = wire_take16(wire);
	if (len < FIXED_LEN)
		wire->is_bad = true;
	struct bytes rest = wire_take(wire, len - sizeof(uint16_t));
	return (struct wire){.rest = rest, .is_bad = wire->is_bad};
}

/* An address is to have no control characters: envelope.h insists. */
static char *
take_address(struct wire *wire)
{
	char *address = wire_take_text(wire);

	if (address == NULL || bytes_has_control(bytes_of(address)))
		wire->is_bad = true;
	if (!wire->is_bad)
		return address;
	free(address);
	return NULL;
}

static void
read_recipient(struct wire *wire, struct envelope *envelope)
{
	unsigned notify = wire_take32(wire);
	char *address = take_address(wire);
	struct recipient *recipient =
	    envelope_add_recipient(envelope, bytes_of(address));

	recipient->notify = notify;
	recipient->original = wire_take_text(wire);
	free(address);
}

static size_t
read_envelope_fixed(struct wire *fixed, struct envelope *envelope)
{
	unsigned flags = wire_take8(fixed);
	unsigned body = wire_take8(fixed);
	unsigned ret = wire_take8(fixed);
	unsigned origin = wire_take8(fixed);

	if (body > MAIL_BODY_BINARYMIME || ret > MAIL_RETURN_HEADERS ||
	    origin > ORIGIN_OWN)
		fixed->is_bad = true;
	(void)wire_take16(fixed); /* reserved */
	envelope->utf8 = (flags & ENVELOPE_UTF8) != 0;
	envelope->require_tls = (flags & ENVELOPE_TLS) != 0;
	envelope->body = (enum mail_body)body;
	envelope->ret = (enum mail_return)ret;
	envelope->origin = (enum envelope_origin)origin;
	envelope->arrived_at = (int64_t)wire_take64(fixed);
	envelope->drop_key = wire_take64(fixed);
	envelope->uid = wire_take32(fixed);
	return wire_take32(fixed);
}

bool
facts_read_envelope(
    struct bytes facts, struct envelope *envelope, struct error *error)
{
	struct wire wire = {.rest = facts};
	struct wire fixed = take_fixed(&wire);
	size_t count = read_envelope_fixed(&fixed, envelope);

	char *sender = take_address(&wire);
	envelope_set_sender(envelope, bytes_of(sender));
	free(sender);
	envelope->id = wire_take_text(&wire);
	envelope->client = wire_take_text(&wire);
	for (size_t i = 0; i < count && !wire.is_bad && !fixed.is_bad; i++)
		read_recipient(&wire, envelope);

	if (wire.is_bad || fixed.is_bad)
		return error_set(error, ERROR_DATA, "malformed envelope");
	return true;
}

static size_t
read_progress_fixed(struct wire *fixed, struct progress *progress)
{
	unsigned flags = wire_take16(fixed);

	progress->delay_reported = (flags & PROGRESS_DELAY) != 0;
	progress->held = (flags & PROGRESS_HELD) != 0;
	progress->attempts = wire_take32(fixed);
	progress->attempted_at = (int64_t)wire_take64(fixed);
	progress->next_at = (int64_t)wire_take64(fixed);
	progress->in_doubt = wire_take32(fixed);
	return wire_take32(fixed);
}

static void
read_recipient_progress(struct wire *wire, struct recipient_progress *recipient)
{
	unsigned state = wire_take32(wire);

	if (state > RECIPIENT_FAILED)
		wire->is_bad = true;
	else
		recipient->state = (enum recipient_state)state;
	recipient->status = wire_take_text(wire);
	recipient->reason = wire_take_text(wire);
	recipient->upstream = wire_take_text(wire);
}

bool
facts_read_progress(
    struct bytes facts, struct progress *progress, struct error *error)
{
	struct wire wire = {.rest = facts};
	struct wire fixed = take_fixed(&wire);
	struct progress read = {.attempts = 0};
	size_t count = read_progress_fixed(&fixed, &read);

	if (fixed.is_bad || count > wire.rest.len / RECIPIENT_LEN_MIN)
		return error_set(error, ERROR_DATA, "malformed progress");

	progress_clear(progress);
	progress_init(progress, count);
	read.recipients = progress->recipients;
	read.recipient_count = count;
	*progress = read;
	for (size_t i = 0; i < count && !wire.is_bad; i++)
		read_recipient_progress(&wire, &progress->recipients[i]);
	if (wire.is_bad)
		return error_set(error, ERROR_DATA, "malformed progress");
	return true;
}
