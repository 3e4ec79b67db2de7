/* fsck: what it finds in queues that are sound, and what it says of each kind
 * of damage. */
#include "base/memory.h"
#include "fsck_scene.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is there ---- */

static const char *const scripts[] = {
    "",
    "a1",
    "a9 p4 f9",
    FSCK_SCENE_SCRIPT,
    "a9 a9 a9 f9 f9 d a9 a9 f9 f9 f9 d a9 r a9 f5 d m m m d a9 p9 h l l b",
    "a9 a9 f9 f9 d a9 a9 f9 f9 d a9 a9 f9 f9 d x d r a5 l h",
};

static void
check_messages(struct world *world, const struct fsck *fsck)
{
	struct fsck_sum sums[2] = {{0, 0}, {0, 0}};
	const struct ledger_entry *entry = ledger_after(world->ledger, 0);

	for (; entry != NULL; entry = ledger_after(world->ledger, entry->id)) {
		const struct ledger_entry *found =
		    ledger_find(fsck->ledger, entry->id);
		cr_assert_neq(found, NULL);
		cr_assert_eq(found->place.segment, entry->place.segment);
		cr_assert_eq(found->place.offset, entry->place.offset);
		cr_assert_eq(
		    found->progress_place.offset, entry->progress_place.offset);
		struct fsck_sum *sum = &sums[found->state == LEDGER_HELD];
		sum->count++;
		sum->bytes += entry->size;
	}
	cr_assert_eq(ledger_size(fsck->ledger), ledger_size(world->ledger));
	cr_assert_eq(fsck->waiting.count, sums[0].count);
	cr_assert_eq(fsck->waiting.bytes, sums[0].bytes);
	cr_assert_eq(fsck->held.count, sums[1].count);
	cr_assert_eq(fsck->held.bytes, sums[1].bytes);
}

static void
check_segments(struct world *world, const struct fsck *fsck)
{
	uint64_t live = 0;
	uint64_t units = 0;

	cr_assert_eq(fsck->segment_count, ledger_segment_count(world->ledger));
	for (size_t i = 0; i < fsck->segment_count; i++) {
		const struct fsck_segment *segment = &fsck->segments[i];
		cr_assert_leq(segment->end, segment->bytes);
		cr_assert_leq(segment->live, segment->messages);
		live += segment->live;
		units += segment->units;
	}
	cr_assert_eq(live, ledger_size(world->ledger));
	cr_assert_eq(units, fsck->units);
	cr_assert_eq(fsck->segments[fsck->segment_count - 1].end,
	    journal_current_bytes(world->journal));
}

Test(fsck, finds_nothing_wrong_and_everything_there)
{
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		struct world world;

		world_init(&world, fake_disk_new());
		cr_assert(world_start(&world));
		cr_assert(world_run(&world, scripts[i]));
		struct fake_disk *fake = fake_disk_after_kill(world.fake);
		struct fsck *fsck = fsck_scene_look(fake);
		cr_assert_eq(fsck->finding_count, 0, "%s: %s", scripts[i],
		    fsck_scene_told(fsck));
		check_messages(&world, fsck);
		check_segments(&world, fsck);
		fsck_free(fsck);
		cr_assert_eq(fake_disk_open_count(fake), 0);
		fake_disk_free(fake);
		world_clear(&world);
	}
}

/* ---- one kind after the other ---- */

/* The segment's file, oldest first; valid until the next change. */
static const char *
segment_path(struct fake_disk *fake, size_t index)
{
	static char path[64];
	char *names = fake_disk_names(fake, "queue");
	struct bytes rest = bytes_of(names);
	size_t seen = 0;

	for (;;) {
		cr_assert_gt(rest.len, 0);
		struct bytes name = bytes_cut(&rest, ' ');
		if (bytes_has_suffix_nocase(name, ".log") && seen++ == index) {
			(void)snprintf(
			    path, sizeof(path), "queue/%.*s", BYTES_ARGS(name));
			break;
		}
	}
	free(names);
	return path;
}

static void
flip(struct fake_disk *fake, const char *path, size_t at)
{
	struct bytes content = fake_disk_get(fake, path);
	char *data = memory_copy(content);

	cr_assert_lt(at, content.len);
	data[at] ^= 1;
	fake_disk_put(fake, path, bytes_make(data, content.len));
	free(data);
}

static void
flip_version(struct fake_disk *fake)
{
	struct segment_header header;
	uint32_t version;
	const char *path = segment_path(fake, 1);
	struct bytes content = fake_disk_get(fake, path);
	char *data = memory_copy(content);

	cr_assert_eq(
	    segment_header_decode(
		bytes_first(content, SEGMENT_HEADER_LEN), &header, &version),
	    SEGMENT_HEADER_VALID);
	/* A header that is whole, of numbers that are none of ours. */
	header.first_unit = 0;
	segment_header_encode(&header, data);
	fake_disk_put(fake, path, bytes_make(data, content.len));
	free(data);
}

static void
flip_header_copy(struct fake_disk *fake)
{
	flip(fake, segment_path(fake, 0), 2048 + 20);
}

static void
flip_both_copies(struct fake_disk *fake)
{
	flip(fake, segment_path(fake, 1), 20);
	flip(fake, segment_path(fake, 1), 2048 + 20);
}

static void
copy_segment(struct fake_disk *fake)
{
	struct bytes content = fake_disk_get(fake, segment_path(fake, 0));
	char *data = memory_copy(content);

	fake_disk_put(
	    fake, "queue/00000000000000ff.log", bytes_make(data, content.len));
	free(data);
}

static void
remove_segment(struct fake_disk *fake)
{
	cr_assert(fake_disk_remove(fake, segment_path(fake, 1)));
}

static void
remove_oldest(struct fake_disk *fake)
{
	cr_assert(fake_disk_remove(fake, segment_path(fake, 0)));
}

static void
remove_all_segments(struct fake_disk *fake)
{
	for (;;) {
		char *names = fake_disk_names(fake, "queue");
		bool is_left = strstr(names, ".log") != NULL;
		free(names);
		if (!is_left)
			break;
		cr_assert(fake_disk_remove(fake, segment_path(fake, 0)));
	}
}

static void
remove_everything(struct fake_disk *fake)
{
	remove_all_segments(fake);
	cr_assert(fake_disk_remove(fake, "queue/bounds"));
	cr_assert(fake_disk_remove(fake, "queue/large"));
	fake_disk_put_odd(fake, "queue/large", FAKE_FOLDER);
}

/* The path of a large body; valid until the next call. */
static const char *
large_path(struct fake_disk *fake)
{
	static char path[64];
	char *names = fake_disk_names(fake, "queue/large");
	struct bytes rest = bytes_of(names);
	struct bytes name = bytes_cut(&rest, ' ');

	cr_assert_gt(name.len, 0);
	(void)snprintf(
	    path, sizeof(path), "queue/large/%.*s", BYTES_ARGS(name));
	free(names);
	return path;
}

static void
remove_large(struct fake_disk *fake)
{
	cr_assert(fake_disk_remove(fake, large_path(fake)));
}

static void
flip_large(struct fake_disk *fake)
{
	flip(fake, large_path(fake), 700);
}

static void
cut_large(struct fake_disk *fake)
{
	const char *path = large_path(fake);
	char *data = memory_copy(fake_disk_get(fake, path));

	fake_disk_put(fake, path, bytes_make(data, 700));
	free(data);
}

static void
add_orphan(struct fake_disk *fake)
{
	fake_disk_put(fake, "queue/large/0000000ZZZZ", BYTES("orphan"));
}

/* Of a message that is in the queue, and not in the newest segment. */
static void
flip_content(struct fake_disk *fake)
{
	struct fsck *fsck = fsck_scene_look(fake);
	const struct ledger_entry *entry = ledger_after(fsck->ledger, 0);

	while (entry != NULL && (entry->is_large || entry->place.segment != 1))
		entry = ledger_after(fsck->ledger, entry->id);
	cr_assert_neq(entry, NULL);
	size_t at = entry->place.offset + entry->place.len + 3;
	fsck_free(fsck);
	flip(fake, segment_path(fake, 0), at);
}

/* Of one that has ended: the first there was. */
static void
flip_old_content(struct fake_disk *fake)
{
	flip(fake, segment_path(fake, 0), SEGMENT_HEADER_LEN + 250);
}

static void
flip_unit(struct fake_disk *fake)
{
	flip(fake, segment_path(fake, 0), SEGMENT_HEADER_LEN + 20);
}

/* In the middle of the last unit. */
static void
cut_newest(struct fake_disk *fake)
{
	struct fsck *fsck = fsck_scene_look(fake);
	size_t newest = fsck->segment_count - 1;
	size_t end = fsck->segments[newest].end;

	fsck_free(fsck);
	const char *path = segment_path(fake, newest);
	char *data = memory_copy(fake_disk_get(fake, path));
	fake_disk_put(fake, path, bytes_make(data, end - 8));
	free(data);
}

static const struct {
	const char *name;
	void (*damage)(struct fake_disk *fake);
	enum fsck_kind kind;
	enum fsck_gravity gravity;
} kinds[] = {
    {"another format", flip_version, FSCK_FOREIGN, FSCK_DAMAGE},
    {"one copy of a header", flip_header_copy, FSCK_HEADER_COPY, FSCK_HARMLESS},
    {"both copies of a header", flip_both_copies, FSCK_HEADLESS, FSCK_DAMAGE},
    {"a segment twice", copy_segment, FSCK_STRANGER, FSCK_DAMAGE},
    {"a segment missing", remove_segment, FSCK_UNITS, FSCK_DAMAGE},
    {"the oldest missing", remove_oldest, FSCK_LOST, FSCK_DAMAGE},
    {"the oldest missing", remove_oldest, FSCK_MISSING, FSCK_DAMAGE},
    {"all missing", remove_all_segments, FSCK_MISSING, FSCK_DAMAGE},
    {"nothing there yet", remove_everything, FSCK_EMPTY, FSCK_DOUBTFUL},
    {"a large body missing", remove_large, FSCK_LARGE, FSCK_DAMAGE},
    {"a large body altered", flip_large, FSCK_LARGE, FSCK_DAMAGE},
    {"a large body cut", cut_large, FSCK_LARGE, FSCK_DAMAGE},
    {"an orphan", add_orphan, FSCK_ORPHAN, FSCK_HARMLESS},
    {"a content", flip_content, FSCK_CONTENT, FSCK_DAMAGE},
    {"a content that is over", flip_old_content, FSCK_OLD_CONTENT,
	FSCK_HARMLESS},
    {"a unit", flip_unit, FSCK_UNITS, FSCK_DAMAGE},
    {"the end", cut_newest, FSCK_TORN, FSCK_DOUBTFUL},
};

Test(fsck, tells_what_it_is_and_how_grave)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct fake_disk *fake = fsck_scene_queue();
		kinds[i].damage(fake);
		struct fsck *fsck = fsck_scene_look(fake);
		cr_assert(fsck_scene_has(fsck, kinds[i].kind, 0), "%s: %s",
		    kinds[i].name, fsck_scene_told(fsck));
		cr_assert_gt(
		    fsck->gravities[kinds[i].gravity], 0, "%s", kinds[i].name);
		cr_assert(kinds[i].gravity == FSCK_DAMAGE ||
			fsck->gravities[FSCK_DAMAGE] == 0,
		    "%s: %s", kinds[i].name, fsck_scene_told(fsck));
		fsck_free(fsck);
		fake_disk_free(fake);
	}
}

Test(fsck, has_words_for_every_kind)
{
	for (int kind = 0; kind < FSCK_KINDS; kind++) {
		struct fsck_finding finding = {.kind = (enum fsck_kind)kind};
		struct buffer what, cost, advice;

		buffer_init(&what, 4096);
		buffer_init(&cost, 4096);
		buffer_init(&advice, 4096);
		fsck_describe(&finding, &what, &cost, &advice);
		cr_assert(what.len > 0 && cost.len > 0 && advice.len > 0);
		cr_assert_gt(strlen(fsck_kind_name(finding.kind)), 0);
		buffer_clear(&what);
		buffer_clear(&cost);
		buffer_clear(&advice);
	}
}

/* In the newest segment, where a start checks contents: a message that ended
 * there costs nothing, one that did not is lost. */
Test(fsck, knows_what_has_ended_in_the_newest_segment)
{
	static const struct {
		const char *script;
		enum fsck_kind kind;
		enum fsck_gravity gravity;
	} rows[] = {
	    {"a1 f1", FSCK_OLD_CONTENT, FSCK_HARMLESS},
	    {"a1 a1", FSCK_CONTENT, FSCK_DAMAGE},
	    {"a1", FSCK_TORN, FSCK_DOUBTFUL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world world;
		world_init(&world, fake_disk_new());
		cr_assert(world_start(&world));
		cr_assert(world_run(&world, rows[i].script));
		struct fake_disk *fake = fake_disk_after_kill(world.fake);
		flip(fake, segment_path(fake, 0), SEGMENT_HEADER_LEN + 250);
		struct fsck *fsck = fsck_scene_look(fake);
		cr_assert_eq(fsck->finding_count, 1, "%s: %s", rows[i].script,
		    fsck_scene_told(fsck));
		cr_expect_eq(fsck->findings[0].kind, rows[i].kind, "%s: %s",
		    rows[i].script, fsck_scene_told(fsck));
		cr_expect_eq(fsck->findings[0].gravity, rows[i].gravity);
		cr_expect_eq(fsck->findings[0].id, world.messages[0].id);
		fsck_free(fsck);
		fake_disk_free(fake);
		world_clear(&world);
	}
}

/* ---- what is no queue, or busy ---- */

static void
expect_failure(struct fake_disk *fake, const char *path, bool is_live,
    enum error_kind kind, int number)
{
	struct disk disk = fsck_scene_disk(fake);
	struct fsck_options options = {
	    .disk = &disk, .path = path, .is_live = is_live};
	struct fsck *fsck;
	struct error error;

	cr_assert(!fsck_run(&options, &fsck, &error));
	cr_assert_eq(error.kind, kind, "%s", error_text(&error));
	cr_assert_eq(error.number, number, "%s", error_text(&error));
}

Test(fsck, keeps_off_a_queue_that_is_in_use)
{
	struct world world;

	world_init(&world, fake_disk_new());
	cr_assert(world_start(&world));
	cr_assert(world_run(&world, "a3"));
	expect_failure(world.fake, "queue", false, ERROR_SYSTEM, EWOULDBLOCK);

	/* But it may look. */
	struct disk disk = fsck_scene_disk(world.fake);
	struct fsck_options options = {
	    .disk = &disk, .path = "queue", .is_live = true};
	struct fsck *fsck;
	cr_assert(fsck_run(&options, &fsck, &world.error));
	cr_assert_eq(fsck->waiting.count, 3);
	fsck_free(fsck);
	cr_assert(world_run(&world, "a3"));
	world_clear(&world);
}

Test(fsck, says_that_there_is_no_queue)
{
	struct fake_disk *fake = fake_disk_new();

	fake_disk_put(fake, "else/other.log", BYTES("hello"));
	expect_failure(fake, "nowhere", false, ERROR_SYSTEM, ENOENT);
	expect_failure(fake, "else", false, ERROR_DATA, 0);
	fake_disk_free(fake);
}

Test(fsck, lists_what_a_start_has_put_aside)
{
	struct fake_disk *fake = fsck_scene_queue();
	struct world world;

	flip_unit(fake);
	world_init(&world, fake);
	cr_assert(world_start(&world));
	cr_assert_eq(world.problems, 1);
	world_stop(&world);
	struct fsck *fsck = fsck_scene_look(fake);
	cr_assert_eq(fsck->kept_count, 1);
	cr_assert_eq(fsck->finding_count, 1, "%s", fsck_scene_told(fsck));
	cr_assert_eq(fsck->kept[0].bytes, fsck->findings[0].len);
	cr_assert(fsck->findings[0].is_kept);
	fsck_free(fsck);
	world_clear(&world);
}

/* Asking may fail anywhere: then that is told, and nothing stays open but what
 * body_clear() closes past the fake. */
Test(fsck, hides_no_failed_call)
{
	struct fake_disk *fake = fsck_scene_queue();
	struct disk disk = fsck_scene_disk(fake);
	struct fsck_options options = {.disk = &disk, .path = "queue"};
	size_t calls = fake_disk_calls(fake);
	struct fsck *fsck = fsck_scene_look(fake);

	fsck_free(fsck);
	calls = fake_disk_calls(fake) - calls;
	cr_assert_gt(calls, 100);
	for (size_t i = 0; i < calls; i++) {
		size_t open = fake_disk_open_count(fake);
		struct error error;
		fake_disk_plan(fake, i, FAKE_ERROR, EACCES);
		if (fsck_run(&options, &fsck, &error)) {
			cr_assert_gt(fsck->finding_count, 0, "call %zu", i);
			fsck_free(fsck);
		}
		cr_assert_leq(
		    fake_disk_open_count(fake), open + 1, "call %zu", i);
	}
	fake_disk_free(fake);
}

/* ---- summaries ---- */

static struct fake_disk *
summarized_queue(void)
{
	struct world world;

	world_init(&world, fake_disk_new());
	cr_assert(world_start(&world));
	cr_assert(world_run(&world, FSCK_SCENE_SCRIPT));
	fsck_scene_summarize(&world);
	struct fake_disk *fake = fake_disk_after_kill(world.fake);
	world_clear(&world);
	return fake;
}

Test(fsck, reads_summaries_as_a_start_does)
{
	struct fake_disk *with = summarized_queue();
	struct fake_disk *without = fsck_scene_queue();
	struct fsck *fsck = fsck_scene_look(with);
	struct fsck *plain = fsck_scene_look(without);

	cr_assert_eq(fsck->finding_count, 0, "%s", fsck_scene_told(fsck));
	cr_assert_eq(fsck->segment_count, plain->segment_count);
	for (size_t i = 0; i < fsck->segment_count; i++) {
		const struct fsck_segment *one = &fsck->segments[i];
		const struct fsck_segment *other = &plain->segments[i];
		cr_expect_eq(
		    one->has_summary, i + 1 < fsck->segment_count, "%zu", i);
		cr_expect(!other->has_summary);
		cr_expect_eq(one->units, other->units);
		cr_expect_eq(one->messages, other->messages);
		cr_expect_eq(one->live, other->live);
	}
	cr_expect_eq(fsck->waiting.count, plain->waiting.count);
	cr_expect_eq(fsck->held.count, plain->held.count);
	fsck_free(fsck);
	fsck_free(plain);
	fake_disk_free(with);
	fake_disk_free(without);
}

/* Each octet of a summary counts, and none costs anything. */
Test(fsck, tells_of_a_summary_that_does_not_count)
{
	struct fake_disk *fake = summarized_queue();
	const char *path = "queue/0000000000000001.sum";
	size_t len = fake_disk_get(fake, path).len;

	cr_assert_gt(len, 100);
	for (size_t at = 0; at < len; at += 7) {
		flip(fake, path, at);
		struct fsck *fsck = fsck_scene_look(fake);
		cr_assert_eq(fsck->finding_count, 1, "%zu: %s", at,
		    fsck_scene_told(fsck));
		cr_assert_eq(fsck->findings[0].kind, FSCK_SUMMARY);
		cr_assert_eq(fsck->gravities[FSCK_HARMLESS], 1);
		fsck_free(fsck);
		flip(fake, path, at);
	}
	fake_disk_put(fake, "queue/00000000000000ff.sum", BYTES("old"));
	struct fsck *fsck = fsck_scene_look(fake);
	cr_assert_eq(fsck->finding_count, 1, "%s", fsck_scene_told(fsck));
	cr_assert_str_eq(fsck->findings[0].file, "00000000000000ff.sum");
	fsck_free(fsck);
	fake_disk_free(fake);
}

/* The segment cannot be read, but the summary knows whose it was. */
Test(fsck, names_a_message_by_its_summary)
{
	struct fake_disk *fake = summarized_queue();
	struct fsck *fsck = fsck_scene_look(fake);
	const struct ledger_entry *entry = ledger_after(fsck->ledger, 0);
	uint64_t id = entry->id;
	size_t at = entry->place.offset + 20;

	cr_assert_eq(entry->place.segment, 1);
	fsck_free(fsck);
	flip(fake, segment_path(fake, 0), at);
	fsck = fsck_scene_look(fake);
	cr_assert(fsck_scene_has(fsck, FSCK_MESSAGE, id), "%s",
	    fsck_scene_told(fsck));
	cr_assert(fsck_scene_has(fsck, FSCK_UNITS, 0));
	fsck_free(fsck);
	fake_disk_free(fake);
}
