/*
 * SMTP load: sessions that send messages as fast as they are taken, with our
 * own client core.  One thread, one line of figures on stdout.
 *
 *   generator ADDRESS SESSIONS MESSAGES [SIZE [PER_CONNECTION [pipelined]]]
 *
 * ADDRESS is "/path", "127.0.0.1:port".  Loopback and unix sockets only.
 * Without "pipelined" every reply is waited for, as most programs do.
 */
#include "base/bytes.h"
#include "base/clock.h"
#include "base/memory.h"
#include "net/conn.h"
#include "net/loop.h"
#include "net/socket_address.h"
#include "smtp/smtp_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

struct load {
	struct loop *loop;
	struct socket_address address;
	struct smtp_client_options client;
	struct smtp_client_recipient recipient;
	struct smtp_client_message message;
	struct bytes content;
	unsigned long per_connection;
	unsigned long left; /* messages not yet begun */
	unsigned long accepted;
	unsigned long refused;
	unsigned long broken; /* connections */
	unsigned sessions;
};

struct session {
	struct load *load;
	struct conn *conn;
	struct smtp_client *client;
	unsigned long sent; /* on this connection */
};

static void session_begin(struct session *session);

static void
fail(const char *what)
{
	(void)fprintf(stderr, "generator: %s\n", what); /* and exit */
	exit(1);
}

static void
session_close(struct session *session)
{
	smtp_client_free(session->client);
	session->client = NULL;
	conn_close(session->conn);
	session->conn = NULL;
}

/* The connection is over: another one, as long as there is something to send.
 */
static void
session_over(struct session *session)
{
	struct load *load = session->load;

	session_close(session);
	if (load->left > 0 && load->broken < 1000) {
		session_begin(session);
		return;
	}
	free(session);
	if (--load->sessions == 0)
		loop_stop(load->loop);
}

static void
send_next(struct session *session, int64_t now)
{
	struct load *load = session->load;

	while (load->left > 0 && session->sent < load->per_connection &&
	    smtp_client_can_send(session->client)) {
		load->left--;
		session->sent++;
		smtp_client_send(session->client, &load->message, now);
	}
	bool enough = load->left == 0 || session->sent == load->per_connection;
	if (enough && smtp_client_is_idle(session->client))
		smtp_client_quit(session->client, now);
}

static void
count(struct load *load, const struct smtp_outcome *outcome)
{
	if (outcome->kind == SMTP_REPLIED && outcome->code / 100 == 2)
		load->accepted++;
	else
		load->refused++;
}

static void
session_run(struct session *session)
{
	struct load *load = session->load;
	int64_t now = loop_now(load->loop).mono_ms;
	struct smtp_client_event event;

	while (smtp_client_next(session->client, now, &event))
		switch (event.kind) {
		case SMTP_CLIENT_READY:
			send_next(session, now);
			break;
		case SMTP_CLIENT_WANT_CONTENT:
			smtp_client_content(
			    session->client, load->content, true, now);
			send_next(session, now);
			break;
		case SMTP_CLIENT_DONE:
			count(load, &event.outcome);
			send_next(session, now);
			break;
		case SMTP_CLIENT_OVER:
			session_over(session);
			return;
		case SMTP_CLIENT_START_TLS:
		case SMTP_CLIENT_RECIPIENT:
		case SMTP_CLIENT_REPLY:
			break;
		}
	conn_flush(session->conn);
}

static void
on_conn(struct conn *conn, enum conn_event event, void *ctx)
{
	struct session *session = ctx;

	(void)conn;
	switch (event) {
	case CONN_OPENED:
		smtp_client_open(
		    session->client, loop_now(session->load->loop).mono_ms);
		session_run(session);
		break;
	case CONN_READABLE:
	case CONN_DRAINED:
		session_run(session);
		break;
	case CONN_EOF:
		smtp_client_eof(session->client, BYTES("closed"));
		session_run(session);
		break;
	case CONN_FAILED:
	case CONN_TIMEOUT:
		session->load->broken++;
		session_over(session);
		break;
	case CONN_SECURED:
		break;
	}
}

static void
session_begin(struct session *session)
{
	struct load *load = session->load;

	session->sent = 0;
	session->conn =
	    conn_open(load->loop, socket_address_get(&load->address),
		load->address.len, NULL, 0, on_conn, session);
	session->client = smtp_client_new(&load->client,
	    conn_input(session->conn), conn_output(session->conn));
}

static unsigned long
number(const char *text)
{
	unsigned long long value;

	if (!bytes_to_u64(bytes_of(text), UINT32_MAX, &value) || value == 0)
		fail("a number is needed");
	return (unsigned long)value;
}

/* Lines of 64, as text has them. */
static char *
make_content(size_t size)
{
	static const char header[] = "From: bench@example.org\r\n"
				     "To: sink@example.net\r\n"
				     "Subject: bench\r\n\r\n";
	char *content = memory_new(size + sizeof(header) + 64);
	size_t len = sizeof(header) - 1;

	memcpy(content, header, len);
	while (len < size) {
		memset(content + len, 'x', 62);
		content[len + 62] = '\r';
		content[len + 63] = '\n';
		len += 64;
	}
	return content;
}

static double
cpu_seconds(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage) != 0)
		fail("getrusage");
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	    (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int
main(int argc, char **argv)
{
	struct load load = {.loop = loop_new()};
	struct error error;
	if (argc < 4)
		fail("usage: generator ADDRESS SESSIONS MESSAGES [SIZE "
		     "[PER_CONNECTION [pipelined]]]");

	char *content = make_content(argc > 4 ? number(argv[4]) : 4096);
	if (!socket_address_parse(argv[1], &load.address, &error))
		fail(error_text(&error));
	load.client = (struct smtp_client_options){
	    .hello = "generator.example",
	    .security = SMTP_SECURITY_NONE,
	    .no_pipelining = argc < 7,
	    .no_chunking = true,
	};
	load.recipient.address = BYTES("sink@example.net");
	load.message = (struct smtp_client_message){
	    .sender = BYTES("bench@example.org"),
	    .params = MAIL_PARAMS_NONE,
	    .recipients = &load.recipient,
	    .recipient_count = 1,
	};
	load.content = bytes_of(content);
	load.left = number(argv[3]);
	load.per_connection = argc > 5 ? number(argv[5]) : load.left;
	load.sessions = (unsigned)number(argv[2]);

	int64_t begin = clock_now().mono_ms;
	for (unsigned i = load.sessions; i > 0; i--) {
		struct session *session = memory_new(sizeof(*session));
		session->load = &load;
		session_begin(session);
	}
	loop_run(load.loop);
	double seconds = (double)(clock_now().mono_ms - begin) / 1000;
	(void)printf("accepted=%lu refused=%lu broken=%lu seconds=%.3f "
		     "rate=%.0f cpu=%.3f\n",
	    load.accepted, load.refused, load.broken, seconds,
	    (double)load.accepted / seconds, cpu_seconds()); /* to a pipe */
	free(content);
	loop_free(load.loop);
	return load.refused + load.broken > 0;
}
