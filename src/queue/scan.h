/*
 * A walk over the units of a segment, sound or not.
 *
 * Where something cannot be read, the walk goes on at the next sound unit:
 * damage costs only what it hit.  The last segment may end in a torn group;
 * units of it that are whole count, whether or not their neighbours are, since
 * the records of one group do not depend on each other.
 */
#pragma once

#include "base/error.h"
#include "queue/disk.h"
#include "queue/record.h"
#include "queue/segment.h"

#include <stdbool.h>
#include <stdint.h>

enum scan_event_kind {
	SCAN_UNIT,   /* a valid unit */
	SCAN_DAMAGE, /* octets that should hold valid units, and do not */
	SCAN_TAIL    /* the same at the end of the last segment: torn */
};

struct scan_event {
	enum scan_event_kind kind;
	uint64_t offset;           /* in the file */
	uint64_t len;              /* octets, filling included */
	struct unit_header header; /* UNIT */
	struct bytes heads;        /* UNIT; borrowed for the call */
	/* DAMAGE: the units that should have been there. */
	uint64_t first_missing;
	uint64_t missing; /* how many */
};

typedef bool (*scan_event_fn)(
    const struct scan_event *event, void *ctx, struct error *error);

struct scan {
	const struct disk *disk;
	int fd;
	struct segment_header header;
	/* The next segment's first unit; 0: this is the last one. */
	uint64_t end_unit;
	/* Read it, too; else only what is in front of it. */
	bool checks_content;
};

/* How far the scan came. */
struct scan_end {
	uint64_t next_unit;    /* one more than the last valid unit's number */
	uint64_t offset;       /* behind the last valid unit */
	uint64_t group;        /* of the last valid unit, */
	uint64_t group_offset; /* and where that group begins; 0: no unit */
	/* Behind the last octet that could not be read; 0: all could.  What
	 * cannot be read now may hold mail, and be read another time.  Behind
	 * a last segment's clean end nothing does, so it is not above that. */
	uint64_t unread_end;
};

/*
 * Walk over all units in order.  Fails only where reading fails or event_fn
 * does; damage is an event.
 */
bool scan_segment(const struct scan *scan, scan_event_fn event_fn, void *ctx,
    struct scan_end *out_end, struct error *error) MUST_USE;
