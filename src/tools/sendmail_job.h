/*
 * One message on its way out of sendmail, and what has come of each of its
 * recipients: taken, refused, or still to be handed to somebody.
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"
#include "message/envelope.h"

#include <stdbool.h>
#include <stddef.h>

struct sendmail_job {
	struct envelope *envelope; /* borrowed, as are the next two */
	struct bytes head;         /* the content, in two parts */
	struct bytes rest;
	bool lacks_date;          /* content has no Date field */
	bool *settled;            /* owned; by recipient */
	size_t open;              /* how many are not settled */
	int status;               /* the exit status so far: the greatest */
	struct buffer complaints; /* lines for stderr */
	struct buffer accepted;   /* the last reply that accepted it */
};

/* envelope and content are complete, and stay as they are. */
void sendmail_job_init(struct sendmail_job *job, struct envelope *envelope,
    struct bytes head, struct bytes rest);
void sendmail_job_clear(struct sendmail_job *job);

/* How the envelope's fields read in the parameters of MAIL. */
struct mail_params sendmail_job_params(const struct sendmail_job *job);

/* The first recipients that are open, at most max: their indexes.  Returns how
 * many. */
size_t sendmail_job_open(
    const struct sendmail_job *job, size_t *out_recipients, size_t max);
/* Somebody has taken responsibility for the recipient. */
void sendmail_job_settle(struct sendmail_job *job, size_t recipient);
/* Nobody will: text, a reply of an SMTP server with code, says why.  The
 * status is what code means to the caller of a program. */
void sendmail_job_refuse(
    struct sendmail_job *job, size_t recipient, int code, struct bytes text);
/* As above, with one line for all that are open. */
void sendmail_job_refuse_open(
    struct sendmail_job *job, int code, struct bytes text);
