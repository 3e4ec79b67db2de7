#include "tools/queue_command.h"

#include "tools/queue_export.h"
#include "tools/queue_fsck.h"
#include "tools/queue_import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define SHOWN_MAX ((size_t)256 * 1024 * 1024)

/* ---- list ---- */

static void
append_parameter(struct buffer *target, const char *name, const char *value)
{
	if (value == NULL)
		return;
	bool first = !bytes_contains(buffer_bytes(target), '?');
	buffer_printf(target, "%c%s=", first ? '?' : '&', name);
	control_client_escape(target, bytes_of(value));
}

/* The caller frees it. */
static char *
list_target(const char *path, const struct queue_words *words)
{
	struct buffer target;

	buffer_init(&target, 4096);
	buffer_append_text(&target, path);
	append_parameter(&target, "limit", words->limit);
	append_parameter(&target, "after", words->after);
	append_parameter(&target, "state", words->state);
	char *text = buffer_to_text(&target);
	buffer_clear(&target);
	return text;
}

static bool
count_lines(struct bytes piece, void *ctx)
{
	unsigned long long *count = ctx;

	for (size_t i = 0; i < piece.len; i++)
		*count += piece.data[i] == '\n';
	return true;
}

static int
count_messages(struct tool *tool, const struct queue_words *words)
{
	unsigned long long count = 0;
	char *target = list_target("/v1/queue", words);
	int code =
	    tool_call(tool, "GET", target, BYTES_NONE, count_lines, &count);

	free(target);
	if (code == EX_OK)
		(void)printf(
		    tool->json ? "{\"count\":%llu}\n" : "%llu\n", count);
	return code;
}

static int
list(struct tool *tool, const struct queue_words *words)
{
	if (words->id_count > 0)
		return tool_usage(tool,
		    "unexpected argument %s; "
		    "to see one message: postrider queue show ID",
		    words->ids[0]);
	if (words->count)
		return count_messages(tool, words);
	char *target =
	    list_target(tool->json ? "/v1/queue" : "/v1/mailq", words);
	int code = tool_copy(tool, target);
	free(target);
	return code;
}

/* ---- show ---- */

static int
show_text(struct tool *tool, const char *target)
{
	struct status_style style = tool_style();
	struct buffer shown;
	json_t *message;

	int code = tool_get(tool, target, &message);
	if (code != EX_OK)
		return code;
	buffer_init(&shown, SHOWN_MAX);
	status_text_message(message, &style, &shown);
	code = tool_print(&shown);
	buffer_clear(&shown);
	json_decref(message);
	return code;
}

static int
show_one(struct tool *tool, const char *id, bool content)
{
	struct buffer target;

	buffer_init(&target, 4096);
	buffer_append_text(&target, "/v1/queue/");
	control_client_escape(&target, bytes_of(id));
	if (content)
		buffer_append_text(&target, "/content");
	char *text = buffer_to_text(&target);
	buffer_clear(&target);
	int code = tool->json || content ? tool_copy(tool, text)
					 : show_text(tool, text);
	free(text);
	return code;
}

static int
show(struct tool *tool, const struct queue_words *words)
{
	int worst = EX_OK;

	if (words->id_count == 0)
		return tool_usage(
		    tool, "which message? postrider queue show ID");
	for (int i = 0; i < words->id_count; i++) {
		int code = show_one(tool, words->ids[i], words->content);

		if (code != EX_OK)
			worst = code;
	}
	return worst;
}

/* ---- retry, hold, release, remove ---- */

static int
tell_matched(const struct tool *tool, const json_t *answer, const char *done)
{
	long long matched =
	    (long long)json_integer_value(json_object_get(answer, "matched"));

	if (tool->json)
		(void)printf("{\"matched\":%lld}\n", matched);
	else
		(void)printf("%lld message%s %s\n", matched,
		    matched == 1 ? "" : "s", done);
	return matched > 0 ? EX_OK : TOOL_NOTHING;
}

/* {"all":true} for ALL, else {"ids":[...]}. */
static json_t *
selection(const struct queue_words *words)
{
	json_t *body = json_object();

	if (words->id_count == 1 && strcmp(words->ids[0], "ALL") == 0) {
		(void)json_object_set_new(body, "all", json_true());
		return body;
	}
	json_t *ids = json_array();
	for (int i = 0; i < words->id_count; i++)
		(void)json_array_append_new(ids, json_string(words->ids[i]));
	(void)json_object_set_new(body, "ids", ids);
	return body;
}

static int
change(struct tool *tool, const struct queue_words *words, const char *target,
    const char *done)
{
	json_t *answer;

	if (words->id_count == 0)
		return tool_usage(
		    tool, "which messages? give their ids, or ALL");
	int code = tool_post(tool, target, selection(words), &answer);
	if (code != EX_OK)
		return code;
	code = tell_matched(tool, answer, done);
	json_decref(answer);
	return code;
}

/* ---- the words behind "queue" ---- */

/* path NULL: no change of the queue, but fn. */
struct queue_verb {
	const char *word;
	int (*fn)(struct tool *tool, const struct queue_words *words);
	const char *path;
	const char *done;
};

static const struct queue_verb verbs[] = {
    {"list", list, NULL, NULL},
    {"show", show, NULL, NULL},
    {"fsck", queue_fsck, NULL, NULL},
    {"export", queue_export, NULL, NULL},
    {"import", queue_import, NULL, NULL},
    {"retry", NULL, "/v1/queue/retry", "will be tried now"},
    {"hold", NULL, "/v1/queue/hold", "put on hold"},
    {"release", NULL, "/v1/queue/release", "released"},
    {"remove", NULL, "/v1/queue/remove", "removed"},
};

static const struct queue_verb *
find_verb(const char *word)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].word, word) == 0)
			return &verbs[i];
	return NULL;
}

int
queue_command(struct tool *tool, int argc, char **argv)
{
	struct queue_words words = {0};
	const struct tool_option options[] = {
	    {"--count", &words.count, NULL},
	    {"--content", &words.content, NULL},
	    {"--live", &words.live, NULL},
	    {"--all", &words.all, NULL},
	    {"--remove", &words.remove, NULL},
	    {"--release", &words.release, NULL},
	    {"--queue", NULL, &words.queue},
	    {"--smtp", NULL, &words.smtp},
	    {"--limit", NULL, &words.limit},
	    {"--after", NULL, &words.after},
	    {"--state", NULL, &words.state},
	    {NULL, NULL, NULL},
	};
	int left = tool_options(tool, argc, argv, options);

	if (left < 0)
		return EX_USAGE;
	const struct queue_verb *verb = find_verb(left > 0 ? argv[0] : "list");
	if (verb == NULL)
		return tool_usage(tool,
		    "%s is none of list, show, retry, hold, release, remove, "
		    "fsck, export, import",
		    argv[0]);
	words.ids = argv + 1;
	words.id_count = left > 0 ? left - 1 : 0;
	if (verb->fn != NULL)
		return verb->fn(tool, &words);
	return change(tool, &words, verb->path, verb->done);
}

int
queue_command_flush(struct tool *tool, int argc, char **argv)
{
	static const struct tool_option options[] = {{NULL, NULL, NULL}};
	json_t *body;
	json_t *answer;

	int left = tool_options(tool, argc, argv, options);
	if (left < 0)
		return EX_USAGE;
	if (left > 1)
		return tool_usage(tool, "unexpected argument %s", argv[1]);
	body = json_object();
	if (left == 1)
		(void)json_object_set_new(body, "domain", json_string(argv[0]));
	int code = tool_post(tool, "/v1/flush", body, &answer);
	if (code != EX_OK)
		return code;
	/* An empty queue is what one wants of a flush. */
	(void)tell_matched(tool, answer, "will be tried now");
	json_decref(answer);
	return EX_OK;
}
