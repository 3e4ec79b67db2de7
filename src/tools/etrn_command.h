/* postrider etrn [status], postrider etrn now [NODE] */
#pragma once

#include "tools/tool.h"

int etrn_command(struct tool *tool, int argc, char **argv);
