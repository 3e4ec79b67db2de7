#include "queue/segment.h"

#include "base/memory.h"
#include "base/seed.h"
#include "queue/facts.h"
#include "queue/packed.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define MAGIC         "postride"
#define HEADER_USED   64   /* octets, the check included */
#define HEADER_COPY   2048 /* where the second copy begins */
#define FLAG_RECYCLED 1U

/* ---- the header ---- */

static uint64_t
check_of(struct bytes bytes)
{
	return XXH3_64bits(bytes.data, bytes.len);
}

void
segment_header_encode(const struct segment_header *header, char *data)
{
	struct buffer buffer;

	buffer_init(&buffer, HEADER_USED);
	buffer_append(&buffer, BYTES(MAGIC));
	packed_put32(&buffer, RECORD_VERSION);
	packed_put32(&buffer, HEADER_USED);
	packed_put64(&buffer, header->first_unit);
	packed_put64(&buffer, header->generation);
	packed_put64(&buffer, header->salt);
	packed_put64(&buffer, header->highest_id);
	packed_put64(&buffer, header->is_recycled ? FLAG_RECYCLED : 0);
	packed_put64(&buffer, check_of(buffer_bytes(&buffer)));
	assert(buffer.len == HEADER_USED);

	memset(data, 0, SEGMENT_HEADER_LEN);
	memcpy(data, buffer.memory, HEADER_USED);
	memcpy(data + HEADER_COPY, buffer.memory, HEADER_USED);
	buffer_clear(&buffer);
}

static enum segment_header_state
decode_copy(
    struct bytes data, struct segment_header *out_header, uint32_t *out_version)
{
	struct packed packed = {.rest = bytes_first(data, HEADER_USED)};
	struct bytes checked = bytes_first(data, HEADER_USED - 8);

	struct bytes magic = packed_take(&packed, strlen(MAGIC));
	uint32_t version = packed_take32(&packed);
	uint32_t len = packed_take32(&packed);
	struct segment_header header = {.first_unit = packed_take64(&packed)};
	header.generation = packed_take64(&packed);
	header.salt = packed_take64(&packed);
	header.highest_id = packed_take64(&packed);
	header.is_recycled = (packed_take64(&packed) & FLAG_RECYCLED) != 0;
	if (!bytes_is(magic, MAGIC) ||
	    packed_take64(&packed) != check_of(checked))
		return SEGMENT_HEADER_DAMAGED;
	*out_version = version;
	if (version != RECORD_VERSION || len != HEADER_USED ||
	    header.first_unit == 0 || header.first_unit > UNIT_NUMBER_MAX)
		return SEGMENT_HEADER_FOREIGN;
	*out_header = header;
	return SEGMENT_HEADER_VALID;
}

enum segment_header_state
segment_header_decode(
    struct bytes data, struct segment_header *out_header, uint32_t *out_version)
{
	assert(data.len == SEGMENT_HEADER_LEN);
	enum segment_header_state state =
	    decode_copy(data, out_header, out_version);

	if (state != SEGMENT_HEADER_DAMAGED)
		return state;
	return decode_copy(
	    bytes_from(data, HEADER_COPY), out_header, out_version);
}

/* ---- reading back ---- */

/* The unit's heads, checked; the caller frees *out_memory. */
static bool
read_heads(const struct disk *disk, struct segment_ref segment,
    struct place place, char **out_memory, struct unit_header *out_header,
    struct bytes *out_heads, struct error *error)
{
	char *memory = memory_new(place.len);
	struct bytes data = bytes_make(memory, place.len);

	if (!disk_read_at(
		disk, segment.fd, memory, place.len, place.offset, error)) {
		free(memory);
		return false;
	}
	struct bytes heads = bytes_from(data, UNIT_HEADER_LEN);
	if (data.len < UNIT_HEADER_LEN ||
	    !unit_header_decode(data, segment.salt, place.offset, out_header) ||
	    !unit_heads_are_intact(out_header, heads, segment.salt)) {
		free(memory);
		return error_set(error, ERROR_DATA,
		    "segment %016llx: the unit at %lu is damaged",
		    (unsigned long long)segment.number,
		    (unsigned long)place.offset);
	}
	*out_memory = memory;
	*out_heads = heads;
	return true;
}

static bool
find_record(struct bytes heads, enum record_type type, uint64_t id,
    struct record_head *out_head, struct error *error)
{
	struct record_cursor cursor = {0};
	bool is_malformed;

	while (record_next(heads, &cursor, out_head, &is_malformed)) {
		if (out_head->type == type && out_head->id == id)
			return true;
	}
	return error_set(
	    error, ERROR_DATA, "the record is not where it should be");
}

bool
segment_verify(const struct disk *disk, const struct body *body,
    const struct record_head *head, struct error *error)
{
	uint64_t check;

	if (!record_check_body(disk, body, head->id, &check, error))
		return false;
	if (check != head->content_check)
		return error_set(error, ERROR_DATA, "the content is damaged");
	return true;
}

static bool
open_large(const struct disk *disk, int large_fd,
    const struct record_head *head, struct body *body, struct error *error)
{
	struct queue_id name = queue_id_of(head->id);
	uint64_t size;
	int fd;

	if (!disk_open_file(
		disk, large_fd, name.text, O_RDONLY, 0, &fd, error)) {
		/* Gone for good is damage; all else may pass. */
		if (error->number == ENOENT)
			error->kind = ERROR_DATA;
		return false;
	}
	body->fd = fd;
	body->owns_fd = true;
	memcpy(body->name, name.text, sizeof(name.text));
	if (disk->size(disk->ctx, fd, &size) != 0)
		return error_system(error, "size of %s", name.text);
	if (size != head->content_len)
		return error_set(error, ERROR_DATA,
		    "large body %s has not its size", name.text);
	body->len = head->content_len;
	return true;
}

/* From its file into memory. */
static bool
keep(const struct disk *disk, struct body *body, struct error *error)
{
	if (!record_append_content(&body->memory, body, disk, error))
		return false;
	body->fd = -1;
	body->offset = 0;
	return true;
}

static bool
load_body(const struct disk *disk, int large_fd, struct segment_ref segment,
    uint64_t contents_at, const struct record_head *head, bool verifies,
    struct body *body, struct error *error)
{
	if (head->is_large) {
		if (!open_large(disk, large_fd, head, body, error))
			return false;
	} else {
		body->fd = segment.fd;
		body->offset = contents_at + head->content_offset;
		body->len = head->content_len;
	}
	if (!verifies)
		return true;
	if (!head->is_large && body->len <= SEGMENT_KEPT_MAX &&
	    !keep(disk, body, error))
		return false;
	return SEED(LOADED_UNCHECKED) ||
	    segment_verify(disk, body, head, error);
}

static bool
load_message(const struct disk *disk, int large_fd,
    const struct segment_message *where, bool verifies, struct message *message,
    struct error *error)
{
	struct unit_header header;
	struct bytes heads;
	struct record_head head;
	char *memory;

	if (!read_heads(disk, where->segment, where->place, &memory, &header,
		&heads, error))
		return false;
	uint64_t contents_at =
	    (uint64_t)where->place.offset + UNIT_HEADER_LEN + heads.len;
	bool is_ok =
	    find_record(heads, RECORD_MESSAGE, where->id, &head, error) &&
	    facts_read_envelope(head.facts, &message->envelope, error) &&
	    load_body(disk, large_fd, where->segment, contents_at, &head,
		verifies, &message->body, error);
	if (is_ok)
		message->check = head.content_check;
	free(memory);
	return is_ok;
}

static bool
load_progress(const struct disk *disk, const struct segment_message *where,
    struct message *message, struct error *error)
{
	struct unit_header header;
	struct bytes heads;
	struct record_head head;
	char *memory;
	size_t count = message->envelope.recipient_count;

	if (where->progress_place.segment == 0) {
		progress_clear(&message->progress);
		progress_init(&message->progress, count);
		return true;
	}
	if (!read_heads(disk, where->progress_segment, where->progress_place,
		&memory, &header, &heads, error))
		return false;
	bool is_ok =
	    find_record(heads, RECORD_PROGRESS, where->id, &head, error) &&
	    facts_read_progress(head.facts, &message->progress, error);
	free(memory);
	if (is_ok && message->progress.recipient_count != count)
		return error_set(error, ERROR_DATA,
		    "the progress is not that of the message");
	return is_ok;
}

static bool
load(const struct disk *disk, int large_fd, const struct segment_message *where,
    bool verifies, struct message **out_message, struct error *error)
{
	struct message *message = message_new();

	message->id = where->id;
	if (!load_message(disk, large_fd, where, verifies, message, error) ||
	    !load_progress(disk, where, message, error)) {
		message_free(message);
		return error_context(
		    error, "message %s", queue_id_of(where->id).text);
	}
	*out_message = message;
	return true;
}

bool
segment_load(const struct disk *disk, int large_fd,
    const struct segment_message *where, struct message **out_message,
    struct error *error)
{
	return load(disk, large_fd, where, true, out_message, error);
}

bool
segment_load_facts(const struct disk *disk, int large_fd,
    const struct segment_message *where, struct message **out_message,
    struct error *error)
{
	return load(disk, large_fd, where, false, out_message, error);
}
