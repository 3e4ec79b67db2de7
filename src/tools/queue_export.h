/*
 * postrider queue export: messages as files of their own, out of a running
 * daemon's queue, or out of a directory.
 *
 * Exit codes: 0 all of them; 1 none matched; 65 some could not be read; 73 one
 * could not be written; else as the other commands'.
 */
#pragma once

#include "tools/queue_command.h"
#include "tools/queue_file.h"

#include <stddef.h>

#define QUEUE_EXPORT_BATCH_MAX 128

/* A message whose file is written, or there, and not durable yet. */
struct queue_export_item {
	struct queue_file file;  /* sealed; not of one that was there */
	struct message *message; /* owned */
	bool was_there;
	bool was_held;
	bool is_named;
	int code; /* EX_OK, or why not: error */
	struct error error;
};

/* Where they go, and how it goes. */
struct queue_export {
	struct tool *tool;
	const struct queue_words *words;
	const char *folder; /* as it was given */
	int directory_fd;
	char **ids; /* NULL: all */
	size_t id_count;
	size_t written, present, failed;
	int worst; /* exit code so far */
	/* Of each, when its file and its name are durable, or it has failed;
	 * may change code and error.  NULL: nothing is to be done. */
	void (*end_fn)(
	    struct queue_export *export, struct queue_export_item *item);
	/* The folder's file system can make all files durable in one call;
	 * others, in user space or far away, would only say so. */
	bool syncs_at_once;
	struct queue_export_item items[QUEUE_EXPORT_BATCH_MAX];
	size_t item_count;
	uint64_t item_bytes;
	bool shows_progress, is_progress_shown;
	int64_t progress_at; /* monotonic, ms */
};

int queue_export(struct tool *tool, const struct queue_words *words);

/* Out of the queue in a directory, which is only read; out of the daemon.  An
 * exit code where nothing could be begun, else 0. */
int queue_export_offline(struct queue_export *export);
int queue_export_online(struct queue_export *export);

/* Append the content of message to file; EX_OK, or the exit code for error. */
typedef int (*queue_export_content_fn)(struct queue_file *file,
    const struct message *message, void *ctx, struct error *error);
/*
 * Write message, which it takes, to a file of its own, unless that is there
 * already.  What becomes of it is told when it is durable, together with
 * others. False: nothing more can be written.
 */
bool queue_export_message(struct queue_export *export, struct message *message,
    bool was_held, queue_export_content_fn content_fn, void *ctx) MUST_USE;
/* Make all durable that are not yet, and tell of them; false as above. */
bool queue_export_settle(struct queue_export *export);
/* The id with this index was given before: once is enough. */
bool queue_export_is_repeated(const struct queue_export *export, size_t index);
/* Somebody has asked, by a signal, to come to an end. */
bool queue_export_is_stopped(void);
/* Tell at once of a message that could not be had, and go on. */
void queue_export_fail(struct queue_export *export, const char *id,
    const struct error *error, int code);
/* Make room on the terminal for something else. */
void queue_export_hide_progress(struct queue_export *export);
