#include "tools/queue_file.h"

#include "base/file.h"
#include "message/parcel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MODE 0600

/* A dot, so that nobody takes it for a message. */
struct part_name {
	char text[QUEUE_ID_LEN + sizeof("..part")];
};

static struct part_name
part_name_of(const struct message *message)
{
	struct part_name name;

	(void)snprintf(name.text, sizeof(name.text), ".%s.part",
	    queue_id_of(message->id).text);
	return name;
}

struct queue_file_name
queue_file_name_of(const struct message *message)
{
	struct queue_file_name name;

	(void)snprintf(name.text, sizeof(name.text), "%s" QUEUE_FILE_SUFFIX,
	    queue_id_of(message->id).text);
	return name;
}

/* ---- writing ---- */

/* One that was left behind by a process that died is of no use. */
static int
open_part(int directory_fd, const struct message *message)
{
	struct part_name name = part_name_of(message);
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(directory_fd, name.text, flags, FILE_MODE);

	if (fd >= 0 || errno != EEXIST ||
	    unlinkat(directory_fd, name.text, 0) != 0)
		return fd;
	return openat(directory_fd, name.text, flags, FILE_MODE);
}

static bool
write_front(struct queue_file *file, struct error *error)
{
	struct buffer front;

	buffer_init(&front, SIZE_MAX);
	parcel_write(&front, file->message);
	bool is_ok = file_write(file->fd, buffer_bytes(&front), error);
	buffer_clear(&front);
	return is_ok;
}

bool
queue_file_begin(struct queue_file *file, int directory_fd,
    const struct message *message, struct error *error)
{
	int fd = open_part(directory_fd, message);

	if (fd < 0)
		return error_system(
		    error, "make %s", part_name_of(message).text);
	*file = (struct queue_file){
	    .directory_fd = directory_fd,
	    .fd = fd,
	    .message = message,
	    .check = record_check_new(message->id),
	};
	/* Whatever the umask. */
	bool is_ok = fchmod(fd, FILE_MODE) == 0 || error_system(error, "chmod");
	if (is_ok && write_front(file, error))
		return true;
	queue_file_cancel(file);
	return false;
}

bool
queue_file_append(
    struct queue_file *file, struct bytes content, struct error *error)
{
	record_check_add(file->check, content);
	file->size += content.len;
	return file_write(file->fd, content, error);
}

static void
release(struct queue_file *file)
{
	if (file->check != NULL)
		(void)record_check_finish(file->check); /* frees it */
	if (file->fd >= 0)
		(void)close(file->fd); /* synced, or given up */
	file->check = NULL;
	file->fd = -1;
}

void
queue_file_cancel(struct queue_file *file)
{
	release(file);
	/* Where this fails a file stays that nobody takes for a message. */
	(void)unlinkat(file->directory_fd, part_name_of(file->message).text, 0);
}

/* In one step, where the file system can; never over another. */
static bool
give_name(const struct queue_file *file, struct error *error)
{
	int at = file->directory_fd;
	struct part_name part = part_name_of(file->message);
	struct queue_file_name name = queue_file_name_of(file->message);

	if (renameat2(at, part.text, at, name.text, RENAME_NOREPLACE) == 0)
		return true;
	bool is_unknown = errno == EINVAL || errno == ENOSYS;
	if (!is_unknown || linkat(at, part.text, at, name.text, 0) != 0)
		return error_system(error, "%s", name.text);
	(void)unlinkat(at, part.text, 0); /* a second name of the same */
	return true;
}

static bool
is_whole(struct queue_file *file, struct error *error)
{
	const struct message *message = file->message;
	uint64_t check = record_check_finish(file->check);

	file->check = NULL;
	if (file->size < message->body.len)
		return error_set(error, ERROR_DATA,
		    "only %llu octets of %llu could be had",
		    (unsigned long long)file->size,
		    (unsigned long long)message->body.len);
	if (file->size > message->body.len || check != message->check)
		return error_set(error, ERROR_DATA, "the content is damaged");
	return true;
}

bool
queue_file_seal(struct queue_file *file, struct error *error)
{
	if (!is_whole(file, error)) {
		queue_file_cancel(file);
		return false;
	}
	/* A hint: what is under way when it is synced takes less time. */
	(void)sync_file_range(file->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	return true;
}

bool
queue_file_sync(struct queue_file *file, struct error *error)
{
	return fdatasync(file->fd) == 0 || error_system(error, "fdatasync");
}

bool
queue_file_end(struct queue_file *file, struct error *error)
{
	if (!give_name(file, error)) {
		queue_file_cancel(file);
		return false;
	}
	release(file);
	return true;
}

/* ---- reading ---- */

static bool
map_fd(int fd, struct queue_file_map *out_map, struct error *error)
{
	struct stat facts;

	if (fstat(fd, &facts) != 0)
		return error_system(error, "fstat");
	if (!S_ISREG(facts.st_mode))
		return error_set(error, ERROR_DATA, "it is no regular file");
	*out_map = (struct queue_file_map){.bytes = BYTES_NONE};
	if (facts.st_size == 0)
		return true;
	size_t len = (size_t)facts.st_size;
	void *memory = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (memory == MAP_FAILED)
		return error_system(error, "mmap");
	out_map->memory = memory;
	out_map->bytes = bytes_make(memory, len);
	return true;
}

bool
queue_file_map(int directory_fd, const char *name,
    struct queue_file_map *out_map, struct error *error)
{
	int fd = openat(
	    directory_fd, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return error_system(error, "open");
	bool is_ok = map_fd(fd, out_map, error);
	(void)close(fd); /* only read */
	return is_ok;
}

void
queue_file_unmap(struct queue_file_map *map)
{
	if (map->memory != NULL)
		(void)munmap(map->memory, map->bytes.len);
	*map = (struct queue_file_map){.bytes = BYTES_NONE};
}

bool
queue_file_content_is(struct bytes content, uint64_t id, uint64_t check)
{
	struct record_check *now = record_check_new(id);

	record_check_add(now, content);
	return record_check_finish(now) == check;
}

/* Octet for octet what would be written now. */
static bool
is_same(struct bytes bytes, const struct message *message)
{
	struct buffer front;

	buffer_init(&front, SIZE_MAX);
	parcel_write(&front, message);
	struct bytes content = bytes_from(bytes, front.len);
	bool is_ok =
	    bytes_equal(bytes_first(bytes, front.len), buffer_bytes(&front)) &&
	    content.len == message->body.len &&
	    queue_file_content_is(content, message->id, message->check);
	buffer_clear(&front);
	return is_ok;
}

bool
queue_file_sync_present(
    int directory_fd, const struct message *message, struct error *error)
{
	struct queue_file_name name = queue_file_name_of(message);
	int fd = openat(directory_fd, name.text,
	    O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return error_system(error, "open %s", name.text);
	bool is_ok =
	    fdatasync(fd) == 0 || error_system(error, "sync %s", name.text);
	(void)close(fd); /* only read */
	return is_ok;
}

bool
queue_file_is_there(int directory_fd, const struct message *message)
{
	struct queue_file_map map;
	struct error ignored; /* then it is not */

	if (!queue_file_map(
		directory_fd, queue_file_name_of(message).text, &map, &ignored))
		return false;
	bool is_ok = is_same(map.bytes, message);
	queue_file_unmap(&map);
	return is_ok;
}
