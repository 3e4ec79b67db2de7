#include "intake/rewrite.h"

#include "message/header.h"
#include "smtp/address.h"

#include <stdbool.h>
#include <stdint.h>

/* Is domain the first label of our name, as some programs take it for all? */
static bool
is_short_name(const struct rewrite_options *options, struct bytes domain)
{
	struct bytes rest = bytes_of(options->hostname);
	struct bytes label = bytes_cut(&rest, '.');

	return rest.len > 0 && bytes_equal_nocase(domain, label);
}

static bool
lacks_domain(const struct rewrite_options *options, struct bytes mailbox)
{
	struct bytes domain = address_domain(mailbox);

	return mailbox.len > 0 &&
	    (domain.len == 0 || is_short_name(options, domain));
}

void
rewrite_sender(const struct rewrite_options *options, struct bytes sender,
    struct buffer *out)
{
	if (!lacks_domain(options, sender)) {
		buffer_append(out, sender);
		return;
	}
	buffer_append(out, address_local(sender));
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
	return lacks_domain(options, recipient) ||
	    bytes_is_nocase(domain, options->hostname) ||
	    bytes_is_nocase(domain, options->origin) ||
	    bytes_is_nocase(domain, "localhost");
}

void
rewrite_recipient(const struct rewrite_options *options, struct bytes recipient,
    struct buffer *out)
{
	if (options->root != NULL && is_root(options, recipient))
		recipient = bytes_of(options->root);
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

/* Append what stands in field behind *copied and before end. */
static void
copy_up_to(const char **copied, const char *end, struct buffer *out)
{
	buffer_append(out, bytes_make(*copied, (size_t)(end - *copied)));
	*copied = end;
}

/* Copy field, with the origin put in behind the local part of each mailbox that
 * lacks it. */
static void
qualify_field(const struct rewrite_options *options,
    const struct header_field *field, struct buffer *out)
{
	struct buffer scratch;
	struct bytes rest = field->value;
	struct header_address address;
	const char *copied = field->raw.data;

	buffer_init(&scratch, SIZE_MAX);
	while (
	    header_next_address(&rest, &scratch, &address) == HEADER_ADDRESS) {
		struct bytes mailbox = address.mailbox;
		if (!lacks_domain(options, mailbox) ||
		    !lies_within(mailbox, field->raw))
			continue;
		copy_up_to(
		    &copied, mailbox.data + address_local(mailbox).len, out);
		buffer_printf(out, "@%s", options->origin);
		copied = mailbox.data + mailbox.len;
	}
	buffer_clear(&scratch);
	copy_up_to(&copied, field->raw.data + field->raw.len, out);
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
