#include "queue/disk.h"

#include "base/seed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int
real_open(void *ctx, int directory_fd, const char *name, int flags, mode_t mode)
{
	(void)ctx;
	return openat(directory_fd, name, flags | O_CLOEXEC, mode);
}

static int
real_close(void *ctx, int fd)
{
	(void)ctx;
	return close(fd);
}

static ssize_t
real_read(void *ctx, int fd, void *data, size_t len, uint64_t offset)
{
	(void)ctx;
	return pread(fd, data, len, (off_t)offset);
}

static ssize_t
real_write(void *ctx, int fd, const void *data, size_t len, uint64_t offset)
{
	(void)ctx;
	return pwrite(fd, data, len, (off_t)offset);
}

static int
real_sync(void *ctx, int fd)
{
	(void)ctx;
	return fdatasync(fd);
}

static int
real_sync_directory(void *ctx, int fd)
{
	(void)ctx;
	return fsync(fd);
}

static int
real_write_out(void *ctx, int fd)
{
	(void)ctx;
	return sync_file_range(fd, 0, 0,
	    SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
		SYNC_FILE_RANGE_WAIT_AFTER);
}

static int
real_truncate(void *ctx, int fd, uint64_t size)
{
	(void)ctx;
	return ftruncate(fd, (off_t)size);
}

/* posix_fallocate would write zeros where this is not supported. */
static int
real_allocate(void *ctx, int fd, uint64_t size)
{
	(void)ctx;
	return fallocate(fd, 0, 0, (off_t)size);
}

static int
real_overwrite_in_place(void *ctx, int directory_fd)
{
	int flags;

	(void)ctx;
	if (ioctl(directory_fd, FS_IOC_GETFLAGS, &flags) != 0)
		return -1;
	flags |= FS_NOCOW_FL;
	return ioctl(directory_fd, FS_IOC_SETFLAGS, &flags);
}

static int
real_size(void *ctx, int fd, uint64_t *out_size)
{
	struct stat status;

	(void)ctx;
	if (fstat(fd, &status) != 0)
		return -1;
	*out_size = (uint64_t)status.st_size;
	return 0;
}

static enum disk_kind
kind_of(mode_t mode)
{
	if (S_ISREG(mode))
		return DISK_FILE;
	return S_ISDIR(mode) ? DISK_DIRECTORY : DISK_OTHER;
}

static int
real_inspect(
    void *ctx, int directory_fd, const char *name, struct disk_facts *out_facts)
{
	struct stat status;

	(void)ctx;
	if (fstatat(directory_fd, name, &status,
		AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0)
		return -1;
	*out_facts = (struct disk_facts){
	    .kind = kind_of(status.st_mode),
	    .mode = status.st_mode & ~(mode_t)S_IFMT,
	    .owner = status.st_uid,
	};
	return 0;
}

static int
real_rename(void *ctx, int from_directory_fd, const char *from,
    int to_directory_fd, const char *to)
{
	(void)ctx;
	return renameat(from_directory_fd, from, to_directory_fd, to);
}

static int
real_unlink(void *ctx, int directory_fd, const char *name)
{
	(void)ctx;
	return unlinkat(directory_fd, name, 0);
}

static int
real_make_directory(void *ctx, int directory_fd, const char *name, mode_t mode)
{
	(void)ctx;
	return mkdirat(directory_fd, name, mode);
}

static bool
is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int
list_stream(DIR *stream, disk_name_fn name_fn, void *name_ctx)
{
	for (;;) {
		errno = 0;
		const struct dirent *entry = readdir(stream);
		if (entry == NULL)
			return errno == 0 ? 0 : -1;
		if (!is_dot(entry->d_name) && !name_fn(entry->d_name, name_ctx))
			return 0;
	}
}

static int
real_list(void *ctx, int directory_fd, disk_name_fn name_fn, void *name_ctx)
{
	(void)ctx;
	/* Opened anew: the descriptor's own offset is shared. */
	int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;

	DIR *stream = fdopendir(fd);
	if (stream == NULL) {
		close(fd);
		return -1;
	}
	int result = list_stream(stream, name_fn, name_ctx);
	int number = errno;
	closedir(stream);
	errno = number;
	return result;
}

static int
real_free_space(void *ctx, int directory_fd, uint64_t *out_bytes)
{
	struct statvfs status;

	(void)ctx;
	if (fstatvfs(directory_fd, &status) != 0)
		return -1;
	*out_bytes = (uint64_t)status.f_bavail * status.f_frsize;
	return 0;
}

static int
real_lock(void *ctx, int fd)
{
	(void)ctx;
	return flock(fd, LOCK_EX | LOCK_NB);
}

static int
real_random(void *ctx, void *data, size_t len)
{
	(void)ctx;
	return getrandom(data, len, 0) == (ssize_t)len ? 0 : -1;
}

static uid_t
real_user(void *ctx)
{
	(void)ctx;
	return geteuid();
}

static const struct disk REAL = {
    .open = real_open,
    .close = real_close,
    .read = real_read,
    .write = real_write,
    .sync = real_sync,
    .sync_directory = real_sync_directory,
    .write_out = real_write_out,
    .truncate = real_truncate,
    .allocate = real_allocate,
    .overwrite_in_place = real_overwrite_in_place,
    .size = real_size,
    .inspect = real_inspect,
    .rename = real_rename,
    .unlink = real_unlink,
    .make_directory = real_make_directory,
    .list = real_list,
    .free_space = real_free_space,
    .lock = real_lock,
    .random = real_random,
    .user = real_user,
};

const struct disk *
disk_real(void)
{
	return &REAL;
}

bool
disk_read_some(const struct disk *disk, int fd, void *data, size_t len,
    uint64_t offset, size_t *out_len, struct error *error)
{
	size_t done = 0;

	while (done < len) {
		ssize_t got = disk->read(disk->ctx, fd, (char *)data + done,
		    len - done, offset + done);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_system(error, "read");
		if (got == 0)
			break;
		done += (size_t)got;
	}
	*out_len = done;
	return true;
}

bool
disk_read_at(const struct disk *disk, int fd, void *data, size_t len,
    uint64_t offset, struct error *error)
{
	size_t got;

	if (!disk_read_some(disk, fd, data, len, offset, &got, error))
		return false;
	if (got < len)
		return error_set(
		    error, ERROR_DATA, "read: the file is too short");
	return true;
}

bool
disk_write_at(const struct disk *disk, int fd, const void *data, size_t len,
    uint64_t offset, struct error *error)
{
	size_t done = 0;

	while (done < len) {
		ssize_t put = disk->write(disk->ctx, fd,
		    (const char *)data + done, len - done, offset + done);
		if (put < 0 && errno == EINTR)
			continue;
		if (put == 0)
			errno = EIO;
		if (put <= 0)
			return error_system(error, "write");
		done += (size_t)put;
	}
	return true;
}

bool
disk_is_full(const struct error *error)
{
	return error->number == ENOSPC || error->number == EDQUOT;
}

bool
disk_sync(const struct disk *disk, int fd, struct error *error)
{
	if (disk->sync(disk->ctx, fd) == 0 ||
	    (SEED(FDATASYNC_RETRIED) && disk->sync(disk->ctx, fd) == 0))
		return true;
	return error_system(error, "fdatasync");
}

bool
disk_sync_directory(const struct disk *disk, int fd, struct error *error)
{
	if (disk->sync_directory(disk->ctx, fd) != 0)
		return error_system(error, "fsync of the directory");
	return true;
}

bool
disk_open(const struct disk *disk, int directory_fd, const char *name,
    int flags, mode_t mode, int *out_fd, struct error *error)
{
	int fd;

	do
		fd = disk->open(disk->ctx, directory_fd, name, flags, mode);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return error_system(error, "open %s", name);
	*out_fd = fd;
	return true;
}

/* What open says of a name that is no regular file's. */
static bool
is_no_file(int number)
{
	return number == ELOOP || number == EISDIR || number == ENXIO ||
	    number == ENODEV;
}

bool
disk_open_file(const struct disk *disk, int directory_fd, const char *name,
    int flags, mode_t mode, int *out_fd, struct error *error)
{
	struct disk_facts facts;
	int fd;

	if (!disk_open(disk, directory_fd, name,
		flags | O_NOFOLLOW | O_NONBLOCK, mode, &fd, error)) {
		if (is_no_file(error->number))
			return error_set(
			    error, ERROR_DATA, "%s is no regular file", name);
		return false;
	}
	bool is_known = disk->inspect(disk->ctx, fd, "", &facts) == 0;
	if (!is_known)
		(void)error_system(error, "stat %s", name);
	else if (facts.kind != DISK_FILE)
		(void)error_set(
		    error, ERROR_DATA, "%s is no regular file", name);
	if (is_known && facts.kind == DISK_FILE) {
		*out_fd = fd;
		return true;
	}
	(void)disk->close(disk->ctx, fd); /* nothing was done to it */
	return false;
}

bool
disk_has(const struct disk *disk, int directory_fd, const char *name)
{
	struct disk_facts facts;

	return disk->inspect(disk->ctx, directory_fd, name, &facts) == 0;
}
