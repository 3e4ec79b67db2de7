#include "message/envelope.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>

void
envelope_init(struct envelope *envelope)
{
	*envelope = (struct envelope){
	    .sender = memory_copy(BYTES_NONE),
	    .uid = UID_UNKNOWN,
	};
}

void
envelope_clear(struct envelope *envelope)
{
	for (size_t i = 0; i < envelope->recipient_count; i++) {
		free(envelope->recipients[i].address);
		free(envelope->recipients[i].original);
	}
	free(envelope->recipients);
	free(envelope->sender);
	free(envelope->id);
	free(envelope->client);
	*envelope = (struct envelope){.uid = UID_UNKNOWN};
}

void
envelope_set_sender(struct envelope *envelope, struct bytes sender)
{
	assert(!bytes_has_control(sender));
	char *copy = memory_copy(sender);

	free(envelope->sender);
	envelope->sender = copy;
}

/* The array doubles whenever its count is a power of two. */
static void
make_room(struct envelope *envelope)
{
	size_t count = envelope->recipient_count;

	if ((count & (count - 1)) != 0)
		return;
	envelope->recipients = memory_resize_array(envelope->recipients,
	    count == 0 ? 1 : count * 2, sizeof(struct recipient));
}

struct recipient *
envelope_add_recipient(struct envelope *envelope, struct bytes address)
{
	assert(!bytes_has_control(address));
	char *copy = memory_copy(address);

	make_room(envelope);
	struct recipient *recipient =
	    &envelope->recipients[envelope->recipient_count];
	*recipient = (struct recipient){.address = copy};
	envelope->recipient_count++;
	return recipient;
}

bool
envelope_is_null_sender(const struct envelope *envelope)
{
	assert(envelope->sender != NULL);
	return envelope->sender[0] == '\0';
}

struct mail_params
envelope_mail_params(const struct envelope *envelope)
{
	struct mail_params params = MAIL_PARAMS_NONE;

	params.body = envelope->body;
	params.utf8 = envelope->utf8;
	params.ret = envelope->ret;
	params.envelope_id = bytes_of(envelope->id);
	params.require_tls = envelope->require_tls;
	return params;
}

struct rcpt_params
envelope_rcpt_params(const struct recipient *recipient)
{
	return (struct rcpt_params){
	    .notify = recipient->notify,
	    .original = bytes_of(recipient->original),
	};
}
