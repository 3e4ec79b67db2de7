/*
 * Mailboxes and paths of the envelope (RFC 5321 4.1.2 and 4.1.3, RFC 6531 3.3).
 *
 * A mailbox is kept exactly as it was written, quotes and case included; it is
 * checked, split and compared, never rewritten.  The null sender is the empty
 * mailbox.  Percent hacks and bangs mean nothing here.
 *
 * More lenient than the RFC: a domain may hold underscores and labels of any
 * length.  Stricter: UTF-8 that only steers a display (C1 controls, line and
 * paragraph separators, bidirectional controls) is refused.
 */
#pragma once

#include "base/bytes.h"

#include <stdbool.h>

/* RFC 5321 4.5.3.1, octets. */
#define ADDRESS_LOCAL_MAX   64
#define ADDRESS_DOMAIN_MAX  255
#define ADDRESS_MAILBOX_MAX 254 /* a path of 256 less its brackets */

enum address_problem {
	ADDRESS_OK,
	ADDRESS_SYNTAX,    /* not a mailbox: 501 5.1.3 or 5.1.7 */
	ADDRESS_TOO_LONG,  /* a part over its limit: 501 */
	ADDRESS_NEEDS_UTF8 /* well-formed, but not ASCII: 553 5.6.7 */
};

/*
 * Check "local@domain", or "local" alone where bare is allowed.  The domain may
 * be an address literal.  utf8: RFC 6531 characters are allowed; otherwise they
 * give ADDRESS_NEEDS_UTF8.  The empty mailbox is ADDRESS_SYNTAX: where a null
 * sender may stand, the caller asks first.
 */
enum address_problem address_check(struct bytes mailbox, bool bare, bool utf8);

/*
 * Take a path, "<" [source-route ":"] mailbox ">" or "<>", from the front of
 * *input; the rest stays in *input.  A source route is dropped (appendix C).
 * out_mailbox is a view into *input.  Quoted strings and literals are honoured,
 * so a ">" inside quotes does not end the path.  On a problem *input and
 * *out_mailbox are untouched.  "<postmaster>" without domain is accepted, other
 * bare local parts only where bare is allowed.
 */
enum address_problem address_take_path(
    struct bytes *input, bool bare, bool utf8, struct bytes *out_mailbox);

/* What stands before the last "@" outside quotes; the whole without one. */
struct bytes address_local(struct bytes mailbox);
/* What stands behind it; empty without one. */
struct bytes address_domain(struct bytes mailbox);
/* Domains compare without case, local parts as they are. */
bool address_equal(struct bytes a, struct bytes b);

/* A domain name of letters, digits, hyphens and dots (RFC 5321 4.1.2), no
 * literal; utf8 as above. */
bool address_is_domain(struct bytes domain, bool utf8);

/*
 * Does mailbox match pattern: "*" anything, "*@domain", "@domain" the same,
 * "*@*.domain" its subdomains, "user@domain", "user" (any domain), "<>" the
 * null sender, which nothing else but "*" matches.  Without case throughout.
 */
bool address_matches(struct bytes mailbox, struct bytes pattern);
