/*
 * Mistakes to be planted on purpose, so that the tests can show that they would
 * find them: tests/crash/seeds plants each by its name and sees the suites
 * fail.
 *
 *   if (SEED(NO_FDATASYNC) || disk_sync(...))
 *
 * is true where the file is compiled with -DSEED_NO_FDATASYNC.  Elsewhere it is
 * the constant 0: what is built without a seed is what would be built if the
 * word were not there.
 */
#pragma once

/* A name that is not defined stays a word, and the 0 is second; one that is
 * defined is 1, for which there is a "0," that makes the 1 the second. */
#define SEED(name)                      SEED_VALUE(SEED_##name)
#define SEED_VALUE(value)               SEED_JOIN(value)
#define SEED_JOIN(value)                SEED_CHOOSE(SEED_PREFIX_##value)
#define SEED_PREFIX_1                   0,
#define SEED_CHOOSE(prefix)             SEED_SECOND(prefix 1, 0, 0)
#define SEED_SECOND(first, second, ...) (second)
