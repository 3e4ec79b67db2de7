/*
 * Where the content of a mail comes from: memory, a function of the caller's,
 * or a conversion of the first to 7 bits.
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"
#include "lib/postrider/smtp.h"
#include "message/body.h"

#include <stdbool.h>
#include <stdint.h>

struct mime;

struct smtp_content {
	struct bytes memory; /* borrowed */
	size_t offset;
	smtp_read_fn read; /* NULL: memory */
	void *read_arg;
	uint64_t size; /* on the wire, where known */
	bool has_size;
	bool is_8bit;
	bool is_converted; /* body is there */
	struct body body;  /* memory with CRLF line ends, for mime */
	struct mime *mime; /* owned; NULL: no conversion */
	struct buffer piece;
};

/* raw: line ends stay as they are. */
void smtp_content_of_memory(
    struct smtp_content *content, struct bytes memory, bool raw);
void smtp_content_of_function(struct smtp_content *content, smtp_read_fn read,
    void *arg, uint64_t size, bool is_8bit);
/* BINARYMIME: line ends are content like all else. */
void smtp_content_keep_as_is(struct smtp_content *content);
/* Afterwards it has only ASCII; false where that cannot be. */
bool smtp_content_convert(
    struct smtp_content *content, struct error *error) MUST_USE;
/* The next stretch, valid until the next call; false where reading failed. */
bool smtp_content_next(struct smtp_content *content, struct bytes *out_stretch,
    bool *out_last, struct error *error) MUST_USE;
void smtp_content_clear(struct smtp_content *content);
