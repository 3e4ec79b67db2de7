#include "queue/inventory.h"

#include "base/memory.h"
#include "queue/bounds.h"
#include "queue/ownership.h"

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
	bool has_spare, has_bounds;
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
	if (strcmp(name, BOUNDS_NAME) == 0)
		list->has_bounds = true;
	if (!is_segment_name(name))
		return true;
	list->names = memory_resize_array(
	    list->names, list->count + 1, sizeof(list->names[0]));
	memcpy(list->names[list->count], name, strlen(name) + 1);
	list->count++;
	return true;
}

/* ---- what is wrong with whole files ---- */

struct aside {
	char name[SEGMENT_NAME_SIZE];
	enum inventory_trouble trouble;
};

struct search {
	const struct disk *disk;
	int directory_fd;
	const char *path;                    /* borrowed: of the directory */
	uid_t owner;                         /* of the directory */
	const struct quarantine *quarantine; /* NULL: only look, and tell */
	inventory_problem_fn problem_fn;
	inventory_trouble_fn trouble_fn;
	void *ctx;
	struct inventory found;
	struct aside *asides; /* owned: to be put aside when all is known */
	size_t aside_count;
};

static void
close_file(const struct search *search, int fd)
{
	(void)search->disk->close(search->disk->ctx, fd); /* only read */
}

static const char *
words_for(enum inventory_trouble trouble)
{
	switch (trouble) {
	case INVENTORY_HEADLESS:
		return "has no sound header";
	case INVENTORY_STRANGER:
		return "does not follow the one before it";
	case INVENTORY_NO_FILE:
	case INVENTORY_FOREIGN: /* these two are refused, not put aside */
	case INVENTORY_SHARED:
		break;
	}
	return "is no regular file";
}

/* A whole file goes to corrupt/, under a name that nothing there has yet; where
 * it cannot, as on a full disk, it stays, and does not count. */
static void
quarantine_file(struct search *search, const struct aside *aside)
{
	struct quarantine_name target;
	struct error why;
	char text[1024];

	if (quarantine_take_anew(search->quarantine, search->directory_fd,
		aside->name, &target, &why))
		(void)snprintf(text, sizeof(text),
		    "%s %s; it is now corrupt/%s", aside->name,
		    words_for(aside->trouble), target.text);
	else
		(void)snprintf(text, sizeof(text),
		    "%s %s, and does not count; it cannot be put "
		    "aside: %s",
		    aside->name, words_for(aside->trouble), error_text(&why));
	search->problem_fn(text, search->ctx);
}

/* Nothing is done until all have been looked at. */
static void
put_aside(
    struct search *search, const char *name, enum inventory_trouble trouble)
{
	search->asides = memory_resize_array(
	    search->asides, search->aside_count + 1, sizeof(search->asides[0]));
	struct aside *aside = &search->asides[search->aside_count++];
	aside->trouble = trouble;
	memcpy(aside->name, name, strlen(name) + 1);
}

static void
settle_asides(struct search *search)
{
	for (size_t i = 0; i < search->aside_count; i++) {
		const struct aside *aside = &search->asides[i];
		if (search->quarantine == NULL)
			search->trouble_fn(
			    aside->name, aside->trouble, 0, search->ctx);
		else
			quarantine_file(search, aside);
	}
}

/* ---- files ---- */

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

/* Not ours alone: nothing in it can be trusted. */
static bool
check_owner(struct search *search, const char *name,
    const struct disk_facts *facts, struct error *error)
{
	if (search->quarantine != NULL)
		return ownership_check(
		    facts, search->owner, search->path, name, error);
	if (ownership_is_shared(facts, search->owner))
		search->trouble_fn(name, INVENTORY_SHARED, 0, search->ctx);
	return true;
}

/* False in *out_is_file: it is something else, which is to be put aside. */
static bool
is_file(struct search *search, const char *name, bool *out_is_file,
    struct error *error)
{
	const struct disk *disk = search->disk;
	struct disk_facts facts;

	if (disk->inspect(disk->ctx, search->directory_fd, name, &facts) != 0)
		return error_system(error, "stat %s", name);
	*out_is_file = facts.kind == DISK_FILE;
	if (*out_is_file)
		return check_owner(search, name, &facts, error);
	put_aside(search, name, INVENTORY_NO_FILE);
	return true;
}

static bool
read_open(struct search *search, struct segment_file *file, struct error *error)
{
	enum segment_header_state state = SEGMENT_HEADER_DAMAGED;
	uint32_t version = 0;

	bool is_ok = read_file(search, file, &state, &version, error);
	if (is_ok && state == SEGMENT_HEADER_VALID) {
		append_file(&search->found, file);
		return true;
	}
	close_file(search, file->fd);
	if (!is_ok)
		return error_context(error, "%s", file->name);
	if (state == SEGMENT_HEADER_FOREIGN)
		return refuse_foreign(search, file->name, version, error);
	put_aside(search, file->name, INVENTORY_HEADLESS);
	return true;
}

static bool
look_at(struct search *search, const char *name, struct error *error)
{
	struct segment_file file = {.fd = -1};
	int access = search->quarantine != NULL ? O_RDWR : O_RDONLY;
	bool is_regular;

	if (!is_file(search, name, &is_regular, error))
		return false;
	if (!is_regular)
		return true;
	if (!disk_open_file(search->disk, search->directory_fd, name, access, 0,
		&file.fd, error))
		return false;
	memcpy(file.name, name, strlen(name) + 1);
	return read_open(search, &file, error);
}

/* What is no file is none of them; the daemon makes another. */
static bool
look_at_others(
    struct search *search, const struct name_list *list, struct error *error)
{
	bool ignored;

	search->found.has_spare = list->has_spare;
	return (!list->has_spare ||
		   is_file(search, INVENTORY_SPARE, &search->found.has_spare,
		       error)) &&
	    (!list->has_bounds ||
		is_file(search, BOUNDS_NAME, &ignored, error));
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

static void
put_strangers_aside(struct search *search)
{
	struct inventory *found = &search->found;
	size_t kept = 1;

	for (size_t i = 1; i < found->count; i++) {
		struct segment_file file = found->segments[i];
		if (follows(&file, &found->segments[kept - 1])) {
			found->segments[kept++] = file;
			continue;
		}
		close_file(search, file.fd);
		put_aside(search, file.name, INVENTORY_STRANGER);
	}
	found->count = found->count == 0 ? 0 : kept;
}

/* ---- all of it ---- */

static bool
search_all(
    struct search *search, const struct name_list *list, struct error *error)
{
	struct inventory *found = &search->found;

	if (!look_at_others(search, list, error))
		return false;
	for (size_t i = 0; i < list->count; i++) {
		if (!look_at(search, list->names[i], error))
			return false;
	}
	if (found->count > 0)
		qsort(found->segments, found->count,
		    sizeof(struct segment_file), compare_files);
	put_strangers_aside(search);
	settle_asides(search);
	return true;
}

static void
give_up(struct search *search)
{
	for (size_t i = 0; i < search->found.count; i++)
		close_file(search, search->found.segments[i].fd);
	free(search->found.segments);
}

static bool
take(
    struct search *search, struct inventory *out_inventory, struct error *error)
{
	struct name_list list = {.names = NULL};
	struct disk_facts facts;

	if (search->disk->inspect(
		search->disk->ctx, search->directory_fd, "", &facts) != 0)
		return error_system(error, "stat");
	search->owner = facts.owner;
	bool is_ok = search->disk->list(search->disk->ctx, search->directory_fd,
			 note_name, &list) == 0;
	if (!is_ok)
		(void)error_system(error, "list");
	is_ok = is_ok && search_all(search, &list, error);
	free(list.names);
	free(search->asides);
	if (is_ok)
		*out_inventory = search->found;
	else
		give_up(search);
	return is_ok;
}

bool
inventory_take(int directory_fd, const char *path,
    const struct quarantine *quarantine, inventory_problem_fn problem_fn,
    void *ctx, struct inventory *out_inventory, struct error *error)
{
	struct search search = {
	    .disk = quarantine->disk,
	    .directory_fd = directory_fd,
	    .path = path,
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
