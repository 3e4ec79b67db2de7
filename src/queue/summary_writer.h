/*
 * How a summary (summary.h) is made: from the segment's file, a little at a
 * time, so that whoever has something better to do is not kept waiting.
 */
#pragma once

#include "base/error.h"
#include "queue/disk.h"
#include "queue/segment.h"

#include <stdint.h>

struct summary_writer;

enum summary_progress {
	SUMMARY_UNFINISHED,
	SUMMARY_WRITTEN,
	SUMMARY_NEEDLESS, /* it would be hardly shorter than the segment */
	SUMMARY_FAILED    /* error says why; there will be none */
};

/*
 * segment   is sealed; its file stays open as long as the writer lives
 * end_unit  the first unit of the next segment, above this one's first
 */
struct summary_writer *summary_writer_new(const struct disk *disk,
    int directory_fd, const struct segment_file *segment, uint64_t end_unit);
/* Some 256 KiB of the segment are read.  Not to be called after the end. */
enum summary_progress summary_writer_step(
    struct summary_writer *writer, struct error *error);
/* One that is not written is removed, as far as it goes. */
void summary_writer_free(struct summary_writer *writer);
