/*
 * sendmail(8), mailq(1) and newaliases(1): one program by three names, told
 * apart by the name it is called by.  Not set-id; needs libc alone.
 */
#include "tools/sendmail_run.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sysexits.h>
#include <unistd.h>

/* Standard descriptors that are closed would be given to files and sockets.
 * False: stdin was. */
static bool
open_standard_descriptors(void)
{
	bool has_input = fcntl(STDIN_FILENO, F_GETFD) >= 0;

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			_exit(EX_OSERR);
	return has_input;
}

/* Out of memory, or a bug: nothing was accepted. */
static void
on_abort(int signal)
{
	(void)signal;
	_exit(EX_TEMPFAIL);
}

/* The callers' leavings: writing where nobody reads, or beyond a limit, is an
 * error like others, and their alarms are not ours. */
static void
set_signals(void)
{
	static const int ignored[] = {SIGPIPE, SIGXFSZ, SIGALRM};

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		(void)signal(ignored[i], SIG_IGN); /* known signals */
	(void)signal(SIGABRT, on_abort);
}

int
main(int argc, char **argv)
{
	bool has_input = open_standard_descriptors();

	set_signals();
	return sendmail_run(argc, argv, has_input);
}
