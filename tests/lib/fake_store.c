#include "lib/fake_store.h"

#include "base/bytes.h"
#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum change_kind {
	CHANGE_WRITE, /* within one sector */
	CHANGE_SIZE,
	CHANGE_NAME
};

/* Pending until node is synced (a rename: until either directory is). */
struct fake_change {
	enum change_kind kind;
	size_t node;
	uint64_t offset; /* WRITE; SIZE: the new size */
	char *data;      /* WRITE: owned */
	size_t len;
	/* NAME: in node, remove this (if not ""), and in other put that. */
	char removed[FAKE_NAME_SIZE];
	size_t other;
	char added[FAKE_NAME_SIZE];
	size_t target;
};

/* ---- images and names ---- */

static void
image_resize(struct fake_image *image, size_t size)
{
	if (size > image->size) {
		image->data = memory_resize(image->data, size);
		memset(image->data + image->size, 0, size - image->size);
	}
	image->size = size;
}

static void
image_write(
    struct fake_image *image, uint64_t offset, const char *data, size_t len)
{
	if (offset + len > image->size)
		image_resize(image, offset + len);
	if (len > 0)
		memcpy(image->data + offset, data, len);
}

static void
image_copy(struct fake_image *to, const struct fake_image *from)
{
	image_resize(to, 0);
	image_write(to, 0, from->data, from->size);
}

static struct fake_entry *
find_entry(const struct fake_names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++) {
		if (strcmp(names->list[i].name, name) == 0)
			return &names->list[i];
	}
	return NULL;
}

static void
remove_entry(struct fake_names *names, const char *name)
{
	struct fake_entry *entry = find_entry(names, name);

	if (entry != NULL)
		*entry = names->list[--names->count];
}

static void
copy_name(char *to, const char *name)
{
	assert(strlen(name) < FAKE_NAME_SIZE);
	memcpy(to, name, strlen(name) + 1);
}

static void
set_entry(struct fake_names *names, const char *name, size_t node)
{
	struct fake_entry *entry = find_entry(names, name);

	if (entry == NULL) {
		names->list = memory_resize_array(
		    names->list, names->count + 1, sizeof(struct fake_entry));
		entry = &names->list[names->count++];
		copy_name(entry->name, name);
	}
	entry->node = node;
}

static void
names_copy(struct fake_names *to, const struct fake_names *from)
{
	to->count = 0;
	for (size_t i = 0; i < from->count; i++)
		set_entry(to, from->list[i].name, from->list[i].node);
}

/* Of a node as it is seen, or as it is durable. */
static struct fake_image *
image_of(struct fake_node *node, bool durable)
{
	return durable ? &node->durable : &node->seen;
}

static struct fake_names *
names_of(struct fake_node *node, bool durable)
{
	return durable ? &node->durable_names : &node->seen_names;
}

/* ---- nodes ---- */

void
fake_store_init(struct fake_store *store)
{
	*store = (struct fake_store){.nodes = NULL};
	fake_store_new(store, true);
}

static void
clear_nodes(struct fake_store *store)
{
	for (size_t i = 0; i < store->node_count; i++) {
		free(store->nodes[i].seen.data);
		free(store->nodes[i].durable.data);
		free(store->nodes[i].seen_names.list);
		free(store->nodes[i].durable_names.list);
	}
	free(store->nodes);
}

void
fake_store_clear(struct fake_store *store)
{
	clear_nodes(store);
	for (size_t i = 0; i < store->change_count; i++)
		free(store->changes[i].data);
	free(store->changes);
}

size_t
fake_store_new(struct fake_store *store, bool is_directory)
{
	store->nodes = memory_resize_array(
	    store->nodes, store->node_count + 1, sizeof(struct fake_node));
	store->nodes[store->node_count] = (struct fake_node){
	    .is_directory = is_directory, .mode = is_directory ? 0700 : 0600};
	return store->node_count++;
}

bool
fake_store_find(const struct fake_store *store, size_t directory,
    const char *name, size_t *out_node)
{
	const struct fake_entry *entry =
	    find_entry(&store->nodes[directory].seen_names, name);

	if (entry == NULL)
		return false;
	*out_node = entry->node;
	return true;
}

/* ---- changes ---- */

static struct fake_change *
add_change(struct fake_store *store, enum change_kind kind, size_t node)
{
	store->changes = memory_resize_array(store->changes,
	    store->change_count + 1, sizeof(struct fake_change));
	struct fake_change *change = &store->changes[store->change_count++];
	*change = (struct fake_change){.kind = kind, .node = node};
	return change;
}

static void
apply(struct fake_store *store, const struct fake_change *change, bool durable)
{
	struct fake_node *node = &store->nodes[change->node];

	switch (change->kind) {
	case CHANGE_WRITE:
		image_write(image_of(node, durable), change->offset,
		    change->data, change->len);
		break;
	case CHANGE_SIZE:
		image_resize(image_of(node, durable), change->offset);
		break;
	case CHANGE_NAME:
		if (change->removed[0] != '\0')
			remove_entry(names_of(node, durable), change->removed);
		if (change->added[0] != '\0')
			set_entry(
			    names_of(&store->nodes[change->other], durable),
			    change->added, change->target);
		break;
	}
}

void
fake_store_write(struct fake_store *store, size_t node, uint64_t offset,
    const char *data, size_t len)
{
	while (len > 0) {
		size_t room =
		    (size_t)(FAKE_SECTOR_LEN - offset % FAKE_SECTOR_LEN);
		size_t part = len < room ? len : room;
		struct fake_change *change =
		    add_change(store, CHANGE_WRITE, node);
		change->offset = offset;
		change->data = memory_copy(bytes_make(data, part));
		change->len = part;
		apply(store, change, false);
		offset += part;
		data += part;
		len -= part;
	}
}

void
fake_store_resize(struct fake_store *store, size_t node, uint64_t size)
{
	struct fake_change *change = add_change(store, CHANGE_SIZE, node);

	change->offset = size;
	apply(store, change, false);
}

void
fake_store_rename(struct fake_store *store, size_t from_directory,
    const char *removed, size_t to_directory, const char *added, size_t node)
{
	struct fake_change *change =
	    add_change(store, CHANGE_NAME, from_directory);

	copy_name(change->removed, removed);
	change->other = to_directory;
	copy_name(change->added, added);
	change->target = node;
	apply(store, change, false);
}

static bool
concerns(const struct fake_change *change, size_t node)
{
	return change->node == node ||
	    (change->kind == CHANGE_NAME && change->other == node);
}

static bool
toss(struct fake_store *store)
{
	store->random_state = store->random_state * 6364136223846793005U + 1;
	return (store->random_state >> 63) != 0;
}

void
fake_store_settle(struct fake_store *store, size_t node, bool goes_well)
{
	size_t kept = 0;

	for (size_t i = 0; i < store->change_count; i++) {
		struct fake_change change = store->changes[i];
		if (!concerns(&change, node)) {
			store->changes[kept++] = change;
			continue;
		}
		if (goes_well || toss(store))
			apply(store, &change, true);
		free(change.data);
	}
	store->change_count = kept;
}

void
fake_store_put(
    struct fake_store *store, size_t node, const char *data, size_t len)
{
	struct fake_node *file = &store->nodes[node];

	image_resize(&file->seen, 0);
	image_write(&file->seen, 0, data, len);
	image_copy(&file->durable, &file->seen);
}

void
fake_store_name(
    struct fake_store *store, size_t directory, const char *name, size_t node)
{
	set_entry(&store->nodes[directory].seen_names, name, node);
	set_entry(&store->nodes[directory].durable_names, name, node);
}

void
fake_store_unname(struct fake_store *store, size_t directory, const char *name)
{
	remove_entry(&store->nodes[directory].seen_names, name);
	remove_entry(&store->nodes[directory].durable_names, name);
}

/* ---- all of it ---- */

uint64_t
fake_store_used(const struct fake_store *store)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < store->node_count; i++) {
		const struct fake_names *names = &store->nodes[i].seen_names;
		for (size_t j = 0; j < names->count; j++)
			sum += store->nodes[names->list[j].node].seen.size;
	}
	return sum;
}

/* What is seen in the copy is what is seen, or durable, in the original. */
static void
copy_nodes(struct fake_store *to, const struct fake_store *from, bool durable)
{
	clear_nodes(to);
	to->nodes = memory_array(from->node_count, sizeof(struct fake_node));
	to->node_count = from->node_count;
	to->random_state = from->random_state;
	for (size_t i = 0; i < from->node_count; i++) {
		struct fake_node *source = &from->nodes[i];
		struct fake_node *node = &to->nodes[i];
		node->is_directory = source->is_directory;
		node->is_pipe = source->is_pipe;
		node->is_link = source->is_link;
		node->owner = source->owner;
		node->mode = source->mode;
		image_copy(&node->durable, &source->durable);
		image_copy(&node->seen, image_of(source, durable));
		names_copy(&node->durable_names, &source->durable_names);
		names_copy(&node->seen_names, names_of(source, durable));
	}
}

void
fake_store_copy(struct fake_store *to, const struct fake_store *from)
{
	copy_nodes(to, from, false);
	for (size_t i = 0; i < from->change_count; i++) {
		const struct fake_change *source = &from->changes[i];
		struct fake_change *change =
		    add_change(to, source->kind, source->node);
		*change = *source;
		if (source->data != NULL)
			change->data =
			    memory_copy(bytes_make(source->data, source->len));
	}
}

void
fake_store_copy_durable(
    struct fake_store *to, const struct fake_store *from, const bool *kept)
{
	copy_nodes(to, from, true);
	for (size_t i = 0; i < from->change_count; i++) {
		if (!kept[i])
			continue;
		apply(to, &from->changes[i], true);
		apply(to, &from->changes[i], false);
	}
}

static uint64_t
hash_node(const struct fake_store *store, const char *name, size_t number)
{
	const struct fake_node *node = &store->nodes[number];
	uint64_t hash = XXH3_64bits(name, strlen(name));
	uint64_t sum = 0;

	if (!node->is_directory)
		return XXH3_64bits_withSeed(
		    node->seen.data == NULL ? "" : node->seen.data,
		    node->seen.size, hash);
	/* In whatever order the names are. */
	for (size_t i = 0; i < node->seen_names.count; i++)
		sum += hash_node(store, node->seen_names.list[i].name,
		    node->seen_names.list[i].node);
	return XXH3_64bits_withSeed(&sum, sizeof(sum), hash);
}

uint64_t
fake_store_hash(const struct fake_store *store)
{
	return hash_node(store, "", 0);
}
