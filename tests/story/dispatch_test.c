/* What happens to messages, as stories. */
#include "daemon/dispatch.h"
#include "story/world.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct route_rule one_route[] = {
    {.upstreams = {0}, .upstream_count = 1},
};
static const struct route_rule with_failover[] = {
    {.upstreams = {0, 1}, .upstream_count = 2},
};
static const struct route_rule two_routes[] = {
    {.recipient = "*@inner.example", .upstreams = {1}, .upstream_count = 1},
    {.upstreams = {0}, .upstream_count = 1},
};

static struct world world;

static void
begin(void)
{
	world_init(&world, one_route, 1);
}

static void
end(void)
{
	world_clear(&world);
}

TestSuite(dispatch, .init = begin, .fini = end);

Test(dispatch, delivers_at_once)
{
	world_submit(&world, "a@x.example", "b@y.example c@y.example");
	world_expect(&world,
	    "[0] 1 accepted\n"
	    "[0] 1 via first: 2 delivered, 0 failed, 0 waiting\n");
	cr_expect_eq(world_disk_size(&world), 0);
}

Test(dispatch, tries_again_with_growing_delays)
{
	world.moods[0] = MOOD_TEMPORARY;
	world_submit(&world, "a@x.example", "b@y.example");
	world_pass(&world, 10 * CLOCK_MINUTE);
	world.moods[0] = MOOD_GOOD;
	world_pass(&world, 10 * CLOCK_MINUTE);
	world_expect(&world,
	    "[0] 1 accepted\n"
	    "[0] 1 via first: 0 delivered, 0 failed, 1 waiting\n"
	    "[0] 1 again in 60 s\n"
	    "[60] 1 via first: 0 delivered, 0 failed, 1 waiting\n"
	    "[60] 1 again in 120 s\n"
	    "[180] 1 via first: 0 delivered, 0 failed, 1 waiting\n"
	    "[180] 1 again in 300 s\n"
	    "[480] 1 via first: 0 delivered, 0 failed, 1 waiting\n"
	    "[480] 1 again in 300 s\n"
	    "[780] 1 via first: 1 delivered, 0 failed, 0 waiting\n");
}

Test(dispatch, returns_what_is_refused_and_delivers_the_rest)
{
	world_submit(&world, "a@x.example", "b@y.example bad@y.example");
	world_expect(&world,
	    "[0] 1 accepted\n"
	    "[0] 1 via first: 1 delivered, 1 failed, 0 waiting, report to "
	    "a@x.example\n"
	    "[0] 2 via first: 1 delivered, 0 failed, 0 waiting\n");
	cr_expect_eq(world_disk_size(&world), 0);
}

Test(dispatch, sends_a_bounce_of_a_bounce_to_the_postmaster_and_stops_there)
{
	world.moods[0] = MOOD_PERMANENT;
	world_submit(&world, "a@x.example", "b@y.example");
	world_pass(&world, 6 * CLOCK_DAY);
	world_expect(&world,
	    "[0] 1 accepted\n"
	    "[0] 1 via first: 0 delivered, 1 failed, 0 waiting, report to "
	    "a@x.example\n"
	    "[0] 2 via first: 0 delivered, 1 failed, 0 waiting, report to "
	    "postmaster@relay.example\n"
	    "[0] 3 via first: 0 delivered, 1 failed, 0 waiting\n");
	cr_expect_eq(world_disk_size(&world), 0);
}

Test(dispatch, holds_nothing_against_a_message_when_its_upstream_is_down)
{
	world.moods[0] = MOOD_DOWN;
	world_submit(&world, "a@x.example", "b@y.example");
	world_submit(&world, "a@x.example", "c@y.example");
	cr_expect_str_eq(
	    dispatch_route_reason(world.dispatch, 0), "connection refused");
	world_pass(&world, 3 * CLOCK_SECOND);
	world.moods[0] = MOOD_GOOD;
	world_pass(&world, 3 * CLOCK_SECOND);
	world_expect(&world,
	    "[0] 1 accepted\n"
	    "[0] 1 via first: connection refused\n"
	    "[0] 2 accepted\n"
	    "[4] 1 via first: 1 delivered, 0 failed, 0 waiting\n"
	    "[4] 2 via first: 1 delivered, 0 failed, 0 waiting\n");
}

Test(dispatch, waits_for_an_upstream_that_somebody_else_saw_fail)
{
	dispatch_upstream_fails(
	    world.dispatch, 0, "535 5.7.8 no such login", world.now);
	world_submit(&world, "a@x.example", "b@y.example");
	world_expect(&world, "[0] 1 accepted\n");
	cr_expect_str_eq(dispatch_route_reason(world.dispatch, 0),
	    "535 5.7.8 no such login");
	world_pass(&world, 10 * CLOCK_SECOND);
	world_expect(
	    &world, "[4] 1 via first: 1 delivered, 0 failed, 0 waiting\n");
}

Test(dispatch, goes_by_the_next_upstream_when_the_first_is_down)
{
	world_clear(&world);
	world_init(&world, with_failover, 1);
	world.moods[0] = MOOD_DOWN;
	world_submit(&world, "a@x.example", "b@y.example");
	world_submit(&world, "a@x.example", "c@y.example");
	world_expect(&world,
	    "[0] 1 accepted\n"
	    "[0] 1 via first: connection refused\n"
	    "[0] 1 via second: 1 delivered, 0 failed, 0 waiting\n"
	    "[0] 2 accepted\n"
	    "[0] 2 via second: 1 delivered, 0 failed, 0 waiting\n");
}

Test(dispatch, delivers_by_one_route_while_the_other_is_down)
{
	world_clear(&world);
	world_init(&world, two_routes, 2);
	world.moods[1] = MOOD_DOWN;
	world_submit(&world, "a@x.example", "b@inner.example c@y.example");
	world_pass(&world, 40 * CLOCK_SECOND);
	char *story = buffer_to_text(&world.story);
	cr_expect(strstr(story,
		      "1 via first: 1 delivered, 0 failed, 0 waiting") != NULL,
	    "%s", story);
	free(story);
	buffer_empty(&world.story);
	world.moods[1] = MOOD_GOOD;
	world_pass(&world, CLOCK_HOUR);
	cr_expect_eq(world_disk_size(&world), 0);
}

Test(dispatch, gives_up_after_the_lifetime_and_tells_the_sender)
{
	world.moods[0] = MOOD_DOWN;
	world_submit(&world, "a@x.example", "b@y.example");
	buffer_empty(&world.story);
	world_pass(&world, 5 * CLOCK_DAY - CLOCK_HOUR);
	cr_expect_eq(world_disk_size(&world), 2, "the message, and the notice");
	buffer_empty(&world.story);
	world_pass(&world, 2 * CLOCK_HOUR);
	char *story = buffer_to_text(&world.story);
	cr_expect(strstr(story, "1 expired, report to a@x.example\n") != NULL,
	    "%s", story);
	free(story);
	world.moods[0] = MOOD_GOOD;
	world_pass(&world, CLOCK_DAY);
	cr_expect_eq(world_disk_size(&world), 0, "the reports have gone out");
}

Test(dispatch, tells_the_sender_once_of_a_delay)
{
	world.moods[0] = MOOD_DOWN;
	world_submit(&world, "a@x.example", "b@y.example");
	world_pass(&world, 4 * CLOCK_HOUR - CLOCK_MINUTE);
	buffer_empty(&world.story);
	world_pass(&world, 2 * CLOCK_MINUTE);
	char *story = buffer_to_text(&world.story);
	cr_expect(
	    strstr(story, "[14400] 1 delayed: connection refused\n") != NULL,
	    "%s", story);
	free(story);
	buffer_empty(&world.story);
	world_crash(&world);
	world_pass(&world, CLOCK_DAY);
	story = buffer_to_text(&world.story);
	cr_expect_null(strstr(story, "1 delayed"), "%s", story);
	free(story);
}

Test(dispatch, refuses_what_cannot_be_made_durable)
{
	world.disk_errno = ENOSPC;
	world_submit(&world, "a@x.example", "b@y.example");
	world.disk_errno = EIO;
	world_submit(&world, "a@x.example", "b@y.example");
	world_expect(&world,
	    "[0] 1 refused: disk full\n"
	    "[0] 2 refused: disk failed\n");
	cr_expect_eq(ledger_size(dispatch_ledger(world.dispatch)), 0);
}

Test(dispatch, records_an_outcome_as_soon_as_the_disk_takes_it)
{
	world.moods[0] = MOOD_DOWN;
	world_submit(&world, "a@x.example", "b@y.example");
	world.moods[0] = MOOD_GOOD;
	world.disk_errno = EIO;
	world_pass(&world, 10 * CLOCK_SECOND);
	world_expect(&world,
	    "[0] 1 accepted\n"
	    "[0] 1 via first: connection refused\n"
	    "[4] 1 via first: 1 delivered, 0 failed, 0 waiting\n");
	cr_expect_eq(
	    ledger_count(dispatch_ledger(world.dispatch), LEDGER_SETTLING), 1);
	world.disk_errno = 0;
	world_pass(&world, 2 * CLOCK_SECOND);
	world_expect(&world, "");
	cr_expect_eq(world_disk_size(&world), 0);
}

Test(dispatch, goes_on_after_a_crash_where_it_was)
{
	world.moods[0] = MOOD_TEMPORARY;
	world_submit(&world, "a@x.example", "b@y.example c@y.example");
	world_crash(&world);
	world.moods[0] = MOOD_GOOD;
	world_pass(&world, CLOCK_HOUR);
	world_expect(&world,
	    "[0] 1 accepted\n"
	    "[0] 1 via first: 0 delivered, 0 failed, 2 waiting\n"
	    "[0] 1 again in 60 s\n"
	    "[0] restarted\n"
	    "[60] 1 via first: 2 delivered, 0 failed, 0 waiting\n");
}

static unsigned long matched;

static void
count_matched(unsigned long count, void *ctx)
{
	(void)ctx;
	matched = count;
}

static void
verb(enum dispatch_verb verb, const char *domain)
{
	matched = 999;
	dispatch_do(world.dispatch, verb, NULL, 0, domain, count_matched, NULL);
	world_settle(&world);
}

Test(dispatch, keeps_what_is_held_until_it_is_released)
{
	world.moods[0] = MOOD_TEMPORARY;
	world_submit(&world, "a@x.example", "b@y.example");
	buffer_empty(&world.story);
	verb(DISPATCH_HOLD, NULL);
	cr_expect_eq(matched, 1);
	world.moods[0] = MOOD_GOOD;
	world_pass(&world, CLOCK_HOUR);
	world_crash(&world);
	world_pass(&world, CLOCK_HOUR);
	world_expect(&world, "[3600] restarted\n");
	verb(DISPATCH_RELEASE, NULL);
	cr_expect_eq(matched, 1);
	world_expect(
	    &world, "[7200] 1 via first: 1 delivered, 0 failed, 0 waiting\n");
}

Test(dispatch, removes_by_id)
{
	world.moods[0] = MOOD_TEMPORARY;
	world_submit(&world, "a@x.example", "b@y.example");
	world_submit(&world, "a@x.example", "c@y.example");
	uint64_t ids[] = {world_id(&world, 1), 12345};
	dispatch_do(
	    world.dispatch, DISPATCH_REMOVE, ids, 2, NULL, count_matched, NULL);
	world_settle(&world);
	cr_expect_eq(matched, 1);
	cr_expect_eq(world_disk_size(&world), 1);
}

Test(dispatch, retries_a_domain)
{
	world.moods[0] = MOOD_TEMPORARY;
	world_submit(&world, "a@x.example", "b@y.example");
	world_submit(&world, "a@x.example", "c@sub.z.example");
	buffer_empty(&world.story);
	world.moods[0] = MOOD_GOOD;
	verb(DISPATCH_RETRY, "@z.example");
	cr_expect_eq(matched, 1);
	world_expect(
	    &world, "[0] 2 via first: 1 delivered, 0 failed, 0 waiting\n");
}

Test(dispatch, gives_out_no_order_once_it_is_stopped)
{
	dispatch_stop(world.dispatch);
	world_submit(&world, "a@x.example", "b@y.example");
	world_pass(&world, CLOCK_HOUR);
	world_expect(&world, "[0] 1 accepted\n");
	cr_expect_eq(dispatch_ask(world.dispatch, 0), DOOR_TAKEN,
	    "mail is taken as long as the doors are open");
}
