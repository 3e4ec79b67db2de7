/* Disks that take no more octets, at one place or at any: the queue goes
 * elsewhere, and what is not taken is told why. */
#include "journal_scene.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Whether the group is committed; error is the unit's. */
static bool
commit(struct world *world, bool needs_room, struct error *error)
{
	struct message *message = message_new();
	struct unit unit;
	struct unit *units[1] = {&unit};

	message->id = ledger_new_id(world->ledger, 1);
	unit_init(&unit);
	unit.needs_room = needs_room;
	unit_add(&unit, record_message(message));
	cr_assert(journal_commit(world->journal, units, 1, &world->error), "%s",
	    error_text(&world->error));
	message_free(message);
	*error = unit.error;
	return unit.is_committed;
}

/* One place that takes nothing costs one group its answer. */
Test(writing, goes_on_in_a_new_segment_where_one_place_takes_nothing)
{
	struct world world;
	struct error error;

	scene_start(&world, "a1");
	fake_disk_harden(
	    world.fake, SCENE_FIRST, journal_current_bytes(world.journal), 8);
	cr_expect_not(commit(&world, true, &error));
	cr_expect_eq(error.number, EIO);
	cr_expect(commit(&world, true, &error), "%s", error_text(&error));
	cr_expect_eq(journal_current(world.journal).number, 2);
	cr_assert(world_run(&world, "a5 p2 f1"));
	scene_restart(&world);
	cr_expect_eq(world.problems, 0, "%s", world.problem);
	world_clear(&world);
}

/* A start finds the end, and what is before it, as hard as it was. */
Test(writing, starts_where_the_newest_end_takes_nothing)
{
	for (uint64_t before = 0; before < 3; before++) {
		struct world world;

		scene_start(&world, "a3");
		uint64_t end = journal_current_bytes(world.journal);
		fake_disk_harden(
		    world.fake, SCENE_FIRST, end - before * 100, 4096);
		for (int times = 0; times < 3; times++) {
			scene_restart(&world);
			cr_expect_eq(world.problems, 0, "%s", world.problem);
			scene_expect_kept(&world, "after a start");
			(void)world_run(&world, "p1 a1 f1 a2");
		}
		cr_expect_gt(world_size(&world), 5);
		scene_restart(&world);
		scene_expect_kept(&world, "in the end");
		world_clear(&world);
	}
}

/* As with ulimit -f: smaller than a segment. */
Test(writing, goes_on_below_a_limit_of_the_size_of_files)
{
	struct world world;
	size_t refused = 0;

	world_init(&world, fake_disk_new());
	fake_disk_limit(world.fake, WORLD_SEGMENT_SIZE);
	world.reserve = 4096;
	cr_assert(world_start(&world));
	for (int i = 0; i < 20; i++) {
		size_t before = world_size(&world);
		cr_assert(world_run(&world, "a2"));
		refused += world_size(&world) == before;
	}
	cr_expect_leq(refused, 2, "%zu", refused);
	scene_restart(&world);
	scene_expect_kept(&world, "after a start");
	cr_assert(world_run(&world, "a2 x d a2"));
	cr_expect_eq(world_size(&world), 2);
	world_clear(&world);
}

/* The limit came when the segment had grown past it. */
Test(writing, starts_where_the_newest_is_past_a_limit)
{
	struct world world;

	scene_start(&world, "a5");
	size_t len = fake_disk_get(world.fake, SCENE_FIRST).len;
	fake_disk_limit(world.fake, len - 200);
	world.reserve = 4096;
	scene_restart(&world);
	cr_expect_eq(journal_current(world.journal).number, 2);
	cr_assert(world_run(&world, "f1 a1"));
	scene_restart(&world);
	cr_expect_eq(world_size(&world), 5);
	scene_expect_kept(&world, "after two starts");
	world_clear(&world);
}

Test(writing, makes_another_spare_where_one_takes_nothing)
{
	struct world world;

	scene_start(&world, SCENE_THREE " x d");
	fake_disk_harden(world.fake, "queue/spare", 0, 4096);
	cr_assert(world_run(&world, "a5 a5"), "%s", error_text(&world.error));
	scene_restart(&world);
	scene_expect_kept(&world, "after a start");
	cr_expect_eq(world_size(&world), 10);
	world_clear(&world);
}

/* A file system that writes elsewhere than where there was something: what was
 * reserved is no room there, and takes some, also from a quota. */
Test(writing, gives_up_a_spare_that_takes_nothing_where_it_is_full)
{
	struct world world;
	struct error error;

	scene_start(&world, "a5");
	cr_expect_not_null(fake_disk_get(world.fake, "queue/spare").data);
	fake_disk_break(world.fake, "write", EDQUOT);
	cr_expect_not(commit(&world, false, &error));
	cr_expect_eq(error.number, EDQUOT, "%s", error_text(&error));
	cr_expect_null(fake_disk_get(world.fake, "queue/spare").data);
	fake_disk_break(world.fake, "", 0);
	cr_assert(world_run(&world, "f1 a1"), "%s", error_text(&world.error));
	scene_restart(&world);
	cr_expect_eq(world_size(&world), 5);
	scene_expect_kept(&world, "after a start");
	world_clear(&world);
}

static void
start_small(
    struct world *world, uint64_t reserve, uint64_t floor, uint64_t capacity)
{
	scene_start(world, "");
	world->reserve = reserve;
	world->free_floor = floor;
	fake_disk_set_capacity(world->fake, capacity);
	scene_restart(world);
}

static void
restart_and_end(struct world *world)
{
	scene_restart(world);
	scene_expect_kept(world, "after a start");
	world_clear(world);
}

static void
fill_and_drain(uint64_t reserve, uint64_t capacity)
{
	struct world world;

	start_small(&world, reserve, 0, capacity);
	cr_assert(world_run(&world, "a1"));
	cr_assert_eq(world_size(&world), 1);
	for (size_t before = 0; world_size(&world) > before;) {
		before = world_size(&world);
		cr_assert(world_run(&world, "a3"));
	}
	for (size_t before = SIZE_MAX; world_size(&world) < before;) {
		before = world_size(&world);
		cr_assert(world_run(&world, "f5 d"));
	}
	cr_expect_eq(world_size(&world), 0, "%lu of %lu: %zu stay", reserve,
	    capacity, world_size(&world));
	cr_assert(world_run(&world, "a1"));
	cr_expect_eq(world_size(&world), 1, "%lu of %lu: no more is taken",
	    reserve, capacity);
	restart_and_end(&world);
}

/* With a reserve that outcomes in any order fit into. */
Test(writing, drains_a_small_full_disk_and_takes_mail_again)
{
	static const uint64_t RESERVES[] = {12000, 20000};

	for (size_t i = 0; i < sizeof(RESERVES) / sizeof(*RESERVES); i++)
		for (uint64_t room = 8000; room < 60000; room += 500)
			fill_and_drain(RESERVES[i], 2 * RESERVES[i] + room);
}

static size_t
newest_len(const struct world *world)
{
	char *path = fake_disk_newest_segment(world->fake);
	size_t len = fake_disk_get(world->fake, path).len;

	free(path);
	return len;
}

/* Its file has the room that the next one's is to have. */
Test(writing, takes_mail_again_where_the_reserve_was_begun_in)
{
	struct world world;

	start_small(&world, 20000, 500, 38000);
	cr_assert(world_run(&world, "a1 a3"));
	fake_disk_set_capacity(world.fake, 0);
	cr_assert(world_run(&world, "x d a1"));
	cr_expect_eq(world_size(&world), 0);
	cr_expect_eq(journal_current(world.journal).number, 2);
	fake_disk_set_capacity(world.fake, 26000);
	cr_assert(world_run(&world, "a1"));
	cr_expect_eq(world_size(&world), 0);
	cr_expect_eq(newest_len(&world), 20000);
	fake_disk_set_capacity(world.fake, 38000);
	cr_assert(world_run(&world, "a1"));
	cr_expect_eq(world_size(&world), 1);
	cr_expect_lt(newest_len(&world), 20000);
	restart_and_end(&world);
}

/* Its own files have the room: the newest, and a spare that was a segment. */
Test(writing, takes_mail_again_where_it_has_more_than_the_reserve)
{
	struct world world;

	start_small(&world, 5000, 4000, UINT64_MAX);
	cr_assert(world_run(&world, "a1 a3"));
	fake_disk_set_capacity(world.fake, 0);
	cr_assert(world_run(&world, "x d a1"));
	cr_expect_eq(world_size(&world), 0);
	cr_expect_eq(newest_len(&world), 6144);
	cr_expect_gt(fake_disk_get(world.fake, "queue/spare").len, 6000);
	fake_disk_set_capacity(world.fake, 14000);
	cr_assert(world_run(&world, "a1"));
	cr_expect_eq(world_size(&world), 0, "it would not be enough");
	cr_expect_eq(newest_len(&world), 6144);
	fake_disk_set_capacity(world.fake, 15000);
	cr_assert(world_run(&world, "a1"));
	cr_expect_eq(world_size(&world), 1);
	cr_expect_eq(fake_disk_get(world.fake, "queue/spare").len, 5000);
	restart_and_end(&world);
}

/* Others take what is free as soon as it is. */
Test(writing, keeps_room_for_outcomes_when_it_starts_on_a_full_disk)
{
	struct world world;

	start_small(&world, 20000, 500, 38000);
	cr_assert(world_run(&world, "a1 a3"));
	fake_disk_set_capacity(world.fake, 0);
	cr_assert(world_run(&world, "f1"));
	cr_expect_eq(newest_len(&world), 20000);
	fake_disk_set_capacity(world.fake, 30000);
	scene_restart(&world);
	fake_disk_set_capacity(world.fake, 0);
	cr_expect_eq(newest_len(&world), 20000);
	cr_assert(world_run(&world, "x"));
	cr_expect_eq(world_size(&world), 0);
	restart_and_end(&world);
}

/* Else each group that fails left a file. */
Test(writing, begins_no_end_of_segments)
{
	struct world world;
	struct error error;

	scene_start(&world, "a1");
	fake_disk_limit(world.fake, SEGMENT_HEADER_LEN + UNIT_HEADER_LEN);
	world.reserve = SEGMENT_HEADER_LEN;
	scene_restart(&world);
	for (int i = 0; i < 50; i++) {
		cr_expect_not(commit(&world, true, &error));
		cr_expect_eq(error.number, EFBIG, "%s", error_text(&error));
	}
	cr_expect_leq(journal_current(world.journal).number, 8);
	fake_disk_limit(world.fake, UINT64_MAX);
	cr_expect(commit(&world, true, &error), "%s", error_text(&error));
	scene_restart(&world);
	cr_expect_eq(world.problems, 0, "%s", world.problem);
	cr_expect_eq(world_size(&world), 2);
	world_clear(&world);
}

/* ---- what is laid ahead ---- */

static size_t
size_of(struct world *world, const char *path)
{
	return fake_disk_get(world->fake, path).len;
}

Test(writing, lays_zeros_ahead_to_the_segments_end)
{
	struct world world;
	struct error error;

	scene_start(&world, "a1");
	cr_expect_eq(size_of(&world, SCENE_FIRST), WORLD_SEGMENT_SIZE);
	fake_disk_plan(world.fake, SIZE_MAX, FAKE_CRASH, 0);
	cr_expect(commit(&world, true, &error));
	/* free_space, write, sync: there is nothing to lay */
	cr_expect_eq(fake_disk_calls(world.fake), 3);
	world_stop(&world);
	cr_assert(world_start(&world));
	cr_expect_lt(size_of(&world, SCENE_FIRST), WORLD_SEGMENT_SIZE);
	cr_expect_eq(world.report.torn_bytes, 0);
	cr_assert(world_run(&world, "a1"));
	cr_expect_eq(size_of(&world, SCENE_FIRST), WORLD_SEGMENT_SIZE);
	world_clear(&world);
}

Test(writing, lays_nothing_where_room_is_short)
{
	struct world world;
	struct error error;

	scene_start(&world, "");
	fake_disk_set_capacity(world.fake, (size_t)128 * 1024);
	cr_expect(commit(&world, true, &error), "%s", error_text(&error));
	cr_expect_eq(size_of(&world, SCENE_FIRST),
	    journal_current_bytes(world.journal) + UNIT_HEADER_LEN);
	world_clear(&world);
}

/* Nor does it cost a group anything where they cannot be. */
Test(writing, does_without_zeros_ahead)
{
	static const int numbers[] = {EIO, ENOSPC, EFBIG};

	for (size_t i = 0; i < 3; i++) {
		struct world world;
		struct error error;

		scene_start(&world, "");
		/* free_space, write, and the zeros */
		fake_disk_plan(world.fake, 2, FAKE_ERROR, numbers[i]);
		cr_expect(
		    commit(&world, true, &error), "%s", error_text(&error));
		cr_expect(
		    commit(&world, true, &error), "%s", error_text(&error));
		cr_expect_eq(journal_current(world.journal).number, 1);
		cr_expect_eq(size_of(&world, SCENE_FIRST), WORLD_SEGMENT_SIZE);
		scene_restart(&world);
		cr_expect_eq(world_size(&world), 2);
		cr_expect_eq(world.problems, 0, "%s", world.problem);
		world_clear(&world);
	}
}

/* ---- the next segment's file ---- */

struct row {
	const char *name;
	int number;
	bool is_full;
};

static const struct row rows[] = {
    {"EMFILE", EMFILE, false},
    {"EIO", EIO, false},
    {"EROFS", EROFS, false},
    {"ENOSPC", ENOSPC, true},
    {"EDQUOT", EDQUOT, true},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

Test(writing, says_why_no_mail_is_taken)
{
	for (size_t i = 0; i < ROWS; i++) {
		struct world world;
		struct error error;

		scene_start(&world, "a5 a5 r");
		fake_disk_break(world.fake, "allocate", rows[i].number);
		cr_assert(fake_disk_remove(world.fake, "queue/spare"));
		scene_restart(&world);
		cr_expect_not(commit(&world, true, &error), "%s", rows[i].name);
		cr_expect_eq(error.kind, ERROR_SYSTEM);
		cr_expect_eq(error.number,
		    rows[i].is_full ? ENOSPC : rows[i].number, "%s: %s",
		    rows[i].name, error_text(&error));
		cr_expect(commit(&world, false, &error), "%s: %s", rows[i].name,
		    error_text(&error));
		fake_disk_break(world.fake, "", 0);
		cr_expect(commit(&world, true, &error), "%s: %s", rows[i].name,
		    error_text(&error));
		world_clear(&world);
	}
}

static const enum fake_odd odds[] = {FAKE_FOLDER, FAKE_PIPE, FAKE_LINK};

/* Found at a start, or there of a sudden. */
Test(writing, puts_a_spare_that_is_no_file_aside)
{
	for (size_t i = 0; i < 6; i++) {
		struct world world;

		scene_start(&world, "a5 a5 r");
		cr_assert(fake_disk_remove(world.fake, "queue/spare"));
		fake_disk_put_odd(world.fake, "queue/spare", odds[i / 2]);
		if (i % 2 == 0) {
			scene_restart(&world);
			cr_expect_eq(world.problems, 1);
			cr_expect_not_null(
			    strstr(world.problem, "no regular file"), "%s",
			    world.problem);
		}
		cr_assert(world_run(&world, "a5 a5 a5"), "%s",
		    error_text(&world.error));
		cr_expect_eq(world_size(&world), 25, "%zu", i);
		cr_expect(scene_has(&world, "queue/corrupt", "spare."));
		scene_restart(&world);
		scene_expect_kept(&world, "after a start");
		world_clear(&world);
	}
}
