#include "tools/queue_export.h"

#include "base/file.h"
#include "control/json_writer.h"
#include "tools/queue_fsck.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define FOLDER_MODE 0700
#define PIECE_LEN   ((size_t)128 * 1024)

/* ---- what became of each ---- */

static void
print_json(const char *id, const char *result, const char *reason)
{
	struct json_writer json;
	struct buffer line;

	buffer_init(&line, SIZE_MAX);
	json_writer_init(&json, &line);
	json_writer_object(&json, NULL);
	json_writer_text(&json, "queue_id", id);
	json_writer_text(&json, "result", result);
	json_writer_text(&json, "reason", reason);
	json_writer_end_line(&json);
	(void)fwrite(line.memory + line.start, 1, line.len, stdout);
	buffer_clear(&line);
}

void
queue_export_fail(struct queue_export *export, const char *id,
    const struct error *error, int code)
{
	export->failed++;
	if (export->worst == EX_OK || code == EX_CANTCREAT)
		export->worst = code;
	(void)fprintf(
	    stderr, "postrider: %s: not exported: %s\n", id, error_text(error));
	if (export->tool->json)
		print_json(id, "failed", error_text(error));
}

void
queue_export_done(struct queue_export *export, const char *id, bool was_there)
{
	if (was_there)
		export->present++;
	else
		export->written++;
	if (export->tool->json)
		print_json(id, was_there ? "present" : "exported", NULL);
}

/* ---- out of a directory ---- */

static bool
copy_body(
    struct queue_file *file, const struct message *message, struct error *error)
{
	char piece[PIECE_LEN];
	size_t len = 0;

	for (uint64_t at = 0; at < message->body.len; at += len) {
		if (!body_read(
			&message->body, at, piece, sizeof(piece), &len, error))
			return false;
		if (len == 0)
			break; /* too short: the check tells */
		if (!queue_file_append(file, bytes_make(piece, len), error))
			return false;
	}
	return true;
}

/* EX_OK, or the exit code for error. */
static int
write_message(struct queue_export *export, const struct message *message,
    struct error *error)
{
	struct queue_file file;

	if (!queue_file_begin(&file, export->directory_fd, message, error))
		return EX_CANTCREAT;
	if (!copy_body(&file, message, error)) {
		queue_file_cancel(&file);
		return error->number == EIO ? EX_DATAERR : EX_CANTCREAT;
	}
	if (queue_file_end(&file, error))
		return EX_OK;
	return error->kind == ERROR_DATA ? EX_DATAERR : EX_CANTCREAT;
}

/* False: nothing more can be written. */
static bool
export_entry(struct queue_export *export, const struct fsck *fsck,
    const struct ledger_entry *entry)
{
	struct segment_message where = ledger_where(fsck->ledger, entry);
	struct queue_id id = queue_id_of(entry->id);
	struct message *message;
	struct error error;

	if (!segment_load_facts(
		fsck->disk, fsck->large_fd, &where, &message, &error)) {
		queue_export_fail(export, id.text, &error, EX_DATAERR);
		return true;
	}
	bool was_there = queue_file_is_there(export->directory_fd, message);
	int code = was_there ? EX_OK : write_message(export, message, &error);
	message_free(message);
	if (code == EX_OK)
		queue_export_done(export, id.text, was_there);
	else
		queue_export_fail(export, id.text, &error, code);
	/* A name that is taken is in nobody else's way. */
	return code != EX_CANTCREAT || error.number == EEXIST;
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

static bool
open_folder(struct queue_export *export, struct error *error)
{
	if (!file_make_directories(export->folder, FOLDER_MODE, error))
		return false;
	export->directory_fd =
	    open(export->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return export->directory_fd >= 0 ||
	    error_system(error, "open %s", export->folder);
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
	if (code == EX_OK &&
	    !file_sync_directory(export->directory_fd, &error)) {
		(void)fprintf(stderr, "postrider: %s: %s\n", export->folder,
		    error_text(&error));
		code = EX_IOERR;
	}
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
	    .words = words,
	    .folder = words->ids[0],
	    .directory_fd = -1,
	    .ids = is_all(words) ? NULL : words->ids + 1,
	    .id_count = is_all(words) ? 0 : (size_t)words->id_count - 1,
	};
	return run(&export);
}
