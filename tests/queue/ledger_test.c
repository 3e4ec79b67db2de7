#include "base/clock.h"
#include "queue/ledger.h"

#include <criterion/criterion.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define SEGMENT_SIZE 1000
#define LIVE         200 /* octets of each message here */

static uint64_t
draw(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static struct place
place_in(uint64_t segment)
{
	return (struct place){.segment = segment, .offset = 4096, .len = 100};
}

static void
set_segment(struct ledger *ledger, uint64_t number, uint64_t bytes)
{
	struct segment_ref ref = {.number = number, .fd = (int)number};
	ledger_set_segment(ledger, ref, bytes);
}

static struct ledger_entry *
add(struct ledger *ledger, uint64_t id, uint64_t segment)
{
	return ledger_add(ledger, id, place_in(segment), LIVE - 100, false, 1);
}

Test(ledger, gives_rising_ids)
{
	struct ledger *ledger = ledger_new();

	cr_expect_eq(ledger_new_id(ledger, 1700000000000), 1700000000000000);
	cr_expect_eq(ledger_new_id(ledger, 1700000000000), 1700000000000001);
	cr_expect_eq(ledger_new_id(ledger, 1600000000000), 1700000000000002);
	cr_expect_eq(ledger_new_id(ledger, INT64_MAX), 1700000000000003);
	cr_expect_eq(ledger_new_id(ledger, INT64_MIN), 1700000000000004);
	ledger_raise_id(ledger, 1800000000000000);
	cr_expect_eq(ledger_new_id(ledger, 1700000000000), 1800000000000001);
	ledger_raise_id(ledger, 5);
	cr_expect_eq(ledger_new_id(ledger, 1900000000000), 1900000000000000);
	ledger_free(ledger);
}

Test(ledger, lists_in_order_from_anywhere)
{
	struct ledger *ledger = ledger_new();

	set_segment(ledger, 1, 0);
	add(ledger, 30, 1);
	add(ledger, 10, 1);
	add(ledger, 20, 1);
	cr_expect_eq(ledger_after(ledger, 0)->id, 10);
	cr_expect_eq(ledger_after(ledger, 10)->id, 20);
	cr_expect_eq(ledger_after(ledger, 19)->id, 20);
	cr_expect_eq(ledger_after(ledger, 29)->id, 30);
	cr_expect_null(ledger_after(ledger, 30));
	cr_expect_eq(ledger_find(ledger, 20)->id, 20);
	cr_expect_null(ledger_find(ledger, 21));
	ledger_free(ledger);
}

Test(ledger, has_every_message_in_one_state)
{
	struct ledger *ledger = ledger_new();

	set_segment(ledger, 1, 0);
	struct ledger_entry *a = add(ledger, 1, 1);
	struct ledger_entry *b = add(ledger, 2, 1);
	cr_expect_eq(ledger_count(ledger, LEDGER_SETTLING), 2);
	cr_expect_null(ledger_due(ledger, 0));

	ledger_wait(ledger, a, 4, 10, 0);
	ledger_move(ledger, b, LEDGER_HELD);
	cr_expect_eq(ledger_count(ledger, LEDGER_SETTLING), 0);
	cr_expect_eq(ledger_count(ledger, LEDGER_WAITING), 1);
	cr_expect_eq(ledger_first(ledger, LEDGER_HELD), b);
	cr_expect_null(ledger_next(b));
	cr_expect_null(ledger_due(ledger, 9));
	cr_expect_eq(ledger_due(ledger, 10), a);

	/* To another route while it waits. */
	ledger_wait(ledger, a, 5, 20, 10);
	cr_expect_null(ledger_due(ledger, 10));
	cr_expect_eq(schedule_count(ledger_schedule(ledger), 4), 0);
	cr_expect_eq(schedule_count(ledger_schedule(ledger), 5), 1);
	ledger_move(ledger, a, LEDGER_IN_FLIGHT);
	cr_expect_null(ledger_due(ledger, 30));
	cr_expect_eq(ledger_first(ledger, LEDGER_IN_FLIGHT), a);
	ledger_remove(ledger, a);
	cr_expect_eq(ledger_count(ledger, LEDGER_IN_FLIGHT), 0);
	cr_expect_eq(ledger_size(ledger), 1);
	ledger_free(ledger);
}

Test(ledger, rings_each_alarm_once)
{
	struct ledger *ledger = ledger_new();

	set_segment(ledger, 1, 0);
	struct ledger_entry *a = add(ledger, 1, 1);
	struct ledger_entry *b = add(ledger, 2, 1);
	cr_expect_eq(ledger_alarm_deadline(ledger), CLOCK_NEVER);
	ledger_set_alarm(ledger, a, 10);
	ledger_set_alarm(ledger, b, 5);
	ledger_set_alarm(ledger, a, 20);
	cr_expect_eq(ledger_alarm_deadline(ledger), 5);
	cr_expect_null(ledger_take_alarm(ledger, 4));
	cr_expect_eq(ledger_take_alarm(ledger, 30), b);
	cr_expect_eq(ledger_take_alarm(ledger, 30), a);
	cr_expect_null(ledger_take_alarm(ledger, 30));
	ledger_set_alarm(ledger, a, 40);
	ledger_set_alarm(ledger, a, CLOCK_NEVER);
	cr_expect_eq(ledger_alarm_deadline(ledger), CLOCK_NEVER);
	ledger_set_alarm(ledger, a, 40);
	ledger_remove(ledger, a);
	cr_expect_eq(ledger_alarm_deadline(ledger), CLOCK_NEVER);
	ledger_free(ledger);
}

Test(ledger, drops_only_the_oldest_segment)
{
	struct ledger *ledger = ledger_new();
	uint64_t number = 0;

	set_segment(ledger, 1, SEGMENT_SIZE);
	struct ledger_entry *a = add(ledger, 1, 1);
	set_segment(ledger, 4, SEGMENT_SIZE);
	struct ledger_entry *b = add(ledger, 2, 4);
	set_segment(ledger, 5, 10);
	ledger_remove(ledger, b);
	cr_expect_not(ledger_take_droppable(ledger, &number), "1 is pinned");
	ledger_remove(ledger, a);
	cr_expect(ledger_take_droppable(ledger, &number));
	cr_expect_eq(number, 1);
	cr_expect(ledger_take_droppable(ledger, &number));
	cr_expect_eq(number, 4);
	cr_expect_not(ledger_take_droppable(ledger, &number), "the newest");
	cr_expect_eq(ledger_segment_count(ledger), 1);
	cr_expect_eq(ledger_segment_bytes(ledger), 10);
	ledger_free(ledger);
}

Test(ledger, moves_what_pins_a_journal_that_is_mostly_dead)
{
	struct ledger *ledger = ledger_new();
	uint64_t number;

	set_segment(ledger, 1, SEGMENT_SIZE);
	struct ledger_entry *a = add(ledger, 1, 1);
	struct ledger_entry *b = add(ledger, 2, 1);
	ledger_move(ledger, a, LEDGER_IN_FLIGHT);
	ledger_move(ledger, b, LEDGER_HELD);
	cr_expect_null(ledger_pinning(ledger, SEGMENT_SIZE, UINT64_MAX));
	for (uint64_t i = 2; i < 6; i++)
		set_segment(ledger, i, SEGMENT_SIZE);
	cr_expect_eq(ledger_pinning(ledger, SEGMENT_SIZE, UINT64_MAX), b);
	ledger_set_place(ledger, b, place_in(5));
	ledger_set_progress_place(ledger, b, place_in(5));
	cr_expect_null(ledger_pinning(ledger, SEGMENT_SIZE, UINT64_MAX),
	    "the other is busy");
	ledger_wait(ledger, a, 0, 0, 0);
	cr_expect_eq(ledger_pinning(ledger, SEGMENT_SIZE, UINT64_MAX), a);
	ledger_set_place(ledger, a, place_in(5));
	cr_expect(ledger_take_droppable(ledger, &number));
	struct segment_message where = ledger_where(ledger, b);
	cr_expect_eq(where.segment.fd, 5);
	cr_expect_eq(where.progress_segment.fd, 5);
	cr_expect_eq(ledger_where(ledger, a).progress_place.segment, 0);
	ledger_free(ledger);
}

Test(ledger, on_a_full_disk_moves_what_takes_little_room)
{
	static const struct row {
		const char *name;
		uint64_t others; /* segments behind the oldest */
		uint64_t bytes;  /* of the oldest */
		uint64_t room;
		bool is_moved;
	} rows[] = {
	    {"room", 1, SEGMENT_SIZE, SEGMENT_SIZE, false},
	    {"full, and little in it", 1, SEGMENT_SIZE, 0, true},
	    {"full, and more in it", 1, 3 * LIVE, 0, false},
	    {"full, a large log", 9, 3 * LIVE, 0, false},
	    {"nearly full, a large log", 9, 3 * LIVE, 2 * LIVE, true},
	    {"nearly full, no large log", 1, 3 * LIVE, 2 * LIVE, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ledger *ledger = ledger_new();
		set_segment(ledger, 1, rows[i].bytes);
		struct ledger_entry *a = add(ledger, 1, 1);
		ledger_move(ledger, a, LEDGER_HELD);
		for (uint64_t j = 0; j < rows[i].others; j++)
			set_segment(ledger, 2 + j, SEGMENT_SIZE);
		struct ledger_entry *moved =
		    ledger_pinning(ledger, SEGMENT_SIZE, rows[i].room);
		cr_expect_eq(
		    moved, rows[i].is_moved ? a : NULL, "%s", rows[i].name);
		ledger_free(ledger);
	}
}

Test(ledger, finds_what_is_due_in_the_oldest_segment)
{
	struct ledger *ledger = ledger_new();

	set_segment(ledger, 1, SEGMENT_SIZE);
	struct ledger_entry *a = add(ledger, 1, 1);
	struct ledger_entry *b = add(ledger, 2, 1);
	ledger_move(ledger, a, LEDGER_HELD);
	ledger_wait(ledger, b, 0, 0, 0);
	cr_expect_null(ledger_due_in_oldest(ledger), "it is the newest, too");
	set_segment(ledger, 2, SEGMENT_SIZE);
	struct ledger_entry *c = add(ledger, 3, 2);
	ledger_wait(ledger, c, 0, 0, 0);
	cr_expect_eq(ledger_due_in_oldest(ledger), b);
	cr_expect_eq(ledger_due_in_oldest(ledger), b, "it stays");
	schedule_close_route(ledger_schedule(ledger), 0);
	cr_expect_null(ledger_due_in_oldest(ledger));
	schedule_open_route(ledger_schedule(ledger), 0);
	ledger_wait(ledger, b, 0, 10, 0);
	cr_expect_null(ledger_due_in_oldest(ledger), "not yet");
	ledger_free(ledger);
}

/* Random doings, and after each the sums are right. */
Test(ledger, keeps_its_books)
{
	enum {
		IDS = 300
	};
	static uint64_t segment_of[IDS + 1]; /* 0: not there */
	struct ledger *ledger = ledger_new();
	uint64_t random = 5, newest = 1, oldest = 1;

	set_segment(ledger, newest, SEGMENT_SIZE);
	for (size_t step = 0; step < 100000; step++) {
		uint64_t id = draw(&random) % IDS + 1;
		struct ledger_entry *entry = ledger_find(ledger, id);
		cr_assert_eq(entry != NULL, segment_of[id] != 0);
		switch (draw(&random) % 8) {
		case 0:
		case 1:
			if (entry != NULL)
				break;
			entry = add(ledger, id, newest);
			segment_of[id] = newest;
			ledger_wait(ledger, entry, (uint16_t)(id % 3), 0, 0);
			break;
		case 2:
			if (entry == NULL)
				break;
			ledger_move(ledger, entry,
			    (enum ledger_state)(draw(&random) % 3 + 1));
			break;
		case 3:
			if (entry != NULL)
				ledger_wait(ledger, entry, (uint16_t)(id % 4),
				    (int64_t)(draw(&random) % 9), 4);
			break;
		case 4:
			if (entry == NULL)
				break;
			ledger_remove(ledger, entry);
			segment_of[id] = 0;
			break;
		case 5:
			if (draw(&random) % 40 == 0)
				set_segment(ledger, ++newest, SEGMENT_SIZE);
			break;
		case 6:
			entry =
			    ledger_pinning(ledger, SEGMENT_SIZE, UINT64_MAX);
			if (entry == NULL)
				break;
			cr_assert_eq(entry->place.segment, oldest);
			ledger_set_place(ledger, entry, place_in(newest));
			segment_of[entry->id] = newest;
			break;
		default: {
			uint64_t number;
			bool is_pinned = oldest == newest;
			for (uint64_t i = 1; i <= IDS; i++)
				is_pinned =
				    is_pinned || segment_of[i] == oldest;
			cr_assert_eq(
			    ledger_take_droppable(ledger, &number), !is_pinned);
			if (!is_pinned)
				cr_assert_eq(number, oldest++);
			break;
		}
		}
		size_t sum = 0;
		for (int state = 0; state < LEDGER_STATES; state++)
			sum += ledger_count(ledger, (enum ledger_state)state);
		cr_assert_eq(sum, ledger_size(ledger));
		cr_assert_eq(ledger_segment_count(ledger), newest - oldest + 1);
	}
	ledger_free(ledger);
}

/* The promise of spec/targets.md, with all heaps and tables. */
/* A sanitizer's malloc does not count. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
Test(ledger, takes_less_than_200_octets_for_a_message)
{
	const size_t count = 200000;
	struct ledger *ledger = ledger_new();
	struct mallinfo2 before = mallinfo2();

	set_segment(ledger, 1, 0);
	for (uint64_t id = 1; id <= count; id++) {
		struct ledger_entry *entry = add(ledger, id, 1);
		ledger_wait(ledger, entry, 0, 1000 + (int64_t)id, 0);
		ledger_set_alarm(ledger, entry, (int64_t)id);
	}
	struct mallinfo2 after = mallinfo2();
	size_t taken =
	    after.uordblks + after.hblkhd - before.uordblks - before.hblkhd;
	cr_expect_lt(taken / count, 200, "%zu octets", taken / count);
	cr_log_info("%zu octets for a message", taken / count);
	ledger_free(ledger);
}
#endif
