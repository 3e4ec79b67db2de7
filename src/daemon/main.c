/* postriderd: arguments, configuration, log; the rest is daemon.c. */
#include "base/log.h"
#include "config/config.h"
#include "daemon/daemon.h"
#include "daemon/service.h"
#include "daemon/version.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

struct arguments {
	const char *file;
	bool check;
	bool verbose;
};

static const char usage[] = "usage: postriderd [-fnv] [-c FILE]\n";

static const char help[] =
    "\n"
    "Relays the mail of this machine: accepts it, keeps it on disk, and "
    "delivers\n"
    "it upstream.  Stays in the foreground; a service manager starts it.\n"
    "\n"
    "  -c, --config FILE   the configuration (" CONFIG_FILE ")\n"
    "  -n, --check         read it, report every error, and exit: 0 or 78\n"
    "  -v, --verbose       log more, whatever log.level says\n"
    "  -f, --foreground    the only way there is; accepted for habit\n"
    "  -V, --version       say which version this is\n"
    "  -h, --help          this\n"
    "\n"
    "Signals: TERM ends it when deliveries under way are done (30 s at most);\n"
    "HUP reads the configuration again, and changes over only if it is right.\n"
    "\n"
    "Examples:\n"
    "  postriderd --check                  is the configuration right?\n"
    "  postriderd -c ./my.conf             a private instance, no root needed\n"
    "  systemctl reload postrider          after a change\n"
    "\n"
    "postriderd(8), postrider.conf(5), postrider(1)\n";

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"check", no_argument, NULL, 'n'},
    {"verbose", no_argument, NULL, 'v'},
    {"foreground", no_argument, NULL, 'f'},
    {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static void
say_and_exit(const char *text, const char *more)
{
	if (printf("%s%s", text, more) < 0 || fflush(stdout) != 0)
		exit(EX_IOERR);
	exit(EX_OK);
}

static struct arguments
read_arguments(int argc, char **argv)
{
	struct arguments arguments = {.file = CONFIG_FILE};
	int option;

	while ((option = getopt_long(
		    argc, argv, "c:nvfVh", long_options, NULL)) != -1)
		switch (option) {
		case 'c':
			arguments.file = optarg;
			break;
		case 'n':
			arguments.check = true;
			break;
		case 'v':
			arguments.verbose = true;
			break;
		case 'f':
			break;
		case 'V':
			say_and_exit("postriderd " VERSION_TEXT, "\n");
			break;
		case 'h':
			say_and_exit(usage, help);
			break;
		default:
			(void)fputs(usage, stderr); /* exits in any case */
			exit(EX_USAGE);
		}
	if (optind < argc) {
		(void)fprintf(stderr, "postriderd: unexpected argument: %s\n%s",
		    argv[optind], usage); /* exits in any case */
		exit(EX_USAGE);
	}
	return arguments;
}

static enum log_sink
sink_of(enum config_log_sink to)
{
	switch (to) {
	case CONFIG_LOG_AUTO:
		return log_sink_auto();
	case CONFIG_LOG_JOURNAL:
		return LOG_SINK_JOURNAL;
	case CONFIG_LOG_SYSLOG:
		return LOG_SINK_SYSLOG;
	case CONFIG_LOG_STDERR:
		return LOG_SINK_STDERR;
	case CONFIG_LOG_JSON:
		return LOG_SINK_JSON;
	}
	return LOG_SINK_STDERR;
}

/* The configuration, or the end of the program, every error told. */
static struct config *
load_config(const struct arguments *arguments)
{
	struct config *config = NULL;
	struct buffer diagnostics;

	buffer_init(&diagnostics, (size_t)1024 * 1024);
	bool loaded =
	    config_load(arguments->file, environ, &config, &diagnostics);
	struct bytes text = buffer_bytes(&diagnostics);
	(void)fwrite(
	    text.data, 1, text.len, stderr); /* nowhere else to say it */
	buffer_clear(&diagnostics);
	if (!loaded)
		exit(EX_CONFIG);
	return config;
}

/* Every connection and segment takes a descriptor. */
static void
raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		log_warning("descriptors: %s", strerror(errno));
}

/*
 * The path of this program, to become it again.  Asked for at the start: once
 * an upgrade has put another file in its place, that one is meant, and the
 * kernel calls ours deleted.
 */
static const char *
program_path(const char *name)
{
	static char path[4096];

	if (strchr(name, '/') != NULL)
		return name;
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
	return len > 0 ? path : name;
}

/* A hang-up that comes while nobody listens for it yet waits until somebody
 * does; else it would kill.  daemon_run() lets it come. */
static void
hold_hangups(void)
{
	sigset_t hangup;

	(void)sigemptyset(&hangup);                  /* cannot fail, */
	(void)sigaddset(&hangup, SIGHUP);            /* nor this, */
	(void)sigprocmask(SIG_BLOCK, &hangup, NULL); /* nor this */
}

static int
become_again(
    const char *program, char **argv, const struct service_sockets *sockets)
{
	struct error error;

	if (!service_hand_sockets(sockets, &error)) {
		log_error("reload: %s", error_text(&error));
		return EX_OSERR;
	}
	execv(program, argv);
	log_error("reload: run %s: %s", program, strerror(errno));
	return EX_OSERR;
}

static int
run(const struct config *config, const char *program, char **argv)
{
	struct service_sockets sockets;
	struct daemon *daemon;
	struct error error;

	service_take_sockets(&sockets);
	if (!daemon_new(config, &sockets, &daemon, &error)) {
		log_error("cannot start: %s", error_text(&error));
		return error.kind == ERROR_CONFIG ? EX_CONFIG : EX_OSERR;
	}
	log_info("postriderd %s is ready", VERSION_TEXT);
	enum daemon_end end = daemon_run(daemon);
	sockets.count = 0;
	daemon_free(daemon, end == DAEMON_REEXEC ? &sockets : NULL);
	switch (end) {
	case DAEMON_STOPPED:
		log_info("ended");
		return EX_OK;
	case DAEMON_REEXEC:
		return become_again(program, argv, &sockets);
	case DAEMON_BROKEN:
		return EX_IOERR;
	}
	return EX_OK;
}

int
main(int argc, char **argv)
{
	hold_hangups();
	const char *program = program_path(argv[0]);
	struct arguments arguments = read_arguments(argc, argv);
	struct config *config = load_config(&arguments);
	if (arguments.check) {
		config_free(config);
		return EX_OK;
	}

	log_open(sink_of(config->log.to),
	    arguments.verbose ? LOG_LEVEL_DEBUG
			      : (enum log_level)config->log.level,
	    "postriderd", NULL);
	for (size_t i = 0; i < config->warnings.count; i++)
		log_warning("%s", config->warnings.texts[i]);
	raise_descriptors();
	/* Writes report these themselves. */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	/* A worker may have been left busy, with config at hand: nothing is
	 * freed, and exit() is not called. */
	_exit(run(config, program, argv));
}
