#include "intake/drop_place.h"

#include "base/bytes.h"
#include "base/file.h"
#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DROP_MODE    03733
#define PRIVATE_MODE 0700
#define REASON_MODE  0640
#define OTHERS_WRITE (S_IWGRP | S_IWOTH)
/* Of the names in failed, with room for ".reason" and a number. */
#define STEM_MAX   ((size_t)230)
#define TWINS_MAX  1000
#define PLACE_NAME 256

/* ---- opening ---- */

static bool
make_directory(const char *path, mode_t mode, struct error *error)
{
	if (mkdir(path, PRIVATE_MODE) != 0)
		return errno == EEXIST || error_system(error, "mkdir %s", path);
	return chmod(path, mode) == 0 || error_system(error, "chmod %s", path);
}

/* Others may put files in, as far as they cannot take others' out; or nobody
 * may do anything. */
static bool
check_facts(const char *path, const struct stat *facts, mode_t mode,
    struct error *error)
{
	mode_t found = facts->st_mode & 07777;
	bool closed = (found & OTHERS_WRITE) == 0;
	bool right = mode == PRIVATE_MODE ? (found & 077) == 0
					  : closed || found == DROP_MODE;

	if (facts->st_uid != geteuid())
		return error_set(error, ERROR_CONFIG,
		    "%s belongs to uid %lu, not to uid %lu, who runs the "
		    "daemon: chown it",
		    path, (unsigned long)facts->st_uid,
		    (unsigned long)geteuid());
	if (!right)
		return error_set(error, ERROR_CONFIG,
		    "%s has mode %04o: chmod it to %04o", path, (unsigned)found,
		    (unsigned)mode);
	return true;
}

static bool
open_directory(const char *path, mode_t mode, int *out_fd, struct error *error)
{
	struct stat facts;

	if (!make_directory(path, mode, error))
		return false;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_system(error, "open %s", path);
	bool ok =
	    fstat(fd, &facts) == 0 || error_system(error, "stat %s", path);
	ok = ok && check_facts(path, &facts, mode, error);
	if (ok)
		*out_fd = fd;
	else
		(void)close(fd); /* a directory */
	return ok;
}

static bool
open_beside(const struct drop_place *place, const char *suffix, int *out_fd,
    struct error *error)
{
	char *path = memory_format("%s%s", place->path, suffix);
	bool ok = open_directory(path, PRIVATE_MODE, out_fd, error);

	free(path);
	return ok;
}

/* A rename from one mount to another fails, even within one file system. */
static bool
check_mount(const struct drop_place *place, struct error *error)
{
	struct statx drop;
	struct statx taken;

	if (statx(place->drop_fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &drop) !=
		0 ||
	    statx(place->taken_fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &taken) !=
		0)
		return error_system(error, "statx %s", place->path);
	return drop.stx_mnt_id == taken.stx_mnt_id ||
	    error_set(error, ERROR_CONFIG,
		"%s is a mount of its own: mount the directory above it",
		place->path);
}

static char *
without_slashes(const char *path)
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	return memory_copy(bytes_make(path, len));
}

bool
drop_place_open(
    struct drop_place *place, const char *directory, struct error *error)
{
	*place = (struct drop_place){
	    .path = without_slashes(directory),
	    .drop_fd = -1,
	    .taken_fd = -1,
	    .failed_fd = -1,
	};
	if (open_directory(place->path, DROP_MODE, &place->drop_fd, error) &&
	    open_beside(place, ".taken", &place->taken_fd, error) &&
	    open_beside(place, ".failed", &place->failed_fd, error) &&
	    check_mount(place, error))
		return true;
	drop_place_close(place);
	return error_context(error, "drop directory");
}

static void
close_directory(int fd)
{
	if (fd >= 0)
		(void)close(fd); /* nothing was written to it */
}

void
drop_place_close(struct drop_place *place)
{
	close_directory(place->drop_fd);
	close_directory(place->taken_fd);
	close_directory(place->failed_fd);
	free(place->path);
	*place =
	    (struct drop_place){.drop_fd = -1, .taken_fd = -1, .failed_fd = -1};
}

/* ---- moving ---- */

bool
drop_place_is_ready_name(const char *name)
{
	struct bytes text = bytes_of(name);

	return name[0] != '.' && !bytes_has_suffix_nocase(text, ".tmp") &&
	    !bytes_has_suffix_nocase(text, ".part");
}

static bool
is_there(int directory_fd, const char *name)
{
	struct stat facts;

	return fstatat(directory_fd, name, &facts, AT_SYMLINK_NOFOLLOW) == 0;
}

enum drop_claim
drop_place_claim(
    const struct drop_place *place, const char *name, struct error *error)
{
	/* Nobody but us writes there: it does not appear in between. */
	if (is_there(place->taken_fd, name))
		return DROP_LATER;
	if (renameat(place->drop_fd, name, place->taken_fd, name) == 0)
		return DROP_CLAIMED;
	if (errno == ENOENT)
		return DROP_GONE;
	(void)error_system(error, "rename"); /* the result tells */
	return DROP_STUCK;
}

bool
drop_place_remove(
    const struct drop_place *place, const char *name, struct error *error)
{
	return unlinkat(place->taken_fd, name, 0) == 0 || errno == ENOENT ||
	    error_system(error, "unlink");
}

/* A name in failed that is free, as is NAME.reason. */
static bool
choose_name(const struct drop_place *place, const char *name,
    char chosen[PLACE_NAME], char reason[PLACE_NAME], struct error *error)
{
	int stem = strlen(name) > STEM_MAX ? (int)STEM_MAX : (int)strlen(name);

	for (unsigned twin = 1; twin <= TWINS_MAX; twin++) {
		char number[16] = "";
		if (twin > 1)
			(void)snprintf(
			    number, sizeof(number), ".%u", twin); /* fits */
		(void)snprintf(chosen, PLACE_NAME, "%.*s%s", stem, name,
		    number); /* fits */
		(void)snprintf(reason, PLACE_NAME, "%.*s%s.reason", stem, name,
		    number); /* fits */
		if (!is_there(place->failed_fd, chosen) &&
		    !is_there(place->failed_fd, reason))
			return true;
	}
	return error_set(
	    error, ERROR_LIMIT, "too many failed files of that name");
}

static bool
write_reason(
    int directory_fd, const char *name, const char *text, struct error *error)
{
	int fd = openat(directory_fd, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, REASON_MODE);

	if (fd < 0)
		return error_system(error, "create the reason");
	bool ok = file_write(fd, bytes_of(text), error) &&
	    file_write(fd, BYTES("\n"), error);
	(void)close(fd); /* not worth a sync: the log has it, too */
	return ok;
}

bool
drop_place_fail(const struct drop_place *place, const char *name,
    const char *reason, struct error *error)
{
	char chosen[PLACE_NAME];
	char reason_name[PLACE_NAME];

	if (!choose_name(place, name, chosen, reason_name, error))
		return false;
	/* The file first: that one must not be taken again. */
	if (renameat(place->taken_fd, name, place->failed_fd, chosen) != 0)
		return error_system(error, "rename");
	return write_reason(place->failed_fd, reason_name, reason, error);
}
