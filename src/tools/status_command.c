#include "tools/status_command.h"

#include <sysexits.h>

#define SHOWN_MAX ((size_t)16 * 1024 * 1024)

int
status_command(struct tool *tool, int argc, char **argv)
{
	static const struct tool_option options[] = {{NULL, NULL, NULL}};
	struct status_style style = tool_style();
	struct buffer shown;
	json_t *status;

	int left = tool_options(tool, argc, argv, options);
	if (left != 0)
		return left < 0
		    ? EX_USAGE
		    : tool_usage(tool, "unexpected argument %s", argv[0]);
	if (tool->json)
		return tool_copy(tool, "/v1/status");
	int code = tool_get(tool, "/v1/status", &status);
	if (code != EX_OK)
		return code;
	buffer_init(&shown, SHOWN_MAX);
	status_text(status, &style, &shown);
	code = tool_print(&shown);
	buffer_clear(&shown);
	json_decref(status);
	return code;
}
