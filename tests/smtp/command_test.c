#include "smtp/command.h"

#include <criterion/criterion.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

Test(command, is_read_into_verb_and_argument)
{
	static const struct {
		const char *line;
		enum command_verb verb;
		const char *argument;
	} rows[] = {
	    {"QUIT", COMMAND_QUIT, ""},
	    {"quit", COMMAND_QUIT, ""},
	    {"NOOP  two words ", COMMAND_NOOP, "two words"},
	    {"MAIL FROM:<a@b>", COMMAND_MAIL, "FROM:<a@b>"},
	    {"MAIL\tFROM:<a@b>", COMMAND_MAIL, "\tFROM:<a@b>"},
	    {"NOOP\r", COMMAND_UNKNOWN, ""},
	    {"RSET \r", COMMAND_RSET, "\r"},
	    {"QUITE", COMMAND_UNKNOWN, ""},
	    {" QUIT", COMMAND_UNKNOWN, "QUIT"},
	    {"", COMMAND_UNKNOWN, ""},
	    {" ", COMMAND_UNKNOWN, ""},
	    {"SOML FROM:<a@b>", COMMAND_OBSOLETE, "FROM:<a@b>"},
	    {"POST / HTTP/1.1", COMMAND_HTTP, "/ HTTP/1.1"},
	    {"get", COMMAND_HTTP, ""},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct command command = command_read(bytes_of(rows[i].line));
		cr_expect_eq(command.verb, rows[i].verb, "%s", rows[i].line);
		cr_expect(bytes_is(command.argument, rows[i].argument), "%s",
		    rows[i].line);
	}
}

Test(command, with_a_path_may_be_longer)
{
	cr_expect_eq(
	    command_line_max(BYTES("MAIL FROM:<")), COMMAND_LINE_MAX_LONG);
	cr_expect_eq(
	    command_line_max(BYTES("rcpt\tTO:<")), COMMAND_LINE_MAX_LONG);
	cr_expect_eq(command_line_max(BYTES("NOOP x")), COMMAND_LINE_MAX);
	cr_expect_eq(command_line_max(BYTES("MAILED ")), COMMAND_LINE_MAX);
	cr_expect_eq(command_line_max(BYTES("")), COMMAND_LINE_MAX);
}

Test(command, is_written_as_it_is_read)
{
	struct buffer line;

	buffer_init(&line, 1000);
	for (int i = 0; i < COMMAND_OBSOLETE; i++) {
		enum command_verb verb = (enum command_verb)i;

		buffer_empty(&line);
		cr_assert(command_write(&line, verb, BYTES("a b")));
		struct bytes written = buffer_bytes(&line);
		cr_expect(bytes_has_suffix_nocase(written, " a b\r\n"));
		written.len -= 2;
		cr_expect_eq(command_read(written).verb, verb, "%.*s",
		    BYTES_ARGS(written));
		cr_expect(bytes_has_prefix(written, command_name(verb)));
	}
	cr_expect_str_eq(command_name(COMMAND_OBSOLETE), "");
	cr_expect_str_eq(command_name(COMMAND_HTTP), "");
	cr_expect_str_eq(command_name(COMMAND_UNKNOWN), "");
	buffer_clear(&line);
}

Test(command, without_an_argument_has_no_blank)
{
	struct buffer line;

	buffer_init(&line, 100);
	cr_assert(command_write(&line, COMMAND_DATA, BYTES_NONE));
	cr_expect(bytes_is(buffer_bytes(&line), "DATA\r\n"));
	buffer_clear(&line);
}

/* C1: nothing that ends a line gets into one. */
Test(command, is_never_two)
{
	static const struct bytes rows[] = {
	    {"a\rb", 3}, {"a\nb", 3}, {"a\0b", 3}, {"a\r\nRCPT", 7}};
	struct buffer line;

	buffer_init(&line, 100);
	for (size_t i = 0; i < COUNT(rows); i++) {
		cr_expect_not(command_write(&line, COMMAND_MAIL, rows[i]));
		cr_expect_eq(line.len, 0);
	}
	buffer_clear(&line);
}
