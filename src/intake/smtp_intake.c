#include "intake/smtp_intake.h"

#include "base/log.h"
#include "base/memory.h"
#include "intake/content.h"
#include "net/conn.h"
#include "smtp/address.h"
#include "smtp/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

struct session {
	TAILQ_ENTRY(session) siblings;
	struct smtp_intake *intake;
	struct conn *conn;
	struct smtp_server server;
	struct message *message; /* of the transaction, or NULL */
	struct content content;
	bool has_content; /* content has begun */
	bool spoilt;      /* content was refused midway: error says why */
	struct error error;
	struct receipt receipt; /* while the door has the message */
	bool ended;             /* the client has sent its end */
	bool running;           /* in session_run() */
	char *hello;     /* the client's name for itself; owned, or NULL */
	char client[96]; /* who it is, for Received and the log */
};

struct smtp_intake {
	struct loop *loop;
	struct admission *admission;
	const struct smtp_intake_options *options;
	TAILQ_HEAD(, session) sessions;
	size_t session_count;
	bool paused;
	bool shut;
};

static void session_run(struct session *session);

struct smtp_intake *
smtp_intake_new(struct loop *loop, struct admission *admission,
    const struct smtp_intake_options *options)
{
	struct smtp_intake *intake = memory_new(sizeof(*intake));

	intake->loop = loop;
	intake->admission = admission;
	intake->options = options;
	TAILQ_INIT(&intake->sessions);
	return intake;
}

/* ---- the transaction ---- */

static int64_t
session_now(const struct session *session)
{
	return loop_now(session->intake->loop).mono_ms;
}

static const struct door *
session_door(const struct session *session)
{
	return session->intake->admission->options->door;
}

static void
answer(
    struct session *session, int code, const char *enhanced, const char *text)
{
	if (code >= 400)
		session->intake->admission->rejected++;
	smtp_server_answer(
	    &session->server, code, enhanced, text, session_now(session));
}

/* Forget the transaction, whatever has come of it. */
static void
drop_transaction(struct session *session)
{
	if (session->has_content)
		content_cancel(&session->content);
	session->has_content = false;
	session->spoilt = false;
	message_free(session->message);
	session->message = NULL;
}

/* What the door's refusals mean to a client. */
static void
answer_refusal(struct session *session, enum door_answer refusal)
{
	switch (refusal) {
	case DOOR_TAKEN:
		break;
	case DOOR_DISK_FULL:
		answer(session, 452, "4.3.1",
		    "no space left for mail, try again later");
		break;
	case DOOR_DISK_FAILED:
		answer(session, 451, "4.3.0",
		    "could not store the message, try again later");
		break;
	case DOOR_CLOSED:
		answer(session, 421, "4.3.2", "shutting down");
		break;
	}
}

static enum envelope_origin
session_origin(const struct session *session)
{
	return conn_peer(session->conn)->local ? ORIGIN_SOCKET : ORIGIN_TCP;
}

static void
begin_message(struct session *session, const struct smtp_server_event *event)
{
	const struct peer *peer = conn_peer(session->conn);
	struct message *message = message_new();
	struct envelope *envelope = &message->envelope;
	struct buffer sender;

	buffer_init(&sender, (size_t)4 * ADDRESS_MAILBOX_MAX);
	rewrite_sender(
	    &session->intake->options->rewrite, event->text, &sender);
	envelope_set_sender(envelope, buffer_bytes(&sender));
	buffer_clear(&sender);
	envelope->origin = session_origin(session);
	envelope->uid = peer->local ? (uint32_t)peer->uid : UID_UNKNOWN;
	envelope->client = memory_copy_text(session->client);
	envelope->body = event->mail.body;
	envelope->ret = event->mail.ret;
	envelope->utf8 = event->mail.utf8;
	envelope->require_tls = event->mail.require_tls;
	if (event->mail.envelope_id.len > 0)
		envelope->id = memory_copy(event->mail.envelope_id);
	session->message = message;
}

static void
on_mail(struct session *session, const struct smtp_server_event *event)
{
	const struct door *door = session_door(session);
	enum door_answer room = door->ask(event->mail.size_bytes, door->ctx);

	if (room != DOOR_TAKEN) {
		answer_refusal(session, room);
		return;
	}
	drop_transaction(session);
	begin_message(session, event);
	answer(session, 250, "2.1.0", "sender ok");
}

static bool
may_relay(const struct session *session, struct bytes recipient)
{
	const struct smtp_intake *intake = session->intake;

	return intake->options->trusted ||
	    admission_relays(intake->admission, address_domain(recipient));
}

static void
on_rcpt(struct session *session, const struct smtp_server_event *event)
{
	const struct rewrite_options *rewrite =
	    &session->intake->options->rewrite;
	struct buffer address;

	if (!may_relay(session, event->text)) {
		answer(session, 550, "5.7.1",
		    "relaying denied: not a domain that is relayed for you");
		return;
	}
	buffer_init(&address, (size_t)4 * ADDRESS_MAILBOX_MAX);
	rewrite_recipient(rewrite, event->text, &address);
	struct recipient *recipient = envelope_add_recipient(
	    &session->message->envelope, buffer_bytes(&address));
	buffer_clear(&address);
	recipient->notify = event->rcpt.notify;
	if (event->rcpt.original.len > 0)
		recipient->original = memory_copy(event->rcpt.original);
	answer(session, 250, "2.1.5", "recipient ok");
}

/* RFC 3848 and 6531. */
static const char *
protocol_name(const struct session *session)
{
	const struct smtp_server *server = &session->server;

	if (server->options->lmtp)
		return server->secure ? "LMTPS" : "LMTP";
	if (server->utf8)
		return server->secure ? "UTF8SMTPS" : "UTF8SMTP";
	if (!server->extended)
		return "SMTP";
	return server->secure ? "ESMTPS" : "ESMTP";
}

static void
on_data(struct session *session)
{
	const struct smtp_intake *intake = session->intake;
	const struct door *door = session_door(session);
	struct message *message = session->message;
	struct content_options options = {
	    .admission = intake->admission,
	    .rewrite = &intake->options->rewrite,
	    .submission = conn_peer(session->conn)->loopback,
	};
	struct stamp_received received = {
	    .hostname = intake->options->rewrite.hostname,
	    .hello = session->hello,
	    .client = session->client,
	    .protocol = protocol_name(session),
	};

	message->id = door->take_id(door->ctx);
	message->envelope.arrived_at = loop_now(intake->loop).wall_ms;
	progress_init(&message->progress, message->envelope.recipient_count);
	content_begin(&session->content, &options, message, &received);
	session->has_content = true;
	answer(session, 354, "", "end with a line of a single dot");
}

/* What is wrong is said at the end, as the protocol wants it. */
static void
on_content(struct session *session, struct bytes octets)
{
	if (session->spoilt)
		return;
	if (content_append(&session->content, octets, &session->error))
		return;
	session->spoilt = true;
	log_warning("%s: not taken: %s", queue_id_of(session->message->id).text,
	    error_text(&session->error));
	content_cancel(&session->content);
	session->has_content = false;
}

/* The same final answer, once for each recipient where LMTP wants that. */
static void
answer_end(
    struct session *session, int code, const char *enhanced, const char *text)
{
	unsigned times =
	    session->server.options->lmtp ? session->server.recipients : 1;

	for (unsigned i = 0; i < times; i++)
		answer(session, code, enhanced, text);
}

static void
answer_spoilt(struct session *session)
{
	if (session->error.kind == ERROR_LIMIT)
		answer_end(session, 452, "4.3.1",
		    "no room for the message now, try again later");
	else
		answer_end(session, 451, "4.3.0",
		    "could not store the message, try again later");
}

static void
on_receipt(struct receipt *receipt, enum door_answer given, uint64_t id)
{
	struct session *session = receipt->owner;
	char text[64];

	content_release(&session->content);
	session->has_content = false;
	if (given == DOOR_TAKEN) {
		(void)snprintf(text, sizeof(text), "accepted as %s",
		    queue_id_of(id).text); /* fits */
		answer_end(session, 250, "2.0.0", text);
	} else {
		answer_refusal(session, given);
	}
	session_run(session);
}

static void
submit(struct session *session)
{
	const struct door *door = session_door(session);
	struct message *message = session->message;

	session->message = NULL;
	session->receipt = (struct receipt){.fn = on_receipt, .owner = session};
	log_info("%s: from=<%s> recipients=%zu size=%llu client=%s",
	    queue_id_of(message->id).text, message->envelope.sender,
	    message->envelope.recipient_count,
	    (unsigned long long)message->body.len, session->client);
	door->submit(message, &session->receipt, door->ctx);
}

static void
on_end(struct session *session)
{
	if (session->spoilt) {
		answer_spoilt(session);
	} else if (!content_finish(&session->content, &session->error)) {
		answer_spoilt(session);
	} else if (content_loops(&session->content)) {
		answer_end(session, 554, "5.4.6",
		    "too many hops: this message goes in a circle");
	} else {
		submit(session);
		return;
	}
	drop_transaction(session);
}

static void
on_etrn(struct session *session, struct bytes node)
{
	const struct door *door = session_door(session);
	long count = door->flush_domain(node, door->ctx);

	if (count < 0)
		answer(
		    session, 459, "4.7.1", "not a domain that is queued here");
	else
		answer(session, 250, "2.0.0", "queuing for the node started");
}

/* ---- the session ---- */

static void
session_free(struct session *session)
{
	struct smtp_intake *intake = session->intake;

	if (session->receipt.taker != NULL) {
		const struct door *door = session_door(session);
		/* The message stays accepted; nobody hears of it. */
		door->cancel(&session->receipt, door->ctx);
		content_release(&session->content);
		session->has_content = false;
	}
	drop_transaction(session);
	admission_leave(intake->admission, conn_peer(session->conn));
	smtp_server_clear(&session->server);
	free(session->hello);
	TAILQ_REMOVE(&intake->sessions, session, siblings);
	intake->session_count--;
	free(session);
}

/* Write what is left, and be gone. */
static void
session_end(struct session *session)
{
	struct conn *conn = session->conn;

	session_free(session);
	conn_finish(conn);
}

static void
on_start_tls(struct session *session)
{
	struct error error;

	conn_flush(session->conn);
	if (conn_start_tls(
		session->conn, session->intake->options->tls, NULL, &error))
		return;
	log_warning(
	    "STARTTLS from %s: %s", session->client, error_text(&error));
	smtp_server_shut(
	    &session->server, "4.7.0", "plaintext behind STARTTLS");
}

/* False: that was the last event. */
static bool
handle_event(struct session *session, const struct smtp_server_event *event)
{
	switch (event->kind) {
	case SMTP_SERVER_MAIL:
		on_mail(session, event);
		return true;
	case SMTP_SERVER_RCPT:
		on_rcpt(session, event);
		return true;
	case SMTP_SERVER_DATA:
		on_data(session);
		return true;
	case SMTP_SERVER_CONTENT:
		on_content(session, event->text);
		return true;
	case SMTP_SERVER_END:
		on_end(session);
		return true;
	case SMTP_SERVER_ETRN:
		on_etrn(session, event->text);
		return true;
	case SMTP_SERVER_HELLO:
		drop_transaction(session);
		free(session->hello);
		session->hello = memory_copy(event->text);
		return true;
	case SMTP_SERVER_RESET:
		drop_transaction(session);
		return true;
	case SMTP_SERVER_START_TLS:
		on_start_tls(session);
		return true;
	case SMTP_SERVER_CLOSE:
		log_debug("session of %s ends: %.*s", session->client,
		    BYTES_ARGS(event->text));
		return false;
	}
	return true;
}

/* Everything that can be done now; the session may be gone afterwards. */
static void
session_run(struct session *session)
{
	struct smtp_server_event event;

	if (session->running)
		return;
	session->running = true;
	while (smtp_server_next(&session->server, session_now(session), &event))
		if (!handle_event(session, &event)) {
			session_end(session);
			return;
		}
	session->running = false;

	bool waiting = session->receipt.taker != NULL;
	if (session->intake->shut && !waiting &&
	    smtp_server_is_idle(&session->server)) {
		smtp_server_shut(&session->server, "4.3.2", "shutting down");
		session_run(session);
		return;
	}
	if (session->ended && !waiting) {
		session_end(session);
		return;
	}
	conn_set_deadline(
	    session->conn, smtp_server_deadline(&session->server));
	conn_flush(session->conn);
	conn_read_on(session->conn);
}

static void
on_conn(struct conn *conn, enum conn_event event, void *ctx)
{
	struct session *session = ctx;

	switch (event) {
	case CONN_READABLE:
	case CONN_DRAINED:
		session_run(session);
		break;
	case CONN_SECURED:
		smtp_server_tls_started(&session->server, session_now(session));
		session_run(session);
		break;
	case CONN_EOF:
		session->ended = true;
		session_run(session);
		break;
	case CONN_TIMEOUT:
		smtp_server_shut(
		    &session->server, "4.4.2", "nothing came for too long");
		session_run(session);
		break;
	case CONN_FAILED:
		log_debug("session of %s fails: %s", session->client,
		    error_text(conn_error(conn)));
		session_free(session);
		conn_close(conn);
		break;
	case CONN_OPENED:
		break; /* accepted connections are open */
	}
}

/* "uid 1000, pid 123" or "[192.0.2.1]". */
static void
name_client(struct session *session)
{
	const struct peer *peer = conn_peer(session->conn);

	if (peer->local)
		(void)snprintf(session->client, sizeof(session->client),
		    "uid %lu, pid %ld", (unsigned long)peer->uid,
		    (long)peer->pid); /* fits */
	else
		(void)snprintf(session->client, sizeof(session->client), "[%s]",
		    peer->address); /* fits */
}

static void
refuse(struct smtp_intake *intake, struct conn *conn, const char *why)
{
	log_warning(
	    "connection of %s refused: %s", conn_peer(conn)->address, why);
	(void)intake;
	reply_write(conn_output(conn), 421, "4.7.0", why);
	conn_finish(conn);
}

static void
ignore_conn(struct conn *conn, enum conn_event event, void *ctx)
{
	(void)conn; /* conn_finish() was called before anything could happen */
	(void)event;
	(void)ctx;
}

void
smtp_intake_accept(int fd, const struct peer *peer, void *ctx)
{
	struct smtp_intake *intake = ctx;
	const char *refusal = intake->shut
	    ? "shutting down"
	    : admission_enter(intake->admission, peer);
	if (refusal != NULL) {
		struct conn *refused =
		    conn_accept(intake->loop, fd, ignore_conn, NULL);
		refuse(intake, refused, refusal);
		return;
	}

	struct session *session = memory_new(sizeof(*session));
	session->intake = intake;
	session->conn = conn_accept(intake->loop, fd, on_conn, session);
	name_client(session);
	smtp_server_init(&session->server, &intake->options->server,
	    conn_input(session->conn), conn_output(session->conn),
	    session_now(session));
	TAILQ_INSERT_TAIL(&intake->sessions, session, siblings);
	intake->session_count++;
	if (intake->paused)
		conn_pause(session->conn, CONN_PAUSE_PRESSURE);
	session_run(session);
}

/* ---- all sessions ---- */

void
smtp_intake_free(struct smtp_intake *intake)
{
	if (intake == NULL)
		return;
	while (!TAILQ_EMPTY(&intake->sessions)) {
		struct session *session = TAILQ_FIRST(&intake->sessions);
		struct conn *conn = session->conn;
		session_free(session);
		conn_close(conn);
	}
	free(intake);
}

void
smtp_intake_pause(struct smtp_intake *intake)
{
	struct session *session;

	intake->paused = true;
	TAILQ_FOREACH (session, &intake->sessions, siblings)
		conn_pause(session->conn, CONN_PAUSE_PRESSURE);
}

void
smtp_intake_resume(struct smtp_intake *intake)
{
	struct session *session;

	intake->paused = false;
	TAILQ_FOREACH (session, &intake->sessions, siblings)
		conn_resume(session->conn, CONN_PAUSE_PRESSURE);
}

void
smtp_intake_shut(struct smtp_intake *intake)
{
	struct session *session = TAILQ_FIRST(&intake->sessions);

	intake->shut = true;
	while (session != NULL) {
		struct session *next = TAILQ_NEXT(session, siblings);
		session_run(session);
		session = next;
	}
}

size_t
smtp_intake_sessions(const struct smtp_intake *intake)
{
	return intake->session_count;
}
