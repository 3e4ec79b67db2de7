/*
 * How often a program can be run: COUNT times, JOBS at once, each time with
 * INPUT on its stdin, until it has ended well.  Prints runs a second.
 *
 *   spawn JOBS COUNT INPUT PROGRAM [ARGUMENT...]
 */
#include "base/bytes.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void
fail(const char *what, const char *why)
{
	(void)fprintf(stderr, "spawn: %s: %s\n", what, why); /* and exit */
	exit(1);
}

static unsigned long
number(const char *text)
{
	unsigned long long value;

	if (!bytes_to_u64(bytes_of(text), UINT32_MAX, &value) || value == 0)
		fail(text, "no number");
	return (unsigned long)value;
}

static void
begin(const char *input, char **command)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;

	int failure = posix_spawn_file_actions_init(&actions);
	if (failure == 0)
		failure = posix_spawn_file_actions_addopen(
		    &actions, STDIN_FILENO, input, O_RDONLY, 0);
	if (failure == 0)
		failure = posix_spawn(
		    &pid, command[0], &actions, NULL, command, environ);
	if (failure != 0)
		fail(command[0], strerror(failure));
	(void)posix_spawn_file_actions_destroy(&actions); /* cannot fail */
}

static void
await_one(const char *program)
{
	int status = 0;

	while (wait(&status) < 0)
		if (errno != EINTR)
			fail(program, strerror(errno));
	if (status != 0)
		fail(program, "did not end well");
}

int
main(int argc, char **argv)
{
	if (argc < 5)
		fail("usage", "spawn JOBS COUNT INPUT PROGRAM [ARGUMENT...]");
	const unsigned long jobs = number(argv[1]);
	const unsigned long count = number(argv[2]);
	const int64_t start = clock_now().mono_ms;

	for (unsigned long i = 0; i < count; i++) {
		if (i >= jobs)
			await_one(argv[4]);
		begin(argv[3], argv + 4);
	}
	for (unsigned long i = 0; i < count && i < jobs; i++)
		await_one(argv[4]);
	const int64_t took_ms = clock_now().mono_ms - start;
	(void)printf("%.0f\n",
	    (double)count * 1000 / (double)(took_ms > 0 ? took_ms : 1));
	return 0;
}
