#include "tools/sendmail_socket.h"

#include "base/bytes.h"
#include "config/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* How long a full backlog is waited for. */
#define CONNECT_MAX_S 30

const char *
sendmail_socket_path(void)
{
	const char *path = getenv("POSTRIDER_SOCKET");
	return path != NULL && path[0] != '\0' ? path : CONFIG_SMTP_SOCKET;
}

/* connect(), through signals: interrupted, it goes on by itself. */
static int
connect_to(int fd, const struct sockaddr_un *address)
{
	const struct timeval limit = {.tv_sec = CONNECT_MAX_S};
	int result;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0)
		return -1;
	do {
		result = connect(
		    fd, (const struct sockaddr *)address, sizeof(*address));
	} while (result != 0 && errno == EINTR);
	return result;
}

static enum sendmail_socket_result
fail(const char *path, struct error *error)
{
	int reason = errno;

	(void)error_system(error, "%s", path); /* the result tells */
	switch (reason) {
	case ENOENT:
	case ENOTDIR:
	case ECONNREFUSED:
	case EAGAIN: /* its backlog stays full */
		return SENDMAIL_SOCKET_NOBODY;
	default:
		return SENDMAIL_SOCKET_FAILED;
	}
}

enum sendmail_socket_result
sendmail_socket_open(const char *path, int *out_fd, struct error *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return fail(path, error);
	}
	memcpy(address.sun_path, path, strlen(path));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		/* Of the process, not of the path: not "nobody". */
		(void)error_system(error, "socket");
		return SENDMAIL_SOCKET_FAILED;
	}
	if (connect_to(fd, &address) == 0) {
		*out_fd = fd;
		return SENDMAIL_SOCKET_OPEN;
	}
	enum sendmail_socket_result result = fail(path, error);
	(void)close(fd); /* nothing was written */
	return result;
}
