#include "base/heap.h"
#include "base/memory.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

struct timer {
	int number;
	struct heap_node node;
};

static void
expect_ordered(const struct heap *heap)
{
	for (size_t i = 0; i < heap->len; i++) {
		cr_assert_eq(heap->nodes[i]->place, i + 1);
		cr_assert_leq(heap->nodes[(i + 1) / 2 - (i > 0)]->key,
		    heap->nodes[i]->key);
	}
}

Test(heap, is_empty_at_first)
{
	struct heap heap;
	struct heap_node node = {.place = 0};

	heap_init(&heap);
	cr_expect_null(heap_first(&heap));
	cr_expect_not(heap_has(&node));
	heap_remove(&heap, &node);
	heap_clear(&heap);
	heap_clear(&heap);
}

Test(heap, gives_keys_in_order)
{
	static const int64_t keys[] = {
	    5, INT64_MAX, 3, INT64_MIN, 3, 0, -1, INT64_MAX, 4, 3};
	static const int64_t expected[] = {
	    INT64_MIN, -1, 0, 3, 3, 3, 4, 5, INT64_MAX, INT64_MAX};
	enum {
		COUNT = sizeof(keys) / sizeof(keys[0])
	};
	struct heap heap;
	struct heap_node nodes[COUNT] = {{.place = 0}};

	heap_init(&heap);
	for (size_t i = 0; i < COUNT; i++)
		heap_insert(&heap, &nodes[i], keys[i]);
	expect_ordered(&heap);
	for (size_t i = 0; i < COUNT; i++) {
		struct heap_node *first = heap_first(&heap);
		cr_expect_eq(first->key, expected[i], "row %zu", i);
		heap_remove(&heap, first);
		cr_expect_not(heap_has(first));
	}
	cr_expect_null(heap_first(&heap));
	heap_clear(&heap);
}

Test(heap, leads_from_node_to_element)
{
	struct timer timer = {.number = 7};
	struct heap heap;

	heap_init(&heap);
	heap_insert(&heap, &timer.node, 1);
	cr_expect_eq(
	    HEAP_ELEMENT(heap_first(&heap), struct timer, node)->number, 7);
	heap_clear(&heap);
}

Test(heap, moves_a_node_to_another_key)
{
	struct heap heap;
	struct heap_node a = {.place = 0}, b = {.place = 0};

	heap_init(&heap);
	heap_set(&heap, &a, 10);
	heap_set(&heap, &b, 20);
	cr_expect_eq(heap_first(&heap), &a);
	heap_set(&heap, &b, 5);
	cr_expect_eq(heap_first(&heap), &b);
	heap_set(&heap, &b, 30);
	cr_expect_eq(heap_first(&heap), &a);
	heap_set(&heap, &a, 10);
	cr_expect_eq(heap.len, 2);
	heap_remove(&heap, &a);
	heap_remove(&heap, &a);
	cr_expect_eq(heap_first(&heap), &b);
	heap_clear(&heap);
}

Test(heap, dies_when_a_node_is_inserted_twice, .signal = SIGABRT)
{
	struct heap heap;
	struct heap_node node = {.place = 0};

	heap_init(&heap);
	heap_insert(&heap, &node, 1);
	heap_insert(&heap, &node, 2);
}

enum {
	TIMERS = 200,
	STEPS = 1000000
};

static int64_t
smallest_key(const struct timer *timers, bool *out_any)
{
	int64_t smallest = INT64_MAX;

	*out_any = false;
	for (size_t i = 0; i < TIMERS; i++) {
		if (timers[i].number == 0)
			continue;
		*out_any = true;
		if (timers[i].node.key < smallest)
			smallest = timers[i].node.key;
	}
	return smallest;
}

/* number is 1 for a timer that is to be in the heap. */
static void
step(struct heap *heap, struct timer *timers)
{
	struct timer *timer = &timers[rand() % TIMERS];

	if (rand() % 3 == 0) {
		heap_remove(heap, &timer->node);
		timer->number = 0;
	} else if (rand() % 16 == 0 && heap_first(heap) != NULL) {
		timer = HEAP_ELEMENT(heap_first(heap), struct timer, node);
		heap_remove(heap, &timer->node);
		timer->number = 0;
	} else {
		heap_set(heap, &timer->node, rand() % 1000 - 500);
		timer->number = 1;
	}
	if (heap_has(&timer->node) != (timer->number == 1))
		cr_assert_fail("heap_has is wrong");
}

Test(heap, agrees_with_a_search_of_all)
{
	unsigned int seed = (unsigned int)time(NULL);
	struct timer *timers = memory_array(TIMERS, sizeof(*timers));
	struct heap heap;

	srand(seed);
	heap_init(&heap);
	for (int i = 0; i < STEPS; i++) {
		bool any;
		step(&heap, timers);
		int64_t key = smallest_key(timers, &any);
		struct heap_node *first = heap_first(&heap);
		if ((first != NULL) != any || (any && first->key != key))
			cr_assert_fail("seed %u, step %d", seed, i);
		if (i % 10000 == 0)
			expect_ordered(&heap);
	}
	heap_clear(&heap);
	free(timers);
}

Test(heap, sorts_a_million)
{
	unsigned int seed = (unsigned int)time(NULL);
	struct heap_node *nodes = memory_array(STEPS, sizeof(*nodes));
	struct heap heap;
	int64_t last = INT64_MIN;

	srand(seed);
	heap_init(&heap);
	for (size_t i = 0; i < STEPS; i++)
		heap_insert(&heap, &nodes[i], rand());
	for (size_t i = 0; i < STEPS; i++) {
		struct heap_node *first = heap_first(&heap);
		if (first->key < last)
			cr_assert_fail("seed %u, node %zu", seed, i);
		last = first->key;
		heap_remove(&heap, first);
	}
	cr_expect_null(heap_first(&heap));
	heap_clear(&heap);
	free(nodes);
}
