/* How the daemon is, for the admin socket. */
#pragma once

#include "control/json_writer.h"

struct daemon;

/* The members into the object that is open. */
void status_write(const struct daemon *daemon, struct json_writer *json);
