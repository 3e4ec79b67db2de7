/* Single commands, as smtplib has them and better. */
#include "lib/library_scene.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- EHLO, HELO ---- */

/* Rows 16, 20, 22, 24. */
Test(commands, knows_what_EHLO_said)
{
	struct library_scene scene;

	library_scene_init(&scene,
	    GREETING EHLO_OF("S:250-SIZE 1000\nS:250-AUTH PLAIN\n"
			     "S:250-auth LOGIN\nS:250-DSN\nS:250-DSN again\n"
			     "S:250--junk\nS:250-X-Y z \n") "C:ehlo "
							    "other\nS:250 x\n",
	    NULL);
	struct smtp *session = scene.session;
	cr_expect_eq(smtp_ehlo(session, NULL), SMTP_OK);
	cr_expect(smtp_does_esmtp(session));
	cr_expect(smtp_has_extn(session, "Size"));
	cr_expect_str_eq(smtp_extn(session, "size"), "1000");
	cr_expect_str_eq(smtp_extn(session, "AUTH"), "PLAIN LOGIN");
	cr_expect_str_eq(smtp_extn(session, "dsn"), "again");
	cr_expect_str_eq(smtp_extn(session, "x-y"), "z");
	cr_expect_null(smtp_extn(session, "mx.example"));
	cr_expect_str_eq(smtp_extn_at(session, 0), "size");
	cr_expect_null(smtp_extn_at(session, 5));
	cr_expect_not_null(strstr(smtp_ehlo_resp(session), "mx.example\n"));
	cr_expect_null(smtp_helo_resp(session));
	cr_expect_eq(smtp_ehlo(session, "other"), SMTP_OK);
	cr_expect_not(smtp_has_extn(session, "size"));
	library_scene_clear(&scene);
}

/* Row 21. */
Test(commands, tells_a_refused_EHLO)
{
	struct library_scene scene;

	library_scene_init(&scene,
	    GREETING "C:ehlo \nS:502 what\nC:helo me\nS:250 hi\n", NULL);
	cr_expect_eq(smtp_ehlo(scene.session, NULL), SMTP_OK);
	cr_expect_eq(smtp_last_code(scene.session), 502);
	cr_expect_not(smtp_does_esmtp(scene.session));
	cr_expect_eq(smtp_helo(scene.session, "me"), SMTP_OK);
	cr_expect_str_eq(smtp_helo_resp(scene.session), "hi");
	library_scene_clear(&scene);
}

/* Row 20. */
Test(commands, refuses_a_name_that_no_line_could_hold)
{
	struct library_scene scene;
	char name[70000];

	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	cr_expect_null(
	    smtp_new(&(struct smtp_options){.local_hostname = name}));
	library_scene_init(&scene, GREETING EHLO, NULL);
	cr_expect_eq(smtp_ehlo(scene.session, name), SMTP_E_INVAL);
	cr_expect_eq(smtp_helo(scene.session, name), SMTP_E_INVAL);
	name[255] = '\0';
	cr_expect_eq(smtp_ehlo(scene.session, name), SMTP_OK);
	library_scene_clear(&scene);
}

Test(commands, is_disconnected_where_the_server_closes_at_EHLO)
{
	struct library_scene scene;

	library_scene_init(&scene, GREETING "C:ehlo \nX\n", NULL);
	cr_expect_eq(smtp_ehlo(scene.session, NULL), SMTP_E_DISCONNECTED);
	cr_expect_not(smtp_connected(scene.session));
	library_scene_clear(&scene);
}

/* Row 23. */
Test(commands, greets_where_need_be)
{
	static const struct {
		const char *script;
		int err;
		int code;
	} rows[] = {
	    {EHLO, SMTP_OK, 250},
	    {"C:ehlo \nS:500 what\nC:helo \nS:250 hi\n", SMTP_OK, 250},
	    {"C:ehlo \nS:550 no\nC:helo \nS:250 hi\n", SMTP_OK, 250},
	    {"C:ehlo \nS:500 what\nC:helo \nS:550 no\n", SMTP_E_HELO, 550},
	    {"C:ehlo \nS:421 later\nX\n", SMTP_E_HELO, 421},
	};
	char script[256];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct library_scene scene;
		(void)snprintf(script, sizeof(script), "%s%s%s", GREETING,
		    rows[i].script,
		    rows[i].err == SMTP_OK ? "C:noop\nS:250 ok\n" : "");
		library_scene_init(&scene, script, NULL);
		const int err = smtp_ehlo_or_helo(scene.session);
		cr_expect_eq(err, rows[i].err, "%zu: %d", i, err);
		cr_expect_eq(smtp_last_code(scene.session), rows[i].code);
		if (err == SMTP_OK) {
			cr_expect_eq(smtp_ehlo_or_helo(scene.session), SMTP_OK);
			cr_expect_eq(smtp_noop(scene.session), SMTP_OK);
		}
		library_scene_clear(&scene);
	}
}

/* ---- plain commands ---- */

/* Rows 25, 29, 30, 33. */
Test(commands, are_said_as_smtplib_says_them)
{
	struct library_scene scene;

	library_scene_init(&scene,
	    GREETING "C:help\r\nS:214 all\nC:help rcpt\r\nS:214 that\n"
		     "C:noop\r\nS:250 ok\nC:rset\r\nS:250 ok\n"
		     "C:vrfy a@y\r\nS:252 maybe\nC:expn list\r\nS:550 no\n"
		     "C:etrn @x.example\r\nS:250 started\n"
		     "C:ETRN rnd.example\r\nS:459 no\nC:XYZ\r\nS:500 what\n",
	    NULL);
	struct smtp *session = scene.session;
	cr_expect_eq(smtp_help(session, NULL), SMTP_OK);
	cr_expect_str_eq(smtp_last_text(session, NULL), "all");
	cr_expect_eq(smtp_help(session, "rcpt"), SMTP_OK);
	cr_expect_eq(smtp_noop(session), SMTP_OK);
	cr_expect_eq(smtp_rset(session), SMTP_OK);
	cr_expect_eq(smtp_last_stage(session), SMTP_S_RSET);
	cr_expect_eq(smtp_vrfy(session, "A <a@y>"), SMTP_OK);
	cr_expect_eq(smtp_last_code(session), 252);
	cr_expect_eq(smtp_expn(session, "list"), SMTP_OK);
	cr_expect_eq(smtp_last_class(session), SMTP_C_PERM);
	cr_expect_eq(smtp_etrn(session, "@x.example"), SMTP_OK);
	cr_expect_eq(smtp_docmd(session, "ETRN", "rnd.example"), SMTP_OK);
	cr_expect_eq(smtp_last_class(session), SMTP_C_TEMP);
	cr_expect_eq(smtp_docmd(session, "XYZ", NULL), SMTP_OK);
	cr_expect_eq(smtp_last_code(session), 500);
	library_scene_clear(&scene);
}

Test(commands, can_be_sent_in_one_go_and_their_replies_fetched)
{
	struct library_scene scene;

	library_scene_init(&scene,
	    GREETING "C:noop one\r\nC:noop two\r\nC:noop three\r\n"
		     "S:250 one\nS:250 two\nS:250 three\n",
	    NULL);
	struct smtp *session = scene.session;
	cr_expect_eq(smtp_putcmd(session, "noop", "one"), SMTP_OK);
	cr_expect_eq(smtp_send(session, "noop two\r\n", 10), SMTP_OK);
	cr_expect_eq(smtp_putcmd(session, "noop three", NULL), SMTP_OK);
	cr_expect_eq(smtp_getreply(session), SMTP_OK);
	cr_expect_str_eq(smtp_last_text(session, NULL), "one");
	cr_expect_eq(smtp_getreply(session), SMTP_OK);
	cr_expect_str_eq(smtp_last_text(session, NULL), "two");
	cr_expect_eq(smtp_getreply(session), SMTP_OK);
	cr_expect_str_eq(smtp_last_text(session, NULL), "three");
	library_scene_clear(&scene);
}

/* Row 11. */
Test(commands, hold_no_line_ends)
{
	struct library_scene scene;

	library_scene_init(&scene, GREETING "C:noop\r\nS:250 ok\n", NULL);
	struct smtp *session = scene.session;
	cr_expect_eq(smtp_putcmd(session, "noop\nquit", NULL), SMTP_E_INVAL);
	cr_expect_str_eq(smtp_last_errmsg(session),
	    "command and arguments contain prohibited newline characters: "
	    "noop\\nquit");
	cr_expect_eq(smtp_docmd(session, "noop", "a\r"), SMTP_E_INVAL);
	cr_expect_eq(smtp_mail(session, "a\r\nDATA@x", NULL), SMTP_E_INVAL);
	cr_expect_eq(smtp_rcpt(session, "a@x>\nDATA", NULL), SMTP_E_INVAL);
	cr_expect_eq(smtp_ehlo(session, "a\nb"), SMTP_E_INVAL);
	cr_expect_eq(smtp_vrfy(session, "a\nb"), SMTP_E_INVAL);
	cr_expect_eq(smtp_noop(session), SMTP_OK);
	library_scene_clear(&scene);
}

/* Row 12. */
Test(commands, are_ASCII_until_SMTPUTF8_was_said)
{
	static const char *const utf8[] = {"SMTPUTF8", NULL};
	struct library_scene scene;

	library_scene_init(&scene,
	    GREETING EHLO_OF("S:250-SMTPUTF8\n") "C:mail from:<\xc3\xa9@x> "
						 "SMTPUTF8\r\nS:250 ok\n"
						 "C:rset\nS:250 ok\n",
	    NULL);
	struct smtp *session = scene.session;
	cr_expect_eq(smtp_docmd(session, "noop", "\xc3\xa9"), SMTP_E_ENCODING);
	cr_expect_eq(smtp_ehlo(session, NULL), SMTP_OK);
	cr_expect_eq(smtp_mail(session, "\xc3\xa9@x", NULL), SMTP_E_ENCODING);
	cr_expect_eq(smtp_mail(session, "\xc3\xa9@x", utf8), SMTP_OK);
	cr_expect_eq(smtp_rset(session), SMTP_OK);
	cr_expect_eq(smtp_docmd(session, "noop", "\xc3\xa9"), SMTP_E_ENCODING);
	library_scene_clear(&scene);
}

/* Row 0.1. */
Test(commands, write_verbs_as_told)
{
	static const struct {
		enum smtp_case verbs;
		const char *script;
	} rows[] = {
	    {SMTP_VERB_LOWER,
		GREETING "C:ehlo \nS:250 x\nC:mail from:<a@x>\nS:250 x\n"},
	    {SMTP_VERB_SEED,
		GREETING "C:ehlo \nS:250 x\nC:mail FROM:<a@x>\nS:250 x\n"},
	    {SMTP_VERB_UPPER,
		GREETING "C:EHLO \nS:250 x\nC:MAIL FROM:<a@x>\nS:250 x\n"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct smtp_options options = {.verbs = rows[i].verbs};
		struct library_scene scene;
		library_scene_init(&scene, rows[i].script, &options);
		cr_expect_eq(smtp_ehlo(scene.session, NULL), SMTP_OK);
		cr_expect_eq(smtp_mail(scene.session, "a@x", NULL), SMTP_OK);
		library_scene_clear(&scene);
	}
}

/* ---- MAIL, RCPT, DATA by hand ---- */

#define BODY8 "C:mail from:<a@x> BODY=8BITMIME SIZE=3\r\nS:250 ok\n"

/* Row 27. */
Test(commands, send_a_mail_by_hand)
{
	static const char *const options[] = {"BODY=8BITMIME", "SIZE=3", NULL};
	static const char *const never[] = {"NOTIFY=NEVER", NULL};
	struct library_scene scene;

	library_scene_init(&scene,
	    GREETING EHLO_OF("S:250-SIZE\n") BODY8
	    "C:rcpt to:<a@y> NOTIFY=NEVER\r\nS:251 ok\n"
	    "C:rcpt to:<b@y>\r\nS:550 5.1.1 no\n"
	    "C:data\r\nS:354 go\nD\nS:250 2.0.0 ok\n",
	    NULL);
	struct smtp *session = scene.session;
	cr_expect_eq(smtp_ehlo(session, NULL), SMTP_OK);
	cr_expect_eq(smtp_mail(session, "A <a@x>", options), SMTP_OK);
	cr_expect_eq(smtp_last_stage(session), SMTP_S_MAIL);
	cr_expect_eq(smtp_rcpt(session, "<a@y>", never), SMTP_OK);
	cr_expect_eq(smtp_rcpt(session, "b@y", NULL), SMTP_OK);
	cr_expect_eq(smtp_last_stage(session), SMTP_S_RCPT);
	cr_expect_eq(smtp_data(session, ".\n..\nx", 6, 1), SMTP_OK);
	cr_expect_eq(smtp_last_stage(session), SMTP_S_DOT);
	cr_expect_eq(smtp_nresults(session), 2);
	cr_expect_eq(smtp_result_at(session, 0)->code, 251);
	cr_expect_str_eq(smtp_result_at(session, 1)->enh, "5.1.1");
	cr_expect_eq(smtp_result_at(session, 1)->cls, SMTP_C_PERM);
	cr_expect_null(smtp_result_at(session, 2));
	cr_expect_not_null(strstr(
	    library_scene_heard(&scene), "data\r\n..\r\n...\r\nx\r\n.\r\n"));
	library_scene_clear(&scene);
}

/* Row 26. */
Test(commands, leave_options_out_where_there_was_no_EHLO)
{
	static const char *const options[] = {"BODY=8BITMIME", NULL};
	struct library_scene scene;

	library_scene_init(&scene,
	    GREETING "C:helo \nS:250 hi\nC:mail from:<a@x>\r\nS:250 ok\n"
		     "C:rcpt to:<a@y>\r\nS:250 ok\n",
	    NULL);
	cr_expect_eq(smtp_helo(scene.session, NULL), SMTP_OK);
	cr_expect_eq(smtp_mail(scene.session, "a@x", options), SMTP_OK);
	cr_expect_eq(smtp_rcpt(scene.session, "a@y", options), SMTP_OK);
	library_scene_clear(&scene);
}

/* Row 26. */
Test(commands, refuse_SMTPUTF8_where_it_is_not_offered)
{
	static const char *const options[] = {"smtputf8", NULL};
	struct library_scene scene;

	library_scene_init(&scene, GREETING EHLO, NULL);
	cr_expect_eq(smtp_ehlo(scene.session, NULL), SMTP_OK);
	cr_expect_eq(smtp_mail(scene.session, "a@x", options), SMTP_E_NOTSUPP);
	library_scene_clear(&scene);
}

/* Row 28. */
Test(commands, tell_a_refused_DATA)
{
	struct library_scene scene;

	library_scene_init(
	    &scene, GREETING "C:data\nS:503 no\nC:data\nS:250 odd\n", NULL);
	cr_expect_eq(smtp_data(scene.session, "x", 1, 1), SMTP_E_DATA);
	cr_expect_eq(smtp_last_code(scene.session), 503);
	cr_expect(smtp_connected(scene.session));
	cr_expect_eq(smtp_data(scene.session, "x", 1, 1), SMTP_E_DATA);
	library_scene_clear(&scene);
}

/* Rows 0.3, 28. */
Test(commands, leave_line_ends_where_told)
{
	const struct smtp_options raw = {.raw_eol = 1};
	struct library_scene scene;

	library_scene_init(&scene,
	    GREETING "C:data\nS:354 go\nD\nS:250 ok\n"
		     "C:data\nS:354 go\nD\nS:250 ok\n",
	    &raw);
	cr_expect_eq(smtp_data(scene.session, "a\n.b", 4, 0), SMTP_OK);
	cr_expect_eq(smtp_data(scene.session, "a\n.b", 4, 1), SMTP_OK);
	cr_expect_str_eq(library_scene_heard(&scene),
	    "data\r\na\n..b\r\n.\r\ndata\r\na\r\n..b\r\n.\r\n");
	library_scene_clear(&scene);
}

/* ---- the session is told to close, or out of step ---- */

Test(commands, lose_a_session_that_is_told_to_close)
{
	struct library_scene scene;

	library_scene_init(&scene, GREETING "C:noop\nS:421 4.3.2 bye\n", NULL);
	cr_expect_eq(smtp_noop(scene.session), SMTP_OK);
	cr_expect_eq(smtp_last_code(scene.session), 421);
	cr_expect_eq(smtp_last_class(scene.session), SMTP_C_TEMP);
	cr_expect_not(smtp_connected(scene.session));
	library_scene_clear(&scene);
}

Test(commands, detect_replies_that_nobody_asked_for)
{
	struct library_scene scene;

	library_scene_init(
	    &scene, GREETING "C:noop\nR:250 ok\\r\\n250 more\\r\\n\n", NULL);
	cr_expect_eq(smtp_noop(scene.session), SMTP_OK);
	cr_expect_eq(smtp_noop(scene.session), SMTP_E_PROTO);
	cr_expect_not(smtp_connected(scene.session));
	library_scene_clear(&scene);
}

/* The same where it came between two calls: what is said next is not what it
 * answers. */
Test(commands, detect_replies_that_came_since_the_last_call)
{
	struct smtp *session = smtp_new(NULL);
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	cr_assert_eq(write(ends[1], "220 hi\r\n", 8), 8);
	cr_assert_eq(smtp_attach_fd(session, ends[0]), SMTP_OK);
	cr_assert_eq(write(ends[1], "250 stale\r\n", 11), 11);
	cr_expect_eq(smtp_mail(session, "a@b", NULL), SMTP_E_PROTO);
	cr_expect_neq(smtp_last_code(session), 250);
	cr_expect_not(smtp_connected(session));
	smtp_free(session);
	close(ends[1]);
}

Test(commands, say_why_a_line_cannot_be_said)
{
	struct library_scene scene;
	static char line[70000];

	memset(line, 'x', sizeof(line) - 1);
	library_scene_init(&scene, GREETING, NULL);
	cr_expect_eq(smtp_putcmd(scene.session, line, NULL), SMTP_E_INVAL);
	cr_expect_str_eq(
	    smtp_last_errmsg(scene.session), "the line is too long");
	library_scene_clear(&scene);
}

/* ---- helpers ---- */

/* Row 31. */
Test(helpers, quote_addresses)
{
	static const struct {
		const char *address, *quoted, *bare;
	} rows[] = {
	    {"a@b", "<a@b>", "a@b"},
	    {"<a@b>", "<a@b>", "a@b"},
	    {"A B <a@b>", "<a@b>", "a@b"},
	    {"\"A, B\" <a@b>", "<a@b>", "a@b"},
	    {"a@b (comment)", "<a@b>", "a@b"},
	    {"", "<>", ""},
	    {"<>", "<>", ""},
	    {"postmaster", "<postmaster>", "postmaster"},
	    /* Nothing may stand behind the path by way of the address. */
	    {"a@b> SIZE=1", "<a@b>", "a@b"},
	    {"a@b> NOTIFY=NEVER X=<", "<a@b>", "a@b"},
	    {"a@b>\tX=<c@d", "<a@b>", "a@b"},
	    {"a@b>", "<a@b>", "a@b"},
	    {"<a@b", "<a@b>", "a@b"},
	    {"A <a@b", "<a@b>", "a@b"},
	    {"<a@b> X=1", "<a@b>", "a@b"},
	    {">a@b", "<a@b>", "a@b"},
	    {"\"a>b\"@c", "<\"a>b\"@c>", "\"a>b\"@c"},
	    {"\"a\\\">b\"@c> X", "<\"a\\\">b\"@c>", "\"a\\\">b\"@c"},
	    {"\"a@b> X=1", "<\"a@b>", "\"a@b"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *quoted = smtp_quoteaddr(rows[i].address);
		char *bare = smtp_addr_only(rows[i].address);
		cr_expect_str_eq(quoted, rows[i].quoted, "%s", quoted);
		cr_expect_str_eq(bare, rows[i].bare, "%s", bare);
		smtp_free_str(quoted);
		smtp_free_str(bare);
	}
	cr_expect_null(smtp_quoteaddr("a@b, c@d"));
}

/* Row 32. */
Test(helpers, quote_content)
{
	size_t len = 0;
	char *quoted = smtp_quotedata(".a\n..\rb", 7, &len);

	cr_expect_str_eq(quoted, "..a\r\n...\r\nb");
	cr_expect_eq(len, strlen(quoted));
	smtp_free_str(quoted);
}

/* Row 6. */
Test(helpers, know_the_own_name)
{
	char *name = smtp_default_hostname();

	cr_expect(name[0] == '[' || strchr(name, '.') != NULL, "%s", name);
	smtp_free_str(name);
}

/* Row 65. */
Test(helpers, respond_to_challenges)
{
	static const struct {
		const char *mech, *challenge, *response;
		size_t len;
	} rows[] = {
	    {"PLAIN", NULL, "\0u\0p", 4},
	    {"LOGIN", "Username:", "u", 1},
	    {"LOGIN", "Password:", "p", 1},
	    {"CRAM-MD5", "<1.2@x>", "u 55c36a5b94e3fcc97af1f8a0eba4ac1d", 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *challenge = rows[i].challenge;
		char *response = NULL;
		size_t len = 0;
		cr_assert_eq(
		    smtp_mech_response(rows[i].mech, "u", "p", challenge,
			challenge != NULL ? strlen(challenge) : 0, &response,
			&len),
		    SMTP_OK, "%zu", i);
		if (rows[i].len > 0)
			cr_expect(len == rows[i].len &&
				memcmp(response, rows[i].response, len) == 0,
			    "%zu", i);
		else
			cr_expect_eq(
			    len, strlen(rows[i].response), "%s", response);
		smtp_free_str(response);
	}
}

/* Row 71. */
Test(helpers, name_every_error)
{
	for (int err = SMTP_OK; err >= SMTP_E_NOMEM; err--)
		cr_expect(strlen(smtp_strerror(err)) > 0);
	cr_expect_str_eq(smtp_strerror(1), "unknown error");
	cr_expect_str_eq(smtp_strerror(-99), "unknown error");
}
