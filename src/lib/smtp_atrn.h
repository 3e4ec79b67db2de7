/*
 * ATRN (RFC 2645): after its reply the roles turn, and the server sends what it
 * holds for us.  The session is then served by the relay's own server core, and
 * each message handed to the caller's smtp_taker.
 */
#pragma once

#include "lib/smtp_session.h"

/* True where something was done; the step may be over by it. */
bool smtp_atrn_advance(struct smtp *session);
/* Monotonic ms. */
int64_t smtp_atrn_deadline(const struct smtp *session);
/* The connection is over; what has come before counts. */
void smtp_atrn_ended(struct smtp *session, const struct error *error);
/* A message that has not come whole comes to nothing. */
void smtp_atrn_free(struct smtp *session);
