/*
 * The journal, crashed at every call to the disk, with every state that the
 * disk may then be in, as far as they can be counted; of more, a sample.
 *
 * POSTRIDER_STATES=N in the environment: so many states for each crash (4000).
 */
#include "base/memory.h"
#include "lib/journal_world.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* ---- what has been seen ---- */

/* A set of hashes. */
struct seen {
	uint64_t *slots; /* owned; 0: free */
	size_t capacity;
	size_t count;
};

static bool seen_add(struct seen *seen, uint64_t hash);

static void
seen_grow(struct seen *seen)
{
	struct seen old = *seen;

	seen->capacity = old.capacity == 0 ? 1024 : old.capacity * 2;
	seen->slots = memory_array(seen->capacity, sizeof(uint64_t));
	seen->count = 0;
	for (size_t i = 0; i < old.capacity; i++) {
		if (old.slots[i] != 0)
			(void)seen_add(seen, old.slots[i]);
	}
	free(old.slots);
}

/* True: it is new. */
static bool
seen_add(struct seen *seen, uint64_t hash)
{
	if (seen->count * 2 >= seen->capacity)
		seen_grow(seen);
	size_t at = (size_t)hash & (seen->capacity - 1);
	while (seen->slots[at] != 0 && seen->slots[at] != hash)
		at = (at + 1) & (seen->capacity - 1);
	if (seen->slots[at] == hash)
		return false;
	seen->slots[at] = hash;
	seen->count++;
	return true;
}

struct tally {
	struct seen states;  /* of the disk */
	struct seen checked; /* states with what was promised */
	size_t crashes, checks;
	size_t lost, altered, invented, forgotten, revived;
	uint64_t random;
};

static uint64_t
draw(struct tally *tally)
{
	tally->random ^= tally->random << 13;
	tally->random ^= tally->random >> 7;
	tally->random ^= tally->random << 17;
	return tally->random;
}

static size_t
states_for_each_crash(void)
{
	const char *text = getenv("POSTRIDER_STATES");
	return text == NULL ? 4000 : (size_t)strtoul(text, NULL, 10);
}

/* ---- checking ---- */

static void
add_verdict(struct tally *tally, const struct world_verdict *verdict)
{
	tally->checks++;
	tally->lost += verdict->lost;
	tally->altered += verdict->altered;
	tally->invented += verdict->invented;
	tally->forgotten += verdict->forgotten;
	tally->revived += verdict->revived;
}

/* Start on what is left and look. */
static void
check(struct tally *tally, struct world *world, const char *what)
{
	struct world_verdict verdict;

	cr_assert(
	    world_start(world), "%s: %s", what, error_text(&world->error));
	bool is_good = world_check(world, &verdict);
	add_verdict(tally, &verdict);
	cr_assert(is_good, "%s: %s", what, verdict.text);
}

static struct fake_disk *
cut_power(const struct fake_disk *fake, bool keeps)
{
	size_t count = fake_disk_pending(fake);
	bool *kept = memory_array(count + 1, sizeof(bool));

	memset(kept, keeps, count);
	struct fake_disk *after = fake_disk_after_power_cut(fake, kept);
	free(kept);
	return after;
}

/* A recovery told of all that was torn, and put it aside; a full disk has no
 * room for that, and then it is told again. */
static void
check_quiet(const struct world *world, const char *what)
{
	cr_assert(world->problems == 0 ||
		strstr(world->problem, "No space left") != NULL,
	    "%s: told again: %s", what, world->problem);
}

/* What one recovery has seen is there for good, and new mail comes on top. */
static void
check_stays(struct tally *tally, struct world *world, const char *what)
{
	struct world next;
	size_t size = world_size(world);

	world_copy(&next, world, cut_power(world->fake, false));
	check(tally, &next, what);
	check_quiet(&next, what);
	cr_assert_eq(world_size(&next), size, "%s: not durable", what);
	cr_assert(world_step(&next, "a2"), "%s", error_text(&next.error));
	size_t grown = world_size(&next); /* by nothing if the disk is full */

	struct world last;
	world_copy(&last, &next, cut_power(next.fake, false));
	check(tally, &last, what);
	check_quiet(&last, what);
	cr_assert_eq(world_size(&last), grown, "%s: new mail", what);
	world_clear(&last);
	world_clear(&next);
}

/* True: this disk and this promise have not been looked at together. */
static bool
is_new(struct tally *tally, const struct world *crashed,
    const struct fake_disk *fake)
{
	uint64_t disk = fake_disk_hash(fake) | 1;
	uint64_t promise = XXH3_64bits(
	    crashed->messages, crashed->count * sizeof(crashed->messages[0]));

	(void)seen_add(&tally->states, disk);
	return seen_add(&tally->checked, (disk * 31 + promise) | 1);
}

/* A world that crashed, on one of the disks that may be left; takes fake. */
static void
check_disk(struct tally *tally, const struct world *crashed,
    struct fake_disk *fake, const char *what)
{
	struct world world;

	if (!is_new(tally, crashed, fake)) {
		fake_disk_free(fake);
		return;
	}
	world_copy(&world, crashed, fake);
	check(tally, &world, what);
	if (draw(tally) % 8 == 0)
		check_stays(tally, &world, what);
	world_clear(&world);
}

/* The i-th choice of what is kept, of all there are if they are few. */
static void
choose(struct tally *tally, bool *kept, size_t count, size_t i, bool is_all)
{
	for (size_t k = 0; k < count; k++) {
		if (is_all)
			kept[k] = (i >> k & 1) != 0;
		else if (i == 0 || i == 1)
			kept[k] = i == 1;
		else if (i < count + 2)
			kept[k] = k < i - 2; /* in order, up to here */
		else if (i % 3 == 0)
			kept[k] = draw(tally) % 8 != 0; /* few lost */
		else
			kept[k] = draw(tally) % 2 != 0;
	}
}

typedef void (*disk_fn)(struct tally *tally, const struct world *crashed,
    struct fake_disk *fake, const char *what);

/* All that may be left, for disk_fn, which takes the disks. */
static void
explore(struct tally *tally, const struct world *crashed, size_t limit,
    disk_fn then, const char *what)
{
	size_t count = fake_disk_pending(crashed->fake);
	bool is_all = count < 20 && ((size_t)1 << count) <= limit;
	size_t choices = is_all ? (size_t)1 << count : limit;
	bool *kept = memory_array(count + 1, sizeof(bool));

	tally->crashes++;
	then(tally, crashed, fake_disk_after_kill(crashed->fake), what);
	for (size_t i = 0; i < choices; i++) {
		choose(tally, kept, count, i, is_all);
		then(tally, crashed,
		    fake_disk_after_power_cut(crashed->fake, kept), what);
	}
	free(kept);
}

/* ---- scenarios ---- */

#define RANDOM_SEED 88172645463325252U

static void
finish(struct tally *tally, const char *name, size_t least)
{
	cr_log_info("%s: %zu crashes, %zu states, %zu checks; lost %zu, "
		    "altered %zu, invented %zu, forgotten %zu, revived %zu",
	    name, tally->crashes, tally->states.count, tally->checks,
	    tally->lost, tally->altered, tally->invented, tally->forgotten,
	    tally->revived);
	if (getenv("POSTRIDER_STATES") == NULL)
		cr_expect_geq(tally->states.count, least);
	free(tally->states.slots);
	free(tally->checked.slots);
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

static void
crash_everywhere(const char *name, const char *script, uint64_t capacity,
    disk_fn then, size_t limit, size_t least)
{
	struct tally tally = {.random = RANDOM_SEED};
	char what[256];
	bool has_crashed = true;

	for (size_t call = 0; has_crashed; call++) {
		struct world world;
		has_crashed = run_to_crash(&world, script, capacity, call);
		(void)snprintf(what, sizeof(what), "\"%s\" crashed at call %zu",
		    script, call);
		explore(&tally, &world, limit, then, what);
		world_clear(&world);
	}
	finish(&tally, name, least);
}

Test(crash, while_accepting)
{
	crash_everywhere("accept", "a1 a9 a1 a9 l a9 a9 l a9 a1", 0, check_disk,
	    states_for_each_crash(), 12000);
}

Test(crash, while_delivering)
{
	crash_everywhere("deliver", "a9 p9 f1 p5 b f2 h p1 b a9 f3 p9 p9 x", 0,
	    check_disk, states_for_each_crash(), 5000);
}

Test(crash, while_rotating_and_dropping)
{
	crash_everywhere("rotate and drop",
	    "a9 a9 a9 p4 f9 d a9 f9 d a9 a9 x d a9 x a9 d r a2 d", 0,
	    check_disk, states_for_each_crash(), 18000);
}

Test(crash, while_moving)
{
	crash_everywhere("move",
	    "a4 l p5 a9 f9 p9 a9 f9 d m m d m m m d a9 f9 m d p4 m m m m d x "
	    "a1 d",
	    0, check_disk, states_for_each_crash(), 7500);
}

Test(crash, with_large_bodies)
{
	crash_everywhere("large", "l l p1 f1 l a2 l r f2 l x d l", 0,
	    check_disk, states_for_each_crash(), 400);
}

Test(crash, on_a_full_disk)
{
	crash_everywhere("disk full",
	    "a9 a9 a9 a9 a9 a9 a9 p3 a9 a9 f3 p2 b f5 d a5 l f9 d a9 x d a9",
	    40000, check_disk, states_for_each_crash(), 9000);
}

/* ---- crashes while recovering from a crash ---- */

static void
crash_while_starting(struct tally *tally, const struct world *crashed,
    struct fake_disk *fake, const char *what)
{
	bool has_crashed = true;

	if (!is_new(tally, crashed, fake)) {
		fake_disk_free(fake);
		return;
	}
	for (size_t call = 0; has_crashed; call++) {
		struct world world;
		world_copy(&world, crashed, fake_disk_after_kill(fake));
		fake_disk_plan(world.fake, call, FAKE_CRASH, 0);
		if (world_start(&world))
			(void)world_run(&world, "a1 d");
		has_crashed = fake_disk_is_dead(world.fake);
		world_stop(&world);
		explore(tally, &world, 4, check_disk, what);
		world_clear(&world);
	}
	fake_disk_free(fake);
}

Test(crash, while_recovering)
{
	crash_everywhere("recovery", "a2 l p2 a9 b f6 a9 f9 d r m a1 d", 0,
	    crash_while_starting, 60, 1500);
}

/* ---- calls that fail ---- */

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
		cr_assert_lt(starts, 3);
		if (!is_up) {
			world_stop(world);
			is_up = world_start(world);
			cr_assert(is_up, "%s", error_text(&world->error));
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
	tally->crashes++;
	check_disk(tally, &world, fake_disk_after_kill(world.fake), what);
	check_disk(tally, &world, cut_power(world.fake, true), what);
	check_disk(tally, &world, cut_power(world.fake, false), what);
	world_clear(&world);
	return has_come;
}

static void
fail_everywhere(const char *name, const char *script)
{
	struct tally tally = {.random = RANDOM_SEED};
	bool has_come = true;

	for (size_t call = 0; has_come; call++) {
		for (size_t i = 0; i < FAULT_COUNT; i++)
			has_come = fail_one(&tally, script, call, &FAULTS[i]);
	}
	finish(&tally, name, 0);
}

Test(fault, while_accepting_and_delivering)
{
	fail_everywhere("faults, deliver", "a3 p2 a9 l f2 b a2 p1 f1 r p2 x");
}

Test(fault, while_dropping_and_moving)
{
	fail_everywhere("faults, drop and move",
	    "a4 l p5 a9 f9 d p4 a9 f9 d m m d r m a9 f9 m p2 d x a9 d a9 d");
}

/* Nothing can be synced any more; the process gives up, and the next one finds
 * in the page cache what never got to the disk. */
Test(fault, no_sync_goes_well_until_the_next_start)
{
	struct tally tally = {.random = RANDOM_SEED};

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
		check(&tally, &next, "after failed syncs");
		check_stays(&tally, &next, "after failed syncs");
		world_clear(&next);
		world_clear(&world);
	}
	finish(&tally, "faults, no sync", 0);
}
