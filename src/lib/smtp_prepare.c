/* The envelope of a message out of its header, by the rules of smtplib's
 * send_message(). */
#include "base/buffer.h"
#include "base/memory.h"
#include "lib/smtp_session.h"
#include "message/header.h"
#include "smtp/idn.h"

#include <stdlib.h>
#include <string.h>

struct smtp_msg {
	char *from; /* owned */
	char **to;  /* owned, ends in NULL */
	size_t to_len;
	struct buffer data;
	bool is_international;
	bool needs_utf8; /* beyond what domains in ASCII form can do */
};

static void
add_recipient(struct smtp_msg *msg, struct bytes mailbox)
{
	msg->to =
	    memory_resize_array(msg->to, msg->to_len + 2, sizeof(*msg->to));
	msg->to[msg->to_len++] = memory_copy(mailbox);
	msg->to[msg->to_len] = NULL;
}

/* The addresses of one field go to msg, or, only the first, to its sender.
 * False where the field is none of addresses. */
static bool
take_addresses(
    struct smtp_msg *msg, const struct header_field *field, bool is_sender)
{
	struct bytes rest = field->value;
	struct header_address address;
	struct buffer scratch;
	enum header_address_result result = HEADER_ADDRESS;

	buffer_init(&scratch, 2 * rest.len + 64);
	while ((result = header_next_address(&rest, &scratch, &address)) ==
	    HEADER_ADDRESS) {
		if (!is_sender) {
			add_recipient(msg, address.mailbox);
			continue;
		}
		msg->from = memory_copy(address.mailbox);
		break;
	}
	buffer_clear(&scratch);
	return result != HEADER_ADDRESS_BAD;
}

static bool
is_named(const struct header_field *field, const char *prefix, const char *name)
{
	struct bytes rest = field->name;

	if (!bytes_has_prefix_nocase(rest, prefix))
		return false;
	rest = bytes_from(rest, strlen(prefix));
	return bytes_is_nocase(rest, name);
}

/* False where a field cannot be understood. */
static bool
take_sender(struct smtp_msg *msg, struct bytes header, const char *prefix)
{
	static const char *const names[] = {"Sender", "From"};
	struct header_field field;

	for (size_t i = 0; i < 2; i++)
		for (struct bytes rest = header; header_next(&rest, &field);)
			if (is_named(&field, prefix, names[i]))
				return take_addresses(msg, &field, true);
	return true;
}

static bool
take_recipients(struct smtp_msg *msg, struct bytes header, const char *prefix)
{
	static const char *const names[] = {"To", "Bcc", "Cc"};
	struct header_field field;

	for (size_t i = 0; i < 3; i++)
		for (struct bytes rest = header; header_next(&rest, &field);)
			if (is_named(&field, prefix, names[i]) &&
			    !take_addresses(msg, &field, false))
				return false;
	return true;
}

/* The content, less what nobody may see. */
static void
copy_content(struct smtp_msg *msg, struct bytes content, struct bytes header)
{
	struct bytes rest = header;
	struct header_field field;

	buffer_init(&msg->data, content.len + 1);
	while (header_next(&rest, &field)) {
		msg->needs_utf8 |= !bytes_is_ascii(field.raw);
		if (!bytes_is_nocase(field.name, "Bcc") &&
		    !bytes_is_nocase(field.name, "Resent-Bcc"))
			buffer_append(&msg->data, field.raw);
	}
	buffer_append(&msg->data, bytes_from(content, header.len));
}

static bool
take_envelope(struct smtp_msg *msg, struct bytes header, const char *from,
    const char *const *to)
{
	const size_t resent = header_count(header, "Resent-Date");
	const char *prefix = resent == 1 ? "Resent-" : "";

	if (resent > 1)
		return false;
	if (from != NULL)
		msg->from = memory_copy_text(from);
	else if (!take_sender(msg, header, prefix))
		return false;
	if (to == NULL && !take_recipients(msg, header, prefix))
		return false;
	for (; to != NULL && *to != NULL; to++)
		add_recipient(msg, bytes_of(*to));
	return msg->from != NULL;
}

static void
note_address(struct smtp_msg *msg, const char *address)
{
	char *bare = smtp_addr_only(address);
	const struct bytes mailbox = bytes_of(bare != NULL ? bare : address);

	msg->is_international |= !bytes_is_ascii(mailbox);
	msg->needs_utf8 |= !idn_is_mailbox_sendable(mailbox);
	free(bare);
}

int
smtp_prepare(const void *msg, size_t n, const char *from, const char *const *to,
    struct smtp_msg **out)
{
	struct smtp_msg *made = memory_new(sizeof(*made));
	const struct bytes content = bytes_make(msg, n);
	const struct bytes header = bytes_first(content, header_len(content));

	made->to = memory_array(1, sizeof(*made->to));
	copy_content(made, content, header);
	if (!take_envelope(made, header, from, to)) {
		smtp_msg_free(made);
		return SMTP_E_INVAL;
	}
	made->is_international = made->needs_utf8;
	note_address(made, made->from);
	for (size_t i = 0; i < made->to_len; i++)
		note_address(made, made->to[i]);
	*out = made;
	return SMTP_OK;
}

const char *
smtp_msg_from(const struct smtp_msg *m)
{
	return m->from;
}

const char *const *
smtp_msg_to(const struct smtp_msg *m)
{
	return (const char *const *)m->to;
}

int
smtp_msg_international(const struct smtp_msg *m)
{
	return m->is_international;
}

bool
smtp_msg_needs_utf8(const struct smtp_msg *m)
{
	return m->needs_utf8;
}

const void *
smtp_msg_data(const struct smtp_msg *m, size_t *n)
{
	const struct bytes data = buffer_bytes(&m->data);

	if (n != NULL)
		*n = data.len;
	return data.data;
}

void
smtp_msg_free(struct smtp_msg *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; i < m->to_len; i++)
		free(m->to[i]);
	free(m->to);
	free(m->from);
	buffer_clear(&m->data);
	free(m);
}
