/*
 * Where something lies in the journal.
 */
#pragma once

#include <stdint.h>

/* A unit: its records are found in it by type and id. */
struct place {
	uint64_t segment; /* its number; 0: nowhere */
	uint32_t offset;  /* of the unit in the segment's file */
	uint32_t
	    len; /* octets of its header and record heads, without content */
};

#define PLACE_NONE ((struct place){0, 0, 0})

/*
 * A segment to read from.  The descriptor belongs to the journal and is open as
 * long as the segment lives, that is, as long as any live message lies in it:
 * whoever works on such a message may read, from any thread.
 */
struct segment_ref {
	uint64_t number; /* its generation */
	int fd;
	uint64_t salt;
};
