#include "net/listener.h"

#include "base/file.h"
#include "base/memory.h"
#include "net/socket_address.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Other descriptors of the loop have their turn after so many. */
#define ACCEPTS_A_TURN 16
/* Out of descriptors: how long to wait for some. */
#define EXHAUSTED_WAIT (CLOCK_SECOND / 4)

struct listener {
	struct loop *loop;
	int fd;                   /* owned */
	struct loop_watch *watch; /* NULL: paused, or out of descriptors */
	struct loop_timer retry;
	struct loop_task free_task;
	bool is_paused;
	bool is_freed;
	listener_fn *fn;
	void *ctx;
	char address[SOCKET_ADDRESS_TEXT_MAX];
	/* Of the socket we made at the path address, to know it again. */
	bool owns_path;
	dev_t device;
	ino_t inode;
};

static void
watch_stop(struct listener *listener)
{
	loop_watch_free(listener->watch);
	listener->watch = NULL;
}

/* accept4() says that now is no time: not what is wrong with one connection. */
static bool
is_exhausted(int number)
{
	return number == EMFILE || number == ENFILE || number == ENOBUFS ||
	    number == ENOMEM;
}

static void
accept_failed(struct listener *listener, int number)
{
	if (!is_exhausted(number))
		return;
	watch_stop(listener);
	loop_timer_set(&listener->retry,
	    loop_now(listener->loop).mono_ms + EXHAUSTED_WAIT);
}

/* False where no other connection is to be expected. */
static bool
accept_one(struct listener *listener)
{
	struct socket_address address = {.len = sizeof(address.storage)};
	struct peer peer;

	int fd = accept4(listener->fd, (struct sockaddr *)&address.storage,
	    &address.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		accept_failed(listener, errno);
		return false;
	}
	peer_describe(&peer, fd, socket_address_get(&address), address.len);
	listener->fn(fd, &peer, listener->ctx);
	return true;
}

static void
accept_some(int fd, void *ctx)
{
	struct listener *listener = ctx;
	(void)fd;

	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		if (listener->is_paused || listener->is_freed)
			return;
		if (!accept_one(listener))
			return;
	}
}

static void
watch_start(void *ctx)
{
	struct listener *listener = ctx;

	if (listener->watch == NULL && !listener->is_paused)
		listener->watch = loop_watch_readable(
		    listener->loop, listener->fd, accept_some, listener);
}

static void
release(void *ctx)
{
	free(ctx);
}

/* Takes fd, which listens. */
static struct listener *
listener_new(struct loop *loop, int fd, listener_fn *fn, void *ctx)
{
	struct listener *listener = memory_new(sizeof(*listener));
	struct socket_address address = {.len = sizeof(address.storage)};

	listener->loop = loop;
	listener->fd = fd;
	listener->fn = fn;
	listener->ctx = ctx;
	loop_timer_init(&listener->retry, loop, watch_start, listener);
	loop_task_init(&listener->free_task, release, listener);
	if (getsockname(
		fd, (struct sockaddr *)&address.storage, &address.len) == 0)
		socket_address_print(listener->address,
		    socket_address_get(&address), address.len);
	watch_start(listener);
	return listener;
}

/* Does somebody listen at address?  ECONNREFUSED alone says no for certain. */
static bool
is_alive(const struct socket_address *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return true;
	bool is_refused =
	    connect(fd, socket_address_get(address), address->len) != 0 &&
	    errno == ECONNREFUSED;
	close(fd);
	return !is_refused;
}

/* The caller holds the path's lock. */
static bool
remove_stale(
    const char *path, const struct socket_address *address, struct error *error)
{
	struct stat status;

	if (lstat(path, &status) != 0)
		return errno == ENOENT || error_system(error, "%s", path);
	if (!S_ISSOCK(status.st_mode))
		return error_set(
		    error, ERROR_CONFIG, "%s is there and is no socket", path);
	if (is_alive(address)) {
		errno = EADDRINUSE;
		return error_system(error, "%s", path);
	}
	return unlink(path) == 0 || error_system(error, "unlink %s", path);
}

static bool
lock_path(const char *path, int *out_fd, struct error *error)
{
	char *directory = memory_copy_text(path);
	char *slash = strrchr(directory, '/');
	char *name = memory_format(".%s.lock", slash + 1);
	bool is_locked = false;

	slash[slash == directory ? 1 : 0] = '\0';
	int directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory_fd < 0)
		(void)error_system(error, "%s", directory);
	else
		is_locked = file_lock(directory_fd, name, out_fd, error);
	if (directory_fd >= 0)
		close(directory_fd);
	free(name);
	free(directory);
	return is_locked;
}

static bool
start_listening(int fd, const char *text, struct error *error)
{
	return listen(fd, LISTENER_BACKLOG) == 0 ||
	    error_system(error, "listen on %s", text);
}

/* Nobody can connect before listen(): the mode is right from the first. */
static bool
bind_path(int fd, const char *path, const struct socket_address *address,
    mode_t mode, struct error *error)
{
	if (!remove_stale(path, address, error))
		return false;
	if (bind(fd, socket_address_get(address), address->len) != 0)
		return error_system(error, "bind %s", path);
	if (chmod(path, mode) != 0)
		return error_system(error, "chmod %s", path);
	return start_listening(fd, path, error);
}

static bool
bind_locked(int fd, const char *path, const struct socket_address *address,
    mode_t mode, struct error *error)
{
	int lock_fd;

	if (!lock_path(path, &lock_fd, error))
		return false;
	bool is_bound = bind_path(fd, path, address, mode, error);
	close(lock_fd);
	return is_bound;
}

static bool
bind_ip(int fd, const char *text, const struct socket_address *address,
    struct error *error)
{
	int on = 1;

	/* Connections of our last life must not keep us from the port. */
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (address->storage.ss_family == AF_INET6)
		(void)setsockopt(
		    fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, socket_address_get(address), address->len) != 0)
		return error_system(error, "bind %s", text);
	return start_listening(fd, text, error);
}

static void
remember_path(struct listener *listener)
{
	struct stat status;

	if (lstat(listener->address, &status) != 0)
		return;
	listener->owns_path = true;
	listener->device = status.st_dev;
	listener->inode = status.st_ino;
}

bool
listener_open(struct loop *loop, const char *text, mode_t mode, listener_fn *fn,
    void *ctx, struct listener **out_listener, struct error *error)
{
	struct socket_address address;

	if (!socket_address_parse(text, &address, error))
		return false;
	bool is_local = address.storage.ss_family == AF_UNIX;
	int fd = socket(address.storage.ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_system(error, "socket for %s", text);
	bool is_bound = is_local ? bind_locked(fd, text, &address, mode, error)
				 : bind_ip(fd, text, &address, error);
	if (!is_bound) {
		close(fd);
		return false;
	}
	*out_listener = listener_new(loop, fd, fn, ctx);
	if (is_local)
		remember_path(*out_listener);
	return true;
}

static bool
is_listening(int fd)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &len) == 0 &&
	    value != 0;
}

bool
listener_inherit(struct loop *loop, int fd, listener_fn *fn, void *ctx,
    struct listener **out_listener, struct error *error)
{
	if (!is_listening(fd))
		return error_set(error, ERROR_CONFIG,
		    "descriptor %d is no listening socket", fd);
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		return error_system(error, "descriptor %d", fd);
	*out_listener = listener_new(loop, fd, fn, ctx);
	return true;
}

/* The path may be another's by now. */
static void
remove_path(const struct listener *listener)
{
	struct stat status;

	if (lstat(listener->address, &status) == 0 &&
	    status.st_dev == listener->device &&
	    status.st_ino == listener->inode)
		(void)unlink(listener->address); /* stale is no harm */
}

void
listener_free(struct listener *listener)
{
	if (listener == NULL)
		return;
	assert(!listener->is_freed);
	listener->is_freed = true;
	watch_stop(listener);
	loop_timer_clear(&listener->retry);
	if (listener->owns_path)
		remove_path(listener);
	close(listener->fd);
	loop_later(listener->loop, &listener->free_task);
}

void
listener_pause(struct listener *listener)
{
	listener->is_paused = true;
	watch_stop(listener);
}

void
listener_resume(struct listener *listener)
{
	listener->is_paused = false;
	watch_start(listener);
}

const char *
listener_address(const struct listener *listener)
{
	return listener->address;
}

int
listener_fd(const struct listener *listener)
{
	return listener->fd;
}

void
listener_keep(struct listener *listener)
{
	listener->owns_path = false;
}

bool
listener_fd_is(int fd, const char *text)
{
	struct socket_address wanted;
	struct socket_address bound = {.len = sizeof(bound.storage)};
	struct error ignored;

	return is_listening(fd) &&
	    getsockname(fd, (struct sockaddr *)&bound.storage, &bound.len) ==
	    0 &&
	    socket_address_parse(text, &wanted, &ignored) &&
	    socket_address_equal(&wanted, &bound);
}
