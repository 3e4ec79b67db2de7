/* Summaries of sealed segments: that they tell what the segments tell, and
 * which get one. */
#include "base/memory.h"
#include "queue/summary.h"
#include "summary_scene.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what recovery tells ---- */

Test(summary, tells_what_the_segments_tell)
{
	struct world world;
	struct journal_report before;
	struct journal_report after;

	summary_scene_start(&world, MANY);
	char *scanned = summary_scene_story(&world, &before);
	cr_expect_eq(before.summaries, 0);
	summary_scene_summarize_all(&world);
	char *summed = summary_scene_story(&world, &after);
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

	summary_scene_start(&world, MANY);
	summary_scene_summarize_all(&world);
	/* What nobody asks for may be as it will. */
	summary_scene_flip(&world, FIRST, SEGMENT_HEADER_LEN, UNIT_HEADER_LEN);
	free(summary_scene_story(&world, &report));
	cr_expect_eq(report.problems, 0);
	cr_expect_eq(report.summaries, report.segments - 1);
	world_clear(&world);
}

/* ---- which segments get one, and until when ---- */

Test(summary, is_only_of_sealed_segments)
{
	struct world world;

	summary_scene_start(&world, "a5");
	cr_expect_eq(journal_summaries_wanted(world.journal), 0);
	cr_assert(world_run(&world, "a5 a5"));
	cr_expect_eq(journal_summaries_wanted(world.journal), 2);
	summary_scene_summarize_all(&world);
	cr_expect(summary_scene_exists(&world, FIRST_SUM));
	cr_expect(summary_scene_exists(&world, SECOND_SUM));
	cr_expect_not(summary_scene_exists(&world, THIRD_SUM));
	world_clear(&world);
}

Test(summary, is_written_once)
{
	struct world world;

	summary_scene_start(&world, THREE);
	summary_scene_summarize_all(&world);
	summary_scene_restart(&world);
	cr_expect_eq(world.report.summaries, 2);
	cr_expect_eq(journal_summaries_wanted(world.journal), 0);
	world_clear(&world);
}

Test(summary, is_written_after_a_start_that_had_none)
{
	struct world world;

	summary_scene_start(&world, THREE);
	summary_scene_restart(&world);
	cr_expect_eq(world.report.summaries, 0);
	cr_expect_eq(world.report.ignored_summaries, 0);
	summary_scene_summarize_all(&world);
	summary_scene_restart(&world);
	cr_expect_eq(world.report.summaries, 2);
	summary_scene_expect_kept(&world, "after two starts");
	world_clear(&world);
}

Test(summary, goes_with_its_segment)
{
	struct world world;

	summary_scene_start(&world, THREE);
	summary_scene_summarize_all(&world);
	cr_assert(world_run(&world, "x d"));
	cr_expect_not(summary_scene_exists(&world, FIRST));
	cr_expect_not(summary_scene_exists(&world, FIRST_SUM));
	cr_expect_not(summary_scene_exists(&world, SECOND_SUM));
	world_clear(&world);
}

Test(summary, of_nobody_is_removed_and_other_files_stay)
{
	static const char *const STAY[] = {"queue/x.sum",
	    "queue/0000000000000001.summary", "queue/00000000000001.sum",
	    "queue/g000000000000000.sum", "queue/large/0000000000000007.sum"};
	struct world world;

	summary_scene_start(&world, THREE);
	summary_scene_summarize_all(&world);
	fake_disk_put(world.fake, "queue/0000000000000007.sum", BYTES("x"));
	fake_disk_put(world.fake, "queue/g0000000000000007.sum", BYTES("x"));
	for (size_t i = 0; i < sizeof(STAY) / sizeof(STAY[0]); i++)
		fake_disk_put(world.fake, STAY[i], BYTES("x"));
	summary_scene_restart(&world);
	cr_expect_not(
	    summary_scene_exists(&world, "queue/0000000000000007.sum"));
	cr_expect_not(
	    summary_scene_exists(&world, "queue/g0000000000000007.sum"));
	for (size_t i = 0; i < sizeof(STAY) / sizeof(STAY[0]); i++)
		cr_expect(summary_scene_exists(&world, STAY[i]), "%s", STAY[i]);
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
