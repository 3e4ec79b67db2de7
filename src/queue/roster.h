/*
 * Things with a 64-bit id, in order of their ids.
 *
 * A sorted array cut into chunks: ids are given out in rising order, so nearly
 * every insertion is at the end, and a million ids cost 16 octets each. Finding
 * is two binary searches over memory that lies together.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct roster_chunk;

struct roster {
	struct roster_chunk **chunks; /* owned; none is empty */
	size_t chunk_count;
	size_t capacity;
	size_t len;
};

void roster_init(struct roster *roster);
/* The elements are the caller's. */
void roster_clear(struct roster *roster);
/* id is not there yet; element is borrowed until it is removed. */
void roster_insert(struct roster *roster, uint64_t id, void *element);
/* The element taken out, or NULL. */
void *roster_remove(struct roster *roster, uint64_t id);
/* NULL where there is none. */
void *roster_find(const struct roster *roster, uint64_t id);
/* That with the lowest id above this, or NULL. */
void *roster_after(const struct roster *roster, uint64_t id);
