#include "queue/replay.h"

#include "base/memory.h"
#include "base/seed.h"
#include "queue/bounds.h"
#include "queue/large.h"
#include "queue/reading.h"
#include "queue/summary.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct replay {
	struct shelf *shelf;
	const struct segment_file *segment; /* that is being read */
	journal_fact_fn fact_fn;
	void *ctx;
	struct journal_report *report;
	/* What was found damaged in this segment, told of when all of it has
	 * been read and it is known which commit group was the last. */
	struct scan_event *bad; /* owned */
	size_t bad_count;
};

/* ---- the records of a unit ---- */

static enum journal_fact_kind
kind_of(enum record_type type)
{
	switch (type) {
	case RECORD_MESSAGE:
		return JOURNAL_MESSAGE;
	case RECORD_PROGRESS:
		return JOURNAL_PROGRESS;
	case RECORD_FINISHED:
		break;
	}
	return JOURNAL_FINISHED;
}

static void
tell_fact(
    struct replay *replay, struct place place, const struct reading *reading)
{
	const struct record_head *head = &reading->head;
	struct journal_fact fact = {
	    .kind = kind_of(head->type),
	    .id = head->id,
	    .segment = shelf_ref(replay->segment),
	    .place = place,
	};

	if (head->type == RECORD_MESSAGE) {
		fact.envelope = &reading->envelope;
		fact.size = head->content_len;
		fact.is_large = head->is_large;
	} else if (head->type == RECORD_PROGRESS) {
		fact.progress = &reading->progress;
	}
	if (head->id > replay->report->highest_id)
		replay->report->highest_id = head->id;
	replay->fact_fn(&fact, replay->ctx);
}

static void
note_bad(struct replay *replay, const struct scan_event *event)
{
	replay->bad = memory_resize_array(
	    replay->bad, replay->bad_count + 1, sizeof(replay->bad[0]));
	replay->bad[replay->bad_count++] = *event;
}

static void
take_unit(struct replay *replay, const struct scan_event *event)
{
	struct reading readings[UNIT_RECORDS_MAX];
	size_t count = 0;
	struct place place = {
	    .segment = replay->segment->header.generation,
	    .offset = (uint32_t)event->offset,
	    .len = UNIT_HEADER_LEN + event->header.heads_len,
	};

	if (event->offset <= UINT32_MAX &&
	    reading_take(event->heads, readings, &count)) {
		for (size_t i = 0; i < count; i++)
			tell_fact(replay, place, &readings[i]);
		replay->report->units++;
	} else {
		struct scan_event bad = *event;
		bad.kind = SCAN_DAMAGE;
		bad.first_missing = event->header.number;
		bad.missing = 1;
		note_bad(replay, &bad);
	}
	reading_clear(readings, count);
}

static bool
on_event(const struct scan_event *event, void *ctx, struct error *error)
{
	struct replay *replay = ctx;

	(void)error; /* nothing here can fail */
	if (event->kind == SCAN_UNIT)
		take_unit(replay, event);
	else
		note_bad(replay, event);
	return true;
}

/* ---- damage ---- */

static void
tell_problem(struct replay *replay, const char *text)
{
	struct journal_fact fact = {.kind = JOURNAL_PROBLEM, .text = text};

	replay->report->problems++;
	replay->fact_fn(&fact, replay->ctx);
}

/* What was damaged, and how much, in words. */
static void
describe(const struct replay *replay, const struct scan_event *bad,
    bool is_torn, char *text, size_t size)
{
	const char *name = replay->segment->name;
	unsigned long long first = bad->first_missing;
	unsigned long long last = first + bad->missing - 1;

	if (bad->kind == SCAN_TAIL && !is_torn)
		(void)snprintf(text, size,
		    "%s: cannot be read to its end, %llu octets at %llu", name,
		    (unsigned long long)bad->len,
		    (unsigned long long)bad->offset);
	else if (bad->kind == SCAN_TAIL)
		(void)snprintf(text, size,
		    "%s: torn at its end, %llu octets (a commit that was under "
		    "way, or damage)",
		    name, (unsigned long long)bad->len);
	else
		(void)snprintf(text, size,
		    "%s: units %llu to %llu %s, %llu octets at %llu", name,
		    first, last,
		    is_torn
			? "are torn (a commit that was under way, or damage)"
			: "are damaged or missing",
		    (unsigned long long)bad->len,
		    (unsigned long long)bad->offset);
}

static void
count_bad(struct replay *replay, const struct scan_event *bad, bool is_torn,
    bool is_new)
{
	struct journal_report *report = replay->report;

	if (is_torn) {
		report->torn_bytes += bad->len;
	} else if (is_new) {
		report->damaged++;
		report->damaged_bytes += bad->len;
	} else {
		report->damaged_before++;
	}
	report->missing_units += bad->missing;
}

/* Keep its octets, count it and, the first time, tell of it.  *out_is_kept:
 * they are in corrupt/.  False: it is not the first time. */
static bool
settle_bad(struct replay *replay, const struct scan_event *bad, bool is_torn,
    bool *out_is_kept)
{
	char what[256];
	char text[1024];
	struct error error = {.kind = ERROR_NONE};
	bool is_new = true;

	struct quarantine_name name =
	    quarantine_name_of(&replay->segment->header, bad->offset);
	struct quarantine quarantine = shelf_quarantine(replay->shelf);
	describe(replay, bad, is_torn, what, sizeof(what));
	bool is_kept = bad->len == 0
	    ? quarantine_note(&quarantine, name.text, what, &is_new, &error)
	    : quarantine_keep(&quarantine, name.text, replay->segment->fd,
		  bad->offset, bad->len, &is_new, &error);
	*out_is_kept = is_kept;
	count_bad(replay, bad, is_torn, is_new);
	if (!is_new)
		return false;
	(void)snprintf(text, sizeof(text), "%s; %s%s %s", what,
	    bad->len == 0 ? "nothing is left; " : "",
	    is_kept             ? "kept in corrupt/"
		: bad->len == 0 ? "not noted:"
				: "not kept:",
	    is_kept ? name.text : error_text(&error));
	tell_problem(replay, text);
	return true;
}

/*
 * Only the newest segment's content is checked.  What is found damaged there
 * must not be taken for sound when the segment is an older one: the headers of
 * its units are overwritten with zeros.  They stay where there is no other copy
 * of them, where something could not be read, which may be sound, and where
 * they cannot be written to; then the content is found out when it is to be
 * delivered.
 */
static bool
wipe(struct replay *replay, const struct scan_event *bad, struct error *error)
{
	static const char ZEROS[UNIT_HEADER_LEN];
	const struct disk *disk = replay->shelf->disk;
	int fd = replay->segment->fd;
	uint64_t end = bad->offset + bad->len;
	char data[UNIT_HEADER_LEN];
	size_t len;

	for (uint64_t at = bad->offset; at + sizeof(data) <= end; at += 8) {
		bool is_read = disk_read_some(
		    disk, fd, data, sizeof(data), at, &len, error);
		if (!is_read && error->number != EIO)
			return false;
		if (is_read && len == sizeof(data) &&
		    unit_header_is_likely(bytes_make(data, sizeof(data))) &&
		    !disk_write_at(disk, fd, ZEROS, sizeof(ZEROS), at, error))
			return true;
	}
	return true;
}

static bool
is_in_last_group(const struct replay *replay, const struct scan_event *bad,
    const struct scan_end *end)
{
	if (replay->segment != shelf_newest(replay->shelf) ||
	    end->unread_end > bad->offset)
		return false;
	return bad->kind == SCAN_TAIL || bad->first_missing >= end->group;
}

/* All that is bad in a segment that was scanned. */
static bool
settle_all_bad(struct replay *replay, struct segment_file *segment,
    const struct scan_end *end, struct error *error)
{
	bool is_last = segment == shelf_newest(replay->shelf);
	size_t new_count = 0;

	for (size_t i = 0; i < replay->bad_count; i++) {
		const struct scan_event *bad = &replay->bad[i];
		bool is_torn = is_in_last_group(replay, bad, end);
		bool is_kept;
		new_count += settle_bad(replay, bad, is_torn, &is_kept);
		if (is_last && !SEED(DAMAGE_NOT_WIPED) && is_kept &&
		    end->unread_end <= bad->offset &&
		    bad->kind == SCAN_DAMAGE && !wipe(replay, bad, error))
			return false;
	}
	if (replay->bad_count > 0 && end->unread_end > 0) {
		segment->reading =
		    new_count > 0 ? SEGMENT_UNREAD : SEGMENT_UNREAD_AGAIN;
		replay->report->unread_segments++;
	}
	replay->bad_count = 0;
	return true;
}

/* ---- segments that are gone ---- */

/* Told once; the note stays in corrupt/, and says that there may have been
 * large bodies. */
static void
tell_missing(struct replay *replay, struct bounds missing, const char *what)
{
	struct quarantine quarantine = shelf_quarantine(replay->shelf);
	struct error error;
	bool is_new = true;
	char name[64];
	char text[1024];

	(void)snprintf(name, sizeof(name), "missing-%016llx-%016llx",
	    (unsigned long long)missing.oldest,
	    (unsigned long long)missing.newest);
	if (quarantine_note(&quarantine, name, what, &is_new, &error))
		(void)snprintf(
		    text, sizeof(text), "%s; noted in corrupt/%s", what, name);
	else
		(void)snprintf(text, sizeof(text), "%s; not noted: %s", what,
		    error_text(&error));
	replay->report->damaged += is_new;
	replay->report->damaged_before += !is_new;
	if (is_new)
		tell_problem(replay, text);
}

static void
tell_generations(
    struct replay *replay, struct bounds missing, const char *which)
{
	char what[256];

	(void)snprintf(what, sizeof(what),
	    "the %s gone: generations %llu to %llu, and the messages in them",
	    which, (unsigned long long)missing.oldest,
	    (unsigned long long)missing.newest);
	tell_missing(replay, missing, what);
}

/* A queue without any segment that is not new. */
static bool
look_for_bodies(struct replay *replay, struct error *error)
{
	const struct shelf *shelf = replay->shelf;
	size_t count;

	if (!large_count(shelf->disk, shelf->large_fd, &count, error))
		return false;
	if (count > 0)
		tell_missing(replay, (struct bounds){0},
		    "there is no segment, but there are large bodies: all "
		    "segments are gone, and the messages in them");
	return true;
}

bool
replay_missing(struct shelf *shelf, journal_fact_fn fact_fn, void *ctx,
    struct journal_report *report, struct error *error)
{
	const struct segment_file *newest = shelf_newest(shelf);
	uint64_t first =
	    newest == NULL ? 0 : shelf->segments[0].header.generation;
	uint64_t last = newest == NULL ? 0 : newest->header.generation;
	struct bounds missing;
	struct replay replay = {
	    .shelf = shelf,
	    .fact_fn = fact_fn,
	    .ctx = ctx,
	    .report = report,
	};

	if (bounds_miss_oldest(shelf->bounds, shelf->count, first, &missing))
		tell_generations(&replay, missing,
		    newest == NULL ? "segments are" : "oldest segments are");
	if (bounds_miss_newest(shelf->bounds, shelf->count, last, &missing))
		tell_generations(&replay, missing, "newest segments are");
	if (newest == NULL && shelf->bounds.newest == 0)
		return look_for_bodies(&replay, error);
	return true;
}

/* ---- segments ---- */

/* The same facts from less reading; false: nothing was told. */
static bool
replay_summary(struct replay *replay, uint64_t end_unit)
{
	const struct shelf *shelf = replay->shelf;
	struct summary summary;
	struct scan_event event;
	enum summary_state state = summary_load(shelf->disk,
	    shelf->directory_fd, replay->segment, end_unit, &summary);

	replay->report->summaries += state == SUMMARY_COUNTS;
	replay->report->ignored_summaries += state == SUMMARY_IGNORED;
	if (state != SUMMARY_COUNTS)
		return false;
	while (summary_next(&summary, &event))
		take_unit(replay, &event);
	summary_clear(&summary);
	return true;
}

static bool
replay_segment(struct replay *replay, size_t index, struct scan_end *out_end,
    struct error *error)
{
	struct shelf *shelf = replay->shelf;
	bool is_last = index + 1 == shelf->count;
	struct segment_file *segment = &shelf->segments[index];
	struct scan scan = {
	    .disk = shelf->disk,
	    .fd = segment->fd,
	    .header = segment->header,
	    .end_unit = is_last ? 0 : segment[1].header.first_unit,
	    .checks_content = is_last,
	};
	struct journal_fact fact = {
	    .kind = JOURNAL_SEGMENT,
	    .segment = shelf_ref(segment),
	    .bytes = segment->bytes,
	    .index = index,
	    .count = shelf->count,
	};

	*out_end = (struct scan_end){.next_unit = segment->header.first_unit};
	replay->segment = segment;
	replay->fact_fn(&fact, replay->ctx);
	if (!SEED(IDS_AGAIN) &&
	    segment->header.highest_id > replay->report->highest_id)
		replay->report->highest_id = segment->header.highest_id;
	bool is_summed = !is_last && replay_summary(replay, scan.end_unit);
	if (!is_summed &&
	    !scan_segment(&scan, on_event, replay, out_end, error))
		return error_context(error, "%s", segment->name);
	if (is_summed)
		segment->summary = SEGMENT_SUMMARY_PRESENT;
	else if (replay->bad_count > 0)
		segment->summary = SEGMENT_SUMMARY_REFUSED;
	return settle_all_bad(replay, segment, out_end, error);
}

bool
replay_shelf(struct shelf *shelf, journal_fact_fn fact_fn, void *ctx,
    struct journal_report *report, struct scan_end *out_end,
    struct error *error)
{
	assert(shelf->count > 0);
	struct replay replay = {
	    .shelf = shelf,
	    .fact_fn = fact_fn,
	    .ctx = ctx,
	    .report = report,
	};
	bool is_ok = true;

	for (size_t i = 0; is_ok && i < shelf->count; i++)
		is_ok = replay_segment(&replay, i, out_end, error);
	report->segments = shelf->count;
	free(replay.bad);
	return is_ok;
}
