#include "net/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static void
describe_local(struct peer *peer, int fd)
{
	struct ucred credentials = {
	    .uid = (uid_t)-1, .gid = (gid_t)-1, .pid = 0};
	socklen_t len = sizeof(credentials);

	/* Where the kernel does not know, it is nobody. */
	(void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len);
	peer->local = true;
	peer->loopback = true;
	peer->uid = credentials.uid;
	peer->gid = credentials.gid;
	peer->pid = credentials.pid;
	snprintf(peer->address, sizeof(peer->address), "local");
}

static void
describe_ipv4(struct peer *peer, struct in_addr address)
{
	peer->loopback = ntohl(address.s_addr) >> 24 == IN_LOOPBACKNET;
	inet_ntop(AF_INET, &address, peer->address, sizeof(peer->address));
}

static void
describe_ipv6(struct peer *peer, const struct in6_addr *address)
{
	struct in_addr mapped;

	if (IN6_IS_ADDR_V4MAPPED(address)) {
		memcpy(&mapped, &address->s6_addr[12], sizeof(mapped));
		describe_ipv4(peer, mapped);
		return;
	}
	peer->loopback = IN6_IS_ADDR_LOOPBACK(address);
	inet_ntop(AF_INET6, address, peer->address, sizeof(peer->address));
}

void
peer_describe(struct peer *peer, int fd, const struct sockaddr *address,
    socklen_t address_len)
{
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;

	*peer = (struct peer){
	    .uid = (uid_t)-1, .gid = (gid_t)-1, .address = "unknown"};
	if (address->sa_family == AF_INET && address_len >= sizeof(ipv4)) {
		memcpy(&ipv4, address, sizeof(ipv4));
		describe_ipv4(peer, ipv4.sin_addr);
		peer->port = ntohs(ipv4.sin_port);
	} else if (address->sa_family == AF_INET6 &&
	    address_len >= sizeof(ipv6)) {
		memcpy(&ipv6, address, sizeof(ipv6));
		describe_ipv6(peer, &ipv6.sin6_addr);
		peer->port = ntohs(ipv6.sin6_port);
	} else if (address->sa_family == AF_UNIX) {
		describe_local(peer, fd);
	}
}
