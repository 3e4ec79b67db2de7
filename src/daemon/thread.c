#include "daemon/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>

/*
 * Woken by a disk or a peer, a thread does not take the processor from the hub
 * or from a program that is handing in mail: more of it arrives until its turn
 * comes, and one commit group takes it all.  Advice: where a system call filter
 * refuses it, as our unit's does, the unit says it; where whoever started the
 * daemon chose another policy, theirs stands.
 */
static void
be_patient(pthread_t thread)
{
	const struct sched_param none = {0};

	if (sched_getscheduler(0) == SCHED_OTHER)
		(void)pthread_setschedparam(thread, SCHED_BATCH, &none);
}

bool
thread_start(pthread_t *thread, void *(*fn)(void *), void *ctx,
    const char *name, struct error *error)
{
	sigset_t all;
	sigset_t before;

	(void)sigfillset(&all);                            /* cannot fail */
	(void)pthread_sigmask(SIG_SETMASK, &all, &before); /* nor this */
	int failure = pthread_create(thread, NULL, fn, ctx);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL); /* nor this */
	if (failure != 0) {
		errno = failure;
		return error_system(error, "start %s", name);
	}
	be_patient(*thread);
	return true;
}
