/*
 * Bodies too large to lie in a segment: a file each, by queue id, in large/.
 */
#pragma once

#include "base/error.h"
#include "queue/disk.h"
#include "queue/quarantine.h"
#include "queue/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Tells whether the message is in the queue. */
typedef bool (*large_is_live_fn)(uint64_t id, void *ctx);

/*
 * Write out the large body of this unit, if it has one, ahead of large_sync().
 * False: it cannot be written, and a sync may not say so again; the unit must
 * not be committed.  Any thread.
 */
bool large_write_out(const struct disk *disk, const struct unit *unit,
    struct error *error) MUST_USE;
/*
 * Make the large bodies of these units durable, and their names: before
 * anything tells of them.  A unit whose body fails says so in its error; units
 * that have an error already are passed over.
 */
void large_sync(const struct disk *disk, int directory_fd,
    struct unit *const *units, size_t count);
/* True, too, where it is gone already. */
bool large_remove(const struct disk *disk, int directory_fd, uint64_t id,
    struct error *error) MUST_USE;
/* How many there are. */
bool large_count(const struct disk *disk, int directory_fd, size_t *out_count,
    struct error *error) MUST_USE;
/*
 * Remove those of no live message, or, where quarantine is not NULL, put them
 * there; where there is no room for that they stay.  So do files that are not
 * named by an id.
 */
bool large_remove_orphans(const struct disk *disk, int directory_fd,
    const struct quarantine *quarantine, large_is_live_fn is_live_fn, void *ctx,
    size_t *out_removed, struct error *error) MUST_USE;
