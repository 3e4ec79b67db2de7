/*
 * The queue as Postfix's mailq prints it, which monitoring programs read:
 *
 *   -Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------
 *   4bXkzM2wQ1t*   1337 Mon Nov 23 05:52:00  root@web1.example
 *                   (connect to smtp.example.com: Connection refused)
 *                                            ops@example.com
 *
 *   -- 1 Kbytes in 1 Request.
 *
 * '*' stands behind the id of a message under way, '!' behind one on hold.
 */
#pragma once

#include "base/buffer.h"

#include <stddef.h>
#include <stdint.h>

enum mailq_state {
	MAILQ_WAITING,
	MAILQ_ACTIVE,
	MAILQ_HELD
};

struct mailq_recipient {
	const char *address;
	const char *reason; /* why it still waits, or NULL */
};

/* Borrowed for the call. */
struct mailq_entry {
	const char *id;
	enum mailq_state state;
	uint64_t size_bytes;
	int64_t arrived_at; /* wall clock, ms */
	const char *sender; /* "": the null sender */
	const struct mailq_recipient *recipients;
	size_t recipient_count;
};

/* What has been appended so far; all 0 at first. */
struct mailq_text {
	uint64_t messages;
	uint64_t bytes;
};

/* Each appends its lines to buffer; control characters come out as '?'. */
void mailq_text_entry(struct mailq_text *text, const struct mailq_entry *entry,
    struct buffer *buffer);
/* The last line: "-- N Kbytes in M Request(s)." or "Mail queue is empty". */
void mailq_text_finish(const struct mailq_text *text, struct buffer *buffer);
