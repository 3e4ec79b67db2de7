#include "lib/hostile_server.h"

#include "base/buffer.h"
#include "base/memory.h"
#include "lib/wire_watch.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEPT_MAX    ((size_t)256 * 1024)
#define AHEAD_MAX   ((size_t)16 * 1024)
#define LINE_LENGTH ((size_t)64 * 1024)
#define STRETCH     ((size_t)64 * 1024)
#define DRIP_MS     2
/* So that content of some MiB cannot all be on its way. */
#define RECEIVE_BUFFER (64 * 1024)

struct hostile_server {
	struct hostile_options options;
	char host[32];
	int listening;
	pthread_t thread;
	bool is_joined;
	SSL_CTX *ssl_ctx;

	/* The connection. */
	int fd; /* -1: over */
	SSL *ssl;
	char ahead[AHEAD_MAX]; /* read, not yet used */
	size_t ahead_start;
	size_t ahead_len;
	unsigned visits[HOSTILE_STAGE_COUNT];
	struct wire_watch *watch;
	bool is_secure;
	bool is_good; /* MAIL was taken */
	unsigned recipients;

	/* What is asked afterwards. */
	struct buffer clear;
	struct buffer heard;
	struct buffer content;
	struct buffer faults;
	char *faults_text;
	unsigned connections;
	unsigned ends;
	unsigned taken;
	unsigned handshakes;
};

/* ---- the connection ---- */

static void
hang_up(struct hostile_server *server, bool is_reset)
{
	const struct linger at_once = {.l_onoff = 1};

	if (server->fd < 0)
		return;
	if (is_reset)
		setsockopt(server->fd, SOL_SOCKET, SO_LINGER, &at_once,
		    sizeof(at_once));
	SSL_free(server->ssl);
	server->ssl = NULL;
	close(server->fd);
	server->fd = -1;
}

static ssize_t
receive(struct hostile_server *server)
{
	if (server->ssl != NULL)
		return SSL_read(server->ssl, server->ahead, AHEAD_MAX);
	return recv(server->fd, server->ahead, AHEAD_MAX, 0);
}

static void
keep(struct buffer *buffer, struct bytes octets)
{
	buffer_append(buffer, bytes_first(octets, buffer->limit - buffer->len));
}

/* False at the end of the connection. */
static bool
fill(struct hostile_server *server)
{
	if (server->fd < 0)
		return false;
	const ssize_t count = receive(server);
	if (count <= 0) {
		wire_watch_closed(server->watch, true);
		hang_up(server, false);
		return false;
	}
	const struct bytes octets = bytes_make(server->ahead, (size_t)count);
	wire_watch_sent(server->watch, octets);
	keep(&server->heard, octets);
	if (!server->is_secure)
		keep(&server->clear, octets);
	server->ahead_start = 0;
	server->ahead_len = octets.len;
	return true;
}

/* One octet; -1 at the end. */
static int
hear(struct hostile_server *server)
{
	if (server->ahead_start == server->ahead_len && !fill(server))
		return -1;
	return (unsigned char)server->ahead[server->ahead_start++];
}

static bool
write_all(struct hostile_server *server, struct bytes octets)
{
	while (octets.len > 0 && server->fd >= 0) {
		const ssize_t count = server->ssl != NULL
		    ? SSL_write(server->ssl, octets.data, (int)octets.len)
		    : send(server->fd, octets.data, octets.len, MSG_NOSIGNAL);
		if (count <= 0)
			return false;
		octets = bytes_from(octets, (size_t)count);
	}
	return server->fd >= 0;
}

static void
say(struct hostile_server *server, struct bytes octets)
{
	if (server->fd < 0)
		return;
	wire_watch_said(server->watch, octets);
	(void)write_all(server, octets);
}

/* ---- what it does then ---- */

static void
wait_for_the_end(struct hostile_server *server)
{
	do
		server->ahead_start = server->ahead_len;
	while (hear(server) >= 0);
}

static void
drip(struct hostile_server *server)
{
	struct pollfd poll_fd = {.fd = server->fd, .events = POLLIN};

	while (server->fd >= 0) {
		say(server, BYTES("2"));
		if (poll(&poll_fd, 1, DRIP_MS) > 0)
			(void)fill(server);
	}
}

static void
do_then(struct hostile_server *server, enum hostile_then then)
{
	if (server->fd < 0)
		return;
	switch (then) {
	case HOSTILE_GO_ON:
		return;
	case HOSTILE_NOTIFY:
		if (server->ssl != NULL)
			(void)SSL_shutdown(server->ssl);
		hang_up(server, false);
		return;
	case HOSTILE_CLOSE:
	case HOSTILE_RESET:
		hang_up(server, then == HOSTILE_RESET);
		return;
	case HOSTILE_HANG:
		wait_for_the_end(server);
		return;
	case HOSTILE_FLUSH:
		if (server->ahead_start < server->ahead_len)
			wait_for_the_end(server);
		return;
	case HOSTILE_SHY:
		if (server->ahead_start < server->ahead_len)
			hang_up(server, true);
		return;
	case HOSTILE_DRIP:
		drip(server);
		return;
	}
}

/* ---- what it says ---- */

static void
say_often(struct hostile_server *server, const struct hostile_act *act)
{
	struct buffer stretch;
	unsigned left = act->times > 0 ? act->times : 1;

	buffer_init(&stretch, STRETCH + act->says.len + act->more.len);
	while (left > 0 && server->fd >= 0) {
		buffer_empty(&stretch);
		for (; left > 0 && stretch.len < STRETCH; left--)
			buffer_append(&stretch, act->says);
		if (left == 0)
			buffer_append(&stretch, act->more);
		wire_watch_said(server->watch, buffer_bytes(&stretch));
		if (!write_all(server, buffer_bytes(&stretch)))
			break;
	}
	buffer_clear(&stretch);
}

static bool
is_on(struct hostile_server *server, enum hostile_stage stage)
{
	const struct hostile_act *act = server->options.act;
	const unsigned visit = ++server->visits[stage];

	if (act == NULL || server->options.stage != stage)
		return false;
	if (server->options.is_good_later && server->connections > 1)
		return false;
	return act->nth == 0 || act->nth == visit;
}

/* The first digit of what was said there; 0: nothing.  The usual is a whole
 * reply. */
static char
perform(
    struct hostile_server *server, enum hostile_stage stage, const char *usual)
{
	const struct hostile_act *act = server->options.act;
	struct hostile_act own;

	if (!is_on(server, stage)) {
		say(server, bytes_of(usual));
		return usual[0];
	}
	own = *act;
	if (own.says.data == NULL) {
		own.says = bytes_of(usual);
		own.times = 1;
	}
	if (own.more.data == NULL)
		own.more = BYTES_NONE;
	if (own.says.len + own.more.len > 0)
		say_often(server, &own);
	do_then(server, own.then);
	return own.says.len > 0 ? own.says.data[0] : '\0';
}

/* ---- stages ---- */

static void
finish_handshake(struct hostile_server *server)
{
	server->ssl = SSL_new(server->ssl_ctx);
	SSL_set_fd(server->ssl, server->fd);
	if (SSL_accept(server->ssl) != 1) {
		hang_up(server, false);
		return;
	}
	server->handshakes++;
	server->is_secure = true;
	wire_watch_secured(server->watch);
}

static void
shake_hands(struct hostile_server *server)
{
	if (server->fd < 0)
		return;
	if (server->options.act == NULL ||
	    server->options.stage != HOSTILE_HANDSHAKE) {
		finish_handshake(server);
		return;
	}
	/* Once the client has begun. */
	if (fill(server))
		(void)perform(server, HOSTILE_HANDSHAKE, "");
}

static void
answer_ehlo(struct hostile_server *server)
{
	const struct hostile_options *options = &server->options;
	const bool has_own =
	    options->act != NULL && options->act->keywords != NULL;
	struct bytes keywords =
	    bytes_of(has_own ? options->act->keywords : options->keywords);
	const bool is_started = options->channel == HOSTILE_TLS_STARTED;
	const bool is_clear = is_started && !server->is_secure;
	struct buffer reply;

	buffer_init(&reply, LINE_LENGTH);
	buffer_append_text(&reply, "250-mx.example\r\n");
	while (keywords.len > 0) {
		const struct bytes line = bytes_cut(&keywords, '\n');
		buffer_printf(&reply, "250-%.*s\r\n", BYTES_ARGS(line));
	}
	buffer_printf(
	    &reply, "%s250 HELP\r\n", is_clear ? "250-STARTTLS\r\n" : "");
	char *text = buffer_to_text(&reply);
	(void)perform(
	    server, is_clear ? HOSTILE_CLEAR_EHLO : HOSTILE_EHLO, text);
	free(text);
	buffer_clear(&reply);
	server->is_good = false;
}

static void
answer_starttls(struct hostile_server *server)
{
	const bool is_usual = server->options.act == NULL ||
	    server->options.stage != HOSTILE_STARTTLS ||
	    server->options.act->says.data == NULL;

	(void)perform(server, HOSTILE_STARTTLS, "220 go\r\n");
	if (is_usual)
		shake_hands(server);
}

static void read_line(struct hostile_server *server, struct buffer *line);

static void
answer_auth(struct hostile_server *server)
{
	/* So that there is something to cancel. */
	const bool asks = server->options.stage == HOSTILE_CANCEL;
	const char *usual = asks ? "334 !\r\n" : "235 in\r\n";
	char digit = perform(server, HOSTILE_AUTH, usual);
	struct buffer line;

	buffer_init(&line, LINE_LENGTH);
	while (digit == '3' && server->fd >= 0) {
		read_line(server, &line);
		if (server->fd < 0)
			break;
		digit = bytes_is(buffer_bytes(&line), "*")
		    ? perform(server, HOSTILE_CANCEL, "501 cancelled\r\n")
		    : perform(server, HOSTILE_AUTH, usual);
	}
	buffer_clear(&line);
}

static void
answer_mail(struct hostile_server *server)
{
	const char *usual = server->options.refuses_mail ? "550 5.7.1 no\r\n"
							 : "250 2.1.0 ok\r\n";

	server->is_good = perform(server, HOSTILE_MAIL, usual) == '2';
	server->recipients = 0;
}

static void
answer_rcpt(struct hostile_server *server)
{
	if (!server->is_good)
		say(server, BYTES("503 5.5.1 MAIL first\r\n"));
	else if (perform(server, HOSTILE_RCPT, "250 2.1.5 ok\r\n") == '2')
		server->recipients++;
}

static void
end_content(struct hostile_server *server)
{
	const struct hostile_act *act = server->options.act;

	server->ends++;
	server->is_good = false;
	/* Half a reply is none. */
	const bool is_whole = act == NULL ||
	    server->options.stage != HOSTILE_END ||
	    act->expects <= HOSTILE_FINE_CUT || act->says.data == NULL;
	if (perform(server, HOSTILE_END, "250 2.0.0 taken\r\n") == '2' &&
	    is_whole)
		server->taken++;
}

/* Up to CRLF.CRLF, which is not kept. */
static void
read_content(struct hostile_server *server)
{
	char last[5] = {0, 0, 0, '\r', '\n'};
	bool was_there = false;
	int c;

	while ((c = hear(server)) >= 0) {
		const char octet = (char)c;
		keep(&server->content, bytes_make(&octet, 1));
		memmove(last, last + 1, 4);
		last[4] = octet;
		if (memcmp(last, "\r\n.\r\n", 5) == 0) {
			end_content(server);
			return;
		}
		if (!was_there && octet == '\n') {
			(void)perform(server, HOSTILE_CONTENT, "");
			was_there = true;
		}
	}
}

static void
answer_data(struct hostile_server *server)
{
	if (!server->is_good || server->recipients == 0)
		say(server, BYTES("503 5.5.1 RCPT first\r\n"));
	else if (perform(server, HOSTILE_DATA, "354 go\r\n") == '3')
		read_content(server);
}

static void
answer_bdat(struct hostile_server *server, const char *line)
{
	unsigned long left = strtoul(line + strlen("BDAT "), NULL, 10);

	for (; left > 0 && server->fd >= 0; left--) {
		const char octet = (char)hear(server);
		if (server->fd >= 0)
			keep(&server->content, bytes_make(&octet, 1));
	}
	if (!server->is_good || server->recipients == 0)
		say(server, BYTES("503 5.5.1 RCPT first\r\n"));
	else if (strstr(line, " LAST") != NULL)
		end_content(server);
	else /* One that is refused spoils them all (RFC 3030 2). */
		server->is_good = perform(server, HOSTILE_CONTENT,
				      "250 2.0.0 chunk\r\n") == '2';
}

static void
answer_rset(struct hostile_server *server)
{
	server->is_good = false;
	(void)perform(server, HOSTILE_RSET, "250 2.0.0 ok\r\n");
}

static void
answer_quit(struct hostile_server *server)
{
	(void)perform(server, HOSTILE_QUIT, "221 2.0.0 bye\r\n");
	hang_up(server, false);
}

static void
answer_helo(struct hostile_server *server)
{
	(void)perform(server, HOSTILE_HELO, "250 mx.example\r\n");
}

static const struct {
	const char *verb;
	void (*answer)(struct hostile_server *server);
} commands[] = {
    {"EHLO", answer_ehlo},
    {"HELO", answer_helo},
    {"STARTTLS", answer_starttls},
    {"AUTH", answer_auth},
    {"MAIL", answer_mail},
    {"RCPT", answer_rcpt},
    {"DATA", answer_data},
    {"RSET", answer_rset},
    {"QUIT", answer_quit},
};

static void
answer(struct hostile_server *server, const char *line)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strncasecmp(line, commands[i].verb,
			strlen(commands[i].verb)) == 0) {
			commands[i].answer(server);
			return;
		}
	if (strncasecmp(line, "BDAT ", 5) == 0)
		answer_bdat(server, line);
	else
		(void)perform(server, HOSTILE_OTHER, "250 2.0.0 ok\r\n");
}

/* Without its CRLF; empty at the end of the connection. */
static void
read_line(struct hostile_server *server, struct buffer *line)
{
	int c;

	buffer_empty(line);
	while ((c = hear(server)) >= 0 && c != '\n')
		if (c != '\r')
			buffer_append_char(line, (char)c);
}

/* ---- one connection after the other ---- */

static void
begin(struct hostile_server *server, int fd)
{
	const int on = 1;

	server->fd = fd;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	server->connections++;
	server->ahead_start = 0;
	server->ahead_len = 0;
	server->is_secure = false;
	server->is_good = false;
	memset(server->visits, 0, sizeof(server->visits));
	server->watch = wire_watch_new(server->options.allowed);
}

static void
end(struct hostile_server *server)
{
	char *faults = wire_watch_text(server->watch);

	buffer_append_text(&server->faults, faults);
	free(faults);
	wire_watch_free(server->watch);
	server->watch = NULL;
}

static void
talk(struct hostile_server *server)
{
	struct buffer line;

	buffer_init(&line, LINE_LENGTH);
	if (server->options.channel == HOSTILE_TLS_IMPLICIT)
		shake_hands(server);
	(void)perform(server, HOSTILE_GREETING, "220 mx.example ESMTP\r\n");
	while (server->fd >= 0) {
		read_line(server, &line);
		char *text = buffer_to_text(&line);
		if (server->fd >= 0)
			answer(server, text);
		free(text);
	}
	buffer_clear(&line);
}

static void *
serve(void *ctx)
{
	struct hostile_server *server = ctx;
	sigset_t pipe;
	int fd;

	/* OpenSSL writes to those who have gone. */
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, NULL);
	while ((fd = accept(server->listening, NULL, NULL)) >= 0) {
		begin(server, fd);
		talk(server);
		end(server);
	}
	return NULL;
}

/* ---- external ---- */

static void
listen_here(struct hostile_server *server)
{
	const int size = RECEIVE_BUFFER;
	struct sockaddr_in address = {
	    .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(address);

	server->listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert(server->listening >= 0);
	setsockopt(
	    server->listening, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	cr_assert_eq(
	    bind(server->listening, (struct sockaddr *)&address, len), 0);
	cr_assert_eq(listen(server->listening, 8), 0);
	getsockname(server->listening, (struct sockaddr *)&address, &len);
	(void)snprintf(server->host, sizeof(server->host), "127.0.0.1:%u",
	    (unsigned)ntohs(address.sin_port));
}

static void
make_context(struct hostile_server *server)
{
	const char *path = server->options.certificate;

	server->ssl_ctx = SSL_CTX_new(TLS_server_method());
	cr_assert_eq(
	    SSL_CTX_use_certificate_chain_file(server->ssl_ctx, path), 1);
	cr_assert_eq(SSL_CTX_use_PrivateKey_file(
			 server->ssl_ctx, path, SSL_FILETYPE_PEM),
	    1);
	if (server->options.configure != NULL)
		server->options.configure(server->ssl_ctx);
}

struct hostile_server *
hostile_server_new(const struct hostile_options *options)
{
	struct hostile_server *server = memory_new(sizeof(*server));

	server->options = *options;
	server->fd = -1;
	buffer_init(&server->clear, KEPT_MAX);
	buffer_init(&server->heard, KEPT_MAX);
	buffer_init(&server->content, KEPT_MAX);
	buffer_init(&server->faults, KEPT_MAX);
	if (options->certificate != NULL)
		make_context(server);
	listen_here(server);
	cr_assert_eq(pthread_create(&server->thread, NULL, serve, server), 0);
	return server;
}

const char *
hostile_server_host(const struct hostile_server *server)
{
	return server->host;
}

void
hostile_server_join(struct hostile_server *server)
{
	if (server->is_joined)
		return;
	shutdown(server->listening, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	server->is_joined = true;
	server->faults_text = buffer_to_text(&server->faults);
}

void
hostile_server_free(struct hostile_server *server)
{
	hostile_server_join(server);
	close(server->listening);
	SSL_CTX_free(server->ssl_ctx);
	buffer_clear(&server->clear);
	buffer_clear(&server->heard);
	buffer_clear(&server->content);
	buffer_clear(&server->faults);
	free(server->faults_text);
	free(server);
}

struct bytes
hostile_server_clear(const struct hostile_server *server)
{
	return buffer_bytes(&server->clear);
}

struct bytes
hostile_server_heard(const struct hostile_server *server)
{
	return buffer_bytes(&server->heard);
}

struct bytes
hostile_server_content(const struct hostile_server *server)
{
	return buffer_bytes(&server->content);
}

unsigned
hostile_server_connections(const struct hostile_server *server)
{
	return server->connections;
}

unsigned
hostile_server_ends(const struct hostile_server *server)
{
	return server->ends;
}

unsigned
hostile_server_taken(const struct hostile_server *server)
{
	return server->taken;
}

unsigned
hostile_server_handshakes(const struct hostile_server *server)
{
	return server->handshakes;
}

const char *
hostile_server_faults(const struct hostile_server *server)
{
	return server->faults_text;
}
