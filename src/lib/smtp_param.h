/*
 * Parameters of MAIL and RCPT as the caller lists them: are they right, and
 * does the server take them?  None is dropped that it has to honour.
 */
#pragma once

#include "lib/smtp_session.h"

/* Why a mail cannot be sent, as what to tell its sender. */
struct smtp_param_obstacle {
	int code;
	const char *enhanced; /* static */
	char text[200];
};

/* Keep the options in session->mail; SMTP_E_INVAL, told, where one of them is
 * wrong. */
int smtp_param_take(struct smtp *session, const char *const *mail_options,
    const char *const *rcpt_options);
/*
 * EHLO was answered: choose those that are said, and what the core is to write
 * by itself.  False where one cannot be honoured here.
 */
bool smtp_param_choose(struct smtp *session, struct mail_params *params,
    struct smtp_param_obstacle *out_obstacle);
/* REQUIRETLS can be said here (RFC 8689 4.2.1). */
bool smtp_param_may_require_tls(
    struct smtp *session, struct smtp_param_obstacle *out_obstacle);
