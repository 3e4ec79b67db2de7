/*
 * A disk in memory for the journal's tests, as bad as POSIX allows a disk to
 * be.
 *
 * It keeps what is durable apart from what is only written: every write (cut at
 * sectors of 512 octets), change of size and change of a name is pending until
 * its file, or its directory, is synced.  When the power goes, any part of what
 * is pending may be on the disk, in any combination: lost, torn, reordered.
 * When only the process dies, all of it is seen by the next one, and still
 * pending.
 *
 * A sync that fails loses what was pending, while reads still show it, and the
 * next sync succeeds: as Linux does it.
 */
#pragma once

#include "base/bytes.h"
#include "queue/disk.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fake_disk;

struct fake_disk *fake_disk_new(void);
void fake_disk_free(struct fake_disk *fake);
const struct disk *fake_disk_face(struct fake_disk *fake);

/* ---- what happens, and when ---- */

enum fake_fault {
	FAKE_CRASH, /* this call and all after it have no effect */
	FAKE_ERROR, /* this call fails with the number given */
	FAKE_BREAK, /* so do it and all of its kind from then on */
	FAKE_SHORT  /* this read or write does half of it; others go well */
};

/* Calls so far that read, write or change anything. */
size_t fake_disk_calls(const struct fake_disk *fake);
/* Count from 0 again; call is one of those to come. number is an errno. */
void fake_disk_plan(
    struct fake_disk *fake, size_t call, enum fake_fault fault, int number);
/* A second one; the count goes on. */
void fake_disk_plan_also(
    struct fake_disk *fake, size_t call, enum fake_fault fault, int number);
/* From now on, every call of these kinds, "write sync", … fails so; 0: ends,
 * as does a FAKE_BREAK. */
void fake_disk_break(struct fake_disk *fake, const char *kinds, int number);
/* Another course of what is left to chance. */
void fake_disk_seed(struct fake_disk *fake, uint64_t seed);
/* A crash has happened. */
bool fake_disk_is_dead(const struct fake_disk *fake);
/* Octets that fit on it; at first there is no end of them. */
void fake_disk_set_capacity(struct fake_disk *fake, uint64_t bytes);

/* ---- what is left of it ---- */

/* Changes that are pending. */
size_t fake_disk_pending(const struct fake_disk *fake);
/* After a power cut: with those pending changes whose kept[] is set. */
struct fake_disk *fake_disk_after_power_cut(
    const struct fake_disk *fake, const bool *kept);
/* After the process died: nothing is lost, nothing more is durable. */
struct fake_disk *fake_disk_after_kill(const struct fake_disk *fake);
/* Of names and contents as they are seen: equal for equal disks. */
uint64_t fake_disk_hash(const struct fake_disk *fake);

/* ---- files, by path ("queue/large/x"); durable at once ---- */

void fake_disk_put(
    struct fake_disk *fake, const char *path, struct bytes content);
/* Valid until the next change; data is NULL where there is no such file. */
struct bytes fake_disk_get(const struct fake_disk *fake, const char *path);
/* Reads of these octets of the file fail with EIO, until the next call; what is
 * there stays there.  len 0: all can be read. */
void fake_disk_spoil(
    struct fake_disk *fake, const char *path, uint64_t offset, uint64_t len);
/* So do writes to these octets; len 0: all can be written. */
void fake_disk_harden(
    struct fake_disk *fake, const char *path, uint64_t offset, uint64_t len);
/* No file grows beyond that: EFBIG. */
void fake_disk_limit(struct fake_disk *fake, uint64_t bytes);
/* False where there is no such file. */
bool fake_disk_remove(struct fake_disk *fake, const char *path);
enum fake_odd {
	FAKE_FOLDER, /* an empty one */
	FAKE_PIPE,   /* which nobody writes to: opening it waits for ever */
	FAKE_LINK    /* that leads nowhere */
};
/* Put something there that is no file. */
void fake_disk_put_odd(
    struct fake_disk *fake, const char *path, enum fake_odd odd);
/* All there is belongs to user 0, with modes that suit, but for this. */
void fake_disk_give(
    struct fake_disk *fake, const char *path, unsigned owner, unsigned mode);
/* Names in a directory, sorted, each followed by a blank; the caller frees it.
 */
char *fake_disk_names(const struct fake_disk *fake, const char *path);
/* The path of the last "*.log" in "queue"; the caller frees it. */
char *fake_disk_newest_segment(const struct fake_disk *fake);
/* An open descriptor for a file made here, for the journal to close or not. */
int fake_disk_open(struct fake_disk *fake, const char *path);
/* Descriptors that are open. */
size_t fake_disk_open_count(const struct fake_disk *fake);
