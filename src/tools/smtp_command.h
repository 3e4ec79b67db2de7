/* postrider smtp VERB HOST: talking to any mail server. */
#pragma once

#include "tools/tool.h"

/* argv[0] is "smtp"; it explains itself where one of argv is --help. */
int smtp_command(struct tool *tool, int argc, char **argv);
