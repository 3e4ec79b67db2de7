#include "queue/shelf.h"

#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIRECTORY_MODE 0700
#define FILE_MODE      0600
#define SPARE_NAME     "spare"
#define PART_NAME      "part" /* of a copy that is being written */
#define PIECE_LEN      ((size_t)64 * 1024)
#define SECTOR_LEN     ((size_t)512)

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
	return open_directory(
		   shelf, AT_FDCWD, path, &shelf->directory_fd, error) &&
	    sync_parent(shelf, error) &&
	    open_directory(
		shelf, shelf->directory_fd, "large", &shelf->large_fd, error) &&
	    open_directory(shelf, shelf->directory_fd, "corrupt",
		&shelf->corrupt_fd, error);
}

static bool
lock_directory(struct shelf *shelf, struct error *error)
{
	const struct disk *disk = shelf->disk;

	if (!disk_open(disk, shelf->directory_fd, "lock", O_RDWR | O_CREAT,
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
	if (!shelf->is_synced &&
	    !disk_sync_directory(shelf->disk, shelf->directory_fd, error))
		return false;
	shelf->is_synced = true;
	return true;
}

static bool
rename_segment(struct shelf *shelf, const char *from, int to_fd, const char *to,
    struct error *error)
{
	const struct disk *disk = shelf->disk;

	shelf->is_synced = false;
	if (disk->rename(disk->ctx, shelf->directory_fd, from, to_fd, to) != 0)
		return error_system(error, "rename %s to %s", from, to);
	return true;
}

/* ---- finding the segments ---- */

struct name_list {
	char (*names)[SEGMENT_NAME_SIZE]; /* owned */
	size_t count;
	bool has_spare;
};

static bool
is_segment_name(const char *name)
{
	size_t len = strlen(name);
	return len > 4 && len < SEGMENT_NAME_SIZE &&
	    strcmp(name + len - 4, ".log") == 0;
}

static bool
note_name(const char *name, void *ctx)
{
	struct name_list *list = ctx;

	if (strcmp(name, SPARE_NAME) == 0)
		list->has_spare = true;
	if (!is_segment_name(name))
		return true;
	list->names = memory_resize_array(
	    list->names, list->count + 1, sizeof(list->names[0]));
	strncpy(list->names[list->count], name, SEGMENT_NAME_SIZE);
	list->count++;
	return true;
}

static struct shelf_segment *
append_segment(struct shelf *shelf)
{
	if (shelf->count == shelf->capacity) {
		shelf->capacity =
		    shelf->capacity == 0 ? 16 : shelf->capacity * 2;
		shelf->segments = memory_resize_array(shelf->segments,
		    shelf->capacity, sizeof(shelf->segments[0]));
	}
	struct shelf_segment *segment = &shelf->segments[shelf->count++];
	*segment = (struct shelf_segment){.fd = -1};
	return segment;
}

static void
close_segment(struct shelf *shelf, struct shelf_segment *segment)
{
	/* Nothing is written through it any more, or it has been synced. */
	(void)shelf->disk->close(shelf->disk->ctx, segment->fd);
}

struct search {
	struct shelf *shelf;
	shelf_problem_fn problem_fn;
	void *ctx;
};

/* A whole file goes to corrupt/, under its own name or one like it. */
static bool
put_aside(const struct search *search, const char *name, const char *why,
    struct error *error)
{
	struct shelf *shelf = search->shelf;
	char target[2 * SEGMENT_NAME_SIZE];
	char text[256];
	uint64_t salt;

	/* A name that nothing there has yet. */
	if (shelf->disk->random(shelf->disk->ctx, &salt, sizeof(salt)) != 0)
		return error_system(error, "random");
	(void)snprintf(target, sizeof(target), "%s.%08x", name, (unsigned)salt);
	if (!rename_segment(shelf, name, shelf->corrupt_fd, target, error) ||
	    !disk_sync_directory(shelf->disk, shelf->corrupt_fd, error))
		return false;
	(void)snprintf(text, sizeof(text),
	    "segment file %s %s; it is now corrupt/%s", name, why, target);
	search->problem_fn(text, search->ctx);
	return true;
}

/* Into zeros; bad sectors stay zeros. */
static bool
read_around(
    struct shelf *shelf, int fd, char *data, size_t size, struct error *error)
{
	size_t len;

	for (size_t at = 0; at < size; at += SECTOR_LEN) {
		if (!disk_read_some(shelf->disk, fd, data + at, SECTOR_LEN, at,
			&len, error) &&
		    error->number != EIO)
			return false;
	}
	return true;
}

static bool
read_header(struct shelf *shelf, int fd, const char *name,
    struct segment_header *out_header, bool *out_is_whole, struct error *error)
{
	char data[SEGMENT_HEADER_LEN] = {0};
	uint32_t version;

	if (!read_around(shelf, fd, data, sizeof(data), error))
		return error_context(error, "%s", name);
	switch (segment_header_decode(
	    bytes_make(data, sizeof(data)), out_header, &version)) {
	case SEGMENT_HEADER_VALID:
		*out_is_whole = true;
		return true;
	case SEGMENT_HEADER_DAMAGED:
		*out_is_whole = false;
		return true;
	case SEGMENT_HEADER_FOREIGN:
		break;
	}
	return error_set(error, ERROR_CONFIG,
	    "%s is of queue format %u; this program reads format %d", name,
	    version, RECORD_VERSION);
}

static bool
find_segment(const struct search *search, const char *name, struct error *error)
{
	struct shelf *shelf = search->shelf;
	const struct disk *disk = shelf->disk;
	struct shelf_segment found = {.fd = -1};
	bool is_whole = false;

	if (!disk_open(disk, shelf->directory_fd, name, O_RDWR | O_NOFOLLOW, 0,
		&found.fd, error))
		return false;
	bool is_ok =
	    read_header(shelf, found.fd, name, &found.header, &is_whole, error);
	if (is_ok && disk->size(disk->ctx, found.fd, &found.bytes) != 0)
		is_ok = error_system(error, "size of %s", name);
	if (!is_ok || !is_whole) {
		close_segment(shelf, &found);
		return is_ok &&
		    put_aside(search, name, "has no sound header", error);
	}
	strncpy(found.name, name, sizeof(found.name) - 1);
	*append_segment(shelf) = found;
	if (found.header.generation > shelf->highest_generation)
		shelf->highest_generation = found.header.generation;
	return true;
}

static int
compare_segments(const void *left, const void *right)
{
	const struct shelf_segment *a = left;
	const struct shelf_segment *b = right;

	if (a->header.generation != b->header.generation)
		return a->header.generation < b->header.generation ? -1 : 1;
	/* Of two copies the longer one comes first. */
	if (a->bytes != b->bytes)
		return a->bytes > b->bytes ? -1 : 1;
	return 0;
}

static void
remove_segment(struct shelf *shelf, size_t index)
{
	close_segment(shelf, &shelf->segments[index]);
	shelf->count--;
	memmove(&shelf->segments[index], &shelf->segments[index + 1],
	    (shelf->count - index) * sizeof(shelf->segments[0]));
}

/* A copy, or a piece of another history: of a queue that was copied and used.
 */
static bool
follows(const struct shelf_segment *segment, const struct shelf_segment *before)
{
	return segment->header.generation > before->header.generation &&
	    segment->header.first_unit >= before->header.first_unit;
}

static bool
put_strangers_aside(const struct search *search, struct error *error)
{
	struct shelf *shelf = search->shelf;

	for (size_t i = 1; i < shelf->count;) {
		if (follows(&shelf->segments[i], &shelf->segments[i - 1])) {
			i++;
			continue;
		}
		if (!put_aside(search, shelf->segments[i].name,
			"does not follow the one before it", error))
			return false;
		remove_segment(shelf, i);
	}
	return true;
}

static bool
find_segments(const struct search *search, struct error *error)
{
	struct shelf *shelf = search->shelf;
	const struct disk *disk = shelf->disk;
	struct name_list list = {.names = NULL};
	bool is_ok = true;

	if (disk->list(disk->ctx, shelf->directory_fd, note_name, &list) != 0)
		is_ok = error_system(error, "list");
	for (size_t i = 0; is_ok && i < list.count; i++)
		is_ok = find_segment(search, list.names[i], error);
	free(list.names);
	shelf->has_spare = list.has_spare;
	shelf->is_spare_recycled = list.has_spare; /* for all we know */
	if (shelf->count > 0)
		qsort(shelf->segments, shelf->count, sizeof(shelf->segments[0]),
		    compare_segments);
	return is_ok && put_strangers_aside(search, error);
}

bool
shelf_open(struct shelf *shelf, const struct disk *disk, const char *path,
    shelf_problem_fn problem_fn, void *ctx, struct error *error)
{
	*shelf = empty_shelf(disk);
	struct search search = {shelf, problem_fn, ctx};

	if (!open_directories(shelf, path, error) ||
	    !lock_directory(shelf, error) || !find_segments(&search, error) ||
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
		(void)shelf->disk->close(shelf->disk->ctx, fd); /* only read */
}

void
shelf_close(struct shelf *shelf)
{
	for (size_t i = 0; i < shelf->count; i++)
		close_segment(shelf, &shelf->segments[i]);
	free(shelf->segments);
	close_fd(shelf, shelf->lock_fd);
	close_fd(shelf, shelf->corrupt_fd);
	close_fd(shelf, shelf->large_fd);
	close_fd(shelf, shelf->directory_fd);
	*shelf = empty_shelf(shelf->disk);
}

struct shelf_segment *
shelf_newest(const struct shelf *shelf)
{
	return shelf->count == 0 ? NULL : &shelf->segments[shelf->count - 1];
}

struct segment_ref
shelf_ref(const struct shelf_segment *segment)
{
	return (struct segment_ref){
	    .number = segment->header.generation,
	    .fd = segment->fd,
	    .salt = segment->header.salt,
	};
}

/* ---- beginning ---- */

static bool
is_taken(const struct shelf *shelf, const char *name)
{
	for (size_t i = 0; i < shelf->count; i++) {
		if (strcmp(shelf->segments[i].name, name) == 0)
			return true;
	}
	return false;
}

/* A file that was renamed by hand, or a segment begun in vain, may have it. */
static void
choose_name(const struct shelf *shelf, const struct segment_header *header,
    char name[SEGMENT_NAME_SIZE])
{
	(void)snprintf(name, SEGMENT_NAME_SIZE, "%016llx.log",
	    (unsigned long long)header->first_unit);
	if (is_taken(shelf, name))
		(void)snprintf(name, SEGMENT_NAME_SIZE, "g%016llx.log",
		    (unsigned long long)header->generation);
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
write_segment(
    struct shelf *shelf, struct shelf_segment *segment, struct error *error)
{
	char data[SEGMENT_HEADER_LEN + UNIT_HEADER_LEN] = {0};

	segment_header_encode(&segment->header, data);
	if (!disk_write_at(
		shelf->disk, segment->fd, data, sizeof(data), 0, error) ||
	    !disk_sync(shelf->disk, segment->fd, error))
		return false;
	shelf->has_spare = false;
	shelf->is_uncertain = true;
	return rename_segment(shelf, SPARE_NAME, shelf->directory_fd,
		   segment->name, error) &&
	    sync_names(shelf, error);
}

/* Room that a file took in vain is given back. */
static void
remove_spare(struct shelf *shelf)
{
	const struct disk *disk = shelf->disk;

	/* What stays is overwritten the next time. */
	(void)disk->unlink(disk->ctx, shelf->directory_fd, SPARE_NAME);
	shelf->is_synced = false;
	shelf->has_spare = false;
}

static bool
open_spare(struct shelf *shelf, int *out_fd, struct error *error)
{
	return disk_open(shelf->disk, shelf->directory_fd, SPARE_NAME,
	    O_RDWR | O_CREAT | O_NOFOLLOW, FILE_MODE, out_fd, error);
}

bool
shelf_begin(struct shelf *shelf, uint64_t first_unit, uint64_t highest_id,
    struct error *error)
{
	struct shelf_segment segment = {.fd = -1, .bytes = SEGMENT_HEADER_LEN};

	/* The spare must not be an older segment yet for who comes after us. */
	if (!sync_names(shelf, error) ||
	    !make_header(shelf, first_unit, highest_id, &segment.header, error))
		return false;
	shelf->highest_generation++;
	choose_name(shelf, &segment.header, segment.name);
	if (!open_spare(shelf, &segment.fd, error))
		return false;
	if (!write_segment(shelf, &segment, error)) {
		close_segment(shelf, &segment);
		if (!shelf->is_uncertain && !shelf->has_spare)
			remove_spare(shelf);
		return error_context(error, "begin %s", segment.name);
	}
	shelf->is_uncertain = false;
	*append_segment(shelf) = segment;
	return true;
}

/* ---- dropping ---- */

bool
shelf_drop_oldest(struct shelf *shelf, struct error *error)
{
	assert(shelf->count > 1);
	const struct disk *disk = shelf->disk;
	const char *name = shelf->segments[0].name;
	bool is_spared = !shelf->has_spare || !shelf->is_spare_recycled;

	/* The one before it is gone for good, or it would come back without the
	 * records in this one that end its messages. */
	if (!sync_names(shelf, error))
		return false;
	if (is_spared) {
		if (!rename_segment(
			shelf, name, shelf->directory_fd, SPARE_NAME, error))
			return false;
		shelf->has_spare = true;
		shelf->is_spare_recycled = true;
	} else {
		shelf->is_synced = false;
		if (disk->unlink(disk->ctx, shelf->directory_fd, name) != 0)
			return error_system(error, "unlink %s", name);
	}
	remove_segment(shelf, 0);
	return sync_names(shelf, error);
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
	if (!shelf->has_spare)
		shelf->is_spare_recycled = false;
	shelf->has_spare = true;
	if (!is_ok && !shelf->is_spare_recycled)
		remove_spare(shelf);
	return is_ok;
}

/* ---- keeping what is damaged ---- */

/* Up to the next piece's end; what cannot be read is zeros. */
static bool
copy_piece(struct shelf *shelf, int from_fd, uint64_t from, int to_fd,
    uint64_t to, size_t len, struct error *error)
{
	char *piece = memory_new(len);
	size_t got;

	bool is_ok =
	    disk_read_some(shelf->disk, from_fd, piece, len, from, &got, error);
	if (is_ok || error->number == EIO)
		is_ok =
		    disk_write_at(shelf->disk, to_fd, piece, len, to, error);
	free(piece);
	return is_ok;
}

static bool
copy_stretch(struct shelf *shelf, int from_fd, uint64_t offset, uint64_t len,
    int to_fd, struct error *error)
{
	for (uint64_t done = 0; done < len;) {
		uint64_t left = len - done;
		size_t size = left < PIECE_LEN ? (size_t)left : PIECE_LEN;
		if (!copy_piece(shelf, from_fd, offset + done, to_fd, done,
			size, error))
			return false;
		done += size;
	}
	return disk_sync(shelf->disk, to_fd, error);
}

static bool
is_kept(struct shelf *shelf, const char *name)
{
	const struct disk *disk = shelf->disk;
	int fd = disk->open(disk->ctx, shelf->corrupt_fd, name, O_RDONLY, 0);

	close_fd(shelf, fd);
	return fd >= 0;
}

bool
shelf_keep(struct shelf *shelf, const char *name, int fd, uint64_t offset,
    uint64_t len, bool *out_is_new, struct error *error)
{
	const struct disk *disk = shelf->disk;
	int to_fd;

	*out_is_new = !is_kept(shelf, name);
	if (!*out_is_new)
		return true;
	if (!disk_open(disk, shelf->corrupt_fd, PART_NAME,
		O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, FILE_MODE, &to_fd,
		error))
		return false;
	bool is_ok = copy_stretch(shelf, fd, offset, len, to_fd, error);
	close_fd(shelf, to_fd);
	if (is_ok &&
	    disk->rename(disk->ctx, shelf->corrupt_fd, PART_NAME,
		shelf->corrupt_fd, name) != 0)
		is_ok = error_system(error, "rename to corrupt/%s", name);
	return is_ok && disk_sync_directory(disk, shelf->corrupt_fd, error);
}
