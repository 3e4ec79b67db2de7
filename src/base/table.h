/*
 * A hash table from byte strings or 64-bit numbers to pointers.  Open
 * addressing, so that a million entries cost 16 octets each and no allocation
 * of their own.  Keys are borrowed from the element: a callback reads them.
 */
#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The key of element, valid as long as element is in the table. */
typedef struct bytes (*table_key_fn)(const void *element);

struct table {
	void **slots; /* owned array of borrowed elements */
	size_t len;
	size_t used;     /* len and the tombstones */
	size_t capacity; /* power of two, or 0 */
	table_key_fn key;
	uint64_t seed; /* against chosen collisions */
};

void table_init(struct table *table, table_key_fn key);
/* Releases the slots; the elements are the caller's. */
void table_clear(struct table *table);
/* NULL where there is none. */
void *table_find(const struct table *table, struct bytes key);
/* An element with this key must not be there yet. */
void table_insert(struct table *table, void *element);
/* The element taken out, or NULL. */
void *table_remove(struct table *table, struct bytes key);
size_t table_size(const struct table *table);

/*
 * Walk all elements in no particular order: start with *cursor = 0; NULL at the
 * end.  The table must not change meanwhile.
 */
void *table_next(const struct table *table, size_t *cursor);
