#include "lib/script_server.h"

#include "base/buffer.h"
#include "base/memory.h"
#include "lib/wire_watch.h"
#include "net/socket_address.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define HEARD_MAX ((size_t)64 * 1024 * 1024)
#define AHEAD_MAX ((size_t)4096)

struct script_server {
	const char *script;
	struct script_options options;
	char host[SOCKET_ADDRESS_TEXT_MAX];
	int listening;
	int fd; /* -1: closed */
	SSL_CTX *ssl_ctx;
	SSL *ssl;
	pthread_t thread;
	bool is_joined;
	char ahead[AHEAD_MAX]; /* read, not yet heard */
	size_t ahead_start;
	size_t ahead_len;
	struct wire_watch *watch;
	struct buffer heard;
	char *heard_text;
	size_t said;
	char *problem; /* owned; NULL: none */
};

static void
hang_up(struct script_server *server)
{
	if (server->ssl != NULL)
		SSL_free(server->ssl);
	server->ssl = NULL;
	if (server->fd >= 0)
		close(server->fd);
	server->fd = -1;
}

static void
reset(struct script_server *server)
{
	const struct linger at_once = {.l_onoff = 1};

	if (server->fd >= 0)
		setsockopt(server->fd, SOL_SOCKET, SO_LINGER, &at_once,
		    sizeof(at_once));
	hang_up(server);
}

/* ---- octets ---- */

static void
say(struct script_server *server, struct bytes octets)
{
	const size_t max = server->options.says_max;
	const bool is_last = max > 0 && server->said + octets.len >= max;

	if (server->fd < 0)
		return;
	if (is_last)
		octets = bytes_first(octets, max - server->said);
	server->said += octets.len;
	wire_watch_said(server->watch, octets);
	if (server->ssl != NULL && octets.len > 0)
		(void)SSL_write(server->ssl, octets.data, (int)octets.len);
	else if (octets.len > 0)
		(void)!send(server->fd, octets.data, octets.len, MSG_NOSIGNAL);
	if (is_last)
		hang_up(server);
}

/* False at the end. */
static bool
fill(struct script_server *server)
{
	const size_t max = server->options.reads_max;
	size_t room = AHEAD_MAX;

	if (server->fd < 0)
		return false;
	/* What lies beyond a cut is not read. */
	if (max > 0 && max - server->heard.len < room)
		room = max - server->heard.len;
	const ssize_t count = server->ssl != NULL
	    ? SSL_read(server->ssl, server->ahead, (int)room)
	    : recv(server->fd, server->ahead, room, 0);
	if (count <= 0) {
		wire_watch_closed(server->watch, true);
		hang_up(server);
		return false;
	}
	server->ahead_start = 0;
	server->ahead_len = (size_t)count;
	wire_watch_sent(
	    server->watch, bytes_make(server->ahead, server->ahead_len));
	return true;
}

/* One octet; -1 at the end. */
static int
hear(struct script_server *server)
{
	const size_t max = server->options.reads_max;

	if (server->fd < 0 ||
	    (server->ahead_start == server->ahead_len && !fill(server)))
		return -1;
	const char c = server->ahead[server->ahead_start++];
	buffer_append_char(&server->heard, c);
	if (max > 0 && server->heard.len >= max)
		hang_up(server);
	return (unsigned char)c;
}

/* ---- steps ---- */

static int
hex_of(char c)
{
	return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

static void
unescape(struct buffer *output, struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		const char c = text.data[i];
		if (c != '\\' || i + 1 == text.len) {
			buffer_append_char(output, c);
			continue;
		}
		const char next = text.data[++i];
		if (next == 'x' && i + 2 < text.len) {
			const int value = 16 * hex_of(text.data[i + 1]) +
			    hex_of(text.data[i + 2]);
			buffer_append_char(output, (char)value);
			i += 2;
		} else {
			buffer_append_char(output,
			    next == 'r'       ? '\r'
				: next == 'n' ? '\n'
					      : '\0');
		}
	}
}

static void
say_text(struct script_server *server, struct bytes text, const char *end)
{
	struct buffer octets;

	buffer_init(&octets, HEARD_MAX);
	unescape(&octets, text);
	buffer_append_text(&octets, end);
	say(server, buffer_bytes(&octets));
	buffer_clear(&octets);
}

static void
expect_line(struct script_server *server, struct bytes wanted)
{
	const size_t before = server->heard.len;
	int c = 0;

	while (c >= 0 && c != '\n')
		c = hear(server);
	struct bytes line = bytes_from(buffer_bytes(&server->heard), before);
	const bool is_cut = server->options.is_cut ||
	    server->options.says_max > 0 || server->options.reads_max > 0;
	line = bytes_first(line, wanted.len);
	if (!bytes_equal(line, wanted) && !is_cut && server->problem == NULL)
		server->problem = memory_format("wanted \"%.*s\", heard "
						"\"%.*s\"",
		    BYTES_ARGS(wanted), BYTES_ARGS(line));
}

static void
read_content(struct script_server *server)
{
	const size_t before = server->heard.len;

	while (hear(server) >= 0) {
		const struct bytes content =
		    bytes_from(buffer_bytes(&server->heard), before);
		if (bytes_is(content, ".\r\n") ||
		    bytes_has_suffix_nocase(content, "\r\n.\r\n"))
			return;
	}
}

static void
read_octets(struct script_server *server, struct bytes count)
{
	unsigned long long left = 0;

	(void)bytes_to_u64(count, HEARD_MAX, &left);
	while (left > 0 && hear(server) >= 0)
		left--;
}

static void
shake_hands(struct script_server *server)
{
	if (server->fd < 0)
		return;
	server->ssl = SSL_new(server->ssl_ctx);
	SSL_set_fd(server->ssl, server->fd);
	if (SSL_accept(server->ssl) == 1)
		wire_watch_secured(server->watch);
	else
		hang_up(server);
}

static void
step(struct script_server *server, struct bytes line)
{
	const struct bytes text = bytes_from(line, 2);

	switch (line.len > 0 ? line.data[0] : ' ') {
	case 'S':
		say_text(server, text, "\r\n");
		return;
	case 'R':
		say_text(server, text, "");
		return;
	case 'C':
		expect_line(server, text);
		return;
	case 'D':
		read_content(server);
		return;
	case 'B':
		read_octets(server, bytes_from(line, 1));
		return;
	case 'T':
		shake_hands(server);
		return;
	case 'X':
		hang_up(server);
		return;
	case 'Z':
		reset(server);
		return;
	default:
		return;
	}
}

static void *
serve(void *ctx)
{
	struct script_server *server = ctx;
	struct bytes rest = bytes_of(server->script);
	const int on = 1;
	sigset_t pipe;

	/* OpenSSL writes to those who have gone. */
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, NULL);
	server->fd = accept(server->listening, NULL, NULL);
	/* Lines are said one by one; not so on a unix socket, where it fails.
	 */
	(void)setsockopt(server->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	while (rest.len > 0)
		step(server, bytes_cut(&rest, '\n'));
	while (hear(server) >= 0)
		continue;
	return NULL;
}

/* ---- external ---- */

static void
listen_on(struct script_server *server, const char *where)
{
	struct socket_address address;
	struct sockaddr_storage bound;
	socklen_t len = sizeof(bound);
	struct error error;

	cr_assert(socket_address_parse(where, &address, &error), "%s",
	    error_text(&error));
	server->listening =
	    socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert(server->listening >= 0);
	cr_assert_eq(
	    bind(server->listening, socket_address_get(&address), address.len),
	    0);
	cr_assert_eq(listen(server->listening, 1), 0);
	getsockname(server->listening, (struct sockaddr *)&bound, &len);
	socket_address_print(
	    server->host, (const struct sockaddr *)&bound, len);
}

static unsigned
allowed_faults(const struct script_options *options)
{
	const unsigned by_hand = WIRE_FAULT_BIT(WIRE_OUT_OF_TURN) |
	    WIRE_FAULT_BIT(WIRE_BEHIND_REFUSAL) |
	    WIRE_FAULT_BIT(WIRE_NOT_OFFERED);

	return options->allowed | WIRE_FAULT_BIT(WIRE_NO_QUIT) |
	    (options->is_strict ? 0 : by_hand);
}

struct script_server *
script_server_new(const char *script, const struct script_options *options)
{
	struct script_server *server = memory_new(sizeof(*server));

	server->script = script;
	if (options != NULL)
		server->options = *options;
	server->fd = -1;
	buffer_init(&server->heard, HEARD_MAX);
	server->watch = wire_watch_new(allowed_faults(&server->options));
	if (server->options.certificate != NULL) {
		const char *path = server->options.certificate;
		server->ssl_ctx = SSL_CTX_new(TLS_server_method());
		SSL_CTX_use_certificate_chain_file(server->ssl_ctx, path);
		SSL_CTX_use_PrivateKey_file(
		    server->ssl_ctx, path, SSL_FILETYPE_PEM);
	}
	listen_on(server,
	    server->options.socket != NULL ? server->options.socket
					   : "127.0.0.1:0");
	cr_assert_eq(pthread_create(&server->thread, NULL, serve, server), 0);
	return server;
}

const char *
script_server_host(const struct script_server *server)
{
	return server->host;
}

const char *
script_server_join(struct script_server *server)
{
	if (!server->is_joined) {
		/* Where nobody has come nobody will. */
		shutdown(server->listening, SHUT_RDWR);
		pthread_join(server->thread, NULL);
		server->heard_text = buffer_to_text(&server->heard);
	}
	server->is_joined = true;
	cr_expect_null(server->problem, "%s", server->problem);
	char *faults = wire_watch_text(server->watch);
	cr_expect_str_empty(faults, "%s", faults);
	free(faults);
	return server->heard_text;
}

size_t
script_server_said(const struct script_server *server)
{
	return server->said;
}

size_t
script_server_heard(const struct script_server *server)
{
	return server->heard.len;
}

void
script_server_free(struct script_server *server)
{
	(void)script_server_join(server);
	close(server->listening);
	if (server->options.socket != NULL)
		unlink(server->options.socket);
	SSL_CTX_free(server->ssl_ctx);
	wire_watch_free(server->watch);
	buffer_clear(&server->heard);
	free(server->heard_text);
	free(server->problem);
	free(server);
}
