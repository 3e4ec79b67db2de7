#include "net/socket_address.h"

#include "base/bytes.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define PORT_MAX 65535

static bool
is_ipv4(const char *text, unsigned port, struct socket_address *out_address)
{
	struct sockaddr_in ipv4 = {
	    .sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	if (inet_pton(AF_INET, text, &ipv4.sin_addr) != 1)
		return false;
	*out_address = (struct socket_address){.len = sizeof(ipv4)};
	memcpy(&out_address->storage, &ipv4, sizeof(ipv4));
	return true;
}

static bool
is_ipv6(const char *text, unsigned port, struct socket_address *out_address)
{
	struct sockaddr_in6 ipv6 = {
	    .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};

	if (inet_pton(AF_INET6, text, &ipv6.sin6_addr) != 1)
		return false;
	*out_address = (struct socket_address){.len = sizeof(ipv6)};
	memcpy(&out_address->storage, &ipv6, sizeof(ipv6));
	return true;
}

/* A copy of text as a string, without the brackets around it. */
static bool
copy_host(struct bytes text, char *host, size_t capacity, bool *out_brackets)
{
	*out_brackets = text.len >= 2 && text.data[0] == '[' &&
	    text.data[text.len - 1] == ']';
	if (*out_brackets)
		text = bytes_make(text.data + 1, text.len - 2);
	if (text.len >= capacity || bytes_contains(text, '\0'))
		return false;
	memcpy(host, text.data, text.len);
	host[text.len] = '\0';
	return true;
}

bool
socket_address_of_literal(
    const char *text, unsigned port, struct socket_address *out_address)
{
	char host[INET6_ADDRSTRLEN];
	bool has_brackets;

	if (port > PORT_MAX ||
	    !copy_host(bytes_of(text), host, sizeof(host), &has_brackets))
		return false;
	return is_ipv4(host, port, out_address) ||
	    is_ipv6(host, port, out_address);
}

static bool
parse_path(
    const char *path, struct socket_address *out_address, struct error *error)
{
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	size_t size = strlen(path) + 1;

	if (size > sizeof(local.sun_path))
		return error_set(error, ERROR_CONFIG,
		    "%s: longer than %zu octets, the most a socket's path may "
		    "have",
		    path, sizeof(local.sun_path) - 1);
	memcpy(local.sun_path, path, size);
	*out_address = (struct socket_address){.len = sizeof(local)};
	memcpy(&out_address->storage, &local, sizeof(local));
	return true;
}

static bool
parse_ip(const char *text, struct socket_address *out_address)
{
	struct bytes all = bytes_of(text);
	size_t colon = bytes_last_index(all, ':');
	char host[INET6_ADDRSTRLEN];
	unsigned long long port;
	bool has_brackets;

	if (!bytes_to_u64(bytes_from(all, colon + 1), PORT_MAX, &port))
		return false;
	if (!copy_host(
		bytes_first(all, colon), host, sizeof(host), &has_brackets))
		return false;
	return has_brackets ? is_ipv6(host, (unsigned)port, out_address)
			    : is_ipv4(host, (unsigned)port, out_address);
}

bool
socket_address_parse(
    const char *text, struct socket_address *out_address, struct error *error)
{
	if (text[0] == '/')
		return parse_path(text, out_address, error);
	if (parse_ip(text, out_address))
		return true;
	return error_set(error, ERROR_CONFIG,
	    "\"%s\" is no address: write /path, 127.0.0.1:25 or [::1]:25",
	    text);
}

bool
socket_address_equal(
    const struct socket_address *a, const struct socket_address *b)
{
	char a_text[SOCKET_ADDRESS_TEXT_MAX];
	char b_text[SOCKET_ADDRESS_TEXT_MAX];

	socket_address_print(a_text, socket_address_get(a), a->len);
	socket_address_print(b_text, socket_address_get(b), b->len);
	return strcmp(a_text, b_text) == 0 && strcmp(a_text, "?") != 0;
}

static void
print_path(char *text, const struct sockaddr *address, socklen_t address_len)
{
	struct sockaddr_un local = {0};

	memcpy(&local, address,
	    address_len < sizeof(local) ? address_len : sizeof(local));
	snprintf(text, SOCKET_ADDRESS_TEXT_MAX, "%.*s",
	    (int)sizeof(local.sun_path), local.sun_path);
}

static void
print_ipv4(char *text, const struct sockaddr_in *ipv4)
{
	char host[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &ipv4->sin_addr, host, sizeof(host));
	snprintf(text, SOCKET_ADDRESS_TEXT_MAX, "%s:%u", host,
	    (unsigned)ntohs(ipv4->sin_port));
}

static void
print_ipv6(char *text, const struct sockaddr_in6 *ipv6)
{
	char host[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, &ipv6->sin6_addr, host, sizeof(host));
	snprintf(text, SOCKET_ADDRESS_TEXT_MAX, "[%s]:%u", host,
	    (unsigned)ntohs(ipv6->sin6_port));
}

void
socket_address_print(
    char *text, const struct sockaddr *address, socklen_t address_len)
{
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;

	if (address->sa_family == AF_UNIX) {
		print_path(text, address, address_len);
	} else if (address->sa_family == AF_INET &&
	    address_len >= sizeof(ipv4)) {
		memcpy(&ipv4, address, sizeof(ipv4));
		print_ipv4(text, &ipv4);
	} else if (address->sa_family == AF_INET6 &&
	    address_len >= sizeof(ipv6)) {
		memcpy(&ipv6, address, sizeof(ipv6));
		print_ipv6(text, &ipv6);
	} else {
		snprintf(text, SOCKET_ADDRESS_TEXT_MAX, "?");
	}
}

const struct sockaddr *
socket_address_get(const struct socket_address *address)
{
	return (const struct sockaddr *)(const void *)&address->storage;
}
