/*
 * Lines typed on a terminal, with editing and history.  libedit is known only
 * to line_editor.c.
 */
#pragma once

struct line_editor;

/* On standard input, the prompt on standard error.  name is the program's, for
 * the user's ~/.editrc; both are copied. */
struct line_editor *line_editor_new(const char *name, const char *prompt);
void line_editor_free(struct line_editor *editor);
void line_editor_set_prompt(struct line_editor *editor, const char *prompt);
/* The next line without its end, valid until the next call; NULL: the end. */
const char *line_editor_read(struct line_editor *editor);
/* What arrow up brings back. */
void line_editor_remember(struct line_editor *editor, const char *line);
