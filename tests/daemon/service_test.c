/* The service manager's protocol. */
#include "daemon/service.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void
set_number(const char *name, long value)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%ld", value); /* fits */
	cr_assert_eq(setenv(name, text, 1), 0);
}

/* A process of its own, since descriptor 3 is somebody's here. */
static int
take_one(long pid, const char *count, size_t expected)
{
	struct service_sockets sockets;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0 || dup2(fd, 3) != 3)
		return 1;
	set_number("LISTEN_PID", pid == 0 ? (long)getpid() : pid);
	if (setenv("LISTEN_FDS", count, 1) != 0)
		return 1;
	service_take_sockets(&sockets);
	if (sockets.count != expected || getenv("LISTEN_FDS") != NULL)
		return 2;
	if (expected > 0 && !(fcntl(sockets.fds[0], F_GETFD) & FD_CLOEXEC))
		return 3;
	return 0;
}

Test(service, takes_sockets_that_are_meant_for_it)
{
	static const struct row {
		const char *name;
		long pid; /* 0: ours */
		const char *count;
		size_t taken;
	} rows[] = {
	    {"somebody else's", 1, "1", 0},
	    {"no number", 0, "x", 0},
	    {"none", 0, "0", 0},
	    {"one", 0, "1", 1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pid_t pid = fork();
		int status;
		if (pid == 0)
			_exit(take_one(
			    rows[i].pid, rows[i].count, rows[i].taken));
		cr_assert_eq(waitpid(pid, &status, 0), pid);
		cr_expect_eq(
		    status, 0, "%s: %x", rows[i].name, (unsigned)status);
	}
}

/* In a process of its own, whose descriptors it may upset. */
static int
hand_on(void)
{
	struct service_sockets sockets = {.count = 3};
	struct service_sockets taken;
	struct error error;
	int pairs[4];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pairs) != 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, pairs + 2) != 0)
		return 1;
	/* They lie where they are going to, in another order. */
	sockets.fds[0] = pairs[2];
	sockets.fds[1] = pairs[0];
	sockets.fds[2] = pairs[1];
	sockets.own[1] = true;
	if (!service_hand_sockets(&sockets, &error))
		return 2;
	service_take_sockets(&taken);
	if (taken.count != 3 || taken.own[0] || !taken.own[1] || taken.own[2])
		return 3;
	/* The second and the third are a pair still. */
	char octet = 0;
	if (write(taken.fds[1], "x", 1) != 1 ||
	    read(taken.fds[2], &octet, 1) != 1 || octet != 'x')
		return 4;
	return 0;
}

Test(service, hands_sockets_on_to_itself)
{
	pid_t pid = fork();
	int status;

	cr_assert_geq(pid, 0);
	if (pid == 0)
		_exit(hand_on());
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
}

Test(service, tells_the_manager_where_there_is_one)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char text[64] = "";

	cr_expect_not(service_notify("READY=1"));
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	(void)snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1,
	    "postrider-test-%ld", (long)getpid()); /* fits */
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
	    strlen(address.sun_path + 1));
	cr_assert_eq(bind(fd, (const struct sockaddr *)&address, len), 0);
	address.sun_path[0] = '@';
	cr_assert_eq(setenv("NOTIFY_SOCKET", address.sun_path, 1), 0);
	cr_expect(service_notify("STATUS=%d messages", 7));
	cr_expect_eq(recv(fd, text, sizeof(text) - 1, 0), 17);
	cr_expect_str_eq(text, "STATUS=7 messages");
	(void)close(fd);
}

Test(service, knows_how_often_the_watchdog_wants_to_hear)
{
	cr_expect_eq(service_watchdog_ms(), 0);
	cr_assert_eq(setenv("WATCHDOG_USEC", "30000000", 1), 0);
	cr_expect_eq(service_watchdog_ms(), 30000);
	cr_assert_eq(setenv("WATCHDOG_PID", "1", 1), 0);
	cr_expect_eq(service_watchdog_ms(), 0, "somebody else is meant");
}
