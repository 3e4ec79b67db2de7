/*
 * The queue's directory and the segments in it, oldest first: which there are,
 * how a new one begins, how the oldest goes, and where damaged octets are kept.
 *
 * A new segment is made under the name "spare" and gets its own name when its
 * header is durable.  The oldest, when it goes, becomes the spare: overwriting
 * is faster than growing, and its room is there on a full disk.
 */
#pragma once

#include "base/error.h"
#include "queue/bounds.h"
#include "queue/disk.h"
#include "queue/inventory.h"
#include "queue/place.h"
#include "queue/segment.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shelf {
	const struct disk *disk; /* borrowed */
	int directory_fd, large_fd, corrupt_fd, lock_fd;
	struct segment_file *segments; /* owned, oldest first */
	size_t count;
	size_t capacity;
	uint64_t highest_generation;
	bool is_synced;    /* all names are durable */
	bool is_uncertain; /* a segment was begun in vain, but may exist */
	bool has_spare;
	bool is_spare_recycled;  /* it has been a segment */
	struct bounds bounds;    /* as they stand in their file */
	uint64_t durable_oldest; /* of them, as far as this process knows */
};

/*
 * Make what is missing, lock, and find the segments: see inventory_take().
 * ERROR_CONFIG, too, where the queue's directory, large/ or corrupt/ is in
 * other hands than this process's user (ownership.h).
 */
bool shelf_open(struct shelf *shelf, const struct disk *disk, const char *path,
    inventory_problem_fn problem_fn, void *ctx, struct error *error) MUST_USE;
void shelf_close(struct shelf *shelf);

struct segment_file *shelf_newest(const struct shelf *shelf);
struct segment_ref shelf_ref(const struct segment_file *segment);
/* Borrows from shelf. */
struct quarantine shelf_quarantine(const struct shelf *shelf);

/* Put a new segment, durably, behind the others. */
bool shelf_begin(struct shelf *shelf, uint64_t first_unit, uint64_t highest_id,
    struct error *error) MUST_USE;
/* Note which segments there are, for the next start: after shelf_open(), when
 * all that is missing has been told of. */
void shelf_note_bounds(struct shelf *shelf);
/* Give up the oldest, durably.  There is another. */
bool shelf_drop_oldest(struct shelf *shelf, struct error *error) MUST_USE;
/* What the next segment's file has already; 0 where there is none, or that
 * cannot be known. */
uint64_t shelf_spare_bytes(const struct shelf *shelf);
/* Make it no longer than size, if it can be. */
void shelf_trim_spare(const struct shelf *shelf, uint64_t size);
/*
 * See to it that the next segment has a file with room for size octets, so that
 * a full disk still has room for what is done.  (Where the file system knows no
 * such thing it has a file.)  False: error says why there is none.
 */
bool shelf_reserve(
    struct shelf *shelf, uint64_t size, struct error *error) MUST_USE;
