/* What becomes of a message after an attempt. */
#include "base/clock.h"
#include "daemon/settle.h"

#include <criterion/criterion.h>
#include <string.h>

#define NOW ((int64_t)1795000000000)

static const int64_t delays[] = {CLOCK_MINUTE, 10 * CLOCK_MINUTE};

static const struct route_rule rules[] = {
    {.recipient = "*@one.example", .upstreams = {0}, .upstream_count = 1},
    {.recipient = "*@two.example", .upstreams = {1}, .upstream_count = 1},
    {.recipient = "*@three.example", .upstreams = {0}, .upstream_count = 1},
};

static const struct settle_options options = {
    .report = {.hostname = "relay.example",
	.postmaster = "postmaster@relay.example"},
    .retry = {.delays_ms = delays,
	.delay_count = 2,
	.lifetime_ms = 5 * CLOCK_DAY,
	.notice_ms = 4 * CLOCK_HOUR},
    .routes = {.rules = rules, .count = 3},
};

/* A recipient on each of the first count routes; states as letters: w waiting,
 * d delivered, f failed. */
static struct message *
make(const char *states)
{
	static const char *const addresses[] = {
	    "a@one.example", "b@two.example", "c@three.example"};
	struct message *message = message_new();
	size_t count = strlen(states);

	message->id = 1;
	message->envelope.arrived_at = NOW;
	envelope_set_sender(&message->envelope, BYTES("me@x.example"));
	for (size_t i = 0; i < count; i++)
		(void)envelope_add_recipient(
		    &message->envelope, bytes_of(addresses[i]));
	progress_init(&message->progress, count);
	for (size_t i = 0; i < count; i++)
		if (states[i] != 'w')
			progress_set(&message->progress, i,
			    states[i] == 'd' ? RECIPIENT_DELIVERED
					     : RECIPIENT_FAILED,
			    BYTES("2.0.0"), BYTES("said so"), BYTES("main"));
	body_set(&message->body, BYTES("Subject: x\r\n\r\n"));
	return message;
}

Test(settle, plans_the_next_route_or_the_next_round)
{
	static const struct row {
		const char *states;
		uint16_t tried;
		bool finished;
		uint16_t route;
		unsigned attempts;
		int64_t delay;
	} rows[] = {
	    {"d", 0, true, 0, 0, 0},
	    {"w", 0, false, 0, 1, CLOCK_MINUTE},
	    {"ww", 0, false, 1, 0, 0},
	    {"dw", 0, false, 1, 0, 0},
	    {"ww", 1, false, 0, 1, CLOCK_MINUTE},
	    {"wd", 1, false, 0, 1, CLOCK_MINUTE},
	    {"wdw", 0, false, 2, 0, 0},
	    {"dww", 2, false, 1, 1, CLOCK_MINUTE},
	    {"fdd", 2, true, 0, 0, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct message *message = make(row->states);
		size_t recipient = row->tried;
		struct settle_tried tried = {
		    .route = row->tried, .recipients = &recipient, .count = 1};
		struct settlement settlement;
		struct error error;
		/* 200 of 401: no jitter. */
		cr_assert(settle_attempt(
		    &options, message, &tried, NOW, 200, &settlement, &error));
		cr_expect_eq(settlement.finished, row->finished, "%zu", i);
		if (!row->finished) {
			cr_expect_eq(settlement.route, row->route, "%zu", i);
			cr_expect_eq(message->progress.attempts, row->attempts,
			    "%zu", i);
			cr_expect_eq(message->progress.next_at,
			    NOW + row->delay, "%zu", i);
		}
		message_free(message);
	}
}

Test(settle, goes_elsewhere_in_this_round_or_the_next)
{
	static const struct row {
		const char *states;
		uint16_t blocked;
		uint16_t route;
		bool round_over;
	} rows[] = {
	    {"w", 0, 0, false},
	    {"ww", 0, 1, false},
	    {"ww", 1, 0, true},
	    {"wdw", 0, 2, false},
	    {"wdw", 2, 0, true},
	    {"ddw", 2, 2, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct message *message = make(rows[i].states);
		struct settlement settlement = settle_elsewhere(
		    &options, message, rows[i].blocked, NOW, 200);
		cr_expect_eq(settlement.route, rows[i].route, "%zu", i);
		cr_expect_eq(
		    settlement.round_over, rows[i].round_over, "%zu", i);
		cr_expect_eq(message->progress.attempts,
		    rows[i].round_over ? 1 : 0, "%zu", i);
		message_free(message);
	}
}

Test(settle, gives_up_at_the_last_attempt_and_says_why)
{
	struct message *message = make("ww");
	size_t recipient = 0;
	struct settle_tried tried = {
	    .route = 0, .recipients = &recipient, .count = 1, .is_last = true};
	struct settlement settlement;
	struct error error;

	progress_set(&message->progress, 0, RECIPIENT_WAITING, BYTES("4.2.0"),
	    BYTES("450 later"), BYTES("main"));
	cr_assert(settle_attempt(
	    &options, message, &tried, NOW, 200, &settlement, &error));
	cr_expect_eq(settlement.failed, 1);
	cr_expect_str_eq(message->progress.recipients[0].reason,
	    "delivery time expired: 450 later");
	cr_expect_str_eq(message->progress.recipients[0].status, "4.4.7");
	cr_expect_eq(message->progress.recipients[1].state, RECIPIENT_WAITING,
	    "who was not tried is not given up here");
	cr_assert_not_null(settlement.report);
	cr_expect_str_eq(
	    settlement.report->envelope.recipients[0].address, "me@x.example");
	message_free(settlement.report);
	message_free(message);
}

Test(settle, expires_everybody_who_waits)
{
	struct message *message = make("wdw");
	struct settlement settlement;
	struct error error;

	cr_assert(settle_expired(&options, message, BYTES("connection refused"),
	    NOW, &settlement, &error));
	cr_expect(settlement.finished);
	cr_expect_eq(settlement.failed, 2);
	cr_expect_str_eq(message->progress.recipients[2].reason,
	    "delivery time expired: connection refused");
	cr_expect_eq(
	    message->progress.recipients[1].state, RECIPIENT_DELIVERED);
	message_free(settlement.report);
	message_free(message);
}

Test(settle, tells_of_a_delay_and_changes_nothing_else)
{
	struct message *message = make("w");
	struct settlement settlement;
	struct error error;

	cr_assert(settle_delayed(&options, message, BYTES("connection refused"),
	    NOW, &settlement, &error));
	cr_expect_not(settlement.finished);
	cr_expect(message->progress.delay_reported);
	cr_expect_eq(message->progress.attempts, 0);
	cr_expect_not_null(settlement.report);
	message_free(settlement.report);
	message_free(message);
}
