#include "base/seed.h"
#include "queue/journal_private.h"
#include "queue/large.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/param.h>

/* No summaries are written where there is room for less than so many. */
#define SPARE_SEGMENTS 2

/* ---- the newest segment ---- */

bool
journal_cut(struct journal *journal, uint64_t end)
{
	const struct disk *disk = journal->disk;
	int fd = shelf_newest(&journal->shelf)->fd;

	journal->laid = end;
	return disk->truncate(disk->ctx, fd, end) == 0 &&
	    disk->truncate(disk->ctx, fd, end + UNIT_HEADER_LEN) == 0;
}

uint64_t
journal_newest_size(const struct journal *journal)
{
	const struct segment_file *newest = shelf_newest(&journal->shelf);
	uint64_t size;

	if (newest == NULL ||
	    journal->disk->size(journal->disk->ctx, newest->fd, &size) != 0)
		return 0;
	return size;
}

/* What the newest segment's file has of its life before, if it had one. */
static uint64_t
laid_before(const struct journal *journal)
{
	return shelf_newest(&journal->shelf)->header.is_recycled
	    ? journal_newest_size(journal)
	    : 0;
}

bool
journal_begin(struct journal *journal, struct error *error)
{
	journal->has_reserve = false; /* it is what is begun in */
	journal->barren++;
	if (!shelf_begin(&journal->shelf, journal->next_unit,
		journal->highest_id, error))
		return false;
	journal->end = SEGMENT_HEADER_LEN;
	journal->laid = laid_before(journal);
	return true;
}

struct segment_ref
journal_current(const struct journal *journal)
{
	return shelf_ref(shelf_newest(&journal->shelf));
}

uint64_t
journal_current_bytes(const struct journal *journal)
{
	return journal->end;
}

/* ---- room ---- */

void
journal_update_free(struct journal *journal)
{
	uint64_t free_bytes;

	/* Where this fails the old figure stands. */
	if (journal->disk->free_space(journal->disk->ctx,
		journal->shelf.directory_fd, &free_bytes) == 0)
		journal->free_bytes = free_bytes;
}

uint64_t
journal_unused(const struct journal *journal)
{
	uint64_t size = journal_newest_size(journal);

	return size - MIN(size, journal->end + UNIT_HEADER_LEN);
}

/*
 * The newest segment may have been begun in what was reserved, and on a small
 * disk its file and the next cannot both have as much.  What it does not use is
 * given back, but only where that is sure to be enough: on a full disk it is
 * all that outcomes have.
 */
static bool
give_back(struct journal *journal)
{
	uint64_t wanted = journal->reserve + journal->reserve / 4;

	journal_update_free(journal);
	return disk_is_full(&journal->reserve_error) &&
	    journal->free_bytes + journal_unused(journal) +
		shelf_spare_bytes(&journal->shelf) >=
	    wanted &&
	    journal_cut(journal, journal->end);
}

/* Trying takes all that is free for a moment, from whoever writes then. */
static bool
may_fit(const struct journal *journal)
{
	return journal->free_bytes + shelf_spare_bytes(&journal->shelf) >=
	    journal->reserve;
}

static bool
reserve(struct journal *journal)
{
	journal_update_free(journal);
	if (may_fit(journal))
		return shelf_reserve(
		    &journal->shelf, journal->reserve, &journal->reserve_error);
	errno = ENOSPC;
	return error_system(&journal->reserve_error, "reserve");
}

void
journal_make_reserve(struct journal *journal)
{
	/* Without it no mail is taken in; it is tried again then. */
	journal->has_reserve =
	    reserve(journal) || (give_back(journal) && reserve(journal));
}

void
journal_free_surplus(struct journal *journal)
{
	uint64_t spare = shelf_spare_bytes(&journal->shelf);
	uint64_t surplus = spare - MIN(spare, journal->reserve);

	if (journal->free_bytes + journal_unused(journal) + surplus <
	    journal->free_floor)
		return;
	(void)journal_cut(journal, journal->end);
	if (surplus > 0)
		shelf_trim_spare(&journal->shelf, journal->reserve);
	journal_update_free(journal);
}

bool
journal_lacks_room(const struct journal *journal)
{
	return journal->lacks_room;
}

uint64_t
journal_free_bytes(const struct journal *journal)
{
	return journal->free_bytes;
}

/* ---- dropping ---- */

bool
journal_drop_due(struct journal *journal, struct error *error)
{
	struct shelf *shelf = &journal->shelf;

	while (shelf->count > 1 &&
	    shelf->segments[0].header.generation <= journal->dropped) {
		summaries_forget(
		    &journal->summaries, shelf->segments[0].header.generation);
		if (!shelf_drop_oldest(shelf, error))
			return false;
		if (SEED(DROP_MIDDLE))
			break;
	}
	return true;
}

bool
journal_drop(struct journal *journal, uint64_t number, struct error *error)
{
	assert(shelf_newest(&journal->shelf)->header.generation > number);
	if (number > journal->dropped)
		journal->dropped = number;
	return journal_drop_due(journal, error) ||
	    error_context(
		error, "drop segment %016llx", (unsigned long long)number);
}

/* ---- large bodies ---- */

bool
journal_remove_orphans(struct journal *journal, journal_is_live_fn is_live_fn,
    void *ctx, size_t *out_removed, struct error *error)
{
	struct quarantine quarantine = shelf_quarantine(&journal->shelf);

	/* What they belong to may be there the next time. */
	*out_removed = 0;
	if (journal->has_unread)
		return true;
	return large_remove_orphans(journal->disk, journal->shelf.large_fd,
	    journal->had_problems ? &quarantine : NULL, is_live_fn, ctx,
	    out_removed, error);
}

bool
journal_write_out(
    const struct journal *journal, const struct unit *unit, struct error *error)
{
	return large_write_out(journal->disk, unit, error);
}

bool
journal_remove_large(struct journal *journal, uint64_t id, struct error *error)
{
	return large_remove(journal->disk, journal->shelf.large_fd, id, error);
}

int
journal_large_fd(const struct journal *journal)
{
	return journal->shelf.large_fd;
}

/* ---- quarantine ---- */

static bool
keep_unit(struct journal *journal, struct segment_ref segment,
    struct place place, uint64_t id, struct error *error)
{
	char data[UNIT_HEADER_LEN] = {0};
	char name[64];
	struct unit_header header;
	struct error ignored;
	size_t len;
	bool is_new;

	if (place.segment == 0)
		return true;
	bool has_header = disk_read_some(journal->disk, segment.fd, data,
			      sizeof(data), place.offset, &len, &ignored) &&
	    unit_header_decode(bytes_make(data, sizeof(data)), segment.salt,
		place.offset, &header);
	(void)snprintf(name, sizeof(name), "%s-%016llx-%08lx",
	    queue_id_of(id).text, (unsigned long long)place.segment,
	    (unsigned long)place.offset);
	struct quarantine quarantine = shelf_quarantine(&journal->shelf);
	return quarantine_keep(&quarantine, name, segment.fd, place.offset,
	    has_header ? unit_header_size(&header) : place.len, &is_new, error);
}

static bool
keep_large(struct journal *journal, uint64_t id, struct error *error)
{
	struct quarantine quarantine = shelf_quarantine(&journal->shelf);
	struct queue_id name = queue_id_of(id);

	return quarantine_take(&quarantine, journal->shelf.large_fd, name.text,
		   name.text, error) ||
	    error->number == ENOENT;
}

bool
journal_quarantine(struct journal *journal, const struct segment_message *where,
    struct error *error)
{
	return keep_unit(
		   journal, where->segment, where->place, where->id, error) &&
	    keep_unit(journal, where->progress_segment, where->progress_place,
		where->id, error) &&
	    keep_large(journal, where->id, error);
}

/* ---- summaries ---- */

/* Room that is left to mail, lest they are written and given up by turns. */
static bool
has_room_to_spare(const struct journal *journal)
{
	return journal->free_bytes >=
	    journal->free_floor + SPARE_SEGMENTS * journal->segment_size;
}

size_t
journal_summaries_wanted(const struct journal *journal)
{
	return has_room_to_spare(journal)
	    ? summaries_wanted(&journal->summaries)
	    : 0;
}

bool
journal_summarize(struct journal *journal, struct error *error)
{
	return summaries_step(&journal->summaries, error);
}
