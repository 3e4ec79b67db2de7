/* Damage that an earlier start put aside: it is told of, and what belonged to
 * it stays. */
#include "base/memory.h"
#include "journal_scene.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* A large body in each of three segments, and summaries. */
#define LARGE_THREE "l a4 l a4 l a4 s"

static bool
is_in(struct world *world, const char *folder, uint64_t id)
{
	char *path = scene_body(folder, id);
	bool is_there = fake_disk_get(world->fake, path).data != NULL;

	free(path);
	return is_there;
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
