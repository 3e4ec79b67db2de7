#include "tools/sendmail_recipients.h"

#include "message/header.h"
#include "message/printable.h"
#include "smtp/address.h"

#include <stdint.h>
#include <stdlib.h>

/* Of a text in a complaint. */
#define SHOWN_MAX ((size_t)200)

static struct bytes
address_key(const void *address)
{
	return bytes_of(address);
}

void
sendmail_recipients_init(struct sendmail_recipients *recipients,
    struct envelope *envelope, struct buffer *complaints)
{
	*recipients = (struct sendmail_recipients){
	    .envelope = envelope,
	    .complaints = complaints,
	};
	table_init(&recipients->known, address_key);
}

void
sendmail_recipients_clear(struct sendmail_recipients *recipients)
{
	table_clear(&recipients->known);
}

/* NULL: mailbox is an address. */
static const char *
problem_of(struct bytes mailbox)
{
	if (mailbox.len == 0)
		return "empty address";
	switch (address_check(mailbox, true, true)) {
	case ADDRESS_OK:
		return NULL;
	case ADDRESS_TOO_LONG:
		return "address too long";
	case ADDRESS_SYNTAX:
	case ADDRESS_NEEDS_UTF8:
		break;
	}
	return "not an address";
}

static void
add_mailbox(struct sendmail_recipients *recipients, struct bytes mailbox)
{
	struct envelope *envelope = recipients->envelope;

	if (table_find(&recipients->known, mailbox) != NULL)
		return;
	struct recipient *recipient = envelope_add_recipient(envelope, mailbox);
	table_insert(&recipients->known, recipient->address);
	envelope->utf8 = envelope->utf8 || !bytes_is_ascii(mailbox);
}

static void
leave_out(struct sendmail_recipients *recipients, const char *problem,
    struct bytes text)
{
	recipients->refused++;
	buffer_printf(recipients->complaints, "%s: ", problem);
	printable_append(recipients->complaints, text, SHOWN_MAX, true);
	buffer_append_char(recipients->complaints, '\n');
}

static bool
refuse(struct error *error, const char *what, struct bytes text)
{
	char *shown = printable_copy(text, SHOWN_MAX, true);

	(void)error_set(error, ERROR_DATA, "%s: %s", what, shown);
	free(shown);
	return false;
}

/* Add the members of a list as header fields have it. */
static bool
add_list(struct sendmail_recipients *recipients, struct bytes text,
    struct buffer *scratch, struct error *error)
{
	struct header_address address;
	struct bytes rest = text;

	for (;;) {
		switch (header_next_address(&rest, scratch, &address)) {
		case HEADER_ADDRESS_END:
			return true;
		case HEADER_ADDRESS_BAD:
			return refuse(
			    error, "unbalanced quotes or brackets", text);
		case HEADER_ADDRESS:
			break;
		}
		const char *problem = problem_of(address.mailbox);
		if (problem == NULL)
			add_mailbox(recipients, address.mailbox);
		else
			leave_out(recipients, problem, address.whole);
	}
}

bool
sendmail_recipients_add(struct sendmail_recipients *recipients,
    struct bytes text, struct error *error)
{
	struct buffer scratch;

	text = bytes_trim(text);
	if (problem_of(text) == NULL) {
		add_mailbox(recipients, text);
		return true;
	}
	/* A list or a name with its address; ":include:/path" is neither. */
	bool listed = bytes_contains(text, ',') || bytes_contains(text, '<');
	if (!listed || bytes_has_control(text) || bytes_has_prefix(text, ":")) {
		leave_out(recipients, "not an address", text);
		return true;
	}
	buffer_init(&scratch, SIZE_MAX);
	bool ok = add_list(recipients, text, &scratch, error);
	buffer_clear(&scratch);
	return ok;
}

static const char *const resent_fields[] = {
    "Resent-To", "Resent-Cc", "Resent-Bcc", NULL};
static const char *const plain_fields[] = {"To", "Cc", "Bcc", NULL};

static bool
is_one_of(struct bytes name, const char *const *names)
{
	for (; *names != NULL; names++)
		if (bytes_is_nocase(name, *names))
			return true;
	return false;
}

static bool
has_one_of(struct bytes header, const char *const *names)
{
	struct header_field field;

	while (header_next(&header, &field))
		if (is_one_of(field.name, names))
			return true;
	return false;
}

bool
sendmail_recipients_add_header(struct sendmail_recipients *recipients,
    struct bytes header, struct error *error)
{
	const char *const *names =
	    has_one_of(header, resent_fields) ? resent_fields : plain_fields;
	struct header_field field;
	struct buffer scratch;
	bool ok = true;

	buffer_init(&scratch, SIZE_MAX);
	while (ok && header_next(&header, &field)) {
		if (!is_one_of(field.name, names))
			continue;
		buffer_empty(&scratch);
		ok = add_list(recipients, field.value, &scratch, error) ||
		    error_context(error, "%.*s", BYTES_ARGS(field.name));
	}
	buffer_clear(&scratch);
	return ok;
}

/* The only member of text. */
static bool
take_single(
    struct bytes text, struct buffer *scratch, struct bytes *out_mailbox)
{
	struct header_address address;
	struct header_address second;

	if (header_next_address(&text, scratch, &address) != HEADER_ADDRESS)
		return false;
	*out_mailbox = address.mailbox;
	return header_next_address(&text, scratch, &second) ==
	    HEADER_ADDRESS_END;
}

bool
sendmail_recipients_set_sender(
    struct envelope *envelope, struct bytes text, struct error *error)
{
	struct buffer scratch;
	struct bytes mailbox = BYTES_NONE;

	if (bytes_has_control(text))
		return refuse(error, "control character in the sender", text);
	text = bytes_trim(text);
	buffer_init(&scratch, SIZE_MAX);
	bool ok = text.len == 0 || bytes_is(text, "<>") ||
	    (take_single(text, &scratch, &mailbox) &&
		problem_of(mailbox) == NULL) ||
	    refuse(error, "the sender is not an address", text);
	if (ok) {
		envelope_set_sender(envelope, mailbox);
		envelope->utf8 = envelope->utf8 || !bytes_is_ascii(mailbox);
	}
	buffer_clear(&scratch);
	return ok;
}
