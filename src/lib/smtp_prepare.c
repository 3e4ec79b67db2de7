/* The envelope of a message out of its header, by the rules of smtplib's
 * send_message(). */
#include "base/buffer.h"
#include "base/memory.h"
#include "lib/smtp_session.h"
#include "message/header.h"
#include "smtp/dot.h"
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

/* The octets up to the first empty line, and with it; CR, LF and CRLF end one.
 */
static size_t
top_len(struct bytes content)
{
	bool is_start = true;
	size_t i = 0;

	while (i < content.len) {
		const bool is_cr = content.data[i] == '\r';
		const bool is_end = is_cr || content.data[i] == '\n';
		const bool is_pair =
		    is_cr && bytes_has_prefix(bytes_from(content, i), "\r\n");
		i += is_pair ? 2 : 1;
		if (is_end && is_start)
			return i;
		is_start = is_end;
	}
	return i;
}

/*
 * The header's lines end in CRLF, as they will on the wire: a lone CR would
 * else become a line end only behind our back, and what stands behind it a
 * field that nobody looked at.
 */
static void
copy_top(struct buffer *top, struct bytes content)
{
	struct dot_encoder encoder;

	buffer_init(top, 2 * content.len + 2);
	dot_encoder_init(&encoder);
	dot_encode(&encoder, content, false, top);
	if (encoder.after_cr)
		buffer_append_text(top, "\r\n");
}

/* The content, less what nobody may see: top is its header with what may follow
 * it, behind what comes then. */
static void
copy_content(struct smtp_msg *msg, struct bytes top, struct bytes header,
    struct bytes behind)
{
	struct bytes rest = header;
	struct header_field field;

	buffer_init(&msg->data, top.len + behind.len + 1);
	while (header_next(&rest, &field)) {
		msg->needs_utf8 |= !bytes_is_ascii(field.raw);
		if (!bytes_is_nocase(field.name, "Bcc") &&
		    !bytes_is_nocase(field.name, "Resent-Bcc"))
			buffer_append(&msg->data, field.raw);
	}
	buffer_append(&msg->data, bytes_from(top, header.len));
	buffer_append(&msg->data, behind);
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

/* False where the header cannot be understood. */
static bool
take_message(struct smtp_msg *msg, struct bytes content, const char *from,
    const char *const *to)
{
	const size_t len = top_len(content);
	struct buffer buffer;

	copy_top(&buffer, bytes_first(content, len));
	const struct bytes top = buffer_bytes(&buffer);
	const struct bytes header = bytes_first(top, header_len(top));
	copy_content(msg, top, header, bytes_from(content, len));
	const bool ok = take_envelope(msg, header, from, to);
	buffer_clear(&buffer);
	return ok;
}

int
smtp_prepare(const void *msg, size_t n, const char *from, const char *const *to,
    struct smtp_msg **out)
{
	struct smtp_msg *made = memory_new(sizeof(*made));

	made->to = memory_array(1, sizeof(*made->to));
	if (!take_message(made, bytes_make(msg, n), from, to)) {
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
