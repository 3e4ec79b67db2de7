/*
 * What could not be read, kept octet for octet in the directory corrupt/.
 */
#pragma once

#include "base/error.h"
#include "queue/disk.h"
#include "queue/segment.h"

#include <stdbool.h>
#include <stdint.h>

struct quarantine {
	const struct disk *disk; /* borrowed */
	int directory_fd;        /* borrowed */
};

/* What a damaged stretch of a segment is called there. */
struct quarantine_name {
	char text[64];
};
struct quarantine_name quarantine_name_of(
    const struct segment_header *segment, uint64_t offset);
/*
 * Copy a stretch of a file to name, durably; what cannot be read is zeros
 * there. *out_is_new is false where it has been done before.
 */
bool quarantine_keep(const struct quarantine *quarantine, const char *name,
    int fd, uint64_t offset, uint64_t len, bool *out_is_new,
    struct error *error) MUST_USE;
/* Write text to name, as its only line, durably: where nothing is left to be
 * kept. *out_is_new as above. */
bool quarantine_note(const struct quarantine *quarantine, const char *name,
    const char *text, bool *out_is_new, struct error *error) MUST_USE;
/* Put a whole file of another directory there, durably. */
bool quarantine_take(const struct quarantine *quarantine, int from_directory_fd,
    const char *from, const char *name, struct error *error) MUST_USE;
/* The same, under a name of its own that nothing there has yet: from, and a
 * number behind it. */
bool quarantine_take_anew(const struct quarantine *quarantine,
    int from_directory_fd, const char *from, struct quarantine_name *out_name,
    struct error *error) MUST_USE;

/* What lies there until somebody takes it away. */
struct quarantine_stock {
	size_t files;
	/* Of them, what may have told of large bodies: all but such bodies. */
	size_t evidence;
};
bool quarantine_count(const struct quarantine *quarantine,
    struct quarantine_stock *out_stock, struct error *error) MUST_USE;
