#include "tools/sendmail_submit.h"

#include "base/clock.h"
#include "base/memory.h"
#include "smtp/extensions.h"
#include "smtp/reply.h"
#include "tools/sendmail_socket.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Recipients of one session: what the daemon takes by default. */
#define BATCH_MAX ((size_t)1000)
/* Without any progress; a busy disk makes the daemon wait, not refuse. */
#define SILENCE_MAX (10 * CLOCK_MINUTE)
#define READ_SIZE   ((size_t)16 * 1024)
#define ALL_OFFERED UINT32_MAX

enum part {
	PART_COMMANDS,
	PART_HEAD,
	PART_REST,
	PART_QUIT,
	PART_COUNT
};

/* One session. */
struct session {
	struct sendmail_job *job;
	int fd;
	size_t *recipients; /* owned: who this session is for */
	size_t recipient_count;
	bool *accepted; /* owned, by place in recipients */
	size_t accepted_count;
	struct buffer commands;
	struct iovec parts[PART_COUNT];
	int first_part; /* that is not written yet */
	struct buffer input;
	struct reply_reader reader;
	size_t reply_count;
	bool answered;    /* the content's reply, or a refusal before it */
	bool unavailable; /* 421 */
};

/* ---- what is written ---- */

static void
choose_recipients(struct session *session)
{
	const struct sendmail_job *job = session->job;
	size_t max = job->open < BATCH_MAX ? job->open : BATCH_MAX;

	session->recipients = memory_array(max, sizeof(size_t));
	session->accepted = memory_array(max, sizeof(bool));
	session->recipient_count =
	    sendmail_job_open(job, session->recipients, max);
}

static void
write_commands(struct session *session)
{
	const struct sendmail_job *job = session->job;
	struct buffer *out = &session->commands;
	struct mail_params mail = sendmail_job_params(job);
	size_t size = job->head.len + job->rest.len;

	mail.has_size = true;
	mail.size_bytes = size;
	buffer_append_text(out, "EHLO localhost\r\n");
	buffer_printf(out, "MAIL FROM:<%s>", job->envelope->sender);
	params_write_mail(out, &mail, ALL_OFFERED);
	for (size_t i = 0; i < session->recipient_count; i++) {
		const struct recipient *recipient =
		    &job->envelope->recipients[session->recipients[i]];
		struct rcpt_params rcpt = RCPT_PARAMS_NONE;
		rcpt.notify = recipient->notify;
		buffer_printf(out, "\r\nRCPT TO:<%s>", recipient->address);
		params_write_rcpt(out, &rcpt, ALL_OFFERED);
	}
	buffer_printf(out, "\r\nBDAT %zu LAST\r\n", size);
}

static struct iovec
part_of(struct bytes bytes)
{
	return (struct iovec){
	    .iov_base = (void *)(uintptr_t)bytes.data,
	    .iov_len = bytes.len,
	};
}

static void
session_init(struct session *session, struct sendmail_job *job, int fd)
{
	*session = (struct session){.job = job, .fd = fd};
	buffer_init(&session->commands, SIZE_MAX);
	buffer_init(&session->input, REPLY_SIZE_MAX);
	reply_reader_init(&session->reader);
	choose_recipients(session);
	write_commands(session);
	session->parts[PART_COMMANDS] =
	    part_of(buffer_bytes(&session->commands));
	session->parts[PART_HEAD] = part_of(job->head);
	session->parts[PART_REST] = part_of(job->rest);
	session->parts[PART_QUIT] = part_of(BYTES("QUIT\r\n"));
}

static void
session_clear(struct session *session)
{
	(void)close(session->fd); /* all replies that count were read */
	free(session->recipients);
	free(session->accepted);
	buffer_clear(&session->commands);
	buffer_clear(&session->input);
	reply_reader_clear(&session->reader);
}

static bool
is_written(const struct session *session)
{
	return session->first_part == PART_COUNT;
}

static void
advance(struct session *session, size_t written)
{
	while (session->first_part < PART_COUNT) {
		struct iovec *part = &session->parts[session->first_part];
		if (written < part->iov_len) {
			part->iov_base = (char *)part->iov_base + written;
			part->iov_len -= written;
			return;
		}
		written -= part->iov_len;
		session->first_part++;
	}
}

/* As much as fits.  Whoever does not listen any more may have said why: that
 * is read then. */
static void
write_some(struct session *session)
{
	struct msghdr message = {
	    .msg_iov = &session->parts[session->first_part],
	    .msg_iovlen = (size_t)(PART_COUNT - session->first_part),
	};
	ssize_t written =
	    sendmsg(session->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (written >= 0)
		advance(session, (size_t)written);
	else if (errno != EAGAIN && errno != EINTR)
		session->first_part = PART_COUNT;
}

/* ---- what is read: greeting, EHLO, MAIL, each RCPT, BDAT, QUIT ---- */

static bool
is_yes(const struct reply *reply)
{
	return reply->code / 100 == 2;
}

/* MAIL was refused, or something before: that is the answer for all. */
static void
refuse_session(struct session *session, const struct reply *reply)
{
	sendmail_job_refuse_open(session->job, reply->code, reply->text);
	session->answered = true;
}

static void
read_rcpt_reply(
    struct session *session, size_t place, const struct reply *reply)
{
	size_t recipient = session->recipients[place];
	bool too_many = reply->code == 452 && session->accepted_count > 0 &&
	    bytes_is(reply->enhanced, "4.5.3");

	if (is_yes(reply)) {
		session->accepted[place] = true;
		session->accepted_count++;
	} else if (!too_many) {
		sendmail_job_refuse(
		    session->job, recipient, reply->code, reply->text);
	}
}

static void
read_content_reply(struct session *session, const struct reply *reply)
{
	struct sendmail_job *job = session->job;

	session->answered = true;
	if (session->accepted_count == 0)
		return;
	if (!is_yes(reply)) {
		sendmail_job_refuse_open(job, reply->code, reply->text);
		return;
	}
	for (size_t i = 0; i < session->recipient_count; i++)
		if (session->accepted[i])
			sendmail_job_settle(job, session->recipients[i]);
	buffer_empty(&job->accepted);
	buffer_append(&job->accepted, reply->text);
}

static void
take_reply(struct session *session, const struct reply *reply)
{
	size_t index = session->reply_count++;
	const size_t first_rcpt = 3;

	if (session->answered)
		return;
	if (reply->code == 421)
		session->unavailable = true;
	else if (index < first_rcpt && !is_yes(reply))
		refuse_session(session, reply);
	else if (index >= first_rcpt &&
	    index < first_rcpt + session->recipient_count)
		read_rcpt_reply(session, index - first_rcpt, reply);
	else if (index >= first_rcpt)
		read_content_reply(session, reply);
}

static bool
take_replies(struct session *session, struct error *error)
{
	struct reply reply;

	for (;;) {
		switch (reply_read(&session->reader, &session->input, &reply)) {
		case REPLY_UNFINISHED:
			return true;
		case REPLY_MALFORMED:
			return error_set(
			    error, ERROR_DATA, "the daemon speaks no SMTP");
		case REPLY_FINISHED:
			take_reply(session, &reply);
			break;
		}
	}
}

/* False: its end, or an error. */
static bool
read_some(struct session *session, struct error *error)
{
	char *room = buffer_reserve(&session->input, READ_SIZE);
	if (room == NULL)
		return error_set(error, ERROR_LIMIT, "a reply is too long");
	ssize_t got = recv(session->fd, room, READ_SIZE, MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (got < 0)
		return error_system(error, "read from the daemon");
	if (got == 0)
		return error_set(error, ERROR_CLOSED,
		    "the daemon closed the connection without an answer");
	buffer_commit(&session->input, (size_t)got);
	return take_replies(session, error);
}

/* Has all been said that matters? */
static bool
is_over(const struct session *session)
{
	return session->answered || session->unavailable;
}

/* Write and read, whichever is possible.  False: no more will come. */
static bool
move_on(struct session *session, struct error *error)
{
	int events = is_written(session) ? POLLIN : POLLIN | POLLOUT;
	struct pollfd wait = {.fd = session->fd, .events = (short)events};
	int ready = poll(&wait, 1, (int)SILENCE_MAX);

	if (ready < 0 && errno == EINTR)
		return true;
	if (ready < 0)
		return error_system(error, "poll");
	if (ready == 0)
		return error_set(
		    error, ERROR_TIMEOUT, "the daemon did not answer in time");
	if ((wait.revents & POLLOUT) != 0)
		write_some(session);
	return (wait.revents & ~POLLOUT) == 0 || read_some(session, error);
}

static enum sendmail_submit_result
converse(struct session *session, struct error *error)
{
	write_some(session);
	while (!is_over(session)) {
		if (move_on(session, error) || is_over(session))
			continue;
		return error->kind == ERROR_CLOSED ||
			error->kind == ERROR_SYSTEM
		    ? SENDMAIL_SUBMIT_NOBODY
		    : SENDMAIL_SUBMIT_FAILED;
	}
	if (session->answered)
		return SENDMAIL_SUBMIT_ANSWERED;
	(void)error_set(error, ERROR_CLOSED,
	    "the daemon is shutting down or too busy"); /* it said 421 */
	return SENDMAIL_SUBMIT_NOBODY;
}

/* One session, for as many as it takes. */
static enum sendmail_submit_result
submit_batch(const char *path, struct sendmail_job *job, struct error *error)
{
	struct session session;
	int fd = -1;

	switch (sendmail_socket_open(path, &fd, error)) {
	case SENDMAIL_SOCKET_OPEN:
		break;
	case SENDMAIL_SOCKET_NOBODY:
		return SENDMAIL_SUBMIT_NOBODY;
	case SENDMAIL_SOCKET_FAILED:
		return SENDMAIL_SUBMIT_FAILED;
	}
	session_init(&session, job, fd);
	enum sendmail_submit_result result = converse(&session, error);
	session_clear(&session);
	return result;
}

enum sendmail_submit_result
sendmail_submit(const char *path, struct sendmail_job *job, struct error *error)
{
	enum sendmail_submit_result result = SENDMAIL_SUBMIT_ANSWERED;

	while (job->open > 0 && result == SENDMAIL_SUBMIT_ANSWERED)
		result = submit_batch(path, job, error);
	return result;
}
