#include "queue/summaries.h"

#include "base/memory.h"
#include "queue/summary.h"
#include "queue/summary_writer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void
summaries_init(struct summaries *summaries, struct shelf *shelf)
{
	*summaries = (struct summaries){.shelf = shelf};
}

static void
end_writer(struct summaries *summaries)
{
	summary_writer_free(summaries->writer);
	summaries->writer = NULL;
}

void
summaries_clear(struct summaries *summaries)
{
	end_writer(summaries);
}

/* ---- writing ---- */

/* It is sealed: another follows. */
static bool
is_wanted(const struct shelf *shelf, size_t index)
{
	const struct segment_file *segment = &shelf->segments[index];

	return index + 1 < shelf->count &&
	    segment->summary == SEGMENT_SUMMARY_WANTED &&
	    segment[1].header.first_unit > segment->header.first_unit;
}

size_t
summaries_wanted(const struct summaries *summaries)
{
	const struct shelf *shelf = summaries->shelf;
	size_t count = 0;

	for (size_t i = 0; i < shelf->count; i++)
		count += is_wanted(shelf, i);
	return count;
}

static struct segment_file *
first_wanted(const struct shelf *shelf)
{
	size_t index = 0;

	while (index < shelf->count && !is_wanted(shelf, index))
		index++;
	assert(index < shelf->count);
	return &shelf->segments[index];
}

bool
summaries_step(struct summaries *summaries, struct error *error)
{
	const struct shelf *shelf = summaries->shelf;
	struct segment_file *segment = first_wanted(shelf);

	if (summaries->writer == NULL) {
		summaries->writer = summary_writer_new(shelf->disk,
		    shelf->directory_fd, segment, segment[1].header.first_unit);
		summaries->generation = segment->header.generation;
	}
	assert(summaries->generation == segment->header.generation);
	enum summary_progress progress =
	    summary_writer_step(summaries->writer, error);
	if (progress == SUMMARY_UNFINISHED)
		return true;
	end_writer(summaries);
	segment->summary = progress == SUMMARY_WRITTEN
	    ? SEGMENT_SUMMARY_PRESENT
	    : SEGMENT_SUMMARY_REFUSED;
	return progress != SUMMARY_FAILED;
}

/* ---- removing ---- */

void
summaries_forget(struct summaries *summaries, uint64_t generation)
{
	if (summaries->writer != NULL && summaries->generation == generation)
		end_writer(summaries);
}

static void
remove_named(const struct shelf *shelf, const char *name)
{
	/* What stays is removed at the next start, or with its segment. */
	(void)shelf->disk->unlink(shelf->disk->ctx, shelf->directory_fd, name);
}

bool
summaries_give_up(struct summaries *summaries)
{
	const struct shelf *shelf = summaries->shelf;
	bool has_any = summaries->writer != NULL;

	end_writer(summaries);
	for (size_t i = 0; i < shelf->count; i++) {
		struct segment_file *segment = &shelf->segments[i];
		char name[SEGMENT_NAME_SIZE];
		if (segment->summary != SEGMENT_SUMMARY_PRESENT)
			continue;
		summary_name(segment->name, name);
		remove_named(shelf, name);
		segment->summary = SEGMENT_SUMMARY_WANTED;
		has_any = true;
	}
	return has_any;
}

struct orphan_search {
	const struct shelf *shelf;
	char (*names)[SEGMENT_NAME_SIZE]; /* owned */
	size_t count;
};

static bool
has_segment(const struct shelf *shelf, const char *name)
{
	char own[SEGMENT_NAME_SIZE];

	for (size_t i = 0; i < shelf->count; i++) {
		summary_name(shelf->segments[i].name, own);
		if (strcmp(own, name) == 0)
			return true;
	}
	return false;
}

static bool
note_orphan(const char *name, void *ctx)
{
	struct orphan_search *search = ctx;

	if (!summary_is_name(name) || has_segment(search->shelf, name))
		return true;
	search->names = memory_resize_array(
	    search->names, search->count + 1, sizeof(search->names[0]));
	memcpy(search->names[search->count++], name, strlen(name) + 1);
	return true;
}

void
summaries_remove_orphans(const struct summaries *summaries, bool is_any_missing)
{
	struct quarantine quarantine = shelf_quarantine(summaries->shelf);
	struct quarantine_name ignored_name;
	struct error ignored;
	const struct shelf *shelf = summaries->shelf;
	struct orphan_search search = {.shelf = shelf};

	/* What is not seen now is seen at the next start. */
	(void)shelf->disk->list(
	    shelf->disk->ctx, shelf->directory_fd, note_orphan, &search);
	for (size_t i = 0; i < search.count; i++) {
		if (!is_any_missing)
			remove_named(shelf, search.names[i]);
		else if (!quarantine_take_anew(&quarantine, shelf->directory_fd,
			     search.names[i], &ignored_name, &ignored))
			continue; /* it is in nobody's way */
	}
	free(search.names);
}
