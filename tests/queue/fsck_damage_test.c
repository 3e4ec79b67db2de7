/*
 * fsck against queues damaged in every way, with summaries and without.  The
 * journal itself is the oracle: what a start finds is what fsck says.
 *
 * POSTRIDER_MUTATIONS=N in the environment: so many (4,000).
 */
#include "fsck_scene.h"
#include "lib/queue_damage.h"

#include <criterion/criterion.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is damaged ---- */

static uint64_t
unit_number(const struct world *before, const struct queue_map *map,
    struct queue_stretch unit)
{
	struct bytes file =
	    fake_disk_get(before->fake, map->files[unit.file].path);
	uint64_t number;

	/* record.h */
	memcpy(&number, file.data + unit.from + 16, sizeof(number));
	return le64toh(number);
}

/* It speaks of that unit, or of all that is behind some place. */
static bool
speaks_of(const struct fsck_finding *finding, struct queue_stretch unit,
    uint64_t number)
{
	switch (finding->kind) {
	case FSCK_HEADLESS:
	case FSCK_STRANGER:
		return true;
	case FSCK_TORN:
		return finding->units == 0 ? finding->offset < unit.to
					   : number >= finding->first_unit;
	case FSCK_UNITS:
		return number >= finding->first_unit &&
		    number - finding->first_unit < finding->units;
	case FSCK_CONTENT:
	case FSCK_OLD_CONTENT:
	case FSCK_FILLING:
		return finding->offset < unit.to &&
		    unit.from < finding->offset + finding->len;
	case FSCK_EMPTY:
	case FSCK_FOREIGN:
	case FSCK_HEADER_COPY:
	case FSCK_MESSAGE:
	case FSCK_LOST:
	case FSCK_LARGE:
	case FSCK_ORPHAN:
	case FSCK_SUMMARY:
	case FSCK_MISSING:
	case FSCK_NO_FILE:
	case FSCK_SHARED:
		break;
	}
	return false;
}

static bool
is_told(const struct fsck *fsck, const char *name, struct queue_stretch unit,
    uint64_t number)
{
	for (size_t i = 0; i < fsck->finding_count; i++) {
		if (strcmp(fsck->findings[i].file, name) == 0 &&
		    speaks_of(&fsck->findings[i], unit, number))
			return true;
	}
	return false;
}

/* A queue before and after. */
struct damaged {
	struct world *before;
	struct fake_disk *fake;
	const struct queue_map *map; /* of before */
	const struct fsck *fsck;     /* of fake */
	uint64_t seed;
};

static bool
differs(const struct damaged *damaged, struct queue_stretch stretch)
{
	const char *path = damaged->map->files[stretch.file].path;
	size_t len = stretch.to - stretch.from;

	return !bytes_equal(
	    bytes_first(bytes_from(fake_disk_get(damaged->before->fake, path),
			    stretch.from),
		len),
	    bytes_first(
		bytes_from(fake_disk_get(damaged->fake, path), stretch.from),
		len));
}

static bool
is_hit_silently(const struct damaged *damaged, struct place place)
{
	const struct queue_map *map = damaged->map;
	struct queue_stretch unit = queue_map_unit(map, damaged->before, place);

	return place.segment != 0 && differs(damaged, unit) &&
	    !is_told(damaged->fsck, strchr(map->files[unit.file].path, '/') + 1,
		unit, unit_number(damaged->before, map, unit));
}

/* A message is told of where its unit, its progress or its large body is not
 * what it was. */
static void
judge(const struct damaged *damaged, const struct ledger_entry *entry)
{
	const struct fsck *fsck = damaged->fsck;
	unsigned long long seed = damaged->seed;
	unsigned long long id = entry->id;

	cr_assert(!is_hit_silently(damaged, entry->place),
	    "seed %llu: message %llu was hit: %s", seed, id,
	    fsck_scene_told(fsck));
	cr_assert(!is_hit_silently(damaged, entry->progress_place),
	    "seed %llu: the progress of %llu was hit: %s", seed, id,
	    fsck_scene_told(fsck));
	bool is_there = ledger_find(fsck->ledger, id) != NULL;
	cr_assert(!entry->is_large ||
		!differs(damaged, queue_map_large(damaged->map, id)) ||
		!is_there || fsck_scene_has(fsck, FSCK_LARGE, id),
	    "seed %llu: the large body of %llu was hit", seed, id);
	cr_assert(is_there ||
		fsck->gravities[FSCK_DAMAGE] + fsck->gravities[FSCK_DOUBTFUL] >
		    0,
	    "seed %llu: message %llu is lost", seed, id);
}

static bool
is_damaged(const struct fsck *fsck, uint64_t id)
{
	return fsck_scene_has(fsck, FSCK_CONTENT, id) ||
	    fsck_scene_has(fsck, FSCK_MESSAGE, id) ||
	    fsck_scene_has(fsck, FSCK_LARGE, id);
}

/* What a start makes of the same disk. */
static void
compare(struct world *after, const struct fsck *fsck, uint64_t seed)
{
	for (size_t i = 0; i < after->count; i++) {
		const struct world_message *facts = &after->messages[i];
		char text[128] = "";
		enum world_state state = world_examine(after, facts, text);
		bool is_here = ledger_find(fsck->ledger, facts->id) != NULL;
		cr_assert_eq(is_here, state != WORLD_ABSENT,
		    "seed %llu: message %llu: %s", (unsigned long long)seed,
		    (unsigned long long)facts->id, text);
		cr_assert(!is_here ||
			(state == WORLD_DAMAGED) == is_damaged(fsck, facts->id),
		    "seed %llu: message %llu: %s", (unsigned long long)seed,
		    (unsigned long long)facts->id, text);
	}
	bool is_grave =
	    fsck->gravities[FSCK_DAMAGE] + fsck->gravities[FSCK_DOUBTFUL] > 0;
	cr_assert(after->problems == 0 || is_grave,
	    "seed %llu: a start tells of %s", (unsigned long long)seed,
	    after->problem);
}

static void
mutate(struct world *world, const struct queue_map *map, uint64_t seed)
{
	struct fake_disk *fake = fake_disk_after_kill(world->fake);
	uint64_t whole = fake_disk_hash(fake);
	struct queue_damage damage;
	struct world after;

	queue_damage_do(&damage, map, fake, seed);
	struct fsck *fsck = fsck_scene_look(fake);
	struct damaged damaged = {world, fake, map, fsck, seed};
	cr_assert(fake_disk_hash(fake) != whole || fsck->finding_count == 0,
	    "seed %llu: %s", (unsigned long long)seed, fsck_scene_told(fsck));
	/* Two at once can make the end of the log look like a clean one. */
	const struct ledger_entry *entry = ledger_after(world->ledger, 0);
	for (; damage.mutations == 1 && entry != NULL;
	     entry = ledger_after(world->ledger, entry->id))
		judge(&damaged, entry);
	world_copy(&after, world, fake_disk_after_kill(fake));
	cr_assert(world_start(&after));
	compare(&after, fsck, seed);
	fsck_free(fsck);
	fake_disk_free(fake);
	world_clear(&after);
}

static void
damage_often(bool has_summaries)
{
	const char *text = getenv("POSTRIDER_MUTATIONS");
	size_t count = text == NULL ? 4000 : strtoul(text, NULL, 10);
	struct queue_map map = {.count = 0};
	struct world world;

	world_init(&world, fake_disk_new());
	cr_assert(world_start(&world));
	cr_assert(world_run(&world, FSCK_SCENE_SCRIPT));
	if (has_summaries)
		fsck_scene_summarize(&world);
	queue_map_init(&map, world.fake);
	for (uint64_t seed = 1; seed <= count; seed++)
		mutate(&world, &map, seed);
	world_clear(&world);
}

Test(fsck_damage, is_told_for_every_message_that_is_hit)
{
	damage_often(false);
}

/* Which tell what was in a unit that cannot be read. */
Test(fsck_damage, is_told_as_well_where_there_are_summaries)
{
	damage_often(true);
}
