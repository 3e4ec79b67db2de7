/*
 * A queue on a fake disk, damaged at random: flipped bits, zeroed and swapped
 * sectors, files that are cut, gone, swapped or copied; and what was hit.
 */
#pragma once

#include "lib/journal_world.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUEUE_DAMAGE_FILES_MAX 32
#define QUEUE_DAMAGE_HITS_MAX  8

struct queue_file {
	char path[64];
	uint64_t segment; /* 0: a large body, or a summary */
	uint64_t large_id;
	bool is_summary;
	size_t len;
};

/* Octets of one of the files. */
struct queue_stretch {
	size_t file;
	size_t from, to;
};

/* The segments and large bodies of a queue, before the damage. */
struct queue_map {
	struct queue_file files[QUEUE_DAMAGE_FILES_MAX];
	size_t count;
};

void queue_map_init(struct queue_map *map, struct fake_disk *fake);
/* The summaries, too. */
void queue_map_add_summaries(struct queue_map *map, struct fake_disk *fake);
/* The unit at place, filling included; nothing for PLACE_NONE. */
struct queue_stretch queue_map_unit(
    const struct queue_map *map, const struct world *world, struct place place);
/* The whole large body of a message. */
struct queue_stretch queue_map_large(const struct queue_map *map, uint64_t id);

struct queue_damage {
	struct queue_stretch hits[QUEUE_DAMAGE_HITS_MAX];
	size_t count;
	size_t mutations;
};

/* Damage the queue on fake, in one or two places, by the seed. */
void queue_damage_do(struct queue_damage *damage, const struct queue_map *map,
    struct fake_disk *fake, uint64_t seed);
/* And one whole file: it goes, changes places with another of its kind, or is
 * there twice. */
void queue_damage_file(struct queue_damage *damage, const struct queue_map *map,
    struct fake_disk *fake, uint64_t seed);
bool queue_damage_hit(
    const struct queue_damage *damage, struct queue_stretch stretch);
