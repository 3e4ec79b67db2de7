/*
 * Listening sockets: unix, TCP, or inherited (from systemd, or from ourselves
 * before a re-execution).
 *
 * Where descriptors are used up (EMFILE, ENFILE) accepting pauses and is tried
 * again by a timer, without spinning.
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "net/loop.h"
#include "net/peer.h"

#include <stdbool.h>
#include <sys/types.h>

#define LISTENER_BACKLOG 4096

struct listener;

/* Takes fd: an accepted, non-blocking, close-on-exec socket. */
typedef void listener_fn(int fd, const struct peer *peer, void *ctx);

/*
 * address: "/path/of.sock", "127.0.0.1:25", "[::1]:25"; port 0 lets the kernel
 * choose.  mode is for unix sockets.  A stale unix socket that nobody listens
 * on is replaced; a living one is an error.
 */
bool listener_open(struct loop *loop, const char *address, mode_t mode,
    listener_fn *fn, void *ctx, struct listener **out_listener,
    struct error *error) MUST_USE;
/* Takes a listening descriptor. */
bool listener_inherit(struct loop *loop, int fd, listener_fn *fn, void *ctx,
    struct listener **out_listener, struct error *error) MUST_USE;
/* Closes the socket and, where listener_open() made it, removes the unix path.
 */
void listener_free(struct listener *listener);
/* Stop accepting, from the next connection on; they wait in the backlog. */
void listener_pause(struct listener *listener);
void listener_resume(struct listener *listener);
/* "/run/x.sock" or "127.0.0.1:2525", with the port that is really bound. */
const char *listener_address(const struct listener *listener);
int listener_fd(const struct listener *listener);
/* Keep the path when freed: somebody inherits the socket. */
void listener_keep(struct listener *listener);
/* Does fd, as inherited, listen on address ("/path" or "a.b.c.d:port")? */
bool listener_fd_is(int fd, const char *address);
