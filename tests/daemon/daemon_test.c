/* The whole daemon in a process of its own, through its sockets. */
#include "base/log.h"
#include "base/memory.h"
#include "daemon/daemon.h"
#include "lib/scratch_folder.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char *folder;
static int manager; /* where the daemon says how it is */
static int arrivals;
static pid_t pid;

static char *
path_of(const char *name)
{
	return memory_format("%s/%s", folder, name);
}

static void
write_config(const char *more)
{
	char *path = path_of("postrider.conf");
	FILE *file = fopen(path, "w");

	cr_assert_not_null(file);
	cr_assert_gt(
	    fprintf(file,
		"listen = ( { socket = \"smtp.sock\"; } );\n"
		"queue = { directory = \"queue\"; inline_limit = \"16K\"; };\n"
		"drop = { directory = \"\"; };\n"
		"admin = { socket = \"admin.sock\"; };\n"
		"identity = { hostname = \"relay.example\"; };\n%s\n",
		more),
	    0);
	cr_assert_eq(fclose(file), 0);
	free(path);
}

static struct config *
load_config(void)
{
	char *path = path_of("postrider.conf");
	struct config *config = NULL;
	struct buffer diagnostics;

	buffer_init(&diagnostics, 65536);
	bool loaded = config_load(path, NULL, &config, &diagnostics);
	char *text = buffer_to_text(&diagnostics);
	cr_assert(loaded, "%s", text);
	free(text);
	buffer_clear(&diagnostics);
	free(path);
	return config;
}

static void
listen_for_news(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char *path = path_of("notify");

	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	/* A daemon that does not say anything is a failure, and no wait. */
	const struct timeval patience = {.tv_sec = 20};
	cr_assert_eq(setsockopt(manager, SOL_SOCKET, SO_RCVTIMEO, &patience,
			 sizeof(patience)),
	    0);
	(void)snprintf(
	    address.sun_path, sizeof(address.sun_path), "%s", path); /* fits */
	cr_assert_eq(
	    bind(manager, (const struct sockaddr *)&address, sizeof(address)),
	    0);
	cr_assert_eq(setenv("NOTIFY_SOCKET", path, 1), 0);
	free(path);
}

static void
make_maildir(void)
{
	static const char *const names[] = {
	    "mail", "mail/new", "mail/cur", "mail/tmp"};

	for (size_t i = 0; i < 4; i++) {
		char *path = path_of(names[i]);
		cr_assert_eq(mkdir(path, 0700), 0);
		free(path);
	}
	char *path = path_of("mail/new");
	arrivals = inotify_init1(IN_CLOEXEC);
	cr_assert_geq(inotify_add_watch(arrivals, path, IN_MOVED_TO), 0);
	free(path);
}

static void
begin(void)
{
	folder = scratch_folder_new();
	listen_for_news();
	make_maildir();
	log_open(LOG_SINK_STDERR, LOG_LEVEL_ERROR, "test", NULL);
}

static void
end(void)
{
	(void)close(manager);
	(void)close(arrivals);
	scratch_folder_remove(folder);
}

TestSuite(daemon, .init = begin, .fini = end, .timeout = 60);

/* ---- the daemon ---- */

/* Its exit status: the enum daemon_end, and 16 for each socket handed on. */
static int
be_daemon(const struct config *config)
{
	struct service_sockets sockets = {.count = 0};
	struct daemon *daemon;
	struct error error;

	if (!daemon_new(config, &sockets, &daemon, &error)) {
		(void)fprintf(stderr, "%s\n", error_text(&error));
		return 99;
	}
	enum daemon_end how = daemon_run(daemon);
	(void)raise(SIGTERM); /* waits for the next life; else it kills */
	sockets.count = 0;
	daemon_free(daemon, how == DAEMON_REEXEC ? &sockets : NULL);
	return (int)how + 16 * (int)sockets.count;
}

static void
wait_for_news(const char *expected)
{
	char text[1024];

	do {
		ssize_t len = recv(manager, text, sizeof(text) - 1, 0);
		cr_assert_gt(len, 0);
		text[len] = '\0';
	} while (strstr(text, expected) == NULL);
}

static void
start(void)
{
	struct config *config = load_config();

	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0)
		_exit(be_daemon(config));
	config_free(config);
	wait_for_news("READY=1");
}

static int
wait_for_end(void)
{
	int status;

	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* ---- a client ---- */

static int
connect_to(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char *path = path_of(name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(
	    address.sun_path, sizeof(address.sun_path), "%s", path); /* fits */
	free(path);
	cr_assert_eq(
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0,
	    "%s", strerror(errno));
	return fd;
}

static void
say(int fd, const char *text)
{
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

/* Until a last line of a reply with this code; no reply is longer. */
static void
hear(int fd, const char *code)
{
	char text[4096] = "";
	size_t len = 0;

	while (len < sizeof(text) - 1) {
		ssize_t got = read(fd, text + len, 1);
		cr_assert_gt(got, 0, "instead of %s: %s", code, text);
		len++;
		if (text[len - 1] != '\n')
			continue;
		const char *line = text;
		for (size_t i = 0; i + 1 < len; i++)
			if (text[i] == '\n')
				line = &text[i + 1];
		if (strncmp(line, code, 3) == 0 && line[3] == ' ')
			return;
	}
}

static int
open_session(void)
{
	int fd = connect_to("smtp.sock");

	hear(fd, "220");
	say(fd, "EHLO me\r\n");
	hear(fd, "250");
	return fd;
}

static void
begin_content(int fd)
{
	say(fd, "MAIL FROM:<a@x.example>\r\n");
	hear(fd, "250");
	say(fd, "RCPT TO:<b@y.example>\r\n");
	hear(fd, "250");
	say(fd, "DATA\r\n");
	hear(fd, "354");
	say(fd, "Subject: x\r\n\r\n");
}

static void
submit(size_t lines)
{
	int fd = open_session();

	begin_content(fd);
	for (size_t i = 0; i < lines; i++)
		say(fd, "0123456789012345678901234567890123456789012345\r\n");
	say(fd, ".\r\n");
	hear(fd, "250");
	(void)close(fd);
}

static void
wait_for_arrivals(unsigned count)
{
	union {
		struct inotify_event event;
		char octets[4096];
	} news;

	while (count > 0) {
		ssize_t len = read(arrivals, &news, sizeof(news));
		cr_assert_gt(len, 0);
		for (ssize_t at = 0; at < len; count--) {
			struct inotify_event event;
			memcpy(&event, news.octets + at, sizeof(event));
			at += (ssize_t)(sizeof(event) + event.len);
		}
	}
}

/* ---- tests ---- */

Test(daemon, accepts_delivers_and_ends)
{
	write_config("smarthost = \"maildir:mail\";");
	start();
	submit(1);
	submit(1000); /* beside the journal */
	wait_for_arrivals(2);
	cr_assert_eq(kill(pid, SIGTERM), 0);
	cr_expect_eq(wait_for_end(), DAEMON_STOPPED);
	char *path = path_of("smtp.sock");
	cr_expect_neq(access(path, F_OK), 0, "the socket is gone");
	free(path);
}

Test(daemon, keeps_what_it_has_accepted_when_it_is_killed)
{
	write_config("smarthost = \"smtp://127.0.0.1:1\";");
	start();
	submit(1);
	submit(1000);
	cr_assert_eq(kill(pid, SIGKILL), 0);
	cr_assert_eq(wait_for_end(), -SIGKILL);
	write_config("smarthost = \"maildir:mail\";");
	start();
	wait_for_arrivals(2);
	cr_assert_eq(kill(pid, SIGTERM), 0);
	cr_expect_eq(wait_for_end(), DAEMON_STOPPED);
}

Test(daemon, lets_a_session_finish_and_cuts_off_who_does_not)
{
	write_config("smarthost = \"maildir:mail\";");
	start();
	int idle = open_session();
	int busy = open_session();
	int stuck = open_session();
	begin_content(busy);
	begin_content(stuck);
	cr_assert_eq(kill(pid, SIGTERM), 0);
	hear(idle, "421");
	say(busy, ".\r\n");
	hear(busy, "250");
	cr_expect_eq(wait_for_end(), DAEMON_STOPPED);
	char octet;
	cr_expect_leq(read(stuck, &octet, 1), 0);
	(void)close(idle);
	(void)close(busy);
	(void)close(stuck);
}

Test(daemon, reloads_only_what_is_right)
{
	write_config("smarthost = \"maildir:mail\";");
	start();
	write_config("smarthostess = \"maildir:mail\";");
	cr_assert_eq(kill(pid, SIGHUP), 0);
	submit(1);
	wait_for_arrivals(1);
	write_config("smarthost = \"maildir:mail\";");
	cr_assert_eq(kill(pid, SIGHUP), 0);
	wait_for_news("RELOADING=1\nMONOTONIC_USEC=");
	cr_expect_eq(wait_for_end(), DAEMON_REEXEC + 2 * 16);
	char *path = path_of("smtp.sock");
	cr_expect_eq(access(path, F_OK), 0, "the socket stays");
	free(path);
}

Test(daemon, ends_though_a_reload_was_asked_for_before)
{
	write_config("smarthost = \"maildir:mail\";");
	start();
	int fd = open_session();
	begin_content(fd);
	cr_assert_eq(kill(pid, SIGHUP), 0);
	wait_for_news("RELOADING=1");
	cr_assert_eq(kill(pid, SIGTERM), 0);
	wait_for_news("STOPPING=1");
	say(fd, ".\r\n");
	hear(fd, "250");
	cr_expect_eq(wait_for_end(), DAEMON_STOPPED);
	(void)close(fd);
}

Test(daemon, answers_on_its_admin_socket)
{
	char text[4096] = "";
	size_t len = 0;

	write_config("smarthost = \"maildir:mail\";");
	start();
	int fd = connect_to("admin.sock");
	say(fd, "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n");
	while (len < sizeof(text) - 1) {
		ssize_t got = read(fd, text + len, sizeof(text) - 1 - len);
		if (got <= 0)
			break;
		len += (size_t)got;
	}
	cr_expect_not_null(strstr(text, "\"state\":\"running\""), "%s", text);
	(void)close(fd);
	cr_assert_eq(kill(pid, SIGTERM), 0);
	cr_expect_eq(wait_for_end(), DAEMON_STOPPED);
}

Test(daemon, says_why_it_cannot_start_and_leaves_nothing_behind)
{
	static const struct row {
		const char *config;
		const char
		    *blocked; /* a directory of that name is in the way */
		const char *expected;
	} rows[] = {
	    {"smarthost = \"maildir:mail\";", "queue/lock", "queue"},
	    {"smarthost = \"maildir:mail\";", "smtp.sock", "smtp.sock"},
	    {"smarthost = \"maildir:mail\";", "admin.sock", "admin.sock"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct service_sockets sockets = {.count = 0};
		struct daemon *daemon;
		struct error error;
		char *queue = path_of("queue");
		char *blocked = path_of(rows[i].blocked);
		(void)mkdir(queue, 0700); /* there already, perhaps */
		(void)unlink(blocked);    /* the same */
		cr_assert_eq(mkdir(blocked, 0700), 0, "%s", blocked);
		write_config(rows[i].config);
		struct config *config = load_config();
		cr_expect_not(daemon_new(config, &sockets, &daemon, &error),
		    "%s", rows[i].blocked);
		cr_expect_not_null(strstr(error_text(&error), rows[i].expected),
		    "%s", error_text(&error));
		config_free(config);
		cr_assert_eq(rmdir(blocked), 0);
		free(blocked);
		free(queue);
	}
}
