/*
 * Preloaded under a program: counts its system calls, and does something at one
 * of them.  Not for static programs, nor for what libc calls inside itself.
 *
 *   SHIM_STATE   a file of sizeof(struct state) zeros: shared with who watches,
 *                kept over an exec, readable when the program is dead
 *   SHIM_WHERE   what counts: "net" for sockets and their like, "memory" for
 *                allocations, or folders, a colon between, below which files
 *                count
 *   SHIM_AT      the number of the call, from 1
 *   SHIM_TIMES   how many calls from there on (1)
 *   SHIM_EVERY   of these, every so many (1)
 *   SHIM_ONLY    names of calls, a comma between, that alone count
 *   SHIM_WHILE   a file; only while it is there
 *   SHIM_DO      kill-before, kill-after  SIGKILL, then or when it is done
 *                signal-NUMBER            comes before it is done
 *                short                    half of it is done
 *                pretend                  nothing is done, and said to be
 *                lose                     a sync fails with EIO, and what was
 *                                         written since the one before is gone
 *                NUMBER                   of an errno: it fails with that
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Little endian, in this order: shim.py reads it. */
struct state {
	_Atomic unsigned long long calls; /* that counted */
	_Atomic unsigned long long hits;
	_Atomic unsigned long long loads; /* of programs: one, or after an exec
					     more */
	char call[24];                    /* the first that was hit */
	char path[216];                   /* and its file */
};

enum deed {
	DEED_NONE,
	DEED_KILL_BEFORE,
	DEED_KILL_AFTER,
	DEED_SIGNAL,
	DEED_SHORT,
	DEED_PRETEND,
	DEED_LOSE,
	DEED_FAIL
};

/* What was written since the last sync: enough of it to lose some. */
#define WRITTEN_MAX 256

struct written {
	int fd;
	off_t offset;
	size_t len;
	char *before; /* what was there, with zeros behind the file's end */
};

static struct {
	struct state *state;
	char where[4096];
	char only[512];
	char gate[PATH_MAX]; /* SHIM_WHILE */
	unsigned long long at;
	unsigned long long times;
	unsigned long long every;
	enum deed deed;
	int number;
	bool is_memory;
} plan;

/* One thread writes what another syncs. */
static pthread_mutex_t written_lock = PTHREAD_MUTEX_INITIALIZER;
static struct written written[WRITTEN_MAX];
static unsigned written_count;

static void
map_state(const char *path)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	void *map = mmap(NULL, sizeof(struct state), PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	(void)syscall(SYS_close, fd); /* mapped */
	if (map != MAP_FAILED)
		plan.state = map;
}

static void
read_deed(const char *text)
{
	if (strcmp(text, "kill-before") == 0)
		plan.deed = DEED_KILL_BEFORE;
	else if (strcmp(text, "kill-after") == 0)
		plan.deed = DEED_KILL_AFTER;
	else if (strncmp(text, "signal-", 7) == 0)
		plan.deed = DEED_SIGNAL;
	else if (strcmp(text, "short") == 0)
		plan.deed = DEED_SHORT;
	else if (strcmp(text, "pretend") == 0)
		plan.deed = DEED_PRETEND;
	else if (strcmp(text, "lose") == 0)
		plan.deed = DEED_LOSE;
	else
		plan.deed = DEED_FAIL;
	if (plan.deed == DEED_SIGNAL)
		text += 7;
	plan.number = (int)strtol(text, NULL, 10); /* where there is one */
}

static void
copy_setting(const char *name, char *out, size_t size)
{
	const char *value = getenv(name);

	(void)snprintf(out, size, "%s", value != NULL ? value : ""); /* ours */
}

static unsigned long long
number_setting(const char *name, unsigned long long fallback)
{
	const char *value = getenv(name);

	return value != NULL ? strtoull(value, NULL, 10) : fallback;
}

__attribute__((constructor)) static void
read_plan(void)
{
	const char *state = getenv("SHIM_STATE");
	const char *deed = getenv("SHIM_DO");

	copy_setting("SHIM_WHERE", plan.where, sizeof(plan.where));
	copy_setting("SHIM_ONLY", plan.only, sizeof(plan.only));
	copy_setting("SHIM_WHILE", plan.gate, sizeof(plan.gate));
	plan.is_memory = strcmp(plan.where, "memory") == 0;
	plan.at = number_setting("SHIM_AT", 0);
	plan.times = number_setting("SHIM_TIMES", 1);
	plan.every = number_setting("SHIM_EVERY", 1);
	if (deed != NULL)
		read_deed(deed);
	if (state != NULL)
		map_state(state);
	if (plan.state != NULL)
		(void)atomic_fetch_add(&plan.state->loads, 1);
}

/* ---- which calls count ---- */

/* Whether item is in a list of such, or stands below one of it. */
static bool
is_in(const char *list, char separator, const char *item, bool below)
{
	while (*list != '\0') {
		size_t len = strcspn(list, (char[]){separator, '\0'});
		if (len > 0 && strncmp(list, item, len) == 0 &&
		    (item[len] == '\0' || (below && item[len] == '/')))
			return true;
		list += len + (list[len] != '\0');
	}
	return false;
}

static void
path_of_fd(int fd, char *out, size_t size)
{
	char link[64];

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd); /* fits */
	ssize_t len = syscall(SYS_readlink, link, out, size - 1);
	out[len > 0 ? len : 0] = '\0';
}

static void
path_of_name(int directory_fd, const char *name, char *out, size_t size)
{
	if (name[0] != '/' && directory_fd != AT_FDCWD) {
		path_of_fd(directory_fd, out, size / 2);
		size_t len = strlen(out);
		(void)snprintf(out + len, size - len, "/%s", name); /* or cut */
		return;
	}
	(void)snprintf(out, size, "%s", name); /* or cut */
}

static bool
is_open(void)
{
	return plan.gate[0] == '\0' ||
	    syscall(SYS_faccessat, AT_FDCWD, plan.gate, F_OK) == 0;
}

static bool
counts(const char *call, const char *path)
{
	if (plan.only[0] != '\0' && !is_in(plan.only, ',', call, false))
		return false;
	if (plan.is_memory)
		return strcmp(path, "memory:") == 0;
	if (strcmp(plan.where, "net") == 0)
		return path[0] != '/';
	return is_in(plan.where, ':', path, true);
}

/* ---- what is done ---- */

static void
die(void)
{
	(void)syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
	for (;;)
		pause();
}

/* What to do at this call; DEED_NONE for all but the one that is meant. */
static enum deed
look(const char *call, const char *path)
{
	if (plan.state == NULL || !counts(call, path) || !is_open())
		return DEED_NONE;
	unsigned long long number = atomic_fetch_add(&plan.state->calls, 1) + 1;
	if (plan.at == 0 || number < plan.at ||
	    number - plan.at >= plan.times ||
	    (number - plan.at) % plan.every != 0)
		return DEED_NONE;
	if (atomic_fetch_add(&plan.state->hits, 1) == 0) {
		(void)snprintf(plan.state->call, sizeof(plan.state->call), "%s",
		    call); /* fits */
		(void)snprintf(plan.state->path, sizeof(plan.state->path), "%s",
		    path); /* or cut */
	}
	if (plan.deed == DEED_KILL_BEFORE)
		die();
	if (plan.deed == DEED_SIGNAL)
		(void)syscall(SYS_kill, syscall(SYS_getpid), plan.number);
	return plan.deed;
}

static enum deed
look_fd(const char *call, int fd)
{
	char path[PATH_MAX];
	int number = errno;

	path_of_fd(fd, path, sizeof(path));
	errno = number;
	return look(call, path);
}

static enum deed
look_name(const char *call, int directory_fd, const char *name)
{
	char path[PATH_MAX];
	int number = errno;

	path_of_name(directory_fd, name, path, sizeof(path));
	errno = number;
	return look(call, path);
}

/* Behind the call: its result, as the program shall see it. */
static long
answer(enum deed deed, long result)
{
	if (deed == DEED_KILL_AFTER)
		die();
	return result;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* Fails instead of the call, where that is the plan. */
#define FAIL_IF_MEANT(deed)                                                    \
	do {                                                                   \
		if ((deed) == DEED_FAIL) {                                     \
			errno = plan.number;                                   \
			return -1;                                             \
		}                                                              \
	} while (0)

static size_t
some_of(enum deed deed, size_t len)
{
	return deed == DEED_SHORT && len > 1 ? len / 2 : len;
}

/* ---- the calls: on descriptors ---- */

#define ON_FD(result, name, parameters, arguments)                             \
	result name parameters                                                 \
	{                                                                      \
		enum deed deed = look_fd(#name, fd);                           \
		FAIL_IF_MEANT(deed);                                           \
		return (result)answer(deed, (long)NEXT(name) arguments);       \
	}

/* The same with a length, of which half may be done. */
#define ON_FD_SOME(name, parameters, arguments)                                \
	ssize_t name parameters                                                \
	{                                                                      \
		enum deed deed = look_fd(#name, fd);                           \
		FAIL_IF_MEANT(deed);                                           \
		len = some_of(deed, len);                                      \
		return (ssize_t)answer(deed, (long)NEXT(name) arguments);      \
	}

ON_FD_SOME(read, (int fd, void *data, size_t len), (fd, data, len))
ON_FD_SOME(write, (int fd, const void *data, size_t len), (fd, data, len))
ON_FD_SOME(pread, (int fd, void *data, size_t len, off_t offset),
    (fd, data, len, offset))
ON_FD_SOME(
    recv, (int fd, void *data, size_t len, int flags), (fd, data, len, flags))
ON_FD_SOME(send, (int fd, const void *data, size_t len, int flags),
    (fd, data, len, flags))
ON_FD(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags),
    (fd, message, flags))
ON_FD(ssize_t, readv, (int fd, const struct iovec *pieces, int count),
    (fd, pieces, count))
ON_FD(ssize_t, writev, (int fd, const struct iovec *pieces, int count),
    (fd, pieces, count))
ON_FD(int, ftruncate, (int fd, off_t size), (fd, size))
ON_FD(int, fallocate, (int fd, int mode, off_t offset, off_t len),
    (fd, mode, offset, len))
ON_FD(int, fstat, (int fd, struct stat *out), (fd, out))
ON_FD(int, fstatvfs, (int fd, struct statvfs *out), (fd, out))
ON_FD(int, flock, (int fd, int operation), (fd, operation))
ON_FD(int, listen, (int fd, int backlog), (fd, backlog))
ON_FD(int, bind, (int fd, const struct sockaddr *address, socklen_t len),
    (fd, address, len))
ON_FD(int, connect, (int fd, const struct sockaddr *address, socklen_t len),
    (fd, address, len))
ON_FD(int, accept4,
    (int fd, struct sockaddr *address, socklen_t *len, int flags),
    (fd, address, len, flags))
ON_FD(int, epoll_wait,
    (int fd, struct epoll_event *events, int count, int wait_ms),
    (fd, events, count, wait_ms))

ON_FD(int, epoll_ctl,
    (int fd, int operation, int other, struct epoll_event *event),
    (fd, operation, other, event))

static void
remember(int fd, off_t offset, size_t len)
{
	char *before = calloc(1, len);

	if (before == NULL)
		return;
	(void)!NEXT(pread)(fd, before, len, offset); /* or it is new */
	(void)pthread_mutex_lock(&written_lock);     /* cannot fail, */
	if (written_count < WRITTEN_MAX)
		written[written_count++] =
		    (struct written){fd, offset, len, before};
	else
		free(before);
	(void)pthread_mutex_unlock(&written_lock); /* nor this */
}

ssize_t
pwrite(int fd, const void *data, size_t len, off_t offset)
{
	enum deed deed = look_fd("pwrite", fd);

	FAIL_IF_MEANT(deed);
	if (deed == DEED_PRETEND)
		return (ssize_t)len;
	len = some_of(deed, len);
	if (plan.deed == DEED_LOSE)
		remember(fd, offset, len);
	return answer(deed, NEXT(pwrite)(fd, data, len, offset));
}

/* What was written to fd counts as written from now on, or never was: the
 * newest goes first, so that the oldest state is what remains. */
static void
settle_written(int fd, bool is_lost)
{
	struct written kept[WRITTEN_MAX];
	unsigned count = 0;

	(void)pthread_mutex_lock(&written_lock); /* cannot fail, */
	for (unsigned i = written_count; i-- > 0;) {
		struct written *one = &written[i];
		if (one->fd != fd) {
			kept[count++] = *one;
			continue;
		}
		if (is_lost)
			(void)!NEXT(pwrite)(
			    fd, one->before, one->len, one->offset);
		free(one->before);
	}
	written_count = count;
	for (unsigned i = 0; i < count; i++)
		written[i] = kept[count - 1 - i];
	(void)pthread_mutex_unlock(&written_lock); /* nor this */
}

int
fdatasync(int fd)
{
	enum deed deed = look_fd("fdatasync", fd);

	FAIL_IF_MEANT(deed);
	if (deed == DEED_PRETEND)
		return 0;
	if (plan.deed == DEED_LOSE)
		settle_written(fd, deed == DEED_LOSE);
	if (deed == DEED_LOSE) {
		errno = EIO;
		return -1;
	}
	return (int)answer(deed, NEXT(fdatasync)(fd));
}

int
fsync(int fd)
{
	enum deed deed = look_fd("fsync", fd);

	FAIL_IF_MEANT(deed);
	if (deed == DEED_PRETEND)
		return 0;
	return (int)answer(deed, NEXT(fsync)(fd));
}

int
sync_file_range(int fd, off_t offset, off_t len, unsigned flags)
{
	enum deed deed = look_fd("sync_file_range", fd);

	FAIL_IF_MEANT(deed);
	return (int)answer(deed, NEXT(sync_file_range)(fd, offset, len, flags));
}

int
socket(int domain, int type, int protocol)
{
	enum deed deed = look("socket", "socket:");

	FAIL_IF_MEANT(deed);
	return (int)answer(deed, NEXT(socket)(domain, type, protocol));
}

/* ---- the calls: on names ---- */

static mode_t
mode_of(int flags, va_list list)
{
	bool has_mode =
	    (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;

	return has_mode ? (mode_t)va_arg(list, unsigned) : 0;
}

int
open(const char *name, int flags, ...)
{
	va_list list;
	enum deed deed = look_name("open", AT_FDCWD, name);

	FAIL_IF_MEANT(deed);
	va_start(list, flags);
	mode_t mode = mode_of(flags, list);
	va_end(list);
	return (int)answer(deed, NEXT(open)(name, flags, mode));
}

int
openat(int directory_fd, const char *name, int flags, ...)
{
	va_list list;
	enum deed deed = look_name("openat", directory_fd, name);

	FAIL_IF_MEANT(deed);
	va_start(list, flags);
	mode_t mode = mode_of(flags, list);
	va_end(list);
	return (int)answer(deed, NEXT(openat)(directory_fd, name, flags, mode));
}

#define ON_NAME(name, parameters, directory, path, arguments)                  \
	int name parameters                                                    \
	{                                                                      \
		enum deed deed = look_name(#name, directory, path);            \
		FAIL_IF_MEANT(deed);                                           \
		return (int)answer(deed, NEXT(name) arguments);                \
	}

ON_NAME(mkdir, (const char *path, mode_t mode), AT_FDCWD, path, (path, mode))
ON_NAME(mkdirat, (int directory, const char *path, mode_t mode), directory,
    path, (directory, path, mode))
ON_NAME(unlink, (const char *path), AT_FDCWD, path, (path))
ON_NAME(unlinkat, (int directory, const char *path, int flags), directory, path,
    (directory, path, flags))
ON_NAME(renameat, (int directory, const char *path, int to, const char *name),
    directory, path, (directory, path, to, name))
ON_NAME(fstatat, (int directory, const char *path, struct stat *out, int flags),
    directory, path, (directory, path, out, flags))
ON_NAME(statvfs, (const char *path, struct statvfs *out), AT_FDCWD, path,
    (path, out))

/* ---- memory ---- */

/* libc's own, which those that stand in for them here go on to. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);

/* What is done about a call may need some itself: that does not count. */
static _Thread_local bool is_looking;

static bool
is_refused(const char *call)
{
	if (!plan.is_memory || is_looking)
		return false;
	is_looking = true;
	bool refused = look(call, "memory:") == DEED_FAIL;
	is_looking = false;
	if (refused)
		errno = plan.number;
	return refused;
}

void *
malloc(size_t size)
{
	return is_refused("malloc") ? NULL : __libc_malloc(size);
}

void *
calloc(size_t count, size_t size)
{
	return is_refused("calloc") ? NULL : __libc_calloc(count, size);
}

void *
realloc(void *memory, size_t size)
{
	return is_refused("realloc") ? NULL : __libc_realloc(memory, size);
}
