/*
 * sendmail -bs: SMTP on standard input and output, carried to the daemon's
 * socket and back octet by octet.  The daemon sees who the caller is by the
 * socket, as with any other client.
 */
#pragma once

#include "base/error.h"

/*
 * Carry until the daemon ends the session.  Returns an exit status; where it is
 * not EX_OK, error says why, and a 421 was written to output if nothing else
 * was.
 */
int sendmail_session_run(
    const char *path, int input, int output, struct error *error);
