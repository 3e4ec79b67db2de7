/* Out of the daemon, over its admin socket. */
#include "base/memory.h"
#include "message/dropfile.h"
#include "tools/queue_export.h"
#include "tools/when.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* Until what was asked for is durable. */
#define HOLD_LOOKS   500
#define HOLD_WAIT_MS 10
#define LIST_MAX     ((size_t)1024 * 1024 * 1024)

/* ---- what is known of a message ---- */

static const char *
text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text == NULL ? "" : text;
}

/* As an envelope stands in a file: dropfile.h. */
static void
append_lines(struct buffer *lines, const json_t *shown)
{
	const json_t *recipient;
	size_t i;

	buffer_printf(lines, "X-Sender: <%s> %s\r\n", text_of(shown, "sender"),
	    text_of(shown, "parameters"));
	json_array_foreach(json_object_get(shown, "history"), i, recipient)
	{
		if (strcmp(text_of(recipient, "state"), "waiting") == 0)
			buffer_printf(lines, "X-Receiver: <%s> %s\r\n",
			    text_of(recipient, "address"),
			    text_of(recipient, "parameters"));
	}
}

static bool
read_envelope(
    const json_t *shown, struct envelope *envelope, struct error *error)
{
	struct dropfile dropfile = {.has_envelope = false};
	struct buffer lines;

	buffer_init(&lines, SIZE_MAX);
	append_lines(&lines, shown);
	bool is_ok = dropfile_read_envelope(
	    buffer_bytes(&lines), envelope, &dropfile, error);
	buffer_clear(&lines);
	if (is_ok && !dropfile.has_envelope)
		return error_set(
		    error, ERROR_DATA, "nobody waits for it any more");
	return is_ok;
}

static bool
read_facts(const json_t *shown, struct message *message, struct error *error)
{
	const char *check = text_of(shown, "content_check");
	json_int_t size =
	    json_integer_value(json_object_get(shown, "message_size"));
	char *end;

	errno = 0;
	message->check = strtoull(check, &end, 16);
	message->body.len = (uint64_t)size;
	if (check[0] == '\0' || *end != '\0' || errno != 0 || size < 0 ||
	    !queue_id_parse(
		bytes_of(text_of(shown, "queue_id")), &message->id) ||
	    !when_parse(
		text_of(shown, "arrived_at"), &message->envelope.arrived_at))
		return error_set(error, ERROR_DATA,
		    "the daemon does not say enough; is it an older version?");
	return true;
}

/* NULL: error says why. */
static struct message *
message_of(const json_t *shown, struct error *error)
{
	struct message *message = message_new();

	if (!read_facts(shown, message, error) ||
	    !read_envelope(shown, &message->envelope, error)) {
		message_free(message);
		return NULL;
	}
	progress_clear(&message->progress);
	progress_init(&message->progress, message->envelope.recipient_count);
	return message;
}

static bool
is_held(const json_t *shown)
{
	return strcmp(text_of(shown, "state"), "held") == 0;
}

/* The message as the daemon shows it; NULL, and told, where it does not. */
static json_t *
ask(struct queue_export *export, const char *id)
{
	struct buffer target;
	json_t *shown = NULL;

	buffer_init(&target, SIZE_MAX);
	buffer_append_text(&target, "/v1/queue/");
	control_client_escape(&target, bytes_of(id));
	char *text = buffer_to_text(&target);
	buffer_clear(&target);
	int code = tool_get(export->tool, text, &shown);
	free(text);
	if (code == EX_OK)
		return shown;
	export->failed++;
	if (export->worst == EX_OK)
		export->worst = code;
	return NULL;
}

/* ---- its content ---- */

struct download {
	struct queue_file *file;
	struct error *error;
	bool has_failed;
};

static bool
take_piece(struct bytes piece, void *ctx)
{
	struct download *download = ctx;

	download->has_failed =
	    !queue_file_append(download->file, piece, download->error);
	return !download->has_failed;
}

/* ctx: the export. */
static int
fetch_content(struct queue_file *file, const struct message *message, void *ctx,
    struct error *error)
{
	const struct queue_export *export = ctx;
	struct download download = {.file = file, .error = error};
	char target[64];

	if (message->body.len == 0)
		return EX_OK;
	(void)snprintf(target, sizeof(target), "/v1/queue/%s/content",
	    queue_id_of(message->id).text);
	int code = tool_call(
	    export->tool, "GET", target, BYTES_NONE, take_piece, &download);
	if (download.has_failed)
		return EX_CANTCREAT;
	if (code != EX_OK)
		(void)error_set(
		    error, ERROR_CLOSED, "the daemon did not hand it over");
	return code;
}

/* ---- taking it off the queue ---- */

/* One verb for one message; false, and told, where it was not done. */
static bool
do_verb(struct queue_export *export, const char *path, const char *id)
{
	json_t *answer = NULL;
	json_t *body = json_pack("{s:[s]}", "ids", id);

	if (tool_post(export->tool, path, body, &answer) != EX_OK)
		return false;
	bool is_done =
	    json_integer_value(json_object_get(answer, "matched")) == 1;
	json_decref(answer);
	return is_done;
}

/* As it is once it is held; NULL where it does not come to that: what is being
 * delivered just now is not taken away from there. */
static json_t *
hold(struct queue_export *export, const char *id)
{
	json_t *shown = NULL;

	if (!do_verb(export, "/v1/queue/hold", id))
		return NULL;
	for (int i = 0; i < HOLD_LOOKS; i++) {
		json_decref(shown);
		shown = ask(export, id);
		if (shown == NULL || is_held(shown))
			return shown;
		(void)poll(NULL, 0, HOLD_WAIT_MS);
	}
	json_decref(shown);
	(void)do_verb(export, "/v1/queue/release", id); /* told if not */
	return NULL;
}

/* It is durable now, or has failed. */
static void
end_moved(struct queue_export *export, struct queue_export_item *item)
{
	struct queue_id id = queue_id_of(item->message->id);

	if (item->code != EX_OK) {
		/* Once it is exported it must not go out from here, too. */
		if (!item->was_held)
			(void)do_verb(
			    export, "/v1/queue/release", id.text); /* told */
	} else if (!do_verb(export, "/v1/queue/remove", id.text)) {
		item->code = EX_TEMPFAIL;
		(void)error_set(&item->error, ERROR_CLOSED,
		    "it is exported, but still in the queue, on hold");
	}
}

static void
end_message(struct queue_export *export, struct queue_export_item *item)
{
	if (item->code == EX_DATAERR)
		(void)error_context(
		    &item->error, "it ended while it was read, or");
	if (export->words->remove)
		end_moved(export, item);
}

/* ---- one after the other ---- */

/* False: it comes to an end. */
static bool
export_shown(struct queue_export *export, const char *id, const json_t *shown,
    bool was_held)
{
	struct error error;
	struct message *message = message_of(shown, &error);

	if (message == NULL) {
		queue_export_fail(export, id, &error, EX_DATAERR);
		if (export->words->remove && !was_held)
			(void)do_verb(export, "/v1/queue/release", id);
		return true;
	}
	message->progress.held = was_held;
	return queue_export_message(
	    export, message, was_held, fetch_content, export);
}

/* shown: as it was before anything was done. */
static bool
move_one(struct queue_export *export, const char *id, json_t *shown)
{
	struct error error;
	bool was_held = is_held(shown);
	json_t *fixed = was_held ? json_incref(shown) : hold(export, id);

	if (fixed == NULL) {
		(void)error_set(&error, ERROR_CLOSED,
		    "it ended, or could not be held; nothing was changed");
		queue_export_fail(export, id, &error, EX_TEMPFAIL);
		return true;
	}
	bool goes_on = export_shown(export, id, fixed, was_held);
	json_decref(fixed);
	return goes_on;
}

static bool
export_one(struct queue_export *export, const char *id)
{
	if (queue_export_is_stopped())
		return false;
	json_t *shown = ask(export, id);
	if (shown == NULL)
		return true; /* told */
	bool goes_on = export->words->remove
	    ? move_one(export, id, shown)
	    : export_shown(export, id, shown, is_held(shown));
	json_decref(shown);
	return goes_on;
}

/* ---- all of them ---- */

/* Nothing is left out without a word. */
static void
fail_line(struct queue_export *export, struct bytes line)
{
	struct error error;

	(void)error_set(&error, ERROR_DATA,
	    "the daemon's list has a line without a queue id (%zu octets)",
	    line.len);
	queue_export_fail(export, "a message", &error, EX_DATAERR);
}

/* The ids of a list of one JSON object a line. */
static void
export_list(struct queue_export *export, struct bytes list)
{
	bool goes_on = true;

	while (goes_on && list.len > 0) {
		struct bytes line = bytes_cut(&list, '\n');
		json_error_t problem;
		json_t *item = json_loadb(line.data, line.len, 0, &problem);
		const char *id = text_of(item, "queue_id");
		if (id[0] != '\0')
			goes_on = export_one(export, id);
		else
			fail_line(export, line);
		json_decref(item);
	}
}

static int
export_all(struct queue_export *export)
{
	struct buffer list;

	buffer_init(&list, LIST_MAX);
	int code = tool_call(export->tool, "GET", "/v1/queue", BYTES_NONE,
	    control_client_gather, &list);
	if (code == EX_OK)
		export_list(export, buffer_bytes(&list));
	buffer_clear(&list);
	return code;
}

static int
export_some(struct queue_export *export)
{
	bool goes_on = true;

	for (size_t i = 0; goes_on && i < export->id_count; i++)
		goes_on = queue_export_is_repeated(export, i) ||
		    export_one(export, export->ids[i]);
	return EX_OK;
}

int
queue_export_online(struct queue_export *export)
{
	export->end_fn = end_message;
	int code =
	    export->ids == NULL ? export_all(export) : export_some(export);
	(void)queue_export_settle(export); /* it has told */
	queue_export_hide_progress(export);
	return code;
}
