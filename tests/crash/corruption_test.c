/*
 * A queue at rest, damaged at random: flipped bits, zeroed and swapped sectors,
 * files that are cut, gone, swapped or copied, the summaries, too.  Only what
 * was hit may be lost, nothing may be altered, and it is said.
 *
 * POSTRIDER_MUTATIONS=N in the environment: so many for each test (10,000).
 */
#include "lib/queue_damage.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* ---- the oracle ---- */

struct tally {
	size_t mutations, hit, lost, silent, older, back;
};

static void
judge(struct tally *tally, const struct queue_map *map, struct world *before,
    struct world *after, const struct queue_damage *damage,
    const struct world_message *facts)
{
	struct ledger_entry *entry = ledger_find(before->ledger, facts->id);
	char text[128] = "";
	enum world_state state = world_examine(after, facts, text);

	cr_assert_neq(state, WORLD_ALTERED, "message %llu: %s",
	    (unsigned long long)facts->id, text);
	if (entry == NULL) {
		/* It had ended; the record of that, or what it ended, was hit.
		 */
		tally->back += state != WORLD_ABSENT;
		cr_assert(state == WORLD_ABSENT ||
			facts->finished != WORLD_YES ||
			queue_damage_hit(damage,
			    queue_map_unit(map, before, facts->finished_at)),
		    "message %llu is back", (unsigned long long)facts->id);
		return;
	}
	bool message_hit =
	    queue_damage_hit(damage, queue_map_unit(map, before, entry->place));
	if (facts->is_large)
		message_hit = message_hit ||
		    queue_damage_hit(damage, queue_map_large(map, facts->id));
	bool progress_hit = queue_damage_hit(
	    damage, queue_map_unit(map, before, entry->progress_place));
	bool is_lost = state == WORLD_ABSENT || state == WORLD_DAMAGED;
	tally->hit += message_hit;
	tally->lost += is_lost;
	tally->older += state == WORLD_OLDER;
	tally->silent += state == WORLD_ABSENT && after->problems == 0;
	cr_assert(!is_lost || message_hit || progress_hit,
	    "message %llu, not hit: %s", (unsigned long long)facts->id,
	    state == WORLD_ABSENT ? "lost" : text);
	cr_assert(state != WORLD_OLDER || progress_hit,
	    "message %llu, not hit: %s", (unsigned long long)facts->id, text);
	/* Two at once can make the end of the log look like a clean one. */
	cr_assert(state != WORLD_ABSENT || after->problems > 0 ||
		damage->mutations > 1,
	    "message %llu: not a word", (unsigned long long)facts->id);
}

/* What is wrong with summaries alone is no problem. */
static void
check_harmless(const struct queue_map *map, const struct world *after,
    const struct queue_damage *damage)
{
	bool is_harmless = damage->count > 0;

	for (size_t i = 0; i < damage->count; i++)
		is_harmless =
		    is_harmless && map->files[damage->hits[i].file].is_summary;
	cr_assert(!is_harmless || after->problems == 0, "a summary: %s",
	    after->problem);
}

static void
mutate(struct tally *tally, struct world *before, const struct queue_map *map,
    uint64_t seed)
{
	struct fake_disk *fake = fake_disk_after_kill(before->fake);
	struct queue_damage damage;
	struct world after;

	if (seed % 8 == 0) {
		damage = (struct queue_damage){.count = 0};
		queue_damage_file(&damage, map, fake, seed);
	} else {
		queue_damage_do(&damage, map, fake, seed);
	}
	world_copy(&after, before, fake);
	cr_assert(world_start(&after), "seed %llu: %s",
	    (unsigned long long)seed, error_text(&after.error));
	for (size_t i = 0; i < before->count; i++)
		judge(
		    tally, map, before, &after, &damage, &before->messages[i]);
	check_harmless(map, &after, &damage);
	tally->mutations++;

	/* It goes on, and what is left is left the next time, too. */
	if (seed % 16 == 0) {
		size_t size = world_size(&after);
		world_stop(&after);
		cr_assert(world_start(&after));
		cr_assert_eq(world_size(&after), size);
		cr_assert(world_step(&after, "a3"));
	}
	world_clear(&after);
}

static void
corrupt(const char *name, const char *script)
{
	const char *text = getenv("POSTRIDER_MUTATIONS");
	size_t count = text == NULL ? 10000 : strtoul(text, NULL, 10);
	struct tally tally = {.mutations = 0};
	struct queue_map map = {.count = 0};
	struct world before;

	world_init(&before, fake_disk_new());
	cr_assert(world_start(&before));
	cr_assert(world_run(&before, script));
	queue_map_init(&map, before.fake);
	queue_map_add_summaries(&map, before.fake);
	for (uint64_t seed = 1; seed <= count; seed++)
		mutate(&tally, &before, &map, seed);
	cr_log_info("%s: %zu mutations: %zu messages hit, %zu lost or "
		    "unreadable, %zu of them without a word; %zu with older "
		    "progress, %zu back after their end; altered 0",
	    name, tally.mutations, tally.hit, tally.lost, tally.silent,
	    tally.older, tally.back);
	world_clear(&before);
}

#define MANY "a9 p4 l a5 f3 b a9 p9 l f4 a3 p3 b h"

Test(corruption, costs_only_what_it_hits, .timeout = 86400)
{
	corrupt("scanned", MANY);
}

Test(corruption, costs_no_more_where_there_are_summaries, .timeout = 86400)
{
	corrupt("summarized", MANY " s");
}
