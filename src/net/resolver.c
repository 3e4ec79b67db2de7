#include "net/resolver.h"

#include "base/memory.h"
#include "net/dns_channel.h"
#include "net/socket_address.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

TAILQ_HEAD(query_list, resolver_query);

struct resolver {
	struct loop *loop;
	struct dns_channel *channel;
	size_t asked; /* queries c-ares is still to call back for */
	struct query_list queries;
};

struct resolver_query {
	TAILQ_ENTRY(resolver_query) entry;
	struct resolver *resolver;
	resolver_fn *fn; /* NULL: cancelled, or called */
	void *ctx;
	char *host;
	unsigned port;
	bool is_asked; /* counted in resolver->asked */
	struct loop_timer deadline;
	struct loop_task answer;
	struct resolver_address addresses[RESOLVER_ADDRESSES_MAX];
	size_t count;
	struct error error;
};

/* c-ares has no word for taking one query back, so one that is still asked
 * lives on, without fn, until it calls. */
static void
query_free(struct resolver_query *query)
{
	assert(!query->is_asked);
	TAILQ_REMOVE(&query->resolver->queries, query, entry);
	loop_task_cancel(query->resolver->loop, &query->answer);
	loop_timer_clear(&query->deadline);
	free(query->host);
	free(query);
}

/* Within fn the caller may free the resolver: nothing is touched after it but
 * what is no longer in its list. */
static void
query_answer(void *ctx)
{
	struct resolver_query *query = ctx;

	TAILQ_REMOVE(&query->resolver->queries, query, entry);
	query->fn(query->addresses, query->count, &query->error, query->ctx);
	free(query->host);
	free(query);
}

static void
query_failed(struct resolver_query *query, int number, const char *reason)
{
	query->count = 0;
	(void)error_set(&query->error, ERROR_RESOLVE, "look up %s: %s",
	    query->host, reason);
	query->error.number = number;
}

static void
query_expired(void *ctx)
{
	struct resolver_query *query = ctx;
	resolver_fn *fn = query->fn;

	query->fn = NULL;
	query_failed(query, EAGAIN, "no answer in time");
	fn(query->addresses, 0, &query->error, query->ctx);
}

static void
set_port(struct sockaddr_storage *address, unsigned port)
{
	struct sockaddr_in6 ipv6;

	/* The port of IPv4 stands in the same place. */
	_Static_assert(offsetof(struct sockaddr_in, sin_port) ==
		offsetof(struct sockaddr_in6, sin6_port),
	    "ports of both families");
	memcpy(&ipv6, address, sizeof(ipv6));
	ipv6.sin6_port = htons((uint16_t)port);
	memcpy(address, &ipv6, sizeof(ipv6));
}

/* "[2001:db8::1]:25" without ":25" */
static void
print_host(struct resolver_address *address, const struct sockaddr *from)
{
	char text[SOCKET_ADDRESS_TEXT_MAX];

	socket_address_print(text, from, address->len);
	*strrchr(text, ':') = '\0';
	snprintf(address->text, sizeof(address->text), "%.63s", text);
}

static void
add_address(
    struct resolver_query *query, const struct sockaddr *from, size_t len)
{
	bool is_ip = from->sa_family == AF_INET || from->sa_family == AF_INET6;
	struct resolver_address *address = &query->addresses[query->count];

	if (query->count == RESOLVER_ADDRESSES_MAX || !is_ip ||
	    len > sizeof(address->address))
		return;
	memcpy(&address->address, from, len);
	address->len = (socklen_t)len;
	set_port(&address->address, query->port);
	print_host(address, from);
	query->count++;
}

/* From node on, the first whose family is (or is not) family. */
static const struct ares_addrinfo_node *
node_of_family(const struct ares_addrinfo_node *node, int family, bool is)
{
	while (node != NULL && (node->ai_family == family) != is)
		node = node->ai_next;
	return node;
}

static const struct ares_addrinfo_node *
take_node(struct resolver_query *query, const struct ares_addrinfo_node *node)
{
	if (node == NULL)
		return NULL;
	add_address(query, node->ai_addr, (size_t)node->ai_addrlen);
	return node->ai_next;
}

/* One family may be broken here, so that they take turns (RFC 8305, 4). */
static void
add_nodes(struct resolver_query *query, const struct ares_addrinfo_node *nodes)
{
	const struct ares_addrinfo_node *first = nodes;
	const struct ares_addrinfo_node *other = nodes;
	int family = nodes->ai_family;

	while (first != NULL || other != NULL) {
		first = node_of_family(first, family, true);
		first = take_node(query, first);
		other = node_of_family(other, family, false);
		other = take_node(query, other);
	}
}

static bool
is_final(int status)
{
	return status == ARES_ENOTFOUND || status == ARES_ENODATA ||
	    status == ARES_ENONAME || status == ARES_EBADNAME;
}

static const char *
reason_of(int status)
{
	switch (status) {
	case ARES_ENOTFOUND:
	case ARES_ENONAME:
		return "no such name";
	case ARES_ENODATA:
		return "the name has no address";
	case ARES_ETIMEOUT:
		return "the name servers do not answer";
	case ARES_ECONNREFUSED: /* c-ares says so, too, after SERVFAIL */
	case ARES_ESERVFAIL:
		return "the name servers fail or cannot be reached";
	default:
		return ares_strerror(status);
	}
}

static void
dns_answered(
    void *ctx, int status, int timeouts, struct ares_addrinfo *addresses)
{
	struct resolver_query *query = ctx;
	(void)timeouts;

	query->is_asked = false;
	query->resolver->asked--;
	loop_timer_clear(&query->deadline);
	if (query->fn == NULL) {
		ares_freeaddrinfo(addresses);
		query_free(query);
		return;
	}
	if (status == ARES_SUCCESS && addresses->nodes != NULL)
		add_nodes(query, addresses->nodes);
	else if (status == ARES_SUCCESS)
		status = ARES_ENODATA;
	if (query->count == 0)
		query_failed(
		    query, is_final(status) ? 0 : EAGAIN, reason_of(status));
	ares_freeaddrinfo(addresses);
	loop_later(query->resolver->loop, &query->answer);
}

/* RFC 6761, 6.3: never asked of anybody. */
static bool
is_localhost(struct bytes host)
{
	return bytes_is_nocase(host, "localhost") ||
	    bytes_is_nocase(host, "localhost.") ||
	    bytes_has_suffix_nocase(host, ".localhost") ||
	    bytes_has_suffix_nocase(host, ".localhost.");
}

static bool
add_literal(struct resolver_query *query, const char *text)
{
	struct socket_address literal;

	if (!socket_address_of_literal(text, query->port, &literal))
		return false;
	add_address(query, socket_address_get(&literal), literal.len);
	return true;
}

/* False: the name must be asked for. */
static bool
answer_at_once(struct resolver_query *query)
{
	struct bytes host = bytes_of(query->host);

	if (host.len == 0 || host.len > 254 || bytes_has_control(host)) {
		query_failed(query, 0, "that is no name");
		return true;
	}
	if (is_localhost(host))
		return add_literal(query, "127.0.0.1") &&
		    add_literal(query, "::1");
	return add_literal(query, query->host);
}

static void
ask(struct resolver_query *query)
{
	struct resolver *resolver = query->resolver;

	if (resolver->asked == 0)
		dns_channel_follow(resolver->channel);
	resolver->asked++;
	query->is_asked = true;
	loop_timer_set(&query->deadline,
	    loop_now(resolver->loop).mono_ms + RESOLVER_WAIT_MAX);
	dns_channel_ask(resolver->channel, query->host, dns_answered, query);
}

bool
resolver_new(struct loop *loop, const char *servers,
    struct resolver **out_resolver, struct error *error)
{
	struct dns_channel *channel;

	if (!dns_channel_new(loop, servers, &channel, error))
		return false;
	struct resolver *resolver = memory_new(sizeof(*resolver));
	resolver->loop = loop;
	resolver->channel = channel;
	TAILQ_INIT(&resolver->queries);
	*out_resolver = resolver;
	return true;
}

void
resolver_free(struct resolver *resolver)
{
	struct resolver_query *query;

	if (resolver == NULL)
		return;
	TAILQ_FOREACH (query, &resolver->queries, entry)
		query->fn = NULL;
	dns_channel_free(resolver->channel); /* calls back for all it asked */
	for (;;) {
		query = TAILQ_FIRST(&resolver->queries);
		if (query == NULL)
			break;
		query_free(query);
	}
	free(resolver);
}

struct resolver_query *
resolver_lookup(struct resolver *resolver, const char *host, unsigned port,
    resolver_fn *fn, void *ctx)
{
	struct resolver_query *query = memory_new(sizeof(*query));

	query->resolver = resolver;
	query->fn = fn;
	query->ctx = ctx;
	query->host = memory_copy_text(host);
	query->port = port;
	loop_timer_init(&query->deadline, resolver->loop, query_expired, query);
	loop_task_init(&query->answer, query_answer, query);
	TAILQ_INSERT_TAIL(&resolver->queries, query, entry);
	if (answer_at_once(query))
		loop_later(resolver->loop, &query->answer);
	else
		ask(query);
	return query;
}

void
resolver_cancel(struct resolver_query *query)
{
	if (query == NULL)
		return;
	query->fn = NULL;
	loop_timer_clear(&query->deadline);
	if (!query->is_asked)
		query_free(query);
}
