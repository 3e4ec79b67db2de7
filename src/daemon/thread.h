/* Threads of the daemon, which leave all signals to the main thread, and the
 * processor to whoever is using it (SCHED_BATCH, where all else is as usual).
 */
#pragma once

#include "base/error.h"

#include <pthread.h>
#include <stdbool.h>

/* To be joined.  False: nothing was started; the error names name. */
bool thread_start(pthread_t *thread, void *(*fn)(void *), void *ctx,
    const char *name, struct error *error) MUST_USE;
