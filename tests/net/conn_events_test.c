#include "lib/conn_probe.h"
#include "lib/loop_until.h"
#include "net/conn_events.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

Test(conn_events, carries_bytes_both_ways)
{
	for (int is_tcp = 0; is_tcp <= 1; is_tcp++) {
		struct conn_ends ends;
		conn_ends_init(&ends, is_tcp);
		conn_ends_say(&ends, "EHLO a\r\n");
		conn_probe_until_read(&ends.probe, 8);
		conn_probe_expect_read(&ends.probe, "EHLO a\r\n");
		conn_probe_send(&ends.probe, "250 ok\r\n");
		cr_expect_eq(conn_output(ends.probe.conn)->len, 0,
		    "conn_flush() writes at once");
		conn_ends_expect_heard(&ends, "250 ok\r\n");
		cr_expect_null(conn_tls(ends.probe.conn));
		conn_ends_clear(&ends);
	}
}

Test(conn_events, takes_a_large_delivery_at_once)
{
	struct conn_ends ends;
	char text[30000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	conn_ends_init(&ends, false);
	conn_ends_say(&ends, text);
	conn_probe_until(&ends.probe, CONN_READABLE, 1);
	conn_probe_expect_read(&ends.probe, text);
	cr_expect_eq(ends.probe.counts[CONN_READABLE], 1);
	conn_ends_clear(&ends);
}

Test(conn_events, tells_the_end_once_and_writes_on)
{
	for (int is_tcp = 0; is_tcp <= 1; is_tcp++) {
		struct conn_ends ends;
		conn_ends_init(&ends, is_tcp);
		ends.probe.keeps_input = true;
		conn_ends_say(&ends, "QUIT");
		shutdown(ends.other, SHUT_WR);
		conn_probe_until(&ends.probe, CONN_EOF, 1);
		loop_until_quiet(ends.loop);
		cr_expect_eq(ends.probe.counts[CONN_EOF], 1);
		cr_expect(bytes_is(
		    buffer_bytes(conn_input(ends.probe.conn)), "QUIT"));
		conn_probe_send(&ends.probe, "221 bye");
		conn_ends_expect_heard(&ends, "221 bye");
		conn_ends_clear(&ends);
	}
}

Test(conn_events, tells_of_a_reset)
{
	struct conn_ends ends;

	conn_ends_init(&ends, true);
	conn_ends_say(&ends, "250 ok\r\n");
	conn_ends_reset_other(&ends);
	conn_probe_until(&ends.probe, CONN_FAILED, 1);
	conn_probe_expect_read(
	    &ends.probe, "250 ok\r\n"); /* what came before counts */
	cr_expect_eq(ends.probe.error.kind, ERROR_CLOSED);
	cr_expect_eq(ends.probe.error.number, ECONNRESET);
	cr_expect_str_eq(
	    ends.probe.error.text, "read: Connection reset by peer");
	conn_ends_clear(&ends);
}

Test(conn_events, reads_the_last_words_before_it_fails_to_write)
{
	struct conn_ends ends;

	conn_ends_init(&ends, false);
	conn_ends_say(&ends, "421 too busy\r\n");
	conn_ends_close_other(&ends);
	conn_probe_send(
	    &ends.probe, "MAIL FROM:<a@b>\r\n"); /* and no SIGPIPE */
	cr_expect_eq(ends.probe.counts[CONN_FAILED], 0, "not within the call");
	conn_probe_until(&ends.probe, CONN_FAILED, 1);
	conn_probe_expect_read(&ends.probe, "421 too busy\r\n");
	cr_expect_eq(ends.probe.counts[CONN_READABLE], 1);
	cr_expect_eq(ends.probe.error.kind, ERROR_CLOSED);
	cr_expect_eq(ends.probe.error.number, EPIPE);
	conn_flush(ends.probe.conn); /* harmless on a failed one */
	loop_until_quiet(ends.loop);
	cr_expect_eq(ends.probe.counts[CONN_FAILED], 1);
	conn_ends_clear(&ends);
}

Test(conn_events, stops_reading_at_the_input_limit)
{
	enum {
		LEN = 200000
	};
	static char text[LEN + 1];
	struct conn_ends ends;

	memset(text, 'y', LEN);
	conn_ends_init(&ends, false);
	int size = LEN * 2;
	setsockopt(ends.other, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	ends.probe.keeps_input = true;
	conn_ends_say(&ends, text);
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
	conn_probe_expect_read(&ends.probe, text);
	conn_ends_clear(&ends);
}

Test(conn_events, pauses_for_two_reasons_without_their_fighting)
{
	struct conn_ends ends;

	conn_ends_init(&ends, false);
	conn_pause(ends.probe.conn, CONN_PAUSE_ANSWER);
	conn_pause(ends.probe.conn, CONN_PAUSE_PRESSURE);
	conn_ends_say(&ends, "x");
	loop_until_quiet(ends.loop);
	conn_resume(ends.probe.conn, CONN_PAUSE_ANSWER);
	loop_until_quiet(ends.loop);
	cr_expect_eq(ends.probe.counts[CONN_READABLE], 0);
	conn_resume(ends.probe.conn, CONN_PAUSE_PRESSURE);
	conn_probe_until_read(&ends.probe, 1);

	conn_pause(ends.probe.conn, CONN_PAUSE_ANSWER);
	conn_resume(ends.probe.conn, CONN_PAUSE_ANSWER); /* nothing came */
	conn_pause(ends.probe.conn, CONN_PAUSE_ANSWER);
	conn_ends_close_other(&ends);
	loop_until_quiet(ends.loop);
	cr_expect_eq(ends.probe.counts[CONN_EOF], 0);
	conn_resume(ends.probe.conn, CONN_PAUSE_ANSWER);
	conn_probe_until(&ends.probe, CONN_EOF, 1);
	conn_ends_clear(&ends);
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

Test(conn_events, carries_bulk_through_a_slow_reader)
{
	for (int is_tcp = 0; is_tcp <= 1; is_tcp++) {
		struct conn_ends ends;
		struct source source = {.left = 5 * 1000 * 1000};
		conn_ends_init(&ends, is_tcp);
		struct sink sink = {.fd = ends.other, .wanted = source.left};
		ends.probe.then = pour;
		ends.probe.then_ctx = &source;
		pour(ends.probe.conn, CONN_OPENED, &source);
		loop_until(ends.loop, has_swallowed, &sink);
		cr_expect_eq(sink.len, sink.wanted);
		cr_expect_not(sink.is_wrong);
		cr_expect_not(source.is_drained_too_late);
		cr_expect_gt(ends.probe.counts[CONN_DRAINED], 0);
		conn_ends_clear(&ends);
	}
}

Test(conn_events, tells_when_output_that_waited_is_written)
{
	struct conn_ends ends;
	struct sink sink = {.wanted = 0};
	int size = 4096;

	conn_ends_init(&ends, false);
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
	conn_ends_clear(&ends);
}

Test(conn_events, says_when_its_deadline_has_passed)
{
	struct conn_ends ends;
	int64_t start = clock_now().mono_ms;

	conn_ends_init(&ends, false);
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
	conn_ends_clear(&ends);
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
Test(conn_events, never_receives_descriptors)
{
	enum {
		TRIES = 10000
	};
	struct conn_ends ends;

	conn_ends_init(&ends, false);
	int before = open_descriptors();
	for (size_t i = 1; i <= TRIES; i++) {
		pass_descriptors(ends.other, STDIN_FILENO);
		if (i % 50 == 0)
			conn_probe_until_read(&ends.probe, i);
	}
	cr_expect_eq(open_descriptors(), before);
	conn_ends_clear(&ends);
}

/* Threats: B12. */
Test(conn_events, survives_peers_that_reset_after_each_command)
{
	struct conn_ends ends;

	conn_ends_init(&ends, true);
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
	conn_ends_clear(&ends);
}
