#include "queue/facts.h"

#include "queue/packed.h"

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

	packed_put16(buffer, FIXED_LEN);
	buffer_append_char(buffer, (char)flags);
	buffer_append_char(buffer, (char)envelope->body);
	buffer_append_char(buffer, (char)envelope->ret);
	buffer_append_char(buffer, (char)envelope->origin);
	packed_put16(buffer, 0);
	packed_put64(buffer, (uint64_t)envelope->arrived_at);
	packed_put64(buffer, envelope->drop_key);
	packed_put32(buffer, envelope->uid);
	packed_put32(buffer, (uint32_t)envelope->recipient_count);
	packed_put64(buffer, 0);
	packed_put_text(buffer, envelope->sender);
	packed_put_text(buffer, envelope->id);
	packed_put_text(buffer, envelope->client);
	for (size_t i = 0; i < envelope->recipient_count; i++) {
		packed_put32(buffer, envelope->recipients[i].notify);
		packed_put_text(buffer, envelope->recipients[i].address);
		packed_put_text(buffer, envelope->recipients[i].original);
	}
}

void
facts_put_progress(struct buffer *buffer, const struct progress *progress)
{
	unsigned flags = (progress->delay_reported ? PROGRESS_DELAY : 0) |
	    (progress->held ? PROGRESS_HELD : 0);

	packed_put16(buffer, FIXED_LEN);
	packed_put16(buffer, (uint16_t)flags);
	packed_put32(buffer, progress->attempts);
	packed_put64(buffer, (uint64_t)progress->attempted_at);
	packed_put64(buffer, (uint64_t)progress->next_at);
	packed_put32(buffer, progress->in_doubt);
	packed_put32(buffer, (uint32_t)progress->recipient_count);
	packed_put64(buffer, 0);
	for (size_t i = 0; i < progress->recipient_count; i++) {
		const struct recipient_progress *recipient =
		    &progress->recipients[i];
		packed_put32(buffer, (uint32_t)recipient->state);
		packed_put_text(buffer, recipient->status);
		packed_put_text(buffer, recipient->reason);
		packed_put_text(buffer, recipient->upstream);
	}
}

/* The fixed part, which a later version may have made longer. */
static struct packed
take_fixed(struct packed *packed)
{
	size_t len = packed_take16(packed);
	if (len < FIXED_LEN)
		packed->is_bad = true;
	struct bytes rest = packed_take(packed, len - sizeof(uint16_t));
	return (struct packed){.rest = rest, .is_bad = packed->is_bad};
}

/* An address is to have no control characters: envelope.h insists. */
static char *
take_address(struct packed *packed)
{
	char *address = packed_take_text(packed);

	if (address == NULL || bytes_has_control(bytes_of(address)))
		packed->is_bad = true;
	if (!packed->is_bad)
		return address;
	free(address);
	return NULL;
}

static void
read_recipient(struct packed *packed, struct envelope *envelope)
{
	unsigned notify = packed_take32(packed);
	char *address = take_address(packed);
	struct recipient *recipient =
	    envelope_add_recipient(envelope, bytes_of(address));

	recipient->notify = notify;
	recipient->original = packed_take_text(packed);
	free(address);
}

static size_t
read_envelope_fixed(struct packed *fixed, struct envelope *envelope)
{
	unsigned flags = packed_take8(fixed);
	unsigned body = packed_take8(fixed);
	unsigned ret = packed_take8(fixed);
	unsigned origin = packed_take8(fixed);

	if (body > MAIL_BODY_BINARYMIME || ret > MAIL_RETURN_HEADERS ||
	    origin > ORIGIN_OWN)
		fixed->is_bad = true;
	(void)packed_take16(fixed); /* reserved */
	envelope->utf8 = (flags & ENVELOPE_UTF8) != 0;
	envelope->require_tls = (flags & ENVELOPE_TLS) != 0;
	envelope->body = (enum mail_body)body;
	envelope->ret = (enum mail_return)ret;
	envelope->origin = (enum envelope_origin)origin;
	envelope->arrived_at = (int64_t)packed_take64(fixed);
	envelope->drop_key = packed_take64(fixed);
	envelope->uid = packed_take32(fixed);
	return packed_take32(fixed);
}

bool
facts_read_envelope(
    struct bytes facts, struct envelope *envelope, struct error *error)
{
	struct packed packed = {.rest = facts};
	struct packed fixed = take_fixed(&packed);
	size_t count = read_envelope_fixed(&fixed, envelope);

	char *sender = take_address(&packed);
	envelope_set_sender(envelope, bytes_of(sender));
	free(sender);
	envelope->id = packed_take_text(&packed);
	envelope->client = packed_take_text(&packed);
	for (size_t i = 0; i < count && !packed.is_bad && !fixed.is_bad; i++)
		read_recipient(&packed, envelope);

	if (packed.is_bad || fixed.is_bad)
		return error_set(error, ERROR_DATA, "malformed envelope");
	return true;
}

static size_t
read_progress_fixed(struct packed *fixed, struct progress *progress)
{
	unsigned flags = packed_take16(fixed);

	progress->delay_reported = (flags & PROGRESS_DELAY) != 0;
	progress->held = (flags & PROGRESS_HELD) != 0;
	progress->attempts = packed_take32(fixed);
	progress->attempted_at = (int64_t)packed_take64(fixed);
	progress->next_at = (int64_t)packed_take64(fixed);
	progress->in_doubt = packed_take32(fixed);
	return packed_take32(fixed);
}

static void
read_recipient_progress(
    struct packed *packed, struct recipient_progress *recipient)
{
	unsigned state = packed_take32(packed);

	if (state > RECIPIENT_FAILED)
		packed->is_bad = true;
	else
		recipient->state = (enum recipient_state)state;
	recipient->status = packed_take_text(packed);
	recipient->reason = packed_take_text(packed);
	recipient->upstream = packed_take_text(packed);
}

bool
facts_read_progress(
    struct bytes facts, struct progress *progress, struct error *error)
{
	struct packed packed = {.rest = facts};
	struct packed fixed = take_fixed(&packed);
	struct progress read = {.attempts = 0};
	size_t count = read_progress_fixed(&fixed, &read);

	if (fixed.is_bad || count > packed.rest.len / RECIPIENT_LEN_MIN)
		return error_set(error, ERROR_DATA, "malformed progress");

	progress_clear(progress);
	progress_init(progress, count);
	read.recipients = progress->recipients;
	read.recipient_count = count;
	*progress = read;
	for (size_t i = 0; i < count && !packed.is_bad; i++)
		read_recipient_progress(&packed, &progress->recipients[i]);
	if (packed.is_bad)
		return error_set(error, ERROR_DATA, "malformed progress");
	return true;
}
