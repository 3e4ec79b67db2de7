/*
 * A message of the queue as the admin socket tells of it, in lists and alone.
 * Its envelope and what became of it are read from the queue's files, as they
 * are needed.
 */
#pragma once

#include "base/error.h"
#include "control/json_writer.h"
#include "daemon/dispatch.h"

#include <stdbool.h>
#include <stddef.h>

struct queue_view {
	struct dispatch *dispatch;
	int large_fd;       /* the folder of large bodies; not owned */
	unsigned *listings; /* how many are being read now: the daemon's */
};

/* "waiting", "in_flight", "settling", "held" */
const char *queue_view_state_name(enum ledger_state state);
/* All but the content, which is only found; to be freed by message_free(). */
bool queue_view_load(const struct queue_view *view,
    const struct ledger_entry *entry, struct message **out_message,
    struct error *error) MUST_USE;
/* The recipient, by its number, is neither delivered nor given up. */
bool queue_view_is_waiting(const struct message *message, size_t recipient);
/* Why it waits: what its upstream said, or that the upstream is down; NULL
 * where it was not tried. */
const char *queue_view_delay_reason(const struct queue_view *view,
    const struct ledger_entry *entry, const struct message *message,
    size_t recipient);
/* The members of a message in a list, those of `postqueue -j` first, into the
 * object that is open. */
void queue_view_write(const struct queue_view *view,
    const struct ledger_entry *entry, const struct message *message,
    struct json_writer *json);
/* The same of one that could not be loaded: it has no recipients to show, and
 * "error" says why. */
void queue_view_write_unread(const struct ledger_entry *entry,
    const struct error *why, struct json_writer *json);
