/*
 * The daemon: starts everything in order, carries actions to threads and
 * answers back, drains, stops.  It decides nothing about mail: that is
 * dispatch.
 */
#pragma once

#include "base/error.h"
#include "config/config.h"
#include "daemon/service.h"

#include <stdbool.h>

struct daemon;

enum daemon_end {
	DAEMON_STOPPED, /* as asked */
	DAEMON_REEXEC,  /* as asked: become the program again, with the sockets
			 */
	DAEMON_BROKEN   /* the queue cannot be written: exit and be restarted */
};

/*
 * Recover the queue, open the doors (or take those of sockets that fit), start
 * the threads.  config is borrowed; sockets are taken.
 */
bool daemon_new(const struct config *config, struct service_sockets *sockets,
    struct daemon **out_daemon, struct error *error) MUST_USE;
/* Until a signal ends it. Says READY, STATUS and STOPPING on its way.  The
 * signals that end or reload are blocked afterwards: one that comes then is for
 * the next life. */
enum daemon_end daemon_run(struct daemon *daemon);
/*
 * Everything that was accepted is on disk; threads are ended, unless a worker
 * is busy beyond the time a drain may take: then it, and all that it uses, the
 * config too, is left to the end of the process. out_sockets: the listening
 * sockets, to be handed on; NULL: they are closed.
 */
void daemon_free(struct daemon *daemon, struct service_sockets *out_sockets);
