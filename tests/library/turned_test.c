/* ATRN with a server that is a bad client, and takers that give up. */
#include "base/buffer.h"
#include "lib/library_scene.h"
#include "lib/loop_until.h"

#include <event2/event.h>
#include <stdlib.h>

#define TURN  GREETING EHLO "C:atrn\r\nS:250 turn\nC:220 \n"
#define HELO  "S:HELO mx.example\nC:250 \n"
#define MAIL  "S:MAIL FROM:<a@x>\nC:250 2.1.0\n"
#define RCPT  "S:RCPT TO:<b@y>\nC:250 2.1.5\n"
#define DATA  "S:DATA\nC:354 \n"
#define QUIT_ "S:QUIT\nC:221 2.0.0\nX\n"

enum asked {
	ASKED_MAIL,
	ASKED_RCPT,
	ASKED_CONTENT,
	ASKED_END,
	ASKED_RESET,
	ASKED_COUNT
};

/* Counts, and closes the session at one of them. */
struct guest {
	size_t counts[ASKED_COUNT];
	struct smtp *session;
	enum asked closes_at; /* ASKED_COUNT: never */
	int end_code;
	struct event_base *base; /* left at the end of a message; or NULL */
	int err;
	unsigned done;
};

static void
count(struct guest *guest, enum asked asked)
{
	guest->counts[asked]++;
	if (guest->closes_at == asked) {
		smtp_close(guest->session);
		smtp_close(guest->session);
	}
}

static int
take_mail(void *arg, const char *from, const char *params)
{
	(void)from;
	(void)params;
	count(arg, ASKED_MAIL);
	return 250;
}

static int
take_rcpt(void *arg, const char *to, const char *params)
{
	(void)to;
	(void)params;
	count(arg, ASKED_RCPT);
	return 250;
}

static int
take_content(void *arg, const void *data, size_t n)
{
	(void)data;
	cr_expect_gt(n, 0);
	count(arg, ASKED_CONTENT);
	return 0;
}

static int
take_end(void *arg)
{
	struct guest *guest = arg;

	count(guest, ASKED_END);
	if (guest->base != NULL)
		event_base_loopbreak(guest->base);
	return guest->end_code;
}

static void
take_reset(void *arg)
{
	count(arg, ASKED_RESET);
}

static struct smtp_taker
taker_of(struct guest *guest)
{
	return (struct smtp_taker){.arg = guest,
	    .mail = take_mail,
	    .rcpt = take_rcpt,
	    .content = take_content,
	    .end = take_end,
	    .reset = take_reset};
}

struct row {
	const char *name;
	const char *script;
	int err;
	size_t counts[ASKED_COUNT];
};

static void
check(const struct row *row)
{
	const struct smtp_options options = {.t_session = 20000};
	struct guest guest = {.closes_at = ASKED_COUNT, .end_code = 250};
	const struct smtp_taker taker = taker_of(&guest);
	struct library_scene scene;

	library_scene_init(&scene, row->script, &options);
	cr_expect_eq(smtp_atrn(scene.session, NULL, &taker), row->err, "%s: %s",
	    row->name, smtp_last_errmsg(scene.session));
	for (size_t i = 0; i < ASKED_COUNT; i++)
		cr_expect_eq(guest.counts[i], row->counts[i], "%s: %zu: %zu",
		    row->name, i, guest.counts[i]);
	cr_expect_eq(
	    smtp_taken(scene.session), row->counts[ASKED_END], "%s", row->name);
	library_scene_clear(&scene);
}

/* RFC 5321 4.1.4: a greeting ends a transaction, and so does RSET. */
Test(turned, server_begins_anew)
{
	static const struct row rows[] = {
	    {"HELO behind RCPT", TURN HELO MAIL RCPT HELO QUIT_, SMTP_OK,
		{1, 1, 0, 0, 1}},
	    {"HELO behind a chunk, and a message",
		TURN HELO MAIL RCPT
		"S:BDAT 4\nS:hi\nC:250 \n" HELO MAIL RCPT DATA
		"S:.\nC:250 \n" QUIT_,
		SMTP_OK, {2, 2, 1, 1, 1}},
	    {"RSET behind a chunk",
		TURN HELO MAIL RCPT
		"S:BDAT 4\nS:hi\nC:250 \nS:RSET\nC:250 \n" QUIT_,
		SMTP_OK, {1, 1, 1, 0, 1}},
	    {"QUIT behind a chunk",
		TURN HELO MAIL RCPT "S:BDAT 4\nS:hi\nC:250 \n" QUIT_, SMTP_OK,
		{1, 1, 1, 0, 1}},
	    {"MAIL twice", TURN HELO MAIL "S:MAIL FROM:<c@x>\nC:503 \n" QUIT_,
		SMTP_OK, {1, 0, 0, 0, 1}},
	    {"all in one go",
		TURN "R:HELO mx\\r\\nMAIL FROM:<a@x>\\r\\nRCPT TO:<b@y>\\r\\n"
		     "BDAT 4 LAST\\r\\nhi\\r\\nQUIT\\r\\n\nC:250 \nC:250 \n"
		     "C:250 \nC:250 \nC:221 \nX\n",
		SMTP_OK, {1, 1, 1, 1, 0}},
	    {"content with DATA",
		TURN HELO MAIL RCPT "R:DATA\\r\\nhi\\r\\n.\\r\\n\nC:503 \nX\n",
		SMTP_E_PROTO, {1, 1, 0, 0, 1}},
	    {"a chunk without end",
		TURN HELO MAIL RCPT "S:BDAT 18446744073709551615 LAST\nS:hi\nX"
				    "\n",
		SMTP_E_DISCONNECTED, {1, 1, 1, 0, 1}},
	    {"a size that is none",
		TURN HELO MAIL RCPT "S:BDAT 18446744073709551616 LAST\n"
				    "C:501 \nX\n",
		SMTP_E_PROTO, {1, 1, 0, 0, 1}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(&rows[i]);
}

/* times times text, between begin and end. */
static char *
script_of(const char *begin, const char *text, size_t times, const char *end)
{
	struct buffer script;

	buffer_init(&script, (size_t)16 * 1024 * 1024);
	buffer_append_text(&script, begin);
	for (size_t i = 0; i < times; i++)
		buffer_append_text(&script, text);
	buffer_append_text(&script, end);
	char *copy = buffer_to_text(&script);
	buffer_clear(&script);
	return copy;
}

Test(turned, server_wants_too_much)
{
	const struct {
		const char *begin;
		const char *text;
		size_t times;
		const char *end;
		struct row row;
	} rows[] = {
	    {TURN HELO MAIL, RCPT, 1000,
		"S:RCPT TO:<c@y>\nC:452 4.5.3\n" DATA "S:.\nC:250 \n" QUIT_,
		{"recipients", NULL, SMTP_OK, {1, 1000, 0, 1, 0}}},
	    {TURN HELO "R:NOOP ", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 10000,
		"\\r\\n\nC:500 \n" MAIL QUIT_,
		{"a long line", NULL, SMTP_OK, {1, 0, 0, 0, 1}}},
	    {TURN HELO MAIL, "S:what\nC:500 \n", 19,
		"S:what\nC:500 \nS:what\nC:421 \nX\n",
		{"nonsense", NULL, SMTP_E_PROTO, {1, 0, 0, 0, 1}}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct row row = rows[i].row;
		char *script = script_of(
		    rows[i].begin, rows[i].text, rows[i].times, rows[i].end);
		row.script = script;
		check(&row);
		free(script);
	}
}

Test(turned, server_never_ends)
{
	static const char *const scripts[] = {TURN HELO MAIL RCPT "H\n",
	    TURN HELO MAIL RCPT DATA "S:hi\nH\n",
	    TURN HELO MAIL RCPT "S:BDAT 10 LAST\nS:hi\nH\n"};
	const struct smtp_options options = {.t_session = 200};

	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		struct guest guest = {.closes_at = ASKED_COUNT};
		const struct smtp_taker taker = taker_of(&guest);
		struct library_scene scene;
		library_scene_init(&scene, scripts[i], &options);
		cr_expect_eq(
		    smtp_atrn(scene.session, NULL, &taker), SMTP_E_TIMEOUT);
		cr_expect_eq(guest.counts[ASKED_MAIL], 1);
		cr_expect_eq(guest.counts[ASKED_RESET], 1);
		cr_expect_eq(guest.counts[ASKED_END], 0);
		cr_expect_eq(smtp_taken(scene.session), 0);
		library_scene_clear(&scene);
	}
}

/* ---- takers that give up ---- */

#define EACH                                                                   \
	TURN HELO MAIL RCPT "S:RSET\nC:250 \n" MAIL RCPT DATA                  \
			    "S:hi\nS:.\nC:250 \n" QUIT_

static void
done(struct smtp *session, int err, void *arg)
{
	struct guest *guest = arg;

	(void)session;
	guest->err = err;
	guest->done++;
	event_base_loopbreak(guest->base);
}

Test(turned, taker_closes_in_the_middle)
{
	for (int at = ASKED_MAIL; at < ASKED_COUNT; at++) {
		struct guest guest = {
		    .closes_at = (enum asked)at, .end_code = 250};
		const struct smtp_taker taker = taker_of(&guest);
		const struct script_options where = {.says_max = 1 << 20};
		struct library_scene scene;
		library_scene_begin(&scene, EACH, NULL, &where);
		guest.session = scene.session;
		cr_assert_eq(smtp_connect(scene.session,
				 script_server_host(scene.server), NULL),
		    SMTP_OK);
		cr_expect_eq(smtp_atrn(scene.session, NULL, &taker),
		    SMTP_E_DISCONNECTED, "%d", at);
		cr_expect_eq(guest.counts[at], 1, "%d", at);
		cr_expect_not(smtp_connected(scene.session));
		cr_expect_eq(smtp_taken(scene.session), at == ASKED_END);
		library_scene_clear(&scene);
	}
}

static void
connect_in(struct library_scene *scene, struct guest *guest, const char *script)
{
	const struct script_options where = {.says_max = 1 << 20};
	const struct smtp_options options = {.t_session = 500};

	guest->base = event_base_new();
	scene->descriptors = open_descriptors();
	scene->server = script_server_new(script, &where);
	scene->session = smtp_new_in(guest->base, &options);
	guest->session = scene->session;
	cr_assert_eq(smtp_connect_async(scene->session,
			 script_server_host(scene->server), NULL, done, guest),
	    SMTP_OK);
	event_base_dispatch(guest->base);
	cr_assert_eq(guest->err, SMTP_OK);
}

Test(turned, taker_cancels_in_the_middle)
{
	for (int at = ASKED_MAIL; at < ASKED_COUNT; at++) {
		struct guest guest = {
		    .closes_at = (enum asked)at, .end_code = 250};
		const struct smtp_taker taker = taker_of(&guest);
		struct library_scene scene;
		connect_in(&scene, &guest, EACH);
		cr_assert_eq(
		    smtp_atrn_async(scene.session, NULL, &taker, done, &guest),
		    SMTP_OK);
		while (guest.counts[at] == 0)
			event_base_loop(guest.base, EVLOOP_ONCE);
		event_base_loop(guest.base, EVLOOP_NONBLOCK);
		cr_expect_eq(guest.done, 1, "the connection's alone");
		cr_expect_eq(guest.counts[at], 1, "%d", at);
		library_scene_clear(&scene);
		event_base_free(guest.base);
	}
}

/* An answer that comes when nobody waits any more promises nothing. */
Test(turned, taker_answers_too_late)
{
	static const char *const scripts[] = {TURN HELO MAIL RCPT DATA
	    "S:hi\nS:.\nX\n",
	    TURN HELO MAIL RCPT DATA "S:hi\nS:.\nZ\n",
	    TURN HELO MAIL RCPT DATA "S:hi\nS:.\nH\n"};

	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		struct guest guest = {.closes_at = ASKED_COUNT};
		const struct smtp_taker taker = taker_of(&guest);
		struct library_scene scene;
		connect_in(&scene, &guest, scripts[i]);
		cr_assert_eq(
		    smtp_atrn_async(scene.session, NULL, &taker, done, &guest),
		    SMTP_OK);
		event_base_dispatch(guest.base);
		cr_assert_eq(guest.counts[ASKED_END], 1);
		while (guest.done < 2)
			event_base_dispatch(guest.base);
		cr_expect_eq(guest.err,
		    i < 2 ? SMTP_E_DISCONNECTED : SMTP_E_TIMEOUT, "%zu: %d", i,
		    guest.err);
		cr_expect_eq(
		    smtp_atrn_answer(scene.session, 250), SMTP_E_INVAL);
		cr_expect_eq(smtp_taken(scene.session), 0);
		cr_expect_eq(guest.counts[ASKED_RESET], 0);
		library_scene_clear(&scene);
		event_base_free(guest.base);
	}
}
