/*
 * Any octets as a segment.  The queue starts, whatever they are; what it finds
 * can be read or is said to be damaged; a second start finds the same; and new
 * mail can be committed.
 *
 * An even first octet: the rest is the file.  An odd one: the rest is units
 * without their checksums, which are put in, so that what is behind them is
 * reached:
 *
 *   1  number: that of the unit before, plus this as a signed octet
 *   1  number of records
 *   2  octets of heads, big endian
 *   2  octets of content
 *   and the heads and the content
 */
#include "base/memory.h"
#include "lib/fake_disk.h"
#include "queue/journal.h"
#include "queue/ledger.h"
#include "queue/packed.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SALT 0x5a17

struct visit {
	struct journal *journal;
	struct ledger *ledger;
	uint64_t highest_id;
};

static void
on_message(struct ledger *ledger, const struct journal_fact *fact)
{
	struct ledger_entry *entry = ledger_find(ledger, fact->id);

	assert(fact->envelope->sender != NULL);
	if (entry == NULL)
		entry = ledger_add(ledger, fact->id, fact->place, fact->size,
		    fact->is_large, 0);
	else
		ledger_set_place(ledger, entry, fact->place);
}

static void
on_fact(const struct journal_fact *fact, void *ctx)
{
	struct ledger *ledger = ((struct visit *)ctx)->ledger;
	struct ledger_entry *entry =
	    fact->kind == JOURNAL_PROBLEM || fact->kind == JOURNAL_SEGMENT
	    ? NULL
	    : ledger_find(ledger, fact->id);

	switch (fact->kind) {
	case JOURNAL_SEGMENT:
		ledger_set_segment(ledger, fact->segment, fact->bytes);
		break;
	case JOURNAL_MESSAGE:
		on_message(ledger, fact);
		break;
	case JOURNAL_PROGRESS:
		if (entry != NULL)
			ledger_set_progress_place(ledger, entry, fact->place);
		break;
	case JOURNAL_FINISHED:
		if (entry != NULL)
			ledger_remove(ledger, entry);
		break;
	case JOURNAL_PROBLEM:
		assert(fact->text[0] != '\0');
		break;
	}
}

/* A start on fake; false only where the format is another one's. */
static bool
start(struct visit *visit, struct fake_disk *fake)
{
	struct journal_options options = {
	    .disk = fake_disk_face(fake),
	    .path = "queue",
	    .segment_size = 16384,
	};
	struct journal_report report;
	struct error error;

	*visit = (struct visit){.ledger = ledger_new()};
	if (!journal_open(
		&options, on_fact, visit, &visit->journal, &report, &error)) {
		assert(error.kind == ERROR_CONFIG);
		ledger_free(visit->ledger);
		return false;
	}
	visit->highest_id = report.highest_id;
	return true;
}

static void
stop(struct visit *visit)
{
	journal_free(visit->journal);
	ledger_free(visit->ledger);
}

static void
read_all(struct visit *visit, struct fake_disk *fake)
{
	for (const struct ledger_entry *entry = ledger_after(visit->ledger, 0);
	     entry != NULL; entry = ledger_after(visit->ledger, entry->id)) {
		struct segment_message where =
		    ledger_where(visit->ledger, entry);
		struct message *message;
		struct error error;
		if (segment_load(fake_disk_face(fake),
			journal_large_fd(visit->journal), &where, &message,
			&error)) {
			assert(message->progress.recipient_count ==
			    message->envelope.recipient_count);
			message_free(message);
		} else {
			assert(error.kind == ERROR_DATA);
		}
	}
}

static void
commit_one(struct visit *visit, uint64_t id)
{
	struct message *message = message_new();
	struct unit unit;
	struct unit *units[1] = {&unit};
	struct error error;

	message->id = id;
	unit_init(&unit);
	unit_add(&unit, record_message(message));
	assert(journal_commit(visit->journal, units, 1, &error));
	assert(unit.is_committed);
	message_free(message);
}

static void
check(struct fake_disk *fake)
{
	struct visit visit;

	if (!start(&visit, fake))
		return;
	read_all(&visit, fake);
	size_t count = ledger_size(visit.ledger);
	bool is_room = visit.highest_id < UINT64_MAX;
	uint64_t id = visit.highest_id + is_room;
	if (is_room)
		commit_one(&visit, id);
	stop(&visit);

	assert(start(&visit, fake));
	assert(ledger_size(visit.ledger) == count + is_room);
	assert(!is_room || ledger_find(visit.ledger, id) != NULL);
	stop(&visit);
}

/* ---- units with their checksums put in ---- */

static uint64_t
check_of(struct bytes bytes, uint64_t seed)
{
	return XXH3_64bits_withSeed(bytes.data, bytes.len, seed);
}

/* Take one from *rest. */
static void
append_unit(struct buffer *file, struct bytes *rest, uint64_t *number)
{
	const unsigned char *head = (const unsigned char *)rest->data;
	size_t heads_len = (size_t)head[2] << 8 | head[3];
	size_t content_len = (size_t)head[4] << 8 | head[5];
	size_t start = file->len;

	*number += (uint64_t)(int64_t)(signed char)head[0];
	*rest = bytes_from(*rest, 6);
	struct bytes heads = bytes_first(*rest, heads_len);
	*rest = bytes_from(*rest, heads_len);
	struct bytes content = bytes_first(*rest, content_len);
	*rest = bytes_from(*rest, content_len);

	packed_put64(file, 0);
	packed_put64(file, check_of(heads, SALT + *number));
	packed_put64(file, *number);
	packed_put64(file, *number);
	packed_put64(file, 1);
	packed_put64(file, content.len);
	packed_put32(file, (uint32_t)heads.len);
	packed_put32(file, head[1]);
	buffer_append_text(file, "unit");
	packed_put32(file, 0);
	packed_set64(file, start,
	    check_of(bytes_from(buffer_bytes(file), start + 8), SALT + start));
	buffer_append(file, heads);
	buffer_append(file, content);
	packed_put_filling(file, start);
}

static void
append_units(struct buffer *file, struct bytes rest)
{
	struct segment_header header = {
	    .first_unit = 1, .generation = 1, .salt = SALT};
	char data[SEGMENT_HEADER_LEN];
	uint64_t number = 0;

	segment_header_encode(&header, data);
	buffer_append(file, bytes_make(data, sizeof(data)));
	while (rest.len >= 6)
		append_unit(file, &rest, &number);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buffer file;

	if (size < 1)
		return 0;
	struct fake_disk *fake = fake_disk_new();
	struct bytes rest = bytes_make(data + 1, size - 1);
	buffer_init(&file, SIZE_MAX);
	if (data[0] % 2 == 0)
		buffer_append(&file, rest);
	else
		append_units(&file, rest);
	fake_disk_put(fake, "queue/0000000000000001.log", buffer_bytes(&file));
	check(fake);
	buffer_clear(&file);
	fake_disk_free(fake);
	return 0;
}
