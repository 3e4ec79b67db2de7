/*
 * Where dropped files lie: the drop directory, which everybody may write to and
 * nobody list, and two private folders beside it, on the same mount:
 *
 *   /var/spool/postrider/drop          3733: what people and programs drop
 *   /var/spool/postrider/drop.taken    0700: claimed, being taken in
 *   /var/spool/postrider/drop.failed   0700: what could not be taken, each with
 *                                      NAME.reason beside it, in words
 *
 * A file is claimed by renaming it into taken: what happens to its name in the
 * drop directory afterwards is no concern of ours, and after a crash it is seen
 * where it was.  Names are other people's: they are used with these descriptors
 * alone, never in a path, and quoted in the log.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <sys/stat.h>

struct drop_place {
	char *path; /* of the drop directory */
	int drop_fd;
	int taken_fd;
	int failed_fd;
};

/*
 * Open the three, making those that are missing.  ERROR_CONFIG, with what is to
 * be done about it, where one belongs to somebody else, has a mode that lets
 * others at the files, or is on another mount.
 */
bool drop_place_open(struct drop_place *place, const char *directory,
    struct error *error) MUST_USE;
void drop_place_close(struct drop_place *place);

/* Is a file of this name meant to be taken?  Not hidden ones, *.tmp, *.part. */
bool drop_place_is_ready_name(const char *name);

enum drop_claim {
	DROP_CLAIMED,
	DROP_GONE,  /* somebody took it away again */
	DROP_LATER, /* one of that name is still being taken in */
	DROP_STUCK  /* it cannot be moved: error says why */
};

/* Into taken. */
enum drop_claim drop_place_claim(
    const struct drop_place *place, const char *name, struct error *error);
/* Away with a file that was taken. */
bool drop_place_remove(const struct drop_place *place, const char *name,
    struct error *error) MUST_USE;
/* From taken to failed, with reason beside it.  Where that fails the file stays
 * where it is. */
bool drop_place_fail(const struct drop_place *place, const char *name,
    const char *reason, struct error *error) MUST_USE;
