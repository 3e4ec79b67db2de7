/* Socket addresses as people write them: "/path", "192.0.2.1:25",
 * "[2001:db8::1]:25".  Names are not looked up here. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct socket_address {
	struct sockaddr_storage storage;
	socklen_t len;
};

/* Longest text with its NUL: the longest unix path. */
#define SOCKET_ADDRESS_TEXT_MAX 112

/* ERROR_CONFIG where text is none of the three. */
bool socket_address_parse(const char *text, struct socket_address *out_address,
    struct error *error) MUST_USE;
/* An address literal, "192.0.2.1", "2001:db8::1" or one of them in brackets,
 * with port; false for anything else. */
bool socket_address_of_literal(
    const char *text, unsigned port, struct socket_address *out_address);
bool socket_address_equal(
    const struct socket_address *a, const struct socket_address *b);
/* text holds SOCKET_ADDRESS_TEXT_MAX; "?" for other families. */
void socket_address_print(
    char *text, const struct sockaddr *address, socklen_t address_len);

const struct sockaddr *socket_address_get(const struct socket_address *address);
