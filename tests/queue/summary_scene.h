/*
 * Worlds whose sealed segments get summaries.  All fail the test where
 * something goes wrong that is not what it is about.
 */
#pragma once

#include "lib/journal_world.h"

#include <stdbool.h>
#include <stddef.h>

#define FIRST      "queue/0000000000000001.log"
#define FIRST_SUM  "queue/0000000000000001.sum"
#define SECOND     "queue/0000000000000006.log"
#define SECOND_SUM "queue/0000000000000006.sum"
#define THIRD_SUM  "queue/000000000000000b.sum"

/* Three segments of five messages; the last is being written. */
#define THREE "a5 a5 a5"
/* All kinds of records in sealed segments. */
#define MANY "a9 p4 l a5 f3 b a9 p9 l f4 a3 p3 b h a9 p2 m a9 x a5"

/* A world of its own, after script. */
void summary_scene_start(struct world *world, const char *script);
void summary_scene_restart(struct world *world);
/* Until none is wanted.  Number of steps it took; those that failed are in
 * *out_failed. */
size_t summary_scene_summarize(struct world *world, size_t *out_failed);
/* The same, where there is one to be written and none fails. */
void summary_scene_summarize_all(struct world *world);
/* What was promised; what is for the message. */
void summary_scene_expect_kept(struct world *world, const char *what);

bool summary_scene_exists(const struct world *world, const char *path);
/* A copy that is freed with free(). */
char *summary_scene_copy_file(
    const struct world *world, const char *path, size_t *out_len);
/* Change len octets of a file. */
void summary_scene_flip(
    struct world *world, const char *path, size_t at, size_t len);
/* All facts of a start on this disk, as text; the caller frees it. */
char *summary_scene_story(
    const struct world *world, struct journal_report *report);
