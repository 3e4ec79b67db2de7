/*
 * An SMTP server that takes everything and keeps nothing, with our own server
 * core: says where it listens, then, each time it is sent a line on stdin, how
 * many messages it has taken.  Ends with its stdin.
 *
 *   sink [CERTIFICATE KEY]
 *               "127.0.0.1:PORT", then "COUNT CPU-SECONDS" for each line
 *
 * With a certificate it offers STARTTLS.
 */
#include "base/memory.h"
#include "net/conn.h"
#include "net/listener.h"
#include "net/loop.h"
#include "smtp/smtp_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

struct sink {
	struct loop *loop;
	struct smtp_server_options server;
	struct tls_context *tls; /* or NULL */
	unsigned long taken;
};

struct session {
	struct sink *sink;
	struct conn *conn;
	struct smtp_server server;
};

static void
session_close(struct session *session)
{
	smtp_server_clear(&session->server);
	conn_finish(session->conn);
	free(session);
}

static void
start_tls(struct session *session)
{
	struct error error;

	conn_flush(session->conn);
	if (!conn_start_tls(session->conn, session->sink->tls, NULL, &error))
		smtp_server_shut(&session->server, "4.7.0", error_text(&error));
}

static void
answer(struct session *session, const struct smtp_server_event *event)
{
	int64_t now = loop_now(session->sink->loop).mono_ms;

	switch (event->kind) {
	case SMTP_SERVER_DATA:
		smtp_server_answer(&session->server, 354, "", "go on", now);
		break;
	case SMTP_SERVER_END:
		session->sink->taken++;
		smtp_server_answer(&session->server, 250, "2.0.0", "ok", now);
		break;
	case SMTP_SERVER_MAIL:
	case SMTP_SERVER_RCPT:
	case SMTP_SERVER_ETRN:
		smtp_server_answer(&session->server, 250, "2.0.0", "ok", now);
		break;
	case SMTP_SERVER_HELLO:
	case SMTP_SERVER_CONTENT:
	case SMTP_SERVER_RESET:
	case SMTP_SERVER_CLOSE:
		break;
	case SMTP_SERVER_START_TLS:
		start_tls(session);
		break;
	}
}

static void
session_run(struct session *session)
{
	struct smtp_server_event event;

	while (smtp_server_next(
	    &session->server, loop_now(session->sink->loop).mono_ms, &event)) {
		if (event.kind == SMTP_SERVER_CLOSE) {
			session_close(session);
			return;
		}
		answer(session, &event);
	}
	conn_flush(session->conn);
}

static void
on_conn(struct conn *conn, enum conn_event event, void *ctx)
{
	struct session *session = ctx;

	(void)conn;
	if (event == CONN_SECURED)
		smtp_server_tls_started(
		    &session->server, loop_now(session->sink->loop).mono_ms);
	if (event == CONN_READABLE || event == CONN_DRAINED ||
	    event == CONN_SECURED)
		session_run(session);
	else if (event == CONN_EOF || event == CONN_FAILED)
		session_close(session);
}

static void
on_accept(int fd, const struct peer *peer, void *ctx)
{
	struct session *session = memory_new(sizeof(*session));

	(void)peer;
	session->sink = ctx;
	session->conn = conn_accept(session->sink->loop, fd, on_conn, session);
	smtp_server_init(&session->server, &session->sink->server,
	    conn_input(session->conn), conn_output(session->conn),
	    loop_now(session->sink->loop).mono_ms);
	session_run(session);
}

static void
fail(const struct error *error)
{
	(void)fprintf(stderr, "sink: %s\n", error_text(error)); /* and exit */
	exit(1);
}

static double
cpu_seconds(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage) != 0)
		return 0;
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	    (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void
on_stdin(int fd, void *ctx)
{
	struct sink *sink = ctx;
	char line[256];

	if (read(fd, line, sizeof(line)) <= 0) {
		loop_stop(sink->loop);
		return;
	}
	(void)printf("%lu %.3f\n", sink->taken, cpu_seconds()); /* to a pipe */
	(void)fflush(stdout);
}

int
main(int argc, char **argv)
{
	struct sink sink = {
	    .loop = loop_new(),
	    .server = {.hostname = "sink.example"},
	};
	struct listener *listener;
	struct error error;

	sink.server.starttls = argc > 2;
	if (argc > 2 && !tls_server_new(argv[1], argv[2], &sink.tls, &error))
		fail(&error);
	if (!listener_open(sink.loop, "127.0.0.1:0", 0, on_accept, &sink,
		&listener, &error))
		fail(&error);
	(void)printf("%s\n", listener_address(listener)); /* to a pipe */
	(void)fflush(stdout);
	struct loop_watch *watch =
	    loop_watch_readable(sink.loop, STDIN_FILENO, on_stdin, &sink);
	loop_run(sink.loop);
	loop_watch_free(watch);
	listener_free(listener);
	tls_context_free(sink.tls);
	return 0;
}
