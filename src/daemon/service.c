#include "daemon/service.h"

#include "base/bytes.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LISTEN_FDS_START 3
/* A letter for each socket that we hand to ourselves: is it our own? */
#define OWN_VARIABLE "POSTRIDER_OWN_SOCKETS"

static unsigned long long
environment_number(const char *name)
{
	unsigned long long value = 0;
	const char *text = getenv(name);

	if (text == NULL || !bytes_to_u64(bytes_of(text), UINT64_MAX, &value))
		return 0;
	return value;
}

void
service_take_sockets(struct service_sockets *out_sockets)
{
	unsigned long long count = environment_number("LISTEN_FDS");
	bool ours =
	    environment_number("LISTEN_PID") == (unsigned long long)getpid();
	const char *own = getenv(OWN_VARIABLE);
	size_t own_len = own == NULL ? 0 : strlen(own);

	out_sockets->count = 0;
	for (int i = 0; ours && i < (int)count && i < 4096; i++) {
		int fd = LISTEN_FDS_START + i;
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
			continue;
		if (out_sockets->count == SERVICE_SOCKETS_MAX) {
			(void)close(fd); /* nobody will ever use it */
			continue;
		}
		out_sockets->own[out_sockets->count] =
		    (size_t)i < own_len && own[i] == 'y';
		out_sockets->fds[out_sockets->count++] = fd;
	}
	(void)unsetenv(OWN_VARIABLE);
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDNAMES");
}

static bool
environment_set_number(const char *name, long value, struct error *error)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%ld", value); /* always fits */
	if (setenv(name, text, 1) != 0)
		return error_system(error, "set %s", name);
	return true;
}

static bool
environment_set_own(const struct service_sockets *sockets, struct error *error)
{
	char own[SERVICE_SOCKETS_MAX + 1] = "";

	for (size_t i = 0; i < sockets->count; i++)
		own[i] = sockets->own[i] ? 'y' : 'n';
	if (setenv(OWN_VARIABLE, own, 1) != 0)
		return error_system(error, "set %s", OWN_VARIABLE);
	return true;
}

bool
service_hand_sockets(const struct service_sockets *sockets, struct error *error)
{
	int parked[SERVICE_SOCKETS_MAX];
	/* Where they wait while the ones below are overwritten. */
	int above = LISTEN_FDS_START + (int)sockets->count;

	for (size_t i = 0; i < sockets->count; i++) {
		parked[i] = fcntl(sockets->fds[i], F_DUPFD_CLOEXEC, above);
		if (parked[i] < 0)
			return error_system(error, "keep socket %zu", i);
	}
	/* dup2 clears close-on-exec on its result: these alone survive. */
	for (size_t i = 0; i < sockets->count; i++)
		if (dup2(parked[i], LISTEN_FDS_START + (int)i) < 0)
			return error_system(error, "hand on socket %zu", i);
	return environment_set_own(sockets, error) &&
	    environment_set_number("LISTEN_FDS", (long)sockets->count, error) &&
	    environment_set_number("LISTEN_PID", (long)getpid(), error);
}

static bool
notify_address(struct sockaddr_un *out_address, socklen_t *out_len)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path == NULL ? 0 : strlen(path);

	*out_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (len == 0 || len >= sizeof(out_address->sun_path))
		return false;
	memcpy(out_address->sun_path, path, len);
	if (path[0] == '@')
		out_address->sun_path[0] = '\0'; /* the abstract namespace */
	*out_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	return true;
}

bool
service_notify(const char *format, ...)
{
	struct sockaddr_un address;
	socklen_t address_len;
	if (!notify_address(&address, &address_len))
		return false;

	char text[1024];
	va_list args;
	va_start(args, format);
	int len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (len < 0 || (size_t)len >= sizeof(text))
		return false;

	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	ssize_t sent = sendto(fd, text, (size_t)len, MSG_NOSIGNAL,
	    (const struct sockaddr *)&address, address_len);
	(void)close(fd); /* nothing was written through it that could be lost */
	return sent == len;
}

int64_t
service_watchdog_ms(void)
{
	const char *pid = getenv("WATCHDOG_PID");

	if (pid != NULL &&
	    environment_number("WATCHDOG_PID") != (unsigned long long)getpid())
		return 0;
	return (int64_t)(environment_number("WATCHDOG_USEC") / 1000);
}
