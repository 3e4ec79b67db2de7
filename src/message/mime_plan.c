#include "base/memory.h"
#include "message/header.h"
#include "message/mime_private.h"

#include <assert.h>

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
static const char refuse_encoding[] =
    "Content of an unknown encoding would have to be converted";

static bool
has_high(const struct mime *mime, const struct traits *traits)
{
	return traits->has_8bit && !mime->has_8bitmime;
}

bool
mime_plan_is_problem(const struct mime *mime, const struct traits *traits)
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

void
mime_plan_refuse(struct mime *mime, const char *why)
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

static struct mime_plan
plan_leaf(
    struct mime *mime, const struct part *part, const struct stretch *body)
{
	bool only_long = is_only_long(mime, &body->traits);

	switch (part->encoding) {
	case TRANSFER_7BIT:
	case TRANSFER_8BIT:
	case TRANSFER_BINARY:
		return (struct mime_plan){
		    MIME_ACTION_ENCODE, best_encoding(mime, part, body)};
	case TRANSFER_QUOTED_PRINTABLE:
	case TRANSFER_BASE64:
		return (struct mime_plan){MIME_ACTION_REPAIR, part->encoding};
	case TRANSFER_OTHER:
		break;
	}
	if (!only_long)
		mime_plan_refuse(mime, refuse_encoding);
	return (struct mime_plan){
	    only_long ? MIME_ACTION_FOLD : MIME_ACTION_REFUSE, part->encoding};
}

static struct mime_plan
plan_body(
    struct mime *mime, const struct part *part, const struct stretch *body)
{
	bool only_long = is_only_long(mime, &body->traits);

	assert(part->kind != PART_MULTIPART);
	if (!mime_plan_is_problem(mime, &body->traits))
		return (struct mime_plan){MIME_ACTION_COPY, part->encoding};
	switch (part->kind) {
	case PART_LEAF:
		return plan_leaf(mime, part, body);
	case PART_SEALED:
		mime_plan_refuse(mime, refuse_sealed);
		return (struct mime_plan){MIME_ACTION_REFUSE, part->encoding};
	case PART_OPAQUE:
		if (!only_long)
			mime_plan_refuse(mime, refuse_opaque);
		return (struct mime_plan){
		    only_long ? MIME_ACTION_FOLD : MIME_ACTION_REFUSE,
		    part->encoding};
	case PART_MULTIPART:
		break;
	}
	return (struct mime_plan){MIME_ACTION_COPY, part->encoding};
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
static struct mime_plan
plan_header(struct mime *mime, const struct part *part)
{
	const struct stretch *header = &mime->parts.stretches[part->header];
	const struct mime_plan *next = &mime->plans[part->header + 1];
	enum transfer_encoding encoding = declared_encoding(mime, part);

	if (part->kind == PART_SEALED)
		encoding = part->encoding;
	if (next->action == MIME_ACTION_ENCODE)
		encoding = next->encoding;
	bool change = encoding != part->encoding ||
	    mime_plan_is_problem(mime, &header->traits) ||
	    (!part->is_ended && next->action != MIME_ACTION_COPY);
	if (change && header->len > HEADER_SIZE_MAX)
		mime_plan_refuse(mime, refuse_header);
	return (struct mime_plan){
	    change ? MIME_ACTION_HEADER : MIME_ACTION_COPY, encoding};
}

static struct mime_plan
plan_glue(const struct mime *mime, const struct stretch *glue)
{
	if (is_only_long(mime, &glue->traits))
		return (struct mime_plan){MIME_ACTION_FOLD, TRANSFER_7BIT};
	return (struct mime_plan){mime_plan_is_problem(mime, &glue->traits)
		? MIME_ACTION_MASK
		: MIME_ACTION_COPY,
	    TRANSFER_7BIT};
}

/* Is anything done at all, and will octets above 0x7f be left? */
static void
sum_up(struct mime *mime)
{
	bool changes = false;

	for (size_t i = 0; i < mime->parts.stretch_count; i++) {
		enum mime_action action = mime->plans[i].action;
		bool high = mime->parts.stretches[i].traits.has_8bit;
		changes = changes || action != MIME_ACTION_COPY;
		if (high &&
		    (action == MIME_ACTION_COPY || action == MIME_ACTION_FOLD ||
			(action == MIME_ACTION_HEADER && mime->has_8bitmime)))
			mime->needs_8bitmime = true;
	}
	if (mime->answer != MIME_REFUSE)
		mime->answer = changes ? MIME_CONVERT : MIME_AS_IS;
	if (mime->answer == MIME_AS_IS)
		mime->why = "";
}

void
mime_plan_all(struct mime *mime)
{
	const struct parts *parts = &mime->parts;

	mime->plans =
	    memory_array(parts->stretch_count, sizeof(struct mime_plan));
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

const char *
mime_plan_why(const struct mime *mime, const struct traits *traits)
{
	if (has_high(mime, traits))
		return why_8bit;
	if (traits->has_nul)
		return why_nul;
	return traits->has_long_line ? why_long : why_encoding;
}
