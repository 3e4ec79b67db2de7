/* Parameters of MAIL and RCPT: typed, checked, and said only where offered
 * (rows 26, 27 and 40; RFC 2852, 3461, 4865, 6710, 8689). */
#include "lib/library_scene.h"

#include <stdio.h>

static const char *const one[] = {"a@y", NULL};

#define HI   "Hi\n"
#define OK   "S:250 ok\n"
#define NOOP "C:noop\nS:250 ok\n"
#define SENT OK "C:rcpt to:<a@y>\r\n" OK "C:data\nS:354 go\nD\n" OK
#define TO_A OK "C:rcpt to:<a@y>"
#define MAIL "C:mail from:<x@y>"

/* ---- put together ---- */

/* Row 33. */
Test(param, is_put_together)
{
	struct {
		char *made;
		const char *text;
	} rows[] = {
	    {smtp_param_by(120, 'R', 0), "BY=120;R"},
	    {smtp_param_by(-5, 'N', 1), "BY=-5;NT"},
	    {smtp_param_by(0, 'R', 0), NULL},
	    {smtp_param_by(1, 'r', 0), NULL},
	    {smtp_param_by(1000000000, 'N', 0), NULL},
	    {smtp_param_holdfor(86400), "HOLDFOR=86400"},
	    {smtp_param_holdfor(0), NULL},
	    {smtp_param_holdfor(1000000000), NULL},
	    {smtp_param_holduntil(0), "HOLDUNTIL=1970-01-01T00:00:00Z"},
	    {smtp_param_holduntil(1795413120),
		"HOLDUNTIL=2026-11-23T05:52:00Z"},
	    {smtp_param_holduntil(-1), NULL},
	    {smtp_param_holduntil(INT64_MAX), NULL},
	    {smtp_param_priority(-9), "MT-PRIORITY=-9"},
	    {smtp_param_priority(10), NULL},
	    {smtp_param_envid("a+b=c d"), "ENVID=a+2Bb+3Dc+20d"},
	    {smtp_param_envid(""), NULL},
	    {smtp_param_envid("a\nb"), NULL},
	    {smtp_param_envid("\xc3\xa9"), NULL},
	    {smtp_param_orcpt("A <a+b@y>"), "ORCPT=rfc822;a+2Bb@y"},
	    {smtp_param_orcpt("a@y, b@y"), NULL},
	    {smtp_param_notify(0), "NOTIFY=NEVER"},
	    {smtp_param_notify(SMTP_NOTIFY_DELAY | SMTP_NOTIFY_FAILURE),
		"NOTIFY=FAILURE,DELAY"},
	    {smtp_param_notify(8), NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].text == NULL)
			cr_expect_null(rows[i].made, "%zu", i);
		else
			cr_expect_str_eq(rows[i].made, rows[i].text);
		smtp_free_str(rows[i].made);
	}
}

Test(param, of_ENVID_has_a_limit)
{
	char id[102];

	memset(id, 'x', sizeof(id));
	id[101] = '\0';
	cr_expect_null(smtp_param_envid(id));
	id[100] = '\0';
	char *made = smtp_param_envid(id);
	cr_expect_not_null(made);
	smtp_free_str(made);
}

/* ---- checked ---- */

struct row {
	const char *option;
	bool is_rcpt;
	const char *script; /* behind the greeting */
	int err;
	int code;
	const char *enhanced;
};

static void
check(const struct row *row)
{
	const char *const options[] = {row->option, NULL};
	struct library_scene scene;
	char script[2048];

	(void)snprintf(script, sizeof(script), GREETING "%s" NOOP, row->script);
	library_scene_init(&scene, script, NULL);
	struct smtp *session = scene.session;
	cr_expect_eq(
	    smtp_sendmail(session, "x@y", one, HI, 3, 1,
		row->is_rcpt ? NULL : options, row->is_rcpt ? options : NULL),
	    row->err, "%s: %s", row->option, smtp_last_errmsg(session));
	cr_expect_eq(smtp_last_code(session), row->code, "%s: %d", row->option,
	    smtp_last_code(session));
	cr_expect_str_eq(smtp_last_enh(session), row->enhanced);
	if (row->err != SMTP_OK) {
		const struct smtp_result *result = smtp_result_at(session, 0);
		cr_expect_eq(smtp_last_class(session), SMTP_C_PERM);
		cr_expect_neq(smtp_last_errmsg(session)[0], '\0');
		if (result != NULL)
			cr_expect_eq(result->cls, SMTP_C_PERM);
	}
	cr_expect_eq(smtp_noop(session), SMTP_OK, "%s", row->option);
	library_scene_clear(&scene);
}

static void
check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check(&rows[i]);
}

#define CHECK(rows) check_rows(rows, sizeof(rows) / sizeof(rows[0]))

Test(param, that_is_wrong_is_not_even_asked_for)
{
	static const struct row rows[] = {
	    {"BY=0;R", false, "", SMTP_E_INVAL, -1, ""},
	    {"BY=120", false, "", SMTP_E_INVAL, -1, ""},
	    {"HOLDFOR=1 HOLDUNTIL=2026-12-24T18:00:00Z", false, "",
		SMTP_E_INVAL, -1, ""},
	    {"HOLDUNTIL=soon", false, "", SMTP_E_INVAL, -1, ""},
	    {"MT-PRIORITY=11", false, "", SMTP_E_INVAL, -1, ""},
	    {"RET=SOME", false, "", SMTP_E_INVAL, -1, ""},
	    {"REQUIRETLS=1", false, "", SMTP_E_INVAL, -1, ""},
	    {"NOTIFY=NEVER,DELAY", true, "", SMTP_E_INVAL, -1, ""},
	    {"ORCPT=a@b", true, "", SMTP_E_INVAL, -1, ""},
	    {"X=1\r\nDATA", false, "", SMTP_E_INVAL, -1, ""},
	    {"X=1\nDATA", true, "", SMTP_E_INVAL, -1, ""},
	};

	CHECK(rows);
}

Test(param, is_said_where_it_is_offered)
{
	static const struct row rows[] = {
	    {"BY=120;R", false,
		EHLO_OF("S:250-DELIVERBY 60\n") MAIL " BY=120;R\r\n" SENT,
		SMTP_OK, 250, ""},
	    {"by=1;N", false,
		EHLO_OF("S:250-DELIVERBY 60\n") MAIL " by=1;N\r\n" SENT,
		SMTP_OK, 250, ""},
	    {"HOLDFOR=60", false,
		EHLO_OF("S:250-FUTURERELEASE 60 2030-01-01T00:00:00Z\n") MAIL
		" HOLDFOR=60\r\n" SENT,
		SMTP_OK, 250, ""},
	    {"HOLDUNTIL=2030-01-01T01:00:00+01:00", false,
		EHLO_OF("S:250-FUTURERELEASE 60 2030-01-01T00:00:00Z\n") MAIL
		" HOLDUNTIL=2030-01-01T01:00:00+01:00\r\n" SENT,
		SMTP_OK, 250, ""},
	    {"MT-PRIORITY=-3", false,
		EHLO_OF("S:250-MT-PRIORITY MIXER\n") MAIL
		" MT-PRIORITY=-3\r\n" SENT,
		SMTP_OK, 250, ""},
	    {"RET=FULL ENVID=1", false,
		EHLO_OF("S:250-DSN\n") MAIL " RET=FULL ENVID=1\r\n" SENT,
		SMTP_OK, 250, ""},
	    {"ORCPT=rfc822;b@y", true,
		EHLO_OF("S:250-DSN\n") MAIL "\r\n" TO_A
					    " ORCPT=rfc822;b@y\r\n" OK
					    "C:data\nS:354 go\nD\n" OK,
		SMTP_OK, 250, ""},
	    {"XFOO=1", false, EHLO MAIL " XFOO=1\r\n" SENT, SMTP_OK, 250, ""},
	};

	CHECK(rows);
}

Test(param, is_reported_where_it_cannot_be_honoured)
{
	static const struct row rows[] = {
	    {"BY=120;R", false, EHLO, SMTP_E_NOTSUPP, 555, "5.5.4"},
	    {"BY=120;R", false, EHLO_OF("S:250-DELIVERBY 121\n"),
		SMTP_E_NOTSUPP, 555, "5.4.7"},
	    {"HOLDFOR=60", false, EHLO, SMTP_E_NOTSUPP, 555, "5.5.4"},
	    {"HOLDFOR=61", false,
		EHLO_OF("S:250-FUTURERELEASE 60 2030-01-01T00:00:00Z\n"),
		SMTP_E_NOTSUPP, 555, "5.5.4"},
	    {"HOLDUNTIL=2030-01-01T00:00:01Z", false,
		EHLO_OF("S:250-FUTURERELEASE 60 2030-01-01T00:00:00Z\n"),
		SMTP_E_NOTSUPP, 555, "5.5.4"},
	    {"MT-PRIORITY=1", false, EHLO, SMTP_E_NOTSUPP, 555, "5.5.4"},
	    {"RET=HDRS", false, EHLO, SMTP_E_NOTSUPP, 555, "5.5.4"},
	    {"AUTH=<>", false, EHLO, SMTP_E_NOTSUPP, 555, "5.5.4"},
	    {"NOTIFY=NEVER", true, EHLO, SMTP_E_NOTSUPP, 555, "5.5.4"},
	    {"SMTPUTF8", false, EHLO, SMTP_E_NOTSUPP, 553, "5.6.7"},
	    {"REQUIRETLS", false, EHLO_OF("S:250-REQUIRETLS\n"), SMTP_E_NOTSUPP,
		550, "5.7.30"},
	    {"BODY=BINARYMIME", false, EHLO_OF("S:250-CHUNKING\n"),
		SMTP_E_NOTSUPP, 554, "5.6.3"},
	};

	CHECK(rows);
}

#define HELO "C:ehlo \nS:502 what\nC:helo \nS:250 hi\n"

/* RFC 5321 3.2: then no parameters at all. */
Test(param, is_left_out_without_EHLO_unless_it_must_be_honoured)
{
	static const struct row rows[] = {
	    {"SIZE=9 BODY=8BITMIME RET=HDRS SMTPUTF8 XFOO=1", false,
		HELO MAIL "\r\n" SENT, SMTP_OK, 250, ""},
	    {"NOTIFY=NEVER", true, HELO MAIL "\r\n" SENT, SMTP_OK, 250, ""},
	    {"BY=120;N", false, HELO, SMTP_E_NOTSUPP, 555, "5.5.4"},
	    {"HOLDFOR=60", false, HELO, SMTP_E_NOTSUPP, 555, "5.5.4"},
	    {"HOLDUNTIL=2030-01-01T00:00:00Z", false, HELO, SMTP_E_NOTSUPP, 555,
		"5.5.4"},
	    {"MT-PRIORITY=1", false, HELO, SMTP_E_NOTSUPP, 555, "5.5.4"},
	    {"REQUIRETLS", false, HELO, SMTP_E_NOTSUPP, 550, "5.7.30"},
	};

	CHECK(rows);
}

/* Nothing is lost where they are not offered. */
Test(param, that_only_describes_is_left_out)
{
	static const struct row rows[] = {
	    {"SIZE=9", false, EHLO MAIL "\r\n" SENT, SMTP_OK, 250, ""},
	    {"BODY=7BIT", false, EHLO MAIL "\r\n" SENT, SMTP_OK, 250, ""},
	    {"BODY=8BITMIME", false, EHLO MAIL "\r\n" SENT, SMTP_OK, 250, ""},
	};

	CHECK(rows);
}

/* Row 33 and RFC 3030: line ends are content, and it goes by BDAT alone. */
Test(param, BINARYMIME_sends_octets_as_they_are)
{
	static const char *const options[] = {"BODY=BINARYMIME", NULL};
	static const char octets[] = {'\n', '\0', '\r', '.', '\n', '\xff'};
	struct library_scene scene;

	library_scene_init(&scene,
	    GREETING EHLO_OF("S:250-CHUNKING\nS:250-BINARYMIME\nS:250-8BITMIME"
			     "\nS:250-SIZE\n") MAIL
	    " size=6 BODY=BINARYMIME\r\n" TO_A "\r\n" OK
	    "C:bdat 6 LAST\r\nB6\n" OK MAIL " size=4\r\n" SENT,
	    NULL);
	cr_expect_eq(smtp_sendmail(scene.session, "x@y", one, octets,
			 sizeof(octets), 1, options, NULL),
	    SMTP_OK, "%s", smtp_last_errmsg(scene.session));
	cr_expect_eq(
	    smtp_sendmail(scene.session, "x@y", one, HI, 3, 1, NULL, NULL),
	    SMTP_OK, "%s", smtp_last_errmsg(scene.session));
	library_scene_clear(&scene);
}

/* Rows 26 and 27: single commands say what they are told, as smtplib; but
 * REQUIRETLS is a promise. */
Test(param, of_single_commands_goes_out_as_it_is)
{
	static const char *const some[] = {"BY=120;R", "RET=X", NULL};
	static const char *const tls[] = {"requiretls", NULL};
	struct library_scene scene;

	library_scene_init(&scene,
	    GREETING EHLO MAIL " BY=120;R RET=X\r\n" TO_A
			       " BY=120;R RET=X\r\n" OK,
	    NULL);
	cr_expect_eq(smtp_ehlo(scene.session, NULL), SMTP_OK);
	cr_expect_eq(smtp_mail(scene.session, "x@y", tls), SMTP_E_NOTSUPP);
	cr_expect_eq(smtp_mail(scene.session, "x@y", some), SMTP_OK);
	cr_expect_eq(smtp_rcpt(scene.session, "a@y", some), SMTP_OK);
	library_scene_clear(&scene);
}
