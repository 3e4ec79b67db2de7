/*
 * The drop directory: files become messages (drop_place.h says where they lie,
 * message/dropfile.h what is in them).
 *
 * A file that was renamed into its name is taken at once; one that was written
 * in place, once it has stood unchanged for settle_ms.  Each is claimed, read,
 * handed to the door, and removed when the door says that it is durable.  What
 * cannot be taken goes to the failed folder with the reason beside it; what
 * cannot be taken now (no room, a disk error) stays claimed and is tried again.
 *
 * inotify tells when to look; a scan now and then finds what it did not tell.
 * A turn reads at most DROP_INTAKE_TURN octets and looks at some hundreds of
 * names, and so many files are under way at once, however many there are.
 *
 * A crash, at any point, leaves a file in the drop directory or in the taken
 * folder.  What was there before the start is compared by its drop key
 * (content, inode and time) with what the queue has, and only removed where it
 * is known.
 */
#pragma once

#include "base/error.h"
#include "intake/admission.h"
#include "intake/rewrite.h"
#include "net/loop.h"

#include <stdbool.h>
#include <stdint.h>

#define DROP_INTAKE_TURN ((size_t)1024 * 1024)
#define DROP_INTAKE_MAX  64 /* files under way */

struct drop_intake;

struct drop_intake_options {
	const char *directory; /* absolute; borrowed for the call */
	int64_t settle_ms;
	struct rewrite_options rewrite; /* its texts are borrowed for ever */
	/* Has the queue, as it was recovered at the start, a message with this
	 * key, even a finished one? NULL: none. */
	bool (*is_known)(uint64_t drop_key, void *ctx);
	void *ctx;
};

/*
 * Make and check the folders, then begin in the next turn.  ERROR_CONFIG, in
 * words for the administrator, where a folder is not as it must be.
 */
bool drop_intake_new(struct loop *loop, struct admission *admission,
    const struct drop_intake_options *options, struct drop_intake **out_drop,
    struct error *error) MUST_USE;
/* Files under way stay claimed; what the door has stays accepted. */
void drop_intake_free(struct drop_intake *drop);

/* Begin and read no more files; those the door has are still removed. */
void drop_intake_pause(struct drop_intake *drop);
void drop_intake_resume(struct drop_intake *drop);

/* Files since the start: made messages; put into the failed folder. */
unsigned long drop_intake_taken(const struct drop_intake *drop);
unsigned long drop_intake_failed(const struct drop_intake *drop);
