#include "queue/schedule.h"

#include "base/clock.h"
#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>

/* Due items given their rank at a time, so that no call takes long. */
#define WAKE_AT_A_TIME 16

/* A rank is a round of the fair queue, and behind it the order of arrival. */
#define ROUND_BITS 24

struct lane {
	struct heap waiting;             /* by due time */
	struct heap ready;               /* by rank */
	int64_t round;                   /* that is being served */
	int64_t shares[SCHEDULE_SHARES]; /* round after each class's newest */
	/* Both only while open: */
	struct heap_node sleep; /* in schedule->sleepers while some wait */
	struct heap_node turn;  /* in schedule->turns while some are ready */
	bool is_open;
};

struct schedule {
	struct lane **lanes; /* owned, by route; NULL where there is none */
	size_t lane_count;
	struct heap sleepers; /* lanes by their earliest due time */
	struct heap turns;    /* lanes, first the one served longest ago */
	int64_t served;       /* key for turns; counts up */
	uint32_t arrivals;
};

static struct lane *
find_lane(const struct schedule *schedule, uint16_t route)
{
	return route < schedule->lane_count ? schedule->lanes[route] : NULL;
}

static void
grow(struct schedule *schedule, size_t count)
{
	if (count <= schedule->lane_count)
		return;
	schedule->lanes =
	    memory_resize_array(schedule->lanes, count, sizeof(struct lane *));
	for (size_t i = schedule->lane_count; i < count; i++)
		schedule->lanes[i] = NULL;
	schedule->lane_count = count;
}

static struct lane *
make_lane(struct schedule *schedule, uint16_t route)
{
	struct lane *lane = find_lane(schedule, route);

	if (lane != NULL)
		return lane;
	grow(schedule, (size_t)route + 1);
	lane = memory_new(sizeof(*lane));
	heap_init(&lane->waiting);
	heap_init(&lane->ready);
	lane->is_open = true;
	schedule->lanes[route] = lane;
	return lane;
}

static void
free_lane(struct lane *lane)
{
	if (lane == NULL)
		return;
	heap_clear(&lane->waiting);
	heap_clear(&lane->ready);
	free(lane);
}

/* To be called after every change of a lane. */
static void
update(struct schedule *schedule, struct lane *lane)
{
	const struct heap_node *due = heap_first(&lane->waiting);

	if (lane->is_open && due != NULL)
		heap_set(&schedule->sleepers, &lane->sleep, due->key);
	else
		heap_remove(&schedule->sleepers, &lane->sleep);

	bool is_ready = lane->is_open && heap_first(&lane->ready) != NULL;
	if (!is_ready)
		heap_remove(&schedule->turns, &lane->turn);
	else if (!heap_has(&lane->turn))
		heap_insert(&schedule->turns, &lane->turn, schedule->served++);
}

static int64_t *
share_of(struct lane *lane, uint32_t sender)
{
	return &lane->shares[sender % SCHEDULE_SHARES];
}

static void
make_ready(
    struct schedule *schedule, struct lane *lane, struct schedule_item *item)
{
	int64_t *share = share_of(lane, item->sender);
	int64_t round = *share > lane->round ? *share : lane->round;
	uint32_t arrival = schedule->arrivals++ % (1U << ROUND_BITS);

	*share = round + 1;
	item->is_ready = true;
	heap_insert(&lane->ready, &item->node,
	    round * ((int64_t)1 << ROUND_BITS) + arrival);
}

/* What has become due meanwhile, or some of it. */
static void
wake(struct schedule *schedule, int64_t now)
{
	for (int i = 0; i < WAKE_AT_A_TIME; i++) {
		struct heap_node *first = heap_first(&schedule->sleepers);
		if (first == NULL || first->key > now)
			return;
		struct lane *lane = HEAP_ELEMENT(first, struct lane, sleep);
		struct heap_node *due = heap_first(&lane->waiting);
		heap_remove(&lane->waiting, due);
		make_ready(schedule, lane,
		    HEAP_ELEMENT(due, struct schedule_item, node));
		update(schedule, lane);
	}
}

/* The first of a lane leaves: its round is the lane's, and others have a turn.
 */
static void
count_as_served(
    struct schedule *schedule, struct lane *lane, const struct heap_node *node)
{
	int64_t round = node->key >> ROUND_BITS;

	if (round > lane->round)
		lane->round = round;
	if (heap_has(&lane->turn))
		heap_set(&schedule->turns, &lane->turn, schedule->served++);
}

struct schedule *
schedule_new(void)
{
	struct schedule *schedule = memory_new(sizeof(*schedule));

	heap_init(&schedule->sleepers);
	heap_init(&schedule->turns);
	return schedule;
}

void
schedule_free(struct schedule *schedule)
{
	if (schedule == NULL)
		return;
	for (size_t i = 0; i < schedule->lane_count; i++)
		free_lane(schedule->lanes[i]);
	free(schedule->lanes);
	heap_clear(&schedule->sleepers);
	heap_clear(&schedule->turns);
	free(schedule);
}

void
schedule_add(struct schedule *schedule, struct schedule_item *item,
    uint16_t route, uint32_t sender, int64_t due, int64_t now)
{
	assert(!item->is_scheduled);
	struct lane *lane = make_lane(schedule, route);

	*item = (struct schedule_item){
	    .sender = sender, .route = route, .is_scheduled = true};
	if (due <= now)
		make_ready(schedule, lane, item);
	else
		heap_insert(&lane->waiting, &item->node, due);
	update(schedule, lane);
}

void
schedule_remove(struct schedule *schedule, struct schedule_item *item)
{
	if (!item->is_scheduled)
		return;

	struct lane *lane = find_lane(schedule, item->route);
	assert(lane != NULL);
	if (heap_first(&lane->ready) == &item->node)
		count_as_served(schedule, lane, &item->node);
	heap_remove(
	    item->is_ready ? &lane->ready : &lane->waiting, &item->node);
	item->is_scheduled = false;
	update(schedule, lane);
}

struct schedule_item *
schedule_next(struct schedule *schedule, int64_t now)
{
	wake(schedule, now);
	struct heap_node *turn = heap_first(&schedule->turns);
	if (turn == NULL)
		return NULL;

	struct lane *lane = HEAP_ELEMENT(turn, struct lane, turn);
	return HEAP_ELEMENT(
	    heap_first(&lane->ready), struct schedule_item, node);
}

int64_t
schedule_deadline(const struct schedule *schedule)
{
	if (heap_first(&schedule->turns) != NULL)
		return 0;
	const struct heap_node *first = heap_first(&schedule->sleepers);
	return first == NULL ? CLOCK_NEVER : first->key;
}

void
schedule_open_route(struct schedule *schedule, uint16_t route)
{
	struct lane *lane = make_lane(schedule, route);

	lane->is_open = true;
	update(schedule, lane);
}

void
schedule_close_route(struct schedule *schedule, uint16_t route)
{
	struct lane *lane = make_lane(schedule, route);

	lane->is_open = false;
	update(schedule, lane);
}

bool
schedule_is_open(const struct schedule *schedule, uint16_t route)
{
	const struct lane *lane = find_lane(schedule, route);
	return lane == NULL || lane->is_open;
}

size_t
schedule_count(const struct schedule *schedule, uint16_t route)
{
	const struct lane *lane = find_lane(schedule, route);
	return lane == NULL ? 0 : lane->waiting.len + lane->ready.len;
}
