/*
 * The disk format of the queue: units and the records in them.  The bytes of a
 * segment's header are in segment.h; together they are the whole format.
 *
 * All numbers are little endian.  A unit begins at a multiple of 8 in its file
 * and is followed by zeros up to the next multiple of 8:
 *
 *   header (64)
 *     0  8  check of the header: XXH3-64 of octets 8 to 63, seeded with salt +
 *           offset of the unit in its file
 *     8  8  check of the heads: XXH3-64 of them all, seeded with salt + number
 *    16  8  number of the unit; consecutive over all segments, from 1
 *    24  8  first unit of its commit group: all before that were durable
 *           when this one was written
 *    32  8  generation of the segment
 *    40  8  octets of content, of all records together
 *    48  4  octets of heads
 *    52  2  number of records, at least 1
 *    54  2  0
 *    56  4  "unit"
 *    60  4  0
 *
 *   heads, one for each record, one behind the other
 *     0  2  type: 1 MESSAGE, 2 PROGRESS, 3 FINISHED
 *     2  2  flags; 1: the content is the file large/<queue id>
 *     4  4  octets of this head, a multiple of 8, these 32 and filling included
 *     8  8  id of the message
 *    16  8  octets of its content, in the unit or in its own file
 *    24  8  MESSAGE: check of the content: XXH3-64, seeded with the id
 *    32     the facts, see below, then 0 to 7 zeros
 *
 *   content of each record that has it inline, one behind the other, in order
 *
 * Facts of MESSAGE: the envelope
 *     0  2  octets of the fixed part, 40 (so that it may grow)
 *     2  1  bit 0 SMTPUTF8, bit 1 REQUIRETLS
 *     3  1  BODY, as enum mail_body
 *     4  1  RET, as enum mail_return
 *     5  1  origin, as enum envelope_origin
 *     6  2  0
 *     8  8  arrived, wall clock ms, signed
 *    16  8  key of the drop file, or 0
 *    24  4  uid, or ffffffff
 *    28  4  number of recipients
 *    32  8  0
 *    40     texts: sender, ENVID, client; then for each recipient 4 octets
 *           NOTIFY, and texts: address, ORCPT
 *
 * Facts of PROGRESS: all of the progress; it replaces every earlier one
 *     0  2  octets of the fixed part, 40
 *     2  2  bit 0: the delay was reported, bit 1: held
 *     4  4  attempts
 *     8  8  time of the newest attempt, wall clock ms, signed
 *    16  8  time of the next
 *    24  4  attempts in doubt
 *    28  4  number of recipients
 *    32  8  0
 *    40     for each recipient 4 octets state, and texts: status, reason,
 *           upstream
 *
 * A text is 4 octets length + 1, and its octets, none of them 0; a text that is
 * not there has 0 for length + 1 and no octets.
 *
 * FINISHED has no facts.
 *
 * 64 octets of zeros follow the last unit of a group; the next group is written
 * over them.
 *
 * A unit is valid when its checks hold, its generation is that of its segment,
 * and its number is one more than that of the unit before it: whole or not at
 * all.  The salt is random and secret, so neither zeros, nor what an earlier
 * life of the file left, nor anything that a sender put into a message can be
 * taken for a unit.
 *
 * In order of their numbers, the records give the queue: MESSAGE makes a
 * message known or, if it is, says where it lies now; PROGRESS and FINISHED of
 * an unknown message are skipped.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "message/message.h"
#include "queue/disk.h"
#include "queue/place.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_VERSION 1

#define UNIT_HEADER_LEN 64
#define UNIT_LEN_MIN    96 /* with one head of no facts */
#define UNIT_HEADS_MAX  (64U * 1024 * 1024)
#define UNIT_CONTENT_MAX                                                       \
	(64U * 1024 * 1024) /* inline; large bodies go beside */
#define UNIT_RECORDS_MAX 4
/* A thousand years of a billion units a second. */
#define UNIT_NUMBER_MAX ((uint64_t)1 << 62)

enum record_type {
	RECORD_MESSAGE = 1,
	RECORD_PROGRESS = 2,
	RECORD_FINISHED = 3
};

/* What is to be written. All pointers are borrowed until the unit is answered.
 */
struct record {
	enum record_type type;
	uint64_t id;
	const struct envelope *envelope; /* MESSAGE */
	/* MESSAGE: inline, from memory or from a stretch of a file; or, where
	 * it has a name, the large file, to be synced with the commit. */
	const struct body *body;
	/* The same: what the content's check has to be, since it is on record
	 * already and moves; 0: it is new. */
	uint64_t check;
	const struct progress *progress; /* PROGRESS */
};

struct record record_message(const struct message *message);
struct record record_progress(uint64_t id, const struct progress *progress);
struct record record_finished(uint64_t id);

/* What becomes durable together, whole or not at all. */
struct unit {
	struct record records[UNIT_RECORDS_MAX];
	size_t count;
	bool needs_room; /* to be refused while disk space is low (see
			    journal.h) */

	/* The answer of journal_commit(). */
	bool is_committed;
	bool lacked_room;   /* refused so, and not tried */
	struct error error; /* why not; number ENOSPC or EDQUOT: disk is full */
	struct segment_ref segment; /* where it now lies, */
	struct place place;         /* for all of its records */
};

void unit_init(struct unit *unit);
void unit_add(struct unit *unit, struct record record);

/* ---- encoding ---- */

/* What a unit takes from the segment it is written to. */
struct unit_stamp {
	uint64_t salt;
	uint64_t generation;
	uint64_t offset; /* where the unit will be in its file */
	uint64_t number;
	uint64_t group;
};

/*
 * Append unit to buffer, filled up to a multiple of 8.  Content in files is
 * read through disk.  Sets only unit->place.len.  Fails where content cannot be
 * read, with ERROR_DATA where it is not what its record says, or with
 * ERROR_LIMIT; buffer is then as it was.
 */
bool unit_encode(struct buffer *buffer, struct unit *unit,
    const struct unit_stamp *stamp, const struct disk *disk,
    struct error *error) MUST_USE;

/* ---- decoding ---- */

struct unit_header {
	uint64_t heads_check;
	uint64_t number;
	uint64_t group;
	uint64_t generation;
	uint64_t content_len;
	uint32_t heads_len;
	uint16_t record_count;
};

/* Of the whole unit in its file, filling included. */
uint64_t unit_header_size(const struct unit_header *header);
/* A quick look; false: no unit begins here. */
bool unit_header_is_likely(struct bytes data);
/* False: no unit of this segment begins at this offset of its file.  data has
 * UNIT_HEADER_LEN octets. */
bool unit_header_decode(struct bytes data, uint64_t salt, uint64_t offset,
    struct unit_header *out_header);
/* The heads behind the header are whole. */
bool unit_heads_are_intact(
    const struct unit_header *header, struct bytes heads, uint64_t salt);

/* A record as it stands on disk; views are of the heads. */
struct record_head {
	enum record_type type;
	bool is_large;
	uint64_t id;
	uint64_t content_len;
	uint64_t content_check;
	/* Of the content behind the heads of its unit; 0 where is_large. */
	uint64_t content_offset;
	struct bytes facts;
};

/* A walk over heads; start with all 0. */
struct record_cursor {
	size_t offset;
	uint64_t content_offset;
};

/*
 * The next head; false at the end, or where it is malformed (*out_malformed):
 * then the whole unit is damaged.  Types unknown to us are malformed.
 */
bool record_next(struct bytes heads, struct record_cursor *cursor,
    struct record_head *out_head, bool *out_malformed);
/* As many as the header says, of as much content, and none malformed. */
bool unit_heads_are_sound(const struct unit_header *header, struct bytes heads);
/* A check of octets that are given piece by piece; of content it is seeded with
 * the id. */
struct record_check;
struct record_check *record_check_new(uint64_t seed);
void record_check_add(struct record_check *check, struct bytes content);
/* Frees check. */
uint64_t record_check_finish(struct record_check *check);
/* Append the content that body tells of.  ERROR_DATA: the file is too short;
 * ERROR_LIMIT: there is more than buffer takes. */
bool record_append_content(struct buffer *buffer, const struct body *body,
    const struct disk *disk, struct error *error) MUST_USE;
/* The check of the content that body tells of; from a file, it is read in
 * pieces.  ERROR_DATA: the file is too short. */
bool record_check_body(const struct disk *disk, const struct body *body,
    uint64_t id, uint64_t *out_check, struct error *error) MUST_USE;
