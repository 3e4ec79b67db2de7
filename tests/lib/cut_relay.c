#include "lib/cut_relay.h"

#include "base/memory.h"
#include "lib/conn_probe.h"
#include "net/socket_address.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct cut_relay {
	struct socket_address server;
	enum cut_way way;
	size_t max;
	size_t passed;
	int listening;
	char host[SOCKET_ADDRESS_TEXT_MAX];
	pthread_t thread;
};

/* What is there to read at from; false at the end, or at the cut. */
static bool
pass(struct cut_relay *relay, int from, int to, bool is_counted)
{
	char octets[4096];
	size_t room = sizeof(octets);

	if (is_counted && relay->max > 0 && relay->max - relay->passed < room)
		room = relay->max - relay->passed;
	const ssize_t count = recv(from, octets, room, 0);
	if (count <= 0)
		return false;
	if (is_counted)
		relay->passed += (size_t)count;
	if (send(to, octets, (size_t)count, MSG_NOSIGNAL) != count)
		return false;
	return !is_counted || relay->passed != relay->max;
}

static void
relay_between(struct cut_relay *relay, int client, int server)
{
	struct pollfd ends[] = {
	    {.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
	const int on = 1;
	bool goes_on = true;

	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	while (goes_on && poll(ends, 2, -1) > 0) {
		if (ends[0].revents != 0)
			goes_on = pass(
			    relay, client, server, relay->way == CUT_TO_SERVER);
		if (goes_on && ends[1].revents != 0)
			goes_on = pass(
			    relay, server, client, relay->way == CUT_TO_CLIENT);
	}
}

static void *
serve(void *ctx)
{
	struct cut_relay *relay = ctx;
	const int client = accept(relay->listening, NULL, NULL);
	const int server = socket(
	    relay->server.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (client >= 0 && server >= 0 &&
	    connect(server, socket_address_get(&relay->server),
		relay->server.len) == 0)
		relay_between(relay, client, server);
	if (client >= 0)
		close(client);
	if (server >= 0)
		close(server);
	return NULL;
}

struct cut_relay *
cut_relay_new(const char *server, enum cut_way way, size_t max)
{
	struct cut_relay *relay = memory_new(sizeof(*relay));
	struct sockaddr_storage own;
	socklen_t len = sizeof(own);
	struct error error;

	relay->way = way;
	relay->max = max;
	cr_assert(socket_address_parse(server, &relay->server, &error), "%s",
	    error_text(&error));
	relay->listening = tcp_listen(&own, &len);
	socket_address_print(relay->host, (const struct sockaddr *)&own, len);
	cr_assert_eq(pthread_create(&relay->thread, NULL, serve, relay), 0);
	return relay;
}

const char *
cut_relay_host(const struct cut_relay *relay)
{
	return relay->host;
}

size_t
cut_relay_free(struct cut_relay *relay)
{
	/* Where nobody has come nobody will. */
	shutdown(relay->listening, SHUT_RDWR);
	pthread_join(relay->thread, NULL);
	const size_t passed = relay->passed;
	close(relay->listening);
	free(relay);
	return passed;
}
