#include "queue/record.h"

#include "base/memory.h"
#include "base/seed.h"
#include "queue/facts.h"
#include "queue/packed.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <xxhash.h>

#define UNIT_MAGIC "unit"
#define HEAD_LEN   32
#define FLAG_LARGE 1U
#define PIECE_LEN  ((size_t)64 * 1024)

/* ---- what is to be written ---- */

struct record
record_message(const struct message *message)
{
	return (struct record){
	    .type = RECORD_MESSAGE,
	    .id = message->id,
	    .envelope = &message->envelope,
	    .body = &message->body,
	    .check = message->check,
	};
}

struct record
record_progress(uint64_t id, const struct progress *progress)
{
	return (struct record){
	    .type = RECORD_PROGRESS, .id = id, .progress = progress};
}

struct record
record_finished(uint64_t id)
{
	return (struct record){.type = RECORD_FINISHED, .id = id};
}

void
unit_init(struct unit *unit)
{
	*unit = (struct unit){.count = 0};
}

void
unit_add(struct unit *unit, struct record record)
{
	assert(unit->count < UNIT_RECORDS_MAX);
	assert(record.id != 0);
	unit->records[unit->count++] = record;
}

/* ---- encoding ---- */

static bool
is_large(const struct record *record)
{
	return record->type == RECORD_MESSAGE && record->body->name[0] != '\0';
}

static uint64_t
content_len(const struct record *record)
{
	return record->type == RECORD_MESSAGE ? record->body->len : 0;
}

static uint64_t
inline_len(const struct record *record)
{
	return is_large(record) ? 0 : content_len(record);
}

/* Its length and the check of its content are filled in later. */
static void
put_head(struct buffer *buffer, const struct record *record)
{
	size_t start = buffer->len;

	packed_put16(buffer, (uint16_t)record->type);
	packed_put16(buffer, is_large(record) ? FLAG_LARGE : 0);
	packed_put32(buffer, 0);
	packed_put64(buffer, record->id);
	packed_put64(buffer, content_len(record));
	packed_put64(buffer, 0);
	if (record->type == RECORD_MESSAGE)
		facts_put_envelope(buffer, record->envelope);
	else if (record->type == RECORD_PROGRESS)
		facts_put_progress(buffer, record->progress);
	packed_put_filling(buffer, start);
}

static uint64_t
check_of(struct bytes bytes, uint64_t seed)
{
	return XXH3_64bits_withSeed(bytes.data, bytes.len, seed);
}

bool
record_append_content(struct buffer *buffer, const struct body *body,
    const struct disk *disk, struct error *error)
{
	size_t len = (size_t)body->len;

	if (body->fd < 0) {
		buffer_append(buffer, buffer_bytes(&body->memory));
	} else if (len > 0) {
		char *room = buffer_reserve(buffer, len);
		if (room == NULL)
			return error_set(
			    error, ERROR_LIMIT, "content too large");
		if (!disk_read_at(
			disk, body->fd, room, len, body->offset, error))
			return error_context(error, "content");
		buffer_commit(buffer, len);
	}
	return true;
}

/* Append the content; out_check is its check. */
static bool
put_content(struct buffer *buffer, const struct record *record,
    const struct disk *disk, uint64_t *out_check, struct error *error)
{
	size_t start = buffer->len;

	if (!record_append_content(buffer, record->body, disk, error))
		return false;
	*out_check =
	    check_of(bytes_from(buffer_bytes(buffer), start), record->id);
	return true;
}

static bool
check_large(const struct record *record, const struct disk *disk,
    uint64_t *out_check, struct error *error)
{
	return record_check_body(
		   disk, record->body, record->id, out_check, error) ||
	    error_context(error, "large body %s", record->body->name);
}

/* What moves was looked at when it was loaded, and is read once more: it must
 * not get a new check should it be damaged in between. */
static bool
is_unchanged(const struct record *record, uint64_t check, struct error *error)
{
	return record->check == 0 || record->check == check ||
	    SEED(MOVED_UNCHECKED) ||
	    error_set(error, ERROR_DATA,
		"the content is not what it was when it was loaded");
}

static void
put_heads(struct buffer *buffer, const struct unit *unit, size_t *out_at)
{
	for (size_t i = 0; i < unit->count; i++) {
		out_at[i] = buffer->len;
		put_head(buffer, &unit->records[i]);
		if (!buffer->overflowed)
			packed_set32(buffer, out_at[i] + 4,
			    (uint32_t)(buffer->len - out_at[i]));
	}
}

static bool
put_contents(struct buffer *buffer, const struct unit *unit, const size_t *at,
    const struct disk *disk, struct error *error)
{
	for (size_t i = 0; i < unit->count; i++) {
		const struct record *record = &unit->records[i];
		uint64_t check = 0;

		if (record->type != RECORD_MESSAGE)
			continue;
		bool is_ok = is_large(record)
		    ? check_large(record, disk, &check, error)
		    : put_content(buffer, record, disk, &check, error);
		if (!is_ok || !is_unchanged(record, check, error))
			return false;
		packed_set64(buffer, at[i] + 24, check);
	}
	return true;
}

static void
set_header(struct buffer *buffer, size_t start, const struct unit *unit,
    const struct unit_stamp *stamp, size_t heads_len, uint64_t content)
{
	size_t heads = start + UNIT_HEADER_LEN;
	struct bytes all = buffer_bytes(buffer);

	packed_set64(buffer, start + 8,
	    check_of(bytes_first(bytes_from(all, heads), heads_len),
		stamp->salt + stamp->number));
	packed_set64(buffer, start + 16, stamp->number);
	packed_set64(buffer, start + 24, stamp->group);
	packed_set64(buffer, start + 32, stamp->generation);
	packed_set64(buffer, start + 40, content);
	packed_set32(buffer, start + 48, (uint32_t)heads_len);
	packed_set32(buffer, start + 52, (uint32_t)unit->count);
	memcpy(buffer->memory + buffer->start + start + 56, UNIT_MAGIC, 4);
	packed_set64(buffer, start,
	    check_of(bytes_make(all.data + start + 8, UNIT_HEADER_LEN - 8),
		stamp->salt + stamp->offset));
}

static uint64_t
sum_inline(const struct unit *unit)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < unit->count; i++)
		sum += inline_len(&unit->records[i]);
	return sum;
}

bool
unit_encode(struct buffer *buffer, struct unit *unit,
    const struct unit_stamp *stamp, const struct disk *disk,
    struct error *error)
{
	static const char ZEROS[UNIT_HEADER_LEN];
	size_t at[UNIT_RECORDS_MAX];
	size_t start = buffer->len;
	uint64_t content = sum_inline(unit);

	assert(unit->count > 0);
	if (content > UNIT_CONTENT_MAX)
		return error_set(error, ERROR_LIMIT, "content too large");

	buffer_append(buffer, bytes_make(ZEROS, UNIT_HEADER_LEN));
	put_heads(buffer, unit, at);
	size_t heads_len = buffer->len - start - UNIT_HEADER_LEN;
	bool is_ok = !buffer->overflowed && heads_len <= UNIT_HEADS_MAX;
	if (!is_ok)
		(void)error_set(error, ERROR_LIMIT, "envelope too large");
	else
		is_ok = put_contents(buffer, unit, at, disk, error);
	if (!is_ok) {
		buffer_truncate(buffer, start);
		return false;
	}
	packed_put_filling(buffer, start);
	assert(!buffer->overflowed);
	set_header(buffer, start, unit, stamp, heads_len, content);
	unit->place.len = (uint32_t)(UNIT_HEADER_LEN + heads_len);
	return true;
}

/* ---- decoding ---- */

uint64_t
unit_header_size(const struct unit_header *header)
{
	uint64_t size =
	    UNIT_HEADER_LEN + header->heads_len + header->content_len;
	return (size + 7) / 8 * 8;
}

static bool
is_plausible(const struct unit_header *header)
{
	return header->number != 0 && header->number <= UNIT_NUMBER_MAX &&
	    header->group != 0 && header->group <= header->number &&
	    header->record_count > 0 && header->heads_len >= HEAD_LEN &&
	    header->heads_len <= UNIT_HEADS_MAX &&
	    header->content_len <= UNIT_CONTENT_MAX;
}

bool
unit_header_is_likely(struct bytes data)
{
	return data.len >= UNIT_HEADER_LEN &&
	    memcmp(data.data + 56, UNIT_MAGIC, 4) == 0;
}

bool
unit_header_decode(struct bytes data, uint64_t salt, uint64_t offset,
    struct unit_header *out_header)
{
	assert(data.len >= UNIT_HEADER_LEN);
	if (!unit_header_is_likely(data))
		return false;

	struct packed reader = {.rest = bytes_first(data, UNIT_HEADER_LEN)};
	uint64_t check = packed_take64(&reader);
	if (!SEED(HEADER_NOT_CHECKED) &&
	    check != check_of(reader.rest, salt + offset))
		return false;

	struct unit_header header = {.heads_check = packed_take64(&reader)};
	header.number = packed_take64(&reader);
	header.group = packed_take64(&reader);
	header.generation = packed_take64(&reader);
	header.content_len = packed_take64(&reader);
	header.heads_len = packed_take32(&reader);
	header.record_count = packed_take16(&reader);
	if (!is_plausible(&header))
		return false;
	*out_header = header;
	return true;
}

bool
unit_heads_are_intact(
    const struct unit_header *header, struct bytes heads, uint64_t salt)
{
	return heads.len == header->heads_len &&
	    (SEED(HEADS_NOT_CHECKED) ||
		header->heads_check == check_of(heads, salt + header->number));
}

static bool
is_known(unsigned type, unsigned flags, uint64_t id)
{
	bool is_type = type == RECORD_MESSAGE || type == RECORD_PROGRESS ||
	    type == RECORD_FINISHED;
	return is_type && flags <= FLAG_LARGE && id != 0;
}

bool
record_next(struct bytes heads, struct record_cursor *cursor,
    struct record_head *out_head, bool *out_malformed)
{
	struct bytes rest = bytes_from(heads, cursor->offset);
	struct packed reader = {.rest = rest};

	*out_malformed = false;
	if (rest.len == 0)
		return false;

	unsigned type = packed_take16(&reader);
	unsigned flags = packed_take16(&reader);
	size_t len = packed_take32(&reader);
	uint64_t id = packed_take64(&reader);
	uint64_t content = packed_take64(&reader);
	uint64_t check = packed_take64(&reader);
	if (reader.is_bad || len < HEAD_LEN || len > rest.len || len % 8 != 0 ||
	    !is_known(type, flags, id) ||
	    (flags == 0 && content > UNIT_CONTENT_MAX)) {
		*out_malformed = true;
		return false;
	}

	bool large = (flags & FLAG_LARGE) != 0;
	*out_head = (struct record_head){
	    .type = (enum record_type)type,
	    .is_large = large,
	    .id = id,
	    .content_len = content,
	    .content_check = check,
	    .content_offset = large ? 0 : cursor->content_offset,
	    .facts = bytes_from(bytes_first(rest, len), HEAD_LEN),
	};
	cursor->offset += len;
	cursor->content_offset += large ? 0 : content;
	return true;
}

bool
unit_heads_are_sound(const struct unit_header *header, struct bytes heads)
{
	struct record_cursor cursor = {0};
	struct record_head head;
	bool is_malformed = false;
	unsigned count = 0;

	while (record_next(heads, &cursor, &head, &is_malformed))
		count++;
	return !is_malformed && count == header->record_count &&
	    cursor.content_offset == header->content_len;
}

struct record_check {
	XXH3_state_t *state;
};

struct record_check *
record_check_new(uint64_t seed)
{
	struct record_check *check = memory_new(sizeof(*check));

	check->state = memory_given(XXH3_createState());
	XXH3_64bits_reset_withSeed(check->state, seed);
	return check;
}

void
record_check_add(struct record_check *check, struct bytes content)
{
	XXH3_64bits_update(check->state, content.data, content.len);
}

uint64_t
record_check_finish(struct record_check *check)
{
	uint64_t result = XXH3_64bits_digest(check->state);

	XXH3_freeState(check->state);
	free(check);
	return result;
}

bool
record_check_body(const struct disk *disk, const struct body *body, uint64_t id,
    uint64_t *out_check, struct error *error)
{
	if (body->fd < 0) {
		*out_check = check_of(buffer_bytes(&body->memory), id);
		return true;
	}

	struct record_check *check = record_check_new(id);
	size_t size = (size_t)MIN(body->len, PIECE_LEN);
	char *piece = memory_new(size);
	bool is_ok = true;

	for (uint64_t done = 0; is_ok && done < body->len;) {
		uint64_t left = body->len - done;
		size_t len = (size_t)MIN(left, size);
		is_ok = disk_read_at(
		    disk, body->fd, piece, len, body->offset + done, error);
		if (is_ok)
			record_check_add(check, bytes_make(piece, len));
		done += len;
	}
	free(piece);
	*out_check = record_check_finish(check);
	return is_ok;
}
