#include "base/memory.h"
#include "base/seed.h"
#include "queue/journal_private.h"
#include "queue/replay.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/param.h>

/* Ids that may have been given out in what could not be read: far more than fit
 * there, though where the clock gives them, too, not more than an hour's. */
#define UNREAD_IDS ((uint64_t)1 << 32)
/* As many as a segment may have units. */
#define UNITS_MAX (UINT32_MAX / UNIT_LEN_MIN)
/* In such pieces the last group is written once more. */
#define PIECE_LEN ((size_t)64 * 1024)

/* ---- the end that the replay found ---- */

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
	char *piece = memory_new(PIECE_LEN);
	bool is_ok = true;

	for (uint64_t at = end->group_offset;
	     is_ok && at != 0 && at < end->offset;) {
		uint64_t left = end->offset - at;
		size_t len = (size_t)MIN(left, PIECE_LEN);
		is_ok =
		    disk_read_at(journal->disk, fd, piece, len, at, error) &&
		    disk_write_at(journal->disk, fd, piece, len, at, error);
		at += len;
	}
	free(piece);
	return is_ok;
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
	return journal_begin(journal, error);
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
	return journal_begin(journal, error);
}

/* Even that may take room: summaries give some back. */
static bool
cut_at_start(struct journal *journal, uint64_t end)
{
	struct error error;

	if (journal_cut(journal, end))
		return true;
	(void)error_system(&error, "truncate");
	return disk_is_full(&error) && summaries_give_up(&journal->summaries) &&
	    journal_cut(journal, end);
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
	return is_writable || journal_begin(journal, error);
}

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
	if (!journal_begin(journal, error))
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

/* On a full disk the room that the newest segment had is all there is for
 * outcomes: it was cut off with what was torn.  Where this fails, too, they
 * wait for some. */
static void
hold_room(struct journal *journal, uint64_t size)
{
	if (!journal->has_reserve && size > journal_newest_size(journal))
		(void)journal->disk->allocate(journal->disk->ctx,
		    shelf_newest(&journal->shelf)->fd, size);
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

	assert(options->segment_size <= JOURNAL_SEGMENT_MAX);
	journal->disk = options->disk;
	journal->segment_size = options->segment_size;
	journal->free_floor = options->free_floor;
	journal->reserve = options->reserve;
	buffer_init(&journal->buffer, SIZE_MAX);
	summaries_init(&journal->summaries, &journal->shelf);
	bool is_ok = shelf_open(&journal->shelf, options->disk, options->path,
	    on_problem, &sink, error);
	uint64_t size = is_ok ? journal_newest_size(journal) : 0;
	if (!is_ok || !recover(journal, fact_fn, ctx, &report, error)) {
		journal_free(journal);
		return error_context(error, "queue %s", options->path);
	}
	report.damaged += sink.count;
	report.problems += sink.count;
	look_back(journal, &report);
	journal->has_unread = report.unread_segments > 0;
	summaries_remove_orphans(&journal->summaries, journal->had_problems);
	shelf_note_bounds(&journal->shelf);
	journal_make_reserve(journal);
	hold_room(journal, size);
	journal_update_free(journal);
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
