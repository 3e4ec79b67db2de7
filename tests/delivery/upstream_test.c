#include "lib/delivery_world.h"
#include "lib/loop_until.h"

#include <criterion/criterion.h>
#include <string.h>

#define CONTENT "Subject: x\r\n\r\nhello\r\n"
#define TAKEN   "a@y delivered 2.0.0\n"
#define FAILED  "upstream failed\na@y untried\n"

static void
expect_all(struct delivery_world *world, const char *outcome)
{
	delivery_world_wait_all(world);
	for (size_t i = 0; i < world->try_count; i++)
		cr_expect_str_eq(delivery_world_outcome(&world->tries[i]),
		    outcome, "message %zu", i);
}

static void
start(struct delivery_world *world, int count)
{
	for (int i = 0; i < count; i++)
		(void)delivery_world_try(world, "a@y", CONTENT);
}

static size_t
idle_sessions(const struct delivery_world *world)
{
	size_t open = 0;
	size_t idle = 0;

	delivery_connections(world->delivery, 0, &open, &idle);
	return idle;
}

/* ---- sessions are reused ---- */

Test(upstream, uses_one_session_for_message_after_message)
{
	struct delivery_world world;

	delivery_world_init(&world);
	delivery_world_open(&world);
	for (int i = 0; i < 3; i++)
		delivery_world_expect(
		    delivery_world_try(&world, "a@y", CONTENT), TAKEN);
	cr_expect_eq(fake_upstream_sessions(world.fake), 1);
	cr_expect_eq(idle_sessions(&world), 1);
	delivery_world_clear(&world);
}

Test(upstream, ends_a_session_after_so_many_messages)
{
	struct delivery_world world;

	delivery_world_init(&world);
	world.options.messages_per_connection = 2;
	delivery_world_open(&world);
	start(&world, 5);
	expect_all(&world, TAKEN);
	cr_expect_eq(fake_upstream_sessions(world.fake), 3);
	cr_expect_eq(fake_upstream_most(world.fake), 1);
	delivery_world_until(&world, FAKE_QUIT, 2);
	delivery_world_clear(&world);
}

Test(upstream, keeps_to_the_number_of_messages_the_server_tells)
{
	struct delivery_world world;

	delivery_world_init(&world);
	delivery_world_open(&world);
	fake_upstream_say(world.fake, FAKE_EHLO,
	    "250-fake\r\n250-PIPELINING\r\n250 LIMITS MAILMAX=2");
	start(&world, 4);
	expect_all(&world, TAKEN);
	cr_expect_eq(fake_upstream_sessions(world.fake), 2);
	delivery_world_clear(&world);
}

Test(upstream, says_QUIT_when_idle_for_long)
{
	struct delivery_world world;

	delivery_world_init(&world);
	world.options.idle_ms = 5;
	delivery_world_open(&world);
	delivery_world_expect(
	    delivery_world_try(&world, "a@y", CONTENT), TAKEN);
	delivery_world_until(&world, FAKE_QUIT, 1);
	delivery_world_until_open(&world, 0);
	delivery_world_expect(
	    delivery_world_try(&world, "a@y", CONTENT), TAKEN);
	cr_expect_eq(fake_upstream_sessions(world.fake), 2);
	delivery_world_clear(&world);
}

Test(upstream, sends_the_next_MAIL_behind_the_dot)
{
	struct delivery_world world;

	delivery_world_init(&world);
	delivery_world_open(&world);
	fake_upstream_rule(world.fake,
	    (struct fake_rule){.stage = FAKE_END, .reply = "hold", .times = 1});
	start(&world, 2);
	/* The second one is there before the first is answered. */
	delivery_world_until(&world, FAKE_RCPT, 2);
	cr_expect_eq(world.over, 0);
	fake_upstream_release(world.fake);
	expect_all(&world, TAKEN);
	cr_expect_eq(world.tries[0].place, 1);
	delivery_world_clear(&world);
}

Test(upstream, waits_for_the_reply_without_pipelining)
{
	struct delivery_world world;

	delivery_world_init(&world);
	world.options.pipelining = false;
	delivery_world_open(&world);
	fake_upstream_rule(world.fake,
	    (struct fake_rule){.stage = FAKE_END, .reply = "hold", .times = 1});
	start(&world, 2);
	delivery_world_until(&world, FAKE_END, 1);
	loop_until_quiet(world.loop);
	cr_expect_eq(fake_upstream_count(world.fake, FAKE_MAIL), 1);
	fake_upstream_release(world.fake);
	expect_all(&world, TAKEN);
	delivery_world_clear(&world);
}

/* ---- how many sessions ---- */

Test(upstream, opens_more_sessions_up_to_the_limit)
{
	struct delivery_world world;

	delivery_world_init(&world);
	world.options.connections = 3;
	world.options.pipelining = false;
	delivery_world_open(&world);
	fake_upstream_say(world.fake, FAKE_END, "hold");
	start(&world, 8);
	delivery_world_until(&world, FAKE_END, 3);
	loop_until_quiet(world.loop);
	cr_expect_eq(fake_upstream_open(world.fake), 3);
	fake_upstream_forget_rules(world.fake);
	fake_upstream_release(world.fake);
	expect_all(&world, TAKEN);
	cr_expect_eq(fake_upstream_sessions(world.fake), 3);
	delivery_world_clear(&world);
}

Test(upstream, tries_one_session_alone_first)
{
	struct delivery_world world;

	delivery_world_init(&world);
	world.options.connections = 8;
	delivery_world_open(&world);
	fake_upstream_say(world.fake, FAKE_EHLO, "hold");
	start(&world, 8);
	delivery_world_until(&world, FAKE_EHLO, 1);
	loop_until_quiet(world.loop);
	cr_expect_eq(fake_upstream_sessions(world.fake), 1);
	fake_upstream_forget_rules(world.fake);
	fake_upstream_release(world.fake);
	expect_all(&world, TAKEN);
	delivery_world_clear(&world);
}

/* Some servers allow a client only so many connections. */
Test(upstream, goes_on_with_the_sessions_it_has)
{
	struct delivery_world world;

	delivery_world_init(&world);
	world.options.connections = 4;
	world.options.pipelining = false;
	delivery_world_open(&world);
	fake_upstream_rule(world.fake,
	    (struct fake_rule){.stage = FAKE_GREETING,
		.reply = "421 4.7.0 too many connections",
		.skip = 1});
	start(&world, 10);
	expect_all(&world, TAKEN);
	cr_expect_eq(fake_upstream_count(world.fake, FAKE_EHLO), 1);
	cr_expect_leq(fake_upstream_sessions(world.fake), 4);
	delivery_world_clear(&world);
}

/* ---- what fails, fails for all ---- */

Test(upstream, that_refuses_connections_is_asked_once)
{
	struct delivery_world world;

	delivery_world_init(&world);
	world.options.connections = 4;
	delivery_world_open(&world);
	fake_upstream_close(world.fake);
	start(&world, 20);
	expect_all(&world, FAILED);
	cr_expect_not_null(
	    strstr(world.tries[0].result.reason, "Connection refused"), "%s",
	    world.tries[0].result.reason);
	cr_expect_not_null(
	    strstr(world.tries[19].result.remote, "main 127.0.0.1"));
	delivery_world_clear(&world);
}

Test(upstream, that_is_not_well_is_asked_once)
{
	static const struct {
		enum fake_stage stage;
		const char *reply;
		const char *reason;
	} rows[] = {
	    {FAKE_GREETING, "554 5.3.2 not now",
		"554 5.3.2 not now (in reply to greeting)"},
	    {FAKE_GREETING, "421 4.3.2 busy",
		"421 4.3.2 busy (in reply to greeting)"},
	    {FAKE_EHLO, "550 5.7.1 go away",
		"550 5.7.1 go away (in reply to EHLO)"},
	    {FAKE_MAIL, "530 5.7.0 log in",
		"530 5.7.0 log in (in reply to MAIL)"},
	    {FAKE_MAIL, "421 4.3.2 bye", "421 4.3.2 bye (in reply to MAIL)"},
	    {FAKE_MAIL, "cut",
		"the server closed the connection (during MAIL)"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct delivery_world world;
		delivery_world_init(&world);
		world.options.pipelining = false;
		delivery_world_open(&world);
		fake_upstream_say(world.fake, rows[i].stage, rows[i].reply);
		start(&world, 10);
		expect_all(&world, FAILED);
		for (size_t j = 0; j < world.try_count; j++)
			cr_expect_str_eq(world.tries[j].result.reason,
			    rows[i].reason, "row %zu, message %zu: %s", i, j,
			    world.tries[j].result.reason);
		cr_expect_eq(fake_upstream_sessions(world.fake), 1);
		/* It comes back. */
		fake_upstream_forget_rules(world.fake);
		delivery_world_expect(
		    delivery_world_try(&world, "a@y", CONTENT), TAKEN);
		delivery_world_clear(&world);
	}
}

Test(upstream, that_cannot_be_looked_up)
{
	struct delivery_world world;

	delivery_world_init(&world);
	world.options.host = "no..name";
	delivery_world_open(&world);
	start(&world, 2);
	expect_all(&world, FAILED);
	cr_expect_neq(strlen(world.tries[0].result.reason), 0);
	delivery_world_clear(&world);
}

/* ---- sessions die ---- */

/* The server closed an idle session just as the next message was sent. */
Test(upstream, retries_at_once_what_a_stale_session_did_not_hear)
{
	static const char *const endings[] = {
	    "cut", "421 4.4.2 idle for too long"};

	for (size_t i = 0; i < 2; i++) {
		struct delivery_world world;
		delivery_world_init(&world);
		delivery_world_open(&world);
		delivery_world_expect(
		    delivery_world_try(&world, "a@y", CONTENT), TAKEN);
		fake_upstream_rule(world.fake,
		    (struct fake_rule){
			.stage = FAKE_MAIL, .reply = endings[i], .times = 1});
		delivery_world_expect(
		    delivery_world_try(&world, "a@y", CONTENT), TAKEN);
		cr_expect_eq(fake_upstream_sessions(world.fake), 2);
		/* That was no fault of pipelining. */
		cr_expect_eq(fake_upstream_messages(world.fake), 2);
		delivery_world_clear(&world);
	}
}

Test(upstream, opens_a_new_session_when_an_idle_one_was_closed)
{
	struct delivery_world world;

	delivery_world_init(&world);
	delivery_world_open(&world);
	delivery_world_expect(
	    delivery_world_try(&world, "a@y", CONTENT), TAKEN);
	fake_upstream_cut(world.fake);
	loop_until_quiet(world.loop);
	cr_expect_eq(idle_sessions(&world), 0);
	delivery_world_expect(
	    delivery_world_try(&world, "a@y", CONTENT), TAKEN);
	cr_expect_eq(fake_upstream_sessions(world.fake), 2);
	delivery_world_clear(&world);
}

Test(upstream, does_not_retry_at_once_for_ever)
{
	struct delivery_world world;

	delivery_world_init(&world);
	delivery_world_open(&world);
	delivery_world_expect(
	    delivery_world_try(&world, "a@y", CONTENT), TAKEN);
	fake_upstream_say(world.fake, FAKE_MAIL, "cut");
	struct delivery_try *try = delivery_world_try(&world, "a@y", CONTENT);
	delivery_world_expect(try, FAILED);
	cr_expect_eq(fake_upstream_sessions(world.fake), 2);
	delivery_world_clear(&world);
}

/* What waited behind the dot goes to the next session, the first is in doubt.
 */
Test(upstream, sends_again_what_was_behind_a_lost_dot)
{
	struct delivery_world world;

	delivery_world_init(&world);
	delivery_world_open(&world);
	fake_upstream_rule(world.fake,
	    (struct fake_rule){.stage = FAKE_END, .reply = "hold", .times = 1});
	start(&world, 2);
	delivery_world_until(&world, FAKE_MAIL, 2);
	loop_until_quiet(world.loop);
	fake_upstream_cut(world.fake);
	delivery_world_wait_all(&world);
	cr_expect_str_eq(delivery_world_outcome(&world.tries[0]),
	    "in doubt\na@y waiting 4.4.2\n");
	cr_expect_str_eq(delivery_world_outcome(&world.tries[1]), TAKEN);
	delivery_world_clear(&world);
}

/* I11: what breaks under pipelining is tried without it. */
Test(upstream, stops_pipelining_where_the_server_breaks)
{
	struct delivery_world world;

	delivery_world_init(&world);
	world.fake_options.breaks_pipelining = true;
	delivery_world_open(&world);
	delivery_world_wait(delivery_world_try(&world, "a@y", CONTENT));
	cr_expect_eq(fake_upstream_messages(world.fake), 0);
	delivery_world_expect(
	    delivery_world_try(&world, "a@y", CONTENT), TAKEN);
	delivery_world_expect(
	    delivery_world_try(&world, "a@y", CONTENT), TAKEN);
	cr_expect_eq(fake_upstream_sessions(world.fake), 2);
	delivery_world_clear(&world);
}

/* ---- the end ---- */

Test(upstream, drains)
{
	struct delivery_world world;

	delivery_world_init(&world);
	world.options.pipelining = false;
	delivery_world_open(&world);
	fake_upstream_say(world.fake, FAKE_END, "hold");
	struct delivery_try *running =
	    delivery_world_try(&world, "a@y", CONTENT);
	struct delivery_try *waiting =
	    delivery_world_try(&world, "a@y", CONTENT);
	delivery_world_until(&world, FAKE_END, 1);
	delivery_world_drain(&world);
	delivery_world_expect(waiting, "local failure\na@y untried\n");
	cr_expect_not(running->is_over);
	cr_expect_not(world.is_quiet);
	fake_upstream_release(world.fake);
	delivery_world_expect(running, TAKEN);
	fake_upstream_forget_rules(world.fake);
	delivery_world_until(&world, FAKE_QUIT, 1);
	fake_upstream_release(world.fake);
	loop_until_set(world.loop, &world.is_quiet);
	struct delivery_try *late = delivery_world_try(&world, "a@y", CONTENT);
	delivery_world_expect(late, "local failure\na@y untried\n");
	delivery_world_clear(&world);
}

Test(upstream, drains_at_once_where_all_is_idle)
{
	struct delivery_world world;

	delivery_world_init(&world);
	delivery_world_open(&world);
	delivery_world_expect(
	    delivery_world_try(&world, "a@y", CONTENT), TAKEN);
	delivery_world_drain(&world);
	loop_until_set(world.loop, &world.is_quiet);
	cr_expect_eq(fake_upstream_count(world.fake, FAKE_QUIT), 1);
	delivery_world_clear(&world);
}

Test(upstream, drains_at_once_where_nothing_was_ever_sent)
{
	struct delivery_world world;

	delivery_world_init(&world);
	delivery_world_open(&world);
	delivery_world_drain(&world);
	loop_until_set(world.loop, &world.is_quiet);
	delivery_world_clear(&world);
}

Test(upstream, drains_while_a_session_is_being_opened)
{
	struct delivery_world world;

	delivery_world_init(&world);
	delivery_world_open(&world);
	fake_upstream_say(world.fake, FAKE_EHLO, "hang");
	struct delivery_try *try = delivery_world_try(&world, "a@y", CONTENT);
	delivery_world_until(&world, FAKE_EHLO, 1);
	delivery_world_drain(&world);
	delivery_world_expect(try, "local failure\na@y untried\n");
	loop_until_set(world.loop, &world.is_quiet);
	delivery_world_clear(&world);
}

Test(upstream, closes_idle_sessions_when_freed)
{
	struct delivery_world world;
	int before = open_descriptors();

	delivery_world_init(&world);
	world.options.connections = 3;
	delivery_world_open(&world);
	start(&world, 9);
	expect_all(&world, TAKEN);
	delivery_world_clear(&world);
	cr_expect_eq(open_descriptors(), before);
}
