#include "queue/fsck.h"

#include "base/memory.h"
#include "queue/bounds.h"
#include "queue/fsck_private.h"
#include "queue/inventory.h"
#include "queue/large.h"
#include "queue/ownership.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Names that vanish while they are listed: a process is at work. */
#define LOOKS_MAX 20
/* At all of a queue in use, as long as there is something that may pass. */
#define LIVE_LOOKS_MAX 5

/* ---- findings ---- */

struct fsck_finding *
fsck_add(struct fsck *fsck, enum fsck_kind kind, const char *folder,
    const char *name)
{
	size_t count = fsck->finding_count;

	/* A power of two is full. */
	if ((count & (count - 1)) == 0)
		fsck->findings = memory_resize_array(fsck->findings,
		    count == 0 ? 1 : 2 * count, sizeof(fsck->findings[0]));
	struct fsck_finding *finding = &fsck->findings[fsck->finding_count++];
	*finding = (struct fsck_finding){.kind = kind};
	(void)snprintf(finding->file, sizeof(finding->file), "%s%s%s",
	    folder != NULL ? folder : "", folder != NULL ? "/" : "", name);
	return finding;
}

void
fsck_meter_add(struct fsck_meter *meter, uint64_t bytes)
{
	meter->done += bytes;
	if (meter->options->progress_fn != NULL)
		meter->options->progress_fn(
		    meter->done, meter->all, meter->options->ctx);
}

/* ---- opening ---- */

static bool
open_optional(struct fsck *fsck, const char *name, int flags, int *out_fd,
    struct error *error)
{
	if (disk_open(fsck->disk, fsck->directory_fd, name, O_RDONLY | flags, 0,
		out_fd, error))
		return true;
	*out_fd = -1;
	return error->number == ENOENT;
}

/* The file, which older daemons hold alone; it may be something else. */
static bool
open_lock(struct fsck *fsck, struct error *error)
{
	if (disk_open_file(fsck->disk, fsck->directory_fd, "lock", O_RDONLY, 0,
		&fsck->lock_fd, error))
		return true;
	fsck->lock_fd = -1;
	return error->number == ENOENT || error->kind == ERROR_DATA;
}

static bool
lock(struct fsck *fsck, struct error *error)
{
	const struct disk *disk = fsck->disk;

	if (fsck->is_live)
		return true;
	if (disk->lock(disk->ctx, fsck->directory_fd) != 0 ||
	    (fsck->lock_fd >= 0 && disk->lock(disk->ctx, fsck->lock_fd) != 0))
		return error_system(error, "lock");
	return true;
}

static bool
open_all(struct fsck *fsck, const char *path, struct error *error)
{
	return disk_open(fsck->disk, AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0,
		   &fsck->directory_fd, error) &&
	    open_optional(fsck, "large", O_DIRECTORY, &fsck->large_fd, error) &&
	    open_optional(
		fsck, "corrupt", O_DIRECTORY, &fsck->corrupt_fd, error) &&
	    open_lock(fsck, error) && lock(fsck, error);
}

/* ---- which segments ---- */

static void
on_trouble(const char *name, enum inventory_trouble trouble, uint32_t version,
    void *ctx)
{
	static const enum fsck_kind kinds[] = {
	    [INVENTORY_HEADLESS] = FSCK_HEADLESS,
	    [INVENTORY_FOREIGN] = FSCK_FOREIGN,
	    [INVENTORY_STRANGER] = FSCK_STRANGER,
	    [INVENTORY_NO_FILE] = FSCK_NO_FILE,
	    [INVENTORY_SHARED] = FSCK_SHARED,
	};
	struct fsck_finding *finding =
	    fsck_add(ctx, kinds[trouble], NULL, name);

	finding->version = version;
}

static void
clear_findings(struct fsck *fsck)
{
	for (size_t i = 0; i < fsck->finding_count; i++)
		free(fsck->findings[i].detail);
	free(fsck->findings);
	fsck->findings = NULL;
	fsck->finding_count = 0;
}

/* Until all that are listed are still there. */
static bool
look(struct fsck *fsck, struct inventory *found, struct error *error)
{
	for (int i = 0; i < LOOKS_MAX; i++) {
		clear_findings(fsck);
		if (inventory_look(fsck->directory_fd, fsck->disk, on_trouble,
			fsck, found, error))
			return true;
		if (error->number != ENOENT || !fsck->is_live)
			return false;
	}
	return false;
}

static bool
measure_spare(struct fsck *fsck, struct error *error)
{
	int fd;

	if (!fsck->has_spare)
		return true;
	if (!disk_open_file(fsck->disk, fsck->directory_fd, INVENTORY_SPARE,
		O_RDONLY, 0, &fd, error))
		return error->number == ENOENT; /* it is a segment by now */
	bool is_ok =
	    fsck->disk->size(fsck->disk->ctx, fd, &fsck->spare_bytes) == 0 ||
	    error_system(error, "size of " INVENTORY_SPARE);
	(void)fsck->disk->close(fsck->disk->ctx, fd); /* only asked */
	return is_ok;
}

/* "0000000000000001.log": other programs write logs, too. */
static bool
is_ours(const struct fsck_finding *finding)
{
	size_t digits = strspn(finding->file, "0123456789abcdef");

	return (finding->kind != FSCK_HEADLESS &&
		   finding->kind != FSCK_NO_FILE &&
		   finding->kind != FSCK_SHARED) ||
	    (digits == 16 && strcmp(finding->file + digits, ".log") == 0);
}

static bool
has_any(const struct fsck *fsck)
{
	bool is_ok = fsck->segment_count > 0 || fsck->lock_fd >= 0 ||
	    fsck->large_fd >= 0;

	for (size_t i = 0; !is_ok && i < fsck->finding_count; i++)
		is_ok = is_ours(&fsck->findings[i]);
	return is_ok;
}

/* Its segments are compared with it; who owns it is for who looks to know. */
static bool
check_directory(struct fsck *fsck, struct error *error)
{
	const struct disk *disk = fsck->disk;
	struct disk_facts facts;

	if (disk->inspect(disk->ctx, fsck->directory_fd, "", &facts) != 0)
		return error_system(error, "stat");
	if (ownership_is_shared(&facts, facts.owner))
		(void)fsck_add(fsck, FSCK_SHARED, NULL, ".");
	return true;
}

static void
add_missing(struct fsck *fsck, struct bounds missing)
{
	struct fsck_finding *finding = fsck_add(fsck, FSCK_MISSING, NULL, "");
	char *name = memory_format("missing-%016llx-%016llx",
	    (unsigned long long)missing.oldest,
	    (unsigned long long)missing.newest);

	finding->is_kept = fsck->corrupt_fd >= 0 &&
	    disk_has(fsck->disk, fsck->corrupt_fd, name);
	free(name);
	finding->detail = memory_format("generations %llu to %llu",
	    (unsigned long long)missing.oldest,
	    (unsigned long long)missing.newest);
}

/* A daemon may have given up one and begun another since before. */
static bool
check_bounds(struct fsck *fsck, struct bounds before, struct error *error)
{
	const struct segment_file *files = fsck->files;
	size_t count = fsck->segment_count;
	uint64_t first = count == 0 ? 0 : files[0].header.generation;
	uint64_t last = count == 0 ? 0 : files[count - 1].header.generation;
	struct bounds bounds;
	struct bounds missing;

	if (!bounds_read(fsck->disk, fsck->directory_fd, &bounds, error))
		return false;
	if (before.newest < bounds.newest)
		bounds.newest = before.newest;
	if (bounds_miss_oldest(bounds, count, first, &missing))
		add_missing(fsck, missing);
	if (bounds_miss_newest(bounds, count, last, &missing))
		add_missing(fsck, missing);
	return true;
}

/* It is new, or all is gone. */
static bool
check_empty(struct fsck *fsck, struct error *error)
{
	size_t bodies = 0;

	if (fsck->segment_count > 0 || fsck->finding_count > 0)
		return true;
	if (fsck->large_fd >= 0 &&
	    !large_count(fsck->disk, fsck->large_fd, &bodies, error))
		return false;
	if (bodies == 0)
		(void)fsck_add(fsck, FSCK_EMPTY, NULL, "");
	else
		fsck_add(fsck, FSCK_MISSING, NULL, "")->detail =
		    memory_copy_text("all; large bodies are there");
	return true;
}

static bool
find_segments(struct fsck *fsck, struct error *error)
{
	struct inventory found;
	struct bounds before;

	if (!bounds_read(fsck->disk, fsck->directory_fd, &before, error) ||
	    !look(fsck, &found, error))
		return false;
	fsck->files = found.segments;
	fsck->segment_count = found.count;
	fsck->has_spare = found.has_spare;
	fsck->segments =
	    memory_array(found.count + 1, sizeof(fsck->segments[0]));
	if (!measure_spare(fsck, error))
		return false;
	if (!has_any(fsck))
		return error_set(error, ERROR_DATA, "there is no queue in it");
	return check_directory(fsck, error) &&
	    check_bounds(fsck, before, error) && check_empty(fsck, error);
}

/* ---- messages ---- */

static void
add_message_problem(struct fsck *fsck, const struct ledger_entry *entry,
    const struct error *error)
{
	struct queue_id id = queue_id_of(entry->id);
	struct fsck_finding *finding = entry->is_large
	    ? fsck_add(fsck, FSCK_LARGE, "large", id.text)
	    : fsck_add(fsck, FSCK_MESSAGE, NULL, "");

	finding->id = entry->id;
	finding->len = entry->size;
	finding->detail = memory_copy_text(error_text(error));
}

/* As it will be read to be delivered; inline contents have been read. */
static void
check_message(struct fsck *fsck, const struct fsck_options *options,
    struct fsck_meter *meter, const struct ledger_entry *entry)
{
	struct segment_message where = ledger_where(fsck->ledger, entry);
	struct message *message;
	struct error error;
	bool reads_content = entry->is_large && !options->skips_contents;

	bool is_sound = reads_content
	    ? segment_load(fsck->disk, fsck->large_fd, &where, &message, &error)
	    : segment_load_facts(
		  fsck->disk, fsck->large_fd, &where, &message, &error);
	if (reads_content)
		fsck_meter_add(meter, entry->size);
	if (!is_sound) {
		add_message_problem(fsck, entry, &error);
		return;
	}
	if (message->body.owns_fd)
		(void)fsck->disk->close(fsck->disk->ctx, message->body.fd);
	message->body.owns_fd = false;
	message_free(message);
	if (entry->is_large) {
		fsck->large.count++;
		fsck->large.bytes += entry->size;
	}
}

static struct fsck_segment *
segment_of(struct fsck *fsck, uint64_t generation)
{
	size_t i = fsck->segment_count;

	do
		assert(i > 0);
	while (fsck->segments[--i].header.generation != generation);
	return &fsck->segments[i];
}

static void
check_messages(struct fsck *fsck, const struct fsck_options *options,
    struct fsck_meter *meter)
{
	const struct ledger_entry *entry = ledger_after(fsck->ledger, 0);

	for (; entry != NULL; entry = ledger_after(fsck->ledger, entry->id)) {
		struct fsck_sum *sum =
		    entry->state == LEDGER_HELD ? &fsck->held : &fsck->waiting;
		sum->count++;
		sum->bytes += entry->size;
		segment_of(fsck, entry->place.segment)->live++;
		check_message(fsck, options, meter, entry);
	}
}

/* ---- all of it ---- */

static void
weigh(struct fsck *fsck)
{
	memset(fsck->gravities, 0, sizeof(fsck->gravities));
	for (size_t i = 0; i < fsck->finding_count; i++) {
		struct fsck_finding *finding = &fsck->findings[i];
		finding->gravity = fsck_gravity_of(finding->kind);
		fsck->gravities[finding->gravity]++;
	}
}

static bool
run(struct fsck *fsck, const struct fsck_options *options, struct error *error)
{
	struct fsck_meter meter = {.options = options};

	if (!open_all(fsck, options->path, error) ||
	    !find_segments(fsck, error))
		return false;
	for (size_t i = 0; i < fsck->segment_count; i++)
		meter.all += fsck->files[i].bytes;
	if (!fsck_walk(fsck, options, &meter, error))
		return false;
	check_messages(fsck, options, &meter);
	if (!fsck_folders(fsck, error))
		return false;
	weigh(fsck);
	return true;
}

static bool
look_once(const struct fsck_options *options, struct fsck **out_fsck,
    struct error *error)
{
	struct fsck *fsck = memory_new(sizeof(*fsck));

	fsck->disk = options->disk;
	fsck->is_live = options->is_live;
	fsck->directory_fd = fsck->large_fd = -1;
	fsck->corrupt_fd = fsck->lock_fd = -1;
	fsck->ledger = ledger_new();
	if (!run(fsck, options, error)) {
		fsck_free(fsck);
		return error_context(error, "queue %s", options->path);
	}
	*out_fsck = fsck;
	return true;
}

/* A commit may stand half written for a while; all else that is found twice at
 * the same place is there. */
static bool
may_pass(const struct fsck *fsck, int looks)
{
	for (size_t i = 0; i < fsck->finding_count; i++) {
		const struct fsck_finding *finding = &fsck->findings[i];
		if (finding->gravity != FSCK_HARMLESS &&
		    (looks == 1 || finding->kind == FSCK_TORN))
			return true;
	}
	return false;
}

/* Takes fsck.  What it found is left only if it is found again. */
static bool
look_again(const struct fsck_options *options, struct fsck *fsck,
    struct fsck **out_fsck, struct error *error)
{
	struct fsck_suspects suspects;

	fsck_suspects_take(&suspects, fsck);
	fsck_free(fsck);
	bool is_ok = look_once(options, out_fsck, error);
	if (is_ok) {
		fsck_suspects_confirm(&suspects, *out_fsck);
		weigh(*out_fsck);
	}
	fsck_suspects_clear(&suspects);
	return is_ok;
}

bool
fsck_run(const struct fsck_options *options, struct fsck **out_fsck,
    struct error *error)
{
	struct fsck *fsck;
	bool is_ok = look_once(options, &fsck, error);

	for (int looks = 1; is_ok && options->is_live &&
	     looks < LIVE_LOOKS_MAX && may_pass(fsck, looks);
	     looks++)
		is_ok = look_again(options, fsck, &fsck, error);
	if (is_ok)
		*out_fsck = fsck;
	return is_ok;
}

static void
close_fd(const struct fsck *fsck, int fd)
{
	if (fd >= 0)
		(void)fsck->disk->close(fsck->disk->ctx, fd); /* only read */
}

void
fsck_free(struct fsck *fsck)
{
	if (fsck == NULL)
		return;
	for (size_t i = 0; fsck->files != NULL && i < fsck->segment_count; i++)
		close_fd(fsck, fsck->files[i].fd);
	close_fd(fsck, fsck->lock_fd);
	close_fd(fsck, fsck->corrupt_fd);
	close_fd(fsck, fsck->large_fd);
	close_fd(fsck, fsck->directory_fd);
	clear_findings(fsck);
	for (size_t i = 0; i < fsck->kept_count; i++)
		free(fsck->kept[i].name);
	free(fsck->kept);
	free(fsck->files);
	free(fsck->segments);
	ledger_free(fsck->ledger);
	free(fsck);
}
