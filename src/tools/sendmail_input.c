#include "tools/sendmail_input.h"

#include "base/clock.h"
#include "smtp/dot.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

/* On the stack, whose pages all come at once: most letters are short. */
#define PIECE_SIZE ((size_t)8 * 1024)
#define DRAIN_MAX  (30 * CLOCK_SECOND)

/* As read(), but waits where fd is non-blocking: nodemailer's pipes are. */
static ssize_t
read_some(int fd, char *piece)
{
	for (;;) {
		ssize_t got = read(fd, piece, PIECE_SIZE);
		if (got >= 0 || (errno != EINTR && errno != EAGAIN))
			return got;
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		if (errno == EAGAIN)
			(void)poll(&wait, 1, -1); /* read() tells the rest */
	}
}

/* Cut content before its first line of a single dot; lines before from hold
 * none.  False: there is none. */
static bool
cut_at_dot(struct buffer *content, size_t from)
{
	struct bytes all = buffer_bytes(content);
	size_t back = from > 4 ? from - 4 : 0;
	struct bytes fresh = bytes_from(all, back);
	size_t at = bytes_search(fresh, BYTES("\r\n.\r\n"));

	if (bytes_has_prefix(all, ".\r\n"))
		buffer_empty(content);
	else if (at < fresh.len)
		buffer_truncate(content, back + at + 2);
	else
		return false;
	return true;
}

bool
sendmail_input_read(
    int fd, bool lone_dot, struct buffer *content, struct error *error)
{
	char piece[PIECE_SIZE];
	struct dot_encoder encoder;

	dot_encoder_init(&encoder);
	for (;;) {
		ssize_t got = read_some(fd, piece);
		if (got < 0)
			return error_system(error, "read the message");
		if (got == 0)
			break;
		size_t before = content->len;
		dot_encode(
		    &encoder, bytes_make(piece, (size_t)got), false, content);
		if (content->len > SENDMAIL_INPUT_MAX || content->overflowed)
			return error_set(
			    error, ERROR_LIMIT, "the message is too large");
		if (lone_dot && cut_at_dot(content, before))
			return true;
	}
	if (content->len > 0)
		dot_encode_end(&encoder, false, content);
	return true;
}

/* Is there something to read, or its end, before deadline? */
static bool
wait_readable(int fd, int64_t deadline)
{
	for (;;) {
		int64_t wait_ms = deadline - clock_now().mono_ms;
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		int ready = poll(&wait, 1, wait_ms > 0 ? (int)wait_ms : 0);
		if (ready >= 0 || errno != EINTR)
			return ready > 0;
	}
}

void
sendmail_input_drain(int fd)
{
	char piece[PIECE_SIZE];
	size_t left = SENDMAIL_INPUT_MAX;
	int64_t deadline = clock_now().mono_ms + DRAIN_MAX;

	while (!isatty(fd) && left > sizeof(piece) &&
	    wait_readable(fd, deadline)) {
		ssize_t got = read(fd, piece, sizeof(piece));
		if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
			return;
		left -= got < 0 ? 0 : (size_t)got;
	}
}
