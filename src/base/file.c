#include "base/file.h"

#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define READ_SIZE ((size_t)16 * 1024)

/* As read(), after signals again. */
static ssize_t
read_again(int fd, void *data, size_t len)
{
	ssize_t got;

	do
		got = read(fd, data, len);
	while (got < 0 && errno == EINTR);
	return got;
}

/* One read into what room the buffer has; 0 in *out_got is the end. */
static bool
read_some(int fd, const char *path, struct buffer *buffer, size_t *out_got,
    struct error *error)
{
	size_t room = buffer->limit - buffer->len;
	size_t size = room < READ_SIZE ? room : READ_SIZE;

	ssize_t got = read_again(fd, buffer_reserve(buffer, size), size);
	if (got < 0)
		return error_system(error, "read %s", path);
	buffer_commit(buffer, (size_t)got);
	*out_got = (size_t)got;
	return true;
}

/* The buffer is full: there must be nothing more to read. */
static bool
expect_end(int fd, const char *path, size_t limit, struct error *error)
{
	char beyond[1] = "";

	ssize_t got = read_again(fd, beyond, sizeof(beyond));
	if (got < 0)
		return error_system(error, "read %s", path);
	if (got > 0)
		return error_set(error, ERROR_LIMIT,
		    "read %s: larger than %zu octets", path, limit);
	return true;
}

static bool
read_all(int fd, const char *path, struct buffer *buffer, struct error *error)
{
	size_t got = 1;

	while (got > 0 && buffer->len < buffer->limit) {
		if (!read_some(fd, path, buffer, &got, error))
			return false;
	}
	return got == 0 || expect_end(fd, path, buffer->limit, error);
}

bool
file_read(int directory_fd, const char *path, struct buffer *buffer,
    struct error *error)
{
	size_t len_before = buffer->len;

	int fd = openat(directory_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return error_system(error, "open %s", path);

	bool ok = read_all(fd, path, buffer, error);
	if (!ok)
		buffer_truncate(buffer, len_before);
	(void)close(fd); /* only read from */
	return ok;
}

bool
file_write(int fd, struct bytes bytes, struct error *error)
{
	while (bytes.len > 0) {
		ssize_t put = write(fd, bytes.data, bytes.len);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return error_system(error, "write");
		bytes = bytes_from(bytes, (size_t)put);
	}
	return true;
}

bool
file_write_at(int fd, struct bytes bytes, uint64_t offset, struct error *error)
{
	assert(offset <= (uint64_t)INT64_MAX - bytes.len);
	while (bytes.len > 0) {
		ssize_t put = pwrite(fd, bytes.data, bytes.len, (off_t)offset);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return error_system(error, "write at %" PRIu64, offset);
		bytes = bytes_from(bytes, (size_t)put);
		offset += (uint64_t)put;
	}
	return true;
}

bool
file_read_at(
    int fd, void *data, size_t len, uint64_t offset, struct error *error)
{
	char *next = data;

	assert(len <= INT64_MAX && offset <= (uint64_t)INT64_MAX - len);
	while (len > 0) {
		ssize_t got = pread(fd, next, len, (off_t)offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_system(error, "read at %" PRIu64, offset);
		if (got == 0)
			return error_set(error, ERROR_DATA,
			    "read at %" PRIu64 ": the file ends %zu octets "
			    "too early",
			    offset, len);
		next += got;
		len -= (size_t)got;
		offset += (uint64_t)got;
	}
	return true;
}

bool
file_sync_directory(int directory_fd, struct error *error)
{
	if (fsync(directory_fd) != 0)
		return error_system(error, "sync directory");
	return true;
}

/* The part of path behind its last slash. */
static const char *
base_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash == NULL ? path : slash + 1;
}

/* Descriptor of the directory that holds path, or -1. */
static int
open_parent(int directory_fd, const char *path, struct error *error)
{
	size_t len = (size_t)(base_of(path) - path);
	char *parent = len == 0 ? memory_copy_text(".")
				: memory_copy(bytes_make(path, len));

	int fd =
	    openat(directory_fd, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		(void)error_system(error, "open %s", parent);
	free(parent);
	return fd;
}

/* A name that nobody uses: hidden, and 64 bits of chance. */
static char *
temporary_name(const char *name)
{
	uint64_t chance;

	ssize_t got = getrandom(&chance, sizeof(chance), 0);
	assert(got == (ssize_t)sizeof(chance));
	return memory_format(".%s.%016" PRIx64, name, chance);
}

static bool
write_durable(int fd, struct bytes content, mode_t mode, struct error *error)
{
	if (!file_write(fd, content, error))
		return false;
	if (fchmod(fd, mode) != 0)
		return error_system(error, "set mode");
	if (fdatasync(fd) != 0)
		return error_system(error, "sync");
	return true;
}

/* A new file of this name in parent_fd, durable, or none. */
static bool
create_durable(int parent_fd, const char *name, struct bytes content,
    mode_t mode, struct error *error)
{
	int fd = openat(
	    parent_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_system(error, "create %s", name);

	bool ok = write_durable(fd, content, mode, error);
	(void)close(fd); /* synced, or given up */
	if (!ok)
		(void)unlinkat(parent_fd, name, 0); /* the first error counts */
	return ok;
}

static bool
replace_in(int parent_fd, const char *name, struct bytes content, mode_t mode,
    struct error *error)
{
	char *temporary = temporary_name(name);

	bool ok = create_durable(parent_fd, temporary, content, mode, error);
	if (ok && renameat(parent_fd, temporary, parent_fd, name) != 0) {
		ok = error_system(error, "rename");
		(void)unlinkat(parent_fd, temporary, 0); /* as above */
	}
	free(temporary);
	return ok && file_sync_directory(parent_fd, error);
}

bool
file_replace(int directory_fd, const char *name, struct bytes content,
    mode_t mode, struct error *error)
{
	int parent_fd = open_parent(directory_fd, name, error);
	if (parent_fd < 0)
		return error_context(error, "replace %s", name);

	bool ok = replace_in(parent_fd, base_of(name), content, mode, error);
	(void)close(parent_fd); /* only synced */
	return ok || error_context(error, "replace %s", name);
}

bool
file_lock(int directory_fd, const char *name, int *out_fd, struct error *error)
{
	int fd = openat(directory_fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_system(error, "open %s", name);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		(void)error_system(error, "lock %s", name);
		(void)close(fd); /* nothing was written */
		return false;
	}
	*out_fd = fd;
	return true;
}

static bool
make_directory(const char *path, mode_t mode, struct error *error)
{
	struct stat status;

	if (mkdir(path, mode) == 0)
		return true;
	if (errno != EEXIST)
		return error_system(error, "make directory %s", path);
	if (stat(path, &status) != 0)
		return error_system(error, "look at %s", path);
	if (!S_ISDIR(status.st_mode)) {
		errno = ENOTDIR;
		return error_system(error, "make directory %s", path);
	}
	return true;
}

bool
file_make_directories(const char *path, mode_t mode, struct error *error)
{
	char *copy = memory_copy_text(path);
	bool ok = true;

	/* Each slash but the first ends the path of a parent. */
	for (char *c = copy; ok && *c != '\0'; c++) {
		if (*c != '/' || c == copy)
			continue;
		*c = '\0';
		ok = make_directory(copy, mode, error);
		*c = '/';
	}
	ok = ok && make_directory(copy, mode, error);
	free(copy);
	return ok;
}

bool
file_system_size(const char *path, uint64_t *out_octets, struct error *error)
{
	struct statvfs status;

	if (statvfs(path, &status) != 0)
		return error_system(error, "statvfs %s", path);
	*out_octets = (uint64_t)status.f_blocks * status.f_frsize;
	return true;
}
