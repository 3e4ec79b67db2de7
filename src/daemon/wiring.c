#include "daemon/wiring.h"

#include "base/clock.h"
#include "base/memory.h"
#include "config/endpoint.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Orders to one upstream at once, for each of its connections: one under way,
 * the next behind its dot, and some at hand. */
#define ORDERS_PER_CONNECTION 4

#define SESSION_TIMEOUT_MS (5 * CLOCK_MINUTE) /* RFC 5321 4.5.3.2.7 */
#define SESSION_ERRORS_MAX 20

/* ---- upstreams ---- */

static const char *
text_or_null(const char *text)
{
	return text[0] == '\0' ? NULL : text;
}

static enum upstream_transport
transport_of(enum config_transport transport)
{
	switch (transport) {
	case CONFIG_TRANSPORT_SMTP:
		return UPSTREAM_SMTP;
	case CONFIG_TRANSPORT_LMTP:
		return UPSTREAM_LMTP;
	case CONFIG_TRANSPORT_MAILDIR:
		return UPSTREAM_MAILDIR;
	}
	return UPSTREAM_SMTP;
}

static enum upstream_tls
tls_of(enum config_tls_mode mode)
{
	switch (mode) {
	case CONFIG_TLS_STARTTLS:
		return UPSTREAM_TLS_STARTTLS;
	case CONFIG_TLS_IMPLICIT:
		return UPSTREAM_TLS_IMPLICIT;
	case CONFIG_TLS_OPPORTUNISTIC:
		return UPSTREAM_TLS_OPPORTUNISTIC;
	case CONFIG_TLS_NONE:
		return UPSTREAM_TLS_NONE;
	}
	return UPSTREAM_TLS_STARTTLS;
}

static enum tls_verify
verify_of(enum config_tls_verify verify)
{
	switch (verify) {
	case CONFIG_TLS_VERIFY_FULL:
		return TLS_VERIFY_FULL;
	case CONFIG_TLS_VERIFY_CA:
		return TLS_VERIFY_CA;
	case CONFIG_TLS_VERIFY_OFF:
		return TLS_VERIFY_OFF;
	}
	return TLS_VERIFY_FULL;
}

static const char *
mechanisms_of(enum config_auth_method method)
{
	switch (method) {
	case CONFIG_AUTH_AUTO:
		return NULL;
	case CONFIG_AUTH_PLAIN:
		return "PLAIN";
	case CONFIG_AUTH_LOGIN:
		return "LOGIN";
	}
	return NULL;
}

static void
fill_tls(struct upstream_options *options, const struct config_tls *tls)
{
	options->tls = tls_of(tls->mode);
	options->tls_name = text_or_null(tls->name);
	options->tls_options = (struct tls_client_options){
	    .verify = verify_of(tls->verify),
	    .ca = text_or_null(tls->ca),
	    .certificate = text_or_null(tls->certificate),
	    .key = text_or_null(tls->key),
	    .version_min = tls->version_min,
	};
}

/* Connections of one worker, so that all of them make the configured number. */
static unsigned
share(int64_t connections, int64_t workers)
{
	return (unsigned)((connections + workers - 1) / workers);
}

static void
fill_upstream(const struct config *config,
    const struct config_upstream *upstream, struct upstream_options *options)
{
	*options = (struct upstream_options){
	    .name = upstream->name,
	    .transport = transport_of(upstream->transport),
	    .host = text_or_null(upstream->host),
	    .port = (unsigned)upstream->port,
	    .socket = text_or_null(upstream->socket),
	    .path = text_or_null(upstream->path),
	    .user = text_or_null(upstream->auth.user),
	    .mechanisms = mechanisms_of(upstream->auth.method),
	    /* config/check.c has allowed this for loopback and sockets only. */
	    .auth_in_clear = upstream->tls.mode == CONFIG_TLS_NONE,
	    .hello = config->identity.hostname,
	    .source = text_or_null(upstream->source),
	    .connections = share(upstream->pool.connections, config->workers),
	    .messages_per_connection = (unsigned)upstream->pool.per_connection,
	    .recipients_max = (unsigned)upstream->pool.recipients,
	    .idle_ms = upstream->pool.idle_ms,
	    .pipelining = upstream->pipelining,
	    .chunking = upstream->chunking,
	};
	fill_tls(options, &upstream->tls);
}

/* The server that is asked, with what it shares with the named upstream. */
static void
fill_etrn_upstream(const struct config *config, const struct config_etrn *etrn,
    struct upstream_options *options)
{
	const struct config_upstream *upstream =
	    config_find_upstream(config, etrn->upstream);

	if (upstream != NULL)
		fill_upstream(config, upstream, options);
	else
		*options = (struct upstream_options){
		    .hello = config->identity.hostname,
		    .pipelining = true,
		};
	options->name = etrn->host;
	options->transport = UPSTREAM_SMTP;
	options->host = etrn->host;
	options->port = (unsigned)etrn->port;
	options->socket = NULL;
	options->connections = 1;
	options->messages_per_connection = 1;
	options->recipients_max = 1;
	fill_tls(options, &etrn->tls);
}

static bool
load_secret(const struct config_upstream *upstream, char **out_secret,
    struct upstream_options *options, struct error *error)
{
	if (upstream == NULL || upstream->auth.user[0] == '\0')
		return true;
	if (!secret_load(&upstream->auth.password,
		getenv("CREDENTIALS_DIRECTORY"), out_secret, error))
		return error_context(
		    error, "password of upstream %s", upstream->name);
	options->password = *out_secret;
	return true;
}

static bool
wire_upstreams(
    const struct config *config, struct wiring *wiring, struct error *error)
{
	wiring->upstream_count = config->upstream_count;
	wiring->total_count = config->upstream_count + config->etrn_count;
	size_t total = wiring->total_count + 1;
	wiring->upstreams = memory_array(total, sizeof(*wiring->upstreams));
	wiring->secrets = memory_array(total, sizeof(*wiring->secrets));
	wiring->upstream_names =
	    memory_array(total, sizeof(*wiring->upstream_names));
	wiring->upstream_limits =
	    memory_array(total, sizeof(*wiring->upstream_limits));

	for (size_t i = 0; i < config->upstream_count; i++) {
		const struct config_upstream *upstream = &config->upstreams[i];
		fill_upstream(config, upstream, &wiring->upstreams[i]);
		wiring->upstream_names[i] = upstream->name;
		wiring->upstream_limits[i] = ORDERS_PER_CONNECTION *
		    (unsigned)upstream->pool.connections;
		if (!load_secret(upstream, &wiring->secrets[i],
			&wiring->upstreams[i], error))
			return false;
	}
	for (size_t i = 0; i < config->etrn_count; i++) {
		size_t at = config->upstream_count + i;
		fill_etrn_upstream(
		    config, &config->etrns[i], &wiring->upstreams[at]);
		if (!load_secret(
			config_find_upstream(config, config->etrns[i].upstream),
			&wiring->secrets[at], &wiring->upstreams[at], error))
			return false;
	}
	return true;
}

/* ---- routes and settling ---- */

static unsigned
upstream_index(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->upstream_count; i++)
		if (strcmp(config->upstreams[i].name, name) == 0)
			return (unsigned)i;
	assert(false); /* config/check.c has seen to it */
	return 0;
}

static void
wire_routes(const struct config *config, struct wiring *wiring)
{
	wiring->rules =
	    memory_array(config->route_count + 1, sizeof(*wiring->rules));
	for (size_t i = 0; i < config->route_count; i++) {
		const struct config_route *route = &config->routes[i];
		struct route_rule *rule = &wiring->rules[i];
		rule->recipient = text_or_null(route->recipient);
		rule->sender = text_or_null(route->sender);
		for (size_t j = 0; j < route->via.count &&
		     rule->upstream_count < ROUTE_UPSTREAMS_MAX;
		     j++)
			rule->upstreams[rule->upstream_count++] =
			    upstream_index(config, route->via.texts[j]);
	}
}

static void
wire_settling(const struct config *config, struct wiring *wiring)
{
	const struct config_queue *queue = &config->queue;

	wiring->retry = (struct retry_policy){
	    .delays_ms = queue->retry.ms,
	    .delay_count = queue->retry.count,
	    .lifetime_ms = queue->expire_ms,
	    .notice_ms = queue->delay_notice_ms > 0 ? queue->delay_notice_ms
						    : CLOCK_NEVER,
	};
	wiring->settle = (struct settle_options){
	    .report =
		{
		    .hostname = config->identity.hostname,
		    .postmaster = config->identity.postmaster,
		},
	    .retry = wiring->retry,
	    .routes =
		{
		    .rules = wiring->rules,
		    .count = config->route_count,
		},
	};
}

/* ---- intake ---- */

static void
wire_admission(const struct config *config, struct wiring *wiring)
{
	const struct config_limits *limits = &config->limits;

	wiring->admission = (struct admission_options){
	    .hostname = config->identity.hostname,
	    .origin = config->identity.origin,
	    .root = text_or_null(config->root),
	    .relay_domains = (const char *const *)config->relay_domains.texts,
	    .relay_domain_count = config->relay_domains.count,
	    .message_size_max = (uint64_t)limits->message_size_bytes,
	    .recipients_max = (unsigned)limits->recipients,
	    .connections_max = (unsigned)limits->connections,
	    .connections_per_user_max = (unsigned)limits->connections_per_user,
	    .hops_max = (size_t)limits->hops,
	    .memory_max = (uint64_t)limits->memory_bytes,
	    .inline_limit = (uint64_t)config->queue.inline_limit_bytes,
	};
}

static struct smtp_intake_options
intake_options(const struct wiring *wiring, bool lmtp, bool trusted,
    enum bare_newline bare_newline)
{
	const struct config *config = wiring->config;

	return (struct smtp_intake_options){
	    .server =
		{
		    .hostname = config->identity.hostname,
		    .lmtp = lmtp,
		    .message_size_max =
			(uint64_t)config->limits.message_size_bytes,
		    .recipients_max = (unsigned)config->limits.recipients,
		    .bare_newline = bare_newline,
		    .etrn = true,
		    .qualified_only = !trusted,
		    .command_timeout_ms = SESSION_TIMEOUT_MS,
		    .content_timeout_ms = SESSION_TIMEOUT_MS,
		    .errors_max = SESSION_ERRORS_MAX,
		},
	    .rewrite =
		{
		    .hostname = config->identity.hostname,
		    .origin = config->identity.origin,
		    .root = text_or_null(config->root),
		},
	    .trusted = trusted,
	};
}

bool
wiring_is_local_door(const char *address)
{
	struct endpoint endpoint;

	if (address[0] == '/')
		return true;
	return endpoint_parse_door(bytes_of(address), &endpoint) &&
	    endpoint_is_loopback(endpoint.host);
}

static void
wire_intakes(const struct config *config, struct wiring *wiring)
{
	wiring->intakes =
	    memory_array(config->listen_count + 1, sizeof(*wiring->intakes));
	for (size_t i = 0; i < config->listen_count; i++) {
		const struct config_listen *listen = &config->listens[i];
		bool trusted = listen->socket[0] != '\0' ||
		    wiring_is_local_door(listen->tcp);
		wiring->intakes[i] = intake_options(wiring,
		    listen->protocol == CONFIG_PROTOCOL_LMTP, trusted,
		    listen->bare_newline == CONFIG_BARE_NEWLINE_REJECT
			? BARE_NEWLINE_REJECT
			: BARE_NEWLINE_NORMALIZE);
	}
}

struct smtp_intake_options
wiring_inherited_intake(const struct wiring *wiring, bool loopback)
{
	return intake_options(wiring, false, loopback,
	    loopback ? BARE_NEWLINE_NORMALIZE : BARE_NEWLINE_REJECT);
}

/* ---- ETRN ---- */

static void
wire_etrns(const struct config *config, struct wiring *wiring)
{
	wiring->etrn_count = config->etrn_count;
	wiring->etrns =
	    memory_array(config->etrn_count + 1, sizeof(*wiring->etrns));
	for (size_t i = 0; i < config->etrn_count; i++) {
		const struct config_etrn *etrn = &config->etrns[i];
		wiring->etrns[i] = (struct wiring_etrn){
		    .host = etrn->host,
		    .upstream = (unsigned)(config->upstream_count + i),
		    .timing = {.every_ms = etrn->every_ms,
			.jitter_ms = etrn->jitter_ms},
		    .nodes = (const char *const *)etrn->nodes.texts,
		    .node_count = etrn->nodes.count,
		    .has_login = etrn->upstream[0] != '\0',
		};
		if (wiring->etrns[i].has_login)
			wiring->etrns[i].login =
			    upstream_index(config, etrn->upstream);
	}
}

bool
wiring_new(const struct config *config, struct wiring **out_wiring,
    struct error *error)
{
	struct wiring *wiring = memory_new(sizeof(*wiring));

	wiring->config = config;
	if (!wire_upstreams(config, wiring, error)) {
		wiring_free(wiring);
		return false;
	}
	wire_routes(config, wiring);
	wire_settling(config, wiring);
	wire_admission(config, wiring);
	wire_intakes(config, wiring);
	wire_etrns(config, wiring);
	*out_wiring = wiring;
	return true;
}

void
wiring_free(struct wiring *wiring)
{
	if (wiring == NULL)
		return;
	for (size_t i = 0; i < wiring->total_count; i++)
		secret_forget(wiring->secrets[i]);
	free(wiring->secrets);
	free(wiring->upstreams);
	free(wiring->upstream_names);
	free(wiring->upstream_limits);
	free(wiring->rules);
	free(wiring->intakes);
	free(wiring->etrns);
	free(wiring);
}
