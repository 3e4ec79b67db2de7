#include "tools/queue_export.h"

#include "base/clock.h"
#include "base/file.h"
#include "tools/queue_fsck.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <sysexits.h>
#include <unistd.h>

#define FOLDER_MODE 0700
#define PIECE_LEN   ((size_t)128 * 1024)

/* ---- out of a directory ---- */

static int
copy_body(struct queue_file *file, const struct message *message, void *ctx,
    struct error *error)
{
	char piece[PIECE_LEN];
	size_t len = 0;

	(void)ctx;
	for (uint64_t at = 0; at < message->body.len; at += len) {
		if (!body_read(
			&message->body, at, piece, sizeof(piece), &len, error))
			return EX_DATAERR;
		if (len == 0)
			break; /* too short: the check tells */
		if (!queue_file_append(file, bytes_make(piece, len), error))
			return EX_CANTCREAT;
	}
	return EX_OK;
}

/* False: it comes to an end. */
static bool
export_entry(struct queue_export *export, const struct fsck *fsck,
    const struct ledger_entry *entry)
{
	struct segment_message where = ledger_where(fsck->ledger, entry);
	struct message *message;
	struct error error;

	if (queue_export_is_stopped())
		return false;
	if (segment_load_facts(
		fsck->disk, fsck->large_fd, &where, &message, &error))
		return queue_export_message(
		    export, message, message->progress.held, copy_body, NULL);
	queue_export_fail(
	    export, queue_id_of(entry->id).text, &error, EX_DATAERR);
	return true;
}

static void
export_all(struct queue_export *export, const struct fsck *fsck)
{
	const struct ledger_entry *entry = ledger_after(fsck->ledger, 0);

	while (entry != NULL && export_entry(export, fsck, entry))
		entry = ledger_after(fsck->ledger, entry->id);
}

static void
export_some(struct queue_export *export, const struct fsck *fsck)
{
	struct error error;
	uint64_t id;

	for (size_t i = 0; i < export->id_count; i++) {
		if (queue_export_is_repeated(export, i))
			continue;
		const struct ledger_entry *entry =
		    queue_id_parse(bytes_of(export->ids[i]), &id)
		    ? ledger_find(fsck->ledger, id)
		    : NULL;
		if (entry == NULL) {
			(void)error_set(&error, ERROR_DATA,
			    "there is no such message in this queue");
			queue_export_fail(
			    export, export->ids[i], &error, TOOL_NOTHING);
		} else if (!export_entry(export, fsck, entry)) {
			break;
		}
	}
}

int
queue_export_offline(struct queue_export *export)
{
	struct fsck *fsck = NULL;
	char *path;

	int code = queue_fsck_look(export->tool, export->words->queue,
	    export->words->live, true, &path, &fsck);
	if (code == EX_OK) {
		if (export->ids == NULL)
			export_all(export, fsck);
		else
			export_some(export, fsck);
		(void)queue_export_settle(export); /* it has told */
		queue_export_hide_progress(export);
		if (fsck->gravities[FSCK_DAMAGE] > 0) {
			(void)fprintf(stderr,
			    "postrider: this queue is damaged: postrider queue "
			    "fsck %s says how\n",
			    path);
			if (export->worst == EX_OK)
				export->worst = EX_DATAERR;
		}
	}
	fsck_free(fsck);
	free(path);
	return code;
}

/* ---- the command ---- */

bool
queue_export_is_repeated(const struct queue_export *export, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (strcasecmp(export->ids[i], export->ids[index]) == 0)
			return true;
	return false;
}

/* So that a folder that is made here is there after a power cut, too. */
static bool
make_folder(struct queue_export *export, struct error *error)
{
	if (!file_make_directories(export->folder, FOLDER_MODE, error))
		return false;
	export->directory_fd =
	    open(export->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (export->directory_fd < 0)
		return error_system(error, "open %s", export->folder);
	return syncfs(export->directory_fd) == 0 ||
	    error_system(error, "sync %s", export->folder);
}

/* Two at a time would write to the same unfinished files. */
static bool
lock_folder(const struct queue_export *export, struct error *error)
{
	/* Network file systems may know no locks of directories. */
	return flock(export->directory_fd, LOCK_EX | LOCK_NB) == 0 ||
	    errno != EWOULDBLOCK ||
	    error_set(error, ERROR_CLOSED,
		"%s: another export is writing there", export->folder);
}

static bool
can_sync_at_once(int directory_fd)
{
	struct statfs facts;

	if (fstatfs(directory_fd, &facts) != 0)
		return false;
	switch (facts.f_type) {
	case EXT4_SUPER_MAGIC:
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case F2FS_SUPER_MAGIC:
		return true;
	default:
		return false;
	}
}

static bool
open_folder(struct queue_export *export, struct error *error)
{
	export->directory_fd =
	    open(export->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if ((export->directory_fd < 0 && !make_folder(export, error)) ||
	    !lock_folder(export, error))
		return false;
	export->syncs_at_once = can_sync_at_once(export->directory_fd);
	return true;
}

static void
print_sum(const struct queue_export *export)
{
	if (export->tool->json)
		return;
	(void)printf("%zu message%s exported to %s", export->written,
	    export->written == 1 ? "" : "s", export->folder);
	if (export->present > 0)
		(void)printf(", %zu there already", export->present);
	if (export->failed > 0)
		(void)printf(", %zu not exported", export->failed);
	(void)printf("\n");
}

/* Signals that ask for the end wait until what was begun is done: no message
 * stays on hold, and no unfinished file behind. */
static void
list_stops(sigset_t *stops)
{
	(void)sigemptyset(stops);
	(void)sigaddset(stops, SIGHUP);
	(void)sigaddset(stops, SIGINT);
	(void)sigaddset(stops, SIGTERM);
}

bool
queue_export_is_stopped(void)
{
	sigset_t pending;

	return sigpending(&pending) == 0 &&
	    (sigismember(&pending, SIGHUP) == 1 ||
		sigismember(&pending, SIGINT) == 1 ||
		sigismember(&pending, SIGTERM) == 1);
}

static int
run(struct queue_export *export)
{
	struct error error;

	if (!open_folder(export, &error)) {
		(void)fprintf(stderr, "postrider: %s\n", error_text(&error));
		return EX_CANTCREAT;
	}
	int code = export->words->queue != NULL ? queue_export_offline(export)
						: queue_export_online(export);
	(void)close(export->directory_fd); /* synced */
	if (code != EX_OK)
		return code;
	print_sum(export);
	return export->worst;
}

static bool
is_all(const struct queue_words *words)
{
	return words->all ||
	    (words->id_count == 2 && strcmp(words->ids[1], "ALL") == 0);
}

int
queue_export(struct tool *tool, const struct queue_words *words)
{
	if (words->id_count < 1)
		return tool_usage(
		    tool, "where to? postrider queue export DIR ID...");
	bool has_ids = words->id_count > 1;
	if (words->all ? has_ids : !has_ids)
		return tool_usage(
		    tool, "which messages? give their ids, or ALL");
	if (words->remove && words->queue != NULL)
		return tool_usage(tool,
		    "only the daemon can remove a message, so --remove does "
		    "not go with --queue");
	struct queue_export export = {
	    .tool = tool,
	    .shows_progress = isatty(STDERR_FILENO) == 1,
	    .progress_at = clock_now().mono_ms,
	    .words = words,
	    .folder = words->ids[0],
	    .directory_fd = -1,
	    .ids = is_all(words) ? NULL : words->ids + 1,
	    .id_count = is_all(words) ? 0 : (size_t)words->id_count - 1,
	};
	sigset_t stops;
	list_stops(&stops);
	(void)sigprocmask(SIG_BLOCK, &stops, NULL);
	int code = run(&export);
	(void)fflush(stdout);
	/* One that waits ends the process here. */
	(void)sigprocmask(SIG_UNBLOCK, &stops, NULL);
	return code;
}
