#include "queue/shelf.h"

#include "base/seed.h"
#include "queue/ownership.h"
#include "queue/shelf_private.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#define DIRECTORY_MODE 0700
#define FILE_MODE      0600

static struct shelf
empty_shelf(const struct disk *disk)
{
	return (struct shelf){
	    .disk = disk,
	    .directory_fd = -1,
	    .large_fd = -1,
	    .corrupt_fd = -1,
	    .lock_fd = -1,
	};
}

static bool
open_directory(struct shelf *shelf, int parent_fd, const char *name,
    int *out_fd, struct error *error)
{
	const struct disk *disk = shelf->disk;

	if (disk->make_directory(disk->ctx, parent_fd, name, DIRECTORY_MODE) !=
		0 &&
	    errno != EEXIST)
		return error_system(error, "make %s", name);
	return disk_open(
	    disk, parent_fd, name, O_RDONLY | O_DIRECTORY, 0, out_fd, error);
}

/* The name of the queue's directory is durable, too, where we may see to it. */
static bool
sync_parent(struct shelf *shelf, struct error *error)
{
	const struct disk *disk = shelf->disk;
	int fd;

	if (!disk_open(disk, shelf->directory_fd, "..", O_RDONLY | O_DIRECTORY,
		0, &fd, error))
		return error->number == EACCES;
	bool is_ok = disk_sync_directory(disk, fd, error);
	(void)disk->close(disk->ctx, fd); /* only read */
	return is_ok;
}

static bool
open_directories(struct shelf *shelf, const char *path, struct error *error)
{
	const struct disk *disk = shelf->disk;

	if (!open_directory(shelf, AT_FDCWD, path, &shelf->directory_fd, error))
		return false;
	/* For new files.  Where it cannot be had, a full disk may have no room
	 * for what is written over what is there. */
	(void)disk->overwrite_in_place(disk->ctx, shelf->directory_fd);
	return sync_parent(shelf, error) &&
	    open_directory(
		shelf, shelf->directory_fd, "large", &shelf->large_fd, error) &&
	    open_directory(shelf, shelf->directory_fd, "corrupt",
		&shelf->corrupt_fd, error);
}

static bool
check_owner(struct shelf *shelf, int fd, const char *path, const char *name,
    struct error *error)
{
	const struct disk *disk = shelf->disk;
	struct disk_facts facts;

	if (disk->inspect(disk->ctx, fd, "", &facts) != 0)
		return error_system(error, "stat %s", name);
	return ownership_check(
	    &facts, disk->user(disk->ctx), path, name, error);
}

static bool
check_owners(struct shelf *shelf, const char *path, struct error *error)
{
	return check_owner(shelf, shelf->directory_fd, path, "", error) &&
	    check_owner(shelf, shelf->large_fd, path, "large", error) &&
	    check_owner(shelf, shelf->corrupt_fd, path, "corrupt", error);
}

/* The directory, too: the file may be unlinked, and made anew by another. */
static bool
lock_directory(struct shelf *shelf, struct error *error)
{
	const struct disk *disk = shelf->disk;

	if (disk->lock(disk->ctx, shelf->directory_fd) != 0)
		return error_system(error, "lock the directory");
	if (!disk_open_file(disk, shelf->directory_fd, "lock", O_RDWR | O_CREAT,
		FILE_MODE, &shelf->lock_fd, error))
		return false;
	if (disk->lock(disk->ctx, shelf->lock_fd) != 0)
		return error_system(error, "lock");
	return true;
}

static bool
find_segments(struct shelf *shelf, const char *path,
    inventory_problem_fn problem_fn, void *ctx, struct error *error)
{
	struct quarantine quarantine = shelf_quarantine(shelf);
	struct inventory found;

	if (!bounds_read(
		shelf->disk, shelf->directory_fd, &shelf->bounds, error) ||
	    !inventory_take(shelf->directory_fd, path, &quarantine, problem_fn,
		ctx, &found, error))
		return false;
	shelf->segments = found.segments;
	shelf->count = found.count;
	shelf->capacity = found.count;
	/* None is given twice, should one that is missing be found. */
	shelf->highest_generation =
	    found.highest_generation > shelf->bounds.newest
	    ? found.highest_generation
	    : shelf->bounds.newest;
	shelf->has_spare = found.has_spare;
	shelf->is_spare_recycled = found.has_spare; /* for all we know */
	return true;
}

bool
shelf_open(struct shelf *shelf, const struct disk *disk, const char *path,
    inventory_problem_fn problem_fn, void *ctx, struct error *error)
{
	*shelf = empty_shelf(disk);
	if (!open_directories(shelf, path, error) ||
	    !check_owners(shelf, path, error) ||
	    !lock_directory(shelf, error) ||
	    !find_segments(shelf, path, problem_fn, ctx, error) ||
	    !shelf_sync_names(shelf, error)) {
		shelf_close(shelf);
		return false;
	}
	return true;
}

void
shelf_close(struct shelf *shelf)
{
	for (size_t i = 0; i < shelf->count; i++)
		shelf_close_fd(shelf, shelf->segments[i].fd);
	free(shelf->segments);
	shelf_close_fd(shelf, shelf->lock_fd);
	shelf_close_fd(shelf, shelf->corrupt_fd);
	shelf_close_fd(shelf, shelf->large_fd);
	shelf_close_fd(shelf, shelf->directory_fd);
	*shelf = empty_shelf(shelf->disk);
}

struct segment_file *
shelf_newest(const struct shelf *shelf)
{
	return shelf->count == 0 ? NULL : &shelf->segments[shelf->count - 1];
}

struct segment_ref
shelf_ref(const struct segment_file *segment)
{
	return (struct segment_ref){
	    .number = segment->header.generation,
	    .fd = segment->fd,
	    .salt = segment->header.salt,
	};
}

struct quarantine
shelf_quarantine(const struct shelf *shelf)
{
	return (struct quarantine){
	    .disk = shelf->disk,
	    .directory_fd = shelf->corrupt_fd,
	};
}

void
shelf_note_bounds(struct shelf *shelf)
{
	assert(shelf->count > 0);
	struct error ignored;
	struct bounds bounds = {
	    .oldest = shelf->segments[0].header.generation,
	    .newest = shelf->segments[shelf->count - 1].header.generation,
	};

	if (bounds.oldest < shelf->bounds.oldest)
		bounds.oldest = shelf->bounds.oldest;
	if (bounds.newest < shelf->bounds.newest)
		bounds.newest = shelf->bounds.newest;
	if (bounds.oldest > shelf->bounds.oldest ||
	    bounds.newest > shelf->bounds.newest)
		/* Else it tells of less than there is. */
		(void)shelf_write_bounds(shelf, bounds, false, &ignored);
}

bool
shelf_sync_names(struct shelf *shelf, struct error *error)
{
	if (!shelf->is_synced && !SEED(NO_DIRECTORY_SYNC) &&
	    !disk_sync_directory(shelf->disk, shelf->directory_fd, error))
		return false;
	shelf->is_synced = true;
	return true;
}

bool
shelf_rename(
    struct shelf *shelf, const char *from, const char *to, struct error *error)
{
	const struct disk *disk = shelf->disk;

	shelf->is_synced = false;
	if (disk->rename(disk->ctx, shelf->directory_fd, from,
		shelf->directory_fd, to) != 0)
		return error_system(error, "rename %s to %s", from, to);
	return true;
}

bool
shelf_write_bounds(struct shelf *shelf, struct bounds bounds, bool is_synced,
    struct error *error)
{
	if (shelf->bounds.newest == 0)
		shelf->is_synced = false; /* the file is new */
	if (!bounds_write(
		shelf->disk, shelf->directory_fd, bounds, is_synced, error))
		return false;
	shelf->bounds = bounds;
	return true;
}

void
shelf_close_fd(const struct shelf *shelf, int fd)
{
	if (fd >= 0)
		/* Only read, or synced, or given up. */
		(void)shelf->disk->close(shelf->disk->ctx, fd);
}
