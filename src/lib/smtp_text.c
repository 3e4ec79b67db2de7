/* The helpers of the interface: addresses, content, this machine's name. */
#include "base/buffer.h"
#include "base/file.h"
#include "base/hosts.h"
#include "base/memory.h"
#include "lib/postrider/smtp.h"
#include "message/header.h"
#include "smtp/dot.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOSTS_MAX   ((size_t)256 * 1024)
#define ADDRESS_MAX ((size_t)64 * 1024)

/* ---- addresses ---- */

/* The one address in text; what is none, as it is; NULL where it is several. */
static char *
only_address(struct bytes text)
{
	struct header_address address;
	struct header_address other;
	struct buffer scratch;
	char *found = NULL;

	buffer_init(&scratch, 2 * text.len + 64);
	struct bytes rest = text;
	if (header_next_address(&rest, &scratch, &address) != HEADER_ADDRESS) {
		buffer_clear(&scratch);
		return memory_copy(bytes_trim(text));
	}
	char *first = memory_copy(address.mailbox);
	if (header_next_address(&rest, &scratch, &other) == HEADER_ADDRESS_END)
		found = first;
	else
		free(first);
	buffer_clear(&scratch);
	return found;
}

/* None of an address, but must be seen by who refuses them. */
static bool
has_line_end(struct bytes text)
{
	return bytes_contains(text, '\r') || bytes_contains(text, '\n');
}

static bool
is_plain(struct bytes text)
{
	return bytes_has_control(text) || text.len > ADDRESS_MAX;
}

/* The first bracket outside of quotes, or text.len. */
static size_t
bracket_index(struct bytes text, bool heeds_quotes)
{
	bool is_quoted = false;

	for (size_t i = 0; i < text.len; i++) {
		const char c = text.data[i];
		if (is_quoted && c == '\\')
			i++;
		else if (c == '"')
			is_quoted = !is_quoted && heeds_quotes;
		else if (!is_quoted && (c == '<' || c == '>'))
			return i;
	}
	/* A quote that is never closed closes nothing in. */
	return is_quoted ? bracket_index(text, false) : text.len;
}

/* What smtplib would find within the brackets, or before them: nothing in it
 * ends a path, behind which parameters would follow. */
static struct bytes
without_brackets(struct bytes text)
{
	size_t end = bracket_index(text, true);

	while (end + 1 < text.len && (end == 0 || text.data[end] == '<')) {
		text = bytes_from(text, end + 1);
		end = bracket_index(text, true);
	}
	return bytes_trim(bytes_first(text, end));
}

char *
smtp_addr_only(const char *addr)
{
	const struct bytes text = bytes_of(addr);

	if (has_line_end(text))
		return memory_copy(text);
	if (is_plain(text))
		return memory_copy(without_brackets(text));
	char *only = only_address(text);
	if (only == NULL)
		return NULL;
	char *bare = memory_copy(without_brackets(bytes_of(only)));
	free(only);
	return bare;
}

char *
smtp_quoteaddr(const char *addr)
{
	char *bare = smtp_addr_only(addr);

	if (bare == NULL)
		return NULL;
	char *path = memory_format("<%s>", bare);
	free(bare);
	return path;
}

char *
smtp_quotedata(const void *d, size_t n, size_t *out_n)
{
	struct dot_encoder encoder;
	struct buffer output;

	dot_encoder_init(&encoder);
	buffer_init(&output, 2 * n + 4);
	dot_encode(&encoder, bytes_make(d, n), true, &output);
	if (encoder.after_cr)
		buffer_append_text(&output, "\r\n");
	if (out_n != NULL)
		*out_n = output.len;
	char *text = buffer_to_text(&output);
	buffer_clear(&output);
	return text;
}

void
smtp_free_str(char *p)
{
	free(p);
}

/* ---- this machine's name ---- */

/* NULL where the file knows none. */
static char *
name_in_hosts(const char *name)
{
	struct buffer hosts;
	struct error error;
	char *found = NULL;

	buffer_init(&hosts, HOSTS_MAX);
	if (file_read(AT_FDCWD, "/etc/hosts", &hosts, &error)) {
		const struct bytes dotted =
		    hosts_dotted_name(buffer_bytes(&hosts), name);
		if (dotted.len > 0)
			found = memory_copy(dotted);
	}
	buffer_clear(&hosts);
	return found;
}

/* "[192.0.2.1]" or "[IPv6:2001:db8::1]"; NULL where address is of no use to
 * others. */
static char *
literal_of(const struct ifaddrs *entry)
{
	const struct sockaddr *address = entry->ifa_addr;
	char text[INET6_ADDRSTRLEN] = "";

	if (address == NULL || (entry->ifa_flags & IFF_LOOPBACK) != 0)
		return NULL;
	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)address;
		if (inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text)) ==
		    NULL)
			return NULL;
		return memory_format("[%s]", text);
	}
	if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const void *)address;
		if (IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr) ||
		    inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text)) ==
			NULL)
			return NULL;
		return memory_format("[IPv6:%s]", text);
	}
	return NULL;
}

/* IPv4 before IPv6. */
static char *
literal_of_host(void)
{
	struct ifaddrs *entries = NULL;
	char *found = NULL;

	if (getifaddrs(&entries) != 0)
		entries = NULL;
	for (const struct ifaddrs *entry = entries; entry != NULL;
	     entry = entry->ifa_next) {
		char *literal = literal_of(entry);
		const bool is_better = literal != NULL &&
		    (found == NULL || (found[1] == 'I' && literal[1] != 'I'));
		if (is_better) {
			free(found);
			found = literal;
		} else {
			free(literal);
		}
	}
	if (entries != NULL)
		freeifaddrs(entries);
	return found != NULL ? found : memory_copy_text("[127.0.0.1]");
}

char *
smtp_default_hostname(void)
{
	char name[256] = "";

	if (gethostname(name, sizeof(name) - 1) != 0)
		name[0] = '\0';
	if (strchr(name, '.') != NULL)
		return memory_copy_text(name);
	char *qualified = name[0] != '\0' ? name_in_hosts(name) : NULL;
	return qualified != NULL ? qualified : literal_of_host();
}
