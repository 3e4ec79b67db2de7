/*
 * One event loop, run by one thread; the only door to libevent besides conn and
 * listener.  The clock is read once at the top of each turn.
 *
 * Nothing here may be called from another thread: threads speak through
 * mailboxes.
 */
#pragma once

#include "base/clock.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct loop;
struct event_base;

/* Aborts where no loop can be had (out of descriptors at start). */
struct loop *loop_new(void);
/*
 * A loop within base, the caller's, who runs it: not for loop_run().  base must
 * outlive the loop.
 */
struct loop *loop_new_in(struct event_base *base);
/* After all that lives on it was freed; runs the tasks that this left.  Within
 * a task of a loop that was made by loop_new_in(), at that task's end. */
void loop_free(struct loop *loop);
/* Run until loop_stop(); at once over where that was called before. */
void loop_run(struct loop *loop);
/* Leave loop_run() after this turn. */
void loop_stop(struct loop *loop);
/* The time at the top of this turn (read at the first call in it, which is why
 * loop is not const); outside loop_run(), the time of the call. */
struct clock_time loop_now(struct loop *loop);
/* For control's HTTP server alone. */
struct event_base *loop_base(struct loop *loop);

/* ---- tasks: what must not happen within the caller ---- */

typedef void loop_task_fn(void *ctx);

/* Embedded in its owner. */
struct loop_task {
	TAILQ_ENTRY(loop_task) entry;
	loop_task_fn *fn;
	void *ctx;
	uint64_t turn; /* in which it was asked for; 0: it is not due */
};

void loop_task_init(struct loop_task *task, loop_task_fn *fn, void *ctx);
/* fn is called at the top of the next turn, once however often it was asked
 * for; task may be released within it. */
void loop_later(struct loop *loop, struct loop_task *task);
/* Also where it is not due. */
void loop_task_cancel(struct loop *loop, struct loop_task *task);

/* ---- timers: one deadline each, embedded in their owner ---- */

typedef void loop_timer_fn(void *ctx);

struct loop_timer {
	struct loop *loop;
	struct event *event; /* owned; made at the first deadline */
	int64_t deadline;    /* monotonic ms; CLOCK_NEVER: not set */
	int64_t armed;       /* when event fires, deadline or earlier */
	loop_timer_fn *fn;
	void *ctx;
};

void loop_timer_init(
    struct loop_timer *timer, struct loop *loop, loop_timer_fn *fn, void *ctx);
/* fn is called once, at or after deadline; CLOCK_NEVER unsets.  The same or a
 * later deadline costs nothing: the event fires early and is set again. */
void loop_timer_set(struct loop_timer *timer, int64_t deadline);
/* Release what timer holds; for good, or until loop_timer_init(). */
void loop_timer_clear(struct loop_timer *timer);

/* ---- signals and descriptors ---- */

typedef void loop_signal_fn(int signal, void *ctx);
struct loop_watch;
typedef void loop_watch_fn(int fd, void *ctx);

/* The caller frees the watch before the loop.  Only one loop of the process
 * may watch signals. */
struct loop_watch *loop_watch_signal(
    struct loop *loop, int signal, loop_signal_fn *fn, void *ctx);
/* fn whenever fd is readable; fd stays the caller's. */
struct loop_watch *loop_watch_readable(
    struct loop *loop, int fd, loop_watch_fn *fn, void *ctx);
void loop_watch_free(struct loop_watch *watch);
