#include "lib/fake_upstream.h"

#include "base/bytes.h"
#include "base/memory.h"
#include "net/conn.h"
#include "net/listener.h"
#include "smtp/dot.h"

#include <assert.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define RULES_MAX   16
#define NO_LIMIT    ((size_t)256 * 1024 * 1024)
#define STAGE_COUNT (FAKE_OTHER + 1)

enum reading {
	READING_COMMANDS,
	READING_CONTENT, /* until the dot */
	READING_CHUNK,
	READING_LOGIN, /* responses to challenges */
	READING_NOTHING
};

struct fake_session {
	TAILQ_ENTRY(fake_session) entry;
	struct fake_upstream *fake;
	struct conn *conn;
	unsigned number;
	enum reading reading;
	bool is_held;
	struct buffer held; /* replies */
	/* The transaction. */
	char *mail;
	struct buffer rcpt; /* accepted lines, each with '\n' */
	struct buffer content;
	struct dot_decoder decoder;
	size_t chunk_left;
	bool is_last_chunk;
	unsigned challenges; /* of a login, still to come */
};

TAILQ_HEAD(fake_sessions, fake_session);

struct fake_upstream {
	struct loop *loop;
	const struct fake_options *options;
	struct listener *listener;
	struct tls_context *tls;
	unsigned port;
	struct fake_rule rules[RULES_MAX];
	size_t rule_count;
	struct fake_sessions sessions;
	unsigned session_count;
	unsigned open;
	unsigned most;
	unsigned counts[STAGE_COUNT];
	struct buffer transcript;
	char *text; /* what fake_upstream_transcript() gave */
	struct fake_message *messages;
	size_t message_count;
};

/* ---- talking ---- */

static void
forget_transaction(struct fake_session *session)
{
	free(session->mail);
	session->mail = NULL;
	buffer_empty(&session->rcpt);
	buffer_empty(&session->content);
}

static void
close_session(struct fake_session *session, bool finish)
{
	struct fake_upstream *fake = session->fake;

	TAILQ_REMOVE(&fake->sessions, session, entry);
	fake->open--;
	forget_transaction(session);
	buffer_clear(&session->rcpt);
	buffer_clear(&session->content);
	buffer_clear(&session->held);
	if (finish)
		conn_finish(session->conn);
	else
		conn_close(session->conn);
	free(session);
}

/* False: the session has gone. */
static bool
say(struct fake_session *session, const char *reply)
{
	assert(reply != NULL);
	if (strcmp(reply, "cut") == 0) {
		conn_flush(session->conn);
		close_session(session, false);
		return false;
	}
	if (strcmp(reply, "hang") == 0) {
		session->reading = READING_NOTHING;
		return true;
	}
	struct buffer *output =
	    session->is_held ? &session->held : conn_output(session->conn);
	buffer_printf(output, "%s\r\n",
	    strcmp(reply, "garbage") == 0 ? "\001\377 no reply" : reply);
	if (strncmp(reply, "421", 3) != 0)
		return true;
	close_session(session, true);
	return false;
}

/* What a rule has instead of usual. */
static const char *
find_reply(struct fake_session *session, enum fake_stage stage,
    const char *line, const char *usual)
{
	struct fake_upstream *fake = session->fake;

	fake->counts[stage]++;
	for (size_t i = 0; i < fake->rule_count; i++) {
		struct fake_rule *rule = &fake->rules[i];
		if (rule->stage != stage || rule->reply == NULL ||
		    (rule->match != NULL && strstr(line, rule->match) == NULL))
			continue;
		if (rule->skip > 0) {
			rule->skip--;
			continue;
		}
		const char *reply = rule->reply;
		if (rule->times > 0 && --rule->times == 0)
			rule->reply = NULL;
		if (strcmp(reply, "hold") != 0)
			return reply;
		session->is_held = true;
		return usual;
	}
	return usual;
}

static bool
is_good(const char *reply)
{
	return reply[0] == '2' || reply[0] == '3';
}

/* ---- the end of content ---- */

static void
keep_message(struct fake_session *session)
{
	struct fake_upstream *fake = session->fake;

	fake->messages = memory_resize_array(
	    fake->messages, fake->message_count + 1, sizeof(*fake->messages));
	/* Without the last '\n'. */
	buffer_truncate(&session->rcpt, session->rcpt.len - 1);
	fake->messages[fake->message_count++] = (struct fake_message){
	    .session = session->number,
	    .mail = memory_copy_text(session->mail),
	    .rcpt = buffer_to_text(&session->rcpt),
	    .content = buffer_to_text(&session->content),
	    .content_len = session->content.len,
	};
}

/* LMTP: a reply for each recipient that was accepted; false: gone. */
static bool
answer_each(struct fake_session *session, bool *out_taken)
{
	struct bytes lines = buffer_bytes(&session->rcpt);
	char *copy = memory_copy(lines);
	bool alive = true;

	lines.data = copy;
	while (alive && lines.len > 0 && session->reading != READING_NOTHING) {
		char *line = memory_copy(bytes_cut(&lines, '\n'));
		const char *reply =
		    find_reply(session, FAKE_END, line, "250 2.0.0 kept");
		*out_taken |= is_good(reply);
		alive = say(session, reply);
		free(line);
	}
	free(copy);
	return alive;
}

static bool
end_content(struct fake_session *session)
{
	bool taken = false;
	bool alive;

	session->reading = READING_COMMANDS;
	if (session->fake->options->lmtp) {
		alive = answer_each(session, &taken);
		if (alive && taken)
			keep_message(session);
	} else {
		const char *reply = find_reply(
		    session, FAKE_END, session->mail, "250 2.0.0 queued as 1");
		if (is_good(reply))
			keep_message(session);
		alive = say(session, reply);
	}
	if (alive)
		forget_transaction(session);
	return alive;
}

/* ---- commands ---- */

static bool
greet(struct fake_session *session)
{
	return say(
	    session, find_reply(session, FAKE_GREETING, "", "220 fake ESMTP"));
}

static void
append_keyword(struct buffer *reply, struct bytes keyword, const char *more)
{
	buffer_printf(reply, "250-%.*s%s\r\n", BYTES_ARGS(keyword), more);
}

static bool
command_ehlo(struct fake_session *session, const char *line)
{
	const struct fake_options *options = session->fake->options;
	struct bytes keywords = bytes_of(options->keywords);
	bool is_secure = conn_tls(session->conn) != NULL;
	struct buffer usual;

	buffer_init(&usual, 4096);
	append_keyword(&usual, BYTES("fake"), "");
	while (keywords.len > 0)
		append_keyword(&usual, bytes_cut(&keywords, ' '), "");
	if (options->mechanisms != NULL)
		append_keyword(&usual, BYTES("AUTH "), options->mechanisms);
	if (options->certificate != NULL && !is_secure)
		append_keyword(&usual, BYTES("STARTTLS"), "");
	buffer_append_text(&usual, "250 ENHANCEDSTATUSCODES");
	char *text = buffer_to_text(&usual);
	buffer_clear(&usual);
	forget_transaction(session);
	bool alive = say(session, find_reply(session, FAKE_EHLO, line, text));
	free(text);
	return alive;
}

static bool
command_helo(struct fake_session *session, const char *line)
{
	forget_transaction(session);
	return say(session, find_reply(session, FAKE_HELO, line, "250 fake"));
}

static bool
command_starttls(struct fake_session *session, const char *line)
{
	const char *reply =
	    find_reply(session, FAKE_STARTTLS, line, "220 2.0.0 go");
	struct error error;

	if (!say(session, reply))
		return false;
	if (strcmp(reply, "220 2.0.0 go") != 0)
		return true;
	conn_flush(session->conn);
	/* The client's first record may be there already: not for us to read.
	 */
	if (conn_start_tls(session->conn, session->fake->tls, NULL, &error))
		return true;
	close_session(session, false);
	return false;
}

static bool
command_auth(struct fake_session *session, const char *line)
{
	if (strncmp(line, "AUTH PLAIN ", strlen("AUTH PLAIN ")) == 0)
		return say(session,
		    find_reply(session, FAKE_AUTH, line, "235 2.7.0 welcome"));
	session->reading = READING_LOGIN;
	if (strncmp(line, "AUTH LOGIN", strlen("AUTH LOGIN")) == 0) {
		session->challenges =
		    strlen(line) > strlen("AUTH LOGIN ") ? 1 : 2;
		return say(session,
		    session->challenges == 2 ? "334 VXNlcm5hbWU6"
					     : "334 UGFzc3dvcmQ6");
	}
	session->challenges = 1;
	return say(session, "334 ");
}

static bool
hear_login(struct fake_session *session, const char *line)
{
	if (--session->challenges > 0)
		return say(session, "334 UGFzc3dvcmQ6");
	session->reading = READING_COMMANDS;
	return say(
	    session, find_reply(session, FAKE_AUTH, line, "235 2.7.0 welcome"));
}

static bool
command_mail(struct fake_session *session, const char *line)
{
	const char *reply = find_reply(session, FAKE_MAIL, line,
	    session->mail == NULL ? "250 2.1.0 ok" : "503 5.5.1 nested MAIL");

	if (is_good(reply) && session->mail == NULL)
		session->mail = memory_copy_text(line);
	return say(session, reply);
}

static bool
command_rcpt(struct fake_session *session, const char *line)
{
	const char *reply = session->mail == NULL
	    ? "503 5.5.1 MAIL first"
	    : find_reply(session, FAKE_RCPT, line, "250 2.1.5 ok");

	if (session->mail != NULL && is_good(reply)) {
		buffer_append_text(&session->rcpt, line);
		buffer_append_char(&session->rcpt, '\n');
	}
	return say(session, reply);
}

static bool
command_data(struct fake_session *session, const char *line)
{
	const char *reply = session->rcpt.len == 0
	    ? "554 5.5.1 no valid recipients"
	    : find_reply(session, FAKE_DATA, line, "354 go");

	if (reply[0] == '3') {
		session->reading = READING_CONTENT;
		dot_decoder_init(&session->decoder);
	}
	return say(session, reply);
}

/* Octets of a chunk that is refused are not kept. */
static bool
command_bdat(struct fake_session *session, const char *line)
{
	session->chunk_left = strtoul(line + strlen("BDAT "), NULL, 10);
	session->is_last_chunk = strstr(line, "LAST") != NULL;
	session->reading = READING_CHUNK;
	return true;
}

static bool
command_rset(struct fake_session *session, const char *line)
{
	forget_transaction(session);
	return say(
	    session, find_reply(session, FAKE_RSET, line, "250 2.0.0 ok"));
}

static bool
command_etrn(struct fake_session *session, const char *line)
{
	return say(session,
	    find_reply(session, FAKE_ETRN, line, "250 2.0.0 queuing started"));
}

static bool
command_quit(struct fake_session *session, const char *line)
{
	if (!say(
		session, find_reply(session, FAKE_QUIT, line, "221 2.0.0 bye")))
		return false;
	close_session(session, true);
	return false;
}

static const struct fake_command {
	const char *verb;
	bool (*fn)(struct fake_session *session, const char *line);
} commands[] = {
    {"EHLO", command_ehlo},
    {"LHLO", command_ehlo},
    {"HELO", command_helo},
    {"STARTTLS", command_starttls},
    {"AUTH", command_auth},
    {"MAIL", command_mail},
    {"RCPT", command_rcpt},
    {"DATA", command_data},
    {"BDAT", command_bdat},
    {"RSET", command_rset},
    {"ETRN", command_etrn},
    {"QUIT", command_quit},
};

static bool
hear_command(struct fake_session *session, const char *line)
{
	buffer_printf(
	    &session->fake->transcript, "%u %s\n", session->number, line);
	if (session->reading == READING_LOGIN)
		return hear_login(session, line);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strncmp(line, commands[i].verb, strlen(commands[i].verb)) ==
		    0)
			return commands[i].fn(session, line);
	return say(
	    session, find_reply(session, FAKE_OTHER, line, "500 5.5.2 what?"));
}

/* ---- input; each returns whether to go on ---- */

static bool
read_command(struct fake_session *session)
{
	struct buffer *input = conn_input(session->conn);
	struct bytes rest = buffer_bytes(input);
	size_t len = bytes_search(rest, BYTES("\r\n"));
	bool is_secure = conn_tls(session->conn) != NULL;

	if (len == rest.len)
		return false;
	char *line = memory_copy(bytes_first(rest, len));
	buffer_consume(input, len + 2);
	if (session->fake->options->breaks_pipelining && input->len > 0) {
		close_session(session, false);
		free(line);
		return false;
	}
	bool alive = hear_command(session, line);
	/* Behind STARTTLS nothing is read before the handshake. */
	bool is_securing = alive && !is_secure && session->fake->tls != NULL &&
	    strcmp(line, "STARTTLS") == 0;
	free(line);
	return alive && !is_securing;
}

static bool
read_content(struct fake_session *session)
{
	struct buffer *input = conn_input(session->conn);

	while (input->len > 0) {
		struct bytes content;
		bool is_end = false;
		size_t used = dot_decode(&session->decoder, buffer_bytes(input),
		    true, &content, &is_end);
		buffer_append(&session->content, content);
		buffer_consume(input, used);
		if (is_end)
			return end_content(session);
		if (used == 0 && content.len == 0)
			return false;
	}
	return false;
}

static bool
read_chunk(struct fake_session *session)
{
	struct buffer *input = conn_input(session->conn);
	struct bytes piece =
	    bytes_first(buffer_bytes(input), session->chunk_left);

	buffer_append(&session->content, piece);
	session->chunk_left -= piece.len;
	buffer_consume(input, piece.len);
	if (session->chunk_left > 0)
		return false;
	session->reading = READING_COMMANDS;
	if (session->rcpt.len == 0) {
		buffer_empty(&session->content);
		return say(session, "503 5.5.1 RCPT first");
	}
	if (session->is_last_chunk)
		return end_content(session);
	return say(
	    session, find_reply(session, FAKE_CONTENT, "", "250 2.0.0 chunk"));
}

static bool
read_on(struct fake_session *session)
{
	switch (session->reading) {
	case READING_COMMANDS:
	case READING_LOGIN:
		return read_command(session);
	case READING_CONTENT:
		return read_content(session);
	case READING_CHUNK:
		return read_chunk(session);
	case READING_NOTHING:
		buffer_empty(conn_input(session->conn));
		return false;
	}
	return false;
}

/* A session stands in the list as long as it lives. */
static bool
is_alive(const struct fake_upstream *fake, const struct fake_session *wanted)
{
	const struct fake_session *session;

	TAILQ_FOREACH (session, &fake->sessions, entry)
		if (session == wanted)
			return true;
	return false;
}

static void
on_conn(struct conn *conn, enum conn_event event, void *ctx)
{
	struct fake_session *session = ctx;
	struct fake_upstream *fake = session->fake;

	switch (event) {
	case CONN_SECURED:
		if (fake->options->implicit_tls && !greet(session))
			return;
		conn_flush(conn);
		return;
	case CONN_READABLE:
		while (is_alive(fake, session) && read_on(session))
			continue;
		if (is_alive(fake, session))
			conn_flush(conn);
		return;
	case CONN_EOF:
	case CONN_FAILED:
		close_session(session, false);
		return;
	case CONN_OPENED:
	case CONN_DRAINED:
	case CONN_TIMEOUT:
		return;
	}
}

static void
on_accept(int fd, const struct peer *peer, void *ctx)
{
	struct fake_upstream *fake = ctx;
	struct fake_session *session = memory_new(sizeof(*session));
	struct error error;

	(void)peer;
	session->fake = fake;
	session->number = ++fake->session_count;
	buffer_init(&session->held, NO_LIMIT);
	buffer_init(&session->rcpt, NO_LIMIT);
	buffer_init(&session->content, NO_LIMIT);
	session->conn = conn_accept(fake->loop, fd, on_conn, session);
	TAILQ_INSERT_TAIL(&fake->sessions, session, entry);
	fake->open++;
	if (fake->open > fake->most)
		fake->most = fake->open;
	if (fake->options->implicit_tls)
		cr_assert(
		    conn_start_tls(session->conn, fake->tls, NULL, &error));
	else if (greet(session))
		conn_flush(session->conn);
}

/* ---- the whole ---- */

struct fake_upstream *
fake_upstream_new(struct loop *loop, const struct fake_options *options)
{
	struct fake_upstream *fake = memory_new(sizeof(*fake));
	struct error error = {0};

	fake->loop = loop;
	fake->options = options;
	TAILQ_INIT(&fake->sessions);
	buffer_init(&fake->transcript, NO_LIMIT);
	cr_assert(listener_open(loop,
		      options->socket != NULL ? options->socket : "127.0.0.1:0",
		      0600, on_accept, fake, &fake->listener, &error),
	    "%s", error_text(&error));
	if (options->certificate != NULL)
		cr_assert(tls_server_new(options->certificate,
			      options->certificate, &fake->tls, &error),
		    "%s", error_text(&error));
	const char *port = strrchr(listener_address(fake->listener), ':');
	fake->port = port != NULL ? (unsigned)strtoul(port + 1, NULL, 10) : 0;
	return fake;
}

void
fake_upstream_free(struct fake_upstream *fake)
{
	fake_upstream_cut(fake);
	fake_upstream_close(fake);
	tls_context_free(fake->tls);
	for (size_t i = 0; i < fake->message_count; i++) {
		free(fake->messages[i].mail);
		free(fake->messages[i].rcpt);
		free(fake->messages[i].content);
	}
	free(fake->messages);
	free(fake->text);
	buffer_clear(&fake->transcript);
	free(fake);
}

unsigned
fake_upstream_port(const struct fake_upstream *fake)
{
	return fake->port;
}

void
fake_upstream_rule(struct fake_upstream *fake, struct fake_rule rule)
{
	assert(fake->rule_count < RULES_MAX);
	fake->rules[fake->rule_count++] = rule;
}

void
fake_upstream_say(
    struct fake_upstream *fake, enum fake_stage stage, const char *reply)
{
	fake_upstream_say_to(fake, stage, NULL, reply);
}

void
fake_upstream_say_to(struct fake_upstream *fake, enum fake_stage stage,
    const char *match, const char *reply)
{
	fake_upstream_rule(fake,
	    (struct fake_rule){.stage = stage, .reply = reply, .match = match});
}

void
fake_upstream_forget_rules(struct fake_upstream *fake)
{
	fake->rule_count = 0;
}

void
fake_upstream_release(struct fake_upstream *fake)
{
	struct fake_session *session;

	TAILQ_FOREACH (session, &fake->sessions, entry) {
		session->is_held = false;
		buffer_append(
		    conn_output(session->conn), buffer_bytes(&session->held));
		buffer_empty(&session->held);
		conn_flush(session->conn);
	}
}

void
fake_upstream_cut(struct fake_upstream *fake)
{
	while (!TAILQ_EMPTY(&fake->sessions))
		close_session(TAILQ_FIRST(&fake->sessions), false);
}

void
fake_upstream_close(struct fake_upstream *fake)
{
	if (fake->listener != NULL)
		listener_free(fake->listener);
	fake->listener = NULL;
}

size_t
fake_upstream_messages(const struct fake_upstream *fake)
{
	return fake->message_count;
}

const struct fake_message *
fake_upstream_message(const struct fake_upstream *fake, size_t i)
{
	cr_assert(i < fake->message_count);
	return &fake->messages[i];
}

unsigned
fake_upstream_sessions(const struct fake_upstream *fake)
{
	return fake->session_count;
}

unsigned
fake_upstream_open(const struct fake_upstream *fake)
{
	return fake->open;
}

unsigned
fake_upstream_most(const struct fake_upstream *fake)
{
	return fake->most;
}

const char *
fake_upstream_transcript(struct fake_upstream *fake)
{
	free(fake->text);
	fake->text = buffer_to_text(&fake->transcript);
	return fake->text;
}

unsigned
fake_upstream_count(const struct fake_upstream *fake, enum fake_stage stage)
{
	return fake->counts[stage];
}
