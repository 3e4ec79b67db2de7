/*
 * What a result of the library means for whoever called postrider smtp: the
 * exit code, what to do, and the words that --json has for it.
 *
 *    0  all is well                  75  temporary: try again later
 *    3  some recipients refused      76  no SMTP, or out of step
 *   64  the command line is wrong    77  not logged in, or not permitted
 *   68  host not found               78  TLS, or a file that is named is wrong
 *   69  permanently refused
 */
#pragma once

#include "lib/postrider/smtp.h"

#define SMTP_EXIT_SOME 3

/* What is known of a call that has failed. */
struct smtp_failure {
	int err; /* enum smtp_err */
	smtp_stage stage;
	int code; /* of the reply it is about; 0 and less: there was none */
};

struct smtp_failure smtp_exit_failure(const smtp *session, int err);
/* Never 0 where err is not SMTP_OK. */
int smtp_exit_of(const struct smtp_failure *failure);
/* Of a reply to a command; 0 where it is 2yz or 3yz. */
int smtp_exit_of_reply(int code);
/* Of the worse of two: what is to be told of several letters. */
int smtp_exit_worse(int a, int b);
/* In plain words, "" where there is no advice. */
const char *smtp_exit_advice(const struct smtp_failure *failure);

/* "tls", "temporary", "rcpt" */
const char *smtp_exit_error_word(int err);
const char *smtp_exit_class_word(smtp_class class);
const char *smtp_exit_stage_word(smtp_stage stage);
