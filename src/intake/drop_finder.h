/*
 * Which names to look at: those that inotify tells were renamed into the drop
 * directory, and those that a scan finds in it and in the taken folder.  A scan
 * goes on name by name from where it stopped, however many there are.
 */
#pragma once

#include "base/error.h"
#include "intake/drop_place.h"
#include "net/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct drop_finder;

/*
 * news is called in the loop when there may be something to find.  place is
 * borrowed until drop_finder_free(); a scan is due at once.
 */
bool drop_finder_new(struct loop *loop, const struct drop_place *place,
    int64_t settle_ms, loop_task_fn *news, void *ctx,
    struct drop_finder **out_finder, struct error *error) MUST_USE;
void drop_finder_free(struct drop_finder *finder);

enum drop_find {
	DROP_FIND_NOTHING, /* until news, or drop_finder_due() */
	DROP_FIND_MOVED,   /* in the drop directory, complete as its writer says
			    */
	DROP_FIND_LYING,   /* in the drop directory */
	DROP_FIND_TAKEN    /* in the taken folder */
};

/* The next name; *out_name is valid until the next call. It may be that of a
 * folder, and it may be gone. */
enum drop_find drop_finder_next(
    struct drop_finder *finder, const char **out_name);
/* Would drop_finder_next() find something, as far as is known? */
bool drop_finder_has_more(const struct drop_finder *finder);

/* Scan again at deadline (monotonic ms), or earlier. */
void drop_finder_scan_by(struct drop_finder *finder, int64_t deadline);
/* When the next scan is due, monotonic ms. */
int64_t drop_finder_due(const struct drop_finder *finder);
