/* c-ares on a loop: its sockets, its time-outs, its configuration.  For the
 * resolver alone. */
#pragma once

#include "base/error.h"
#include "net/loop.h"

#include <ares.h>
#include <stdbool.h>

struct dns_channel;

/* servers: as of resolver_new(). */
bool dns_channel_new(struct loop *loop, const char *servers,
    struct dns_channel **out_channel, struct error *error) MUST_USE;
/* All that was asked is called back with ARES_EDESTRUCTION. */
void dns_channel_free(struct dns_channel *channel);
/* A machine that moves to another network has other name servers: read
 * resolv.conf again if it has changed.  Nothing is being asked. */
void dns_channel_follow(struct dns_channel *channel);
/* Addresses of host, of both families; fn may be called before this returns. */
void dns_channel_ask(struct dns_channel *channel, const char *host,
    ares_addrinfo_callback fn, void *ctx);
