/*
 * Where the content of a mail comes from: memory, a function of the caller's,
 * or a conversion of either to 7 bits.  What may be needed again, and cannot be
 * had again, is kept in a file.
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"
#include "lib/postrider/smtp.h"
#include "lib/smtp_spool.h"
#include "message/body.h"
#include "message/transfer.h"

#include <stdbool.h>
#include <stdint.h>

struct mime;

struct smtp_content {
	struct bytes memory; /* borrowed */
	smtp_read_fn read;   /* NULL: memory */
	void *read_arg;
	bool can_rewind; /* read can */
	bool is_begun;   /* read was asked */
	bool is_read;    /* read has said that it is all */
	bool is_kept;    /* what read gives is kept in spool */
	struct smtp_spool spool;
	uint64_t offset; /* of memory, or what is kept, where to go on */
	uint64_t size;   /* on the wire, where known */
	bool has_size;
	bool is_8bit;
	bool has_long_line; /* known to, see dot.h */
	bool is_watched;    /* reading fails at a long line of the function's */
	size_t column;      /* for that */
	bool is_converted;  /* body is there */
	struct body body;   /* all of it with CRLF line ends, for mime */
	struct mime *mime;  /* owned; NULL: no conversion */
	struct buffer piece;
};

enum smtp_content_conversion {
	SMTP_CONTENT_CONVERTED,
	SMTP_CONTENT_UNFIT,      /* it cannot be: enhanced code, and why */
	SMTP_CONTENT_UNREADABLE, /* reading it, or the file, failed */
};

/* None. */
void smtp_content_init(struct smtp_content *content);
/* raw: line ends stay as they are. */
void smtp_content_of_memory(
    struct smtp_content *content, struct bytes memory, bool raw);
void smtp_content_of_function(struct smtp_content *content, smtp_read_fn read,
    void *arg, uint64_t size, int flags);
/* Lines that are too long may not go out: reading fails where the function has
 * some all the same. */
void smtp_content_watch(struct smtp_content *content);
/* BINARYMIME: line ends are content like all else. */
void smtp_content_keep_as_is(struct smtp_content *content);
/*
 * Afterwards its lines are not too long, it is ASCII unless has_8bitmime, and
 * size is that of the conversion.  Memory is converted out of a copy, what
 * comes from a function out of a file, so that this takes constant memory.
 * has_8bitmime, form: as of mime_open_as(); *out_status: static.
 */
enum smtp_content_conversion smtp_content_convert(struct smtp_content *content,
    bool has_8bitmime, enum transfer_encoding form, const char **out_status,
    struct error *error) MUST_USE;
/* The next stretch, valid until the next call; false where reading failed. */
bool smtp_content_next(struct smtp_content *content, struct bytes *out_stretch,
    bool *out_last, struct error *error) MUST_USE;
/* It will be needed again: keep what cannot be read twice.  Only before the
 * first stretch. */
bool smtp_content_keep(
    struct smtp_content *content, struct error *error) MUST_USE;
/* Begin at the first stretch again; false where that cannot be. */
bool smtp_content_restart(struct smtp_content *content) MUST_USE;
void smtp_content_clear(struct smtp_content *content);
