#include "base/clock.h"
#include "smtp/smtp_server.h"
#include "smtp/transcript.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define START       ((int64_t)1000000)

/*
 * Transcripts here know, besides C: and S:,
 *
 *   R:  octets from the client as they are
 *   W:  the client waits for its replies before it goes on
 *   T:  milliseconds pass
 *   X:  the caller shuts the session down, with this text
 *   E:  an event
 *   A:  how the event before it is answered, if not with a yes; "wait": by the
 *       next N: line
 *   N:  an answer, now
 *
 * S: lines are only the last line of each reply, except for ehlo lines.
 */
#define SEEN "SE"

static const struct smtp_server_options local_door = {
    .hostname = "mx.example",
    .message_size_max = 100,
    .recipients_max = 3,
    .bare_newline = BARE_NEWLINE_NORMALIZE,
    .command_timeout_ms = 300000,
    .content_timeout_ms = 60000,
    .errors_max = 20,
};

struct player {
	struct smtp_server server;
	struct buffer input;
	struct buffer output;
	struct buffer content; /* of the message under way */
	struct buffer pending; /* from the client, not yet brought */
	struct buffer *log;
	struct transcript_cuts *cuts;
	const char *text;
	size_t asked; /* events so far */
	size_t ends;  /* answers given to the last of them */
	int64_t now;
};

/* ---- answers ---- */

static bool
is_asking(struct bytes event)
{
	static const char *const kinds[] = {
	    "MAIL", "RCPT", "DATA", "END", "ETRN"};

	for (size_t i = 0; i < COUNT(kinds); i++) {
		if (bytes_has_prefix(event, kinds[i]))
			return true;
	}
	return false;
}

/* The skip'th A: line behind the asked'th E: line that asks, or empty. */
static struct bytes
given_answer(const char *text, size_t asked, size_t skip)
{
	struct bytes rest = bytes_of(text);
	struct transcript_line line;

	while (transcript_next(&rest, &line)) {
		if (line.kind == 'E' && is_asking(line.text) && asked-- == 0)
			break;
	}
	while (transcript_next(&rest, &line) && line.kind != 'E') {
		if (line.kind == 'A' && skip-- == 0)
			return line.text;
	}
	return BYTES_NONE;
}

static struct bytes
default_answer(int kind)
{
	static const char *const answers[] = {
	    [SMTP_SERVER_MAIL] = "250 2.1.0 Sender ok",
	    [SMTP_SERVER_RCPT] = "250 2.1.5 Recipient ok",
	    [SMTP_SERVER_DATA] = "354 Go ahead",
	    [SMTP_SERVER_END] = "250 2.0.0 Queued",
	    [SMTP_SERVER_ETRN] = "250 2.0.0 Started",
	};

	return bytes_of(answers[kind]);
}

static void
give_answer(struct player *player, struct bytes answer)
{
	char enhanced[16] = "", text[200];
	struct bytes rest = answer;
	unsigned long long code = 0;

	cr_assert(bytes_to_u64(bytes_cut(&rest, ' '), 599, &code));
	if (rest.len > 1 && rest.data[1] == '.') {
		struct bytes second = bytes_cut(&rest, ' ');
		snprintf(
		    enhanced, sizeof(enhanced), "%.*s", BYTES_ARGS(second));
	}
	snprintf(text, sizeof(text), "%.*s", BYTES_ARGS(rest));
	smtp_server_answer(
	    &player->server, (int)code, enhanced, text, player->now);
}

static void
answer(struct player *player)
{
	int kind = player->server.asked;

	while (player->server.asked >= 0) {
		struct bytes given =
		    given_answer(player->text, player->asked, player->ends++);
		if (bytes_is(given, "wait"))
			break;
		give_answer(
		    player, given.len > 0 ? given : default_answer(kind));
		if (kind != SMTP_SERVER_END)
			break;
	}
	player->ends = 0;
	player->asked++;
}

/* ---- what is seen ---- */

static void
log_output(struct player *player)
{
	struct bytes rest = buffer_bytes(&player->output);

	while (rest.len > 0) {
		struct bytes line = bytes_cut(&rest, '\n');
		bool last = line.len > 3 && line.data[3] == ' ';
		cr_assert(line.len > 4 && line.data[line.len - 1] == '\r');
		line.len--;
		cr_assert_not(bytes_has_control(line));
		cr_assert(bytes_is_ascii(line));
		if (last)
			buffer_printf(
			    player->log, "S: %.*s\n", BYTES_ARGS(line));
	}
	buffer_empty(&player->output);
}

static void
log_event(struct player *player, const struct smtp_server_event *event)
{
	static const char *const names[] = {
	    [SMTP_SERVER_MAIL] = "MAIL",
	    [SMTP_SERVER_RCPT] = "RCPT",
	    [SMTP_SERVER_DATA] = "DATA",
	    [SMTP_SERVER_END] = "END",
	    [SMTP_SERVER_ETRN] = "ETRN",
	    [SMTP_SERVER_HELLO] = "HELLO",
	    [SMTP_SERVER_CONTENT] = "CONTENT",
	    [SMTP_SERVER_RESET] = "RESET",
	    [SMTP_SERVER_START_TLS] = "START_TLS",
	    [SMTP_SERVER_CLOSE] = "CLOSE",
	};
	bool is_path =
	    event->kind == SMTP_SERVER_MAIL || event->kind == SMTP_SERVER_RCPT;
	struct bytes text = event->kind == SMTP_SERVER_END
	    ? buffer_bytes(&player->content)
	    : event->text;

	buffer_printf(player->log, "E: %s", names[event->kind]);
	buffer_append_text(player->log,
	    is_path            ? " <"
		: text.len > 0 ? " "
			       : "");
	transcript_escape(player->log, text);
	buffer_append_text(player->log, is_path ? ">" : "");
	params_write_mail(player->log, &event->mail, ~0U);
	params_write_rcpt(player->log, &event->rcpt, ~0U);
	buffer_append_char(player->log, '\n');
}

static void
handle(struct player *player, const struct smtp_server_event *event)
{
	log_output(player);
	if (event->kind == SMTP_SERVER_CONTENT) {
		cr_assert(event->text.len > 0);
		buffer_append(&player->content, event->text);
		return;
	}
	log_event(player, event);
	buffer_empty(&player->content);
	if (event->kind == SMTP_SERVER_START_TLS)
		smtp_server_tls_started(&player->server, player->now);
	if (player->server.asked >= 0)
		answer(player);
	log_output(player);
}

static void
drive(struct player *player)
{
	struct smtp_server_event event;

	while (smtp_server_next(&player->server, player->now, &event)) {
		cr_assert_eq(
		    event.kind <= SMTP_SERVER_ETRN, player->server.asked >= 0);
		handle(player, &event);
	}
	log_output(player);
}

/* ---- what is played ---- */

static void
bring_pending(struct player *player)
{
	while (player->pending.len > 0) {
		struct bytes left = buffer_bytes(&player->pending);
		size_t piece = transcript_piece(player->cuts, left.len);
		buffer_append(&player->input, bytes_first(left, piece));
		buffer_consume(&player->pending, piece);
		drive(player);
	}
}

static void
play_line(struct player *player, struct transcript_line line)
{
	unsigned long long wait_ms = 0;
	char text[200];

	if (line.kind == 'C' || line.kind == 'R')
		transcript_unescape(&player->pending, line.text);
	if (line.kind == 'C')
		buffer_append_text(&player->pending, "\r\n");
	if (strchr("WTXN", line.kind) == NULL)
		return;

	bring_pending(player);
	snprintf(text, sizeof(text), "%.*s", BYTES_ARGS(line.text));
	if (line.kind == 'T')
		cr_assert(bytes_to_u64(line.text, INT32_MAX, &wait_ms));
	player->now += (int64_t)wait_ms;
	if (line.kind == 'X')
		smtp_server_shut(&player->server, "4.3.2", text);
	if (line.kind == 'N')
		give_answer(player, line.text);
	drive(player);
}

static void
play(const char *text, struct transcript_cuts *cuts, struct buffer *log,
    void *ctx)
{
	struct player player = {
	    .log = log, .cuts = cuts, .text = text, .now = START};
	struct bytes rest = bytes_of(text);
	struct transcript_line line;

	buffer_init(&player.input, (size_t)1 << 24);
	buffer_init(&player.output, (size_t)1 << 24);
	buffer_init(&player.content, (size_t)1 << 24);
	buffer_init(&player.pending, (size_t)1 << 24);
	smtp_server_init(
	    &player.server, ctx, &player.input, &player.output, player.now);
	while (transcript_next(&rest, &line))
		play_line(&player, line);
	bring_pending(&player);
	drive(&player);
	smtp_server_clear(&player.server);
	buffer_clear(&player.input);
	buffer_clear(&player.output);
	buffer_clear(&player.content);
	buffer_clear(&player.pending);
}

struct row {
	const char *name;
	const char
	    *text; /* behind the greeting and EHLO, where check_greeted() */
};

static void
check(const char *name, const char *text,
    const struct smtp_server_options *options)
{
	struct smtp_server_options copy = *options;

	transcript_check(name, text, SEEN, play, &copy);
}

/* Behind a greeting and an EHLO. */
static void
check_greeted(const struct row *row, const struct smtp_server_options *options)
{
	const char *hello = options->lmtp ? "LHLO" : "EHLO";
	char *text = NULL;

	cr_assert(asprintf(&text,
		      "S: 220 mx.example *\n"
		      "C: %s client.example\n"
		      "S: 250 HELP\n"
		      "E: HELLO client.example\n"
		      "%s",
		      hello, row->text) > 0);
	check(row->name, text, options);
	free(text);
}

/* Behind MAIL and one RCPT, too; options may be NULL. */
#define ENVELOPE                                                               \
	"C: MAIL FROM:<a@b.example>\n"                                         \
	"E: MAIL <a@b.example>\n"                                              \
	"S: 250 2.1.0 Sender ok\n"                                             \
	"C: RCPT TO:<c@d.example>\n"                                           \
	"E: RCPT <c@d.example>\n"                                              \
	"S: 250 2.1.5 Recipient ok\n"
#define DATA                                                                   \
	"C: DATA\n"                                                            \
	"E: DATA\n"                                                            \
	"S: 354 Go ahead\n"                                                    \
	"W:\n"
#define QUEUED "S: 250 2.0.0 Queued\n"
#define QUIT                                                                   \
	"C: QUIT\n"                                                            \
	"S: 221 2.0.0 Bye\n"                                                   \
	"E: CLOSE QUIT\n"

static void
check_rows(const struct row *rows, size_t count,
    const struct smtp_server_options *options)
{
	for (size_t i = 0; i < count; i++)
		check_greeted(&rows[i], options);
}

/* ---- RFC 5321 ---- */

Test(smtp_server, takes_messages_by_data)
{
	static const struct row rows[] = {
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

	check_rows(rows, COUNT(rows), &local_door);
}

Test(smtp_server, ends_data_only_at_crlf_dot_crlf)
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
	struct smtp_server_options strict = local_door;
	struct smtp_server_options wide = local_door;

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
		check_greeted(&(struct row){rows[i].name, text}, &wide);
		free(text);
		cr_assert(asprintf(&text,
			      ENVELOPE DATA "R: %s\n" SMUGGLED TRUE_END
					    "\nS: 550 5.6.0 *\nE: RESET\n" QUIT,
			      rows[i].sent) > 0);
		check_greeted(&(struct row){rows[i].name, text}, &strict);
		free(text);
	}
}

Test(smtp_server, takes_what_only_looks_like_an_end_as_content)
{
	static const struct row rows[] = {
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
	struct smtp_server_options strict = local_door;

	strict.bare_newline = BARE_NEWLINE_REJECT;
	check_rows(rows, COUNT(rows), &strict);
	check_rows(rows, COUNT(rows), &local_door);
}

Test(smtp_server, waits_for_the_end_that_never_comes)
{
	static const struct row a8 = {"A8 CRLF.CR for ever",
	    ENVELOPE DATA "R: a\\r\\n.\\r\n"
			  "T: 59999\n"
			  "T: 1\n"
			  "S: 421 4.4.2 *\n"
			  "E: RESET\n"
			  "E: CLOSE time-out\n"};

	check_greeted(&a8, &local_door);
}

Test(smtp_server, refuses_what_is_no_mail_at_the_true_end_only)
{
	static const struct row rows[] = {
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
	static const struct row a13 = {"A13 CRCRLF.CRLF is the end",
	    ENVELOPE DATA "R: a\\r\\r\\n.\\r\\n\n"
			  "S: 550 5.6.0 *\nE: RESET\n" QUIT};
	struct smtp_server_options strict = local_door;

	strict.bare_newline = BARE_NEWLINE_REJECT;
	check_rows(rows, COUNT(rows), &local_door);
	check_greeted(&a13, &strict);
}

Test(smtp_server, closes_on_content_before_354)
{
	static const struct row rows[] = {
	    {"A19 a body behind DATA",
		ENVELOPE "C: DATA\n"
			 "C: Subject: x\n"
			 "C: .\n"
			 "C: MAIL FROM:<s@evil.example>\n"
			 "S: 503 5.5.0 *\nE: RESET\nE: CLOSE *\n"},
	    {"A19 behind DATA that is refused anyway",
		"C: MAIL FROM:<a@b.example>\n"
		"E: MAIL <a@b.example>\nS: 250 2.1.0 Sender ok\n"
		"C: DATA\nC: MAIL FROM:<s@evil.example>\n"
		"S: 503 5.5.0 *\nE: RESET\nE: CLOSE *\n"},
	};
	struct transcript_cuts cuts = {TRANSCRIPT_WHOLE, 0};

	/* What comes in time decides, so this is about one write only. */
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct smtp_server_options options = local_door;
		struct buffer log;
		buffer_init(&log, 10000);
		char *text = NULL;
		cr_assert(asprintf(&text, "C: EHLO x\n%s", rows[i].text) > 0);
		play(text, &cuts, &log, &options);
		struct bytes seen = buffer_bytes(&log);
		cr_expect(bytes_search(seen, BYTES("503 5.5.0")) < seen.len &&
			bytes_search(seen, BYTES("E: CLOSE")) < seen.len &&
			bytes_search(seen, BYTES("evil")) == seen.len &&
			bytes_search(seen, BYTES("354")) == seen.len,
		    "%s: %.*s", rows[i].name, BYTES_ARGS(seen));
		free(text);
		buffer_clear(&log);
	}

	static const struct row while_asked = {"A19 while DATA is asked",
	    ENVELOPE "C: DATA\n"
		     "E: DATA\n"
		     "A: wait\n"
		     "W:\n"
		     "C: x\n"
		     "N: 354 Go ahead\n"
		     "S: 503 5.5.0 *\nE: RESET\n"
		     "E: CLOSE Content before it was asked for\n"};
	check_greeted(&while_asked, &local_door);
}

Test(smtp_server, keeps_commands_in_their_order)
{
	static const struct row rows[] = {
	    {"B2 RCPT before MAIL", "C: RCPT TO:<a@b>\nS: 503 5.5.1 *\n"},
	    {"B2 DATA before MAIL", "C: DATA\nW:\nS: 503 5.5.1 *\n"},
	    {"B2 DATA without a recipient",
		"C: MAIL FROM:<>\nE: MAIL <>\nS: 250 2.1.0 Sender ok\n"
		"C: RCPT TO:<x@y>\nE: RCPT <x@y>\nA: 550 5.1.1 No such user\n"
		"S: 550 5.1.1 No such user\n"
		"C: DATA\nW:\nS: 503 5.5.1 *\n"},
	    {"B2 MAIL twice: the first is kept",
		"C: MAIL FROM:<a@b>\nE: MAIL <a@b>\nS: 250 2.1.0 Sender ok\n"
		"C: MAIL FROM:<x@y>\nS: 503 5.5.1 *\n"
		"C: RCPT TO:<c@d>\nE: RCPT <c@d>\nS: 250 2.1.5 Recipient ok\n"},
	    {"a refused MAIL begins nothing",
		"C: MAIL FROM:<a@b>\nE: MAIL <a@b>\nA: 451 4.3.0 Later\n"
		"S: 451 4.3.0 Later\n"
		"C: RCPT TO:<c@d>\nS: 503 5.5.1 *\n"},
	    {"B3 RSET",
		ENVELOPE "C: RSET\nS: 250 2.0.0 Ok\nE: RESET\n"
			 "C: RCPT TO:<c@d>\nS: 503 5.5.1 *\n"},
	    {"RSET of nothing", "C: RSET\nS: 250 2.0.0 Ok\n"},
	    {"B3 EHLO",
		ENVELOPE "C: EHLO y\nS: 250 HELP\nE: HELLO y\n"
			 "C: RCPT TO:<c@d>\nS: 503 5.5.1 *\n"},
	    {"B3 HELO",
		ENVELOPE "C: HELO y\nS: 250 mx.example\nE: HELLO y\n"
			 "C: RCPT TO:<c@d>\nS: 503 5.5.1 *\n"},
	    {"RCPT behind the dot",
		ENVELOPE DATA "C: .\nE: END\n" QUEUED
			      "C: RCPT TO:<c@d>\nS: 503 5.5.1 *\n"},
	    {"DATA refused by the caller",
		ENVELOPE "C: DATA\nE: DATA\nA: 452 4.3.1 No room\nW:\n"
			 "S: 452 4.3.1 No room\nE: RESET\n" ENVELOPE},
	    {"END refused by the caller",
		ENVELOPE DATA "C: .\nE: END\nA: 451 4.3.0 No disk\n"
			      "S: 451 4.3.0 No disk\n" ENVELOPE},
	    {"QUIT in a transaction",
		ENVELOPE "C: QUIT\nS: 221 2.0.0 Bye\nE: RESET\n"
			 "E: CLOSE QUIT\n"},
	    {"nothing behind QUIT", QUIT "C: NOOP\n"},
	};

	check_rows(rows, COUNT(rows), &local_door);
}

Test(smtp_server, answers_simple_commands_before_ehlo)
{
	check("before EHLO",
	    "S: 220 mx.example ESMTP *\n"
	    "C: NOOP\nS: 250 2.0.0 Ok\n"
	    "C: noop something\nS: 250 2.0.0 Ok\n"
	    "C: HELP\nS: 214 2.0.0 *\n"
	    "C: HELP MAIL\nS: 214 2.0.0 *\n"
	    "C: VRFY root\nS: 252 2.5.2 *\n"
	    "C: VRFY\nS: 501 5.5.4 *\n"
	    "C: EXPN root\nS: 502 5.5.1 *\n"
	    "C: RSET\nS: 250 2.0.0 Ok\n"
	    "C: MAIL FROM:<a@b>\nS: 503 5.5.1 *\n"
	    "C: RCPT TO:<a@b>\nS: 503 5.5.1 *\n"
	    "C: DATA\nW:\nS: 503 5.5.1 *\n" QUIT,
	    &local_door);
}

Test(smtp_server, refuses_commands_it_does_not_know)
{
	static const struct row rows[] = {
	    {"an empty line", "C: \nS: 500 5.5.2 *\n"},
	    {"an unknown verb", "C: FROBNICATE\nS: 500 5.5.1 *\n"},
	    {"a leading blank", "R: \\x20NOOP\\r\\n\nS: 500 5.5.1 *\n"},
	    {"obsolete ones",
		"C: SEND FROM:<a@b>\nS: 502 5.5.1 *\n"
		"C: SOML FROM:<a@b>\nS: 502 5.5.1 *\n"
		"C: SAML FROM:<a@b>\nS: 502 5.5.1 *\n"
		"C: TURN\nS: 502 5.5.1 *\n"},
	    {"B1 STARTTLS where there is none",
		"R: STARTTLS\\r\\nMAIL FROM:<>\\r\\n\n"
		"S: 502 5.5.1 *\nE: MAIL <>\nS: 250 2.1.0 Sender ok\n"},
	    {"B7 AUTH where there is none",
		"C: AUTH PLAIN AGEAYg==\nS: 502 5.5.1 *\n"
		"C: AUTH LOGIN\nS: 502 5.5.1 *\n"
		"C: AUTH \\xff\nS: 502 5.5.1 *\n"},
	    {"B9 what proxies say",
		"C: XCLIENT NAME=x\nS: 500 5.5.1 *\n"
		"C: XFORWARD NAME=x\nS: 500 5.5.1 *\n"
		"C: PROXY TCP4 1.2.3.4 1.2.3.4 1 2\nS: 500 5.5.1 *\n"
		"R: \\r\\n\\r\\n\\0\\r\\nQUIT\\n!\\x11\\0\\x0c\\r\\n\n"
		"S: 500 5.5.2 *\nS: 500 5.5.2 *\nS: 500 5.5.1 *\n"
		"S: 221 2.0.0 Bye\nE: CLOSE QUIT\n"},
	    {"B11 ETRN where there is none", "C: ETRN x\nS: 502 5.5.1 *\n"},
	    {"ATRN, LHLO",
		"C: ATRN x\nS: 500 5.5.1 *\nC: LHLO x\nS: 500 5.5.1 *\n"},
	    {"arguments that must not be",
		"C: RSET x\nS: 501 5.5.4 *\nC: QUIT x\nS: 501 5.5.4 *\n"
		"C: DATA x\nW:\nS: 501 5.5.4 *\n"},
	    {"verbs without case, and blanks behind",
		"C: nOoP\nS: 250 2.0.0 Ok\nR: RSET  \\r\\n\nS: 250 2.0.0 Ok\n"},
	    {"lines that end in LF",
		"R: NOOP\\nNOOP\\n\nS: 250 2.0.0 Ok\n"
		"S: 250 2.0.0 Ok\n"},
	};

	check_rows(rows, COUNT(rows), &local_door);
}

Test(smtp_server, looks_at_the_clients_name)
{
	static const struct row rows[] = {
	    {"EHLO alone", "C: EHLO\nS: 501 5.5.4 *\n"},
	    {"HELO alone", "C: HELO\nS: 501 5.5.4 *\n"},
	    {"an address",
		"C: EHLO [IPv6:::1]\nS: 250 HELP\n"
		"E: HELLO [IPv6:::1]\n"},
	    {"no real domain", "C: EHLO my_pc\nS: 250 HELP\nE: HELLO my_pc\n"},
	    {"two words", "C: EHLO a b\nS: 501 5.5.4 *\n"},
	    {"what breaks out of Received",
		"C: EHLO a(b)\nS: 501 5.5.4 *\nC: EHLO a;b\nS: 501 5.5.4 *\n"
		"C: EHLO \\x22a\\x22\nS: 501 5.5.4 *\n"},
	    {"B5 octets that are no text",
		"C: EHLO \\xff\nS: 501 5.5.4 *\nC: EHLO a\\x1b[2J\n"
		"S: 501 5.5.4 *\nC: EHLO a\\0\nS: 501 5.5.4 *\n"},
	};

	check_rows(rows, COUNT(rows), &local_door);
}

Test(smtp_server, refuses_odd_octets_without_echo)
{
	/* log_output() asserts that replies are printable. */
	static const struct row rows[] = {
	    {"B5 NUL", "C: NOOP a\\0b\nS: 501 5.5.4 *\n"},
	    {"B5 8-bit", "C: NOOP \\x80\\xff\nS: 501 5.5.4 *\n"},
	    {"B5 ESC", "C: HELP \\x1b[1m\nS: 501 5.5.4 *\n"},
	    {"B5 a lone CR", "R: NOOP a\\rb\\r\\n\nS: 501 5.5.4 *\n"},
	    {"B5 two CRs", "R: NOOP a\\r\\r\\n\nS: 501 5.5.4 *\n"},
	    {"B5 in a path", "C: MAIL FROM:<a\\x1b@b>\nS: 501 5.5.4 *\n"},
	    {"B5 VRFY", "C: VRFY \\x07\nS: 501 5.5.4 *\n"},
	    {"B5 in the verb", "C: NO\\0OP\nS: 500 5.5.1 *\n"},
	    {"C2 CR in a parameter",
		"C: MAIL FROM:<>\nE: MAIL <>\nS: 250 2.1.0 Sender ok\n"
		"R: RCPT TO:<x@y> NOTIFY=NEVER\\rX\\r\\n\nS: 501 5.5.4 *\n"},
	};

	check_rows(rows, COUNT(rows), &local_door);
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
		check_greeted(&(struct row){rows[i].name, text}, &local_door);
		free(filler);
		free(text);
	}
}

Test(smtp_server, keeps_little_of_a_line_without_end)
{
	struct smtp_server_options options = local_door;
	struct smtp_server server;
	struct smtp_server_event event;
	struct buffer input, output;
	char piece[4096];
	int64_t now = START;

	memset(piece, 'x', sizeof(piece));
	buffer_init(&input, 64 * 1024);
	buffer_init(&output, 64 * 1024);
	smtp_server_init(&server, &options, &input, &output, now);
	for (int i = 0; i < 2560; i++) {
		buffer_append(&input, bytes_make(piece, sizeof(piece)));
		cr_assert_not(smtp_server_next(&server, now, &event));
		cr_assert_eq(input.len, 0);
	}
	buffer_append_text(&output, "|");
	cr_assert(bytes_search(buffer_bytes(&output), BYTES("500 5.5.2 ")) <
	    output.len);

	/* Nobody sends so for ever. */
	now = smtp_server_deadline(&server);
	cr_assert_eq(now, START + options.command_timeout_ms);
	buffer_append_text(&input, "x");
	cr_assert(smtp_server_next(&server, now, &event));
	cr_assert_eq(event.kind, SMTP_SERVER_CLOSE);
	smtp_server_clear(&server);
	buffer_clear(&input);
	buffer_clear(&output);
}

Test(smtp_server, closes_after_too_many_errors)
{
	struct smtp_server_options options = local_door;
	static const struct row rows[] = {
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
	check_rows(rows, COUNT(rows), &options);
}

Test(smtp_server, closes_on_http)
{
	static const struct row rows[] = {
	    {"B10 POST",
		"C: POST / HTTP/1.1\nC: Host: x\nC: \nC: MAIL FROM:<a@b>\n"
		"S: 500 5.5.1 *\nE: CLOSE *\n"},
	    {"B10 GET",
		"C: GET /\\xff\\0 HTTP/1.1\n"
		"S: 500 5.5.1 *\nE: CLOSE *\n"},
	    {"B10 later on",
		ENVELOPE "C: options * HTTP/1.1\nS: 500 5.5.1 *\n"
			 "E: RESET\nE: CLOSE *\n"},
	};

	check_rows(rows, COUNT(rows), &local_door);
	check("B10 at the first line",
	    "S: 220 *\nC: PUT /x HTTP/1.0\nC: \nC: EHLO x\n"
	    "S: 500 5.5.1 *\nE: CLOSE *\n",
	    &local_door);
}

/* ---- envelopes ---- */

Test(smtp_server, takes_senders_as_they_are)
{
	static const struct {
		const char *name, *sent, *seen; /* seen NULL: refused */
		const char *reply;
	} rows[] = {
	    {"null", "<>", "<>", NULL},
	    {"C7 quoted", "<\"john doe\"@x>", "<\"john doe\"@x>", NULL},
	    {"C7 escapes", "<\"a\\x5c\\x22b\"@c>", "<\"a\\x5c\"b\"@c>", NULL},
	    {"C8 a source route is dropped", "<@a,@b:u@d>", "<u@d>", NULL},
	    {"C9 percent", "<u%h@d>", "<u%h@d>", NULL},
	    {"C9 bang", "<h!u@d>", "<h!u@d>", NULL},
	    {"C9 two at signs", "<u@d@e>", NULL, "501 5.1.7 *"},
	    {"C10 literals", "<a@[127.0.0.1]>", "<a@[127.0.0.1]>", NULL},
	    {"C13 A-labels", "<a@xn--bcher-kva.example>",
		"<a@xn--bcher-kva.example>", NULL},
	    {"C15 a dash in front", "<-a@b>", "<-a@b>", NULL},
	    {"C5 shell words", "<`id`@x>", "<`id`@x>", NULL},
	    {"C5 a pipe", "<|cmd@x>", "<|cmd@x>", NULL},
	    {"C5 a path", "</etc/passwd@x>", "</etc/passwd@x>", NULL},
	    {"C5 expansion", "<${run{id}}@x>", "<${run{id}}@x>", NULL},
	    {"C5 substitution", "<$(id)@x>", NULL, "501 5.1.7 *"},
	    {"C5 a script", "<;for i in 0 1;do read r;done;sh;exit 0;@>", NULL,
		"501 5.1.7 *"},
	    {"C6 a bad local part alone", "<bad local>", NULL, "501 5.1.7 *"},
	    {"an end missing", "<a@x", NULL, "501 5.1.7 *"},
	    {"C14 no brackets", "a@x", NULL, "501 5.1.7 *"},
	    {"C12 UTF-8 undeclared", "<\\xc3\\xbc@x>", NULL, "553 5.6.7 *"},
	    {"C12 no UTF-8", "<\\xc0\\xaf@x>", NULL, "501 5.1.7 *"},
	    {"C1 a line end inside", "<a\\r@x>", NULL, "501 5.5.4 *"},
	    {"C16 a blank", " <a@b>", "<a@b>", NULL},
	    {"C16 a tab", "\\t<a@b>", NULL, "501 5.5.4 *"},
	    {"bare", "<root>", "<root>", NULL},
	    {"C2 text behind", "<x@y>%0d%0aDATA", NULL, "501 5.5.4 *"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char *text = NULL;
		int len = rows[i].seen == NULL
		    ? asprintf(&text,
			  "R: mail from:%s\\r\\n\nS: %s\n"
			  "C: RCPT TO:<a@b>\nS: 503 5.5.1 *\n",
			  rows[i].sent, rows[i].reply)
		    : asprintf(&text,
			  "R: mail from:%s\\r\\n\n"
			  "E: MAIL %s\nS: 250 2.1.0 Sender ok\n",
			  rows[i].sent, rows[i].seen);
		cr_assert(len > 0);
		check_greeted(&(struct row){rows[i].name, text}, &local_door);
		free(text);
	}
}

Test(smtp_server, takes_recipients_as_they_are)
{
#define SENDER "C: MAIL FROM:<>\nE: MAIL <>\nS: 250 2.1.0 Sender ok\n"
#define TAKEN  "S: 250 2.1.5 Recipient ok\n"
	static const struct row rows[] = {
	    {"C14 <>", SENDER "C: RCPT TO:<>\nS: 501 5.1.3 *\n"},
	    {"C14 no brackets",
		SENDER "C: RCPT TO:postmaster\nS: 501 5.1.3 *\n"},
	    {"C14 postmaster",
		SENDER "C: RCPT TO:<Postmaster>\nE: RCPT <Postmaster>\n" TAKEN},
	    {"C16 FROM for TO", SENDER "C: RCPT FROM:<a@b>\nS: 501 5.5.4 *\n"},
	    {"no argument", SENDER "C: RCPT\nS: 501 5.5.4 *\n"},
	    {"C12 UTF-8",
		SENDER "C: RCPT TO:<\\xc3\\xbc@x>\n"
		       "S: 553 5.6.7 *\n"},
	    {"C11 too long",
		SENDER "C: RCPT TO:<"
		       "12345678901234567890123456789012345678901234567890"
		       "123456789012345@x>\nS: 501 5.1.3 *\n"},
	    {"G2 more than the limit",
		SENDER "C: RCPT TO:<a@b>\nE: RCPT <a@b>\n" TAKEN
		       "C: RCPT TO:<c@d>\nE: RCPT <c@d>\nA: 550 5.1.1 No\n"
		       "S: 550 5.1.1 No\n"
		       "C: RCPT TO:<e@f>\nE: RCPT <e@f>\n" TAKEN
		       "C: RCPT TO:<g@h>\nE: RCPT <g@h>\n" TAKEN
		       "C: RCPT TO:<i@j>\nS: 452 4.5.3 *\n"
		       "C: RCPT TO:<k@l>\nS: 452 4.5.3 *\n" DATA
		       "C: .\nE: END\n" QUEUED},
	};
	static const struct row bare = {"qualified only",
	    SENDER "C: RCPT TO:<root>\nS: 501 5.1.3 *\n"
		   "C: RCPT TO:<postmaster>\nE: RCPT <postmaster>\n" TAKEN};
	struct smtp_server_options strict = local_door;

	check_rows(rows, COUNT(rows), &local_door);
	strict.qualified_only = true;
	check_greeted(&bare, &strict);
}

Test(smtp_server, reads_parameters)
{
	static const struct row rows[] = {
	    {"all of MAIL",
		"C: MAIL FROM:<a@b> body=8bitmime size=100 smtputf8 "
		"RET=HDRS ENVID=QQ+2B1\n"
		"E: MAIL <a@b> SIZE=100 BODY=8BITMIME SMTPUTF8 RET=HDRS "
		"ENVID=QQ+2B1\nS: 250 2.1.0 Sender ok\n"},
	    {"all of RCPT",
		SENDER
		"C: RCPT TO:<a@b> NOTIFY=success,DELAY "
		"ORCPT=rfc822;a@b\n"
		"E: RCPT <a@b> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a@b\n" TAKEN},
	    {"D6 SIZE over the limit",
		"C: MAIL FROM:<a@b> SIZE=101\nS: 552 5.3.4 *\n"
		"C: MAIL FROM:<a@b> SIZE=18446744073709551615\n"
		"S: 552 5.3.4 *\n"
		"C: RCPT TO:<a@b>\nS: 503 5.5.1 *\n"},
	    {"D6 no SIZE",
		"C: MAIL FROM:<a@b> SIZE=18446744073709551616\n"
		"S: 501 5.5.4 *\n"
		"C: MAIL FROM:<a@b> SIZE=-1\nS: 501 5.5.4 *\n"
		"C: MAIL FROM:<a@b> SIZE=1e9\nS: 501 5.5.4 *\n"
		"C: MAIL FROM:<a@b> SIZE=\nS: 501 5.5.4 *\n"},
	    {"C3 control characters in xtext",
		"C: MAIL FROM:<> ENVID=a+0Ab\nS: 501 5.5.4 *\n"
		"C: MAIL FROM:<> AUTH=a+0Ab\nS: 555 5.5.4 *\n" SENDER
		"C: RCPT TO:<a@b> ORCPT=rfc822;a+0D+0Ab\nS: 501 5.5.4 *\n"},
	    {"C4 nonsense",
		"C: MAIL FROM:<x> A=\\x22\nS: 555 5.5.4 *\n"
		"C: MAIL FROM:<x> =A\nS: 501 5.5.4 *\n"
		"C: MAIL FROM:<x>SIZE=1\nS: 501 5.5.4 *\n"},
	    {"not offered",
		"C: MAIL FROM:<x> BODY=BINARYMIME\nS: 504 5.5.4 *\n"
		"C: MAIL FROM:<x> REQUIRETLS\nS: 555 5.5.4 *\n"
		"C: MAIL FROM:<x> HOLDFOR=9\nS: 555 5.5.4 *\n"},
	    {"none behind HELO",
		"C: HELO x\nS: 250 mx.example\nE: HELLO x\n"
		"C: MAIL FROM:<a@b> SIZE=10\nS: 555 5.5.4 *\n" SENDER
		"C: RCPT TO:<a@b> NOTIFY=NEVER\nS: 555 5.5.4 *\n"},
	    {"DSN's rules",
		"C: MAIL FROM:<x> RET=FULL RET=FULL\nS: 501 5.5.4 *\n" SENDER
		"C: RCPT TO:<a@b> NOTIFY=NEVER,DELAY\nS: 501 5.5.4 *\n"
		"C: RCPT TO:<a@b> ORCPT=a@b\nS: 501 5.5.4 *\n"},
	};

	check_rows(rows, COUNT(rows), &local_door);
}

Test(smtp_server, takes_utf8_where_declared)
{
	static const struct row rows[] = {
	    {"C12 with SMTPUTF8",
		"C: MAIL FROM:<\\xc3\\xbc@\\xc3\\xa4.example> SMTPUTF8\n"
		"E: MAIL <\\xc3\\xbc@\\xc3\\xa4.example> SMTPUTF8\n"
		"S: 250 2.1.0 Sender ok\n"
		"C: RCPT TO:<\\xc3\\xb6@x>\nE: RCPT <\\xc3\\xb6@x>\n" TAKEN},
	    {"C12 overlong, surrogates, LS",
		"C: MAIL FROM:<\\xc0\\xaf@x> SMTPUTF8\nS: 501 5.1.7 *\n"
		"C: MAIL FROM:<\\xed\\xa0\\x80@x> SMTPUTF8\nS: 501 5.1.7 *\n"
		"C: MAIL FROM:<\\xe2\\x80\\xa8@x> SMTPUTF8\nS: 501 5.1.7 *\n"
		"C: MAIL FROM:<a@x> SMTPUTF8=1\nS: 501 5.5.4 *\n"},
	    {"C12 it ends with the transaction",
		"C: MAIL FROM:<> SMTPUTF8\nE: MAIL <> SMTPUTF8\n"
		"S: 250 2.1.0 Sender ok\nC: RSET\nS: 250 2.0.0 Ok\nE: "
		"RESET\n" SENDER "C: RCPT TO:<\\xc3\\xb6@x>\nS: 553 5.6.7 *\n"},
	    {"it ends where MAIL is refused",
		"C: MAIL FROM:<> SMTPUTF8\nE: MAIL <> SMTPUTF8\n"
		"A: 451 4.3.0 No\nS: 451 4.3.0 No\n" SENDER
		"C: RCPT TO:<\\xc3\\xb6@x>\nS: 553 5.6.7 *\n"},
	};

	check_rows(rows, COUNT(rows), &local_door);
}

/* ---- extensions ---- */

/* The whole output for what comes in. */
static void
expect_output(const char *name, const struct smtp_server_options *options,
    bool secure, const char *sent, const char *expected)
{
	struct smtp_server server;
	struct smtp_server_event event;
	struct buffer input, output;

	buffer_init(&input, 10000);
	buffer_init(&output, 10000);
	smtp_server_init(&server, options, &input, &output, START);
	server.secure = secure;
	buffer_append_text(&input, sent);
	while (smtp_server_next(&server, START, &event))
		continue;
	cr_expect(bytes_is(buffer_bytes(&output), expected), "%s: %.*s", name,
	    BYTES_ARGS(buffer_bytes(&output)));
	smtp_server_clear(&server);
	buffer_clear(&input);
	buffer_clear(&output);
}

Test(smtp_server, offers_what_it_does)
{
	struct smtp_server_options options = local_door;

#define ALWAYS                                                                 \
	"250-8BITMIME\r\n250-SMTPUTF8\r\n"                                     \
	"250-DSN\r\n250-ENHANCEDSTATUSCODES\r\n250-CHUNKING\r\n"
	expect_output("plain", &options, false, "EHLO x\r\n",
	    "220 mx.example ESMTP postrider\r\n"
	    "250-mx.example\r\n250-PIPELINING\r\n250-SIZE 100\r\n" ALWAYS
	    "250-LIMITS RCPTMAX=3\r\n250 HELP\r\n");
	options.starttls = options.etrn = options.lmtp = true;
	options.recipients_max = 0;
	options.message_size_max = 0;
	expect_output("LMTP, all", &options, false, "LHLO x\r\n",
	    "220 mx.example LMTP postrider\r\n"
	    "250-mx.example\r\n250-PIPELINING\r\n250-SIZE 0\r\n" ALWAYS
	    "250-STARTTLS\r\n250-ETRN\r\n250 HELP\r\n");
	expect_output("within TLS", &options, true, "LHLO x\r\n",
	    "220 mx.example LMTP postrider\r\n"
	    "250-mx.example\r\n250-PIPELINING\r\n250-SIZE 0\r\n" ALWAYS
	    "250-ETRN\r\n250 HELP\r\n");
}

Test(smtp_server, lists_its_commands)
{
	struct smtp_server_options options = local_door;

	expect_output("SMTP", &options, false, "HELP\r\n",
	    "220 mx.example ESMTP postrider\r\n"
	    "214-2.0.0 Commands: HELO EHLO MAIL RCPT DATA BDAT RSET NOOP QUIT "
	    "HELP VRFY\r\n214 2.0.0 See RFC 5321\r\n");
	options.lmtp = options.etrn = options.starttls = true;
	expect_output("LMTP", &options, false, "HELP\r\n",
	    "220 mx.example LMTP postrider\r\n"
	    "214-2.0.0 Commands: LHLO MAIL RCPT DATA BDAT RSET NOOP QUIT "
	    "HELP VRFY ETRN STARTTLS\r\n214 2.0.0 See RFC 5321\r\n");
}

Test(smtp_server, takes_a_whole_session_in_one_write)
{
	check("our own sendmail",
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
	    &local_door);
}

Test(smtp_server, takes_messages_by_bdat)
{
	static const struct row rows[] = {
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
	static const struct row lone = {"a lone CR at the end",
	    ENVELOPE "R: BDAT 2 LAST\\r\\nc\\r\n"
		     "E: DATA\nS: 550 5.6.0 *\nE: RESET\n"};
	struct smtp_server_options strict = local_door;

	check_rows(rows, COUNT(rows), &local_door);
	strict.bare_newline = BARE_NEWLINE_REJECT;
	check_greeted(&lone, &strict);
}

Test(smtp_server, does_etrn_where_offered)
{
	static const struct row rows[] = {
	    {"B11 a domain",
		"C: ETRN rnd.abcde.ru\nE: ETRN rnd.abcde.ru\n"
		"S: 250 2.0.0 Started\n"},
	    {"B11 refused by policy",
		"C: ETRN x\nE: ETRN x\nA: 459 4.7.1 Not you\n"
		"S: 459 4.7.1 Not you\n"},
	    {"B11 other forms",
		"C: ETRN @x\nS: 501 5.5.4 *\nC: ETRN #q\nS: 501 5.5.4 *\n"
		"C: ETRN\nS: 501 5.5.4 *\nC: ETRN a..b\nS: 501 5.5.4 *\n"
		"C: ETRN a b\nS: 501 5.5.4 *\n"},
	    {"within a transaction", ENVELOPE "C: ETRN x\nS: 503 5.5.1 *\n"},
	};
	struct smtp_server_options options = local_door;

	options.etrn = true;
	check_rows(rows, COUNT(rows), &options);
	check("before EHLO", "S: 220 *\nC: ETRN x\nS: 503 5.5.1 *\n", &options);
}

Test(smtp_server, starts_tls_where_offered)
{
	static const struct row rows[] = {
	    {"all is forgotten",
		"C: STARTTLS\nW:\nS: 220 2.0.0 *\nE: START_TLS\n"
		"C: MAIL FROM:<>\nS: 503 5.5.1 *\n"
		"C: EHLO y\nS: 250 HELP\nE: HELLO y\n"
		"C: STARTTLS\nW:\nS: 502 5.5.1 *\n" ENVELOPE},
	    {"an argument", "C: STARTTLS now\nW:\nS: 501 5.5.4 *\n"},
	    {"within a transaction",
		ENVELOPE "C: STARTTLS\nW:\nS: 503 5.5.1 *\n"},
	};
	struct smtp_server_options options = local_door;

	options.starttls = true;
	check_rows(rows, COUNT(rows), &options);
	check("before EHLO", "S: 220 *\nC: STARTTLS\nW:\nS: 503 5.5.1 *\n",
	    &options);
}

Test(smtp_server, closes_on_plaintext_behind_starttls)
{
	struct smtp_server_options options = local_door;

	options.starttls = true;
	expect_output("B1", &options, false,
	    "HELO x\r\nSTARTTLS\r\nMAIL FROM:<>\r\n",
	    "220 mx.example ESMTP postrider\r\n250 mx.example\r\n"
	    "503 5.5.0 Input behind a command that must be waited for\r\n");
}

Test(smtp_server, says_nothing_in_a_handshake)
{
	struct smtp_server_options options = local_door;
	struct smtp_server server;
	struct smtp_server_event event;
	struct buffer input, output;

	options.starttls = true;
	for (int shut = 0; shut < 2; shut++) {
		buffer_init(&input, 1000);
		buffer_init(&output, 1000);
		smtp_server_init(&server, &options, &input, &output, START);
		buffer_append_text(&input, "EHLO x\r\n");
		cr_assert(smtp_server_next(&server, START, &event));
		buffer_append_text(&input, "STARTTLS\r\n");
		cr_assert(smtp_server_next(&server, START, &event));
		cr_assert_eq(event.kind, SMTP_SERVER_START_TLS);
		cr_assert_eq(input.len, 0);
		cr_assert_not(smtp_server_next(&server, START, &event));
		buffer_empty(&output);
		if (shut == 1)
			smtp_server_shut(&server, "4.3.2", "Going down");
		cr_assert(smtp_server_next(&server, START + 300000, &event));
		cr_expect_eq(event.kind, SMTP_SERVER_CLOSE);
		cr_expect_eq(output.len, 0);
		smtp_server_clear(&server);
		buffer_clear(&input);
		buffer_clear(&output);
	}
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
	static const struct row rows[] = {
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
	struct smtp_server_options options = local_door;

	options.lmtp = true;
	check_rows(rows, COUNT(rows), &options);
}

/* ---- time, and the ends ---- */

Test(smtp_server, waits_only_so_long)
{
	static const struct row rows[] = {
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
	struct smtp_server_options patient = local_door;
	static const struct row forever = {"for ever where there is no time",
	    "T: 999999999\n" ENVELOPE DATA "T: 999999999\n"
	    "C: .\nE: END\n" QUEUED};

	check_rows(rows, COUNT(rows), &local_door);
	patient.command_timeout_ms = patient.content_timeout_ms = 0;
	check_greeted(&forever, &patient);
}

Test(smtp_server, lets_content_go_on_as_long_as_it_comes)
{
	struct smtp_server_options options = local_door;
	struct smtp_server server;
	struct smtp_server_event event;
	struct buffer input, output;
	char piece[1024];
	int64_t now = START;
	size_t content = 0;

	options.message_size_max = 0;
	memset(piece, 'x', sizeof(piece));
	buffer_init(&input, 64 * 1024);
	buffer_init(&output, 64 * 1024);
	smtp_server_init(&server, &options, &input, &output, now);
	buffer_append_text(&input,
	    "HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<a>\r\nBDAT 1048576 LAST\r\n");
	while (smtp_server_next(&server, now, &event)) {
		if (server.asked >= 0)
			smtp_server_answer(&server, 250, "2.0.0", "Ok", now);
	}
	/* 16 KiB within each minute, if only just. */
	for (int i = 0; i < 1024; i++) {
		buffer_append(&input, bytes_make(piece, sizeof(piece)));
		while (smtp_server_next(&server, now, &event) &&
		    event.kind == SMTP_SERVER_CONTENT)
			content += event.text.len;
		now += 59999 / 16;
	}
	cr_assert_eq(event.kind, SMTP_SERVER_END);
	cr_assert_eq(content, 1048576);
	smtp_server_clear(&server);
	buffer_clear(&input);
	buffer_clear(&output);
}

Test(smtp_server, can_be_shut_at_any_time)
{
	static const struct row rows[] = {
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

	check_rows(rows, COUNT(rows), &local_door);
}

Test(smtp_server, knows_when_it_is_idle)
{
	struct smtp_server_options options = local_door;
	struct smtp_server server;
	struct smtp_server_event event;
	struct buffer input, output;

	buffer_init(&input, 1000);
	buffer_init(&output, 1000);
	smtp_server_init(&server, &options, &input, &output, START);
	cr_expect(smtp_server_is_idle(&server));
	buffer_append_text(&input, "HELO x\r\nMAIL FROM:<>\r\n");
	cr_assert(smtp_server_next(&server, START, &event));
	cr_expect(smtp_server_is_idle(&server));
	cr_assert(smtp_server_next(&server, START, &event));
	cr_expect_not(smtp_server_is_idle(&server), "a sender is asked");
	cr_expect_eq(smtp_server_deadline(&server), CLOCK_NEVER);
	smtp_server_answer(&server, 250, "2.1.0", "Ok", START);
	cr_expect_not(smtp_server_is_idle(&server), "a transaction is open");
	buffer_append_text(&input, "RSET\r\n");
	cr_assert(smtp_server_next(&server, START, &event));
	cr_expect_eq(event.kind, SMTP_SERVER_RESET);
	cr_expect(smtp_server_is_idle(&server));
	smtp_server_clear(&server);
	buffer_clear(&input);
	buffer_clear(&output);
}

/* G4: replies that nobody reads. */
Test(smtp_server, stops_reading_where_nobody_reads_replies)
{
	struct smtp_server_options options = local_door;
	struct smtp_server server;
	struct smtp_server_event event;
	struct buffer input, output;

	buffer_init(&input, (size_t)1 << 20);
	buffer_init(&output, (size_t)1 << 20);
	smtp_server_init(&server, &options, &input, &output, START);
	for (int i = 0; i < 10000; i++)
		buffer_append_text(&input, "HELP\r\n");
	cr_assert_not(smtp_server_next(&server, START, &event));
	cr_expect_gt(input.len, 0);
	cr_expect_lt(output.len, SMTP_SERVER_OUTPUT_MAX + 1000);
	while (input.len > 0) {
		buffer_empty(&output);
		cr_assert_not(smtp_server_next(&server, START, &event));
	}

	/* A ceiling below that: no reply is cut in the middle for long. */
	buffer_empty(&output);
	output.limit = 1000;
	for (int i = 0; i < 100; i++)
		buffer_append_text(&input, "HELP\r\n");
	cr_assert(smtp_server_next(&server, START, &event));
	cr_expect_eq(event.kind, SMTP_SERVER_CLOSE);
	smtp_server_clear(&server);
	buffer_clear(&input);
	buffer_clear(&output);
}

/* A message of 5 MB comes in a few long views, not line by line. */
Test(smtp_server, gives_content_in_long_stretches)
{
	struct smtp_server_options options = local_door;
	struct smtp_server server;
	struct smtp_server_event event;
	struct buffer input, output;
	size_t content = 0, views = 0;

	options.message_size_max = 0;
	buffer_init(&input, (size_t)8 << 20);
	buffer_init(&output, 1000);
	smtp_server_init(&server, &options, &input, &output, START);
	buffer_append_text(
	    &input, "HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<a>\r\nDATA\r\n");
	while (smtp_server_next(&server, START, &event)) {
		if (server.asked >= 0)
			smtp_server_answer(&server, 250, "2.0.0", "Ok", START);
	}
	for (int i = 0; i < 65536; i++)
		buffer_append_text(&input,
		    "0123456789012345678901234567890123456789"
		    "01234567890123456789012345678901234567\r\n");
	buffer_append_text(&input, ".\r\n");
	while (smtp_server_next(&server, START, &event) &&
	    event.kind == SMTP_SERVER_CONTENT) {
		content += event.text.len;
		views++;
	}
	cr_expect_eq(event.kind, SMTP_SERVER_END);
	cr_expect_eq(content, 65536U * 80);
	cr_expect_leq(views, 2, "%zu views", views);
	smtp_server_clear(&server);
	buffer_clear(&input);
	buffer_clear(&output);
}
