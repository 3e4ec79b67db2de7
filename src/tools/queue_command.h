/* postrider queue ..., postrider flush [DOMAIN] */
#pragma once

#include "tools/tool.h"

int queue_command(struct tool *tool, int argc, char **argv);
int queue_command_flush(struct tool *tool, int argc, char **argv);
