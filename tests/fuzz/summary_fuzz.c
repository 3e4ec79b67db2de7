/*
 * Any octets as the summary of a segment that is sound.  The queue starts, and
 * finds what it finds without a summary.
 *
 * The first octet, modulo 3:
 *
 *   0  the rest is the file
 *   1  the rest changes the true one: 2 octets place (big endian) and 1 to be
 *      xored there, again and again; then the check of the whole is put in
 *   2  the rest is units, as journal_fuzz has them; all checks are put in, so
 *      that it counts where it fits.  Only who knows the salt can write such a
 *      one: then no message of it can be read, but nothing worse may happen
 */
#include "base/memory.h"
#include "lib/fake_disk.h"
#include "queue/journal.h"
#include "queue/ledger.h"
#include "queue/packed.h"
#include "queue/summary.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SEGMENT_PATH "queue/0000000000000001.log"
#define SUMMARY_PATH "queue/0000000000000001.sum"
#define SEGMENT_SIZE 8192
#define CHECK_AT     (SUMMARY_HEADER_LEN - 8)

struct visit {
	struct ledger *ledger;
	struct journal *journal;
	struct journal_report report;
	uint64_t facts; /* a hash of them all */
};

/* ---- starting ---- */

static void
mix(uint64_t *hash, const void *data, size_t len)
{
	*hash = XXH3_64bits_withSeed(data, len, *hash);
}

static void
mix_fact(struct visit *visit, const struct journal_fact *fact)
{
	uint64_t numbers[] = {fact->kind, fact->id, fact->segment.number,
	    fact->place.segment, fact->place.offset, fact->place.len,
	    fact->size, fact->is_large};

	mix(&visit->facts, numbers, sizeof(numbers));
	if (fact->kind == JOURNAL_MESSAGE)
		mix(&visit->facts, fact->envelope->sender,
		    strlen(fact->envelope->sender));
	if (fact->kind == JOURNAL_PROGRESS)
		mix(&visit->facts, &fact->progress->attempts,
		    sizeof(fact->progress->attempts));
}

static void
keep(struct ledger *ledger, const struct journal_fact *fact)
{
	struct ledger_entry *entry = ledger_find(ledger, fact->id);

	if (fact->kind == JOURNAL_MESSAGE && entry == NULL)
		(void)ledger_add(ledger, fact->id, fact->place, fact->size,
		    fact->is_large, 0);
	else if (fact->kind == JOURNAL_MESSAGE)
		ledger_set_place(ledger, entry, fact->place);
	else if (fact->kind == JOURNAL_PROGRESS && entry != NULL)
		ledger_set_progress_place(ledger, entry, fact->place);
	else if (fact->kind == JOURNAL_FINISHED && entry != NULL)
		ledger_remove(ledger, entry);
}

static void
on_fact(const struct journal_fact *fact, void *ctx)
{
	struct visit *visit = ctx;

	mix_fact(visit, fact);
	if (fact->kind == JOURNAL_SEGMENT)
		ledger_set_segment(visit->ledger, fact->segment, fact->bytes);
	else if (fact->kind != JOURNAL_PROBLEM)
		keep(visit->ledger, fact);
}

static void
start(struct visit *visit, struct fake_disk *fake)
{
	struct journal_options options = {
	    .disk = fake_disk_face(fake),
	    .path = "queue",
	    .segment_size = SEGMENT_SIZE,
	};
	struct error error;

	*visit = (struct visit){.ledger = ledger_new()};
	bool is_open = journal_open(
	    &options, on_fact, visit, &visit->journal, &visit->report, &error);
	assert(is_open);
}

static void
stop(struct visit *visit)
{
	journal_free(visit->journal);
	ledger_free(visit->ledger);
}

/* ---- the segment, once ---- */

struct base {
	struct fake_disk *fake;
	struct segment_header header;
	uint64_t facts;
	struct bytes summary; /* the true one; owned */
};

static void
commit(struct journal *journal, struct record record)
{
	struct unit unit;
	struct unit *units[1] = {&unit};
	struct error error;

	unit_init(&unit);
	unit_add(&unit, record);
	bool is_committed = journal_commit(journal, units, 1, &error);
	assert(is_committed && unit.is_committed);
}

/* Until the first segment is full and another has been begun. */
static void
fill(struct journal *journal)
{
	struct message *message = message_new();
	uint64_t first = journal_current(journal).number;

	envelope_set_sender(&message->envelope, BYTES("a@x.example"));
	(void)envelope_add_recipient(&message->envelope, BYTES("b@y.example"));
	progress_init(&message->progress, 1);
	body_set(&message->body,
	    BYTES("Subject: a message\r\n\r\nthat has some lines of content\r\n"
		  "so that its summary is shorter than it is, and therefore\r\n"
		  "worth to be kept: it would not be, else, and this were\r\n"
		  "nothing that anybody could learn anything from at all\r\n"));
	for (uint64_t id = 1; journal_current(journal).number == first; id++) {
		message->id = id;
		message->progress.attempts = (uint32_t)id;
		commit(journal, record_message(message));
		if (id % 3 == 0)
			commit(
			    journal, record_progress(id, &message->progress));
		if (id % 4 == 0)
			commit(journal, record_finished(id));
	}
	message_free(message);
}

static void
make_base(struct base *base)
{
	struct visit visit;
	struct error error;
	uint32_t version;

	base->fake = fake_disk_new();
	start(&visit, base->fake);
	fill(visit.journal);
	while (journal_summaries_wanted(visit.journal) > 0) {
		bool is_made = journal_summarize(visit.journal, &error);
		assert(is_made);
	}
	stop(&visit);
	struct bytes true_one = fake_disk_get(base->fake, SUMMARY_PATH);
	assert(true_one.data != NULL);
	base->summary = bytes_make(memory_copy(true_one), true_one.len);
	struct bytes segment = fake_disk_get(base->fake, SEGMENT_PATH);
	(void)segment_header_decode(bytes_first(segment, SEGMENT_HEADER_LEN),
	    &base->header, &version); /* the journal's own */
	fake_disk_remove(base->fake, SUMMARY_PATH);
	start(&visit, base->fake);
	base->facts = visit.facts;
	stop(&visit);
}

static const struct base *
get_base(void)
{
	static struct base base;

	if (base.fake == NULL)
		make_base(&base);
	return &base;
}

/* ---- what the input makes of it ---- */

static uint64_t
check_of(struct bytes bytes, uint64_t seed)
{
	return XXH3_64bits_withSeed(bytes.data, bytes.len, seed);
}

/* Put in what makes it whole. */
static void
put_check(struct buffer *file, uint64_t salt)
{
	struct bytes all = buffer_bytes(file);
	struct record_check *check = record_check_new(salt);

	record_check_add(check, bytes_from(all, SUMMARY_HEADER_LEN));
	record_check_add(check, bytes_first(all, CHECK_AT));
	packed_set64(file, CHECK_AT, record_check_finish(check));
}

static void
change(struct buffer *file, struct bytes edits)
{
	for (; edits.len >= 3; edits = bytes_from(edits, 3)) {
		const unsigned char *edit = (const unsigned char *)edits.data;
		size_t at = ((size_t)edit[0] << 8 | edit[1]) % file->len;
		file->memory[file->start + at] ^= (char)edit[2];
	}
}

struct forgery {
	struct buffer *file;
	const struct segment_header *header;
	uint64_t number;
	uint64_t offset;
};

/* Take one from *rest. */
static void
forge_unit(struct forgery *forgery, struct bytes *rest)
{
	struct buffer *file = forgery->file;
	uint64_t salt = forgery->header->salt;
	const unsigned char *head = (const unsigned char *)rest->data;
	size_t heads_len = (size_t)head[2] << 8 | head[3];
	size_t content_len = (size_t)head[4] << 8 | head[5];
	size_t start = file->len;

	forgery->number += (uint64_t)(int64_t)(signed char)head[0];
	*rest = bytes_from(*rest, 6);
	struct bytes heads = bytes_first(*rest, heads_len);
	*rest = bytes_from(*rest, heads_len);

	packed_put64(file, 0);
	packed_put64(file, check_of(heads, salt + forgery->number));
	packed_put64(file, forgery->number);
	packed_put64(file, forgery->number);
	packed_put64(file, forgery->header->generation);
	packed_put64(file, content_len);
	packed_put32(file, (uint32_t)heads.len);
	packed_put32(file, head[1]);
	buffer_append_text(file, "unit");
	packed_put32(file, 0);
	packed_set64(file, start,
	    check_of(bytes_from(buffer_bytes(file), start + 8),
		salt + forgery->offset));
	buffer_append(file, heads);
	forgery->offset +=
	    (UNIT_HEADER_LEN + heads.len + content_len + 7) / 8 * 8;
}

/* The header is the true one's, but for what follows from the units. */
static void
forge(
    struct buffer *file, const struct segment_header *header, struct bytes rest)
{
	struct forgery forgery = {
	    .file = file, .header = header, .offset = SEGMENT_HEADER_LEN};

	buffer_truncate(file, SUMMARY_HEADER_LEN);
	while (rest.len >= 6)
		forge_unit(&forgery, &rest);
	packed_set64(file, 40, forgery.offset);
	packed_set64(file, 48, file->len);
}

/* ---- what comes of it ---- */

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
			&error))
			message_free(message);
		else
			assert(error.kind == ERROR_DATA);
	}
}

static void
check(const struct base *base, struct bytes file, bool is_forged)
{
	struct fake_disk *fake = fake_disk_after_kill(base->fake);
	struct visit visit;

	fake_disk_put(fake, SUMMARY_PATH, file);
	start(&visit, fake);
	assert(visit.report.summaries + visit.report.ignored_summaries == 1);
	assert(is_forged || visit.facts == base->facts);
	read_all(&visit, fake);
	stop(&visit);
	fake_disk_free(fake);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct base *base = get_base();
	struct buffer file;

	if (size < 1)
		return 0;
	struct bytes rest = bytes_make(data + 1, size - 1);
	buffer_init(&file, SIZE_MAX);
	if (data[0] % 3 == 0)
		buffer_append(&file, rest);
	else
		buffer_append(&file, base->summary);
	if (data[0] % 3 == 1)
		change(&file, rest);
	if (data[0] % 3 == 2)
		forge(&file, &base->header, rest);
	if (data[0] % 3 != 0)
		put_check(&file, base->header.salt);
	check(base, buffer_bytes(&file), data[0] % 3 == 2);
	buffer_clear(&file);
	return 0;
}
