/*
 * Names to addresses without blocking the loop: c-ares, /etc/hosts included.
 */
#pragma once

#include "base/error.h"
#include "net/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define RESOLVER_ADDRESSES_MAX 16
#define RESOLVER_WAIT_MAX      (30 * CLOCK_SECOND)

struct resolver;
struct resolver_query;

struct resolver_address {
	struct sockaddr_storage address;
	socklen_t len;
	char text[64]; /* "192.0.2.1" or "[2001:db8::1]", without port */
};

/*
 * addresses: in the order to try (RFC 6724, families interleaved), borrowed for
 * the call; count 0 and error set where there are none.  error is
 * ERROR_RESOLVE; number is 0 for "no such name", EAGAIN for a passing failure.
 */
typedef void resolver_fn(const struct resolver_address *addresses, size_t count,
    const struct error *error, void *ctx);

/* servers: "127.0.0.1:5353,…" instead of resolv.conf (tests), or NULL. */
bool resolver_new(struct loop *loop, const char *servers,
    struct resolver **out_resolver, struct error *error) MUST_USE;
void resolver_free(struct resolver *resolver);

/*
 * Look host up (a name or an address literal, brackets allowed) with port
 * filled in; fn is called once, in a later turn, unless cancelled.  At most 30
 * s.
 */
struct resolver_query *resolver_lookup(struct resolver *resolver,
    const char *host, unsigned port, resolver_fn *fn, void *ctx);
/* fn will not be called, and has not been; NULL does nothing. */
void resolver_cancel(struct resolver_query *query);
