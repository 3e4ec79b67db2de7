/*
 * The facts of a record: an envelope, or a progress, as octets (laid out in
 * record.h) and back.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "message/envelope.h"
#include "message/progress.h"

#include <stdbool.h>

void facts_put_envelope(struct buffer *buffer, const struct envelope *envelope);
void facts_put_progress(struct buffer *buffer, const struct progress *progress);

/*
 * Into an envelope that has been initialised and is empty; after ERROR_DATA it
 * is to be cleared all the same.
 */
bool facts_read_envelope(struct bytes facts, struct envelope *envelope,
    struct error *error) MUST_USE;
/* The same with a progress; what it held is released. */
bool facts_read_progress(struct bytes facts, struct progress *progress,
    struct error *error) MUST_USE;
