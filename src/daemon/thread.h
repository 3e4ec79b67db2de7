/* Threads of the daemon, which leave all signals to the main thread, and the
 * processor to whoever is using it (SCHED_BATCH, where all else is as usual).
 */
#pragma once

#include <pthread.h>

/* 0, or an errno: nothing was started.  To be joined. */
int thread_start(pthread_t *thread, void *(*fn)(void *), void *ctx);
