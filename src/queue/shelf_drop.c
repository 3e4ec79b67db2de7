#include "base/seed.h"
#include "queue/shelf_private.h"
#include "queue/summary.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void
remove_summary(const struct shelf *shelf, const struct segment_file *segment)
{
	char name[SEGMENT_NAME_SIZE];

	summary_name(segment->name, name);
	/* Most have none; one that stays is removed at the next start. */
	(void)shelf->disk->unlink(shelf->disk->ctx, shelf->directory_fd, name);
}

/* Nobody knows what it holds. */
static bool
keep_segment(struct shelf *shelf, const struct segment_file *segment,
    struct error *error)
{
	struct quarantine quarantine = shelf_quarantine(shelf);
	char target[2 * SEGMENT_NAME_SIZE];

	if (segment->reading == SEGMENT_UNREAD)
		return error_set(
		    error, ERROR_SYSTEM, "not all of it could be read");
	shelf->is_synced = false;
	(void)snprintf(target, sizeof(target), "%s.%016llx", segment->name,
	    (unsigned long long)segment->header.salt); /* fits */
	return quarantine_take(
	    &quarantine, shelf->directory_fd, segment->name, target, error);
}

static bool
become_spare(struct shelf *shelf, const char *name, struct error *error)
{
	if (!shelf_rename(shelf, name, INVENTORY_SPARE, error))
		return false;
	shelf->has_spare = true;
	shelf->is_spare_recycled = true;
	return true;
}

/* That a file becomes the spare is thrift: on a full disk there may be no room
 * for another name, while one can go. */
static bool
take_away(struct shelf *shelf, const char *name, struct error *error)
{
	bool is_spared = !shelf->has_spare || !shelf->is_spare_recycled;

	if (is_spared && become_spare(shelf, name, error))
		return true;
	if (is_spared && !disk_is_full(error))
		return false;
	shelf->is_synced = false;
	if (shelf->disk->unlink(shelf->disk->ctx, shelf->directory_fd, name) !=
	    0)
		return error_system(error, "unlink %s", name);
	return true;
}

/* Before the oldest goes.  What tells that it is needed must not stay, or the
 * next start misses it; where there is no room to say so, all of it goes. */
static bool
note_drop(struct shelf *shelf, struct error *error)
{
	const struct disk *disk = shelf->disk;
	struct bounds bounds = shelf->bounds;

	if (bounds.oldest < shelf->segments[1].header.generation)
		bounds.oldest = shelf->segments[1].header.generation;
	if (bounds.oldest <= shelf->durable_oldest)
		return true;
	if (shelf_write_bounds(
		shelf, bounds, !SEED(BOUNDS_NOT_SYNCED), error)) {
		shelf->durable_oldest = bounds.oldest;
		return true;
	}
	shelf->bounds = (struct bounds){.oldest = 0};
	shelf->is_synced = false;
	return disk->unlink(disk->ctx, shelf->directory_fd, BOUNDS_NAME) == 0 ||
	    errno == ENOENT;
}

bool
shelf_drop_oldest(struct shelf *shelf, struct error *error)
{
	assert(shelf->count > 1);
	struct segment_file *oldest =
	    &shelf->segments[SEED(DROP_MIDDLE) && shelf->count > 2 ? 1 : 0];

	/* The one before it is gone for good, or it would come back without the
	 * records in this one that end its messages. */
	if (!note_drop(shelf, error) ||
	    (!SEED(DROP_NOT_SYNCED) && !shelf_sync_names(shelf, error)))
		return false;
	bool is_away = oldest->reading == SEGMENT_READ
	    ? take_away(shelf, oldest->name, error)
	    : keep_segment(shelf, oldest, error);
	if (!is_away)
		return false;
	remove_summary(shelf, oldest);
	shelf_close_fd(shelf, oldest->fd);
	shelf->count--;
	memmove(oldest, oldest + 1,
	    (size_t)(&shelf->segments[shelf->count] - oldest) *
		sizeof(*oldest));
	return SEED(DROP_NOT_SYNCED) || shelf_sync_names(shelf, error);
}
