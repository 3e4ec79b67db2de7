#include "lib/fake_disk.h"

#include "base/buffer.h"
#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define SECTOR_LEN   ((uint64_t)512)
#define FIRST_FD     (1 << 20) /* no real descriptor */
#define NAME_MAX_LEN 64

/* What a file holds; grows with zeros. */
struct image {
	char *data; /* owned */
	size_t size;
};

struct entry {
	char name[NAME_MAX_LEN];
	size_t node;
};

struct entries {
	struct entry *list; /* owned */
	size_t count;
};

/* A file or a directory; numbered, and never taken away. */
struct node {
	bool is_directory;
	bool is_locked;
	struct image seen, durable;               /* file */
	struct entries seen_names, durable_names; /* directory */
};

enum change_kind {
	CHANGE_WRITE, /* within one sector */
	CHANGE_SIZE,
	CHANGE_NAME
};

/* Pending until node is synced (a rename: until either directory is). */
struct change {
	enum change_kind kind;
	size_t node;
	uint64_t offset; /* WRITE; SIZE: the new size */
	char *data;      /* WRITE: owned */
	size_t len;
	/* NAME: in node, remove this (if not ""), and in other put that. */
	char removed[NAME_MAX_LEN];
	size_t other;
	char added[NAME_MAX_LEN];
	size_t target;
};

struct handle {
	size_t node;
	bool is_open;
};

struct fake_disk {
	struct disk face;
	struct node *nodes; /* owned; 0 is what AT_FDCWD stands for */
	size_t node_count;
	struct change *changes; /* owned, in order */
	size_t change_count;
	struct handle *handles; /* owned */
	size_t handle_count;
	size_t calls;
	size_t planned_call;
	enum fake_fault planned_fault;
	int planned_number;
	bool has_plan;
	const char *broken_kind;
	int broken_number;
	bool is_dead;
	uint64_t capacity;
	uint64_t random_state;
};

/* ---- images and names ---- */

static void
image_resize(struct image *image, size_t size)
{
	if (size > image->size) {
		image->data = memory_resize(image->data, size);
		memset(image->data + image->size, 0, size - image->size);
	}
	image->size = size;
}

static void
image_write(struct image *image, uint64_t offset, const char *data, size_t len)
{
	if (offset + len > image->size)
		image_resize(image, offset + len);
	if (len > 0)
		memcpy(image->data + offset, data, len);
}

static void
image_copy(struct image *to, const struct image *from)
{
	image_resize(to, 0);
	image_write(to, 0, from->data, from->size);
}

static struct entry *
find_entry(const struct entries *entries, const char *name)
{
	for (size_t i = 0; i < entries->count; i++) {
		if (strcmp(entries->list[i].name, name) == 0)
			return &entries->list[i];
	}
	return NULL;
}

static void
remove_entry(struct entries *entries, const char *name)
{
	struct entry *entry = find_entry(entries, name);

	if (entry != NULL)
		*entry = entries->list[--entries->count];
}

static void
copy_name(char *to, const char *name)
{
	assert(strlen(name) < NAME_MAX_LEN);
	memcpy(to, name, strlen(name) + 1);
}

static void
set_entry(struct entries *entries, const char *name, size_t node)
{
	struct entry *entry = find_entry(entries, name);

	if (entry == NULL) {
		entries->list = memory_resize_array(
		    entries->list, entries->count + 1, sizeof(struct entry));
		entry = &entries->list[entries->count++];
		copy_name(entry->name, name);
	}
	entry->node = node;
}

static void
entries_copy(struct entries *to, const struct entries *from)
{
	to->count = 0;
	for (size_t i = 0; i < from->count; i++)
		set_entry(to, from->list[i].name, from->list[i].node);
}

/* ---- changes ---- */

static struct change *
add_change(struct fake_disk *fake, enum change_kind kind, size_t node)
{
	fake->changes = memory_resize_array(
	    fake->changes, fake->change_count + 1, sizeof(struct change));
	struct change *change = &fake->changes[fake->change_count++];
	*change = (struct change){.kind = kind, .node = node};
	return change;
}

/* Of a node as it is seen, or as it is durable. */
static struct image *
image_of(struct node *node, bool durable)
{
	return durable ? &node->durable : &node->seen;
}

static struct entries *
names_of(struct node *node, bool durable)
{
	return durable ? &node->durable_names : &node->seen_names;
}

static void
apply(struct fake_disk *fake, const struct change *change, bool durable)
{
	struct node *node = &fake->nodes[change->node];

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
			    names_of(&fake->nodes[change->other], durable),
			    change->added, change->target);
		break;
	}
}

static bool
concerns(const struct change *change, size_t node)
{
	return change->node == node ||
	    (change->kind == CHANGE_NAME && change->other == node);
}

static bool
toss(struct fake_disk *fake)
{
	fake->random_state = fake->random_state * 6364136223846793005U + 1;
	return (fake->random_state >> 63) != 0;
}

/* What is pending for node becomes durable; or some of it, and the rest is
 * lost. */
static void
settle(struct fake_disk *fake, size_t node, bool goes_well)
{
	size_t kept = 0;

	for (size_t i = 0; i < fake->change_count; i++) {
		struct change change = fake->changes[i];
		if (!concerns(&change, node)) {
			fake->changes[kept++] = change;
			continue;
		}
		if (goes_well || toss(fake))
			apply(fake, &change, true);
		free(change.data);
	}
	fake->change_count = kept;
}

static size_t
new_node(struct fake_disk *fake, bool is_directory)
{
	fake->nodes = memory_resize_array(
	    fake->nodes, fake->node_count + 1, sizeof(struct node));
	fake->nodes[fake->node_count] =
	    (struct node){.is_directory = is_directory};
	return fake->node_count++;
}

static void
change_name(struct fake_disk *fake, size_t from, const char *removed, size_t to,
    const char *added, size_t target)
{
	struct change *change = add_change(fake, CHANGE_NAME, from);

	copy_name(change->removed, removed);
	change->other = to;
	copy_name(change->added, added);
	change->target = target;
	apply(fake, change, false);
}

/* ---- faults ---- */

enum verdict {
	GO_ON,
	FAIL,
	HALVE
};

/* Every call asks first. errno is set for FAIL. */
static enum verdict
ask(struct fake_disk *fake, const char *kind)
{
	bool is_planned = fake->has_plan && fake->calls == fake->planned_call;

	fake->calls++;
	if (is_planned && fake->planned_fault == FAKE_CRASH)
		fake->is_dead = true;
	if (fake->is_dead) {
		errno = EIO;
		return FAIL;
	}
	if (fake->broken_kind != NULL &&
	    strstr(fake->broken_kind, kind) != NULL) {
		errno = fake->broken_number;
		return FAIL;
	}
	if (!is_planned)
		return GO_ON;
	if (fake->planned_fault == FAKE_SHORT)
		return HALVE;
	errno = fake->planned_number;
	return FAIL;
}

/* ---- the face ---- */

static struct node *
node_of(struct fake_disk *fake, size_t number)
{
	return &fake->nodes[number];
}

static size_t
number_of(const struct fake_disk *fake, int fd)
{
	if (fd == AT_FDCWD)
		return 0;
	size_t index = (size_t)(fd - FIRST_FD);
	assert(index < fake->handle_count && fake->handles[index].is_open);
	return fake->handles[index].node;
}

static int
open_node(struct fake_disk *fake, size_t node)
{
	fake->handles = memory_resize_array(
	    fake->handles, fake->handle_count + 1, sizeof(struct handle));
	fake->handles[fake->handle_count] =
	    (struct handle){.node = node, .is_open = true};
	return FIRST_FD + (int)fake->handle_count++;
}

static int
fake_open(void *ctx, int directory_fd, const char *name, int flags, mode_t mode)
{
	struct fake_disk *fake = ctx;
	size_t directory = number_of(fake, directory_fd);

	(void)mode;
	if (ask(fake, "open") == FAIL)
		return -1;
	if (strcmp(name, "..") == 0) /* only asked for of the queue's */
		return open_node(fake, 0);
	const struct entry *entry =
	    find_entry(&node_of(fake, directory)->seen_names, name);
	if (entry == NULL && (flags & O_CREAT) == 0) {
		errno = ENOENT;
		return -1;
	}
	if (entry == NULL) {
		size_t made = new_node(fake, false);
		change_name(fake, directory, "", directory, name, made);
		return open_node(fake, made);
	}
	if ((flags & O_EXCL) != 0) {
		errno = EEXIST;
		return -1;
	}
	size_t node = entry->node;
	if ((flags & O_TRUNC) != 0) {
		struct change *change = add_change(fake, CHANGE_SIZE, node);
		apply(fake, change, false);
	}
	return open_node(fake, node);
}

static int
fake_close(void *ctx, int fd)
{
	struct fake_disk *fake = ctx;
	size_t node = number_of(fake, fd);

	fake->handles[fd - FIRST_FD].is_open = false;
	node_of(fake, node)->is_locked = false;
	return 0;
}

static ssize_t
fake_read(void *ctx, int fd, void *data, size_t len, uint64_t offset)
{
	struct fake_disk *fake = ctx;
	const struct image *image = &node_of(fake, number_of(fake, fd))->seen;
	enum verdict verdict = ask(fake, "read");

	if (verdict == FAIL)
		return -1;
	if (offset >= image->size)
		return 0;
	if (len > image->size - offset)
		len = image->size - offset;
	if (verdict == HALVE)
		len = (len + 1) / 2;
	memcpy(data, image->data + offset, len);
	return (ssize_t)len;
}

static uint64_t
used(const struct fake_disk *fake)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < fake->node_count; i++) {
		const struct entries *names = &fake->nodes[i].seen_names;
		for (size_t j = 0; j < names->count; j++)
			sum += fake->nodes[names->list[j].node].seen.size;
	}
	return sum;
}

/* How far a file may grow to size; at least its present size. */
static uint64_t
fitting(const struct fake_disk *fake, size_t node, uint64_t size)
{
	uint64_t present = fake->nodes[node].seen.size;
	uint64_t now = used(fake);
	uint64_t left = now < fake->capacity ? fake->capacity - now : 0;

	if (size <= present || size - present <= left)
		return size;
	return present + left;
}

static ssize_t
fake_write(void *ctx, int fd, const void *data, size_t len, uint64_t offset)
{
	struct fake_disk *fake = ctx;
	size_t node = number_of(fake, fd);
	enum verdict verdict = ask(fake, "write");

	if (verdict == FAIL)
		return -1;
	if (verdict == HALVE)
		len = (len + 1) / 2;
	uint64_t end = fitting(fake, node, offset + len);
	if (end <= offset && len > 0) {
		errno = ENOSPC;
		return -1;
	}
	len = (size_t)(end - offset);
	for (size_t done = 0; done < len;) {
		uint64_t at = offset + done;
		size_t room = (size_t)(SECTOR_LEN - at % SECTOR_LEN);
		size_t part = len - done < room ? len - done : room;
		struct change *change = add_change(fake, CHANGE_WRITE, node);
		change->offset = at;
		change->data =
		    memory_copy(bytes_make((const char *)data + done, part));
		change->len = part;
		apply(fake, change, false);
		done += part;
	}
	return (ssize_t)len;
}

static int
sync_node(struct fake_disk *fake, int fd, const char *kind)
{
	size_t node = number_of(fake, fd);
	bool goes_well = ask(fake, kind) != FAIL;
	int number = errno;

	/* Names are not lost: a journal of the file system's has them, or it
	 * takes no change any more. */
	bool loses = number != EINTR && !fake->nodes[node].is_directory;
	if (goes_well || (!fake->is_dead && loses))
		settle(fake, node, goes_well);
	errno = number;
	return goes_well ? 0 : -1;
}

static int
fake_sync(void *ctx, int fd)
{
	return sync_node(ctx, fd, "sync");
}

static int
fake_sync_directory(void *ctx, int fd)
{
	return sync_node(ctx, fd, "sync_directory");
}

static void
resize(struct fake_disk *fake, size_t node, uint64_t size)
{
	struct change *change = add_change(fake, CHANGE_SIZE, node);

	change->offset = size;
	apply(fake, change, false);
}

static int
fake_truncate(void *ctx, int fd, uint64_t size)
{
	struct fake_disk *fake = ctx;

	if (ask(fake, "truncate") == FAIL)
		return -1;
	resize(fake, number_of(fake, fd), size);
	return 0;
}

static int
fake_allocate(void *ctx, int fd, uint64_t size)
{
	struct fake_disk *fake = ctx;
	size_t node = number_of(fake, fd);

	if (ask(fake, "allocate") == FAIL)
		return -1;
	if (fitting(fake, node, size) < size) {
		errno = ENOSPC;
		return -1;
	}
	if (size > fake->nodes[node].seen.size)
		resize(fake, node, size);
	return 0;
}

static int
fake_size(void *ctx, int fd, uint64_t *out_size)
{
	struct fake_disk *fake = ctx;

	if (ask(fake, "size") == FAIL)
		return -1;
	*out_size = node_of(fake, number_of(fake, fd))->seen.size;
	return 0;
}

static int
fake_rename(void *ctx, int from_directory_fd, const char *from,
    int to_directory_fd, const char *to)
{
	struct fake_disk *fake = ctx;
	size_t from_node = number_of(fake, from_directory_fd);
	size_t to_node = number_of(fake, to_directory_fd);

	if (ask(fake, "rename") == FAIL)
		return -1;
	const struct entry *entry =
	    find_entry(&node_of(fake, from_node)->seen_names, from);
	if (entry == NULL) {
		errno = ENOENT;
		return -1;
	}
	change_name(fake, from_node, from, to_node, to, entry->node);
	return 0;
}

static int
fake_unlink(void *ctx, int directory_fd, const char *name)
{
	struct fake_disk *fake = ctx;
	size_t directory = number_of(fake, directory_fd);

	if (ask(fake, "unlink") == FAIL)
		return -1;
	if (find_entry(&node_of(fake, directory)->seen_names, name) == NULL) {
		errno = ENOENT;
		return -1;
	}
	change_name(fake, directory, name, directory, "", 0);
	return 0;
}

static int
fake_make_directory(void *ctx, int directory_fd, const char *name, mode_t mode)
{
	struct fake_disk *fake = ctx;
	size_t directory = number_of(fake, directory_fd);

	(void)mode;
	if (ask(fake, "make_directory") == FAIL)
		return -1;
	if (find_entry(&node_of(fake, directory)->seen_names, name) != NULL) {
		errno = EEXIST;
		return -1;
	}
	size_t made = new_node(fake, true);
	change_name(fake, directory, "", directory, name, made);
	return 0;
}

static int
fake_list(void *ctx, int directory_fd, disk_name_fn name_fn, void *name_ctx)
{
	struct fake_disk *fake = ctx;
	size_t directory = number_of(fake, directory_fd);

	if (ask(fake, "list") == FAIL)
		return -1;
	const struct entries *names = &node_of(fake, directory)->seen_names;
	for (size_t i = 0; i < names->count; i++) {
		if (!name_fn(names->list[i].name, name_ctx))
			break;
	}
	return 0;
}

static int
fake_free_space(void *ctx, int directory_fd, uint64_t *out_bytes)
{
	struct fake_disk *fake = ctx;
	uint64_t now = used(fake);

	(void)directory_fd;
	if (ask(fake, "free_space") == FAIL)
		return -1;
	*out_bytes = now < fake->capacity ? fake->capacity - now : 0;
	return 0;
}

static int
fake_lock(void *ctx, int fd)
{
	struct fake_disk *fake = ctx;
	struct node *node = node_of(fake, number_of(fake, fd));

	if (ask(fake, "lock") == FAIL)
		return -1;
	if (node->is_locked) {
		errno = EWOULDBLOCK;
		return -1;
	}
	node->is_locked = true;
	return 0;
}

/* Another number each time, the same ones in every run. */
static int
fake_random(void *ctx, void *data, size_t len)
{
	struct fake_disk *fake = ctx;

	for (size_t i = 0; i < len; i++) {
		fake->random_state =
		    fake->random_state * 6364136223846793005U + 1;
		((char *)data)[i] = (char)(fake->random_state >> 56);
	}
	return 0;
}

static const struct disk FACE = {
    .open = fake_open,
    .close = fake_close,
    .read = fake_read,
    .write = fake_write,
    .sync = fake_sync,
    .sync_directory = fake_sync_directory,
    .truncate = fake_truncate,
    .allocate = fake_allocate,
    .size = fake_size,
    .rename = fake_rename,
    .unlink = fake_unlink,
    .make_directory = fake_make_directory,
    .list = fake_list,
    .free_space = fake_free_space,
    .lock = fake_lock,
    .random = fake_random,
};

struct fake_disk *
fake_disk_new(void)
{
	struct fake_disk *fake = memory_new(sizeof(*fake));

	fake->face = FACE;
	fake->face.ctx = fake;
	fake->capacity = UINT64_MAX;
	new_node(fake, true);
	return fake;
}

void
fake_disk_free(struct fake_disk *fake)
{
	if (fake == NULL)
		return;
	for (size_t i = 0; i < fake->node_count; i++) {
		free(fake->nodes[i].seen.data);
		free(fake->nodes[i].durable.data);
		free(fake->nodes[i].seen_names.list);
		free(fake->nodes[i].durable_names.list);
	}
	free(fake->nodes);
	for (size_t i = 0; i < fake->change_count; i++)
		free(fake->changes[i].data);
	free(fake->changes);
	free(fake->handles);
	free(fake);
}

const struct disk *
fake_disk_face(struct fake_disk *fake)
{
	return &fake->face;
}

size_t
fake_disk_calls(const struct fake_disk *fake)
{
	return fake->calls;
}

void
fake_disk_plan(
    struct fake_disk *fake, size_t call, enum fake_fault fault, int number)
{
	fake->calls = 0;
	fake->has_plan = true;
	fake->planned_call = call;
	fake->planned_fault = fault;
	fake->planned_number = number;
}

void
fake_disk_break(struct fake_disk *fake, const char *kind, int number)
{
	fake->broken_kind = number == 0 ? NULL : kind;
	fake->broken_number = number;
}

void
fake_disk_seed(struct fake_disk *fake, uint64_t seed)
{
	fake->random_state = seed * 0x9e3779b97f4a7c15U;
}

bool
fake_disk_is_dead(const struct fake_disk *fake)
{
	return fake->is_dead;
}

void
fake_disk_set_capacity(struct fake_disk *fake, uint64_t bytes)
{
	fake->capacity = bytes;
}

size_t
fake_disk_pending(const struct fake_disk *fake)
{
	return fake->change_count;
}

/* Nodes that no name leads to need not be brought along. */
static void
copy_nodes(struct fake_disk *copy, const struct fake_disk *fake, bool durable)
{
	copy->nodes = memory_array(fake->node_count, sizeof(struct node));
	copy->node_count = fake->node_count;
	copy->capacity = fake->capacity;
	copy->random_state = fake->random_state ^ 0x9e3779b97f4a7c15U;
	for (size_t i = 0; i < fake->node_count; i++) {
		struct node *from = &fake->nodes[i];
		struct node *to = &copy->nodes[i];
		to->is_directory = from->is_directory;
		image_copy(&to->durable, &from->durable);
		image_copy(&to->seen, image_of(from, durable));
		entries_copy(&to->durable_names, &from->durable_names);
		entries_copy(&to->seen_names, names_of(from, durable));
	}
}

static struct fake_disk *
bare_copy(const struct fake_disk *fake, bool durable)
{
	struct fake_disk *copy = memory_new(sizeof(*copy));

	copy->face = FACE;
	copy->face.ctx = copy;
	copy_nodes(copy, fake, durable);
	return copy;
}

struct fake_disk *
fake_disk_after_power_cut(const struct fake_disk *fake, const bool *kept)
{
	struct fake_disk *copy = bare_copy(fake, true);

	for (size_t i = 0; i < fake->change_count; i++) {
		if (!kept[i])
			continue;
		apply(copy, &fake->changes[i], true);
		apply(copy, &fake->changes[i], false);
	}
	return copy;
}

struct fake_disk *
fake_disk_after_kill(const struct fake_disk *fake)
{
	struct fake_disk *copy = bare_copy(fake, false);

	for (size_t i = 0; i < fake->change_count; i++) {
		const struct change *from = &fake->changes[i];
		struct change *to = add_change(copy, from->kind, from->node);
		*to = *from;
		if (from->data != NULL)
			to->data =
			    memory_copy(bytes_make(from->data, from->len));
	}
	return copy;
}

static uint64_t
hash_node(const struct fake_disk *fake, const char *name, size_t number)
{
	const struct node *node = &fake->nodes[number];
	uint64_t hash = XXH3_64bits(name, strlen(name));
	uint64_t sum = 0;

	if (!node->is_directory)
		return XXH3_64bits_withSeed(
		    node->seen.data == NULL ? "" : node->seen.data,
		    node->seen.size, hash);
	/* In whatever order the names are. */
	for (size_t i = 0; i < node->seen_names.count; i++)
		sum += hash_node(fake, node->seen_names.list[i].name,
		    node->seen_names.list[i].node);
	return XXH3_64bits_withSeed(&sum, sizeof(sum), hash);
}

uint64_t
fake_disk_hash(const struct fake_disk *fake)
{
	return hash_node(fake, "", 0);
}

/* ---- by path ---- */

static size_t
make_directory(struct fake_disk *fake, size_t parent, const char *name)
{
	const struct entry *entry =
	    find_entry(&fake->nodes[parent].seen_names, name);
	if (entry != NULL)
		return entry->node;

	size_t made = new_node(fake, true);
	set_entry(&fake->nodes[parent].seen_names, name, made);
	set_entry(&fake->nodes[parent].durable_names, name, made);
	return made;
}

/* The directory of path, made where missing, and the rest of path in *out_name.
 */
static size_t
find_directory(struct fake_disk *fake, const char *path, char *out_name)
{
	struct bytes rest = bytes_of(path);
	size_t directory = 0;

	while (bytes_contains(rest, '/')) {
		struct bytes part = bytes_cut(&rest, '/');
		char name[NAME_MAX_LEN] = "";
		memcpy(name, part.data, part.len);
		directory = make_directory(fake, directory, name);
	}
	memset(out_name, 0, NAME_MAX_LEN);
	memcpy(out_name, rest.data, rest.len);
	return directory;
}

/* 0: there is none. */
static size_t
find_path(const struct fake_disk *fake, const char *path)
{
	struct bytes rest = bytes_of(path);
	size_t node = 0;

	while (rest.len > 0) {
		struct bytes part = bytes_cut(&rest, '/');
		char name[NAME_MAX_LEN] = "";
		memcpy(name, part.data, part.len);
		const struct entry *entry =
		    find_entry(&fake->nodes[node].seen_names, name);
		if (entry == NULL)
			return 0;
		node = entry->node;
	}
	return node;
}

void
fake_disk_put(struct fake_disk *fake, const char *path, struct bytes content)
{
	char name[NAME_MAX_LEN];
	size_t directory = find_directory(fake, path, name);
	size_t node = find_path(fake, path);

	if (node == 0) {
		node = new_node(fake, false);
		set_entry(&fake->nodes[directory].seen_names, name, node);
		set_entry(&fake->nodes[directory].durable_names, name, node);
	}
	image_resize(&fake->nodes[node].seen, 0);
	image_write(&fake->nodes[node].seen, 0, content.data, content.len);
	image_copy(&fake->nodes[node].durable, &fake->nodes[node].seen);
}

struct bytes
fake_disk_get(const struct fake_disk *fake, const char *path)
{
	size_t node = find_path(fake, path);

	if (node == 0)
		return (struct bytes){NULL, 0};
	const struct image *image = &fake->nodes[node].seen;
	return bytes_make(image->data == NULL ? "" : image->data, image->size);
}

bool
fake_disk_remove(struct fake_disk *fake, const char *path)
{
	char name[NAME_MAX_LEN];

	if (find_path(fake, path) == 0)
		return false;
	size_t directory = find_directory(fake, path, name);
	remove_entry(&fake->nodes[directory].seen_names, name);
	remove_entry(&fake->nodes[directory].durable_names, name);
	return true;
}

static int
compare_entries(const void *left, const void *right)
{
	return strcmp(((const struct entry *)left)->name,
	    ((const struct entry *)right)->name);
}

char *
fake_disk_names(const struct fake_disk *fake, const char *path)
{
	struct buffer text;
	struct entries sorted = {.list = NULL};

	entries_copy(&sorted, &fake->nodes[find_path(fake, path)].seen_names);
	if (sorted.count > 0)
		qsort(sorted.list, sorted.count, sizeof(struct entry),
		    compare_entries);
	buffer_init(&text, SIZE_MAX);
	for (size_t i = 0; i < sorted.count; i++)
		buffer_printf(&text, "%s ", sorted.list[i].name);
	char *result = buffer_to_text(&text);
	buffer_clear(&text);
	free(sorted.list);
	return result;
}

int
fake_disk_open(struct fake_disk *fake, const char *path)
{
	return open_node(fake, find_path(fake, path));
}

size_t
fake_disk_open_count(const struct fake_disk *fake)
{
	size_t count = 0;

	for (size_t i = 0; i < fake->handle_count; i++)
		count += fake->handles[i].is_open;
	return count;
}
