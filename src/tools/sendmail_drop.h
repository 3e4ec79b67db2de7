/*
 * Writing a message into the drop directory, for a daemon that is not there:
 * a file with the envelope in front (message/dropfile.h), under a hidden name
 * first, synced, renamed to *.eml, and synced again.
 */
#pragma once

#include "base/error.h"
#include "tools/sendmail_job.h"

#include <stdbool.h>

/* $POSTRIDER_DROP, or where the build put it. */
const char *sendmail_drop_path(void);

/*
 * Write the message for those recipients of job that are open, and settle them;
 * where there are many, in several files.  True: it is durable.  False: there
 * is no file for those that are open still, visible or hidden; ERROR_CONFIG
 * where the directory is not as it must be.
 */
bool sendmail_drop_write(
    const char *path, struct sendmail_job *job, struct error *error) MUST_USE;
