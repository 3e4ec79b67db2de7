#include "lib/smtp_content.h"

#include "base/memory.h"
#include "message/mime.h"
#include "smtp/dot.h"

#include <stdint.h>

/* What the core is given at a time. */
#define STRETCH ((size_t)64 * 1024)
/* A piece of a conversion may be a whole header. */
#define PIECE_MAX ((size_t)16 * 1024 * 1024)

/* Octets with CRLF line ends, the last line's too. */
static uint64_t
wire_size(struct bytes memory)
{
	uint64_t size = memory.len;
	char last = '\n';

	for (size_t i = 0; i < memory.len; i++) {
		const char c = memory.data[i];
		size += (c == '\n') != (last == '\r');
		last = c;
	}
	if (last == '\r')
		return size + 1;
	return last == '\n' ? size : size + 2;
}

void
smtp_content_init(struct smtp_content *content)
{
	*content = (struct smtp_content){.memory = BYTES_NONE};
	buffer_init(&content->piece, PIECE_MAX);
	smtp_spool_init(&content->spool);
}

void
smtp_content_of_memory(
    struct smtp_content *content, struct bytes memory, bool raw)
{
	smtp_content_init(content);
	content->memory = memory;
	content->size = raw ? memory.len : wire_size(memory);
	content->has_size = true;
	content->is_8bit = !bytes_is_ascii(memory);
	content->has_long_line = dot_has_long_line(memory, &content->column);
}

void
smtp_content_of_function(struct smtp_content *content, smtp_read_fn read,
    void *arg, uint64_t size, int flags)
{
	smtp_content_init(content);
	content->read = read;
	content->read_arg = arg;
	content->size = size;
	content->has_size = size > 0;
	content->is_8bit = (flags & SMTP_SEND_8BIT) != 0;
	content->has_long_line = (flags & SMTP_SEND_LONG) != 0;
	content->can_rewind = (flags & SMTP_SEND_REWIND) != 0;
}

void
smtp_content_watch(struct smtp_content *content)
{
	content->is_watched = content->read != NULL;
}

void
smtp_content_keep_as_is(struct smtp_content *content)
{
	if (content->read == NULL)
		content->size = content->memory.len;
}

/* ---- reading ---- */

/* As many octets of the function's as it has, up to len. */
static bool
fill(struct smtp_content *content, char *room, size_t *out_len)
{
	size_t len = 0;

	content->is_begun = true;
	while (len < STRETCH && !content->is_read) {
		const int64_t more =
		    content->read(content->read_arg, room + len, STRETCH - len);
		if (more < 0 || more > (int64_t)(STRETCH - len))
			return false;
		len += (size_t)more;
		content->is_read = more == 0;
	}
	*out_len = len;
	return true;
}

/* Kept where it has to be. */
static bool
read_function(struct smtp_content *content, struct bytes *out_stretch,
    bool *out_last, struct error *error)
{
	size_t len = 0;

	buffer_empty(&content->piece);
	char *room = buffer_reserve(&content->piece, STRETCH);
	if (!fill(content, room, &len))
		return error_set(
		    error, ERROR_SYSTEM, "cannot read the message");
	*out_stretch = bytes_make(room, len);
	*out_last = content->is_read;
	content->offset += len;
	if (content->is_watched &&
	    dot_has_long_line(*out_stretch, &content->column))
		return error_set(error, ERROR_DATA,
		    "the message has a line of more than 998 octets, and "
		    "SMTP_SEND_LONG was not said");
	if (content->is_kept &&
	    !smtp_spool_append(&content->spool, *out_stretch, error)) {
		/* Who gets it now does not need the file. */
		smtp_spool_clear(&content->spool);
		content->is_kept = false;
	}
	return true;
}

/* What was read before. */
static bool
read_kept(struct smtp_content *content, struct bytes *out_stretch,
    bool *out_last, struct error *error)
{
	size_t len = 0;

	buffer_empty(&content->piece);
	char *room = buffer_reserve(&content->piece, STRETCH);
	if (!smtp_spool_read(
		&content->spool, content->offset, room, STRETCH, &len, error))
		return false;
	content->offset += len;
	*out_stretch = bytes_make(room, len);
	*out_last = content->is_read && content->offset == content->spool.len;
	return true;
}

static bool
read_memory(
    struct smtp_content *content, struct bytes *out_stretch, bool *out_last)
{
	*out_stretch = bytes_first(
	    bytes_from(content->memory, (size_t)content->offset), STRETCH);
	content->offset += out_stretch->len;
	*out_last = content->offset == content->memory.len;
	return true;
}

static bool
next_given(struct smtp_content *content, struct bytes *out_stretch,
    bool *out_last, struct error *error)
{
	if (content->read == NULL)
		return read_memory(content, out_stretch, out_last);
	if (content->is_kept &&
	    (content->is_read || content->offset < content->spool.len))
		return read_kept(content, out_stretch, out_last, error);
	return read_function(content, out_stretch, out_last, error);
}

static bool
next_converted(struct smtp_content *content, struct bytes *out_stretch,
    bool *out_last, struct error *error)
{
	buffer_empty(&content->piece);
	if (!mime_read(content->mime, &content->piece, out_last, error))
		return false;
	if (content->piece.overflowed)
		return error_set(error, ERROR_LIMIT, "a header is too large");
	*out_stretch = buffer_bytes(&content->piece);
	return true;
}

bool
smtp_content_next(struct smtp_content *content, struct bytes *out_stretch,
    bool *out_last, struct error *error)
{
	if (content->mime != NULL)
		return next_converted(content, out_stretch, out_last, error);
	return next_given(content, out_stretch, out_last, error);
}

bool
smtp_content_keep(struct smtp_content *content, struct error *error)
{
	const bool is_at_hand = content->read == NULL ||
	    content->mime != NULL || content->can_rewind || content->is_kept;

	if (is_at_hand || content->is_begun)
		return true;
	content->is_kept = smtp_spool_open(&content->spool, error);
	return content->is_kept;
}

bool
smtp_content_restart(struct smtp_content *content)
{
	content->offset = 0;
	content->column = 0;
	if (content->mime != NULL) {
		mime_rewind(content->mime);
		return true;
	}
	if (content->read == NULL || content->is_kept || !content->is_begun)
		return true;
	if (!content->can_rewind)
		return false;
	content->is_begun = false;
	content->is_read = false;
	return content->read(content->read_arg, NULL, 0) == 0;
}

/* ---- conversion ---- */

/* All of the function's with CRLF line ends, into a file. */
static bool
spool_lines(struct smtp_content *content, struct error *error)
{
	struct dot_encoder encoder;
	struct bytes stretch = BYTES_NONE;
	struct buffer lines;
	bool is_last = false;
	bool ok = smtp_spool_open(&content->spool, error);

	dot_encoder_init(&encoder);
	buffer_init(&lines, 2 * STRETCH + 2);
	while (ok && !is_last) {
		ok = read_function(content, &stretch, &is_last, error);
		buffer_empty(&lines);
		if (ok)
			dot_encode(&encoder, stretch, false, &lines);
		if (ok && is_last)
			dot_encode_end(&encoder, false, &lines);
		ok = ok &&
		    smtp_spool_append(
			&content->spool, buffer_bytes(&lines), error);
	}
	buffer_clear(&lines);
	content->body.len = content->spool.len;
	content->body.fd = smtp_spool_take(&content->spool);
	content->body.owns_fd = content->body.fd >= 0;
	return ok;
}

static void
copy_lines(struct smtp_content *content)
{
	struct dot_encoder encoder;

	dot_encoder_init(&encoder);
	buffer_init(
	    &content->body.memory, (size_t)wire_size(content->memory) + 2);
	dot_encode(&encoder, content->memory, false, &content->body.memory);
	dot_encode_end(&encoder, false, &content->body.memory);
	content->body.len = content->body.memory.len;
}

enum smtp_content_conversion
smtp_content_convert(struct smtp_content *content, bool has_8bitmime,
    enum transfer_encoding form, const char **out_status, struct error *error)
{
	body_init(&content->body);
	content->is_converted = true;
	if (content->read == NULL)
		copy_lines(content);
	else if (!spool_lines(content, error))
		return SMTP_CONTENT_UNREADABLE;
	if (!mime_open_as(
		&content->body, has_8bitmime, form, &content->mime, error))
		return SMTP_CONTENT_UNREADABLE;
	if (mime_answer(content->mime) == MIME_REFUSE) {
		*out_status = mime_status(content->mime);
		(void)error_set(
		    error, ERROR_DATA, "%s", mime_why(content->mime));
		return SMTP_CONTENT_UNFIT;
	}
	content->is_8bit = mime_needs_8bitmime(content->mime);
	content->has_size = true;
	return mime_size(content->mime, &content->size, error)
	    ? SMTP_CONTENT_CONVERTED
	    : SMTP_CONTENT_UNREADABLE;
}

void
smtp_content_clear(struct smtp_content *content)
{
	mime_free(content->mime);
	if (content->is_converted)
		body_clear(&content->body);
	smtp_spool_clear(&content->spool);
	buffer_clear(&content->piece);
	smtp_content_init(content);
}
