/* Between the files of fsck. */
#pragma once

#include "queue/fsck.h"
#include "queue/reading.h"
#include "queue/roster.h"

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

/* The records one after the other, and what they amount to: in fsck's ledger.
 */
struct fsck_facts {
	struct fsck *fsck; /* borrowed */
	/* Ids whose content in the newest segment is damaged: their units do
	 * not count; the finding's number + 1. */
	struct roster skipped;
	/* Ids of which attempts are recorded, and nothing else. */
	struct roster ghosts;
};

void fsck_facts_init(struct fsck_facts *facts, struct fsck *fsck);
/* A record, in the order of the log. */
void fsck_facts_take(struct fsck_facts *facts, struct fsck_segment *segment,
    struct place place, const struct reading *reading);
/* The newest finding's unit, in the newest segment, does not count. */
void fsck_facts_skip(
    struct fsck_facts *facts, const struct fsck_finding *finding);
/* Those findings are gone. */
void fsck_facts_forget_skips(struct fsck_facts *facts);
/* Judge the damaged contents, tell of what is lost, and clear facts. */
void fsck_facts_end(struct fsck_facts *facts);

/* Walk over all segments: fills segments, ledger, units, and their findings. */
bool fsck_walk(struct fsck *fsck, const struct fsck_options *options,
    struct fsck_meter *meter, struct error *error) MUST_USE;
/* Look through the folders: fills orphans, kept, and findings.  After the walk.
 */
bool fsck_folders(struct fsck *fsck, struct error *error) MUST_USE;

/*
 * What one look beside a working process found.  What was only being written,
 * or given up, is not found by the next: it reads what was written meanwhile,
 * and segments that are gone are not there for it.
 */
struct fsck_suspects {
	struct fsck_finding *findings; /* owned */
	size_t count;
};

/* Take fsck's findings; it has none then. */
void fsck_suspects_take(struct fsck_suspects *suspects, struct fsck *fsck);
void fsck_suspects_clear(struct fsck_suspects *suspects);
/* Of a later look: leave those findings that are harmless, or were found before
 * at the same place. */
void fsck_suspects_confirm(
    const struct fsck_suspects *suspects, struct fsck *fsck);
