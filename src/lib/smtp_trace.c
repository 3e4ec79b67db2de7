/* What smtplib prints where set_debuglevel() was called. */
#include "base/clock.h"
#include "lib/smtp_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINE_MAX_OCTETS ((size_t)8 * 1024 * 1024)

static void
append_octet(struct buffer *line, char c, char quote)
{
	if (c == '\r')
		buffer_append_text(line, "\\r");
	else if (c == '\n')
		buffer_append_text(line, "\\n");
	else if (c == '\t')
		buffer_append_text(line, "\\t");
	else if (c == '\\' || c == quote)
		buffer_printf(line, "\\%c", c);
	else if (c >= ' ' && c <= '~')
		buffer_append_char(line, c);
	else
		buffer_printf(line, "\\x%02x", (unsigned char)c);
}

/* As Python writes octets: controls and what is no ASCII escaped, in whichever
 * quotes need fewer escapes. */
static void
append_quoted(struct buffer *line, struct bytes octets)
{
	const char quote =
	    bytes_contains(octets, '\'') && !bytes_contains(octets, '"') ? '"'
									 : '\'';

	buffer_append_char(line, quote);
	for (size_t i = 0; i < octets.len; i++)
		append_octet(line, octets.data[i], quote);
	buffer_append_char(line, quote);
}

static void
append_plain(struct buffer *line, struct bytes octets)
{
	for (size_t i = 0; i < octets.len; i++)
		append_octet(line, octets.data[i], '\\');
}

static void
append_time(struct buffer *line)
{
	const int64_t wall_ms = clock_now().wall_ms;
	const time_t seconds = (time_t)(wall_ms / 1000);
	struct tm local;

	if (localtime_r(&seconds, &local) == NULL)
		return;
	buffer_printf(line, "%02d:%02d:%02d.%03d ", local.tm_hour, local.tm_min,
	    local.tm_sec, (int)(wall_ms % 1000));
}

typedef void append_fn(struct buffer *line, struct bytes octets);

/* "prefix text suffix" */
static void
print(struct smtp *session, const char *prefix, append_fn *append,
    struct bytes text, const char *suffix)
{
	struct buffer line;

	buffer_init(&line, LINE_MAX_OCTETS);
	if (session->debug.level >= 2)
		append_time(&line);
	buffer_append_text(&line, prefix);
	append(&line, text);
	buffer_append_text(&line, suffix);
	char *copy = buffer_to_text(&line);
	session->debug.fn(session->debug.arg, copy);
	free(copy);
	buffer_clear(&line);
}

/* "AUTH PLAIN" of a line of AUTH, nothing of another. */
static struct bytes
public_part(struct bytes octets)
{
	size_t len = strlen("AUTH ");

	if (!bytes_has_prefix_nocase(octets, "AUTH "))
		return BYTES_NONE;
	while (len < octets.len && octets.data[len] != ' ' &&
	    octets.data[len] != '\r')
		len++;
	return bytes_first(octets, len);
}

/* Octets as a caller likes to cut them: does any lie on a line of AUTH? */
static bool
has_login(struct smtp_debug *debug, struct bytes octets)
{
	bool found = false;

	for (size_t i = 0; i < octets.len; i++) {
		const char c = octets.data[i];
		const bool is_leading =
		    debug->line_len == 0 && (c == ' ' || c == '\t');
		if (debug->line_len < sizeof(debug->line) && !is_leading)
			debug->line[debug->line_len++] = c;
		if (c == '\n')
			debug->line_len = 0;
		found |= debug->line_len == sizeof(debug->line) &&
		    bytes_has_prefix_nocase(
			bytes_make(debug->line, debug->line_len), "AUTH ");
	}
	return found && !debug->is_content;
}

/* A login that a caller leads by himself is one, too. */
static bool
is_secret(struct smtp_debug *debug, struct bytes octets)
{
	const struct bytes rest = bytes_from(octets, public_part(octets).len);
	const bool is_login = has_login(debug, octets);

	return (debug->is_asked && !bytes_is(octets, "*\r\n")) ||
	    (is_login && !bytes_is(rest, "\r\n"));
}

/* Content is no command, nor what stands behind "BDAT 5". */
static void
count_sent(struct smtp_debug *debug, struct bytes octets)
{
	const bool is_command = !debug->is_content && !debug->is_chunk;

	debug->is_chunk = is_command &&
	    bytes_has_prefix_nocase(octets, "BDAT ") &&
	    !bytes_has_prefix_nocase(octets, "BDAT 0 ");
	debug->commands += is_command;
	if (is_command && bytes_is_nocase(octets, "data\r\n"))
		debug->data = debug->commands;
}

static void
trace_sent(struct smtp *session, struct bytes octets, bool secret)
{
	const struct bytes shown = public_part(octets);
	struct smtp_debug *debug = &session->debug;
	const bool is_hidden = is_secret(debug, octets) || secret;

	if (debug->level >= 3 || !is_hidden)
		print(session, "send: ", append_quoted, octets, "");
	else
		print(session, "send: '", append_plain, shown,
		    shown.len > 0 ? " ***\\r\\n'" : "***\\r\\n'");
	debug->is_asked = false;
	count_sent(debug, octets);
}

/* Is the reply that is over the one to DATA, or to the content? */
static bool
is_of_data(struct smtp_debug *debug, struct bytes code)
{
	const bool is_final = debug->is_content;
	const bool is_first =
	    !is_final && debug->data > 0 && debug->replies + 1 == debug->data;

	debug->is_content = is_first && bytes_is(code, "354");
	if (is_first && !debug->is_content)
		debug->data = 0;
	/* The greeting answers no command, the final reply none of its own. */
	debug->replies += !is_final && debug->replies < debug->commands ? 1 : 0;
	return is_final || is_first;
}

/* "prefix CODE, 'text'": what a reply came to. */
static void
print_reply(struct smtp *session, const char *before, struct bytes code,
    const char *between, append_fn *append, const char *behind)
{
	char prefix[64] = "";

	(void)snprintf(prefix, sizeof(prefix), "%s%.*s%s", before,
	    BYTES_ARGS(code), between); /* it fits */
	print(session, prefix, append, buffer_bytes(&session->debug.reply),
	    behind);
}

/* A line of the reply that is being read; at its end what it came to. */
static void
trace_reply(struct smtp *session, struct bytes line)
{
	struct smtp_debug *debug = &session->debug;
	const bool more = line.len > 3 && line.data[3] == '-';
	const struct bytes code = bytes_first(line, 3);

	print(session, "reply: ", append_quoted, line, "");
	if (debug->reply.len > 0)
		buffer_append_char(&debug->reply, '\n');
	buffer_append(&debug->reply, bytes_trim(bytes_from(line, 4)));
	if (more)
		return;
	print_reply(
	    session, "reply: retcode (", code, "); Msg: ", append_plain, "");
	if (is_of_data(debug, code))
		print_reply(session, "data: (", code, ", ", append_quoted, ")");
	debug->is_asked = bytes_is(code, "334");
	buffer_empty(&debug->reply);
}

void
smtp_trace_pass(bool sent, struct bytes octets, bool secret, void *ctx)
{
	struct smtp *session = ctx;

	/* Our own limit on challenges is the core's as well. */
	session->is_asked = !sent && bytes_has_prefix(octets, "334");
	session->challenges += session->is_asked;
	session->is_cancelled |= sent && bytes_is(octets, "*\r\n");
	if (session->debug.level == 0)
		return;
	if (sent)
		trace_sent(session, octets, secret);
	else
		trace_reply(session, octets);
}

void
smtp_trace_begin(struct smtp *session)
{
	session->debug.commands = 0;
	session->debug.replies = 0;
	session->debug.data = 0;
	session->debug.is_content = false;
	session->debug.is_chunk = false;
	session->debug.is_asked = false;
	session->debug.line_len = 0;
	buffer_empty(&session->debug.reply);
}

void
smtp_trace_connect(struct smtp *session, const char *where)
{
	if (session->debug.level > 0)
		print(
		    session, "connect: to ", append_plain, bytes_of(where), "");
}
