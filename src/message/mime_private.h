/*
 * What the files of the conversion share; for nobody else:
 *
 *   mime.c         looking at the content, and reading what is to be sent
 *   mime_plan.c    what is to be done with each stretch of it
 *   mime_header.c  a header written anew
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "message/mime.h"
#include "message/parts.h"
#include "message/repair.h"
#include "message/transfer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is done with a stretch. */
enum mime_action {
	MIME_ACTION_COPY,
	MIME_ACTION_ENCODE, /* anew, with the part's new encoding */
	MIME_ACTION_REPAIR, /* it is encoded already, but not well */
	MIME_ACTION_FOLD,   /* long lines are cut */
	MIME_ACTION_MASK,   /* what is not ASCII becomes '?', long lines cut */
	MIME_ACTION_HEADER, /* written anew */
	MIME_ACTION_REFUSE
};

struct mime_plan {
	enum mime_action action;
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
	struct parts parts;      /* not for AS_IS */
	struct mime_plan *plans; /* one for each stretch */

	/* Where mime_read() is. */
	size_t stretch;
	uint64_t offset; /* within the stretch; AS_IS: within the body */
	struct transfer_encoder encoder;
	struct repair repair;
};

/* ---- mime_plan.c ---- */

/* What has these traits cannot be sent as it is. */
bool mime_plan_is_problem(const struct mime *mime, const struct traits *traits);
/* Why the body with these traits, which are a problem, is to be converted.
 * Static. */
const char *mime_plan_why(const struct mime *mime, const struct traits *traits);
/* The answer is MIME_REFUSE; why is static. */
void mime_plan_refuse(struct mime *mime, const char *why);
/* Make a plan for each stretch of mime->parts, which were found, and settle
 * the answer, why, and needs_8bitmime. */
void mime_plan_all(struct mime *mime);

/* ---- mime_header.c ---- */

/*
 * Read the header of stretch and append it to output, written anew.
 *
 * *out_possible, set on success only, is false where it cannot be: an address
 * needs SMTPUTF8, or a field's name is too long; what was appended is then of
 * no use.  Fails only where reading fails.
 */
bool mime_header_convert(struct mime *mime, const struct stretch *stretch,
    const struct mime_plan *plan, struct buffer *output, bool *out_possible,
    struct error *error) MUST_USE;
