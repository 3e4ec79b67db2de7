/*
 * Every message that is in the queue, in one state each, and in which segments
 * they lie.  Memory only, hub thread only, no I/O; made from the journal's
 * facts at start.  A message costs less than 200 octets.
 *
 *   WAITING    on its route in the schedule, until due and taken
 *   IN_FLIGHT  a worker is delivering it
 *   SETTLING   a unit about it is at the committer
 *   HELD       until somebody releases it
 *
 * Every state is one container, and only ledger_wait() and ledger_move() take a
 * message from one to another.
 */
#pragma once

#include "base/heap.h"
#include "queue/place.h"
#include "queue/schedule.h"
#include "queue/segment.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

enum ledger_state {
	LEDGER_WAITING,
	LEDGER_IN_FLIGHT,
	LEDGER_SETTLING,
	LEDGER_HELD
};
#define LEDGER_STATES 4

struct ledger;

/* Read freely; the fields above the line belong to ledger.c. */
struct ledger_entry {
	uint64_t id;
	struct place place;          /* of its MESSAGE */
	struct place progress_place; /* of its newest PROGRESS, or PLACE_NONE */
	/* Its place in the container of its state. */
	union {
		struct schedule_item item;          /* WAITING */
		TAILQ_ENTRY(ledger_entry) siblings; /* the others */
	};
	TAILQ_ENTRY(ledger_entry) neighbours; /* in the same segment */
	struct heap_node alarm;
	uint32_t sender; /* hash of whom it is from */
	uint16_t route;
	uint8_t state; /* enum ledger_state */
	bool is_large; /* it has a file in large/ */
	uint64_t size; /* octets of content */
	/* ---- the caller's ---- */
	uint8_t flags;
	uint16_t attempts;
	int64_t arrived_at; /* wall clock, ms */
};

struct ledger *ledger_new(void);
void ledger_free(struct ledger *ledger);

/*
 * An id nobody has had: microseconds since 1970, or, where that is not above
 * all ids so far, the next above them.
 */
uint64_t ledger_new_id(struct ledger *ledger, int64_t now_wall);
/* No id up to this is given out from now on. */
void ledger_raise_id(struct ledger *ledger, uint64_t id);

/*
 * A message that is durable at place; its segment was added before.  It begins
 * SETTLING; follow with ledger_wait() or ledger_move().  id is not in the
 * ledger.
 */
struct ledger_entry *ledger_add(struct ledger *ledger, uint64_t id,
    struct place place, uint64_t size, bool is_large, uint32_t sender);
/* Its FINISHED is durable, or it never was. Frees entry. */
void ledger_remove(struct ledger *ledger, struct ledger_entry *entry);
/* NULL where there is none. */
struct ledger_entry *ledger_find(const struct ledger *ledger, uint64_t id);
/* The first with an id above this: for listings, in order, as far as one likes.
 */
struct ledger_entry *ledger_after(const struct ledger *ledger, uint64_t id);

size_t ledger_size(const struct ledger *ledger);
size_t ledger_count(const struct ledger *ledger, enum ledger_state state);

/* ---- states ---- */

/* To WAITING, on route, for due (monotonic ms); from any state, WAITING too. */
void ledger_wait(struct ledger *ledger, struct ledger_entry *entry,
    uint16_t route, int64_t due, int64_t now);
/* To any state but WAITING. */
void ledger_move(
    struct ledger *ledger, struct ledger_entry *entry, enum ledger_state state);
/* The first in a state other than WAITING, and the next after it; or NULL. */
struct ledger_entry *ledger_first(
    const struct ledger *ledger, enum ledger_state state);
struct ledger_entry *ledger_next(const struct ledger_entry *entry);

/* The message to deliver next, of all due on open routes; it stays WAITING. */
struct ledger_entry *ledger_due(struct ledger *ledger, int64_t now);
/* The lanes: to open and close routes, and to ask for the next deadline. */
struct schedule *ledger_schedule(struct ledger *ledger);

/*
 * One alarm for each message, in any state: when it is to be looked at because
 * of its age (monotonic ms; CLOCK_NEVER: none).
 */
void ledger_set_alarm(
    struct ledger *ledger, struct ledger_entry *entry, int64_t at);
/* The next message whose alarm is past, and is cleared with this; or NULL. */
struct ledger_entry *ledger_take_alarm(struct ledger *ledger, int64_t now);
/* When there will be one, or CLOCK_NEVER. */
int64_t ledger_alarm_deadline(const struct ledger *ledger);

/* ---- where they lie ---- */

/* A segment newer than all before it; or the newest one again, with its size.
 */
void ledger_set_segment(
    struct ledger *ledger, struct segment_ref segment, uint64_t bytes);
/* Its MESSAGE now lies here (and its PROGRESS, if it has one). */
void ledger_set_place(
    struct ledger *ledger, struct ledger_entry *entry, struct place place);
void ledger_set_progress_place(
    struct ledger *ledger, struct ledger_entry *entry, struct place place);
/* All that segment_load() needs. */
struct segment_message ledger_where(
    const struct ledger *ledger, const struct ledger_entry *entry);

/*
 * Take out the oldest segment, if no live message lies in it and it is not the
 * newest; then order journal_drop().
 */
bool ledger_take_droppable(struct ledger *ledger, uint64_t *out_segment);
/* Octets by which the journal is larger than twice its live part and a little
 * more; 0 where it is not. */
uint64_t ledger_excess(const struct ledger *ledger, uint64_t segment_size);
/*
 * A message, WAITING or HELD, that lies in the oldest segment and is worth
 * moving: to be committed again as {MESSAGE, PROGRESS}.  NULL where there is no
 * excess, or while those that were looked at are busy: the search goes on at
 * the next call.
 *
 * room: free octets on the disk.  Where no segment would fit, one that holds
 * little is worth emptying without any excess, and none that holds more than
 * there is room for.
 */
struct ledger_entry *ledger_pinning(
    struct ledger *ledger, uint64_t segment_size, uint64_t room);
/* A message in the oldest segment that is due on an open route, and stays
 * WAITING; NULL where none is found soon. */
struct ledger_entry *ledger_due_in_oldest(struct ledger *ledger);

size_t ledger_segment_count(const struct ledger *ledger);
uint64_t ledger_segment_bytes(const struct ledger *ledger);
