#include "daemon/resources.h"

#include "base/log.h"
#include "base/memory.h"
#include "daemon/daemon_private.h"
#include "daemon/queue_listing.h"
#include "daemon/version.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- status ---- */

static void
write_queue(struct json_writer *json, const struct ledger *ledger)
{
	json_writer_object(json, "queue");
	json_writer_number(
	    json, "waiting", (int64_t)ledger_count(ledger, LEDGER_WAITING));
	json_writer_number(
	    json, "in_flight", (int64_t)ledger_count(ledger, LEDGER_IN_FLIGHT));
	json_writer_number(
	    json, "settling", (int64_t)ledger_count(ledger, LEDGER_SETTLING));
	json_writer_number(
	    json, "held", (int64_t)ledger_count(ledger, LEDGER_HELD));
	json_writer_number(json, "messages", (int64_t)ledger_size(ledger));
	json_writer_number(
	    json, "bytes", (int64_t)ledger_segment_bytes(ledger));
	json_writer_end(json);
}

static void
write_counters(struct json_writer *json, const struct daemon *daemon)
{
	const struct dispatch_counters *counters =
	    dispatch_counters(daemon->dispatch);
	const struct drop_intake *drop = doors_drop(daemon->doors);
	const struct {
		const char *name;
		unsigned long value;
	} rows[] = {
	    {"accepted", counters->accepted},
	    {"delivered", counters->delivered},
	    {"deferred", counters->deferred},
	    {"bounced", counters->bounced},
	    {"duplicates_possible", counters->in_doubt},
	    {"rejected", doors_rejected(daemon->doors)},
	    {"drop_taken", drop == NULL ? 0 : drop_intake_taken(drop)},
	    {"drop_failed", drop == NULL ? 0 : drop_intake_failed(drop)},
	};

	json_writer_object(json, "counters");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		json_writer_number(json, rows[i].name, (int64_t)rows[i].value);
	json_writer_end(json);
}

static int64_t
wall_of(int64_t mono_ms, struct clock_time now)
{
	if (mono_ms == CLOCK_NEVER)
		return 0;
	return now.wall_ms + (mono_ms - now.mono_ms);
}

static const char *
transport_name(enum upstream_transport transport)
{
	switch (transport) {
	case UPSTREAM_SMTP:
		return "smtp";
	case UPSTREAM_LMTP:
		return "lmtp";
	case UPSTREAM_MAILDIR:
		return "maildir";
	}
	return "";
}

static void
write_upstream(struct json_writer *json, const struct daemon *daemon,
    unsigned upstream, struct clock_time now)
{
	const struct breaker *breaker =
	    dispatch_breaker(daemon->dispatch, upstream);
	bool down = breaker->open_until != 0;

	json_writer_object(json, NULL);
	json_writer_text(
	    json, "name", daemon->wiring->upstream_names[upstream]);
	json_writer_text(json, "transport",
	    transport_name(daemon->wiring->upstreams[upstream].transport));
	json_writer_text(json, "state",
	    down                   ? "down"
		: breaker->untried ? "untried"
				   : "ok");
	json_writer_text(json, "reason", down ? breaker->reason : NULL);
	json_writer_time(
	    json, "next_try_at", down ? wall_of(breaker->open_until, now) : 0);
	json_writer_number(json, "in_flight", breaker->in_flight);
	json_writer_end(json);
}

static const char *
etrn_state_name(const struct etrn_node *node)
{
	if (node->state == ETRN_OFF)
		return "off";
	return node->failures > 0 ? "waiting" : "ok";
}

static void
write_etrn(struct json_writer *json, const struct daemon *daemon,
    struct clock_time now)
{
	const struct etrn_node *node;
	const char *host;

	json_writer_array(json, "etrn");
	for (size_t i = 0;
	     (node = etrn_poller_node(daemon->poller, i, &host)) != NULL; i++) {
		json_writer_object(json, NULL);
		json_writer_text(json, "host", host);
		json_writer_text(json, "node", node->node);
		json_writer_text(json, "state", etrn_state_name(node));
		json_writer_text(json, "last_reply", node->last_reply);
		json_writer_time(
		    json, "last_success_at", node->last_success_at);
		json_writer_number(json, "failures", node->failures);
		json_writer_number(json, "count", (int64_t)node->count);
		json_writer_time(json, "next_at", wall_of(node->next_at, now));
		json_writer_end(json);
	}
	json_writer_end(json);
}

static void
write_lists(struct json_writer *json, const struct daemon *daemon,
    struct clock_time now)
{
	const struct config_texts *warnings = &daemon->config->warnings;
	const char *address;

	json_writer_array(json, "upstreams");
	for (unsigned i = 0; i < daemon->wiring->upstream_count; i++)
		write_upstream(json, daemon, i, now);
	json_writer_end(json);
	write_etrn(json, daemon, now);
	json_writer_array(json, "listeners");
	for (size_t i = 0; (address = doors_address(daemon->doors, i)) != NULL;
	     i++)
		json_writer_text(json, NULL, address);
	json_writer_end(json);
	json_writer_array(json, "warnings");
	for (size_t i = 0; i < warnings->count; i++)
		json_writer_text(json, NULL, warnings->texts[i]);
	if (daemon->wiring->upstream_count == 0)
		json_writer_text(json, NULL,
		    "no upstream is configured: mail is queued and stays");
	json_writer_end(json);
}

static void
get_status(struct control_request *request, void *ctx)
{
	struct daemon *daemon = ctx;
	struct clock_time now = loop_now(daemon->loop);
	struct json_writer *json = control_request_json(request);

	json_writer_text(json, "version", VERSION_TEXT);
	json_writer_number(json, "pid", getpid());
	json_writer_text(json, "state",
	    daemon->state == DAEMON_RUNNING ? "running" : "draining");
	json_writer_time(json, "started_at", daemon->started.wall_ms);
	json_writer_number(
	    json, "uptime_ms", now.mono_ms - daemon->started.mono_ms);
	write_queue(json, dispatch_ledger(daemon->dispatch));
	write_counters(json, daemon);
	write_lists(json, daemon, now);
	control_reply(request);
}

/* ---- the queue ---- */

static struct queue_listing_source
listing_source(const struct daemon *daemon)
{
	return (struct queue_listing_source){
	    .dispatch = daemon->dispatch,
	    .large_fd = daemon->worker_options.large_fd,
	    .now = loop_now(daemon->loop),
	};
}

static void
get_queue(struct control_request *request, void *ctx)
{
	struct queue_listing_source source = listing_source(ctx);

	queue_listing_stream(&source, request, QUEUE_LISTING_JSON);
}

static void
get_mailq(struct control_request *request, void *ctx)
{
	struct queue_listing_source source = listing_source(ctx);

	queue_listing_stream(&source, request, QUEUE_LISTING_MAILQ);
}

static void
get_message(struct control_request *request, void *ctx)
{
	struct queue_listing_source source = listing_source(ctx);

	queue_listing_show(&source, request);
}

static void
get_content(struct control_request *request, void *ctx)
{
	struct queue_listing_source source = listing_source(ctx);

	queue_listing_content(&source, request);
}

/* ---- verbs ---- */

/* A request that waits for a verb to be over. */
struct verb_wait {
	struct daemon *daemon;
	struct control_request *request;
};

static void
verb_over(unsigned long matched, void *ctx)
{
	struct verb_wait *wait = ctx;

	json_writer_number(
	    control_request_json(wait->request), "matched", (int64_t)matched);
	control_reply(wait->request);
	free(wait);
}

static void
verb_cancelled(void *ctx)
{
	struct verb_wait *wait = ctx;

	dispatch_do_forget(wait->daemon->dispatch, wait);
	free(wait);
}

static void
begin_verb(struct daemon *daemon, struct control_request *request,
    enum dispatch_verb verb, const uint64_t *ids, size_t count,
    const char *domain)
{
	if (daemon->state != DAEMON_RUNNING) {
		control_fail(request, 503, "the daemon is about to end");
		return;
	}
	struct verb_wait *wait = memory_new(sizeof(*wait));

	wait->daemon = daemon;
	wait->request = request;
	control_on_cancel(request, verb_cancelled, wait);
	dispatch_do(
	    daemon->dispatch, verb, ids, count, domain, verb_over, wait);
	daemon_pump(daemon);
}

/* The ids that were asked for; NULL, and the request answered, where one is no
 * queue id. */
static uint64_t *
parse_ids(
    struct control_request *request, const char *const *texts, size_t count)
{
	uint64_t *ids = memory_array(count + 1, sizeof(*ids));

	for (size_t i = 0; i < count; i++)
		if (!queue_id_parse(bytes_of(texts[i]), &ids[i])) {
			control_fail(request, 400, "no queue id: %s", texts[i]);
			free(ids);
			return NULL;
		}
	return ids;
}

static void
do_verb(struct daemon *daemon, struct control_request *request,
    enum dispatch_verb verb)
{
	const char *const *texts;
	const char *domain;
	size_t count;
	bool all;

	if (!control_request_bool(request, "all", &all) ||
	    !control_request_text(request, "domain", &domain) ||
	    !control_request_texts(request, "ids", &texts, &count))
		return;
	if (texts == NULL && !all && domain == NULL) {
		control_fail(
		    request, 400, "say which: ids, a domain, or all of them");
		return;
	}
	if (texts == NULL) {
		begin_verb(daemon, request, verb, NULL, 0, domain);
		return;
	}
	uint64_t *ids = parse_ids(request, texts, count);
	if (ids == NULL)
		return;
	begin_verb(daemon, request, verb, ids, count, domain);
	free(ids);
}

static void
post_retry(struct control_request *request, void *ctx)
{
	struct daemon *daemon = ctx;

	dispatch_reset_upstreams(daemon->dispatch);
	do_verb(daemon, request, DISPATCH_RETRY);
}

static void
post_hold(struct control_request *request, void *ctx)
{
	do_verb(ctx, request, DISPATCH_HOLD);
}

static void
post_release(struct control_request *request, void *ctx)
{
	do_verb(ctx, request, DISPATCH_RELEASE);
}

static void
post_remove(struct control_request *request, void *ctx)
{
	do_verb(ctx, request, DISPATCH_REMOVE);
}

static void
post_flush(struct control_request *request, void *ctx)
{
	struct daemon *daemon = ctx;
	const char *domain;

	if (!control_request_text(request, "domain", &domain))
		return;
	dispatch_reset_upstreams(daemon->dispatch);
	begin_verb(daemon, request, DISPATCH_RETRY, NULL, 0, domain);
}

static void
name_started(const char *node, void *ctx)
{
	json_writer_text(ctx, NULL, node);
}

static void
post_etrn(struct control_request *request, void *ctx)
{
	struct daemon *daemon = ctx;
	const char *node;

	if (!control_request_text(request, "node", &node))
		return;
	struct json_writer *json = control_request_json(request);
	json_writer_array(json, "started");
	etrn_poller_ask_now(
	    daemon->poller, node, loop_now(daemon->loop), name_started, json);
	json_writer_end(json);
	control_reply(request);
	daemon_pump(daemon);
}

/* ---- the table ---- */

static const struct control_resource resources[] = {
    {"GET", "/v1/status", CONTROL_READER, get_status},
    {"GET", "/v1/queue", CONTROL_ANYONE, get_queue},
    {"GET", "/v1/queue/:id/content", CONTROL_ANYONE, get_content},
    {"GET", "/v1/queue/:id", CONTROL_ANYONE, get_message},
    {"GET", "/v1/mailq", CONTROL_ANYONE, get_mailq},
    {"POST", "/v1/queue/retry", CONTROL_WRITER, post_retry},
    {"POST", "/v1/queue/hold", CONTROL_WRITER, post_hold},
    {"POST", "/v1/queue/release", CONTROL_WRITER, post_release},
    {"POST", "/v1/queue/remove", CONTROL_WRITER, post_remove},
    {"POST", "/v1/flush", CONTROL_ANYONE, post_flush},
    {"POST", "/v1/etrn", CONTROL_WRITER, post_etrn},
};

const struct control_resource *
resources_table(void)
{
	return resources;
}

size_t
resources_count(void)
{
	return sizeof(resources) / sizeof(resources[0]);
}
