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

/* A conn on one end, the bare socket on the other. */
struct ends {
	struct loop *loop;
	struct conn_probe probe;
	int other; /* -1: closed */
	int descriptors;
};

static void
open_ends(struct ends *ends, bool is_tcp)
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

static void
close_other(struct ends *ends)
{
	close(ends->other);
	ends->other = -1;
}

/* Every test ends here: nothing may be left open. */
static void
close_ends(struct ends *ends)
{
	conn_probe_clear(&ends->probe);
	if (ends->other >= 0)
		close_other(ends);
	loop_free(ends->loop);
	cr_expect_eq(open_descriptors(), ends->descriptors);
}

static void
reset_other(struct ends *ends)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	setsockopt(
	    ends->other, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close_other(ends);
}

static void
say(struct ends *ends, const char *text)
{
	cr_assert_eq(
	    write(ends->other, text, strlen(text)), (ssize_t)strlen(text));
}

static void
expect_heard(struct ends *ends, const char *text)
{
	char heard[256] = "";

	cr_assert_lt(strlen(text), sizeof(heard));
	cr_assert_eq(recv(ends->other, heard, strlen(text), MSG_WAITALL),
	    (ssize_t)strlen(text));
	cr_expect_str_eq(heard, text);
}

static void
expect_read(const struct conn_probe *probe, const char *text)
{
	cr_expect(bytes_is(buffer_bytes(&probe->read), text), "read \"%.*s\"",
	    BYTES_ARGS(buffer_bytes(&probe->read)));
}

Test(conn, carries_bytes_both_ways)
{
	for (int is_tcp = 0; is_tcp <= 1; is_tcp++) {
		struct ends ends;
		open_ends(&ends, is_tcp);
		say(&ends, "EHLO a\r\n");
		conn_probe_until_read(&ends.probe, 8);
		expect_read(&ends.probe, "EHLO a\r\n");
		conn_probe_send(&ends.probe, "250 ok\r\n");
		cr_expect_eq(conn_output(ends.probe.conn)->len, 0,
		    "conn_flush() writes at once");
		expect_heard(&ends, "250 ok\r\n");
		cr_expect_null(conn_tls(ends.probe.conn));
		close_ends(&ends);
	}
}

Test(conn, takes_a_large_delivery_at_once)
{
	struct ends ends;
	char text[30000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	open_ends(&ends, false);
	say(&ends, text);
	conn_probe_until(&ends.probe, CONN_READABLE, 1);
	expect_read(&ends.probe, text);
	cr_expect_eq(ends.probe.counts[CONN_READABLE], 1);
	close_ends(&ends);
}

Test(conn, tells_the_end_once_and_writes_on)
{
	for (int is_tcp = 0; is_tcp <= 1; is_tcp++) {
		struct ends ends;
		open_ends(&ends, is_tcp);
		ends.probe.keeps_input = true;
		say(&ends, "QUIT");
		shutdown(ends.other, SHUT_WR);
		conn_probe_until(&ends.probe, CONN_EOF, 1);
		loop_until_quiet(ends.loop);
		cr_expect_eq(ends.probe.counts[CONN_EOF], 1);
		cr_expect(bytes_is(
		    buffer_bytes(conn_input(ends.probe.conn)), "QUIT"));
		conn_probe_send(&ends.probe, "221 bye");
		expect_heard(&ends, "221 bye");
		close_ends(&ends);
	}
}

Test(conn, tells_of_a_reset)
{
	struct ends ends;

	open_ends(&ends, true);
	say(&ends, "250 ok\r\n");
	reset_other(&ends);
	conn_probe_until(&ends.probe, CONN_FAILED, 1);
	expect_read(&ends.probe, "250 ok\r\n"); /* what came before counts */
	cr_expect_eq(ends.probe.error.kind, ERROR_CLOSED);
	cr_expect_eq(ends.probe.error.number, ECONNRESET);
	cr_expect_str_eq(
	    ends.probe.error.text, "read: Connection reset by peer");
	close_ends(&ends);
}

Test(conn, reads_the_last_words_before_it_fails_to_write)
{
	struct ends ends;

	open_ends(&ends, false);
	say(&ends, "421 too busy\r\n");
	close_other(&ends);
	conn_probe_send(
	    &ends.probe, "MAIL FROM:<a@b>\r\n"); /* and no SIGPIPE */
	cr_expect_eq(ends.probe.counts[CONN_FAILED], 0, "not within the call");
	conn_probe_until(&ends.probe, CONN_FAILED, 1);
	expect_read(&ends.probe, "421 too busy\r\n");
	cr_expect_eq(ends.probe.counts[CONN_READABLE], 1);
	cr_expect_eq(ends.probe.error.kind, ERROR_CLOSED);
	cr_expect_eq(ends.probe.error.number, EPIPE);
	conn_flush(ends.probe.conn); /* harmless on a failed one */
	loop_until_quiet(ends.loop);
	cr_expect_eq(ends.probe.counts[CONN_FAILED], 1);
	close_ends(&ends);
}

Test(conn, stops_reading_at_the_input_limit)
{
	enum {
		LEN = 200000
	};
	static char text[LEN + 1];
	struct ends ends;

	memset(text, 'y', LEN);
	open_ends(&ends, false);
	int size = LEN * 2;
	setsockopt(ends.other, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	ends.probe.keeps_input = true;
	say(&ends, text);
	shutdown(ends.other, SHUT_WR);
	while (conn_input(ends.probe.conn)->len < CONN_INPUT_LIMIT)
		loop_until_quiet(ends.loop);
	loop_until_quiet(ends.loop);
	cr_expect_eq(
	    conn_input(ends.probe.conn)->len, (size_t)CONN_INPUT_LIMIT);
	cr_expect_eq(ends.probe.counts[CONN_EOF], 0);

	ends.probe.keeps_input = false;
	conn_probe_take(&ends.probe); /* in another turn */
	conn_read_on(ends.probe.conn);
	conn_probe_until(&ends.probe, CONN_EOF, 1);
	expect_read(&ends.probe, text);
	close_ends(&ends);
}

Test(conn, pauses_for_two_reasons_without_their_fighting)
{
	struct ends ends;

	open_ends(&ends, false);
	conn_pause(ends.probe.conn, CONN_PAUSE_ANSWER);
	conn_pause(ends.probe.conn, CONN_PAUSE_PRESSURE);
	say(&ends, "x");
	loop_until_quiet(ends.loop);
	conn_resume(ends.probe.conn, CONN_PAUSE_ANSWER);
	loop_until_quiet(ends.loop);
	cr_expect_eq(ends.probe.counts[CONN_READABLE], 0);
	conn_resume(ends.probe.conn, CONN_PAUSE_PRESSURE);
	conn_probe_until_read(&ends.probe, 1);

	conn_pause(ends.probe.conn, CONN_PAUSE_ANSWER);
	conn_resume(ends.probe.conn, CONN_PAUSE_ANSWER); /* nothing came */
	conn_pause(ends.probe.conn, CONN_PAUSE_ANSWER);
	close_other(&ends);
	loop_until_quiet(ends.loop);
	cr_expect_eq(ends.probe.counts[CONN_EOF], 0);
	conn_resume(ends.probe.conn, CONN_PAUSE_ANSWER);
	conn_probe_until(&ends.probe, CONN_EOF, 1);
	close_ends(&ends);
}

struct source {
	size_t left;
	size_t sent;
	bool is_drained_too_late;
};

/* A writer of bulk, as conn.h tells it to be. */
static void
pour(struct conn *conn, enum conn_event event, void *ctx)
{
	struct source *source = ctx;
	struct buffer *output = conn_output(conn);
	char piece[1000];

	if (event == CONN_DRAINED && output->len > CONN_OUTPUT_LOW)
		source->is_drained_too_late = true;
	while (source->left > 0 && output->len < CONN_OUTPUT_HIGH) {
		size_t len =
		    source->left < sizeof(piece) ? source->left : sizeof(piece);
		for (size_t i = 0; i < len; i++)
			piece[i] = (char)('a' + source->sent++ % 23);
		buffer_append(output, bytes_make(piece, len));
		source->left -= len;
	}
	conn_flush(conn);
}

struct sink {
	int fd;
	size_t len;
	bool is_wrong;
	size_t wanted;
};

static bool
has_swallowed(void *ctx)
{
	struct sink *sink = ctx;
	char piece[10000];
	ssize_t count;

	while (
	    (count = recv(sink->fd, piece, sizeof(piece), MSG_DONTWAIT)) > 0) {
		for (ssize_t i = 0; i < count; i++)
			sink->is_wrong |=
			    piece[i] != (char)('a' + sink->len++ % 23);
	}
	return sink->len >= sink->wanted;
}

Test(conn, carries_bulk_through_a_slow_reader)
{
	for (int is_tcp = 0; is_tcp <= 1; is_tcp++) {
		struct ends ends;
		struct source source = {.left = 5 * 1000 * 1000};
		open_ends(&ends, is_tcp);
		struct sink sink = {.fd = ends.other, .wanted = source.left};
		ends.probe.then = pour;
		ends.probe.then_ctx = &source;
		pour(ends.probe.conn, CONN_OPENED, &source);
		loop_until(ends.loop, has_swallowed, &sink);
		cr_expect_eq(sink.len, sink.wanted);
		cr_expect_not(sink.is_wrong);
		cr_expect_not(source.is_drained_too_late);
		cr_expect_gt(ends.probe.counts[CONN_DRAINED], 0);
		close_ends(&ends);
	}
}

Test(conn, tells_when_output_that_waited_is_written)
{
	struct ends ends;
	struct sink sink = {.wanted = 0};
	int size = 4096;

	open_ends(&ends, false);
	setsockopt(conn_fd(ends.probe.conn), SOL_SOCKET, SO_SNDBUF, &size,
	    sizeof(size));
	sink.fd = ends.other;
	for (int i = 0; i < 50000; i++)
		buffer_append_char(
		    conn_output(ends.probe.conn), (char)('a' + i % 23));
	conn_flush(ends.probe.conn);
	cr_assert_gt(conn_output(ends.probe.conn)->len, 0);
	sink.wanted = 50000;
	loop_until(ends.loop, has_swallowed, &sink);
	conn_probe_until(&ends.probe, CONN_DRAINED, 1);
	cr_expect_eq(conn_output(ends.probe.conn)->len, 0);
	cr_expect_not(sink.is_wrong);
	close_ends(&ends);
}

Test(conn, says_when_its_deadline_has_passed)
{
	struct ends ends;
	int64_t start = clock_now().mono_ms;

	open_ends(&ends, false);
	conn_set_deadline(ends.probe.conn, start + 2);
	conn_set_deadline(ends.probe.conn, start + 25);
	conn_probe_until(&ends.probe, CONN_TIMEOUT, 1);
	cr_expect_geq(clock_now().mono_ms, start + 25);
	conn_set_deadline(ends.probe.conn, start + 26);
	conn_probe_until(&ends.probe, CONN_TIMEOUT, 2);
	conn_set_deadline(ends.probe.conn, start + 27);
	conn_set_deadline(ends.probe.conn, CLOCK_NEVER);
	loop_until_quiet(ends.loop);
	loop_until_quiet(ends.loop);
	cr_expect_eq(ends.probe.counts[CONN_TIMEOUT], 2);
	close_ends(&ends);
}

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
		struct ends ends;
		open_ends(&ends, true);
		ends.probe.close_at = (int)events[i];
		say(&ends, "x");
		if (events[i] == CONN_TIMEOUT) {
			conn_set_deadline(ends.probe.conn, 0);
		} else if (events[i] == CONN_DRAINED) {
			for (int octet = 0; octet <= CONN_OUTPUT_LOW; octet++)
				buffer_append_char(
				    conn_output(ends.probe.conn), 'x');
			conn_flush(ends.probe.conn);
		} else if (events[i] == CONN_FAILED) {
			reset_other(&ends);
		} else {
			close_other(&ends);
		}
		loop_until(ends.loop, is_closed, &ends.probe);
		loop_until_quiet(ends.loop);
		cr_expect_eq(ends.probe.last, events[i]);
		close_ends(&ends);
	}
}

Test(conn, closes_at_once_for_the_peer)
{
	struct ends ends;
	char c;

	open_ends(&ends, true);
	conn_close(ends.probe.conn);
	ends.probe.conn = NULL;
	cr_expect_eq(read(ends.other, &c, 1), 0); /* no turn needed */
	close_ends(&ends);
	conn_close(NULL);
}

static void
drain_other(struct ends *ends, size_t *out_len, ssize_t *out_end)
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
	struct ends *ends;
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
	struct ends ends;
	struct last_reply reply = {.ends = &ends};

	open_ends(&ends, true);
	for (int i = 0; i < LEN; i++)
		buffer_append_char(conn_output(ends.probe.conn), 'x');
	conn_finish(ends.probe.conn);
	ends.probe.conn = NULL; /* the probe asserts when told */
	loop_until(ends.loop, has_ended, &reply);
	cr_expect_eq(reply.len, LEN);
	cr_expect_eq(reply.end, 0);
	close_ends(&ends);
}

static bool
is_descriptor_closed(void *ctx)
{
	int *fd = ctx;

	return fcntl(*fd, F_GETFD) < 0;
}

Test(conn, finishes_without_a_reset_where_input_is_unread)
{
	struct ends ends;
	struct last_reply reply = {.ends = &ends};

	open_ends(&ends, true);
	int fd = conn_fd(ends.probe.conn);
	conn_pause(ends.probe.conn, CONN_PAUSE_ANSWER);
	say(&ends, "EHLO a\r\nMAIL FROM:<a@b>\r\n");
	buffer_append_text(conn_output(ends.probe.conn), "421 no\r\n");
	conn_finish(ends.probe.conn);
	ends.probe.conn = NULL;
	loop_until(ends.loop, has_ended, &reply);
	cr_expect_eq(reply.len, strlen("421 no\r\n"));
	cr_expect_eq(reply.end, 0);
	close_other(&ends);
	loop_until(ends.loop, is_descriptor_closed, &fd); /* lingers no more */
	close_ends(&ends);
}

Test(conn, finishes_a_dead_one)
{
	struct ends ends;

	open_ends(&ends, false);
	close_other(&ends);
	conn_probe_send(&ends.probe, "250 ok\r\n"); /* fails, not told yet */
	conn_finish(ends.probe.conn);
	ends.probe.conn = NULL;
	loop_until_quiet(ends.loop);
	close_ends(&ends);
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
	struct ends ends;
	struct sockaddr_storage address;
	socklen_t len;
	int listening = tcp_listen(&address, &len);

	open_ends(&ends, true); /* for its loop */
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
	close_ends(&ends);
	close(listening);
}

Test(conn, knows_who_is_at_the_other_end_of_a_unix_socket)
{
	struct ends ends;

	open_ends(&ends, false);
	const struct peer *peer = conn_peer(ends.probe.conn);
	cr_expect(peer->local);
	cr_expect(peer->loopback);
	cr_expect_eq(peer->uid, geteuid());
	cr_expect_eq(peer->gid, getegid());
	cr_expect_eq(peer->pid, getpid());
	cr_expect_str_eq(peer->address, "local");
	close_ends(&ends);
}

/* Send one octet, and with it two descriptors. */
static void
pass_descriptors(int fd, int passed)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} control = {.room = {0}};
	char octet = 'x';
	struct iovec piece = {&octet, 1};
	struct msghdr message = {
	    .msg_iov = &piece,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control.room),
	};
	int both[2] = {passed, passed};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(both));
	memcpy(CMSG_DATA(&control.header), both, sizeof(both));
	cr_assert_eq(sendmsg(fd, &message, 0), 1);
}

/* Threats: B14. */
Test(conn, never_receives_descriptors)
{
	enum {
		TRIES = 10000
	};
	struct ends ends;

	open_ends(&ends, false);
	int before = open_descriptors();
	for (size_t i = 1; i <= TRIES; i++) {
		pass_descriptors(ends.other, STDIN_FILENO);
		if (i % 50 == 0)
			conn_probe_until_read(&ends.probe, i);
	}
	cr_expect_eq(open_descriptors(), before);
	close_ends(&ends);
}

Test(conn, can_change_who_is_told)
{
	struct ends ends;
	struct conn_probe other;

	open_ends(&ends, false);
	conn_probe_init(&other, ends.loop);
	other.conn = ends.probe.conn;
	conn_set_fn(ends.probe.conn, conn_probe_told, &other);
	say(&ends, "x");
	conn_probe_until_read(&other, 1);
	cr_expect_eq(ends.probe.counts[CONN_READABLE], 0);
	buffer_clear(&other.read);
	close_ends(&ends);
}

/* Threats: B12. */
Test(conn, survives_peers_that_reset_after_each_command)
{
	struct ends ends;

	open_ends(&ends, true);
	for (int i = 0; i < 500; i++) {
		struct conn_probe probe;
		int fds[2];
		tcp_pair(&fds[0], &fds[1]);
		conn_probe_init(&probe, ends.loop);
		conn_probe_accept(&probe, fds[0]);
		struct linger at_once = {.l_onoff = 1, .l_linger = 0};
		setsockopt(
		    fds[1], SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		cr_assert_eq(write(fds[1], "NOOP\r\n", 6), 6);
		if (i % 3 == 0)
			conn_probe_until_read(&probe, 6);
		close(fds[1]);
		conn_probe_send(&probe, "250 ok\r\n");
		if (i % 2 == 0)
			conn_probe_until(&probe, CONN_FAILED, 1);
		conn_probe_clear(&probe);
	}
	close_ends(&ends);
}
