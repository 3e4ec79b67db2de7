#include "base/memory.h"
#include "base/table.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Elements by name. */
struct user {
	struct bytes name;
	bool seen;
};

static struct bytes
user_key(const void *element)
{
	return ((const struct user *)element)->name;
}

/* Elements by number. */
struct item {
	uint64_t id;
	bool in_table;
	bool seen;
};

static struct bytes
item_key(const void *element)
{
	return bytes_make(
	    &((const struct item *)element)->id, sizeof(uint64_t));
}

static struct bytes
key_of(const uint64_t *id)
{
	return bytes_make(id, sizeof(*id));
}

Test(table, is_empty_at_first)
{
	struct table table;
	size_t cursor = 0;

	table_init(&table, user_key);
	cr_expect_eq(table_size(&table), 0);
	cr_expect_null(table_find(&table, BYTES("a")));
	cr_expect_null(table_remove(&table, BYTES("a")));
	cr_expect_null(table_next(&table, &cursor));
	table_clear(&table);
	table_clear(&table);
}

Test(table, finds_by_the_whole_key)
{
	static struct user users[] = {
	    {{"", 0}, false},
	    {{"a", 1}, false},
	    {{"A", 1}, false},
	    {{"a\0", 2}, false},
	    {{"a\0b", 3}, false},
	    {{"a@example.com", 13}, false},
	};
	enum {
		COUNT = sizeof(users) / sizeof(users[0])
	};
	struct table table;

	table_init(&table, user_key);
	for (size_t i = 0; i < COUNT; i++)
		table_insert(&table, &users[i]);
	for (size_t i = 0; i < COUNT; i++)
		cr_expect_eq(
		    table_find(&table, users[i].name), &users[i], "row %zu", i);
	cr_expect_null(table_find(&table, BYTES("b")));
	cr_expect_eq(table_size(&table), COUNT);
	table_clear(&table);
	cr_expect_null(table_find(&table, BYTES("a")));
}

Test(table, takes_out_what_was_put_in)
{
	struct user a = {.name = BYTES("a")}, b = {.name = BYTES("b")};
	struct table table;

	table_init(&table, user_key);
	table_insert(&table, &a);
	table_insert(&table, &b);
	cr_expect_eq(table_remove(&table, BYTES("a")), &a);
	cr_expect_null(table_remove(&table, BYTES("a")));
	cr_expect_null(table_find(&table, BYTES("a")));
	cr_expect_eq(table_find(&table, BYTES("b")), &b);
	table_insert(&table, &a);
	cr_expect_eq(table_find(&table, BYTES("a")), &a);
	cr_expect_eq(table_size(&table), 2);
	table_clear(&table);
}

Test(table, walks_over_each_element_once)
{
	enum {
		COUNT = 1000
	};
	struct item *items = memory_array(COUNT, sizeof(*items));
	struct table table;
	size_t cursor = 0;
	size_t found = 0;

	table_init(&table, item_key);
	for (uint64_t i = 0; i < COUNT; i++) {
		items[i].id = i;
		table_insert(&table, &items[i]);
	}
	for (uint64_t i = 0; i < COUNT; i += 3)
		cr_expect_eq(table_remove(&table, key_of(&i)), &items[i]);
	for (;;) {
		struct item *item = table_next(&table, &cursor);
		if (item == NULL)
			break;
		cr_expect_neq(item->id % 3, 0);
		cr_expect_not(item->seen);
		item->seen = true;
		found++;
	}
	cr_expect_eq(found, table_size(&table));
	cr_expect_null(table_next(&table, &cursor));
	table_clear(&table);
	free(items);
}

Test(table, hashes_otherwise_each_time)
{
	struct table a, b;

	table_init(&a, user_key);
	table_init(&b, user_key);
	cr_expect_neq(a.seed, b.seed);
}

Test(table, dies_when_a_key_is_there_already, .signal = SIGABRT)
{
	struct user a = {.name = BYTES("a")}, also_a = {.name = BYTES("a")};
	struct table table;

	table_init(&table, user_key);
	table_insert(&table, &a);
	table_insert(&table, &also_a);
}

Test(table, of_a_million_costs_16_octets_each)
{
	enum {
		COUNT = 1000000
	};
	struct item *items = memory_array(COUNT, sizeof(*items));
	struct table table;

	table_init(&table, item_key);
	for (uint64_t i = 0; i < COUNT; i++) {
		items[i].id = i;
		table_insert(&table, &items[i]);
	}
	cr_expect_leq(table.capacity * sizeof(void *), COUNT * 17);
	for (uint64_t i = 0; i < COUNT; i++) {
		if (table_remove(&table, key_of(&i)) != &items[i])
			cr_assert_fail("item %llu", (unsigned long long)i);
	}
	cr_expect_eq(table_size(&table), 0);
	table_clear(&table);
	free(items);
}

Test(table, of_a_queue_stays_small)
{
	enum {
		WINDOW = 100
	};
	struct item items[WINDOW];
	struct table table;

	table_init(&table, item_key);
	for (uint64_t i = 0; i < 1000000; i++) {
		struct item *item = &items[i % WINDOW];
		uint64_t oldest = i - WINDOW;
		if (i >= WINDOW &&
		    table_remove(&table, key_of(&oldest)) != item)
			cr_assert_fail("item %llu", (unsigned long long)oldest);
		item->id = i;
		table_insert(&table, item);
	}
	cr_expect_eq(table_size(&table), WINDOW);
	cr_expect_leq(table.capacity, 512);
	table_clear(&table);
}

Test(table, that_shrank_gives_memory_back)
{
	enum {
		COUNT = 100000
	};
	struct item *items = memory_array(COUNT, sizeof(*items));
	struct table table;

	table_init(&table, item_key);
	for (uint64_t i = 0; i < COUNT; i++) {
		items[i].id = i;
		table_insert(&table, &items[i]);
	}
	for (uint64_t i = 0; i < COUNT; i++)
		(void)table_remove(&table, key_of(&i));
	for (uint64_t i = 0; i < COUNT * 4; i++) {
		items[0].id = i;
		table_insert(&table, &items[0]);
		(void)table_remove(&table, key_of(&i));
	}
	cr_expect_leq(table.used, table.capacity / 4 * 3);
	table_clear(&table);
	free(items);
}

/* in_table says where an item is to be; its id is its index. */
static bool
step(struct table *table, struct item *items, uint64_t count)
{
	uint64_t id = (uint64_t)rand() % count;
	struct item *item = &items[id];
	void *expected = item->in_table ? item : NULL;

	if (table_find(table, key_of(&id)) != expected)
		return false;
	if (rand() % 2 == 0) {
		if (table_remove(table, key_of(&id)) != expected)
			return false;
		item->in_table = false;
	} else if (!item->in_table) {
		table_insert(table, item);
		item->in_table = true;
	}
	return true;
}

Test(table, agrees_with_an_array)
{
	static const uint64_t counts[] = {1, 12, 100, 10000};
	unsigned int seed = (unsigned int)time(NULL);

	srand(seed);
	for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
		struct item *items = memory_array(counts[c], sizeof(*items));
		size_t expected_size = 0;
		struct table table;
		table_init(&table, item_key);
		for (uint64_t i = 0; i < counts[c]; i++)
			items[i].id = i;
		for (int i = 0; i < 1000000; i++) {
			if (!step(&table, items, counts[c]))
				cr_assert_fail("seed %u, %llu items, step %d",
				    seed, (unsigned long long)counts[c], i);
		}
		for (uint64_t i = 0; i < counts[c]; i++)
			expected_size += items[i].in_table ? 1 : 0;
		cr_expect_eq(table_size(&table), expected_size);
		table_clear(&table);
		free(items);
	}
}
