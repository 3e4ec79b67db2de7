#include "base/seed.h"
#include "queue/journal_private.h"
#include "queue/large.h"

#include <errno.h>
#include <sys/param.h>

/* Written at a time, so that a large group takes no memory of its size. */
#define WRITE_LEN ((size_t)1024 * 1024)
/*
 * A sync of octets that lie where the file had some costs little more than half
 * of one that makes it longer.  So zeros are laid ahead of a small group, for
 * those that follow; behind a large one they would cost more than they give.
 */
#define LAID_LEN    ((uint64_t)256 * 1024)
#define LAID_PIECE  ((size_t)16 * 1024)
#define SMALL_GROUP (LAID_LEN / 4)
/* Segments that are begun one after the other because nothing can be written to
 * the one before; then it is tried again where it is. */
#define BARREN_MAX 4

/* ---- which units are taken ---- */

/* Not answered yet: a unit that has failed says why in its error. */
static bool
is_open(const struct unit *unit)
{
	return unit->error.kind == ERROR_NONE;
}

static void
fail_all(struct unit *const *units, size_t count, const struct error *error)
{
	for (size_t i = 0; i < count; i++) {
		if (is_open(units[i]))
			units[i]->error = *error;
	}
}

/* Whether there is room for more than outcomes. */
static bool
has_room(struct journal *journal)
{
	if (!journal->has_reserve)
		journal_make_reserve(journal);
	journal_update_free(journal);
	if (journal->has_reserve && journal->free_bytes < journal->free_floor)
		journal_free_surplus(journal);
	return journal->has_reserve &&
	    journal->free_bytes >= journal->free_floor;
}

/* The disk is full, or it is something else that keeps the next segment from
 * being there. */
static void
refuse(const struct journal *journal, struct unit *unit)
{
	unit->lacked_room = true;
	if (!journal->has_reserve && !disk_is_full(&journal->reserve_error)) {
		unit->error = journal->reserve_error;
		(void)error_context(&unit->error, "the next segment");
		return;
	}
	errno = ENOSPC;
	(void)error_system(&unit->error, "the queue's disk");
}

/* False: each unit has failed already. */
static bool
open_answers(struct journal *journal, struct unit *const *units, size_t count)
{
	/* Summaries go before mail is refused. */
	bool is_roomy = has_room(journal) ||
	    (summaries_give_up(&journal->summaries) && has_room(journal));
	bool has_any = false;

	journal->lacks_room = !is_roomy;
	for (size_t i = 0; i < count; i++) {
		struct unit *unit = units[i];
		unit->is_committed = SEED(ACKNOWLEDGED_FIRST);
		unit->lacked_room = false;
		unit->error = (struct error){.kind = ERROR_NONE};
		if (!unit->needs_room || is_roomy || SEED(RESERVE_FOR_INTAKE)) {
			has_any = true;
			continue;
		}
		refuse(journal, unit);
	}
	return has_any;
}

/* ---- writing ---- */

/* A group that is being written behind the journal's end. */
struct group {
	struct journal *journal;
	struct segment_file *segment;
	uint64_t first;   /* unit */
	uint64_t next;    /* unit */
	uint64_t written; /* where the buffer goes */
};

static bool
flush(struct group *group, struct error *error)
{
	struct buffer *buffer = &group->journal->buffer;

	if (!disk_write_at(group->journal->disk, group->segment->fd,
		buffer_bytes(buffer).data, buffer->len, group->written, error))
		return false;
	group->written += buffer->len;
	buffer_empty(buffer);
	return true;
}

static void
raise_id(struct journal *journal, const struct unit *unit)
{
	for (size_t i = 0; i < unit->count; i++) {
		if (unit->records[i].id > journal->highest_id)
			journal->highest_id = unit->records[i].id;
	}
}

/* Its own failure is in unit, and only that unit's. False: the disk's. */
static bool
append(struct group *group, struct unit *unit, struct error *error)
{
	struct buffer *buffer = &group->journal->buffer;
	uint64_t offset = group->written + buffer->len;
	struct unit_stamp stamp = {
	    .salt = group->segment->header.salt,
	    .generation = group->segment->header.generation,
	    .offset = offset,
	    .number = group->next,
	    .group = group->first,
	};

	if (offset > UINT32_MAX) {
		(void)error_set(&unit->error, ERROR_LIMIT, "group too large");
		return true;
	}
	if (!unit_encode(
		buffer, unit, &stamp, group->journal->disk, &unit->error))
		return true;
	unit->segment = shelf_ref(group->segment);
	unit->place.segment = group->segment->header.generation;
	unit->place.offset = (uint32_t)offset;
	raise_id(group->journal, unit);
	group->next++;
	return buffer->len < WRITE_LEN || flush(group, error);
}

static bool
write_group(struct group *group, struct unit *const *units, size_t count,
    struct error *error)
{
	static const char ZEROS[UNIT_HEADER_LEN];
	struct buffer *buffer = &group->journal->buffer;

	buffer_empty(buffer);
	for (size_t i = 0; i < count; i++) {
		if (is_open(units[i]) && !append(group, units[i], error))
			return false;
	}
	buffer_append(buffer, bytes_make(ZEROS, sizeof(ZEROS)));
	return group->next == group->first || flush(group, error);
}

static bool
is_worth_laying_ahead(const struct group *group)
{
	const struct journal *journal = group->journal;

	return group->written > journal->laid &&
	    group->written - journal->end <= SMALL_GROUP &&
	    journal->free_bytes >= journal->free_floor + LAID_LEN;
}

/* As far as the segment goes.  Speed alone hangs on it: a failure is none. */
static void
lay_ahead(struct group *group)
{
	static const char ZEROS[LAID_PIECE];
	struct journal *journal = group->journal;
	uint64_t end = group->written;
	struct error ignored;

	if (is_worth_laying_ahead(group))
		end = MIN(end + LAID_LEN, journal->segment_size);
	if (journal->laid < group->written)
		journal->laid = group->written;
	while (journal->laid < end) {
		size_t len = MIN(end - journal->laid, sizeof(ZEROS));
		if (!disk_write_at(journal->disk, group->segment->fd, ZEROS,
			len, journal->laid, &ignored))
			return;
		journal->laid += len;
	}
}

/* ---- what fails ---- */

/* No file may be as long as that (RLIMIT_FSIZE, or the file system's own
 * limit): the next ones stay well below. */
static void
lower_segment_size(struct journal *journal, const struct error *error)
{
	uint64_t half = (journal->end - SEGMENT_HEADER_LEN) / 2;

	if (error->number == EFBIG && half > 0)
		journal->segment_size = SEGMENT_HEADER_LEN + half;
}

/* Whether it is enough that the failed write was cut off. */
static bool
may_stay(const struct journal *journal, bool is_full)
{
	return is_full ? !journal->shelf.has_spare
		       : journal->barren >= BARREN_MAX;
}

/*
 * A failed write is undone; nothing that counts was touched.  What could not be
 * written here may not be the next time, either: it goes to a new segment.
 * Where the disk is full that is the spare, which has room; without one it
 * is waited for.
 *
 * A failed sync says that the kernel may have given up octets, once, and it
 * will not say so again: nothing is ever appended to that file.  Units left in
 * it are numbered like those of the new segment, and so do not count.
 */
static bool
survive(struct journal *journal, bool is_written, struct error *error)
{
	bool is_full = disk_is_full(error);
	struct error worse;

	bool is_cut = journal_cut(journal, journal->end) && !is_written;
	journal->has_reserve = journal->has_reserve && !is_full;
	if (is_full)
		(void)summaries_give_up(&journal->summaries);
	if (is_cut && may_stay(journal, is_full))
		return true;
	lower_segment_size(journal, error);
	if (journal_begin(journal, &worse))
		return true;
	if (is_cut && !journal->shelf.is_uncertain)
		return true;
	return error_context(error, "%s; before that", error_text(&worse));
}

/* ---- a group ---- */

static void
answer(const struct group *group, struct unit *const *units, size_t count)
{
	group->journal->barren = 0;
	group->journal->next_unit = group->next;
	group->journal->end = group->written - UNIT_HEADER_LEN;
	group->segment->bytes = group->journal->end;
	for (size_t i = 0; i < count; i++)
		units[i]->is_committed = is_open(units[i]);
}

/* Without a reserve, the room that the newest segment has is all there is. */
static bool
is_newest_full(const struct journal *journal)
{
	return journal->end >= journal->segment_size &&
	    (journal->has_reserve || journal_unused(journal) == 0);
}

/* A new segment where the newest is full; on failure it may grow, within
 * reason. */
static bool
rotate(struct journal *journal, struct error *error)
{
	if (!is_newest_full(journal))
		return true;
	if (journal_begin(journal, error))
		return true;
	/* Not if it may exist: then units here might not count any more. */
	return !journal->shelf.is_uncertain &&
	    journal->end < JOURNAL_SEGMENT_MAX;
}

static bool
commit_group(struct journal *journal, struct unit *const *units, size_t count,
    struct error *error)
{
	struct group group = {
	    .journal = journal,
	    .segment = shelf_newest(&journal->shelf),
	    .first = journal->next_unit,
	    .next = journal->next_unit,
	    .written = journal->end,
	};

	bool is_written = write_group(&group, units, count, error);
	if (is_written && group.next == group.first)
		return true; /* each has failed on its own */
	if (is_written)
		lay_ahead(&group);
	if (is_written &&
	    (SEED(NO_FDATASYNC) ||
		disk_sync(journal->disk, group.segment->fd, error))) {
		answer(&group, units, count);
		return true;
	}
	(void)error_context(error, "%s", group.segment->name);
	fail_all(units, count, error);
	return survive(journal, is_written, error);
}

bool
journal_commit(struct journal *journal, struct unit *const *units, size_t count,
    struct error *error)
{
	struct error ignored;

	/* A drop that failed has been told of; it may be what takes the room.
	 */
	(void)journal_drop_due(journal, &ignored);
	if (!open_answers(journal, units, count))
		return true;
	large_sync(journal->disk, journal->shelf.large_fd, units, count);
	if (!rotate(journal, error)) {
		fail_all(units, count, error);
		return false;
	}
	return commit_group(journal, units, count, error);
}
