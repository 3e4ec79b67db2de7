/* A world on a journal, and its files, for tests of what is found at a start.
 */
#pragma once

#include "lib/journal_world.h"

#include <stdbool.h>
#include <stddef.h>

#define SCENE_FIRST  "queue/0000000000000001.log"
#define SCENE_SECOND "queue/0000000000000006.log"
#define SCENE_THIRD  "queue/000000000000000b.log"
/* Three segments of five messages. */
#define SCENE_THREE "a5 a5 a5"

/* After script. */
void scene_start(struct world *world, const char *script);
void scene_restart(struct world *world);
/* Its start is refused, with ERROR_CONFIG and these words, and nothing has
 * changed. */
void scene_refuse(struct world *world, const char *words);
void scene_expect_kept(struct world *world, const char *what);
/* All octets of a file are others. */
void scene_ruin(struct world *world, const char *path, size_t at, size_t len);
/* A name in that directory has this in it. */
bool scene_has(struct world *world, const char *directory, const char *part);
/* "queue/FOLDER/ID"; the caller frees it. */
char *scene_body(const char *folder, uint64_t id);
