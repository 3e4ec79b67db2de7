#include "queue/summary_writer.h"

#include "base/memory.h"
#include "queue/packed.h"
#include "queue/summary.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>

#define FILE_MODE 0600
#define SLICE_LEN ((size_t)256 * 1024)
/* One that takes more than this part of its segment would gain little. */
#define PART_MAX 2

struct summary_writer {
	const struct disk *disk; /* borrowed */
	int directory_fd;        /* borrowed */
	struct segment_file segment;
	uint64_t end_unit;
	char name[SEGMENT_NAME_SIZE];
	int fd;                     /* of the summary; -1: not begun */
	bool is_written;            /* all of it */
	uint64_t offset;            /* of the next unit in the segment, */
	uint64_t number;            /* and its number */
	uint64_t len;               /* of the summary so far */
	char *window;               /* owned: what was read of the segment, */
	size_t capacity;            /* and how much of it can be read at once */
	struct record_check *check; /* owned, until the header is made */
	struct buffer units;        /* to be written */
};

struct summary_writer *
summary_writer_new(const struct disk *disk, int directory_fd,
    const struct segment_file *segment, uint64_t end_unit)
{
	struct summary_writer *writer = memory_new(sizeof(*writer));

	writer->disk = disk;
	writer->directory_fd = directory_fd;
	writer->segment = *segment;
	writer->end_unit = end_unit;
	summary_name(segment->name, writer->name);
	writer->fd = -1;
	writer->offset = SEGMENT_HEADER_LEN;
	writer->number = segment->header.first_unit;
	writer->len = SUMMARY_HEADER_LEN;
	writer->capacity = SLICE_LEN;
	writer->window = memory_new(writer->capacity);
	writer->check = record_check_new(segment->header.salt);
	buffer_init(&writer->units, SIZE_MAX);
	return writer;
}

void
summary_writer_free(struct summary_writer *writer)
{
	if (writer == NULL)
		return;
	if (writer->fd >= 0)
		/* It has a check that tells whether all of it is there. */
		(void)writer->disk->close(writer->disk->ctx, writer->fd);
	if (writer->fd >= 0 && !writer->is_written)
		/* What stays does not count. */
		(void)writer->disk->unlink(
		    writer->disk->ctx, writer->directory_fd, writer->name);
	if (writer->check != NULL)
		(void)record_check_finish(writer->check); /* only to free it */
	buffer_clear(&writer->units);
	free(writer->window);
	free(writer);
}

/* ---- the segment's units ---- */

static bool
fail_damaged(const struct summary_writer *writer, struct error *error)
{
	return error_set(error, ERROR_DATA, "unit %llu at %llu is damaged",
	    (unsigned long long)writer->number,
	    (unsigned long long)writer->offset);
}

/*
 * The unit in front of rest.  *out_len is what it takes of the summary, or more
 * than there is of it in rest; false: it is damaged.
 */
static bool
look_at_unit(struct summary_writer *writer, struct bytes rest,
    struct unit_header *header, size_t *out_len)
{
	const struct segment_header *segment = &writer->segment.header;

	*out_len = UNIT_HEADER_LEN;
	if (rest.len < UNIT_HEADER_LEN)
		return true;
	if (!unit_header_decode(rest, segment->salt, writer->offset, header) ||
	    header->generation != segment->generation ||
	    header->number != writer->number)
		return false;
	*out_len = (size_t)UNIT_HEADER_LEN + header->heads_len;
	if (rest.len < *out_len)
		return true;
	struct bytes heads =
	    bytes_first(bytes_from(rest, UNIT_HEADER_LEN), header->heads_len);
	return unit_heads_are_intact(header, heads, segment->salt) &&
	    unit_heads_are_sound(header, heads);
}

/*
 * Take all units that are whole in data, which begins with one.  *out_wanted is
 * how much more than data the next one needs to be looked at, or 0.
 */
static bool
take_units(struct summary_writer *writer, struct bytes data, size_t *out_wanted,
    struct error *error)
{
	struct unit_header header;
	size_t len;

	*out_wanted = 0;
	while (writer->number < writer->end_unit && data.len > 0) {
		if (!look_at_unit(writer, data, &header, &len))
			return fail_damaged(writer, error);
		if (data.len < len) {
			*out_wanted = len;
			return true;
		}
		buffer_append(&writer->units, bytes_first(data, len));
		writer->offset += unit_header_size(&header);
		writer->number++;
		data = bytes_from(data, (size_t)unit_header_size(&header));
	}
	return true;
}

/*
 * No unit was whole in the window, of which got octets were read: the next one
 * needs more.
 */
static bool
widen(struct summary_writer *writer, size_t got, size_t wanted,
    struct error *error)
{
	if (got < writer->capacity)
		return fail_damaged(writer, error);
	writer->window = memory_resize(writer->window, wanted);
	writer->capacity = wanted;
	return true;
}

static bool
read_units(struct summary_writer *writer, struct error *error)
{
	uint64_t before = writer->offset;
	size_t wanted;
	size_t got;

	buffer_empty(&writer->units);
	if (!disk_read_some(writer->disk, writer->segment.fd, writer->window,
		writer->capacity, before, &got, error) ||
	    !take_units(
		writer, bytes_make(writer->window, got), &wanted, error))
		return false;
	return writer->offset > before || widen(writer, got, wanted, error);
}

/* ---- the file ---- */

static bool
is_needless(const struct summary_writer *writer)
{
	return writer->len > SUMMARY_LEN_MAX ||
	    writer->len > writer->segment.bytes / PART_MAX;
}

static bool
open_file(struct summary_writer *writer, struct error *error)
{
	return writer->fd >= 0 ||
	    disk_open_file(writer->disk, writer->directory_fd, writer->name,
		O_WRONLY | O_CREAT | O_TRUNC, FILE_MODE, &writer->fd, error);
}

static bool
write_units(struct summary_writer *writer, struct error *error)
{
	struct bytes units = buffer_bytes(&writer->units);

	if (!disk_write_at(writer->disk, writer->fd, units.data, units.len,
		writer->len, error))
		return false;
	record_check_add(writer->check, units);
	writer->len += units.len;
	return true;
}

/* Last of all: until then the file has none, and does not count. */
static bool
write_header(struct summary_writer *writer, struct error *error)
{
	struct summary_header header = {
	    .generation = writer->segment.header.generation,
	    .first_unit = writer->segment.header.first_unit,
	    .unit_count = writer->end_unit - writer->segment.header.first_unit,
	    .segment_end = writer->offset,
	    .len = writer->len,
	};
	char data[SUMMARY_HEADER_LEN];

	summary_header_encode(&header, writer->check, data);
	writer->check = NULL;
	return disk_write_at(
	    writer->disk, writer->fd, data, sizeof(data), 0, error);
}

enum summary_progress
summary_writer_step(struct summary_writer *writer, struct error *error)
{
	assert(!writer->is_written);
	bool is_ok = open_file(writer, error) && read_units(writer, error) &&
	    write_units(writer, error);
	bool is_last = writer->number == writer->end_unit;

	if (is_ok && is_needless(writer))
		return SUMMARY_NEEDLESS;
	if (is_ok && is_last)
		is_ok = write_header(writer, error);
	if (!is_ok) {
		(void)error_context(error, "%s", writer->name);
		return SUMMARY_FAILED;
	}
	writer->is_written = is_last;
	return is_last ? SUMMARY_WRITTEN : SUMMARY_UNFINISHED;
}
