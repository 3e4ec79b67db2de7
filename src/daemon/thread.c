#include "daemon/thread.h"

#include <signal.h>

int
thread_start(pthread_t *thread, void *(*fn)(void *), void *ctx)
{
	sigset_t all;
	sigset_t before;

	(void)sigfillset(&all);                            /* cannot fail */
	(void)pthread_sigmask(SIG_SETMASK, &all, &before); /* nor this */
	int failure = pthread_create(thread, NULL, fn, ctx);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL); /* nor this */
	return failure;
}
