/*
 * Which segments a directory holds, and in which order.
 */
#pragma once

#include "base/error.h"
#include "queue/quarantine.h"
#include "queue/segment.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INVENTORY_SPARE "spare"

struct inventory {
	struct segment_file *segments; /* owned, oldest first, open */
	size_t count;
	uint64_t highest_generation;
	bool has_spare; /* there is a file of that name */
};

/* Tells of a whole file that was put aside, or left, where it cannot be. text
 * is borrowed for the call. */
typedef void (*inventory_problem_fn)(const char *text, void *ctx);

/*
 * Look through the directory.  What has a segment's name and is no regular
 * file, has a damaged header, or does not follow the one before it, is put into
 * quarantine, and problem_fn is told; so is a spare that is no regular file.
 * On failure everything is closed.
 *
 * path  of the directory, for the text of errors
 *
 * ERROR_CONFIG: a segment's format is not ours, or a segment is in other hands
 * than the directory (ownership.h); then nothing has been changed.
 */
bool inventory_take(int directory_fd, const char *path,
    const struct quarantine *quarantine, inventory_problem_fn problem_fn,
    void *ctx, struct inventory *out_inventory, struct error *error) MUST_USE;

/* What is wrong with a segment's file as a whole. */
enum inventory_trouble {
	INVENTORY_HEADLESS, /* both copies of its header are damaged */
	INVENTORY_FOREIGN,  /* its format is not ours */
	INVENTORY_STRANGER, /* it does not follow the one before it */
	INVENTORY_NO_FILE,  /* it is a directory, a link, a pipe... */
	INVENTORY_SHARED    /* others than the owner may write to it */
};

/* name is borrowed for the call; version is that of a FOREIGN one. */
typedef void (*inventory_trouble_fn)(const char *name,
    enum inventory_trouble trouble, uint32_t version, void *ctx);

/*
 * The same, and nothing is changed: segments are opened for reading only, and
 * what inventory_take() would put aside or refuse is told to trouble_fn and
 * left out, but for what is SHARED.
 */
bool inventory_look(int directory_fd, const struct disk *disk,
    inventory_trouble_fn trouble_fn, void *ctx, struct inventory *out_inventory,
    struct error *error) MUST_USE;
