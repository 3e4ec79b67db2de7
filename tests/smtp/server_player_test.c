#include "smtp/server_player.h"
#include "smtp/transcript.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define BUFFER_MAX  ((size_t)16 * 1024 * 1024)

const struct smtp_server_options server_player_options = {
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
	    .log = log, .cuts = cuts, .text = text, .now = SERVER_PLAYER_START};
	struct bytes rest = bytes_of(text);
	struct transcript_line line;

	buffer_init(&player.input, BUFFER_MAX);
	buffer_init(&player.output, BUFFER_MAX);
	buffer_init(&player.content, BUFFER_MAX);
	buffer_init(&player.pending, BUFFER_MAX);
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

void
server_player_check(const char *name, const char *text,
    const struct smtp_server_options *options)
{
	struct smtp_server_options copy = *options;

	transcript_check(name, text, "SE", play, &copy);
}

static char *
greeted(const char *text, const struct smtp_server_options *options)
{
	char *whole = NULL;

	cr_assert(asprintf(&whole,
		      "S: 220 mx.example *\n"
		      "C: %s client.example\n"
		      "S: 250 HELP\n"
		      "E: HELLO client.example\n"
		      "%s",
		      options->lmtp ? "LHLO" : "EHLO", text) > 0);
	return whole;
}

void
server_player_check_rows(const struct server_player_row *rows, size_t count,
    const struct smtp_server_options *options)
{
	for (size_t i = 0; i < count; i++) {
		char *text = greeted(rows[i].text, options);
		server_player_check(rows[i].name, text, options);
		free(text);
	}
}

char *
server_player_log(const char *text, const struct smtp_server_options *options)
{
	struct transcript_cuts cuts = {TRANSCRIPT_WHOLE, 0};
	struct smtp_server_options copy = *options;
	struct buffer log;
	char *whole = greeted(text, options);

	buffer_init(&log, BUFFER_MAX);
	play(whole, &cuts, &log, &copy);
	free(whole);
	char *seen = buffer_to_text(&log);
	buffer_clear(&log);
	return seen;
}

void
server_player_open(struct server_player_session *session,
    const struct smtp_server_options *options)
{
	buffer_init(&session->input, BUFFER_MAX);
	buffer_init(&session->output, BUFFER_MAX);
	smtp_server_init(&session->server, options, &session->input,
	    &session->output, SERVER_PLAYER_START);
}

void
server_player_close(struct server_player_session *session)
{
	smtp_server_clear(&session->server);
	buffer_clear(&session->input);
	buffer_clear(&session->output);
}

void
server_player_say(struct server_player_session *session, const char *text)
{
	struct smtp_server_event event;

	buffer_append_text(&session->input, text);
	while (
	    smtp_server_next(&session->server, SERVER_PLAYER_START, &event)) {
		if (session->server.asked >= 0)
			smtp_server_answer(&session->server, 250, "2.0.0", "Ok",
			    SERVER_PLAYER_START);
	}
}

Test(server_player, shows_what_happens)
{
	char *seen = server_player_log(ENVELOPE "A: 450 4.2.0 Later\n"
						"C: RSET\n",
	    &server_player_options);

	cr_expect_str_eq(seen,
	    "S: 220 mx.example ESMTP postrider\n"
	    "S: 250 HELP\n"
	    "E: HELLO client.example\n"
	    "E: MAIL <a@b.example>\n"
	    "S: 250 2.1.0 Sender ok\n"
	    "E: RCPT <c@d.example>\n"
	    "S: 450 4.2.0 Later\n"
	    "S: 250 2.0.0 Ok\n"
	    "E: RESET\n");
	free(seen);
}
