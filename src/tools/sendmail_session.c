#include "tools/sendmail_session.h"

#include "base/buffer.h"
#include "tools/sendmail_socket.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#define PIECE_SIZE ((size_t)64 * 1024)

/* From the caller to the daemon; written when it can take more. */
struct session {
	int input;
	int output;
	int fd;
	struct buffer pending; /* for the daemon */
	bool input_ended;
	bool shut; /* the daemon has been told so */
	bool over; /* the daemon has ended */
};

static bool
is_transient(void)
{
	return errno == EAGAIN || errno == EINTR;
}

static bool
read_caller(struct session *session, struct error *error)
{
	char *room = buffer_reserve(&session->pending, PIECE_SIZE);
	ssize_t got = read(session->input, room, PIECE_SIZE);

	if (got < 0 && !is_transient())
		return error_system(error, "read standard input");
	session->input_ended = got == 0;
	if (got > 0)
		buffer_commit(&session->pending, (size_t)got);
	return true;
}

static void
write_daemon(struct session *session)
{
	struct bytes pending = buffer_bytes(&session->pending);
	ssize_t sent = send(session->fd, pending.data, pending.len,
	    MSG_NOSIGNAL | MSG_DONTWAIT);

	if (sent >= 0)
		buffer_consume(&session->pending, (size_t)sent);
	else if (!is_transient())
		buffer_empty(&session->pending); /* what it said is read on */
	if (session->input_ended && session->pending.len == 0 &&
	    !session->shut) {
		session->shut = true;
		(void)shutdown(session->fd, SHUT_WR); /* or it has gone */
	}
}

/* All of it, also where output is non-blocking. */
static bool
write_caller(int output, struct bytes bytes, struct error *error)
{
	while (bytes.len > 0) {
		ssize_t put = write(output, bytes.data, bytes.len);
		if (put < 0 && !is_transient())
			return error_system(error, "write standard output");
		struct pollfd wait = {.fd = output, .events = POLLOUT};
		if (put < 0)
			(void)poll(&wait, 1, -1); /* write() tells the rest */
		else
			bytes = bytes_from(bytes, (size_t)put);
	}
	return true;
}

static bool
read_daemon(struct session *session, struct error *error)
{
	char piece[PIECE_SIZE];
	ssize_t got = recv(session->fd, piece, sizeof(piece), MSG_DONTWAIT);

	if (got > 0)
		return write_caller(
		    session->output, bytes_make(piece, (size_t)got), error);
	session->over = got == 0 || !is_transient();
	return true;
}

/* One turn. */
static bool
carry(struct session *session, struct error *error)
{
	bool wants_input = !session->input_ended && session->pending.len == 0;
	struct pollfd wait[] = {
	    {.fd = session->fd, .events = POLLIN},
	    {.fd = wants_input ? session->input : -1, .events = POLLIN},
	};

	if (session->pending.len > 0)
		wait[0].events = POLLIN | POLLOUT;
	if (poll(wait, 2, -1) < 0)
		return errno == EINTR || error_system(error, "poll");
	if (wait[1].revents != 0 && !read_caller(session, error))
		return false;
	if (wait[1].revents != 0 || (wait[0].revents & POLLOUT) != 0)
		write_daemon(session);
	return (wait[0].revents & ~POLLOUT) == 0 || read_daemon(session, error);
}

int
sendmail_session_run(
    const char *path, int input, int output, struct error *error)
{
	struct session session = {.input = input, .output = output, .fd = -1};
	struct error ignored;

	if (sendmail_socket_open(path, &session.fd, error) !=
	    SENDMAIL_SOCKET_OPEN) {
		(void)write_caller(output,
		    BYTES("421 4.3.2 postrider is not running\r\n"),
		    &ignored); /* it is the status that counts */
		return EX_TEMPFAIL;
	}
	buffer_init(&session.pending, PIECE_SIZE);
	bool ok = true;
	while (ok && !session.over)
		ok = carry(&session, error);
	buffer_clear(&session.pending);
	(void)close(session.fd); /* all was read */
	return ok ? EX_OK : EX_IOERR;
}
