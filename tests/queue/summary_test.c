/* Summaries of sealed segments: that they tell what the segments tell, and that
 * nothing hangs on them. */
#include "base/memory.h"
#include "lib/journal_world.h"
#include "queue/summary.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST      "queue/0000000000000001.log"
#define FIRST_SUM  "queue/0000000000000001.sum"
#define SECOND     "queue/0000000000000006.log"
#define SECOND_SUM "queue/0000000000000006.sum"
#define THIRD_SUM  "queue/000000000000000b.sum"

/* Three segments of five messages; the last is being written. */
#define THREE "a5 a5 a5"
/* All kinds of records in sealed segments. */
#define MANY "a9 p4 l a5 f3 b a9 p9 l f4 a3 p3 b h a9 p2 m a9 x a5"

/* ---- helpers ---- */

static void
start(struct world *world, const char *script)
{
	world_init(world, fake_disk_new());
	cr_assert(world_start(world), "%s", error_text(&world->error));
	cr_assert(world_run(world, script), "%s", error_text(&world->error));
}

static void
restart(struct world *world)
{
	world_stop(world);
	cr_assert(world_start(world), "%s", error_text(&world->error));
}

/* Number of steps it took; those that failed are in *out_failed. */
static size_t
summarize(struct world *world, size_t *out_failed)
{
	struct error error;
	size_t steps = 0;

	*out_failed = 0;
	while (journal_summaries_wanted(world->journal) > 0) {
		*out_failed += !journal_summarize(world->journal, &error);
		cr_assert_lt(++steps, 1000, "it comes to an end");
	}
	return steps;
}

static void
summarize_all(struct world *world)
{
	size_t failed;

	cr_assert_gt(summarize(world, &failed), 0);
	cr_assert_eq(failed, 0);
}

static void
expect_kept(struct world *world, const char *what)
{
	struct world_verdict verdict;
	cr_expect(world_check(world, &verdict), "%s: %s", what, verdict.text);
}

static bool
exists(const struct world *world, const char *path)
{
	return fake_disk_get(world->fake, path).data != NULL;
}

/* A copy that is freed with free(). */
static char *
copy_file(const struct world *world, const char *path, size_t *out_len)
{
	struct bytes content = fake_disk_get(world->fake, path);
	cr_assert_not_null(content.data, "%s", path);
	*out_len = content.len;
	return memory_copy(content);
}

static void
flip(struct world *world, const char *path, size_t at, size_t len)
{
	size_t size;
	char *data = copy_file(world, path, &size);

	cr_assert_leq(at + len, size);
	for (size_t i = at; i < at + len; i++)
		data[i] ^= 0x55;
	fake_disk_put(world->fake, path, bytes_make(data, size));
	free(data);
}

/* ---- what recovery tells ---- */

static void
append_fact(const struct journal_fact *fact, void *ctx)
{
	struct buffer *story = ctx;

	buffer_printf(story, "%d %llu in %llu at %u+%u", (int)fact->kind,
	    (unsigned long long)fact->id,
	    (unsigned long long)fact->segment.number, fact->place.offset,
	    fact->place.len);
	if (fact->kind == JOURNAL_MESSAGE)
		buffer_printf(story, " %s %zu %llu %d", fact->envelope->sender,
		    fact->envelope->recipient_count,
		    (unsigned long long)fact->size, fact->is_large);
	if (fact->kind == JOURNAL_PROGRESS)
		buffer_printf(story, " %u %d", fact->progress->attempts,
		    fact->progress->held);
	if (fact->kind == JOURNAL_SEGMENT)
		buffer_printf(story, " %llu, %zu of %zu",
		    (unsigned long long)fact->bytes, fact->index, fact->count);
	if (fact->kind == JOURNAL_PROBLEM)
		buffer_append_text(story, fact->text);
	buffer_append_text(story, "\n");
}

/* All facts of a start on this disk, as text; the caller frees it. */
static char *
story_of(const struct world *world, struct journal_report *report)
{
	struct fake_disk *fake = fake_disk_after_kill(world->fake);
	struct journal_options options = {
	    .disk = fake_disk_face(fake),
	    .path = "queue",
	    .segment_size = WORLD_SEGMENT_SIZE,
	};
	struct journal *journal;
	struct buffer story;
	struct error error;

	buffer_init(&story, SIZE_MAX);
	cr_assert(journal_open(
		      &options, append_fact, &story, &journal, report, &error),
	    "%s", error_text(&error));
	journal_free(journal);
	cr_assert_eq(fake_disk_open_count(fake), 0);
	fake_disk_free(fake);
	char *text = buffer_to_text(&story);
	buffer_clear(&story);
	return text;
}

Test(summary, tells_what_the_segments_tell)
{
	struct world world;
	struct journal_report before;
	struct journal_report after;

	start(&world, MANY);
	char *scanned = story_of(&world, &before);
	cr_expect_eq(before.summaries, 0);
	summarize_all(&world);
	char *summed = story_of(&world, &after);
	cr_expect_gt(after.segments, 3);
	cr_expect_eq(after.summaries, after.segments - 1);
	cr_expect_eq(after.ignored_summaries, 0);
	cr_expect_str_eq(summed, scanned);
	cr_expect_eq(after.units, before.units);
	cr_expect_eq(after.highest_id, before.highest_id);
	free(scanned);
	free(summed);
	world_clear(&world);
}

/* The reason for it all. */
Test(summary, spares_recovery_the_reading)
{
	struct world world;
	struct journal_report report;

	start(&world, MANY);
	summarize_all(&world);
	/* What nobody asks for may be as it will. */
	flip(&world, FIRST, SEGMENT_HEADER_LEN, UNIT_HEADER_LEN);
	free(story_of(&world, &report));
	cr_expect_eq(report.problems, 0);
	cr_expect_eq(report.summaries, report.segments - 1);
	world_clear(&world);
}

/* ---- which segments get one, and until when ---- */

Test(summary, is_only_of_sealed_segments)
{
	struct world world;

	start(&world, "a5");
	cr_expect_eq(journal_summaries_wanted(world.journal), 0);
	cr_assert(world_run(&world, "a5 a5"));
	cr_expect_eq(journal_summaries_wanted(world.journal), 2);
	summarize_all(&world);
	cr_expect(exists(&world, FIRST_SUM));
	cr_expect(exists(&world, SECOND_SUM));
	cr_expect_not(exists(&world, THIRD_SUM));
	world_clear(&world);
}

Test(summary, is_written_once)
{
	struct world world;

	start(&world, THREE);
	summarize_all(&world);
	restart(&world);
	cr_expect_eq(world.report.summaries, 2);
	cr_expect_eq(journal_summaries_wanted(world.journal), 0);
	world_clear(&world);
}

Test(summary, is_written_after_a_start_that_had_none)
{
	struct world world;

	start(&world, THREE);
	restart(&world);
	cr_expect_eq(world.report.summaries, 0);
	cr_expect_eq(world.report.ignored_summaries, 0);
	summarize_all(&world);
	restart(&world);
	cr_expect_eq(world.report.summaries, 2);
	expect_kept(&world, "after two starts");
	world_clear(&world);
}

Test(summary, goes_with_its_segment)
{
	struct world world;

	start(&world, THREE);
	summarize_all(&world);
	cr_assert(world_run(&world, "x d"));
	cr_expect_not(exists(&world, FIRST));
	cr_expect_not(exists(&world, FIRST_SUM));
	cr_expect_not(exists(&world, SECOND_SUM));
	world_clear(&world);
}

Test(summary, of_nobody_is_removed_and_other_files_stay)
{
	static const char *const STAY[] = {"queue/x.sum",
	    "queue/0000000000000001.summary", "queue/00000000000001.sum",
	    "queue/g000000000000000.sum", "queue/large/0000000000000007.sum"};
	struct world world;

	start(&world, THREE);
	summarize_all(&world);
	fake_disk_put(world.fake, "queue/0000000000000007.sum", BYTES("x"));
	fake_disk_put(world.fake, "queue/g0000000000000007.sum", BYTES("x"));
	for (size_t i = 0; i < sizeof(STAY) / sizeof(STAY[0]); i++)
		fake_disk_put(world.fake, STAY[i], BYTES("x"));
	restart(&world);
	cr_expect_not(exists(&world, "queue/0000000000000007.sum"));
	cr_expect_not(exists(&world, "queue/g0000000000000007.sum"));
	for (size_t i = 0; i < sizeof(STAY) / sizeof(STAY[0]); i++)
		cr_expect(exists(&world, STAY[i]), "%s", STAY[i]);
	cr_expect_eq(world.report.summaries, 2);
	world_clear(&world);
}

/* ---- large heads, small slices ---- */

struct reading {
	size_t messages;
	size_t recipients;
};

static void
count_recipients(const struct journal_fact *fact, void *ctx)
{
	struct reading *reading = ctx;

	reading->messages += fact->kind == JOURNAL_MESSAGE;
	if (fact->kind == JOURNAL_MESSAGE)
		reading->recipients += fact->envelope->recipient_count;
}

static void
commit_to_many(struct journal *journal, uint64_t id, size_t recipients)
{
	struct message *message = message_new();
	struct unit unit;
	struct unit *units[1] = {&unit};
	struct error error;
	struct buffer content;
	char address[128];

	message->id = id;
	envelope_set_sender(&message->envelope, BYTES("a@x.example"));
	for (size_t i = 0; i < recipients; i++) {
		(void)snprintf(address, sizeof(address), "%090zu@y.example", i);
		envelope_add_recipient(&message->envelope, bytes_of(address));
	}
	buffer_init(&content, SIZE_MAX);
	while (content.len < 2000000)
		buffer_append_text(&content, "twenty-six letters are it\n");
	body_set(&message->body, buffer_bytes(&content));
	buffer_clear(&content);
	unit_init(&unit);
	unit_add(&unit, record_message(message));
	cr_assert(journal_commit(journal, units, 1, &error));
	cr_assert(unit.is_committed, "%s", error_text(&unit.error));
	message_free(message);
}

Test(summary, takes_heads_longer_than_what_it_reads_at_once)
{
	struct fake_disk *fake = fake_disk_new();
	struct journal_options options = {
	    .disk = fake_disk_face(fake),
	    .path = "queue",
	    .segment_size = (uint64_t)6 * 1024 * 1024,
	};
	struct reading reading = {.messages = 0};
	struct journal_report report;
	struct journal *journal;
	struct error error;

	cr_assert(journal_open(
	    &options, count_recipients, &reading, &journal, &report, &error));
	commit_to_many(journal, 1, 5000);
	commit_to_many(journal, 2, 1);
	commit_to_many(journal, 3, 3000);
	commit_to_many(journal, 4, 1);
	while (journal_summaries_wanted(journal) > 0)
		cr_assert(journal_summarize(journal, &error), "%s",
		    error_text(&error));
	journal_free(journal);
	cr_assert(journal_open(
	    &options, count_recipients, &reading, &journal, &report, &error));
	cr_expect_eq(report.segments, 2);
	cr_expect_eq(report.summaries, 1);
	cr_expect_eq(reading.messages, 4);
	cr_expect_eq(reading.recipients, 8002);
	journal_free(journal);
	fake_disk_free(fake);
}

/* Where there is no content it would gain nothing. */
Test(summary, is_not_kept_where_it_is_hardly_shorter)
{
	struct fake_disk *fake = fake_disk_new();
	struct journal_options options = {
	    .disk = fake_disk_face(fake),
	    .path = "queue",
	    .segment_size = 65536,
	};
	struct reading reading = {.messages = 0};
	struct journal_report report;
	struct journal *journal;
	struct error error;

	cr_assert(journal_open(
	    &options, count_recipients, &reading, &journal, &report, &error));
	for (uint64_t id = 1; journal_summaries_wanted(journal) == 0; id++) {
		struct unit unit;
		struct unit *units[1] = {&unit};
		unit_init(&unit);
		unit_add(&unit, record_finished(id));
		cr_assert(journal_commit(journal, units, 1, &error));
	}
	cr_expect(journal_summarize(journal, &error), "it is no failure");
	cr_expect_eq(journal_summaries_wanted(journal), 0);
	char *names = fake_disk_names(fake, "queue");
	cr_expect_null(strstr(names, ".sum"), "%s", names);
	free(names);
	journal_free(journal);
	fake_disk_free(fake);
}

/* ---- summaries that do not count ---- */

/* What was ignored, and that nothing came of it. */
static void
expect_ignored(struct world *world, const char *what)
{
	struct world after;

	world_copy(&after, world, fake_disk_after_kill(world->fake));
	cr_assert(
	    world_start(&after), "%s: %s", what, error_text(&after.error));
	cr_expect_eq(after.report.ignored_summaries, 1, "%s", what);
	cr_expect_eq(after.report.summaries, 1, "%s", what);
	cr_expect_eq(after.problems, 0, "%s: %s", what, after.problem);
	expect_kept(&after, what);

	/* It is made anew. */
	summarize_all(&after);
	restart(&after);
	cr_expect_eq(after.report.summaries, 2, "%s", what);
	world_clear(&after);
}

Test(summary, with_any_octet_changed_is_ignored)
{
	struct world world;
	char what[64];

	start(&world, THREE);
	summarize_all(&world);
	size_t len = fake_disk_get(world.fake, FIRST_SUM).len;
	world_stop(&world);
	for (size_t at = 0; at < len; at++) {
		(void)snprintf(what, sizeof(what), "octet %zu", at);
		flip(&world, FIRST_SUM, at, 1);
		expect_ignored(&world, what);
		flip(&world, FIRST_SUM, at, 1);
	}
	world_clear(&world);
}

Test(summary, of_any_other_length_is_ignored)
{
	struct world world;
	char what[64];
	size_t len;

	start(&world, THREE);
	summarize_all(&world);
	world_stop(&world);
	char *data = copy_file(&world, FIRST_SUM, &len);
	data = memory_resize(data, len + 1);
	data[len] = 0;
	for (size_t size = 0; size <= len + 1; size += size < 70 ? 1 : 13) {
		if (size == len)
			continue;
		(void)snprintf(what, sizeof(what), "%zu octets", size);
		fake_disk_put(world.fake, FIRST_SUM, bytes_make(data, size));
		expect_ignored(&world, what);
	}
	free(data);
	world_clear(&world);
}

Test(summary, of_another_segment_is_ignored)
{
	struct world world;
	size_t len;

	start(&world, THREE);
	summarize_all(&world);
	world_stop(&world);
	char *data = copy_file(&world, SECOND_SUM, &len);
	fake_disk_put(world.fake, FIRST_SUM, bytes_make(data, len));
	free(data);
	expect_ignored(&world, "the second's");
	world_clear(&world);
}

/* It was sealed by a failed sync; then the next one was lost, and it was
 * written to again. */
Test(summary, from_before_its_segment_grew_is_ignored)
{
	struct world world;
	size_t len;

	start(&world, "a1");
	/* free_space, write, sync */
	fake_disk_plan(world.fake, 2, FAKE_ERROR, EIO);
	cr_assert(world_run(&world, "a1 a1"));
	summarize_all(&world);
	char *stale = copy_file(&world, FIRST_SUM, &len);
	world_stop(&world);
	cr_assert(fake_disk_remove(world.fake, "queue/0000000000000002.log"));
	cr_assert(world_start(&world));
	cr_expect_eq(world_size(&world), 1);
	world.count =
	    1; /* what is lost with a file is not what this is about */
	cr_assert(world_run(&world, "a5 a5 a5"));
	fake_disk_put(world.fake, FIRST_SUM, bytes_make(stale, len));
	free(stale);
	restart(&world);
	cr_expect_eq(world.report.ignored_summaries, 1);
	cr_expect_eq(world_size(&world), 16);
	expect_kept(&world, "with a stale summary");
	world_clear(&world);
}

/* ---- damage to a segment that has one ---- */

Test(summary, hides_no_damage_from_who_reads_the_message)
{
	static const struct row {
		const char *name;
		bool in_content;
		size_t at; /* octet of the unit, or of its content */
	} rows[] = {
	    {"the unit's header", false, 20},
	    {"its heads", false, 70},
	    {"the content", true, 3},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world world;
		struct message *message;
		struct error error;
		start(&world, THREE);
		summarize_all(&world);
		struct segment_message where =
		    ledger_where(world.ledger, ledger_find(world.ledger, 1002));
		world_stop(&world);
		flip(&world, FIRST,
		    where.place.offset + rows[i].at +
			(rows[i].in_content ? where.place.len : 0),
		    1);
		cr_assert(world_start(&world));
		cr_expect_eq(world.report.summaries, 2, "%s", rows[i].name);
		cr_expect_eq(world_size(&world), 15, "%s", rows[i].name);
		for (size_t k = 0; k < world.count; k++) {
			char text[128];
			enum world_state state =
			    world_examine(&world, &world.messages[k], text);
			cr_expect_eq(state,
			    world.messages[k].id == 1002 ? WORLD_DAMAGED
							 : WORLD_INTACT,
			    "%s: %s", rows[i].name, text);
		}

		/* It is put aside, and that is its end. */
		where =
		    ledger_where(world.ledger, ledger_find(world.ledger, 1002));
		cr_expect_not(segment_load(fake_disk_face(world.fake),
		    journal_large_fd(world.journal), &where, &message, &error));
		cr_expect_eq(error.kind, ERROR_DATA);
		cr_expect(journal_quarantine(world.journal, &where, &error));
		char *names = fake_disk_names(world.fake, "queue/corrupt");
		cr_expect_gt(strlen(names), 1, "%s", rows[i].name);
		free(names);
		world_clear(&world);
	}
}

/* What can be seen with a look at the last unit is told of at the start. */
Test(summary, is_ignored_where_the_segment_is_cut_or_its_end_damaged)
{
	struct world world;
	size_t len;

	start(&world, THREE);
	summarize_all(&world);
	struct segment_message where =
	    ledger_where(world.ledger, ledger_find(world.ledger, 1004));
	world_stop(&world);
	char *data = copy_file(&world, FIRST, &len);
	const struct row {
		const char *name;
		size_t flip_at;
		size_t len;
	} rows[] = {
	    {"cut in the last unit", 0, where.place.offset + 80},
	    {"cut before it", 0, where.place.offset},
	    {"cut to its header", 0, SEGMENT_HEADER_LEN},
	    {"its header changed", where.place.offset + 17, len},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fake_disk_put(world.fake, FIRST, bytes_make(data, rows[i].len));
		if (rows[i].flip_at > 0)
			flip(&world, FIRST, rows[i].flip_at, 1);
		struct world after;
		world_copy(&after, &world, fake_disk_after_kill(world.fake));
		cr_assert(world_start(&after));
		cr_expect_eq(
		    after.report.ignored_summaries, 1, "%s", rows[i].name);
		cr_expect_eq(after.problems, 1, "%s", rows[i].name);
		cr_expect_null(
		    ledger_find(after.ledger, 1004), "%s", rows[i].name);
		/* And it gets none, or the damage would be forgotten. */
		cr_expect_eq(journal_summaries_wanted(after.journal), 0);
		restart(&after);
		cr_expect_eq(
		    after.report.damaged_before + after.report.damaged, 1);
		world_clear(&after);
	}
	free(data);
	world_clear(&world);
}

Test(summary, of_a_damaged_segment_is_not_made)
{
	struct world world;
	struct error error;

	start(&world, THREE);
	flip(&world, FIRST, SEGMENT_HEADER_LEN + 70, 1);
	cr_expect_not(journal_summarize(world.journal, &error));
	cr_expect_eq(error.kind, ERROR_DATA);
	cr_expect_not_null(
	    strstr(error_text(&error), "unit 1"), "%s", error_text(&error));
	cr_expect_eq(journal_summaries_wanted(world.journal), 1);
	cr_expect(journal_summarize(world.journal, &error));
	cr_expect_not(exists(&world, FIRST_SUM));
	cr_expect(exists(&world, SECOND_SUM));
	world_clear(&world);
}

/* ---- a full disk ---- */

Test(summary, is_given_up_before_mail_is_refused)
{
	struct world world;
	uint64_t left = 0;

	start(&world, THREE);
	summarize_all(&world);
	char *names = fake_disk_names(world.fake, "queue");
	cr_expect_not_null(strstr(names, ".sum"));
	free(names);

	/* The floor is just above what is left. */
	world.free_floor = 3000;
	restart(&world);
	const struct disk *disk = fake_disk_face(world.fake);
	int fd = fake_disk_open(world.fake, "queue");
	cr_assert_eq(disk->free_space(disk->ctx, fd, &left), 0);
	fake_disk_set_capacity(world.fake, UINT64_MAX - left + 2900);
	size_t before = world_size(&world);
	cr_assert(world_step(&world, "a1"));
	cr_expect_eq(world_size(&world), before + 1);
	names = fake_disk_names(world.fake, "queue");
	cr_expect_null(strstr(names, ".sum"), "%s", names);
	free(names);
	cr_expect_eq(journal_summaries_wanted(world.journal), 0,
	    "and not written again at once");

	fake_disk_set_capacity(world.fake, UINT64_MAX);
	cr_assert(world_step(&world, "a1"));
	cr_expect_gt(journal_summaries_wanted(world.journal), 0);
	summarize_all(&world);
	restart(&world);
	cr_expect_gt(world.report.summaries, 0);
	expect_kept(&world, "after a full disk");
	world_clear(&world);
}

/* ---- calls that fail, and crashes ---- */

struct fault {
	const char *name;
	enum fake_fault fault;
	int number;
};

static const struct fault FAULTS[] = {
    {"EIO", FAKE_ERROR, EIO},
    {"ENOSPC", FAKE_ERROR, ENOSPC},
    {"EDQUOT", FAKE_ERROR, EDQUOT},
    {"EMFILE", FAKE_ERROR, EMFILE},
    {"ENOMEM", FAKE_ERROR, ENOMEM},
    {"EROFS", FAKE_ERROR, EROFS},
    {"EACCES", FAKE_ERROR, EACCES},
    {"EINTR", FAKE_ERROR, EINTR},
    {"short", FAKE_SHORT, 0},
};
#define FAULT_COUNT (sizeof(FAULTS) / sizeof(FAULTS[0]))

/* Each way to come by summaries, and to lose them. */
static const char *const PHASES[] = {"s", "a3 s a9 s", "x d", "r s", "r x d s"};
#define PHASE_COUNT (sizeof(PHASES) / sizeof(PHASES[0]))

/* As world_run(), and "s" goes on until nothing wants a summary. */
static bool
run(struct world *world, const char *script)
{
	struct bytes rest = bytes_of(script);

	while (rest.len > 0) {
		struct bytes part = bytes_cut(&rest, ' ');
		char step[4] = "";
		size_t failed;
		memcpy(step, part.data, part.len);
		if (strcmp(step, "s") == 0)
			summarize(world, &failed);
		else if (!world_step(world, step))
			return false;
		if (fake_disk_is_dead(world->fake))
			return false;
	}
	return true;
}

static void
check_disk(
    const struct world *crashed, struct fake_disk *fake, const char *what)
{
	struct world world;
	size_t failed;

	world_copy(&world, crashed, fake);
	cr_assert(
	    world_start(&world), "%s: %s", what, error_text(&world.error));
	expect_kept(&world, what);
	size_t size = world_size(&world);
	summarize(&world, &failed);
	cr_assert_eq(failed, 0);
	restart(&world);
	cr_expect_eq(world_size(&world), size, "%s", what);
	expect_kept(&world, what);
	cr_assert(world_step(&world, "a2"), "%s", what);
	world_clear(&world);
}

static bool
fail_one(const char *phase, size_t call, const struct fault *fault)
{
	struct world world;
	char what[256];

	(void)snprintf(what, sizeof(what), "\"%s\": %s at call %zu", phase,
	    fault->name, call);
	start(&world, "");
	cr_assert(run(&world, "a9 p4 l a9 f3 s a9 f2 a5"));
	fake_disk_plan(world.fake, call, fault->fault, fault->number);
	if (!run(&world, phase)) {
		/* Only what it does without summaries, too, may end it. */
		cr_assert(world.journal == NULL || strchr(phase, 'a') != NULL ||
			strchr(phase, 'x') != NULL,
		    "%s", what);
	}
	bool has_come = fake_disk_calls(world.fake) > call;
	world_stop(&world);
	check_disk(&world, fake_disk_after_kill(world.fake), what);
	world_clear(&world);
	return has_come;
}

Test(summary, does_no_harm_where_a_call_fails)
{
	for (size_t phase = 0; phase < PHASE_COUNT; phase++) {
		bool has_come = true;
		for (size_t call = 0; has_come; call++) {
			for (size_t i = 0; i < FAULT_COUNT; i++)
				has_come =
				    fail_one(PHASES[phase], call, &FAULTS[i]);
			cr_assert_lt(call, 2000);
		}
	}
}

/* While only summaries are written, nothing of the journal's may be touched. */
Test(summary, fails_alone)
{
	for (size_t i = 0; i < FAULT_COUNT; i++) {
		struct world world;
		struct journal_report report;
		size_t failed;
		start(&world, MANY);
		char *before = story_of(&world, &report);
		fake_disk_break(world.fake, "open write read unlink size list",
		    FAULTS[i].number == EINTR ? EIO : FAULTS[i].number);
		if (FAULTS[i].fault == FAKE_ERROR) {
			summarize(&world, &failed);
			cr_expect_gt(failed, 0, "%s", FAULTS[i].name);
		}
		fake_disk_break(world.fake, "", 0);
		char *after = story_of(&world, &report);
		cr_expect_str_eq(after, before, "%s", FAULTS[i].name);
		cr_assert(world_run(&world, "a9 p2 a5"));
		restart(&world);
		expect_kept(&world, FAULTS[i].name);
		free(before);
		free(after);
		world_clear(&world);
	}
}

/* Some of what the disk may look like afterwards; tests/crash has the rest. */
static void
explore(const struct world *crashed, const char *what, uint64_t *random)
{
	size_t count = fake_disk_pending(crashed->fake);
	bool *kept = memory_array(count + 1, sizeof(bool));

	check_disk(crashed, fake_disk_after_kill(crashed->fake), what);
	for (size_t round = 0; round < 12; round++) {
		for (size_t i = 0; i < count; i++) {
			*random ^= *random << 13;
			*random ^= *random >> 7;
			*random ^= *random << 17;
			kept[i] = round == 0 ? false
			    : round == 1     ? true
					     : *random % 2 == 0;
		}
		check_disk(crashed,
		    fake_disk_after_power_cut(crashed->fake, kept), what);
	}
	free(kept);
}

Test(summary, survives_a_crash_at_every_call)
{
	uint64_t random = 88172645463325252U;
	char what[128];

	for (size_t phase = 0; phase < PHASE_COUNT; phase++) {
		bool has_crashed = true;
		for (size_t call = 0; has_crashed; call++) {
			struct world world;
			start(&world, "");
			cr_assert(run(&world, "a9 p4 l a9 f3 s a9 f2 a5"));
			fake_disk_plan(world.fake, call, FAKE_CRASH, 0);
			(void)run(&world, PHASES[phase]);
			has_crashed = fake_disk_is_dead(world.fake);
			world_stop(&world);
			(void)snprintf(what, sizeof(what),
			    "\"%s\" crashed at call %zu", PHASES[phase], call);
			explore(&world, what, &random);
			world_clear(&world);
		}
	}
}
