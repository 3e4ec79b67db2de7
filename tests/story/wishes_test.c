/* What the administrator wants of messages that are busy just then. */
#include "daemon/dispatch.h"
#include "story/world.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct route_rule one_route[] = {
    {.upstreams = {0}, .upstream_count = 1},
};

static struct world world;
static unsigned long matched;

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

TestSuite(wishes, .init = begin, .fini = end);

static void
count_matched(unsigned long count, void *ctx)
{
	(void)ctx;
	matched = count;
}

static void
ask(enum dispatch_verb verb)
{
	matched = 999;
	dispatch_do(world.dispatch, verb, NULL, 0, NULL, count_matched, NULL);
	world_settle(&world);
}

static size_t
count(enum ledger_state state)
{
	return ledger_count(dispatch_ledger(world.dispatch), state);
}

Test(wishes, holds_what_is_under_way_when_it_is_back)
{
	static const struct row {
		const char *name;
		enum upstream_mood mood;
		size_t held;
	} rows[] = {
	    {"deferred", MOOD_TEMPORARY, 1},
	    {"its upstream is down", MOOD_DOWN, 1},
	    {"delivered", MOOD_GOOD, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		world_clear(&world);
		begin();
		world.moods[0] = rows[i].mood;
		world.keeps_orders = true;
		world_submit(&world, "a@x.example", "b@y.example");
		cr_assert_eq(count(LEDGER_IN_FLIGHT), 1);
		ask(DISPATCH_HOLD);
		cr_expect_eq(matched, 1);
		world_let_go(&world);
		cr_expect_eq(
		    count(LEDGER_HELD), rows[i].held, "%s", rows[i].name);
		world_crash(&world);
		cr_expect_eq(count(LEDGER_HELD), rows[i].held, "%s, on disk",
		    rows[i].name);
	}
}

Test(wishes, holds_what_is_being_recorded)
{
	world.moods[0] = MOOD_TEMPORARY;
	world_submit(&world, "a@x.example", "b@y.example");
	world.keeps_commits = true;
	world_pass(&world, CLOCK_MINUTE);
	cr_assert_eq(count(LEDGER_SETTLING), 1);
	ask(DISPATCH_HOLD);
	cr_expect_eq(matched, 1);
	world_let_go(&world);
	cr_expect_eq(count(LEDGER_HELD), 1);
}

Test(wishes, releases_what_was_only_to_be_held)
{
	world.moods[0] = MOOD_TEMPORARY;
	world.keeps_orders = true;
	world_submit(&world, "a@x.example", "b@y.example");
	ask(DISPATCH_HOLD);
	ask(DISPATCH_RELEASE);
	cr_expect_eq(matched, 1);
	world_let_go(&world);
	cr_expect_eq(count(LEDGER_HELD), 0);
	cr_expect_eq(count(LEDGER_WAITING), 1);
}

Test(wishes, removes_what_is_under_way_when_it_is_back)
{
	static const enum upstream_mood moods[] = {
	    MOOD_TEMPORARY, MOOD_DOWN, MOOD_GOOD, MOOD_PERMANENT};

	for (size_t i = 0; i < sizeof(moods) / sizeof(moods[0]); i++) {
		world_clear(&world);
		begin();
		world.moods[0] = moods[i];
		world.keeps_orders = true;
		world_submit(&world, "", "b@y.example");
		ask(DISPATCH_REMOVE);
		cr_expect_eq(matched, 1);
		world.keeps_orders = false;
		world_let_go_order(&world, 0);
		world_settle(&world);
		cr_expect_null(ledger_find(dispatch_ledger(world.dispatch),
				   world_id(&world, 1)),
		    "mood %zu", i);
	}
}

Test(wishes, removes_what_is_held_and_being_loaded)
{
	ask(DISPATCH_HOLD);
	world.moods[0] = MOOD_TEMPORARY;
	world_submit(&world, "a@x.example", "b@y.example");
	ask(DISPATCH_HOLD);
	cr_assert_eq(count(LEDGER_HELD), 1);
	world.keeps_orders = true;
	world.disk_mood = DISK_TROUBLED;
	ask(DISPATCH_RELEASE);
	ask(DISPATCH_REMOVE);
	world_let_go(&world);
	cr_expect_eq(ledger_size(dispatch_ledger(world.dispatch)), 0);
	cr_expect_eq(world_disk_size(&world), 0);
}

Test(wishes, is_told_how_many_even_where_they_cannot_be_read)
{
	world.moods[0] = MOOD_TEMPORARY;
	for (int i = 0; i < 100; i++)
		world_submit(&world, "a@x.example", "b@y.example");
	world.disk_mood = DISK_TROUBLED;
	ask(DISPATCH_HOLD);
	cr_expect_eq(matched, 0);
	cr_expect_eq(count(LEDGER_WAITING), 100);
	world.disk_mood = DISK_GOOD;
	ask(DISPATCH_HOLD);
	cr_expect_eq(matched, 100);
	cr_expect_eq(count(LEDGER_HELD), 100);
}

Test(wishes, lets_others_go_first_in_a_long_queue)
{
	world.moods[0] = MOOD_TEMPORARY;
	for (int i = 0; i < 3000; i++)
		world_submit(&world, "a@x.example", "b@y.example");
	struct action action;
	matched = 999;
	dispatch_do(
	    world.dispatch, DISPATCH_RETRY, NULL, 0, NULL, count_matched, NULL);
	while (dispatch_next(world.dispatch, world.now, &action)) {
		cr_assert_eq(action.kind, ACTION_ORDER);
		world.orders[world.order_count++] = action.order;
	}
	cr_expect_eq(matched, 999, "it is not over in one go");
	cr_expect_leq(dispatch_deadline(world.dispatch), world.now.mono_ms);
	world.moods[0] = MOOD_GOOD;
	world_let_go(&world);
	cr_expect_eq(matched, 3000);
	cr_expect_eq(world_disk_size(&world), 0);
}

Test(wishes, a_damaged_message_is_put_aside_and_harms_nobody)
{
	world.moods[0] = MOOD_TEMPORARY;
	world_submit(&world, "a@x.example", "b@y.example");
	world_submit(&world, "a@x.example", "c@y.example");
	uint64_t ids[] = {world_id(&world, 1)};
	world.disk_mood = DISK_DAMAGED;
	world.keeps_orders = true;
	dispatch_do(
	    world.dispatch, DISPATCH_HOLD, ids, 1, NULL, count_matched, NULL);
	world_settle(&world);
	world_let_go_order(&world, 0);
	world.disk_mood = DISK_GOOD;
	world_let_go(&world);
	cr_expect_eq(matched, 0);
	cr_expect_eq(dispatch_counters(world.dispatch)->damaged, 1);
	cr_expect_eq(world_disk_size(&world), 1);
}
