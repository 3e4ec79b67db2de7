/* The plan of asking by ETRN. */
#include "base/buffer.h"
#include "base/log.h"
#include "daemon/etrn_poller.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVERY (10 * CLOCK_MINUTE)

static const char *const nodes[] = {"x.example", "@y.example"};
static const char *const other_nodes[] = {"#queue"};

static struct wiring_etrn etrns[] = {
    {.host = "one.example",
	.upstream = 3,
	.timing = {.every_ms = EVERY},
	.nodes = nodes,
	.node_count = 2},
    {.host = "two.example",
	.upstream = 4,
	.timing = {.every_ms = EVERY},
	.nodes = other_nodes,
	.node_count = 1},
};
static const struct wiring wiring = {.etrns = etrns, .etrn_count = 2};

static struct etrn_poller *poller;
static struct clock_time now;
static struct buffer log_text;

static void
begin(void)
{
	buffer_init(&log_text, 65536);
	log_open(LOG_SINK_CAPTURE, LOG_LEVEL_INFO, "test", &log_text);
	now = (struct clock_time){1795000000000, 1000};
	poller = etrn_poller_new(&wiring);
}

static void
end(void)
{
	etrn_poller_free(poller);
	buffer_clear(&log_text);
}

TestSuite(etrn_poller, .init = begin, .fini = end);

static void
answer(struct etrn_order *order, int code, const char *text, const char *why)
{
	for (size_t i = 0; i < order->count; i++) {
		order->answers[i].code = code;
		(void)snprintf(order->answers[i].text, ORDER_TEXT_MAX, "%s",
		    text); /* fits */
	}
	(void)snprintf(order->why, sizeof(order->why), "%s", why); /* fits */
	etrn_poller_answered(poller, order, now, 512);
}

static void
answer_both(int code, const char *text)
{
	struct etrn_order *first = etrn_poller_next(poller, now);
	struct etrn_order *second = etrn_poller_next(poller, now);

	cr_assert_not_null(first);
	cr_assert_not_null(second);
	answer(first, code, text, "");
	answer(second, code, text, "");
}

Test(etrn_poller, asks_all_nodes_of_a_server_in_one_session_at_the_start)
{
	struct etrn_order *first = etrn_poller_next(poller, now);
	struct etrn_order *second = etrn_poller_next(poller, now);

	cr_assert_not_null(first);
	cr_expect_eq(first->upstream, 3);
	cr_expect_eq(first->count, 2);
	cr_expect_str_eq(first->nodes[1], "@y.example");
	cr_assert_not_null(second);
	cr_expect_eq(second->upstream, 4);
	cr_expect_null(etrn_poller_next(poller, now), "one at a time");
	cr_expect_eq(etrn_poller_deadline(poller), CLOCK_NEVER);
	answer(first, 250, "2.0.0 ok", "");
	answer(second, 250, "2.0.0 ok", "");
}

Test(etrn_poller, comes_back_when_the_reply_says_so)
{
	static const struct row {
		int code;
		const char *text;
		int64_t from_ms; /* after which it is due, */
		int64_t to_ms;   /* at the latest */
	} rows[] = {
	    {250, "2.0.0 queuing started", EVERY - 1000, EVERY + 1000},
	    {251, "2.0.0 nothing waits", EVERY - 1000, EVERY + 1000},
	    {253, "2.0.0 7 messages", EVERY - 1000, EVERY + 1000},
	    {458, "4.0.0 cannot", 40000, 80000},
	    {459, "4.0.0 not allowed", 4 * CLOCK_HOUR, 8 * CLOCK_HOUR},
	    {535, "5.7.8 log in", 40000, 80000},
	    {421, "4.3.2 closing", 40000, 80000},
	    {0, "", 40000, 80000},
	    {550, "5.7.1 never", CLOCK_NEVER, CLOCK_NEVER},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		etrn_poller_free(poller);
		poller = etrn_poller_new(&wiring);
		answer_both(rows[i].code, rows[i].text);
		int64_t due = etrn_poller_deadline(poller);
		if (rows[i].code == 550) {
			cr_expect_eq(due, CLOCK_NEVER);
			continue;
		}
		cr_expect_geq(
		    due - now.mono_ms, rows[i].from_ms, "%d", rows[i].code);
		cr_expect_leq(
		    due - now.mono_ms, rows[i].to_ms, "%d", rows[i].code);
	}
}

Test(etrn_poller, keeps_what_the_session_died_of)
{
	struct etrn_order *order = etrn_poller_next(poller, now);
	const char *host;

	answer(order, 0, "", "connection refused");
	const struct etrn_node *node = etrn_poller_node(poller, 0, &host);
	cr_expect_str_eq(node->last_reply, "connection refused");
	cr_expect_str_eq(host, "one.example");
	cr_expect_eq(node->failures, 1);
	char *text = buffer_to_text(&log_text);
	cr_expect_not_null(
	    strstr(text, "warning: etrn: node=x.example"), "%s", text);
	free(text);
}

static void
count_name(const char *node, void *ctx)
{
	(void)node;
	(*(unsigned *)ctx)++;
}

Test(etrn_poller, asks_at_once_on_demand_whoever_is_off_too)
{
	unsigned started = 0;

	answer_both(550, "5.7.1 never");
	cr_assert_eq(etrn_poller_deadline(poller), CLOCK_NEVER);
	etrn_poller_ask_now(poller, "#queue", now, count_name, &started);
	cr_expect_eq(started, 1);
	struct etrn_order *order = etrn_poller_next(poller, now);
	cr_assert_not_null(order);
	cr_expect_eq(order->upstream, 4);
	etrn_poller_ask_now(poller, NULL, now, count_name, &started);
	cr_expect_eq(started, 3, "the one that runs is left alone");
	answer(order, 250, "ok", "");
}
