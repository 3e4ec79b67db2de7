#include "net/conn_events.h"

#include "net/stream.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>

/* An empty buffer gives memory above this back. */
#define INPUT_KEPT  ((size_t)16 * 1024)
#define OUTPUT_KEPT ((size_t)CONN_OUTPUT_LOW)

void
conn_events_do_later(struct conn *conn, unsigned due)
{
	conn->due |= due;
	loop_later(conn->loop, &conn->task);
}

/* The kernel watches so many descriptors and no more: then the connection
 * fails, rather than wait for what nobody will tell. */
static void
watch(struct conn *conn, struct event *event, bool wanted)
{
	if (!wanted) {
		(void)event_del(event); /* it is there */
	} else if (event_add(event, NULL) != 0) {
		(void)error_system(&conn->error, "watch the connection");
		conn_events_do_later(conn, CONN_DUE_FAILED);
	}
}

void
conn_events_watch_read(struct conn *conn, bool wanted)
{
	if (conn->is_watching_read == wanted)
		return;
	conn->is_watching_read = wanted;
	watch(conn, &conn->read_event, wanted);
}

void
conn_events_watch_write(struct conn *conn, bool wanted)
{
	if (conn->is_watching_write == wanted)
		return;
	conn->is_watching_write = wanted;
	watch(conn, &conn->write_event, wanted);
}

/* False: fn has closed conn, finished it or begun TLS; leave it alone. */
static bool
tell(struct conn *conn, enum conn_event event)
{
	conn->fn(conn, event, conn->ctx);
	return conn->state == CONN_STATE_OPEN;
}

static void
fail(struct conn *conn)
{
	conn_events_watch_read(conn, false);
	conn_events_watch_write(conn, false);
	loop_timer_set(&conn->timer, CLOCK_NEVER);
	conn->state = CONN_STATE_FAILED;
	(void)tell(conn, CONN_FAILED);
}

static enum stream_result
read_input(struct conn *conn, struct error *error)
{
	if (conn->input.len == 0 && conn->input.capacity > INPUT_KEPT)
		buffer_clear(&conn->input);
	if (conn->stream != NULL)
		return tls_stream_read(conn->stream, &conn->input, error);
	return stream_read(conn->fd, &conn->input, error);
}

static enum stream_result
write_output(struct conn *conn, struct error *error)
{
	enum stream_result result = conn->stream != NULL
	    ? tls_stream_write(conn->stream, &conn->output, error)
	    : stream_write(conn->fd, &conn->output, error);

	if (conn->output.len == 0 && conn->output.capacity > OUTPUT_KEPT)
		buffer_clear(&conn->output);
	return result;
}

static bool
may_read(const struct conn *conn)
{
	return conn->pauses == 0 && !conn->has_ended &&
	    stream_room(&conn->input) > 0;
}

void
conn_events_read_on(struct conn *conn)
{
	if (conn->state != CONN_STATE_OPEN || !may_read(conn))
		return;
	conn_events_watch_read(conn, true);
	if (conn->stream != NULL && tls_stream_has_pending(conn->stream))
		conn_events_do_later(conn, CONN_DUE_READ);
}

static void
end_input(struct conn *conn)
{
	conn->has_ended = true;
	conn_events_watch_read(conn, false);
	(void)tell(conn, CONN_EOF);
}

static void
receive(struct conn *conn)
{
	size_t len_before = conn->input.len;
	enum stream_result result = read_input(conn, &conn->error);

	if (result == STREAM_WANTS_WRITE) {
		conn->is_crossed = true;
		conn_events_watch_write(conn, true);
	}
	if (conn->input.len > len_before && !tell(conn, CONN_READABLE))
		return;
	if (result == STREAM_ENDED)
		end_input(conn);
	else if (result == STREAM_FAILED)
		fail(conn);
	else
		conn_events_read_on(conn);
}

void
conn_events_read_now(struct conn *conn)
{
	if (conn->state == CONN_STATE_OPEN && may_read(conn))
		receive(conn);
}

void
conn_events_transmit(struct conn *conn)
{
	size_t len_before = conn->output.len;
	bool had_waited = conn->is_watching_write;
	enum stream_result result = write_output(conn, &conn->error);

	if (result == STREAM_FAILED) {
		conn_events_watch_write(conn, false);
		conn_events_do_later(conn, CONN_DUE_FAILED);
		return;
	}
	conn->is_crossed |= result == STREAM_WANTS_READ;
	conn_events_watch_write(conn, result == STREAM_WANTS_WRITE);

	size_t len = conn->output.len;
	bool is_low = len_before > CONN_OUTPUT_LOW && len <= CONN_OUTPUT_LOW;
	if (is_low || (had_waited && len == 0))
		conn_events_do_later(conn, CONN_DUE_DRAINED);
}

/*
 * Writing has failed, but what the peer said before it left may lie in the
 * socket: often that is the reason.
 */
static void
fail_with_last_words(struct conn *conn)
{
	size_t len_before = conn->input.len;
	struct error ignored;

	if (conn->state == CONN_STATE_FINISHING ||
	    conn->state == CONN_STATE_LINGERING) {
		conn_close(conn); /* nobody is told any more */
		return;
	}
	if (conn->state == CONN_STATE_OPEN && !conn->has_ended &&
	    stream_room(&conn->input) > 0) {
		(void)read_input(conn, &ignored); /* the first error counts */
		if (conn->input.len > len_before && !tell(conn, CONN_READABLE))
			return;
	}
	fail(conn);
}

static void
opened(struct conn *conn)
{
	conn->state = CONN_STATE_OPEN;
	conn_events_watch_write(conn, false);
	conn_events_watch_read(conn, true);
	if (tell(conn, CONN_OPENED))
		conn_flush(conn);
}

static void
secured(struct conn *conn)
{
	conn->state = CONN_STATE_OPEN;
	conn_events_watch_write(conn, false);
	if (!tell(conn, CONN_SECURED))
		return;
	conn_flush(conn);
	conn_events_read_on(conn);
}

static void
shake_hands(struct conn *conn)
{
	switch (tls_stream_handshake(conn->stream, &conn->error)) {
	case STREAM_MOVED:
		secured(conn);
		return;
	case STREAM_WANTS_READ:
		conn_events_watch_write(conn, false);
		return;
	case STREAM_WANTS_WRITE:
		conn_events_watch_write(conn, true);
		return;
	case STREAM_ENDED:
	case STREAM_FAILED:
		fail(conn);
		return;
	}
}

static void
fail_to_connect(struct conn *conn, int number)
{
	errno = number;
	(void)error_system(&conn->error, "connect to %s", conn->target);
	fail(conn);
}

static void
connected(struct conn *conn)
{
	int number = 0;
	socklen_t len = sizeof(number);

	if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &number, &len) != 0)
		number = errno;
	if (number == 0)
		opened(conn);
	else
		fail_to_connect(conn, number);
}

/* Something has come, and would the kernel reset the connection for it? */
static bool
throw_input_away(struct conn *conn)
{
	struct error ignored;

	buffer_empty(&conn->input);
	enum stream_result result =
	    stream_read(conn->fd, &conn->input, &ignored);
	conn->has_ended = result == STREAM_ENDED || result == STREAM_FAILED;
	return result == STREAM_MOVED;
}

static void
linger(struct conn *conn)
{
	if (conn->state == CONN_STATE_LINGERING) {
		(void)throw_input_away(conn);
		if (conn->has_ended)
			conn_close(conn);
		return;
	}
	if (conn->stream != NULL)
		tls_stream_end(conn->stream);
	if (conn->has_ended || !throw_input_away(conn)) {
		conn_close(conn);
		return;
	}
	conn->state = CONN_STATE_LINGERING;
	shutdown(conn->fd, SHUT_WR);
	conn_events_watch_write(conn, false);
	conn_events_watch_read(conn, true);
}

void
conn_events_finish(struct conn *conn)
{
	enum stream_result result = STREAM_MOVED;

	if (conn->output.len > 0)
		result = write_output(conn, &conn->error);
	conn_events_watch_read(conn, result == STREAM_WANTS_READ);
	conn_events_watch_write(conn, result == STREAM_WANTS_WRITE);
	if (result == STREAM_MOVED)
		linger(conn);
	else if (result == STREAM_FAILED)
		conn_close(conn);
}

/* Either event of an open conn; a crossed one tries both ways. */
static void
move_bytes(struct conn *conn, bool can_read, bool can_write)
{
	bool was_crossed = conn->is_crossed;

	conn->is_crossed = false;
	if ((can_write || was_crossed) && conn->output.len > 0)
		conn_events_transmit(conn);
	else if (can_write)
		conn_events_watch_write(conn, false);
	if (!can_read && !was_crossed)
		return;
	if (may_read(conn))
		receive(conn);
	else
		conn_events_watch_read(conn, false);
}

static void
socket_ready(struct conn *conn, bool can_read, bool can_write)
{
	assert(conn->fd >= 0 && conn->state != CONN_STATE_FAILED);
	switch (conn->state) {
	case CONN_STATE_CONNECTING:
		connected(conn);
		return;
	case CONN_STATE_SECURING:
		shake_hands(conn);
		return;
	case CONN_STATE_OPEN:
		move_bytes(conn, can_read, can_write);
		return;
	case CONN_STATE_FINISHING:
		conn_events_finish(conn);
		return;
	case CONN_STATE_LINGERING:
		linger(conn);
		return;
	case CONN_STATE_FAILED:
	case CONN_STATE_CLOSED:
		return;
	}
}

static void
socket_readable(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	socket_ready(ctx, true, false);
}

static void
socket_writable(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	socket_ready(ctx, false, true);
}

static void
deadline_passed(void *ctx)
{
	struct conn *conn = ctx;

	if (conn->state == CONN_STATE_FINISHING ||
	    conn->state == CONN_STATE_LINGERING)
		conn_close(conn);
	else
		(void)tell(conn, CONN_TIMEOUT);
}

static void
release(struct conn *conn)
{
	buffer_clear(&conn->input);
	buffer_clear(&conn->output);
	free(conn->target);
	free(conn);
}

/* Where something of greater weight is due, the rest is not any more. */
static void
do_due(void *ctx)
{
	struct conn *conn = ctx;
	unsigned due = conn->due;

	conn->due = 0;
	if (conn->state == CONN_STATE_CLOSED) {
		release(conn);
	} else if (conn->state == CONN_STATE_FAILED) {
		return; /* reading failed in the same turn as writing */
	} else if ((due & CONN_DUE_FAILED) != 0) {
		fail_with_last_words(conn);
	} else if (conn->state == CONN_STATE_CONNECTING) {
		opened(conn);
	} else if (conn->state == CONN_STATE_SECURING) {
		shake_hands(conn);
	} else if (conn->state == CONN_STATE_OPEN) {
		if ((due & CONN_DUE_DRAINED) != 0 && !tell(conn, CONN_DRAINED))
			return;
		if ((due & CONN_DUE_READ) != 0 && may_read(conn))
			receive(conn);
	}
}

void
conn_events_init(struct conn *conn)
{
	struct event_base *base = loop_base(conn->loop);

	loop_timer_init(&conn->timer, conn->loop, deadline_passed, conn);
	loop_task_init(&conn->task, do_due, conn);
	event_assign(&conn->read_event, base, conn->fd, EV_READ | EV_PERSIST,
	    socket_readable, conn);
	event_assign(&conn->write_event, base, conn->fd, EV_WRITE | EV_PERSIST,
	    socket_writable, conn);
}

void
conn_events_stop(struct conn *conn)
{
	conn_events_watch_read(conn, false);
	conn_events_watch_write(conn, false);
	loop_timer_clear(&conn->timer);
	conn->state = CONN_STATE_CLOSED;
	conn_events_do_later(conn, 0);
}
