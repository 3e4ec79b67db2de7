#include "tools/etrn_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define SHOWN_MAX ((size_t)16 * 1024 * 1024)

static int
show_nodes(struct tool *tool)
{
	struct status_style style = tool_style();
	struct buffer shown;
	json_t *status;

	int code = tool_get(tool, "/v1/status", &status);
	if (code != EX_OK)
		return code;
	buffer_init(&shown, SHOWN_MAX);
	json_t *nodes = json_object_get(status, "etrn");
	if (tool->json) {
		char *text = json_dumps(nodes, JSON_COMPACT | JSON_ENCODE_ANY);

		buffer_printf(&shown, "%s\n", text != NULL ? text : "[]");
		free(text);
	} else if (json_array_size(nodes) == 0)
		buffer_append_text(&shown,
		    "no ETRN is configured; see etrn in postrider.conf(5)\n");
	else
		status_text_etrn(status, &style, &shown);
	code = tool_print(&shown);
	buffer_clear(&shown);
	json_decref(status);
	return code;
}

/* What was started, one a line. */
static int
show_started(const struct tool *tool, const json_t *answer, const char *node)
{
	const json_t *started = json_object_get(answer, "started");
	struct buffer shown;
	size_t i;
	json_t *name;

	buffer_init(&shown, SHOWN_MAX);
	if (tool->json) {
		char *text = json_dumps(answer, JSON_COMPACT);

		buffer_printf(&shown, "%s\n", text != NULL ? text : "{}");
		free(text);
	} else {
		json_array_foreach(started, i, name)
		    buffer_printf(&shown, "asking for %s\n",
			json_is_string(name) ? json_string_value(name) : "");
	}
	int code = tool_print(&shown);
	buffer_clear(&shown);
	if (json_array_size(started) > 0 || code != EX_OK)
		return code;
	(void)fprintf(stderr, "postrider: %s%s\n",
	    node != NULL ? "no such node, or it is being asked: "
			 : "no node that could be asked now",
	    node != NULL ? node : "");
	return TOOL_NOTHING;
}

static int
ask_now(struct tool *tool, const char *node)
{
	json_t *body = json_object();
	json_t *answer;

	if (node != NULL)
		(void)json_object_set_new(body, "node", json_string(node));
	int code = tool_post(tool, "/v1/etrn", body, &answer);
	if (code != EX_OK)
		return code;
	code = show_started(tool, answer, node);
	json_decref(answer);
	return code;
}

int
etrn_command(struct tool *tool, int argc, char **argv)
{
	static const struct tool_option options[] = {{NULL, NULL, NULL}};

	int left = tool_options(tool, argc, argv, options);
	if (left < 0)
		return EX_USAGE;
	if (left == 0 || (left == 1 && strcmp(argv[0], "status") == 0))
		return show_nodes(tool);
	if (strcmp(argv[0], "now") == 0 && left <= 2)
		return ask_now(tool, left == 2 ? argv[1] : NULL);
	return tool_usage(
	    tool, "unexpected argument %s", argv[left > 1 ? left - 1 : 0]);
}
