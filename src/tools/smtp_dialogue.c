#include "tools/smtp_dialogue.h"

#include "base/memory.h"
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
	struct buffer content;
	bool is_over;
	/* Where lines come from: argv, or the editor, or a stream. */
	int next_argument;
	bool reads_stdin;
	struct line_editor *editor; /* NULL: no terminal */
	char *line;                 /* of the stream */
	size_t line_size;
};

/* ---- lines ---- */

static const char *
read_stream(struct dialogue *dialogue)
{
	const ssize_t len =
	    getline(&dialogue->line, &dialogue->line_size, stdin);

	if (len < 0)
		return NULL;
	dialogue->line[strcspn(dialogue->line, "\r\n")] = '\0';
	return dialogue->line;
}

static const char *
read_terminal(struct dialogue *dialogue)
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
	return line;
}

static bool
is_typed(void)
{
	return isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1;
}

/* NULL: there is none left. */
static const char *
next_line(struct dialogue *dialogue)
{
	const struct smtp_words *words = dialogue->visit->words;

	if (dialogue->reads_stdin) {
		const char *line = is_typed() ? read_terminal(dialogue)
					      : read_stream(dialogue);
		if (line != NULL)
			return line;
		dialogue->reads_stdin = false;
	}
	if (dialogue->next_argument == words->argument_count)
		return NULL;
	const char *argument = words->arguments[dialogue->next_argument++];
	if (strcmp(argument, "-") != 0)
		return argument;
	dialogue->reads_stdin = true;
	return next_line(dialogue);
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

/* "AUTH PLAIN ***" of a line that says more than that. */
static char *
public_part(const char *line)
{
	struct bytes rest = bytes_of(line);
	const struct bytes verb = bytes_cut(&rest, ' ');
	const struct bytes mechanism = bytes_cut(&rest, ' ');

	if (!bytes_is_nocase(verb, "AUTH"))
		return memory_copy_text("***");
	return memory_format("%.*s %.*s%s", BYTES_ARGS(verb),
	    BYTES_ARGS(mechanism), rest.len > 0 ? " ***" : "");
}

/* The trace hides by itself what the report must not show either. */
static void
say_secret(struct dialogue *dialogue, const char *line)
{
	char *shown = public_part(line);

	finish(
	    dialogue, smtp_docmd(dialogue->visit->session, line, NULL), shown);
	free(shown);
}

static void
say_content(struct dialogue *dialogue, const char *line)
{
	struct smtp_visit *visit = dialogue->visit;
	struct buffer *content = &dialogue->content;

	buffer_printf(content, "%s\r\n", line);
	if (strcmp(line, ".") != 0)
		return;
	dialogue->turn = TURN_COMMAND;
	int err = SMTP_E_INVAL;
	if (!content->overflowed)
		err = smtp_send(
		    visit->session, buffer_bytes(content).data, content->len);
	if (err == SMTP_OK)
		err = smtp_getreply(visit->session);
	finish(dialogue, err, ".");
	buffer_clear(content);
}

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
	else if (bytes_has_prefix_nocase(bytes_of(line), "AUTH "))
		say_secret(dialogue, line);
	else
		finish(dialogue, smtp_docmd(session, line, NULL), line);
	if (is_word(line, "QUIT")) {
		smtp_close(session);
		dialogue->is_over = true;
	}
	if (dialogue->is_over)
		return;
	if (smtp_last_code(session) == 334)
		dialogue->turn = TURN_ANSWER;
	else if (smtp_last_code(session) == 354 && is_word(line, "DATA"))
		dialogue->turn = TURN_CONTENT;
}

static void
say_answer(struct dialogue *dialogue, const char *line)
{
	say_secret(dialogue, line);
	if (smtp_last_code(dialogue->visit->session) != 334)
		dialogue->turn = TURN_COMMAND;
}

static void
say(struct dialogue *dialogue, const char *line)
{
	switch (dialogue->turn) {
	case TURN_COMMAND:
		if (line[0] != '\0' || !dialogue->reads_stdin)
			say_command(dialogue, line);
		return;
	case TURN_ANSWER:
		say_answer(dialogue, line);
		return;
	case TURN_CONTENT:
		say_content(dialogue, line);
		return;
	}
}

void
smtp_dialogue_run(struct smtp_visit *visit)
{
	struct dialogue dialogue = {.visit = visit};
	const char *line = NULL;

	buffer_init(&dialogue.content, CONTENT_MAX);
	while (!dialogue.is_over && (line = next_line(&dialogue)) != NULL)
		say(&dialogue, line);
	/* A letter without its end is none: nothing of it may be taken. */
	if (dialogue.turn == TURN_CONTENT)
		smtp_close(visit->session);
	buffer_clear(&dialogue.content);
	line_editor_free(dialogue.editor);
	free(dialogue.line);
}
