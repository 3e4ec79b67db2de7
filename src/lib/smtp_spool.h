/*
 * Content that is needed again, on disk: a file without a name, which is gone
 * with its descriptor whatever happens to the process.
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct smtp_spool {
	int fd; /* -1: not open */
	uint64_t len;
};

void smtp_spool_init(struct smtp_spool *spool);
/* In $TMPDIR, else /tmp; with 0600. */
bool smtp_spool_open(struct smtp_spool *spool, struct error *error) MUST_USE;
bool smtp_spool_append(struct smtp_spool *spool, struct bytes octets,
    struct error *error) MUST_USE;
/* Up to len octets at offset; 0 at the end alone. */
bool smtp_spool_read(const struct smtp_spool *spool, uint64_t offset,
    void *data, size_t len, size_t *out_len, struct error *error) MUST_USE;
/* The descriptor is the caller's then. */
int smtp_spool_take(struct smtp_spool *spool);
void smtp_spool_clear(struct smtp_spool *spool);
