/* What this machine is called, without asking any name server. */
#pragma once

#include "base/bytes.h"

/*
 * The system's name, the caller's to free.  Where it has no dot, the first
 * dotted name on the line of hosts (/etc/hosts' text) that holds it; else it
 * stays as it is.
 */
char *hostname_qualified(const char *system_name, struct bytes hosts);
/* The same of the real system. */
char *hostname_own(void);
/* The first line of /etc/mailname, else NULL; the caller frees it. */
char *hostname_mailname(void);
