/*
 * What sendmail asks of the daemon beside handing mail over: the list of the
 * queue (-bp, mailq) and a new try of what waits (-q), by its admin socket.
 */
#pragma once

#include "base/error.h"
#include "tools/sendmail_options.h"

/* $POSTRIDER_ADMIN_SOCKET, or where the build put it. */
const char *sendmail_queue_path(void);

/* Both return an exit status; where it is not EX_OK, error says why. */

/* Copy the list, as the daemon writes it, to output. */
int sendmail_queue_show(const char *path, int output, struct error *error);
int sendmail_queue_flush(const char *path,
    const struct sendmail_options *options, struct error *error);
