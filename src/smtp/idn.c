#include "smtp/idn.h"

#include "base/memory.h"
#include "smtp/address.h"

#include <idn2.h>
#include <stdlib.h>

/* A domain in UTF-8 that is longer has no A-labels (RFC 1035 2.3.4). */
#define DOMAIN_MAX ((size_t)4 * 255)

bool
idn_append_domain(struct buffer *buffer, struct bytes domain)
{
	char *ascii = NULL;

	if (bytes_is_ascii(domain)) {
		buffer_append(buffer, domain);
		return true;
	}
	if (domain.len > DOMAIN_MAX || bytes_contains(domain, '\0'))
		return false;
	char *text = memory_copy(domain);
	const int result = idn2_to_ascii_8z(
	    text, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	free(text);
	if (result != IDN2_OK)
		return false;
	buffer_append_text(buffer, ascii);
	idn2_free(ascii);
	return true;
}

bool
idn_append_mailbox(struct buffer *buffer, struct bytes mailbox)
{
	const struct bytes domain = address_domain(mailbox);
	const size_t before = buffer->len;

	if (!bytes_is_ascii(bytes_first(mailbox, mailbox.len - domain.len)))
		return false;
	buffer_append(buffer, bytes_first(mailbox, mailbox.len - domain.len));
	if (idn_append_domain(buffer, domain))
		return true;
	buffer_truncate(buffer, before);
	return false;
}

bool
idn_is_mailbox_sendable(struct bytes mailbox)
{
	struct buffer scratch;

	if (bytes_is_ascii(mailbox))
		return true;
	buffer_init(&scratch, 8 * DOMAIN_MAX + mailbox.len);
	const bool ok = idn_append_mailbox(&scratch, mailbox);
	buffer_clear(&scratch);
	return ok;
}
