#include "net/loop.h"

#include "base/memory.h"

#include <assert.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

/* A longer wait than this is cut into several: far from any overflow. */
#define WAIT_MAX CLOCK_DAY

TAILQ_HEAD(task_list, loop_task);

struct loop {
	struct event_base *base;
	struct task_list tasks; /* in the order they were asked for */
	uint64_t turn;          /* counts from 1 */
	struct clock_time now;
	bool now_is_known; /* in this turn */
	bool is_running;
	bool is_stopped;
	/* The base is another's: a turn of ours is an event on it. */
	struct event *turn_event; /* owned; NULL: the base is ours */
	bool is_turning;
	bool is_freed; /* within the turn */
};

struct loop_watch {
	struct event *event;
	loop_signal_fn *signal_fn;
	loop_watch_fn *readable_fn;
	void *ctx;
};

/*
 * No precise timers: they cost a timerfd_settime() a turn, and milliseconds do
 * for us.  timer_fired() checks the time by itself.
 */
static struct event_base *
base_new(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config != NULL &&
	    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0 &&
	    event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV) == 0)
		base = event_base_new_with_config(config);
	if (config != NULL)
		event_config_free(config);
	return base;
}

static void
abort_without_event(const char *what)
{
	perror(what);
	abort();
}

static void
run_tasks(struct loop *loop)
{
	loop->turn++;
	for (;;) {
		struct loop_task *task = TAILQ_FIRST(&loop->tasks);
		if (task == NULL || task->turn == loop->turn)
			return;
		loop_task_cancel(loop, task);
		task->fn(task->ctx);
	}
}

static void
run_turn(struct loop *loop)
{
	loop->now_is_known = false;
	run_tasks(loop);

	bool may_wait = TAILQ_EMPTY(&loop->tasks) && !loop->is_stopped;
	int flags =
	    may_wait ? EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY : EVLOOP_NONBLOCK;
	loop->now_is_known = false;
	if (event_base_loop(loop->base, flags) < 0)
		abort_without_event("event loop");
}

struct loop *
loop_new(void)
{
	struct loop *loop = memory_new(sizeof(*loop));

	loop->base = base_new();
	if (loop->base == NULL)
		abort_without_event("event loop");
	loop->turn = 1;
	TAILQ_INIT(&loop->tasks);
	return loop;
}

/* ---- on another's base ---- */

static void
release(struct loop *loop)
{
	while (!TAILQ_EMPTY(&loop->tasks))
		run_tasks(loop);
	if (loop->turn_event != NULL)
		event_free(loop->turn_event);
	else
		event_base_free(loop->base);
	free(loop);
}

static void
ask_for_turn(struct loop *loop)
{
	const struct timeval at_once = {0};

	if (event_add(loop->turn_event, &at_once) != 0)
		abort_without_event("event loop");
}

static void
turn_came(evutil_socket_t fd, short what, void *ctx)
{
	struct loop *loop = ctx;
	(void)fd;
	(void)what;

	loop->is_turning = true;
	run_tasks(loop);
	loop->is_turning = false;
	if (loop->is_freed)
		release(loop);
	else if (!TAILQ_EMPTY(&loop->tasks))
		ask_for_turn(loop);
}

struct loop *
loop_new_in(struct event_base *base)
{
	struct loop *loop = memory_new(sizeof(*loop));

	loop->base = base;
	loop->turn = 1;
	TAILQ_INIT(&loop->tasks);
	loop->turn_event = evtimer_new(base, turn_came, loop);
	if (loop->turn_event == NULL)
		abort_without_event("event loop");
	return loop;
}

void
loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	if (loop->is_turning)
		loop->is_freed = true;
	else
		release(loop);
}

void
loop_run(struct loop *loop)
{
	assert(!loop->is_running && loop->turn_event == NULL);
	loop->is_running = true;
	while (!loop->is_stopped)
		run_turn(loop);
	loop->is_running = false;
	loop->is_stopped = false;
}

void
loop_stop(struct loop *loop)
{
	loop->is_stopped = true;
}

struct clock_time
loop_now(struct loop *loop)
{
	if (!loop->is_running)
		return clock_now();
	if (!loop->now_is_known) {
		loop->now = clock_now();
		loop->now_is_known = true;
	}
	return loop->now;
}

struct event_base *
loop_base(struct loop *loop)
{
	return loop->base;
}

void
loop_task_init(struct loop_task *task, loop_task_fn *fn, void *ctx)
{
	*task = (struct loop_task){.fn = fn, .ctx = ctx};
}

void
loop_later(struct loop *loop, struct loop_task *task)
{
	if (task->turn != 0)
		return;
	task->turn = loop->turn;
	TAILQ_INSERT_TAIL(&loop->tasks, task, entry);
	if (loop->turn_event != NULL && !loop->is_turning)
		ask_for_turn(loop);
}

void
loop_task_cancel(struct loop *loop, struct loop_task *task)
{
	if (task->turn == 0)
		return;
	task->turn = 0;
	TAILQ_REMOVE(&loop->tasks, task, entry);
}

static void
timer_arm(struct loop_timer *timer)
{
	int64_t wait_ms = timer->deadline - loop_now(timer->loop).mono_ms;

	if (wait_ms < 0)
		wait_ms = 0;
	if (wait_ms > WAIT_MAX)
		wait_ms = WAIT_MAX;
	struct timeval wait = {
	    .tv_sec = (time_t)(wait_ms / 1000),
	    .tv_usec = (suseconds_t)(wait_ms % 1000 * 1000),
	};
	if (event_add(timer->event, &wait) != 0)
		abort_without_event("timer");
	timer->armed = timer->deadline;
}

static void
timer_fired(evutil_socket_t fd, short what, void *ctx)
{
	struct loop_timer *timer = ctx;
	(void)fd;
	(void)what;

	timer->armed = CLOCK_NEVER;
	if (timer->deadline == CLOCK_NEVER)
		return;
	if (loop_now(timer->loop).mono_ms < timer->deadline) {
		timer_arm(timer);
		return;
	}
	timer->deadline = CLOCK_NEVER;
	timer->fn(timer->ctx);
}

void
loop_timer_init(
    struct loop_timer *timer, struct loop *loop, loop_timer_fn *fn, void *ctx)
{
	*timer = (struct loop_timer){
	    .loop = loop,
	    .deadline = CLOCK_NEVER,
	    .armed = CLOCK_NEVER,
	    .fn = fn,
	    .ctx = ctx,
	};
}

void
loop_timer_set(struct loop_timer *timer, int64_t deadline)
{
	timer->deadline = deadline;
	if (deadline >= timer->armed)
		return;
	if (timer->event == NULL)
		timer->event =
		    evtimer_new(timer->loop->base, timer_fired, timer);
	if (timer->event == NULL)
		abort_without_event("timer");
	timer_arm(timer);
}

void
loop_timer_clear(struct loop_timer *timer)
{
	if (timer->event != NULL)
		event_free(timer->event);
	timer->event = NULL;
	timer->deadline = CLOCK_NEVER;
	timer->armed = CLOCK_NEVER;
}

static void
watch_fired(evutil_socket_t fd, short what, void *ctx)
{
	struct loop_watch *watch = ctx;

	if ((what & EV_SIGNAL) != 0)
		watch->signal_fn(fd, watch->ctx);
	else
		watch->readable_fn(fd, watch->ctx);
}

static struct loop_watch *
watch_start(
    struct loop *loop, int fd_or_signal, short what, struct loop_watch content)
{
	struct loop_watch *watch = memory_new(sizeof(*watch));

	*watch = content;
	watch->event = event_new(loop->base, fd_or_signal,
	    (short)(what | EV_PERSIST), watch_fired, watch);
	if (watch->event == NULL || event_add(watch->event, NULL) != 0)
		abort_without_event("watch");
	return watch;
}

struct loop_watch *
loop_watch_signal(struct loop *loop, int signal, loop_signal_fn *fn, void *ctx)
{
	return watch_start(loop, signal, EV_SIGNAL,
	    (struct loop_watch){.signal_fn = fn, .ctx = ctx});
}

struct loop_watch *
loop_watch_readable(struct loop *loop, int fd, loop_watch_fn *fn, void *ctx)
{
	return watch_start(loop, fd, EV_READ,
	    (struct loop_watch){.readable_fn = fn, .ctx = ctx});
}

void
loop_watch_free(struct loop_watch *watch)
{
	if (watch == NULL)
		return;
	event_free(watch->event);
	free(watch);
}
