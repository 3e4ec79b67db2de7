#include "config/endpoint.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

static bool
is_address_of(int family, struct bytes host)
{
	char text[INET6_ADDRSTRLEN];
	unsigned char address[sizeof(struct in6_addr)];

	if (host.len == 0 || host.len >= sizeof(text))
		return false;
	memcpy(text, host.data, host.len);
	text[host.len] = '\0';
	return inet_pton(family, text, address) == 1;
}

bool
endpoint_is_address(struct bytes host)
{
	return is_address_of(AF_INET, host) || is_address_of(AF_INET6, host);
}

static bool
is_label(struct bytes label)
{
	if (label.len == 0 || label.len > 63 || label.data[0] == '-' ||
	    label.data[label.len - 1] == '-')
		return false;
	for (size_t i = 0; i < label.len; i++) {
		unsigned char c = (unsigned char)label.data[i];

		/* Names beyond ASCII are left to whoever resolves them. */
		if (!isalnum(c) && c != '-' && c != '_' && c < 0x80)
			return false;
	}
	return true;
}

bool
endpoint_is_host(struct bytes host)
{
	if (endpoint_is_address(host))
		return true;
	if (host.len == 0 || host.len > 253 || !bytes_is_utf8(host))
		return false;
	do {
		if (!is_label(bytes_cut(&host, '.')))
			return false;
	} while (host.len > 0);
	return true;
}

bool
endpoint_is_loopback(struct bytes host)
{
	return bytes_is_nocase(host, "localhost") || bytes_is(host, "::1") ||
	    (bytes_has_prefix(host, "127.") && is_address_of(AF_INET, host));
}

/* Cut "host:port" or "[address]:port"; rest is the port, or empty. */
static bool
cut_port(struct bytes text, struct bytes *out_host, struct bytes *out_port)
{
	if (text.len > 0 && text.data[0] == '[') {
		struct bytes rest = bytes_from(text, 1);

		if (!bytes_contains(rest, ']'))
			return false;
		*out_host = bytes_cut(&rest, ']');
		*out_port = bytes_from(rest, 1);
		if (!is_address_of(AF_INET6, *out_host))
			return false;
		return rest.len == 0 || (rest.data[0] == ':' && rest.len > 1);
	}
	size_t colon = bytes_index(text, ':');
	bool several = bytes_contains(bytes_from(text, colon + 1), ':');
	if (several)
		colon = text.len;
	*out_host = bytes_first(text, colon);
	*out_port = bytes_from(text, colon + 1);
	return colon + 1 != text.len;
}

bool
endpoint_parse(struct bytes text, struct endpoint *out_endpoint)
{
	struct bytes host;
	struct bytes port;
	unsigned long long number = 0;

	if (!cut_port(text, &host, &port) || !endpoint_is_host(host))
		return false;
	if (port.len > 0 &&
	    (!bytes_to_u64(port, 65535, &number) || number == 0))
		return false;
	*out_endpoint = (struct endpoint){host, (unsigned)number};
	return true;
}

bool
endpoint_parse_door(struct bytes text, struct endpoint *out_endpoint)
{
	struct bytes host;
	struct bytes port;
	unsigned long long number;

	if (!cut_port(text, &host, &port) ||
	    !bytes_to_u64(port, 65535, &number) || !endpoint_is_address(host))
		return false;
	*out_endpoint = (struct endpoint){host, (unsigned)number};
	return true;
}
