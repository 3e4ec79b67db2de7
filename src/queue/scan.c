#include "queue/scan.h"

#include "base/memory.h"
#include "base/seed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <xxhash.h>

/* Read at a time; content longer than this is skipped rather than read. */
#define WINDOW_LEN ((size_t)128 * 1024)
/* What a bad place on a disk takes with it. */
#define SECTOR_LEN ((size_t)4096)
/* Of a torn tail in a recycled file, where nothing says how long it is. */
#define TAIL_MAX ((uint64_t)1024 * 1024)

/* A stretch of the file in memory, read as it is asked for. */
struct window {
	const struct disk *disk;
	int fd;
	char *memory; /* owned */
	size_t capacity;
	uint64_t start; /* in the file */
	size_t len;
	uint64_t unread_end; /* see scan.h */
};

/* Stands for what cannot be read: it is no unit, and no clean end. */
#define UNREAD 0xff

/* What was read before may be read again: the last one counts. */
static void
note_unread(struct window *window, uint64_t end)
{
	if (end > window->unread_end)
		window->unread_end = end;
}

/* Around bad sectors. */
static bool
fill_in_pieces(
    struct window *window, uint64_t offset, size_t wanted, struct error *error)
{
	for (size_t done = 0; done < wanted; done += SECTOR_LEN) {
		char *piece = window->memory + done;
		size_t len =
		    wanted - done < SECTOR_LEN ? wanted - done : SECTOR_LEN;
		size_t got = len;
		if (!disk_read_some(window->disk, window->fd, piece, len,
			offset + done, &got, error)) {
			if (error->number != EIO)
				return false;
			memset(piece, SEED(UNREAD_IS_EMPTY) ? 0 : UNREAD, len);
			note_unread(window, offset + done + len);
		}
		window->len = done + got;
		if (got < len)
			break;
	}
	return true;
}

static bool
fill(struct window *window, uint64_t offset, size_t len, struct error *error)
{
	size_t wanted = len < WINDOW_LEN ? WINDOW_LEN : len;

	if (wanted > window->capacity) {
		window->memory = memory_resize(window->memory, wanted);
		window->capacity = wanted;
	}
	window->start = offset;
	window->len = 0;
	if (disk_read_some(window->disk, window->fd, window->memory, wanted,
		offset, &window->len, error))
		return true;
	return error->number == EIO &&
	    fill_in_pieces(window, offset, wanted, error);
}

/* len octets at offset, fewer at the file's end; valid until the next call. */
static bool
look(struct window *window, uint64_t offset, size_t len, struct bytes *out,
    struct error *error)
{
	bool is_here = offset >= window->start &&
	    offset + len <= window->start + window->len;

	if (!is_here && !fill(window, offset, len, error))
		return false;
	struct bytes all = bytes_make(window->memory, window->len);
	*out =
	    bytes_first(bytes_from(all, (size_t)(offset - window->start)), len);
	return true;
}

struct scanner {
	const struct scan *scan;
	struct window window;
	uint64_t size;     /* of the file */
	uint64_t offset;   /* of what comes next, */
	uint64_t expected; /* and its number */
	struct scan_end end;
	scan_event_fn event_fn;
	void *ctx;
};

/* What is at one place. */
struct finding {
	bool has_header; /* of a unit of this segment that may come here */
	bool is_valid;   /* and the whole unit is sound */
	struct unit_header header;
	struct bytes heads; /* until the window moves */
};

static bool
may_follow(const struct scanner *scanner, const struct unit_header *header)
{
	uint64_t end = scanner->scan->end_unit;

	return (SEED(GENERATION_NOT_CHECKED) ||
		   header->generation == scanner->scan->header.generation) &&
	    header->number >= scanner->expected &&
	    (end == 0 || header->number < end);
}

/* contents: what is behind the heads, which are sound. */
static bool
contents_are_intact(struct bytes heads, struct bytes contents)
{
	struct record_cursor cursor = {0};
	struct record_head head;
	bool is_malformed = false;

	while (record_next(heads, &cursor, &head, &is_malformed)) {
		if (SEED(CONTENT_NOT_CHECKED) || head.is_large ||
		    head.type != RECORD_MESSAGE)
			continue;
		struct bytes content = bytes_first(
		    bytes_from(contents, (size_t)head.content_offset),
		    (size_t)head.content_len);
		if (content.len != head.content_len ||
		    XXH3_64bits_withSeed(content.data, content.len, head.id) !=
			head.content_check)
			return false;
	}
	return true;
}

/* The unit whose header was found at offset. */
static bool
examine_unit(struct scanner *scanner, uint64_t offset, struct finding *finding,
    struct error *error)
{
	const struct unit_header *header = &finding->header;
	const struct scan *scan = scanner->scan;
	uint64_t size = unit_header_size(header);
	struct bytes unit;

	if (size > scanner->size - offset)
		return true;
	size_t len = scan->checks_content
	    ? (size_t)size
	    : (size_t)UNIT_HEADER_LEN + header->heads_len;
	if (!look(&scanner->window, offset, len, &unit, error))
		return false;
	struct bytes rest = bytes_from(unit, UNIT_HEADER_LEN);
	finding->heads = bytes_first(rest, header->heads_len);
	finding->is_valid =
	    unit_heads_are_intact(header, finding->heads, scan->header.salt) &&
	    unit_heads_are_sound(header, finding->heads) &&
	    (!scan->checks_content ||
		contents_are_intact(
		    finding->heads, bytes_from(rest, header->heads_len)));
	return true;
}

static bool
examine(struct scanner *scanner, uint64_t offset, struct finding *finding,
    struct error *error)
{
	struct bytes data;

	*finding = (struct finding){.has_header = false};
	if (!look(&scanner->window, offset, UNIT_HEADER_LEN, &data, error))
		return false;
	finding->has_header = data.len == UNIT_HEADER_LEN &&
	    unit_header_decode(
		data, scanner->scan->header.salt, offset, &finding->header) &&
	    may_follow(scanner, &finding->header);
	return !finding->has_header ||
	    examine_unit(scanner, offset, finding, error);
}

static bool
accept(
    struct scanner *scanner, const struct finding *finding, struct error *error)
{
	const struct unit_header *header = &finding->header;
	struct scan_event event = {
	    .kind = SCAN_UNIT,
	    .offset = scanner->offset,
	    .len = unit_header_size(header),
	    .header = *header,
	    .heads = finding->heads,
	};

	if (header->group != scanner->end.group ||
	    SEED(GROUP_BOUNDARY_IGNORED)) {
		scanner->end.group = header->group;
		scanner->end.group_offset = scanner->offset;
	}
	scanner->expected = header->number + 1;
	scanner->offset += event.len;
	scanner->end.next_unit = scanner->expected;
	scanner->end.offset = scanner->offset;
	return scanner->event_fn(&event, scanner->ctx, error);
}

/* Units up to number are missing; their octets, if any, end at offset. */
static bool
report_damage(struct scanner *scanner, uint64_t number, uint64_t offset,
    struct error *error)
{
	struct scan_event event = {
	    .kind = SCAN_DAMAGE,
	    .offset = scanner->offset,
	    .len = offset - scanner->offset,
	    .first_missing = scanner->expected,
	    .missing = number - scanner->expected,
	};

	scanner->expected = number;
	scanner->offset = offset;
	return scanner->event_fn(&event, scanner->ctx, error);
}

/* The next place behind offset where a unit might begin. */
static bool
next_candidate(struct scanner *scanner, uint64_t *offset, struct error *error)
{
	struct bytes data;

	for (*offset += 8; *offset < scanner->size; *offset += 8) {
		if (!look(&scanner->window, *offset, UNIT_HEADER_LEN, &data,
			error))
			return false;
		if (unit_header_is_likely(data))
			return true;
	}
	return true;
}

/* From *offset on, which cannot be read, to the next sound unit, if there is
 * one. What a sender put there cannot pass for a unit: see record.h. */
static bool
find_next(struct scanner *scanner, uint64_t *offset, struct finding *finding,
    struct error *error)
{
	finding->is_valid = false;
	while (!finding->is_valid && *offset < scanner->size) {
		if (!next_candidate(scanner, offset, error) ||
		    !examine(scanner, *offset, finding, error))
			return false;
	}
	return true;
}

/* Whether there are only zeros from offset on, at most len octets. */
static bool
is_zero(struct scanner *scanner, uint64_t offset, uint64_t len, bool *out,
    struct error *error)
{
	uint64_t end =
	    len < scanner->size - offset ? offset + len : scanner->size;
	struct bytes data;

	*out = true;
	while (*out && offset < end) {
		size_t left = (size_t)MIN(end - offset, WINDOW_LEN);
		if (!look(&scanner->window, offset, left, &data, error))
			return false;
		if (data.len == 0)
			break;
		*out = data.data[0] == 0 &&
		    memcmp(data.data, data.data + 1, data.len - 1) == 0;
		offset += data.len;
	}
	return true;
}

static size_t
len_without_zeros(struct bytes data)
{
	size_t len = data.len;

	while (len > 0 && data.data[len - 1] == 0)
		len--;
	return len;
}

/* Zeros at its end, which were laid ahead, are no part of what is torn. */
static bool
leave_zeros_out(
    struct scanner *scanner, struct scan_event *tail, struct error *error)
{
	uint64_t end = tail->offset + tail->len;
	uint64_t at = tail->offset;
	struct bytes data;

	while (at < end) {
		size_t left = (size_t)MIN(end - at, WINDOW_LEN);
		if (!look(&scanner->window, at, left, &data, error))
			return false;
		if (data.len == 0)
			break;
		size_t used = len_without_zeros(data);
		if (used > 0)
			tail->len = at + used - tail->offset;
		at += data.len;
	}
	return true;
}

/*
 * Behind the last unit of the last segment.  A group that was written whole has
 * zeros behind it; where they are missing, or something else follows, it is
 * torn.
 */
static bool
report_tail(struct scanner *scanner, struct error *error)
{
	bool is_recycled = scanner->scan->header.is_recycled;
	uint64_t rest = scanner->size - scanner->offset;
	struct scan_event event = {
	    .kind = SCAN_TAIL,
	    .offset = scanner->offset,
	    .len = is_recycled && rest > TAIL_MAX ? TAIL_MAX : rest,
	};
	bool is_clean;

	if (!is_zero(scanner, scanner->offset,
		is_recycled ? UNIT_HEADER_LEN : rest, &is_clean, error))
		return false;
	if (!is_clean || rest < UNIT_HEADER_LEN)
		return leave_zeros_out(scanner, &event, error) &&
		    scanner->event_fn(&event, scanner->ctx, error);
	/* No group was written over these zeros: nothing is missed behind
	 * them. */
	if (scanner->window.unread_end > scanner->offset)
		scanner->window.unread_end = scanner->offset;
	return true;
}

static bool
is_at_end(const struct scanner *scanner)
{
	return scanner->expected == scanner->scan->end_unit;
}

/* No unit follows that may; what is behind, if it is only zeros, is no damage.
 */
static bool
report_end(struct scanner *scanner, struct error *error)
{
	uint64_t rest = scanner->size - scanner->offset;
	uint64_t end = scanner->scan->end_unit;
	bool is_clean;

	if (end == 0)
		return report_tail(scanner, error);
	if (!is_zero(scanner, scanner->offset, rest, &is_clean, error))
		return false;
	return report_damage(
	    scanner, end, is_clean ? scanner->offset : scanner->size, error);
}

static bool
scan_units(struct scanner *scanner, struct error *error)
{
	while (!is_at_end(scanner)) {
		struct finding finding;
		uint64_t offset = scanner->offset;
		if (!examine(scanner, offset, &finding, error))
			return false;
		if (!finding.is_valid &&
		    !find_next(scanner, &offset, &finding, error))
			return false;
		if (!finding.is_valid)
			return report_end(scanner, error);
		if (finding.header.number != scanner->expected ||
		    offset != scanner->offset) {
			if (!report_damage(
				scanner, finding.header.number, offset, error))
				return false;
			/* The heads may be in another window by now. */
			continue;
		}
		if (!accept(scanner, &finding, error))
			return false;
	}
	return true;
}

bool
scan_segment(const struct scan *scan, scan_event_fn event_fn, void *ctx,
    struct scan_end *out_end, struct error *error)
{
	struct scanner scanner = {
	    .scan = scan,
	    .window = {.disk = scan->disk, .fd = scan->fd},
	    .offset = SEGMENT_HEADER_LEN,
	    .expected = scan->header.first_unit,
	    .end = {.next_unit = scan->header.first_unit,
		.offset = SEGMENT_HEADER_LEN},
	    .event_fn = event_fn,
	    .ctx = ctx,
	};

	if (scan->disk->size(scan->disk->ctx, scan->fd, &scanner.size) != 0)
		return error_system(error, "size");
	if (scanner.size < SEGMENT_HEADER_LEN)
		scanner.size = SEGMENT_HEADER_LEN;
	bool is_ok = scan_units(&scanner, error);
	free(scanner.window.memory);
	scanner.end.unread_end =
	    SEED(UNREAD_IS_LOST) ? 0 : scanner.window.unread_end;
	if (is_ok)
		*out_end = scanner.end;
	return is_ok;
}
