#include "queue/summary.h"

#include "base/memory.h"
#include "base/seed.h"
#include "queue/packed.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC      "postsumm"
#define SUFFIX     ".sum"
#define SUFFIX_LEN 4
#define CHECK_AT   (SUMMARY_HEADER_LEN - 8)
#define DIGITS     16 /* of a segment's name */

/* ---- names ---- */

void
summary_name(const char *segment_name, char name[SEGMENT_NAME_SIZE])
{
	size_t len = strlen(segment_name);

	assert(len > SUFFIX_LEN && len < SEGMENT_NAME_SIZE);
	memcpy(name, segment_name, len - SUFFIX_LEN);
	memcpy(name + len - SUFFIX_LEN, SUFFIX, SUFFIX_LEN + 1);
}

bool
summary_is_name(const char *name)
{
	const char *digits = name[0] == 'g' ? name + 1 : name;

	return strspn(digits, "0123456789abcdef") == DIGITS &&
	    strcmp(digits + DIGITS, SUFFIX) == 0;
}

/* ---- the header ---- */

void
summary_header_encode(const struct summary_header *header,
    struct record_check *check, char data[SUMMARY_HEADER_LEN])
{
	struct buffer buffer;

	buffer_init(&buffer, SUMMARY_HEADER_LEN);
	buffer_append(&buffer, BYTES(MAGIC));
	packed_put32(&buffer, SUMMARY_VERSION);
	packed_put32(&buffer, SUMMARY_HEADER_LEN);
	packed_put64(&buffer, header->generation);
	packed_put64(&buffer, header->first_unit);
	packed_put64(&buffer, header->unit_count);
	packed_put64(&buffer, header->segment_end);
	packed_put64(&buffer, header->len);
	assert(buffer.len == CHECK_AT);
	record_check_add(check, buffer_bytes(&buffer));
	packed_put64(&buffer, record_check_finish(check));
	memcpy(data, buffer_bytes(&buffer).data, SUMMARY_HEADER_LEN);
	buffer_clear(&buffer);
}

static bool
has_its_check(struct bytes data, uint64_t salt)
{
	struct packed packed = {.rest = bytes_from(data, CHECK_AT)};
	uint64_t expected = packed_take64(&packed);
	struct record_check *check = record_check_new(salt);

	record_check_add(check, packed.rest);
	record_check_add(check, bytes_first(data, CHECK_AT));
	return record_check_finish(check) == expected ||
	    SEED(SUMMARY_NOT_CHECKED);
}

static bool
decode_header(
    struct bytes data, uint64_t salt, struct summary_header *out_header)
{
	struct packed packed = {.rest = data};

	struct bytes magic = packed_take(&packed, strlen(MAGIC));
	uint32_t version = packed_take32(&packed);
	uint32_t header_len = packed_take32(&packed);
	out_header->generation = packed_take64(&packed);
	out_header->first_unit = packed_take64(&packed);
	out_header->unit_count = packed_take64(&packed);
	out_header->segment_end = packed_take64(&packed);
	out_header->len = packed_take64(&packed);
	return data.len >= SUMMARY_HEADER_LEN && bytes_is(magic, MAGIC) &&
	    version == SUMMARY_VERSION && header_len == SUMMARY_HEADER_LEN &&
	    out_header->len == data.len && has_its_check(data, salt);
}

/* ---- the units ---- */

/* Take the next one; false where none that is valid comes. */
static bool
take_unit(struct summary *summary, struct scan_event *event)
{
	struct unit_header *header = &event->header;
	struct bytes rest = summary->rest;

	if (rest.len < UNIT_HEADER_LEN ||
	    !unit_header_decode(rest, summary->salt, summary->offset, header))
		return false;
	rest = bytes_from(rest, UNIT_HEADER_LEN);
	event->kind = SCAN_UNIT;
	event->offset = summary->offset;
	event->len = unit_header_size(header);
	event->heads = bytes_first(rest, header->heads_len);
	summary->rest = bytes_from(rest, header->heads_len);
	summary->offset += event->len;
	return true;
}

/* All units are there, and each is valid; the last one begins at *out_last. */
static bool
has_all_units(const struct summary *summary, const struct segment_file *segment,
    const struct summary_header *header, uint64_t *out_last)
{
	struct summary walk = *summary;
	uint64_t number = header->first_unit;
	struct scan_event event;

	while (take_unit(&walk, &event)) {
		if (event.header.number != number++ ||
		    event.header.generation != segment->header.generation ||
		    (!SEED(SUMMARY_NOT_CHECKED) &&
			!unit_heads_are_intact(
			    &event.header, event.heads, walk.salt)) ||
		    !unit_heads_are_sound(&event.header, event.heads))
			return false;
		*out_last = event.offset;
	}
	return walk.rest.len == 0 && walk.offset == header->segment_end &&
	    number == header->first_unit + header->unit_count;
}

/* ---- the segment ---- */

/* The last unit's header in the segment is the one that we have. */
static bool
has_last_unit(const struct disk *disk, const struct segment_file *segment,
    const struct summary_header *header, uint64_t offset)
{
	char data[UNIT_HEADER_LEN];
	struct unit_header last;
	struct error ignored;

	return disk_read_at(
		   disk, segment->fd, data, sizeof(data), offset, &ignored) &&
	    unit_header_decode(bytes_make(data, sizeof(data)),
		segment->header.salt, offset, &last) &&
	    last.number == header->first_unit + header->unit_count - 1 &&
	    offset + unit_header_size(&last) == header->segment_end;
}

static bool
counts(const struct disk *disk, const struct segment_file *segment,
    uint64_t end_unit, struct bytes data, struct summary *summary)
{
	struct summary_header header;
	uint64_t last = 0;

	summary->salt = segment->header.salt;
	summary->rest = bytes_from(data, SUMMARY_HEADER_LEN);
	summary->offset = SEGMENT_HEADER_LEN;
	return decode_header(data, summary->salt, &header) &&
	    header.generation == segment->header.generation &&
	    header.first_unit == segment->header.first_unit &&
	    header.unit_count > 0 &&
	    (SEED(SUMMARY_STALE) ||
		header.unit_count == end_unit - header.first_unit) &&
	    header.segment_end <= segment->bytes &&
	    has_all_units(summary, segment, &header, &last) &&
	    has_last_unit(disk, segment, &header, last);
}

static bool
read_all(
    const struct disk *disk, int fd, struct bytes *out_data, char **out_memory)
{
	struct error ignored;
	uint64_t len;

	if (disk->size(disk->ctx, fd, &len) != 0 || len < SUMMARY_HEADER_LEN ||
	    len > SUMMARY_LEN_MAX)
		return false;
	char *memory = memory_new((size_t)len);
	if (!disk_read_at(disk, fd, memory, (size_t)len, 0, &ignored)) {
		free(memory);
		return false;
	}
	*out_memory = memory;
	*out_data = bytes_make(memory, (size_t)len);
	return true;
}

enum summary_state
summary_load(const struct disk *disk, int directory_fd,
    const struct segment_file *segment, uint64_t end_unit,
    struct summary *out_summary)
{
	char name[SEGMENT_NAME_SIZE];
	struct summary summary = {.memory = NULL};
	struct bytes data;
	struct error error;
	int fd;

	summary_name(segment->name, name);
	if (!disk_open_file(disk, directory_fd, name, O_RDONLY, 0, &fd, &error))
		return error.number == ENOENT ? SUMMARY_MISSING
					      : SUMMARY_IGNORED;
	bool is_read = read_all(disk, fd, &data, &summary.memory);
	(void)disk->close(disk->ctx, fd); /* only read */
	if (!is_read || !counts(disk, segment, end_unit, data, &summary)) {
		free(summary.memory);
		return SUMMARY_IGNORED;
	}
	*out_summary = summary;
	return SUMMARY_COUNTS;
}

void
summary_clear(struct summary *summary)
{
	free(summary->memory);
	*summary = (struct summary){.memory = NULL};
}

bool
summary_next(struct summary *summary, struct scan_event *out_event)
{
	*out_event = (struct scan_event){.kind = SCAN_UNIT};
	return take_unit(summary, out_event);
}
