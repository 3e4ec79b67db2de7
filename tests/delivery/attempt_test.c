#include "base/log.h"
#include "base/memory.h"
#include "lib/delivery_world.h"
#include "lib/loop_until.h"
#include "lib/scratch_folder.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONTENT "Subject: x\r\n\r\nhello\r\n"

/* ---- what goes over the wire ---- */

static const struct wire_row {
	const char *keywords;
	bool pipelining;
	bool chunking;
	const char *transcript;
} wire_rows[] = {
    {"", true, true,
	"1 EHLO here.example\n1 MAIL FROM:<from@x.example>\n"
	"1 RCPT TO:<a@y>\n1 DATA\n"},
    {"PIPELINING SIZE 8BITMIME", true, false,
	"1 EHLO here.example\n1 MAIL FROM:<from@x.example> SIZE=21\n"
	"1 RCPT TO:<a@y>\n1 DATA\n"},
    {"PIPELINING SIZE CHUNKING", true, true,
	"1 EHLO here.example\n1 MAIL FROM:<from@x.example> SIZE=21\n"
	"1 RCPT TO:<a@y>\n1 BDAT 21 LAST\n"},
    {"PIPELINING SIZE CHUNKING", false, false,
	"1 EHLO here.example\n1 MAIL FROM:<from@x.example> SIZE=21\n"
	"1 RCPT TO:<a@y>\n1 DATA\n"},
};

Test(attempt, speaks_as_the_server_offers)
{
	for (size_t i = 0; i < sizeof(wire_rows) / sizeof(wire_rows[0]); i++) {
		struct delivery_world world;
		delivery_world_init(&world);
		world.fake_options.keywords = wire_rows[i].keywords;
		world.options.pipelining = wire_rows[i].pipelining;
		world.options.chunking = wire_rows[i].chunking;
		delivery_world_open(&world);
		struct delivery_try *try =
		    delivery_world_try(&world, "a@y", CONTENT);
		delivery_world_expect(try, "a@y delivered 2.0.0\n");
		cr_expect_str_eq(fake_upstream_transcript(world.fake),
		    wire_rows[i].transcript, "%zu", i);
		cr_expect_str_eq(
		    fake_upstream_message(world.fake, 0)->content, CONTENT);
		delivery_world_clear(&world);
	}
}

Test(attempt, says_who_took_it_and_how)
{
	struct delivery_world world;
	char remote[64];

	delivery_world_init(&world);
	delivery_world_open(&world);
	struct delivery_try *try = delivery_world_try(&world, "a@y", CONTENT);
	delivery_world_wait(try);
	(void)snprintf(remote, sizeof(remote), "main 127.0.0.1[127.0.0.1]:%u",
	    world.options.port);
	const struct recipient_progress *progress =
	    &try->message->progress.recipients[0];
	cr_expect_str_eq(progress->reason, "250 2.0.0 queued as 1");
	cr_expect_str_eq(progress->upstream, remote);
	cr_expect_str_eq(try->result.remote, remote);
	cr_expect_str_eq(try->result.reason, "");
	delivery_world_clear(&world);
}

Test(attempt, logs_a_line_for_each_recipient)
{
	struct delivery_world world;
	struct buffer log;

	buffer_init(&log, 1 << 16);
	log_open(LOG_SINK_CAPTURE, LOG_LEVEL_INFO, "test", &log);
	delivery_world_init(&world);
	delivery_world_open(&world);
	fake_upstream_say_to(
	    world.fake, FAKE_RCPT, "b@", "550 5.1.1 no\001 \"such\"");
	fake_upstream_say_to(world.fake, FAKE_RCPT, "c@", "450 later");
	struct delivery_try *try =
	    delivery_world_try(&world, "a@y b@y c@y", CONTENT);
	delivery_world_wait(try);
	char *expected = memory_format(
	    "%s: failed to=<b@y> via=main "
	    "remote=127.0.0.1[127.0.0.1]:%u "
	    "reply=\"550 5.1.1 no? \\\"such\\\" (in reply to RCPT)\"",
	    queue_id_of(try->message->id).text, world.options.port);
	const char *text = buffer_to_text(&log);
	cr_expect_not_null(strstr(text, expected), "%s", text);
	cr_expect_not_null(strstr(text, ": deferred to=<c@y> via=main"));
	cr_expect_not_null(strstr(text, ": delivered to=<a@y> via=main"));
	free(expected);
	free((void *)(uintptr_t)text);
	log_open(LOG_SINK_STDERR, LOG_LEVEL_INFO, "test", NULL);
	buffer_clear(&log);
	delivery_world_clear(&world);
}

Test(attempt, passes_the_envelope_on)
{
	static const struct {
		const char *keywords;
		const char *mail;
		const char *rcpt;
	} rows[] = {
	    {"PIPELINING DSN",
		"MAIL FROM:<from@x.example> RET=HDRS ENVID=e+2B1",
		"RCPT TO:<a@y> NOTIFY=FAILURE,DELAY ORCPT=rfc822;o@y"},
	    {"PIPELINING", "MAIL FROM:<from@x.example>", "RCPT TO:<a@y>"},
	};

	for (size_t i = 0; i < 2; i++) {
		struct delivery_world world;
		delivery_world_init(&world);
		world.fake_options.keywords = rows[i].keywords;
		delivery_world_open(&world);
		struct delivery_try *try =
		    delivery_world_message(&world, "a@y", CONTENT);
		struct envelope *envelope = &try->message->envelope;
		envelope->id = memory_copy_text("e+2B1");
		envelope->ret = MAIL_RETURN_HEADERS;
		envelope->recipients[0].notify = NOTIFY_FAILURE | NOTIFY_DELAY;
		envelope->recipients[0].original =
		    memory_copy_text("rfc822;o@y");
		delivery_world_start(try);
		delivery_world_expect(try, "a@y delivered 2.0.0\n");
		cr_expect_str_eq(
		    fake_upstream_message(world.fake, 0)->mail, rows[i].mail);
		cr_expect_str_eq(
		    fake_upstream_message(world.fake, 0)->rcpt, rows[i].rcpt);
		delivery_world_clear(&world);
	}
}

/* ---- each stage, each failure: threats I7 ---- */

#define UPSTREAM "upstream failed\na@y untried\n"
#define WAITING  "a@y waiting "
#define FAILED   "a@y failed "

static const struct stage_row {
	enum fake_stage stage;
	const char *reply;
	const char *outcome;
	const char *chunked; /* where the content goes along; NULL: the same */
} stage_rows[] = {
    {FAKE_GREETING, "421 4.3.2 bye", UPSTREAM, NULL},
    {FAKE_GREETING, "450 4.3.2 later", UPSTREAM, NULL},
    {FAKE_GREETING, "554 5.3.2 no", UPSTREAM, NULL},
    {FAKE_GREETING, "cut", UPSTREAM, NULL},
    {FAKE_GREETING, "hang", UPSTREAM, NULL},
    {FAKE_GREETING, "garbage", UPSTREAM, NULL},
    {FAKE_EHLO, "421 4.3.2 bye", UPSTREAM, NULL},
    {FAKE_EHLO, "450 4.3.2 later", UPSTREAM, NULL},
    {FAKE_EHLO, "550 5.7.1 no", UPSTREAM, NULL},
    {FAKE_EHLO, "cut", UPSTREAM, NULL},
    {FAKE_EHLO, "hang", UPSTREAM, NULL},
    {FAKE_EHLO, "garbage", UPSTREAM, NULL},
    {FAKE_MAIL, "421 4.3.2 bye", UPSTREAM, NULL},
    {FAKE_MAIL, "450 4.1.8 later", WAITING "4.1.8\n", NULL},
    {FAKE_MAIL, "452 4.3.1 full", WAITING "4.3.1\n", NULL},
    {FAKE_MAIL, "530 5.7.0 log in", UPSTREAM, NULL},
    {FAKE_MAIL, "550 5.7.1 no", FAILED "5.7.1\n", NULL},
    {FAKE_MAIL, "cut", UPSTREAM, "in doubt\n" WAITING "4.4.2\n"},
    {FAKE_MAIL, "hang", UPSTREAM, "in doubt\n" WAITING "4.4.2\n"},
    {FAKE_MAIL, "garbage", UPSTREAM, "in doubt\n" WAITING "4.4.2\n"},
    {FAKE_RCPT, "421 4.3.2 bye", WAITING "4.3.2\n", NULL},
    {FAKE_RCPT, "450 4.2.1 later", WAITING "4.2.1\n", NULL},
    {FAKE_RCPT, "452 4.5.3 too many", WAITING "4.5.3\n", NULL},
    {FAKE_RCPT, "550 5.1.1 no", FAILED "5.1.1\n", NULL},
    {FAKE_RCPT, "552 5.2.2 full", FAILED "5.2.2\n", NULL},
    {FAKE_RCPT, "cut", WAITING "4.4.2\n", "in doubt\n" WAITING "4.4.2\n"},
    {FAKE_RCPT, "hang", WAITING "4.4.2\n", "in doubt\n" WAITING "4.4.2\n"},
    {FAKE_RCPT, "garbage", WAITING "4.4.2\n", "in doubt\n" WAITING "4.4.2\n"},
    {FAKE_DATA, "250 2.0.0 what", WAITING "4.4.2\n", NULL},
    {FAKE_DATA, "421 4.3.2 bye", WAITING "4.3.2\n", NULL},
    {FAKE_DATA, "451 4.3.0 later", WAITING "4.3.0\n", NULL},
    {FAKE_DATA, "554 5.7.1 no", FAILED "5.7.1\n", NULL},
    {FAKE_DATA, "cut", WAITING "4.4.2\n", NULL},
    {FAKE_DATA, "hang", WAITING "4.4.2\n", NULL},
    {FAKE_DATA, "garbage", WAITING "4.4.2\n", NULL},
    {FAKE_DATA, "354 go\r\n250 2.0.0 early", WAITING "4.4.2\n", NULL},
    {FAKE_END, "421 4.3.2 bye", WAITING "4.3.2\n", NULL},
    {FAKE_END, "451 4.7.1 later", WAITING "4.7.1\n", NULL},
    {FAKE_END, "554 5.6.0 no", FAILED "5.6.0\n", NULL},
    {FAKE_END, "cut", "in doubt\n" WAITING "4.4.2\n", NULL},
    {FAKE_END, "hang", "in doubt\n" WAITING "4.4.2\n", NULL},
    {FAKE_END, "garbage", "in doubt\n" WAITING "4.4.2\n", NULL},
};

static void
check_stage(const struct stage_row *row, bool pipelining, bool chunking)
{
	struct delivery_world world;

	delivery_world_init(&world);
	world.fake_options.keywords = "PIPELINING CHUNKING 8BITMIME SIZE";
	world.options.pipelining = pipelining;
	world.options.chunking = chunking;
	for (int phase = 0; phase < SMTP_PHASE_COUNT; phase++)
		world.options.timeout_ms[phase] =
		    strcmp(row->reply, "hang") == 0 ? 20 : 0;
	delivery_world_open(&world);
	fake_upstream_say(world.fake, row->stage, row->reply);
	struct delivery_try *try = delivery_world_try(&world, "a@y", CONTENT);
	delivery_world_wait(try);
	cr_expect_str_eq(delivery_world_outcome(try),
	    chunking && row->chunked != NULL ? row->chunked : row->outcome,
	    "stage %d \"%s\" pipelining %d chunking %d: %s", (int)row->stage,
	    row->reply, pipelining, chunking, delivery_world_outcome(try));
	cr_expect_eq(try->result.upstream_failed,
	    strlen(try->result.reason) > 0, "%s", try->result.reason);
	delivery_world_clear(&world);
}

Test(attempt, of_each_stage_and_failure)
{
	for (size_t i = 0; i < sizeof(stage_rows) / sizeof(stage_rows[0]);
	     i++) {
		check_stage(&stage_rows[i], false, false);
		check_stage(&stage_rows[i], true, false);
		if (stage_rows[i].stage != FAKE_DATA)
			check_stage(&stage_rows[i], true, true);
	}
}

/* ---- recipients ---- */

Test(attempt, judges_each_recipient_alone)
{
	struct delivery_world world;

	delivery_world_init(&world);
	delivery_world_open(&world);
	fake_upstream_say_to(world.fake, FAKE_RCPT, "b@", "550 5.1.1 no");
	fake_upstream_say_to(world.fake, FAKE_RCPT, "d@", "450 4.2.1 no");
	struct delivery_try *try =
	    delivery_world_try(&world, "a@y b@y c@y d@y", CONTENT);
	delivery_world_expect(try,
	    "a@y delivered 2.0.0\nb@y failed 5.1.1\nc@y delivered 2.0.0\n"
	    "d@y waiting 4.2.1\n");
	cr_expect_str_eq(fake_upstream_message(world.fake, 0)->rcpt,
	    "RCPT TO:<a@y>\nRCPT TO:<c@y>");
	delivery_world_clear(&world);
}

/* DATA is refused for want of recipients: what counts is why each was. */
Test(attempt, with_no_recipient_left_is_not_judged_by_DATA)
{
	for (int pipelining = 0; pipelining < 2; pipelining++) {
		struct delivery_world world;
		delivery_world_init(&world);
		world.options.pipelining = pipelining == 1;
		delivery_world_open(&world);
		fake_upstream_say(world.fake, FAKE_RCPT, "450 4.2.1 no");
		struct delivery_try *first =
		    delivery_world_try(&world, "a@y b@y", CONTENT);
		delivery_world_expect(
		    first, "a@y waiting 4.2.1\nb@y waiting 4.2.1\n");
		/* The session is as good as before. */
		fake_upstream_forget_rules(world.fake);
		struct delivery_try *second =
		    delivery_world_try(&world, "c@y", CONTENT);
		delivery_world_expect(second, "c@y delivered 2.0.0\n");
		cr_expect_eq(fake_upstream_sessions(world.fake), 1);
		delivery_world_clear(&world);
	}
}

Test(attempt, splits_many_recipients_on_one_session)
{
	struct delivery_world world;

	delivery_world_init(&world);
	world.options.recipients_max = 2;
	delivery_world_open(&world);
	struct delivery_try *try =
	    delivery_world_try(&world, "a@y b@y c@y d@y e@y", CONTENT);
	delivery_world_expect(try,
	    "a@y delivered 2.0.0\nb@y delivered 2.0.0\nc@y delivered 2.0.0\n"
	    "d@y delivered 2.0.0\ne@y delivered 2.0.0\n");
	cr_assert_eq(fake_upstream_messages(world.fake), 3);
	cr_expect_str_eq(
	    fake_upstream_message(world.fake, 2)->rcpt, "RCPT TO:<e@y>");
	cr_expect_eq(fake_upstream_sessions(world.fake), 1);
	delivery_world_clear(&world);
}

Test(attempt, keeps_to_the_limit_the_server_tells)
{
	struct delivery_world world;

	delivery_world_init(&world);
	world.fake_options.keywords = "PIPELINING LIMITS=";
	delivery_world_open(&world);
	fake_upstream_say(world.fake, FAKE_EHLO,
	    "250-fake\r\n250-PIPELINING\r\n250 LIMITS RCPTMAX=2");
	struct delivery_try *try =
	    delivery_world_try(&world, "a@y b@y c@y", CONTENT);
	delivery_world_expect(try,
	    "a@y delivered 2.0.0\nb@y delivered 2.0.0\nc@y delivered 2.0.0\n");
	cr_expect_eq(fake_upstream_messages(world.fake), 2);
	delivery_world_clear(&world);
}

static const struct many_row {
	const char *reply;
	const char *outcome;
} many_rows[] = {
    {"452 4.5.3 too many",
	"a@y delivered 2.0.0\nb@y delivered 2.0.0\n"
	"c@y delivered 2.0.0\nd@y delivered 2.0.0\n"},
    {"552 too many",
	"a@y delivered 2.0.0\nb@y delivered 2.0.0\n"
	"c@y delivered 2.0.0\nd@y delivered 2.0.0\n"},
    {"452 4.2.2 full",
	"a@y delivered 2.0.0\nb@y delivered 2.0.0\n"
	"c@y waiting 4.2.2\nd@y waiting 4.2.2\n"},
    {"552 5.2.2 full",
	"a@y delivered 2.0.0\nb@y delivered 2.0.0\n"
	"c@y failed 5.2.2\nd@y failed 5.2.2\n"},
};

Test(attempt, sends_the_rest_at_once_where_there_were_too_many)
{
	for (size_t i = 0; i < sizeof(many_rows) / sizeof(many_rows[0]); i++) {
		struct delivery_world world;
		delivery_world_init(&world);
		delivery_world_open(&world);
		fake_upstream_rule(world.fake,
		    (struct fake_rule){.stage = FAKE_RCPT,
			.reply = many_rows[i].reply,
			.skip = 2,
			.times = 2});
		struct delivery_try *try =
		    delivery_world_try(&world, "a@y b@y c@y d@y", CONTENT);
		delivery_world_expect(try, many_rows[i].outcome);
		cr_expect_eq(fake_upstream_sessions(world.fake), 1);
		delivery_world_clear(&world);
	}
}

/* G8: no hot loop against a server that says "later". */
Test(attempt, begins_no_other_transaction_after_later)
{
	struct delivery_world world;

	delivery_world_init(&world);
	world.options.recipients_max = 1;
	delivery_world_open(&world);
	fake_upstream_say(world.fake, FAKE_END, "451 4.3.0 later");
	struct delivery_try *try =
	    delivery_world_try(&world, "a@y b@y c@y", CONTENT);
	delivery_world_expect(
	    try, "a@y waiting 4.3.0\nb@y waiting 4.3.0\nc@y waiting 4.3.0\n");
	cr_expect_eq(fake_upstream_count(world.fake, FAKE_MAIL), 1);
	delivery_world_clear(&world);
}

/* What is delivered stays delivered. */
Test(attempt, fails_no_upstream_once_a_recipient_is_settled)
{
	struct delivery_world world;

	delivery_world_init(&world);
	world.options.recipients_max = 1;
	world.options.messages_per_connection = 1;
	delivery_world_open(&world);
	fake_upstream_rule(world.fake,
	    (struct fake_rule){
		.stage = FAKE_GREETING, .reply = "554 no more", .skip = 1});
	struct delivery_try *try =
	    delivery_world_try(&world, "a@y b@y", CONTENT);
	delivery_world_expect(try, "a@y delivered 2.0.0\nb@y waiting 4.4.1\n");
	delivery_world_clear(&world);
}

Test(attempt, over_LMTP_judges_each_recipient_twice)
{
	struct delivery_world world;

	delivery_world_init(&world);
	world.fake_options.lmtp = true;
	world.options.transport = UPSTREAM_LMTP;
	delivery_world_open(&world);
	fake_upstream_say_to(world.fake, FAKE_RCPT, "a@", "550 5.1.1 no");
	fake_upstream_say_to(world.fake, FAKE_END, "c@", "452 4.2.2 full");
	fake_upstream_say_to(world.fake, FAKE_END, "d@", "550 5.2.1 off");
	struct delivery_try *try =
	    delivery_world_try(&world, "a@y b@y c@y d@y", CONTENT);
	delivery_world_expect(try,
	    "a@y failed 5.1.1\nb@y delivered 2.0.0\nc@y waiting 4.2.2\n"
	    "d@y failed 5.2.1\n");
	cr_expect_eq(
	    strncmp(fake_upstream_transcript(world.fake), "1 LHLO", 6), 0);
	delivery_world_clear(&world);
}

Test(attempt, over_LMTP_is_in_doubt_only_for_those_not_answered)
{
	struct delivery_world world;

	delivery_world_init(&world);
	world.fake_options.lmtp = true;
	world.options.transport = UPSTREAM_LMTP;
	delivery_world_open(&world);
	fake_upstream_say_to(world.fake, FAKE_END, "b@", "421 4.3.2 bye");
	struct delivery_try *first =
	    delivery_world_try(&world, "a@y b@y", CONTENT);
	delivery_world_expect(
	    first, "a@y delivered 2.0.0\nb@y waiting 4.3.2\n");
	fake_upstream_forget_rules(world.fake);
	fake_upstream_say_to(world.fake, FAKE_END, "d@", "hang");
	struct delivery_try *second =
	    delivery_world_try(&world, "c@y d@y e@y", CONTENT);
	delivery_world_until(&world, FAKE_END, 4);
	loop_until_quiet(world.loop);
	fake_upstream_cut(world.fake);
	delivery_world_expect(second,
	    "in doubt\nc@y delivered 2.0.0\nd@y waiting 4.4.2\n"
	    "e@y waiting 4.4.2\n");
	delivery_world_clear(&world);
}

/* ---- content ---- */

#define EIGHT_BIT                                                              \
	"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"     \
	"Content-Transfer-Encoding: 8bit\r\n\r\n"                              \
	"mostly plain words, and then gr\xc3\xbc\xc3\x9f\r\n"
#define SIGNED                                                                 \
	"MIME-Version: 1.0\r\n"                                                \
	"Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n"        \
	"gr\xc3\xbc\xc3\x9f\r\n--b--\r\n"

Test(attempt, declares_eight_bits_where_there_are_some)
{
	struct delivery_world world;

	delivery_world_init(&world);
	delivery_world_open(&world);
	struct delivery_try *try = delivery_world_try(&world, "a@y", EIGHT_BIT);
	delivery_world_expect(try, "a@y delivered 2.0.0\n");
	const struct fake_message *message =
	    fake_upstream_message(world.fake, 0);
	cr_expect_not_null(strstr(message->mail, " BODY=8BITMIME"));
	cr_expect_str_eq(message->content, EIGHT_BIT);
	delivery_world_clear(&world);
}

Test(attempt, converts_eight_bits_for_a_server_that_takes_seven)
{
	struct delivery_world world;
	char size[32];

	delivery_world_init(&world);
	world.fake_options.keywords = "PIPELINING SIZE";
	world.options.recipients_max = 1; /* two transactions of it */
	delivery_world_open(&world);
	struct delivery_try *try =
	    delivery_world_try(&world, "a@y b@y", EIGHT_BIT);
	delivery_world_expect(
	    try, "a@y delivered 2.0.0\nb@y delivered 2.0.0\n");
	for (size_t i = 0; i < 2; i++) {
		const struct fake_message *message =
		    fake_upstream_message(world.fake, i);
		cr_expect_null(strstr(message->mail, "BODY="));
		cr_expect_not_null(strstr(message->content, "gr=C3=BC=C3=9F"));
		(void)snprintf(
		    size, sizeof(size), " SIZE=%zu", message->content_len);
		cr_expect_not_null(
		    strstr(message->mail, size), "%s: %s", message->mail, size);
	}
	delivery_world_clear(&world);
}

Test(attempt, gives_up_what_may_not_be_converted)
{
	struct delivery_world world;

	delivery_world_init(&world);
	world.fake_options.keywords = "PIPELINING SIZE";
	delivery_world_open(&world);
	struct delivery_try *try = delivery_world_try(&world, "a@y", SIGNED);
	delivery_world_expect(try, "a@y failed 5.6.3\n");
	cr_expect_eq(fake_upstream_count(world.fake, FAKE_MAIL), 0);
	delivery_world_clear(&world);
}

static const struct utf8_row {
	const char *keywords;
	const char *recipients;
	const char *content;
	const char *outcome;
} utf8_rows[] = {
    {"PIPELINING 8BITMIME SMTPUTF8", "gr\xc3\xbc@y b@y", CONTENT,
	"gr\xc3\xbc@y delivered 2.0.0\nb@y delivered 2.0.0\n"},
    {"PIPELINING 8BITMIME", "gr\xc3\xbc@y b@y", CONTENT,
	"gr\xc3\xbc@y failed 5.6.7\nb@y delivered 2.0.0\n"},
    {"PIPELINING 8BITMIME", "gr\xc3\xbc@y", CONTENT,
	"gr\xc3\xbc@y failed 5.6.7\n"},
    {"PIPELINING 8BITMIME", "b@gr\xc3\xbc.example", CONTENT,
	"b@gr\xc3\xbc.example delivered 2.0.0\n"},
    {"PIPELINING 8BITMIME", "b@y", "Subject: gr\xc3\xbc\xc3\x9f\r\n\r\nx\r\n",
	"b@y failed 5.6.7\n"},
    {"PIPELINING 8BITMIME", "b@y", EIGHT_BIT, "b@y delivered 2.0.0\n"},
};

Test(attempt, needs_SMTPUTF8_only_where_something_does)
{
	for (size_t i = 0; i < sizeof(utf8_rows) / sizeof(utf8_rows[0]); i++) {
		struct delivery_world world;
		delivery_world_init(&world);
		world.fake_options.keywords = utf8_rows[i].keywords;
		delivery_world_open(&world);
		struct delivery_try *try = delivery_world_message(
		    &world, utf8_rows[i].recipients, utf8_rows[i].content);
		try->message->envelope.utf8 = true;
		delivery_world_start(try);
		delivery_world_expect(try, utf8_rows[i].outcome);
		delivery_world_clear(&world);
	}
}

Test(attempt, gives_up_what_is_larger_than_the_server_takes)
{
	struct delivery_world world;

	delivery_world_init(&world);
	world.fake_options.keywords = "PIPELINING SIZE";
	delivery_world_open(&world);
	fake_upstream_say(world.fake, FAKE_EHLO, "250-fake\r\n250 SIZE 20");
	struct delivery_try *try = delivery_world_try(&world, "a@y", CONTENT);
	delivery_world_expect(try, "a@y failed 5.3.4\n");
	cr_expect_eq(fake_upstream_count(world.fake, FAKE_MAIL), 0);
	delivery_world_clear(&world);
}

Test(attempt, needs_verified_TLS_for_REQUIRETLS)
{
	struct delivery_world world;

	delivery_world_init(&world);
	delivery_world_open(&world);
	struct delivery_try *try =
	    delivery_world_message(&world, "a@y", CONTENT);
	try->message->envelope.require_tls = true;
	delivery_world_start(try);
	delivery_world_expect(try, "a@y failed 5.7.30\n");
	delivery_world_clear(&world);
}

/* Content in a file, some way into it. */
static void
put_in_file(struct body *body, struct bytes content, uint64_t claimed_len)
{
	FILE *file = tmpfile();

	cr_assert_not_null(file);
	cr_assert_eq(fwrite("before", 1, 6, file), 6);
	cr_assert_eq(fwrite(content.data, 1, content.len, file), content.len);
	cr_assert_eq(fflush(file), 0);
	body_clear(body);
	body_init(body);
	body->fd = fcntl(fileno(file), F_DUPFD_CLOEXEC, 0);
	body->owns_fd = true;
	body->offset = 6;
	body->len = claimed_len;
	(void)fclose(file);
}

/* The caller frees it. */
static char *
large_content(size_t lines)
{
	struct buffer content;

	buffer_init(&content, 1 << 28);
	for (size_t i = 0; i < lines; i++)
		buffer_printf(&content,
		    ".%zu is a line that begins with a dot"
		    "\r\n",
		    i);
	char *text = buffer_to_text(&content);
	buffer_clear(&content);
	return text;
}

Test(attempt, streams_large_content_from_a_file)
{
	for (int chunking = 0; chunking < 2; chunking++) {
		struct delivery_world world;
		char *content = large_content(200000);
		delivery_world_init(&world);
		world.fake_options.keywords = "PIPELINING CHUNKING";
		world.options.chunking = chunking == 1;
		delivery_world_open(&world);
		struct delivery_try *try =
		    delivery_world_message(&world, "a@y", "");
		put_in_file(
		    &try->message->body, bytes_of(content), strlen(content));
		delivery_world_start(try);
		delivery_world_expect(try, "a@y delivered 2.0.0\n");
		cr_expect(strcmp(fake_upstream_message(world.fake, 0)->content,
			      content) == 0,
		    "chunking %d", chunking);
		free(content);
		delivery_world_clear(&world);
	}
}

Test(attempt, that_cannot_read_its_content_is_nobodys_fault)
{
	struct delivery_world world;

	delivery_world_init(&world);
	delivery_world_open(&world);
	struct delivery_try *bad = delivery_world_message(&world, "a@y", "");
	put_in_file(&bad->message->body, BYTES("x\r\n"), 1000000);
	delivery_world_start(bad);
	delivery_world_expect(bad, "local failure\na@y untried\n");
	cr_expect_neq(strlen(bad->result.reason), 0);
	cr_expect_eq(fake_upstream_messages(world.fake), 0);
	struct delivery_try *good = delivery_world_try(&world, "b@y", CONTENT);
	delivery_world_expect(good, "b@y delivered 2.0.0\n");
	delivery_world_clear(&world);
}

/* ---- maildir ---- */

Test(attempt, delivers_into_a_maildir)
{
	struct delivery_world world;
	char *folder = scratch_folder_new();
	char path[64];

	(void)snprintf(path, sizeof(path), "%s/box", folder);
	delivery_world_init(&world);
	world.options.transport = UPSTREAM_MAILDIR;
	world.options.path = path;
	delivery_world_open(&world);
	struct delivery_try *try =
	    delivery_world_try(&world, "a@y b@y", CONTENT);
	delivery_world_expect(
	    try, "a@y delivered 2.0.0\nb@y delivered 2.0.0\n");
	cr_expect_str_eq(try->result.remote + strlen("main "), path);
	world.options.path = "/dev/null/box";
	struct delivery_try *second =
	    delivery_world_try(&world, "c@y", CONTENT);
	delivery_world_expect(second, "upstream failed\nc@y untried\n");
	cr_expect_not_null(strstr(second->result.reason, "/dev/null/box"));
	delivery_world_clear(&world);
	scratch_folder_remove(folder);
}
