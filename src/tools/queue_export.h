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
};

int queue_export(struct tool *tool, const struct queue_words *words);

/* Out of the queue in a directory, which is only read; out of the daemon.  An
 * exit code where nothing could be begun, else 0. */
int queue_export_offline(struct queue_export *export);
int queue_export_online(struct queue_export *export);

/* Tell of a message that could not be exported, and go on. */
void queue_export_fail(struct queue_export *export, const char *id,
    const struct error *error, int code);
/* Tell of one that has been, or that was there already. */
void queue_export_done(
    struct queue_export *export, const char *id, bool was_there);
