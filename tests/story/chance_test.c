/* Random schedules, and the promise as what holds in each of them. */
#include "daemon/dispatch.h"
#include "story/world.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define STEPS 150

static const struct route_rule routes[] = {
    {.recipient = "*@inner.example", .upstreams = {1}, .upstream_count = 1},
    {.recipient = "*@both.example", .upstreams = {1, 0}, .upstream_count = 2},
    {.upstreams = {0}, .upstream_count = 1},
};

static struct world world;
static uint64_t state;

static unsigned
chance(unsigned below)
{
	state = state * 6364136223846793005U + 1442695040888963407U;
	return (unsigned)(state >> 33) % below;
}

static void
submit(void)
{
	static const char *const senders[] = {"a@x.example", "b@x.example", ""};
	static const char *const recipients[] = {
	    "b@y.example",
	    "bad@y.example c@inner.example",
	    "c@inner.example d@both.example e@y.example",
	    "d@both.example bad@both.example",
	};

	world.submits_large = chance(4) == 0;
	world_submit(&world, senders[chance(3)], recipients[chance(4)]);
}

static void
let_some_go(void)
{
	if (world.commit_count > 0 && chance(2) == 0)
		world_let_go_commit(&world);
	else if (world.order_count > 0)
		world_let_go_order(&world, chance((unsigned)world.order_count));
	world_settle(&world);
}

static void
do_verb(void)
{
	uint64_t id = world_id(&world, chance(40) + 1);

	dispatch_do(world.dispatch, (enum dispatch_verb)chance(4), &id,
	    chance(8) == 0 ? 0 : 1, chance(4) == 0 ? "inner.example" : NULL,
	    NULL, NULL);
	world_settle(&world);
}

static void
upset(void)
{
	static const int numbers[] = {0, 0, 0, ENOSPC, EDQUOT, EIO, EROFS};
	static const int64_t jumps[] = {
	    CLOCK_HOUR, CLOCK_DAY, 3650 * CLOCK_DAY};

	world.moods[chance(WORLD_UPSTREAMS)] = (enum upstream_mood)chance(5);
	world.disk_errno = numbers[chance(7)];
	world.room = chance(3) == 0 ? 0 : UINT64_MAX;
	world.disk_mood = chance(8) == 0 ? DISK_TROUBLED : DISK_GOOD;
	world.keeps_orders = chance(2) == 0;
	world.keeps_commits = chance(3) == 0;
	if (chance(10) == 0)
		world_jump(
		    &world, (chance(2) == 0 ? 1 : -1) * jumps[chance(3)]);
}

static void
step(void)
{
	switch (chance(8)) {
	case 0:
	case 1:
		submit();
		break;
	case 2:
	case 3:
		let_some_go();
		break;
	case 4:
		world_pass(&world, (int64_t)chance(400) * CLOCK_SECOND);
		break;
	case 5:
		do_verb();
		break;
	case 6:
		upset();
		break;
	case 7:
		if (chance(6) == 0)
			world_crash(&world);
		break;
	}
}

/* Accepted is delivered, returned, removed, or still there. */
static void
check(uint64_t seed)
{
	cr_assert_eq(world.accepted,
	    world.delivered + world.returned + world.removed +
		world_disk_waiting(&world),
	    "seed %llu: %lu accepted, %lu delivered, %lu returned, %lu "
	    "removed, %zu wait",
	    (unsigned long long)seed, world.accepted, world.delivered,
	    world.returned, world.removed, world_disk_waiting(&world));
}

/* With good upstreams and a good disk the queue becomes empty. */
static void
calm_down(uint64_t seed)
{
	for (int i = 0; i < WORLD_UPSTREAMS; i++)
		world.moods[i] = MOOD_GOOD;
	world.disk_errno = 0;
	world.disk_mood = DISK_GOOD;
	world_let_go(&world);
	dispatch_do(
	    world.dispatch, DISPATCH_RELEASE, NULL, 0, NULL, NULL, NULL);
	world_settle(&world);
	for (int i = 0; i < 10; i++)
		world_pass(&world, CLOCK_DAY);
	check(seed);
	cr_assert_eq(world_disk_size(&world), 0, "seed %llu: %zu are left: %s",
	    (unsigned long long)seed, world_disk_size(&world),
	    buffer_to_text(&world.story));
	cr_assert_eq(ledger_size(dispatch_ledger(world.dispatch)), 0);
	cr_assert_eq(world.large_files, 0, "seed %llu: %lu bodies of nobody",
	    (unsigned long long)seed, world.large_files);
}

static void
run(uint64_t seed)
{
	state = seed;
	world_init(&world, routes, 3);
	world.units_per_segment = chance(3) == 0 ? 0 : 8;
	for (int i = 0; i < STEPS; i++) {
		step();
		check(seed);
	}
	calm_down(seed);
	world_clear(&world);
}

/* STORY_SEED: one schedule alone, to look at.  STORY_SCHEDULES: so many. */
Test(chance, keeps_the_promise_whatever_happens, .timeout = 86400)
{
	const char *one = getenv("STORY_SEED");
	const char *many = getenv("STORY_SCHEDULES");
	uint64_t count = many == NULL ? 1000 : strtoull(many, NULL, 10);
	uint64_t first = (uint64_t)time(NULL) * 1000000;

	if (one != NULL) {
		run(strtoull(one, NULL, 10));
		return;
	}
	for (uint64_t i = 0; i < count; i++)
		run(first + i);
	cr_log_info("%llu schedules from seed %llu", (unsigned long long)count,
	    (unsigned long long)first);
}
