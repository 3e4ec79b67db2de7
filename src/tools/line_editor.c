#include "tools/line_editor.h"

#include "base/memory.h"

#include <histedit.h>
#include <stdio.h>
#include <stdlib.h>

#define REMEMBERED_MAX 500

struct line_editor {
	EditLine *edit;
	History *history;
	char *prompt;
	char *line; /* the last one */
};

static char *
prompt_of(EditLine *edit)
{
	struct line_editor *editor = NULL;

	(void)el_get(edit, EL_CLIENTDATA, &editor);
	return editor->prompt;
}

struct line_editor *
line_editor_new(const char *name, const char *prompt)
{
	struct line_editor *editor = memory_new(sizeof(*editor));
	HistEvent event;

	editor->prompt = memory_copy_text(prompt);
	editor->history = history_init();
	editor->edit = el_init(name, stdin, stderr, stderr);
	if (editor->edit == NULL || editor->history == NULL)
		abort(); /* out of memory, as elsewhere */
	(void)history(editor->history, &event, H_SETSIZE, REMEMBERED_MAX);
	(void)history(editor->history, &event, H_SETUNIQUE, 1);
	(void)el_set(editor->edit, EL_CLIENTDATA, editor);
	(void)el_set(editor->edit, EL_PROMPT, prompt_of);
	(void)el_set(editor->edit, EL_EDITOR, "emacs");
	(void)el_set(editor->edit, EL_HIST, history, editor->history);
	(void)el_set(editor->edit, EL_SIGNAL, 1);
	(void)el_source(editor->edit, NULL);
	return editor;
}

void
line_editor_free(struct line_editor *editor)
{
	if (editor == NULL)
		return;
	el_end(editor->edit);
	history_end(editor->history);
	free(editor->prompt);
	free(editor->line);
	free(editor);
}

void
line_editor_set_prompt(struct line_editor *editor, const char *prompt)
{
	free(editor->prompt);
	editor->prompt = memory_copy_text(prompt);
}

const char *
line_editor_read(struct line_editor *editor)
{
	int len = 0;
	const char *line = el_gets(editor->edit, &len);

	if (line == NULL || len <= 0)
		return NULL;
	free(editor->line);
	editor->line = memory_copy(bytes_trim(bytes_make(line, (size_t)len)));
	return editor->line;
}

void
line_editor_remember(struct line_editor *editor, const char *line)
{
	HistEvent event;

	(void)history(editor->history, &event, H_ENTER, line);
}
