#include "intake/smtp_intake.h"

#include "base/log.h"
#include "base/memory.h"
#include "intake/submission.h"
#include "net/conn.h"
#include "smtp/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

struct session {
	TAILQ_ENTRY(session) siblings;
	struct smtp_intake *intake;
	struct conn *conn;
	struct peer peer; /* as it was when it was accepted */
	struct smtp_server server;
	struct submission submission;
	struct receipt receipt; /* while the door has the message */
	bool ended;             /* the client has sent its end */
	bool running;           /* in session_run() */
	char client[96];        /* who it is, for Received and the log */
	char tls[96];           /* how it is encrypted, or "" */
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

/* ---- what the door is asked ---- */

static struct clock_time
now(const struct session *session)
{
	return loop_now(session->intake->loop);
}

static const struct door *
door_of(const struct session *session)
{
	return session->intake->admission->options->door;
}

static bool
is_at_door(const struct session *session)
{
	return session->receipt.taker != NULL;
}

static void
on_receipt(struct receipt *receipt, enum door_answer answer, uint64_t id)
{
	struct session *session = receipt->owner;

	submission_settle(&session->submission, answer, id, now(session));
	session_run(session);
}

static void
on_end(struct session *session)
{
	const struct door *door = door_of(session);
	struct message *message =
	    submission_end(&session->submission, now(session));

	if (message == NULL)
		return;
	session->receipt = (struct receipt){.fn = on_receipt, .owner = session};
	door->submit(message, &session->receipt, door->ctx);
}

static void
on_etrn(struct session *session, struct bytes node)
{
	const struct door *door = door_of(session);
	bool known = door->flush_domain(node, door->ctx) >= 0;

	if (known)
		smtp_server_answer(&session->server, 250, "2.0.0",
		    "queuing for the node started", now(session).mono_ms);
	else
		smtp_server_answer(&session->server, 459, "4.7.1",
		    "not a domain that is queued here", now(session).mono_ms);
}

/* ---- the session ---- */

static void
session_free(struct session *session)
{
	struct smtp_intake *intake = session->intake;
	const struct door *door = door_of(session);

	/* The message stays accepted; nobody hears of it. */
	if (is_at_door(session))
		door->cancel(&session->receipt, door->ctx);
	submission_clear(&session->submission);
	smtp_server_clear(&session->server);
	admission_leave(intake->admission, &session->peer);
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
	struct submission *submission = &session->submission;

	switch (event->kind) {
	case SMTP_SERVER_MAIL:
		submission_mail(submission, event, now(session));
		return true;
	case SMTP_SERVER_RCPT:
		submission_rcpt(submission, event, now(session));
		return true;
	case SMTP_SERVER_DATA:
		submission_data(submission, now(session));
		return true;
	case SMTP_SERVER_CONTENT:
		submission_content(submission, event->text);
		return true;
	case SMTP_SERVER_END:
		on_end(session);
		return true;
	case SMTP_SERVER_ETRN:
		on_etrn(session, event->text);
		return true;
	case SMTP_SERVER_HELLO:
		submission_hello(submission, event->text);
		return true;
	case SMTP_SERVER_RESET:
		submission_reset(submission);
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

/* All events there are.  False: the session has ended, and is gone. */
static bool
handle_events(struct session *session)
{
	struct smtp_server_event event;

	session->running = true;
	while (smtp_server_next(&session->server, now(session).mono_ms, &event))
		if (!handle_event(session, &event)) {
			session_end(session);
			return false;
		}
	session->running = false;
	return true;
}

/* Has a client that sends no more heard all that it will hear? */
static bool
is_over(const struct session *session)
{
	bool stuck = conn_output(session->conn)->len >= SMTP_SERVER_OUTPUT_MAX;

	return session->ended && !is_at_door(session) && !stuck;
}

/* Everything that can be done now; the session may be gone afterwards. */
static void
session_run(struct session *session)
{
	if (session->running || !handle_events(session))
		return;
	if (session->intake->shut && !is_at_door(session) &&
	    smtp_server_is_idle(&session->server)) {
		smtp_server_shut(&session->server, "4.3.2", "shutting down");
		session_run(session);
		return;
	}
	if (is_over(session)) {
		session_end(session);
		return;
	}
	conn_set_deadline(
	    session->conn, smtp_server_deadline(&session->server));
	conn_flush(session->conn);
	conn_read_on(session->conn);
}

static void
on_secured(struct session *session)
{
	const struct tls_summary *tls = conn_tls(session->conn);

	(void)snprintf(session->tls, sizeof(session->tls), "%s with cipher %s",
	    tls->version, tls->cipher); /* cut is fine */
	smtp_server_tls_started(&session->server, now(session).mono_ms);
	session_run(session);
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
		on_secured(session);
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
	const struct peer *peer = &session->peer;

	if (peer->local)
		(void)snprintf(session->client, sizeof(session->client),
		    "uid %lu, pid %ld", (unsigned long)peer->uid,
		    (long)peer->pid); /* fits */
	else
		(void)snprintf(session->client, sizeof(session->client), "[%s]",
		    peer->address); /* fits */
}

static void
ignore_conn(struct conn *conn, enum conn_event event, void *ctx)
{
	(void)conn; /* conn_finish() was called before anything could happen */
	(void)event;
	(void)ctx;
}

static void
refuse(struct smtp_intake *intake, int fd, const struct peer *peer,
    const char *why)
{
	struct conn *conn = conn_accept(intake->loop, fd, ignore_conn, NULL);

	log_warning("connection of %s refused: %s", peer->address, why);
	reply_write(conn_output(conn), 421, "4.7.0", why);
	conn_finish(conn);
}

static void
session_new(struct smtp_intake *intake, int fd, const struct peer *peer)
{
	const struct smtp_intake_options *options = intake->options;
	struct session *session = memory_new(sizeof(*session));
	const struct submission_options submission = {
	    .admission = intake->admission,
	    .rewrite = &options->rewrite,
	    .peer = &session->peer,
	    .client = session->client,
	    .tls = session->tls,
	    .trusted = options->trusted,
	};

	session->intake = intake;
	session->peer = *peer;
	session->conn = conn_accept(intake->loop, fd, on_conn, session);
	name_client(session);
	smtp_server_init(&session->server, &options->server,
	    conn_input(session->conn), conn_output(session->conn),
	    now(session).mono_ms);
	submission_init(&session->submission, &submission, &session->server);
	TAILQ_INSERT_TAIL(&intake->sessions, session, siblings);
	intake->session_count++;
	if (intake->paused)
		conn_pause(session->conn, CONN_PAUSE_PRESSURE);
	session_run(session);
}

void
smtp_intake_accept(int fd, const struct peer *peer, void *ctx)
{
	struct smtp_intake *intake = ctx;
	const char *refusal = intake->shut
	    ? "shutting down"
	    : admission_enter(intake->admission, peer);

	if (refusal == NULL)
		session_new(intake, fd, peer);
	else
		refuse(intake, fd, peer, refusal);
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
