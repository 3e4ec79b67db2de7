/* MAIL, RCPT and DATA one by one, for who wants no letter to go. */
#pragma once

#include "tools/smtp_visit.h"

/*
 * Say them as far as stop, and tell each reply.  Behind the 354 to DATA the
 * connection is closed: the server throws away what did not come.
 */
void smtp_envelope_say(struct smtp_visit *visit, const char *from,
    const char *const *to, enum smtp_stop stop);
