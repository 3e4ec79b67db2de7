#include "smtp/address.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

/*
 * Path          = "<" [ A-d-l ":" ] Mailbox ">"
 * A-d-l         = At-domain *( "," At-domain )
 * At-domain     = "@" ( Domain / address-literal )
 * Mailbox       = Local-part "@" ( Domain / address-literal )
 * Local-part    = Dot-string / Quoted-string
 * Dot-string    = Atom *( "." Atom )
 * Quoted-string = DQUOTE *( qtext / "\" %d32-126 ) DQUOTE
 * Domain        = sub-domain *( "." sub-domain )
 *
 * Each scan_ function returns how many octets its thing takes at the front of
 * text, 0 where it does not stand there.
 */

static bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9');
}

static bool
is_not_ascii(char c)
{
	return ((unsigned char)c & 0x80) != 0;
}

static bool
is_atext(char c)
{
	return is_alnum(c) || is_not_ascii(c) ||
	    (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool
is_domain_char(char c)
{
	return is_alnum(c) || is_not_ascii(c) || c == '-' || c == '_';
}

static size_t
scan_while(struct bytes text, bool (*is_member)(char))
{
	size_t len = 0;

	while (len < text.len && is_member(text.data[len]))
		len++;
	return len;
}

/* Words with one dot between each two: Dot-string, and Domain but for the
 * hyphens. */
static size_t
scan_dotted(struct bytes text, bool (*is_member)(char))
{
	size_t len = 0;

	for (;;) {
		size_t word = scan_while(bytes_from(text, len), is_member);
		if (word == 0)
			return 0;
		len += word;
		if (len == text.len || text.data[len] != '.')
			return len;
		len++;
	}
}

static size_t
scan_quoted(struct bytes text)
{
	if (text.len == 0 || text.data[0] != '"')
		return 0;
	for (size_t i = 1; i < text.len; i++) {
		char c = text.data[i];
		if (c == '"')
			return i + 1;
		if (c == '\\')
			i++;
		if (i == text.len)
			return 0;
		unsigned char octet = (unsigned char)text.data[i];
		bool escaped = c == '\\';
		if (octet < ' ' || octet == 0x7f || (escaped && octet > 0x7f))
			return 0;
	}
	return 0;
}

static size_t
scan_local(struct bytes text)
{
	size_t quoted = scan_quoted(text);

	return quoted != 0 ? quoted : scan_dotted(text, is_atext);
}

static bool
has_outer_hyphen(struct bytes domain)
{
	struct bytes rest = domain;

	while (rest.len > 0) {
		struct bytes label = bytes_cut(&rest, '.');
		if (label.data[0] == '-' || label.data[label.len - 1] == '-')
			return true;
	}
	return false;
}

static size_t
scan_domain(struct bytes text)
{
	size_t len = scan_dotted(text, is_domain_char);

	return has_outer_hyphen(bytes_first(text, len)) ? 0 : len;
}

static bool
is_literal_content(struct bytes content)
{
	static const char tag[] = "IPv6:";
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;
	int family = AF_INET;

	if (bytes_has_prefix_nocase(content, tag)) {
		content = bytes_from(content, strlen(tag));
		family = AF_INET6;
	}
	if (content.len >= sizeof(text) || bytes_contains(content, '\0'))
		return false;
	memcpy(text, content.data, content.len);
	text[content.len] = '\0';
	return inet_pton(family, text, &address) == 1;
}

static size_t
scan_literal(struct bytes text)
{
	if (text.len == 0 || text.data[0] != '[')
		return 0;
	size_t end = bytes_index(text, ']');
	if (end == text.len ||
	    !is_literal_content(bytes_from(bytes_first(text, end), 1)))
		return 0;
	return end + 1;
}

static size_t
scan_host(struct bytes text)
{
	size_t literal = scan_literal(text);

	return literal != 0 ? literal : scan_domain(text);
}

/* The colon included. */
static size_t
scan_route(struct bytes text)
{
	size_t len = 0;

	while (len < text.len && text.data[len] == '@') {
		size_t host = scan_host(bytes_from(text, len + 1));
		len += 1 + host;
		if (host == 0 || len == text.len)
			return 0;
		char next = text.data[len++];
		if (next == ':')
			return len;
		if (next != ',')
			return 0;
	}
	return 0;
}

struct mailbox_extent {
	size_t local;  /* octets */
	size_t domain; /* octets, 0: none */
	size_t all;    /* octets, 0: no mailbox */
};

static struct mailbox_extent
scan_mailbox(struct bytes text)
{
	struct mailbox_extent extent = {.local = scan_local(text)};

	if (extent.local == 0)
		return extent;
	if (extent.local == text.len || text.data[extent.local] != '@') {
		extent.all = extent.local;
		return extent;
	}
	extent.domain = scan_host(bytes_from(text, extent.local + 1));
	if (extent.domain != 0)
		extent.all = extent.local + 1 + extent.domain;
	return extent;
}

/* Would c, valid UTF-8, only steer how text around it is displayed? */
static bool
is_display_control(uint32_t c)
{
	return (c >= 0x80 && c <= 0x9f) || c == 0x200e || c == 0x200f ||
	    (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/* All of those have two or three octets. */
static bool
has_display_control(struct bytes text)
{
	const unsigned char *data = (const unsigned char *)text.data;

	for (size_t i = 0; i + 1 < text.len; i++) {
		uint32_t second = data[i + 1] & 0x3fU;
		uint32_t c = 0;
		if ((data[i] & 0xe0) == 0xc0)
			c = (data[i] & 0x1fU) << 6 | second;
		else if ((data[i] & 0xf0) == 0xe0 && i + 2 < text.len)
			c = (data[i] & 0x0fU) << 12 | second << 6 |
			    (data[i + 2] & 0x3fU);
		if (is_display_control(c))
			return true;
	}
	return false;
}

static enum address_problem
check_characters(struct bytes mailbox, bool utf8)
{
	if (bytes_is_ascii(mailbox))
		return ADDRESS_OK;
	if (!bytes_is_utf8(mailbox) || has_display_control(mailbox))
		return ADDRESS_SYNTAX;
	return utf8 ? ADDRESS_OK : ADDRESS_NEEDS_UTF8;
}

static enum address_problem
check_extent(struct bytes text, struct mailbox_extent extent, bool utf8)
{
	if (extent.local > ADDRESS_LOCAL_MAX ||
	    extent.domain > ADDRESS_DOMAIN_MAX ||
	    extent.all > ADDRESS_MAILBOX_MAX)
		return ADDRESS_TOO_LONG;
	return check_characters(bytes_first(text, extent.all), utf8);
}

enum address_problem
address_check(struct bytes mailbox, bool bare, bool utf8)
{
	struct mailbox_extent extent = scan_mailbox(mailbox);

	if (extent.all == 0 || extent.all != mailbox.len)
		return ADDRESS_SYNTAX;
	if (extent.domain == 0 && !bare)
		return ADDRESS_SYNTAX;
	return check_extent(mailbox, extent, utf8);
}

/* Where the mailbox of the path starts; it is empty where ">" follows. */
static size_t
path_start(struct bytes text)
{
	if (text.len == 0 || text.data[0] != '<')
		return 0;
	return 1 + scan_route(bytes_from(text, 1));
}

enum address_problem
address_take_path(
    struct bytes *input, bool bare, bool utf8, struct bytes *out_mailbox)
{
	size_t start = path_start(*input);
	struct bytes text = bytes_from(*input, start);
	struct mailbox_extent extent = scan_mailbox(text);
	struct bytes mailbox = bytes_first(text, extent.all);

	if (start == 0 || extent.all == text.len ||
	    text.data[extent.all] != '>')
		return ADDRESS_SYNTAX;
	bool is_null = start == 1 && extent.all == 0;
	if (extent.domain == 0 && !is_null && !bare &&
	    !bytes_is_nocase(mailbox, "postmaster"))
		return ADDRESS_SYNTAX;
	if (extent.all == 0 && !is_null)
		return ADDRESS_SYNTAX;

	enum address_problem problem = check_extent(text, extent, utf8);
	if (problem != ADDRESS_OK)
		return problem;
	*out_mailbox = mailbox;
	*input = bytes_from(text, extent.all + 1);
	return ADDRESS_OK;
}

/* Index of the last "@" outside quotes, or mailbox.len. */
static size_t
at_index(struct bytes mailbox)
{
	size_t at = mailbox.len;
	bool quoted = false;

	for (size_t i = 0; i < mailbox.len; i++) {
		char c = mailbox.data[i];
		if (c == '"')
			quoted = !quoted;
		else if (c == '\\' && quoted)
			i++;
		else if (c == '@' && !quoted)
			at = i;
	}
	return at;
}

struct bytes
address_local(struct bytes mailbox)
{
	return bytes_first(mailbox, at_index(mailbox));
}

struct bytes
address_domain(struct bytes mailbox)
{
	return bytes_from(mailbox, at_index(mailbox) + 1);
}

bool
address_equal(struct bytes a, struct bytes b)
{
	return bytes_equal(address_local(a), address_local(b)) &&
	    bytes_equal_nocase(address_domain(a), address_domain(b));
}

bool
address_is_domain(struct bytes domain, bool utf8)
{
	return domain.len > 0 && domain.len <= ADDRESS_DOMAIN_MAX &&
	    scan_domain(domain) == domain.len &&
	    check_characters(domain, utf8) == ADDRESS_OK;
}

static bool
domain_matches(struct bytes domain, struct bytes pattern)
{
	if (bytes_is(pattern, "*"))
		return true;
	if (!bytes_has_prefix(pattern, "*."))
		return bytes_equal_nocase(domain, pattern);
	struct bytes ending = bytes_from(pattern, 1);
	return domain.len > ending.len &&
	    bytes_equal_nocase(
		bytes_from(domain, domain.len - ending.len), ending);
}

bool
address_matches(struct bytes mailbox, struct bytes pattern)
{
	if (bytes_is(pattern, "*"))
		return true;
	if (mailbox.len == 0 || bytes_is(pattern, "<>"))
		return mailbox.len == 0 && bytes_is(pattern, "<>");

	struct bytes local = address_local(pattern);
	bool any_local = local.len == 0 || bytes_is(local, "*");
	if (!any_local && !bytes_equal_nocase(address_local(mailbox), local))
		return false;
	return local.len == pattern.len ||
	    domain_matches(address_domain(mailbox), address_domain(pattern));
}
