#include "smtp/command.h"

#include <assert.h>
#include <stddef.h>

struct row {
	const char *name;
	enum command_verb verb;
	size_t line_max;
};

/* The first row of a verb has the name it is written by. */
static const struct row rows[] = {
    {"HELO", COMMAND_HELO, COMMAND_LINE_MAX},
    {"EHLO", COMMAND_EHLO, COMMAND_LINE_MAX},
    {"LHLO", COMMAND_LHLO, COMMAND_LINE_MAX},
    {"MAIL", COMMAND_MAIL, COMMAND_LINE_MAX_LONG},
    {"RCPT", COMMAND_RCPT, COMMAND_LINE_MAX_LONG},
    {"DATA", COMMAND_DATA, COMMAND_LINE_MAX},
    {"BDAT", COMMAND_BDAT, COMMAND_LINE_MAX},
    {"RSET", COMMAND_RSET, COMMAND_LINE_MAX},
    {"NOOP", COMMAND_NOOP, COMMAND_LINE_MAX},
    {"QUIT", COMMAND_QUIT, COMMAND_LINE_MAX},
    {"HELP", COMMAND_HELP, COMMAND_LINE_MAX},
    {"VRFY", COMMAND_VRFY, COMMAND_LINE_MAX},
    {"EXPN", COMMAND_EXPN, COMMAND_LINE_MAX},
    {"ETRN", COMMAND_ETRN, COMMAND_LINE_MAX},
    {"ATRN", COMMAND_ATRN, COMMAND_LINE_MAX},
    {"STARTTLS", COMMAND_STARTTLS, COMMAND_LINE_MAX},
    {"AUTH", COMMAND_AUTH, COMMAND_LINE_MAX},
    {"SEND", COMMAND_OBSOLETE, COMMAND_LINE_MAX},
    {"SOML", COMMAND_OBSOLETE, COMMAND_LINE_MAX},
    {"SAML", COMMAND_OBSOLETE, COMMAND_LINE_MAX},
    {"TURN", COMMAND_OBSOLETE, COMMAND_LINE_MAX},
    {"GET", COMMAND_HTTP, COMMAND_LINE_MAX},
    {"HEAD", COMMAND_HTTP, COMMAND_LINE_MAX},
    {"POST", COMMAND_HTTP, COMMAND_LINE_MAX},
    {"PUT", COMMAND_HTTP, COMMAND_LINE_MAX},
    {"DELETE", COMMAND_HTTP, COMMAND_LINE_MAX},
    {"CONNECT", COMMAND_HTTP, COMMAND_LINE_MAX},
    {"OPTIONS", COMMAND_HTTP, COMMAND_LINE_MAX},
    {"TRACE", COMMAND_HTTP, COMMAND_LINE_MAX},
    {"PATCH", COMMAND_HTTP, COMMAND_LINE_MAX},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const struct row unknown = {"", COMMAND_UNKNOWN, COMMAND_LINE_MAX};

static struct bytes
first_word(struct bytes text)
{
	struct bytes word = bytes_first(text, bytes_index(text, ' '));

	return bytes_first(word, bytes_index(word, '\t'));
}

/* Only blanks: a tab or a lone CR is no part of any command. */
static struct bytes
trim_blanks(struct bytes text)
{
	while (text.len > 0 && text.data[0] == ' ')
		text = bytes_from(text, 1);
	while (text.len > 0 && text.data[text.len - 1] == ' ')
		text.len--;
	return text;
}

static const struct row *
find_row(struct bytes name)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (bytes_is_nocase(name, rows[i].name))
			return &rows[i];
	}
	return &unknown;
}

struct command
command_read(struct bytes line)
{
	struct bytes name = first_word(line);

	return (struct command){
	    find_row(name)->verb, trim_blanks(bytes_from(line, name.len))};
}

size_t
command_line_max(struct bytes start)
{
	/* Far longer than every verb, and short where it is asked often. */
	struct bytes front = bytes_first(start, 64);

	return find_row(first_word(front))->line_max;
}

const char *
command_name(enum command_verb verb)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (rows[i].verb == verb && verb < COMMAND_OBSOLETE)
			return rows[i].name;
	}
	return "";
}

bool
command_write(
    struct buffer *buffer, enum command_verb verb, struct bytes argument)
{
	assert(verb < COMMAND_OBSOLETE);
	if (bytes_contains(argument, '\r') || bytes_contains(argument, '\n') ||
	    bytes_contains(argument, '\0'))
		return false;
	buffer_append_text(buffer, command_name(verb));
	if (argument.len > 0)
		buffer_append_char(buffer, ' ');
	buffer_append(buffer, argument);
	buffer_append(buffer, BYTES("\r\n"));
	return true;
}
