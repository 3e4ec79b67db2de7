#include "daemon/doors.h"

#include "base/log.h"
#include "base/memory.h"
#include "net/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ADMIN_MODE 0666 /* who may do what is checked by control_server */

/* A listening socket and what serves it. */
struct door_in {
	struct listener *listener;
	struct smtp_intake *intake; /* NULL: the admin socket */
	bool own;                   /* opened by us, in this life or before */
	struct smtp_intake_options options; /* of one that is given */
};

struct doors {
	struct doors_options options;
	struct admission_options admission_options;
	struct admission admission;
	struct door_in *doors; /* the admin socket first */
	size_t count;
	struct drop_intake *drop;
	bool paused;
	bool shut;
};

/* The inherited socket that listens on address, taken out of sockets; or -1. */
static int
take_socket(struct service_sockets *sockets, const char *address, bool *out_own)
{
	for (size_t i = 0; i < sockets->count; i++) {
		int fd = sockets->fds[i];
		if (fd < 0 || !listener_fd_is(fd, address))
			continue;
		sockets->fds[i] = -1;
		*out_own = sockets->own[i];
		return fd;
	}
	return -1;
}

static void
accept_none(int fd, const struct peer *peer, void *ctx)
{
	(void)peer; /* control_server accepts by itself; this is never called */
	(void)ctx;
	(void)close(fd);
}

static bool
open_listener(struct doors *doors, struct service_sockets *sockets,
    const char *address, mode_t mode, listener_fn *fn, struct door_in *door,
    struct error *error)
{
	struct loop *loop = doors->options.loop;

	door->own = true;
	int fd = take_socket(sockets, address, &door->own);
	if (fd >= 0)
		return listener_inherit(
		    loop, fd, fn, door->intake, &door->listener, error);
	return listener_open(
	    loop, address, mode, fn, door->intake, &door->listener, error);
}

static bool
open_admin(
    struct doors *doors, struct service_sockets *sockets, struct error *error)
{
	const char *path = doors->options.wiring->config->admin.socket;
	struct door_in *door = &doors->doors[doors->count];

	if (!open_listener(
		doors, sockets, path, ADMIN_MODE, accept_none, door, error))
		return false;
	listener_pause(door->listener);
	doors->count++;
	return true;
}

static bool
open_smtp(struct doors *doors, struct service_sockets *sockets, size_t i,
    struct error *error)
{
	const struct config_listen *listen =
	    &doors->options.wiring->config->listens[i];
	struct door_in *door = &doors->doors[doors->count];
	const char *address =
	    listen->socket[0] != '\0' ? listen->socket : listen->tcp;

	door->intake = smtp_intake_new(doors->options.loop, &doors->admission,
	    &doors->options.wiring->intakes[i]);
	if (!open_listener(doors, sockets, address, (mode_t)listen->mode,
		smtp_intake_accept, door, error)) {
		smtp_intake_free(door->intake);
		door->intake = NULL;
		return false;
	}
	doors->count++;
	return true;
}

/* How the configuration wants a given socket to be served, or its address says.
 */
static struct smtp_intake_options
given_options(const struct doors *doors, int fd, const char *address)
{
	const struct wiring *wiring = doors->options.wiring;
	const struct config *config = wiring->config;

	for (size_t i = 0; i < config->listen_count; i++) {
		const struct config_listen *listen = &config->listens[i];
		if (listener_fd_is(fd,
			listen->socket[0] != '\0' ? listen->socket
						  : listen->tcp))
			return wiring->intakes[i];
	}
	return wiring_inherited_intake(wiring, wiring_is_local_door(address));
}

/* A socket that the service manager listens on. */
static bool
serve_given(struct doors *doors, int fd, struct error *error)
{
	struct door_in *door = &doors->doors[doors->count];

	door->intake = smtp_intake_new(
	    doors->options.loop, &doors->admission, &door->options);
	if (!listener_inherit(doors->options.loop, fd, smtp_intake_accept,
		door->intake, &door->listener, error)) {
		smtp_intake_free(door->intake);
		door->intake = NULL;
		return false;
	}
	door->options =
	    given_options(doors, fd, listener_address(door->listener));
	doors->count++;
	return true;
}

static size_t
count_given(const struct service_sockets *sockets)
{
	size_t count = 0;

	for (size_t i = 0; i < sockets->count; i++)
		if (sockets->fds[i] >= 0 && !sockets->own[i])
			count++;
	return count;
}

/* Ours of before, that the configuration does not want any more. */
static void
close_rest(struct service_sockets *sockets)
{
	for (size_t i = 0; i < sockets->count; i++)
		if (sockets->fds[i] >= 0)
			(void)close(sockets->fds[i]); /* only listening */
	sockets->count = 0;
}

/*
 * The sockets of the service manager are the doors where there are any; else
 * those of the configuration.
 */
static bool
open_doors(
    struct doors *doors, struct service_sockets *sockets, struct error *error)
{
	const struct config *config = doors->options.wiring->config;

	if (!open_admin(doors, sockets, error))
		return false;
	if (count_given(sockets) == 0) {
		for (size_t i = 0; i < config->listen_count; i++)
			if (!open_smtp(doors, sockets, i, error))
				return false;
		return true;
	}
	for (size_t i = 0; i < sockets->count; i++) {
		int fd = sockets->fds[i];
		if (fd < 0 || sockets->own[i])
			continue;
		sockets->fds[i] = -1;
		if (!serve_given(doors, fd, error))
			return false;
	}
	return true;
}

static bool
open_drop(struct doors *doors, struct error *error)
{
	const struct wiring *wiring = doors->options.wiring;
	const struct config_drop *drop = &wiring->config->drop;

	if (drop->directory[0] == '\0')
		return true;
	struct drop_intake_options options = {
	    .directory = drop->directory,
	    .settle_ms = drop->settle_ms,
	    .rewrite = wiring_inherited_intake(wiring, true).rewrite,
	    .is_known = doors->options.is_known,
	    .ctx = doors->options.ctx,
	};
	return drop_intake_new(doors->options.loop, &doors->admission, &options,
	    &doors->drop, error);
}

bool
doors_new(const struct doors_options *options, struct service_sockets *sockets,
    struct doors **out_doors, struct error *error)
{
	struct doors *doors = memory_new(sizeof(*doors));

	doors->options = *options;
	doors->admission_options = options->wiring->admission;
	doors->admission_options.door = options->door;
	doors->admission_options.large_directory_fd = options->large_fd;
	admission_init(&doors->admission, &doors->admission_options);
	doors->doors = memory_array(
	    options->wiring->config->listen_count + sockets->count + 1,
	    sizeof(*doors->doors));
	bool opened =
	    open_doors(doors, sockets, error) && open_drop(doors, error);
	close_rest(sockets);
	if (!opened) {
		doors_free(doors, NULL);
		return false;
	}
	*out_doors = doors;
	return true;
}

/* Hand the socket of a door on, as a descriptor of its own. */
static void
keep_socket(const struct door_in *door, struct service_sockets *out_sockets)
{
	int fd = dup(listener_fd(door->listener));

	if (fd < 0 || out_sockets->count == SERVICE_SOCKETS_MAX) {
		log_error("socket %s cannot be kept: %s",
		    listener_address(door->listener), strerror(errno));
		return;
	}
	listener_keep(door->listener);
	out_sockets->own[out_sockets->count] = door->own;
	out_sockets->fds[out_sockets->count++] = fd;
}

/* Our own of before a re-execution: the listener does not know that it is. */
static void
remove_path(const struct door_in *door)
{
	const char *address = listener_address(door->listener);

	if (door->own && address[0] == '/')
		(void)unlink(address); /* stale is no harm */
}

void
doors_free(struct doors *doors, struct service_sockets *out_sockets)
{
	if (doors == NULL)
		return;
	for (size_t i = 0; i < doors->count; i++) {
		if (out_sockets != NULL)
			keep_socket(&doors->doors[i], out_sockets);
		else
			remove_path(&doors->doors[i]);
		listener_free(doors->doors[i].listener);
		smtp_intake_free(doors->doors[i].intake);
	}
	drop_intake_free(doors->drop);
	admission_clear(&doors->admission);
	free(doors->doors);
	free(doors);
}

void
doors_pause(struct doors *doors)
{
	if (doors->paused)
		return;
	doors->paused = true;
	for (size_t i = 0; i < doors->count; i++)
		if (doors->doors[i].intake != NULL)
			smtp_intake_pause(doors->doors[i].intake);
	if (doors->drop != NULL)
		drop_intake_pause(doors->drop);
}

void
doors_resume(struct doors *doors)
{
	if (!doors->paused)
		return;
	doors->paused = false;
	for (size_t i = 0; i < doors->count; i++)
		if (doors->doors[i].intake != NULL)
			smtp_intake_resume(doors->doors[i].intake);
	if (doors->drop != NULL && !doors->shut)
		drop_intake_resume(doors->drop);
}

void
doors_shut(struct doors *doors)
{
	doors->shut = true;
	for (size_t i = 0; i < doors->count; i++)
		if (doors->doors[i].intake != NULL) {
			listener_pause(doors->doors[i].listener);
			smtp_intake_shut(doors->doors[i].intake);
		}
	if (doors->drop != NULL)
		drop_intake_pause(doors->drop);
}

size_t
doors_sessions(const struct doors *doors)
{
	size_t count = 0;

	for (size_t i = 0; i < doors->count; i++)
		if (doors->doors[i].intake != NULL)
			count += smtp_intake_sessions(doors->doors[i].intake);
	return count;
}

int
doors_admin_fd(const struct doors *doors)
{
	return listener_fd(doors->doors[0].listener);
}

const char *
doors_address(const struct doors *doors, size_t i)
{
	/* The admin socket is the first, and no door for mail. */
	return i + 1 < doors->count
	    ? listener_address(doors->doors[i + 1].listener)
	    : NULL;
}

unsigned long
doors_rejected(const struct doors *doors)
{
	return doors->admission.rejected;
}

const struct drop_intake *
doors_drop(const struct doors *doors)
{
	return doors->drop;
}
