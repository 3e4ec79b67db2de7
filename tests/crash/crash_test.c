/*
 * The journal, crashed at every call to the disk, with every state that the
 * disk may then be in, as far as they can be counted; of more, a sample.
 *
 * POSTRIDER_STATES=N in the environment: so many states for each crash (64).
 */
#include "base/memory.h"
#include "lib/journal_world.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	struct seen states;
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
	return text == NULL ? 64 : (size_t)strtoul(text, NULL, 10);
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

/* What one recovery has seen is there for good, and new mail comes on top. */
static void
check_stays(struct tally *tally, struct world *world, const char *what)
{
	struct world next;
	size_t size = world_size(world);

	world_copy(&next, world, cut_power(world->fake, false));
	check(tally, &next, what);
	cr_assert_eq(world_size(&next), size, "%s: not durable", what);
	cr_assert(world_step(&next, "a2"), "%s", error_text(&next.error));
	size_t grown = world_size(&next); /* by nothing if the disk is full */

	struct world last;
	world_copy(&last, &next, cut_power(next.fake, false));
	check(tally, &last, what);
	cr_assert_eq(world_size(&last), grown, "%s: new mail", what);
	world_clear(&last);
	world_clear(&next);
}

/* A world that crashed, on one of the disks that may be left; takes fake. */
static void
check_disk(struct tally *tally, const struct world *crashed,
    struct fake_disk *fake, const char *what)
{
	struct world world;

	bool is_new = seen_add(&tally->states, fake_disk_hash(fake) | 1);
	world_copy(&world, crashed, fake);
	check(tally, &world, what);
	if (is_new && draw(tally) % 8 == 0)
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
	crash_everywhere("accept", "a1 a9 a1 a7 l a2 a9 l a1", 0, check_disk,
	    states_for_each_crash(), 8000);
}

Test(crash, while_delivering)
{
	crash_everywhere("deliver", "a6 p3 f1 p5 b f2 h p1 b a3 f3 p4 x", 0,
	    check_disk, states_for_each_crash(), 3000);
}

Test(crash, while_rotating_and_dropping)
{
	crash_everywhere("rotate and drop",
	    "a9 a9 a9 p4 f9 d a9 f9 d a9 a9 x d a9 x a9 d r a2 d", 0,
	    check_disk, states_for_each_crash(), 8000);
}

Test(crash, while_moving)
{
	crash_everywhere("move",
	    "a3 l p2 a9 f9 a9 f9 m m d m m m d a9 f9 m p2 m m m m d x a1 d", 0,
	    check_disk, states_for_each_crash(), 8000);
}

Test(crash, with_large_bodies)
{
	crash_everywhere("large", "l l p1 f1 l a2 l r f2 l x d l", 0,
	    check_disk, states_for_each_crash(), 8000);
}

Test(crash, on_a_full_disk)
{
	crash_everywhere("disk full",
	    "a9 a9 a9 a9 a9 a9 a9 p3 a9 a9 f3 p2 b f5 d a5 l f9 d a9 x d a9",
	    40000, check_disk, states_for_each_crash(), 8000);
}

/* ---- crashes while recovering from a crash ---- */

static void
crash_while_starting(struct tally *tally, const struct world *crashed,
    struct fake_disk *fake, const char *what)
{
	bool has_crashed = true;

	if (!seen_add(&tally->states, fake_disk_hash(fake) | 1)) {
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
	    crash_while_starting, 6, 8000);
}
