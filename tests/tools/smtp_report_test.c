#include "tools/smtp_report.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char *
shown(const char *text, size_t len)
{
	struct buffer buffer;

	buffer_init(&buffer, 1024);
	smtp_report_shown(&buffer, bytes_make(text, len));
	char *copy = buffer_to_text(&buffer);
	buffer_clear(&buffer);
	return copy;
}

Test(smtp_report, lets_nothing_through_that_a_terminal_obeys)
{
#define ROW(text, out)                                                         \
	{                                                                      \
		text, sizeof(text) - 1, out                                    \
	}
	static const struct {
		const char *text;
		size_t len;
		const char *out;
	} rows[] = {
	    ROW("plain text", "plain text"),
	    ROW("", ""),
	    ROW("\x1b[2J", "?[2J"),
	    ROW("a\tb", "a b"),
	    ROW("a\r\n\0b\x7f", "a???b?"),
	    ROW("gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"),
	    ROW("\xc2\x9b"
		"2J",
		"?2J"),
	    ROW("\x9b"
		"2J",
		"?2J"),
	    ROW("\xc2\xa0x", "\xc2\xa0x"),
	    ROW("\xff\xfe", "??"),
	    ROW("\xe2\x82", "??"),
	    ROW("\xe2\x82\xac", "\xe2\x82\xac"),
	    /* what turns the text around, or is not seen at all */
	    ROW("a\xe2\x80\xae"
		"b",
		"a?b"),
	    ROW("\xe2\x81\xa6x\xe2\x81\xa9", "?x?"),
	    ROW("\xe2\x80\x8b\xef\xbb\xbf\xe2\x80\xa8", "???"),
	    ROW("  two  blanks  ", "  two  blanks  "),
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = shown(rows[i].text, rows[i].len);
		cr_expect_str_eq(text, rows[i].out, "row %zu", i);
		free(text);
	}
#undef ROW
}

Test(smtp_report, prints_replies_as_they_stand_on_the_wire)
{
	static const struct {
		int code;
		const char *text;
		const char *lines;
	} rows[] = {
	    {250, "ok", "250 ok\n"},
	    {250, "one\ntwo\nthree", "250-one\n250-two\n250 three\n"},
	    {220, "", "220 \n"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buffer buffer;

		buffer_init(&buffer, 1024);
		smtp_report_lines(
		    &buffer, rows[i].code, bytes_of(rows[i].text));
		cr_expect(bytes_is(buffer_bytes(&buffer), rows[i].lines),
		    "%.*s", BYTES_ARGS(buffer_bytes(&buffer)));
		buffer_clear(&buffer);
	}
}

/* The report's object as it is printed, in which no key stands twice. */
static json_t *
object_of(struct smtp_report *report)
{
	FILE *printed = tmpfile();
	json_error_t problem;
	const int out = dup(STDOUT_FILENO);

	cr_assert(printed != NULL && out >= 0);
	cr_assert_geq(dup2(fileno(printed), STDOUT_FILENO), 0);
	const int code = smtp_report_finish(report);
	cr_assert_geq(dup2(out, STDOUT_FILENO), 0);
	rewind(printed);
	json_t *json = json_loadf(printed, JSON_REJECT_DUPLICATES, &problem);
	cr_assert_not_null(json, "%s", problem.text);
	cr_expect_eq(code, json_integer_value(json_object_get(json, "exit")));
	smtp_report_clear(report);
	fclose(printed);
	close(out);
	return json;
}

Test(smtp_report, writes_one_object_whatever_goes_wrong)
{
	struct smtp_report report;
	smtp *session = smtp_new(NULL);

	smtp_report_init(&report, "postrider smtp x", "x", "host\xff", true);
	cr_assert_eq(smtp_noop(session), SMTP_E_DISCONNECTED);
	struct json_writer *writer =
	    smtp_report_element(&report, SMTP_REPORT_LETTERS);
	json_writer_text(writer, "letter", "a \"b\"\n");
	smtp_report_write_error(&report, writer, session, SMTP_E_DISCONNECTED);
	json_writer_end(writer);
	smtp_report_session(&report, session);
	smtp_report_error(&report, session, SMTP_E_DISCONNECTED);
	smtp_report_code(&report, 75);
	json_t *json = object_of(&report);
	const char *kind = NULL;
	const char *letter = NULL;
	const char *inner = NULL;
	int code = 0;
	int is_esmtp = 1;
	cr_expect_eq(
	    json_unpack(json, "{s:{s:s}, s:[{s:s, s:{s:s}}], s:{s:b}, s:i}",
		"error", "kind", &kind, "letters", "letter", &letter, "error",
		"kind", &inner, "session", "esmtp", &is_esmtp, "exit", &code),
	    0);
	cr_expect_str_eq(kind, "disconnected");
	cr_expect_str_eq(inner, "disconnected");
	cr_expect_str_eq(letter, "a \"b\"\n");
	cr_expect_eq(code, 75);
	cr_expect_eq(is_esmtp, 0);
	json_decref(json);
	smtp_free(session);
}

Test(smtp_report, loses_nothing_between_errors)
{
	struct smtp_report report;
	smtp *session = smtp_new(NULL);
	struct json_writer *writer = NULL;
	const char *texts[5] = {NULL};
	int numbers[2] = {0};

	smtp_report_init(&report, "postrider smtp x", "x", "host", true);
	cr_assert_eq(smtp_noop(session), SMTP_E_DISCONNECTED);
	for (int i = 0; i < 2; i++) {
		writer = smtp_report_element(&report, SMTP_REPORT_LETTERS);
		json_writer_number(writer, "number", i);
		if (i == 0)
			smtp_report_fault_of(&report, writer, 64, "bad %d", i);
		json_writer_end(writer);
		smtp_report_unsaid(&report, "BDAT", 64, "no chunk");
		smtp_report_fault(&report, 75, "worse");
		smtp_report_reply(
		    &report, session, "NOOP", SMTP_E_DISCONNECTED);
	}
	json_t *json = object_of(&report);
	cr_expect_eq(
	    json_unpack(json,
		"{s:{s:s}, s:[{s:i, s:{s:s}}, {s:i}], s:[{s:s, s:{s:s}}, "
		"{s:s}, {s:n}, {}]}",
		"error", "message", &texts[0], "letters", "number", &numbers[0],
		"error", "message", &texts[1], "number", &numbers[1], "replies",
		"command", &texts[2], "error", "message", &texts[3], "command",
		&texts[4], "code"),
	    0);
	cr_expect_str_eq(texts[0], "bad 0");
	cr_expect_str_eq(texts[1], "bad 0");
	cr_expect_eq(numbers[1], 1);
	cr_expect_str_eq(texts[2], "BDAT");
	cr_expect_str_eq(texts[3], "no chunk");
	cr_expect_str_eq(texts[4], "NOOP");
	cr_expect_eq(report.code, 64);
	json_decref(json);
	smtp_free(session);
}
