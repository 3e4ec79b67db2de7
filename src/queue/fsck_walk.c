/* The segments, unit by unit, as a start reads them. */
#include "base/memory.h"
#include "queue/fsck_private.h"
#include "queue/quarantine.h"
#include "queue/scan.h"
#include "queue/summary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct walk {
	struct fsck *fsck;
	const struct fsck_options *options;
	struct fsck_meter *meter;
	const struct segment_file *file; /* that is being read, */
	struct fsck_segment *segment;    /* and what is known of it */
	bool is_newest;
	/* Where the segment has a summary, that tells the facts, and the scan
	 * only whether the segment is sound. */
	struct summary *summary; /* how far it has been compared, or NULL */
	bool has_disagreed;
	size_t first_finding;    /* of this segment */
	uint64_t newest_group;   /* of the last unit that is sound as a whole */
	uint64_t unread_end;     /* as the scan tells it */
	uint64_t metered;        /* octets of this segment told of */
	struct fsck_facts facts; /* owned */
};

/* ---- damage ---- */

static struct fsck_finding *
add(struct walk *walk, enum fsck_kind kind, uint64_t offset, uint64_t len)
{
	struct fsck_finding *finding =
	    fsck_add(walk->fsck, kind, NULL, walk->file->name);

	finding->segment = walk->file->header.generation;
	finding->offset = offset;
	finding->len = len;
	return finding;
}

static bool
is_kept(const struct walk *walk, uint64_t offset)
{
	struct quarantine_name name =
	    quarantine_name_of(&walk->file->header, offset);

	return walk->fsck->corrupt_fd >= 0 &&
	    disk_has(walk->fsck->disk, walk->fsck->corrupt_fd, name.text);
}

static void
add_stretch(struct walk *walk, const struct scan_event *event)
{
	enum fsck_kind kind = event->kind == SCAN_TAIL ? FSCK_TORN : FSCK_UNITS;
	bool kept = is_kept(walk, event->offset);
	struct fsck_finding *finding =
	    add(walk, kind, event->offset, event->len);

	finding->first_unit = event->first_missing;
	finding->units = event->missing;
	finding->is_kept = kept;
	finding->is_summed = walk->summary != NULL;
}

/* Heads that are whole, but not of our making. */
static void
add_malformed(struct walk *walk, const struct scan_event *event)
{
	struct scan_event bad = *event;

	bad.kind = SCAN_DAMAGE;
	bad.first_missing = event->header.number;
	bad.missing = 1;
	add_stretch(walk, &bad);
}

/* ---- contents ---- */

static bool
content_is_sound(const struct walk *walk, const struct scan_event *event,
    const struct record_head *head, struct error *error)
{
	struct body body = {
	    .fd = walk->file->fd,
	    .offset = event->offset + UNIT_HEADER_LEN +
		event->header.heads_len + head->content_offset,
	    .len = head->content_len,
	};

	return segment_verify(walk->fsck->disk, &body, head, error);
}

static void
add_content(struct walk *walk, const struct scan_event *event,
    const struct record_head *head, const struct error *error)
{
	bool kept = is_kept(walk, event->offset);
	struct fsck_finding *finding =
	    add(walk, FSCK_CONTENT, event->offset, event->len);

	finding->first_unit = event->header.number;
	finding->units = 1;
	finding->id = head->id;
	finding->is_kept = kept;
	if (error->kind != ERROR_DATA)
		finding->detail = memory_copy_text(error_text(error));
	if (walk->is_newest)
		fsck_facts_skip(&walk->facts, finding);
}

/* Whether all contents in the unit are what was committed. */
static bool
check_contents(struct walk *walk, const struct scan_event *event,
    const struct reading *readings, size_t count)
{
	bool is_sound = true;
	struct error error;

	for (size_t i = 0; i < count && !walk->options->skips_contents; i++) {
		const struct record_head *head = &readings[i].head;
		if (head->type != RECORD_MESSAGE || head->is_large ||
		    content_is_sound(walk, event, head, &error))
			continue;
		add_content(walk, event, head, &error);
		is_sound = false;
	}
	return is_sound;
}

/* The zeros behind the last content. */
static void
check_filling(struct walk *walk, const struct scan_event *event)
{
	static const char ZEROS[8];
	uint64_t used = UNIT_HEADER_LEN + event->header.heads_len +
	    event->header.content_len;
	size_t len = (size_t)(event->len - used);
	char filling[8] = {0};
	struct error error;

	if (len == 0)
		return;
	bool is_read = disk_read_at(walk->fsck->disk, walk->file->fd, filling,
	    len, event->offset + used, &error);
	if (is_read && memcmp(filling, ZEROS, len) == 0)
		return;
	struct fsck_finding *finding =
	    add(walk, FSCK_FILLING, event->offset + used, len);
	if (!is_read)
		finding->detail = memory_copy_text(error_text(&error));
}

/* ---- units ---- */

static void
take_facts(struct walk *walk, const struct scan_event *event,
    const struct reading *readings, size_t count)
{
	struct place place = {
	    .segment = walk->file->header.generation,
	    .offset = (uint32_t)event->offset,
	    .len = UNIT_HEADER_LEN + event->header.heads_len,
	};

	for (size_t i = 0; i < count; i++)
		fsck_facts_take(
		    &walk->facts, walk->segment, place, &readings[i]);
}

static void
take_unit(struct walk *walk, const struct scan_event *event)
{
	struct reading readings[UNIT_RECORDS_MAX];
	size_t count = 0;

	if (event->offset <= UINT32_MAX &&
	    reading_take(event->heads, readings, &count)) {
		bool is_sound = check_contents(walk, event, readings, count);
		check_filling(walk, event);
		walk->segment->units += is_sound;
		if (is_sound)
			walk->newest_group = event->header.group;
		/* A start reads contents in the newest segment only. */
		if (walk->summary == NULL && (is_sound || !walk->is_newest))
			take_facts(walk, event, readings, count);
	} else {
		add_malformed(walk, event);
	}
	reading_clear(readings, count);
}

/* ---- summaries ---- */

static struct fsck_finding *
add_summary(struct walk *walk, const char *detail)
{
	char name[SEGMENT_NAME_SIZE];

	summary_name(walk->file->name, name);
	struct fsck_finding *finding =
	    fsck_add(walk->fsck, FSCK_SUMMARY, NULL, name);
	finding->detail = memory_copy_text(detail);
	return finding;
}

static void
take_summary_unit(struct walk *walk, const struct scan_event *event)
{
	struct reading readings[UNIT_RECORDS_MAX];
	size_t count = 0;

	/* Else the segment has it, too, and that is told of. */
	if (event->offset <= UINT32_MAX &&
	    reading_take(event->heads, readings, &count))
		take_facts(walk, event, readings, count);
	reading_clear(readings, count);
}

/* As a start reads it: all of the summary, and nothing of the segment.  False:
 * there is none that counts. */
static bool
take_summary(struct walk *walk, uint64_t end_unit, struct summary *out_summary)
{
	const struct fsck *fsck = walk->fsck;
	struct scan_event event;
	enum summary_state state = summary_load(
	    fsck->disk, fsck->directory_fd, walk->file, end_unit, out_summary);

	if (state == SUMMARY_IGNORED)
		(void)add_summary(
		    walk, "it is damaged, or not of this segment");
	if (state != SUMMARY_COUNTS)
		return false;
	walk->segment->has_summary = true;
	struct summary all = *out_summary; /* another walk over its memory */
	while (summary_next(&all, &event))
		take_summary_unit(walk, &event);
	return true;
}

/* The segment's unit is the one that the summary tells of. */
static void
compare_summary(struct walk *walk, const struct scan_event *event)
{
	struct scan_event summed = {.offset = 0};

	if (walk->has_disagreed)
		return;
	/* What is damaged in the segment is passed over. */
	while (summed.header.number < event->header.number &&
	    summary_next(walk->summary, &summed))
		continue;
	if (summed.header.number == event->header.number &&
	    summed.offset == event->offset &&
	    bytes_equal(summed.heads, event->heads))
		return;
	walk->has_disagreed = true;
	(void)add_summary(walk, "it does not agree with the segment");
}

static void
tell_progress(struct walk *walk, uint64_t end)
{
	if (end <= walk->metered)
		return;
	fsck_meter_add(walk->meter, end - walk->metered);
	walk->metered = end;
}

static bool
on_event(const struct scan_event *event, void *ctx, struct error *error)
{
	struct walk *walk = ctx;

	(void)error; /* nothing here can fail */
	if (event->kind == SCAN_UNIT && walk->summary != NULL)
		compare_summary(walk, event);
	if (event->kind == SCAN_UNIT)
		take_unit(walk, event);
	else
		add_stretch(walk, event);
	tell_progress(walk, event->offset + event->len);
	return true;
}

/* ---- segments ---- */

/* Whether the octets at offset are a sound copy of the header. */
static bool
copy_is_sound(const char *copy)
{
	char data[SEGMENT_HEADER_LEN];
	struct segment_header header;
	uint32_t version;

	memcpy(data, copy, SEGMENT_HEADER_LEN / 2);
	memcpy(data + SEGMENT_HEADER_LEN / 2, copy, SEGMENT_HEADER_LEN / 2);
	return segment_header_decode(bytes_make(data, sizeof(data)), &header,
		   &version) == SEGMENT_HEADER_VALID;
}

static void
check_header(struct walk *walk)
{
	char copy[SEGMENT_HEADER_LEN / 2];

	for (size_t i = 0; i < 2; i++) {
		struct error ignored; /* then it is no sound copy */
		if (!disk_read_at(walk->fsck->disk, walk->file->fd, copy,
			sizeof(copy), i * sizeof(copy), &ignored) ||
		    !copy_is_sound(copy))
			(void)add(walk, FSCK_HEADER_COPY, i * sizeof(copy),
			    sizeof(copy));
	}
}

/* What of it cannot be read may be sound, or not. */
static void
name_unread(struct fsck_finding *finding)
{
	if (finding->kind == FSCK_TORN)
		finding->kind = FSCK_UNITS;
	if (finding->kind == FSCK_UNITS && finding->detail == NULL)
		finding->detail = memory_copy_text("it cannot all be read now");
}

/* What a start would take for a commit that was under way. */
static void
name_torn(const struct walk *walk, struct fsck_finding *finding)
{
	bool may_be =
	    finding->kind == FSCK_UNITS || finding->kind == FSCK_CONTENT;

	/* A content with a detail could not be read. */
	if (walk->is_newest && may_be && finding->detail == NULL &&
	    finding->first_unit >= walk->newest_group)
		finding->kind = FSCK_TORN;
}

static void
name_findings(const struct walk *walk)
{
	for (size_t i = walk->first_finding; i < walk->fsck->finding_count;
	     i++) {
		struct fsck_finding *finding = &walk->fsck->findings[i];
		if (finding->offset < walk->unread_end)
			name_unread(finding);
		else
			name_torn(walk, finding);
	}
}

/* The segment was given up and overwritten while it was read. */
static bool
is_gone(const struct walk *walk)
{
	char data[SEGMENT_HEADER_LEN];
	struct segment_header header = {.generation = 0};
	uint32_t version;
	struct error ignored;

	return disk_read_at(walk->fsck->disk, walk->file->fd, data,
		   sizeof(data), 0, &ignored) &&
	    segment_header_decode(bytes_make(data, sizeof(data)), &header,
		&version) == SEGMENT_HEADER_VALID &&
	    header.generation != walk->file->header.generation;
}

static void
forget_findings(struct walk *walk)
{
	struct fsck *fsck = walk->fsck;

	while (fsck->finding_count > walk->first_finding)
		free(fsck->findings[--fsck->finding_count].detail);
	fsck_facts_forget_skips(&walk->facts);
}

static void
begin_segment(struct walk *walk, size_t index)
{
	struct fsck *fsck = walk->fsck;

	walk->file = &fsck->files[index];
	walk->segment = &fsck->segments[index];
	walk->is_newest = index + 1 == fsck->segment_count;
	walk->first_finding = fsck->finding_count;
	walk->newest_group = 0;
	walk->has_disagreed = false;
	walk->metered = 0;
	memcpy(walk->segment->name, walk->file->name, SEGMENT_NAME_SIZE);
	walk->segment->header = walk->file->header;
	walk->segment->bytes = walk->file->bytes;
	ledger_set_segment(fsck->ledger,
	    (struct segment_ref){
		.number = walk->file->header.generation,
		.fd = walk->file->fd,
		.salt = walk->file->header.salt,
	    },
	    walk->file->bytes);
	if (walk->file->header.highest_id > fsck->highest_id)
		fsck->highest_id = walk->file->header.highest_id;
}

static bool
scan(struct walk *walk, uint64_t end_unit, struct error *error)
{
	struct scan_end end;
	struct scan scan = {
	    .disk = walk->fsck->disk,
	    .fd = walk->file->fd,
	    .header = walk->file->header,
	    .end_unit = end_unit,
	};

	if (!scan_segment(&scan, on_event, walk, &end, error))
		return error_context(error, "%s", walk->file->name);
	walk->segment->end = end.offset;
	walk->unread_end = end.unread_end;
	walk->fsck->units += walk->segment->units;
	tell_progress(walk, walk->segment->bytes);
	return true;
}

static bool
walk_segment(struct walk *walk, size_t index, struct error *error)
{
	struct summary summary = {.memory = NULL};

	begin_segment(walk, index);
	uint64_t end_unit =
	    walk->is_newest ? 0 : walk->file[1].header.first_unit;
	check_header(walk);
	if (!walk->is_newest && take_summary(walk, end_unit, &summary))
		walk->summary = &summary;
	bool is_ok = scan(walk, end_unit, error);
	walk->summary = NULL;
	summary_clear(&summary);
	if (is_ok && walk->options->is_live && is_gone(walk))
		forget_findings(walk);
	if (is_ok)
		name_findings(walk);
	return is_ok;
}

bool
fsck_walk(struct fsck *fsck, const struct fsck_options *options,
    struct fsck_meter *meter, struct error *error)
{
	struct walk walk = {.fsck = fsck, .options = options, .meter = meter};
	bool is_ok = true;

	fsck_facts_init(&walk.facts, fsck);
	for (size_t i = 0; is_ok && i < fsck->segment_count; i++)
		is_ok = walk_segment(&walk, i, error);
	fsck_facts_end(&walk.facts);
	return is_ok;
}
