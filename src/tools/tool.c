#include "tools/tool.h"

#include "base/clock.h"
#include "base/memory.h"
#include "config/config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <unistd.h>

#define ANSWER_MAX ((size_t)256 * 1024 * 1024)

extern char **environ;

void
tool_clear(struct tool *tool)
{
	free(tool->found_socket);
	tool->found_socket = NULL;
}

/* ---- arguments ---- */

int
tool_usage(const struct tool *tool, const char *format, ...)
{
	va_list args;

	(void)fprintf(stderr,
	    "postrider%s%s: ", tool->command != NULL ? " " : "",
	    tool->command != NULL ? tool->command : "");
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fprintf(stderr, "; see postrider %s%s--help\n",
	    tool->command != NULL ? tool->command : "",
	    tool->command != NULL ? " " : "");
	return EX_USAGE;
}

enum tool_match
tool_match(const struct tool *tool, const char *name, int argc, char **argv,
    int *at, const char **out_value)
{
	const char *word = argv[*at];
	const size_t len = strlen(name);
	const bool is_letter = name[1] != '-';

	if (strcmp(word, name) == 0) {
		if (out_value == NULL)
			return TOOL_TAKEN;
		if (*at + 1 == argc) {
			(void)tool_usage(tool, "%s needs a value", word);
			return TOOL_WRONG;
		}
		*out_value = argv[++*at];
		return TOOL_TAKEN;
	}
	if (out_value == NULL || strncmp(word, name, len) != 0)
		return TOOL_OTHER;
	if (!is_letter && word[len] != '=')
		return TOOL_OTHER;
	*out_value = word + len + (is_letter ? 0 : 1);
	return TOOL_TAKEN;
}

static bool
tell_unknown(const struct tool *tool, const char *word, struct guess *guess)
{
	guess_try(guess, "--json");
	guess_try(guess, "--help");
	if (guess->best != NULL)
		(void)tool_usage(tool, "unknown option %s, did you mean %s?",
		    word, guess->best);
	else
		(void)tool_usage(tool, "unknown option %s", word);
	return false;
}

static bool
take_option(const struct tool *tool, int argc, char **argv, int *at,
    tool_take_fn *take, void *ctx)
{
	const char *word = argv[*at];
	struct guess guess = guess_begin(word);
	const enum tool_match match = take(argc, argv, at, &guess, ctx);

	return match == TOOL_OTHER ? tell_unknown(tool, word, &guess)
				   : match == TOOL_TAKEN;
}

int
tool_walk(
    struct tool *tool, int argc, char **argv, tool_take_fn *take, void *ctx)
{
	int left = 0;
	bool literal = false;

	for (int i = 1; i < argc; i++) {
		if (literal || argv[i][0] != '-' || argv[i][1] == '\0')
			argv[left++] = argv[i];
		else if (strcmp(argv[i], "--") == 0)
			literal = true;
		else if (strcmp(argv[i], "--json") == 0)
			tool->json = true;
		else if (!take_option(tool, argc, argv, &i, take, ctx))
			return -1;
	}
	return left;
}

struct rows {
	const struct tool *tool;
	const struct tool_option *options;
};

static enum tool_match
take_row(int argc, char **argv, int *at, struct guess *guess, void *ctx)
{
	const struct rows *rows = ctx;

	for (const struct tool_option *option = rows->options;
	     option->name != NULL; option++) {
		const enum tool_match match = tool_match(
		    rows->tool, option->name, argc, argv, at, option->value);
		if (match == TOOL_TAKEN && option->flag != NULL)
			*option->flag = true;
		if (match != TOOL_OTHER)
			return match;
		guess_try(guess, option->name);
	}
	return TOOL_OTHER;
}

int
tool_options(
    struct tool *tool, int argc, char **argv, const struct tool_option *options)
{
	struct rows rows = {tool, options};

	return tool_walk(tool, argc, argv, take_row, &rows);
}

/* ---- the daemon ---- */

/* The configuration's socket; the usual one where it can not be read. */
static const char *
find_socket(struct tool *tool)
{
	struct buffer diagnostics;
	struct config *config;

	buffer_init(&diagnostics, ANSWER_MAX);
	if (config_load(tool->config_file, environ, &config, &diagnostics)) {
		tool->found_socket = memory_copy_text(config->admin.socket);
		config_free(config);
	} else {
		tool->found_socket = memory_copy_text(CONFIG_ADMIN_SOCKET);
		if (tool->has_config_file)
			(void)fprintf(stderr,
			    "postrider: %s can not be used (see postrider "
			    "config check); asking %s\n",
			    tool->config_file, tool->found_socket);
	}
	buffer_clear(&diagnostics);
	return tool->found_socket;
}

/* Told, and the exit code for it. */
static int
tell_error(const char *socket, const struct error *error)
{
	int number = error->kind == ERROR_SYSTEM ? error->number : 0;

	if (number == EACCES || number == EPERM) {
		(void)fprintf(stderr, "postrider: %s: not permitted\n", socket);
		return EX_NOPERM;
	}
	if (number == ENOENT || number == ECONNREFUSED) {
		(void)fprintf(stderr,
		    "postrider: the daemon does not answer on %s: %s; is it "
		    "running? systemctl status postrider\n",
		    socket, strerror(number));
		return EX_UNAVAILABLE;
	}
	(void)fprintf(stderr, "postrider: %s: %s\n", socket, error_text(error));
	return EX_TEMPFAIL;
}

static int
tell_status(int status, const char *text)
{
	(void)fprintf(stderr, "postrider: %s\n", text);
	if (status == 403)
		return EX_NOPERM;
	if (status == 404)
		return TOOL_NOTHING;
	return status < 500 ? EX_USAGE : EX_TEMPFAIL;
}

int
tool_call(struct tool *tool, const char *method, const char *target,
    struct bytes body, control_client_fn *fn, void *ctx)
{
	const char *socket =
	    tool->socket != NULL ? tool->socket : tool->found_socket;
	struct control_client_request request = {
	    .socket = socket != NULL ? socket : find_socket(tool),
	    .method = method,
	    .target = target,
	    .body = body};
	struct error error;
	char *text;
	int status;

	if (!control_client_call(&request, fn, ctx, &status, &text, &error))
		return tell_error(request.socket, &error);
	int code = status == 200 ? EX_OK : tell_status(status, text);
	free(text);
	return code;
}

int
tool_copy(struct tool *tool, const char *target)
{
	int fd = STDOUT_FILENO;

	return tool_call(
	    tool, "GET", target, BYTES_NONE, control_client_copy, &fd);
}

/* Ask, and read the answer's JSON. */
static int
ask(struct tool *tool, const char *method, const char *target,
    struct bytes body, json_t **out_json)
{
	struct buffer answer;
	json_error_t problem;

	buffer_init(&answer, ANSWER_MAX);
	int code = tool_call(
	    tool, method, target, body, control_client_gather, &answer);
	if (code == EX_OK) {
		struct bytes text = buffer_bytes(&answer);

		*out_json = json_loadb(text.data, text.len, 0, &problem);
		if (*out_json == NULL) {
			(void)fprintf(stderr,
			    "postrider: the daemon's answer is no JSON: %s\n",
			    problem.text);
			code = EX_TEMPFAIL;
		}
	}
	buffer_clear(&answer);
	return code;
}

int
tool_get(struct tool *tool, const char *target, json_t **out_json)
{
	return ask(tool, "GET", target, BYTES_NONE, out_json);
}

int
tool_post(
    struct tool *tool, const char *target, json_t *body, json_t **out_json)
{
	char *text = json_dumps(body, JSON_COMPACT);
	int code = ask(tool, "POST", target, bytes_of(text), out_json);

	free(text);
	json_decref(body);
	return code;
}

/* ---- what comes out ---- */

static size_t
columns_of_terminal(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	unsigned long long number;

	if (columns != NULL && bytes_to_u64(bytes_of(columns), 10000, &number))
		return (size_t)number;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		return size.ws_col;
	return 0;
}

struct status_style
tool_style(void)
{
	const char *no_color = getenv("NO_COLOR");
	bool terminal = isatty(STDOUT_FILENO) == 1;

	return (struct status_style){
	    .color = terminal && (no_color == NULL || no_color[0] == '\0'),
	    .columns = terminal ? columns_of_terminal() : 0,
	    .now_ms = clock_now().wall_ms};
}

int
tool_print(const struct buffer *buffer)
{
	int fd = STDOUT_FILENO;

	if (control_client_copy(buffer_bytes(buffer), &fd))
		return EX_OK;
	(void)fprintf(stderr, "postrider: output: %s\n", strerror(errno));
	return EX_IOERR;
}
