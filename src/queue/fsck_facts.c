/* What the records amount to, and what became of those that are damaged. */
#include "base/memory.h"
#include "queue/fsck_private.h"

#include <stdlib.h>

/* Where attempts are recorded of a message that is not there. */
struct ghost {
	uint64_t id;
	size_t segment; /* which of them */
	uint64_t offset;
};

void
fsck_facts_init(struct fsck_facts *facts, struct fsck *fsck)
{
	facts->fsck = fsck;
	roster_init(&facts->skipped);
	roster_init(&facts->ghosts);
}

/* ---- one after the other ---- */

/* What was damaged in front of this is of no account any more. */
static void
forget_skipped(struct fsck_facts *facts, uint64_t id)
{
	size_t number = (size_t)(uintptr_t)roster_remove(&facts->skipped, id);

	if (number > 0)
		facts->fsck->findings[number - 1].kind = FSCK_OLD_CONTENT;
}

static void
take_message(struct fsck_facts *facts, struct fsck_segment *segment,
    struct place place, const struct reading *reading)
{
	struct ledger *ledger = facts->fsck->ledger;
	uint64_t id = reading->head.id;
	struct ledger_entry *entry = ledger_find(ledger, id);

	segment->messages++;
	free(roster_remove(&facts->ghosts, id));
	forget_skipped(facts, id);
	if (entry != NULL) {
		ledger_set_place(ledger, entry, place);
		return;
	}
	entry = ledger_add(ledger, id, place, reading->head.content_len,
	    reading->head.is_large, 0);
	entry->arrived_at = reading->envelope.arrived_at;
	ledger_wait(ledger, entry, 0, 0, 0);
}

static void
take_progress(struct fsck_facts *facts, const struct fsck_segment *segment,
    struct place place, const struct reading *reading)
{
	struct ledger *ledger = facts->fsck->ledger;
	uint64_t id = reading->head.id;
	struct ledger_entry *entry = ledger_find(ledger, id);

	if (entry != NULL) {
		ledger_set_progress_place(ledger, entry, place);
		entry->attempts = (uint16_t)reading->progress.attempts;
		if (reading->progress.held)
			ledger_move(ledger, entry, LEDGER_HELD);
		else
			ledger_wait(ledger, entry, 0, 0, 0);
	} else if (roster_find(&facts->ghosts, id) == NULL) {
		struct ghost *ghost = memory_new(sizeof(*ghost));
		ghost->id = id;
		ghost->segment = (size_t)(segment - facts->fsck->segments);
		ghost->offset = place.offset;
		roster_insert(&facts->ghosts, id, ghost);
	}
}

static void
take_end(struct fsck_facts *facts, uint64_t id)
{
	struct ledger_entry *entry = ledger_find(facts->fsck->ledger, id);

	free(roster_remove(&facts->ghosts, id));
	forget_skipped(facts, id);
	if (entry != NULL)
		ledger_remove(facts->fsck->ledger, entry);
}

void
fsck_facts_take(struct fsck_facts *facts, struct fsck_segment *segment,
    struct place place, const struct reading *reading)
{
	uint64_t id = reading->head.id;

	if (id > facts->fsck->highest_id)
		facts->fsck->highest_id = id;
	switch (reading->head.type) {
	case RECORD_MESSAGE:
		take_message(facts, segment, place, reading);
		break;
	case RECORD_PROGRESS:
		take_progress(facts, segment, place, reading);
		break;
	case RECORD_FINISHED:
		take_end(facts, id);
		break;
	}
}

/* ---- what does not count ---- */

void
fsck_facts_skip(struct fsck_facts *facts, const struct fsck_finding *finding)
{
	size_t number = (size_t)(finding - facts->fsck->findings) + 1;

	(void)roster_remove(&facts->skipped, finding->id);
	roster_insert(&facts->skipped, finding->id, (void *)(uintptr_t)number);
}

void
fsck_facts_forget_skips(struct fsck_facts *facts)
{
	roster_clear(&facts->skipped);
	roster_init(&facts->skipped);
}

/* ---- at the end ---- */

/* A damaged content costs something where the message still lies there. */
static void
judge_contents(struct fsck_facts *facts)
{
	for (size_t i = 0; i < facts->fsck->finding_count; i++) {
		struct fsck_finding *finding = &facts->fsck->findings[i];
		if (finding->kind != FSCK_CONTENT)
			continue;
		const struct ledger_entry *entry =
		    ledger_find(facts->fsck->ledger, finding->id);
		bool is_skipped = roster_find(&facts->skipped, finding->id) ==
		    (void *)(uintptr_t)(i + 1);
		bool is_here = entry != NULL &&
		    entry->place.segment == finding->segment &&
		    entry->place.offset == finding->offset;
		if (!is_here && !(entry == NULL && is_skipped))
			finding->kind = FSCK_OLD_CONTENT;
	}
}

/* Nothing drops a message that has not ended: its record is lost, or that of
 * its end.  Frees them. */
static void
tell_ghosts(struct fsck_facts *facts)
{
	struct ghost *ghost;

	while ((ghost = roster_after(&facts->ghosts, 0)) != NULL) {
		const struct fsck_segment *segment =
		    &facts->fsck->segments[ghost->segment];
		struct fsck_finding *finding =
		    fsck_add(facts->fsck, FSCK_LOST, NULL, segment->name);
		finding->segment = segment->header.generation;
		finding->offset = ghost->offset;
		finding->id = ghost->id;
		free(roster_remove(&facts->ghosts, ghost->id));
	}
}

void
fsck_facts_end(struct fsck_facts *facts)
{
	judge_contents(facts);
	tell_ghosts(facts);
	roster_clear(&facts->skipped);
	roster_clear(&facts->ghosts);
}
