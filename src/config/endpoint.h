/*
 * Hosts and ports as they are written: "smtp.example.com", "192.0.2.1:25",
 * "[2001:db8::1]:25".
 */
#pragma once

#include "base/bytes.h"

#include <stdbool.h>

/* Views of the text; the host is without brackets. */
struct endpoint {
	struct bytes host;
	unsigned port; /* 0: none was written */
};

/* False where text is neither a host nor a host with a port of 1 to 65535.
 * A bare IPv6 address without brackets is a host. */
bool endpoint_parse(struct bytes text, struct endpoint *out_endpoint);
/* An address and a port of 0 (the kernel chooses) to 65535, as a listener needs
 * it: no name. */
bool endpoint_parse_door(struct bytes text, struct endpoint *out_endpoint);
/* A domain name or an address (RFC 1123 2.1, with '_'). */
bool endpoint_is_host(struct bytes host);
bool endpoint_is_address(struct bytes host);
/* This machine, whatever the network is: "localhost", 127.0.0.0/8, "::1". */
bool endpoint_is_loopback(struct bytes host);
