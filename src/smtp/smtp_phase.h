/*
 * The table of phases and what drives it: a reply is read and means something,
 * or the next thing is sent, or time is up.  Private to the client session.
 */
#pragma once

#include "smtp/smtp_client.h"

#include <stdbool.h>
#include <stdint.h>

struct smtp_transaction;

/* The default of RFC 5321 4.5.3.2, or ours. */
int64_t smtp_phase_timeout_ms(enum smtp_phase phase);
/* Send what belongs to phase; transaction is NULL outside of any. */
void smtp_phase_enter(struct smtp_client *client, enum smtp_phase phase,
    struct smtp_transaction *transaction);
/* What the session is waiting for; SMTP_PHASE_COUNT: nothing. */
enum smtp_phase smtp_phase_awaited(const struct smtp_client *client);
/* Do one thing.  False: there is nothing to do until more input comes, output
 * leaves, or the deadline. */
bool smtp_phase_advance(struct smtp_client *client);
