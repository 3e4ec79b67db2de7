#include "lib/conn_probe.h"
#include "lib/loop_until.h"
#include "net/conn.h"
#include "net/socket_address.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool
is_closed(void *ctx)
{
	struct conn_probe *probe = ctx;

	return probe->conn == NULL;
}

Test(conn, may_be_closed_whenever_it_tells_something)
{
	static const enum conn_event events[] = {
	    CONN_READABLE, CONN_EOF, CONN_TIMEOUT, CONN_FAILED, CONN_DRAINED};

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		struct conn_ends ends;
		conn_ends_init(&ends, true);
		ends.probe.close_at = (int)events[i];
		conn_ends_say(&ends, "x");
		if (events[i] == CONN_TIMEOUT) {
			conn_set_deadline(ends.probe.conn, 0);
		} else if (events[i] == CONN_DRAINED) {
			for (int octet = 0; octet <= CONN_OUTPUT_LOW; octet++)
				buffer_append_char(
				    conn_output(ends.probe.conn), 'x');
			conn_flush(ends.probe.conn);
		} else if (events[i] == CONN_FAILED) {
			conn_ends_reset_other(&ends);
		} else {
			conn_ends_close_other(&ends);
		}
		loop_until(ends.loop, is_closed, &ends.probe);
		loop_until_quiet(ends.loop);
		cr_expect_eq(ends.probe.last, events[i]);
		conn_ends_clear(&ends);
	}
}

Test(conn, closes_at_once_for_the_peer)
{
	struct conn_ends ends;
	char c;

	conn_ends_init(&ends, true);
	conn_close(ends.probe.conn);
	ends.probe.conn = NULL;
	cr_expect_eq(read(ends.other, &c, 1), 0); /* no turn needed */
	conn_ends_clear(&ends);
	conn_close(NULL);
}

static void
drain_other(struct conn_ends *ends, size_t *out_len, ssize_t *out_end)
{
	char piece[4096];
	ssize_t count;

	*out_len = 0;
	while (
	    (count = recv(ends->other, piece, sizeof(piece), MSG_DONTWAIT)) > 0)
		*out_len += (size_t)count;
	*out_end = count < 0 ? -errno : 0;
}

struct last_reply {
	struct conn_ends *ends;
	size_t len;
	ssize_t end;
};

static bool
has_ended(void *ctx)
{
	struct last_reply *reply = ctx;
	size_t len;

	drain_other(reply->ends, &len, &reply->end);
	reply->len += len;
	return reply->end != -EAGAIN;
}

Test(conn, finishes_what_is_left_and_tells_nobody)
{
	enum {
		LEN = 900000
	};
	struct conn_ends ends;
	struct last_reply reply = {.ends = &ends};

	conn_ends_init(&ends, true);
	for (int i = 0; i < LEN; i++)
		buffer_append_char(conn_output(ends.probe.conn), 'x');
	conn_finish(ends.probe.conn);
	ends.probe.conn = NULL; /* the probe asserts when told */
	loop_until(ends.loop, has_ended, &reply);
	cr_expect_eq(reply.len, LEN);
	cr_expect_eq(reply.end, 0);
	conn_ends_clear(&ends);
}

static bool
is_descriptor_closed(void *ctx)
{
	int *fd = ctx;

	return fcntl(*fd, F_GETFD) < 0;
}

Test(conn, finishes_without_a_reset_where_input_is_unread)
{
	struct conn_ends ends;
	struct last_reply reply = {.ends = &ends};

	conn_ends_init(&ends, true);
	int fd = conn_fd(ends.probe.conn);
	conn_pause(ends.probe.conn, CONN_PAUSE_ANSWER);
	conn_ends_say(&ends, "EHLO a\r\nMAIL FROM:<a@b>\r\n");
	buffer_append_text(conn_output(ends.probe.conn), "421 no\r\n");
	conn_finish(ends.probe.conn);
	ends.probe.conn = NULL;
	loop_until(ends.loop, has_ended, &reply);
	cr_expect_eq(reply.len, strlen("421 no\r\n"));
	cr_expect_eq(reply.end, 0);
	conn_ends_close_other(&ends);
	loop_until(ends.loop, is_descriptor_closed, &fd); /* lingers no more */
	conn_ends_clear(&ends);
}

Test(conn, finishes_a_dead_one)
{
	struct conn_ends ends;

	conn_ends_init(&ends, false);
	conn_ends_close_other(&ends);
	conn_probe_send(&ends.probe, "250 ok\r\n"); /* fails, not told yet */
	conn_finish(ends.probe.conn);
	ends.probe.conn = NULL;
	loop_until_quiet(ends.loop);
	conn_ends_clear(&ends);
}

static void
dial(struct conn_probe *probe, const struct sockaddr_storage *address,
    socklen_t len, const char *source)
{
	struct socket_address from;
	bool has_source =
	    source != NULL && socket_address_of_literal(source, 0, &from);

	probe->conn = conn_open(probe->loop, (const struct sockaddr *)address,
	    len, has_source ? socket_address_get(&from) : NULL,
	    has_source ? from.len : 0, conn_probe_told, probe);
	cr_expect_eq(probe->counts[CONN_OPENED], 0);
	cr_expect_eq(probe->counts[CONN_FAILED], 0);
}

Test(conn, opens_and_sends_what_was_flushed_before)
{
	struct loop *loop = loop_new();
	struct conn_probe probe;
	struct sockaddr_storage address;
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	socklen_t len;
	char text[8] = "";
	int on = 0;
	socklen_t on_len = sizeof(on);
	int listening = tcp_listen(&address, &len);

	conn_probe_init(&probe, loop);
	dial(&probe, &address, len, "127.0.0.7");
	conn_probe_send(&probe, "hello");
	conn_probe_until(&probe, CONN_OPENED, 1);
	int fd = accept(listening, (struct sockaddr *)&from, &from_len);
	cr_expect_eq(ntohl(from.sin_addr.s_addr), 0x7f000007U);
	cr_expect_eq(recv(fd, text, 5, MSG_WAITALL), 5);
	cr_expect_str_eq(text, "hello");
	getsockopt(conn_fd(probe.conn), IPPROTO_TCP, TCP_NODELAY, &on, &on_len);
	cr_expect_neq(on, 0);
	cr_expect_neq(fcntl(conn_fd(probe.conn), F_GETFD) & FD_CLOEXEC, 0);
	cr_expect_str_eq(conn_peer(probe.conn)->address, "127.0.0.1");
	cr_expect(conn_peer(probe.conn)->loopback);
	cr_expect_not(conn_peer(probe.conn)->local);
	cr_expect_eq(conn_loop(probe.conn), loop);
	conn_probe_clear(&probe);
	close(fd);
	close(listening);
	loop_free(loop);
}

Test(conn, says_why_it_could_not_open)
{
	struct loop *loop = loop_new();
	struct conn_probe probe;
	struct socket_address address;
	struct sockaddr_storage refused;
	socklen_t len;
	struct error error;
	char expected[300];
	char text[SOCKET_ADDRESS_TEXT_MAX];
	int descriptors = open_descriptors();

	close(tcp_listen(&refused, &len));
	conn_probe_init(&probe, loop);
	dial(&probe, &refused, len, NULL);
	conn_probe_until(&probe, CONN_FAILED, 1);
	cr_expect_eq(probe.error.kind, ERROR_SYSTEM);
	cr_expect_eq(probe.error.number, ECONNREFUSED);
	socket_address_print(text, (struct sockaddr *)&refused, len);
	snprintf(expected, sizeof(expected),
	    "connect to %s: Connection refused", text);
	cr_expect_str_eq(probe.error.text, expected);
	conn_probe_clear(&probe);

	conn_probe_init(&probe, loop);
	cr_assert(
	    socket_address_parse("/nonexistent/x.sock", &address, &error));
	dial(&probe, &address.storage, address.len, NULL);
	conn_probe_until(&probe, CONN_FAILED, 1);
	cr_expect_str_eq(probe.error.text,
	    "connect to /nonexistent/x.sock: No such file or directory");
	conn_probe_clear(&probe);

	conn_probe_init(&probe, loop);
	dial(&probe, &refused, len, "192.0.2.1"); /* not an address of ours */
	conn_probe_until(&probe, CONN_FAILED, 1);
	cr_expect_eq(probe.error.number, EADDRNOTAVAIL);
	conn_probe_clear(&probe);

	conn_probe_init(&probe, loop);
	dial(&probe, &refused, len, NULL); /* closed before it is told */
	conn_probe_clear(&probe);
	loop_until_quiet(loop);
	cr_expect_eq(open_descriptors(), descriptors);
	loop_free(loop);
}

Test(conn, trusts_nobody_who_has_gone_already)
{
	struct conn_ends ends;
	struct sockaddr_storage address;
	socklen_t len;
	int listening = tcp_listen(&address, &len);

	conn_ends_init(&ends, true); /* for its loop */
	int client = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert_eq(connect(client, (struct sockaddr *)&address, len), 0);
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};
	setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(client);
	int fd = accept(listening, NULL, NULL);
	cr_assert_geq(fd, 0);
	struct conn_probe gone;
	conn_probe_init(&gone, ends.loop);
	conn_probe_accept(&gone, fd);
	cr_expect_not(conn_peer(gone.conn)->local);
	cr_expect_not(conn_peer(gone.conn)->loopback);
	cr_expect_eq(conn_peer(gone.conn)->uid, (uid_t)-1);
	cr_expect_str_eq(conn_peer(gone.conn)->address, "unknown");
	conn_probe_clear(&gone);
	conn_ends_clear(&ends);
	close(listening);
}

Test(conn, knows_who_is_at_the_other_end_of_a_unix_socket)
{
	struct conn_ends ends;

	conn_ends_init(&ends, false);
	const struct peer *peer = conn_peer(ends.probe.conn);
	cr_expect(peer->local);
	cr_expect(peer->loopback);
	cr_expect_eq(peer->uid, geteuid());
	cr_expect_eq(peer->gid, getegid());
	cr_expect_eq(peer->pid, getpid());
	cr_expect_str_eq(peer->address, "local");
	conn_ends_clear(&ends);
}

Test(conn, can_change_who_is_told)
{
	struct conn_ends ends;
	struct conn_probe other;

	conn_ends_init(&ends, false);
	conn_probe_init(&other, ends.loop);
	other.conn = ends.probe.conn;
	conn_set_fn(ends.probe.conn, conn_probe_told, &other);
	conn_ends_say(&ends, "x");
	conn_probe_until_read(&other, 1);
	cr_expect_eq(ends.probe.counts[CONN_READABLE], 0);
	buffer_clear(&other.read);
	conn_ends_clear(&ends);
}
