#include "base/clock.h"
#include "smtp/server_player.h"
#include "smtp/smtp_server.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

Test(smtp_server, takes_a_whole_session_in_one_write)
{
	server_player_check("our own sendmail",
	    "C: EHLO client.example\n"
	    "C: MAIL FROM:<a@b.example> SIZE=12\n"
	    "C: RCPT TO:<c@d.example>\n"
	    "C: BDAT 12 LAST\n"
	    "R: a: b\\r\\n\\r\\n.\\r\\n.\n"
	    "C: QUIT\n"
	    "S: 220 mx.example *\n"
	    "S: 250 HELP\n"
	    "E: HELLO client.example\n"
	    "E: MAIL <a@b.example> SIZE=12\n"
	    "S: 250 2.1.0 Sender ok\n"
	    "E: RCPT <c@d.example>\n"
	    "S: 250 2.1.5 Recipient ok\n"
	    "E: DATA\n"
	    "E: END a: b\\r\\n\\r\\n.\\r\\n.\n" QUEUED "S: 221 2.0.0 Bye\n"
	    "E: CLOSE QUIT\n",
	    &server_player_options);
}

/* What comes in time decides, so this is about one write only. */
Test(smtp_server, closes_on_content_before_354)
{
	static const struct server_player_row rows[] = {
	    {"A19 a body behind DATA",
		ENVELOPE "C: DATA\nC: Subject: x\nC: .\n"
			 "C: MAIL FROM:<s@evil.example>\n"},
	    {"A19 behind DATA that is refused anyway",
		SENDER "C: DATA\nC: MAIL FROM:<s@evil.example>\n"},
	    {"A19 behind nothing at all",
		"C: DATA\nC: MAIL FROM:<s@evil.example>\n"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char *seen =
		    server_player_log(rows[i].text, &server_player_options);
		cr_expect_not_null(
		    strstr(seen, "S: 503 5.5.0 "), "%s", rows[i].name);
		cr_expect_not_null(
		    strstr(seen, "E: CLOSE "), "%s", rows[i].name);
		cr_expect_null(strstr(seen, "evil"), "%s", rows[i].name);
		cr_expect_null(strstr(seen, "S: 354"), "%s", rows[i].name);
		free(seen);
	}
}

Test(smtp_server, closes_on_content_while_data_is_asked)
{
	static const struct server_player_row a19 = {"A19 while it is asked",
	    ENVELOPE "C: DATA\n"
		     "E: DATA\n"
		     "A: wait\n"
		     "W:\n"
		     "C: x\n"
		     "N: 354 Go ahead\n"
		     "S: 503 5.5.0 *\n"
		     "E: RESET\n"
		     "E: CLOSE Content before it was asked for\n"};

	server_player_check_rows(&a19, 1, &server_player_options);
}

/* B8: arguments of 500 octets, B4: lines of more than that. */
Test(smtp_server, bounds_command_lines)
{
	static const struct {
		const char *name, *command;
		size_t size; /* octets of the line with CRLF */
		const char *reply;
	} rows[] = {
	    {"B8 NOOP", "NOOP ", 507, "250 2.0.0 Ok"},
	    {"B8 VRFY", "VRFY ", 507, "252 2.5.2 *"},
	    {"B8 EXPN", "EXPN ", 507, "502 5.5.1 *"},
	    {"B8 HELP", "HELP ", 507, "214 2.0.0 *"},
	    {"512", "NOOP ", 512, "250 2.0.0 Ok"},
	    {"B4 513", "NOOP ", 513, "250 2.0.0 Ok"},
	    {"the limit", "NOOP ", 2048, "250 2.0.0 Ok"},
	    {"B4 the limit + 1", "NOOP ", 2049, "500 5.5.2 *"},
	    {"MAIL's limit", "MAIL FROM:<", 4096, "501 5.1.7 *"},
	    {"MAIL's limit + 1", "MAIL FROM:<", 4097, "500 5.5.2 *"},
	    {"B4 100 KiB", "NOOP ", 102400, "500 5.5.2 *"},
	    {"a verb without an end", "A", 5000, "500 5.5.2 *"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t fill =
		    rows[i].size - strlen(rows[i].command) - strlen("\r\n");
		char *filler = malloc(fill + 1), *text = NULL;
		memset(filler, 'x', fill);
		filler[fill] = '\0';
		cr_assert(asprintf(&text,
			      "C: %s%s\nS: %s\nC: NOOP\nS: 250 2.0.0 Ok\n",
			      rows[i].command, filler, rows[i].reply) > 0);
		server_player_check_rows(
		    &(struct server_player_row){rows[i].name, text}, 1,
		    &server_player_options);
		free(filler);
		free(text);
	}
}

Test(smtp_server, keeps_little_of_a_line_without_end)
{
	struct server_player_session session;
	struct smtp_server_event event;
	char piece[4097];

	memset(piece, 'x', sizeof(piece));
	piece[4096] = '\0';
	server_player_open(&session, &server_player_options);
	for (int i = 0; i < 2560; i++) {
		server_player_say(&session, piece);
		cr_assert_eq(session.input.len, 0);
	}
	cr_expect(bytes_is(buffer_bytes(&session.output),
	    "220 mx.example ESMTP postrider\r\n500 5.5.2 Line too long\r\n"));

	/* Nobody sends so for ever. */
	int64_t deadline = smtp_server_deadline(&session.server);
	cr_expect_eq(deadline,
	    SERVER_PLAYER_START + server_player_options.command_timeout_ms);
	buffer_append_text(&session.input, "x");
	cr_assert(smtp_server_next(&session.server, deadline, &event));
	cr_expect_eq(event.kind, SMTP_SERVER_CLOSE);
	server_player_close(&session);
}

Test(smtp_server, closes_after_too_many_errors)
{
	struct smtp_server_options options = server_player_options;
	static const struct server_player_row rows[] = {
	    {"B6",
		"C: A\nS: 500 *\nC: B\nS: 500 *\nC: RCPT TO:<a@b>\nS: 503 *\n"
		"C: C\nS: 421 4.7.0 *\nE: CLOSE too many errors\nC: NOOP\n"},
	    {"in a transaction",
		ENVELOPE "C: A\nS: 500 *\nC: B\nS: 500 *\nC: C\nS: 500 *\n"
			 "C: D\nS: 421 4.7.0 *\nE: RESET\n"
			 "E: CLOSE too many errors\n"},
	    {"the caller's refusals do not count, nor a full list",
		"C: MAIL FROM:<>\nE: MAIL <>\nS: 250 2.1.0 Sender ok\n"
		"C: RCPT TO:<a@b>\nE: RCPT <a@b>\nA: 550 5.1.1 No\n"
		"S: 550 5.1.1 No\n"
		"C: RCPT TO:<a@b>\nE: RCPT <a@b>\nA: 550 5.1.1 No\n"
		"S: 550 5.1.1 No\n"
		"C: RCPT TO:<a@b>\nE: RCPT <a@b>\nA: 550 5.1.1 No\n"
		"S: 550 5.1.1 No\n"
		"C: RCPT TO:<a@b>\nE: RCPT <a@b>\nA: 550 5.1.1 No\n"
		"S: 550 5.1.1 No\nC: NOOP\nS: 250 2.0.0 Ok\n"},
	    {"mail makes up for them",
		"C: A\nS: 500 *\nC: B\nS: 500 *\nC: C\nS: 500 *\n" ENVELOPE DATA
		"C: .\nE: END\n" QUEUED
		"C: A\nS: 500 *\nC: B\nS: 500 *\nC: C\nS: 500 *\n"},
	    {"B4 long lines count",
		"C: A\nS: 500 *\nC: B\nS: 500 *\nC: C\nS: 500 *\n"
		"C: \\0\nS: 421 4.7.0 *\nE: CLOSE too many errors\n"},
	    {"a refused BDAT is the last straw",
		"C: A\nS: 500 *\nC: B\nS: 500 *\nC: C\nS: 500 *\n"
		"C: BDAT 9\nS: 421 4.7.0 *\nE: CLOSE too many errors\n"
		"T: 400000\n"},
	};

	options.errors_max = 3;
	server_player_check_rows(rows, COUNT(rows), &options);
}

Test(smtp_server, speaks_lmtp)
{
#define SECOND                                                                 \
	"C: RCPT TO:<e@f.example>\n"                                           \
	"E: RCPT <e@f.example>\n"                                              \
	"A: 550 5.1.1 No such user\n"                                          \
	"S: 550 5.1.1 No such user\n"
#define THIRD                                                                  \
	"C: RCPT TO:<g@h.example>\n"                                           \
	"E: RCPT <g@h.example>\n"                                              \
	"S: 250 2.1.5 Recipient ok\n"
	static const struct server_player_row rows[] = {
	    {"a reply for each recipient accepted",
		ENVELOPE SECOND THIRD DATA
		"C: x\nC: .\nE: END x\\r\\n\n"
		"A: 250 2.0.0 For c\nA: 452 4.2.2 g is full\n"
		"S: 250 2.0.0 For c\nS: 452 4.2.2 g is full\n"
		"C: NOOP\nS: 250 2.0.0 Ok\n"},
	    {"one of them later",
		ENVELOPE THIRD DATA "C: .\nE: END\n"
				    "A: 250 2.0.0 For c\nA: wait\n"
				    "S: 250 2.0.0 For c\n"
				    "C: NOOP\n"
				    "N: 250 2.0.0 For g\n"
				    "S: 250 2.0.0 For g\nS: 250 2.0.0 Ok\n"},
	    {"the end in the middle of them",
		ENVELOPE THIRD DATA "C: .\nE: END\n"
				    "A: 421 4.3.0 Broken\n"
				    "S: 421 4.3.0 Broken\nE: CLOSE Broken\n"},
	    {"content refused",
		ENVELOPE THIRD DATA "C: \\0\nC: .\n"
				    "S: 554 5.6.0 *\nS: 554 5.6.0 *\n"
				    "E: RESET\n" ENVELOPE},
	    {"BDAT",
		ENVELOPE THIRD
		"R: BDAT 1\\r\\nx\nE: DATA\nS: 250 2.0.0 *\n"
		"R: BDAT 1 LAST\\r\\ny\nE: END xy\n" QUEUED QUEUED},
	    {"BDAT over the limit",
		ENVELOPE THIRD "C: BDAT 1000\n"
			       "S: 552 5.3.4 *\nE: RESET\n"},
	    {"BDAT LAST over the limit",
		ENVELOPE THIRD "C: BDAT 1000 LAST\n"
			       "S: 552 5.3.4 *\nS: 552 5.3.4 *\nE: RESET\n"},
	    {"no recipient", SENDER SECOND "C: DATA\nW:\nS: 503 5.5.1 *\n"},
	    {"the other greetings",
		"C: EHLO x\nS: 500 5.5.1 *\nC: HELO x\nS: 500 5.5.1 *\n"},
	};
	struct smtp_server_options options = server_player_options;

	options.lmtp = true;
	server_player_check_rows(rows, COUNT(rows), &options);
}

Test(smtp_server, waits_only_so_long)
{
	static const struct server_player_row rows[] = {
	    {"for a command",
		"T: 299999\n"
		"C: NOOP\nS: 250 2.0.0 Ok\n"
		"T: 299999\n"
		"T: 1\nS: 421 4.4.2 *\nE: CLOSE time-out\n"},
	    {"G1 for its end, octet by octet",
		"R: NO\nT: 150000\nR: O\nT: 149999\nR: P\nT: 1\n"
		"S: 421 4.4.2 *\nE: CLOSE time-out\n"},
	    {"G1 for content",
		ENVELOPE DATA "R: a\nT: 30000\nR: b\nT: 29999\nR: c\nT: 1\n"
			      "S: 421 4.4.2 *\nE: RESET\nE: CLOSE time-out\n"},
	    {"G1 for a chunk",
		ENVELOPE "R: BDAT 9\\r\\na\nE: DATA\n"
			 "T: 30000\nR: b\nT: 29999\nR: c\nT: 1\n"
			 "S: 421 4.4.2 *\nE: RESET\nE: CLOSE time-out\n"},
	    {"for the next command behind content",
		ENVELOPE DATA "T: 59999\nC: .\nE: END\n" QUEUED
			      "T: 299999\nT: 1\n"
			      "S: 421 4.4.2 *\nE: CLOSE time-out\n"},
	    {"in time, though told late",
		"R: NOOP\nT: 299999\nC: \nS: 250 2.0.0 Ok\n"
		"T: 299999\n"},
	    {"for ever for the caller",
		"C: MAIL FROM:<>\nE: MAIL <>\nA: wait\n"
		"T: 999999999\n"
		"N: 250 2.1.0 Ok\nS: 250 2.1.0 Ok\n"},
	};
	struct smtp_server_options patient = server_player_options;
	static const struct server_player_row forever = {
	    "for ever where there is no time",
	    "T: 999999999\n" ENVELOPE DATA "T: 999999999\n"
	    "C: .\nE: END\n" QUEUED};

	server_player_check_rows(rows, COUNT(rows), &server_player_options);
	patient.command_timeout_ms = patient.content_timeout_ms = 0;
	server_player_check_rows(&forever, 1, &patient);
}

Test(smtp_server, says_nothing_in_a_handshake)
{
	struct smtp_server_options options = server_player_options;
	struct server_player_session session;
	struct smtp_server_event event;

	options.starttls = true;
	for (int shut = 0; shut < 2; shut++) {
		server_player_open(&session, &options);
		server_player_say(&session, "EHLO x\r\n");
		server_player_say(&session, "STARTTLS\r\n");
		cr_expect_eq(session.input.len, 0);
		buffer_empty(&session.output);
		if (shut == 1)
			smtp_server_shut(
			    &session.server, "4.3.2", "Going down");
		cr_assert(smtp_server_next(&session.server,
		    SERVER_PLAYER_START + options.command_timeout_ms, &event));
		cr_expect_eq(event.kind, SMTP_SERVER_CLOSE);
		cr_expect_eq(session.output.len, 0);
		server_player_close(&session);
	}
}

/* A loop may hand back the deadline as the time. */
Test(smtp_server, ends_only_once)
{
	struct server_player_session session;
	struct smtp_server_event event;

	server_player_open(&session, &server_player_options);
	server_player_say(&session, "QUIT\r\n");
	cr_expect_eq(smtp_server_deadline(&session.server), CLOCK_NEVER);
	cr_expect_not(smtp_server_next(&session.server, CLOCK_NEVER, &event));
	server_player_close(&session);
}

Test(smtp_server, can_be_shut_at_any_time)
{
	static const struct server_player_row rows[] = {
	    {"idle",
		"X: Going down\nS: 421 4.3.2 Going down\n"
		"E: CLOSE Going down\nC: NOOP\nX: again\n"},
	    {"in a transaction",
		ENVELOPE "X: Going down\nS: 421 4.3.2 Going down\n"
			 "E: RESET\nE: CLOSE Going down\n"},
	    {"in content",
		ENVELOPE DATA "C: x\nX: Going down\nS: 421 4.3.2 Going down\n"
			      "E: RESET\nE: CLOSE Going down\n"},
	    {"while a recipient is asked",
		SENDER "C: RCPT TO:<a@b>\nE: RCPT <a@b>\nA: wait\n"
		       "X: Going down\nN: 250 2.1.5 Too late\n"
		       "S: 421 4.3.2 Going down\n"
		       "E: RESET\nE: CLOSE Going down\n"},
	    {"while the end is asked: the message is the caller's",
		ENVELOPE DATA "C: x\nC: .\nE: END x\\r\\n\nA: wait\n"
			      "X: Going down\nS: 421 4.3.2 Going down\n"
			      "E: CLOSE Going down\nN: 250 2.0.0 Late\n"},
	    {"by an answer",
		"C: MAIL FROM:<>\nE: MAIL <>\nA: 421 4.3.2 Going down\n"
		"S: 421 4.3.2 Going down\nE: CLOSE Going down\n"
		"C: NOOP\n"},
	    {"by the answer to DATA",
		ENVELOPE "C: DATA\nE: DATA\nA: 421 4.3.2 Going down\nW:\n"
			 "S: 421 4.3.2 Going down\nE: RESET\n"
			 "E: CLOSE Going down\n"},
	    {"by the answer to BDAT",
		ENVELOPE "R: BDAT 5\\r\\nabc\nE: DATA\n"
			 "A: 421 4.3.2 Going down\n"
			 "S: 421 4.3.2 Going down\nE: RESET\n"
			 "E: CLOSE Going down\nT: 999999\n"},
	};

	server_player_check_rows(rows, COUNT(rows), &server_player_options);
}

Test(smtp_server, knows_when_it_is_idle)
{
	struct server_player_session session;
	struct smtp_server *server = &session.server;
	struct smtp_server_event event;

	server_player_open(&session, &server_player_options);
	cr_expect(smtp_server_is_idle(server));
	server_player_say(&session, "HELO x\r\n");
	cr_expect(smtp_server_is_idle(server));

	buffer_append_text(&session.input, "MAIL FROM:<>\r\n");
	cr_assert(smtp_server_next(server, SERVER_PLAYER_START, &event));
	cr_expect_not(smtp_server_is_idle(server), "a sender is asked");
	cr_expect_eq(smtp_server_deadline(server), CLOCK_NEVER);
	smtp_server_answer(server, 250, "2.1.0", "Ok", SERVER_PLAYER_START);
	cr_expect_not(smtp_server_is_idle(server), "a transaction is open");
	server_player_say(&session, "RSET\r\n");
	cr_expect(smtp_server_is_idle(server));
	server_player_close(&session);
}

/* G4: replies that nobody reads. */
Test(smtp_server, stops_reading_where_nobody_reads_replies)
{
	struct server_player_session session;

	server_player_open(&session, &server_player_options);
	for (int i = 0; i < 10000; i++)
		buffer_append_text(&session.input, "HELP\r\n");
	server_player_say(&session, "");
	cr_expect_gt(session.input.len, 0);
	cr_expect_lt(session.output.len, SMTP_SERVER_OUTPUT_MAX + 1000);
	while (session.input.len > 0) {
		buffer_empty(&session.output);
		server_player_say(&session, "");
	}
	server_player_close(&session);
}

Test(smtp_server, closes_where_replies_find_no_room)
{
	struct server_player_session session;
	struct smtp_server_event event;

	server_player_open(&session, &server_player_options);
	session.output.limit = 1000;
	for (int i = 0; i < 100; i++)
		buffer_append_text(&session.input, "HELP\r\n");
	cr_assert(
	    smtp_server_next(&session.server, SERVER_PLAYER_START, &event));
	cr_expect_eq(event.kind, SMTP_SERVER_CLOSE);
	server_player_close(&session);
}
