/*
 * A queue at rest, damaged at random: flipped bits, zeroed and swapped sectors,
 * cut files.  Only what was hit may be lost, nothing may be altered, and it is
 * said.
 *
 * POSTRIDER_MUTATIONS=N in the environment: so many (20,000).
 */
#include "base/memory.h"
#include "lib/journal_world.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILES_MAX 16
#define HITS_MAX  8
#define SECTOR    ((size_t)512)

static uint64_t
draw(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* ---- where everything lies ---- */

struct file {
	char path[64];
	uint64_t segment; /* 0: a large body */
	uint64_t large_id;
	size_t len;
};

struct stretch {
	size_t file;
	size_t from, to;
};

struct map {
	struct file files[FILES_MAX];
	size_t count;
};

static void
map_directory(struct map *map, struct fake_disk *fake, const char *directory)
{
	char *names = fake_disk_names(fake, directory);
	struct bytes rest = bytes_of(names);

	while (rest.len > 0) {
		struct bytes name = bytes_cut(&rest, ' ');
		struct file *file = &map->files[map->count];
		bool is_segment = bytes_has_suffix_nocase(name, ".log");
		bool is_large =
		    queue_id_parse(name, &file->large_id) && !is_segment;
		if (!is_segment && !is_large)
			continue;
		cr_assert_lt(++map->count, FILES_MAX);
		(void)snprintf(file->path, sizeof(file->path), "%s/%.*s",
		    directory, BYTES_ARGS(name));
		struct bytes content = fake_disk_get(fake, file->path);
		file->len = content.len;
		struct segment_header header;
		uint32_t version;
		if (is_segment &&
		    segment_header_decode(
			bytes_first(content, SEGMENT_HEADER_LEN), &header,
			&version) == SEGMENT_HEADER_VALID)
			file->segment = header.generation;
	}
	free(names);
}

static size_t
file_of(const struct map *map, uint64_t segment, uint64_t large_id)
{
	for (size_t i = 0; i < map->count; i++) {
		if (segment != 0 ? map->files[i].segment == segment
				 : map->files[i].large_id == large_id)
			return i;
	}
	cr_assert_fail("no such file");
	return 0;
}

/* The unit at place; nothing for PLACE_NONE. */
static struct stretch
unit_at(const struct map *map, const struct world *world, struct place place)
{
	struct unit_header header;
	struct segment_header segment;
	uint32_t version;
	if (place.segment == 0)
		return (struct stretch){FILES_MAX, 0, 0};

	size_t file = file_of(map, place.segment, 0);
	struct bytes content =
	    fake_disk_get(world->fake, map->files[file].path);
	cr_assert_eq(
	    segment_header_decode(
		bytes_first(content, SEGMENT_HEADER_LEN), &segment, &version),
	    SEGMENT_HEADER_VALID);
	cr_assert(unit_header_decode(bytes_from(content, place.offset),
	    segment.salt, place.offset, &header));
	return (struct stretch){file, place.offset,
	    place.offset + (size_t)unit_header_size(&header)};
}

static bool
overlap(struct stretch a, struct stretch b)
{
	return a.file == b.file && a.from < b.to && b.from < a.to;
}

/* ---- damage ---- */

struct damage {
	struct stretch hits[HITS_MAX];
	size_t count;
	size_t mutations;
};

static bool
is_hit(const struct damage *damage, struct stretch stretch)
{
	for (size_t i = 0; i < damage->count; i++) {
		if (overlap(damage->hits[i], stretch))
			return true;
	}
	return false;
}

static void
add_hit(struct damage *damage, size_t file, size_t from, size_t to)
{
	cr_assert_lt(damage->count, HITS_MAX);
	damage->hits[damage->count++] = (struct stretch){file, from, to};
}

/* Both copies of the header: then all of the segment is. */
static void
spread_over_headless(const struct map *map, struct damage *damage)
{
	for (size_t i = 0; i < map->count; i++) {
		struct stretch first = {i, 0, 64};
		struct stretch second = {i, 2048, 2112};
		if (map->files[i].segment != 0 && is_hit(damage, first) &&
		    is_hit(damage, second))
			add_hit(damage, i, 0, map->files[i].len);
	}
}

static void
damage_once(const struct map *map, struct fake_disk *fake,
    struct damage *damage, uint64_t *random)
{
	size_t index = draw(random) % map->count;
	const struct file *file = &map->files[index];
	struct bytes content = fake_disk_get(fake, file->path);
	if (content.len < 2 * SECTOR)
		return;
	char *data = memory_copy(content);
	size_t at = draw(random) % content.len;
	size_t sector = at / SECTOR * SECTOR;
	size_t other = draw(random) % (content.len / SECTOR) * SECTOR;
	char swap[SECTOR];
	size_t len = content.len;

	switch (draw(random) % 6) {
	case 0:
	case 1:
	case 2:
		data[at] ^= (char)(1 << draw(random) % 8);
		add_hit(damage, index, at, at + 1);
		break;
	case 3:
		if (sector + SECTOR > len)
			break;
		memset(data + sector, 0, SECTOR);
		add_hit(damage, index, sector, sector + SECTOR);
		break;
	case 4:
		if (sector + SECTOR > len || other + SECTOR > len)
			break;
		memcpy(swap, data + sector, SECTOR);
		memcpy(data + sector, data + other, SECTOR);
		memcpy(data + other, swap, SECTOR);
		add_hit(damage, index, sector, sector + SECTOR);
		add_hit(damage, index, other, other + SECTOR);
		break;
	default:
		add_hit(damage, index, at, len);
		len = at;
		break;
	}
	fake_disk_put(fake, file->path, bytes_make(data, len));
	free(data);
}

/* ---- the oracle ---- */

struct tally {
	size_t mutations, hit, lost, silent, older, back;
};

static void
judge(struct tally *tally, const struct map *map, struct world *before,
    struct world *after, const struct damage *damage,
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
			is_hit(
			    damage, unit_at(map, before, facts->finished_at)),
		    "message %llu is back", (unsigned long long)facts->id);
		return;
	}
	bool message_hit = is_hit(damage, unit_at(map, before, entry->place));
	if (facts->is_large) {
		size_t file = file_of(map, 0, facts->id);
		message_hit = message_hit ||
		    is_hit(damage,
			(struct stretch){file, 0, map->files[file].len});
	}
	bool progress_hit =
	    is_hit(damage, unit_at(map, before, entry->progress_place));
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

static void
mutate(struct tally *tally, struct world *before, const struct map *map,
    uint64_t seed)
{
	uint64_t random = seed * 0x9e3779b97f4a7c15U + 1;
	struct fake_disk *fake = fake_disk_after_kill(before->fake);
	struct damage damage = {.count = 0};
	struct world after;

	damage.mutations = 1 + draw(&random) % 2;
	for (size_t i = 0; i < damage.mutations; i++)
		damage_once(map, fake, &damage, &random);
	spread_over_headless(map, &damage);
	world_copy(&after, before, fake);
	cr_assert(world_start(&after), "seed %llu: %s",
	    (unsigned long long)seed, error_text(&after.error));
	for (size_t i = 0; i < before->count; i++)
		judge(
		    tally, map, before, &after, &damage, &before->messages[i]);
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

Test(corruption, costs_only_what_it_hits)
{
	const char *text = getenv("POSTRIDER_MUTATIONS");
	size_t count = text == NULL ? 20000 : strtoul(text, NULL, 10);
	struct tally tally = {.mutations = 0};
	struct map map = {.count = 0};
	struct world before;

	world_init(&before, fake_disk_new());
	cr_assert(world_start(&before));
	cr_assert(world_run(&before, "a9 p4 l a5 f3 b a9 p9 l f4 a3 p3 b h"));
	map_directory(&map, before.fake, "queue");
	map_directory(&map, before.fake, "queue/large");
	for (uint64_t seed = 1; seed <= count; seed++)
		mutate(&tally, &before, &map, seed);
	cr_log_info("%zu mutations: %zu messages hit, %zu lost or unreadable, "
		    "%zu of them without a word; %zu with older progress, %zu "
		    "back after their end; altered 0",
	    tally.mutations, tally.hit, tally.lost, tally.silent, tally.older,
	    tally.back);
	world_clear(&before);
}
