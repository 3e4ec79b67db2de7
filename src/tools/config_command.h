/* postrider config show [--defaults], postrider config check */
#pragma once

#include "tools/tool.h"

int config_command(struct tool *tool, int argc, char **argv);
