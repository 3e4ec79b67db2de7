#include "tools/sendmail_message.h"

#include "message/body.h"
#include "message/dropfile.h"
#include "message/header.h"
#include "message/mime.h"
#include "message/phrase.h"

#include <stddef.h>

/* Of a name: people's are shorter. */
#define NAME_MAX_OCTETS ((size_t)255)

/* Octets of a leading line "From a@b Mon Nov ...", which is no field. */
static size_t
mbox_line_len(struct bytes content)
{
	if (!bytes_has_prefix(content, "From ") || header_len(content) > 0)
		return 0;
	size_t end = bytes_index(content, '\n');
	return end < content.len ? end + 1 : end;
}

void
sendmail_message_split(
    struct bytes content, struct sendmail_message *out_message)
{
	content = bytes_from(content, mbox_line_len(content));
	size_t len = header_len(content);
	*out_message = (struct sendmail_message){
	    .header = bytes_first(content, len),
	    .rest = bytes_from(content, len),
	};
}

bool
sendmail_message_has(const struct sendmail_message *message, const char *field)
{
	struct header_field found;
	return header_find(message->header, field, &found);
}

static void
append_from(const char *name, const char *address, struct buffer *head)
{
	struct bytes shown = bytes_trim(bytes_of(name));
	struct buffer value;

	buffer_init(&value, HEADER_SIZE_MAX);
	if (shown.len > 0) {
		phrase_append(&value, bytes_first(shown, NAME_MAX_OCTETS));
		buffer_append_char(&value, ' ');
	}
	buffer_printf(&value, shown.len > 0 ? "<%s>" : "%s", address);
	header_write(head, "From", buffer_bytes(&value));
	buffer_clear(&value);
}

void
sendmail_message_complete(const struct sendmail_message *message,
    const char *name, const char *address, struct buffer *head)
{
	dropfile_strip(head, message->header);
	if (!sendmail_message_has(message, "From"))
		append_from(name, address, head);
	if (!bytes_has_prefix(message->rest, "\r\n"))
		buffer_append_text(head, "\r\n");
}

/* Append what mime makes of its message. */
static bool
read_converted(struct mime *mime, struct buffer *output, struct error *error)
{
	bool end = false;

	while (!end)
		if (!mime_read(mime, output, &end, error))
			return false;
	return true;
}

static bool
convert(const struct body *body, struct buffer *output, struct error *error)
{
	struct mime *mime;

	if (!mime_open(body, true, &mime, error))
		return false;
	bool ok = mime_answer(mime) == MIME_REFUSE
	    ? error_set(error, ERROR_DATA, "%s", mime_why(mime))
	    : read_converted(mime, output, error);
	mime_free(mime);
	return ok;
}

bool
sendmail_message_encode(struct buffer *content, struct error *error)
{
	struct buffer output;
	struct body body;

	buffer_init(&output, content->limit);
	body_init(&body);
	body.memory = *content; /* lent */
	body.len = content->len;
	bool ok = convert(&body, &output, error);
	if (ok) {
		buffer_clear(content);
		*content = output;
	} else {
		buffer_clear(&output);
	}
	return ok;
}
