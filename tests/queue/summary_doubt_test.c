/* Summaries that do not count, and what a summary does not hide. */
#include "base/memory.h"
#include "queue/summary.h"
#include "summary_scene.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	summary_scene_expect_kept(&after, what);

	/* It is made anew. */
	summary_scene_summarize_all(&after);
	summary_scene_restart(&after);
	cr_expect_eq(after.report.summaries, 2, "%s", what);
	world_clear(&after);
}

Test(summary, with_any_octet_changed_is_ignored)
{
	struct world world;
	char what[64];

	summary_scene_start(&world, THREE);
	summary_scene_summarize_all(&world);
	size_t len = fake_disk_get(world.fake, FIRST_SUM).len;
	world_stop(&world);
	for (size_t at = 0; at < len; at++) {
		(void)snprintf(what, sizeof(what), "octet %zu", at);
		summary_scene_flip(&world, FIRST_SUM, at, 1);
		expect_ignored(&world, what);
		summary_scene_flip(&world, FIRST_SUM, at, 1);
	}
	world_clear(&world);
}

Test(summary, of_any_other_length_is_ignored)
{
	struct world world;
	char what[64];
	size_t len;

	summary_scene_start(&world, THREE);
	summary_scene_summarize_all(&world);
	world_stop(&world);
	char *data = summary_scene_copy_file(&world, FIRST_SUM, &len);
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

	summary_scene_start(&world, THREE);
	summary_scene_summarize_all(&world);
	world_stop(&world);
	char *data = summary_scene_copy_file(&world, SECOND_SUM, &len);
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

	summary_scene_start(&world, "a1");
	/* free_space, write, sync */
	fake_disk_plan(world.fake, 2, FAKE_ERROR, EIO);
	cr_assert(world_run(&world, "a1 a1"));
	summary_scene_summarize_all(&world);
	char *stale = summary_scene_copy_file(&world, FIRST_SUM, &len);
	world_stop(&world);
	cr_assert(fake_disk_remove(world.fake, "queue/0000000000000002.log"));
	cr_assert(world_start(&world));
	cr_expect_eq(world_size(&world), 1);
	world.count =
	    1; /* what is lost with a file is not what this is about */
	cr_assert(world_run(&world, "a5 a5 a5"));
	fake_disk_put(world.fake, FIRST_SUM, bytes_make(stale, len));
	free(stale);
	summary_scene_restart(&world);
	cr_expect_eq(world.report.ignored_summaries, 1);
	cr_expect_eq(world_size(&world), 16);
	summary_scene_expect_kept(&world, "with a stale summary");
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
		summary_scene_start(&world, THREE);
		summary_scene_summarize_all(&world);
		struct segment_message where =
		    ledger_where(world.ledger, ledger_find(world.ledger, 1002));
		world_stop(&world);
		summary_scene_flip(&world, FIRST,
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

	summary_scene_start(&world, THREE);
	summary_scene_summarize_all(&world);
	struct segment_message where =
	    ledger_where(world.ledger, ledger_find(world.ledger, 1004));
	world_stop(&world);
	char *data = summary_scene_copy_file(&world, FIRST, &len);
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
			summary_scene_flip(&world, FIRST, rows[i].flip_at, 1);
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
		summary_scene_restart(&after);
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

	summary_scene_start(&world, THREE);
	summary_scene_flip(&world, FIRST, SEGMENT_HEADER_LEN + 70, 1);
	cr_expect_not(journal_summarize(world.journal, &error));
	cr_expect_eq(error.kind, ERROR_DATA);
	cr_expect_not_null(
	    strstr(error_text(&error), "unit 1"), "%s", error_text(&error));
	cr_expect_eq(journal_summaries_wanted(world.journal), 1);
	cr_expect(journal_summarize(world.journal, &error));
	cr_expect_not(summary_scene_exists(&world, FIRST_SUM));
	cr_expect(summary_scene_exists(&world, SECOND_SUM));
	world_clear(&world);
}
