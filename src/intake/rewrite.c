#include "intake/rewrite.h"

#include "message/header.h"
#include "smtp/address.h"

#include <stdbool.h>

void
rewrite_sender(const struct rewrite_options *options, struct bytes sender,
    struct buffer *out)
{
	buffer_append(out, sender);
	if (sender.len > 0 && address_domain(sender).len == 0)
		buffer_printf(out, "@%s", options->origin);
}

/* root and those whose mail root reads (RFC 2142), at this machine. */
static bool
is_root(const struct rewrite_options *options, struct bytes recipient)
{
	struct bytes local = address_local(recipient);
	struct bytes domain = address_domain(recipient);

	if (!bytes_is_nocase(local, "root") &&
	    !bytes_is_nocase(local, "postmaster"))
		return false;
	return domain.len == 0 || bytes_is_nocase(domain, options->hostname) ||
	    bytes_is_nocase(domain, options->origin);
}

void
rewrite_recipient(const struct rewrite_options *options, struct bytes recipient,
    struct buffer *out)
{
	if (options->root != NULL && is_root(options, recipient))
		rewrite_sender(options, bytes_of(options->root), out);
	else
		rewrite_sender(options, recipient, out);
}

static bool
is_address_field(struct bytes name)
{
	static const char *const fields[] = {
	    "From", "Sender", "Reply-To", "To", "Cc", "Bcc"};

	if (bytes_has_prefix_nocase(name, "Resent-"))
		name = bytes_from(name, sizeof("Resent-") - 1);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (bytes_is_nocase(name, fields[i]))
			return true;
	return false;
}

static bool
lies_within(struct bytes part, struct bytes whole)
{
	return part.data >= whole.data &&
	    part.data + part.len <= whole.data + whole.len;
}

/* Copy field, with the origin put in behind each bare mailbox. */
static void
qualify_field(const struct rewrite_options *options,
    const struct header_field *field, struct buffer *out)
{
	struct buffer scratch;
	struct bytes rest = field->value;
	struct header_address address;
	const char *copied = field->raw.data;

	buffer_init(&scratch, HEADER_SIZE_MAX);
	while (
	    header_next_address(&rest, &scratch, &address) == HEADER_ADDRESS) {
		struct bytes mailbox = address.mailbox;
		if (mailbox.len == 0 || address_domain(mailbox).len > 0 ||
		    !lies_within(mailbox, field->raw))
			continue;
		const char *end = mailbox.data + mailbox.len;
		buffer_append(out, bytes_make(copied, (size_t)(end - copied)));
		buffer_printf(out, "@%s", options->origin);
		copied = end;
	}
	buffer_clear(&scratch);
	const char *end = field->raw.data + field->raw.len;
	buffer_append(out, bytes_make(copied, (size_t)(end - copied)));
}

void
rewrite_header(const struct rewrite_options *options, struct bytes header,
    struct buffer *out)
{
	struct bytes rest = header;
	struct header_field field;

	while (header_next(&rest, &field))
		if (is_address_field(field.name))
			qualify_field(options, &field, out);
		else
			buffer_append(out, field.raw);
	buffer_append(out, rest);
}
