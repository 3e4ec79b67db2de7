#include "tools/smtp_words.h"

#include "base/clock.h"
#include "base/memory.h"
#include "tools/smtp_hint.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Where the words begin that explain an option. */
#define HELP_COLUMN 25

enum kind {
	KIND_FLAG,
	KIND_TEXT,
	KIND_LIST,  /* each time one more */
	KIND_SPLIT, /* the same, and cut at commas */
	KIND_TIME,
	KIND_NUMBER,
	KIND_CHOICE, /* the argument's words, from 1 on */
	KIND_TRACE
};

#define FIELD(name) offsetof(struct smtp_words, name)

static const struct row {
	const char *name;
	const char *letter; /* or NULL */
	enum kind kind;
	size_t field;
	unsigned use;
	const char *argument; /* or "", for the help; choices "a|b" */
	const char *help;     /* NULL: as the row above says */
} rows[] = {
    {"--from", "-f", KIND_TEXT, FIELD(from), SMTP_USE_MAIL, "ADDRESS",
	"the envelope's sender; \"\" is the null sender"},
    {"--to", "-t", KIND_SPLIT, FIELD(to), SMTP_USE_MAIL, "ADDRESS,...",
	"its recipients; may be repeated"},
    {"--message", "-m", KIND_LIST, FIELD(letters), SMTP_USE_LETTER, "FILE",
	"a letter, - is stdin; several go in one session"},
    {"--header", NULL, KIND_LIST, FIELD(headers), SMTP_USE_TEST, "'NAME: TEXT'",
	"instead of that line of the test letter, or beside"},
    {"--body", NULL, KIND_TEXT, FIELD(body), SMTP_USE_TEST, "TEXT",
	"what the test letter says"},

    {"--debug", "-d", KIND_TRACE, FIELD(trace), SMTP_USE_ALL, "",
	"what passes, on stderr; -dd from the very beginning,\n"
	"with the time; -ddd with the secrets, too"},
    {"--trace-short", NULL, KIND_FLAG, FIELD(trace_short), SMTP_USE_ALL, "",
	"each line once"},
    {"--helo", NULL, KIND_TEXT, FIELD(helo), SMTP_USE_ALL, "NAME",
	"our name, instead of this machine's"},
    {"--source", NULL, KIND_TEXT, FIELD(source), SMTP_USE_ALL, "ADDRESS[:PORT]",
	"where we come from"},
    {"--timeout", NULL, KIND_TIME, FIELD(timeout_ms), SMTP_USE_ALL, "SECONDS",
	"for each answer, instead of those of RFC 5321"},
    {"--lmtp", NULL, KIND_FLAG, FIELD(lmtp), SMTP_USE_ALL, "",
	"LMTP: an answer for each recipient; port 2003"},
    {"--ehlo", NULL, KIND_FLAG, FIELD(greets), SMTP_USE_GREET, "",
	"say EHLO first"},

    {"--tls", NULL, KIND_CHOICE, FIELD(tls), SMTP_USE_ALL,
	"off|may|must|implicit",
	"STARTTLS; must verifies; implicit is TLS from the\n"
	"start, port 465.  Default: off, and must with a login"},
    {"--ca", NULL, KIND_TEXT, FIELD(ca), SMTP_USE_ALL, "FILE",
	"whom we trust, instead of the system's"},
    {"--tls-name", NULL, KIND_TEXT, FIELD(tls_name), SMTP_USE_ALL, "NAME",
	"that the certificate has, instead of the host's"},
    {"--user", NULL, KIND_TEXT, FIELD(user), SMTP_USE_ALL, "USER",
	"log in; the password is asked for, or"},
    {"--pass-fd", NULL, KIND_NUMBER, FIELD(pass_fd), SMTP_USE_ALL, "N",
	"is the first line of descriptor N"},
    {"--auth", NULL, KIND_TEXT, FIELD(auth), SMTP_USE_ALL, "FILE",
	"log in with the two lines of FILE: user, password"},
    {"--mech", NULL, KIND_TEXT, FIELD(mechanism), SMTP_USE_ALL, "NAME",
	"by this mechanism alone"},
    {"--no-ir", NULL, KIND_FLAG, FIELD(no_initial), SMTP_USE_ALL, "",
	"wait for the first challenge"},
    {"--auth-in-clear", NULL, KIND_FLAG, FIELD(auth_in_clear), SMTP_USE_ALL, "",
	"show the password without TLS, too"},

    {"--ret", NULL, KIND_TEXT, FIELD(ret), SMTP_USE_MAIL, "full|hdrs",
	"what a bounce brings back"},
    {"--envid", NULL, KIND_TEXT, FIELD(envelope_id), SMTP_USE_MAIL, "TEXT",
	"the envelope's id"},
    {"--notify", NULL, KIND_TEXT, FIELD(notify), SMTP_USE_MAIL, "WHEN,...",
	"never, or some of success,failure,delay"},
    {"--orcpt", NULL, KIND_TEXT, FIELD(original), SMTP_USE_MAIL, "ADDRESS",
	"the original recipient"},
    {"--by", NULL, KIND_TEXT, FIELD(by), SMTP_USE_MAIL, "SECONDS[;R|N[T]]",
	"deliver by then, or return it (R) or tell (N)"},
    {"--hold", NULL, KIND_TEXT, FIELD(hold), SMTP_USE_MAIL, "SECONDS|DATE",
	"hold it so long, or until 2027-01-31T09:00:00Z"},
    {"--mt-priority", NULL, KIND_TEXT, FIELD(priority), SMTP_USE_MAIL, "N",
	"-9 to 9"},
    {"--requiretls", NULL, KIND_FLAG, FIELD(require_tls), SMTP_USE_MAIL, "",
	"verified TLS all the way"},
    {"--opt", NULL, KIND_LIST, FIELD(mail_options), SMTP_USE_MAIL,
	"'BODY=8BITMIME'", "any parameter of MAIL"},
    {"--ropt", NULL, KIND_LIST, FIELD(rcpt_options), SMTP_USE_MAIL,
	"'NOTIFY=NEVER'", "any parameter of RCPT"},

    {"--pipe", NULL, KIND_FLAG, FIELD(pipelines), SMTP_USE_MAIL, "",
	"commands in one go where offered: the default"},
    {"--no-pipe", NULL, KIND_FLAG, FIELD(no_pipelining), SMTP_USE_MAIL, "",
	"one command at a time"},
    {"--bdat", NULL, KIND_FLAG, FIELD(chunks), SMTP_USE_LETTER, "",
	"BDAT where offered"},
    {"--raw", NULL, KIND_FLAG, FIELD(raw), SMTP_USE_LETTER, "",
	"line ends as they are, but for the dots"},
    {"--to8", NULL, KIND_CHOICE, FIELD(to8), SMTP_USE_LETTER, "keep|qp|base64",
	"8-bit letters where 8BITMIME is not offered: as they\n"
	"are, or in 7 bits; default: the shorter way"},
    {"--verbs", NULL, KIND_CHOICE, FIELD(verbs), SMTP_USE_ALL,
	"lower|seed|upper", "mail from:, mail FROM:, MAIL FROM:"},
    {"--quit-after", NULL, KIND_CHOICE, FIELD(stop), SMTP_USE_LETTER,
	"connect|ehlo|mail|rcpt|data",
	"go no further; behind data nothing is sent any more"},
    {"--compat", NULL, KIND_CHOICE, FIELD(compat), SMTP_USE_LETTER, "smtplib2",
	"as smtplib of Python 2: no BODY, SIZE before CRLF"},
    {"--force", NULL, KIND_FLAG, FIELD(force), SMTP_USE_ETRN, "",
	"also where ETRN is not offered"},
    {"--maildir", NULL, KIND_TEXT, FIELD(maildir), SMTP_USE_ATRN, "DIRECTORY",
	"keep what comes there; default: the relay's socket"},
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static bool
is_for(const struct row *row, unsigned use)
{
	return (row->use & (use | SMTP_USE_ALL)) != 0;
}

/* ---- reading ---- */

struct reading {
	struct tool *tool;
	unsigned use;
	struct smtp_words *words;
};

/* Commas within quotes or brackets are none: "a,b"@x, <@r1,@r2:a@x>. */
static size_t
item_len(struct bytes text)
{
	bool is_quoted = false;
	bool is_bracketed = false;

	for (size_t i = 0; i < text.len; i++) {
		const char c = text.data[i];
		if (c == '\\' && is_quoted)
			i++;
		else if (c == '"')
			is_quoted = !is_quoted;
		else if (!is_quoted && (c == '<' || c == '>'))
			is_bracketed = c == '<';
		else if (c == ',' && !is_quoted && !is_bracketed)
			return i;
	}
	return text.len;
}

static void
split(struct smtp_list *list, struct bytes rest)
{
	while (rest.len > 0) {
		const size_t len = item_len(rest);
		const struct bytes item = bytes_trim(bytes_first(rest, len));

		rest = bytes_from(rest, len + 1);
		if (item.len > 0)
			smtp_list_add(list, item);
	}
}

/* Seconds, with or without a unit and a fraction: "30", "0.5", "250ms", "1m".
 */
static bool
read_time(const char *value, int64_t *out_ms)
{
	struct bytes rest = bytes_of(value);
	int64_t ms = 0;

	if (duration_parse(rest, &ms)) {
		*out_ms = ms;
		return ms > 0;
	}
	const struct bytes whole = bytes_cut(&rest, '.');
	const bool has_fraction = whole.len < strlen(value);
	unsigned long long seconds = 0;
	unsigned long long thousandths = 0;
	if (!bytes_to_u64(whole, INT_MAX, &seconds))
		return false;
	if (has_fraction &&
	    (rest.len > 3 || !bytes_to_u64(rest, 999, &thousandths)))
		return false;
	for (size_t i = rest.len; has_fraction && i < 3; i++)
		thousandths *= 10;
	ms = (int64_t)(seconds * 1000 + thousandths);
	*out_ms = ms;
	return ms > 0;
}

/* 1 for the first of "a|b|c"; 0: none of them. */
static int
read_choice(const char *choices, const char *value)
{
	struct bytes rest = bytes_of(choices);

	for (int i = 1; rest.len > 0; i++)
		if (bytes_equal(bytes_cut(&rest, '|'), bytes_of(value)))
			return i;
	return 0;
}

static bool
refuse(struct reading *reading, const struct row *row, const char *value)
{
	(void)tool_usage(reading->tool, "%s %s: %s %s", row->name, value,
	    row->kind == KIND_CHOICE ? "say" : "it takes", row->argument);
	return false;
}

static bool
set(struct reading *reading, const struct row *row, const char *value)
{
	char *field = (char *)reading->words + row->field;
	unsigned long long number = 0;

	switch (row->kind) {
	case KIND_FLAG:
		*(bool *)(void *)field = true;
		return true;
	case KIND_TRACE:
		++*(unsigned *)(void *)field;
		return true;
	case KIND_TEXT:
		*(const char **)(void *)field = value;
		return true;
	case KIND_LIST:
		smtp_list_add(
		    (struct smtp_list *)(void *)field, bytes_of(value));
		return true;
	case KIND_SPLIT:
		split((struct smtp_list *)(void *)field, bytes_of(value));
		return true;
	case KIND_TIME:
		return read_time(value, (int64_t *)(void *)field) ||
		    refuse(reading, row, value);
	case KIND_NUMBER:
		if (!bytes_to_u64(bytes_of(value), INT_MAX, &number))
			return refuse(reading, row, value);
		*(int64_t *)(void *)field = (int64_t)number;
		return true;
	case KIND_CHOICE:
		*(int *)(void *)field = read_choice(row->argument, value);
		return *(int *)(void *)field != 0 ||
		    refuse(reading, row, value);
	}
	return false;
}

/* "-dd" is "-d -d". */
static bool
is_trace(const char *word)
{
	return word[0] == '-' && word[1] == 'd' &&
	    strspn(word + 1, "d") == strlen(word + 1);
}

static enum tool_match
take_row(struct reading *reading, const struct row *row, int argc, char **argv,
    int *at)
{
	const bool has_value = row->argument[0] != '\0';
	const char *value = NULL;
	const char **out = has_value ? &value : NULL;
	enum tool_match match =
	    tool_match(reading->tool, row->name, argc, argv, at, out);

	if (match == TOOL_OTHER && row->letter != NULL)
		match =
		    tool_match(reading->tool, row->letter, argc, argv, at, out);
	if (match == TOOL_TAKEN && !set(reading, row, value))
		return TOOL_WRONG;
	return match;
}

static enum tool_match
take(int argc, char **argv, int *at, struct guess *guess, void *ctx)
{
	struct reading *reading = ctx;

	if (is_trace(argv[*at])) {
		reading->words->trace += (unsigned)strlen(argv[*at]) - 1;
		return TOOL_TAKEN;
	}
	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (!is_for(&rows[i], reading->use))
			continue;
		const enum tool_match match =
		    take_row(reading, &rows[i], argc, argv, at);
		if (match != TOOL_OTHER)
			return match;
		guess_try(guess, rows[i].name);
	}
	const char *hint = smtp_hint_of(argv[*at]);
	if (hint == NULL)
		return TOOL_OTHER;
	(void)tool_usage(
	    reading->tool, "%s is no option here; %s", argv[*at], hint);
	return TOOL_WRONG;
}

bool
smtp_words_read(struct tool *tool, unsigned use, int argc, char **argv,
    struct smtp_words *out_words)
{
	struct reading reading = {tool, use, out_words};

	*out_words = (struct smtp_words){.use = use, .pass_fd = -1};
	const int left = tool_walk(tool, argc, argv, take, &reading);
	if (left < 0)
		return false;
	if (left > 0) {
		out_words->host = argv[0];
		out_words->arguments = argv + 1;
		out_words->argument_count = left - 1;
	}
	return true;
}

void
smtp_words_clear(struct smtp_words *words)
{
	smtp_list_clear(&words->to);
	smtp_list_clear(&words->letters);
	smtp_list_clear(&words->headers);
	smtp_list_clear(&words->mail_options);
	smtp_list_clear(&words->rcpt_options);
}

/* ---- help ---- */

static void
pad(struct buffer *buffer, size_t from)
{
	size_t column = buffer->len - from;

	if (column >= HELP_COLUMN) {
		buffer_append_char(buffer, '\n');
		column = 0;
	}
	for (; column < HELP_COLUMN; column++)
		buffer_append_char(buffer, ' ');
}

static void
explain(struct buffer *buffer, const struct row *row)
{
	struct bytes rest = bytes_of(row->help);
	size_t from = buffer->len;

	buffer_printf(buffer, "  %s%s%s%s%s",
	    row->letter != NULL ? row->letter : "",
	    row->letter != NULL ? ", " : "    ", row->name,
	    row->argument[0] != '\0' ? " " : "", row->argument);
	while (rest.len > 0) {
		const struct bytes line = bytes_cut(&rest, '\n');
		pad(buffer, from);
		buffer_printf(buffer, "%.*s\n", BYTES_ARGS(line));
		from = buffer->len;
	}
}

void
smtp_words_help(struct buffer *buffer, unsigned use)
{
	/* tool_walk() knows this one. */
	static const struct row json = {"--json", NULL, KIND_FLAG, 0,
	    SMTP_USE_ALL, "", "one object instead of text"};

	for (size_t i = 0; i < ROW_COUNT; i++)
		if (is_for(&rows[i], use))
			explain(buffer, &rows[i]);
	explain(buffer, &json);
}
