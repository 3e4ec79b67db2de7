/*
 * Commands one after the other, out of a list, a pipe or a terminal.
 *
 * Each goes out as it stands, but: STARTTLS begins TLS, QUIT ends it, what
 * follows a 354 is content up to a lone dot, what follows a 334 is an answer to
 * it and secret, and on a terminal "AUTH" and "AUTH MECHANISM" ask for user and
 * password.  A letter without its dot is not sent, a 334 without an answer is
 * cancelled; both are faults.
 */
#pragma once

#include "tools/smtp_visit.h"

/* Connected. */
void smtp_dialogue_run(struct smtp_visit *visit);
