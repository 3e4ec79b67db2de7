#include "lib/loop_until.h"
#include "lib/tls_scene.h"
#include "net/tls_stream.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* ---- peers that are no TLS servers ---- */

struct raw_row {
	const char *name;
	const char *says; /* then it closes */
	size_t len;
	bool resets;
	const char *error;
};

static char garbage[4096];

Test(tls_stream, says_why_a_handshake_failed)
{
	static const struct raw_row rows[] = {
	    {"cut", "", 0, false,
		"TLS handshake: the peer closed the connection"},
	    {"cut within a record", "\x16\x03\x03\x00\x7a\x02", 6, false,
		"TLS handshake: the peer closed the connection"},
	    {"reset", "", 0, true, "TLS handshake: Connection reset by peer"},
	    {"plain SMTP", "220 mail.example ESMTP\r\n", 24, false,
		"TLS handshake: the peer does not speak TLS here"},
	    {"garbage", garbage, sizeof(garbage), false,
		"TLS handshake: the peer does not speak TLS here"},
	    {"alert", "\x15\x03\x03\x00\x02\x02\x28", 7, false,
		"TLS handshake: the peer finds nothing in common, or wants a "
		"certificate of ours"},
	};
	struct tls_scene scene;

	memset(garbage, 0xa5, sizeof(garbage));
	tls_scene_good(&scene);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct conn_probe probe;
		struct linger at_once = {.l_onoff = 1};
		char hello[4096];
		int fds[2];
		conn_probe_init(&probe, scene.loop);
		tcp_pair(&fds[0], &fds[1]);
		conn_probe_accept(&probe, fds[0]);
		cr_assert(conn_start_tls(
		    probe.conn, scene.client, "mail.example", &scene.error));
		loop_until_quiet(scene.loop);
		cr_assert_gt(read(fds[1], hello, sizeof(hello)), 0);
		cr_assert_eq(write(fds[1], rows[i].says, rows[i].len),
		    (ssize_t)rows[i].len);
		if (rows[i].resets)
			setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &at_once,
			    sizeof(at_once));
		close(fds[1]);
		conn_probe_until(&probe, CONN_FAILED, 1);
		cr_expect_eq(probe.error.kind, ERROR_TLS, "%s", rows[i].name);
		cr_expect_str_eq(
		    probe.error.text, rows[i].error, "%s", rows[i].name);
		conn_probe_clear(&probe);
	}
	tls_scene_clear(&scene);
}

Test(tls_stream, gives_up_a_silent_handshake_at_the_deadline)
{
	struct tls_scene scene;
	struct conn_probe probe;
	int fds[2];

	tls_scene_good(&scene);
	conn_probe_init(&probe, scene.loop);
	tcp_pair(&fds[0], &fds[1]);
	conn_probe_accept(&probe, fds[0]);
	cr_assert(conn_start_tls(
	    probe.conn, scene.client, "mail.example", &scene.error));
	conn_set_deadline(probe.conn, clock_now().mono_ms + 5);
	conn_probe_until(&probe, CONN_TIMEOUT, 1);
	conn_probe_clear(&probe);
	close(fds[1]);
	tls_scene_clear(&scene);
}

/* Threats: B1, I2. */
Test(tls_stream, does_not_begin_over_plaintext)
{
	struct tls_scene scene;
	struct tls_talk talk;

	tls_scene_good(&scene);
	tls_talk_init(&talk, &scene);
	talk.client.keeps_input = true;
	conn_probe_send(&talk.server, "220 go\r\n250-evil\r\n");
	conn_probe_until(&talk.client, CONN_READABLE, 1);
	buffer_consume(conn_input(talk.client.conn), strlen("220 go\r\n"));
	cr_expect_not(conn_start_tls(
	    talk.client.conn, scene.client, "mail.example", &scene.error));
	cr_expect_str_eq(
	    scene.error.text, "unread plaintext before TLS begins");

	buffer_append_text(conn_output(talk.server.conn), "more");
	cr_expect_not(
	    conn_start_tls(talk.server.conn, scene.server, NULL, &scene.error));
	cr_expect_str_eq(
	    scene.error.text, "unwritten plaintext before TLS begins");
	tls_talk_clear(&talk);
	tls_scene_clear(&scene);
}

/* What the attacker sent in another segment is no record of TLS. */
Test(tls_stream, fails_where_plaintext_comes_late)
{
	struct tls_scene scene;
	struct tls_talk talk;

	tls_scene_good(&scene);
	tls_talk_init(&talk, &scene);
	cr_assert(
	    conn_start_tls(talk.server.conn, scene.server, NULL, &scene.error));
	conn_probe_send(&talk.client, "MAIL FROM:<evil@example>\r\n");
	conn_probe_until(&talk.server, CONN_FAILED, 1);
	cr_expect_eq(talk.server.error.kind, ERROR_TLS);
	cr_expect_eq(talk.server.counts[CONN_READABLE], 0);
	tls_talk_clear(&talk);
	tls_scene_clear(&scene);
}

/* ---- bytes ---- */

static void
append_pattern(struct buffer *buffer, size_t *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buffer_append_char(buffer, (char)('a' + (*at)++ % 23));
}

static bool
is_pattern(const struct buffer *buffer)
{
	struct bytes bytes = buffer_bytes(buffer);

	for (size_t i = 0; i < bytes.len; i++) {
		if (bytes.data[i] != (char)('a' + i % 23))
			return false;
	}
	return true;
}

struct source {
	size_t at;
	size_t len;
};

static void
pour(struct conn *conn, enum conn_event event, void *ctx)
{
	struct source *source = ctx;
	struct buffer *output = conn_output(conn);
	(void)event;

	while (source->at < source->len && output->len < CONN_OUTPUT_HIGH) {
		size_t left = source->len - source->at;
		append_pattern(output, &source->at, left < 997 ? left : 997);
	}
	conn_flush(conn);
}

Test(tls_stream, carries_bulk_both_ways_at_once)
{
	enum {
		LEN = 3000000
	};
	struct tls_scene scene;
	struct tls_talk talk;
	struct source to_client = {.len = LEN};
	struct source to_server = {.len = LEN};

	tls_scene_good(&scene);
	tls_talk_init(&talk, &scene);
	talk.client.then = pour;
	talk.client.then_ctx = &to_server;
	talk.server.then = pour;
	talk.server.then_ctx = &to_client;
	tls_talk_shake(&talk, "mail.example");
	conn_probe_until_read(&talk.client, LEN);
	conn_probe_until_read(&talk.server, LEN);
	cr_expect(is_pattern(&talk.client.read));
	cr_expect(is_pattern(&talk.server.read));
	cr_expect_eq(talk.client.read.len, LEN);
	cr_expect_eq(talk.server.read.len, LEN);
	tls_talk_clear(&talk);
	tls_scene_clear(&scene);
}

Test(tls_stream, reads_on_after_pauses_and_full_buffers)
{
	enum {
		LEN = 1000000
	};
	struct tls_scene scene;
	struct tls_talk talk;
	struct source to_client = {.len = LEN};

	tls_scene_good(&scene);
	tls_talk_init(&talk, &scene);
	talk.client.keeps_input = true;
	talk.server.then = pour;
	talk.server.then_ctx = &to_client;
	tls_talk_shake(&talk, "mail.example");
	for (int i = 0; talk.client.read.len < LEN; i++) {
		if (i % 2 == 0)
			conn_pause(talk.client.conn, CONN_PAUSE_ANSWER);
		loop_until_quiet(scene.loop);
		cr_assert_leq(conn_input(talk.client.conn)->len,
		    (size_t)CONN_INPUT_LIMIT);
		conn_probe_take(&talk.client);
		if (i % 2 == 0)
			conn_resume(talk.client.conn, CONN_PAUSE_ANSWER);
		else
			conn_read_on(talk.client.conn);
		cr_assert_lt(i, 100000);
	}
	cr_expect(is_pattern(&talk.client.read));
	tls_talk_clear(&talk);
	tls_scene_clear(&scene);
}

Test(tls_stream, sends_what_was_flushed_during_the_handshake)
{
	struct tls_scene scene;
	struct tls_talk talk;

	tls_scene_good(&scene);
	tls_talk_init(&talk, &scene);
	tls_talk_start(&talk, "mail.example");
	conn_probe_send(&talk.client, "EHLO a\r\n");
	conn_probe_until_read(&talk.server, 8);
	cr_expect(bytes_is(buffer_bytes(&talk.server.read), "EHLO a\r\n"));
	tls_talk_clear(&talk);
	tls_scene_clear(&scene);
}

Test(tls_stream, may_be_closed_when_secured)
{
	struct tls_scene scene;
	struct tls_talk talk;

	tls_scene_good(&scene);
	tls_talk_init(&talk, &scene);
	talk.client.close_at = CONN_SECURED;
	tls_talk_start(&talk, "mail.example");
	conn_probe_until(&talk.server, CONN_EOF, 1); /* close_notify */
	cr_expect_eq(talk.server.counts[CONN_FAILED], 0);
	tls_talk_clear(&talk);
	tls_scene_clear(&scene);
}

Test(tls_stream, finishes_with_the_last_reply)
{
	struct tls_scene scene;
	struct tls_talk talk;

	tls_scene_good(&scene);
	tls_talk_init(&talk, &scene);
	tls_talk_shake(&talk, "mail.example");
	conn_probe_until(&talk.server, CONN_SECURED, 1);
	buffer_append_text(conn_output(talk.server.conn), "221 bye\r\n");
	conn_finish(talk.server.conn);
	talk.server.conn = NULL;
	conn_probe_until(&talk.client, CONN_EOF, 1);
	cr_expect(bytes_is(buffer_bytes(&talk.client.read), "221 bye\r\n"));
	cr_expect_eq(talk.client.counts[CONN_FAILED], 0);
	tls_talk_clear(&talk);
	loop_until_quiet(scene.loop);
	tls_scene_clear(&scene);
}

/* ---- threats: I13 ---- */

Test(tls_stream, counts_what_came_before_a_cut)
{
	static const char *const replies[] = {"250 ok\r\n", ""};
	struct tls_scene scene;

	tls_scene_good(&scene);
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		struct tls_talk talk;
		tls_talk_init(&talk, &scene);
		tls_talk_shake(&talk, "mail.example");
		conn_probe_until(&talk.server, CONN_SECURED, 1);
		conn_probe_send(&talk.server, replies[i]);
		/* a FIN, but no close_notify */
		shutdown(conn_fd(talk.server.conn), SHUT_WR);
		conn_probe_until(&talk.client, CONN_EOF, 1);
		cr_expect(
		    bytes_is(buffer_bytes(&talk.client.read), replies[i]));
		cr_expect_eq(talk.client.counts[CONN_FAILED], 0);
		tls_talk_clear(&talk);
	}
	tls_scene_clear(&scene);
}

Test(tls_stream, reads_the_last_words_before_it_fails_to_write)
{
	struct tls_scene scene;
	struct tls_talk talk;
	struct linger at_once = {.l_onoff = 1};

	tls_scene_good(&scene);
	tls_talk_init(&talk, &scene);
	tls_talk_shake(&talk, "mail.example");
	conn_probe_until(&talk.server, CONN_SECURED, 1);
	loop_until_quiet(scene.loop);
	conn_probe_send(&talk.server, "421 too busy\r\n");
	setsockopt(conn_fd(talk.server.conn), SOL_SOCKET, SO_LINGER, &at_once,
	    sizeof(at_once));
	conn_close(talk.server.conn);
	talk.server.conn = NULL;
	conn_probe_send(&talk.client, "MAIL FROM:<a@b>\r\n");
	conn_probe_until(&talk.client, CONN_FAILED, 1);
	cr_expect(
	    bytes_is(buffer_bytes(&talk.client.read), "421 too busy\r\n"));
	cr_expect_eq(talk.client.error.kind, ERROR_CLOSED);
	tls_talk_clear(&talk);
	tls_scene_clear(&scene);
}

/* ---- threats: G7 ---- */

static void
pad_records(SSL_CTX *ssl_ctx)
{
	SSL_CTX_set_block_padding(ssl_ctx, SSL3_RT_MAX_PLAIN_LENGTH);
}

static void
drip(struct conn *conn, enum conn_event event, void *ctx)
{
	int *left = ctx;
	(void)event;

	for (; *left > 0 && conn_output(conn)->len == 0; (*left)--) {
		buffer_append_text(conn_output(conn), "x");
		conn_flush(conn);
	}
}

Test(tls_stream, ends_with_a_peer_that_sends_large_records_of_one_octet)
{
	struct tls_scene scene;
	struct tls_talk talk;
	int left = 100;

	tls_scene_good(&scene);
	tls_scene_server_of(&scene,
	    tls_authority_issue_for(scene.authority, "DNS:mail.example"),
	    pad_records);
	tls_talk_init(&talk, &scene);
	talk.server.then = drip;
	talk.server.then_ctx = &left;
	tls_talk_shake(&talk, "mail.example");
	conn_probe_until(&talk.client, CONN_FAILED, 1);
	cr_expect_str_eq(talk.client.error.text,
	    "TLS: the peer sends too much that is no data");
	cr_expect_lt(talk.client.read.len, 30);
	tls_talk_clear(&talk);
	tls_scene_clear(&scene);
}

struct flooder {
	int fd;
	SSL_CTX *ssl_ctx;
	long updates;
};

/* A server by itself: OpenSSL's own calls, on a blocking socket. */
static void *
flood_key_updates(void *ctx)
{
	struct flooder *flooder = ctx;
	SSL *ssl = SSL_new(flooder->ssl_ctx);

	SSL_set_fd(ssl, flooder->fd);
	if (SSL_accept(ssl) == 1) {
		while (flooder->updates < 200000) {
			SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
			if (SSL_do_handshake(ssl) != 1)
				break;
			flooder->updates++;
		}
	}
	SSL_free(ssl);
	close(flooder->fd);
	return NULL;
}

Test(tls_stream, ends_with_a_peer_that_floods_it_with_key_updates)
{
	struct tls_scene scene;
	struct conn_probe probe;
	struct flooder flooder = {.updates = 0};
	pthread_t thread;
	int fds[2];

	signal(SIGPIPE, SIG_IGN); /* of SSL_set_fd(), in the flooder */
	tls_scene_good(&scene);
	const char *path =
	    tls_authority_issue_for(scene.authority, "DNS:mail.example");
	flooder.ssl_ctx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_use_certificate_chain_file(flooder.ssl_ctx, path);
	SSL_CTX_use_PrivateKey_file(flooder.ssl_ctx, path, SSL_FILETYPE_PEM);
	conn_probe_init(&probe, scene.loop);
	tcp_pair(&fds[0], &fds[1]);
	flooder.fd = fds[1];
	pthread_create(&thread, NULL, flood_key_updates, &flooder);
	conn_probe_accept(&probe, fds[0]);
	cr_assert(conn_start_tls(
	    probe.conn, scene.client, "mail.example", &scene.error));
	conn_probe_until(&probe, CONN_FAILED, 1);
	cr_expect_str_eq(
	    probe.error.text, "TLS: the peer sends too much that is no data");
	conn_probe_clear(&probe);
	pthread_join(thread, NULL);
	cr_expect_lt(flooder.updates, 200000);
	SSL_CTX_free(flooder.ssl_ctx);
	tls_scene_clear(&scene);
}

/* ---- channel binding ---- */

static void
expect_bindings_equal(struct tls_talk *talk, const char *expected_type)
{
	char ours[64];
	char theirs[64];
	const char *type = "";

	conn_probe_until(&talk->server, CONN_SECURED, 1);
	size_t len =
	    conn_channel_binding(talk->client.conn, ours, sizeof(ours), &type);
	cr_expect_str_eq(type, expected_type);
	cr_expect_gt(len, 0);
	cr_expect_eq(conn_channel_binding(
			 talk->server.conn, theirs, sizeof(theirs), &type),
	    len);
	cr_expect_arr_eq(ours, theirs, len);
	cr_expect_eq(
	    conn_channel_binding(talk->client.conn, ours, 4, &type), 0);
}

Test(tls_stream, binds_the_channel_alike_at_both_ends)
{
	static const struct {
		void (*configure)(SSL_CTX *);
		const char *type;
	} rows[] = {
	    {NULL, "tls-exporter"}, {tls_scene_only_tls12, "tls-unique"}};
	struct tls_scene scene;
	struct tls_summary ignored;

	tls_scene_good(&scene);
	const char *path =
	    tls_authority_issue_for(scene.authority, "DNS:mail.example");
	for (size_t i = 0; i < 2; i++) {
		tls_scene_client(&scene, TLS_VERIFY_FULL, 12);
		tls_scene_server_of(&scene, path, rows[i].configure);
		for (int is_resumed = 0; is_resumed <= 1; is_resumed++) {
			struct tls_talk talk;
			tls_talk_init(&talk, &scene);
			tls_talk_shake(&talk, "mail.example");
			cr_expect_eq(conn_tls(talk.client.conn)->resumed,
			    (bool)is_resumed);
			expect_bindings_equal(&talk, rows[i].type);
			tls_talk_clear(&talk);
			if (!is_resumed)
				tls_talk_once(&scene, "mail.example", &ignored);
		}
	}
	tls_scene_clear(&scene);
}
