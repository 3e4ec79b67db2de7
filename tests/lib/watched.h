/*
 * Is a test watched while it runs, by a sanitizer it is built with or by
 * valgrind?  Then it is slow, and its memory is not ours alone.
 */
#pragma once

#include <stdbool.h>

bool is_watched(void);
/* By valgrind, where vfork() is a fork(): what the child's exec says is lost.
 */
bool is_under_valgrind(void);
