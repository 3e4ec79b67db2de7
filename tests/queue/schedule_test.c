#include "base/clock.h"
#include "queue/schedule.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS 600

static uint64_t
draw(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static struct schedule_item *
take(struct schedule *schedule, int64_t now)
{
	struct schedule_item *item = schedule_next(schedule, now);

	if (item != NULL)
		schedule_remove(schedule, item);
	return item;
}

Test(schedule, gives_nothing_before_it_is_due)
{
	struct schedule *schedule = schedule_new();
	struct schedule_item item = {.is_scheduled = false};

	cr_expect_null(schedule_next(schedule, 0));
	cr_expect_eq(schedule_deadline(schedule), CLOCK_NEVER);
	schedule_add(schedule, &item, 3, 1, 100, 50);
	cr_expect_eq(schedule_deadline(schedule), 100);
	cr_expect_null(schedule_next(schedule, 99));
	cr_expect_eq(schedule_next(schedule, 100), &item);
	cr_expect_eq(schedule_next(schedule, 100), &item, "it stays");
	cr_expect_eq(schedule_deadline(schedule), 0);
	schedule_remove(schedule, &item);
	schedule_remove(schedule, &item);
	cr_expect_null(schedule_next(schedule, 100));
	schedule_free(schedule);
}

Test(schedule, keeps_the_order_of_one_sender)
{
	struct schedule *schedule = schedule_new();
	static struct schedule_item items[100];

	for (size_t i = 0; i < 100; i++)
		schedule_add(schedule, &items[i], 0, 7, 0, 0);
	for (size_t i = 0; i < 100; i++)
		cr_expect_eq(take(schedule, 0), &items[i], "item %zu", i);
	schedule_free(schedule);
}

/* Ten thousand from one sender do not keep another's one waiting. */
Test(schedule, is_fair_between_senders)
{
	struct schedule *schedule = schedule_new();
	static struct schedule_item flood[10000];
	struct schedule_item few[5] = {{.is_scheduled = false}};

	for (size_t i = 0; i < 10000; i++)
		schedule_add(schedule, &flood[i], 0, 7, 0, 0);
	for (size_t i = 0; i < 4000; i++)
		cr_assert_not_null(take(schedule, 0));
	for (size_t i = 0; i < 5; i++)
		schedule_add(schedule, &few[i], 0, 8, 0, 0);

	size_t served = 0;
	for (size_t i = 0; i < 12; i++)
		served += take(schedule, 0)->sender == 8;
	cr_expect_eq(served, 5, "every other one is theirs");
	cr_expect_eq(schedule_count(schedule, 0), 10000 - 4000 + 5 - 12);
	schedule_free(schedule);
}

Test(schedule, lets_routes_take_turns)
{
	struct schedule *schedule = schedule_new();
	static struct schedule_item items[30];
	size_t counts[3] = {0};

	for (size_t i = 0; i < 30; i++)
		schedule_add(schedule, &items[i],
		    (uint16_t)(i < 20 ? 0
			    : i < 25  ? 1
				      : 2),
		    (uint32_t)i, 0, 0);
	for (size_t i = 0; i < 9; i++)
		counts[take(schedule, 0)->route]++;
	for (size_t i = 0; i < 3; i++)
		cr_expect_eq(counts[i], 3, "route %zu", i);
	schedule_free(schedule);
}

/* A lane that always has something does not keep one that wakes up waiting. */
Test(schedule, wakes_a_route_while_another_is_busy)
{
	struct schedule *schedule = schedule_new();
	static struct schedule_item busy[100];
	struct schedule_item late = {.is_scheduled = false};

	schedule_add(schedule, &late, 1, 1, 50, 0);
	for (size_t i = 0; i < 100; i++)
		schedule_add(schedule, &busy[i], 0, 1, 0, 0);
	cr_expect_neq(take(schedule, 49), &late);
	struct schedule_item *first = take(schedule, 50);
	struct schedule_item *second = take(schedule, 50);
	cr_expect(first == &late || second == &late);
	schedule_free(schedule);
}

Test(schedule, passes_over_closed_routes)
{
	struct schedule *schedule = schedule_new();
	struct schedule_item a = {.is_scheduled = false};
	struct schedule_item b = {.is_scheduled = false};

	schedule_close_route(schedule, 0);
	cr_expect_not(schedule_is_open(schedule, 0));
	cr_expect(schedule_is_open(schedule, 9));
	schedule_add(schedule, &a, 0, 1, 0, 0);
	schedule_add(schedule, &b, 1, 1, 10, 0);
	cr_expect_null(schedule_next(schedule, 5));
	cr_expect_eq(schedule_deadline(schedule), 10);
	cr_expect_eq(schedule_next(schedule, 10), &b);
	schedule_close_route(schedule, 1);
	cr_expect_null(schedule_next(schedule, 10));
	cr_expect_eq(schedule_deadline(schedule), CLOCK_NEVER);
	schedule_open_route(schedule, 0);
	cr_expect_eq(schedule_next(schedule, 10), &a);
	schedule_free(schedule);
}

/* Against a list of what is scheduled and when. */
Test(schedule, is_as_a_plain_list_would_be)
{
	static struct schedule_item items[ITEMS];
	static int64_t due[ITEMS]; /* -1: not scheduled */
	bool is_open[4] = {true, true, true, true};
	struct schedule *schedule = schedule_new();
	uint64_t random = 99;
	int64_t now = 0;

	for (size_t i = 0; i < ITEMS; i++)
		due[i] = -1;
	for (size_t step = 0; step < 200000; step++) {
		size_t i = draw(&random) % ITEMS;
		uint16_t route = (uint16_t)(draw(&random) % 4);
		now += (int64_t)(draw(&random) % 3);
		switch (draw(&random) % 8) {
		case 0:
		case 1:
		case 2:
			if (due[i] >= 0)
				break;
			due[i] = now + (int64_t)(draw(&random) % 200) - 50;
			due[i] = due[i] < 0 ? 0 : due[i];
			schedule_add(schedule, &items[i], route,
			    (uint32_t)(draw(&random) % 9), due[i], now);
			break;
		case 3:
			schedule_remove(schedule, &items[i]);
			due[i] = -1;
			break;
		case 4:
			is_open[route] = !is_open[route];
			if (is_open[route])
				schedule_open_route(schedule, route);
			else
				schedule_close_route(schedule, route);
			break;
		default: {
			bool has_any = false;
			int64_t first = CLOCK_NEVER;
			for (size_t k = 0; k < ITEMS; k++) {
				if (due[k] < 0 || !is_open[items[k].route])
					continue;
				has_any = has_any || due[k] <= now;
				first = due[k] < first ? due[k] : first;
			}
			int64_t deadline = schedule_deadline(schedule);
			cr_assert(
			    deadline <= now ? first <= now : deadline == first);
			struct schedule_item *next =
			    schedule_next(schedule, now);
			cr_assert_eq(next != NULL, has_any);
			if (next == NULL)
				break;
			size_t k = (size_t)(next - items);
			cr_assert_geq(due[k], 0);
			cr_assert_leq(due[k], now);
			cr_assert(is_open[next->route]);
			schedule_remove(schedule, next);
			due[k] = -1;
			break;
		}
		}
	}
	schedule_free(schedule);
}
