#include "queue/inventory.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR_LEN ((size_t)512)

/* ---- names ---- */

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

	if (strcmp(name, INVENTORY_SPARE) == 0)
		list->has_spare = true;
	if (!is_segment_name(name))
		return true;
	list->names = memory_resize_array(
	    list->names, list->count + 1, sizeof(list->names[0]));
	memcpy(list->names[list->count], name, strlen(name) + 1);
	list->count++;
	return true;
}

/* ---- files ---- */

struct search {
	const struct disk *disk;
	int directory_fd;
	const struct quarantine *quarantine; /* NULL: only look, and tell */
	inventory_problem_fn problem_fn;
	inventory_trouble_fn trouble_fn;
	void *ctx;
	struct inventory found;
};

static void
close_file(const struct search *search, int fd)
{
	(void)search->disk->close(search->disk->ctx, fd); /* only read */
}

/* A whole file goes to corrupt/, under a name that nothing there has yet. */
static bool
quarantine_file(struct search *search, const char *name, const char *why,
    struct error *error)
{
	char target[2 * SEGMENT_NAME_SIZE];
	char text[256];
	uint32_t salt;

	if (search->disk->random(search->disk->ctx, &salt, sizeof(salt)) != 0)
		return error_system(error, "random");
	(void)snprintf(target, sizeof(target), "%s.%08x", name, salt);
	if (!quarantine_take(
		search->quarantine, search->directory_fd, name, target, error))
		return false;
	(void)snprintf(text, sizeof(text),
	    "segment file %s %s; it is now corrupt/%s", name, why, target);
	search->problem_fn(text, search->ctx);
	return true;
}

static bool
put_aside(struct search *search, const char *name,
    enum inventory_trouble trouble, struct error *error)
{
	if (search->quarantine != NULL)
		return quarantine_file(search, name,
		    trouble == INVENTORY_HEADLESS
			? "has no sound header"
			: "does not follow the one before it",
		    error);
	search->trouble_fn(name, trouble, 0, search->ctx);
	return true;
}

/* Into zeros; bad sectors stay zeros. */
static bool
read_around(const struct search *search, int fd, char *data, size_t size,
    bool *out_is_unread, struct error *error)
{
	size_t len;

	*out_is_unread = false;
	for (size_t at = 0; at < size; at += SECTOR_LEN) {
		if (disk_read_some(search->disk, fd, data + at, SECTOR_LEN, at,
			&len, error))
			continue;
		if (error->number != EIO)
			return false;
		*out_is_unread = true;
	}
	return true;
}

static bool
read_header(const struct search *search, struct segment_file *file,
    enum segment_header_state *out_state, uint32_t *out_version,
    struct error *error)
{
	char data[SEGMENT_HEADER_LEN] = {0};
	bool is_unread;

	if (!read_around(
		search, file->fd, data, sizeof(data), &is_unread, error))
		return false;
	*out_state = segment_header_decode(
	    bytes_make(data, sizeof(data)), &file->header, out_version);
	/* It may hold mail, and be read another time: error says EIO. */
	if (*out_state == SEGMENT_HEADER_DAMAGED && is_unread &&
	    search->quarantine != NULL)
		return error_context(
		    error, "its header (to start without it, move it away)");
	return true;
}

/* Not of our format: nothing of this queue may be touched. */
static bool
refuse_foreign(struct search *search, const char *name, uint32_t version,
    struct error *error)
{
	if (search->quarantine != NULL)
		return error_set(error, ERROR_CONFIG,
		    "%s: it is of queue format %u; this program reads format "
		    "%d",
		    name, version, RECORD_VERSION);
	search->trouble_fn(name, INVENTORY_FOREIGN, version, search->ctx);
	return true;
}

static bool
read_file(const struct search *search, struct segment_file *file,
    enum segment_header_state *out_state, uint32_t *out_version,
    struct error *error)
{
	const struct disk *disk = search->disk;

	if (!read_header(search, file, out_state, out_version, error))
		return false;
	if (disk->size(disk->ctx, file->fd, &file->bytes) != 0)
		return error_system(error, "size");
	return true;
}

static void
append_file(struct inventory *found, const struct segment_file *file)
{
	found->segments = memory_resize_array(
	    found->segments, found->count + 1, sizeof(struct segment_file));
	found->segments[found->count++] = *file;
	if (file->header.generation > found->highest_generation)
		found->highest_generation = file->header.generation;
}

static bool
look_at(struct search *search, const char *name, struct error *error)
{
	struct segment_file file = {.fd = -1};
	enum segment_header_state state = SEGMENT_HEADER_DAMAGED;
	uint32_t version = 0;
	int access = search->quarantine != NULL ? O_RDWR : O_RDONLY;

	if (!disk_open(search->disk, search->directory_fd, name,
		access | O_NOFOLLOW | O_NONBLOCK, 0, &file.fd, error))
		return false;
	memcpy(file.name, name, strlen(name) + 1);
	bool is_ok = read_file(search, &file, &state, &version, error);
	if (is_ok && state == SEGMENT_HEADER_VALID) {
		append_file(&search->found, &file);
		return true;
	}
	close_file(search, file.fd);
	if (!is_ok)
		return error_context(error, "%s", name);
	if (state == SEGMENT_HEADER_FOREIGN)
		return refuse_foreign(search, name, version, error);
	return put_aside(search, name, INVENTORY_HEADLESS, error);
}

/* ---- order ---- */

static int
compare_files(const void *left, const void *right)
{
	const struct segment_file *a = left;
	const struct segment_file *b = right;

	if (a->header.generation != b->header.generation)
		return a->header.generation < b->header.generation ? -1 : 1;
	/* Of two copies the longer one comes first. */
	if (a->bytes != b->bytes)
		return a->bytes > b->bytes ? -1 : 1;
	return 0;
}

/* Else it is a copy, or comes from a queue that was copied, and used. */
static bool
follows(const struct segment_file *file, const struct segment_file *before)
{
	return file->header.generation > before->header.generation &&
	    file->header.first_unit >= before->header.first_unit;
}

static bool
put_strangers_aside(struct search *search, struct error *error)
{
	struct inventory *found = &search->found;
	size_t kept = 1;

	for (size_t i = 1; i < found->count; i++) {
		struct segment_file file = found->segments[i];
		found->segments[i].fd = -1; /* in case we give up */
		if (follows(&file, &found->segments[kept - 1])) {
			found->segments[kept++] = file;
			continue;
		}
		close_file(search, file.fd);
		if (!put_aside(search, file.name, INVENTORY_STRANGER, error))
			return false;
	}
	found->count = found->count == 0 ? 0 : kept;
	return true;
}

/* ---- all of it ---- */

static bool
search_all(
    struct search *search, const struct name_list *list, struct error *error)
{
	struct inventory *found = &search->found;

	for (size_t i = 0; i < list->count; i++) {
		if (!look_at(search, list->names[i], error))
			return false;
	}
	if (found->count > 0)
		qsort(found->segments, found->count,
		    sizeof(struct segment_file), compare_files);
	return put_strangers_aside(search, error);
}

static void
give_up(struct search *search)
{
	for (size_t i = 0; i < search->found.count; i++) {
		if (search->found.segments[i].fd != -1)
			close_file(search, search->found.segments[i].fd);
	}
	free(search->found.segments);
}

static bool
take(
    struct search *search, struct inventory *out_inventory, struct error *error)
{
	struct name_list list = {.names = NULL};

	bool is_ok = search->disk->list(search->disk->ctx, search->directory_fd,
			 note_name, &list) == 0;
	if (!is_ok)
		(void)error_system(error, "list");
	is_ok = is_ok && search_all(search, &list, error);
	search->found.has_spare = list.has_spare;
	free(list.names);
	if (is_ok)
		*out_inventory = search->found;
	else
		give_up(search);
	return is_ok;
}

bool
inventory_take(int directory_fd, const struct quarantine *quarantine,
    inventory_problem_fn problem_fn, void *ctx, struct inventory *out_inventory,
    struct error *error)
{
	struct search search = {
	    .disk = quarantine->disk,
	    .directory_fd = directory_fd,
	    .quarantine = quarantine,
	    .problem_fn = problem_fn,
	    .ctx = ctx,
	};

	return take(&search, out_inventory, error);
}

bool
inventory_look(int directory_fd, const struct disk *disk,
    inventory_trouble_fn trouble_fn, void *ctx, struct inventory *out_inventory,
    struct error *error)
{
	struct search search = {
	    .disk = disk,
	    .directory_fd = directory_fd,
	    .trouble_fn = trouble_fn,
	    .ctx = ctx,
	};

	return take(&search, out_inventory, error);
}
