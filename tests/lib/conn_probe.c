#include "lib/conn_probe.h"

#include "lib/loop_until.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

void
conn_probe_init(struct conn_probe *probe, struct loop *loop)
{
	*probe = (struct conn_probe){.loop = loop, .close_at = -1};
	buffer_init(&probe->read, 256 * 1024 * 1024);
}

void
conn_probe_clear(struct conn_probe *probe)
{
	conn_close(probe->conn);
	probe->conn = NULL;
	buffer_clear(&probe->read);
}

void
conn_probe_take(struct conn_probe *probe)
{
	struct buffer *input = conn_input(probe->conn);

	buffer_append(&probe->read, buffer_bytes(input));
	buffer_consume(input, input->len);
}

void
conn_probe_told(struct conn *conn, enum conn_event event, void *ctx)
{
	struct conn_probe *probe = ctx;

	cr_assert_eq(conn, probe->conn, "told after conn_close()");
	probe->counts[event]++;
	probe->last = event;
	if (event == CONN_READABLE && !probe->keeps_input)
		conn_probe_take(probe);
	if (event == CONN_FAILED)
		probe->error = *conn_error(conn);
	if ((int)event == probe->close_at) {
		conn_close(conn);
		probe->conn = NULL;
	} else if (probe->then != NULL) {
		probe->then(conn, event, probe->then_ctx);
	}
}

void
conn_probe_accept(struct conn_probe *probe, int fd)
{
	probe->conn = conn_accept(probe->loop, fd, conn_probe_told, probe);
}

void
conn_probe_send(struct conn_probe *probe, const char *text)
{
	buffer_append_text(conn_output(probe->conn), text);
	conn_flush(probe->conn);
}

struct wish {
	struct conn_probe *probe;
	enum conn_event event;
	int count;
	size_t len;
};

static bool
is_told(void *ctx)
{
	struct wish *wish = ctx;

	return wish->probe->counts[wish->event] >= wish->count;
}

static bool
is_read(void *ctx)
{
	struct wish *wish = ctx;

	return wish->probe->read.len >= wish->len;
}

void
conn_probe_until(struct conn_probe *probe, enum conn_event event, int count)
{
	struct wish wish = {.probe = probe, .event = event, .count = count};

	loop_until(probe->loop, is_told, &wish);
}

void
conn_probe_until_read(struct conn_probe *probe, size_t len)
{
	struct wish wish = {.probe = probe, .len = len};

	loop_until(probe->loop, is_read, &wish);
}

int
tcp_listen(struct sockaddr_storage *out_address, socklen_t *out_len)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(fd, 16), 0);
	*out_len = sizeof(*out_address);
	cr_assert_eq(
	    getsockname(fd, (struct sockaddr *)out_address, out_len), 0);
	return fd;
}

void
tcp_pair(int *out_a, int *out_b)
{
	struct sockaddr_storage address;
	socklen_t len;
	int listening = tcp_listen(&address, &len);

	*out_a = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(connect(*out_a, (struct sockaddr *)&address, len), 0);
	*out_b = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	cr_assert_geq(*out_b, 0);
	close(listening);
}

void
conn_ends_init(struct conn_ends *ends, bool is_tcp)
{
	int pair[2];

	ends->descriptors = open_descriptors();
	ends->loop = loop_new();
	conn_probe_init(&ends->probe, ends->loop);
	if (is_tcp)
		tcp_pair(&pair[0], &pair[1]);
	else
		cr_assert_eq(
		    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
		    0);
	conn_probe_accept(&ends->probe, pair[0]);
	ends->other = pair[1];
}

void
conn_ends_close_other(struct conn_ends *ends)
{
	close(ends->other);
	ends->other = -1;
}

void
conn_ends_clear(struct conn_ends *ends)
{
	conn_probe_clear(&ends->probe);
	if (ends->other >= 0)
		conn_ends_close_other(ends);
	loop_free(ends->loop);
	cr_expect_eq(open_descriptors(), ends->descriptors);
}

void
conn_ends_reset_other(struct conn_ends *ends)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	setsockopt(
	    ends->other, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	conn_ends_close_other(ends);
}

void
conn_ends_say(struct conn_ends *ends, const char *text)
{
	cr_assert_eq(
	    write(ends->other, text, strlen(text)), (ssize_t)strlen(text));
}

void
conn_ends_expect_heard(struct conn_ends *ends, const char *text)
{
	char heard[256] = "";

	cr_assert_lt(strlen(text), sizeof(heard));
	cr_assert_eq(recv(ends->other, heard, strlen(text), MSG_WAITALL),
	    (ssize_t)strlen(text));
	cr_expect_str_eq(heard, text);
}

void
conn_probe_expect_read(const struct conn_probe *probe, const char *text)
{
	cr_expect(bytes_is(buffer_bytes(&probe->read), text), "read \"%.*s\"",
	    BYTES_ARGS(buffer_bytes(&probe->read)));
}
