#include "queue/roster.h"

#include "base/memory.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_LEN ((size_t)256)

struct row {
	uint64_t id;
	void *element;
};

struct roster_chunk {
	size_t len;
	struct row rows[CHUNK_LEN];
};

/* Where an id is, or would be. */
struct spot {
	size_t chunk;
	size_t row;
};

/* Number of rows with an id below this. */
static size_t
rows_below(const struct roster_chunk *chunk, uint64_t id)
{
	size_t low = 0;
	size_t high = chunk->len;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (chunk->rows[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The last chunk that begins with an id not above this; else the first. */
static size_t
chunk_of(const struct roster *roster, uint64_t id)
{
	size_t low = 0;
	size_t high = roster->chunk_count;

	while (low + 1 < high) {
		size_t middle = (low + high) / 2;
		if (roster->chunks[middle]->rows[0].id <= id)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static struct spot
spot_of(const struct roster *roster, uint64_t id)
{
	struct spot spot = {.chunk = chunk_of(roster, id)};

	if (spot.chunk < roster->chunk_count)
		spot.row = rows_below(roster->chunks[spot.chunk], id);
	return spot;
}

static bool
is_at(const struct roster *roster, struct spot spot, uint64_t id)
{
	if (spot.chunk == roster->chunk_count)
		return false;
	const struct roster_chunk *chunk = roster->chunks[spot.chunk];
	return spot.row < chunk->len && chunk->rows[spot.row].id == id;
}

static struct roster_chunk *
insert_chunk(struct roster *roster, size_t index)
{
	if (roster->chunk_count == roster->capacity) {
		roster->capacity =
		    roster->capacity == 0 ? 16 : roster->capacity * 2;
		roster->chunks = memory_resize_array(roster->chunks,
		    roster->capacity, sizeof(struct roster_chunk *));
	}
	memmove(&roster->chunks[index + 1], &roster->chunks[index],
	    (roster->chunk_count - index) * sizeof(struct roster_chunk *));
	roster->chunks[index] = memory_new(sizeof(struct roster_chunk));
	roster->chunk_count++;
	return roster->chunks[index];
}

static void
remove_chunk(struct roster *roster, size_t index)
{
	free(roster->chunks[index]);
	roster->chunk_count--;
	memmove(&roster->chunks[index], &roster->chunks[index + 1],
	    (roster->chunk_count - index) * sizeof(struct roster_chunk *));
}

/* Bring the next chunk's rows into this one, if there are few in both. */
static bool
merge(struct roster *roster, size_t index)
{
	if (index + 1 >= roster->chunk_count)
		return false;
	struct roster_chunk *chunk = roster->chunks[index];
	const struct roster_chunk *next = roster->chunks[index + 1];
	if (chunk->len + next->len > CHUNK_LEN / 2)
		return false;

	memcpy(&chunk->rows[chunk->len], next->rows,
	    next->len * sizeof(struct row));
	chunk->len += next->len;
	remove_chunk(roster, index + 1);
	return true;
}

/* After a removal: no two neighbours stand nearly empty. */
static void
tidy(struct roster *roster, size_t index)
{
	const struct roster_chunk *chunk = roster->chunks[index];

	if (chunk->len == 0)
		remove_chunk(roster, index);
	else if (chunk->len < CHUNK_LEN / 4 && !merge(roster, index) &&
	    index > 0)
		(void)merge(roster, index - 1); /* or stay as they are */
}

/*
 * Room for one more at spot, in a chunk that is full: behind its last row a new
 * one begins, elsewhere its upper half becomes one.
 */
static struct spot
split(struct roster *roster, struct spot spot)
{
	struct roster_chunk *full = roster->chunks[spot.chunk];
	struct roster_chunk *next = insert_chunk(roster, spot.chunk + 1);

	if (spot.row == CHUNK_LEN)
		return (struct spot){spot.chunk + 1, 0};

	next->len = CHUNK_LEN / 2;
	full->len -= next->len;
	memcpy(
	    next->rows, &full->rows[full->len], next->len * sizeof(struct row));
	if (spot.row > full->len)
		return (struct spot){spot.chunk + 1, spot.row - full->len};
	return spot;
}

void
roster_init(struct roster *roster)
{
	*roster = (struct roster){.chunks = NULL};
}

void
roster_clear(struct roster *roster)
{
	for (size_t i = 0; i < roster->chunk_count; i++)
		free(roster->chunks[i]);
	free(roster->chunks);
	roster_init(roster);
}

void
roster_insert(struct roster *roster, uint64_t id, void *element)
{
	struct spot spot = spot_of(roster, id);
	assert(!is_at(roster, spot, id));

	if (roster->chunk_count == 0)
		insert_chunk(roster, 0);
	else if (roster->chunks[spot.chunk]->len == CHUNK_LEN)
		spot = split(roster, spot);

	struct roster_chunk *chunk = roster->chunks[spot.chunk];
	struct row *row = &chunk->rows[spot.row];
	memmove(row + 1, row, (chunk->len - spot.row) * sizeof(*row));
	*row = (struct row){id, element};
	chunk->len++;
	roster->len++;
}

void *
roster_remove(struct roster *roster, uint64_t id)
{
	struct spot spot = spot_of(roster, id);
	if (!is_at(roster, spot, id))
		return NULL;

	struct roster_chunk *chunk = roster->chunks[spot.chunk];
	struct row *row = &chunk->rows[spot.row];
	void *element = row->element;
	chunk->len--;
	memmove(row, row + 1, (chunk->len - spot.row) * sizeof(*row));
	roster->len--;
	tidy(roster, spot.chunk);
	return element;
}

void *
roster_find(const struct roster *roster, uint64_t id)
{
	struct spot spot = spot_of(roster, id);
	if (!is_at(roster, spot, id))
		return NULL;
	return roster->chunks[spot.chunk]->rows[spot.row].element;
}

void *
roster_after(const struct roster *roster, uint64_t id)
{
	struct spot spot = spot_of(roster, id);

	if (is_at(roster, spot, id))
		spot.row++;
	if (spot.chunk < roster->chunk_count &&
	    spot.row == roster->chunks[spot.chunk]->len)
		spot = (struct spot){spot.chunk + 1, 0};
	if (spot.chunk >= roster->chunk_count)
		return NULL;
	return roster->chunks[spot.chunk]->rows[spot.row].element;
}
