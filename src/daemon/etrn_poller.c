#include "daemon/etrn_poller.h"

#include "base/log.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

/* Nodes that are due within this of a due one go in the same session. */
#define TOGETHER_MS CLOCK_MINUTE

struct server {
	const struct wiring_etrn *wiring;
	struct etrn_node *nodes; /* owned */
	/* The session that is out, or NULL: which nodes were asked. */
	const char **asked; /* owned; names, as the order has them */
	struct etrn_node **asked_nodes;
	size_t asked_count;
};

struct etrn_poller {
	struct server *servers;
	size_t count;
};

struct etrn_poller *
etrn_poller_new(const struct wiring *wiring)
{
	struct etrn_poller *poller = memory_new(sizeof(*poller));

	poller->count = wiring->etrn_count;
	poller->servers =
	    memory_array(poller->count + 1, sizeof(*poller->servers));
	for (size_t i = 0; i < poller->count; i++) {
		struct server *server = &poller->servers[i];
		size_t nodes = wiring->etrns[i].node_count;
		server->wiring = &wiring->etrns[i];
		server->nodes = memory_array(nodes + 1, sizeof(*server->nodes));
		server->asked = memory_array(nodes + 1, sizeof(*server->asked));
		server->asked_nodes =
		    memory_array(nodes + 1, sizeof(*server->asked_nodes));
		for (size_t j = 0; j < nodes; j++)
			etrn_node_init(
			    &server->nodes[j], server->wiring->nodes[j]);
	}
	return poller;
}

void
etrn_poller_free(struct etrn_poller *poller)
{
	if (poller == NULL)
		return;
	for (size_t i = 0; i < poller->count; i++) {
		free(poller->servers[i].nodes);
		free(poller->servers[i].asked);
		free(poller->servers[i].asked_nodes);
	}
	free(poller->servers);
	free(poller);
}

static int64_t
server_deadline(const struct server *server)
{
	int64_t deadline = CLOCK_NEVER;

	if (server->asked_count > 0)
		return CLOCK_NEVER; /* one session at a time */
	for (size_t i = 0; i < server->wiring->node_count; i++)
		if (server->nodes[i].state == ETRN_IDLE &&
		    server->nodes[i].next_at < deadline)
			deadline = server->nodes[i].next_at;
	return deadline;
}

int64_t
etrn_poller_deadline(const struct etrn_poller *poller)
{
	int64_t deadline = CLOCK_NEVER;

	for (size_t i = 0; i < poller->count; i++) {
		int64_t at = server_deadline(&poller->servers[i]);
		if (at < deadline)
			deadline = at;
	}
	return deadline;
}

static struct etrn_order *
begin_session(struct server *server, struct clock_time now)
{
	for (size_t i = 0; i < server->wiring->node_count; i++) {
		struct etrn_node *node = &server->nodes[i];
		if (node->state != ETRN_IDLE ||
		    node->next_at > now.mono_ms + TOGETHER_MS)
			continue;
		node->state = ETRN_RUNNING;
		server->asked[server->asked_count] = node->node;
		server->asked_nodes[server->asked_count++] = node;
	}
	return etrn_order_new(
	    server->wiring->upstream, server->asked, server->asked_count);
}

struct etrn_order *
etrn_poller_next(struct etrn_poller *poller, struct clock_time now)
{
	for (size_t i = 0; i < poller->count; i++)
		if (server_deadline(&poller->servers[i]) <= now.mono_ms)
			return begin_session(&poller->servers[i], now);
	return NULL;
}

static struct server *
server_of(struct etrn_poller *poller, const struct etrn_order *order)
{
	for (size_t i = 0; i < poller->count; i++)
		if (poller->servers[i].asked == order->nodes)
			return &poller->servers[i];
	return NULL;
}

static void
log_node(const struct server *server, struct etrn_node *node)
{
	struct buffer quoted;

	buffer_init(&quoted, 4096);
	log_quote(&quoted, bytes_of(node->last_reply));
	if (node->alert)
		log_error("etrn: node=%s host=%s state=%s reply=%.*s",
		    node->node, server->wiring->host,
		    node->state == ETRN_OFF ? "off" : "waiting",
		    BYTES_ARGS(buffer_bytes(&quoted)));
	else if (node->failures > 0)
		log_warning("etrn: node=%s host=%s state=waiting reply=%.*s",
		    node->node, server->wiring->host,
		    BYTES_ARGS(buffer_bytes(&quoted)));
	else
		log_info("etrn: node=%s host=%s reply=%.*s", node->node,
		    server->wiring->host, BYTES_ARGS(buffer_bytes(&quoted)));
	node->alert = false;
	buffer_clear(&quoted);
}

void
etrn_poller_answered(struct etrn_poller *poller, struct etrn_order *order,
    struct clock_time now, uint32_t random)
{
	struct server *server = server_of(poller, order);

	for (size_t i = 0; server != NULL && i < order->count; i++) {
		const struct etrn_answer *answer = &order->answers[i];
		struct etrn_node *node = server->asked_nodes[i];
		etrn_node_reply(node, &server->wiring->timing, answer->code,
		    answer->code == 0 ? order->why : answer->text, now.mono_ms,
		    now.wall_ms, random + (uint32_t)i);
		log_node(server, node);
	}
	if (server != NULL)
		server->asked_count = 0;
	etrn_order_free(order);
}

void
etrn_poller_ask_now(struct etrn_poller *poller, const char *node,
    struct clock_time now, etrn_poller_name_fn *fn, void *ctx)
{
	for (size_t i = 0; i < poller->count; i++)
		for (size_t j = 0; j < poller->servers[i].wiring->node_count;
		     j++) {
			struct etrn_node *one = &poller->servers[i].nodes[j];
			if (one->state == ETRN_RUNNING ||
			    (node != NULL && strcmp(node, one->node) != 0))
				continue;
			one->state = ETRN_IDLE;
			one->next_at = now.mono_ms;
			fn(one->node, ctx);
		}
}

const struct etrn_node *
etrn_poller_node(
    const struct etrn_poller *poller, size_t i, const char **out_host)
{
	for (size_t s = 0; s < poller->count; s++) {
		const struct server *server = &poller->servers[s];
		if (i < server->wiring->node_count) {
			*out_host = server->wiring->host;
			return &server->nodes[i];
		}
		i -= server->wiring->node_count;
	}
	return NULL;
}
