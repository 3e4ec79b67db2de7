/*
 * The disk as the journal sees it: a struct of functions, so that tests can put
 * a disk in its place that fails, tears, reorders and loses power.
 *
 * Each function is one system call and reports like it: -1 and errno.  Short
 * transfers and EINTR are dealt with by the disk_... helpers below, so that
 * they are exercised by the fake disk, too.  Files and directories are
 * descriptors; names are relative to a directory's.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum disk_kind {
	DISK_FILE,
	DISK_DIRECTORY,
	DISK_OTHER /* a link, a pipe, a socket, a device */
};

/* What is known of a file without reading it. */
struct disk_facts {
	enum disk_kind kind;
	mode_t mode; /* the permissions alone */
	uid_t owner;
};

/* name is borrowed for the call. False ends the listing. */
typedef bool (*disk_name_fn)(const char *name, void *ctx);

struct disk {
	void *ctx;
	/* Flags and mode as of openat(2); O_CLOEXEC is added. */
	int (*open)(void *ctx, int directory_fd, const char *name, int flags,
	    mode_t mode);
	int (*close)(void *ctx, int fd);
	ssize_t (*read)(
	    void *ctx, int fd, void *data, size_t len, uint64_t offset);
	ssize_t (*write)(
	    void *ctx, int fd, const void *data, size_t len, uint64_t offset);
	int (*sync)(void *ctx, int fd);           /* fdatasync */
	int (*sync_directory)(void *ctx, int fd); /* fsync */
	/* Write to the disk what the file has, and wait for that; a sync has
	 * the rest to do, and makes it durable.  Any thread. */
	int (*write_out)(void *ctx, int fd);
	int (*truncate)(void *ctx, int fd, uint64_t size);
	/* Make real room for [0, size) behind the file's end; the size grows.
	 */
	int (*allocate)(void *ctx, int fd, uint64_t size);
	/* New files in this directory are not copied on write (btrfs), so that
	 * room that is there stays there; an error where that is unknown. */
	int (*overwrite_in_place)(void *ctx, int directory_fd);
	int (*size)(void *ctx, int fd, uint64_t *out_size);
	/* Of that name, a link itself and not what it leads to; with the name
	 * "" of the descriptor. */
	int (*inspect)(void *ctx, int directory_fd, const char *name,
	    struct disk_facts *out_facts);
	int (*rename)(void *ctx, int from_directory_fd, const char *from,
	    int to_directory_fd, const char *to);
	int (*unlink)(void *ctx, int directory_fd, const char *name);
	int (*make_directory)(
	    void *ctx, int directory_fd, const char *name, mode_t mode);
	/* All names but "." and "..", in no particular order. */
	int (*list)(
	    void *ctx, int directory_fd, disk_name_fn name_fn, void *name_ctx);
	int (*free_space)(void *ctx, int directory_fd, uint64_t *out_bytes);
	/* Exclusive, without waiting: EWOULDBLOCK where another has it.  Held
	 * as long as fd is open. */
	int (*lock)(void *ctx, int fd);
	/* Octets nobody can guess. */
	int (*random)(void *ctx, void *data, size_t len);
	/* Who owns what this process makes; cannot fail. */
	uid_t (*user)(void *ctx);
};

/* The real one: plain system calls, without state. */
const struct disk *disk_real(void);

/* Whole transfers.  ERROR_DATA where the file ends before offset + len. */
bool disk_read_at(const struct disk *disk, int fd, void *data, size_t len,
    uint64_t offset, struct error *error) MUST_USE;
/* As many of len octets as there are. */
bool disk_read_some(const struct disk *disk, int fd, void *data, size_t len,
    uint64_t offset, size_t *out_len, struct error *error) MUST_USE;
bool disk_write_at(const struct disk *disk, int fd, const void *data,
    size_t len, uint64_t offset, struct error *error) MUST_USE;
/* What failed has no room: ENOSPC or EDQUOT. */
bool disk_is_full(const struct error *error);
/* Once: a second sync after a failed one tells nothing. */
bool disk_sync(const struct disk *disk, int fd, struct error *error) MUST_USE;
bool disk_sync_directory(
    const struct disk *disk, int fd, struct error *error) MUST_USE;
bool disk_open(const struct disk *disk, int directory_fd, const char *name,
    int flags, mode_t mode, int *out_fd, struct error *error) MUST_USE;
/*
 * The same for a regular file: never waits for a pipe or a device, and follows
 * no link.  ERROR_DATA: what has that name is something else.
 */
bool disk_open_file(const struct disk *disk, int directory_fd, const char *name,
    int flags, mode_t mode, int *out_fd, struct error *error) MUST_USE;
/* Whether there is something of that name. */
bool disk_has(const struct disk *disk, int directory_fd, const char *name);
