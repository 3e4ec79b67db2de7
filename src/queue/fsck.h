/*
 * A look at a whole queue that changes nothing: what is in it, what is damaged,
 * and what that costs.
 *
 * Files and directories are opened for reading only.  Segments, units and
 * records are read by the code that reads them at a start (inventory, scan,
 * reading), and what counts there counts here; every checksum is verified, the
 * contents' too, those of messages that have ended included.  Memory depends on
 * the number of messages, not on their size.
 *
 * What cannot be seen: that the end of the newest segment is gone from a commit
 * group on; that looks like a queue that was stopped earlier.  That whole
 * segments are gone is seen by the file bounds (bounds.h), where that is there.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "queue/disk.h"
#include "queue/ledger.h"
#include "queue/segment.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fsck_gravity {
	FSCK_HARMLESS, /* no message depends on it */
	FSCK_DOUBTFUL, /* a commit that was under way, or damage */
	FSCK_DAMAGE    /* mail, or what became of it, is lost */
};
#define FSCK_GRAVITIES 3

enum fsck_kind {
	FSCK_EMPTY,       /* a queue without any segment */
	FSCK_HEADLESS,    /* a segment without a sound header */
	FSCK_FOREIGN,     /* a segment of another format; version says which */
	FSCK_STRANGER,    /* a segment that does not follow the one before it */
	FSCK_HEADER_COPY, /* one of the two copies of a segment's header */
	FSCK_UNITS,       /* units that are damaged or missing */
	FSCK_TORN,        /* the same in the newest commit group */
	FSCK_CONTENT,     /* of a message that is in the queue */
	FSCK_OLD_CONTENT, /* of one that has ended, or lies elsewhere now */
	FSCK_FILLING,     /* octets between two units that should be 0 */
	FSCK_MESSAGE, /* it can be found, but not be read: detail says why */
	FSCK_LOST,    /* attempts are recorded, but no message */
	FSCK_LARGE,   /* a large file that is missing or damaged */
	FSCK_ORPHAN,  /* a large file of no message */
	FSCK_SUMMARY, /* a summary that does not count, or disagrees */
	FSCK_MISSING, /* segments that are gone as whole files; detail says
			 which */
	FSCK_NO_FILE, /* what should be a file, and is a directory, a link... */
	FSCK_SHARED /* a file that others may write to, or that is another's */
};
#define FSCK_KINDS 18

/* Fields that do not apply are 0. */
struct fsck_finding {
	enum fsck_kind kind;
	enum fsck_gravity gravity;
	char file[48];       /* in the queue's directory */
	uint64_t segment;    /* generation of the segment */
	uint64_t offset;     /* in that file, */
	uint64_t len;        /* octets */
	uint64_t first_unit; /* UNITS, TORN: numbers, */
	uint64_t units;      /* and how many */
	uint64_t id;         /* of the message; 0: not known */
	uint32_t version;    /* FOREIGN */
	/* There is a copy in corrupt/ already: a start has told of it. */
	bool is_kept;
	/* UNITS: the segment's summary still tells what was in them. */
	bool is_summed;
	char *detail; /* owned, or NULL */
};

struct fsck_segment {
	char name[SEGMENT_NAME_SIZE];
	struct segment_header header;
	uint64_t bytes;    /* of the file */
	uint64_t end;      /* octets up to the end of its last unit */
	uint64_t units;    /* sound ones */
	uint64_t messages; /* MESSAGE records in them; */
	uint64_t live;     /* messages of the queue that lie here */
	bool has_summary;  /* that counts */
};

/* A file in corrupt/. */
struct fsck_kept {
	char *name; /* owned */
	uint64_t bytes;
};

struct fsck_sum {
	uint64_t count;
	uint64_t bytes;
};

struct fsck {
	const struct disk *disk; /* borrowed */
	bool is_live; /* looked at while a process may have been changing it */
	struct fsck_segment *segments; /* owned, oldest first */
	size_t segment_count;
	struct fsck_finding *findings; /* owned, segment by segment */
	size_t finding_count;
	uint64_t gravities[FSCK_GRAVITIES]; /* how many findings of each */
	/* The messages, all WAITING or HELD; where they lie, too. */
	struct ledger *ledger; /* owned */
	struct fsck_sum waiting, held;
	struct fsck_sum large;   /* referenced, and there */
	struct fsck_sum orphans; /* in large/, of no message */
	struct fsck_kept *kept;  /* owned: what is in corrupt/ */
	size_t kept_count;
	struct fsck_sum kept_sum;
	bool has_spare;
	uint64_t spare_bytes;
	uint64_t units;
	uint64_t highest_id;
	/* ---- for fsck*.c ---- */
	int directory_fd, large_fd, corrupt_fd, lock_fd; /* owned, or -1 */
	struct segment_file *files; /* owned: the segments, open */
};

/* Octets read of all there are, now and then. */
typedef void (*fsck_progress_fn)(uint64_t done, uint64_t all, void *ctx);

struct fsck_options {
	const struct disk *disk;
	const char *path; /* the queue's directory */
	/*
	 * Do not ask for the lock.  What another process writes or gives up
	 * meanwhile may look like damage: while anything does, all is looked at
	 * again, up to five times, and what is not harmless counts only where
	 * each look has found it, at the same place.
	 */
	bool is_live;
	bool skips_contents;          /* do not read the messages' contents */
	fsck_progress_fn progress_fn; /* or NULL */
	void *ctx;
};

/*
 * Look.  Damage is no failure; it is in out_fsck, which keeps the lock, and the
 * files open, until fsck_free().
 *
 * ERROR_SYSTEM with EWOULDBLOCK: another process has the queue; ENOENT or
 * ENOTDIR: no such directory; EACCES: it may not be read.  ERROR_DATA: there is
 * nothing of a queue in it.
 */
bool fsck_run(const struct fsck_options *options, struct fsck **out_fsck,
    struct error *error) MUST_USE;
void fsck_free(struct fsck *fsck);

/* Short name of a kind: "units". */
const char *fsck_kind_name(enum fsck_kind kind);
/* "damage" */
const char *fsck_gravity_name(enum fsck_gravity gravity);
/* What is wrong, what it costs, and what to do: one sentence each, without a
 * stop at the end; appended to the buffers. */
void fsck_describe(const struct fsck_finding *finding, struct buffer *what,
    struct buffer *cost, struct buffer *advice);
