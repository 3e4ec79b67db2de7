/*
 * What the files of the shelf share; for nobody else:
 *
 *   shelf.c        the directory: opening, finding the segments, their bounds
 *   shelf_begin.c  how a segment begins, and the spare that it begins in
 *   shelf_drop.c   how the oldest goes
 */
#pragma once

#include "base/error.h"
#include "queue/bounds.h"
#include "queue/shelf.h"

#include <stdbool.h>

/* All names are durable afterwards; nothing is done where they are already. */
bool shelf_sync_names(struct shelf *shelf, struct error *error) MUST_USE;
/* Rename a file of the queue's directory; shelf_sync_names() makes it durable.
 */
bool shelf_rename(struct shelf *shelf, const char *from, const char *to,
    struct error *error) MUST_USE;
/* Write bounds, durably where is_synced, and keep them in shelf; the name of a
 * new file waits for shelf_sync_names().  False: what the file tells now may be
 * less than is true. */
bool shelf_write_bounds(struct shelf *shelf, struct bounds bounds,
    bool is_synced, struct error *error);
/* fd was only read, or is synced, or given up; below 0: nothing. */
void shelf_close_fd(const struct shelf *shelf, int fd);
