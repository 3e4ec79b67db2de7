/* Running a loop in a test: until something is so, and never for ever. */
#pragma once

#include "net/loop.h"

#include <stdbool.h>

typedef bool loop_until_fn(void *ctx);

/* Run turns of loop until is_so; the test fails after 20 s, under valgrind
 * after 200. */
void loop_until(struct loop *loop, loop_until_fn *is_so, void *ctx);
/* Until *flag. */
void loop_until_set(struct loop *loop, const bool *flag);
/* Two turns: what was to happen in a later turn has happened. */
void loop_until_quiet(struct loop *loop);

/* Descriptors this process has open. */
int open_descriptors(void);
