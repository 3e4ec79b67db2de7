#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "delivery/attempt_private.h"
#include "delivery/maildir.h"
#include "net/resolver.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TAILQ_HEAD(attempts, attempt);

struct delivery {
	struct loop *loop; /* borrowed */
	struct resolver *resolver;
	const struct upstream_options *options; /* borrowed */
	struct upstream **upstreams;
	size_t count;
	struct attempts finished; /* to be told */
	size_t under_way;         /* attempts, the finished included */
	struct loop_task task; /* tells the finished, and that all is quiet */
	uint64_t maildir_count;
	bool is_draining;
	delivery_quiet_fn *quiet_fn;
	void *quiet_ctx;
};

/* ---- transports ---- */

/* Settle or fail all recipients, then finish, at once or later. */
typedef void transport_start_fn(struct attempt *attempt);

static void maildir_start(struct attempt *attempt);

static transport_start_fn *const transports[] = {
    [UPSTREAM_SMTP] = relay_start,
    [UPSTREAM_LMTP] = relay_start,
    [UPSTREAM_MAILDIR] = maildir_start,
};

static const struct upstream_options *
options_of(const struct attempt *attempt)
{
	return &attempt->delivery->options[attempt->upstream];
}

static void
maildir_start(struct attempt *attempt)
{
	struct delivery *delivery = attempt->delivery;
	const struct upstream_options *options = options_of(attempt);
	const struct maildir_stamp stamp = {
	    .wall_ms = loop_now(delivery->loop).wall_ms,
	    .count = delivery->maildir_count++,
	    .hostname = options->hello != NULL ? options->hello : "localhost",
	};
	size_t *recipients = memory_array(attempt->count, sizeof(size_t));
	struct error error = {0};
	struct verdict verdict;

	for (size_t i = 0; i < attempt->count; i++)
		recipients[i] = attempt->recipients[i].index;
	(void)snprintf(attempt->result.remote, sizeof(attempt->result.remote),
	    "%s %s", options->name, options->path); /* cut if need be */
	switch (maildir_deliver(options->path, &stamp, attempt->message,
	    recipients, attempt->count, &error)) {
	case MAILDIR_DELIVERED:
		verdict = verdict_make(VERDICT_MESSAGE, VERDICT_TAKEN, "2.0.0",
		    "written to the maildir");
		attempt_settle_rest(attempt, &verdict);
		break;
	case MAILDIR_FAILED:
		verdict = verdict_make(VERDICT_UPSTREAM, VERDICT_AGAIN, "4.3.0",
		    error_text(&error));
		attempt_fail_upstream(attempt, &verdict);
		break;
	case MAILDIR_UNREADABLE:
		attempt_fail_local(attempt, error_text(&error));
		break;
	}
	free(recipients);
	attempt_finish(attempt);
}

/* ---- outcomes ---- */

static enum recipient_state
state_of(enum verdict_action action)
{
	switch (action) {
	case VERDICT_TAKEN:
		return RECIPIENT_DELIVERED;
	case VERDICT_GIVE_UP:
		return RECIPIENT_FAILED;
	case VERDICT_AT_ONCE:
	case VERDICT_AGAIN:
		return RECIPIENT_WAITING;
	}
	return RECIPIENT_WAITING;
}

static const char *
word_of(enum recipient_state state)
{
	switch (state) {
	case RECIPIENT_WAITING:
		return "deferred";
	case RECIPIENT_DELIVERED:
		return "delivered";
	case RECIPIENT_FAILED:
		return "failed";
	}
	return "deferred";
}

/* "3fk8: delivered to=<x> via=main remote=h[192.0.2.1]:25 reply="250 ok"
 * delay=2s" */
static void
log_outcome(const struct attempt *attempt, const struct recipient *recipient,
    const struct verdict *verdict)
{
	const struct message *message = attempt->message;
	const char *name = options_of(attempt)->name;
	struct buffer line;

	if (!log_is_on(LOG_LEVEL_INFO))
		return;
	buffer_init(&line, 8192);
	buffer_printf(&line, "%s: %s to=<%s> via=%s",
	    queue_id_of(message->id).text, word_of(state_of(verdict->action)),
	    recipient->address, name);
	/* The remote's text begins with the name. */
	if (strlen(attempt->result.remote) > strlen(name))
		buffer_printf(&line, " remote=%s",
		    attempt->result.remote + strlen(name) + 1);
	buffer_append_text(&line, verdict->is_reply ? " reply=" : " reason=");
	log_quote(&line, bytes_of(verdict->reason));
	buffer_append_text(&line, " delay=");
	duration_append(&line,
	    loop_now(attempt->delivery->loop).wall_ms -
		message->envelope.arrived_at);
	log_info("%.*s", BYTES_ARGS(buffer_bytes(&line)));
	buffer_clear(&line);
}

void
attempt_settle(
    struct attempt *attempt, size_t recipient, const struct verdict *verdict)
{
	struct message *message = attempt->message;
	struct attempt_recipient *entry = &attempt->recipients[recipient];

	assert(entry->state != ATTEMPT_SETTLED);
	entry->state = ATTEMPT_SETTLED;
	attempt->settled++;
	progress_set(&message->progress, entry->index,
	    state_of(verdict->action), bytes_of(verdict->status),
	    bytes_of(verdict->reason), bytes_of(attempt->result.remote));
	log_outcome(
	    attempt, &message->envelope.recipients[entry->index], verdict);
}

void
attempt_settle_rest(struct attempt *attempt, const struct verdict *verdict)
{
	for (size_t i = 0; i < attempt->count; i++)
		if (attempt->recipients[i].state != ATTEMPT_SETTLED)
			attempt_settle(attempt, i, verdict);
}

static void
set_reason(struct attempt *attempt, const char *reason)
{
	const int max = sizeof(attempt->result.reason) - 1;

	(void)snprintf(attempt->result.reason, sizeof(attempt->result.reason),
	    "%.*s", max, reason); /* cut where it does not fit */
}

void
attempt_fail_upstream(struct attempt *attempt, const struct verdict *verdict)
{
	if (attempt->settled > 0) {
		attempt_settle_rest(attempt, verdict);
		return;
	}
	attempt->result.upstream_failed = true;
	set_reason(attempt, verdict->reason);
}

void
attempt_fail_local(struct attempt *attempt, const char *reason)
{
	if (attempt->settled > 0) {
		const struct verdict verdict = verdict_make(
		    VERDICT_MESSAGE, VERDICT_AGAIN, "4.3.0", reason);
		attempt_settle_rest(attempt, &verdict);
		return;
	}
	attempt->result.local_failed = true;
	set_reason(attempt, reason);
}

void
attempt_set_remote(struct attempt *attempt, const char *remote)
{
	const int max = sizeof(attempt->result.remote) - 1;

	(void)snprintf(attempt->result.remote, sizeof(attempt->result.remote),
	    "%.*s", max, remote); /* cut where it does not fit */
}

void
attempt_finish(struct attempt *attempt)
{
	struct delivery *delivery = attempt->delivery;

	TAILQ_INSERT_TAIL(&delivery->finished, attempt, entry);
	loop_later(delivery->loop, &delivery->task);
}

/* ---- attempts ---- */

void
attempt_start(struct delivery *delivery, unsigned upstream,
    struct message *message, const size_t *recipients, size_t count,
    attempt_fn *fn, void *ctx)
{
	assert(upstream < delivery->count);
	assert(count > 0);
	struct attempt *attempt = memory_new(sizeof(*attempt));

	attempt->delivery = delivery;
	attempt->upstream = upstream;
	attempt->message = message;
	attempt->recipients = memory_array(count, sizeof(*attempt->recipients));
	for (size_t i = 0; i < count; i++)
		attempt->recipients[i].index = recipients[i];
	attempt->count = count;
	attempt->fn = fn;
	attempt->ctx = ctx;
	delivery->under_way++;
	transports[options_of(attempt)->transport](attempt);
}

static void
tell(struct attempt *attempt)
{
	attempt->delivery->under_way--;
	attempt->fn(&attempt->result, attempt->ctx);
	free(attempt->recipients);
	free(attempt);
}

static bool
is_quiet(const struct delivery *delivery)
{
	size_t open = 0;
	size_t idle = 0;

	for (unsigned i = 0; i < delivery->count; i++) {
		size_t sessions;
		delivery_connections(delivery, i, &sessions, &idle);
		open += sessions;
	}
	return open == 0 && delivery->under_way == 0;
}

static void
tell_quiet(struct delivery *delivery)
{
	delivery_quiet_fn *fn = delivery->quiet_fn;

	delivery->quiet_fn = NULL;
	fn(delivery->quiet_ctx);
}

/* Those that finish meanwhile are told in the next turn. */
static void
tell_finished(void *ctx)
{
	struct delivery *delivery = ctx;
	struct attempts finished;

	TAILQ_INIT(&finished);
	TAILQ_CONCAT(&finished, &delivery->finished, entry);
	while (!TAILQ_EMPTY(&finished)) {
		struct attempt *attempt = TAILQ_FIRST(&finished);
		TAILQ_REMOVE(&finished, attempt, entry);
		tell(attempt);
	}
	/* The last thing: the delivery may be freed within. */
	if (delivery->quiet_fn != NULL && is_quiet(delivery))
		tell_quiet(delivery);
}

/* ---- the whole ---- */

static void
upstream_emptied(void *ctx)
{
	struct delivery *delivery = ctx;

	if (delivery->is_draining)
		loop_later(delivery->loop, &delivery->task);
}

static bool
make_upstreams(struct delivery *delivery, size_t count, struct error *error)
{
	delivery->upstreams = memory_array(count, sizeof(struct upstream *));
	for (; delivery->count < count; delivery->count++)
		if (!upstream_new(delivery->loop, delivery->resolver,
			&delivery->options[delivery->count], upstream_emptied,
			delivery, &delivery->upstreams[delivery->count], error))
			return false;
	return true;
}

bool
delivery_new(struct loop *loop, const struct upstream_options *options,
    size_t count, struct delivery **out_delivery, struct error *error)
{
	struct delivery *delivery = memory_new(sizeof(*delivery));

	delivery->loop = loop;
	delivery->options = options;
	TAILQ_INIT(&delivery->finished);
	loop_task_init(&delivery->task, tell_finished, delivery);
	if (!resolver_new(loop, NULL, &delivery->resolver, error) ||
	    !make_upstreams(delivery, count, error)) {
		delivery_free(delivery);
		return false;
	}
	*out_delivery = delivery;
	return true;
}

void
delivery_free(struct delivery *delivery)
{
	if (delivery == NULL)
		return;
	assert(delivery->under_way == 0);
	for (size_t i = 0; i < delivery->count; i++)
		upstream_free(delivery->upstreams[i]);
	loop_task_cancel(delivery->loop, &delivery->task);
	resolver_free(delivery->resolver);
	free(delivery->upstreams);
	free(delivery);
}

void
delivery_drain(struct delivery *delivery, delivery_quiet_fn *fn, void *ctx)
{
	delivery->is_draining = true;
	delivery->quiet_fn = fn;
	delivery->quiet_ctx = ctx;
	for (size_t i = 0; i < delivery->count; i++)
		upstream_drain(delivery->upstreams[i]);
	loop_later(delivery->loop, &delivery->task);
}

void
delivery_connections(const struct delivery *delivery, unsigned upstream,
    size_t *out_open, size_t *out_idle)
{
	upstream_sessions(delivery->upstreams[upstream], out_open, out_idle);
}

struct loop *
delivery_loop(const struct delivery *delivery)
{
	return delivery->loop;
}

struct upstream *
delivery_upstream(const struct delivery *delivery, unsigned upstream)
{
	assert(upstream < delivery->count);
	return delivery->upstreams[upstream];
}
