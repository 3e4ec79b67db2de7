/* Between the files of fsck. */
#pragma once

#include "queue/fsck.h"

#include <stdbool.h>
#include <stdint.h>

/* A new finding, all zero but these; until the next one.  detail is NULL. */
struct fsck_finding *fsck_add(struct fsck *fsck, enum fsck_kind kind,
    const char *folder, const char *name);
/* The gravity of its kind. */
enum fsck_gravity fsck_gravity_of(enum fsck_kind kind);

/* How far it has come. */
struct fsck_meter {
	uint64_t done, all;
	const struct fsck_options *options; /* borrowed */
};
void fsck_meter_add(struct fsck_meter *meter, uint64_t bytes);

/* Walk over all segments: fills segments, ledger, units, and their findings. */
bool fsck_walk(struct fsck *fsck, const struct fsck_options *options,
    struct fsck_meter *meter, struct error *error) MUST_USE;
