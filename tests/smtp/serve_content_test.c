#include "smtp/server_player.h"
#include "smtp/smtp_server.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

Test(serve_content, comes_by_data)
{
	static const struct server_player_row rows[] = {
	    {"a message, and one more",
		ENVELOPE DATA
		"C: Subject: x\n"
		"C: \n"
		"C: body\n"
		"C: .\n"
		"E: END Subject: x\\r\\n\\r\\nbody\\r\\n\n" QUEUED ENVELOPE DATA
		"C: y\n"
		"C: .\n"
		"E: END y\\r\\n\n" QUEUED QUIT},
	    {"D7: nothing at all", ENVELOPE DATA "C: .\nE: END\n" QUEUED},
	    {"D7: only a header",
		ENVELOPE DATA "C: a: b\nC: .\nE: END a: b\\r\\n\n" QUEUED},
	    {"D7: only a body",
		ENVELOPE DATA "C: \nC: b\nC: .\nE: END \\r\\nb\\r\\n\n" QUEUED},
	    {"dots are taken away once",
		ENVELOPE DATA "C: ..\nC: ..x\nC: .y\nC: z.\nC: .\n"
			      "E: END .\\r\\n.x\\r\\ny\\r\\nz.\\r\\n\n" QUEUED},
	    {"white space stays",
		ENVELOPE DATA "C: \\x20\\t\nC: a\\x20\nC: .\n"
			      "E: END  \\x09\\r\\na \\r\\n\n" QUEUED},
	    {"A18: the next command behind the dot",
		ENVELOPE DATA "C: x\nC: .\nC: NOOP\n"
			      "E: END x\\r\\n\n" QUEUED "S: 250 2.0.0 Ok\n"},
	    {"8-bit octets stay",
		ENVELOPE DATA "C: \\xc7\\xe4\\xff\nC: .\n"
			      "E: END \\xc7\\xe4\\xff\\r\\n\n" QUEUED},
	};

	server_player_check_rows(rows, COUNT(rows), &server_player_options);
}

Test(serve_content, comes_by_bdat)
{
	static const struct server_player_row rows[] = {
	    {"chunks",
		ENVELOPE "R: BDAT 5\\r\\nab\\r\\n.\n"
			 "E: DATA\nS: 250 2.0.0 *\n"
			 "R: BDAT 0\\r\\n\n"
			 "S: 250 2.0.0 *\n"
			 "C: NOOP\nS: 250 2.0.0 Ok\n"
			 "R: bdat 6 last\\r\\n\\r\\nQUIT\n"
			 "E: END ab\\r\\n.\\r\\nQUIT\n" QUEUED QUIT},
	    {"A22 BDAT 0 LAST",
		ENVELOPE "C: BDAT 0 LAST\nE: DATA\nE: END\n" QUEUED},
	    {"A22 a last chunk of nothing",
		ENVELOPE "R: BDAT 1\\r\\nx\n"
			 "E: DATA\nS: 250 2.0.0 *\n"
			 "C: BDAT 0 LAST\nE: END x\n" QUEUED},
	    {"CRLF over two chunks",
		ENVELOPE "R: BDAT 2\\r\\nx\\rBDAT 2 LAST\\r\\n\\ny\n"
			 "E: DATA\nS: 250 2.0.0 *\n"
			 "E: END x\\r\\ny\n" QUEUED},
	    {"lone newlines become CRLF, also the last",
		ENVELOPE "R: BDAT 6 LAST\\r\\na\\nb\\rc\\r\n"
			 "E: DATA\nE: END a\\r\\nb\\r\\nc\\r\\n\n" QUEUED},
	    {"the caller says no: the octets come all the same",
		ENVELOPE "R: BDAT 6 LAST\\r\\nNOOP\\r\\n\n"
			 "E: DATA\nA: 452 4.3.1 No room\n"
			 "S: 452 4.3.1 No room\nE: RESET\n" ENVELOPE},
	    {"the caller says no later",
		ENVELOPE "R: BDAT 3 LAST\\r\\nabc\n"
			 "E: DATA\nA: wait\n"
			 "T: 400000\n"
			 "N: 354 Go ahead\n"
			 "E: END abc\nA: wait\n"
			 "C: NOOP\n"
			 "T: 900000\n"
			 "N: 451 4.3.0 No disk\n"
			 "S: 451 4.3.0 No disk\nS: 250 2.0.0 Ok\n"},
	    {"A22 RSET between chunks",
		ENVELOPE "R: BDAT 2\\r\\nab\n"
			 "E: DATA\nS: 250 2.0.0 *\n"
			 "C: RSET\nS: 250 2.0.0 Ok\nE: RESET\n"
			 "R: BDAT 4 LAST\\r\\nQUIT\n"
			 "S: 503 5.5.1 *\n" ENVELOPE},
	    {"A22 RSET in a chunk is content",
		ENVELOPE "R: BDAT 6 LAST\\r\\nRSET\\r\\n\n"
			 "E: DATA\nE: END RSET\\r\\n\n" QUEUED},
	    {"A22 DATA, MAIL and RCPT behind BDAT",
		ENVELOPE "R: BDAT 2\\r\\nab\n"
			 "E: DATA\nS: 250 2.0.0 *\n"
			 "C: DATA\nW:\nS: 503 5.5.1 *\n"
			 "C: MAIL FROM:<>\nS: 503 5.5.1 *\n"
			 "C: RCPT TO:<a@b>\nS: 503 5.5.1 *\n"
			 "C: BDAT 0 LAST\nE: END ab\n" QUEUED},
	    {"EHLO behind BDAT",
		ENVELOPE "R: BDAT 2\\r\\nab\n"
			 "E: DATA\nS: 250 2.0.0 *\n"
			 "C: EHLO x\nS: 250 HELP\nE: HELLO x\n" ENVELOPE DATA
			 "C: c\nC: .\nE: END c\\r\\n\n" QUEUED},
	    {"without a recipient",
		"R: BDAT 4 LAST\\r\\nQUIT\n"
		"S: 503 5.5.1 *\n" SENDER "R: BDAT 4\\r\\nQUIT\n"
		"S: 503 5.5.1 *\nC: NOOP\nS: 250 2.0.0 Ok\n"},
	    {"NUL",
		ENVELOPE "R: BDAT 4 LAST\\r\\na\\0\\r\\n\n"
			 "E: DATA\nS: 554 5.6.0 *\nE: RESET\n" ENVELOPE},
	    {"NUL in an early chunk",
		ENVELOPE "R: BDAT 4\\r\\na\\0\\r\\n\n"
			 "E: DATA\nS: 554 5.6.0 *\nE: RESET\n"
			 "R: BDAT 4 LAST\\r\\nQUIT\nS: 503 5.5.1 *\n"},
	    {"D6 over the limit at once",
		ENVELOPE "R: BDAT 101 LAST\\r\\n"
			 "12345678901234567890123456789012345678901234567890"
			 "12345678901234567890123456789012345678901234567890"
			 "1\n"
			 "S: 552 5.3.4 *\nE: RESET\n" ENVELOPE},
	    {"D6 over the limit later",
		ENVELOPE "R: BDAT 1\\r\\nx\nE: DATA\nS: 250 2.0.0 *\n"
			 "R: BDAT 100 LAST\\r\\n"
			 "12345678901234567890123456789012345678901234567890"
			 "12345678901234567890123456789012345678901234567890"
			 "\n"
			 "S: 552 5.3.4 *\nE: RESET\n" ENVELOPE},
	    {"A22 too large for every number",
		ENVELOPE "C: BDAT 18446744073709551615 LAST\n"
			 "S: 552 5.3.4 *\nE: RESET\nC: NOOP\nT: 60000\n"
			 "S: 421 4.4.2 *\nE: CLOSE time-out\n"},
	    {"A22 larger than every number",
		ENVELOPE "C: BDAT 18446744073709551616 LAST\nC: NOOP\n"
			 "S: 501 5.5.4 *\nE: RESET\nE: CLOSE *\n"},
	    {"A22 negative",
		ENVELOPE "C: BDAT -5 LAST\nC: NOOP\n"
			 "S: 501 5.5.4 *\nE: RESET\nE: CLOSE *\n"},
	    {"no size", "C: BDAT\nS: 501 5.5.4 *\nE: CLOSE *\n"},
	    {"no marker", "C: BDAT 5 FIRST\nS: 501 5.5.4 *\nE: CLOSE *\n"},
	    {"odd octets", "C: BDAT 5\\xff\nS: 501 5.5.4 *\nE: CLOSE *\n"},
	};
	static const struct server_player_row lone = {"a lone CR at the end",
	    ENVELOPE "R: BDAT 2 LAST\\r\\nc\\r\n"
		     "E: DATA\nS: 550 5.6.0 *\nE: RESET\n"};
	struct smtp_server_options strict = server_player_options;

	server_player_check_rows(rows, COUNT(rows), &server_player_options);
	strict.bare_newline = BARE_NEWLINE_REJECT;
	server_player_check_rows(&lone, 1, &strict);
}

Test(serve_content, ends_only_at_crlf_dot_crlf)
{
#define SMUGGLED                                                               \
	"R: MAIL FROM:<s@evil.example>\\r\\n"                                  \
	"RCPT TO:<t@evil.example>\\r\\nDATA\\r\\n"
#define SMUGGLED_SEEN                                                          \
	"MAIL FROM:<s@evil.example>\\r\\n"                                     \
	"RCPT TO:<t@evil.example>\\r\\nDATA\\r\\n"
#define TRUE_END "\\r\\n.\\r\\n"
	static const struct {
		const char *name, *sent, *seen;
	} rows[] = {
	    {"A1 LF.LF", "a\\n.\\n", "a\\r\\n.\\r\\n"},
	    {"A2 LF.CRLF", "a\\n.\\r\\n", "a\\r\\n.\\r\\n"},
	    {"A3 CRLF.LF", "a\\r\\n.\\n", "a\\r\\n\\r\\n"},
	    {"A4 LF.CR", "a\\n.\\r", "a\\r\\n.\\r\\n"},
	    {"A5 CR.LF", "a\\r.\\n", "a\\r\\n.\\r\\n"},
	    {"A6 CR.CR", "a\\r.\\r", "a\\r\\n.\\r\\n"},
	    {"A7 CR.CRLF", "a\\r.\\r\\n", "a\\r\\n.\\r\\n"},
	    {"A8 CRLF.CR", "a\\r\\n.\\r", "a\\r\\n\\r\\n"},
	    {"A11 CRLF.CRCRLF", "a\\r\\n.\\r\\r\\n", "a\\r\\n\\r\\n\\r\\n"},
	    {"A12 CRCRLF.CRCRLF", "a\\r\\r\\n.\\r\\r\\n",
		"a\\r\\n\\r\\n\\r\\n\\r\\n"},
	    {"A14 LFLF.CRLF", "a\\n\\n.\\r\\n", "a\\r\\n\\r\\n.\\r\\n"},
	    {"LF..LF, stuffed Unix lines", "a\\n..\\n", "a\\r\\n.\\r\\n"},
	    {"LF..CRLF", "a\\n..b\\r\\n", "a\\r\\n.b\\r\\n"},
	};
	struct smtp_server_options strict = server_player_options;
	struct smtp_server_options wide = server_player_options;

	wide.message_size_max = 1000;
	strict.message_size_max = 1000;
	strict.bare_newline = BARE_NEWLINE_REJECT;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *text = NULL;
		cr_assert(asprintf(&text,
			      ENVELOPE DATA "R: %s\n" SMUGGLED TRUE_END
					    "\nE: END %s" SMUGGLED_SEEN
					    "\\r\\n\n" QUEUED QUIT,
			      rows[i].sent, rows[i].seen) > 0);
		server_player_check_rows(
		    &(struct server_player_row){rows[i].name, text}, 1, &wide);
		free(text);
		cr_assert(asprintf(&text,
			      ENVELOPE DATA "R: %s\n" SMUGGLED TRUE_END
					    "\nS: 550 5.6.0 *\nE: RESET\n" QUIT,
			      rows[i].sent) > 0);
		server_player_check_rows(
		    &(struct server_player_row){rows[i].name, text}, 1,
		    &strict);
		free(text);
	}
}

Test(serve_content, may_look_like_its_end)
{
	static const struct server_player_row rows[] = {
	    {"A15 CRLF. CRLF",
		ENVELOPE DATA
		"R: a\\r\\n. \\r\\n .\\r\\n.\\x0b\\r\\n.\\r\\n\n"
		"E: END a\\r\\n \\r\\n .\\r\\n\\x0b\\r\\n\n" QUEUED},
	    {"A16 NEL and LS",
		ENVELOPE DATA
		"R: a\\r\\n.\\x85\\r\\n.\\xe2\\x80\\xa8\\r\\n.\\r\\n\n"
		"E: END a\\r\\n\\x85\\r\\n\\xe2\\x80\\xa8\\r\\n\n" QUEUED},
	    {"A17 the dot in the middle",
		ENVELOPE DATA "R: a.\\r\\n.\\r\\n\n"
			      "E: END a.\\r\\n\n" QUEUED},
	};
	struct smtp_server_options strict = server_player_options;

	strict.bare_newline = BARE_NEWLINE_REJECT;
	server_player_check_rows(rows, COUNT(rows), &strict);
	server_player_check_rows(rows, COUNT(rows), &server_player_options);
}

Test(serve_content, is_awaited_only_so_long)
{
	static const struct server_player_row a8 = {"A8 CRLF.CR for ever",
	    ENVELOPE DATA "R: a\\r\\n.\\r\n"
			  "T: 59999\n"
			  "T: 1\n"
			  "S: 421 4.4.2 *\n"
			  "E: RESET\n"
			  "E: CLOSE time-out\n"};

	server_player_check_rows(&a8, 1, &server_player_options);
}

Test(serve_content, that_is_no_mail_is_refused_at_its_true_end)
{
	static const struct server_player_row rows[] = {
	    {"A9 CRLF NUL . CRLF",
		ENVELOPE DATA "R: a\\r\\n\\0.\\r\\nMAIL FROM:<>\\r\\n.\\r\\n\n"
			      "S: 554 5.6.0 *\nE: RESET\n" QUIT},
	    {"A10 CRLF . NUL CRLF",
		ENVELOPE DATA "R: a\\r\\n.\\0\\r\\nMAIL FROM:<>\\r\\n.\\r\\n\n"
			      "S: 554 5.6.0 *\nE: RESET\n" QUIT},
	    {"D6 over the limit",
		ENVELOPE DATA
		"C: 0123456789012345678901234567890123456789012345678\n"
		"C: 012345678901234567890123456789012345678901234567\n"
		"C: .\nS: 552 5.3.4 *\nE: RESET\n" ENVELOPE DATA
		"C: .\nE: END\n" QUEUED},
	    {"D6 just at it",
		ENVELOPE DATA
		"C: 0123456789012345678901234567890123456789012345678\n"
		"C: 01234567890123456789012345678901234567890123456\n"
		"C: .\n"
		"E: END 0123456789012345678901234567890123456789012345678"
		"\\r\\n01234567890123456789012345678901234567890123456\\r\\n"
		"\n" QUEUED},
	};
	static const struct server_player_row a13 = {
	    "A13 CRCRLF.CRLF is the end",
	    ENVELOPE DATA "R: a\\r\\r\\n.\\r\\n\n"
			  "S: 550 5.6.0 *\nE: RESET\n" QUIT};
	struct smtp_server_options strict = server_player_options;

	strict.bare_newline = BARE_NEWLINE_REJECT;
	server_player_check_rows(rows, COUNT(rows), &server_player_options);
	server_player_check_rows(&a13, 1, &strict);
}

Test(serve_content, goes_on_as_long_as_it_comes)
{
	struct smtp_server_options options = server_player_options;
	struct server_player_session session;
	struct smtp_server_event event;
	char piece[1024];
	int64_t now = SERVER_PLAYER_START;
	size_t content = 0;

	options.message_size_max = 0;
	memset(piece, 'x', sizeof(piece));
	server_player_open(&session, &options);
	server_player_say(&session,
	    "HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<a>\r\n"
	    "BDAT 1048576 LAST\r\n");
	/* 16 KiB within each minute, if only just. */
	for (int i = 0; i < 1024; i++) {
		buffer_append(&session.input, bytes_make(piece, sizeof(piece)));
		while (smtp_server_next(&session.server, now, &event) &&
		    event.kind == SMTP_SERVER_CONTENT)
			content += event.text.len;
		now += options.content_timeout_ms / 16 - 1;
	}
	cr_expect_eq(event.kind, SMTP_SERVER_END);
	cr_expect_eq(content, 1048576);
	server_player_close(&session);
}

/* D1: lines are as long as they are; what to do about it is not ours. */
Test(serve_content, has_lines_of_any_length)
{
	static const size_t sizes[] = {998, 999, 4096, 100000};
	struct smtp_server_options options = server_player_options;

	options.message_size_max = 0;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct server_player_row row = {"D1", NULL};
		char *line = calloc(1, sizes[i] + 1), *text = NULL;
		memset(line, 'x', sizes[i]);
		cr_assert(
		    asprintf(&text,
			ENVELOPE DATA "C: %s\nC: .\nE: END %s\\r\\n\n" QUEUED,
			line, line) > 0);
		row.text = text;
		server_player_check_rows(&row, 1, &options);
		free(line);
		free(text);
	}
}

/* A message of 5 MB comes in a few long views, not line by line. */
Test(serve_content, comes_in_long_stretches)
{
	struct smtp_server_options options = server_player_options;
	struct server_player_session session;
	struct smtp_server_event event;
	size_t content = 0, views = 0;

	options.message_size_max = 0;
	server_player_open(&session, &options);
	server_player_say(
	    &session, "HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<a>\r\n");
	server_player_say(&session, "DATA\r\n");
	for (int i = 0; i < 65536; i++)
		buffer_append_text(&session.input,
		    "0123456789012345678901234567890123456789"
		    "01234567890123456789012345678901234567\r\n");
	buffer_append_text(&session.input, ".\r\n");
	while (smtp_server_next(&session.server, SERVER_PLAYER_START, &event) &&
	    event.kind == SMTP_SERVER_CONTENT) {
		content += event.text.len;
		views++;
	}
	cr_expect_eq(event.kind, SMTP_SERVER_END);
	cr_expect_eq(content, 65536U * 80);
	cr_expect_leq(views, 2, "%zu views", views);
	server_player_close(&session);
}
