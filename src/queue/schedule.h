/*
 * Which message is next: by route, by time, and fairly between senders.
 *
 * Each route is a lane: what is not due yet waits in a heap by its time, what
 * is due in a heap by a fair rank.  A sender's messages get ranks one apart,
 * not below the rank that is being served (start-time fair queueing): whoever
 * sends one message is not kept waiting by whoever sends ten thousand.  Senders
 * are told apart by a hash in SCHEDULE_SHARES classes, so this takes no memory
 * per sender.
 *
 * A closed route (its upstream is down, or has all it can take) offers nothing
 * and blocks no other; open routes take turns.
 *
 * All times are monotonic ms; the wall clock may jump as it likes.
 */
#pragma once

#include "base/heap.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHEDULE_SHARES 256

struct schedule;

/* Embedded in what is scheduled. Changed only by schedule.c. */
struct schedule_item {
	struct heap_node node; /* key: due time, or rank */
	uint32_t sender;       /* hash of whom it is from */
	uint16_t route;
	bool is_ready; /* in the heap by rank */
	bool is_scheduled;
};

struct schedule *schedule_new(void);
/* The items are the caller's. */
void schedule_free(struct schedule *schedule);

/* item is not scheduled; its route is made, open, where it is new. */
void schedule_add(struct schedule *schedule, struct schedule_item *item,
    uint16_t route, uint32_t sender, int64_t due, int64_t now);
/* Does nothing for an item that is not scheduled. */
void schedule_remove(struct schedule *schedule, struct schedule_item *item);
/*
 * The item to be served next, of all that are due on open routes, or NULL.  It
 * stays until schedule_remove(), which counts as having served it.
 */
struct schedule_item *schedule_next(struct schedule *schedule, int64_t now);
/* When schedule_next() will have something: 0 where it has now, CLOCK_NEVER
 * where all is empty or closed. */
int64_t schedule_deadline(const struct schedule *schedule);

void schedule_open_route(struct schedule *schedule, uint16_t route);
void schedule_close_route(struct schedule *schedule, uint16_t route);
bool schedule_is_open(const struct schedule *schedule, uint16_t route);
/* Items on this route, due or not. */
size_t schedule_count(const struct schedule *schedule, uint16_t route);
