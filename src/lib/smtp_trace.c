/* What smtplib prints where set_debuglevel() was called. */
#include "base/clock.h"
#include "lib/smtp_session.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINE_MAX_OCTETS ((size_t)8 * 1024 * 1024)

/* As Python writes octets: quoted, controls and what is no ASCII escaped. */
static void
append_quoted(struct buffer *line, struct bytes octets)
{
	for (size_t i = 0; i < octets.len; i++) {
		const char c = octets.data[i];
		if (c == '\r' || c == '\n' || c == '\t')
			buffer_printf(line, "\\%c",
			    c == '\r'       ? 'r'
				: c == '\n' ? 'n'
					    : 't');
		else if (c == '\\' || c == '\'')
			buffer_printf(line, "\\%c", c);
		else if (c >= ' ' && c <= '~')
			buffer_append_char(line, c);
		else
			buffer_printf(line, "\\x%02x", (unsigned char)c);
	}
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

/* "prefix text suffix", text quoted. */
static void
print(struct smtp *session, const char *prefix, struct bytes text,
    const char *suffix)
{
	struct buffer line;

	buffer_init(&line, LINE_MAX_OCTETS);
	if (session->debug.level >= 2)
		append_time(&line);
	buffer_append_text(&line, prefix);
	append_quoted(&line, text);
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

static void
trace_sent(struct smtp *session, struct bytes octets, bool secret)
{
	struct smtp_debug *debug = &session->debug;

	if (bytes_is_nocase(octets, "data\r\n"))
		debug->data_replies = 2;
	if (!secret || debug->level >= 3)
		print(session, "send: '", octets, "'");
	else
		print(session, "send: '", public_part(octets), " ***\\r\\n'");
}

/* A line of the reply that is being read; at its end what it came to. */
static void
trace_reply(struct smtp *session, struct bytes line)
{
	struct smtp_debug *debug = &session->debug;
	const bool more = line.len > 3 && line.data[3] == '-';
	char prefix[64] = "reply: retcode (";

	print(session, "reply: '", line, "'");
	if (debug->reply.len > 0)
		buffer_append_char(&debug->reply, '\n');
	buffer_append(&debug->reply, bytes_trim(bytes_from(line, 4)));
	if (more)
		return;
	const struct bytes code = bytes_first(line, 3);
	memcpy(prefix + strlen(prefix), code.data, code.len);
	memcpy(prefix + strlen(prefix), "); Msg: ", strlen("); Msg: "));
	print(session, prefix, buffer_bytes(&debug->reply), "");
	if (debug->data_replies > 0) {
		char data[64] = "data: (";
		debug->data_replies = bytes_is(code, "354") ? 1 : 0;
		memcpy(data + strlen(data), code.data, code.len);
		memcpy(data + strlen(data), ", '", strlen(", '"));
		print(session, data, buffer_bytes(&debug->reply), "')");
	}
	buffer_empty(&debug->reply);
}

void
smtp_trace_pass(bool sent, struct bytes octets, bool secret, void *ctx)
{
	struct smtp *session = ctx;

	/* Our own limit on challenges is the core's as well. */
	session->challenges += !sent && bytes_has_prefix(octets, "334");
	if (session->debug.level == 0)
		return;
	if (sent)
		trace_sent(session, octets, secret);
	else
		trace_reply(session, octets);
}

void
smtp_trace_connect(struct smtp *session, const char *where)
{
	if (session->debug.level > 0)
		print(session, "connect: to ", bytes_of(where), "");
}
