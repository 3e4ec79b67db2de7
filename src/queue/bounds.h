/*
 * Which segments there are to be: the file "bounds" in the queue's directory,
 * so that a segment that is gone as a whole file, the oldest or the newest, is
 * missed.
 *
 * It holds two copies, at 0 and at 512, in sectors of their own, so that one
 * that is torn or damaged leaves the other.  All numbers are little endian:
 *
 *     0  8  "postboun"
 *     8  4  version of the format, 1
 *    12  4  octets of this copy, 40
 *    16  8  generation of the oldest segment that is needed: all before it were
 *           given up, or told of as missing
 *    24  8  generation of the newest segment
 *    32  8  check: XXH3-64 of octets 0 to 31
 *
 * Both numbers only ever grow: of two copies that are sound the greater ones
 * count.  The first is written and synced before a segment is given up, the
 * second when the name of a segment is durable.  So it may tell of less than
 * there is, and never of more.
 *
 * Where it is missing, damaged or of another version it tells nothing; it is
 * written anew.
 */
#pragma once

#include "base/error.h"
#include "queue/disk.h"

#include <stdbool.h>
#include <stdint.h>

#define BOUNDS_NAME    "bounds"
#define BOUNDS_VERSION 1

/* Generations; both 0: not known. */
struct bounds {
	uint64_t oldest, newest;
};

/* Fails where it could be read another time. */
bool bounds_read(const struct disk *disk, int directory_fd,
    struct bounds *out_bounds, struct error *error) MUST_USE;
/* False: what it tells now may be less than is true. */
bool bounds_write(const struct disk *disk, int directory_fd,
    struct bounds bounds, bool is_synced, struct error *error) MUST_USE;

/* What is missing of count segments, from generation first to last; false:
 * nothing that is known of. */
bool bounds_miss_oldest(
    struct bounds bounds, size_t count, uint64_t first, struct bounds *out);
bool bounds_miss_newest(
    struct bounds bounds, size_t count, uint64_t last, struct bounds *out);
