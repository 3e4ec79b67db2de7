#include "queue/roster.h"

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdlib.h>

#define IDS 4000

static uint64_t
draw(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* A roster of ids below IDS, next to a plain array that says who is in. */
static void
check(const struct roster *roster, const bool *is_in, int *elements)
{
	size_t count = 0;

	for (uint64_t id = 1; id < IDS; id++) {
		cr_assert_eq(roster_find(roster, id),
		    is_in[id] ? (void *)&elements[id] : NULL);
		count += is_in[id];
	}
	cr_assert_eq(roster->len, count);
	uint64_t last = 0;
	for (int *at = roster_after(roster, 0); at != NULL;
	     at = roster_after(roster, last)) {
		uint64_t id = (uint64_t)(at - elements);
		for (uint64_t i = last + 1; i < id; i++)
			cr_assert_not(is_in[i]);
		cr_assert(is_in[id]);
		last = id;
		count--;
	}
	cr_assert_eq(count, 0);
}

Test(roster, is_as_a_plain_array_would_be)
{
	static int elements[IDS];
	static bool is_in[IDS];
	struct roster roster;
	uint64_t random = 17;

	roster_init(&roster);
	for (size_t round = 0; round < 40; round++) {
		/* Rather in, then rather out. */
		bool grows = round % 8 < 4;
		for (size_t i = 0; i < 3000; i++) {
			uint64_t id = draw(&random) % (IDS - 1) + 1;
			bool inserts = draw(&random) % 10 < (grows ? 8 : 1);
			if (inserts && !is_in[id])
				roster_insert(&roster, id, &elements[id]);
			else if (!inserts)
				cr_assert_eq(roster_remove(&roster, id),
				    is_in[id] ? (void *)&elements[id] : NULL);
			is_in[id] = inserts;
		}
		check(&roster, is_in, elements);
	}
	roster_clear(&roster);
}

/* Rising ids, as they are given out: full chunks. */
Test(roster, takes_no_more_than_it_must)
{
	static int element;
	struct roster roster;

	roster_init(&roster);
	for (uint64_t id = 1; id <= 100000; id++)
		roster_insert(&roster, id, &element);
	cr_expect_leq(roster.chunk_count, 100000 / 256 + 1);
	/* One of a thousand stays. */
	for (uint64_t id = 1; id <= 100000; id++) {
		if (id % 1000 != 0)
			roster_remove(&roster, id);
	}
	cr_expect_eq(roster.len, 100);
	cr_expect_leq(roster.chunk_count, 10);
	roster_clear(&roster);
}
