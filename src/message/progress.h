/*
 * How far the delivery of a message has come, one entry for each recipient of
 * its envelope, in the same order.  A progress is complete in itself: the
 * newest one replaces all before it.
 */
#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum recipient_state {
	RECIPIENT_WAITING,
	RECIPIENT_DELIVERED, /* taken by the upstream */
	RECIPIENT_FAILED     /* given up: reported to the sender, or that is not
				wanted */
};

struct recipient_progress {
	enum recipient_state state;
	/* Of the newest attempt; NULL before the first. */
	char *status;   /* "4.2.0" */
	char *reason;   /* the reply, or what happened, in one line */
	char *upstream; /* its name and host: "main smtp.example.com[192.0.2.1]"
			 */
};

struct progress {
	unsigned attempts;    /* begun, for the message as a whole */
	int64_t attempted_at; /* wall clock ms of the newest; 0: never */
	int64_t next_at;      /* wall clock ms; when to try again */
	bool delay_reported;  /* the sender has been told of the delay */
	bool held;
	unsigned in_doubt; /* attempts that may have delivered (duplicates) */
	struct recipient_progress
	    *recipients; /* recipient_count of the envelope */
	size_t recipient_count;
};

/* All waiting, nothing attempted. */
void progress_init(struct progress *progress, size_t recipient_count);
void progress_clear(struct progress *progress);
/* What to held is released; it was initialised, cleared, or all zero. */
void progress_copy(struct progress *to, const struct progress *from);
/* Texts are copied, made one line of printable UTF-8 and cut at 1 KiB; an empty
 * one becomes NULL. */
void progress_set(struct progress *progress, size_t recipient,
    enum recipient_state state, struct bytes status, struct bytes reason,
    struct bytes upstream);
size_t progress_count(
    const struct progress *progress, enum recipient_state state);
/* No recipient is waiting. */
bool progress_is_finished(const struct progress *progress);
