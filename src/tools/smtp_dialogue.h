/*
 * Commands one after the other, out of a list, a pipe or a terminal.
 *
 * Each goes out as it stands, but: STARTTLS begins TLS, QUIT ends it, what
 * follows the 354 to DATA is content up to a lone dot, what follows a 334 is an
 * answer to it and secret, and on a terminal "AUTH" and "AUTH MECHANISM" ask
 * for user and password.
 */
#pragma once

#include "tools/smtp_visit.h"

/* Connected. */
void smtp_dialogue_run(struct smtp_visit *visit);
