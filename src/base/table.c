#include "base/table.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/random.h>
/* sendmail has tables, too, and is linked with libc alone. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#define FIRST_CAPACITY ((size_t)16)
/* Stands where an element was taken out, so that probing goes on past it. */
#define TOMBSTONE ((void *)(uintptr_t)1)

static bool
is_element(const void *slot)
{
	return slot != NULL && slot != TOMBSTONE;
}

static size_t
next_index(const struct table *table, size_t index)
{
	return (index + 1) & (table->capacity - 1);
}

static size_t
home_index(const struct table *table, struct bytes key)
{
	uint64_t hash = XXH3_64bits_withSeed(key.data, key.len, table->seed);
	return (size_t)hash & (table->capacity - 1);
}

/*
 * Index of the element with this key, or of the empty slot that ends its
 * probing.  There is an empty slot: see make_room().
 */
static size_t
probe(const struct table *table, struct bytes key)
{
	size_t index = home_index(table, key);

	for (;; index = next_index(table, index)) {
		const void *slot = table->slots[index];
		if (slot == NULL)
			return index;
		if (slot != TOMBSTONE && bytes_equal(table->key(slot), key))
			return index;
	}
}

/* Into slots of another number, leaving the tombstones behind. */
static void
rebuild(struct table *table, size_t capacity)
{
	struct table old = *table;

	table->slots = memory_array(capacity, sizeof(table->slots[0]));
	table->capacity = capacity;
	table->used = table->len;
	for (size_t i = 0; i < old.capacity; i++) {
		void *element = old.slots[i];
		if (is_element(element))
			table->slots[probe(table, table->key(element))] =
			    element;
	}
	free(old.slots);
}

/*
 * Room for one more.  At most three quarters of the slots are used; then all
 * is rebuilt so that at most half are, which may mean fewer slots than before.
 */
static void
make_room(struct table *table)
{
	if (table->used < table->capacity / 4 * 3)
		return;

	size_t capacity = FIRST_CAPACITY;
	while (capacity / 2 <= table->len)
		capacity *= 2;
	rebuild(table, capacity);
}

void
table_init(struct table *table, table_key_fn key)
{
	*table = (struct table){.key = key};
	/* Cannot fail for so few octets: getrandom(2). */
	ssize_t got = getrandom(&table->seed, sizeof(table->seed), 0);
	assert(got == (ssize_t)sizeof(table->seed));
}

void
table_clear(struct table *table)
{
	free(table->slots);
	*table = (struct table){.key = table->key, .seed = table->seed};
}

void *
table_find(const struct table *table, struct bytes key)
{
	return table->len == 0 ? NULL : table->slots[probe(table, key)];
}

void
table_insert(struct table *table, void *element)
{
	assert(is_element(element));
	make_room(table);

	size_t index = probe(table, table->key(element));
	assert(table->slots[index] == NULL);
	table->slots[index] = element;
	table->len++;
	table->used++;
}

void *
table_remove(struct table *table, struct bytes key)
{
	if (table->len == 0)
		return NULL;

	size_t index = probe(table, key);
	void *element = table->slots[index];
	if (element == NULL)
		return NULL;

	/* Nothing is found through the end of a run: no tombstone there. */
	bool ends_run = table->slots[next_index(table, index)] == NULL;
	table->slots[index] = ends_run ? NULL : TOMBSTONE;
	table->len--;
	if (ends_run)
		table->used--;
	return element;
}

size_t
table_size(const struct table *table)
{
	return table->len;
}

void *
table_next(const struct table *table, size_t *cursor)
{
	while (*cursor < table->capacity) {
		void *slot = table->slots[(*cursor)++];
		if (is_element(slot))
			return slot;
	}
	return NULL;
}
