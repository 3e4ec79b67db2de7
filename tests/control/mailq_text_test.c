#include "control/mailq_text.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

TestSuite(mailq_text);

static char *
text_of(const struct mailq_entry *entries, size_t count)
{
	struct mailq_text text = {0};
	struct buffer buffer;

	cr_assert_eq(setenv("TZ", "UTC", 1), 0);
	tzset();
	buffer_init(&buffer, 1 << 20);
	for (size_t i = 0; i < count; i++)
		mailq_text_entry(&text, &entries[i], &buffer);
	mailq_text_finish(&text, &buffer);
	char *result = buffer_to_text(&buffer);
	buffer_clear(&buffer);
	return result;
}

Test(mailq_text, says_when_nothing_is_there)
{
	char *text = text_of(NULL, 0);

	cr_expect_str_eq(text, "Mail queue is empty\n");
	free(text);
}

Test(mailq_text, is_as_postfix_prints_it)
{
	const struct mailq_recipient waiting[] = {
	    {"ops@example.com",
		"connect to smtp.example.com[192.0.2.1]:587: Connection "
		"refused"},
	    {"dev@example.com",
		"connect to smtp.example.com[192.0.2.1]:587: Connection "
		"refused"},
	    {"old@example.com", NULL},
	};
	const struct mailq_recipient fresh[] = {{"a@b.example", NULL}};
	const struct mailq_entry entries[] = {
	    {"4bXkzM2wQ1t", MAILQ_WAITING, 1337, 1795413120000,
		"root@web1.example", waiting, 3},
	    {"4bXkzM2wQ1v", MAILQ_ACTIVE, 99999999, 1795413121500, "", fresh,
		1},
	    {"4bXkzM2wQ1w", MAILQ_HELD, 5, 1795413122000, "x\n\x1b[2J@y", fresh,
		1},
	};
	char *text = text_of(entries, 3);

	cr_expect_str_eq(text,
	    "-Queue ID-  --Size-- ----Arrival Time---- "
	    "-Sender/Recipient-------\n"
	    "4bXkzM2wQ1t    1337 Mon Nov 23 05:52:00  root@web1.example\n"
	    "              (connect to smtp.example.com[192.0.2.1]:587: "
	    "Connection refused)\n"
	    "                                         ops@example.com\n"
	    "                                         dev@example.com\n"
	    "                                                          (reason "
	    "unavailable)\n"
	    "                                         old@example.com\n"
	    "\n"
	    "4bXkzM2wQ1v* 99999999 Mon Nov 23 05:52:01  MAILER-DAEMON\n"
	    "                                         a@b.example\n"
	    "\n"
	    "4bXkzM2wQ1w!       5 Mon Nov 23 05:52:02  x??[2J@y\n"
	    "                                         a@b.example\n"
	    "\n"
	    "-- 97657 Kbytes in 3 Requests.\n");
	free(text);
}

Test(mailq_text, counts_one_request)
{
	const struct mailq_recipient recipient = {"a@b", NULL};
	const struct mailq_entry entry = {
	    "4bXkzM2wQ1t", MAILQ_WAITING, 1023, 0, "c@d", &recipient, 1};
	char *text = text_of(&entry, 1);

	cr_expect_str_eq(text,
	    "-Queue ID-  --Size-- ----Arrival Time---- "
	    "-Sender/Recipient-------\n"
	    "4bXkzM2wQ1t    1023 Thu Jan  1 00:00:00  c@d\n"
	    "                                         a@b\n"
	    "\n"
	    "-- 0 Kbytes in 1 Request.\n");
	free(text);
}
