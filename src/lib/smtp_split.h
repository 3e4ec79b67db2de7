/*
 * One mail in as many transactions as its recipients need (RFC 5321 4.5.3.1.8
 * and 4.5.3.1.10, RFC 9422): at most a hundred at a time, or what the server
 * says; and those that were too many go in the next one.
 */
#pragma once

#include "lib/smtp_session.h"

/* session->mail and its content are complete; ends the call. */
void smtp_split_begin(struct smtp *session, const struct mail_params *params);
/* It cannot be sent here, which every recipient is told; ends the call. */
void smtp_split_refuse(
    struct smtp *session, int code, const char *enhanced, const char *text);
