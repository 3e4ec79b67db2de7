/* postrider queue ..., postrider flush [DOMAIN] */
#pragma once

#include "tools/tool.h"

/* What was said behind "queue VERB"; borrowed from argv. */
struct queue_words {
	bool count;
	bool content;
	bool live;
	bool all;
	bool remove;
	bool release;
	const char *queue; /* --queue DIR */
	const char *smtp;  /* --smtp SOCKET */
	const char *limit;
	const char *after;
	const char *state;
	char **ids; /* what is neither verb nor option */
	int id_count;
};

int queue_command(struct tool *tool, int argc, char **argv);
int queue_command_flush(struct tool *tool, int argc, char **argv);
