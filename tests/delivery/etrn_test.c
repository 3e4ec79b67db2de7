#include "base/clock.h"
#include "delivery/etrn.h"
#include "lib/delivery_world.h"
#include "lib/loop_until.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* ---- the plan ---- */

#define NOW    1000000
#define WALL   1700000000000
#define MIDDLE 511 /* of the spread, very nearly */

static const struct etrn_timing timing = {
    .every_ms = 15 * CLOCK_MINUTE,
    .jitter_ms = CLOCK_MINUTE,
};

static const struct reply_row {
	int code;
	const char *text;
	enum etrn_state state;
	int64_t after_ms; /* next_at - NOW, to a thousandth */
	unsigned failures;
	unsigned long count;
	bool alert;
	const char *last_reply;
} reply_rows[] = {
    {250, "2.0.0 queuing started", ETRN_IDLE, 15 * CLOCK_MINUTE, 0, 0, false,
	"250 2.0.0 queuing started"},
    {252, "pending", ETRN_IDLE, 15 * CLOCK_MINUTE, 0, 0, false, "252 pending"},
    {251, "none", ETRN_IDLE, 15 * CLOCK_MINUTE, 0, 0, false, "251 none"},
    {253, "2.5.3 OK, 14 pending messages for node x.example started", ETRN_IDLE,
	15 * CLOCK_MINUTE, 0, 14, false,
	"253 2.5.3 OK, 14 pending messages for node x.example started"},
    {253, "7 pending", ETRN_IDLE, 15 * CLOCK_MINUTE, 0, 7, false,
	"253 7 pending"},
    {253, "some", ETRN_IDLE, 15 * CLOCK_MINUTE, 0, 0, false, "253 some"},
    {458, "4.5.8 unable", ETRN_IDLE, CLOCK_MINUTE, 1, 0, false,
	"458 4.5.8 unable"},
    {458, "Already processing", ETRN_IDLE, CLOCK_MINUTE, 0, 0, false,
	"458 Already processing"},
    {459, "not allowed", ETRN_IDLE, 6 * CLOCK_HOUR, 1, 0, true,
	"459 not allowed"},
    {500, "what?", ETRN_OFF, 0, 1, 0, true, "500 what?"},
    {501, "bad node", ETRN_OFF, 0, 1, 0, true,
	"501 bad node; this server may want \"@domain\" or \"#queue\""},
    {502, "no", ETRN_OFF, 0, 1, 0, true, "502 no"},
    {504, "no", ETRN_OFF, 0, 1, 0, true, "504 no"},
    {550, "no", ETRN_OFF, 0, 1, 0, true, "550 no"},
    {554, "no", ETRN_OFF, 0, 1, 0, true, "554 no"},
    {503, "EHLO first", ETRN_IDLE, CLOCK_MINUTE, 1, 0, false, "503 EHLO first"},
    {530, "log in", ETRN_IDLE, CLOCK_MINUTE, 1, 0, false, "530 log in"},
    {535, "no", ETRN_IDLE, CLOCK_MINUTE, 1, 0, false, "535 no"},
    {421, "bye", ETRN_IDLE, CLOCK_MINUTE, 1, 0, false, "421 bye"},
    {451, "later", ETRN_IDLE, CLOCK_MINUTE, 1, 0, false, "451 later"},
    {354, "what", ETRN_IDLE, CLOCK_MINUTE, 1, 0, false, "354 what"},
    {0, "connect: refused", ETRN_IDLE, CLOCK_MINUTE, 1, 0, false,
	"connect: refused"},
};

static void
reply(struct etrn_node *node, int code, const char *text, uint32_t random)
{
	node->state = ETRN_RUNNING;
	etrn_node_reply(node, &timing, code, text, NOW, WALL, random);
}

Test(etrn, means_what_the_reply_says)
{
	for (size_t i = 0; i < sizeof(reply_rows) / sizeof(reply_rows[0]);
	     i++) {
		const struct reply_row *row = &reply_rows[i];
		struct etrn_node node;
		etrn_node_init(&node, "x.example");
		cr_expect_leq(node.next_at, 0);
		reply(&node, row->code, row->text, MIDDLE);
		cr_expect_eq(node.state, row->state, "%d", row->code);
		cr_expect_eq(node.failures, row->failures, "%d", row->code);
		cr_expect_eq(node.count, row->count, "%d", row->code);
		cr_expect_eq(node.alert, row->alert, "%d", row->code);
		cr_expect_str_eq(node.last_reply, row->last_reply);
		cr_expect_eq(node.last_success_at,
		    row->code / 100 == 2 ? WALL : 0, "%d", row->code);
		if (row->state == ETRN_OFF) {
			cr_expect_eq(node.next_at, CLOCK_NEVER);
			continue;
		}
		int64_t after_ms = node.next_at - NOW;
		cr_expect_leq(after_ms, row->after_ms, "%d", row->code);
		cr_expect_geq(after_ms, row->after_ms - row->after_ms / 1000,
		    "%d", row->code);
	}
}

Test(etrn, backs_off_from_a_minute_to_an_hour)
{
	static const int64_t minutes[] = {1, 2, 4, 8, 16, 32, 60, 60};
	struct etrn_node node;

	etrn_node_init(&node, "x.example");
	for (size_t i = 0; i < sizeof(minutes) / sizeof(minutes[0]); i++) {
		reply(&node, 0, "no route", 0);
		cr_expect_eq(node.next_at - NOW,
		    minutes[i] * CLOCK_MINUTE * 4 / 5, "%zu", i);
	}
	reply(&node, 250, "ok", 0);
	cr_expect_eq(node.failures, 0);
	cr_expect_eq(node.next_at - NOW, 14 * CLOCK_MINUTE);
	reply(&node, 251, "ok", 1023);
	cr_expect_eq(node.next_at - NOW, 16 * CLOCK_MINUTE);
}

Test(etrn, alerts_once_while_it_is_not_allowed)
{
	struct etrn_node node;

	etrn_node_init(&node, "x.example");
	reply(&node, 459, "no", 0);
	cr_expect(node.alert);
	reply(&node, 459, "no", 0);
	cr_expect_not(node.alert);
	reply(&node, 250, "ok", 0);
	reply(&node, 459, "no", 0);
	cr_expect(node.alert);
}

Test(etrn, keeps_a_reply_printable_and_short)
{
	static char text[5000];
	struct etrn_node node;

	memset(text, '\033', sizeof(text) - 1);
	etrn_node_init(&node, "x.example");
	reply(&node, 501, text, 0);
	cr_expect_lt(strlen(node.last_reply), sizeof(node.last_reply));
	cr_expect_null(strchr(node.last_reply, '\033'));
	cr_expect_not_null(strstr(node.last_reply, "@domain"));
}

Test(etrn, is_never_due_in_the_past)
{
	const struct etrn_timing wild = {.every_ms = 10, .jitter_ms = 100};
	struct etrn_node node;

	etrn_node_init(&node, "x.example");
	etrn_node_reply(&node, &wild, 250, "ok", NOW, WALL, 0);
	cr_expect_eq(node.next_at, NOW);
}

/* ---- the session ---- */

static const char *const nodes[] = {"a.example", "@b.example", "#c"};

struct etrn_story {
	struct delivery_world *world;
	char text[2000]; /* "0 250 2.0.0 ok\n" for each call */
	bool is_over;
};

static void
told(size_t node_index, int code, const char *text, void *ctx)
{
	struct etrn_story *story = ctx;
	size_t len = strlen(story->text);

	cr_assert_not(story->is_over);
	(void)snprintf(story->text + len, sizeof(story->text) - len,
	    "%zu %d %s\n", node_index, code, text);
	story->is_over = node_index == 3;
}

static void
expect_story(struct delivery_world *world, const char *expected)
{
	struct etrn_story story = {.world = world};

	etrn_session_start(world->delivery, 0, nodes, 3, told, &story);
	loop_until_set(world->loop, &story.is_over);
	cr_expect_str_eq(story.text, expected);
}

static void
open_etrn(struct delivery_world *world)
{
	delivery_world_init(world);
	world->fake_options.keywords = "PIPELINING ETRN";
	delivery_world_open(world);
}

Test(etrn, asks_for_all_nodes_in_one_session)
{
	struct delivery_world world;

	open_etrn(&world);
	fake_upstream_say_to(world.fake, FAKE_ETRN, "@b", "251 2.0.0 none");
	fake_upstream_say_to(world.fake, FAKE_ETRN, "#c", "459 4.7.1 no");
	expect_story(&world,
	    "0 250 2.0.0 queuing started\n1 251 2.0.0 none\n2 459 4.7.1 no\n"
	    "3 0 \n");
	cr_expect_str_eq(fake_upstream_transcript(world.fake),
	    "1 EHLO here.example\n1 ETRN a.example\n1 ETRN @b.example\n"
	    "1 ETRN #c\n");
	delivery_world_clear(&world);
}

Test(etrn, uses_a_session_that_idles)
{
	struct delivery_world world;

	open_etrn(&world);
	delivery_world_expect(delivery_world_try(&world, "a@y", "x\r\n"),
	    "a@y delivered 2.0.0\n");
	expect_story(&world,
	    "0 250 2.0.0 queuing started\n1 250 2.0.0 queuing started\n"
	    "2 250 2.0.0 queuing started\n3 0 \n");
	delivery_world_expect(delivery_world_try(&world, "a@y", "x\r\n"),
	    "a@y delivered 2.0.0\n");
	cr_expect_eq(fake_upstream_sessions(world.fake), 1);
	delivery_world_clear(&world);
}

Test(etrn, waits_for_its_turn_among_messages)
{
	struct delivery_world world;
	struct etrn_story story = {.world = &world};

	open_etrn(&world);
	(void)delivery_world_try(&world, "a@y", "x\r\n");
	(void)delivery_world_try(&world, "a@y", "x\r\n");
	etrn_session_start(world.delivery, 0, nodes, 3, told, &story);
	(void)delivery_world_try(&world, "a@y", "x\r\n");
	delivery_world_wait_all(&world);
	cr_expect(story.is_over);
	cr_expect_eq(fake_upstream_messages(world.fake), 3);
	cr_expect_eq(fake_upstream_sessions(world.fake), 1);
	delivery_world_clear(&world);
}

Test(etrn, asks_nothing_where_it_is_not_offered)
{
	struct delivery_world world;

	delivery_world_init(&world);
	delivery_world_open(&world);
	expect_story(&world,
	    "0 502 5.5.1 the server does not offer ETRN\n"
	    "1 502 5.5.1 the server does not offer ETRN\n"
	    "2 502 5.5.1 the server does not offer ETRN\n3 0 \n");
	cr_expect_eq(fake_upstream_count(world.fake, FAKE_ETRN), 0);
	delivery_world_clear(&world);
}

static const struct end_row {
	enum fake_stage stage;
	const char *match;
	const char *reply;
	const char *story;
} end_rows[] = {
    {FAKE_GREETING, NULL, "554 no", "3 0 554 no (in reply to greeting)\n"},
    {FAKE_ETRN, "a.example", "421 4.3.2 bye",
	"0 421 4.3.2 bye\n3 0 421 4.3.2 bye (in reply to command)\n"},
    {FAKE_ETRN, "@b", "cut",
	"0 250 2.0.0 queuing started\n"
	"3 0 the server closed the connection (during command)\n"},
};

Test(etrn, says_why_the_session_ended)
{
	for (size_t i = 0; i < sizeof(end_rows) / sizeof(end_rows[0]); i++) {
		struct delivery_world world;
		open_etrn(&world);
		fake_upstream_say_to(world.fake, end_rows[i].stage,
		    end_rows[i].match, end_rows[i].reply);
		expect_story(&world, end_rows[i].story);
		delivery_world_clear(&world);
	}
}

Test(etrn, ends_when_the_delivery_drains)
{
	struct delivery_world world;
	struct etrn_story story = {.world = &world};

	open_etrn(&world);
	delivery_world_drain(&world);
	etrn_session_start(world.delivery, 0, nodes, 3, told, &story);
	loop_until_set(world.loop, &story.is_over);
	cr_expect_str_eq(story.text, "3 0 shutting down\n");
	loop_until_set(world.loop, &world.is_quiet);
	delivery_world_clear(&world);
}
