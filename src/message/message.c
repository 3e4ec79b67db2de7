#include "message/message.h"

#include "base/memory.h"

#include <stdlib.h>

/* In the order of ASCII, so that ids sort as their numbers do. */
static const char digits[] = "0123456789BCDFGHJKLMNPQRSTVWXYZ";
#define BASE ((uint64_t)(sizeof(digits) - 1))

struct message *
message_new(void)
{
	struct message *message = memory_new(sizeof(*message));

	envelope_init(&message->envelope);
	body_init(&message->body);
	return message;
}

void
message_free(struct message *message)
{
	if (message == NULL)
		return;
	envelope_clear(&message->envelope);
	progress_clear(&message->progress);
	body_clear(&message->body);
	free(message);
}

struct queue_id
queue_id_of(uint64_t id)
{
	struct queue_id result = {""};

	if (id > QUEUE_ID_MAX)
		id = QUEUE_ID_MAX;
	for (size_t i = QUEUE_ID_LEN; i > 0; i--) {
		result.text[i - 1] = digits[id % BASE];
		id /= BASE;
	}
	return result;
}

bool
queue_id_parse(struct bytes text, uint64_t *out_id)
{
	const struct bytes all = bytes_of(digits);
	uint64_t id = 0;

	if (text.len != QUEUE_ID_LEN)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		char upper = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
		size_t value = bytes_index(all, upper);
		if (value == all.len)
			return false;
		id = id * BASE + value;
	}
	*out_id = id;
	return true;
}
