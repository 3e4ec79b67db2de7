/* Sessions over real sockets, with a fake door behind them. */
#include "base/log.h"
#include "base/memory.h"
#include "intake/smtp_intake.h"
#include "lib/conn_probe.h"
#include "lib/intake_scene.h"
#include "lib/loop_until.h"
#include "lib/tls_authority.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct intake_scene scene;
static struct intake_client client;
static struct buffer log_lines;

static void
begin(void)
{
	buffer_init(&log_lines, 1 << 20);
	log_open(LOG_SINK_CAPTURE, LOG_LEVEL_DEBUG, "test", &log_lines);
	intake_scene_init(&scene);
	client = (struct intake_client){.fd = -1};
}

static void
end(void)
{
	intake_client_clear(&client);
	intake_scene_clear(&scene);
	buffer_clear(&log_lines);
}

TestSuite(smtp_intake, .init = begin, .fini = end);

static void
open_client(void)
{
	intake_client_init(&client, &scene);
}

static void
say(const char *text)
{
	intake_client_say(&client, text);
}

static void
expect_codes(const char *expected)
{
	const char *codes = intake_client_codes(&client);
	cr_expect_str_eq(codes, expected, "%s, not %s", codes, expected);
}

/* Say text, and hear exactly these codes before the session ends. */
static void
expect_session(const char *text, const char *codes)
{
	open_client();
	say(text);
	intake_client_until_ended(&client);
	expect_codes(codes);
}

static const struct message *
message(size_t index)
{
	cr_assert_lt(index, scene.fake.count);
	return scene.fake.letters[index].message;
}

static bool
told(const char *text)
{
	struct bytes all = buffer_bytes(&client.told);
	return bytes_search(all, bytes_of(text)) < all.len;
}

static bool
logged(const char *text)
{
	struct bytes lines = buffer_bytes(&log_lines);
	return bytes_search(lines, bytes_of(text)) < lines.len;
}

#define ENVELOPE "EHLO c\r\nMAIL FROM:<a>\r\nRCPT TO:<b@x.example>\r\n"
#define CHUNK    "BDAT 9 LAST\r\nS: s\r\n\r\nx"

/* ---- accepted ---- */

Test(smtp_intake, accepts_a_message_and_says_so_once_it_is_durable)
{
	scene.fake.later = true;
	open_client();
	say(ENVELOPE "DATA\r\n");
	intake_client_until(&client, "354 ");
	say("Subject: s\r\n\r\nbody\r\n.\r\nQUIT\r\n");
	intake_client_settle(&client);
	expect_codes("220 250 250 250 354");
	cr_assert_eq(scene.fake.count, 1);
	fake_door_answer(&scene.fake, DOOR_TAKEN);
	intake_client_until_ended(&client);
	cr_expect(told("250 2.0.0 accepted as 00000000001\r\n"));
	expect_codes("250 221");
	const struct envelope *envelope = &message(0)->envelope;
	cr_expect_str_eq(envelope->sender, "a@example.org");
	cr_expect_str_eq(envelope->recipients[0].address, "b@x.example");
	cr_expect_eq(envelope->origin, ORIGIN_SOCKET);
	cr_expect_eq(envelope->uid, getuid());
	cr_expect_gt(envelope->arrived_at, 0);
	cr_expect_eq(message(0)->id, 1);
	cr_expect_eq(message(0)->progress.recipient_count, 1);
}

Test(smtp_intake, takes_everything_in_one_write)
{
	expect_session(ENVELOPE CHUNK "QUIT\r\n", "220 250 250 250 250 221");
	cr_expect_eq(scene.fake.count, 1);
}

Test(smtp_intake, takes_message_after_message)
{
	expect_session(ENVELOPE CHUNK
	    "MAIL FROM:<c>\r\nRCPT TO:<d@y.example>\r\n" CHUNK "RSET\r\n"
	    "MAIL FROM:<e>\r\nRCPT TO:<f@z.example>\r\n" CHUNK "QUIT\r\n",
	    "220 250 250 250 250 250 250 250 250 250 250 250 221");
	cr_assert_eq(scene.fake.count, 3);
	cr_expect_str_eq(message(2)->envelope.sender, "e@example.org");
}

Test(smtp_intake, keeps_what_mail_and_rcpt_declare)
{
	expect_session(
	    "EHLO c\r\n"
	    "MAIL FROM:<a@y.example> BODY=8BITMIME SMTPUTF8 RET=HDRS "
	    "ENVID=e1 SIZE=9\r\n"
	    "RCPT TO:<b@x.example> NOTIFY=DELAY "
	    "ORCPT=rfc822;b@x.example\r\n" CHUNK "QUIT\r\n",
	    "220 250 250 250 250 221");
	const struct envelope *envelope = &message(0)->envelope;
	cr_expect_eq(envelope->body, MAIL_BODY_8BITMIME);
	cr_expect(envelope->utf8);
	cr_expect_eq(envelope->ret, MAIL_RETURN_HEADERS);
	cr_expect_str_eq(envelope->id, "e1");
	cr_expect_eq(envelope->recipients[0].notify, NOTIFY_DELAY);
	cr_expect_str_eq(
	    envelope->recipients[0].original, "rfc822;b@x.example");
	cr_expect_eq(scene.fake.asked_size, 9);
}

Test(smtp_intake, sends_roots_mail_once_where_it_is_wanted)
{
	expect_session(
	    "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<root>\r\n"
	    "RCPT TO:<postmaster@mail.example>\r\n"
	    "RCPT TO:<Root@example.org>\r\nRCPT TO:<root@localhost>\r\n"
	    "RCPT TO:<root@y.example>\r\n" CHUNK "QUIT\r\n",
	    "220 250 250 250 250 250 250 250 250 221");
	const struct envelope *envelope = &message(0)->envelope;
	cr_expect_str_eq(envelope->sender, "");
	cr_assert_eq(envelope->recipient_count, 2);
	cr_expect_str_eq(envelope->recipients[0].address, "admin@example.net");
	cr_expect_str_eq(envelope->recipients[1].address, "root@y.example");
}

Test(smtp_intake, forgets_an_abandoned_transaction)
{
	open_client();
	say(ENVELOPE "RSET\r\n" ENVELOPE ENVELOPE "BDAT 5\r\nS: s\r");
	intake_client_until(&client, "Chunk received");
	say("RSET\r\n" ENVELOPE CHUNK "QUIT\r\n");
	intake_client_until_ended(&client);
	cr_assert_eq(scene.fake.count, 1);
	cr_expect_eq(message(0)->envelope.recipient_count, 1);
}

Test(smtp_intake, names_the_client_over_tcp)
{
	scene.options.server.qualified_only = true;
	intake_client_init_tcp(&client, &scene);
	say("EHLO [192.0.2.1]\r\nMAIL FROM:<a@y.example>\r\n"
	    "RCPT TO:<b@x.example>\r\n" CHUNK "QUIT\r\n");
	intake_client_until_ended(&client);
	expect_codes("220 250 250 250 250 221");
	cr_expect_eq(message(0)->envelope.origin, ORIGIN_TCP);
	cr_expect_eq(message(0)->envelope.uid, UID_UNKNOWN);
	char *content = fake_door_content(&scene.fake, 0);
	cr_expect_eq(strncmp(content,
			 "Received: from [192.0.2.1] ([127.0.0.1])\r\n", 42),
	    0, "%s", content);
	free(content);
}

/* ---- half-closed, cut ---- */

Test(smtp_intake, answers_a_client_that_sends_no_more)
{
	scene.fake.later = true;
	open_client();
	say(ENVELOPE CHUNK);
	intake_client_half_close(&client);
	intake_client_settle(&client);
	expect_codes("220 250 250 250");
	fake_door_answer(&scene.fake, DOOR_TAKEN);
	intake_client_until_ended(&client);
	expect_codes("250");
}

Test(smtp_intake, takes_nothing_of_a_message_that_is_cut)
{
	open_client();
	say(ENVELOPE "DATA\r\n");
	intake_client_until(&client, "354 ");
	say("Subject: s\r\n\r\nhalf");
	intake_client_settle(&client);
	intake_client_half_close(&client);
	intake_client_until_ended(&client);
	cr_expect_eq(scene.fake.count, 0);
	cr_expect_eq(scene.admission.memory, 0);
}

Test(smtp_intake, keeps_a_message_whose_sender_is_gone_before_the_answer)
{
	scene.fake.later = true;
	intake_client_init_tcp(&client, &scene);
	say(ENVELOPE CHUNK);
	intake_client_settle(&client);
	cr_assert_eq(scene.fake.count, 1);
	intake_client_cut(&client);
	intake_scene_until_empty(&scene);
	cr_expect_eq(scene.fake.cancelled, 1);
	cr_expect_eq(scene.admission.memory, 0);
	fake_door_answer(&scene.fake, DOOR_TAKEN);
	cr_expect_eq(scene.fake.answered, 0);
}

Test(smtp_intake, bears_a_reset_after_each_command)
{
	static const char *const starts[] = {"", "EHLO c\r\n",
	    "EHLO c\r\nMAIL FROM:<a>\r\n", ENVELOPE, ENVELOPE "DATA\r\n",
	    ENVELOPE "BDAT 100\r\nabc", ENVELOPE "BDAT 3\r\nabc"};

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		intake_client_init_tcp(&client, &scene);
		say(starts[i]);
		intake_client_settle(&client);
		intake_client_cut(&client);
		intake_scene_until_empty(&scene);
		cr_expect_eq(scene.admission.memory, 0);
		cr_expect_eq(scene.admission.connections, 0);
		intake_client_clear(&client);
	}
	cr_expect_eq(scene.fake.count, 0);
}

/* The peer of a socket that was reset cannot be asked any more. */
Test(smtp_intake, bears_a_client_that_is_gone_before_it_is_accepted)
{
	struct peer peer = {.address = "192.0.2.1"};
	int pair[2];

	tcp_pair(&pair[0], &pair[1]);
	const struct linger linger = {.l_onoff = 1};
	setsockopt(pair[0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(pair[0]);
	cr_assert_eq(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
	smtp_intake_accept(pair[1], &peer, scene.intake);
	intake_scene_until_empty(&scene);
	cr_expect_eq(scene.admission.connections, 0);
}

Test(smtp_intake, hears_a_half_closed_client_to_the_end_of_its_flood)
{
	struct buffer flood;

	buffer_init(&flood, SIZE_MAX);
	for (int i = 0; i < 60000; i++)
		buffer_append_text(&flood, "NOOP\r\n");
	buffer_append_text(&flood, ENVELOPE CHUNK "QUIT\r\n");
	open_client();
	intake_client_send(&client, buffer_bytes(&flood));
	intake_client_half_close(&client);
	intake_client_until_ended(&client);
	cr_expect(told("\r\n221 "));
	cr_expect_eq(scene.fake.count, 1);
	buffer_clear(&flood);
}

/* ---- refused ---- */

Test(smtp_intake, says_what_the_door_says_at_mail)
{
	static const struct {
		enum door_answer room;
		const char *codes;
	} rows[] = {
	    {DOOR_DISK_FULL, "220 250 452 503 503 221"},
	    {DOOR_DISK_FAILED, "220 250 451 503 503 221"},
	    {DOOR_CLOSED, "220 250 421"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		scene.fake.room = rows[i].room;
		expect_session(ENVELOPE CHUNK "QUIT\r\n", rows[i].codes);
		intake_client_clear(&client);
	}
	cr_expect_eq(scene.fake.count, 0);
	cr_expect_eq(scene.admission.rejected, 3);
}

Test(smtp_intake, says_what_the_door_says_at_the_end)
{
	static const struct {
		enum door_answer answer;
		const char *codes;
	} rows[] = {
	    {DOOR_DISK_FULL, "220 250 250 250 452 221"},
	    {DOOR_DISK_FAILED, "220 250 250 250 451 221"},
	    {DOOR_CLOSED, "220 250 250 250 421"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		scene.fake.answer = rows[i].answer;
		expect_session(ENVELOPE CHUNK "QUIT\r\n", rows[i].codes);
		intake_client_clear(&client);
	}
}

Test(smtp_intake, relays_for_nobody_but_its_domains)
{
	static const char *const domains[] = {"relayed.example"};

	scene.options.trusted = false;
	scene.admission_options.relay_domains = domains;
	scene.admission_options.relay_domain_count = 1;
	intake_client_init_tcp(&client, &scene);
	say("EHLO c\r\nMAIL FROM:<a@y.example>\r\n"
	    "RCPT TO:<b@x.example>\r\nRCPT TO:<b@sub.relayed.example>\r\n"
	    "RCPT TO:<b%x.example@localhost>\r\nRCPT TO:<b>\r\n" CHUNK
	    "RCPT TO:<b@Relayed.Example>\r\nRCPT TO:<postmaster>\r\n" CHUNK
	    "QUIT\r\n");
	intake_client_until_ended(&client);
	expect_codes("220 250 250 550 550 550 550 503 250 250 250 221");
	cr_assert_eq(scene.fake.count, 1);
	cr_expect_eq(message(0)->envelope.recipient_count, 2);
	cr_expect(logged("relaying denied: client=[127.0.0.1] "
			 "from=<a@y.example> to=<b@x.example>"));
}

Test(smtp_intake, refuses_mail_that_goes_in_a_circle)
{
	struct buffer text;

	buffer_init(&text, 1 << 20);
	buffer_append_text(&text, ENVELOPE "DATA\r\n");
	open_client();
	intake_client_send(&client, buffer_bytes(&text));
	intake_client_until(&client, "354 ");
	buffer_empty(&text);
	for (int i = 0; i < 50; i++)
		buffer_append_text(&text, "Received: by x\r\n");
	buffer_append_text(&text, "\r\nx\r\n.\r\nQUIT\r\n");
	intake_client_send(&client, buffer_bytes(&text));
	intake_client_until_ended(&client);
	expect_codes("220 250 250 250 354 554 221");
	cr_expect(told("554 5.4.6 "));
	buffer_clear(&text);
}

Test(smtp_intake, removes_the_large_file_of_mail_that_goes_in_a_circle)
{
	struct buffer text;

	scene.admission_options.inline_limit = 1000;
	buffer_init(&text, 1 << 20);
	for (int i = 0; i < 60; i++)
		buffer_append_text(&text, "Received: by x\r\n");
	buffer_append_text(&text, "\r\n");
	for (int i = 0; i < 1000; i++)
		buffer_append_text(&text, "a line of the body\r\n");
	open_client();
	say(ENVELOPE);
	char command[64];
	(void)snprintf(command, sizeof(command), "BDAT %zu LAST\r\n", text.len);
	say(command);
	intake_client_send(&client, buffer_bytes(&text));
	say("QUIT\r\n");
	intake_client_until_ended(&client);
	expect_codes("220 250 250 250 554 221");
	cr_expect_eq(intake_scene_files(&scene), 0);
	buffer_clear(&text);
}

/* ---- size and memory ---- */

/* An envelope, and a message of so many octets by BDAT. */
static void
say_large(size_t size)
{
	char command[128];
	char *text = memory_array(size, 1);

	memset(text, 'x', size);
	memcpy(text, "S: s\r\n\r\n", 8);
	for (size_t i = 79; i + 1 < size; i += 80)
		memcpy(text + i - 1, "\r\n", 2);
	(void)snprintf(
	    command, sizeof(command), ENVELOPE "BDAT %zu LAST\r\n", size);
	say(command);
	intake_client_send(&client, bytes_make(text, size));
	free(text);
}

Test(smtp_intake, puts_a_large_message_into_a_file)
{
	open_client();
	say_large(3 << 20);
	say("QUIT\r\n");
	intake_client_until_ended(&client);
	expect_codes("220 250 250 250 250 221");
	cr_expect_geq(message(0)->body.fd, 0);
	cr_expect_gt(message(0)->body.len, 3 << 20);
	cr_expect_eq(intake_scene_files(&scene), 1);
}

Test(smtp_intake, removes_the_file_of_a_message_that_is_cut)
{
	open_client();
	say(ENVELOPE "BDAT 5000000 LAST\r\n");
	char *text = memory_array(2 << 20, 1);
	memset(text, 'x', 2 << 20);
	intake_client_send(&client, bytes_make(text, 2 << 20));
	intake_client_settle(&client);
	intake_client_half_close(&client);
	intake_client_until_ended(&client);
	cr_expect_eq(intake_scene_files(&scene), 0);
	free(text);
}

Test(smtp_intake, refuses_what_finds_no_memory)
{
	scene.admission_options.memory_max = 10000;
	open_client();
	say_large(12000);
	say_large(8000);
	say("QUIT\r\n");
	intake_client_until_ended(&client);
	expect_codes("220 250 250 250 452 250 250 250 250 221");
	cr_expect(told("452 4.3.1 "));
	cr_expect(logged("too much mail at once"));
}

Test(smtp_intake, counts_memory_until_the_message_is_durable)
{
	struct intake_client second;

	scene.admission_options.memory_max = 10000;
	scene.fake.later = true;
	open_client();
	say_large(8000);
	intake_client_settle(&client);
	cr_expect_eq(scene.admission.memory, 8000);
	intake_client_init(&second, &scene);
	intake_client_say(&second, ENVELOPE "BDAT 3000 LAST\r\n");
	char *text = memory_array(3000, 1);
	memset(text, 'x', 3000);
	intake_client_send(&second, bytes_make(text, 3000));
	intake_client_until(&second, "452 4.3.1");
	fake_door_answer(&scene.fake, DOOR_TAKEN);
	cr_expect_eq(scene.admission.memory, 0);
	intake_client_clear(&second);
	free(text);
}

Test(smtp_intake, refuses_what_finds_no_place_on_disk)
{
	scene.admission_options.inline_limit = 1000;
	scene.admission_options.large_directory_fd = -1;
	open_client();
	say_large(2000);
	say("QUIT\r\n");
	intake_client_until_ended(&client);
	expect_codes("220 250 250 250 452 221");
}

Test(smtp_intake, tells_a_broken_disk_from_a_full_one)
{
	scene.admission_options.inline_limit = 1000;
	scene.admission_options.large_directory_fd = STDIN_FILENO;
	open_client();
	say_large(2000);
	say("QUIT\r\n");
	intake_client_until_ended(&client);
	expect_codes("220 250 250 250 451 221");
	cr_expect(logged("not taken: create "));
}

/* ---- LMTP ---- */

Test(smtp_intake, answers_lmtp_for_each_recipient)
{
	static const struct {
		enum door_answer answer;
		const char *codes;
	} rows[] = {
	    {DOOR_TAKEN, "220 250 250 250 250 250 250 250 250 221"},
	    {DOOR_DISK_FULL, "220 250 250 250 250 250 452 452 452 221"},
	    {DOOR_CLOSED, "220 250 250 250 250 250 421"},
	};

	scene.options.server.lmtp = true;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		scene.fake.answer = rows[i].answer;
		expect_session("LHLO c\r\nMAIL FROM:<a>\r\nRCPT TO:<b@x>\r\n"
			       "RCPT TO:<b@x>\r\nRCPT TO:<c@x>\r\n" CHUNK
			       "QUIT\r\n",
		    rows[i].codes);
		intake_client_clear(&client);
	}
	cr_expect_eq(message(0)->envelope.recipient_count, 2);
}

Test(smtp_intake, answers_lmtp_for_each_recipient_of_a_message_without_room)
{
	scene.options.server.lmtp = true;
	scene.admission_options.memory_max = 5;
	expect_session("LHLO c\r\nMAIL FROM:<a>\r\nRCPT TO:<b@x>\r\n"
		       "RCPT TO:<c@x>\r\n" CHUNK "QUIT\r\n",
	    "220 250 250 250 250 452 452 221");
}

/* ---- STARTTLS ---- */

Test(smtp_intake, refuses_starttls_where_it_is_not_offered)
{
	expect_session("EHLO c\r\nSTARTTLS\r\nQUIT\r\n", "220 250 502 221");
	cr_expect_not(told("STARTTLS"));
}

static struct tls_context *
server_context(struct tls_authority *authority)
{
	const char *path =
	    tls_authority_issue_for(authority, "DNS:mail.example");
	struct tls_context *context;
	struct error error;

	cr_assert(
	    tls_server_new(path, path, &context, &error), "%s", error.text);
	scene.options.tls = context;
	scene.options.server.starttls = true;
	return context;
}

Test(smtp_intake, ends_a_session_with_plaintext_behind_starttls)
{
	struct tls_authority *authority = tls_authority_new();
	struct tls_context *context = server_context(authority);

	expect_session("EHLO c\r\nSTARTTLS\r\nMAIL FROM:<>\r\n", "220 250 503");
	cr_expect_eq(scene.fake.count, 0);
	tls_context_free(context);
	tls_authority_free(authority);
}

static void
start_client_tls(struct conn_probe *probe, struct tls_context *context)
{
	struct error error;

	conn_probe_send(probe, "EHLO c\r\nSTARTTLS\r\n");
	while (bytes_search(buffer_bytes(&probe->read), BYTES("\r\n220 2")) ==
	    probe->read.len)
		loop_until_quiet(scene.loop);
	cr_assert(conn_start_tls(probe->conn, context, "mail.example", &error),
	    "%s", error.text);
	conn_probe_until(probe, CONN_SECURED, 1);
}

Test(smtp_intake, takes_mail_through_tls)
{
	struct tls_authority *authority = tls_authority_new();
	struct tls_context *server = server_context(authority);
	struct tls_context *context;
	struct conn_probe probe;
	struct error error;
	int pair[2];

	cr_assert(tls_client_new(
		      &(struct tls_client_options){
			  .ca = tls_authority_path(authority),
			  .verify = TLS_VERIFY_FULL,
		      },
		      &context, &error),
	    "%s", error.text);
	tcp_pair(&pair[0], &pair[1]);
	struct peer peer = {.loopback = true, .address = "127.0.0.1"};
	smtp_intake_accept(pair[1], &peer, scene.intake);
	conn_probe_init(&probe, scene.loop);
	conn_probe_accept(&probe, pair[0]);
	start_client_tls(&probe, context);
	conn_probe_send(&probe, ENVELOPE CHUNK "QUIT\r\n");
	conn_probe_until(&probe, CONN_EOF, 1);
	char *content = fake_door_content(&scene.fake, 0);
	cr_expect(strstr(content, "with ESMTPS id ") != NULL, "%s", content);
	cr_expect(
	    strstr(content, "(TLSv1.3 with cipher ") != NULL, "%s", content);
	free(content);
	conn_probe_clear(&probe);
	intake_scene_until_empty(&scene);
	tls_context_free(context);
	tls_context_free(server);
	tls_authority_free(authority);
}

/* ---- pressure, shutdown, limits ---- */

Test(smtp_intake, reads_no_more_under_pressure)
{
	open_client();
	intake_client_until(&client, "220 ");
	smtp_intake_pause(scene.intake);
	say("NOOP\r\n");
	intake_client_settle(&client);
	cr_expect_not(told("250 "));
	smtp_intake_resume(scene.intake);
	intake_client_until(&client, "250 ");
}

Test(smtp_intake, greets_but_hears_nobody_new_under_pressure)
{
	smtp_intake_pause(scene.intake);
	open_client();
	say("NOOP\r\n");
	intake_client_settle(&client);
	expect_codes("220");
	smtp_intake_resume(scene.intake);
	intake_client_until(&client, "250 ");
}

Test(smtp_intake, shuts_idle_sessions_at_once_and_others_when_they_are_done)
{
	struct intake_client busy;
	struct intake_client late;

	scene.fake.later = true;
	open_client();
	say("EHLO c\r\n");
	intake_client_init(&busy, &scene);
	intake_client_say(&busy, ENVELOPE);
	intake_client_until(&busy, "recipient ok");
	intake_client_settle(&client);
	smtp_intake_shut(scene.intake);
	intake_client_until_ended(&client);
	expect_codes("220 250 421");
	cr_expect_eq(smtp_intake_sessions(scene.intake), 1);

	intake_client_say(&busy, CHUNK);
	intake_client_settle(&busy);
	cr_assert_eq(scene.fake.count, 1);
	cr_expect_eq(smtp_intake_sessions(scene.intake), 1);
	fake_door_answer(&scene.fake, DOOR_TAKEN);
	intake_client_until_ended(&busy);
	cr_expect_str_eq(intake_client_codes(&busy), "220 250 250 250 250 421");

	intake_client_init(&late, &scene);
	intake_client_until_ended(&late);
	cr_expect_str_eq(intake_client_codes(&late), "421");
	intake_client_clear(&busy);
	intake_client_clear(&late);
}

Test(smtp_intake, can_be_freed_with_sessions_in_every_state)
{
	static const char *const starts[] = {"", "EHLO c\r\n", ENVELOPE,
	    ENVELOPE "DATA\r\n", ENVELOPE "BDAT 100\r\nabc", ENVELOPE CHUNK};
	struct intake_client clients[6];

	scene.fake.later = true;
	for (size_t i = 0; i < 6; i++) {
		intake_client_init(&clients[i], &scene);
		intake_client_say(&clients[i], starts[i]);
		intake_client_settle(&clients[i]);
	}
	smtp_intake_free(scene.intake);
	cr_expect_eq(scene.fake.cancelled, 1);
	cr_expect_eq(scene.admission.memory, 0);
	scene.intake =
	    smtp_intake_new(scene.loop, &scene.admission, &scene.options);
	for (size_t i = 0; i < 6; i++)
		intake_client_clear(&clients[i]);
}

Test(smtp_intake, refuses_too_many_connections)
{
	struct intake_client second;

	scene.admission_options.connections_max = 1;
	open_client();
	intake_client_init(&second, &scene);
	intake_client_until_ended(&second);
	cr_expect_str_eq(intake_client_codes(&second), "421");
	intake_client_clear(&second);
	say("QUIT\r\n");
	intake_client_until_ended(&client);
	intake_client_clear(&client);
	intake_scene_until_empty(&scene);
	expect_session("QUIT\r\n", "220 221");
}

Test(smtp_intake, ends_a_session_that_says_nothing)
{
	scene.options.server.command_timeout_ms = 30;
	open_client();
	intake_client_until_ended(&client);
	expect_codes("220 421");
	cr_expect(told("421 4.4.2 "));
}

Test(smtp_intake, tries_what_waits_for_a_domain)
{
	scene.fake.flushed = 3;
	open_client();
	say("EHLO c\r\nETRN x.example\r\n");
	intake_client_until(&client, "started");
	cr_expect_str_eq(scene.fake.domain, "x.example");
	scene.fake.flushed = -1;
	say("ETRN y.example\r\nQUIT\r\n");
	intake_client_until_ended(&client);
	expect_codes("220 250 250 459 221");
}
