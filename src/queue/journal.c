#include "queue/journal.h"

#include "base/memory.h"
#include "base/seed.h"
#include "queue/large.h"
#include "queue/replay.h"
#include "queue/shelf.h"
#include "queue/summaries.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

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
/* No summaries are written where there is room for less than so many. */
#define SPARE_SEGMENTS 2
/* Ids that may have been given out in what could not be read: far more than fit
 * there, though where the clock gives them, too, not more than an hour's. */
#define UNREAD_IDS ((uint64_t)1 << 32)
/* Segments that are begun one after the other because nothing can be written to
 * the one before; then it is tried again where it is. */
#define BARREN_MAX 4
/* Places in a segment have 32 bits. */
#define SEGMENT_SIZE_MAX ((uint64_t)1024 * 1024 * 1024)
/* As many as a segment may have units. */
#define UNITS_MAX (UINT32_MAX / UNIT_LEN_MIN)

/*
 * Units below next_unit and octets before end are durable, and all else behind
 * end in the newest segment is not there or does not count.
 */
struct journal {
	const struct disk *disk;
	struct shelf shelf;
	struct summaries summaries;
	uint64_t segment_size;
	uint64_t free_floor;
	uint64_t reserve;
	bool has_reserve;
	struct error reserve_error; /* why not, if known */
	unsigned barren; /* segments begun since a group was committed */
	/* At the replay, or at one before: files in corrupt/, or missing ones,
	 * may have told of large bodies. */
	bool had_problems;
	bool has_unread; /* segments that could not be read whole */
	uint64_t free_bytes;
	uint64_t next_unit;
	uint64_t end;
	uint64_t laid; /* the newest segment's file has octets up to here */
	uint64_t highest_id;
	uint64_t
	    dropped; /* segments up to this generation, or they are to be */
	struct buffer buffer; /* what is about to be written */
};

/* ---- opening ---- */

struct problem_sink {
	journal_fact_fn fact_fn;
	void *ctx;
	size_t count;
};

static void
on_problem(const char *text, void *ctx)
{
	struct problem_sink *sink = ctx;
	struct journal_fact fact = {.kind = JOURNAL_PROBLEM, .text = text};

	sink->count++;
	sink->fact_fn(&fact, sink->ctx);
}

/*
 * Write the last group once more.  The process before us may have died before
 * its sync, or because of it; then these octets are in the page cache only,
 * perhaps even marked as written, and what we are about to build on them must
 * not be the first to find out.
 */
static bool
rewrite(
    struct journal *journal, const struct scan_end *end, struct error *error)
{
	int fd = shelf_newest(&journal->shelf)->fd;
	char *piece = memory_new(WRITE_LEN);
	bool is_ok = true;

	for (uint64_t at = end->group_offset;
	     is_ok && at != 0 && at < end->offset;) {
		uint64_t left = end->offset - at;
		size_t len = left < WRITE_LEN ? (size_t)left : WRITE_LEN;
		is_ok =
		    disk_read_at(journal->disk, fd, piece, len, at, error) &&
		    disk_write_at(journal->disk, fd, piece, len, at, error);
		at += len;
	}
	free(piece);
	return is_ok;
}

/* The newest segment ends here, with the zeros that follow a whole group. */
static bool
cut(struct journal *journal, uint64_t end)
{
	const struct disk *disk = journal->disk;
	int fd = shelf_newest(&journal->shelf)->fd;

	journal->laid = end;
	return disk->truncate(disk->ctx, fd, end) == 0 &&
	    disk->truncate(disk->ctx, fd, end + UNIT_HEADER_LEN) == 0;
}

static uint64_t
lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* What the newest segment's file has of its life before, if it had one. */
static uint64_t
laid_before(const struct journal *journal)
{
	const struct segment_file *newest = shelf_newest(&journal->shelf);
	uint64_t size;

	if (!newest->header.is_recycled ||
	    journal->disk->size(journal->disk->ctx, newest->fd, &size) != 0)
		return 0;
	return size;
}

static bool
begin(struct journal *journal, struct error *error)
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

/*
 * What could not be read behind the last unit may be units that can be read the
 * next time.  They are not cut off; a new segment begins, and leaves them their
 * numbers.
 */
static bool
step_over(
    struct journal *journal, const struct scan_end *end, struct error *error)
{
	shelf_newest(&journal->shelf)->bytes = end->unread_end;
	journal->next_unit =
	    end->next_unit + (end->unread_end - end->offset) / UNIT_LEN_MIN + 1;
	return begin(journal, error);
}

static bool
misses_newest(const struct journal *journal)
{
	return shelf_newest(&journal->shelf)->header.generation <
	    journal->shelf.bounds.newest;
}

/* Should they be found, and put back, their units have numbers of their own,
 * and do not make others void. */
static bool
step_over_missing(struct journal *journal, struct error *error)
{
	uint64_t missing = journal->shelf.bounds.newest -
	    shelf_newest(&journal->shelf)->header.generation;
	uint64_t left = UNIT_NUMBER_MAX - journal->next_unit;

	if (missing > left / 2 / UNITS_MAX)
		return true;
	journal->next_unit += missing * UNITS_MAX;
	return begin(journal, error);
}

/* Even that may take room: summaries give some back. */
static bool
cut_at_start(struct journal *journal, uint64_t end)
{
	struct error error;

	if (cut(journal, end))
		return true;
	(void)error_system(&error, "truncate");
	return disk_is_full(&error) && summaries_give_up(&journal->summaries) &&
	    cut(journal, end);
}

/* On a full disk that copies on write this has no room.  Then, and where these
 * octets cannot be written for another reason, the sync alone must do.  False:
 * nor can others be written behind them. */
static bool
rewrite_at_start(struct journal *journal, const struct scan_end *end)
{
	struct error error;

	return SEED(PAGE_CACHE_BELIEVED) || rewrite(journal, end, &error) ||
	    disk_is_full(&error);
}

/* Cut the newest segment behind its last unit, and make sure of the rest. Where
 * its end cannot be written it is left as it is, and another one begins. */
static bool
trim(struct journal *journal, const struct scan_end *end, struct error *error)
{
	struct segment_file *newest = shelf_newest(&journal->shelf);
	bool is_unread = end->unread_end > end->offset;

	bool is_cut = is_unread || SEED(TAIL_NOT_CUT) ||
	    cut_at_start(journal, end->offset);
	bool is_writable = rewrite_at_start(journal, end) && is_cut;
	if (!disk_sync(journal->disk, newest->fd, error))
		return error_context(error, "%s", newest->name);
	if (is_unread)
		return step_over(journal, end, error);
	newest->bytes = end->offset;
	journal->next_unit = end->next_unit;
	journal->end = end->offset;
	/* What is torn behind the end has no number below the next segment's.
	 */
	return is_writable || begin(journal, error);
}

static void
update_free(struct journal *journal)
{
	uint64_t free_bytes;

	/* Where this fails the old figure stands. */
	if (journal->disk->free_space(journal->disk->ctx,
		journal->shelf.directory_fd, &free_bytes) == 0)
		journal->free_bytes = free_bytes;
}

/* The next segment's file, with room for outcomes when the disk is full. */
static void
make_reserve(struct journal *journal)
{
	/* Without it no mail is taken in; it is tried again then. */
	journal->has_reserve = shelf_reserve(
	    &journal->shelf, journal->reserve, &journal->reserve_error);
}

static bool
recover(struct journal *journal, journal_fact_fn fact_fn, void *ctx,
    struct journal_report *report, struct error *error)
{
	struct scan_end end;

	if (!replay_missing(&journal->shelf, fact_fn, ctx, report, error))
		return false;
	if (shelf_newest(&journal->shelf) != NULL) {
		if (!replay_shelf(
			&journal->shelf, fact_fn, ctx, report, &end, error))
			return false;
		if (end.unread_end > 0 || misses_newest(journal))
			report->highest_id += UNREAD_IDS;
		journal->highest_id = report->highest_id;
		return trim(journal, &end, error) &&
		    (!misses_newest(journal) ||
			step_over_missing(journal, error));
	}
	journal->next_unit = 1;
	if (!begin(journal, error))
		return false;
	struct journal_fact fact = {
	    .kind = JOURNAL_SEGMENT,
	    .segment = journal_current(journal),
	    .bytes = journal->end,
	    .count = 1,
	};
	fact_fn(&fact, ctx);
	return true;
}

/* What has been put aside at any start may be what large bodies belong to. */
static void
look_back(struct journal *journal, struct journal_report *report)
{
	struct quarantine quarantine = shelf_quarantine(&journal->shelf);
	struct quarantine_stock stock;
	struct error ignored;

	journal->had_problems = report->problems + report->damaged_before > 0;
	/* What cannot be seen may be there. */
	if (!quarantine_count(&quarantine, &stock, &ignored))
		stock = (struct quarantine_stock){.evidence = 1};
	if (stock.evidence > 0 && !SEED(QUARANTINE_FORGOTTEN))
		journal->had_problems = true;
	report->kept_files = stock.files;
}

bool
journal_open(const struct journal_options *options, journal_fact_fn fact_fn,
    void *ctx, struct journal **out_journal, struct journal_report *out_report,
    struct error *error)
{
	struct journal *journal = memory_new(sizeof(*journal));
	struct journal_report report = {.segments = 0};
	struct problem_sink sink = {.fact_fn = fact_fn, .ctx = ctx};

	assert(options->segment_size <= SEGMENT_SIZE_MAX);
	journal->disk = options->disk;
	journal->segment_size = options->segment_size;
	journal->free_floor = options->free_floor;
	journal->reserve = options->reserve;
	buffer_init(&journal->buffer, SIZE_MAX);
	summaries_init(&journal->summaries, &journal->shelf);
	if (!shelf_open(&journal->shelf, options->disk, options->path,
		on_problem, &sink, error) ||
	    !recover(journal, fact_fn, ctx, &report, error)) {
		journal_free(journal);
		return error_context(error, "queue %s", options->path);
	}
	report.damaged += sink.count;
	report.problems += sink.count;
	look_back(journal, &report);
	journal->has_unread = report.unread_segments > 0;
	summaries_remove_orphans(&journal->summaries, journal->had_problems);
	shelf_note_bounds(&journal->shelf);
	make_reserve(journal);
	update_free(journal);
	*out_journal = journal;
	*out_report = report;
	return true;
}

void
journal_free(struct journal *journal)
{
	if (journal == NULL)
		return;
	summaries_clear(&journal->summaries);
	shelf_close(&journal->shelf);
	buffer_clear(&journal->buffer);
	free(journal);
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
journal_remove_large(struct journal *journal, uint64_t id, struct error *error)
{
	return large_remove(journal->disk, journal->shelf.large_fd, id, error);
}

/* ---- committing ---- */

/* All that were to be, oldest first. */
static bool
drop_all(struct journal *journal, struct error *error)
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
		make_reserve(journal);
	update_free(journal);
	return journal->has_reserve &&
	    journal->free_bytes >= journal->free_floor;
}

/* The disk is full, or it is something else that keeps the next segment from
 * being there. */
static void
refuse_intake(const struct journal *journal, struct unit *unit)
{
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

	for (size_t i = 0; i < count; i++) {
		struct unit *unit = units[i];
		unit->is_committed = SEED(ACKNOWLEDGED_FIRST);
		unit->error = (struct error){.kind = ERROR_NONE};
		if (!unit->is_intake || is_roomy || SEED(RESERVE_FOR_INTAKE)) {
			has_any = true;
			continue;
		}
		refuse_intake(journal, unit);
	}
	return has_any;
}

/* A new segment where the newest is full; on failure it may grow, within
 * reason. */
static bool
rotate(struct journal *journal, struct error *error)
{
	if (journal->end < journal->segment_size)
		return true;
	if (begin(journal, error))
		return true;
	/* Not if it may exist: then units here might not count any more. */
	return !journal->shelf.is_uncertain && journal->end < SEGMENT_SIZE_MAX;
}

static void
raise_id(struct journal *journal, const struct unit *unit)
{
	for (size_t i = 0; i < unit->count; i++) {
		if (unit->records[i].id > journal->highest_id)
			journal->highest_id = unit->records[i].id;
	}
}

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
		end = lesser(end + LAID_LEN, journal->segment_size);
	if (journal->laid < group->written)
		journal->laid = group->written;
	while (journal->laid < end) {
		size_t len = lesser(end - journal->laid, sizeof(ZEROS));
		if (!disk_write_at(journal->disk, group->segment->fd, ZEROS,
			len, journal->laid, &ignored))
			return;
		journal->laid += len;
	}
}

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

	bool is_cut = cut(journal, journal->end) && !is_written;
	journal->has_reserve = journal->has_reserve && !is_full;
	if (is_full)
		(void)summaries_give_up(&journal->summaries);
	if (is_cut && may_stay(journal, is_full))
		return true;
	lower_segment_size(journal, error);
	if (begin(journal, &worse))
		return true;
	if (is_cut && !journal->shelf.is_uncertain)
		return true;
	return error_context(error, "%s; before that", error_text(&worse));
}

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
	(void)drop_all(journal, &ignored);
	if (!open_answers(journal, units, count))
		return true;
	large_sync(journal->disk, journal->shelf.large_fd, units, count);
	if (!rotate(journal, error)) {
		fail_all(units, count, error);
		return false;
	}
	return commit_group(journal, units, count, error);
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

uint64_t
journal_free_bytes(const struct journal *journal)
{
	return journal->free_bytes;
}

int
journal_large_fd(const struct journal *journal)
{
	return journal->shelf.large_fd;
}

bool
journal_drop(struct journal *journal, uint64_t number, struct error *error)
{
	assert(shelf_newest(&journal->shelf)->header.generation > number);
	if (number > journal->dropped)
		journal->dropped = number;
	return drop_all(journal, error) ||
	    error_context(
		error, "drop segment %016llx", (unsigned long long)number);
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
