/*
 * postrider: looking after the daemon.  A table of commands; each large one is
 * a file of its own.
 */
#include "base/bytes.h"
#include "config/config.h"
#include "config/guess.h"
#include "tools/config_command.h"
#include "tools/etrn_command.h"
#include "tools/queue_command.h"
#include "tools/smtp_command.h"
#include "tools/status_command.h"
#include "tools/tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "development"
#endif

static int help_command(struct tool *tool, int argc, char **argv);
static int version_command(struct tool *tool, int argc, char **argv);

static const struct command {
	const char *name;
	int (*fn)(struct tool *tool, int argc, char **argv);
	const char *summary;
	const char *help; /* NULL: fn explains itself, by --help */
} commands[] = {
    {"status", status_command, "how the daemon is: queue, upstreams, ETRN",
	"usage: postrider status [--json]\n"
	"\n"
	"examples:\n"
	"  postrider status\n"
	"  postrider status --json | jq .upstreams\n"},
    {"queue", queue_command, "look at messages and change them",
	"usage: postrider queue [list] [--state STATE] [--limit N]\n"
	"                       [--after ID] [--count] [--json]\n"
	"       postrider queue show ID... [--content] [--json]\n"
	"       postrider queue retry|hold|release|remove ID...|ALL [--json]\n"
	"       postrider queue fsck [DIR] [--live] [--json]\n"
	"       postrider queue export DIR ID...|ALL [--remove] [--json]\n"
	"       postrider queue export DIR ID...|ALL --queue DIR [--live]\n"
	"       postrider queue import FILE...|DIR... [--remove] [--release]\n"
	"                       [--smtp SOCKET] [--json]\n"
	"\n"
	"STATE is waiting, in_flight, settling or held.  --json lists one\n"
	"object a line, with the keys of postqueue -j and more.\n"
	"\n"
	"fsck reads a queue's files, those of the configuration or in DIR, "
	"and\n"
	"changes nothing; the daemon is not running, or --live is given.  It\n"
	"exits with 0 where all is well, 1 where only the newest commit is\n"
	"torn, 65 where mail is damaged, 66 where there is no queue, 75 where\n"
	"it is in use.\n"
	"\n"
	"export writes a file ID.eml for each message into DIR, out of the\n"
	"daemon's queue, or of the one in --queue DIR; --remove takes it off\n"
	"the daemon's queue once it is on disk.  import hands such files to "
	"the\n"
	"running relay; --remove deletes each once the relay has it, "
	"--release\n"
	"takes those, too, that were on hold.\n"
	"\n"
	"examples:\n"
	"  postrider queue\n"
	"  postrider queue --state held --count\n"
	"  postrider queue show 4bXkzM2wQ1t\n"
	"  postrider queue show 4bXkzM2wQ1t --content >message.eml\n"
	"  postrider queue remove 4bXkzM2wQ1t 4bXkzM2wQ1v\n"
	"  postrider queue retry ALL\n"
	"  postrider queue fsck /mnt/backup/queue\n"
	"  postrider queue export /root/mail ALL --queue /mnt/backup/queue\n"
	"  postrider queue import /root/mail --remove\n"},
    {"flush", queue_command_flush, "try all waiting mail now",
	"usage: postrider flush [DOMAIN] [--json]\n"
	"\n"
	"examples:\n"
	"  postrider flush\n"
	"  postrider flush example.com\n"},
    {"etrn", etrn_command, "ask servers for the mail they hold for us",
	"usage: postrider etrn [status] [--json]\n"
	"       postrider etrn now [NODE] [--json]\n"
	"\n"
	"examples:\n"
	"  postrider etrn\n"
	"  postrider etrn now rnd.example\n"},
    {"smtp", smtp_command, "talk to any mail server: send, probe, cmd, ...",
	NULL},
    {"config", config_command, "show and check the configuration",
	"usage: postrider config show [--defaults]\n"
	"       postrider config check\n"
	"\n"
	"show writes the settings and where each comes from, in a form that\n"
	"can be read again; --defaults, also those that nobody wrote.  check\n"
	"tells every error, and exits with 78 where there is one.\n"
	"\n"
	"examples:\n"
	"  postrider config check && systemctl reload postrider\n"
	"  postrider -c ./test.conf config show --defaults\n"},
    {"version", version_command, "print the version",
	"usage: postrider version\n"},
    {"help", help_command, "explain a command",
	"usage: postrider help [COMMAND]\n"},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static const char usage[] =
    "usage: postrider [-c FILE] [-s SOCKET] COMMAND [ARGUMENT...]\n";
static const char options_help[] =
    "\n"
    "  -c, --config FILE    instead of " CONFIG_FILE "\n"
    "  -s, --socket SOCKET  ask the daemon there\n"
    "      --json           JSON instead of text\n"
    "  -h, --help           of a command too: postrider queue --help\n"
    "  -V, --version\n"
    "\n"
    "examples:\n"
    "  postrider status\n"
    "  postrider queue show 4bXkzM2wQ1t\n"
    "  postrider flush\n"
    "\n"
    "postrider(1) says more.\n";

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int
tell_unknown(const struct tool *tool, const char *name)
{
	struct guess guess = guess_begin(name);

	for (size_t i = 0; i < COMMAND_COUNT; i++)
		guess_try(&guess, commands[i].name);
	if (guess.best != NULL)
		return tool_usage(tool, "unknown command %s, did you mean %s?",
		    name, guess.best);
	return tool_usage(tool, "unknown command %s", name);
}

static int
show_all_help(void)
{
	(void)printf("%s\n", usage);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		(void)printf(
		    "  %-8s %s\n", commands[i].name, commands[i].summary);
	(void)printf("%s", options_help);
	return EX_OK;
}

static int
help_command(struct tool *tool, int argc, char **argv)
{
	if (argc < 2)
		return show_all_help();
	const struct command *command = find_command(argv[1]);
	if (command == NULL)
		return tell_unknown(tool, argv[1]);
	if (command->help == NULL) {
		static char option[] = "--help";
		char *words[] = {
		    argv[1], argc > 2 ? argv[2] : option, option, NULL};
		return command->fn(tool, 3, words);
	}
	(void)printf("%s", command->help);
	return EX_OK;
}

static int
version_command(struct tool *tool, int argc, char **argv)
{
	(void)argv;
	if (argc > 1 && !tool->json)
		return tool_usage(tool, "it takes no argument");
	(void)printf(tool->json ? "{\"version\":\"%s\"}\n" : "postrider %s\n",
	    PACKAGE_VERSION);
	return EX_OK;
}

/* Does the command's line ask for help? */
static bool
asks_for_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 ||
		    strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

static int
run(struct tool *tool, int argc, char **argv)
{
	const struct command *command = find_command(argv[0]);

	if (command == NULL)
		return tell_unknown(tool, argv[0]);
	tool->command = command->name;
	if (command->help != NULL && asks_for_help(argc, argv)) {
		(void)printf("%s", command->help);
		return EX_OK;
	}
	return command->fn(tool, argc, argv);
}

/* The value of an option before the command: "-cFILE", "-c FILE",
 * "--config FILE", "--config=FILE".  NULL where argv[*at] is not that option.
 */
static const char *
global_value(
    int argc, char **argv, int *at, const char *letter, const char *word)
{
	const char *argument = argv[*at];
	size_t len = strlen(word);

	if (strncmp(argument, word, len) == 0 && argument[len] == '=')
		return argument + len + 1;
	if (strcmp(argument, word) == 0 || strcmp(argument, letter) == 0)
		return *at + 1 < argc ? argv[++*at] : "";
	if (strncmp(argument, "--", 2) != 0 &&
	    strncmp(argument, letter, 2) == 0)
		return argument + 2;
	return NULL;
}

/* Options before the command; the index of the command, or -1 where all has
 * been done, with *out_code. */
static int
take_globals(struct tool *tool, int argc, char **argv, int *out_code)
{
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		const char *config =
		    global_value(argc, argv, &i, "-c", "--config");
		const char *socket = config != NULL
		    ? NULL
		    : global_value(argc, argv, &i, "-s", "--socket");
		bool long_help = strcmp(argv[i], "--help") == 0;

		const char *value = config != NULL ? config : socket;

		if (value != NULL && value[0] == '\0') {
			*out_code =
			    tool_usage(tool, "%s needs a value", argv[i]);
			return -1;
		}
		if (config != NULL) {
			tool->config_file = config;
			tool->has_config_file = true;
		} else if (socket != NULL)
			tool->socket = socket;
		else if (strcmp(argv[i], "--json") == 0)
			tool->json = true;
		else if (long_help || strcmp(argv[i], "-h") == 0) {
			*out_code = show_all_help();
			return -1;
		} else if (strcmp(argv[i], "--version") == 0 ||
		    strcmp(argv[i], "-V") == 0) {
			*out_code = version_command(tool, 1, argv);
			return -1;
		} else {
			*out_code =
			    tool_usage(tool, "unknown option %s", argv[i]);
			return -1;
		}
	}
	return i;
}

int
main(int argc, char **argv)
{
	struct tool tool = {.config_file = CONFIG_FILE};
	int code = EX_USAGE;
	int command = take_globals(&tool, argc, argv, &code);

	if (command < 0)
		return code;
	if (command == argc) {
		(void)fprintf(stderr, "%s%s", usage,
		    "postrider --help lists the commands\n");
		return EX_USAGE;
	}
	code = run(&tool, argc - command, argv + command);
	tool_clear(&tool);
	/* What a full disk or a closed pipe did not take is not done. */
	if (fflush(stdout) != 0 && code == EX_OK)
		code = EX_IOERR;
	return code;
}
