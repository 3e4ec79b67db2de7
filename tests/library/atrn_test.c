/* ATRN, RFC 2645: after its reply the server is the client. */
#include "base/buffer.h"
#include "lib/library_scene.h"
#include "lib/loop_until.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#define TURN GREETING EHLO "C:atrn x.example,y.example\r\nS:250 turn\nC:220 "
#define HELLO                                                                  \
	"S:EHLO mx.example\nC:250-\nC:250-\nC:250-\nC:250-\nC:250-\n"          \
	"C:250-\nC:250-\nC:250-\nC:250-\nC:250 \n"
#define HELO  "S:HELO mx.example\nC:250 \n"
#define MAIL  "S:MAIL FROM:<a@x>\nC:250 2.1.0\n"
#define RCPT  "S:RCPT TO:<b@y>\nC:250 2.1.5\n"
#define DATA  "S:DATA\nC:354 \n"
#define QUIT_ "S:QUIT\nC:221 2.0.0\nX\n"

/* What a taker heard, in letters and words. */
struct box {
	char log[4096];
	size_t len;
	size_t octets;
	int mail_code;
	int rcpt_code;
	int end_code;
	size_t room; /* octets before content cannot be taken */
	struct event_base *base;
	int err;
};

static void
note(struct box *box, const char *what, const char *a, const char *b)
{
	box->len += (size_t)snprintf(box->log + box->len,
	    sizeof(box->log) - box->len, "%s%s%s%s%s;", what,
	    a[0] != '\0' ? " " : "", a, b[0] != '\0' ? " " : "", b);
}

static int
take_mail(void *arg, const char *from, const char *params)
{
	struct box *box = arg;

	note(box, "mail", from, params);
	return box->mail_code;
}

static int
take_rcpt(void *arg, const char *to, const char *params)
{
	struct box *box = arg;

	note(box, "rcpt", to, params);
	return box->rcpt_code;
}

static int
take_content(void *arg, const void *data, size_t n)
{
	struct box *box = arg;

	(void)data;
	cr_expect_gt(n, 0);
	cr_expect_leq(n, 64 * 1024);
	box->octets += n;
	return box->room > 0 && box->octets > box->room ? -1 : 0;
}

static int
take_end(void *arg)
{
	struct box *box = arg;
	char octets[32];

	(void)snprintf(octets, sizeof(octets), "%zu", box->octets);
	box->octets = 0;
	note(box, "end", octets, "");
	if (box->base != NULL)
		event_base_loopbreak(box->base);
	return box->end_code;
}

static void
take_reset(void *arg)
{
	struct box *box = arg;

	box->octets = 0;
	note(box, "reset", "", "");
}

static struct smtp_taker
taker_of(struct box *box)
{
	return (struct smtp_taker){
	    .size = sizeof(struct smtp_taker),
	    .arg = box,
	    .mail = take_mail,
	    .rcpt = take_rcpt,
	    .content = take_content,
	    .end = take_end,
	    .reset = take_reset,
	};
}

struct row {
	const char *name;
	const char *script;
	struct box box; /* 250 where 0 */
	int err;
	size_t taken;
	const char *log;
};

static void
check(const struct row *row)
{
	struct library_scene scene;
	struct box box = row->box;
	const struct smtp_taker taker = taker_of(&box);

	box.mail_code = box.mail_code != 0 ? box.mail_code : 250;
	box.rcpt_code = box.rcpt_code != 0 ? box.rcpt_code : 250;
	box.end_code = box.end_code != 0 ? box.end_code : 250;
	library_scene_init(&scene, row->script, NULL);
	struct smtp *session = scene.session;
	const int err = smtp_atrn(session, "x.example,y.example", &taker);
	cr_expect_eq(err, row->err, "%s: %d %s", row->name, err,
	    smtp_last_errmsg(session));
	cr_expect_eq(smtp_taken(session), row->taken, "%s", row->name);
	cr_expect_str_eq(box.log, row->log, "%s: %s", row->name, box.log);
	cr_expect_eq(
	    smtp_connected(session), err == SMTP_E_RESPONSE, "%s", row->name);
	if (err != SMTP_OK)
		cr_expect_neq(
		    smtp_last_class(session), SMTP_C_OK, "%s", row->name);
	library_scene_clear(&scene);
}

static void
check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check(&rows[i]);
}

#define CHECK(rows) check_rows(rows, sizeof(rows) / sizeof(rows[0]))

/* Row 33. */
Test(atrn, takes_what_the_server_has)
{
	static const struct row rows[] = {
	    {"nothing", TURN "\n" HELO QUIT_, {.len = 0}, SMTP_OK, 0, ""},
	    {"a message",
		TURN "\n" HELO MAIL RCPT DATA "S:hi\nS:..dot\nS:.\nC:250 2.0.0"
		     "\n" QUIT_,
		{.len = 0}, SMTP_OK, 1, "mail a@x;rcpt b@y;end 10;"},
	    {"two, one of them from nobody, empty",
		TURN "\n" HELO MAIL RCPT DATA "S:hi\nS:.\nC:250 2.0.0\n"
		     "S:MAIL FROM:<>\nC:250 \n" RCPT DATA
		     "S:.\nC:250 2.0.0\n" QUIT_,
		{.len = 0}, SMTP_OK, 2,
		"mail a@x;rcpt b@y;end 4;mail;rcpt b@y;end 0;"},
	    {"EHLO with parameters, and BDAT",
		TURN "\n" HELLO
		     "S:MAIL FROM:<a@x> SIZE=2 BODY=8BITMIME RET=HDRS\nC:250 \n"
		     "S:RCPT TO:<b@y> NOTIFY=NEVER\nC:250 \n"
		     "S:BDAT 4 LAST\nS:hi\nC:250 2.0.0\n" QUIT_,
		{.len = 0}, SMTP_OK, 1,
		"mail a@x SIZE=2 BODY=8BITMIME RET=HDRS;rcpt b@y NOTIFY=NEVER;"
		"end 4;"},
	};

	CHECK(rows);
}

Test(atrn, says_what_the_taker_says)
{
	static const struct row rows[] = {
	    {"not this sender",
		TURN "\n" HELO "S:MAIL FROM:<a@x>\nC:550 5.0.0\n" QUIT_,
		{.mail_code = 550}, SMTP_OK, 0, "mail a@x;"},
	    {"not this recipient",
		TURN "\n" HELO MAIL "S:RCPT TO:<b@y>\nC:450 4.0.0\n" QUIT_,
		{.rcpt_code = 450}, SMTP_OK, 0, "mail a@x;rcpt b@y;reset;"},
	    {"not safe",
		TURN "\n" HELO MAIL RCPT DATA "S:hi\nS:.\nC:452 4.0.0\n" QUIT_,
		{.end_code = 452}, SMTP_OK, 0, "mail a@x;rcpt b@y;end 4;"},
	    {"no reply code",
		TURN "\n" HELO MAIL RCPT DATA "S:hi\nS:.\nC:451 4.0.0\n" QUIT_,
		{.end_code = -1}, SMTP_OK, 0, "mail a@x;rcpt b@y;end 4;"},
	    {"0 where nobody could answer later",
		TURN "\n" HELO MAIL RCPT DATA "S:hi\nS:.\nC:250\n" QUIT_,
		{.end_code = 250}, SMTP_OK, 1, "mail a@x;rcpt b@y;end 4;"},
	    {"no room, and the next one",
		TURN "\n" HELO MAIL RCPT DATA
		     "S:hello\nS:.\nC:451 4.0.0\n" MAIL RCPT DATA
		     "S:hi\nS:.\nC:250 2.0.0\n" QUIT_,
		{.room = 5}, SMTP_OK, 1,
		"mail a@x;rcpt b@y;reset;mail a@x;rcpt b@y;end 4;"},
	    {"RSET", TURN "\n" HELO MAIL "S:RSET\nC:250 \n" QUIT_, {.len = 0},
		SMTP_OK, 0, "mail a@x;reset;"},
	    {"a bare newline",
		TURN "\n" HELO MAIL RCPT DATA
		     "R:a\\nb\\r\\n.\\r\\n\nC:550 5.6.0\n" QUIT_,
		{.len = 0}, SMTP_OK, 0, "mail a@x;rcpt b@y;reset;"},
	};

	CHECK(rows);
}

Test(atrn, counts_nothing_that_did_not_come_whole)
{
	static const struct row rows[] = {
	    {"no client after all", TURN "\nX\n", {.len = 0},
		SMTP_E_DISCONNECTED, 0, ""},
	    {"cut within the content",
		TURN "\n" HELO MAIL RCPT DATA
		     "S:hi\nS:.\nC:250 2.0.0\n" MAIL RCPT DATA "S:hi\nX\n",
		{.len = 0}, SMTP_E_DISCONNECTED, 1,
		"mail a@x;rcpt b@y;end 4;mail a@x;rcpt b@y;reset;"},
	    {"cut by a reset", TURN "\n" HELO MAIL RCPT DATA "S:hi\nZ\n",
		{.len = 0}, SMTP_E_DISCONNECTED, 0, "mail a@x;rcpt b@y;reset;"},
	    {"no SMTP", TURN "\nS:GET / HTTP/1.0\nC:\n", {.len = 0},
		SMTP_E_PROTO, 0, ""},
	};

	CHECK(rows);
}

/* RFC 2645 5.2.1: 450 refused for now, 451 cannot, 453 no mail, 502, 530. */
Test(atrn, goes_on_as_before_where_it_is_refused)
{
	static const struct row rows[] = {
	    {"453",
		GREETING EHLO "C:atrn x.example,y.example\r\nS:453 no mail\n",
		{.len = 0}, SMTP_E_RESPONSE, 0, ""},
	    {"530", GREETING EHLO "C:atrn x.example,y.example\r\nS:530 no\n",
		{.len = 0}, SMTP_E_RESPONSE, 0, ""},
	    {"251 is no turn",
		GREETING EHLO "C:atrn x.example,y.example\r\nS:251 hm\n",
		{.len = 0}, SMTP_E_RESPONSE, 0, ""},
	};
	struct library_scene scene;
	struct box box = {.len = 0};
	const struct smtp_taker taker = taker_of(&box);

	CHECK(rows);
	library_scene_init(&scene,
	    GREETING EHLO "C:atrn\r\nS:453 none\nC:noop\nS:250 ok\n", NULL);
	cr_expect_eq(smtp_atrn(scene.session, NULL, &taker), SMTP_E_RESPONSE);
	cr_expect_eq(smtp_last_code(scene.session), 453);
	cr_expect_eq(smtp_last_class(scene.session), SMTP_C_TEMP);
	cr_expect_eq(smtp_atrn(scene.session, "a b", &taker), SMTP_E_INVAL);
	cr_expect_eq(smtp_atrn(scene.session, "a\r\nb", &taker), SMTP_E_INVAL);
	cr_expect_eq(smtp_atrn(scene.session, "a",
			 &(struct smtp_taker){.content = take_content}),
	    SMTP_E_INVAL);
	cr_expect_eq(smtp_atrn_answer(scene.session, 250), SMTP_E_INVAL);
	cr_expect_eq(smtp_noop(scene.session), SMTP_OK);
	library_scene_clear(&scene);
}

/* The server's mail may come with its 250, and be of any size. */
Test(atrn, takes_mail_piece_by_piece)
{
	struct box box = {.mail_code = 250, .rcpt_code = 250, .end_code = 250};
	const struct smtp_taker taker = taker_of(&box);
	struct library_scene scene;
	struct buffer script;

	buffer_init(&script, (size_t)4 * 1024 * 1024);
	buffer_append_text(&script,
	    GREETING EHLO "C:atrn\nS:250 turn\nC:220 \n" HELO MAIL RCPT DATA);
	for (int i = 0; i < 20000; i++)
		buffer_append_text(&script,
		    "S:0123456789012345678901234567890123456789012345678901234"
		    "56789\n");
	buffer_append_text(&script, "S:.\nC:250 2.0.0\n" QUIT_);
	char *text = buffer_to_text(&script);
	library_scene_init(&scene, text, NULL);
	cr_expect_eq(smtp_atrn(scene.session, "", &taker), SMTP_OK, "%s",
	    smtp_last_errmsg(scene.session));
	cr_expect_str_eq(box.log, "mail a@x;rcpt b@y;end 1240000;");
	library_scene_clear(&scene);
	buffer_clear(&script);
	free(text);
}

Test(atrn, has_a_limit_of_time)
{
	static const struct row row = {
	    "silent", TURN "\nH\n", {.len = 0}, SMTP_E_TIMEOUT, 0, ""};
	const struct smtp_options options = {.t_session = 200};
	struct box box = {.len = 0};
	const struct smtp_taker taker = taker_of(&box);
	struct library_scene scene;

	library_scene_init(&scene, row.script, &options);
	cr_expect_eq(
	    smtp_atrn(scene.session, "x.example,y.example", &taker), row.err);
	cr_expect_not(smtp_connected(scene.session));
	library_scene_clear(&scene);
}

Test(atrn, waits_for_the_server_no_longer_than_for_a_reply)
{
	struct box box = {.len = 0};
	const struct smtp_taker taker = taker_of(&box);
	struct library_scene scene;

	library_scene_init(&scene, TURN "\nH\n", NULL);
	cr_expect_eq(smtp_set_timeout(scene.session, 200), SMTP_OK);
	cr_expect_eq(smtp_atrn(scene.session, "x.example,y.example", &taker),
	    SMTP_E_TIMEOUT);
	cr_expect_not(smtp_connected(scene.session));
	library_scene_clear(&scene);
}

/* ---- the asynchronous face ---- */

static void
done(struct smtp *session, int err, void *arg)
{
	struct box *box = arg;

	(void)session;
	box->err = err;
	event_base_loopbreak(box->base);
}

static void
async_init(struct library_scene *scene, struct box *box, const char *script)
{
	*box = (struct box){
	    .mail_code = 250, .rcpt_code = 250, .base = event_base_new()};
	scene->descriptors = open_descriptors();
	scene->server = script_server_new(script, NULL);
	scene->session = smtp_new_in(box->base, NULL);
	cr_assert_eq(smtp_connect_async(scene->session,
			 script_server_host(scene->server), NULL, done, box),
	    SMTP_OK);
	event_base_dispatch(box->base);
	cr_assert_eq(box->err, SMTP_OK);
}

static void
async_clear(struct library_scene *scene, struct box *box)
{
	library_scene_clear(scene);
	event_base_free(box->base);
}

Test(atrn, may_be_answered_later)
{
	struct library_scene scene;
	struct box box;

	async_init(&scene, &box,
	    TURN "\n" HELO MAIL RCPT DATA "S:hi\nS:.\nC:250 2.0.0\n" QUIT_);
	const struct smtp_taker taker = taker_of(&box);
	cr_assert_eq(smtp_atrn_async(scene.session, "x.example,y.example",
			 &taker, done, &box),
	    SMTP_OK);
	event_base_dispatch(box.base); /* until the end of the message */
	cr_expect_str_eq(box.log, "mail a@x;rcpt b@y;end 4;");
	cr_expect_eq(smtp_taken(scene.session), 0);
	cr_expect_eq(smtp_atrn_answer(scene.session, 250), SMTP_OK);
	cr_expect_eq(smtp_atrn_answer(scene.session, 250), SMTP_E_INVAL);
	box.err = 1;
	event_base_dispatch(box.base); /* until done */
	cr_expect_eq(box.err, SMTP_OK);
	cr_expect_eq(smtp_taken(scene.session), 1);
	async_clear(&scene, &box);
}

Test(atrn, is_cancelled_at_any_time)
{
	struct library_scene scene;
	struct box box;

	async_init(
	    &scene, &box, TURN "\n" HELO MAIL RCPT DATA "S:hi\nS:.\nH\n");
	const struct smtp_taker taker = taker_of(&box);
	cr_assert_eq(smtp_atrn_async(scene.session, "x.example,y.example",
			 &taker, done, &box),
	    SMTP_OK);
	event_base_dispatch(box.base);
	smtp_cancel(scene.session);
	cr_expect_eq(smtp_atrn_answer(scene.session, 250), SMTP_E_INVAL);
	async_clear(&scene, &box);
}
