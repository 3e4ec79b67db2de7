#include "queue/ledger.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/seed.h"
#include "queue/roster.h"

#include <assert.h>
#include <stdlib.h>

/* Messages of the oldest segment that are looked at in a call. */
#define LOOKS 64
/* The part of a segment that may be moved where there is no room for one. */
#define TIGHT_PART 4

TAILQ_HEAD(entry_list, ledger_entry);

struct ledger_segment {
	struct segment_ref ref;
	uint64_t bytes;            /* of its file */
	uint64_t live_bytes;       /* of messages that lie in it */
	struct entry_list entries; /* whose MESSAGE lies in it */
};

struct ledger {
	struct roster entries; /* owned entries, all */
	struct schedule *schedule;
	struct entry_list lists[LEDGER_STATES]; /* WAITING's stays empty */
	size_t counts[LEDGER_STATES];
	struct heap alarms;
	uint64_t highest_id;
	struct ledger_segment **segments; /* owned, oldest first */
	size_t segment_count;
	size_t segment_capacity;
	uint64_t bytes;      /* of all segments */
	uint64_t live_bytes; /* of all messages */
};

/* ---- states ---- */

static void
enter(
    struct ledger *ledger, struct ledger_entry *entry, enum ledger_state state)
{
	entry->state = (uint8_t)state;
	ledger->counts[state]++;
	if (state != LEDGER_WAITING)
		TAILQ_INSERT_TAIL(&ledger->lists[state], entry, siblings);
}

static void
leave(struct ledger *ledger, struct ledger_entry *entry)
{
	ledger->counts[entry->state]--;
	if (entry->state == LEDGER_WAITING)
		schedule_remove(ledger->schedule, &entry->item);
	else
		TAILQ_REMOVE(&ledger->lists[entry->state], entry, siblings);
}

/* ---- segments ---- */

static struct ledger_segment *
find_segment(const struct ledger *ledger, uint64_t number)
{
	size_t low = 0;
	size_t high = ledger->segment_count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (ledger->segments[middle]->ref.number < number)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == ledger->segment_count ||
	    ledger->segments[low]->ref.number != number)
		return NULL;
	return ledger->segments[low];
}

static struct ledger_segment *
newest_segment(const struct ledger *ledger)
{
	return ledger->segment_count == 0
	    ? NULL
	    : ledger->segments[ledger->segment_count - 1];
}

/* What a message takes of its segment. */
static uint64_t
live_bytes(const struct ledger_entry *entry)
{
	return entry->place.len + (entry->is_large ? 0 : entry->size);
}

static void
settle_in(struct ledger *ledger, struct ledger_entry *entry, struct place place)
{
	struct ledger_segment *segment = find_segment(ledger, place.segment);
	assert(segment != NULL);

	entry->place = place;
	TAILQ_INSERT_TAIL(&segment->entries, entry, neighbours);
	segment->live_bytes += live_bytes(entry);
	ledger->live_bytes += live_bytes(entry);
}

static void
move_out(struct ledger *ledger, struct ledger_entry *entry)
{
	struct ledger_segment *segment =
	    find_segment(ledger, entry->place.segment);
	assert(segment != NULL);

	TAILQ_REMOVE(&segment->entries, entry, neighbours);
	segment->live_bytes -= live_bytes(entry);
	ledger->live_bytes -= live_bytes(entry);
}

static void
add_segment(struct ledger *ledger, struct segment_ref ref)
{
	if (ledger->segment_count == ledger->segment_capacity) {
		ledger->segment_capacity = ledger->segment_capacity == 0
		    ? 8
		    : ledger->segment_capacity * 2;
		ledger->segments = memory_resize_array(ledger->segments,
		    ledger->segment_capacity, sizeof(struct ledger_segment *));
	}

	struct ledger_segment *segment = memory_new(sizeof(*segment));
	segment->ref = ref;
	TAILQ_INIT(&segment->entries);
	ledger->segments[ledger->segment_count++] = segment;
}

/* ---- the ledger ---- */

struct ledger *
ledger_new(void)
{
	struct ledger *ledger = memory_new(sizeof(*ledger));

	roster_init(&ledger->entries);
	ledger->schedule = schedule_new();
	for (size_t i = 0; i < LEDGER_STATES; i++)
		TAILQ_INIT(&ledger->lists[i]);
	heap_init(&ledger->alarms);
	return ledger;
}

void
ledger_free(struct ledger *ledger)
{
	if (ledger == NULL)
		return;

	struct ledger_entry *entry = roster_after(&ledger->entries, 0);
	while (entry != NULL) {
		uint64_t id = entry->id;
		free(entry);
		entry = roster_after(&ledger->entries, id);
	}
	roster_clear(&ledger->entries);
	schedule_free(ledger->schedule);
	heap_clear(&ledger->alarms);
	for (size_t i = 0; i < ledger->segment_count; i++)
		free(ledger->segments[i]);
	free(ledger->segments);
	free(ledger);
}

uint64_t
ledger_new_id(struct ledger *ledger, int64_t now_wall)
{
	/* A clock that is out of its mind gives no ids. */
	bool is_sane = now_wall > 0 && now_wall < (int64_t)QUEUE_ID_MAX / 2000;
	uint64_t id = is_sane ? (uint64_t)now_wall * 1000 : 0;

	if (id <= ledger->highest_id)
		id = ledger->highest_id + 1;
	ledger->highest_id = id;
	return id;
}

void
ledger_raise_id(struct ledger *ledger, uint64_t id)
{
	if (id > ledger->highest_id)
		ledger->highest_id = id;
}

struct ledger_entry *
ledger_add(struct ledger *ledger, uint64_t id, struct place place,
    uint64_t size, bool is_large, uint32_t sender)
{
	assert(id != 0);
	struct ledger_entry *entry = memory_new(sizeof(*entry));

	entry->id = id;
	entry->size = size;
	entry->is_large = is_large;
	entry->sender = sender;
	roster_insert(&ledger->entries, id, entry);
	ledger_raise_id(ledger, id);
	settle_in(ledger, entry, place);
	enter(ledger, entry, LEDGER_SETTLING);
	return entry;
}

void
ledger_remove(struct ledger *ledger, struct ledger_entry *entry)
{
	leave(ledger, entry);
	move_out(ledger, entry);
	heap_remove(&ledger->alarms, &entry->alarm);
	roster_remove(&ledger->entries, entry->id);
	free(entry);
}

struct ledger_entry *
ledger_find(const struct ledger *ledger, uint64_t id)
{
	return roster_find(&ledger->entries, id);
}

struct ledger_entry *
ledger_after(const struct ledger *ledger, uint64_t id)
{
	return roster_after(&ledger->entries, id);
}

size_t
ledger_size(const struct ledger *ledger)
{
	return ledger->entries.len;
}

size_t
ledger_count(const struct ledger *ledger, enum ledger_state state)
{
	return ledger->counts[state];
}

void
ledger_wait(struct ledger *ledger, struct ledger_entry *entry, uint16_t route,
    int64_t due, int64_t now)
{
	leave(ledger, entry);
	entry->route = route;
	entry->item = (struct schedule_item){.is_scheduled = false};
	schedule_add(
	    ledger->schedule, &entry->item, route, entry->sender, due, now);
	enter(ledger, entry, LEDGER_WAITING);
}

void
ledger_move(
    struct ledger *ledger, struct ledger_entry *entry, enum ledger_state state)
{
	assert(state != LEDGER_WAITING);
	leave(ledger, entry);
	enter(ledger, entry, state);
}

struct ledger_entry *
ledger_first(const struct ledger *ledger, enum ledger_state state)
{
	assert(state != LEDGER_WAITING);
	return TAILQ_FIRST(&ledger->lists[state]);
}

struct ledger_entry *
ledger_next(const struct ledger_entry *entry)
{
	assert(entry->state != LEDGER_WAITING);
	return TAILQ_NEXT(entry, siblings);
}

struct ledger_entry *
ledger_due(struct ledger *ledger, int64_t now)
{
	struct schedule_item *item = schedule_next(ledger->schedule, now);

	if (item == NULL)
		return NULL;
	return (struct ledger_entry *)(void *)((char *)item -
	    offsetof(struct ledger_entry, item));
}

struct schedule *
ledger_schedule(struct ledger *ledger)
{
	return ledger->schedule;
}

void
ledger_set_alarm(struct ledger *ledger, struct ledger_entry *entry, int64_t at)
{
	if (at == CLOCK_NEVER)
		heap_remove(&ledger->alarms, &entry->alarm);
	else
		heap_set(&ledger->alarms, &entry->alarm, at);
}

struct ledger_entry *
ledger_take_alarm(struct ledger *ledger, int64_t now)
{
	struct heap_node *node = heap_first(&ledger->alarms);

	if (node == NULL || node->key > now)
		return NULL;
	heap_remove(&ledger->alarms, node);
	return HEAP_ELEMENT(node, struct ledger_entry, alarm);
}

int64_t
ledger_alarm_deadline(const struct ledger *ledger)
{
	const struct heap_node *node = heap_first(&ledger->alarms);
	return node == NULL ? CLOCK_NEVER : node->key;
}

void
ledger_set_segment(
    struct ledger *ledger, struct segment_ref segment, uint64_t bytes)
{
	const struct ledger_segment *newest = newest_segment(ledger);

	if (newest == NULL || newest->ref.number < segment.number)
		add_segment(ledger, segment);
	struct ledger_segment *known = find_segment(ledger, segment.number);
	assert(known != NULL);
	ledger->bytes += bytes - known->bytes;
	known->bytes = bytes;
}

void
ledger_set_place(
    struct ledger *ledger, struct ledger_entry *entry, struct place place)
{
	move_out(ledger, entry);
	settle_in(ledger, entry, place);
}

void
ledger_set_progress_place(
    struct ledger *ledger, struct ledger_entry *entry, struct place place)
{
	assert(find_segment(ledger, place.segment) != NULL);
	entry->progress_place = place;
}

struct segment_message
ledger_where(const struct ledger *ledger, const struct ledger_entry *entry)
{
	const struct ledger_segment *segment =
	    find_segment(ledger, entry->place.segment);
	assert(segment != NULL);
	struct segment_message where = {
	    .id = entry->id,
	    .segment = segment->ref,
	    .place = entry->place,
	    .progress_place = entry->progress_place,
	};

	if (entry->progress_place.segment != 0) {
		segment = find_segment(ledger, entry->progress_place.segment);
		assert(segment != NULL);
		where.progress_segment = segment->ref;
	}
	return where;
}

bool
ledger_take_droppable(struct ledger *ledger, uint64_t *out_segment)
{
	if (ledger->segment_count < 2)
		return false;
	size_t at = SEED(DROP_MIDDLE) && ledger->segment_count > 2 ? 1 : 0;
	struct ledger_segment *oldest = ledger->segments[at];
	if (!TAILQ_EMPTY(&oldest->entries))
		return false;

	*out_segment = oldest->ref.number;
	ledger->bytes -= oldest->bytes;
	free(oldest);
	ledger->segment_count--;
	for (size_t i = at; i < ledger->segment_count; i++)
		ledger->segments[i] = ledger->segments[i + 1];
	return true;
}

uint64_t
ledger_excess(const struct ledger *ledger, uint64_t segment_size)
{
	uint64_t fair = 2 * (ledger->live_bytes + segment_size);

	return ledger->bytes > fair ? ledger->bytes - fair : 0;
}

typedef bool is_wanted_fn(
    const struct ledger *ledger, const struct ledger_entry *entry);

static bool
is_due(const struct ledger *ledger, const struct ledger_entry *entry)
{
	return entry->state == LEDGER_WAITING && entry->item.is_ready &&
	    schedule_is_open(ledger->schedule, entry->route);
}

static bool
is_at_rest(const struct ledger *ledger, const struct ledger_entry *entry)
{
	(void)ledger;
	return entry->state == LEDGER_WAITING || entry->state == LEDGER_HELD;
}

/* Those looked at go to the end of the line, so that the next search does not
 * begin with them. */
static struct ledger_entry *
search_oldest(struct ledger *ledger, is_wanted_fn *is_wanted)
{
	struct entry_list *entries = &ledger->segments[0]->entries;

	for (int i = 0; i < LOOKS; i++) {
		struct ledger_entry *entry = TAILQ_FIRST(entries);
		if (entry == NULL)
			return NULL;
		TAILQ_REMOVE(entries, entry, neighbours);
		TAILQ_INSERT_TAIL(entries, entry, neighbours);
		if (is_wanted(ledger, entry))
			return entry;
	}
	return NULL;
}

struct ledger_entry *
ledger_pinning(struct ledger *ledger, uint64_t segment_size, uint64_t room)
{
	if (ledger->segment_count < 2)
		return NULL;
	const struct ledger_segment *oldest = ledger->segments[0];
	bool is_large = ledger_excess(ledger, segment_size) > 0;
	bool is_cheap = oldest->live_bytes <= oldest->bytes / TIGHT_PART;
	bool is_worth_it = room >= segment_size
	    ? is_large
	    : is_cheap || (is_large && oldest->live_bytes <= room / 2);

	return is_worth_it ? search_oldest(ledger, is_at_rest) : NULL;
}

struct ledger_entry *
ledger_due_in_oldest(struct ledger *ledger)
{
	return ledger->segment_count < 2 ? NULL : search_oldest(ledger, is_due);
}

size_t
ledger_segment_count(const struct ledger *ledger)
{
	return ledger->segment_count;
}

uint64_t
ledger_segment_bytes(const struct ledger *ledger)
{
	return ledger->bytes;
}
