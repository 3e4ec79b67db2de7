/*
 * A link to a server far away: what comes from either side is handed on so many
 * milliseconds later.  Says where it listens; ends when it is killed.
 *
 *   delay ADDRESS MILLISECONDS
 */
#include "base/bytes.h"
#include "base/memory.h"
#include "net/conn.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/socket_address.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

struct link {
	struct loop *loop;
	struct socket_address server;
	int64_t delay_ms;
};

/* Octets that arrived together. */
struct stretch {
	STAILQ_ENTRY(stretch) next;
	int64_t due;
	size_t len; /* 0: the end */
};

/* One way: what from has sent is on its way to to. */
struct way {
	struct pair *pair;
	struct conn *from;
	struct conn *to;
	struct buffer octets;
	STAILQ_HEAD(, stretch) stretches;
	struct loop_timer timer;
};

struct pair {
	struct link *link;
	struct way ways[2];
};

static void
fail(const char *what)
{
	(void)fprintf(stderr, "delay: %s\n", what); /* and exit */
	exit(1);
}

static void
way_clear(struct way *way)
{
	loop_timer_clear(&way->timer);
	buffer_clear(&way->octets);
	while (!STAILQ_EMPTY(&way->stretches)) {
		struct stretch *first = STAILQ_FIRST(&way->stretches);
		STAILQ_REMOVE_HEAD(&way->stretches, next);
		free(first);
	}
}

static void
pair_end(struct pair *pair)
{
	for (size_t i = 0; i < 2; i++)
		conn_finish(pair->ways[i].from);
	for (size_t i = 0; i < 2; i++)
		way_clear(&pair->ways[i]);
	free(pair);
}

/* The first stretch has arrived. False: it was the end. */
static bool
hand_on(struct way *way)
{
	struct stretch *first = STAILQ_FIRST(&way->stretches);
	size_t len = first->len;

	STAILQ_REMOVE_HEAD(&way->stretches, next);
	free(first);
	buffer_append(
	    conn_output(way->to), bytes_first(buffer_bytes(&way->octets), len));
	buffer_consume(&way->octets, len);
	return len > 0;
}

static void
on_time(void *ctx)
{
	struct way *way = ctx;
	struct loop *loop = way->pair->link->loop;
	struct stretch *first;

	while ((first = STAILQ_FIRST(&way->stretches)) != NULL &&
	    first->due <= loop_now(loop).mono_ms)
		if (!hand_on(way)) {
			pair_end(way->pair);
			return;
		}
	conn_flush(way->to);
	if (first != NULL)
		loop_timer_set(&way->timer, first->due);
}

static void
send_off(struct way *way, size_t len)
{
	const struct link *link = way->pair->link;
	struct stretch *stretch = memory_new(sizeof(*stretch));
	bool is_first = STAILQ_EMPTY(&way->stretches);

	stretch->due = loop_now(link->loop).mono_ms + link->delay_ms;
	stretch->len = len;
	STAILQ_INSERT_TAIL(&way->stretches, stretch, next);
	if (is_first)
		loop_timer_set(&way->timer, stretch->due);
}

static void
on_conn(struct conn *conn, enum conn_event event, void *ctx)
{
	struct way *way = ctx;
	struct buffer *input = conn_input(conn);

	switch (event) {
	case CONN_READABLE:
		buffer_append(&way->octets, buffer_bytes(input));
		send_off(way, input->len);
		buffer_empty(input);
		break;
	case CONN_EOF:
		send_off(way, 0);
		break;
	case CONN_FAILED:
		pair_end(way->pair);
		break;
	case CONN_OPENED:
	case CONN_DRAINED:
	case CONN_SECURED:
	case CONN_TIMEOUT:
		break;
	}
}

static void
on_accept(int fd, const struct peer *peer, void *ctx)
{
	struct link *link = ctx;
	struct pair *pair = memory_new(sizeof(*pair));
	struct way *up = &pair->ways[0];
	struct way *down = &pair->ways[1];

	(void)peer;
	pair->link = link;
	for (size_t i = 0; i < 2; i++) {
		struct way *way = &pair->ways[i];
		way->pair = pair;
		buffer_init(&way->octets, SIZE_MAX);
		STAILQ_INIT(&way->stretches);
		loop_timer_init(&way->timer, link->loop, on_time, way);
	}
	up->from = conn_accept(link->loop, fd, on_conn, up);
	down->from = conn_open(link->loop, socket_address_get(&link->server),
	    link->server.len, NULL, 0, on_conn, down);
	up->to = down->from;
	down->to = up->from;
}

int
main(int argc, char **argv)
{
	struct link link = {.loop = loop_new()};
	struct listener *listener;
	unsigned long long delay_ms;
	struct error error;

	if (argc != 3 ||
	    !bytes_to_u64(bytes_of(argv[2]), CLOCK_MINUTE, &delay_ms))
		fail("usage: delay ADDRESS MILLISECONDS");
	link.delay_ms = (int64_t)delay_ms;
	if (!socket_address_parse(argv[1], &link.server, &error) ||
	    !listener_open(link.loop, "127.0.0.1:0", 0, on_accept, &link,
		&listener, &error))
		fail(error_text(&error));
	(void)printf("%s\n", listener_address(listener)); /* to a pipe */
	(void)fflush(stdout);
	loop_run(link.loop);
	return 0;
}
