/* postrider status */
#pragma once

#include "tools/tool.h"

int status_command(struct tool *tool, int argc, char **argv);
