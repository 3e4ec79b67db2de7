/*
 * A server session's commands: one table of what is allowed where, and what it
 * does.  Private to the server, as serve.h.
 */
#pragma once

#include "smtp/serve.h"

/* Carry out the command in server->line.  True: the event is set. */
bool serve_command_run(
    struct smtp_server *server, struct smtp_server_event *event);
