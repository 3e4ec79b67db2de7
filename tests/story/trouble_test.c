/* Disks that fill up and fail, clocks that jump, routes that are blocked. */
#include "daemon/dispatch.h"
#include "story/world.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct route_rule one_route[] = {
    {.upstreams = {0}, .upstream_count = 1},
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

TestSuite(trouble, .init = begin, .fini = end);

static bool
told(const char *text)
{
	char *story = buffer_to_text(&world.story);
	bool found = strstr(story, text) != NULL;

	free(story);
	return found;
}

static unsigned
times_told(const char *text)
{
	char *story = buffer_to_text(&world.story);
	unsigned times = 0;

	for (const char *at = strstr(story, text); at != NULL;
	     at = strstr(at + 1, text))
		times++;
	free(story);
	return times;
}

/* Orders at once, of one upstream. */
#define UNDER_WAY 4

static void
submit_many(int count, const char *sender)
{
	for (int i = 0; i < count; i++)
		world_submit(&world, sender, "b@y.example");
}

/* ---- disks ---- */

Test(trouble, takes_mail_again_once_the_disk_has_room)
{
	world.moods[0] = MOOD_TEMPORARY;
	world_submit(&world, "a@x.example", "b@y.example");
	world.disk_errno = ENOSPC;
	world_submit(&world, "a@x.example", "c@y.example");
	world_pass(&world, 2 * CLOCK_MINUTE);
	cr_expect(told("2 refused: disk full"));
	cr_expect_eq(dispatch_unrecorded(world.dispatch), 1);
	world.disk_errno = 0;
	world.moods[0] = MOOD_GOOD;
	world_submit(&world, "a@x.example", "d@y.example");
	cr_expect(told("3 accepted"));
	world_pass(&world, CLOCK_HOUR);
	cr_expect_eq(world_disk_size(&world), 0);
	cr_expect_eq(dispatch_unrecorded(world.dispatch), 0);
}

static void
expect_all_goes_once_the_upstream_is_well(void)
{
	world.moods[0] = MOOD_GOOD;
	world_pass(&world, CLOCK_DAY);
	cr_expect_eq(world_disk_size(&world), 0);
}

/* What the queue tells of a message of which nothing is on record. */
static void
expect_shown(unsigned attempts_min, int64_t wait_max)
{
	const struct ledger *ledger = dispatch_ledger(world.dispatch);
	const struct ledger_entry *entry = ledger_after(ledger, 0);
	struct message *message = message_new();

	cr_assert_not_null(entry);
	int64_t next_at = dispatch_next_at(entry, message, world.now);
	cr_expect_gt(dispatch_attempts(entry, message), attempts_min);
	cr_expect_gt(next_at, world.now.wall_ms);
	cr_expect_leq(next_at, world.now.wall_ms + wait_max);
	message->progress.attempts = entry->attempts;
	message->progress.next_at = 77;
	cr_expect_eq(dispatch_next_at(entry, message, world.now), 77);
	message_free(message);
}

/* It would be gone when there is something to be delivered. */
Test(trouble, spends_no_reserve_on_deferrals)
{
	world.moods[0] = MOOD_DOWN;
	world_submit(&world, "", "b@y.example");
	world.moods[0] = MOOD_TEMPORARY;
	world.lacks_room = true;
	uint32_t written = world.next_offset;
	world_pass(&world, CLOCK_DAY);
	cr_expect_eq(world.next_offset, written);
	cr_expect_eq(dispatch_unrecorded(world.dispatch), 0);
	cr_expect_eq(times_told("1 again in 60 s"), 1,
	    "attempts count though they are not recorded");
	cr_expect_eq(times_told("1 again in 120 s"), 1);
	cr_expect_gt(times_told("1 again in 300 s"), 100);
	expect_shown(100, 6 * CLOCK_MINUTE);
	world.moods[0] = MOOD_GOOD;
	world_pass(&world, CLOCK_HOUR);
	cr_expect_eq(world_disk_size(&world), 0, "what is delivered has room");
}

Test(trouble, tries_again_after_a_restart_what_it_had_no_room_to_defer)
{
	world.moods[0] = MOOD_TEMPORARY;
	world_submit(&world, "a@x.example", "b@y.example");
	world.lacks_room = true;
	world_pass(&world, 12 * CLOCK_HOUR);
	unsigned told_before = times_told("1 again in");
	world_crash(&world);
	world_pass(&world, CLOCK_MINUTE);
	cr_expect_eq(times_told("1 again in"), told_before + 1);
	expect_all_goes_once_the_upstream_is_well();
}

/* What may have been delivered, and what the sender was told. */
Test(trouble, records_more_than_a_deferral_without_room)
{
	world.moods[0] = MOOD_TEMPORARY;
	world_submit(&world, "a@x.example", "b@y.example");
	world.lacks_room = true;
	uint32_t written = world.next_offset;
	world.moods[0] = MOOD_CUT;
	world_pass(&world, CLOCK_HOUR);
	cr_expect_gt(world.next_offset, written);
	world.moods[0] = MOOD_TEMPORARY;
	world_pass(&world, CLOCK_DAY);
	cr_expect(told("1 delayed"));
	world_crash(&world);
	cr_expect_eq(world_disk_size(&world), 2, "the report is there");
}

Test(trouble, records_without_room_but_once_that_it_is_in_doubt)
{
	world.moods[0] = MOOD_CUT;
	world_submit(&world, "", "b@y.example");
	world.lacks_room = true;
	world_pass(&world, CLOCK_HOUR);
	uint32_t written = world.next_offset;
	world_pass(&world, CLOCK_DAY);
	cr_expect_eq(world.next_offset, written);
	world_crash(&world);
	expect_all_goes_once_the_upstream_is_well();
}

/* They would take what is kept for outcomes. */
Test(trouble, tells_of_few_delays_without_room)
{
	world.moods[0] = MOOD_TEMPORARY;
	submit_many(100, "a@x.example");
	world.lacks_room = true;
	world_pass(&world, 4 * CLOCK_HOUR + 5 * CLOCK_MINUTE);
	cr_expect_gt(times_told("delayed"), 0);
	cr_expect_lt(times_told("delayed"), 15, "%u", times_told("delayed"));
	world.lacks_room = false;
	world_pass(&world, 10 * CLOCK_MINUTE);
	cr_expect_eq(times_told("delayed"), 100, "%u", times_told("delayed"));
}

/* Some were tried while there was still room, it seemed. */
Test(trouble, leaves_out_deferrals_that_could_not_be_written_at_first)
{
	world.moods[0] = MOOD_TEMPORARY;
	world.keeps_orders = true;
	world_submit(&world, "a@x.example", "b@y.example");
	world.keeps_orders = false;
	world.disk_errno = ENOSPC;
	world_let_go(&world);
	cr_expect_eq(dispatch_unrecorded(world.dispatch), 1);
	world.disk_errno = 0;
	world.lacks_room = true;
	world_pass(&world, CLOCK_MINUTE);
	cr_expect_eq(dispatch_unrecorded(world.dispatch), 0);
	expect_all_goes_once_the_upstream_is_well();
}

Test(trouble, does_not_spin_where_messages_cannot_be_read)
{
	world.moods[0] = MOOD_DOWN;
	world_submit(&world, "a@x.example", "b@y.example");
	world.disk_mood = DISK_TROUBLED;
	/* Past its lifetime, and each try fails: world_pass() would notice. */
	world_pass(&world, 6 * CLOCK_DAY);
	cr_expect_eq(world_disk_size(&world), 1, "nothing is given up unread");
	world.disk_mood = DISK_GOOD;
	world_pass(&world, 2 * CLOCK_MINUTE);
	cr_expect(told("1 expired, report to a@x.example"));
}

/* So many wait for an upstream that is back by now. */
static void
begin_waiting(int count)
{
	world.moods[0] = MOOD_DOWN;
	submit_many(count, "a@x.example");
	world.moods[0] = MOOD_GOOD;
}

static unsigned
lines_logged(void)
{
	struct bytes log = buffer_bytes(&world.log);
	unsigned lines = 0;

	while (log.len > 0) {
		(void)bytes_cut(&log, '\n');
		lines++;
	}
	return lines;
}

Test(trouble, delivers_nothing_while_no_outcome_can_be_recorded)
{
	static const int numbers[] = {ENOSPC, EDQUOT, EIO, EFBIG};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		world_clear(&world);
		begin();
		begin_waiting(100);
		world.disk_errno = numbers[i];
		world_pass(&world, CLOCK_HOUR);
		cr_expect_leq(world.taken, UNDER_WAY, "errno %d: %lu",
		    numbers[i], world.taken);
		cr_expect_eq(dispatch_unrecorded(world.dispatch), world.taken);
		cr_expect_str_not_empty(
		    dispatch_recording_problem(world.dispatch));
		world.disk_errno = 0;
		world_pass(&world, CLOCK_MINUTE);
		cr_expect_eq(world.taken, 100, "it goes on by itself");
		cr_expect_eq(world_disk_size(&world), 0);
		cr_expect_str_empty(dispatch_recording_problem(world.dispatch));
	}
}

Test(trouble, repeats_what_was_under_way_and_no_more)
{
	begin_waiting(100);
	world.disk_errno = ENOSPC;
	world_pass(&world, CLOCK_HOUR);
	world.disk_errno = 0;
	world_crash(&world);
	cr_expect_eq(world_disk_size(&world), 0);
	cr_expect_leq(world.taken, 100 + UNDER_WAY);
}

Test(trouble, says_once_a_minute_that_outcomes_are_not_recorded)
{
	begin_waiting(100);
	world.disk_errno = ENOSPC;
	buffer_empty(&world.log);
	world_pass(&world, 10 * CLOCK_MINUTE);
	cr_expect_geq(lines_logged(), 8);
	cr_expect_leq(lines_logged(), 11);
}

/* A commit is taken, and then no more for a while. */
static void
record_one(void)
{
	world.disk_errno = 0;
	world_pass(&world, CLOCK_MINUTE);
	cr_assert_gt(world.commit_count, 0);
	world_let_go_commit(&world);
	world.disk_errno = ENOSPC;
	while (world.commit_count > 0)
		world_let_go_commit(&world);
	world_settle(&world);
}

Test(trouble, waits_until_all_outcomes_are_recorded)
{
	begin_waiting(100);
	world.keeps_orders = true;
	world_pass(&world, CLOCK_HOUR);
	world_let_go_order(&world, 0);
	world_settle(&world);
	cr_assert_eq(world.order_count, UNDER_WAY);
	world.disk_errno = ENOSPC;
	while (world.order_count > 0)
		world_let_go_order(&world, 0);
	world_settle(&world);
	world.keeps_orders = false;
	world.keeps_commits = true;
	for (unsigned i = 1; i < UNDER_WAY; i++) {
		record_one();
		cr_expect_eq(world.taken, 1 + UNDER_WAY);
	}
	world.disk_errno = 0;
	world_let_go(&world);
	world_pass(&world, CLOCK_MINUTE);
	cr_expect_eq(world.taken, 100);
	cr_expect_eq(world_disk_size(&world), 0);
}

/* One message that cannot be put aside holds up no other. */
Test(trouble, delivers_while_a_damaged_message_cannot_be_put_aside)
{
	begin_waiting(2);
	world.refuses_quarantine = true;
	world.keeps_orders = true;
	world_pass(&world, CLOCK_HOUR);
	world.disk_mood = DISK_DAMAGED;
	world_let_go_order(&world, 0);
	world.disk_mood = DISK_GOOD;
	world_let_go(&world);
	world_pass(&world, CLOCK_HOUR);
	cr_expect_eq(world.taken, 1);
	cr_expect_eq(dispatch_unrecorded(world.dispatch), 1);
	world.refuses_quarantine = false;
	world_pass(&world, CLOCK_HOUR);
	cr_expect_eq(dispatch_unrecorded(world.dispatch), 0);
	cr_expect_eq(world_disk_size(&world), 0);
}

static size_t
first_order(void)
{
	size_t first = 0;

	cr_assert_gt(world.order_count, 0);
	for (size_t i = 1; i < world.order_count; i++)
		if (world.orders[i]->id < world.orders[first]->id)
			first = i;
	return first;
}

Test(trouble, empties_the_oldest_segment_first_on_a_full_disk)
{
	world.units_per_segment = 16;
	world.room = 0;
	world.moods[0] = MOOD_TEMPORARY;
	submit_many(8, "a@x.example");
	world.moods[0] = MOOD_DOWN;
	submit_many(24, "a@x.example");
	world_pass(&world, CLOCK_MINUTE);
	world.moods[0] = MOOD_GOOD;
	world.keeps_orders = true;
	dispatch_reset_upstreams(world.dispatch);
	world_settle(&world);
	for (unsigned done = 0; done < 8 + UNDER_WAY; done++) {
		world_let_go_order(&world, first_order());
		world_settle(&world);
	}
	cr_expect_eq(world.drops, 1, "though others were due before them");
}

/* Long before the log is too large. */
Test(trouble, moves_what_pins_the_oldest_segment_of_a_full_disk)
{
	world.units_per_segment = 6;
	world.moods[0] = MOOD_DOWN;
	submit_many(3, "a@x.example");
	uint64_t old = world_id(&world, 2);
	dispatch_do(world.dispatch, DISPATCH_HOLD, &old, 1, NULL, NULL, NULL);
	world_settle(&world);
	world.room = 0;
	world.moods[0] = MOOD_GOOD;
	dispatch_reset_upstreams(world.dispatch);
	world_settle(&world);
	submit_many(1, "a@x.example");
	cr_expect_eq(world.moves, 1);
	cr_expect_eq(world.drops, 1);
	cr_expect_eq(world_disk_size(&world), 1);
	world_crash(&world);
	cr_expect_eq(
	    ledger_count(dispatch_ledger(world.dispatch), LEDGER_HELD), 1);
}

/* To deliver it takes less room. */
Test(trouble, does_not_move_what_is_about_to_be_delivered_on_a_full_disk)
{
	world.units_per_segment = 4;
	world.room = 0;
	world.moods[0] = MOOD_DOWN;
	submit_many(40, "a@x.example");
	world.moods[0] = MOOD_GOOD;
	dispatch_reset_upstreams(world.dispatch);
	world_settle(&world);
	cr_expect_eq(world_disk_size(&world), 0);
	cr_expect_eq(world.moves, 0);
}

/* ---- long queues ---- */

/* What the hub does before others have their turn. */
static void
take_one_turn(void)
{
	struct action action;

	while (dispatch_next(world.dispatch, world.now, &action)) {
		cr_assert_eq(action.kind, ACTION_ORDER);
		world.orders[world.order_count++] = action.order;
	}
}

static int64_t
wait_ms(void)
{
	return dispatch_deadline(world.dispatch) - world.now.mono_ms;
}

Test(trouble, hears_the_alarms_of_a_long_queue_piece_by_piece)
{
	int turns = 1;

	world.moods[0] = MOOD_TEMPORARY;
	submit_many(3000, "a@x.example");
	world.now.mono_ms += 6 * CLOCK_DAY;
	for (take_one_turn(); wait_ms() <= 0; turns++)
		take_one_turn();
	cr_expect_gt(turns, 3, "all were heard in %d turns", turns);
	cr_expect_eq(world.order_count, UNDER_WAY);
}

Test(trouble, looks_again_at_a_long_queue_bit_by_bit)
{
	world.moods[0] = MOOD_TEMPORARY;
	submit_many(3000, "a@x.example");
	world.now.mono_ms += 6 * CLOCK_DAY;
	do
		take_one_turn();
	while (wait_ms() <= 0);
	int64_t first = wait_ms();
	cr_expect_leq(first, CLOCK_MINUTE);
	world.now.mono_ms += first + 20;
	take_one_turn();
	cr_expect_gt(wait_ms(), 0, "few at a time");
	cr_expect_leq(wait_ms(), 20, "and soon the next");
	cr_expect_eq(world.order_count, UNDER_WAY);
}

/* ---- clocks ---- */

Test(trouble, goes_by_the_steady_clock_whatever_the_wall_clock_does)
{
	static const int64_t jumps[] = {
	    CLOCK_DAY, -CLOCK_DAY, 3650 * CLOCK_DAY, -3650 * CLOCK_DAY};

	for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
		world_clear(&world);
		begin();
		world.moods[0] = MOOD_TEMPORARY;
		world_submit(&world, "a@x.example", "b@y.example");
		world_jump(&world, jumps[i]);
		world_submit(&world, "a@x.example", "c@y.example");
		world_pass(&world, CLOCK_DAY);
		cr_expect_geq(times_told("1 via first: 0 delivered, 0 failed"),
		    200, "it is tried as before");
		cr_expect_not(told("1 failed"), "and not given up early");
		world_pass(&world, 4 * CLOCK_DAY + 10 * CLOCK_MINUTE);
		cr_expect(told("1 via first: 0 delivered, 1 failed"),
		    "given up in time after a jump of %lld",
		    (long long)jumps[i]);
		cr_expect(told("2 via first: 0 delivered, 1 failed"));
	}
}

Test(trouble, tries_once_more_where_a_restart_finds_the_time_over)
{
	world.moods[0] = MOOD_TEMPORARY;
	world_submit(&world, "a@x.example", "b@y.example");
	world_jump(&world, 3650 * CLOCK_DAY);
	world.moods[0] = MOOD_GOOD;
	buffer_empty(&world.story);
	world_crash(&world);
	cr_expect(told("1 via first: 1 delivered, 0 failed, 0 waiting"));
	cr_expect_not(told("report"));
}

Test(trouble, keeps_trying_where_a_restart_finds_it_from_the_future)
{
	world.moods[0] = MOOD_TEMPORARY;
	world_submit(&world, "a@x.example", "b@y.example");
	world_jump(&world, -3650 * CLOCK_DAY);
	world_crash(&world);
	world_pass(&world, 4 * CLOCK_DAY);
	cr_expect_not(told("1 failed"));
	world_pass(&world, CLOCK_DAY + CLOCK_HOUR);
	cr_expect(told("1 via first: 0 delivered, 1 failed"));
}

/* ---- routes ---- */

Test(trouble, backs_off_on_one_route_while_another_is_blocked)
{
	world_clear(&world);
	world_init(&world, two_routes, 2);
	world.moods[0] = MOOD_TEMPORARY;
	world.moods[1] = MOOD_DOWN;
	world_submit(&world, "a@x.example", "b@inner.example c@y.example");
	world_pass(&world, CLOCK_HOUR);
	cr_expect_leq(times_told("1 via first"), 16,
	    "every 5 minutes and in between, not every 30 s");
	cr_expect_geq(times_told("1 via first"), 8);
}

Test(trouble, waits_where_no_route_leads)
{
	world_clear(&world);
	world_init(&world, one_route, 0);
	world_submit(&world, "a@x.example", "b@y.example");
	world_pass(&world, CLOCK_DAY);
	cr_expect_eq(
	    ledger_count(dispatch_ledger(world.dispatch), LEDGER_WAITING), 2,
	    "it, and the notice of its delay");
	world_pass(&world, 5 * CLOCK_DAY);
	cr_expect(told("1 expired, report to a@x.example"));
}

/* ---- segments ---- */

Test(trouble, moves_what_pins_the_oldest_segment)
{
	world.units_per_segment = 4;
	world.moods[0] = MOOD_TEMPORARY;
	world_submit(&world, "a@x.example", "old@y.example");
	dispatch_do(world.dispatch, DISPATCH_HOLD, NULL, 0, NULL, NULL, NULL);
	world_settle(&world);
	world.moods[0] = MOOD_GOOD;
	for (int i = 0; i < 100; i++)
		world_submit(&world, "a@x.example", "b@y.example");
	cr_expect_gt(world.moves, 0);
	cr_expect_gt(world.drops, 20);
	cr_expect_lt(ledger_segment_count(dispatch_ledger(world.dispatch)), 10);
	world_crash(&world);
	cr_expect_eq(
	    ledger_count(dispatch_ledger(world.dispatch), LEDGER_HELD), 1);
}

/* One round of everybody: what was kept before it is carried out. */
static void
go_round(void)
{
	size_t orders = world.order_count;
	size_t commits = world.commit_count;

	while (orders-- > 0)
		world_let_go_order(&world, 0);
	while (commits-- > 0)
		world_let_go_commit(&world);
	world_settle(&world);
}

Test(trouble, keeps_the_log_in_bounds_while_many_are_held_and_more_come)
{
	const struct ledger *ledger;

	world.units_per_segment = 16;
	world.moods[0] = MOOD_TEMPORARY;
	submit_many(100, "a@x.example");
	dispatch_do(world.dispatch, DISPATCH_HOLD, NULL, 0, NULL, NULL, NULL);
	world_settle(&world);
	world.moods[0] = MOOD_GOOD;
	world.keeps_orders = true;
	world.keeps_commits = true;
	for (int i = 0; i < 1000; i++) {
		world_submit(&world, "a@x.example", "b@y.example");
		world_submit(&world, "a@x.example", "c@y.example");
		go_round();
	}
	ledger = dispatch_ledger(world.dispatch);
	/* Twice the 100 that are live, and what comes while they are moved. */
	cr_expect_lt(ledger_segment_count(ledger), 3 * 100 / 16, "%zu segments",
	    ledger_segment_count(ledger));
	world_let_go(&world);
	world_crash(&world);
	ledger = dispatch_ledger(world.dispatch);
	cr_expect_eq(ledger_count(ledger, LEDGER_HELD), 100);
}

Test(trouble, moves_others_though_one_cannot_be_read)
{
	static const enum disk_mood moods[] = {DISK_TROUBLED, DISK_DAMAGED};

	for (size_t i = 0; i < 2; i++) {
		world_clear(&world);
		begin();
		world.units_per_segment = 4;
		world.moods[0] = MOOD_TEMPORARY;
		world_submit(&world, "a@x.example", "old@y.example");
		dispatch_do(
		    world.dispatch, DISPATCH_HOLD, NULL, 0, NULL, NULL, NULL);
		world_settle(&world);
		world.moods[0] = MOOD_GOOD;
		world.keeps_orders = true;
		for (int j = 0; j < 40 && world.moves == 0; j++) {
			world_submit(&world, "a@x.example", "b@y.example");
			while (world.order_count > 0) {
				bool is_old =
				    world.orders[0]->id == world_id(&world, 1);
				world.disk_mood = is_old ? moods[i] : DISK_GOOD;
				world_let_go_order(&world, 0);
				world_settle(&world);
			}
		}
		world.disk_mood = DISK_GOOD;
		world_let_go(&world);
		world_pass(&world, 2 * CLOCK_MINUTE);
		for (int j = 0; j < 40; j++)
			world_submit(&world, "a@x.example", "b@y.example");
		cr_expect_lt(
		    ledger_segment_count(dispatch_ledger(world.dispatch)), 20,
		    "mood %zu: %zu", i,
		    ledger_segment_count(dispatch_ledger(world.dispatch)));
	}
}
