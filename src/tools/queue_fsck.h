/*
 * postrider queue fsck: what is in a queue's directory, and what is damaged.
 *
 * Exit codes: 0 clean; 1 only the newest commit is torn; 65 damage; 66 no queue
 * there; 74 it could not be read; 75 another process has it; 77 not permitted.
 */
#pragma once

#include "control/json_writer.h"
#include "queue/fsck.h"
#include "tools/queue_command.h"

int queue_fsck(struct tool *tool, const struct queue_words *words);

/*
 * Look at the queue in path, or where the configuration says (NULL), telling
 * how far it has come on a terminal.  0, or the exit code after telling why
 * not; the caller frees *out_path, 0 or not.
 */
int queue_fsck_look(struct tool *tool, const char *path, bool is_live,
    bool skips_contents, char **out_path, struct fsck **out_fsck);

/* Append all of it, in words for people. */
void queue_fsck_text(
    const struct fsck *fsck, const char *path, struct buffer *buffer);
/* Append all of it as one line of JSON. */
void queue_fsck_json(
    const struct fsck *fsck, const char *path, struct buffer *buffer);
