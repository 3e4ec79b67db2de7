#include "tools/smtp_exit.h"

#include <criterion/criterion.h>
#include <string.h>

Test(smtp_exit, maps_every_failure)
{
	static const struct {
		struct smtp_failure failure;
		int exit;
	} rows[] = {
	    {{SMTP_OK, SMTP_S_DOT, 250}, 0},
	    {{SMTP_E_RESOLVE, SMTP_S_CONNECT, -1}, 68},
	    {{SMTP_E_OS, SMTP_S_CONNECT, -1}, 75},
	    {{SMTP_E_OS, SMTP_S_BODY, -1}, 75},
	    {{SMTP_E_TIMEOUT, SMTP_S_CONNECT, -1}, 75},
	    {{SMTP_E_TIMEOUT, SMTP_S_DOT, -1}, 75},
	    {{SMTP_E_DISCONNECTED, SMTP_S_MAIL, -1}, 75},
	    {{SMTP_E_PROTO, SMTP_S_EHLO, -1}, 76},
	    {{SMTP_E_TLS, SMTP_S_STARTTLS, -1}, 78},
	    {{SMTP_E_TLS, SMTP_S_CONNECT, -1}, 78},
	    {{SMTP_E_NOTSUPP, SMTP_S_STARTTLS, -1}, 78},
	    {{SMTP_E_RESPONSE, SMTP_S_STARTTLS, 454}, 78},
	    {{SMTP_E_NOTSUPP, SMTP_S_AUTH, -1}, 77},
	    {{SMTP_E_NOTSUPP, SMTP_S_MAIL, -1}, 69},
	    {{SMTP_E_NOMECH, SMTP_S_AUTH, -1}, 77},
	    {{SMTP_E_AUTHLOOP, SMTP_S_AUTH, 334}, 77},
	    {{SMTP_E_AUTH, SMTP_S_AUTH, 535}, 77},
	    {{SMTP_E_AUTH, SMTP_S_AUTH, 501}, 77},
	    {{SMTP_E_AUTH, SMTP_S_AUTH, 454}, 75},
	    {{SMTP_E_CONNECT, SMTP_S_GREETING, 554}, 69},
	    {{SMTP_E_CONNECT, SMTP_S_GREETING, 421}, 75},
	    {{SMTP_E_CONNECT, SMTP_S_GREETING, 250}, 76},
	    {{SMTP_E_HELO, SMTP_S_EHLO, 502}, 69},
	    {{SMTP_E_SENDER, SMTP_S_MAIL, 550}, 69},
	    {{SMTP_E_SENDER, SMTP_S_MAIL, 530}, 77},
	    {{SMTP_E_SENDER, SMTP_S_MAIL, 452}, 75},
	    {{SMTP_E_RECIPIENTS, SMTP_S_RCPT, 550}, 69},
	    {{SMTP_E_RECIPIENTS, SMTP_S_RCPT, 450}, 75},
	    {{SMTP_E_DATA, SMTP_S_DOT, 554}, 69},
	    {{SMTP_E_DATA, SMTP_S_DATA, 250}, 76},
	    {{SMTP_E_INVAL, SMTP_S_MAIL, -1}, 64},
	    {{SMTP_E_ENCODING, SMTP_S_RCPT, -1}, 69},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(smtp_exit_of(&rows[i].failure), rows[i].exit,
		    "row %zu: %s: %d, not %d", i,
		    smtp_exit_error_word(rows[i].failure.err),
		    smtp_exit_of(&rows[i].failure), rows[i].exit);
}

Test(smtp_exit, is_never_0_for_a_failure_and_has_a_word_for_each)
{
	for (int err = SMTP_E_NOMEM; err < SMTP_OK; err++)
		for (int stage = SMTP_S_CONNECT; stage <= SMTP_S_CMD; stage++)
			for (int code = -1; code < 600; code += 50) {
				const struct smtp_failure failure = {
				    err, (smtp_stage)stage, code};
				cr_expect_neq(smtp_exit_of(&failure), 0,
				    "%d %d %d", err, stage, code);
				cr_expect_not_null(smtp_exit_advice(&failure));
			}
	for (int err = SMTP_E_NOMEM; err <= SMTP_OK; err++)
		cr_expect_neq(
		    strcmp(smtp_exit_error_word(err), "unknown"), 0, "%d", err);
	cr_expect_str_eq(smtp_exit_error_word(1), "unknown");
	for (int stage = SMTP_S_CONNECT; stage <= SMTP_S_CMD; stage++)
		cr_expect_gt(
		    strlen(smtp_exit_stage_word((smtp_stage)stage)), 0);
}

Test(smtp_exit, maps_replies_to_commands)
{
	static const struct {
		int code;
		int exit;
	} rows[] = {{200, 0}, {250, 0}, {253, 0}, {334, 0}, {354, 0}, {421, 75},
	    {458, 75}, {459, 77}, {500, 69}, {530, 77}, {535, 77}, {550, 69},
	    {-1, 76}, {999, 76}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(smtp_exit_of_reply(rows[i].code), rows[i].exit,
		    "%d", rows[i].code);
}

Test(smtp_exit, tells_the_first_of_what_is_worst)
{
	static const struct {
		int a;
		int b;
		int worse;
	} rows[] = {{0, 0, 0}, {0, 3, 3}, {3, 0, 3}, {3, 75, 75}, {75, 3, 75},
	    {69, 75, 69}, {75, 69, 75}, {0, 69, 69}, {69, 0, 69}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(smtp_exit_worse(rows[i].a, rows[i].b),
		    rows[i].worse, "%d %d", rows[i].a, rows[i].b);
}
