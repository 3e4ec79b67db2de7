/*
 * Whose the queue is: its directories and segments belong to who runs the
 * daemon, and nobody else may write to them.
 */
#pragma once

#include "base/error.h"
#include "queue/disk.h"

#include <stdbool.h>
#include <sys/types.h>

/* Mail, or what became of it, is in the hands of others than owner. */
bool ownership_is_shared(const struct disk_facts *facts, uid_t owner);
/*
 * False: it is in other hands, ERROR_CONFIG, with the command that mends it.
 *
 * path, name  of the queue's directory, and what it is of it; "": itself
 */
bool ownership_check(const struct disk_facts *facts, uid_t owner,
    const char *path, const char *name, struct error *error) MUST_USE;
