#include "lib/fake_disk.h"

#include "base/buffer.h"
#include "base/memory.h"
#include "lib/fake_store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_FD (1 << 20) /* no real descriptor */

struct handle {
	size_t node;
	bool is_open;
	bool is_locked;
};

#define PLANS_MAX 2

struct plan {
	size_t call;
	enum fake_fault fault;
	int number;
};

struct fake_disk {
	struct disk face;
	struct fake_store store; /* its root is what AT_FDCWD stands for */
	struct handle *handles;  /* owned */
	size_t handle_count;
	size_t calls;
	struct plan plans[PLANS_MAX];
	size_t plan_count;
	const char *broken_kinds;
	int broken_number;
	bool is_dead;
	uint64_t capacity;
	uint64_t random_state;
	size_t bad_node; /* a file that cannot be read everywhere; 0: none */
	uint64_t bad_offset, bad_len;
	size_t hard_node; /* a file that cannot be written everywhere; 0: none
			   */
	uint64_t hard_offset, hard_len;
	uint64_t limit; /* of a file's size */
};

/* ---- faults ---- */

enum verdict {
	GO_ON,
	FAIL,
	HALVE
};

static const struct plan *
take_plan(struct fake_disk *fake)
{
	size_t call = fake->calls++;

	for (size_t i = 0; i < fake->plan_count; i++) {
		if (fake->plans[i].call == call)
			return &fake->plans[i];
	}
	return NULL;
}

static bool
is_broken(const struct fake_disk *fake, const char *kind)
{
	struct bytes rest = bytes_of(fake->broken_kinds);

	while (rest.len > 0) {
		if (bytes_is(bytes_cut(&rest, ' '), kind))
			return true;
	}
	return false;
}

/* Every call asks first. errno is set for FAIL. */
static enum verdict
ask(struct fake_disk *fake, const char *kind)
{
	const struct plan *plan = take_plan(fake);

	if (plan != NULL && plan->fault == FAKE_CRASH)
		fake->is_dead = true;
	if (plan != NULL && plan->fault == FAKE_BREAK)
		fake_disk_break(fake, kind, plan->number);
	errno = EIO;
	if (fake->is_dead)
		return FAIL;
	errno = fake->broken_number;
	if (is_broken(fake, kind))
		return FAIL;
	if (plan == NULL)
		return GO_ON;
	if (plan->fault == FAKE_SHORT)
		return HALVE;
	errno = plan->number;
	return FAIL;
}

/* ---- the face ---- */

static size_t
number_of(const struct fake_disk *fake, int fd)
{
	if (fd == AT_FDCWD)
		return 0;
	size_t index = (size_t)(fd - FIRST_FD);
	assert(index < fake->handle_count && fake->handles[index].is_open);
	return fake->handles[index].node;
}

static struct fake_node *
node_of(struct fake_disk *fake, int fd)
{
	return &fake->store.nodes[number_of(fake, fd)];
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

/* errno is set where not. */
static bool
may_open(const struct fake_node *node, int flags)
{
	bool writes = (flags & O_ACCMODE) != O_RDONLY;

	/* Else it would wait, or lead somewhere. */
	assert(!node->is_pipe || (flags & O_NONBLOCK) != 0);
	assert(!node->is_link || (flags & O_NOFOLLOW) != 0);
	if (node->is_link)
		errno = ELOOP;
	else if (node->is_pipe && (flags & O_ACCMODE) == O_WRONLY)
		errno = ENXIO;
	else if (node->is_directory && (writes || (flags & O_CREAT) != 0))
		errno = EISDIR;
	else if (!node->is_directory && (flags & O_DIRECTORY) != 0)
		errno = ENOTDIR;
	else if (node->owner != 0 && (node->mode & 0666U) == 0)
		errno = EACCES;
	else
		return true;
	return false;
}

static int
fake_open(void *ctx, int directory_fd, const char *name, int flags, mode_t mode)
{
	struct fake_disk *fake = ctx;
	struct fake_store *store = &fake->store;
	size_t directory = number_of(fake, directory_fd);
	size_t node;

	(void)mode;
	if (ask(fake, "open") == FAIL)
		return -1;
	if (strcmp(name, "..") == 0) /* only asked for of the queue's */
		return open_node(fake, 0);
	bool is_there = fake_store_find(store, directory, name, &node);
	if (is_there && !may_open(&store->nodes[node], flags))
		return -1;
	if (!is_there && (flags & O_CREAT) == 0) {
		errno = ENOENT;
		return -1;
	}
	if (is_there && (flags & O_EXCL) != 0) {
		errno = EEXIST;
		return -1;
	}
	if (!is_there) {
		node = fake_store_new(store, false);
		fake_store_rename(store, directory, "", directory, name, node);
	} else if ((flags & O_TRUNC) != 0) {
		fake_store_resize(store, node, 0);
	}
	return open_node(fake, node);
}

static int
fake_close(void *ctx, int fd)
{
	struct fake_disk *fake = ctx;

	fake->handles[fd - FIRST_FD].is_locked = false;
	fake->handles[fd - FIRST_FD].is_open = false;
	return 0;
}

static bool
is_bad(const struct fake_disk *fake, size_t node, uint64_t offset, size_t len)
{
	return fake->bad_node != 0 && node == fake->bad_node &&
	    offset < fake->bad_offset + fake->bad_len &&
	    offset + len > fake->bad_offset;
}

static ssize_t
fake_read(void *ctx, int fd, void *data, size_t len, uint64_t offset)
{
	struct fake_disk *fake = ctx;
	const struct fake_image *image = &node_of(fake, fd)->seen;
	enum verdict verdict = ask(fake, "read");

	if (verdict == FAIL)
		return -1;
	if (offset >= image->size)
		return 0;
	if (len > image->size - offset)
		len = image->size - offset;
	if (is_bad(fake, number_of(fake, fd), offset, len)) {
		errno = EIO;
		return -1;
	}
	if (verdict == HALVE)
		len = (len + 1) / 2;
	memcpy(data, image->data + offset, len);
	return (ssize_t)len;
}

/* How far a file may grow to size; at least its present size. */
static uint64_t
fitting(const struct fake_disk *fake, size_t node, uint64_t size)
{
	uint64_t present = fake->store.nodes[node].seen.size;
	uint64_t now = fake_store_used(&fake->store);
	uint64_t left = now < fake->capacity ? fake->capacity - now : 0;

	if (size <= present || size - present <= left)
		return size;
	return present + left;
}

static bool
is_hard(const struct fake_disk *fake, size_t node, uint64_t offset, size_t len)
{
	return fake->hard_node != 0 && node == fake->hard_node &&
	    offset < fake->hard_offset + fake->hard_len &&
	    offset + len > fake->hard_offset;
}

/* Growing past the limit; errno is set. */
static bool
is_too_large(const struct fake_disk *fake, size_t node, uint64_t size)
{
	errno = EFBIG;
	return size > fake->limit && size > fake->store.nodes[node].seen.size;
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
	if (is_hard(fake, node, offset, len)) {
		errno = EIO;
		return -1;
	}
	if (offset >= fake->limit) {
		errno = EFBIG;
		return -1;
	}
	if (len > fake->limit - offset)
		len = (size_t)(fake->limit - offset);
	uint64_t end = fitting(fake, node, offset + len);
	if (end <= offset && len > 0) {
		errno = ENOSPC;
		return -1;
	}
	len = (size_t)(end - offset);
	fake_store_write(&fake->store, node, offset, data, len);
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
	bool loses = number != EINTR && !fake->store.nodes[node].is_directory;
	if (goes_well || (!fake->is_dead && loses))
		fake_store_settle(&fake->store, node, goes_well);
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

/* What is written out is as pending as before. */
static int
fake_write_out(void *ctx, int fd)
{
	(void)fd;
	return ask(ctx, "write_out") == FAIL ? -1 : 0;
}

static int
fake_truncate(void *ctx, int fd, uint64_t size)
{
	struct fake_disk *fake = ctx;

	if (ask(fake, "truncate") == FAIL ||
	    is_too_large(fake, number_of(fake, fd), size))
		return -1;
	fake_store_resize(&fake->store, number_of(fake, fd), size);
	return 0;
}

static int
fake_allocate(void *ctx, int fd, uint64_t size)
{
	struct fake_disk *fake = ctx;
	size_t node = number_of(fake, fd);

	if (ask(fake, "allocate") == FAIL || is_too_large(fake, node, size))
		return -1;
	if (fitting(fake, node, size) < size) {
		errno = ENOSPC;
		return -1;
	}
	if (size > fake->store.nodes[node].seen.size)
		fake_store_resize(&fake->store, node, size);
	return 0;
}

/* It does so anyway, unless it is told to have no room. */
static int
fake_overwrite_in_place(void *ctx, int directory_fd)
{
	(void)ctx;
	(void)directory_fd;
	return 0;
}

static int
fake_size(void *ctx, int fd, uint64_t *out_size)
{
	struct fake_disk *fake = ctx;

	if (ask(fake, "size") == FAIL)
		return -1;
	*out_size = node_of(fake, fd)->seen.size;
	return 0;
}

static int
fake_inspect(
    void *ctx, int directory_fd, const char *name, struct disk_facts *out_facts)
{
	struct fake_disk *fake = ctx;
	size_t number = number_of(fake, directory_fd);

	if (ask(fake, "inspect") == FAIL)
		return -1;
	if (name[0] != '\0' &&
	    !fake_store_find(&fake->store, number, name, &number)) {
		errno = ENOENT;
		return -1;
	}
	const struct fake_node *node = &fake->store.nodes[number];
	*out_facts = (struct disk_facts){
	    .kind = node->is_directory           ? DISK_DIRECTORY
		: node->is_pipe || node->is_link ? DISK_OTHER
						 : DISK_FILE,
	    .mode = node->mode,
	    .owner = node->owner,
	};
	return 0;
}

static int
fake_rename(void *ctx, int from_directory_fd, const char *from,
    int to_directory_fd, const char *to)
{
	struct fake_disk *fake = ctx;
	size_t from_node = number_of(fake, from_directory_fd);
	size_t to_node = number_of(fake, to_directory_fd);
	size_t node;

	if (ask(fake, "rename") == FAIL)
		return -1;
	if (!fake_store_find(&fake->store, from_node, from, &node)) {
		errno = ENOENT;
		return -1;
	}
	fake_store_rename(&fake->store, from_node, from, to_node, to, node);
	return 0;
}

static int
fake_unlink(void *ctx, int directory_fd, const char *name)
{
	struct fake_disk *fake = ctx;
	size_t directory = number_of(fake, directory_fd);
	size_t node;

	if (ask(fake, "unlink") == FAIL)
		return -1;
	if (!fake_store_find(&fake->store, directory, name, &node)) {
		errno = ENOENT;
		return -1;
	}
	fake_store_rename(&fake->store, directory, name, directory, "", 0);
	return 0;
}

static int
fake_make_directory(void *ctx, int directory_fd, const char *name, mode_t mode)
{
	struct fake_disk *fake = ctx;
	size_t directory = number_of(fake, directory_fd);
	size_t node;

	(void)mode;
	if (ask(fake, "make_directory") == FAIL)
		return -1;
	if (fake_store_find(&fake->store, directory, name, &node)) {
		errno = EEXIST;
		return -1;
	}
	node = fake_store_new(&fake->store, true);
	fake_store_rename(&fake->store, directory, "", directory, name, node);
	return 0;
}

static int
fake_list(void *ctx, int directory_fd, disk_name_fn name_fn, void *name_ctx)
{
	struct fake_disk *fake = ctx;

	if (ask(fake, "list") == FAIL)
		return -1;
	const struct fake_names *names =
	    &node_of(fake, directory_fd)->seen_names;
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
	uint64_t now = fake_store_used(&fake->store);

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
	struct handle *own = &fake->handles[fd - FIRST_FD];

	if (ask(fake, "lock") == FAIL)
		return -1;
	for (size_t i = 0; i < fake->handle_count; i++) {
		const struct handle *handle = &fake->handles[i];
		if (handle != own && handle->is_locked &&
		    handle->node == own->node) {
			errno = EWOULDBLOCK;
			return -1;
		}
	}
	own->is_locked = true;
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

static uid_t
fake_user(void *ctx)
{
	(void)ctx;
	return 0;
}

static const struct disk FACE = {
    .open = fake_open,
    .close = fake_close,
    .read = fake_read,
    .write = fake_write,
    .sync = fake_sync,
    .sync_directory = fake_sync_directory,
    .write_out = fake_write_out,
    .truncate = fake_truncate,
    .allocate = fake_allocate,
    .overwrite_in_place = fake_overwrite_in_place,
    .size = fake_size,
    .inspect = fake_inspect,
    .rename = fake_rename,
    .unlink = fake_unlink,
    .make_directory = fake_make_directory,
    .list = fake_list,
    .free_space = fake_free_space,
    .lock = fake_lock,
    .random = fake_random,
    .user = fake_user,
};

struct fake_disk *
fake_disk_new(void)
{
	struct fake_disk *fake = memory_new(sizeof(*fake));

	fake->face = FACE;
	fake->face.ctx = fake;
	fake->capacity = UINT64_MAX;
	fake->limit = UINT64_MAX;
	fake_store_init(&fake->store);
	return fake;
}

void
fake_disk_free(struct fake_disk *fake)
{
	if (fake == NULL)
		return;
	fake_store_clear(&fake->store);
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
	fake->plan_count = 0;
	fake_disk_plan_also(fake, call, fault, number);
}

void
fake_disk_plan_also(
    struct fake_disk *fake, size_t call, enum fake_fault fault, int number)
{
	assert(fake->plan_count < PLANS_MAX);
	fake->plans[fake->plan_count++] = (struct plan){call, fault, number};
}

void
fake_disk_break(struct fake_disk *fake, const char *kinds, int number)
{
	fake->broken_kinds = number == 0 ? NULL : kinds;
	fake->broken_number = number;
}

void
fake_disk_seed(struct fake_disk *fake, uint64_t seed)
{
	fake->random_state = seed * 0x9e3779b97f4a7c15U;
	fake->store.random_state = fake->random_state;
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
	return fake->store.change_count;
}

/* With nothing on it. */
static struct fake_disk *
like(const struct fake_disk *fake)
{
	struct fake_disk *copy = fake_disk_new();

	copy->capacity = fake->capacity;
	copy->limit = fake->limit;
	copy->hard_node = fake->hard_node;
	copy->hard_offset = fake->hard_offset;
	copy->hard_len = fake->hard_len;
	copy->random_state = fake->random_state ^ 0x9e3779b97f4a7c15U;
	return copy;
}

struct fake_disk *
fake_disk_after_power_cut(const struct fake_disk *fake, const bool *kept)
{
	struct fake_disk *copy = like(fake);

	fake_store_copy_durable(&copy->store, &fake->store, kept);
	return copy;
}

struct fake_disk *
fake_disk_after_kill(const struct fake_disk *fake)
{
	struct fake_disk *copy = like(fake);

	fake_store_copy(&copy->store, &fake->store);
	return copy;
}

uint64_t
fake_disk_hash(const struct fake_disk *fake)
{
	return fake_store_hash(&fake->store);
}

/* ---- by path ---- */

static size_t
make_directory(struct fake_store *store, size_t parent, const char *name)
{
	size_t node;

	if (!fake_store_find(store, parent, name, &node)) {
		node = fake_store_new(store, true);
		fake_store_name(store, parent, name, node);
	}
	return node;
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
		char name[FAKE_NAME_SIZE] = "";
		memcpy(name, part.data, part.len);
		directory = make_directory(&fake->store, directory, name);
	}
	memset(out_name, 0, FAKE_NAME_SIZE);
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
		char name[FAKE_NAME_SIZE] = "";
		memcpy(name, part.data, part.len);
		if (!fake_store_find(&fake->store, node, name, &node))
			return 0;
	}
	return node;
}

void
fake_disk_put(struct fake_disk *fake, const char *path, struct bytes content)
{
	char name[FAKE_NAME_SIZE];
	size_t directory = find_directory(fake, path, name);
	size_t node = find_path(fake, path);

	if (node == 0) {
		node = fake_store_new(&fake->store, false);
		fake_store_name(&fake->store, directory, name, node);
	}
	fake_store_put(&fake->store, node, content.data, content.len);
}

struct bytes
fake_disk_get(const struct fake_disk *fake, const char *path)
{
	size_t node = find_path(fake, path);

	if (node == 0)
		return (struct bytes){NULL, 0};
	const struct fake_image *image = &fake->store.nodes[node].seen;
	return bytes_make(image->data == NULL ? "" : image->data, image->size);
}

void
fake_disk_spoil(
    struct fake_disk *fake, const char *path, uint64_t offset, uint64_t len)
{
	fake->bad_node = len > 0 ? find_path(fake, path) : 0;
	fake->bad_offset = offset;
	fake->bad_len = len;
}

void
fake_disk_harden(
    struct fake_disk *fake, const char *path, uint64_t offset, uint64_t len)
{
	fake->hard_node = len > 0 ? find_path(fake, path) : 0;
	fake->hard_offset = offset;
	fake->hard_len = len;
}

void
fake_disk_limit(struct fake_disk *fake, uint64_t bytes)
{
	fake->limit = bytes;
}

bool
fake_disk_remove(struct fake_disk *fake, const char *path)
{
	char name[FAKE_NAME_SIZE];

	if (find_path(fake, path) == 0)
		return false;
	size_t directory = find_directory(fake, path, name);
	fake_store_unname(&fake->store, directory, name);
	return true;
}

void
fake_disk_put_odd(struct fake_disk *fake, const char *path, enum fake_odd odd)
{
	char name[FAKE_NAME_SIZE];
	size_t directory = find_directory(fake, path, name);
	size_t node = fake_store_new(&fake->store, odd == FAKE_FOLDER);

	fake->store.nodes[node].is_pipe = odd == FAKE_PIPE;
	fake->store.nodes[node].is_link = odd == FAKE_LINK;
	fake_store_name(&fake->store, directory, name, node);
}

void
fake_disk_give(
    struct fake_disk *fake, const char *path, unsigned owner, unsigned mode)
{
	struct fake_node *node = &fake->store.nodes[find_path(fake, path)];

	node->owner = owner;
	node->mode = mode;
}

static int
compare_entries(const void *left, const void *right)
{
	return strcmp(((const struct fake_entry *)left)->name,
	    ((const struct fake_entry *)right)->name);
}

char *
fake_disk_names(const struct fake_disk *fake, const char *path)
{
	const struct fake_names *names =
	    &fake->store.nodes[find_path(fake, path)].seen_names;
	struct fake_entry *sorted =
	    memory_array(names->count + 1, sizeof(struct fake_entry));
	struct buffer text;

	for (size_t i = 0; i < names->count; i++)
		sorted[i] = names->list[i];
	qsort(sorted, names->count, sizeof(struct fake_entry), compare_entries);
	buffer_init(&text, SIZE_MAX);
	for (size_t i = 0; i < names->count; i++)
		buffer_printf(&text, "%s ", sorted[i].name);
	char *result = buffer_to_text(&text);
	buffer_clear(&text);
	free(sorted);
	return result;
}

char *
fake_disk_newest_segment(const struct fake_disk *fake)
{
	char *names = fake_disk_names(fake, "queue");
	struct bytes rest = bytes_of(names);
	struct bytes newest = BYTES_NONE;

	while (rest.len > 0) {
		struct bytes name = bytes_cut(&rest, ' ');
		if (bytes_has_suffix_nocase(name, ".log"))
			newest = name;
	}
	char *path = memory_format("queue/%.*s", BYTES_ARGS(newest));
	free(names);
	return path;
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
