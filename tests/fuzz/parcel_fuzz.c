/*
 * Any octets as an exported message: refused in one line of words, or taken
 * with an envelope that is safe to pass on; then it is written again, and reads
 * as the same.
 */
#include "base/memory.h"
#include "message/parcel.h"
#include "smtp/address.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
are_equal(const char *a, const char *b)
{
	return bytes_equal(bytes_of(a), bytes_of(b));
}

static void
check_envelope(const struct envelope *envelope)
{
	struct bytes sender = bytes_of(envelope->sender);

	assert(sender.len == 0 ||
	    address_check(sender, true, envelope->utf8) == ADDRESS_OK);
	assert(envelope->recipient_count > 0);
	for (size_t i = 0; i < envelope->recipient_count; i++)
		assert(address_check(bytes_of(envelope->recipients[i].address),
			   true, envelope->utf8) == ADDRESS_OK);
}

static void
check_same(const struct envelope *a, const struct envelope *b)
{
	assert(are_equal(a->sender, b->sender) && are_equal(a->id, b->id));
	assert(a->ret == b->ret && a->body == b->body);
	assert(a->utf8 == b->utf8 && a->require_tls == b->require_tls);
	assert(a->recipient_count == b->recipient_count);
	for (size_t i = 0; i < a->recipient_count; i++) {
		assert(are_equal(
		    a->recipients[i].address, b->recipients[i].address));
		assert(are_equal(
		    a->recipients[i].original, b->recipients[i].original));
		assert(a->recipients[i].notify == b->recipients[i].notify);
	}
}

/* message takes envelope. */
static struct message *
message_from(struct envelope *envelope, const struct parcel *parcel)
{
	struct message *message = message_new();

	envelope_clear(&message->envelope);
	message->envelope = *envelope;
	message->envelope.arrived_at = parcel->arrived_at;
	message->id = parcel->id;
	message->check = parcel->check;
	message->body.len = parcel->size;
	progress_clear(&message->progress);
	progress_init(&message->progress, envelope->recipient_count);
	message->progress.held = parcel->is_held;
	return message;
}

static void
write_again(const struct message *message, struct bytes content,
    const struct parcel *parcel)
{
	struct buffer file;
	struct envelope envelope;
	struct parcel again;
	struct error error;

	buffer_init(&file, SIZE_MAX);
	parcel_write(&file, message);
	buffer_append(&file, content);
	envelope_init(&envelope);
	assert(parcel_read(buffer_bytes(&file), &envelope, &again, &error));
	check_same(&message->envelope, &envelope);
	assert(
	    queue_id_parse(bytes_of(queue_id_of(parcel->id).text), &again.id));
	assert(again.size == parcel->size && again.check == parcel->check);
	assert(again.arrived_at == parcel->arrived_at);
	assert(again.is_held == parcel->is_held);
	assert(bytes_equal(
	    bytes_from(buffer_bytes(&file), again.content_from), content));
	envelope_clear(&envelope);
	buffer_clear(&file);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes file = bytes_make(data, size);
	struct envelope envelope;
	struct parcel parcel;
	struct error error = {.kind = ERROR_NONE};

	envelope_init(&envelope);
	if (!parcel_read(file, &envelope, &parcel, &error)) {
		assert(error.kind == ERROR_DATA);
		assert(!bytes_has_control(bytes_of(error_text(&error))));
		envelope_clear(&envelope);
		return 0;
	}
	assert(parcel.content_from + parcel.size == size);
	check_envelope(&envelope);
	struct message *message = message_from(&envelope, &parcel);
	write_again(message, bytes_from(file, parcel.content_from), &parcel);
	message_free(message);
	return 0;
}
