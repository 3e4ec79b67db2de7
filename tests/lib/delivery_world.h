/*
 * A delivery and an upstream for it, in one loop: for the tests of delivery.
 *
 *   delivery_world_init(&world);
 *   world.options.chunking = true;      what shall differ
 *   world.fake_options.keywords = "...";
 *   delivery_world_open(&world);
 *   struct delivery_try *try = delivery_world_try(&world, "a@y b@y", "x\r\n");
 *   delivery_world_expect(try, "a@y delivered 2.0.0\n...");
 *   delivery_world_clear(&world);
 */
#pragma once

#include "delivery/attempt.h"
#include "lib/fake_upstream.h"
#include "message/message.h"

#include <stdbool.h>
#include <stddef.h>

#define DELIVERY_TRIES_MAX 64

/* One attempt, and what came of it. */
struct delivery_try {
	struct delivery_world *world;
	struct message *message;
	bool is_over;
	unsigned place; /* in the order in which they were over, from 1 */
	struct attempt_result result;
};

struct delivery_world {
	struct loop *loop;
	struct fake_options fake_options;
	struct fake_upstream *fake;
	struct upstream_options options;
	struct delivery *delivery;
	struct delivery_try tries[DELIVERY_TRIES_MAX];
	size_t try_count;
	unsigned over; /* tries that are */
	bool is_quiet; /* delivery_drain() is done */
	char *text;    /* what delivery_world_outcome() gave */
};

/* A server that pipelines; an upstream "main" without TLS, one connection. */
void delivery_world_init(struct delivery_world *world);
/* The server listens, and the upstream leads to it unless it says otherwise. */
void delivery_world_open(struct delivery_world *world);
/* All tries are over. */
void delivery_world_clear(struct delivery_world *world);

/* From "from@x.example", to addresses with blanks between; nothing is started
 * yet. */
struct delivery_try *delivery_world_message(
    struct delivery_world *world, const char *recipients, const char *content);
/* Start it, for all recipients. */
void delivery_world_start(struct delivery_try *try);
/* Both. */
struct delivery_try *delivery_world_try(
    struct delivery_world *world, const char *recipients, const char *content);
/* Run the loop until it is over. */
void delivery_world_wait(struct delivery_try *try);
/* Until all are. */
void delivery_world_wait_all(struct delivery_world *world);
/* Until the server came to stage so often. */
void delivery_world_until(
    struct delivery_world *world, enum fake_stage stage, unsigned count);
/* Until so many connections of the server are open. */
void delivery_world_until_open(struct delivery_world *world, unsigned count);
void delivery_world_drain(struct delivery_world *world);

/*
 * A line for each recipient, "a@y delivered 2.0.0\n", "b@y failed 5.1.1\n",
 * "c@y waiting 4.2.0\n", "d@y untried\n"; before them, where it is so,
 * "upstream failed\n", "local failure\n", "in doubt\n".  Borrowed until the
 * next call.
 */
const char *delivery_world_outcome(struct delivery_try *try);
/* Wait, then compare. */
void delivery_world_expect(struct delivery_try *try, const char *outcome);
