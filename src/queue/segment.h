/*
 * A segment: a file of units, written from front to back, then sealed.
 *
 * It begins with 4096 octets that hold its header twice, at 0 and at 2048, so
 * that a bad sector does not cost all units behind it; the rest is 0.  All
 * numbers are little endian:
 *
 *     0  8  "postride"
 *     8  4  version of the format, 1
 *    12  4  octets of this header, 64
 *    16  8  number of its first unit, at least 1
 *    24  8  generation: one more than that of any segment made before
 *    32  8  salt
 *    40  8  the highest message id given out before
 *    48  8  flags; 1: the file had a life before this one, and what lies behind
 *           the last unit means nothing
 *    56  8  check: XXH3-64 of octets 0 to 55
 *
 * Units begin at 4096.  The file's name is the number of the first unit, 16
 * hexadecimal digits, and ".log"; the header is what counts.  A header is
 * written and synced under the name "spare" before the file gets its name, so a
 * file with that name has one, or was damaged.
 *
 * A segment reaches as far as the next one's first unit.  Units in it numbered
 * from there on belong to a group that failed, and do not count.
 */
#pragma once

#include "base/error.h"
#include "message/message.h"
#include "queue/disk.h"
#include "queue/place.h"
#include "queue/record.h"

#include <stdbool.h>
#include <stdint.h>

#define SEGMENT_HEADER_LEN 4096
#define SEGMENT_NAME_SIZE  32

struct segment_header {
	uint64_t first_unit;
	uint64_t generation;
	uint64_t salt;
	uint64_t highest_id;
	bool is_recycled;
};

/* Whether it has a summary (summary.h). */
enum segment_summary {
	SEGMENT_SUMMARY_WANTED, /* none, but it is to get one when sealed */
	SEGMENT_SUMMARY_PRESENT,
	SEGMENT_SUMMARY_REFUSED /* none, and it gets none */
};

/* How it was read at the start. */
enum segment_reading {
	SEGMENT_READ,
	SEGMENT_UNREAD,      /* not all could be: it stays for another start */
	SEGMENT_UNREAD_AGAIN /* nor the last time: it may go to corrupt/ */
};

/* A segment that is open. */
struct segment_file {
	struct segment_header header;
	int fd;
	char name[SEGMENT_NAME_SIZE];
	uint64_t bytes; /* octets that count, as far as known */
	enum segment_reading reading;
	enum segment_summary summary;
};

enum segment_header_state {
	SEGMENT_HEADER_VALID,
	SEGMENT_HEADER_DAMAGED,
	SEGMENT_HEADER_FOREIGN /* whole, but of a version that is not ours */
};

/* data: SEGMENT_HEADER_LEN octets. */
void segment_header_encode(const struct segment_header *header, char *data);
/* out_version is set unless damaged. */
enum segment_header_state segment_header_decode(struct bytes data,
    struct segment_header *out_header, uint32_t *out_version);

/* ---- reading back; any thread ---- */

/* Where a live message lies: from the ledger. */
struct segment_message {
	uint64_t id;
	struct segment_ref segment; /* of MESSAGE */
	struct place place;
	struct segment_ref progress_segment; /* of the newest PROGRESS, */
	struct place progress_place;         /* or PLACE_NONE */
};

/* Content up to so many octets is kept in memory: several messages wait for
 * each connection. */
#define SEGMENT_KEPT_MAX ((size_t)16 * 1024)

/*
 * Read envelope, progress and content, and check all of it against the
 * checksums.  The body is in memory up to SEGMENT_KEPT_MAX, so that what is
 * sent is what was checked; else a stretch of the segment, or a large file,
 * opened here and closed by body_clear().
 *
 * large_fd  the directory large/
 *
 * ERROR_DATA: damaged. It must not be delivered; quarantine it.  ERROR_SYSTEM:
 * it could not be read now.
 */
bool segment_load(const struct disk *disk, int large_fd,
    const struct segment_message *where, struct message **out_message,
    struct error *error) MUST_USE;
/* The same without reading the content: to be looked at, not delivered. */
bool segment_load_facts(const struct disk *disk, int large_fd,
    const struct segment_message *where, struct message **out_message,
    struct error *error) MUST_USE;

/*
 * Compare the content that body tells of with the check in head.  ERROR_DATA:
 * it is not what was committed, or the file is too short.
 */
bool segment_verify(const struct disk *disk, const struct body *body,
    const struct record_head *head, struct error *error) MUST_USE;
