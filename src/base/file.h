/*
 * Files: whole reads and writes, durable replacement, directory sync, locks.
 * Every function that says durable has returned from fdatasync or fsync.
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Append the whole of path (relative to directory_fd, or AT_FDCWD) to buffer.
 * ERROR_LIMIT where it is larger than the buffer's ceiling; on any failure the
 * buffer holds what it held before.
 */
bool file_read(int directory_fd, const char *path, struct buffer *buffer,
    struct error *error) MUST_USE;
/* Write all of bytes, going on after short writes and EINTR. */
bool file_write(int fd, struct bytes bytes, struct error *error) MUST_USE;
bool file_write_at(
    int fd, struct bytes bytes, uint64_t offset, struct error *error) MUST_USE;
/*
 * Read exactly len octets at offset, going on after short reads and EINTR.
 * ERROR_DATA where the file ends before.
 */
bool file_read_at(int fd, void *data, size_t len, uint64_t offset,
    struct error *error) MUST_USE;
bool file_sync_directory(int directory_fd, struct error *error) MUST_USE;
/*
 * Durable replacement of directory_fd/name: temporary file, fdatasync, rename,
 * directory sync.  The new file has exactly this mode, whatever the umask.
 *
 * On failure the old file stands as it was and no temporary one is left; only
 * where the directory sync was what failed ("sync directory"), the new file
 * stands already but may be gone after a power cut.  A process that dies
 * midway may leave ".NAME.<16 hex digits>".
 */
bool file_replace(int directory_fd, const char *name, struct bytes content,
    mode_t mode, struct error *error) MUST_USE;
/*
 * An exclusive lock on directory_fd/name, made where missing, held as long as
 * the descriptor returned in out_fd is open.  ERROR_SYSTEM with EWOULDBLOCK
 * where another process holds it.
 */
bool file_lock(int directory_fd, const char *name, int *out_fd,
    struct error *error) MUST_USE;
/*
 * mkdir with parents, all of this mode less the umask.  What is there already
 * is fine and keeps its mode; a file there is ERROR_SYSTEM with ENOTDIR.
 */
bool file_make_directories(
    const char *path, mode_t mode, struct error *error) MUST_USE;
/* Octets of the file system that path lies on. */
bool file_system_size(
    const char *path, uint64_t *out_octets, struct error *error) MUST_USE;
