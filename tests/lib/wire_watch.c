#include "lib/wire_watch.h"

#include "base/buffer.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define PENDING_MAX   ((size_t)256)
#define EXCERPT_MAX   60
#define CONTENT_MAX   ((size_t)998)
#define COMMAND_MAX   ((size_t)512)
#define RESPONSE_MAX  ((size_t)12288)
#define REMEMBER_MAX  ((size_t)64 * 1024)
#define LINE_MAX_KEPT ((size_t)16 * 1024)

enum verb {
	VERB_GREETING, /* the reply that comes by itself */
	VERB_EHLO,
	VERB_HELO,
	VERB_STARTTLS,
	VERB_AUTH, /* and a response to its challenge */
	VERB_MAIL,
	VERB_RCPT,
	VERB_DATA,
	VERB_BDAT,
	VERB_END, /* of the content */
	VERB_RSET,
	VERB_QUIT,
	VERB_OTHER
};

struct verb_row {
	const char *name;
	enum verb verb;
	bool is_last; /* of a group: RFC 2920 3.1 */
};

static const struct verb_row verbs[] = {
    {"EHLO", VERB_EHLO, true},
    {"LHLO", VERB_EHLO, true},
    {"HELO", VERB_HELO, true},
    {"STARTTLS", VERB_STARTTLS, true},
    {"AUTH", VERB_AUTH, true},
    {"MAIL", VERB_MAIL, false},
    {"RCPT", VERB_RCPT, false},
    {"DATA", VERB_DATA, true},
    {"BDAT", VERB_BDAT, false},
    {"RSET", VERB_RSET, false},
    {"QUIT", VERB_QUIT, true},
    {"", VERB_OTHER, true},
};

/* What a parameter needs, and how much longer it may make its command. */
static const struct parameter_row {
	const char *prefix;
	const char *keyword;
	enum verb verb;
	size_t octets;
} parameters[] = {
    {"SIZE=", "SIZE", VERB_MAIL, 26},
    {"BODY=BINARYMIME", "BINARYMIME", VERB_MAIL, 17},
    {"BODY=", "8BITMIME", VERB_MAIL, 17},
    {"SMTPUTF8", "SMTPUTF8", VERB_MAIL, 10},
    {"RET=", "DSN", VERB_MAIL, 10},
    {"ENVID=", "DSN", VERB_MAIL, 110},
    {"AUTH=", "AUTH", VERB_MAIL, 500},
    {"REQUIRETLS", "REQUIRETLS", VERB_MAIL, 11},
    {"BY=", "DELIVERBY", VERB_MAIL, 17},
    {"HOLDFOR=", "FUTURERELEASE", VERB_MAIL, 17},
    {"HOLDUNTIL=", "FUTURERELEASE", VERB_MAIL, 34},
    {"MT-PRIORITY=", "MT-PRIORITY", VERB_MAIL, 15},
    {"NOTIFY=", "DSN", VERB_RCPT, 30},
    {"ORCPT=", "DSN", VERB_RCPT, 500},
};

enum reading {
	READING_COMMANDS,
	READING_RESPONSE, /* to a challenge */
	READING_CONTENT,
	READING_CHUNK
};

struct wire_watch {
	unsigned allowed;
	unsigned faults;
	struct buffer text; /* one line for each fault, NUL behind it */

	/* The server. */
	struct buffer reply_line;
	struct buffer reply; /* its lines, joined by LF, without codes */
	int reply_code;      /* of the reply under way; 0: none */
	int codes[PENDING_MAX];
	size_t code_count;      /* replies that answer no command yet */
	bool is_nonsense;       /* the server has lost its mind */
	bool is_closing;        /* 421 was said */
	struct buffer keywords; /* "\nSIZE 100\nPIPELINING\n", upper case */

	/* The client. */
	enum reading reading;
	struct buffer line;
	size_t line_len; /* of it, however much is kept */
	char last;       /* octet */
	size_t chunk_left;
	const struct verb_row *pending[PENDING_MAX];
	size_t pending_count;
	bool is_lmtp;
	bool has_quit;
	bool is_tls_due;
	bool is_begun;      /* an octet has come since it might be TLS */
	bool is_ciphertext; /* a handshake is under way */

	/* The transaction. */
	bool is_mail_open;
	bool is_8bit;      /* declared */
	bool is_dot_alone; /* nothing but the dot may come */
	size_t accepted;
};

static const struct verb_row greeting_row = {"", VERB_GREETING, true};
static const struct verb_row end_row = {".", VERB_END, false};

/* ---- faults ---- */

static void
note(struct wire_watch *watch, enum wire_fault fault, struct bytes excerpt)
{
	static const char *const names[WIRE_FAULT_COUNT] = {
	    [WIRE_BARE_NEWLINE] = "bare newline",
	    [WIRE_UNSTUFFED_DOT] = "unstuffed dot",
	    [WIRE_LONG_LINE] = "long line",
	    [WIRE_LONG_COMMAND] = "long command",
	    [WIRE_OUT_OF_TURN] = "out of turn",
	    [WIRE_BEHIND_REFUSAL] = "behind a refusal",
	    [WIRE_NOT_OFFERED] = "not offered",
	    [WIRE_UNDECLARED_8BIT] = "8 bits not declared",
	    [WIRE_NO_QUIT] = "no QUIT",
	};

	if ((watch->allowed & WIRE_FAULT_BIT(fault)) != 0)
		return;
	watch->faults |= WIRE_FAULT_BIT(fault);
	buffer_printf(&watch->text, "%s: ", names[fault]);
	for (size_t i = 0; i < excerpt.len && i < EXCERPT_MAX; i++) {
		const char c = excerpt.data[i];
		buffer_append_char(
		    &watch->text, c >= ' ' && c <= '~' ? c : '?');
	}
	buffer_append_char(&watch->text, '\n');
}

/* One that hangs on what the server said. */
static void
note_order(struct wire_watch *watch, enum wire_fault fault, struct bytes line)
{
	if (!watch->is_nonsense)
		note(watch, fault, line);
}

/* ---- what is offered ---- */

static char
to_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool
offers(const struct wire_watch *watch, const char *keyword)
{
	struct bytes rest = buffer_bytes(&watch->keywords);

	while (rest.len > 0) {
		struct bytes line = bytes_cut(&rest, '\n');
		const size_t len = strlen(keyword);
		if (bytes_has_prefix(line, keyword) &&
		    (line.len == len || line.data[len] == ' ' ||
			line.data[len] == '='))
			return true;
	}
	return false;
}

static void
learn(struct wire_watch *watch)
{
	struct bytes lines = buffer_bytes(&watch->reply);

	buffer_empty(&watch->keywords);
	(void)bytes_cut(&lines, '\n');
	for (size_t i = 0; i < lines.len; i++)
		buffer_append_char(&watch->keywords, to_upper(lines.data[i]));
}

/* ---- replies and what they mean ---- */

static void
end_transaction(struct wire_watch *watch)
{
	watch->is_mail_open = false;
	watch->is_8bit = false;
	watch->accepted = 0;
}

static bool
makes_sense(enum verb verb, int code)
{
	if (verb == VERB_DATA)
		return code / 100 != 2;
	return code / 100 != 3 || verb == VERB_AUTH || verb == VERB_OTHER ||
	    verb == VERB_QUIT;
}

static void
answer(struct wire_watch *watch, enum verb verb, int code)
{
	const bool is_good = code / 100 == 2;

	if (!makes_sense(verb, code)) {
		watch->is_nonsense = true;
		return;
	}
	switch (verb) {
	case VERB_EHLO:
	case VERB_HELO:
		buffer_empty(&watch->keywords);
		if (is_good && verb == VERB_EHLO)
			learn(watch);
		end_transaction(watch);
		return;
	case VERB_STARTTLS:
		watch->is_tls_due = is_good;
		watch->is_begun = !is_good;
		return;
	case VERB_AUTH:
		if (code / 100 == 3)
			watch->reading = READING_RESPONSE;
		return;
	case VERB_MAIL:
		watch->is_mail_open = is_good;
		return;
	case VERB_RCPT:
		watch->accepted += is_good;
		return;
	case VERB_DATA:
		if (code / 100 != 3)
			return;
		watch->reading = READING_CONTENT;
		watch->is_dot_alone =
		    watch->accepted == 0 || !watch->is_mail_open;
		return;
	case VERB_END:
		end_transaction(watch);
		return;
	case VERB_RSET:
		if (is_good)
			end_transaction(watch);
		return;
	case VERB_GREETING:
	case VERB_BDAT:
	case VERB_QUIT:
	case VERB_OTHER:
		return;
	}
}

/* The n-th reply is that to the n-th command, whenever it was said. */
static void
match(struct wire_watch *watch)
{
	while (watch->pending_count > 0 && watch->code_count > 0) {
		const enum verb verb = watch->pending[0]->verb;
		const int code = watch->codes[0];
		watch->pending_count--;
		watch->code_count--;
		memmove(&watch->pending[0], &watch->pending[1],
		    watch->pending_count * sizeof(watch->pending[0]));
		memmove(&watch->codes[0], &watch->codes[1],
		    watch->code_count * sizeof(watch->codes[0]));
		answer(watch, verb, code);
	}
}

static void
await(struct wire_watch *watch, const struct verb_row *row)
{
	if (watch->pending_count == PENDING_MAX) {
		watch->is_nonsense = true;
		return;
	}
	watch->pending[watch->pending_count++] = row;
	match(watch);
}

/* 0: none. */
static int
code_of(struct bytes line)
{
	unsigned long long code = 0;

	if (line.len > 3 && line.data[3] != '-' && line.data[3] != ' ')
		return 0;
	if (line.len < 3 || !bytes_to_u64(bytes_first(line, 3), 599, &code) ||
	    code < 200)
		return 0;
	return (int)code;
}

static void
take_reply_line(struct wire_watch *watch, struct bytes line)
{
	const int code = code_of(line);
	const bool is_last = line.len < 4 || line.data[3] == ' ';
	const bool is_mixed =
	    watch->reply_code != 0 && code != watch->reply_code;

	if (code == 0 || is_mixed || watch->code_count == PENDING_MAX) {
		watch->is_nonsense = true;
		return;
	}
	if (watch->reply.len > 0)
		buffer_append_char(&watch->reply, '\n');
	buffer_append(&watch->reply, bytes_from(line, 4));
	watch->reply_code = code;
	if (!is_last)
		return;
	watch->reply_code = 0;
	watch->is_closing |= code == 421;
	watch->codes[watch->code_count++] = code;
	match(watch);
	buffer_empty(&watch->reply);
}

/* ---- commands ---- */

static const struct verb_row *
find_verb(struct bytes line)
{
	const struct bytes verb = bytes_first(line, bytes_index(line, ' '));
	const struct verb_row *row = verbs;

	while (row->name[0] != '\0' && !bytes_is_nocase(verb, row->name))
		row++;
	return row;
}

static const struct parameter_row *
find_parameter(enum verb verb, struct bytes word)
{
	for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++)
		if (parameters[i].verb == verb &&
		    bytes_has_prefix_nocase(word, parameters[i].prefix))
			return &parameters[i];
	return NULL;
}

/* Those behind the path; how much longer the line may be for them. */
static size_t
check_parameters(struct wire_watch *watch, enum verb verb, struct bytes line)
{
	struct bytes rest =
	    bytes_from(line, bytes_search(line, BYTES("> ")) + 2);
	size_t room = 0;

	while (rest.len > 0) {
		const struct bytes word = bytes_cut(&rest, ' ');
		const struct parameter_row *row = find_parameter(verb, word);
		if (row == NULL || !offers(watch, row->keyword))
			note_order(watch, WIRE_NOT_OFFERED, word);
		if (row != NULL)
			room += row->octets;
		if (verb == VERB_MAIL)
			watch->is_8bit |= bytes_is_nocase(word, "SMTPUTF8") ||
			    bytes_is_nocase(word, "BODY=8BITMIME") ||
			    bytes_is_nocase(word, "BODY=BINARYMIME");
	}
	return room;
}

/* May it stand where it does? */
static void
check_turn(
    struct wire_watch *watch, const struct verb_row *row, struct bytes line)
{
	const bool is_group = offers(watch, "PIPELINING");

	if (watch->is_tls_due)
		note(watch, WIRE_OUT_OF_TURN, line);
	if (watch->pending_count > 0 &&
	    (!is_group || watch->pending[watch->pending_count - 1]->is_last))
		note_order(watch, WIRE_OUT_OF_TURN, line);
	if (is_group)
		return; /* the refusal may not have been read yet */
	if (row->verb == VERB_RCPT && !watch->is_mail_open)
		note_order(watch, WIRE_BEHIND_REFUSAL, line);
	if ((row->verb == VERB_DATA || row->verb == VERB_BDAT) &&
	    (!watch->is_mail_open || watch->accepted == 0))
		note_order(watch, WIRE_BEHIND_REFUSAL, line);
	if (row->verb == VERB_MAIL && watch->is_mail_open)
		note_order(watch, WIRE_OUT_OF_TURN, line);
}

static bool
is_offered(const struct wire_watch *watch, enum verb verb)
{
	if (verb == VERB_STARTTLS)
		return offers(watch, "STARTTLS");
	if (verb == VERB_AUTH)
		return offers(watch, "AUTH");
	return verb != VERB_BDAT || offers(watch, "CHUNKING");
}

static void
begin_chunk(struct wire_watch *watch, struct bytes line)
{
	struct bytes words = bytes_from(line, strlen("BDAT "));
	unsigned long long len = 0;

	if (!bytes_to_u64(bytes_cut(&words, ' '), 1ULL << 40, &len))
		note(watch, WIRE_OUT_OF_TURN, line);
	watch->chunk_left = (size_t)len;
	if (len > 0)
		watch->reading = READING_CHUNK;
}

static void
take_command(struct wire_watch *watch, struct bytes line)
{
	const struct verb_row *row = find_verb(line);
	size_t room = COMMAND_MAX;

	check_turn(watch, row, line);
	if (!is_offered(watch, row->verb))
		note_order(watch, WIRE_NOT_OFFERED, line);
	if (row->verb == VERB_MAIL || row->verb == VERB_RCPT)
		room += check_parameters(watch, row->verb, line);
	if (watch->line_len > room)
		note(watch, WIRE_LONG_COMMAND, line);
	watch->is_lmtp |= bytes_has_prefix_nocase(line, "LHLO");
	watch->has_quit |= row->verb == VERB_QUIT;
	const bool is_last_chunk =
	    row->verb == VERB_BDAT && bytes_has_suffix_nocase(line, " LAST");
	if (row->verb == VERB_BDAT)
		begin_chunk(watch, line);
	await(watch, is_last_chunk ? &end_row : row);
}

/* ---- content ---- */

static void
end_content(struct wire_watch *watch)
{
	const size_t replies =
	    watch->is_lmtp && watch->accepted > 0 ? watch->accepted : 1;

	watch->reading = READING_COMMANDS;
	for (size_t i = 0; i < replies; i++)
		await(watch, &end_row);
}

static void
take_content_line(struct wire_watch *watch, struct bytes line)
{
	const size_t stuffed = line.len > 0 && line.data[0] == '.' ? 1 : 0;

	if (bytes_is(line, ".")) {
		end_content(watch);
		return;
	}
	if (watch->is_dot_alone)
		note_order(watch, WIRE_BEHIND_REFUSAL, line);
	if (stuffed > 0 && line.data[1] != '.')
		note(watch, WIRE_UNSTUFFED_DOT, line);
	if (watch->line_len > CONTENT_MAX + stuffed + strlen("\r\n"))
		note(watch, WIRE_LONG_LINE, line);
	/* Without MAIL there is nothing to declare it by. */
	if (!watch->is_8bit && watch->is_mail_open && !bytes_is_ascii(line))
		note(watch, WIRE_UNDECLARED_8BIT, line);
}

/* ---- octets ---- */

static void
take_line(struct wire_watch *watch)
{
	const struct bytes kept = buffer_bytes(&watch->line);
	const bool is_crlf = bytes_has_suffix_nocase(kept, "\r\n");
	const struct bytes line =
	    bytes_first(kept, kept.len - (is_crlf ? 2 : 1));

	switch (watch->reading) {
	case READING_COMMANDS:
		if (bytes_contains(line, '\0'))
			note(watch, WIRE_BARE_NEWLINE, line);
		take_command(watch, line);
		break;
	case READING_RESPONSE:
		watch->reading = READING_COMMANDS;
		if (watch->line_len > RESPONSE_MAX)
			note(watch, WIRE_LONG_COMMAND, BYTES("a response"));
		await(watch, find_verb(BYTES("AUTH")));
		break;
	case READING_CONTENT:
		take_content_line(watch, line);
		break;
	case READING_CHUNK:
		break;
	}
	buffer_empty(&watch->line);
	watch->line_len = 0;
}

static void
take_octet(struct wire_watch *watch, char c)
{
	const bool is_bare = (c == '\n') != (watch->last == '\r');

	/* What is longer is wrong already; its end is still seen. */
	if (watch->line.len == LINE_MAX_KEPT)
		buffer_truncate(&watch->line, LINE_MAX_KEPT - 2);
	buffer_append_char(&watch->line, c);
	watch->line_len++;
	watch->last = c;
	if (is_bare)
		note(watch, WIRE_BARE_NEWLINE, buffer_bytes(&watch->line));
	if (c == '\n')
		take_line(watch);
}

/* A TLS handshake, where one may be? */
static bool
is_hello(struct wire_watch *watch, char first)
{
	const bool may_be = !watch->is_begun;

	watch->is_begun = true;
	return may_be && first == 0x16;
}

void
wire_watch_sent(struct wire_watch *watch, struct bytes octets)
{
	if (octets.len > 0 && is_hello(watch, octets.data[0]))
		watch->is_ciphertext = true;
	while (octets.len > 0 && !watch->is_ciphertext) {
		if (watch->reading != READING_CHUNK) {
			take_octet(watch, octets.data[0]);
			octets = bytes_from(octets, 1);
			continue;
		}
		const struct bytes chunk =
		    bytes_first(octets, watch->chunk_left);
		if (!watch->is_8bit && !bytes_is_ascii(chunk))
			note(watch, WIRE_UNDECLARED_8BIT, BYTES("a chunk"));
		watch->chunk_left -= chunk.len;
		octets = bytes_from(octets, chunk.len);
		if (watch->chunk_left == 0)
			watch->reading = READING_COMMANDS;
	}
}

static struct bytes
without_line_end(struct bytes line)
{
	const bool has_cr = line.len > 0 && line.data[line.len - 1] == '\r';

	return bytes_first(line, line.len - has_cr);
}

void
wire_watch_said(struct wire_watch *watch, struct bytes octets)
{
	while (octets.len > 0 && !watch->is_nonsense) {
		const size_t len = bytes_index(octets, '\n');
		buffer_append(&watch->reply_line, bytes_first(octets, len));
		if (watch->reply_line.overflowed)
			watch->is_nonsense = true;
		if (len < octets.len) {
			take_reply_line(watch,
			    without_line_end(buffer_bytes(&watch->reply_line)));
			buffer_empty(&watch->reply_line);
		}
		octets = bytes_from(octets, len + 1);
	}
}

void
wire_watch_secured(struct wire_watch *watch)
{
	if (watch->line.len > 0 || watch->pending_count > 1)
		note(watch, WIRE_OUT_OF_TURN, buffer_bytes(&watch->line));
	watch->is_tls_due = false;
	watch->is_ciphertext = false;
	buffer_empty(&watch->keywords);
	end_transaction(watch);
}

void
wire_watch_closed(struct wire_watch *watch, bool by_client)
{
	const bool is_amiss = watch->is_nonsense || watch->is_closing ||
	    watch->is_ciphertext || watch->is_tls_due ||
	    watch->code_count > 0 || watch->reply_code != 0 ||
	    watch->pending_count > 0 || watch->reply_line.len > 0 ||
	    watch->reading != READING_COMMANDS;

	if (by_client && !watch->has_quit && !is_amiss)
		note(watch, WIRE_NO_QUIT, BYTES_NONE);
}

/* ---- life ---- */

struct wire_watch *
wire_watch_new(unsigned allowed)
{
	struct wire_watch *watch = memory_new(sizeof(*watch));

	watch->allowed = allowed;
	buffer_init(&watch->text, REMEMBER_MAX);
	buffer_init(&watch->reply_line, REMEMBER_MAX);
	buffer_init(&watch->reply, REMEMBER_MAX);
	buffer_init(&watch->keywords, REMEMBER_MAX);
	buffer_init(&watch->line, LINE_MAX_KEPT);
	watch->pending[watch->pending_count++] = &greeting_row;
	return watch;
}

void
wire_watch_free(struct wire_watch *watch)
{
	if (watch == NULL)
		return;
	buffer_clear(&watch->text);
	buffer_clear(&watch->reply_line);
	buffer_clear(&watch->reply);
	buffer_clear(&watch->keywords);
	buffer_clear(&watch->line);
	free(watch);
}

unsigned
wire_watch_faults(const struct wire_watch *watch)
{
	return watch->faults;
}

char *
wire_watch_text(const struct wire_watch *watch)
{
	return buffer_to_text(&watch->text);
}
