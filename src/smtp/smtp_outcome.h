/*
 * What came of a phase: made from a reply or in words of ours, and kept beyond
 * the reply.  Private to the client session.
 */
#pragma once

#include "base/buffer.h"
#include "smtp/reply.h"
#include "smtp/smtp_client.h"

#include <stdbool.h>

/* An outcome with texts of its own.  All zeroes: none is kept. */
struct smtp_kept_outcome {
	bool is_set;
	struct smtp_outcome outcome; /* its views are of this struct */
	char enhanced[16];
	struct buffer text;
};

/* A peer's reply; its texts are views of reply. */
struct smtp_outcome smtp_outcome_replied(
    enum smtp_phase phase, const struct reply *reply);
/* What we refuse to ask; the texts are borrowed for ever. */
struct smtp_outcome smtp_outcome_not_offered(
    enum smtp_phase phase, int code, const char *enhanced, const char *text);

/* Copy outcome in place of what was kept before. */
void smtp_outcome_keep(
    struct smtp_kept_outcome *kept, const struct smtp_outcome *outcome);
/* Release what is kept. */
void smtp_outcome_drop(struct smtp_kept_outcome *kept);
