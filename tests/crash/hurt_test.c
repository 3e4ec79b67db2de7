/*
 * Queues that are hurt when they crash: a place that takes no octets, a limit
 * of the size of files, segments that are damaged or gone.  They crash at every
 * call to the disk, and each start that follows keeps what there is.
 */
#include "base/memory.h"
#include "crash/explore.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATES 60

/* ---- where nothing can be written ---- */

struct scene {
	const char *name;
	const char *before; /* what is done on a disk that is well, */
	uint64_t behind;    /* then its newest segment takes nothing from so
			       many octets before the end on; 0: all is well, */
	uint64_t limit;     /* or no file grows beyond that, */
	const char *script; /* and this is done */
};

static const struct scene scenes[] = {
    {"an end that takes nothing", "a3 l p2", 1, 0, "a2 p1 f1 a9 l r a2 x d"},
    {"a last group that takes nothing", "a3 l p2", 300, 0,
	"r a2 p1 f1 a9 l r a2"},
    {"a limit", "a1", 0, WORLD_SEGMENT_SIZE, "a2 l a2 p2 a3 f4 d a2 r b x d"},
    {"a limit that was passed", "a5", 0, 5000, "r a2 p2 f2 a1 r x d a1"},
};

/* A world that dies at this call of the scene's script. */
static bool
run_to_crash(struct world *world, const struct scene *scene, size_t call)
{
	world_init(world, fake_disk_new());
	world->reserve = 4500;
	cr_assert(world_start(world));
	cr_assert(world_run(world, scene->before));
	uint64_t end = journal_current_bytes(world->journal);
	char *newest = fake_disk_newest_segment(world->fake);
	if (scene->behind > 0)
		fake_disk_harden(
		    world->fake, newest, end + 1 - scene->behind, 4096);
	free(newest);
	if (scene->limit > 0)
		fake_disk_limit(world->fake, scene->limit);
	fake_disk_plan(world->fake, call, FAKE_CRASH, 0);
	(void)world_run(world, scene->script);
	bool has_crashed = fake_disk_is_dead(world->fake);
	world_stop(world);
	return has_crashed;
}

Test(hurt, loses_nothing_where_nothing_can_be_written)
{
	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
		struct tally tally;
		char what[128];
		bool has_crashed = true;

		tally_init(&tally);
		for (size_t call = 0; has_crashed; call++) {
			struct world world;
			has_crashed = run_to_crash(&world, &scenes[i], call);
			(void)snprintf(what, sizeof(what), "%s, at call %zu",
			    scenes[i].name, call);
			explore_crash(&tally, &world, STATES, what);
			world_clear(&world);
		}
		tally_tell(&tally, scenes[i].name);
		tally_clear(&tally);
	}
}

/* ---- segments that are damaged or gone ---- */

#define FIRST  "queue/0000000000000001.log"
#define SECOND "queue/0000000000000006.log"
#define THIRD  "queue/000000000000000b.log"

static void
ruin(struct fake_disk *fake, const char *path)
{
	struct bytes content = fake_disk_get(fake, path);
	char *data = memory_copy(content);

	memset(data, 0x55, SEGMENT_HEADER_LEN);
	fake_disk_put(fake, path, bytes_make(data, content.len));
	free(data);
}

static void
replace(struct fake_disk *fake, const char *path)
{
	cr_assert(fake_disk_remove(fake, path));
	fake_disk_put_odd(fake, path, FAKE_FOLDER);
}

static void
lose(struct fake_disk *fake, const char *path)
{
	cr_assert(fake_disk_remove(fake, path));
}

static void
lose_all(struct fake_disk *fake, const char *path)
{
	(void)path;
	lose(fake, FIRST);
	lose(fake, SECOND);
	lose(fake, THIRD);
}

static const struct {
	const char *name;
	void (*hurt)(struct fake_disk *fake, const char *path);
	const char *path;
	size_t body; /* the message whose large body is to stay */
} hurts[] = {
    {"the oldest has no header", ruin, FIRST, 0},
    {"the newest has no header", ruin, THIRD, 10},
    {"one is a folder", replace, SECOND, 5},
    {"the oldest is gone", lose, FIRST, 0},
    {"one is gone", lose, SECOND, 5},
    {"the newest is gone", lose, THIRD, 10},
    {"all are gone", lose_all, NULL, 5},
};

static bool
is_in(const struct world *world, const char *folder, uint64_t id)
{
	char *path = memory_format("queue/%s/%s", folder, queue_id_of(id).text);
	bool is_there = fake_disk_get(world->fake, path).data != NULL;

	free(path);
	return is_there;
}

/* A start on what a crash left: the body is there, and so is a word of it. */
static void
check_start(const struct world *crashed, struct fake_disk *fake, uint64_t id,
    const char *what)
{
	struct world world;

	world_copy(&world, crashed, fake);
	cr_assert(
	    world_start(&world), "%s: %s", what, error_text(&world.error));
	cr_assert(is_in(&world, "large", id) || is_in(&world, "corrupt", id),
	    "%s: the body is gone", what);
	cr_assert(world.problems + world.report.kept_files > 0,
	    "%s: nothing is told", what);
	cr_assert(world_run(&world, "a2 r a1"), "%s: %s", what,
	    error_text(&world.error));
	world_clear(&world);
}

static void
check_crash(const struct world *crashed, uint64_t id, const char *what)
{
	size_t count = fake_disk_pending(crashed->fake);
	size_t choices = count < 8 ? (size_t)1 << count : 256;
	bool *kept = memory_array(count + 1, sizeof(bool));
	uint64_t random = 88172645463325252U;

	check_start(crashed, fake_disk_after_kill(crashed->fake), id, what);
	for (size_t i = 0; i < choices; i++) {
		for (size_t k = 0; k < count; k++) {
			random = random * 6364136223846793005U + 1;
			kept[k] =
			    count < 8 ? (i >> k & 1) != 0 : random >> 63 != 0;
		}
		check_start(crashed,
		    fake_disk_after_power_cut(crashed->fake, kept), id, what);
	}
	free(kept);
}

Test(hurt, keeps_large_bodies_of_segments_that_are_gone)
{
	struct world before;

	world_init(&before, fake_disk_new());
	cr_assert(world_start(&before));
	cr_assert(world_run(&before, "l a4 l a4 l a4 s"));
	world_stop(&before);
	for (size_t i = 0; i < sizeof(hurts) / sizeof(hurts[0]); i++) {
		uint64_t id = before.messages[hurts[i].body].id;
		bool has_crashed = true;

		for (size_t call = 0; has_crashed; call++) {
			struct world world;
			char what[128];
			world_copy(&world, &before,
			    explore_cut_power(before.fake, true));
			hurts[i].hurt(world.fake, hurts[i].path);
			fake_disk_plan(world.fake, call, FAKE_CRASH, 0);
			if (world_start(&world))
				(void)world_run(&world, "a2 d");
			has_crashed = fake_disk_is_dead(world.fake);
			world_stop(&world);
			(void)snprintf(what, sizeof(what), "%s, at call %zu",
			    hurts[i].name, call);
			check_crash(&world, id, what);
			world_clear(&world);
		}
	}
	world_clear(&before);
}
