#include "net/conn.h"

#include "base/memory.h"
#include "net/conn_events.h"
#include "net/socket_address.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

static struct conn *
conn_new(struct loop *loop, int fd, conn_fn *fn, void *ctx)
{
	struct conn *conn = memory_new(sizeof(*conn));

	conn->loop = loop;
	conn->fd = fd;
	conn->fn = fn;
	conn->ctx = ctx;
	buffer_init(&conn->input, CONN_INPUT_LIMIT);
	buffer_init(&conn->output, CONN_OUTPUT_LIMIT);
	conn_events_init(conn);
	return conn;
}

/* Our writes are whole messages: Nagle's algorithm can only delay them. */
static void
send_at_once(const struct conn *conn)
{
	int on = 1;

	if (!conn->peer.local)
		(void)setsockopt(
		    conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

struct conn *
conn_accept(struct loop *loop, int fd, conn_fn *fn, void *ctx)
{
	struct conn *conn = conn_new(loop, fd, fn, ctx);
	struct socket_address address = {.len = sizeof(address.storage)};

	/* A peer that has gone already is unknown, and nobody to trust. */
	if (getpeername(
		fd, (struct sockaddr *)&address.storage, &address.len) != 0)
		address.storage.ss_family = AF_UNSPEC;
	peer_describe(
	    &conn->peer, fd, socket_address_get(&address), address.len);
	send_at_once(conn);
	conn->state = CONN_STATE_OPEN;
	conn_events_watch_read(conn, true);
	return conn;
}

/* False, with errno set. */
static bool
bind_source(int fd, const struct sockaddr *source, socklen_t source_len)
{
	int on = 1;

	if (source == NULL)
		return true;
	/* Choose the port at connect(), so that they do not run out. */
	(void)setsockopt(
	    fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	return bind(fd, source, source_len) == 0;
}

struct conn *
conn_open(struct loop *loop, const struct sockaddr *address,
    socklen_t address_len, const struct sockaddr *source, socklen_t source_len,
    conn_fn *fn, void *ctx)
{
	int fd = socket(
	    address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int number = errno;
	struct conn *conn = conn_new(loop, fd, fn, ctx);
	char target[SOCKET_ADDRESS_TEXT_MAX];

	socket_address_print(target, address, address_len);
	conn->target = memory_copy_text(target);
	peer_describe(&conn->peer, fd, address, address_len);
	conn->state = CONN_STATE_CONNECTING;
	if (fd >= 0) {
		send_at_once(conn);
		number = bind_source(fd, source, source_len) &&
			connect(fd, address, address_len) == 0
		    ? 0
		    : errno;
	}
	if (number == 0) {
		conn_events_do_later(conn, CONN_DUE_OPENED);
	} else if (number == EINPROGRESS) {
		conn_events_watch_write(conn, true);
	} else {
		errno = number;
		(void)error_system(&conn->error, "connect to %s", target);
		conn_events_do_later(conn, CONN_DUE_FAILED);
	}
	return conn;
}

void
conn_close(struct conn *conn)
{
	if (conn == NULL)
		return;
	assert(conn->state != CONN_STATE_CLOSED);
	if (conn->stream != NULL && conn->state == CONN_STATE_OPEN)
		tls_stream_end(conn->stream);
	conn_events_stop(conn);
	tls_stream_free(conn->stream);
	conn->stream = NULL;
	if (conn->fd >= 0)
		close(conn->fd);
	conn->fd = -1;
}

void
conn_finish(struct conn *conn)
{
	if (conn->state != CONN_STATE_OPEN ||
	    (conn->due & CONN_DUE_FAILED) != 0) {
		conn_close(conn);
		return;
	}
	conn->state = CONN_STATE_FINISHING;
	loop_timer_set(
	    &conn->timer, loop_now(conn->loop).mono_ms + CONN_FINISH_MAX);
	conn_events_finish(conn);
}

struct buffer *
conn_input(struct conn *conn)
{
	return &conn->input;
}

struct buffer *
conn_output(struct conn *conn)
{
	return &conn->output;
}

void
conn_flush(struct conn *conn)
{
	bool is_blocked =
	    conn->is_watching_write || (conn->due & CONN_DUE_FAILED) != 0;

	if (conn->state == CONN_STATE_OPEN && !is_blocked &&
	    conn->output.len > 0)
		conn_events_transmit(conn);
}

void
conn_read_on(struct conn *conn)
{
	conn_events_read_on(conn);
}

void
conn_read_now(struct conn *conn)
{
	conn_events_read_now(conn);
}

void
conn_pause(struct conn *conn, unsigned reasons)
{
	conn->pauses |= reasons;
}

void
conn_resume(struct conn *conn, unsigned reasons)
{
	conn->pauses &= ~reasons;
	conn_events_read_on(conn);
}

void
conn_set_deadline(struct conn *conn, int64_t deadline)
{
	if (conn->state != CONN_STATE_FAILED)
		loop_timer_set(&conn->timer, deadline);
}

void
conn_set_fn(struct conn *conn, conn_fn *fn, void *ctx)
{
	conn->fn = fn;
	conn->ctx = ctx;
}

bool
conn_start_tls(struct conn *conn, struct tls_context *context, const char *name,
    struct error *error)
{
	assert(conn->state == CONN_STATE_OPEN && conn->stream == NULL);
	if (conn->input.len > 0 || conn->output.len > 0)
		return error_set(error, ERROR_TLS,
		    "%s plaintext before TLS begins",
		    conn->input.len > 0 ? "unread" : "unwritten");
	struct tls_stream *stream = tls_stream_new(
	    context, conn->fd, name, loop_now(conn->loop).wall_ms, error);
	if (stream == NULL)
		return false;
	conn->stream = stream;
	conn->state = CONN_STATE_SECURING;
	conn_events_watch_read(conn, true);
	conn_events_do_later(conn, CONN_DUE_HANDSHAKE);
	return true;
}

const struct tls_summary *
conn_tls(const struct conn *conn)
{
	return conn->stream != NULL ? tls_stream_summary(conn->stream) : NULL;
}

bool
conn_tls_facts(
    const struct conn *conn, const char *ca, struct tls_facts *out_facts)
{
	return conn->stream != NULL &&
	    tls_stream_facts(conn->stream, ca, out_facts);
}

size_t
conn_channel_binding(
    struct conn *conn, char *out_data, size_t capacity, const char **out_type)
{
	if (conn_tls(conn) == NULL)
		return 0;
	return tls_stream_channel_binding(
	    conn->stream, out_data, capacity, out_type);
}

const struct error *
conn_error(const struct conn *conn)
{
	return &conn->error;
}

const struct peer *
conn_peer(const struct conn *conn)
{
	return &conn->peer;
}

int
conn_fd(const struct conn *conn)
{
	return conn->fd;
}

struct loop *
conn_loop(const struct conn *conn)
{
	return conn->loop;
}
