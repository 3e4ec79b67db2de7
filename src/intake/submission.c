#include "intake/submission.h"

#include "base/log.h"
#include "base/memory.h"
#include "smtp/address.h"

#include <stdio.h>
#include <stdlib.h>

void
submission_init(struct submission *submission,
    const struct submission_options *options, struct smtp_server *server)
{
	*submission = (struct submission){
	    .options = *options,
	    .server = server,
	};
}

void
submission_reset(struct submission *submission)
{
	/* Memory of a message that the door has is the door's now. */
	if (submission->has_content && submission->message == NULL)
		content_release(&submission->content);
	else if (submission->has_content)
		content_cancel(&submission->content);
	submission->has_content = false;
	submission->spoilt = false;
	message_free(submission->message);
	submission->message = NULL;
}

void
submission_clear(struct submission *submission)
{
	submission_reset(submission);
	free(submission->hello);
	submission->hello = NULL;
}

void
submission_hello(struct submission *submission, struct bytes name)
{
	submission_clear(submission);
	submission->hello = memory_copy(name);
}

/* ---- answers ---- */

struct answer {
	int code;
	const char *enhanced;
	const char *text;
};

static const struct answer no_room = {
    452, "4.3.1", "no space left for mail, try again later"};
static const struct answer not_stored = {
    451, "4.3.0", "could not store the message, try again later"};
static const struct answer closed = {421, "4.3.2", "shutting down"};
static const struct answer too_many_hops = {
    554, "5.4.6", "too many hops: this message goes in a circle"};
static const struct answer no_relaying = {
    550, "5.7.1", "relaying denied: not a domain that is relayed for you"};

static void
give(struct submission *submission, const struct answer *answer,
    struct clock_time now)
{
	if (answer->code >= 400)
		submission->options.admission->rejected++;
	smtp_server_answer(submission->server, answer->code, answer->enhanced,
	    answer->text, now.mono_ms);
}

/* The final answer, once for each recipient where LMTP wants that. */
static void
give_final(struct submission *submission, const struct answer *answer,
    struct clock_time now)
{
	const struct smtp_server *server = submission->server;
	unsigned times = server->options->lmtp ? server->recipients : 1;

	for (unsigned i = 0; i < times; i++)
		give(submission, answer, now);
}

/* What the door's refusals mean to a client. */
static const struct answer *
refusal_of(enum door_answer answer)
{
	switch (answer) {
	case DOOR_TAKEN:
		break;
	case DOOR_DISK_FULL:
		return &no_room;
	case DOOR_DISK_FAILED:
		return &not_stored;
	case DOOR_CLOSED:
		return &closed;
	}
	return NULL;
}

static const struct door *
door_of(const struct submission *submission)
{
	return submission->options.admission->options->door;
}

/* ---- MAIL and RCPT ---- */

static void
begin_message(
    struct submission *submission, const struct smtp_server_event *event)
{
	const struct peer *peer = submission->options.peer;
	struct message *message = message_new();
	struct envelope *envelope = &message->envelope;
	struct buffer sender;

	buffer_init(&sender, (size_t)4 * ADDRESS_MAILBOX_MAX);
	rewrite_sender(submission->options.rewrite, event->text, &sender);
	envelope_set_sender(envelope, buffer_bytes(&sender));
	buffer_clear(&sender);
	envelope->origin = peer->local ? ORIGIN_SOCKET : ORIGIN_TCP;
	envelope->uid = peer->local ? (uint32_t)peer->uid : UID_UNKNOWN;
	envelope->client = memory_copy_text(submission->options.client);
	envelope->body = event->mail.body;
	envelope->ret = event->mail.ret;
	envelope->utf8 = event->mail.utf8;
	envelope->require_tls = event->mail.require_tls;
	if (event->mail.envelope_id.len > 0)
		envelope->id = memory_copy(event->mail.envelope_id);
	submission->message = message;
}

void
submission_mail(struct submission *submission,
    const struct smtp_server_event *event, struct clock_time now)
{
	static const struct answer yes = {250, "2.1.0", "sender ok"};
	const struct door *door = door_of(submission);
	const struct answer *refusal =
	    refusal_of(door->ask(event->mail.size_bytes, door->ctx));

	submission_reset(submission);
	if (refusal == NULL)
		begin_message(submission, event);
	give(submission, refusal == NULL ? &yes : refusal, now);
}

/* Strangers may write to the domains that are relayed, and to the postmaster
 * (RFC 5321 4.5.1). */
static bool
may_relay(const struct submission *submission, struct bytes recipient)
{
	struct bytes domain = address_domain(recipient);

	return submission->options.trusted ||
	    (domain.len == 0 && bytes_is_nocase(recipient, "postmaster")) ||
	    admission_relays(submission->options.admission, domain);
}

/* Mail for root and for the postmaster may go to the same address. */
static bool
has_recipient(const struct envelope *envelope, struct bytes address)
{
	for (size_t i = 0; i < envelope->recipient_count; i++) {
		struct bytes known = bytes_of(envelope->recipients[i].address);
		if (known.len == address.len && address_equal(known, address))
			return true;
	}
	return false;
}

static void
add_recipient(
    struct submission *submission, const struct smtp_server_event *event)
{
	struct envelope *envelope = &submission->message->envelope;
	struct buffer address;

	buffer_init(&address, (size_t)4 * ADDRESS_MAILBOX_MAX);
	rewrite_recipient(submission->options.rewrite, event->text, &address);
	if (!has_recipient(envelope, buffer_bytes(&address))) {
		struct recipient *recipient =
		    envelope_add_recipient(envelope, buffer_bytes(&address));
		recipient->notify = event->rcpt.notify;
		if (event->rcpt.original.len > 0)
			recipient->original = memory_copy(event->rcpt.original);
	}
	buffer_clear(&address);
}

void
submission_rcpt(struct submission *submission,
    const struct smtp_server_event *event, struct clock_time now)
{
	static const struct answer yes = {250, "2.1.5", "recipient ok"};

	if (may_relay(submission, event->text)) {
		add_recipient(submission, event);
		give(submission, &yes, now);
		return;
	}
	log_info("relaying denied: client=%s from=<%s> to=<%.*s>",
	    submission->options.client, submission->message->envelope.sender,
	    BYTES_ARGS(event->text));
	give(submission, &no_relaying, now);
}

/* ---- content ---- */

/* RFC 3848 and 6531. */
static const char *
protocol_name(const struct smtp_server *server)
{
	if (server->options->lmtp)
		return server->secure ? "LMTPS" : "LMTP";
	if (server->utf8)
		return server->secure ? "UTF8SMTPS" : "UTF8SMTP";
	if (!server->extended)
		return "SMTP";
	return server->secure ? "ESMTPS" : "ESMTP";
}

void
submission_data(struct submission *submission, struct clock_time now)
{
	static const struct answer yes = {
	    354, "", "end with a line of a single dot"};
	const struct submission_options *options = &submission->options;
	const struct door *door = door_of(submission);
	struct message *message = submission->message;
	const struct content_options content = {
	    .admission = options->admission,
	    .rewrite = options->rewrite,
	    .submission = options->peer->loopback,
	};
	const struct stamp_received received = {
	    .hostname = options->rewrite->hostname,
	    .hello = submission->hello,
	    .client = options->client,
	    .protocol = protocol_name(submission->server),
	    .tls = options->tls[0] == '\0' ? NULL : options->tls,
	};

	message->id = door->take_id(door->ctx);
	message->envelope.arrived_at = now.wall_ms;
	progress_init(&message->progress, message->envelope.recipient_count);
	content_begin(&submission->content, &content, message, &received);
	submission->has_content = true;
	give(submission, &yes, now);
}

/* What is wrong is said at the end, as the protocol wants it. */
void
submission_content(struct submission *submission, struct bytes octets)
{
	if (submission->spoilt ||
	    content_append(&submission->content, octets, &submission->error))
		return;
	submission->spoilt = true;
	content_cancel(&submission->content);
	submission->has_content = false;
}

/* NULL: nothing is wrong with it. */
static const struct answer *
find_fault(struct submission *submission)
{
	bool whole = !submission->spoilt &&
	    content_finish(&submission->content, &submission->error);

	if (whole)
		return content_loops(&submission->content) ? &too_many_hops
							   : NULL;
	log_warning("%s: not taken: %s",
	    queue_id_of(submission->message->id).text,
	    error_text(&submission->error));
	return submission->error.kind == ERROR_LIMIT ? &no_room : &not_stored;
}

struct message *
submission_end(struct submission *submission, struct clock_time now)
{
	const struct answer *fault = find_fault(submission);
	struct message *message = submission->message;

	if (fault != NULL) {
		give_final(submission, fault, now);
		submission_reset(submission);
		return NULL;
	}
	submission->message = NULL;
	log_info("%s: from=<%s> recipients=%zu size=%llu client=%s",
	    queue_id_of(message->id).text, message->envelope.sender,
	    message->envelope.recipient_count,
	    (unsigned long long)message->body.len, submission->options.client);
	return message;
}

void
submission_settle(struct submission *submission, enum door_answer answer,
    uint64_t id, struct clock_time now)
{
	char text[64];
	const struct answer yes = {250, "2.0.0", text};
	const struct answer *refusal = refusal_of(answer);

	(void)snprintf(text, sizeof(text), "accepted as %s",
	    queue_id_of(id).text); /* fits */
	submission_reset(submission);
	give_final(submission, refusal == NULL ? &yes : refusal, now);
}
