/*
 * The commonest case in four lines: smarthost, user and password_file at the
 * top become an entry of upstreams called "main".
 *
 *   smarthost = [("smtp" / "smtps") "://"] host [":" port]
 *             / "lmtp:" path / "maildir:" path
 *
 * Without a port: 587, and 465 for smtps.  Port 465 means implicit TLS.
 */
#pragma once

#include "config/diagnose.h"
#include "config/setting.h"

#define SHORTFORM_NAME "main"

/*
 * Take the three settings out of root and put the upstream in, first of all;
 * where the files have an upstream "main" too, what it says besides is kept.
 * Relative paths are made absolute against folder.
 */
void shortform_expand(
    struct setting *root, const char *folder, struct diagnose *diagnose);
