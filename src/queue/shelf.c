#include "queue/shelf.h"

#include "base/memory.h"
#include "base/seed.h"
#include "queue/ownership.h"
#include "queue/summary.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIRECTORY_MODE 0700
#define FILE_MODE      0600
#define NAMES_MAX      100 /* that are tried; they are hardly ever taken */

/* ---- directories ---- */

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

/* All names are durable afterwards; nothing is done where they are already. */
static bool
sync_names(struct shelf *shelf, struct error *error)
{
	if (!shelf->is_synced && !SEED(NO_DIRECTORY_SYNC) &&
	    !disk_sync_directory(shelf->disk, shelf->directory_fd, error))
		return false;
	shelf->is_synced = true;
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
	    !sync_names(shelf, error)) {
		shelf_close(shelf);
		return false;
	}
	return true;
}

static void
close_fd(const struct shelf *shelf, int fd)
{
	if (fd >= 0)
		/* Only read, or synced, or given up. */
		(void)shelf->disk->close(shelf->disk->ctx, fd);
}

void
shelf_close(struct shelf *shelf)
{
	for (size_t i = 0; i < shelf->count; i++)
		close_fd(shelf, shelf->segments[i].fd);
	free(shelf->segments);
	close_fd(shelf, shelf->lock_fd);
	close_fd(shelf, shelf->corrupt_fd);
	close_fd(shelf, shelf->large_fd);
	close_fd(shelf, shelf->directory_fd);
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

/* ---- beginning ---- */

static bool
rename_file(
    struct shelf *shelf, const char *from, const char *to, struct error *error)
{
	const struct disk *disk = shelf->disk;

	shelf->is_synced = false;
	if (disk->rename(disk->ctx, shelf->directory_fd, from,
		shelf->directory_fd, to) != 0)
		return error_system(error, "rename %s to %s", from, to);
	return true;
}

static void
append_segment(struct shelf *shelf, const struct segment_file *segment)
{
	if (shelf->count == shelf->capacity) {
		shelf->capacity =
		    shelf->capacity == 0 ? 16 : shelf->capacity * 2;
		shelf->segments = memory_resize_array(shelf->segments,
		    shelf->capacity, sizeof(shelf->segments[0]));
	}
	shelf->segments[shelf->count++] = *segment;
}

static bool
is_taken(const struct shelf *shelf, const char *name)
{
	for (size_t i = 0; i < shelf->count; i++) {
		if (strcmp(shelf->segments[i].name, name) == 0)
			return true;
	}
	return disk_has(shelf->disk, shelf->directory_fd, name);
}

/* A file that was renamed by hand, a segment begun in vain, or one that could
 * not be put aside may have it. */
static void
choose_name(const struct shelf *shelf, struct segment_header *header,
    char name[SEGMENT_NAME_SIZE])
{
	(void)snprintf(name, SEGMENT_NAME_SIZE, "%016llx.log",
	    (unsigned long long)header->first_unit);
	for (int i = 0; i < NAMES_MAX && is_taken(shelf, name); i++)
		(void)snprintf(name, SEGMENT_NAME_SIZE, "g%016llx.log",
		    (unsigned long long)(i == 0 ? header->generation
						: ++header->generation));
}

static bool
make_header(struct shelf *shelf, uint64_t first_unit, uint64_t highest_id,
    struct segment_header *out_header, struct error *error)
{
	const struct disk *disk = shelf->disk;
	struct segment_header header = {
	    .first_unit = first_unit,
	    .generation = shelf->highest_generation + 1,
	    .highest_id = highest_id,
	    .is_recycled = shelf->has_spare && shelf->is_spare_recycled,
	};

	if (disk->random(disk->ctx, &header.salt, sizeof(header.salt)) != 0)
		return error_system(error, "random");
	*out_header = header;
	return true;
}

/* Up to the durable name; the descriptor in segment is the caller's. */
static bool
write_segment(struct shelf *shelf, const struct segment_file *segment,
    struct error *error)
{
	char data[SEGMENT_HEADER_LEN + UNIT_HEADER_LEN] = {0};

	segment_header_encode(&segment->header, data);
	if (!disk_write_at(
		shelf->disk, segment->fd, data, sizeof(data), 0, error) ||
	    (!SEED(SEGMENT_HEADER_LATE) &&
		!disk_sync(shelf->disk, segment->fd, error)))
		return false;
	shelf->has_spare = false;
	shelf->is_uncertain = true;
	return rename_file(shelf, INVENTORY_SPARE, segment->name, error) &&
	    (SEED(SEGMENT_NAME_LATE) || sync_names(shelf, error));
}

/* Room that a file took in vain is given back. */
static void
remove_spare(struct shelf *shelf)
{
	const struct disk *disk = shelf->disk;

	shelf->is_synced = false;
	/* What stays is overwritten the next time. */
	shelf->has_spare = disk->unlink(disk->ctx, shelf->directory_fd,
			       INVENTORY_SPARE) != 0 &&
	    errno != ENOENT;
}

static bool
open_spare_file(struct shelf *shelf, int *out_fd, struct error *error)
{
	if (!disk_open_file(shelf->disk, shelf->directory_fd, INVENTORY_SPARE,
		O_RDWR | O_CREAT, FILE_MODE, out_fd, error))
		return false;
	if (!shelf->has_spare)
		shelf->is_spare_recycled = false;
	shelf->has_spare = true;
	return true;
}

/* What is no file is put aside. */
static bool
open_spare(struct shelf *shelf, int *out_fd, struct error *error)
{
	struct quarantine quarantine = shelf_quarantine(shelf);
	struct quarantine_name name;

	if (open_spare_file(shelf, out_fd, error))
		return true;
	if (error->kind != ERROR_DATA)
		return false;
	shelf->is_synced = false;
	shelf->has_spare = false;
	return quarantine_take_anew(&quarantine, shelf->directory_fd,
		   INVENTORY_SPARE, &name, error) &&
	    open_spare_file(shelf, out_fd, error);
}

/* Where a spare cannot be written it goes: another may lie better.  On a full
 * disk one with room is worth keeping. */
static bool
begin_in_spare(struct shelf *shelf, uint64_t first_unit, uint64_t highest_id,
    struct error *error)
{
	struct segment_file segment = {.fd = -1, .bytes = SEGMENT_HEADER_LEN};
	bool had_spare = shelf->has_spare;

	if (!open_spare(shelf, &segment.fd, error))
		return false;
	if (!make_header(
		shelf, first_unit, highest_id, &segment.header, error)) {
		close_fd(shelf, segment.fd);
		return false;
	}
	choose_name(shelf, &segment.header, segment.name);
	shelf->highest_generation = segment.header.generation;
	if (!write_segment(shelf, &segment, error)) {
		close_fd(shelf, segment.fd);
		if (!shelf->is_uncertain &&
		    (!had_spare || !disk_is_full(error)))
			remove_spare(shelf);
		return error_context(error, "begin %s", segment.name);
	}
	shelf->is_uncertain = false;
	append_segment(shelf, &segment);
	return true;
}

static bool
write_bounds(struct shelf *shelf, struct bounds bounds, bool is_synced,
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
		(void)write_bounds(shelf, bounds, false, &ignored);
}

bool
shelf_begin(struct shelf *shelf, uint64_t first_unit, uint64_t highest_id,
    struct error *error)
{
	bool had_spare = shelf->has_spare;

	/* The spare must not be an older segment yet for who comes after us. */
	if (!sync_names(shelf, error))
		return false;
	bool is_begun = begin_in_spare(shelf, first_unit, highest_id, error);
	if (!is_begun && had_spare && !shelf->has_spare && !shelf->is_uncertain)
		is_begun = begin_in_spare(shelf, first_unit, highest_id, error);
	if (is_begun)
		shelf_note_bounds(shelf);
	return is_begun;
}

/* ---- dropping ---- */

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
	if (!rename_file(shelf, name, INVENTORY_SPARE, error))
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
	if (write_bounds(shelf, bounds, !SEED(BOUNDS_NOT_SYNCED), error)) {
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
	    (!SEED(DROP_NOT_SYNCED) && !sync_names(shelf, error)))
		return false;
	bool is_away = oldest->reading == SEGMENT_READ
	    ? take_away(shelf, oldest->name, error)
	    : keep_segment(shelf, oldest, error);
	if (!is_away)
		return false;
	remove_summary(shelf, oldest);
	close_fd(shelf, oldest->fd);
	shelf->count--;
	memmove(oldest, oldest + 1,
	    (size_t)(&shelf->segments[shelf->count] - oldest) *
		sizeof(*oldest));
	return SEED(DROP_NOT_SYNCED) || sync_names(shelf, error);
}

bool
shelf_reserve(struct shelf *shelf, uint64_t size, struct error *error)
{
	const struct disk *disk = shelf->disk;
	uint64_t present = 0;
	int fd;

	if (!open_spare(shelf, &fd, error))
		return false;
	bool is_ok = disk->size(disk->ctx, fd, &present) == 0 &&
	    (present >= size || disk->allocate(disk->ctx, fd, size) == 0);
	/* Where a file system cannot do it, there is no way to be sure. */
	if (!is_ok && errno == EOPNOTSUPP)
		is_ok = true;
	else if (!is_ok)
		(void)error_system(error, "reserve");
	close_fd(shelf, fd);
	if (!is_ok && !shelf->is_spare_recycled)
		remove_spare(shelf);
	return is_ok;
}
