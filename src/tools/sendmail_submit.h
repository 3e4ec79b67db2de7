/*
 * Handing a message to the daemon: one SMTP session on its socket, written in
 * one go (EHLO, MAIL, RCPT, BDAT with the content, QUIT) and then read, which
 * costs two system calls where the content fits the socket.
 *
 * More recipients than the daemon takes at once are handed over in several
 * sessions.
 */
#pragma once

#include "base/error.h"
#include "tools/sendmail_job.h"

enum sendmail_submit_result {
	SENDMAIL_SUBMIT_ANSWERED, /* every recipient is settled */
	/*
	 * Nobody is there, it is shutting down (421), or it went before it
	 * answered: who is open is to be kept elsewhere, at the risk that the
	 * daemon has it already.
	 */
	SENDMAIL_SUBMIT_NOBODY,
	SENDMAIL_SUBMIT_FAILED /* for now: exit with EX_TEMPFAIL */
};

/* error says why where the result is not ANSWERED. */
enum sendmail_submit_result sendmail_submit(
    const char *path, struct sendmail_job *job, struct error *error);
