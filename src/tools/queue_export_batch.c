/* Many files are written, then all are made durable: the disk needs far less
 * time than for one after the other. */
#include "base/clock.h"
#include "base/file.h"
#include "control/json_writer.h"
#include "tools/queue_export.h"

#include <errno.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#define BATCH_BYTES_MAX ((uint64_t)64 * 1024 * 1024)
#define QUIET_MS        1000 /* before the first word of progress, and between */

/* ---- how far it is ---- */

static void
tell_progress(struct queue_export *export)
{
	int64_t now = clock_now().mono_ms;

	if (!export->shows_progress || now - export->progress_at < QUIET_MS)
		return;
	export->progress_at = now;
	export->is_progress_shown = true;
	(void)fprintf(stderr, "\rpostrider: %zu exported",
	    export->written + export->present);
}

void
queue_export_hide_progress(struct queue_export *export)
{
	if (export->is_progress_shown)
		(void)fprintf(stderr, "\r\033[K");
	export->is_progress_shown = false;
}

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
	queue_export_hide_progress(export);
	(void)fprintf(
	    stderr, "postrider: %s: not exported: %s\n", id, error_text(error));
	if (export->tool->json)
		print_json(id, "failed", error_text(error));
}

static void
succeed(struct queue_export *export, const char *id, bool was_there)
{
	if (was_there)
		export->present++;
	else
		export->written++;
	if (export->tool->json)
		print_json(id, was_there ? "present" : "exported", NULL);
}

/* ---- one file ---- */

/* EX_OK, or the exit code for item->error. */
static int
write_file(struct queue_export *export, struct queue_export_item *item,
    queue_export_content_fn content_fn, void *ctx)
{
	struct error *error = &item->error;

	if (!queue_file_begin(
		&item->file, export->directory_fd, item->message, error))
		return EX_CANTCREAT;
	int code = content_fn(&item->file, item->message, ctx, error);
	if (code != EX_OK)
		queue_file_cancel(&item->file);
	else if (!queue_file_seal(&item->file, error))
		code = EX_DATAERR;
	return code;
}

static void
fail_item(struct queue_export_item *item, const struct error *error)
{
	if (item->code != EX_OK)
		return;
	if (!item->was_there && !item->is_named)
		queue_file_cancel(&item->file);
	item->code = EX_CANTCREAT;
	item->error = *error;
}

static void
fail_all(struct queue_export *export, const struct error *error)
{
	for (size_t i = 0; i < export->item_count; i++)
		fail_item(&export->items[i], error);
}

/* One that was there may have been put there just now. */
static void
sync_item(struct queue_export *export, struct queue_export_item *item)
{
	struct error error;
	bool is_ok = item->was_there
	    ? queue_file_sync_present(
		  export->directory_fd, item->message, &error)
	    : queue_file_sync(&item->file, &error);

	if (!is_ok)
		fail_item(item, &error);
}

static void
name_item(struct queue_export_item *item)
{
	struct error error;

	if (item->was_there)
		return;
	item->is_named = queue_file_end(&item->file, &error);
	if (item->is_named)
		return;
	item->code = EX_CANTCREAT;
	item->error = error;
}

/* ---- all of them ---- */

static void
sync_items(struct queue_export *export)
{
	struct error error;

	if (!export->syncs_at_once) {
		for (size_t i = 0; i < export->item_count; i++) {
			if (export->items[i].code == EX_OK)
				sync_item(export, &export->items[i]);
		}
	} else if (syncfs(export->directory_fd) != 0) {
		(void)error_system(&error, "sync");
		fail_all(export, &error);
	}
}

/* What they hold, then their names. */
static void
make_durable(struct queue_export *export)
{
	struct error error;

	sync_items(export);
	for (size_t i = 0; i < export->item_count; i++) {
		if (export->items[i].code == EX_OK)
			name_item(&export->items[i]);
	}
	if (!file_sync_directory(export->directory_fd, &error))
		fail_all(export, &error);
}

/* A name that is taken is in nobody else's way. */
static bool
is_hopeless(const struct queue_export_item *item)
{
	return item->code == EX_CANTCREAT && item->error.number != EEXIST;
}

static void
end_item(struct queue_export *export, struct queue_export_item *item)
{
	struct queue_id id = queue_id_of(item->message->id);

	if (export->end_fn != NULL)
		export->end_fn(export, item);
	if (item->code == EX_OK)
		succeed(export, id.text, item->was_there);
	else
		queue_export_fail(export, id.text, &item->error, item->code);
	message_free(item->message);
}

bool
queue_export_settle(struct queue_export *export)
{
	bool goes_on = true;

	if (export->item_count == 0)
		return true;
	make_durable(export);
	for (size_t i = 0; i < export->item_count; i++) {
		goes_on = goes_on && !is_hopeless(&export->items[i]);
		end_item(export, &export->items[i]);
	}
	export->item_count = 0;
	export->item_bytes = 0;
	tell_progress(export);
	return goes_on;
}

bool
queue_export_message(struct queue_export *export, struct message *message,
    bool was_held, queue_export_content_fn content_fn, void *ctx)
{
	struct queue_export_item *item = &export->items[export->item_count++];

	*item = (struct queue_export_item){
	    .message = message,
	    .was_held = was_held,
	    .was_there = queue_file_is_there(export->directory_fd, message),
	    .code = EX_OK,
	};
	if (!item->was_there)
		item->code = write_file(export, item, content_fn, ctx);
	export->item_bytes += message->body.len;
	bool is_full = export->item_count == QUEUE_EXPORT_BATCH_MAX ||
	    export->item_bytes >= BATCH_BYTES_MAX;
	return is_full || is_hopeless(item) ? queue_export_settle(export)
					    : true;
}
