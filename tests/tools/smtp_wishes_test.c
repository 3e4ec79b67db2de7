#include "tools/smtp_wishes.h"

#include <criterion/criterion.h>
#include <string.h>

#define WISHES_MAX 4

Test(smtp_wishes, makes_parameters_or_says_what_it_wants)
{
	static const struct {
		const char *name;
		struct smtp_words words;
		const char *mail; /* NULL: none */
		const char *rcpt;
		const char *error; /* NULL: it is good */
	} rows[] = {
	    {"nothing", {.from = NULL}, NULL, NULL, NULL},
	    {"ret", {.ret = "Full"}, "RET=FULL", NULL, NULL},
	    {"ret hdrs", {.ret = "hdrs"}, "RET=HDRS", NULL, NULL},
	    {"ret none", {.ret = "x"}, NULL, NULL, "--ret x: say full or hdrs"},
	    {"envid", {.envelope_id = "a b"}, "ENVID=a+20b", NULL, NULL},
	    {"envid CR", {.envelope_id = "a\r"}, NULL, NULL, "--envid"},
	    {"envid empty", {.envelope_id = ""}, NULL, NULL, "--envid"},
	    {"notify", {.notify = "delay, SUCCESS"}, NULL,
		"NOTIFY=SUCCESS,DELAY", NULL},
	    {"never", {.notify = "never"}, NULL, "NOTIFY=NEVER", NULL},
	    {"never with", {.notify = "never,delay"}, NULL, NULL, "--notify"},
	    {"notify empty", {.notify = ""}, NULL, NULL, "--notify"},
	    {"orcpt", {.original = "A <a+b@x>"}, NULL, "ORCPT=rfc822;a+2Bb@x",
		NULL},
	    {"by", {.by = "120"}, "BY=120;R", NULL, NULL},
	    {"by n", {.by = "-5;nt"}, "BY=-5;NT", NULL, NULL},
	    {"by r 0", {.by = "0;R"}, NULL, NULL, "--by"},
	    {"by x", {.by = "5;X"}, NULL, NULL, "--by"},
	    {"by nn", {.by = "5;NN"}, NULL, NULL, "--by"},
	    {"hold", {.hold = "60"}, "HOLDFOR=60", NULL, NULL},
	    {"hold unit", {.hold = "1h30m"}, "HOLDFOR=5400", NULL, NULL},
	    {"hold date", {.hold = "2027-01-31T09:00:00Z"},
		"HOLDUNTIL=2027-01-31T09:00:00Z", NULL, NULL},
	    {"hold no date", {.hold = "tomorrow"}, NULL, NULL, "--hold"},
	    {"hold 0", {.hold = "0"}, NULL, NULL, "--hold"},
	    {"hold no zone", {.hold = "2027-01-31T09:00:00"}, NULL, NULL,
		"--hold"},
	    {"priority", {.priority = "-9"}, "MT-PRIORITY=-9", NULL, NULL},
	    {"priority 10", {.priority = "10"}, NULL, NULL, "--mt-priority"},
	    {"tls", {.require_tls = true}, "REQUIRETLS", NULL, NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct smtp_wishes wishes;
		struct error error = {0};
		const bool is_made =
		    smtp_wishes_make(&rows[i].words, &wishes, &error);

		cr_expect_eq(
		    is_made, rows[i].error == NULL, "%s", rows[i].name);
		if (rows[i].error != NULL)
			cr_expect_not_null(
			    strstr(error_text(&error), rows[i].error), "%s: %s",
			    rows[i].name, error_text(&error));
		else if (rows[i].mail != NULL)
			cr_expect_str_eq(wishes.mail.items[0], rows[i].mail,
			    "%s", rows[i].name);
		if (rows[i].rcpt != NULL && is_made)
			cr_expect_str_eq(wishes.rcpt.items[0], rows[i].rcpt,
			    "%s", rows[i].name);
		if (is_made) {
			cr_expect_eq(wishes.mail.count, rows[i].mail != NULL,
			    "%s", rows[i].name);
			cr_expect_eq(wishes.rcpt.count, rows[i].rcpt != NULL,
			    "%s", rows[i].name);
		}
		smtp_wishes_clear(&wishes);
	}
}
