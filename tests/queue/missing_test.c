/* Segments that are gone as whole files, and damage that an earlier start put
 * aside: it is told of, and what belonged to it stays. */
#include "base/memory.h"
#include "fsck_scene.h"
#include "journal_scene.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A large body in each of three segments, and summaries. */
#define LARGE_THREE "l a4 l a4 l a4 s"

static void
remove_file(struct world *world, const char *path)
{
	cr_assert(fake_disk_remove(world->fake, path), "%s", path);
}

static bool
is_in(struct world *world, const char *folder, uint64_t id)
{
	char *path = scene_body(folder, id);
	bool is_there = fake_disk_get(world->fake, path).data != NULL;

	free(path);
	return is_there;
}

static void
expect_told(struct world *world, const char *words)
{
	cr_expect_gt(world->problems, 0, "%s", words);
	cr_expect_gt(world->report.damaged, 0, "%s", words);
	cr_expect_not_null(strstr(world->problem, words), "%s", world->problem);
}

/* Not again, but that something lies there. */
static void
expect_quiet(struct world *world)
{
	cr_expect_eq(world->problems, 0, "%s", world->problem);
	cr_expect_gt(world->report.kept_files, 0);
}

static void
expect_damage(struct world *world, enum fsck_kind kind)
{
	struct fsck *fsck = fsck_scene_look(world->fake);

	cr_expect(fsck_scene_has(fsck, kind, 0), "%s", fsck_scene_told(fsck));
	cr_expect_gt(fsck->gravities[FSCK_DAMAGE], 0);
	fsck_free(fsck);
}

/* ---- segments ---- */

Test(missing, is_told_of_the_oldest_segment)
{
	struct world world;

	scene_start(&world, LARGE_THREE);
	uint64_t large = world.messages[0].id;
	world_stop(&world);
	remove_file(&world, SCENE_FIRST);
	expect_damage(&world, FSCK_MISSING);
	scene_restart(&world);
	cr_expect_eq(world_size(&world), 10);
	expect_told(&world, "oldest segments are gone: generations 1 to 1");
	cr_expect(is_in(&world, "corrupt", large));
	cr_expect(scene_has(&world, "queue/corrupt", "0000000000000001.sum."));
	scene_restart(&world);
	expect_quiet(&world);
	world_clear(&world);
}

Test(missing, is_told_of_one_in_the_middle_once)
{
	struct world world;

	scene_start(&world, LARGE_THREE);
	uint64_t large = world.messages[5].id;
	world_stop(&world);
	remove_file(&world, SCENE_SECOND);
	expect_damage(&world, FSCK_UNITS);
	scene_restart(&world);
	expect_told(&world, "units 6 to 10");
	cr_expect(is_in(&world, "corrupt", large));
	scene_restart(&world);
	expect_quiet(&world);
	world_clear(&world);
}

Test(missing, is_told_of_the_newest_segment)
{
	struct world world;

	scene_start(&world, LARGE_THREE);
	uint64_t large = world.messages[10].id;
	world_stop(&world);
	remove_file(&world, SCENE_THIRD);
	expect_damage(&world, FSCK_MISSING);
	scene_restart(&world);
	cr_expect_eq(world_size(&world), 10);
	expect_told(&world, "newest segments are gone: generations 3 to 3");
	cr_expect(is_in(&world, "corrupt", large));
	cr_expect_geq(world.report.highest_id, world.messages[14].id,
	    "no id is given again");
	cr_assert(world_run(&world, "a5"));
	world_clear(&world);
}

/* It comes back, from a backup: then its mail does, and none is lost. */
Test(missing, may_be_put_back_later)
{
	static const char *const paths[] = {
	    SCENE_FIRST, SCENE_SECOND, SCENE_THIRD};

	for (size_t i = 0; i < 3; i++) {
		struct world world;

		scene_start(&world, SCENE_THREE);
		world_stop(&world);
		struct bytes content = fake_disk_get(world.fake, paths[i]);
		char *kept = memory_copy(content);
		remove_file(&world, paths[i]);
		scene_restart(&world);
		cr_expect_eq(world_size(&world), 10);
		cr_assert(world_run(&world, "a3 a5 a5"));
		world_stop(&world);
		fake_disk_put(
		    world.fake, paths[i], bytes_make(kept, content.len));
		scene_restart(&world);
		cr_expect_eq(world_size(&world), 28, "%s: %zu", paths[i],
		    world_size(&world));
		scene_expect_kept(&world, paths[i]);
		free(kept);
		world_clear(&world);
	}
}

static void
remove_all(struct world *world)
{
	remove_file(world, SCENE_FIRST);
	remove_file(world, SCENE_SECOND);
	remove_file(world, SCENE_THIRD);
}

Test(missing, is_told_of_all_segments)
{
	struct world world;

	scene_start(&world, LARGE_THREE);
	world_stop(&world);
	remove_all(&world);
	expect_damage(&world, FSCK_MISSING);
	scene_restart(&world);
	expect_told(&world, "segments are gone: generations 1 to 3");
	for (size_t i = 0; i < 15; i += 5)
		cr_expect(is_in(&world, "corrupt", world.messages[i].id));
	cr_expect_gt(journal_current(world.journal).number, 3);
	cr_assert(world_run(&world, "a5"));
	scene_restart(&world);
	expect_quiet(&world);
	cr_expect_eq(world_size(&world), 5);
	world_clear(&world);
}

/* Not even the bounds are there: only large bodies say that it is not new. */
Test(missing, is_told_where_only_large_bodies_are_left)
{
	struct world world;

	scene_start(&world, LARGE_THREE);
	world_stop(&world);
	remove_all(&world);
	remove_file(&world, "queue/bounds");
	expect_damage(&world, FSCK_MISSING);
	scene_restart(&world);
	expect_told(&world, "there are large bodies");
	for (size_t i = 0; i < 15; i += 5)
		cr_expect(is_in(&world, "corrupt", world.messages[i].id));
	world_clear(&world);
}

/* ---- the bounds ---- */

/* A queue of a version that had none gets them, and is right by them. */
Test(missing, is_not_told_without_bounds)
{
	struct world world;

	scene_start(&world, SCENE_THREE " x d a5");
	world_stop(&world);
	remove_file(&world, "queue/bounds");
	scene_restart(&world);
	cr_expect_eq(world.problems, 0, "%s", world.problem);
	cr_expect(scene_has(&world, "queue", "bounds"));
	scene_restart(&world);
	cr_expect_eq(world.problems, 0, "%s", world.problem);
	world_clear(&world);
}

/* Any octet of them: at worst they tell nothing, or of less. */
Test(missing, is_not_told_for_damaged_bounds)
{
	struct world world;

	scene_start(&world, SCENE_THREE " x d a5 a5 a5 x d");
	world_stop(&world);
	size_t len = fake_disk_get(world.fake, "queue/bounds").len;
	cr_expect_eq(len, 1024);
	for (size_t at = 0; at < len; at++) {
		struct world other;

		world_copy(&other, &world, fake_disk_after_kill(world.fake));
		scene_ruin(&other, "queue/bounds", at, 1);
		scene_restart(&other);
		cr_expect_eq(other.problems, 0, "%zu: %s", at, other.problem);
		world_clear(&other);
	}
	world_clear(&world);
}

/* Segments go, and the bounds cannot be written: no false alarm. */
Test(missing, is_not_told_where_the_bounds_could_not_be_written)
{
	struct world world;

	scene_start(&world, SCENE_THREE " x");
	fake_disk_harden(world.fake, "queue/bounds", 0, 4096);
	cr_assert(world_run(&world, "d"));
	scene_restart(&world);
	cr_expect_eq(world.problems, 0, "%s", world.problem);
	cr_expect_leq(world.report.segments, 2);
	world_clear(&world);
}

/* ---- what lies in corrupt/ ---- */

/* A start that put a segment aside died before it came to the bodies. */
Test(missing, keeps_the_bodies_of_what_an_earlier_start_put_aside)
{
	struct world world;

	scene_start(&world, LARGE_THREE);
	uint64_t large = world.messages[5].id;
	world_stop(&world);
	scene_ruin(&world, SCENE_SECOND, 0, SEGMENT_HEADER_LEN);
	bool has_crashed = true;
	for (size_t call = 0; has_crashed; call++) {
		struct world crashed, next;
		world_copy(&crashed, &world, fake_disk_after_kill(world.fake));
		fake_disk_plan(crashed.fake, call, FAKE_CRASH, 0);
		(void)world_start(&crashed);
		has_crashed = fake_disk_is_dead(crashed.fake);
		world_stop(&crashed);
		world_copy(&next, &crashed, fake_disk_after_kill(crashed.fake));
		scene_restart(&next);
		cr_expect(is_in(&next, "corrupt", large), "call %zu", call);
		cr_expect_gt(next.report.kept_files, 0, "call %zu", call);
		world_clear(&next);
		world_clear(&crashed);
	}
	world_clear(&world);
}

/* Bodies alone are evidence of nothing, and soon nobody looks. */
Test(missing, removes_bodies_of_nobody_where_nothing_tells_of_them)
{
	struct world world;
	char *kept = scene_body("corrupt", 77);
	char *orphan = scene_body("large", 78);

	scene_start(&world, "a1");
	world_stop(&world);
	fake_disk_put(world.fake, kept, BYTES("an old body"));
	fake_disk_put(world.fake, orphan, BYTES("of nobody"));
	scene_restart(&world);
	cr_expect_eq(world.report.kept_files, 1);
	cr_expect_not(is_in(&world, "large", 78));
	cr_expect_not(is_in(&world, "corrupt", 78));

	fake_disk_put(world.fake, orphan, BYTES("of nobody"));
	fake_disk_put(
	    world.fake, "queue/corrupt/x.log.1234", BYTES("a segment"));
	scene_restart(&world);
	cr_expect_eq(world.report.kept_files, 2);
	cr_expect(is_in(&world, "corrupt", 78));
	free(kept);
	free(orphan);
	world_clear(&world);
}
