/*
 * Queues that the journal made, and fsck looking at them on a disk that nothing
 * may be written to.
 */
#pragma once

#include "lib/journal_world.h"
#include "queue/fsck.h"

#include <stdbool.h>
#include <stdint.h>

/* Steps of a world that leave segments, a large body and messages in all
 * states. */
#define FSCK_SCENE_SCRIPT "a9 p4 l a5 f3 b a9 p9 l f4 a3 p3 b h"

/* A disk whose calls that could change anything are not there at all; one at a
 * time. */
struct disk fsck_scene_disk(struct fake_disk *fake);
/* Look at "queue" there, which is found unchanged; not at what is in use. */
struct fsck *fsck_scene_look(struct fake_disk *fake);
/* FSCK_SCENE_SCRIPT's, at rest. */
struct fake_disk *fsck_scene_queue(void);
/* Give every sealed segment its summary. */
void fsck_scene_summarize(struct world *world);

/* id 0: any */
bool fsck_scene_has(const struct fsck *fsck, enum fsck_kind kind, uint64_t id);
/* All findings in one line, for a failure; valid until the next call. */
const char *fsck_scene_told(const struct fsck *fsck);
