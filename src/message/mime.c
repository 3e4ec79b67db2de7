#include "message/mime.h"

#include "base/memory.h"
#include "message/header.h"
#include "message/mime_private.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/param.h>

#define PIECE_SIZE ((size_t)48 * 1024)

static const char refuse_address[] =
    "The header holds an address or name that needs SMTPUTF8";

/* Everything in the body at once; is_utf8 and high_count are not looked for. */
static void
look_at(struct traits *traits, struct bytes piece, uint64_t *column)
{
	traits->has_8bit = traits->has_8bit || !bytes_is_ascii(piece);
	traits->has_nul = traits->has_nul || bytes_contains(piece, '\0');
	while (piece.len > 0) {
		size_t end = bytes_index(piece, '\n');

		*column += end;
		/* The CR may stand in the piece before: one octet more or less
		 * matters only to who plans, and he looks closely. */
		if (*column > HEADER_LINE_MAX)
			traits->has_long_line = true;
		if (end < piece.len)
			*column = 0;
		piece = bytes_from(piece, end + 1);
	}
}

static bool
look(const struct body *body, struct traits *traits, struct error *error)
{
	size_t size = (size_t)MIN(body->len, PIECE_SIZE);
	char *memory = memory_array(size, 1);
	uint64_t column = 0;
	uint64_t offset = 0;
	bool ok = true;

	while (ok && offset < body->len) {
		size_t len = 0;
		ok = body_read(body, offset, memory, size, &len, error);
		if (ok)
			look_at(traits, bytes_make(memory, len), &column);
		offset += len;
	}
	free(memory);
	return ok;
}

/* Refuse now what mime_read() could not write. */
static bool
try_headers(struct mime *mime, struct error *error)
{
	struct buffer output;
	bool ok = true;

	buffer_init(&output, SIZE_MAX);
	for (size_t i = 0; ok && i < mime->parts.stretch_count &&
	     mime->answer == MIME_CONVERT;
	     i++) {
		bool possible = true;
		if (mime->plans[i].action != MIME_ACTION_HEADER)
			continue;
		buffer_empty(&output);
		ok = mime_header_convert(mime, &mime->parts.stretches[i],
		    &mime->plans[i], &output, &possible, error);
		if (!possible)
			mime_plan_refuse(mime, refuse_address);
	}
	buffer_clear(&output);
	return ok;
}

static bool
plan_conversion(struct mime *mime, struct error *error)
{
	if (!parts_find(mime->body, &mime->parts, error))
		return false;
	mime_plan_all(mime);
	return try_headers(mime, error);
}

/* Skip stretches of nothing, and begin the next. */
static void
begin_stretch(struct mime *mime)
{
	const struct parts *parts = &mime->parts;

	while (mime->stretch < parts->stretch_count &&
	    parts->stretches[mime->stretch].len == 0 &&
	    mime->plans[mime->stretch].action != MIME_ACTION_HEADER)
		mime->stretch++;
	mime->offset = 0;
	mime->repair = (struct repair){0};
	if (mime->stretch < parts->stretch_count &&
	    mime->plans[mime->stretch].action == MIME_ACTION_ENCODE)
		transfer_init(
		    &mime->encoder, mime->plans[mime->stretch].encoding);
}

bool
mime_open(const struct body *body, bool has_8bitmime, struct mime **out_mime,
    struct error *error)
{
	return mime_open_as(
	    body, has_8bitmime, TRANSFER_OTHER, out_mime, error);
}

bool
mime_open_as(const struct body *body, bool has_8bitmime,
    enum transfer_encoding form, struct mime **out_mime, struct error *error)
{
	struct traits traits = {0};

	if (!look(body, &traits, error))
		return false;

	struct mime *mime = memory_new(sizeof(*mime));
	*mime = (struct mime){
	    .body = body,
	    .has_8bitmime = has_8bitmime,
	    .form = form,
	    .why = "",
	    .needs_8bitmime = traits.has_8bit,
	};
	if (mime_plan_is_problem(mime, &traits)) {
		mime->why = mime_plan_why(mime, &traits);
		mime->needs_8bitmime = false;
		if (!plan_conversion(mime, error)) {
			mime_free(mime);
			return false;
		}
	}
	begin_stretch(mime);
	*out_mime = mime;
	return true;
}

void
mime_free(struct mime *mime)
{
	if (mime == NULL)
		return;
	parts_clear(&mime->parts);
	free(mime->plans);
	free(mime);
}

enum mime_answer
mime_answer(const struct mime *mime)
{
	return mime->answer;
}

const char *
mime_why(const struct mime *mime)
{
	return mime->why;
}

const char *
mime_status(const struct mime *mime)
{
	return mime->why == refuse_address ? "5.6.7" : "5.6.3";
}

bool
mime_needs_8bitmime(const struct mime *mime)
{
	return mime->needs_8bitmime;
}

static void
write_piece(struct mime *mime, const struct mime_plan *plan, struct bytes piece,
    struct buffer *output)
{
	assert(plan->action != MIME_ACTION_HEADER &&
	    plan->action != MIME_ACTION_REFUSE);
	switch (plan->action) {
	case MIME_ACTION_COPY:
		buffer_append(output, piece);
		break;
	case MIME_ACTION_ENCODE:
		transfer_append(&mime->encoder, piece, output);
		break;
	case MIME_ACTION_REPAIR:
		if (plan->encoding == TRANSFER_BASE64)
			repair_base64(&mime->repair, piece, output);
		else
			repair_quoted(&mime->repair, piece, output);
		break;
	case MIME_ACTION_FOLD:
	case MIME_ACTION_MASK:
		repair_fold(&mime->repair, piece,
		    plan->action == MIME_ACTION_MASK, output);
		break;
	case MIME_ACTION_HEADER:
	case MIME_ACTION_REFUSE:
		break;
	}
}

/* Read the piece at mime->offset of a stretch that begins at start. */
static bool
read_piece(struct mime *mime, const struct mime_plan *plan, uint64_t start,
    uint64_t len, struct buffer *output, struct error *error)
{
	uint64_t left = len - mime->offset;
	size_t wanted = (size_t)MIN(left, PIECE_SIZE);
	char *memory = memory_array(wanted, 1);
	size_t got = 0;

	bool ok = body_read(
	    mime->body, start + mime->offset, memory, wanted, &got, error);
	if (ok) {
		assert(got == wanted);
		write_piece(mime, plan, bytes_make(memory, got), output);
		mime->offset += got;
	}
	free(memory);
	return ok;
}

static bool
read_header(struct mime *mime, const struct stretch *stretch,
    const struct mime_plan *plan, struct buffer *output, struct error *error)
{
	bool possible = false;

	if (!mime_header_convert(mime, stretch, plan, output, &possible, error))
		return false;
	assert(possible); /* mime_open() has tried */
	mime->offset = stretch->len;
	return true;
}

static bool
read_stretch(struct mime *mime, struct buffer *output, struct error *error)
{
	const struct stretch *stretch = &mime->parts.stretches[mime->stretch];
	const struct mime_plan *plan = &mime->plans[mime->stretch];

	bool ok = plan->action == MIME_ACTION_HEADER
	    ? read_header(mime, stretch, plan, output, error)
	    : read_piece(
		  mime, plan, stretch->offset, stretch->len, output, error);
	if (!ok || mime->offset < stretch->len)
		return ok;
	if (plan->action == MIME_ACTION_ENCODE)
		transfer_end(&mime->encoder, output);
	mime->stretch++;
	begin_stretch(mime);
	return true;
}

bool
mime_read(struct mime *mime, struct buffer *output, bool *out_end,
    struct error *error)
{
	static const struct mime_plan copy = {MIME_ACTION_COPY, TRANSFER_7BIT};

	assert(mime->answer != MIME_REFUSE);
	if (mime->answer == MIME_AS_IS) {
		if (!read_piece(mime, &copy, 0, mime->body->len, output, error))
			return false;
		*out_end = mime->offset == mime->body->len;
		return true;
	}
	if (mime->stretch < mime->parts.stretch_count &&
	    !read_stretch(mime, output, error))
		return false;
	*out_end = mime->stretch == mime->parts.stretch_count;
	return true;
}

void
mime_rewind(struct mime *mime)
{
	mime->stretch = 0;
	begin_stretch(mime);
}

bool
mime_size(struct mime *mime, uint64_t *out_size, struct error *error)
{
	struct buffer output;
	uint64_t size = 0;
	bool end = mime->answer == MIME_AS_IS;
	bool ok = true;

	buffer_init(&output, SIZE_MAX);
	mime_rewind(mime);
	while (ok && !end) {
		buffer_empty(&output);
		ok = mime_read(mime, &output, &end, error);
		size += output.len;
	}
	buffer_clear(&output);
	mime_rewind(mime);
	if (ok)
		*out_size = mime->answer == MIME_AS_IS ? mime->body->len : size;
	return ok;
}
