/* What may lie in a queue's directory that the daemon did not put there: it is
 * told of; nothing waits, and no mail is lost. */
#include "journal_scene.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static const struct {
	const char *name;
	enum fake_odd odd;
} odds[] = {
    {"a folder", FAKE_FOLDER},
    {"a pipe", FAKE_PIPE},
    {"a link", FAKE_LINK},
};

#define ODDS (sizeof(odds) / sizeof(odds[0]))

static void
replace(struct world *world, const char *path, enum fake_odd odd)
{
	(void)fake_disk_remove(world->fake, path);
	fake_disk_put_odd(world->fake, path, odd);
}

/* ---- no files ---- */

/* A message whose large body is a pipe is damaged, and others are not. */
Test(strange, takes_a_large_body_that_is_no_file_for_damage)
{
	for (size_t i = 0; i < ODDS; i++) {
		struct world world;
		struct message *message;
		struct error error;

		scene_start(&world, "a1 l");
		struct ledger_entry *entry = ledger_after(world.ledger, 1000);
		char *path = scene_body("large", entry->id);
		struct segment_message where =
		    ledger_where(world.ledger, entry);
		replace(&world, path, odds[i].odd);
		cr_expect_not(segment_load(fake_disk_face(world.fake),
		    journal_large_fd(world.journal), &where, &message, &error));
		cr_expect_eq(error.kind, ERROR_DATA, "%s: %s", odds[i].name,
		    error_text(&error));
		cr_expect(journal_quarantine(world.journal, &where, &error),
		    "%s", error_text(&error));
		free(path);
		world_clear(&world);
	}
}

Test(strange, does_without_a_summary_that_is_no_file)
{
	for (size_t i = 0; i < ODDS; i++) {
		struct world world;

		scene_start(&world, SCENE_THREE " s");
		world_stop(&world);
		replace(&world, "queue/0000000000000001.sum", odds[i].odd);
		scene_restart(&world);
		cr_expect_eq(
		    world.report.ignored_summaries, 1, "%s", odds[i].name);
		scene_expect_kept(&world, odds[i].name);
		cr_assert(world_run(&world, "s a5 s"));
		world_clear(&world);
	}
}

/* Quarantine looks for what it has kept, and writes to what it will rename. */
Test(strange, keeps_damage_beside_what_is_no_file)
{
	for (size_t i = 0; i < ODDS; i++) {
		struct world world;

		scene_start(&world, SCENE_THREE);
		struct place place =
		    ledger_where(world.ledger, ledger_find(world.ledger, 1007))
			.place;
		world_stop(&world);
		fake_disk_put_odd(
		    world.fake, "queue/corrupt/part", odds[i].odd);
		scene_ruin(&world, SCENE_SECOND, place.offset + 70, 4);
		scene_restart(&world);
		cr_expect_eq(world_size(&world), 14, "%s", odds[i].name);
		cr_expect_eq(world.problems, 1, "%s", odds[i].name);
		world_clear(&world);
	}
}
