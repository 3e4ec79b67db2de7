/*
 * postrider smtp atrn: fetch the mail that waits for our domains (RFC 2645).
 *
 * Each letter goes to the local relay, or into a maildir, before the server is
 * told 250: from then on it is ours.
 */
#pragma once

#include "tools/smtp_visit.h"

void smtp_fetch_run(struct smtp_visit *visit);
