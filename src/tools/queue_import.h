/*
 * postrider queue import: exported files handed to the running relay, each in
 * one SMTP transaction on its local socket.  A file is taken whole or not at
 * all, and 250 means that it is durable there.
 *
 * Exit codes: 0 all of them; 1 there was none; 65 bad files; 66 one could not
 * be read; 69 refused, or no relay; 74 a taken file could not be removed; 75
 * not now.
 */
#pragma once

#include "tools/queue_command.h"

int queue_import(struct tool *tool, const struct queue_words *words);
