#include "net/stream.h"

#include <assert.h>
#include <errno.h>
#include <sys/param.h>
#include <sys/socket.h>
#include <sys/uio.h>

/*
 * What arrives beyond the buffer's memory goes to the stack first, so that one
 * call takes a large delivery whole and small sessions hold little memory.
 */
#define SPILL_SIZE ((size_t)32 * 1024)

size_t
stream_room(const struct buffer *buffer)
{
	return buffer->limit - buffer->len;
}

char *
stream_reserve(struct buffer *buffer, size_t *out_size)
{
	size_t room = stream_room(buffer);
	char *data = buffer_reserve(
	    buffer, room < STREAM_READ_MIN ? room : STREAM_READ_MIN);

	assert(room > 0 && data != NULL);
	size_t size = buffer->capacity - buffer->start - buffer->len;
	*out_size = MIN(size, room);
	return data;
}

enum stream_result
stream_failed(struct error *error, const char *doing)
{
	(void)error_system(error, "%s", doing);
	if (error->number == ECONNRESET || error->number == EPIPE)
		error->kind = ERROR_CLOSED;
	return STREAM_FAILED;
}

static bool
is_again(int number)
{
	return number == EAGAIN || number == EINTR;
}

enum stream_result
stream_read(int fd, struct buffer *buffer, struct error *error)
{
	char spill[SPILL_SIZE];
	size_t size;
	char *data = stream_reserve(buffer, &size);
	size_t rest = stream_room(buffer) - size;
	struct iovec pieces[2] = {
	    {data, size},
	    {spill, rest < SPILL_SIZE ? rest : SPILL_SIZE},
	};
	struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};

	ssize_t count = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (count < 0)
		return is_again(errno) ? STREAM_WANTS_READ
				       : stream_failed(error, "read");
	if (count == 0)
		return STREAM_ENDED;

	size_t len = (size_t)count;
	buffer_commit(buffer, len < size ? len : size);
	if (len > size)
		buffer_append(buffer, bytes_make(spill, len - size));
	return STREAM_MOVED;
}

enum stream_result
stream_write(int fd, struct buffer *buffer, struct error *error)
{
	struct bytes bytes = buffer_bytes(buffer);

	ssize_t count =
	    send(fd, bytes.data, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (count < 0)
		return is_again(errno) ? STREAM_WANTS_WRITE
				       : stream_failed(error, "write");
	buffer_consume(buffer, (size_t)count);
	return buffer->len == 0 ? STREAM_MOVED : STREAM_WANTS_WRITE;
}
