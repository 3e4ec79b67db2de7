/*
 * One message: its id, envelope, progress and content.  Owned in one place at a
 * time, and moved; nothing in it is counted.
 */
#pragma once

#include "base/bytes.h"
#include "message/body.h"
#include "message/envelope.h"
#include "message/progress.h"

#include <stdbool.h>
#include <stdint.h>

struct message {
	uint64_t id; /* microseconds since 1970, made unique; 0: none yet */
	struct envelope envelope;
	struct progress progress;
	struct body body;
	/* Of the content, as the queue has it on disk: see queue/record.h; 0
	 * before that. */
	uint64_t check;
};

struct message *message_new(void);
/* Removes no file. */
void message_free(struct message *message);

/* A queue id as people see it: 11 letters and digits, no vowels, sorts by time.
 */
#define QUEUE_ID_LEN 11
struct queue_id {
	char text[QUEUE_ID_LEN + 1];
};
/* The last id that has one of its own, in the year 2775; later ids share it. */
#define QUEUE_ID_MAX UINT64_C(25408476896404830)

struct queue_id queue_id_of(uint64_t id);
/* Case is ignored. False where text is no queue id. */
bool queue_id_parse(struct bytes text, uint64_t *out_id);
