/* sendmail and send_message, as smtplib has them and better; LMTP. */
#include "lib/library_scene.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const one[] = {"a@y", NULL};
static const char *const two[] = {"a@y", "b@y", NULL};
static const char *const three[] = {"a@y", "b@y", "a@y", NULL};

#define HI    "Hi\n"
#define MAIL  "C:mail from:<x@y>"
#define OK    "S:250 ok\n"
#define RCPT  "C:rcpt to:<"
#define DATA  "C:data\nS:354 go\nD\n"
#define RSET  "C:rset\nS:250 ok\n"
#define START GREETING EHLO MAIL "\n" OK
#define NOOP  "C:noop\nS:250 ok\n"

struct row {
	const char *name;
	const char *script;
	const char *const *to;
	int err;
	int code;
	enum smtp_stage stage;
	enum smtp_class cls;
	/* A letter for each recipient's class: O T P C. */
	const char *results;
};

static int
send_hi(struct smtp *session, const char *const *to)
{
	return smtp_sendmail(session, "x@y", to, HI, strlen(HI), 1, NULL, NULL);
}

static void
check_results(const struct row *row, const struct smtp *session)
{
	cr_expect_eq(
	    smtp_nresults(session), strlen(row->results), "%s", row->name);
	for (size_t i = 0; i < strlen(row->results); i++) {
		const struct smtp_result *result = smtp_result_at(session, i);
		cr_expect_str_eq(result->addr, row->to[i]);
		cr_expect_eq("OTPC"[result->cls], row -> results[i],
		    "%s: %zu is %d %s", row->name, i, result->code,
		    result->text);
	}
}

static void
check(const struct row *row, const struct smtp_options *options)
{
	struct library_scene scene;

	library_scene_init(&scene, row->script, options);
	struct smtp *session = scene.session;
	const int err = send_hi(session, row->to);
	cr_expect_eq(err, row->err, "%s: %d %s", row->name, err,
	    smtp_last_errmsg(session));
	cr_expect_eq(smtp_last_code(session), row->code, "%s: %d", row->name,
	    smtp_last_code(session));
	cr_expect_eq(smtp_last_stage(session), row->stage, "%s: %d", row->name,
	    (int)smtp_last_stage(session));
	cr_expect_eq(smtp_last_class(session), row->cls, "%s: %d", row->name,
	    (int)smtp_last_class(session));
	check_results(row, session);
	if (smtp_connected(session))
		cr_expect_eq(smtp_noop(session), SMTP_OK, "%s", row->name);
	library_scene_clear(&scene);
}

static void
check_rows(
    const struct row *rows, size_t count, const struct smtp_options *options)
{
	for (size_t i = 0; i < count; i++)
		check(&rows[i], options);
}

#define CHECK(rows) check_rows(rows, sizeof(rows) / sizeof(rows[0]), NULL)

/* ---- what the server says ---- */

/* Rows 41, 42, 43, 46. */
Test(mail, is_sent)
{
	static const struct row rows[] = {
	    {"one",
		START RCPT "a@y>"
			   "\n" OK DATA "S:250 2.0.0 x\n" NOOP,
		one, SMTP_OK, 250, SMTP_S_DOT, SMTP_C_OK, "O"},
	    {"251 and 252",
		START RCPT "\nS:251 ok\n" RCPT "\nS:252 ok\n" DATA OK NOOP, two,
		SMTP_OK, 250, SMTP_S_DOT, SMTP_C_OK, "OO"},
	    {"200",
		GREETING EHLO MAIL "\nS:200 ok\n" RCPT "\n" OK DATA
				   "S:259 ok\n" NOOP,
		one, SMTP_OK, 259, SMTP_S_DOT, SMTP_C_OK, "O"},
	    {"some refused",
		START RCPT "\nS:550 5.1.1 no\n" RCPT "\nS:450 4.2.1 no\n" RCPT
			   "\n" OK DATA OK NOOP,
		three, SMTP_OK, 250, SMTP_S_DOT, SMTP_C_OK, "PTO"},
	    {"552 behind an accepted one",
		START RCPT "\n" OK RCPT "\nS:552 too many\n" DATA OK MAIL
			   "\n" OK RCPT "b@y>\n" OK DATA OK NOOP,
		two, SMTP_OK, 250, SMTP_S_DOT, SMTP_C_OK, "OO"},
	};

	CHECK(rows);
}

/* Rows 41, 43, 45, 46, 47, 71. */
Test(mail, is_refused_and_the_session_stays_usable)
{
	static const struct row rows[] = {
	    {"MAIL", GREETING EHLO MAIL "\nS:550 5.7.1 no\n" RSET NOOP, one,
		SMTP_E_SENDER, 550, SMTP_S_MAIL, SMTP_C_PERM, "P"},
	    {"MAIL later", GREETING EHLO MAIL "\nS:451 no\n" RSET NOOP, two,
		SMTP_E_SENDER, 451, SMTP_S_MAIL, SMTP_C_TEMP, "TT"},
	    {"MAIL needs a login", GREETING EHLO MAIL "\nS:530 no\n" RSET NOOP,
		one, SMTP_E_SENDER, 530, SMTP_S_MAIL, SMTP_C_TEMP, "T"},
	    {"all RCPT", START RCPT "\nS:550 a\n" RCPT "\nS:450 b\n" RSET NOOP,
		two, SMTP_E_RECIPIENTS, 450, SMTP_S_RCPT, SMTP_C_TEMP, "PT"},
	    {"552 alone", START RCPT "\nS:552 full\n" RSET NOOP, one,
		SMTP_E_RECIPIENTS, 552, SMTP_S_RCPT, SMTP_C_PERM, "P"},
	    {"DATA", START RCPT "\n" OK "C:data\nS:554 no\n" RSET NOOP, one,
		SMTP_E_DATA, 554, SMTP_S_DATA, SMTP_C_PERM, "P"},
	    {"dot", START RCPT "\n" OK DATA "S:554 5.6.0 no\n" RSET NOOP, one,
		SMTP_E_DATA, 554, SMTP_S_DOT, SMTP_C_PERM, "P"},
	    {"dot later", START RCPT "\n" OK DATA "S:452 4.3.1 no\n" RSET NOOP,
		one, SMTP_E_DATA, 452, SMTP_S_DOT, SMTP_C_TEMP, "T"},
	};

	CHECK(rows);
}

/* Row 45. */
Test(mail, is_not_sent_where_the_server_did_not_forget_the_one_before)
{
	struct library_scene scene;

	library_scene_init(&scene,
	    START RCPT "\n" OK "C:data\nS:554 no\nC:rset\nS:502 no\n" QUIT,
	    NULL);
	cr_expect_eq(send_hi(scene.session, one), SMTP_E_DATA);
	cr_expect_eq(send_hi(scene.session, one), SMTP_E_RESPONSE);
	cr_expect_eq(smtp_last_stage(scene.session), SMTP_S_EHLO);
	cr_expect_eq(smtp_last_class(scene.session), SMTP_C_CONN);
	cr_expect_eq(smtp_quit(scene.session), SMTP_OK);
	library_scene_clear(&scene);
}

/* Rows 41, 42, 45. */
Test(mail, closes_where_421_says_so)
{
	static const struct row rows[] = {
	    {"MAIL", GREETING EHLO MAIL "\nS:421 no\n", one, SMTP_E_SENDER, 421,
		SMTP_S_MAIL, SMTP_C_TEMP, "T"},
	    {"RCPT", START RCPT "\n" OK RCPT "\nS:421 no\n", two,
		SMTP_E_RECIPIENTS, 421, SMTP_S_RCPT, SMTP_C_TEMP, "TT"},
	    {"DATA", START RCPT "\n" OK "C:data\nS:421 no\n", one, SMTP_E_DATA,
		421, SMTP_S_DATA, SMTP_C_TEMP, "T"},
	    {"dot", START RCPT "\n" OK DATA "S:421 no\n", one, SMTP_E_DATA, 421,
		SMTP_S_DOT, SMTP_C_TEMP, "T"},
	};

	CHECK(rows);
}

Test(mail, is_in_doubt_once_the_dot_was_sent)
{
	static const struct row row = {"dot", START RCPT "\n" OK DATA "X\n",
	    one, SMTP_E_DISCONNECTED, -1, SMTP_S_DOT, SMTP_C_TEMP, "T"};
	struct library_scene scene;

	check(&row, NULL);
	library_scene_init(&scene, row.script, NULL);
	cr_expect_eq(send_hi(scene.session, one), SMTP_E_DISCONNECTED);
	cr_expect_not_null(
	    strstr(smtp_last_errmsg(scene.session), "may have been delivered"));
	library_scene_clear(&scene);
}

Test(mail, believes_no_reply_that_came_too_early)
{
	static const struct row rows[] = {
	    {"the final one with 354",
		START RCPT "\n" OK "C:data\nR:354 go\\r\\n250 ok\\r\\n\nD\n",
		one, SMTP_E_PROTO, -1, SMTP_S_BODY, SMTP_C_TEMP, "T"},
	    {"250 to DATA", START RCPT "\n" OK "C:data\nS:250 ok\n", one,
		SMTP_E_PROTO, -1, SMTP_S_DATA, SMTP_C_TEMP, "T"},
	};

	CHECK(rows);
}

/* ---- what we say ---- */

/* Row 40. */
Test(mail, declares_its_size_and_8_bits_first)
{
	static const char *const options[] = {"RET=HDRS", "ENVID=1", NULL};
	static const char *const never[] = {"NOTIFY=NEVER", NULL};
	struct library_scene scene;

	library_scene_init(&scene,
	    GREETING EHLO_OF("S:250-SIZE 100\nS:250-8BITMIME\nS:250-DSN\n") MAIL
	    " size=5 BODY=8BITMIME RET=HDRS ENVID=1\r\n" OK RCPT
	    "a@y> NOTIFY=NEVER\r\n" OK DATA OK,
	    NULL);
	cr_expect_eq(smtp_sendmail(scene.session, "x@y", one, "\xe9\n\n", 3, 1,
			 options, never),
	    SMTP_OK, "%s", smtp_last_errmsg(scene.session));
	library_scene_clear(&scene);
}

/* Row 40. */
Test(mail, declares_what_it_was_told_once)
{
	static const char *const options[] = {
	    "body=8BITMIME", "size=99", "SMTPUTF8", NULL};
	struct library_scene scene;

	library_scene_init(&scene,
	    GREETING EHLO_OF("S:250-SIZE 100\nS:250-8BITMIME\nS:250-SMTPUTF8\n")
		MAIL " SMTPUTF8 body=8BITMIME size=99\r\n" OK RCPT
		     "\n" OK DATA OK,
	    NULL);
	cr_expect_eq(smtp_sendmail(scene.session, "x@y", one, "\xe9\n\n", 3, 1,
			 options, NULL),
	    SMTP_OK, "%s", smtp_last_errmsg(scene.session));
	library_scene_clear(&scene);
}

/* Row 0.4. */
Test(mail, never_sends_8_bits_undeclared)
{
	const struct smtp_options convert = {.convert_8bit = 1};
	static const char letter[] =
	    "MIME-Version: 1.0\nContent-Type: text/plain; charset=latin1\n"
	    "Content-Transfer-Encoding: 8bit\n\n\xe9\n";
	struct library_scene scene;

	library_scene_init(&scene, GREETING EHLO NOOP, NULL);
	cr_expect_eq(smtp_sendmail(scene.session, "x@y", one, letter,
			 strlen(letter), 1, NULL, NULL),
	    SMTP_E_NOTSUPP);
	cr_expect_eq(smtp_last_class(scene.session), SMTP_C_PERM);
	cr_expect_eq(smtp_noop(scene.session), SMTP_OK);
	library_scene_clear(&scene);

	library_scene_init(&scene, START RCPT "\n" OK DATA OK, &convert);
	cr_expect_eq(smtp_sendmail(scene.session, "x@y", one, letter,
			 strlen(letter), 1, NULL, NULL),
	    SMTP_OK, "%s", smtp_last_errmsg(scene.session));
	const char *heard = library_scene_heard(&scene);
	cr_expect_not_null(strstr(heard, "\r\n\r\n6Q0K\r\n.\r\n"), "%s", heard);
	library_scene_clear(&scene);
}

/* Row 44. */
Test(mail, is_refused_here_where_it_can_never_be_sent)
{
	static const char *const none[] = {NULL};
	static const char *const several[] = {"a@y, b@y", NULL};
	static const char *const lines[] = {"a@y\r\nDATA", NULL};
	static const char *const utf8[] = {"\xc3\xa9@y", NULL};
	static const struct {
		const char *const *to;
		int err;
	} rows[] = {
	    {none, SMTP_E_INVAL},
	    {NULL, SMTP_E_INVAL},
	    {several, SMTP_E_INVAL},
	    {lines, SMTP_E_INVAL},
	    {utf8, SMTP_E_ENCODING},
	};
	struct smtp *session = smtp_new(NULL);
	struct library_scene scene;

	cr_expect_eq(send_hi(session, none), SMTP_E_INVAL);
	smtp_free(session);
	library_scene_init(&scene, GREETING NOOP, NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(
		    send_hi(scene.session, rows[i].to), rows[i].err, "%zu", i);
	cr_expect_eq(smtp_noop(scene.session), SMTP_OK);
	library_scene_clear(&scene);
}

/* Row 50. */
Test(mail, fails_without_SMTPUTF8_where_it_needs_it)
{
	static const char *const utf8[] = {"SMTPUTF8", NULL};
	struct library_scene scene;

	library_scene_init(&scene, GREETING EHLO NOOP, NULL);
	cr_expect_eq(smtp_sendmail(scene.session, "\xc3\xa9@y", one, HI, 3, 1,
			 utf8, NULL),
	    SMTP_E_NOTSUPP);
	cr_expect_eq(smtp_noop(scene.session), SMTP_OK);
	library_scene_clear(&scene);
}

/* Row 33. */
Test(mail, follows_mail_in_one_session_and_pipelines)
{
	struct library_scene scene;

	library_scene_init(&scene,
	    GREETING EHLO_OF("S:250-PIPELINING\n") MAIL
	    "\n" RCPT "\n" RCPT "\nC:data\n" OK OK "S:550 no\n"
	    "S:354 go\nD\n" OK MAIL "\n" RCPT "\nC:data\n" OK OK
	    "S:354 go\nD\n" OK,
	    NULL);
	cr_expect_eq(send_hi(scene.session, two), SMTP_OK);
	cr_expect_eq(smtp_result_at(scene.session, 1)->code, 550);
	cr_expect_eq(send_hi(scene.session, one), SMTP_OK);
	library_scene_clear(&scene);
}

/* Row 33. */
Test(mail, goes_in_chunks_where_told)
{
	const struct smtp_options options = {.chunking = 1, .pipelining = -1};
	struct library_scene scene;

	library_scene_init(&scene,
	    GREETING EHLO_OF("S:250-CHUNKING\nS:250-PIPELINING\n") MAIL
	    "\n" OK RCPT "\n" OK "C:bdat 4 LAST\nB4\n" OK,
	    &options);
	cr_expect_eq(send_hi(scene.session, one), SMTP_OK);
	library_scene_clear(&scene);
}

/* ---- content out of a function ---- */

struct source {
	size_t left;
	bool fails;
};

static int64_t
read_lines(void *arg, void *buf, size_t cap)
{
	struct source *source = arg;
	const size_t len = source->left < cap ? source->left : cap;

	if (source->fails && len == 0)
		return -1;
	memset(buf, 'x', len);
	for (size_t i = 63; i < len; i += 64)
		((char *)buf)[i] = '\n';
	source->left -= len;
	return (int64_t)len;
}

/* Row 28. */
Test(mail, of_any_size_comes_out_of_a_function)
{
	struct source source = {.left = (size_t)8 * 1024 * 1024};
	struct library_scene scene;

	library_scene_init(&scene, START RCPT "\n" OK DATA OK, NULL);
	cr_expect_eq(smtp_sendmail_fn(scene.session, "x@y", one, read_lines,
			 &source, 0, 0, NULL, NULL),
	    SMTP_OK, "%s", smtp_last_errmsg(scene.session));
	(void)library_scene_heard(&scene);
	cr_expect(script_server_heard(scene.server) > 8 * 1024 * 1024);
	library_scene_clear(&scene);
}

/* Threats, I5: however fast the server takes the rest of it. */
Test(mail, believes_no_reply_before_the_content_is_over)
{
	static const char *const says[] = {"S:250 ok\n", "S:552 no\n"};
	char script[512];

	for (size_t i = 0; i < 2; i++) {
		struct source source = {.left = (size_t)16 * 1024 * 1024};
		struct library_scene scene;
		(void)snprintf(script, sizeof(script), "%s%s",
		    START RCPT "\n" OK "C:data\nS:354 go\nB65536\n", says[i]);
		library_scene_init(&scene, script, NULL);
		cr_expect_eq(smtp_sendmail_fn(scene.session, "x@y", one,
				 read_lines, &source, 0, 0, NULL, NULL),
		    SMTP_E_PROTO, "%s: %s", says[i],
		    smtp_last_errmsg(scene.session));
		cr_expect_eq(smtp_last_stage(scene.session), SMTP_S_BODY);
		cr_expect_not(smtp_connected(scene.session));
		library_scene_clear(&scene);
	}
}

Test(mail, is_not_ended_where_reading_fails)
{
	struct source source = {.left = 100, .fails = true};
	struct library_scene scene;

	library_scene_init(&scene, START RCPT "\n" OK DATA, NULL);
	cr_expect_eq(smtp_sendmail_fn(scene.session, "x@y", one, read_lines,
			 &source, 100, 0, NULL, NULL),
	    SMTP_E_OS);
	cr_expect_not(smtp_connected(scene.session));
	cr_expect_null(strstr(library_scene_heard(&scene), "\r\n.\r\n"));
	library_scene_clear(&scene);
}

/* ---- LMTP ---- */

#define LMTP  GREETING "C:lhlo \nS:250-x\nS:250 PIPELINING\n"
#define THREE MAIL "\n" RCPT "\n" RCPT "\n" RCPT "\nC:data\n" OK

/* Row 70. */
Test(lmtp, has_a_reply_for_each_recipient)
{
	static const struct row rows[] = {
	    {"all", LMTP THREE OK OK OK "S:354 go\nD\n" OK OK OK NOOP, three,
		SMTP_OK, 250, SMTP_S_DOT, SMTP_C_OK, "OOO"},
	    {"one refused before",
		LMTP THREE OK "S:550 no\n" OK
			      "S:354 go\nD\nS:452 full\nS:250 ok\n" NOOP,
		three, SMTP_OK, 250, SMTP_S_DOT, SMTP_C_OK, "TPO"},
	    {"the last one refused behind",
		LMTP THREE OK OK OK "S:354 go\nD\n" OK OK "S:550 c\n" NOOP,
		three, SMTP_OK, 250, SMTP_S_DOT, SMTP_C_OK, "OOP"},
	    {"all refused behind",
		LMTP THREE OK OK OK
		"S:354 go\nD\nS:452 a\nS:552 b\nS:550 c\n" RSET NOOP,
		three, SMTP_E_DATA, 550, SMTP_S_DOT, SMTP_C_PERM, "TPP"},
	    {"cut between", LMTP THREE OK OK OK "S:354 go\nD\nS:250 a\nX\n",
		three, SMTP_E_DISCONNECTED, -1, SMTP_S_DOT, SMTP_C_TEMP, "OTT"},
	};
	const struct smtp_options options = {.lmtp = 1};

	check_rows(rows, sizeof(rows) / sizeof(rows[0]), &options);
}

/* Row 70. */
Test(lmtp, has_them_by_hand_too)
{
	const struct smtp_options options = {.lmtp = 1};
	struct library_scene scene;

	library_scene_init(&scene,
	    GREETING "C:lhlo \nS:250 x\n" MAIL "\n" OK RCPT "\n" OK RCPT
		     "\nS:550 no\n" RCPT "\n" OK DATA "S:450 a\nS:250 b\n" NOOP,
	    &options);
	struct smtp *session = scene.session;
	cr_expect_eq(smtp_ehlo(session, NULL), SMTP_OK);
	cr_expect_eq(smtp_mail(session, "x@y", NULL), SMTP_OK);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(smtp_rcpt(session, three[i], NULL), SMTP_OK);
	cr_expect_eq(smtp_data(session, HI, 3, 1), SMTP_OK);
	cr_expect_eq(smtp_result_at(session, 0)->code, 450);
	cr_expect_eq(smtp_result_at(session, 1)->code, 550);
	cr_expect_eq(smtp_result_at(session, 2)->code, 250);
	cr_expect_eq(smtp_noop(session), SMTP_OK);
	library_scene_clear(&scene);
}

/* Who has heard nothing when the connection ends may have it or not. */
Test(lmtp, has_no_reply_for_those_behind_a_cut)
{
	const struct smtp_options options = {.lmtp = 1};
	struct library_scene scene;

	library_scene_init(&scene,
	    GREETING "C:lhlo \nS:250 x\n" MAIL "\n" OK RCPT "\n" OK RCPT
		     "\n" OK DATA "S:250 a\nX\n",
	    &options);
	struct smtp *session = scene.session;
	cr_expect_eq(smtp_ehlo(session, NULL), SMTP_OK);
	cr_expect_eq(smtp_mail(session, "x@y", NULL), SMTP_OK);
	for (int i = 0; i < 2; i++)
		cr_expect_eq(smtp_rcpt(session, three[i], NULL), SMTP_OK);
	cr_expect_eq(smtp_data(session, HI, 3, 1), SMTP_E_DISCONNECTED);
	cr_expect_eq(smtp_result_at(session, 0)->cls, SMTP_C_OK);
	cr_expect_eq(smtp_result_at(session, 0)->stage, SMTP_S_DOT);
	cr_expect_eq(smtp_result_at(session, 1)->cls, SMTP_C_TEMP);
	cr_expect_eq(smtp_result_at(session, 1)->stage, SMTP_S_DOT);
	library_scene_clear(&scene);
}

/* ---- the envelope out of the header ---- */

struct prepared {
	const char *message;
	int err;
	const char *from;
	const char *to; /* blanks between */
	bool is_international;
	const char *data; /* NULL: as message */
};

/* The header's lines end in CRLF then, the body's as they did. */
static void
write_sent(char *sent, const char *text)
{
	const char *end = strstr(text, "\n\n");

	for (; *text != '\0'; text++) {
		if (*text == '\n' && text[-1] != '\r' &&
		    (end == NULL || text <= end + 1))
			*sent++ = '\r';
		*sent++ = *text;
	}
	*sent = '\0';
}

static void
check_prepared(const struct prepared *row)
{
	char wanted[512];
	struct smtp_msg *msg = NULL;
	char to[256] = "";
	size_t len = 0;

	const int err =
	    smtp_prepare(row->message, strlen(row->message), NULL, NULL, &msg);
	cr_expect_eq(err, row->err, "%s", row->message);
	if (err != SMTP_OK)
		return;
	for (const char *const *p = smtp_msg_to(msg); *p != NULL; p++)
		(void)snprintf(to + strlen(to), sizeof(to) - strlen(to), "%s%s",
		    to[0] != '\0' ? " " : "", *p);
	cr_expect_str_eq(smtp_msg_from(msg), row->from, "%s", row->message);
	cr_expect_str_eq(to, row->to, "%s", row->message);
	cr_expect_eq(smtp_msg_international(msg), row->is_international);
	const char *data = smtp_msg_data(msg, &len);
	write_sent(wanted, row->data != NULL ? row->data : row->message);
	cr_expect(strlen(wanted) == len && memcmp(data, wanted, len) == 0,
	    "%s: %.*s", row->message, (int)len, data);
	smtp_msg_free(msg);
}

/* Rows 48, 51. */
Test(message, has_its_envelope_in_the_header)
{
	static const struct prepared rows[] = {
	    {"From: A <a@x>\nTo: b@y, C <c@y>\n\nhi\n", SMTP_OK, "a@x",
		"b@y c@y", false, NULL},
	    {"From: a@x, b@x\nSender: s@x\nTo: b@y\n\n", SMTP_OK, "s@x", "b@y",
		false, NULL},
	    {"From: a@x\nCc: c@y\nBcc: d@y\nTo: b@y\nTo: e@y\n\nBcc: x\n",
		SMTP_OK, "a@x", "b@y e@y d@y c@y", false,
		"From: a@x\nCc: c@y\nTo: b@y\nTo: e@y\n\nBcc: x\n"},
	    {"From: a@x\nTo: b@y\nResent-Date: now\nResent-From: r@x\n"
	     "Resent-To: q@y\nResent-Bcc: p@y,\n o@y\n\n",
		SMTP_OK, "r@x", "q@y p@y o@y", false,
		"From: a@x\nTo: b@y\nResent-Date: now\nResent-From: r@x\n"
		"Resent-To: q@y\n\n"},
	    {"From: a@x\nTo: b@y\nResent-Date: a\nResent-Date: b\n\n",
		SMTP_E_INVAL, NULL, NULL, false, NULL},
	    {"To: b@y\n\n", SMTP_E_INVAL, NULL, NULL, false, NULL},
	    {"From: \xc3\xa9@x\nTo: b@y\n\n", SMTP_OK, "\xc3\xa9@x", "b@y",
		true, NULL},
	    {"From: a@x\nTo: b@y\nSubject: \xc3\xa9\n\n", SMTP_OK, "a@x", "b@y",
		true, NULL},
	    {"From: a@x\nTo: b@y\n\n\xc3\xa9\n", SMTP_OK, "a@x", "b@y", false,
		NULL},
	    /* A CR alone ends a line on the wire: what it hides is seen. */
	    {"From: a@x\nTo: b@y\nX: 1\rBcc: c@y\nY: 2\n\nh\ri\n", SMTP_OK,
		"a@x", "b@y c@y", false,
		"From: a@x\nTo: b@y\nX: 1\nY: 2\n\nh\ri\n"},
	    {"From: a@x\r\nTo: b@y\rBcc: c@y\r\rBcc: body\n", SMTP_OK, "a@x",
		"b@y c@y", false, "From: a@x\nTo: b@y\n\nBcc: body\n"},
	    {"From: a@x\nTo: b@y\r", SMTP_OK, "a@x", "b@y", false,
		"From: a@x\nTo: b@y\n"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_prepared(&rows[i]);
}

/* Row 49. */
Test(message, takes_another_envelope)
{
	static const char text[] = "From: a@x\nTo: b@y\n\n";
	struct smtp_msg *msg = NULL;

	cr_assert_eq(
	    smtp_prepare(text, strlen(text), "z@x", two, &msg), SMTP_OK);
	cr_expect_str_eq(smtp_msg_from(msg), "z@x");
	cr_expect_str_eq(smtp_msg_to(msg)[1], "b@y");
	smtp_msg_free(msg);
}

/* Row 50. */
Test(message, is_sent_as_what_it_is)
{
	static const char text[] =
	    "From: \xc3\xa9@x\nTo: a@y\nBcc: b@y\n\nhi\n";
	struct smtp_msg *msg = NULL;
	struct library_scene scene;

	cr_assert_eq(
	    smtp_prepare(text, strlen(text), NULL, NULL, &msg), SMTP_OK);
	library_scene_init(&scene,
	    GREETING EHLO_OF(
		"S:250-SMTPUTF8\nS:250-8BITMIME\n") "C:mail from:<\xc3\xa9@x> "
						    "SMTPUTF8 "
						    "BODY=8BITMIME\n" OK RCPT
						    "a@y>\n" OK RCPT
						    "b@y>\n" OK DATA OK,
	    NULL);
	cr_expect_eq(
	    smtp_send_message(scene.session, msg, NULL, NULL), SMTP_OK);
	cr_expect_null(strstr(library_scene_heard(&scene), "Bcc"));
	library_scene_clear(&scene);

	library_scene_init(&scene, GREETING EHLO, NULL);
	cr_expect_eq(
	    smtp_send_message(scene.session, msg, NULL, NULL), SMTP_E_NOTSUPP);
	library_scene_clear(&scene);
	smtp_msg_free(msg);
}

/* RFC 6531 and row 50: domains have a form in ASCII, so that SMTPUTF8 can be
 * done without; local parts and headers have none. */
Test(message, goes_without_SMTPUTF8_where_only_domains_need_it)
{
	static const char text[] = "Subject: x\n\nhi\n";
	static const char *const to[] = {"a@b\xc3\xbc"
					 "cher.example",
	    NULL};
	static const char *const local[] = {"\xc3\xa9@y", NULL};
	static const struct {
		const char *script;
		const char *const *to;
		int err;
	} rows[] = {
	    {GREETING EHLO MAIL "\r\n" OK RCPT
				"a@xn--bcher-kva.example>\r\n" OK DATA OK,
		to, SMTP_OK},
	    {GREETING EHLO_OF("S:250-SMTPUTF8\nS:250-8BITMIME\n") MAIL
		" SMTPUTF8 BODY=8BITMIME\r\n" OK RCPT "a@b\xc3\xbc"
		"cher.example>\r\n" OK DATA OK,
		to, SMTP_OK},
	    {GREETING EHLO, local, SMTP_E_NOTSUPP},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct smtp_msg *msg = NULL;
		struct library_scene scene;
		cr_assert_eq(
		    smtp_prepare(text, strlen(text), "x@y", rows[i].to, &msg),
		    SMTP_OK);
		cr_expect(smtp_msg_international(msg));
		library_scene_init(&scene, rows[i].script, NULL);
		cr_expect_eq(smtp_send_message(scene.session, msg, NULL, NULL),
		    rows[i].err, "%zu: %s", i, smtp_last_errmsg(scene.session));
		if (rows[i].err != SMTP_OK)
			cr_expect_str_eq(smtp_last_enh(scene.session), "5.6.7");
		library_scene_clear(&scene);
		smtp_msg_free(msg);
	}
}

/* The same of plain addresses. */
Test(mail, writes_domains_in_their_ascii_form)
{
	static const char *const to[] = {"a@b\xc3\xbc"
					 "cher.example",
	    NULL};
	struct library_scene scene;

	library_scene_init(
	    &scene, START RCPT "a@xn--bcher-kva.example>\r\n" OK DATA OK, NULL);
	cr_expect_eq(send_hi(scene.session, to), SMTP_OK);
	cr_expect_str_eq(smtp_result_at(scene.session, 0)->addr, to[0]);
	library_scene_clear(&scene);
}
