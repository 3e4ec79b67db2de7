/* What may lie in a queue's directory that the daemon did not put there: it is
 * told of, or the start is refused; nothing waits, and no mail is lost. */
#include "base/memory.h"
#include "fsck_scene.h"
#include "journal_scene.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

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

Test(strange, puts_a_segment_that_is_no_file_aside)
{
	for (size_t i = 0; i < ODDS; i++) {
		struct world world;

		scene_start(&world, SCENE_THREE);
		world_stop(&world);
		replace(&world, SCENE_SECOND, odds[i].odd);
		fake_disk_put_odd(
		    world.fake, "queue/0000000000000fff.log", odds[i].odd);
		scene_restart(&world);
		cr_expect_eq(world_size(&world), 10, "%s", odds[i].name);
		cr_expect_geq(world.problems, 2, "%s", odds[i].name);
		cr_expect(
		    scene_has(&world, "queue/corrupt", "0000000000000fff.log."),
		    "%s", odds[i].name);
		cr_assert(world_run(&world, "a5 a5 x d a1"));
		scene_restart(&world);
		cr_expect_eq(world.problems, 0, "%s", world.problem);
		world_clear(&world);
	}
}

Test(strange, is_told_by_who_looks)
{
	for (size_t i = 0; i < ODDS; i++) {
		struct world world;

		scene_start(&world, SCENE_THREE);
		world_stop(&world);
		replace(&world, SCENE_SECOND, odds[i].odd);
		replace(&world, "queue/spare", odds[i].odd);
		replace(&world, "queue/lock", odds[i].odd);
		replace(&world, "queue/bounds", odds[i].odd);
		struct fsck *fsck = fsck_scene_look(world.fake);
		cr_expect_gt(fsck->gravities[FSCK_DAMAGE], 0);
		cr_expect(fsck_scene_has(fsck, FSCK_NO_FILE, 0), "%s: %s",
		    odds[i].name, fsck_scene_told(fsck));
		fsck_free(fsck);
		world_clear(&world);
	}
}

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

/* ---- where nothing can be put aside ---- */

Test(strange, leaves_what_cannot_be_put_aside_and_goes_on)
{
	static const int numbers[] = {ENOSPC, EDQUOT, EXDEV, EROFS};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(int); i++) {
		struct world world;

		scene_start(&world, SCENE_THREE);
		world_stop(&world);
		scene_ruin(&world, SCENE_SECOND, 0, SEGMENT_HEADER_LEN);
		size_t len = fake_disk_get(world.fake, SCENE_SECOND).len;
		fake_disk_break(world.fake, "rename", numbers[i]);
		scene_restart(&world);
		cr_expect_eq(world_size(&world), 10);
		cr_expect_gt(world.problems, 0);
		cr_expect_eq(fake_disk_get(world.fake, SCENE_SECOND).len, len);
		fake_disk_break(world.fake, "", 0);
		scene_restart(&world);
		cr_expect(scene_has(
		    &world, "queue/corrupt", "0000000000000006.log."));
		world_clear(&world);
	}
}

/* The next segment would have its name. */
Test(strange, does_not_write_over_what_could_not_be_put_aside)
{
	struct world world;

	scene_start(&world, "a5");
	world_stop(&world);
	fake_disk_put(world.fake, SCENE_SECOND, BYTES("it held mail"));
	fake_disk_break(world.fake, "rename", ENOSPC);
	scene_restart(&world);
	fake_disk_break(world.fake, "", 0);
	cr_assert(world_run(&world, "a5 a5 a5"));
	cr_expect(
	    bytes_is(fake_disk_get(world.fake, SCENE_SECOND), "it held mail"));
	scene_restart(&world);
	cr_expect_eq(world_size(&world), 20);
	world_clear(&world);
}

/* ---- another format ---- */

static void
raise_version(struct world *world, const char *path)
{
	struct bytes content = fake_disk_get(world->fake, path);
	char *data = memory_copy(content);

	data[8] = 2;
	uint64_t check = XXH3_64bits(data, 56);
	for (size_t i = 0; i < 8; i++)
		data[56 + i] = (char)(check >> 8 * i);
	fake_disk_put(world->fake, path, bytes_make(data, content.len));
	free(data);
}

/* Wherever it stands in the directory. */
Test(strange, is_left_alone_beside_another_format)
{
	static const char *const paths[] = {
	    SCENE_FIRST, SCENE_SECOND, SCENE_THIRD};

	for (size_t i = 0; i < 3; i++) {
		struct world world;

		scene_start(&world, SCENE_THREE);
		world_stop(&world);
		raise_version(&world, paths[i]);
		scene_ruin(&world, paths[(i + 1) % 3], 0, SEGMENT_HEADER_LEN);
		fake_disk_put_odd(
		    world.fake, "queue/0.log", odds[i % ODDS].odd);
		fake_disk_put(world.fake, "queue/z.log", BYTES("none"));
		scene_refuse(&world, "format 2");
		world_clear(&world);
	}
}

/* ---- in other hands ---- */

Test(strange, is_refused_in_other_hands)
{
	static const struct {
		const char *path;
		unsigned owner, mode;
		const char *words;
	} rows[] = {
	    {"queue", 33, 0700,
		"queue belongs to uid 33, not to uid 0, who "
		"runs the daemon: chown 0 queue"},
	    {"queue", 0, 0770,
		"queue has mode 0770, so that others may write "
		"to it: chmod go-w queue"},
	    {"queue", 0, 0707, "chmod go-w queue"},
	    {"queue/large", 33, 0700, "chown 0 queue/large"},
	    {"queue/corrupt", 0, 0777, "chmod go-w queue/corrupt"},
	    {SCENE_SECOND, 33, 0600, "chown 0 " SCENE_SECOND},
	    {SCENE_SECOND, 33, 0, "chown 0 " SCENE_SECOND},
	    {SCENE_SECOND, 0, 0620, "chmod go-w " SCENE_SECOND},
	    {SCENE_SECOND, 0, 0602, "chmod go-w " SCENE_SECOND},
	    {"queue/spare", 33, 0600, "chown 0 queue/spare"},
	    {"queue/bounds", 0, 0666, "chmod go-w queue/bounds"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world world;

		scene_start(&world, SCENE_THREE " r");
		world_stop(&world);
		fake_disk_give(
		    world.fake, rows[i].path, rows[i].owner, rows[i].mode);
		scene_refuse(&world, rows[i].words);
		fake_disk_give(world.fake, rows[i].path, 0, 0700);
		scene_restart(&world);
		scene_expect_kept(&world, rows[i].path);
		world_clear(&world);
	}
}

Test(strange, in_other_hands_is_told_by_who_looks)
{
	static const struct {
		const char *path;
		unsigned owner, mode;
	} rows[] = {
	    {"queue", 0, 0770},
	    {SCENE_SECOND, 33, 0600},
	    {SCENE_SECOND, 0, 0666},
	    {"queue/spare", 33, 0600},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world world;

		scene_start(&world, SCENE_THREE " r");
		world_stop(&world);
		fake_disk_give(
		    world.fake, rows[i].path, rows[i].owner, rows[i].mode);
		struct fsck *fsck = fsck_scene_look(world.fake);
		cr_expect(fsck_scene_has(fsck, FSCK_SHARED, 0), "%s: %s",
		    rows[i].path, fsck_scene_told(fsck));
		cr_expect_eq(fsck->waiting.count, 15);
		fsck_free(fsck);
		world_clear(&world);
	}
}

/* ---- two daemons ---- */

static void
expect_busy(struct world *world)
{
	struct world second;

	/* Both on one disk. */
	world_copy(&second, world, world->fake);
	cr_expect_not(world_start(&second));
	cr_expect_eq(
	    second.error.number, EWOULDBLOCK, "%s", error_text(&second.error));
	struct fsck_options options = {
	    .disk = fake_disk_face(world->fake), .path = "queue"};
	struct fsck *fsck;
	struct error error;
	cr_expect_not(fsck_run(&options, &fsck, &error));
	cr_expect_eq(error.number, EWOULDBLOCK, "%s", error_text(&error));
}

Test(strange, has_one_daemon_when_the_lock_was_unlinked)
{
	struct world world;

	scene_start(&world, "a3");
	expect_busy(&world);
	cr_assert(fake_disk_remove(world.fake, "queue/lock"));
	expect_busy(&world);
	fake_disk_put(world.fake, "queue/lock", BYTES(""));
	expect_busy(&world);
	scene_restart(&world);
	scene_expect_kept(&world, "after all that");
	world_clear(&world);
}
