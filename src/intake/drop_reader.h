/*
 * One dropped file on its way to a message: opened, checked, read in pieces.
 *
 * The file is somebody else's until it is read: only a regular file with one
 * name is opened at all, its owner is the submitter whatever it says, and what
 * changes while it is read is read again later.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "intake/admission.h"
#include "intake/content.h"
#include "intake/rewrite.h"
#include "message/message.h"
#include "smtp/dot.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* Octets that one step reads. */
#define DROP_READER_STEP ((size_t)64 * 1024)

enum drop_reading {
	DROP_READING_ON,      /* call _step() again */
	DROP_READING_DONE,    /* message is complete but for its key's check */
	DROP_READING_REFUSED, /* never: error says why, for the .reason */
	DROP_READING_LATER    /* not now: error says why */
};

/* All zeroes: nothing is read. */
struct drop_reader {
	struct admission *admission;
	const struct rewrite_options *rewrite; /* borrowed */
	int64_t now;                           /* wall clock, ms */
	int fd;
	struct stat facts;       /* when it was opened */
	struct message *message; /* owned; NULL once taken away */
	struct content content;
	bool has_content;
	char submitter[32];  /* "uid 1000", for Received */
	struct buffer front; /* up to where the body begins for sure */
	struct dot_encoder encoder;
	void *hash; /* of all octets so far */
	uint64_t offset;
};

/*
 * Open name in directory_fd.  now is wall clock, ms.  On anything but ON there
 * is nothing to clear.
 */
enum drop_reading drop_reader_open(struct drop_reader *reader,
    struct admission *admission, const struct rewrite_options *rewrite,
    int directory_fd, const char *name, int64_t now, struct error *error);
/* Read up to DROP_READER_STEP octets more. */
enum drop_reading drop_reader_step(
    struct drop_reader *reader, struct error *error);
/* After DONE: the message is the caller's now, its envelope has the drop key.
 * Its memory stays reserved until drop_reader_clear(). */
struct message *drop_reader_take(struct drop_reader *reader);
/* Also after a failure, and where nothing was opened. */
void drop_reader_clear(struct drop_reader *reader);
