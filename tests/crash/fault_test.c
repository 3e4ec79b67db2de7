/*
 * Calls to the disk that fail: each one by itself, each one and all of its kind
 * from then on, and two by two.  Where the journal gives up it is started anew,
 * as the service manager would.
 *
 * POSTRIDER_PAIRS=N in the environment: each N-th pair (61).
 */
#include "crash/explore.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fault {
	const char *name;
	enum fake_fault fault;
	int number;
};

static const struct fault FAULTS[] = {
    {"EIO", FAKE_ERROR, EIO},
    {"ENOSPC", FAKE_ERROR, ENOSPC},
    {"EDQUOT", FAKE_ERROR, EDQUOT},
    {"EMFILE", FAKE_ERROR, EMFILE},
    {"ENOMEM", FAKE_ERROR, ENOMEM},
    {"EROFS", FAKE_ERROR, EROFS},
    {"EINTR", FAKE_ERROR, EINTR},
    {"short", FAKE_SHORT, 0},
};
#define FAULT_COUNT (sizeof(FAULTS) / sizeof(FAULTS[0]))

/* Go through the script; where the journal gives up, start anew and go on. */
static void
run_with_fault(struct world *world, const char *script)
{
	struct bytes rest = bytes_of(script);
	bool is_up = world_start(world);

	for (int starts = 0; rest.len > 0; starts++) {
		cr_assert_lt(starts, 4, "%s", error_text(&world->error));
		if (!is_up) {
			world_stop(world);
			is_up = world_start(world);
		}
		while (is_up && rest.len > 0) {
			struct bytes part = bytes_cut(&rest, ' ');
			char step[4] = "";
			memcpy(step, part.data, part.len);
			is_up = world_step(world, step);
		}
	}
	world_stop(world);
}

static void
look(struct tally *tally, const struct world *world, const char *what)
{
	tally->crashes++;
	explore_disk(tally, world, fake_disk_after_kill(world->fake), what);
	explore_disk(tally, world, explore_cut_power(world->fake, true), what);
	explore_disk(tally, world, explore_cut_power(world->fake, false), what);
}

static bool
fail_one(struct tally *tally, const char *script, size_t call,
    const struct fault *fault)
{
	struct world world;
	char what[256];

	(void)snprintf(what, sizeof(what), "\"%s\": %s at call %zu", script,
	    fault->name, call);
	world_init(&world, fake_disk_new());
	fake_disk_plan(world.fake, call, fault->fault, fault->number);
	run_with_fault(&world, script);
	bool has_come = fake_disk_calls(world.fake) > call;
	look(tally, &world, what);
	world_clear(&world);
	return has_come;
}

static void
finish(struct tally *tally, const char *name)
{
	tally_tell(tally, name);
	tally_clear(tally);
}

static void
fail_everywhere(const char *name, const char *script)
{
	struct tally tally;
	bool has_come = true;

	tally_init(&tally);
	for (size_t call = 0; has_come; call++) {
		for (size_t i = 0; i < FAULT_COUNT; i++)
			has_come = fail_one(&tally, script, call, &FAULTS[i]);
	}
	finish(&tally, name);
}

#define DELIVER "a3 p2 a9 l f2 b a2 p1 f1 i r p2 x"
#define MOVE                                                                   \
	"a4 l p5 a9 s f9 d p4 a9 f9 t d m m d r m a9 f9 m p2 d x a9 s d a9 d"

Test(fault, while_accepting_and_delivering)
{
	fail_everywhere("faults, deliver", DELIVER);
}

Test(fault, while_dropping_and_moving)
{
	fail_everywhere("faults, drop and move", MOVE);
}

/* ---- from then on ---- */

/* Go through the script as far as the journal goes; then the disk is well
 * again. */
static bool
break_one(struct tally *tally, const char *script, size_t call, int number)
{
	struct world world;
	char what[256];

	(void)snprintf(what, sizeof(what), "\"%s\": %s from call %zu on",
	    script, strerror(number), call);
	world_init(&world, fake_disk_new());
	fake_disk_plan(world.fake, call, FAKE_BREAK, number);
	if (world_start(&world))
		(void)world_run(&world, script);
	bool has_come = fake_disk_calls(world.fake) > call;
	world_stop(&world);
	fake_disk_break(world.fake, "", 0);
	look(tally, &world, what);
	world_clear(&world);
	return has_come;
}

static void
break_everywhere(const char *name, const char *script)
{
	static const int numbers[] = {EIO, ENOSPC, EDQUOT, EMFILE, EROFS};
	struct tally tally;
	bool has_come = true;

	tally_init(&tally);
	for (size_t call = 0; has_come; call++) {
		for (size_t i = 0; i < sizeof(numbers) / sizeof(int); i++)
			has_come = break_one(&tally, script, call, numbers[i]);
	}
	finish(&tally, name);
}

Test(fault, that_stays_while_accepting_and_delivering)
{
	break_everywhere("faults that stay, deliver", DELIVER);
}

Test(fault, that_stays_while_dropping_and_moving)
{
	break_everywhere("faults that stay, drop and move", MOVE);
}

/* ---- two by two ---- */

static size_t
count_calls(const char *script)
{
	struct world world;

	world_init(&world, fake_disk_new());
	fake_disk_plan(world.fake, SIZE_MAX, FAKE_ERROR, EIO);
	run_with_fault(&world, script);
	size_t calls = fake_disk_calls(world.fake);
	world_clear(&world);
	return calls;
}

/* After a fault the power is cut, too: any state. */
static void
fail_two(struct tally *tally, const char *script, const size_t calls[2],
    const struct fault faults[2])
{
	struct world world;
	char what[256];

	(void)snprintf(what, sizeof(what), "\"%s\": %s at call %zu, %s at %zu",
	    script, faults[0].name, calls[0], faults[1].name, calls[1]);
	world_init(&world, fake_disk_new());
	fake_disk_seed(world.fake, calls[0] * 1000 + calls[1]);
	fake_disk_plan(world.fake, calls[0], faults[0].fault, faults[0].number);
	fake_disk_plan_also(
	    world.fake, calls[1], faults[1].fault, faults[1].number);
	if (faults[1].fault != FAKE_CRASH) {
		run_with_fault(&world, script);
		look(tally, &world, what);
	} else {
		if (world_start(&world))
			(void)world_run(&world, script);
		world_stop(&world);
		explore_crash(tally, &world, 12, what);
	}
	world_clear(&world);
}

static void
fail_in_pairs(const char *name, const char *script)
{
	static const struct fault pairs[][2] = {
	    {{"EIO", FAKE_ERROR, EIO}, {"EIO", FAKE_ERROR, EIO}},
	    {{"ENOSPC", FAKE_ERROR, ENOSPC}, {"EIO", FAKE_ERROR, EIO}},
	    {{"EIO", FAKE_ERROR, EIO}, {"a power cut", FAKE_CRASH, 0}},
	    {{"ENOSPC", FAKE_ERROR, ENOSPC}, {"a power cut", FAKE_CRASH, 0}},
	};
	const char *text = getenv("POSTRIDER_PAIRS");
	size_t stride = text == NULL ? 61 : strtoul(text, NULL, 10);
	size_t count = count_calls(script);
	size_t n = 0;
	struct tally tally;

	tally_init(&tally);
	for (size_t i = 0; i < count; i++) {
		for (size_t k = i + 1; k < count + 8; k++) {
			const size_t calls[2] = {i, k};
			for (size_t p = 0; p < sizeof(pairs) / sizeof(pairs[0]);
			     p++) {
				if (k < i + 3 || ++n % stride == 0)
					fail_two(
					    &tally, script, calls, pairs[p]);
			}
		}
	}
	finish(&tally, name);
}

Test(fault, after_another_while_accepting_and_delivering, .timeout = 86400)
{
	fail_in_pairs("pairs of faults, deliver", DELIVER);
}

Test(fault, after_another_while_dropping_and_moving, .timeout = 86400)
{
	fail_in_pairs("pairs of faults, drop and move", MOVE);
}

/* ---- no sync at all ---- */

/* Nothing can be synced any more; the process gives up, and the next one finds
 * in the page cache what never got to the disk. */
Test(fault, no_sync_goes_well_until_the_next_start)
{
	struct tally tally;

	tally_init(&tally);
	for (size_t i = 0; i < 200; i++) {
		struct world world;
		world_init(&world, fake_disk_new());
		fake_disk_seed(world.fake, i);
		cr_assert(world_start(&world));
		cr_assert(world_run(&world, i % 2 == 0 ? "a1" : "a3 l p2"));
		fake_disk_break(world.fake, "sync truncate", EIO);
		cr_expect_not(world_run(&world, i % 3 == 0 ? "a9" : "f1"));
		fake_disk_break(world.fake, "", 0);
		world_stop(&world);

		struct world next;
		world_copy(&next, &world, fake_disk_after_kill(world.fake));
		explore_check(&tally, &next, "after failed syncs");
		explore_check_stays(&tally, &next, "after failed syncs");
		world_clear(&next);
		world_clear(&world);
	}
	finish(&tally, "faults, no sync");
}
