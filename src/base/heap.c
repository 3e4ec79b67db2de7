#include "base/heap.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>

#define FIRST_CAPACITY ((size_t)16)

static void
put(struct heap *heap, size_t index, struct heap_node *node)
{
	heap->nodes[index] = node;
	node->place = (uint32_t)index + 1;
}

/* Parents greater than node come down into the hole at index. */
static size_t
hole_up(struct heap *heap, size_t index, int64_t key)
{
	while (index > 0) {
		size_t parent = (index - 1) / 2;
		if (heap->nodes[parent]->key <= key)
			break;
		put(heap, index, heap->nodes[parent]);
		index = parent;
	}
	return index;
}

/* Children smaller than node go up into the hole at index. */
static size_t
hole_down(struct heap *heap, size_t index, int64_t key)
{
	for (;;) {
		size_t child = 2 * index + 1;
		if (child >= heap->len)
			return index;
		if (child + 1 < heap->len &&
		    heap->nodes[child + 1]->key < heap->nodes[child]->key)
			child++;
		if (heap->nodes[child]->key >= key)
			return index;
		put(heap, index, heap->nodes[child]);
		index = child;
	}
}

/* Put node where it belongs, given that only index is out of order. */
static void
settle(struct heap *heap, size_t index, struct heap_node *node)
{
	index = hole_up(heap, index, node->key);
	put(heap, hole_down(heap, index, node->key), node);
}

void
heap_init(struct heap *heap)
{
	*heap = (struct heap){.nodes = NULL};
}

void
heap_clear(struct heap *heap)
{
	free(heap->nodes);
	heap_init(heap);
}

void
heap_insert(struct heap *heap, struct heap_node *node, int64_t key)
{
	assert(!heap_has(node));
	assert(heap->len < UINT32_MAX);

	if (heap->len == heap->capacity) {
		heap->capacity =
		    heap->capacity == 0 ? FIRST_CAPACITY : heap->capacity * 2;
		heap->nodes = memory_resize_array(
		    heap->nodes, heap->capacity, sizeof(heap->nodes[0]));
	}
	node->key = key;
	heap->len++;
	settle(heap, heap->len - 1, node);
}

void
heap_remove(struct heap *heap, struct heap_node *node)
{
	if (!heap_has(node))
		return;

	size_t index = node->place - 1;
	assert(index < heap->len);
	assert(heap->nodes[index] == node);

	node->place = 0;
	heap->len--;
	if (index < heap->len)
		settle(heap, index, heap->nodes[heap->len]);
}

void
heap_set(struct heap *heap, struct heap_node *node, int64_t key)
{
	if (!heap_has(node)) {
		heap_insert(heap, node, key);
		return;
	}
	assert(heap->nodes[node->place - 1] == node);
	node->key = key;
	settle(heap, node->place - 1, node);
}

struct heap_node *
heap_first(const struct heap *heap)
{
	return heap->len == 0 ? NULL : heap->nodes[0];
}

bool
heap_has(const struct heap_node *node)
{
	return node->place != 0;
}
