#include "message/dropfile.h"

#include "base/memory.h"
#include "base/table.h"
#include "message/header.h"
#include "message/printable.h"
#include "smtp/address.h"
#include "smtp/extensions.h"
#include "smtp/params.h"

#include <stdint.h>
#include <stdlib.h>

#define MAIL_EXTENSIONS                                                        \
	(EXTENSION_BIT(EXTENSION_8BITMIME) | EXTENSION_BIT(EXTENSION_DSN) |    \
	    EXTENSION_BIT(EXTENSION_AUTH) |                                    \
	    EXTENSION_BIT(EXTENSION_SMTPUTF8) |                                \
	    EXTENSION_BIT(EXTENSION_SIZE) |                                    \
	    EXTENSION_BIT(EXTENSION_REQUIRETLS))
#define RCPT_EXTENSIONS EXTENSION_BIT(EXTENSION_DSN)

/* Of a text of the file's in an error. */
#define SHOWN_MAX ((size_t)200)

/* As error_set(), with peer's text, made printable, at the end. */
static bool
refuse(struct error *error, const char *what, struct bytes text)
{
	char *shown = printable_copy(text, SHOWN_MAX, true);

	(void)error_set(error, ERROR_DATA, "%s: %s", what, shown);
	free(shown);
	return false;
}

/* Octets of a leading mbox line "From a@b Mon Nov …", which is no field. */
static size_t
mbox_line_len(struct bytes content)
{
	size_t end = bytes_index(content, '\n');
	struct bytes line = bytes_first(content, end);

	if (!bytes_has_prefix(line, "From "))
		return 0;
	return header_len(content) > 0 ? 0 : end + (end < content.len);
}

static bool
check_address(
    struct bytes mailbox, struct envelope *envelope, struct error *error)
{
	switch (address_check(mailbox, true, true)) {
	case ADDRESS_OK:
		break;
	case ADDRESS_TOO_LONG:
		return refuse(error, "address too long", mailbox);
	case ADDRESS_SYNTAX:
	case ADDRESS_NEEDS_UTF8:
		return refuse(error, "not an address", mailbox);
	}
	envelope->utf8 = envelope->utf8 || !bytes_is_ascii(mailbox);
	return true;
}

/* ---- the envelope in front ---- */

/* Octets of a mailbox without brackets: up to a blank outside quotes. */
static size_t
mailbox_len(struct bytes text)
{
	bool quoted = false;
	size_t len = 0;

	for (; len < text.len; len++) {
		char c = text.data[len];
		if (c == '"')
			quoted = !quoted;
		else if (c == '\\' && quoted && len + 1 < text.len)
			len++;
		else if (!quoted && (c == ' ' || c == '\t'))
			break;
	}
	return len;
}

/*
 * Cut the address, "<a@b>" or "a@b", from *text; what is left are parameters.
 * An empty text and "<>" are the null sender.
 */
static bool
take_address(struct bytes *text, struct envelope *envelope,
    struct bytes *out_mailbox, struct error *error)
{
	if (!bytes_has_prefix(*text, "<")) {
		*out_mailbox = bytes_first(*text, mailbox_len(*text));
		*text = bytes_from(*text, out_mailbox->len);
	} else if (address_take_path(text, true, true, out_mailbox) !=
	    ADDRESS_OK) {
		return refuse(error, "not an address", *text);
	}
	return out_mailbox->len == 0 ||
	    check_address(*out_mailbox, envelope, error);
}

static bool
refuse_parameters(const struct params_problem *problem, const char *field,
    struct bytes text, struct error *error)
{
	(void)refuse(error, problem->text, text);
	return error_context(error, "%s", field);
}

static bool
read_sender(struct bytes text, struct envelope *envelope, struct error *error)
{
	struct bytes mailbox;
	struct mail_params params = {0};

	if (!take_address(&text, envelope, &mailbox, error))
		return error_context(error, "X-Sender");
	struct params_problem problem =
	    params_read_mail(text, MAIL_EXTENSIONS, &params);
	if (problem.code != 0)
		return refuse_parameters(&problem, "X-Sender", text, error);

	envelope_set_sender(envelope, mailbox);
	envelope->body = params.body;
	envelope->ret = params.ret;
	envelope->utf8 = envelope->utf8 || params.utf8;
	envelope->require_tls = params.require_tls;
	if (params.envelope_id.len > 0) {
		free(envelope->id);
		envelope->id = memory_copy(params.envelope_id);
	}
	return true;
}

static bool
read_receiver(struct bytes text, struct envelope *envelope, struct error *error)
{
	struct bytes mailbox;
	struct rcpt_params params = {0};

	if (!take_address(&text, envelope, &mailbox, error))
		return error_context(error, "X-Receiver");
	if (mailbox.len == 0)
		return refuse(error, "X-Receiver: no address", text);
	struct params_problem problem =
	    params_read_rcpt(text, RCPT_EXTENSIONS, &params);
	if (problem.code != 0)
		return refuse_parameters(&problem, "X-Receiver", text, error);

	struct recipient *recipient = envelope_add_recipient(envelope, mailbox);
	recipient->notify = params.notify;
	if (params.original.len > 0)
		recipient->original = memory_copy(params.original);
	return true;
}

typedef bool read_fn(
    struct bytes text, struct envelope *envelope, struct error *error);

/* Read one line; its folds are undone first. */
static bool
read_line(read_fn *read, const struct header_field *field,
    struct envelope *envelope, struct error *error)
{
	struct buffer text;

	buffer_init(&text, HEADER_SIZE_MAX);
	header_unfold(&text, field->value);
	bool ok = bytes_has_control(buffer_bytes(&text))
	    ? refuse(error, "control character", buffer_bytes(&text))
	    : read(buffer_bytes(&text), envelope, error);
	buffer_clear(&text);
	return ok;
}

static bool
is_sender(const struct header_field *field)
{
	return bytes_is_nocase(field->name, "X-Sender");
}

static bool
is_receiver(const struct header_field *field)
{
	return bytes_is_nocase(field->name, "X-Receiver");
}

/* Octets of the X-Sender and X-Receiver lines in front; 0 without a receiver:
 * X-Sender alone is a field that old programs write. */
static size_t
envelope_len(struct bytes content)
{
	struct header_field field;
	struct bytes rest = content;
	size_t len = 0;
	bool has_receiver = false;

	while (header_next(&rest, &field) &&
	    (is_sender(&field) || is_receiver(&field))) {
		has_receiver = has_receiver || is_receiver(&field);
		len += field.raw.len;
	}
	return has_receiver ? len : 0;
}

static bool
read_field(const struct header_field *field, struct envelope *envelope,
    struct dropfile *dropfile, struct error *error)
{
	if (is_sender(field) && dropfile->has_sender)
		return error_set(
		    error, ERROR_DATA, "more than one X-Sender line");
	dropfile->has_sender = dropfile->has_sender || is_sender(field);
	return read_line(is_sender(field) ? read_sender : read_receiver, field,
	    envelope, error);
}

static size_t
count_lines(struct bytes text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += text.data[i] == '\n';
	return count;
}

static bool
read_envelope(struct bytes lines, struct envelope *envelope,
    struct dropfile *dropfile, struct error *error)
{
	struct header_field field;

	dropfile->lines = 1;
	while (header_next(&lines, &field)) {
		if (!read_field(&field, envelope, dropfile, error))
			return error_context(
			    error, "line %zu", dropfile->lines);
		dropfile->lines += count_lines(field.raw);
	}
	return true;
}

/* ---- recipients of the header ---- */

static const char *const resent_fields[] = {
    "Resent-To", "Resent-Cc", "Resent-Bcc", NULL};
static const char *const plain_fields[] = {"To", "Cc", "Bcc", NULL};

static bool
is_one_of(struct bytes name, const char *const *names)
{
	for (; *names != NULL; names++) {
		if (bytes_is_nocase(name, *names))
			return true;
	}
	return false;
}

static bool
has_one_of(struct bytes header, const char *const *names)
{
	struct header_field field;

	while (header_next(&header, &field)) {
		if (is_one_of(field.name, names))
			return true;
	}
	return false;
}

static struct bytes
address_key(const void *address)
{
	return bytes_of(address);
}

/* Add the recipient, unless it is there already. */
static void
add_once(struct envelope *envelope, struct table *known, struct bytes mailbox)
{
	if (table_find(known, mailbox) != NULL)
		return;
	struct recipient *recipient = envelope_add_recipient(envelope, mailbox);
	table_insert(known, recipient->address);
}

static bool
add_addresses(struct bytes value, struct envelope *envelope,
    struct table *known, struct buffer *scratch, struct error *error)
{
	struct header_address address;
	struct bytes rest = value;

	buffer_empty(scratch);
	for (;;) {
		switch (header_next_address(&rest, scratch, &address)) {
		case HEADER_ADDRESS_END:
			return true;
		case HEADER_ADDRESS_BAD:
			return refuse(
			    error, "unbalanced quotes or brackets", value);
		case HEADER_ADDRESS:
			break;
		}
		if (address.mailbox.len == 0)
			return refuse(error, "empty address", value);
		if (!check_address(address.mailbox, envelope, error))
			return false;
		add_once(envelope, known, address.mailbox);
	}
}

static bool
add_fields(struct bytes header, const char *const *names,
    struct envelope *envelope, struct table *known, struct buffer *scratch,
    struct error *error)
{
	struct header_field field;

	while (header_next(&header, &field)) {
		if (!is_one_of(field.name, names))
			continue;
		if (!add_addresses(
			field.value, envelope, known, scratch, error))
			return error_context(
			    error, "%.*s", BYTES_ARGS(field.name));
	}
	return true;
}

bool
dropfile_header_recipients(
    struct bytes header, struct envelope *envelope, struct error *error)
{
	struct table known;
	struct buffer scratch;
	const char *const *names =
	    has_one_of(header, resent_fields) ? resent_fields : plain_fields;
	size_t count = envelope->recipient_count;

	table_init(&known, address_key);
	buffer_init(&scratch, SIZE_MAX);
	for (size_t i = 0; i < count; i++) {
		char *address = envelope->recipients[i].address;
		if (table_find(&known, bytes_of(address)) == NULL)
			table_insert(&known, address);
	}
	bool ok = add_fields(header, names, envelope, &known, &scratch, error);
	buffer_clear(&scratch);
	table_clear(&known);
	return ok;
}

/* ---- the file ---- */

static bool
read_header(
    struct bytes content, struct envelope *envelope, struct error *error)
{
	struct bytes seen = bytes_first(content, HEADER_SIZE_MAX);
	struct bytes header = bytes_first(seen, header_len(seen));

	/*
	 * Recipients further down would be lost, a Bcc there be told.  The
	 * header is known to end where a whole line follows that is none of
	 * its own.
	 */
	bool ends = bytes_contains(bytes_from(seen, header.len), '\n');
	if (!ends && seen.len < content.len)
		return error_set(error, ERROR_DATA,
		    "the header is longer than %zu octets", HEADER_SIZE_MAX);
	if (!dropfile_header_recipients(header, envelope, error))
		return false;
	if (envelope->recipient_count == 0)
		return error_set(error, ERROR_DATA,
		    "no recipients: neither X-Receiver lines in front, nor an "
		    "address in To, Cc or Bcc");
	return true;
}

bool
dropfile_read_envelope(struct bytes content, struct envelope *envelope,
    struct dropfile *out_dropfile, struct error *error)
{
	struct dropfile dropfile = {0};
	size_t lines_len = envelope_len(content);

	dropfile.has_envelope = lines_len > 0;
	dropfile.content_from = lines_len;
	if (!read_envelope(
		bytes_first(content, lines_len), envelope, &dropfile, error))
		return false;
	*out_dropfile = dropfile;
	return true;
}

bool
dropfile_read(struct bytes content, struct envelope *envelope,
    struct dropfile *out_dropfile, struct error *error)
{
	struct dropfile dropfile = {0};

	if (!dropfile_read_envelope(bytes_first(content, HEADER_SIZE_MAX),
		envelope, &dropfile, error))
		return false;
	if (!dropfile.has_envelope) {
		dropfile.content_from = mbox_line_len(content);
		if (!read_header(bytes_from(content, dropfile.content_from),
			envelope, error))
			return false;
	}
	*out_dropfile = dropfile;
	return true;
}

/* What must not leave: whom else it is for, and where it once came from. */
static const char *const stripped_fields[] = {
    "Bcc", "Resent-Bcc", "Return-Path", NULL};

void
dropfile_strip(struct buffer *buffer, struct bytes header)
{
	struct header_field field;

	header = bytes_from(header, mbox_line_len(header));
	while (header_next(&header, &field)) {
		if (!is_one_of(field.name, stripped_fields))
			buffer_append(buffer, field.raw);
	}
}
