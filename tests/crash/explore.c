#include "crash/explore.h"

#include "base/memory.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* ---- what has been seen ---- */

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

#define RANDOM_SEED 88172645463325252U

void
tally_init(struct tally *tally)
{
	*tally = (struct tally){.random = RANDOM_SEED};
}

void
tally_clear(struct tally *tally)
{
	free(tally->states.slots);
	free(tally->checked.slots);
}

void
tally_tell(const struct tally *tally, const char *name)
{
	const struct world_verdict *sum = &tally->sum;

	cr_log_info("%s: %zu crashes, %zu states, %zu checks; lost %zu, "
		    "altered %zu, invented %zu, forgotten %zu, revived %zu",
	    name, tally->crashes, tally->states.count, tally->checks, sum->lost,
	    sum->altered, sum->invented, sum->forgotten, sum->revived);
}

uint64_t
tally_draw(struct tally *tally)
{
	tally->random ^= tally->random << 13;
	tally->random ^= tally->random >> 7;
	tally->random ^= tally->random << 17;
	return tally->random;
}

/* ---- checking ---- */

static void
add_verdict(struct tally *tally, const struct world_verdict *verdict)
{
	tally->checks++;
	tally->sum.lost += verdict->lost;
	tally->sum.altered += verdict->altered;
	tally->sum.invented += verdict->invented;
	tally->sum.forgotten += verdict->forgotten;
	tally->sum.revived += verdict->revived;
}

void
explore_check(struct tally *tally, struct world *world, const char *what)
{
	struct world_verdict verdict;

	cr_assert(
	    world_start(world), "%s: %s", what, error_text(&world->error));
	cr_assert_eq(world->gone, 0, "%s: a segment is missed", what);
	bool is_good = world_check(world, &verdict);
	add_verdict(tally, &verdict);
	cr_assert(is_good, "%s: %s", what, verdict.text);
}

struct fake_disk *
explore_cut_power(const struct fake_disk *fake, bool keeps)
{
	size_t count = fake_disk_pending(fake);
	bool *kept = memory_array(count + 1, sizeof(bool));

	memset(kept, keeps, count);
	struct fake_disk *after = fake_disk_after_power_cut(fake, kept);
	free(kept);
	return after;
}

/* A recovery told of all that was torn, and put it aside.  A small disk may
 * have no room for that, and then it is told again. */
static void
check_quiet(const struct world *world, const char *what)
{
	cr_assert(world->problems == 0 || world->free_floor > 0,
	    "%s: told again: %s", what, world->problem);
}

void
explore_check_stays(struct tally *tally, struct world *world, const char *what)
{
	struct world next;
	size_t size = world_size(world);

	world_copy(&next, world, explore_cut_power(world->fake, false));
	explore_check(tally, &next, what);
	check_quiet(&next, what);
	cr_assert_eq(world_size(&next), size, "%s: not durable", what);
	cr_assert(world_run(&next, "a2 j"), "%s", error_text(&next.error));
	size_t grown = world_size(&next); /* by nothing if the disk is full */

	struct world last;
	world_copy(&last, &next, explore_cut_power(next.fake, false));
	explore_check(tally, &last, what);
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

static struct fake_disk *
without_summaries(const struct fake_disk *fake)
{
	struct fake_disk *copy = fake_disk_after_kill(fake);
	char *names = fake_disk_names(copy, "queue");
	struct bytes rest = bytes_of(names);
	char path[96];

	while (rest.len > 0) {
		struct bytes name = bytes_cut(&rest, ' ');
		(void)snprintf(
		    path, sizeof(path), "queue/%.*s", BYTES_ARGS(name));
		if (bytes_has_suffix_nocase(name, ".sum"))
			cr_assert(fake_disk_remove(copy, path));
	}
	free(names);
	return copy;
}

/* A start tells the same where there are no summaries; takes plain. */
static void
check_facts(
    const struct world *world, struct fake_disk *plain, const char *what)
{
	struct world other;

	world_copy(&other, world, plain);
	cr_assert(world_start(&other), "%s", error_text(&other.error));
	cr_assert_eq(
	    other.facts, world->facts, "%s: summaries tell otherwise", what);
	world_clear(&other);
}

void
explore_disk(struct tally *tally, const struct world *crashed,
    struct fake_disk *fake, const char *what)
{
	struct world world;
	struct fake_disk *plain = NULL;

	if (!is_new(tally, crashed, fake)) {
		fake_disk_free(fake);
		return;
	}
	if (tally_draw(tally) % 4 == 0)
		plain = without_summaries(fake);
	world_copy(&world, crashed, fake);
	explore_check(tally, &world, what);
	if (plain != NULL)
		check_facts(&world, plain, what);
	if (tally_draw(tally) % 8 == 0)
		explore_check_stays(tally, &world, what);
	world_clear(&world);
}

/* ---- what a crash leaves ---- */

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
			kept[k] = tally_draw(tally) % 8 != 0; /* few lost */
		else
			kept[k] = tally_draw(tally) % 2 != 0;
	}
}

/* Crash at each call of what comes after the start on this disk, too. */
static void
explore_recovery(struct tally *tally, const struct world *crashed,
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
		tally->recoveries--;
		explore_crash(tally, &world, tally->recovery_limit, what);
		tally->recoveries++;
		world_clear(&world);
	}
	fake_disk_free(fake);
}

static void
explore_one(struct tally *tally, const struct world *crashed,
    struct fake_disk *fake, const char *what)
{
	if (tally->recoveries > 0)
		explore_recovery(tally, crashed, fake, what);
	else
		explore_disk(tally, crashed, fake, what);
}

void
explore_crash(struct tally *tally, const struct world *crashed, size_t limit,
    const char *what)
{
	size_t count = fake_disk_pending(crashed->fake);
	bool is_all = count < 20 && ((size_t)1 << count) <= limit;
	size_t choices = is_all ? (size_t)1 << count : limit;
	bool *kept = memory_array(count + 1, sizeof(bool));

	tally->crashes++;
	explore_one(tally, crashed, fake_disk_after_kill(crashed->fake), what);
	for (size_t i = 0; i < choices; i++) {
		choose(tally, kept, count, i, is_all);
		explore_one(tally, crashed,
		    fake_disk_after_power_cut(crashed->fake, kept), what);
	}
	free(kept);
}
