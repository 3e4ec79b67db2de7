/*
 * What is on a fake disk: as it is seen, as it is durable, and the changes
 * between the two, in order.  See fake_disk.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_NAME_SIZE  64
#define FAKE_SECTOR_LEN ((uint64_t)512)

/* What a file holds; grows with zeros. */
struct fake_image {
	char *data; /* owned */
	size_t size;
};

struct fake_entry {
	char name[FAKE_NAME_SIZE];
	size_t node;
};

struct fake_names {
	struct fake_entry *list; /* owned */
	size_t count;
};

/* A file or a directory, or what is neither; numbered, and never taken away. */
struct fake_node {
	bool is_directory;
	bool is_pipe;
	bool is_link;
	unsigned owner, mode;
	struct fake_image seen, durable;             /* file */
	struct fake_names seen_names, durable_names; /* directory */
};

struct fake_change;

struct fake_store {
	struct fake_node *nodes; /* owned; 0 is the root */
	size_t node_count;
	struct fake_change *changes; /* owned, in order; pending */
	size_t change_count;
	uint64_t random_state;
};

/* With a root directory. */
void fake_store_init(struct fake_store *store);
void fake_store_clear(struct fake_store *store);
/* No name leads to it yet. Returns its number. */
size_t fake_store_new(struct fake_store *store, bool is_directory);
/* What is seen under name in a directory; false: nothing. */
bool fake_store_find(const struct fake_store *store, size_t directory,
    const char *name, size_t *out_node);

/* ---- changes: seen at once, pending until settled ---- */

/* One change for each sector. */
void fake_store_write(struct fake_store *store, size_t node, uint64_t offset,
    const char *data, size_t len);
void fake_store_resize(struct fake_store *store, size_t node, uint64_t size);
/* Take one name away (if not "") and put another (if not ""), as one change. */
void fake_store_rename(struct fake_store *store, size_t from_directory,
    const char *removed, size_t to_directory, const char *added, size_t node);
/* What is pending for node becomes durable; or some of it, and the rest is
 * lost. */
void fake_store_settle(struct fake_store *store, size_t node, bool goes_well);
/* At once durable. */
void fake_store_put(
    struct fake_store *store, size_t node, const char *data, size_t len);
void fake_store_name(
    struct fake_store *store, size_t directory, const char *name, size_t node);
void fake_store_unname(
    struct fake_store *store, size_t directory, const char *name);

/* ---- all of it ---- */

/* Octets in files that have a name. */
uint64_t fake_store_used(const struct fake_store *store);
/* Into an initialised store: what is seen, and all that is pending. */
void fake_store_copy(struct fake_store *to, const struct fake_store *from);
/* Into an initialised store: what is durable, and those pending that are kept.
 */
void fake_store_copy_durable(
    struct fake_store *to, const struct fake_store *from, const bool *kept);
/* Of what is seen; equal for equal names and contents. */
uint64_t fake_store_hash(const struct fake_store *store);
