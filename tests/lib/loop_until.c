#include "lib/loop_until.h"

#include "lib/watched.h"

#include <criterion/criterion.h>
#include <dirent.h>

#define WAIT_MAX     (20 * CLOCK_SECOND)
#define VALGRIND_MAX (10 * WAIT_MAX)

struct watchman {
	struct loop *loop;
	struct loop_task turn;
	struct loop_timer nap; /* so that asking does not spin */
	struct loop_timer end;
	loop_until_fn *is_so;
	void *ctx;
};

static void
ask(void *ctx)
{
	struct watchman *watchman = ctx;

	if (watchman->is_so(watchman->ctx))
		loop_stop(watchman->loop);
	else
		loop_timer_set(
		    &watchman->nap, loop_now(watchman->loop).mono_ms + 1);
}

static void
give_up(void *ctx)
{
	(void)ctx;
	cr_assert(false, "it does not come about");
}

void
loop_until(struct loop *loop, loop_until_fn *is_so, void *ctx)
{
	struct watchman watchman = {.loop = loop, .is_so = is_so, .ctx = ctx};

	loop_timer_init(&watchman.nap, loop, ask, &watchman);
	loop_timer_init(&watchman.end, loop, give_up, &watchman);
	int64_t max = is_under_valgrind() ? VALGRIND_MAX : WAIT_MAX;
	loop_timer_set(&watchman.end, clock_now().mono_ms + max);
	loop_task_init(&watchman.turn, ask, &watchman);
	loop_later(loop, &watchman.turn);
	loop_run(loop);
	loop_timer_clear(&watchman.nap);
	loop_timer_clear(&watchman.end);
}

static bool
is_set(void *ctx)
{
	return *(bool *)ctx;
}

void
loop_until_set(struct loop *loop, const bool *flag)
{
	bool *set = (bool *)(uintptr_t)flag;

	loop_until(loop, is_set, set);
}

static bool
counts_down(void *ctx)
{
	int *turns = ctx;

	return (*turns)-- == 0;
}

void
loop_until_quiet(struct loop *loop)
{
	int turns = 2;

	loop_until(loop, counts_down, &turns);
}

int
open_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = 0;

	cr_assert_not_null(directory);
	while (readdir(directory) != NULL)
		count++;
	closedir(directory);
	return count;
}
