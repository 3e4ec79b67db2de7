#include "base/memory.h"
#include "base/seed.h"
#include "queue/shelf_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define FILE_MODE 0600
#define NAMES_MAX 100 /* that are tried; they are hardly ever taken */

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
	return shelf_rename(shelf, INVENTORY_SPARE, segment->name, error) &&
	    (SEED(SEGMENT_NAME_LATE) || shelf_sync_names(shelf, error));
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

/* Where a spare cannot be written it goes: another may lie better, and on a
 * full disk it has no room in it, but takes some. */
static bool
begin_in_spare(struct shelf *shelf, uint64_t first_unit, uint64_t highest_id,
    struct error *error)
{
	struct segment_file segment = {.fd = -1, .bytes = SEGMENT_HEADER_LEN};

	if (!open_spare(shelf, &segment.fd, error))
		return false;
	if (!make_header(
		shelf, first_unit, highest_id, &segment.header, error)) {
		shelf_close_fd(shelf, segment.fd);
		return false;
	}
	choose_name(shelf, &segment.header, segment.name);
	shelf->highest_generation = segment.header.generation;
	if (!write_segment(shelf, &segment, error)) {
		shelf_close_fd(shelf, segment.fd);
		if (!shelf->is_uncertain)
			remove_spare(shelf);
		return error_context(error, "begin %s", segment.name);
	}
	shelf->is_uncertain = false;
	append_segment(shelf, &segment);
	return true;
}

bool
shelf_begin(struct shelf *shelf, uint64_t first_unit, uint64_t highest_id,
    struct error *error)
{
	bool had_spare = shelf->has_spare;

	/* The spare must not be an older segment yet for who comes after us. */
	if (!shelf_sync_names(shelf, error))
		return false;
	bool is_begun = begin_in_spare(shelf, first_unit, highest_id, error);
	if (!is_begun && had_spare && !shelf->has_spare && !shelf->is_uncertain)
		is_begun = begin_in_spare(shelf, first_unit, highest_id, error);
	if (is_begun)
		shelf_note_bounds(shelf);
	return is_begun;
}

uint64_t
shelf_spare_bytes(const struct shelf *shelf)
{
	const struct disk *disk = shelf->disk;
	struct error ignored;
	uint64_t size = 0;
	int fd;

	if (!shelf->has_spare ||
	    !disk_open_file(disk, shelf->directory_fd, INVENTORY_SPARE,
		O_RDONLY, 0, &fd, &ignored))
		return 0;
	if (disk->size(disk->ctx, fd, &size) != 0)
		size = 0;
	shelf_close_fd(shelf, fd);
	return size;
}

void
shelf_trim_spare(const struct shelf *shelf, uint64_t size)
{
	const struct disk *disk = shelf->disk;
	struct error ignored;
	int fd;

	if (!disk_open_file(disk, shelf->directory_fd, INVENTORY_SPARE, O_RDWR,
		0, &fd, &ignored))
		return;
	(void)disk->truncate(disk->ctx, fd, size);
	shelf_close_fd(shelf, fd);
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
	shelf_close_fd(shelf, fd);
	if (!is_ok && !shelf->is_spare_recycled)
		remove_spare(shelf);
	return is_ok;
}
