#include "tools/sendmail_run.h"

#include "base/log.h"
#include "message/envelope.h"
#include "message/printable.h"
#include "smtp/params.h"
#include "tools/sendmail_drop.h"
#include "tools/sendmail_input.h"
#include "tools/sendmail_job.h"
#include "tools/sendmail_message.h"
#include "tools/sendmail_options.h"
#include "tools/sendmail_queue.h"
#include "tools/sendmail_recipients.h"
#include "tools/sendmail_session.h"
#include "tools/sendmail_socket.h"
#include "tools/sendmail_submit.h"
#include "tools/sendmail_user.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define LINE_MAX_OCTETS  ((size_t)1024)
#define COMPLAINTS_LIMIT ((size_t)16 * 1024)

/* A submission under way. */
struct submission {
	const struct sendmail_options *options;
	struct envelope envelope;
	struct sendmail_recipients recipients;
	struct buffer complaints; /* of addresses */
	struct buffer content;    /* as read */
	struct buffer head;       /* the header as it shall be */
	struct sendmail_message message;
	struct error error;
};

/* ---- what is said ---- */

/* "sendmail: text" on stderr, one line. */
static void
say(struct bytes text)
{
	struct buffer line;

	buffer_init(&line, LINE_MAX_OCTETS + sizeof("sendmail: \n"));
	buffer_append_text(&line, "sendmail: ");
	printable_append(&line, text, LINE_MAX_OCTETS, true);
	buffer_append_char(&line, '\n');
	/* Nobody can be told where this fails. */
	ssize_t ignored = write(
	    STDERR_FILENO, buffer_bytes(&line).data, buffer_bytes(&line).len);
	(void)ignored;
	buffer_clear(&line);
}

static void
say_lines(const struct buffer *lines)
{
	struct bytes rest = buffer_bytes(lines);

	while (rest.len > 0)
		say(bytes_cut(&rest, '\n'));
}

/* Unknown options are the administrator's business, too. */
static void
warn_lines(const struct buffer *lines)
{
	struct bytes rest = buffer_bytes(lines);

	say_lines(lines);
	if (rest.len == 0)
		return;
	log_open(LOG_SINK_SYSLOG, LOG_LEVEL_WARNING, "sendmail", NULL);
	while (rest.len > 0) {
		struct bytes line = bytes_cut(&rest, '\n');
		log_warning(
		    "uid %lu: %.*s", (unsigned long)getuid(), BYTES_ARGS(line));
	}
}

static int
fail(int status, const struct error *error)
{
	if (status != EX_OK)
		say(bytes_of(error_text(error)));
	return status;
}

/* ---- whom it is for, and from ---- */

static void
submission_init(
    struct submission *submission, const struct sendmail_options *options)
{
	*submission = (struct submission){.options = options};
	envelope_init(&submission->envelope);
	buffer_init(&submission->complaints, COMPLAINTS_LIMIT);
	buffer_init(&submission->content, SIZE_MAX);
	buffer_init(&submission->head, SIZE_MAX);
	sendmail_recipients_init(&submission->recipients, &submission->envelope,
	    &submission->complaints);
}

static void
submission_clear(struct submission *submission)
{
	sendmail_recipients_clear(&submission->recipients);
	envelope_clear(&submission->envelope);
	buffer_clear(&submission->complaints);
	buffer_clear(&submission->content);
	buffer_clear(&submission->head);
}

/* What the command line alone tells.  Returns an exit status. */
static int
read_envelope(struct submission *submission)
{
	const struct sendmail_options *options = submission->options;
	struct envelope *envelope = &submission->envelope;

	envelope->ret = options->ret;
	envelope->utf8 = options->utf8;
	envelope->require_tls = options->require_tls;
	if (options->sender != NULL &&
	    !sendmail_recipients_set_sender(
		envelope, bytes_of(options->sender), &submission->error))
		return EX_DATAERR;
	if (options->operand_count == 0 && !options->header_recipients) {
		(void)error_set(&submission->error, ERROR_CONFIG,
		    "no recipients: name them, or use -t"); /* status tells */
		return EX_NOINPUT;
	}
	for (size_t i = 0; i < options->operand_count; i++)
		if (!sendmail_recipients_add(&submission->recipients,
			bytes_of(options->operands[i]), &submission->error))
			return EX_DATAERR;
	return EX_OK;
}

static int
read_content(struct submission *submission)
{
	bool typed =
	    !submission->options->ignore_dots && isatty(STDIN_FILENO) == 1;

	if (sendmail_input_read(
		STDIN_FILENO, typed, &submission->content, &submission->error))
		return EX_OK;
	if (submission->error.kind != ERROR_LIMIT)
		return EX_IOERR;
	sendmail_input_drain(STDIN_FILENO);
	return EX_DATAERR;
}

static int
read_message(struct submission *submission)
{
	const struct sendmail_options *options = submission->options;
	struct buffer *content = &submission->content;
	struct bytes octets = buffer_bytes(content);

	if (bytes_contains(octets, '\0') &&
	    !sendmail_message_encode(content, &submission->error))
		return EX_DATAERR;
	octets = buffer_bytes(content);
	if (!bytes_is_ascii(octets))
		submission->envelope.body = MAIL_BODY_8BITMIME;
	sendmail_message_split(octets, &submission->message);
	if (options->header_recipients &&
	    !sendmail_recipients_add_header(&submission->recipients,
		submission->message.header, &submission->error))
		return EX_DATAERR;
	if (submission->envelope.recipient_count > 0)
		return EX_OK;
	bool refused = submission->recipients.refused > 0;
	(void)error_set(&submission->error, ERROR_DATA,
	    refused ? "no recipient is left" : "no recipients in the header");
	return refused ? EX_DATAERR : EX_NOINPUT;
}

/* Recipients are complete now: what holds for each. */
static void
set_notify(struct submission *submission)
{
	struct envelope *envelope = &submission->envelope;

	for (size_t i = 0; i < envelope->recipient_count; i++)
		envelope->recipients[i].notify = submission->options->notify;
	if (submission->options->envelope_id == NULL)
		return;
	struct buffer xtext;
	buffer_init(&xtext, PARAMS_ENVELOPE_ID_MAX);
	xtext_append(&xtext, bytes_of(submission->options->envelope_id));
	envelope->id = buffer_to_text(&xtext);
	buffer_clear(&xtext);
}

/* -F, $NAME, or what the system knows of the user. */
static const char *
choose_name(
    const struct sendmail_options *options, const struct sendmail_user *user)
{
	const char *name = getenv("NAME");

	if (options->name != NULL)
		return options->name;
	return name != NULL && name[0] != '\0' ? name : user->name;
}

static void
complete_message(struct submission *submission)
{
	const struct sendmail_options *options = submission->options;
	struct envelope *envelope = &submission->envelope;
	struct sendmail_user user = {0};
	bool has_from = sendmail_message_has(&submission->message, "From");

	/* The list of users is only read where it is needed. */
	if (options->sender == NULL || !has_from)
		sendmail_user_find(&user);
	if (options->sender == NULL)
		envelope_set_sender(envelope, bytes_of(user.login));
	bool null_sender = envelope_is_null_sender(envelope);
	sendmail_message_complete(&submission->message,
	    has_from ? NULL : choose_name(options, &user),
	    null_sender ? user.login : envelope->sender, &submission->head);
	sendmail_user_clear(&user);
}

/* ---- handing it over ---- */

/* To the daemon, or, where there is none, into the drop directory. */
static int
hand_over(struct sendmail_job *job)
{
	struct error error;
	struct error drop_error;

	switch (sendmail_submit(sendmail_socket_path(), job, &error)) {
	case SENDMAIL_SUBMIT_ANSWERED:
		return job->status;
	case SENDMAIL_SUBMIT_FAILED:
		return fail(EX_TEMPFAIL, &error);
	case SENDMAIL_SUBMIT_NOBODY:
		break;
	}
	if (sendmail_drop_write(sendmail_drop_path(), job, &drop_error))
		return job->status;
	(void)error_context(
	    &drop_error, "no daemon (%s), and", error_text(&error));
	return fail(drop_error.kind == ERROR_CONFIG ? EX_CONFIG : EX_TEMPFAIL,
	    &drop_error);
}

static int
deliver(struct submission *submission)
{
	struct sendmail_job job;

	set_notify(submission);
	complete_message(submission);
	sendmail_job_init(&job, &submission->envelope,
	    buffer_bytes(&submission->head), submission->message.rest);
	job.lacks_date = !sendmail_message_has(&submission->message, "Date");
	int status = hand_over(&job);
	say_lines(&job.complaints);
	if (submission->options->verbose && job.accepted.len > 0)
		(void)printf("%.*s\n", BYTES_ARGS(buffer_bytes(&job.accepted)));
	sendmail_job_clear(&job);
	if (status == EX_OK && submission->recipients.refused > 0)
		return EX_DATAERR;
	return status;
}

static int
submit(const struct sendmail_options *options)
{
	struct submission submission;

	submission_init(&submission, options);
	int status = read_envelope(&submission);
	if (status != EX_OK)
		sendmail_input_drain(STDIN_FILENO);
	if (status == EX_OK)
		status = read_content(&submission);
	if (status == EX_OK)
		status = read_message(&submission);
	say_lines(&submission.complaints);
	status = status == EX_OK ? deliver(&submission)
				 : fail(status, &submission.error);
	submission_clear(&submission);
	return status;
}

/* ---- the program ---- */

static int
say_aliases(void)
{
	(void)printf("nothing to rebuild: this version of postrider reads no "
		     "alias file\n");
	return EX_OK;
}

static int
say_no_explanation(struct error *error)
{
	(void)error_set(error, ERROR_CONFIG,
	    "-bv: this version of postrider cannot explain routes");
	return fail(EX_UNAVAILABLE, error);
}

static int
run_mode(const struct sendmail_options *options, bool has_input)
{
	struct error error;

	switch (options->mode) {
	case SENDMAIL_MODE_SUBMIT:
		if (has_input)
			return submit(options);
		(void)error_set(&error, ERROR_DATA, "standard input is closed");
		return fail(EX_NOINPUT, &error);
	case SENDMAIL_MODE_SESSION:
		return fail(sendmail_session_run(sendmail_socket_path(),
				STDIN_FILENO, STDOUT_FILENO, &error),
		    &error);
	case SENDMAIL_MODE_QUEUE:
		return fail(sendmail_queue_show(
				sendmail_queue_path(), STDOUT_FILENO, &error),
		    &error);
	case SENDMAIL_MODE_ALIASES:
		return say_aliases();
	case SENDMAIL_MODE_FLUSH:
		return fail(sendmail_queue_flush(
				sendmail_queue_path(), options, &error),
		    &error);
	case SENDMAIL_MODE_EXPLAIN:
		return say_no_explanation(&error);
	}
	return EX_SOFTWARE;
}

int
sendmail_run(int argc, char *const *argv, bool has_input)
{
	struct sendmail_options options;
	struct buffer warnings;
	struct error error;

	buffer_init(&warnings, COMPLAINTS_LIMIT);
	int status =
	    sendmail_options_read(argc, argv, &options, &warnings, &error);
	warn_lines(&warnings);
	buffer_clear(&warnings);
	if (status != EX_OK) {
		sendmail_input_drain(STDIN_FILENO);
		return fail(status, &error);
	}
	status = run_mode(&options, has_input);
	if (fflush(stdout) != 0 && status == EX_OK)
		return EX_IOERR;
	return status;
}
