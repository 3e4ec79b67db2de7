/*
 * Is a test watched while it runs, by a sanitizer it is built with or by
 * valgrind?  Then it is slow, and its memory is not ours alone.
 */
#pragma once

#include <stdbool.h>
#include <time.h>

bool is_watched(void);
bool is_under_valgrind(void);
/* Leave this test there, where valgrind is not like a real machine. */
void skip_under_valgrind(const char *why);

/* Processor time since start, by clock(), of an unwatched run, about: under
 * valgrind it is divided by what that costs. */
double seconds_since(clock_t start);
