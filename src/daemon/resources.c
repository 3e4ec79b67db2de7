#include "daemon/resources.h"

#include "base/memory.h"
#include "daemon/daemon_private.h"
#include "daemon/queue_listing.h"
#include "daemon/queue_message.h"
#include "daemon/status.h"

#include <stdlib.h>

static void
get_status(struct control_request *request, void *ctx)
{
	status_write(ctx, control_request_json(request));
	control_reply(request);
}

/* ---- the queue ---- */

static struct queue_view
queue_view_of(struct daemon *daemon)
{
	return (struct queue_view){
	    .dispatch = daemon->dispatch,
	    .large_fd = daemon->worker_options.large_fd,
	    .listings = &daemon->listings,
	};
}

static void
get_queue(struct control_request *request, void *ctx)
{
	struct queue_view view = queue_view_of(ctx);

	queue_listing_stream(&view, request, QUEUE_LISTING_JSON);
}

static void
get_mailq(struct control_request *request, void *ctx)
{
	struct queue_view view = queue_view_of(ctx);

	queue_listing_stream(&view, request, QUEUE_LISTING_MAILQ);
}

static void
get_message(struct control_request *request, void *ctx)
{
	struct queue_view view = queue_view_of(ctx);

	queue_message_show(&view, request);
}

static void
get_content(struct control_request *request, void *ctx)
{
	struct queue_view view = queue_view_of(ctx);

	queue_message_content(&view, request);
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
