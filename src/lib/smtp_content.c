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
smtp_content_of_memory(
    struct smtp_content *content, struct bytes memory, bool raw)
{
	*content = (struct smtp_content){.memory = memory};
	content->size = raw ? memory.len : wire_size(memory);
	content->has_size = true;
	content->is_8bit = !bytes_is_ascii(memory);
	buffer_init(&content->piece, PIECE_MAX);
}

void
smtp_content_of_function(struct smtp_content *content, smtp_read_fn read,
    void *arg, uint64_t size, bool is_8bit)
{
	*content = (struct smtp_content){
	    .memory = BYTES_NONE,
	    .read = read,
	    .read_arg = arg,
	    .size = size,
	    .has_size = size > 0,
	    .is_8bit = is_8bit,
	};
	buffer_init(&content->piece, PIECE_MAX);
}

void
smtp_content_keep_as_is(struct smtp_content *content)
{
	if (content->read == NULL)
		content->size = content->memory.len;
}

bool
smtp_content_convert(struct smtp_content *content, struct error *error)
{
	struct dot_encoder encoder;

	dot_encoder_init(&encoder);
	body_init(&content->body);
	content->is_converted = true;
	buffer_init(&content->body.memory, (size_t)content->size);
	dot_encode(&encoder, content->memory, false, &content->body.memory);
	dot_encode_end(&encoder, false, &content->body.memory);
	content->body.len = content->body.memory.len;
	if (!mime_open(&content->body, false, &content->mime, error))
		return false;
	if (mime_answer(content->mime) == MIME_REFUSE)
		return error_set(
		    error, ERROR_DATA, "%s", mime_why(content->mime));
	content->is_8bit = false;
	return mime_size(content->mime, &content->size, error);
}

static bool
next_converted(struct smtp_content *content, struct bytes *out_stretch,
    bool *out_last, struct error *error)
{
	buffer_empty(&content->piece);
	if (!mime_read(content->mime, &content->piece, out_last, error))
		return false;
	*out_stretch = buffer_bytes(&content->piece);
	return true;
}

static bool
next_read(struct smtp_content *content, struct bytes *out_stretch,
    bool *out_last, struct error *error)
{
	buffer_empty(&content->piece);
	char *room = buffer_reserve(&content->piece, STRETCH);
	const int64_t len = content->read(content->read_arg, room, STRETCH);
	if (len < 0 || len > (int64_t)STRETCH)
		return error_set(
		    error, ERROR_SYSTEM, "cannot read the message");
	*out_stretch = bytes_make(room, (size_t)len);
	*out_last = len == 0;
	return true;
}

bool
smtp_content_next(struct smtp_content *content, struct bytes *out_stretch,
    bool *out_last, struct error *error)
{
	if (content->mime != NULL)
		return next_converted(content, out_stretch, out_last, error);
	if (content->read != NULL)
		return next_read(content, out_stretch, out_last, error);
	*out_stretch =
	    bytes_first(bytes_from(content->memory, content->offset), STRETCH);
	content->offset += out_stretch->len;
	*out_last = content->offset == content->memory.len;
	return true;
}

void
smtp_content_clear(struct smtp_content *content)
{
	mime_free(content->mime);
	if (content->is_converted)
		body_clear(&content->body);
	buffer_clear(&content->piece);
	*content = (struct smtp_content){.memory = BYTES_NONE};
	buffer_init(&content->piece, PIECE_MAX);
}
