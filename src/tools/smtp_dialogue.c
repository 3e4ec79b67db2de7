#include "tools/smtp_dialogue.h"

#include "base/memory.h"
#include "smtp/dot.h"
#include "tools/line_editor.h"
#include "tools/smtp_secrets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define CONTENT_MAX ((size_t)256 * 1024 * 1024)

/* What the server waits for. */
enum turn {
	TURN_COMMAND,
	TURN_ANSWER, /* to its 334 */
	TURN_CONTENT /* behind its 354 */
};

struct dialogue {
	struct smtp_visit *visit;
	enum turn turn;
	struct buffer content; /* as it goes out */
	bool is_lmtp;
	size_t accepted; /* recipients of the mail under way */
	bool is_over;
	/* Where lines come from: argv, or the editor, or a stream. */
	int next_argument;
	bool reads_stdin;
	struct line_editor *editor; /* NULL: no terminal */
	char *line;                 /* of the stream */
	size_t line_size;
};

/* ---- lines ---- */

/* Of a letter the CR of its end is kept: before it another one may stand. */
static bool
read_stream(struct dialogue *dialogue, struct bytes *out_line)
{
	const ssize_t len =
	    getline(&dialogue->line, &dialogue->line_size, stdin);
	struct bytes line = BYTES_NONE;

	if (len < 0)
		return false;
	line = bytes_make(dialogue->line, (size_t)len);
	if (line.data[line.len - 1] == '\n')
		line.len--;
	if (dialogue->turn != TURN_CONTENT && line.len > 0 &&
	    line.data[line.len - 1] == '\r')
		line.len--;
	dialogue->line[line.len] = '\0';
	*out_line = line;
	return true;
}

static bool
read_terminal(struct dialogue *dialogue, struct bytes *out_line)
{
	static const char *const prompts[] = {
	    [TURN_COMMAND] = "smtp> ",
	    [TURN_ANSWER] = "334> ",
	    [TURN_CONTENT] = "",
	};

	if (dialogue->editor == NULL)
		dialogue->editor =
		    line_editor_new("postrider", prompts[TURN_COMMAND]);
	line_editor_set_prompt(dialogue->editor, prompts[dialogue->turn]);
	const char *line = line_editor_read(dialogue->editor);
	const bool is_kept = line != NULL && line[0] != '\0' &&
	    dialogue->turn == TURN_COMMAND &&
	    !bytes_has_prefix_nocase(bytes_of(line), "AUTH ");
	if (is_kept)
		line_editor_remember(dialogue->editor, line);
	*out_line = bytes_of(line);
	return line != NULL;
}

static bool
is_typed(void)
{
	return isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1;
}

/* A NUL stands behind it.  False: there is none left. */
static bool
next_line(struct dialogue *dialogue, struct bytes *out_line)
{
	const struct smtp_words *words = dialogue->visit->words;

	if (dialogue->reads_stdin) {
		if (is_typed() ? read_terminal(dialogue, out_line)
			       : read_stream(dialogue, out_line))
			return true;
		dialogue->reads_stdin = false;
	}
	if (dialogue->next_argument == words->argument_count)
		return false;
	const char *argument = words->arguments[dialogue->next_argument++];
	*out_line = bytes_of(argument);
	if (strcmp(argument, "-") != 0)
		return true;
	dialogue->reads_stdin = true;
	return next_line(dialogue, out_line);
}

/* ---- what is said ---- */

static void
finish(struct dialogue *dialogue, int err, const char *command)
{
	struct smtp_visit *visit = dialogue->visit;

	smtp_report_reply(&visit->report, visit->session, command, err);
	/* One that was not sent is no reason to go. */
	dialogue->is_over |= !smtp_connected(visit->session);
}

static bool
is_word(const char *line, const char *word)
{
	return bytes_is_nocase(bytes_trim(bytes_of(line)), word);
}

/* What of a line may be shown: "***" of an answer, "AUTH PLAIN ***". */
static char *
public_part(const struct dialogue *dialogue, struct bytes line)
{
	struct bytes rest = bytes_trim(line);
	const struct bytes verb = bytes_cut(&rest, ' ');
	const struct bytes mechanism = bytes_cut(&rest, ' ');

	if (dialogue->turn == TURN_ANSWER)
		return memory_copy_text("***");
	if (!bytes_is_nocase(verb, "AUTH"))
		return memory_copy(line);
	return memory_format("%.*s %.*s%s", BYTES_ARGS(verb),
	    BYTES_ARGS(mechanism), rest.len > 0 ? " ***" : "");
}

/* The trace hides by itself what the report must not show either. */
static void
say_line(struct dialogue *dialogue, const char *line)
{
	char *shown = public_part(dialogue, bytes_of(line));

	finish(
	    dialogue, smtp_docmd(dialogue->visit->session, line, NULL), shown);
	free(shown);
}

/* ---- a letter ---- */

/*
 * Dots are doubled already, for the line was written to go over the wire as it
 * stands.  But a CR or LF within it becomes a line end, and what that makes of
 * it must not end the letter.
 */
static void
add_line(struct buffer *content, struct bytes line)
{
	struct dot_encoder encoder;

	dot_encoder_init(&encoder);
	if (!bytes_has_prefix(line, ".\r") && !bytes_has_prefix(line, ".\n"))
		encoder.last = 0; /* a dot in front stays as it is */
	dot_encode(&encoder, line, true, content);
	dot_encode(&encoder, BYTES("\n"), true, content);
}

/* One reply, and by LMTP (RFC 2033 4.2) one for each recipient. */
static void
take_verdicts(struct dialogue *dialogue)
{
	const size_t count = dialogue->is_lmtp ? dialogue->accepted : 1;
	size_t taken = 0;

	do
		finish(dialogue, smtp_getreply(dialogue->visit->session), ".");
	while (++taken < count && !dialogue->is_over);
}

static void
send_content(struct dialogue *dialogue)
{
	struct smtp_visit *visit = dialogue->visit;
	const struct bytes content = buffer_bytes(&dialogue->content);
	const int err = smtp_send(visit->session, content.data, content.len);

	dialogue->turn = TURN_COMMAND;
	if (err == SMTP_OK)
		take_verdicts(dialogue);
	else
		finish(dialogue, err, ".");
	dialogue->accepted = 0;
	buffer_clear(&dialogue->content);
}

/* It has no end: nothing of it may be taken. */
static void
give_up_content(struct dialogue *dialogue, const char *why)
{
	smtp_report_unsaid(
	    &dialogue->visit->report, ".", EX_USAGE, "the letter: %s", why);
	smtp_close(dialogue->visit->session);
	dialogue->is_over = true;
}

static void
say_content(struct dialogue *dialogue, struct bytes line)
{
	const bool is_end = bytes_is(line, ".") || bytes_is(line, ".\r");

	if (is_end)
		buffer_append(&dialogue->content, BYTES(".\r\n"));
	else
		add_line(&dialogue->content, line);
	if (dialogue->content.overflowed)
		give_up_content(dialogue,
		    "it is over 256 MiB, and nothing of it was sent; postrider "
		    "smtp send has no such limit");
	else if (is_end)
		send_content(dialogue);
}

/* ---- commands ---- */

/* AUTH without an initial response, typed: ask for what it needs. */
static bool
logs_in(struct dialogue *dialogue, const char *line)
{
	struct smtp_visit *visit = dialogue->visit;
	struct bytes rest = bytes_trim(bytes_of(line));
	const struct bytes verb = bytes_cut(&rest, ' ');

	if (dialogue->editor == NULL || !dialogue->reads_stdin ||
	    !bytes_is_nocase(verb, "AUTH") || bytes_contains(rest, ' '))
		return false;
	char *mechanism = rest.len > 0 ? memory_copy(rest) : NULL;
	line_editor_set_prompt(dialogue->editor, "user: ");
	const char *typed = line_editor_read(dialogue->editor);
	char *user = memory_copy_text(typed != NULL ? typed : "");
	char *password = smtp_secrets_ask("password");
	finish(dialogue,
	    smtp_auth(visit->session, mechanism, user,
		password != NULL ? password : "", 1),
	    "AUTH");
	smtp_secrets_forget(password);
	free(user);
	free(mechanism);
	return true;
}

/* Octets belong to it that no line can be: what is typed next would be taken
 * for them. */
static bool
refuses_chunk(struct dialogue *dialogue, const char *line)
{
	struct bytes rest = bytes_trim(bytes_of(line));

	if (!bytes_is_nocase(bytes_cut(&rest, ' '), "BDAT"))
		return false;
	smtp_report_unsaid(&dialogue->visit->report, line, EX_USAGE,
	    "BDAT: its octets cannot be typed; say DATA, or "
	    "postrider smtp send --bdat -m FILE");
	return true;
}

/* What an accepted command means for the replies to a letter. */
static void
note_accepted(struct dialogue *dialogue, struct bytes line)
{
	const struct bytes verb = bytes_cut(&line, ' ');
	const bool is_hello = bytes_is_nocase(verb, "EHLO") ||
	    bytes_is_nocase(verb, "HELO") || bytes_is_nocase(verb, "LHLO");

	if (bytes_is_nocase(verb, "RCPT"))
		dialogue->accepted++;
	else if (is_hello || bytes_is_nocase(verb, "MAIL") ||
	    bytes_is_nocase(verb, "RSET"))
		dialogue->accepted = 0;
	dialogue->is_lmtp |= bytes_is_nocase(verb, "LHLO");
}

static void
note_reply(struct dialogue *dialogue, const char *line)
{
	const int code = smtp_last_code(dialogue->visit->session);

	if (code / 100 == 2)
		note_accepted(dialogue, bytes_trim(bytes_of(line)));
	if (code == 334)
		dialogue->turn = TURN_ANSWER;
	else if (code == 354)
		dialogue->turn = TURN_CONTENT;
}

static void
say_command(struct dialogue *dialogue, const char *line)
{
	smtp *session = dialogue->visit->session;

	if (refuses_chunk(dialogue, line))
		return;
	if (is_word(line, "STARTTLS"))
		finish(dialogue, smtp_starttls(session, NULL, NULL), line);
	else if (logs_in(dialogue, line))
		return;
	else
		say_line(dialogue, line);
	if (is_word(line, "QUIT")) {
		smtp_close(session);
		dialogue->is_over = true;
	}
	if (!dialogue->is_over)
		note_reply(dialogue, line);
}

/* ---- answers ---- */

/* Anything but "*" would be taken for the answer, QUIT as well (RFC 4954 4). */
static void
cancel_exchange(struct dialogue *dialogue)
{
	smtp *session = dialogue->visit->session;

	finish(dialogue, smtp_docmd(session, "*", NULL), "*");
	if (smtp_last_code(session) == 334)
		smtp_close(session);
	dialogue->turn = TURN_COMMAND;
	dialogue->is_over = true;
}

static void
say_answer(struct dialogue *dialogue, const char *line)
{
	say_line(dialogue, line);
	const int code = smtp_last_code(dialogue->visit->session);
	if (code <= 0 && !dialogue->is_over)
		cancel_exchange(dialogue); /* it was not sent */
	else if (code != 334)
		dialogue->turn = TURN_COMMAND;
}

/* ---- lines one after the other ---- */

/* What no command line may hold (RFC 5321 4.1.1): it would be cut there, or go
 * out as several. */
static bool
refuses_line(struct dialogue *dialogue, struct bytes line)
{
	const bool is_answer = dialogue->turn == TURN_ANSWER;
	const bool is_fit = !bytes_contains(line, '\0') &&
	    !bytes_contains(line, '\r') && !bytes_contains(line, '\n');

	if (is_fit)
		return false;
	char *shown = public_part(dialogue, line);
	smtp_report_unsaid(&dialogue->visit->report, shown, EX_USAGE,
	    "%s: a line end or NUL stands within it; it was not sent",
	    is_answer ? "an answer" : shown);
	free(shown);
	/* The next line may be meant for the challenge behind this one. */
	if (is_answer)
		cancel_exchange(dialogue);
	return true;
}

static void
say(struct dialogue *dialogue, struct bytes line)
{
	if (dialogue->turn == TURN_CONTENT)
		say_content(dialogue, line);
	else if (refuses_line(dialogue, line))
		return;
	else if (dialogue->turn == TURN_ANSWER)
		say_answer(dialogue, line.data);
	else if (line.len > 0 || !dialogue->reads_stdin)
		say_command(dialogue, line.data);
}

/* Lines have come to an end where something is still to be said. */
static void
end(struct dialogue *dialogue)
{
	if (dialogue->is_over)
		return;
	if (dialogue->turn == TURN_CONTENT)
		give_up_content(dialogue,
		    "its end is missing, a line with a dot alone; nothing of "
		    "it was sent");
	if (dialogue->turn != TURN_ANSWER)
		return;
	smtp_report_unsaid(&dialogue->visit->report, "***", EX_USAGE,
	    "the answer to the server's 334 is missing; it is cancelled by *");
	cancel_exchange(dialogue);
}

void
smtp_dialogue_run(struct smtp_visit *visit)
{
	struct dialogue dialogue = {
	    .visit = visit, .is_lmtp = visit->words->lmtp};
	struct bytes line = BYTES_NONE;

	buffer_init(&dialogue.content, CONTENT_MAX);
	while (!dialogue.is_over && next_line(&dialogue, &line))
		say(&dialogue, line);
	end(&dialogue);
	buffer_clear(&dialogue.content);
	line_editor_free(dialogue.editor);
	free(dialogue.line);
}
