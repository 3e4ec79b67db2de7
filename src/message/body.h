/*
 * The content of a message, header and all, as it will go out: CRLF lines, no
 * dot-stuffing.  It lies in memory until it is committed, or, past the inline
 * limit, in a file of its own; afterwards in a stretch of a file (a journal
 * segment or that file).
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct body {
	struct buffer memory; /* the content, where fd is -1 */
	int fd;               /* or a stretch of this file; */
	bool owns_fd;         /* to be closed by body_clear() */
	uint64_t offset;      /* of the stretch */
	uint64_t len;         /* of the content, either way */
	char name[32];        /* of the large body's own file, or "" */
};

void body_init(struct body *body);
/* Releases memory, closes an owned descriptor; removes no file. */
void body_clear(struct body *body);
/* Content in memory, copied. */
void body_set(struct body *body, struct bytes content);
/*
 * Up to len octets at offset, from memory or by pread.  Short only at the end
 * of the content.  Any thread, as long as body is not changed.
 */
bool body_read(const struct body *body, uint64_t offset, void *data, size_t len,
    size_t *out_len, struct error *error) MUST_USE;

/* ---- writing: memory first, then a file ---- */

struct body_writer {
	struct body body; /* what has been written so far */
	char name[32];    /* of the file, should one be needed */
	int directory_fd; /* borrowed: where large bodies' files are made */
	uint64_t inline_limit; /* octets kept in memory */
};

/* name: of the file, should one be needed ("<queue id>"); made with 0600 and
 * O_EXCL.  directory_fd -1: never a file, ERROR_LIMIT past inline_limit. */
void body_writer_init(struct body_writer *writer, int directory_fd,
    const char *name, uint64_t inline_limit);
/* After a failure only body_writer_cancel() is left. */
bool body_writer_append(struct body_writer *writer, struct bytes content,
    struct error *error) MUST_USE;
/* Hand the body over; the file is written, not yet synced (that is done with
 * the commit). The writer is empty then. */
void body_writer_take(struct body_writer *writer, struct body *out_body);
/* Give up: the file, if any, is removed. */
void body_writer_cancel(struct body_writer *writer);
