/* What daemon.c and resources.c share; for nobody else. */
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
	struct door door;
	/* Keys of the drop files whose messages the journal has seen; sorted.
	 */
	uint64_t *drop_keys;
	size_t drop_key_count;
	size_t drop_key_capacity;
	enum daemon_state state;
	enum daemon_end end;
	bool overtime; /* something is still busy: do not wait for threads */
	struct clock_time started;
	int64_t watchdog_ms;
};

/* Carry out whatever dispatch wants now, and set the timer for the rest. */
void daemon_pump(struct daemon *daemon);
