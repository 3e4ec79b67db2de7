#include "smtp/extensions.h"
#include "smtp/params.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define ALL         (~0U)

/* What is written is what was read, in our order and case. */
Test(params, of_mail_are_read_and_written)
{
	static const struct {
		const char *text, *written;
	} rows[] = {
	    {"", ""},
	    {" ", ""},
	    {"  SIZE=1  ", " SIZE=1"},
	    {" size=0", " SIZE=0"},
	    {" SIZE=18446744073709551615", " SIZE=18446744073709551615"},
	    {" body=7bit", " BODY=7BIT"},
	    {" BODY=8BITMIME", " BODY=8BITMIME"},
	    {" BODY=BINARYMIME", " BODY=BINARYMIME"},
	    {" smtputf8 SIZE=5", " SIZE=5 SMTPUTF8"},
	    {" RET=full", " RET=FULL"},
	    {" RET=HDRS ENVID=a+2Bb", " RET=HDRS ENVID=a+2Bb"},
	    {" AUTH=<>", " AUTH=<>"},
	    {" AUTH=e+3Dmc2@example.com", " AUTH=e+3Dmc2@example.com"},
	    {" REQUIRETLS", " REQUIRETLS"},
	    {" by=120;r", " BY=120;R"},
	    {" BY=+7;NT", " BY=7;NT"},
	    {" BY=-999999999;N", " BY=-999999999;N"},
	    {" BY=999999999;rt", " BY=999999999;RT"},
	    {" HOLDFOR=1", " HOLDFOR=1"},
	    {" holdfor=0999999999 BY=0;N", " BY=0;N HOLDFOR=999999999"},
	    {" HOLDUNTIL=2026-12-24T18:00:00Z",
		" HOLDUNTIL=2026-12-24T18:00:00Z"},
	    {" mt-priority=-9", " MT-PRIORITY=-9"},
	    {" MT-PRIORITY=0", " MT-PRIORITY=0"},
	    {" MT-PRIORITY=9 REQUIRETLS", " REQUIRETLS MT-PRIORITY=9"},
	};
	struct buffer written;

	buffer_init(&written, 1000);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct mail_params params;
		struct params_problem problem =
		    params_read_mail(bytes_of(rows[i].text), ALL, &params);
		cr_expect_eq(problem.code, 0, "%s", rows[i].text);
		buffer_empty(&written);
		params_write_mail(&written, &params, ALL);
		cr_expect(bytes_is(buffer_bytes(&written), rows[i].written),
		    "%s: %.*s", rows[i].text,
		    BYTES_ARGS(buffer_bytes(&written)));
	}
	buffer_clear(&written);
}

Test(params, of_rcpt_are_read_and_written)
{
	static const struct {
		const char *text, *written;
	} rows[] = {
	    {"", ""},
	    {" NOTIFY=never", " NOTIFY=NEVER"},
	    {" NOTIFY=DELAY,success,FAILURE", " NOTIFY=SUCCESS,FAILURE,DELAY"},
	    {" NOTIFY=DELAY,DELAY", " NOTIFY=DELAY"},
	    {" ORCPT=rfc822;Bob@x", " ORCPT=rfc822;Bob@x"},
	    {" orcpt=RFC822;a+2Bb@c NOTIFY=FAILURE",
		" NOTIFY=FAILURE ORCPT=RFC822;a+2Bb@c"},
	    {" ORCPT=utf-8;\xc3\xbc@x", " ORCPT=utf-8;\xc3\xbc@x"},
	    {" ORCPT=utf-8;\\x{FC}@x", " ORCPT=utf-8;\\x{FC}@x"},
	    {" ORCPT=x-local;a;b", " ORCPT=x-local;a;b"},
	};
	struct buffer written;

	buffer_init(&written, 1000);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct rcpt_params params;
		struct params_problem problem =
		    params_read_rcpt(bytes_of(rows[i].text), ALL, &params);
		cr_expect_eq(problem.code, 0, "%s", rows[i].text);
		buffer_empty(&written);
		params_write_rcpt(&written, &params, ALL);
		cr_expect(bytes_is(buffer_bytes(&written), rows[i].written),
		    "%s: %.*s", rows[i].text,
		    BYTES_ARGS(buffer_bytes(&written)));
	}
	buffer_clear(&written);
}

Test(params, that_are_wrong_are_refused)
{
	static const struct {
		const char *text;
		bool rcpt;
		int code;
	} rows[] = {
	    {"SIZE=1", false, 501},
	    {"\tSIZE=1", false, 501},
	    {" SIZE", false, 501},
	    {" SIZE=", false, 501},
	    {" SIZE=-1", false, 501},
	    {" SIZE=+1", false, 501},
	    {" SIZE=1e9", false, 501},
	    {" SIZE=18446744073709551616", false, 501},
	    {" SIZE=99999999999999999999999999999999", false, 501},
	    {" SIZE=1 SIZE=1", false, 501},
	    {" SIZE=1 size=2", false, 501},
	    {" SIZE=1=2", false, 501},
	    {" BODY=9BIT", false, 501},
	    {" SMTPUTF8=", false, 501},
	    {" SMTPUTF8=1", false, 501},
	    {" RET=", false, 501},
	    {" RET=ALL", false, 501},
	    {" RET=FULL RET=FULL", false, 501},
	    {" ENVID=", false, 501},
	    {" ENVID=a=b", false, 501},
	    {" ENVID=a+0Ab", false, 501},
	    {" ENVID=a+7Fb", false, 501},
	    {" ENVID=a+0ab", false, 501},
	    {" ENVID=a+4", false, 501},
	    {" ENVID=+", false, 501},
	    {" ENVID=a\tb", false, 501},
	    {" ENVID=\xc3\xbc", false, 501},
	    {" AUTH=a+0Ab", false, 501},
	    {" AUTH", false, 501},
	    {" =A", false, 501},
	    {" -A=1", false, 501},
	    {" A_B=1", false, 501},
	    {" \xff=1", false, 501},
	    {" A=\"", false, 555},
	    {" A", false, 555},
	    {" BY", false, 501},
	    {" BY=", false, 501},
	    {" BY=120", false, 501},
	    {" BY=120;", false, 501},
	    {" BY=120;X", false, 501},
	    {" BY=120;RN", false, 501},
	    {" BY=120;T", false, 501},
	    {" BY=120;RTT", false, 501},
	    {" BY=;R", false, 501},
	    {" BY=-;N", false, 501},
	    {" BY=+-1;N", false, 501},
	    {" BY=0;R", false, 501},
	    {" BY=-1;R", false, 501},
	    {" BY=1234567890;R", false, 501},
	    {" BY=0000000001;R", false, 501},
	    {" BY=1;R BY=1;R", false, 501},
	    {" HOLDFOR=0", false, 501},
	    {" HOLDFOR=-1", false, 501},
	    {" HOLDFOR=1234567890", false, 501},
	    {" HOLDFOR=1 HOLDFOR=1", false, 501},
	    {" HOLDFOR=1 HOLDUNTIL=2026-12-24T18:00:00Z", false, 501},
	    {" HOLDUNTIL=2026-12-24T18:00:00Z HOLDFOR=1", false, 501},
	    {" HOLDUNTIL=tomorrow", false, 501},
	    {" MT-PRIORITY=10", false, 501},
	    {" MT-PRIORITY=-10", false, 501},
	    {" MT-PRIORITY=+1", false, 501},
	    {" MT-PRIORITY=-0", false, 501},
	    {" MT-PRIORITY=", false, 501},
	    {" MT-PRIORITY=high", false, 501},
	    {" NOTIFY=NEVER", false, 555},
	    {" SIZE=1", true, 555},
	    {" NOTIFY=", true, 501},
	    {" NOTIFY=NEVER,SUCCESS", true, 501},
	    {" NOTIFY=SUCCESS,NEVER", true, 501},
	    {" NOTIFY=SUCCESS,", true, 501},
	    {" NOTIFY=,SUCCESS", true, 501},
	    {" NOTIFY=SOMETIMES", true, 501},
	    {" NOTIFY=NEVER NOTIFY=NEVER", true, 501},
	    {" ORCPT=a@b", true, 501},
	    {" ORCPT=;a@b", true, 501},
	    {" ORCPT=rfc822;", true, 501},
	    {" ORCPT=rfc 822;a", true, 501},
	    {" ORCPT=rfc822;a+0D+0Ab", true, 501},
	    {" ORCPT=rfc822;\xc3\xbc", true, 501},
	    {" ORCPT=utf-8;\xc3", true, 501},
	    {" ORCPT=utf-8;\xc3\xbc\x01", true, 501},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct mail_params mail = {.size_bytes = 42};
		struct rcpt_params rcpt = {.notify = 42};
		struct bytes text = bytes_of(rows[i].text);
		struct params_problem problem = rows[i].rcpt
		    ? params_read_rcpt(text, ALL, &rcpt)
		    : params_read_mail(text, ALL, &mail);
		cr_expect_eq(problem.code, rows[i].code, "%s: %d", rows[i].text,
		    problem.code);
		cr_expect_str_eq(problem.enhanced, "5.5.4");
		cr_expect_gt(strlen(problem.text), 0);
		cr_expect_eq(mail.size_bytes, 42, "untouched");
		cr_expect_eq(rcpt.notify, 42, "untouched");
	}
}

Test(params, count_only_where_their_extension_is_allowed)
{
	static const struct {
		const char *text;
		unsigned allowed;
		int code;
	} rows[] = {
	    {" SIZE=1", 0, 555},
	    {" SIZE=1", EXTENSION_BIT(EXTENSION_SIZE), 0},
	    {" BODY=7BIT", EXTENSION_BIT(EXTENSION_SIZE), 555},
	    {" BODY=7BIT", EXTENSION_BIT(EXTENSION_8BITMIME), 0},
	    {" BODY=BINARYMIME", EXTENSION_BIT(EXTENSION_8BITMIME), 504},
	    {" RET=FULL", EXTENSION_BIT(EXTENSION_SIZE), 555},
	    {" AUTH=<>", ~EXTENSION_BIT(EXTENSION_AUTH), 555},
	    {" REQUIRETLS", ~EXTENSION_BIT(EXTENSION_REQUIRETLS), 555},
	    {" BY=1;R", ~EXTENSION_BIT(EXTENSION_DELIVERBY), 555},
	    {" HOLDFOR=1", ~EXTENSION_BIT(EXTENSION_FUTURERELEASE), 555},
	    {" HOLDUNTIL=x", ~EXTENSION_BIT(EXTENSION_FUTURERELEASE), 555},
	    {" MT-PRIORITY=1", ~EXTENSION_BIT(EXTENSION_MT_PRIORITY), 555},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct mail_params params;
		cr_expect_eq(params_read_mail(bytes_of(rows[i].text),
				 rows[i].allowed, &params)
				 .code,
		    rows[i].code, "%s", rows[i].text);
	}
}

Test(params, not_offered_are_not_written)
{
	struct mail_params mail = {.has_size = true,
	    .size_bytes = 5,
	    .body = MAIL_BODY_BINARYMIME,
	    .utf8 = true,
	    .ret = MAIL_RETURN_FULL,
	    .envelope_id = BYTES("x"),
	    .auth = BYTES("<>"),
	    .require_tls = true,
	    .by = MAIL_BY_RETURN,
	    .by_s = 1,
	    .hold_for_s = 1,
	    .hold_until = BYTES("x"),
	    .has_priority = true};
	struct rcpt_params rcpt = {NOTIFY_NEVER, BYTES("rfc822;a")};
	struct buffer text;

	buffer_init(&text, 1000);
	params_write_mail(&text, &mail, 0);
	params_write_mail(&text, &mail, EXTENSION_BIT(EXTENSION_8BITMIME));
	params_write_rcpt(&text, &rcpt, ~EXTENSION_BIT(EXTENSION_DSN));
	cr_expect_eq(text.len, 0);
	params_write_mail(&text, &mail,
	    EXTENSION_BIT(EXTENSION_SIZE) | EXTENSION_BIT(EXTENSION_DSN));
	cr_expect(bytes_is(buffer_bytes(&text), " SIZE=5 RET=FULL ENVID=x"));
	buffer_clear(&text);
}

/* C4: many parameters, long ones. */
Test(params, have_limits)
{
	char text[12000], value[11000];
	struct mail_params mail;
	struct rcpt_params rcpt;

	memset(value, 'x', sizeof(value));
	for (int len = 100; len <= 101; len++) {
		snprintf(text, sizeof(text), " ENVID=%.*s", len, value);
		cr_expect_eq(params_read_mail(bytes_of(text), ALL, &mail).code,
		    len == 100 ? 0 : 501);
	}
	snprintf(text, sizeof(text), " ORCPT=rfc822;%.*s", 493, value);
	cr_expect_eq(params_read_rcpt(bytes_of(text), ALL, &rcpt).code, 0);
	snprintf(text, sizeof(text), " ORCPT=rfc822;%.*s", 494, value);
	cr_expect_eq(params_read_rcpt(bytes_of(text), ALL, &rcpt).code, 501);
	snprintf(text, sizeof(text), " A=%.*s", 10240, value);
	cr_expect_eq(params_read_mail(bytes_of(text), ALL, &mail).code, 555);
	for (int i = 0; i < 100; i++)
		snprintf(text + i * 4, 5, " A%02d", i);
	cr_expect_eq(params_read_mail(bytes_of(text), ALL, &mail).code, 555);
}

Test(xtext, goes_there_and_back)
{
	char octets[256], printable[95];
	struct buffer encoded, decoded;

	for (int i = 0; i < 256; i++)
		octets[i] = (char)i;
	memcpy(printable, &octets[' '], sizeof(printable));
	buffer_init(&encoded, 1000);
	buffer_init(&decoded, 1000);

	xtext_append(&encoded, bytes_make(printable, sizeof(printable)));
	cr_assert(xtext_decode(&decoded, buffer_bytes(&encoded)));
	cr_expect(bytes_equal(
	    buffer_bytes(&decoded), bytes_make(printable, sizeof(printable))));

	buffer_empty(&encoded);
	xtext_append(&encoded, bytes_make("a+b=c \n\xff", 8));
	cr_expect(bytes_is(buffer_bytes(&encoded), "a+2Bb+3Dc+20+0A+FF"));
	cr_expect_not(xtext_decode(&decoded, buffer_bytes(&encoded)));
	cr_expect_not(xtext_decode(&decoded, BYTES("a b")));
	cr_expect_not(xtext_decode(&decoded, BYTES("a+2")));
	cr_expect_not(xtext_decode(&decoded, BYTES("a+2b")));
	cr_expect(xtext_decode(&decoded, BYTES("")));
	buffer_clear(&encoded);
	buffer_clear(&decoded);
}
