#include "config/derive.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/memory.h"
#include "config/config.h"
#include "config/endpoint.h"
#include "config/hostname.h"
#include "config/option.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKERS_MAX 64

/* A default takes the place of what was written for it, if anything was. */
static void
put(struct setting *group, const char *path, const char *text)
{
	setting_put_text(group, path, text, setting_find(group, path));
}

static void
put_if_missing(struct setting *group, const char *path, const char *text)
{
	if (setting_find(group, path) == NULL)
		put(group, path, text);
}

/* ---- names ---- */

static void
derive_identity(struct setting *root)
{
	if (setting_is(root, "identity.hostname", "auto")) {
		char *own = hostname_own();

		put(root, "identity.hostname", own);
		free(own);
	}
	if (setting_is(root, "identity.origin", "auto")) {
		char *mailname = hostname_mailname();

		put(root, "identity.origin",
		    mailname != NULL
			? mailname
			: setting_value(root, "identity.hostname"));
		free(mailname);
	}
	const char *postmaster = setting_value(root, "identity.postmaster");
	if (strchr(postmaster, '@') == NULL) {
		char *whole = memory_format("%s@%s", postmaster,
		    setting_value(root, "identity.origin"));

		put(root, "identity.postmaster", whole);
		free(whole);
	}
}

static void
derive_workers(struct setting *root)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	char text[32];

	if (!setting_is(root, "workers", "0"))
		return;
	if (cores < 1)
		cores = 1;
	if (cores > WORKERS_MAX)
		cores = WORKERS_MAX;
	(void)snprintf(text, sizeof(text), "%ld", cores); /* fits */
	put(root, "workers", text);
}

/* A short life needs no notice of its delay. */
static void
derive_notice(struct setting *root)
{
	int64_t expire;
	int64_t notice;

	if (setting_find(root, "queue.delay_notice") == NULL &&
	    duration_parse(
		bytes_of(setting_value(root, "queue.expire")), &expire) &&
	    duration_parse(
		bytes_of(setting_value(root, "queue.delay_notice")), &notice) &&
	    notice >= expire)
		put(root, "queue.delay_notice", "0");
}

/* ---- doors ---- */

static void
add_door(struct setting *list, const char *key, const char *value)
{
	struct setting *door =
	    setting_new_group(list->option, list->option->group);

	setting_put_text(door, key, value, NULL);
	setting_append(list, door);
}

static bool
is_local_door(const struct setting *door)
{
	struct endpoint endpoint;

	if (setting_value(door, "socket")[0] != '\0')
		return true;
	return endpoint_parse_door(
		   bytes_of(setting_value(door, "tcp")), &endpoint) &&
	    endpoint_is_loopback(endpoint.host);
}

static void
derive_doors(struct setting *root)
{
	struct setting *list = setting_find(root, "listen");

	if (list == NULL) {
		list = setting_new_list(option_find(root->group, "listen"));
		add_door(list, "socket", CONFIG_SMTP_SOCKET);
		add_door(list, "tcp", "127.0.0.1:25");
		add_door(list, "tcp", "[::1]:25");
		setting_put(root, list);
	}
	for (size_t i = 0; i < list->count; i++) {
		struct setting *door = list->items[i];

		if (setting_is(door, "bare_newline", "auto"))
			put(door, "bare_newline",
			    is_local_door(door) ? "normalize" : "reject");
	}
}

/* ---- ways out ---- */

bool
derive_is_local(const struct setting *upstream)
{
	return setting_is(upstream, "transport", "maildir") ||
	    setting_value(upstream, "socket")[0] != '\0' ||
	    endpoint_is_loopback(bytes_of(setting_value(upstream, "host")));
}

/* Whoever only tries TLS would rather deliver in the clear than not at all. */
static void
derive_verify(struct setting *group)
{
	bool opportunistic = setting_is(group, "tls.mode", "opportunistic");

	put_if_missing(group, "tls.verify", opportunistic ? "off" : "full");
}

static void
derive_upstream(struct setting *upstream)
{
	const char *port = setting_value(upstream, "port");
	const char *mode = "starttls";

	if (derive_is_local(upstream))
		mode = "none";
	if (strcmp(port, "465") == 0)
		mode = "implicit";
	put_if_missing(upstream, "tls.mode", mode);
	derive_verify(upstream);

	if (setting_is(upstream, "transport", "lmtp"))
		put_if_missing(upstream, "port", "24");
	else
		put_if_missing(upstream, "port",
		    setting_is(upstream, "tls.mode", "implicit") ? "465"
								 : "587");
	put_if_missing(upstream, "tls.name", setting_value(upstream, "host"));
}

static const struct setting *
find_upstream(const struct setting *root, const char *name)
{
	const struct setting *list = setting_find(root, "upstreams");

	for (size_t i = 0; list != NULL && i < list->count; i++)
		if (setting_is(list->items[i], "name", name))
			return list->items[i];
	return NULL;
}

/* ETRN's tls is that of the upstream it names, but for the name to verify where
 * the two are different hosts. */
static void
copy_tls(struct setting *etrn, const struct setting *upstream)
{
	static const char *const paths[] = {"tls.mode", "tls.verify", "tls.min",
	    "tls.ca", "tls.certificate", "tls.key"};
	const char *host = setting_value(etrn, "host");

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		put_if_missing(
		    etrn, paths[i], setting_value(upstream, paths[i]));
	if (setting_is(upstream, "host", host))
		host = setting_value(upstream, "tls.name");
	put_if_missing(etrn, "tls.name", host);
}

static void
derive_etrn(struct setting *root, struct setting *etrn)
{
	const struct setting *upstream =
	    find_upstream(root, setting_value(etrn, "upstream"));

	if (upstream != NULL) {
		copy_tls(etrn, upstream);
		return;
	}
	put_if_missing(etrn, "tls.mode",
	    setting_is(etrn, "port", "465") ? "implicit" : "opportunistic");
	derive_verify(etrn);
	put_if_missing(etrn, "tls.name", setting_value(etrn, "host"));
}

/* ---- routes ---- */

static bool
names_upstream(const struct setting *routes, const char *name)
{
	for (size_t i = 0; routes != NULL && i < routes->count; i++) {
		const struct setting *via =
		    setting_find(routes->items[i], "via");

		for (size_t j = 0; via != NULL && j < via->count; j++)
			if (strcmp(via->items[j]->text, name) == 0)
				return true;
	}
	return false;
}

static bool
takes_everything(const struct setting *routes)
{
	for (size_t i = 0; routes != NULL && i < routes->count; i++)
		if (setting_value(routes->items[i], "recipient")[0] == '\0' &&
		    setting_value(routes->items[i], "sender")[0] == '\0')
			return true;
	return false;
}

/* The upstreams that no route names, in order: NULL where there is none. */
static struct setting *
rest_of_upstreams(const struct setting *upstreams, const struct setting *routes,
    const struct option *via)
{
	struct setting *rest = NULL;

	for (size_t i = 0; upstreams != NULL && i < upstreams->count; i++) {
		const char *name = setting_value(upstreams->items[i], "name");

		if (name[0] == '\0' || names_upstream(routes, name))
			continue;
		if (rest == NULL)
			rest = setting_new_list(via);
		setting_append(rest, setting_new_scalar(via, name));
	}
	return rest;
}

static void
derive_last_route(struct setting *root)
{
	struct setting *routes = setting_find(root, "routes");
	const struct option *option = option_find(root->group, "routes");

	if (takes_everything(routes))
		return;
	struct setting *via = rest_of_upstreams(setting_find(root, "upstreams"),
	    routes, option_find(option->group, "via"));
	if (via == NULL)
		return;
	if (routes == NULL) {
		routes = setting_new_list(option);
		setting_put(root, routes);
	}
	struct setting *last = setting_new_group(option, option->group);
	setting_put(last, via);
	setting_append(routes, last);
}

void
derive_settings(struct setting *root)
{
	const struct setting *upstreams = setting_find(root, "upstreams");
	const struct setting *etrn = setting_find(root, "etrn");

	derive_identity(root);
	derive_workers(root);
	derive_notice(root);
	derive_doors(root);
	for (size_t i = 0; upstreams != NULL && i < upstreams->count; i++)
		derive_upstream(upstreams->items[i]);
	for (size_t i = 0; etrn != NULL && i < etrn->count; i++)
		derive_etrn(root, etrn->items[i]);
	derive_last_route(root);
}
