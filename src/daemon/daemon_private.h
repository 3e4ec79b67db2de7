/*
 * What the daemon's files share; for nobody else:
 *
 *   daemon.c       start and end
 *   daemon_run.c   actions out, answers in, signals, the way to the end
 *   daemon_door.c  what intake asks
 *   resources.c    what the admin socket offers
 *   status.c       how all this is, for the admin socket
 */
#pragma once

#include "base/clock.h"
#include "control/control_server.h"
#include "daemon/committer.h"
#include "daemon/daemon.h"
#include "daemon/dispatch.h"
#include "daemon/doors.h"
#include "daemon/etrn_poller.h"
#include "daemon/wiring.h"
#include "daemon/worker.h"
#include "net/loop.h"
#include "net/mailbox.h"

#define DAEMON_SIGNALS 4

enum daemon_state {
	DAEMON_RUNNING,
	DAEMON_DELIVERING, /* no new orders; those out are waited for */
	DAEMON_CLOSING     /* the doors are shut, too */
};

struct daemon {
	const struct config *config;
	struct wiring *wiring;
	struct loop *loop;
	struct loop_watch *signals[DAEMON_SIGNALS];
	struct loop_timer timer; /* dispatch's and the poller's next deadline */
	struct loop_timer watchdog;
	struct loop_timer drain; /* how long the end may take */
	struct mailbox *commits; /* answers of the committer */
	struct mailbox *orders;  /* answers of the workers */
	struct mailbox *etrn_orders;
	struct letter broken; /* the committer's last word */
	struct committer *committer;
	struct worker_options worker_options;
	struct worker **workers;
	size_t worker_count;
	size_t next_worker;
	size_t etrn_out;
	struct dispatch *dispatch;
	struct etrn_poller *poller;
	struct doors *doors;
	struct control_server *control;
	unsigned listings; /* of the queue, that are being read */
	struct door door;
	/* Keys of the drop files whose messages the journal has seen; sorted.
	 */
	uint64_t *drop_keys;
	size_t drop_key_count;
	size_t drop_key_capacity;
	enum daemon_state state;
	enum daemon_end end;
	struct clock_time started;
};

/* ---- daemon.c ---- */

/* Any 32 bits; ctx is ignored. */
uint32_t daemon_random(void *ctx);
/* A worker is busy. */
bool daemon_is_delivering(const struct daemon *daemon);

/* ---- daemon_door.c ---- */

void daemon_make_door(struct daemon *daemon);

/* ---- daemon_run.c ---- */

/* The loop, with its timers, signals and mailboxes. */
void daemon_make_loop(struct daemon *daemon);
void daemon_free_loop(struct daemon *daemon);
/* Carry out whatever dispatch wants now, and set the timer for the rest. */
void daemon_pump(struct daemon *daemon);
