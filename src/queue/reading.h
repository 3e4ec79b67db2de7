/*
 * The records of a unit with their facts read: an envelope, or a progress.
 */
#pragma once

#include "message/envelope.h"
#include "message/progress.h"
#include "queue/record.h"

#include <stdbool.h>
#include <stddef.h>

struct reading {
	struct record_head head;
	struct envelope envelope; /* MESSAGE */
	struct progress progress; /* PROGRESS */
};

/*
 * All records of a unit, from its heads, which are intact; readings has room
 * for UNIT_RECORDS_MAX.  False: what the heads hold is not of our making; such
 * a unit is damaged.  *out_count readings are to be cleared in both cases;
 * views in them are of the heads.
 */
bool reading_take(
    struct bytes heads, struct reading *readings, size_t *out_count) MUST_USE;
void reading_clear(struct reading *readings, size_t count);
