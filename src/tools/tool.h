/*
 * What every command of postrider needs: where the daemon is, asking it, and
 * telling the caller what is wrong.
 *
 * Exit codes: 0 done; 1 nothing matched; 64 usage; 69 no daemon; 75 it did not
 * answer; 77 not permitted; 78 configuration.
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"
#include "config/guess.h"
#include "control/control_client.h"
#include "tools/status_text.h"

#include <stdbool.h>
#include <stddef.h>

#define TOOL_NOTHING 1

/* All texts are borrowed from argv or the environment, but for found_socket. */
struct tool {
	const char *config_file; /* -c, or the default */
	bool has_config_file;    /* -c was given */
	const char *socket;      /* -s, or NULL */
	char *found_socket;      /* owned: what the configuration says */
	bool json;
	const char *command; /* being run, for messages */
};

void tool_clear(struct tool *tool);

/* ---- arguments ---- */

/* One of flag and value is set where name is met. */
struct tool_option {
	const char *name;   /* "--limit" */
	bool *flag;         /* an option without a value, */
	const char **value; /* or with one: "--limit 5", "--limit=5" */
};

/*
 * Take options (ended by a row without a name) and --json out of argv[1] and
 * beyond; what is left is moved to the front.  Returns how many are left, or -1
 * where something is wrong, which has been told: exit with EX_USAGE.
 */
int tool_options(struct tool *tool, int argc, char **argv,
    const struct tool_option *options);
/*
 * The same with a table of the caller's own: take() is called with the index of
 * each word that looks like an option.
 */
enum tool_match {
	TOOL_OTHER, /* it is none of the caller's */
	TOOL_TAKEN, /* *at stands at the last word of it */
	TOOL_WRONG  /* which has been told */
};
typedef enum tool_match tool_take_fn(
    int argc, char **argv, int *at, struct guess *guess, void *ctx);
int tool_walk(
    struct tool *tool, int argc, char **argv, tool_take_fn *take, void *ctx);
/*
 * Is argv[*at] the option name?  out_value NULL: one without a value; else
 * "--name value", "--name=value", "-n value" and "-nvalue" are.
 */
enum tool_match tool_match(const struct tool *tool, const char *name, int argc,
    char **argv, int *at, const char **out_value);
/* "postrider status: text", and how to get help; returns EX_USAGE. */
int tool_usage(const struct tool *tool, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- the daemon ---- */

/* Each returns 0, or the exit code after telling what is wrong. */
int tool_call(struct tool *tool, const char *method, const char *target,
    struct bytes body, control_client_fn *fn, void *ctx);
/* The answer's JSON to stdout, as it comes. */
int tool_copy(struct tool *tool, const char *target);
/* The answer; the caller's to json_decref(). */
int tool_get(struct tool *tool, const char *target, json_t **out_json);
/* Send body (takes it) and get the answer. */
int tool_post(
    struct tool *tool, const char *target, json_t *body, json_t **out_json);

/* ---- what comes out ---- */

/* Colors where stdout is a terminal and NO_COLOR is not set; COLUMNS. */
struct status_style tool_style(void);
/* 0, or 74 where stdout does not take it. */
int tool_print(const struct buffer *buffer);
