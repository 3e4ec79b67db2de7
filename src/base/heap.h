/*
 * An intrusive binary min-heap: the element holds a struct heap_node, the heap
 * an array of pointers to them.  Ordering by an int64_t key (a deadline); equal
 * keys leave in no particular order.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
	int64_t key;
	uint32_t place; /* index + 1 in the heap; 0: in none */
};

struct heap {
	struct heap_node **nodes; /* owned array of borrowed nodes */
	size_t len;
	size_t capacity;
};

#define HEAP_ELEMENT(node, type, member)                                       \
	((type *)(void *)((char *)(node)-offsetof(type, member)))

void heap_init(struct heap *heap);
/* Releases the array; the nodes are the caller's. */
void heap_clear(struct heap *heap);
/* node is in no heap. */
void heap_insert(struct heap *heap, struct heap_node *node, int64_t key);
/* Does nothing when node is in no heap. */
void heap_remove(struct heap *heap, struct heap_node *node);
/* Insert, or move to another key. */
void heap_set(struct heap *heap, struct heap_node *node, int64_t key);
/* The node with the smallest key; NULL when empty. */
struct heap_node *heap_first(const struct heap *heap);
bool heap_has(const struct heap_node *node);
