/* What else lies in the queue's directory: large bodies of nobody, what is kept
 * in corrupt/, and summaries of no segment. */
#include "base/memory.h"
#include "queue/fsck_private.h"
#include "queue/summary.h"

#include <fcntl.h>
#include <string.h>

static uint64_t
size_of(const struct fsck *fsck, int directory_fd, const char *name)
{
	uint64_t bytes = 0;
	struct error ignored; /* it is gone, or no file */
	int fd;

	if (!disk_open_file(
		fsck->disk, directory_fd, name, O_RDONLY, 0, &fd, &ignored))
		return 0;
	if (fsck->disk->size(fsck->disk->ctx, fd, &bytes) != 0)
		bytes = 0;
	(void)fsck->disk->close(fsck->disk->ctx, fd); /* only asked */
	return bytes;
}

static bool
note_large(const char *name, void *ctx)
{
	struct fsck *fsck = ctx;
	uint64_t id;

	if (!queue_id_parse(bytes_of(name), &id) ||
	    ledger_find(fsck->ledger, id) != NULL)
		return true;
	struct fsck_finding *finding =
	    fsck_add(fsck, FSCK_ORPHAN, "large", name);
	finding->id = id;
	return true;
}

static bool
note_kept(const char *name, void *ctx)
{
	struct fsck *fsck = ctx;

	fsck->kept = memory_resize_array(
	    fsck->kept, fsck->kept_count + 1, sizeof(fsck->kept[0]));
	fsck->kept[fsck->kept_count++] =
	    (struct fsck_kept){.name = memory_copy_text(name)};
	return true;
}

static bool
list(struct fsck *fsck, int directory_fd, const char *name,
    disk_name_fn name_fn, struct error *error)
{
	if (directory_fd >= 0 &&
	    fsck->disk->list(fsck->disk->ctx, directory_fd, name_fn, fsck) != 0)
		return error_system(error, "list %s/", name);
	return true;
}

static bool
has_segment(const struct fsck *fsck, const char *summary)
{
	char own[SEGMENT_NAME_SIZE];

	for (size_t i = 0; i < fsck->segment_count; i++) {
		summary_name(fsck->segments[i].name, own);
		if (strcmp(own, summary) == 0)
			return true;
	}
	return false;
}

static bool
note_summary(const char *name, void *ctx)
{
	struct fsck *fsck = ctx;

	if (!summary_is_name(name) || has_segment(fsck, name))
		return true;
	fsck_add(fsck, FSCK_SUMMARY, NULL, name)->detail =
	    memory_copy_text("it is of no segment");
	return true;
}

bool
fsck_folders(struct fsck *fsck, struct error *error)
{
	if (!list(fsck, fsck->directory_fd, ".", note_summary, error))
		return false;

	size_t first = fsck->finding_count;

	if (!list(fsck, fsck->large_fd, "large", note_large, error) ||
	    !list(fsck, fsck->corrupt_fd, "corrupt", note_kept, error))
		return false;
	for (size_t i = first; i < fsck->finding_count; i++) {
		struct fsck_finding *orphan = &fsck->findings[i];
		orphan->len = size_of(
		    fsck, fsck->large_fd, orphan->file + strlen("large/"));
		fsck->orphans.count++;
		fsck->orphans.bytes += orphan->len;
	}
	for (size_t i = 0; i < fsck->kept_count; i++) {
		struct fsck_kept *kept = &fsck->kept[i];
		kept->bytes = size_of(fsck, fsck->corrupt_fd, kept->name);
		fsck->kept_sum.count++;
		fsck->kept_sum.bytes += kept->bytes;
	}
	return true;
}
