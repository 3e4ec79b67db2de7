/*
 * What the files of the journal share; for nobody else:
 *
 *   journal.c         what it is on: the newest segment, room, what is dropped,
 *                     large bodies, quarantine, summaries
 *   journal_open.c    opening: the replay, and what is made of its end
 *   journal_commit.c  a group: room, writing, the sync, and what fails
 */
#pragma once

#include "queue/journal.h"
#include "queue/shelf.h"
#include "queue/summaries.h"

/* Places in a segment have 32 bits. */
#define JOURNAL_SEGMENT_MAX ((uint64_t)1024 * 1024 * 1024)

/*
 * Units below next_unit and octets before end are durable, and all else behind
 * end in the newest segment is not there or does not count.
 */
struct journal {
	const struct disk *disk;
	struct shelf shelf;
	struct summaries summaries;
	uint64_t segment_size;
	uint64_t free_floor;
	uint64_t reserve;
	bool has_reserve;
	bool lacks_room; /* at the newest commit: outcomes alone are taken */
	struct error reserve_error; /* why not, if known */
	unsigned barren; /* segments begun since a group was committed */
	/* At the replay, or at one before: files in corrupt/, or missing ones,
	 * may have told of large bodies. */
	bool had_problems;
	bool has_unread; /* segments that could not be read whole */
	uint64_t free_bytes;
	uint64_t next_unit;
	uint64_t end;
	uint64_t laid; /* the newest segment's file has octets up to here */
	uint64_t highest_id;
	uint64_t
	    dropped; /* segments up to this generation, or they are to be */
	struct buffer buffer; /* what is about to be written */
};

/* The newest segment ends at end, with the zeros that follow a whole group.
 * False, with errno: the disk's. */
bool journal_cut(struct journal *journal, uint64_t end);
/* A new segment, which is written from its header on. */
bool journal_begin(struct journal *journal, struct error *error) MUST_USE;
/* Octets of the newest segment's file; 0 where there is none, or that cannot be
 * known. */
uint64_t journal_newest_size(const struct journal *journal);
/* Octets of the newest segment's file that are behind its end: room that it
 * has. */
uint64_t journal_unused(const struct journal *journal);
/* Ask for journal->free_bytes. */
void journal_update_free(struct journal *journal);
/* The next segment's file, with room for outcomes when the disk is full;
 * journal->has_reserve tells whether it is there. */
void journal_make_reserve(struct journal *journal);
/* With a reserve, but less free than mail needs: what the newest segment does
 * not use, and the spare has besides the reserve, is given back, where that is
 * enough.  free_bytes is asked for before, and after. */
void journal_free_surplus(struct journal *journal);
/* All segments that were to be dropped, oldest first; those that are left go
 * the next time. */
bool journal_drop_due(struct journal *journal, struct error *error);
