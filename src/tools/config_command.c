#include "tools/config_command.h"

#include "config/config.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define SHOWN_MAX ((size_t)64 * 1024 * 1024)

extern char **environ;

/* Load, and tell what is wrong on stderr; NULL where it is. */
static struct config *
load(const struct tool *tool)
{
	struct config *config = NULL;
	struct buffer said;
	int fd = STDERR_FILENO;

	buffer_init(&said, SHOWN_MAX);
	bool good = config_load(tool->config_file, environ, &config, &said);
	(void)control_client_copy(buffer_bytes(&said), &fd); /* as good as it
								gets */
	buffer_clear(&said);
	return good ? config : NULL;
}

static int
show(const struct tool *tool, bool all)
{
	struct config *config = load(tool);
	struct buffer shown;

	if (config == NULL)
		return EX_CONFIG;
	buffer_init(&shown, SHOWN_MAX);
	config_show(config, all, &shown);
	int code = tool_print(&shown);
	buffer_clear(&shown);
	config_free(config);
	return code;
}

static int
check(const struct tool *tool)
{
	struct config *config = load(tool);

	if (config == NULL)
		return EX_CONFIG;
	(void)printf("%s is fine: %zu upstream%s, %zu door%s%s\n", config->file,
	    config->upstream_count, config->upstream_count == 1 ? "" : "s",
	    config->listen_count, config->listen_count == 1 ? "" : "s",
	    config->upstream_count == 0
		? "; without an upstream mail only waits"
		: "");
	config_free(config);
	return EX_OK;
}

int
config_command(struct tool *tool, int argc, char **argv)
{
	bool all = false;
	const struct tool_option options[] = {
	    {"--defaults", &all, NULL}, {NULL, NULL, NULL}};

	int left = tool_options(tool, argc, argv, options);
	if (left < 0)
		return EX_USAGE;
	if (left == 0 || (left == 1 && strcmp(argv[0], "show") == 0))
		return show(tool, all);
	if (left == 1 && strcmp(argv[0], "check") == 0)
		return check(tool);
	return tool_usage(tool, "%s is neither show nor check", argv[left - 1]);
}
