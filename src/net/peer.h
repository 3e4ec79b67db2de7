/* Who is at the other end of an accepted connection. */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

struct peer {
	bool local; /* a unix socket: uid, gid, pid by SO_PEERCRED */
	uid_t uid;
	gid_t gid;
	pid_t pid;
	bool loopback;    /* local, or 127.0.0.0/8 or ::1 */
	char address[64]; /* "192.0.2.1", "2001:db8::1", "local", "unknown" */
	unsigned port;
};

/* What address (where fd is connected to) says, and of a unix socket what the
 * kernel knows of fd's other end.  An IPv4 address mapped into IPv6 is shown
 * and judged as IPv4.  Of another family, as where the peer has gone already:
 * unknown, neither local nor loopback. */
void peer_describe(struct peer *peer, int fd, const struct sockaddr *address,
    socklen_t address_len);
