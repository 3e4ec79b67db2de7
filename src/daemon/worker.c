#include "daemon/worker.h"

#include "base/memory.h"
#include "daemon/thread.h"
#include "delivery/etrn.h"
#include "queue/disk.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct worker {
	const struct worker_options *options;
	struct loop *loop;
	struct delivery *delivery;
	struct mailbox *inbox;
	struct mailbox *etrn_inbox;
	struct mailbox *stop_inbox;
	struct letter stop;
	bool is_stopping; /* the hub's own */
	uint64_t random;
	pthread_t thread;
};

static void
copy_text(char *to, size_t size, const char *from)
{
	(void)snprintf(to, size, "%s", from); /* cut where it is too long */
}

static void
answer(struct order *order, enum order_result result, const char *failure)
{
	order->result = result;
	copy_text(order->failure, sizeof(order->failure), failure);
	mailbox_post(order->worker->options->answers, &order->letter);
}

/* Jitter alone hangs on it: any generator will do, and no system call for each
 * message. */
static uint32_t
random_bits(struct worker *worker)
{
	worker->random =
	    worker->random * 6364136223846793005U + 1442695040888963407U;
	return (uint32_t)(worker->random >> 32);
}

static int64_t
now_wall(const struct order *order)
{
	return loop_now(order->worker->loop).wall_ms;
}

static void
settled(struct order *order, bool made, const struct error *error)
{
	if (made)
		answer(order, ORDER_DONE, "");
	else
		answer(order, ORDER_FAILED, error_text(error));
}

static void
find_elsewhere(struct order *order)
{
	order->settlement =
	    settle_elsewhere(order->worker->options->settle, order->message,
		order->route, now_wall(order), random_bits(order->worker));
}

/* ---- attempts ---- */

static void
note_doubt(struct order *order, const struct attempt_result *result)
{
	order->in_doubt = result->in_doubt;
	if (result->in_doubt)
		order->message->progress.in_doubt++;
}

static void
attempt_over(const struct attempt_result *result, void *ctx)
{
	struct order *order = ctx;
	struct error error;

	if (result->upstream_failed) {
		find_elsewhere(order);
		answer(order, ORDER_UPSTREAM_FAILED, result->reason);
		return;
	}
	if (result->local_failed) {
		answer(order, ORDER_FAILED, result->reason);
		return;
	}
	struct settle_tried tried = {
	    .route = order->route,
	    .recipients = order->recipients,
	    .count = order->recipient_count,
	    .is_last = order->is_last,
	};
	note_doubt(order, result);
	bool made = settle_attempt(order->worker->options->settle,
	    order->message, &tried, now_wall(order), random_bits(order->worker),
	    &order->settlement, &error);
	settled(order, made, &error);
}

static void
reroute(struct order *order)
{
	order->settlement.route =
	    settle_first_route(order->worker->options->settle,
		&order->message->envelope, &order->message->progress);
	answer(order, ORDER_REROUTED, "");
}

static void
find_recipients(struct order *order)
{
	order->recipients =
	    memory_array(order->message->envelope.recipient_count + 1,
		sizeof(*order->recipients));
	order->recipient_count = settle_group(order->worker->options->settle,
	    order->message, order->route, order->recipients);
}

static void
begin_attempt(struct order *order)
{
	find_recipients(order);
	if (order->recipient_count == 0) {
		reroute(order);
		return;
	}
	attempt_start(order->worker->delivery, order->upstream, order->message,
	    order->recipients, order->recipient_count, attempt_over, order);
}

/* ---- the other orders ---- */

static void
expire(struct order *order)
{
	struct error error;
	bool made = settle_expired(order->worker->options->settle,
	    order->message, bytes_of(order->reason), now_wall(order),
	    &order->settlement, &error);

	settled(order, made, &error);
}

static void
delay(struct order *order)
{
	struct error error;
	bool made = settle_delayed(order->worker->options->settle,
	    order->message, bytes_of(order->reason), now_wall(order),
	    &order->settlement, &error);

	settled(order, made, &error);
}

static void
carry_out(struct order *order)
{
	switch (order->kind) {
	case ORDER_ATTEMPT:
		begin_attempt(order);
		break;
	case ORDER_EXPIRE:
		expire(order);
		break;
	case ORDER_DELAY:
		delay(order);
		break;
	case ORDER_REROUTE:
		find_elsewhere(order);
		answer(order, ORDER_REROUTED, "");
		break;
	case ORDER_LOAD:
		answer(order, ORDER_DONE, "");
		break;
	}
}

static void
load_and_carry_out(struct worker *worker, struct order *order)
{
	struct message *message;
	struct error error;

	order->worker = worker;
	if (segment_load(disk_real(), worker->options->large_fd, &order->where,
		&message, &error)) {
		order_take_message(order, message);
		carry_out(order);
		return;
	}
	answer(order, error.kind == ERROR_DATA ? ORDER_DAMAGED : ORDER_FAILED,
	    error_text(&error));
}

static void
on_orders(struct letter *letters, void *ctx)
{
	while (letters != NULL) {
		struct letter *next = letters->next;
		load_and_carry_out(ctx, (struct order *)(void *)letters);
		letters = next;
	}
}

/* ---- ETRN ---- */

struct etrn_order *
etrn_order_new(unsigned upstream, const char *const *nodes, size_t count)
{
	struct etrn_order *order = memory_new(sizeof(*order));

	order->upstream = upstream;
	order->nodes = nodes;
	order->count = count;
	order->answers = memory_array(count + 1, sizeof(*order->answers));
	return order;
}

void
etrn_order_free(struct etrn_order *order)
{
	if (order == NULL)
		return;
	free(order->answers);
	free(order);
}

struct etrn_run {
	struct worker *worker;
	struct etrn_order *order;
};

static void
on_etrn(size_t node_index, int code, const char *text, void *ctx)
{
	struct etrn_run *run = ctx;
	struct etrn_order *order = run->order;

	if (node_index < order->count) {
		order->answers[node_index].code = code;
		copy_text(
		    order->answers[node_index].text, ORDER_TEXT_MAX, text);
		return;
	}
	copy_text(order->why, sizeof(order->why), text);
	mailbox_post(run->worker->options->etrn_answers, &order->letter);
	free(run);
}

static void
on_etrn_orders(struct letter *letters, void *ctx)
{
	while (letters != NULL) {
		struct letter *next = letters->next;
		struct etrn_run *run = memory_new(sizeof(*run));
		run->worker = ctx;
		run->order = (struct etrn_order *)(void *)letters;
		etrn_session_start(run->worker->delivery, run->order->upstream,
		    run->order->nodes, run->order->count, on_etrn, run);
		letters = next;
	}
}

/* ---- the thread ---- */

static void
on_drained(void *ctx)
{
	struct worker *worker = ctx;

	loop_stop(worker->loop);
}

static void
on_stop(struct letter *letters, void *ctx)
{
	struct worker *worker = ctx;

	assert(letters == &worker->stop);
	delivery_drain(worker->delivery, on_drained, worker);
}

static void *
worker_main(void *ctx)
{
	struct worker *worker = ctx;

	loop_run(worker->loop);
	return NULL;
}

static void
free_parts(struct worker *worker)
{
	delivery_free(worker->delivery);
	mailbox_free(worker->inbox);
	mailbox_free(worker->etrn_inbox);
	mailbox_free(worker->stop_inbox);
	loop_free(worker->loop);
	free(worker);
}

bool
worker_new(const struct worker_options *options, struct worker **out_worker,
    struct error *error)
{
	struct worker *worker = memory_new(sizeof(*worker));

	worker->options = options;
	/* Where this fails, 0 will do. */
	(void)!getrandom(
	    &worker->random, sizeof(worker->random), GRND_NONBLOCK);
	worker->loop = loop_new();
	worker->inbox = mailbox_new(worker->loop, on_orders, worker);
	worker->etrn_inbox = mailbox_new(worker->loop, on_etrn_orders, worker);
	worker->stop_inbox = mailbox_new(worker->loop, on_stop, worker);
	if (!delivery_new(worker->loop, options->upstreams,
		options->upstream_count, &worker->delivery, error)) {
		free_parts(worker);
		return false;
	}
	if (!thread_start(&worker->thread, worker_main, worker,
		"a worker thread", error)) {
		free_parts(worker);
		return false;
	}
	*out_worker = worker;
	return true;
}

void
worker_post(struct worker *worker, struct order *order)
{
	mailbox_post(worker->inbox, &order->letter);
}

void
worker_post_etrn(struct worker *worker, struct etrn_order *order)
{
	mailbox_post(worker->etrn_inbox, &order->letter);
}

void
worker_stop(struct worker *worker)
{
	if (worker->is_stopping)
		return;
	worker->is_stopping = true;
	mailbox_post(worker->stop_inbox, &worker->stop);
}

void
worker_free(struct worker *worker)
{
	if (worker == NULL)
		return;
	worker_stop(worker);
	(void)pthread_join(worker->thread, NULL); /* our own, joined once */
	free_parts(worker);
}
