#include "message/mime.h"

#include "base/memory.h"
#include "message/header.h"
#include "message/parts.h"
#include "message/phrase.h"
#include "message/repair.h"
#include "message/transfer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_SIZE ((size_t)48 * 1024)

/* What is done with a stretch. */
enum action {
	ACTION_COPY,
	ACTION_ENCODE, /* anew, with the part's new encoding */
	ACTION_REPAIR, /* it is encoded already, but not well */
	ACTION_FOLD,   /* long lines are cut */
	ACTION_MASK,   /* what is not ASCII becomes '?', long lines are cut */
	ACTION_HEADER, /* written anew */
	ACTION_REFUSE
};

struct plan {
	enum action action;
	/* Of the part: ENCODE, and what the header is to say in HEADER. */
	enum transfer_encoding encoding;
};

struct mime {
	const struct body *body; /* borrowed */
	bool has_8bitmime;
	enum transfer_encoding form; /* TRANSFER_OTHER: the best */
	enum mime_answer answer;
	const char *why;
	bool needs_8bitmime;
	struct parts parts; /* not for AS_IS */
	struct plan *plans; /* one for each stretch */

	/* Where mime_read() is. */
	size_t stretch;
	uint64_t offset; /* within the stretch; AS_IS: within the body */
	struct transfer_encoder encoder;
	struct repair repair;
};

/* ---- planning ---- */

/* The words of mime_why(), the weightiest last. */
static const char why_encoding[] = "declared encoding is not offered";
static const char why_long[] = "lines over 998 octets";
static const char why_nul[] = "NUL octets";
static const char why_8bit[] = "8-bit content, but no 8BITMIME";
static const char refuse_sealed[] =
    "Signed or encrypted content would have to be converted";
static const char refuse_opaque[] =
    "An attached message would have to be converted";
static const char refuse_header[] = "The header cannot be converted";
static const char refuse_address[] =
    "The header holds an address or name that needs SMTPUTF8";
static const char refuse_encoding[] =
    "Content of an unknown encoding would have to be converted";

static bool
has_high(const struct mime *mime, const struct traits *traits)
{
	return traits->has_8bit && !mime->has_8bitmime;
}

/* Cannot be sent as it is. */
static bool
is_problem(const struct mime *mime, const struct traits *traits)
{
	return has_high(mime, traits) || traits->has_nul ||
	    traits->has_long_line;
}

/* Only its lines are too long. */
static bool
is_only_long(const struct mime *mime, const struct traits *traits)
{
	return traits->has_long_line && !has_high(mime, traits) &&
	    !traits->has_nul;
}

static void
refuse(struct mime *mime, const char *why)
{
	mime->answer = MIME_REFUSE;
	mime->why = why;
}

/* Text stays readable where most of it is ASCII; the rest is shorter in
 * base64. */
static enum transfer_encoding
best_encoding(const struct mime *mime, const struct part *part,
    const struct stretch *body)
{
	bool mostly_ascii = body->traits.high_count <= body->len / 4;

	if (mime->form != TRANSFER_OTHER)
		return mime->form;
	return part->is_text && mostly_ascii ? TRANSFER_QUOTED_PRINTABLE
					     : TRANSFER_BASE64;
}

static struct plan
plan_leaf(
    struct mime *mime, const struct part *part, const struct stretch *body)
{
	bool only_long = is_only_long(mime, &body->traits);

	switch (part->encoding) {
	case TRANSFER_7BIT:
	case TRANSFER_8BIT:
	case TRANSFER_BINARY:
		return (struct plan){
		    ACTION_ENCODE, best_encoding(mime, part, body)};
	case TRANSFER_QUOTED_PRINTABLE:
	case TRANSFER_BASE64:
		return (struct plan){ACTION_REPAIR, part->encoding};
	case TRANSFER_OTHER:
		break;
	}
	if (!only_long)
		refuse(mime, refuse_encoding);
	return (struct plan){
	    only_long ? ACTION_FOLD : ACTION_REFUSE, part->encoding};
}

static struct plan
plan_body(
    struct mime *mime, const struct part *part, const struct stretch *body)
{
	bool only_long = is_only_long(mime, &body->traits);

	assert(part->kind != PART_MULTIPART);
	if (!is_problem(mime, &body->traits))
		return (struct plan){ACTION_COPY, part->encoding};
	switch (part->kind) {
	case PART_LEAF:
		return plan_leaf(mime, part, body);
	case PART_SEALED:
		refuse(mime, refuse_sealed);
		return (struct plan){ACTION_REFUSE, part->encoding};
	case PART_OPAQUE:
		if (!only_long)
			refuse(mime, refuse_opaque);
		return (struct plan){
		    only_long ? ACTION_FOLD : ACTION_REFUSE, part->encoding};
	case PART_MULTIPART:
		break;
	}
	return (struct plan){ACTION_COPY, part->encoding};
}

/* What a part that is not encoded anew is to be declared as. */
static enum transfer_encoding
declared_encoding(const struct mime *mime, const struct part *part)
{
	if (part->encoding == TRANSFER_BINARY)
		return mime->has_8bitmime ? TRANSFER_8BIT : TRANSFER_7BIT;
	if (part->encoding == TRANSFER_8BIT && !mime->has_8bitmime)
		return TRANSFER_7BIT;
	return part->encoding;
}

/*
 * A sealed part and all that is in it stays as it is, declaration too: nobody
 * minds "8bit" over ASCII.  A header without an empty line behind it gets one
 * where what follows is changed: that may look like a field now.
 */
static struct plan
plan_header(struct mime *mime, const struct part *part)
{
	const struct stretch *header = &mime->parts.stretches[part->header];
	const struct plan *next = &mime->plans[part->header + 1];
	enum transfer_encoding encoding = declared_encoding(mime, part);

	if (part->kind == PART_SEALED)
		encoding = part->encoding;
	if (next->action == ACTION_ENCODE)
		encoding = next->encoding;
	bool change = encoding != part->encoding ||
	    is_problem(mime, &header->traits) ||
	    (!part->is_ended && next->action != ACTION_COPY);
	if (change && header->len > HEADER_SIZE_MAX)
		refuse(mime, refuse_header);
	return (struct plan){change ? ACTION_HEADER : ACTION_COPY, encoding};
}

static struct plan
plan_glue(const struct mime *mime, const struct stretch *glue)
{
	if (is_only_long(mime, &glue->traits))
		return (struct plan){ACTION_FOLD, TRANSFER_7BIT};
	return (struct plan){
	    is_problem(mime, &glue->traits) ? ACTION_MASK : ACTION_COPY,
	    TRANSFER_7BIT};
}

/* Is anything done at all, and will octets above 0x7f be left? */
static void
sum_up(struct mime *mime)
{
	bool changes = false;

	for (size_t i = 0; i < mime->parts.stretch_count; i++) {
		enum action action = mime->plans[i].action;
		bool high = mime->parts.stretches[i].traits.has_8bit;
		changes = changes || action != ACTION_COPY;
		if (high &&
		    (action == ACTION_COPY || action == ACTION_FOLD ||
			(action == ACTION_HEADER && mime->has_8bitmime)))
			mime->needs_8bitmime = true;
	}
	if (mime->answer != MIME_REFUSE)
		mime->answer = changes ? MIME_CONVERT : MIME_AS_IS;
	if (mime->answer == MIME_AS_IS)
		mime->why = "";
}

static void
plan_all(struct mime *mime)
{
	const struct parts *parts = &mime->parts;

	mime->plans = memory_array(parts->stretch_count, sizeof(struct plan));
	for (size_t i = 0; i < parts->stretch_count; i++) {
		const struct stretch *stretch = &parts->stretches[i];
		if (stretch->kind == STRETCH_BODY)
			mime->plans[i] = plan_body(
			    mime, &parts->parts[stretch->part], stretch);
		else if (stretch->kind == STRETCH_GLUE)
			mime->plans[i] = plan_glue(mime, stretch);
	}
	for (size_t i = 0; i < parts->part_count; i++)
		mime->plans[parts->parts[i].header] =
		    plan_header(mime, &parts->parts[i]);
	sum_up(mime);
}

/* ---- writing: headers ---- */

static bool
is_encoding(const struct header_field *field)
{
	return bytes_is_nocase(field->name, "Content-Transfer-Encoding");
}

static bool
has_long_line(struct bytes field)
{
	while (field.len > 0) {
		struct bytes line = bytes_cut(&field, '\n');
		bool has_cr = bytes_has_suffix_nocase(line, "\r");
		if (line.len > HEADER_LINE_MAX + (has_cr ? 1 : 0))
			return true;
	}
	return false;
}

/* Append the field with its lines cut; NUL becomes '?'. */
static void
write_refolded(struct buffer *output, const struct header_field *field)
{
	char *name = memory_copy(field->name);

	header_write(output, name, field->value);
	free(name);
}

/* False: it cannot be sent. */
static bool
write_field(struct mime *mime, struct buffer *output,
    const struct header_field *field, const char *charset)
{
	bool high = !mime->has_8bitmime && !bytes_is_ascii(field->raw);
	bool rewrite =
	    has_long_line(field->raw) || bytes_contains(field->raw, '\0');

	if (!high && !rewrite) {
		buffer_append(output, field->raw);
		return true;
	}
	if (field->name.len > HEADER_NAME_MAX)
		return false;
	if (high)
		return phrase_downgrade(output, field, charset);
	write_refolded(output, field);
	return true;
}

/* What the part must say now that it is encoded. */
static void
write_encoding(const struct mime *mime, struct buffer *output,
    const struct part *part, enum transfer_encoding encoding)
{
	bool is_message = part == &mime->parts.parts[0];
	const struct stretch *body =
	    part->body == SIZE_MAX ? NULL : &mime->parts.stretches[part->body];

	if (is_message && !part->has_version)
		buffer_append_text(output, "MIME-Version: 1.0\r\n");
	if (!part->has_type && body != NULL)
		buffer_printf(output,
		    "Content-Type: text/plain; charset=%s\r\n",
		    !body->traits.has_8bit     ? "us-ascii"
			: body->traits.is_utf8 ? "utf-8"
					       : "unknown-8bit");
	buffer_printf(output, "Content-Transfer-Encoding: %s\r\n",
	    transfer_name(encoding));
}

/* Write the header anew. False: it cannot be. */
static bool
write_header(struct mime *mime, struct bytes header, const struct part *part,
    enum transfer_encoding encoding, struct buffer *output)
{
	struct bytes rest = bytes_first(header, header_len(header));
	struct bytes behind = bytes_from(header, rest.len);
	struct header_field field;
	bool encoding_changes = encoding != part->encoding;

	while (header_next(&rest, &field)) {
		if (encoding_changes && is_encoding(&field))
			continue;
		if (!write_field(mime, output, &field, part->charset))
			return false;
	}
	if (encoding_changes)
		write_encoding(mime, output, part, encoding);
	/* What follows may look like a field, now that it is converted. */
	buffer_append(output, behind.len > 0 ? behind : BYTES("\r\n"));
	return true;
}

/* Read the header of stretch and write it anew to output. */
static bool
convert_header(struct mime *mime, const struct stretch *stretch,
    const struct plan *plan, struct buffer *output, bool *out_possible,
    struct error *error)
{
	char *memory = memory_array((size_t)stretch->len, 1);
	size_t len = 0;
	const struct part *part = &mime->parts.parts[stretch->part];

	bool ok = body_read(mime->body, stretch->offset, memory,
	    (size_t)stretch->len, &len, error);
	if (ok)
		*out_possible = write_header(mime, bytes_make(memory, len),
		    part, plan->encoding, output);
	free(memory);
	return ok;
}

/* ---- looking ---- */

/* Everything in the body at once; is_utf8 and high_count are not looked for. */
static void
look_at(struct traits *traits, struct bytes piece, uint64_t *column)
{
	while (piece.len > 0) {
		size_t end = bytes_index(piece, '\n');
		struct bytes line = bytes_first(piece, end);

		*column += line.len;
		/* The CR may stand in the piece before: one octet more or less
		 * matters only to who plans, and he looks closely. */
		if (*column > HEADER_LINE_MAX)
			traits->has_long_line = true;
		if (end < piece.len)
			*column = 0;
		traits->has_8bit = traits->has_8bit || !bytes_is_ascii(line);
		traits->has_nul = traits->has_nul || bytes_contains(line, '\0');
		piece = bytes_from(piece, end + 1);
	}
}

static bool
look(const struct body *body, struct traits *traits, struct error *error)
{
	char *memory = memory_array(PIECE_SIZE, 1);
	uint64_t column = 0;
	uint64_t offset = 0;
	bool ok = true;

	while (ok && offset < body->len) {
		size_t len = 0;
		ok = body_read(body, offset, memory, PIECE_SIZE, &len, error);
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
		if (mime->plans[i].action != ACTION_HEADER)
			continue;
		buffer_empty(&output);
		ok = convert_header(mime, &mime->parts.stretches[i],
		    &mime->plans[i], &output, &possible, error);
		if (!possible)
			refuse(mime, refuse_address);
	}
	buffer_clear(&output);
	return ok;
}

static bool
plan_conversion(struct mime *mime, struct error *error)
{
	if (!parts_find(mime->body, &mime->parts, error))
		return false;
	plan_all(mime);
	return try_headers(mime, error);
}

static const char *
why_convert(const struct mime *mime, const struct traits *traits)
{
	if (has_high(mime, traits))
		return why_8bit;
	if (traits->has_nul)
		return why_nul;
	return traits->has_long_line ? why_long : why_encoding;
}

/* Skip stretches of nothing, and begin the next. */
static void
begin_stretch(struct mime *mime)
{
	const struct parts *parts = &mime->parts;

	while (mime->stretch < parts->stretch_count &&
	    parts->stretches[mime->stretch].len == 0 &&
	    mime->plans[mime->stretch].action != ACTION_HEADER)
		mime->stretch++;
	mime->offset = 0;
	mime->repair = (struct repair){0};
	if (mime->stretch < parts->stretch_count &&
	    mime->plans[mime->stretch].action == ACTION_ENCODE)
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
	if (is_problem(mime, &traits)) {
		mime->why = why_convert(mime, &traits);
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

/* ---- writing: pieces ---- */

static void
write_piece(struct mime *mime, const struct plan *plan, struct bytes piece,
    struct buffer *output)
{
	assert(plan->action != ACTION_HEADER && plan->action != ACTION_REFUSE);
	switch (plan->action) {
	case ACTION_COPY:
		buffer_append(output, piece);
		break;
	case ACTION_ENCODE:
		transfer_append(&mime->encoder, piece, output);
		break;
	case ACTION_REPAIR:
		if (plan->encoding == TRANSFER_BASE64)
			repair_base64(&mime->repair, piece, output);
		else
			repair_quoted(&mime->repair, piece, output);
		break;
	case ACTION_FOLD:
	case ACTION_MASK:
		repair_fold(
		    &mime->repair, piece, plan->action == ACTION_MASK, output);
		break;
	case ACTION_HEADER:
	case ACTION_REFUSE:
		break;
	}
}

/* Read the piece at mime->offset of a stretch that begins at start. */
static bool
read_piece(struct mime *mime, const struct plan *plan, uint64_t start,
    uint64_t len, struct buffer *output, struct error *error)
{
	char *memory = memory_array(PIECE_SIZE, 1);
	uint64_t left = len - mime->offset;
	size_t wanted = left < PIECE_SIZE ? (size_t)left : PIECE_SIZE;
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
    const struct plan *plan, struct buffer *output, struct error *error)
{
	bool possible = false;

	if (!convert_header(mime, stretch, plan, output, &possible, error))
		return false;
	assert(possible); /* mime_open() has tried */
	mime->offset = stretch->len;
	return true;
}

static bool
read_stretch(struct mime *mime, struct buffer *output, struct error *error)
{
	const struct stretch *stretch = &mime->parts.stretches[mime->stretch];
	const struct plan *plan = &mime->plans[mime->stretch];

	bool ok = plan->action == ACTION_HEADER
	    ? read_header(mime, stretch, plan, output, error)
	    : read_piece(
		  mime, plan, stretch->offset, stretch->len, output, error);
	if (!ok || mime->offset < stretch->len)
		return ok;
	if (plan->action == ACTION_ENCODE)
		transfer_end(&mime->encoder, output);
	mime->stretch++;
	begin_stretch(mime);
	return true;
}

bool
mime_read(struct mime *mime, struct buffer *output, bool *out_end,
    struct error *error)
{
	static const struct plan copy = {ACTION_COPY, TRANSFER_7BIT};

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
