/*
 * The summary of a sealed segment: the segment without its content, so that
 * recovery need not read past that.
 *
 * It is a file beside the segment, named like it with ".sum" for ".log". All
 * numbers are little endian:
 *
 *   header (64)
 *     0  8  "postsumm"
 *     8  4  version of the format, 1
 *    12  4  octets of this header, 64
 *    16  8  generation of the segment
 *    24  8  number of its first unit
 *    32  8  how many units there are
 *    40  8  where in the segment's file the last of them ends
 *    48  8  octets of this file
 *    56  8  check: XXH3-64, seeded with the segment's salt, of octets 64 to the
 *           end, and then of octets 0 to 55
 *
 *   for each unit, in order: its header and its heads, as they are in the
 *   segment (record.h), their checks included.  A unit begins in the segment
 *   where the one before it ends, the first at 4096.
 *
 * A summary counts when its check holds; when it is of this segment, by
 * generation and salt, and of all its units up to the next segment's first;
 * when each of these is valid by its own checks; and when the segment's file is
 * long enough and has the header of the last unit where it should be.
 * Otherwise it is as if it were not there, and the segment is scanned.
 *
 * So it is no second truth: all in it is a copy that the segment's own checks,
 * seeded with the segment's own salt, say is one.  It is not synced, since one
 * that is torn does not count, and it can be deleted at any time.
 *
 * What of the segment a summary hides at the start: damage between its header
 * and the header of its last unit.  Heads that are damaged there cost nothing
 * if the message has ended; heads and content of a message that is live are
 * checked by segment_load() whenever it is to be delivered, as content always
 * is.  A segment in which damage was found gets no summary.
 */
#pragma once

#include "base/bytes.h"
#include "queue/disk.h"
#include "queue/scan.h"
#include "queue/segment.h"

#include <stdbool.h>
#include <stdint.h>

#define SUMMARY_VERSION    1
#define SUMMARY_HEADER_LEN 64
/* A summary is read as a whole, so this bounds the memory for it; a segment
 * whose heads take more is scanned. */
#define SUMMARY_LEN_MAX ((uint64_t)32 * 1024 * 1024)

/* What its header tells. */
struct summary_header {
	uint64_t generation;
	uint64_t first_unit;
	uint64_t unit_count;
	uint64_t segment_end;
	uint64_t len;
};

/* check: has been given all that is behind the header; it is taken. */
void summary_header_encode(const struct summary_header *header,
    struct record_check *check, char data[SUMMARY_HEADER_LEN]);

/* segment_name's summary. */
void summary_name(const char *segment_name, char name[SEGMENT_NAME_SIZE]);
/* The name of some summary that this program may have made. */
bool summary_is_name(const char *name);

/* ---- reading ---- */

/* One that counts, and how far it has been read. */
struct summary {
	char *memory; /* owned */
	struct bytes rest;
	uint64_t salt;
	uint64_t offset; /* of the next unit in the segment */
};

enum summary_state {
	SUMMARY_COUNTS,
	SUMMARY_MISSING,
	SUMMARY_IGNORED /* it is not this segment's, or damaged, or cannot be
			   read */
};

/*
 * end_unit  the first unit of the next segment
 *
 * out_summary is set only where it counts; then clear it.
 */
enum summary_state summary_load(const struct disk *disk, int directory_fd,
    const struct segment_file *segment, uint64_t end_unit,
    struct summary *out_summary);
void summary_clear(struct summary *summary);
/* The next unit, as scan_segment() would tell of it; the heads are borrowed
 * from summary.  False: there is no other. */
bool summary_next(struct summary *summary, struct scan_event *out_event);
