#include "config/check.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "config/derive.h"
#include "config/endpoint.h"
#include "config/guess.h"
#include "config/option.h"
#include "config/quantity.h"
#include "config/secret.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

static bool
has(const struct setting *group, const char *path)
{
	return setting_value(group, path)[0] != '\0';
}

/* Of the value, or of the group where it was not written. */
static struct source_place
place_of(const struct setting *group, const char *path)
{
	const struct setting *found = setting_find(group, path);

	return found != NULL && found->place.source != NULL ? found->place
							    : group->place;
}

/* Of the first of two values that was written. */
static struct source_place
place_of_either(
    const struct setting *group, const char *path, const char *other)
{
	struct source_place place = place_of(group, path);

	return place.source != NULL ? place : place_of(group, other);
}

static size_t
length(const struct setting *list)
{
	return list == NULL ? 0 : list->count;
}

/* ---- one rule for one value ---- */

static bool
is_host(struct bytes text)
{
	return endpoint_is_host(text);
}

/* "user@domain" or "user". */
static bool
is_mailbox(struct bytes text)
{
	size_t at = bytes_last_index(text, '@');
	struct bytes local = bytes_first(text, at);

	if (local.len == 0 || bytes_contains(local, ' ') ||
	    bytes_contains(local, '<') || bytes_contains(local, ','))
		return false;
	return at == text.len || endpoint_is_host(bytes_from(text, at + 1));
}

/* "domain", "@domain" or "#queue" (RFC 1985 5.2). */
static bool
is_node(struct bytes text)
{
	if (text.len > 1 && text.data[0] == '#')
		return !bytes_contains(text, ' ');
	if (text.len > 1 && text.data[0] == '@')
		text = bytes_from(text, 1);
	return endpoint_is_host(text) && !endpoint_is_address(text);
}

static bool
is_name(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!isalnum((unsigned char)text.data[i]) &&
		    strchr("-_.", text.data[i]) == NULL)
			return false;
	return text.len > 0 && text.len <= 64;
}

static const struct rule {
	const char *path;
	bool (*is_good)(struct bytes text);
	const char *words;
} root_rules[] = {{"root", is_mailbox, "an address, like \"ops@example.com\""},
    {"identity.hostname", is_host, "a host name, like \"web1.example.com\""},
    {"identity.origin", is_host, "a domain, like \"example.com\""},
    {"identity.postmaster", is_mailbox, "an address"}, {NULL, NULL, NULL}},
  upstream_rules[] = {{"name", is_name, "letters, digits, '-', '_' and '.'"},
      {"host", is_host, "a host name or an address, without a port"},
      {"source", endpoint_is_address, "an IP address"},
      {"tls.name", is_host, "a host name"}, {NULL, NULL, NULL}},
  etrn_rules[] = {
      {"host", is_host, "a host name or an address, without a port"},
      {"tls.name", is_host, "a host name"}, {NULL, NULL, NULL}};

static void
check_rules(const struct setting *group, const struct rule *rules,
    struct diagnose *diagnose)
{
	for (; rules->path != NULL; rules++) {
		const struct setting *found = setting_find(group, rules->path);

		/* What was derived was good, or is told where it was not. */
		if (found == NULL || found->place.source == NULL ||
		    found->text[0] == '\0')
			continue;
		if (!rules->is_good(bytes_of(found->text)))
			diagnose_error(diagnose, found->place,
			    "%s = \"%s\" must be %s", rules->path, found->text,
			    rules->words);
	}
}

static void
check_each(const struct setting *list, bool (*is_good)(struct bytes text),
    const char *words, struct diagnose *diagnose)
{
	for (size_t i = 0; i < length(list); i++)
		if (!is_good(bytes_of(list->items[i]->text)))
			diagnose_error(diagnose, list->items[i]->place,
			    "\"%s\" must be %s", list->items[i]->text, words);
}

/* ---- doors ---- */

static void
check_door(const struct setting *door, struct diagnose *diagnose)
{
	struct endpoint endpoint;

	if (has(door, "socket") == has(door, "tcp")) {
		diagnose_error(diagnose, door->place,
		    has(door, "tcp")
			? "a door has a socket or a tcp address; write two"
			: "a door needs socket = \"/path\" or "
			  "tcp = \"127.0.0.1:25\"");
		return;
	}
	if (has(door, "tcp") &&
	    !endpoint_parse_door(
		bytes_of(setting_value(door, "tcp")), &endpoint))
		diagnose_error(diagnose, place_of(door, "tcp"),
		    "tcp = \"%s\" must be an address and a port, like "
		    "\"127.0.0.1:25\" or \"[::1]:25\"",
		    setting_value(door, "tcp"));
	const struct setting *mode = setting_find(door, "mode");
	if (has(door, "tcp") && mode != NULL && mode->line > 0 &&
	    !setting_is(door, "mode", "0666"))
		diagnose_error(
		    diagnose, mode->name, "'mode' is for a socket; remove it");
}

static void
check_doors(const struct setting *list, struct diagnose *diagnose)
{
	for (size_t i = 0; i < length(list); i++)
		check_door(list->items[i], diagnose);
}

/* ---- upstreams ---- */

/* What each transport needs, and may not have. */
static const struct transport {
	const char *name;
	const char *needs;
	const char *either; /* or this instead */
	const char *not_for[4];
} transports[] = {
    {"smtp", "host", NULL, {"socket", "path"}},
    {"lmtp", "host", "socket", {"path"}},
    {"maildir", "path", NULL, {"host", "socket", "auth.user"}},
};

static void
check_transport(const struct setting *upstream,
    const struct transport *transport, struct diagnose *diagnose)
{
	bool first = has(upstream, transport->needs);
	bool second =
	    transport->either != NULL && has(upstream, transport->either);

	if (!first && !second)
		diagnose_error(diagnose, upstream->place,
		    "an upstream of transport \"%s\" needs '%s'%s%s%s",
		    transport->name, transport->needs,
		    transport->either ? " or '" : "",
		    transport->either ? transport->either : "",
		    transport->either ? "'" : "");
	if (first && second)
		diagnose_error(diagnose, place_of(upstream, transport->either),
		    "an upstream has '%s' or '%s', not both", transport->needs,
		    transport->either);
	for (const char *const *key = transport->not_for; *key != NULL; key++)
		if (has(upstream, *key))
			diagnose_error(diagnose, place_of(upstream, *key),
			    "'%s' is not for transport \"%s\"; remove it", *key,
			    transport->name);
}

static void
check_tls(const struct setting *group, struct diagnose *diagnose)
{
	if (has(group, "tls.certificate") != has(group, "tls.key"))
		diagnose_error(diagnose,
		    place_of(group,
			has(group, "tls.key") ? "tls.key" : "tls.certificate"),
		    "'certificate' and 'key' come together; add '%s'",
		    has(group, "tls.key") ? "certificate" : "key");
	if (setting_is(group, "tls.verify", "off") &&
	    !setting_is(group, "tls.mode", "opportunistic") &&
	    !setting_is(group, "tls.mode", "none"))
		diagnose_warning(diagnose, place_of(group, "tls.verify"),
		    "certificates of %s are not verified: anyone in between "
		    "can read and change the mail",
		    setting_value(group, "host"));
}

static void
check_clear_text(const struct setting *upstream, struct diagnose *diagnose)
{
	struct source_place place = place_of(upstream, "tls.mode");

	if (derive_is_local(upstream))
		return;
	if (setting_is(upstream, "tls.mode", "none")) {
		if (has(upstream, "auth.user"))
			diagnose_error(diagnose, place,
			    "a password would go in clear text over the "
			    "network; write mode = \"starttls\" or "
			    "\"implicit\"");
		else
			diagnose_warning(diagnose, place,
			    "mail to %s goes in clear text over the network",
			    setting_value(upstream, "host"));
	}
	if (setting_is(upstream, "tls.mode", "opportunistic") &&
	    has(upstream, "auth.user"))
		diagnose_error(diagnose, place,
		    "a password needs TLS that can not be left out; write "
		    "mode = \"starttls\" or \"implicit\"");
}

static size_t
count_secrets(const struct setting *upstream)
{
	size_t count = 0;

	count += has(upstream, "auth.password.file");
	count += has(upstream, "auth.password.credential");
	count += has(upstream, "auth.password.value");
	count += length(setting_find(upstream, "auth.password.command")) > 0;
	return count;
}

static void
check_secret_file(const struct setting *upstream, struct diagnose *diagnose)
{
	const char *path = setting_value(upstream, "auth.password.file");
	struct error error;

	if (path[0] == '\0' || secret_check_file(path, &error))
		return;
	/* Not ours to look at: the daemon will see when it starts. */
	if (error.kind == ERROR_SYSTEM && error.number == EACCES)
		return;
	diagnose_error(diagnose, place_of(upstream, "auth.password.file"), "%s",
	    error_text(&error));
}

static void
check_auth(const struct setting *upstream, struct diagnose *diagnose)
{
	const struct setting *value =
	    setting_find(upstream, "auth.password.value");
	size_t count = count_secrets(upstream);

	if (has(upstream, "auth.user") && count == 0)
		diagnose_error(diagnose, place_of(upstream, "auth.user"),
		    "a password is missing; add password_file = \"...\", or "
		    "password = { file = \"...\"; } within upstreams");
	if (!has(upstream, "auth.user") && count > 0)
		diagnose_error(diagnose, place_of(upstream, "auth.password"),
		    "a password without a user; add user = \"...\"");
	if (count > 1)
		diagnose_error(diagnose, place_of(upstream, "auth.password"),
		    "a password comes from one of file, credential, value or "
		    "command; remove the others");
	if (value != NULL && value->text[0] != '\0' &&
	    value->place.source != NULL && value->place.source->is_public)
		diagnose_error(diagnose, value->place,
		    "everyone can read the password in this file; run: "
		    "chmod o-r %s",
		    value->place.source->name);
	check_secret_file(upstream, diagnose);
}

static void
check_upstream(const struct setting *upstream, struct diagnose *diagnose)
{
	if (!has(upstream, "name"))
		diagnose_error(diagnose, upstream->place,
		    "an upstream needs a name; add name = \"main\"");
	check_rules(upstream, upstream_rules, diagnose);
	for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++)
		if (setting_is(upstream, "transport", transports[i].name))
			check_transport(upstream, &transports[i], diagnose);
	check_tls(upstream, diagnose);
	check_clear_text(upstream, diagnose);
	check_auth(upstream, diagnose);
}

/* ---- routes and ETRN ---- */

/* NULL where there is none of that name; guess is then told what there is. */
static const struct setting *
find_upstream(const struct setting *root, const char *name, struct guess *guess)
{
	const struct setting *list = setting_find(root, "upstreams");

	for (size_t i = 0; i < length(list); i++) {
		const char *other = setting_value(list->items[i], "name");

		if (strcmp(other, name) == 0)
			return list->items[i];
		guess_try(guess, other);
	}
	return NULL;
}

static void
check_name(const struct setting *root, const struct setting *name,
    struct diagnose *diagnose)
{
	struct guess guess = guess_begin(name->text);

	if (find_upstream(root, name->text, &guess) != NULL)
		return;
	if (guess.best != NULL)
		diagnose_error(diagnose, name->place,
		    "there is no upstream \"%s\"; did you mean \"%s\"?",
		    name->text, guess.best);
	else
		diagnose_error(diagnose, name->place,
		    "there is no upstream \"%s\"; add it to upstreams",
		    name->text);
}

static void
check_routes(const struct setting *root, struct diagnose *diagnose)
{
	const struct setting *list = setting_find(root, "routes");
	bool rest = false; /* a route takes everything */

	for (size_t i = 0; i < length(list); i++) {
		const struct setting *route = list->items[i];
		const struct setting *via = setting_find(route, "via");

		if (rest)
			diagnose_error(diagnose, route->place,
			    "no mail comes this far: a route before takes "
			    "everything; put that one last");
		if (length(via) == 0)
			diagnose_error(diagnose, route->place,
			    "a route needs via = [ \"name\" ]");
		for (size_t j = 0; j < length(via); j++)
			check_name(root, via->items[j], diagnose);
		rest =
		    rest || (!has(route, "recipient") && !has(route, "sender"));
	}
	if (length(list) > 0 && !rest)
		diagnose_error(diagnose, list->items[list->count - 1]->place,
		    "mail that no route fits would stay for ever; add a last "
		    "route { via = [ \"name\" ]; }");
}

/* What is written of ETRN's tls must not differ from the upstream's, which is
 * taken; but for the name, since the hosts may be two. */
static void
check_same_tls(const struct setting *root, const struct setting *etrn,
    struct diagnose *diagnose)
{
	const char *name = setting_value(etrn, "upstream");
	struct guess guess = guess_begin(name);
	const struct setting *upstream = find_upstream(root, name, &guess);
	const struct setting *ours = setting_find(etrn, "tls");

	for (size_t i = 0; upstream != NULL && i < length(ours); i++) {
		const struct setting *written = ours->items[i];

		if (written == NULL || written->place.source == NULL ||
		    strcmp(written->option->name, "name") == 0)
			continue;
		const char *theirs = setting_text(setting_find(upstream, "tls"),
		    ours->group, written->option->name);
		if (strcmp(written->text, theirs) != 0)
			diagnose_error(diagnose, written->name,
			    "the tls of upstream \"%s\" is taken, where '%s' "
			    "is \"%s\"; remove this one",
			    name, written->option->name, theirs);
	}
}

static void
check_etrn(const struct setting *root, const struct setting *etrn,
    struct diagnose *diagnose)
{
	const struct setting *upstream = setting_find(etrn, "upstream");

	if (!has(etrn, "host"))
		diagnose_error(diagnose, etrn->place,
		    "an entry of etrn needs host = \"mx.example.com\"");
	if (length(setting_find(etrn, "nodes")) == 0)
		diagnose_error(diagnose, etrn->place,
		    "an entry of etrn needs nodes = [ \"example.com\" ]");
	check_each(setting_find(etrn, "nodes"), is_node,
	    "a domain, \"@domain\" or \"#queue\"", diagnose);
	check_rules(etrn, etrn_rules, diagnose);
	if (!has(etrn, "upstream")) {
		check_tls(etrn, diagnose);
		return;
	}
	check_name(root, upstream, diagnose);
	check_same_tls(root, etrn, diagnose);
}

/* ---- numbers that must fit together ---- */

static int64_t
duration(const struct setting *root, const char *path)
{
	int64_t ms = 0;

	/* What is no duration has been told already. */
	(void)duration_parse(bytes_of(setting_value(root, path)), &ms);
	return ms;
}

static int64_t
size(const struct setting *root, const char *path)
{
	int64_t bytes = 0;

	(void)quantity_parse_size(bytes_of(setting_value(root, path)), &bytes);
	return bytes;
}

static void
check_numbers(const struct setting *root, struct diagnose *diagnose)
{
	const struct setting *retry = setting_find(root, "queue.retry");

	if (duration(root, "queue.delay_notice") >=
	    duration(root, "queue.expire"))
		diagnose_error(diagnose,
		    place_of_either(root, "queue.delay_notice", "queue.expire"),
		    "delay_notice must be shorter than expire (\"%s\"); "
		    "\"0\" is none",
		    setting_value(root, "queue.expire"));
	if (retry != NULL && retry->count == 0)
		diagnose_error(diagnose, retry->place,
		    "retry needs at least one time; write [ \"5m\" ]");
	if (size(root, "queue.inline_limit") > size(root, "queue.segment_size"))
		diagnose_error(diagnose,
		    place_of_either(
			root, "queue.inline_limit", "queue.segment_size"),
		    "inline_limit must not be above segment_size (\"%s\")",
		    setting_value(root, "queue.segment_size"));
	if (size(root, "limits.message_size") > size(root, "limits.queue_size"))
		diagnose_error(diagnose,
		    place_of_either(
			root, "limits.message_size", "limits.queue_size"),
		    "message_size must not be above queue_size (\"%s\")",
		    setting_value(root, "limits.queue_size"));
}

void
check_settings(const struct setting *root, struct diagnose *diagnose)
{
	const struct setting *upstreams = setting_find(root, "upstreams");
	const struct setting *etrn = setting_find(root, "etrn");

	check_rules(root, root_rules, diagnose);
	check_each(setting_find(root, "relay_domains"), is_host,
	    "a domain, like \"example.com\"", diagnose);
	check_doors(setting_find(root, "listen"), diagnose);
	for (size_t i = 0; i < length(upstreams); i++)
		check_upstream(upstreams->items[i], diagnose);
	check_routes(root, diagnose);
	for (size_t i = 0; i < length(etrn); i++)
		check_etrn(root, etrn->items[i], diagnose);
	check_numbers(root, diagnose);
}
