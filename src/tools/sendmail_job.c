#include "tools/sendmail_job.h"

#include "base/memory.h"
#include "message/printable.h"
#include "smtp/reply.h"

#include <assert.h>
#include <stdlib.h>
#include <sysexits.h>

/* What is told of refusals, and of the text of one. */
#define COMPLAINTS_MAX ((size_t)16 * 1024)
#define REPLY_SHOWN    ((size_t)500)

void
sendmail_job_init(struct sendmail_job *job, struct envelope *envelope,
    struct bytes head, struct bytes rest)
{
	*job = (struct sendmail_job){
	    .envelope = envelope,
	    .head = head,
	    .rest = rest,
	    .settled = memory_array(envelope->recipient_count, sizeof(bool)),
	    .open = envelope->recipient_count,
	    .status = EX_OK,
	};
	buffer_init(&job->complaints, COMPLAINTS_MAX);
	buffer_init(&job->accepted, REPLY_SIZE_MAX);
}

void
sendmail_job_clear(struct sendmail_job *job)
{
	free(job->settled);
	buffer_clear(&job->complaints);
	buffer_clear(&job->accepted);
}

struct mail_params
sendmail_job_params(const struct sendmail_job *job)
{
	const struct envelope *envelope = job->envelope;

	return (struct mail_params){
	    .body = envelope->body,
	    .utf8 = envelope->utf8,
	    .ret = envelope->ret,
	    .envelope_id = bytes_of(envelope->id),
	    .auth = BYTES_NONE,
	    .require_tls = envelope->require_tls,
	};
}

size_t
sendmail_job_open(
    const struct sendmail_job *job, size_t *out_recipients, size_t max)
{
	size_t count = 0;

	for (size_t i = 0; i < job->envelope->recipient_count; i++)
		if (!job->settled[i] && count < max)
			out_recipients[count++] = i;
	return count;
}

void
sendmail_job_settle(struct sendmail_job *job, size_t recipient)
{
	assert(!job->settled[recipient]);
	job->settled[recipient] = true;
	job->open--;
}

/* What is wrong with the data is the caller's fault; all else is a refusal. */
static int
status_of(int code, struct bytes text)
{
	struct bytes enhanced = reply_enhanced(code, text);

	if (code < 500)
		return EX_TEMPFAIL;
	if (code == 501 || code == 553 || bytes_has_prefix(enhanced, "5.1.") ||
	    bytes_has_prefix(enhanced, "5.6."))
		return EX_DATAERR;
	return EX_UNAVAILABLE;
}

static void
complain(
    struct sendmail_job *job, struct bytes whom, int code, struct bytes text)
{
	int status = status_of(code, text);

	if (status > job->status)
		job->status = status;
	if (job->complaints.len > COMPLAINTS_MAX / 2)
		return; /* thousands are not read by anybody */
	printable_append(&job->complaints, whom, REPLY_SHOWN, true);
	buffer_printf(&job->complaints, " refused: %d ", code);
	printable_append(&job->complaints, text, REPLY_SHOWN, true);
	buffer_append_char(&job->complaints, '\n');
}

void
sendmail_job_refuse(
    struct sendmail_job *job, size_t recipient, int code, struct bytes text)
{
	sendmail_job_settle(job, recipient);
	complain(job, bytes_of(job->envelope->recipients[recipient].address),
	    code, text);
}

void
sendmail_job_refuse_open(struct sendmail_job *job, int code, struct bytes text)
{
	for (size_t i = 0; i < job->envelope->recipient_count; i++)
		if (!job->settled[i])
			sendmail_job_settle(job, i);
	complain(job, BYTES("message"), code, text);
}
