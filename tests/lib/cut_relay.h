/* Hands octets to and fro between a client and a server, in a thread of its
 * own, and closes both connections once so many have passed one way. */
#pragma once

#include <stddef.h>

enum cut_way {
	CUT_TO_CLIENT,
	CUT_TO_SERVER
};

struct cut_relay;

/* For one connection to server, "127.0.0.1:2525"; max 0: it is not cut. */
struct cut_relay *cut_relay_new(
    const char *server, enum cut_way way, size_t max);
/* Where clients connect to. */
const char *cut_relay_host(const struct cut_relay *relay);
/* Once the client has closed.  How many octets have passed that way. */
size_t cut_relay_free(struct cut_relay *relay);
