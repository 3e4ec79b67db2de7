#include "lib/loop_until.h"
#include "net/loop.h"

#include <criterion/criterion.h>
#include <event2/event.h>
#include <signal.h>
#include <unistd.h>

struct probe {
	struct loop *loop;
	struct loop_task task;
	struct loop_timer timer;
	int calls;
	int64_t called_at;
	bool is_called;
	bool asks_again;
};

static void
count_task(void *ctx)
{
	struct probe *probe = ctx;

	probe->calls++;
	probe->is_called = true;
	if (probe->asks_again && probe->calls < 3)
		loop_later(probe->loop, &probe->task);
}

static void
count_timer(void *ctx)
{
	struct probe *probe = ctx;

	probe->calls++;
	probe->is_called = true;
	probe->called_at = loop_now(probe->loop).mono_ms;
}

static struct probe
probe_on(struct loop *loop)
{
	struct probe probe = {.loop = loop};

	return probe;
}

Test(loop, runs_a_task_once_and_never_within_its_caller)
{
	struct loop *loop = loop_new();
	struct probe probe = probe_on(loop);

	loop_task_init(&probe.task, count_task, &probe);
	loop_later(loop, &probe.task);
	loop_later(loop, &probe.task);
	cr_expect_eq(probe.calls, 0);
	loop_until_quiet(loop);
	cr_expect_eq(probe.calls, 1);
	loop_free(loop);
}

Test(loop, gives_a_task_that_asks_again_one_call_a_turn)
{
	struct loop *loop = loop_new();
	struct probe probe = probe_on(loop);

	probe.asks_again = true;
	loop_task_init(&probe.task, count_task, &probe);
	loop_later(loop, &probe.task);
	loop_stop(loop);
	loop_run(loop); /* stopped before: not even one turn */
	cr_expect_eq(probe.calls, 0);
	loop_until_quiet(loop);
	loop_until_quiet(loop);
	cr_expect_eq(probe.calls, 3);
	loop_free(loop);
}

Test(loop, forgets_a_cancelled_task)
{
	struct loop *loop = loop_new();
	struct probe probe = probe_on(loop);

	loop_task_init(&probe.task, count_task, &probe);
	loop_task_cancel(loop, &probe.task);
	loop_later(loop, &probe.task);
	loop_task_cancel(loop, &probe.task);
	loop_until_quiet(loop);
	cr_expect_eq(probe.calls, 0);
	loop_free(loop);
}

struct pair {
	struct loop_task first;
	struct loop_task second;
	struct loop *loop;
	bool second_ran;
};

static void
cancel_second(void *ctx)
{
	struct pair *pair = ctx;

	loop_task_cancel(pair->loop, &pair->second);
}

static void
run_second(void *ctx)
{
	struct pair *pair = ctx;

	pair->second_ran = true;
}

Test(loop, lets_a_task_cancel_the_next_one)
{
	struct pair pair = {.loop = loop_new()};

	loop_task_init(&pair.first, cancel_second, &pair);
	loop_task_init(&pair.second, run_second, &pair);
	loop_later(pair.loop, &pair.first);
	loop_later(pair.loop, &pair.second);
	loop_until_quiet(pair.loop);
	cr_expect_not(pair.second_ran);
	loop_free(pair.loop);
}

Test(loop, runs_left_tasks_when_freed)
{
	struct loop *loop = loop_new();
	struct probe probe = probe_on(loop);

	probe.asks_again = true;
	loop_task_init(&probe.task, count_task, &probe);
	loop_later(loop, &probe.task);
	loop_free(loop);
	cr_expect_eq(probe.calls, 3);
	loop_free(NULL);
}

Test(loop, calls_a_timer_at_its_deadline_and_not_before)
{
	static const int delays_ms[] = {0, 1, 3, 20};
	struct loop *loop = loop_new();

	for (size_t i = 0; i < sizeof(delays_ms) / sizeof(delays_ms[0]); i++) {
		struct probe probe = probe_on(loop);
		int64_t deadline = clock_now().mono_ms + delays_ms[i];

		loop_timer_init(&probe.timer, loop, count_timer, &probe);
		loop_timer_set(&probe.timer, deadline);
		loop_until_set(loop, &probe.is_called);
		cr_expect_geq(
		    probe.called_at, deadline, "after %d ms", delays_ms[i]);
		cr_expect_eq(probe.timer.deadline, CLOCK_NEVER);
		cr_expect_eq(probe.calls, 1);
		loop_timer_clear(&probe.timer);
	}
	loop_free(loop);
}

Test(loop, follows_a_deadline_that_moves)
{
	struct loop *loop = loop_new();
	struct probe probe = probe_on(loop);
	int64_t start = clock_now().mono_ms;

	loop_timer_init(&probe.timer, loop, count_timer, &probe);
	loop_timer_set(&probe.timer, start + 5);
	loop_timer_set(&probe.timer, start + 30); /* later */
	loop_until_set(loop, &probe.is_called);
	cr_expect_geq(probe.called_at, start + 30);

	probe.is_called = false;
	loop_timer_set(&probe.timer, start + CLOCK_DAY * 365 * 200);
	loop_timer_set(&probe.timer, start + 31); /* sooner */
	loop_until_set(loop, &probe.is_called);
	cr_expect_lt(probe.called_at, start + CLOCK_MINUTE);
	loop_timer_clear(&probe.timer);
	loop_timer_clear(&probe.timer);
	loop_free(loop);
}

Test(loop, does_not_call_an_unset_timer)
{
	struct loop *loop = loop_new();
	struct probe unset = probe_on(loop);
	struct probe later = probe_on(loop);
	int64_t start = clock_now().mono_ms;

	loop_timer_init(&unset.timer, loop, count_timer, &unset);
	loop_timer_init(&later.timer, loop, count_timer, &later);
	loop_timer_set(&unset.timer, start + 2);
	loop_timer_set(&unset.timer, CLOCK_NEVER);
	loop_timer_set(&later.timer, start + 20);
	loop_until_set(loop, &later.is_called);
	cr_expect_eq(unset.calls, 0);
	loop_timer_clear(&unset.timer);
	loop_timer_clear(&later.timer);
	loop_free(loop);
}

struct clock_probe {
	struct loop *loop;
	bool is_same;
};

static void
read_clock_twice(void *ctx)
{
	struct clock_probe *probe = ctx;
	int64_t first = loop_now(probe->loop).mono_ms;

	while (clock_now().mono_ms < first + 3)
		;
	probe->is_same = loop_now(probe->loop).mono_ms == first;
}

Test(loop, reads_the_clock_once_a_turn)
{
	struct clock_probe probe = {.loop = loop_new()};
	struct loop_task task;
	int64_t before = clock_now().mono_ms;

	cr_expect_geq(loop_now(probe.loop).mono_ms, before);
	loop_task_init(&task, read_clock_twice, &probe);
	loop_later(probe.loop, &task);
	loop_until_quiet(probe.loop);
	cr_expect(probe.is_same);
	cr_expect_geq(loop_now(probe.loop).mono_ms, before + 3);
	loop_free(probe.loop);
}

static void
note_signal(int number, void *ctx)
{
	bool *is_noted = ctx;

	*is_noted = number == SIGUSR1;
}

Test(loop, watches_signals)
{
	struct loop *loop = loop_new();
	bool is_noted = false;
	struct loop_watch *watch =
	    loop_watch_signal(loop, SIGUSR1, note_signal, &is_noted);

	raise(SIGUSR1);
	loop_until_set(loop, &is_noted);
	loop_watch_free(watch);
	loop_watch_free(NULL);
	loop_free(loop);
}

struct pipe_probe {
	struct loop_watch *watch;
	bool is_read;
};

static void
read_pipe(int fd, void *ctx)
{
	struct pipe_probe *probe = ctx;
	char c;

	cr_expect_eq(read(fd, &c, 1), 1);
	probe->is_read = true;
	loop_watch_free(probe->watch); /* within its own call */
}

Test(loop, watches_descriptors)
{
	struct loop *loop = loop_new();
	struct pipe_probe probe = {.watch = NULL};
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	probe.watch = loop_watch_readable(loop, ends[0], read_pipe, &probe);
	cr_assert_eq(write(ends[1], "x", 1), 1);
	loop_until_set(loop, &probe.is_read);
	close(ends[0]);
	close(ends[1]);
	loop_free(loop);
}

Test(loop, leaves_no_descriptor_behind)
{
	int before = open_descriptors();

	for (int i = 0; i < 10; i++)
		loop_free(loop_new());
	cr_expect_eq(open_descriptors(), before);
}

/* ---- on a base of another ---- */

static void
stop_base(void *ctx)
{
	struct probe *probe = ctx;

	count_task(ctx);
	event_base_loopbreak(loop_base(probe->loop));
}

Test(loop, runs_its_turns_on_the_base_of_another)
{
	struct event_base *base = event_base_new();
	struct loop *loop = loop_new_in(base);
	struct probe probe = probe_on(loop);

	probe.asks_again = true;
	loop_task_init(&probe.task, count_task, &probe);
	loop_timer_init(&probe.timer, loop, stop_base, &probe);
	loop_later(loop, &probe.task);
	cr_expect_eq(probe.calls, 0);
	loop_timer_set(&probe.timer, loop_now(loop).mono_ms + 200);
	event_base_dispatch(base);
	cr_expect_eq(probe.calls, 4, "%d", probe.calls);
	loop_timer_clear(&probe.timer);
	loop_free(loop);
	event_base_free(base);
}

static void
free_loop(void *ctx)
{
	struct probe *probe = ctx;

	count_task(ctx);
	loop_free(probe->loop);
}

Test(loop, may_be_freed_within_its_turn_on_the_base_of_another)
{
	struct event_base *base = event_base_new();
	struct loop *loop = loop_new_in(base);
	struct probe first = probe_on(loop);
	struct probe second = probe_on(loop);

	loop_task_init(&first.task, free_loop, &first);
	loop_task_init(&second.task, count_task, &second);
	loop_later(loop, &first.task);
	loop_later(loop, &second.task);
	event_base_dispatch(base);
	cr_expect_eq(first.calls, 1);
	cr_expect_eq(second.calls, 1);
	event_base_free(base);
}
