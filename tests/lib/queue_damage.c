#include "lib/queue_damage.h"

#include "base/memory.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR ((size_t)512)

static uint64_t
draw(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* ---- where everything lies ---- */

static void
map_directory(
    struct queue_map *map, struct fake_disk *fake, const char *directory)
{
	char *names = fake_disk_names(fake, directory);
	struct bytes rest = bytes_of(names);

	while (rest.len > 0) {
		struct bytes name = bytes_cut(&rest, ' ');
		struct queue_file *file = &map->files[map->count];
		bool is_segment = bytes_has_suffix_nocase(name, ".log");
		bool is_large =
		    queue_id_parse(name, &file->large_id) && !is_segment;
		if (!is_segment && !is_large)
			continue;
		cr_assert_lt(++map->count, QUEUE_DAMAGE_FILES_MAX);
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

void
queue_map_add_summaries(struct queue_map *map, struct fake_disk *fake)
{
	char *names = fake_disk_names(fake, "queue");
	struct bytes rest = bytes_of(names);

	while (rest.len > 0) {
		struct bytes name = bytes_cut(&rest, ' ');
		struct queue_file *file = &map->files[map->count];
		if (!bytes_has_suffix_nocase(name, ".sum"))
			continue;
		cr_assert_lt(++map->count, QUEUE_DAMAGE_FILES_MAX);
		*file = (struct queue_file){.is_summary = true};
		(void)snprintf(file->path, sizeof(file->path), "queue/%.*s",
		    BYTES_ARGS(name));
		file->len = fake_disk_get(fake, file->path).len;
	}
	free(names);
}

static size_t
file_of(const struct queue_map *map, uint64_t segment, uint64_t large_id)
{
	for (size_t i = 0; i < map->count; i++) {
		if (segment != 0 ? map->files[i].segment == segment
				 : map->files[i].large_id == large_id)
			return i;
	}
	cr_assert_fail("no such file");
	return 0;
}

void
queue_map_init(struct queue_map *map, struct fake_disk *fake)
{
	map->count = 0;
	map_directory(map, fake, "queue");
	map_directory(map, fake, "queue/large");
}

struct queue_stretch
queue_map_large(const struct queue_map *map, uint64_t id)
{
	size_t file = file_of(map, 0, id);

	return (struct queue_stretch){file, 0, map->files[file].len};
}

struct queue_stretch
queue_map_unit(
    const struct queue_map *map, const struct world *world, struct place place)
{
	struct unit_header header;
	struct segment_header segment;
	uint32_t version;
	if (place.segment == 0)
		return (struct queue_stretch){QUEUE_DAMAGE_FILES_MAX, 0, 0};

	size_t file = file_of(map, place.segment, 0);
	struct bytes content =
	    fake_disk_get(world->fake, map->files[file].path);
	cr_assert_eq(
	    segment_header_decode(
		bytes_first(content, SEGMENT_HEADER_LEN), &segment, &version),
	    SEGMENT_HEADER_VALID);
	cr_assert(unit_header_decode(bytes_from(content, place.offset),
	    segment.salt, place.offset, &header));
	return (struct queue_stretch){file, place.offset,
	    place.offset + (size_t)unit_header_size(&header)};
}

static bool
overlap(struct queue_stretch a, struct queue_stretch b)
{
	return a.file == b.file && a.from < b.to && b.from < a.to;
}

/* ---- damage ---- */

bool
queue_damage_hit(
    const struct queue_damage *damage, struct queue_stretch stretch)
{
	for (size_t i = 0; i < damage->count; i++) {
		if (overlap(damage->hits[i], stretch))
			return true;
	}
	return false;
}

static void
add_hit(struct queue_damage *damage, size_t file, size_t from, size_t to)
{
	cr_assert_lt(damage->count, QUEUE_DAMAGE_HITS_MAX);
	damage->hits[damage->count++] = (struct queue_stretch){file, from, to};
}

/* Both copies of the header: then all of the segment is. */
static void
spread_over_headless(const struct queue_map *map, struct queue_damage *damage)
{
	for (size_t i = 0; i < map->count; i++) {
		struct queue_stretch first = {i, 0, 64};
		struct queue_stretch second = {i, 2048, 2112};
		if (map->files[i].segment != 0 &&
		    queue_damage_hit(damage, first) &&
		    queue_damage_hit(damage, second))
			add_hit(damage, i, 0, map->files[i].len);
	}
}

static void
damage_once(const struct queue_map *map, struct fake_disk *fake,
    struct queue_damage *damage, uint64_t *random)
{
	size_t index = draw(random) % map->count;
	const struct queue_file *file = &map->files[index];
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

void
queue_damage_do(struct queue_damage *damage, const struct queue_map *map,
    struct fake_disk *fake, uint64_t seed)
{
	uint64_t random = seed * 0x9e3779b97f4a7c15U + 1;

	*damage = (struct queue_damage){.count = 0};
	damage->mutations = 1 + draw(&random) % 2;
	for (size_t i = 0; i < damage->mutations; i++)
		damage_once(map, fake, damage, &random);
	spread_over_headless(map, damage);
}

/* ---- whole files ---- */

static bool
is_large(const struct queue_file *file)
{
	return file->segment == 0 && !file->is_summary;
}

static const struct queue_file *
pick_twin(const struct queue_map *map, const struct queue_file *file,
    uint64_t *random)
{
	for (size_t i = 0; i < QUEUE_DAMAGE_FILES_MAX; i++) {
		const struct queue_file *twin =
		    &map->files[draw(random) % map->count];
		if (twin->is_summary == file->is_summary &&
		    is_large(twin) == is_large(file))
			return twin;
	}
	return file;
}

static void
swap_files(struct fake_disk *fake, const char *path, const char *other)
{
	struct bytes first = fake_disk_get(fake, path);
	struct bytes second = fake_disk_get(fake, other);
	char *kept = memory_copy(first);
	char *taken = memory_copy(second);

	fake_disk_put(fake, path, bytes_make(taken, second.len));
	fake_disk_put(fake, other, bytes_make(kept, first.len));
	free(kept);
	free(taken);
}

static void
copy_file(struct fake_disk *fake, const struct queue_file *file)
{
	struct bytes content = fake_disk_get(fake, file->path);
	char *kept = memory_copy(content);

	fake_disk_put(fake,
	    file->is_summary ? "queue/0000000000000fff.sum"
			     : "queue/0000000000000fff.log",
	    bytes_make(kept, content.len));
	free(kept);
}

void
queue_damage_file(struct queue_damage *damage, const struct queue_map *map,
    struct fake_disk *fake, uint64_t seed)
{
	uint64_t random = seed * 0x9e3779b97f4a7c15U + 1;
	size_t index = draw(&random) % map->count;
	const struct queue_file *file = &map->files[index];
	uint64_t deed = draw(&random) % 3;

	damage->mutations++;
	if (deed == 0 || is_large(file)) {
		/* The first or the last segment is missed by nobody. */
		damage->mutations++;
		add_hit(damage, index, 0, file->len);
		cr_assert(fake_disk_remove(fake, file->path));
	} else if (deed == 1) {
		swap_files(
		    fake, file->path, pick_twin(map, file, &random)->path);
	} else {
		copy_file(fake, file);
	}
}
