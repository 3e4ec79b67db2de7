/*
 * The door of a daemon without one: keeps the messages it is handed, and
 * answers their receipts in a later turn, or when the test says so.
 */
#pragma once

#include "base/buffer.h"
#include "intake/door.h"
#include "net/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_DOOR_MAX 64

struct fake_letter {
	struct message *message; /* owned */
	struct receipt *receipt; /* NULL: answered or cancelled */
};

struct fake_door {
	struct door door;
	struct loop *loop;
	struct loop_task task;
	struct fake_letter letters[FAKE_DOOR_MAX];
	size_t count;            /* letters handed in */
	size_t answered;         /* receipts answered */
	size_t cancelled;        /* receipts cancelled */
	uint64_t last_id;        /* given out */
	enum door_answer room;   /* what ask() says */
	uint64_t asked_size;     /* by the last ask() */
	enum door_answer answer; /* what receipts are told */
	bool later;              /* only by fake_door_answer() */
	bool forgets;            /* frees messages once they are answered */
	size_t most;             /* receipts that waited at once */
	long flushed;            /* what flush_domain() says */
	char domain[256];        /* asked of it */
};

void fake_door_init(struct fake_door *fake, struct loop *loop);
void fake_door_clear(struct fake_door *fake);
/* Answer all that wait, now. */
void fake_door_answer(struct fake_door *fake, enum door_answer answer);
/* The content of message number index, a text of the caller's. */
char *fake_door_content(const struct fake_door *fake, size_t index);
