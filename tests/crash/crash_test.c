/*
 * The journal, crashed at every call to the disk, with every state that the
 * disk may then be in, as far as they can be counted; of more, a sample.
 *
 * POSTRIDER_STATES=N in the environment: so many states for each crash (4000).
 */
#include "crash/explore.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static size_t
states_for_each_crash(void)
{
	const char *text = getenv("POSTRIDER_STATES");
	return text == NULL ? 4000 : (size_t)strtoul(text, NULL, 10);
}

static void
finish(struct tally *tally, const char *name, size_t least)
{
	tally_tell(tally, name);
	if (getenv("POSTRIDER_STATES") == NULL)
		cr_expect_geq(tally->states.count, least);
	tally_clear(tally);
}

/* A world that dies in script at this call. False: it came to its end. */
static bool
run_to_crash(
    struct world *world, const char *script, uint64_t capacity, size_t call)
{
	world_init(world, fake_disk_new());
	if (capacity > 0) {
		fake_disk_set_capacity(world->fake, capacity);
		world->free_floor = WORLD_SEGMENT_SIZE;
	}
	fake_disk_plan(world->fake, call, FAKE_CRASH, 0);
	if (world_start(world))
		(void)world_run(world, script);
	bool has_crashed = fake_disk_is_dead(world->fake);
	world_stop(world);
	return has_crashed;
}

/* Each call of script is where it crashes, once. */
static void
crash_script(
    struct tally *tally, const char *script, uint64_t capacity, size_t limit)
{
	char what[256];
	bool has_crashed = true;

	for (size_t call = 0; has_crashed; call++) {
		struct world world;
		has_crashed = run_to_crash(&world, script, capacity, call);
		(void)snprintf(what, sizeof(what), "\"%s\" crashed at call %zu",
		    script, call);
		explore_crash(tally, &world, limit, what);
		world_clear(&world);
	}
}

static void
crash_everywhere(
    const char *name, const char *script, uint64_t capacity, size_t least)
{
	struct tally tally;

	tally_init(&tally);
	crash_script(&tally, script, capacity, states_for_each_crash());
	finish(&tally, name, least);
}

Test(crash, while_accepting)
{
	crash_everywhere("accept", "a1 a9 a1 a9 l a9 a9 l a9 a1", 0, 12000);
}

Test(crash, while_delivering)
{
	crash_everywhere(
	    "deliver", "a9 p9 f1 p5 b f2 h p1 b a9 f3 p9 p9 x", 0, 5000);
}

Test(crash, while_rotating_and_dropping)
{
	crash_everywhere("rotate and drop",
	    "a9 a9 a9 p4 f9 d a9 f9 d a9 a9 x d a9 x a9 d r a2 d", 0, 18000);
}

Test(crash, while_moving)
{
	crash_everywhere("move",
	    "a4 l p5 a9 f9 p9 a9 f9 d m m d m m m d a9 f9 m d p4 m m m m d x "
	    "a1 d",
	    0, 7500);
}

Test(crash, with_large_bodies)
{
	crash_everywhere("large", "l l p1 f1 l a2 l r f2 l x d l", 0, 400);
}

Test(crash, on_a_full_disk)
{
	crash_everywhere("disk full",
	    "a9 a9 a9 a9 a9 a9 a9 p3 a9 a9 f3 p2 b f5 d a5 l f9 d a9 x d a9",
	    40000, 9000);
}

Test(crash, while_taking_in_what_was_dropped)
{
	crash_everywhere("drop intake",
	    "i i a3 i f2 i r i p2 i x d i a1 i r i d j", 0, 1500);
}

/* Summaries are never synced, so much is pending: a sample will do. */
Test(crash, while_summarizing)
{
	struct tally tally;

	tally_init(&tally);
	crash_script(&tally, "a9 s a9 t p4 t f9 s d a9 f9 d s r x d t a9 s d",
	    0, states_for_each_crash() / 40);
	finish(&tally, "summaries", 4000);
}

/* ---- crashes while recovering from a crash, and from that ---- */

static void
crash_while_recovering(const char *name, const char *script,
    unsigned recoveries, size_t limit, size_t least)
{
	struct tally tally;

	tally_init(&tally);
	tally.recoveries = recoveries;
	tally.recovery_limit = 4;
	crash_script(&tally, script, 0, limit);
	finish(&tally, name, least);
}

Test(crash, while_recovering)
{
	crash_while_recovering(
	    "recovery", "a2 l p2 a9 b f6 a9 s f9 d r m a1 i d", 1, 20, 1500);
}

Test(crash, while_recovering_from_a_crash_while_recovering)
{
	crash_while_recovering(
	    "recovery of recovery", "a9 p2 f3 a9 x d", 2, 6, 200);
}

/* ---- whatever is done ---- */

#define STEPS_MAX 14

/* A script by chance; more is accepted than ends. */
static void
invent(struct tally *tally, char *script, size_t size)
{
	static const char letters[] = "aaaaaapppfffbmmddrxhiijllsst";
	size_t count = 4 + tally_draw(tally) % (STEPS_MAX - 3);
	size_t len = 0;

	for (size_t i = 0; i < count && len + 4 < size; i++) {
		char letter =
		    letters[tally_draw(tally) % (sizeof(letters) - 1)];
		len += (size_t)snprintf(script + len, size - len, "%s%c%u",
		    i == 0 ? "" : " ", letter,
		    (unsigned)(tally_draw(tally) % 9 + 1));
	}
}

/* POSTRIDER_DISTINCT: until so many states have been seen. */
Test(crash, whatever_is_done, .timeout = 86400)
{
	const char *text = getenv("POSTRIDER_DISTINCT");
	size_t wanted = text == NULL ? 8000 : strtoul(text, NULL, 10);
	struct tally tally;
	char script[128];

	tally_init(&tally);
	tally.random ^= (uint64_t)time(NULL);
	while (tally.states.count < wanted) {
		bool is_small = tally_draw(&tally) % 4 == 0;
		tally.recoveries = tally_draw(&tally) % 16 == 0;
		tally.recovery_limit = 4;
		invent(&tally, script, sizeof(script));
		crash_script(&tally, script, is_small ? 40000 : 0,
		    tally.recoveries > 0 ? 4 : 200);
	}
	finish(&tally, "whatever is done", 0);
}
