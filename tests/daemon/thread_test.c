/* What a thread of the daemon leaves to others. */
#include "daemon/thread.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <signal.h>

struct seen {
	pthread_barrier_t is_started;
	int policy;
	int blocked; /* SIGTERM */
};

static void *
look(void *ctx)
{
	struct seen *seen = ctx;
	sigset_t set;

	(void)pthread_barrier_wait(&seen->is_started);
	seen->policy = sched_getscheduler(0);
	if (pthread_sigmask(SIG_SETMASK, NULL, &set) == 0)
		seen->blocked = sigismember(&set, SIGTERM);
	return NULL;
}

static struct seen
see(void)
{
	struct seen seen = {.policy = -1, .blocked = -1};
	pthread_t thread;
	struct error error;

	cr_assert_eq(pthread_barrier_init(&seen.is_started, NULL, 2), 0);
	cr_assert(thread_start(&thread, look, &seen, "a thread", &error));
	(void)pthread_barrier_wait(&seen.is_started);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_expect_eq(pthread_barrier_destroy(&seen.is_started), 0);
	return seen;
}

Test(thread, leaves_signals_and_the_processor_to_others)
{
	struct seen seen = see();

	cr_expect_eq(seen.policy, SCHED_BATCH);
	cr_expect_eq(seen.blocked, 1);
	cr_expect_eq(sched_getscheduler(0), SCHED_OTHER);
}

/* As by CPUSchedulingPolicy=idle. */
Test(thread, leaves_a_policy_that_was_chosen)
{
	const struct sched_param none = {0};

	cr_assert_eq(sched_setscheduler(0, SCHED_IDLE, &none), 0);
	cr_expect_eq(see().policy, SCHED_IDLE);
}
