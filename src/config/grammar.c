#include "config/grammar.h"

#include "base/bytes.h"
#include "base/memory.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct scanner {
	const struct source *source;
	char *text; /* where settings given twice are blanked */
	struct diagnose *diagnose;
	struct grammar grammar;
	size_t capacity; /* of grammar.marks */
	size_t at;
	unsigned depth;
};

enum scalar_type {
	SCALAR_NONE,
	SCALAR_TEXT,
	SCALAR_NUMBER,
	SCALAR_BOOL
};

static bool scan_value(struct scanner *scanner);

static char
peek(const struct scanner *scanner)
{
	return scanner->source->text[scanner->at]; /* NUL at the end */
}

static bool
at_end(const struct scanner *scanner)
{
	return scanner->at >= scanner->source->len;
}

static struct source_place
place_at(const struct scanner *scanner, size_t offset, size_t len)
{
	return (struct source_place){scanner->source, offset, len};
}

/* Tell it at the scanner's place, and be false. */
static bool
fail(struct scanner *scanner, size_t len, const char *text)
{
	diagnose_error(
	    scanner->diagnose, place_at(scanner, scanner->at, len), "%s", text);
	return false;
}

static bool
is_name_start(char c)
{
	return isalpha((unsigned char)c) || c == '*';
}

static bool
is_name_part(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '_' || c == '*';
}

/* What people write without quotes by mistake: 5d, ops@example.com, 10.0.0.1:25
 */
static bool
is_word_part(char c)
{
	return isalnum((unsigned char)c) || (unsigned char)c >= 0x80 ||
	    (c != '\0' && strchr("-_.@:/+%*&!~$", c) != NULL);
}

/* Up to a comment, which may follow without a blank; "smtps://" begins none. */
static size_t
word_len(const struct scanner *scanner, size_t from)
{
	const char *word = scanner->source->text + from;
	size_t len = 0;

	while (is_word_part(word[len])) {
		bool comment = word[len] == '/' &&
		    (word[len + 1] == '/' || word[len + 1] == '*');
		if (comment && (len == 0 || word[len - 1] != ':'))
			break;
		len++;
	}
	return len;
}

static void
skip_line(struct scanner *scanner)
{
	while (!at_end(scanner) && peek(scanner) != '\n')
		scanner->at++;
}

static bool
skip_comment(struct scanner *scanner)
{
	const char *end = strstr(scanner->source->text + scanner->at + 2, "*/");

	if (end == NULL)
		return fail(scanner, 2,
		    "this comment is never closed; "
		    "end it with */");
	scanner->at = (size_t)(end - scanner->source->text) + 2;
	return true;
}

/* Blanks and comments; false only for a comment that never ends. */
static bool
skip_blanks(struct scanner *scanner)
{
	for (;;) {
		const char *text = scanner->source->text + scanner->at;

		if (*text != '\0' && strchr(" \t\r\n\f", *text) != NULL)
			scanner->at++;
		else if (*text == '#' || (text[0] == '/' && text[1] == '/'))
			skip_line(scanner);
		else if (text[0] != '/' || text[1] != '*')
			return true;
		else if (!skip_comment(scanner))
			return false;
	}
}

static bool
mark_new(struct scanner *scanner, size_t name, size_t name_len, size_t *out)
{
	struct grammar *grammar = &scanner->grammar;

	if (grammar->count >= GRAMMAR_SETTINGS_MAX)
		return fail(scanner, 1, "too many settings in one file");
	if (grammar->count == scanner->capacity) {
		scanner->capacity = scanner->capacity * 2 + 64;
		grammar->marks = memory_resize_array(
		    grammar->marks, scanner->capacity, sizeof(*grammar->marks));
	}
	*out = grammar->count;
	grammar->marks[grammar->count++] =
	    (struct grammar_mark){name, name_len, scanner->at, 0};
	return true;
}

/* One string, up to behind its closing quote. */
static bool
scan_string(struct scanner *scanner)
{
	const char *text = scanner->source->text;

	for (size_t i = scanner->at + 1; i < scanner->source->len; i++) {
		if (text[i] == '\n')
			break;
		if (text[i] == '"') {
			scanner->at = i + 1;
			return true;
		}
		if (text[i] == '\\' && text[i + 1] != '\0' &&
		    text[i + 1] != '\n')
			i++;
	}
	return fail(scanner, 1,
	    "the closing quote is missing; a text ends on its line");
}

/* libconfig joins strings that follow each other. */
static bool
scan_strings(struct scanner *scanner)
{
	size_t end;

	do {
		if (!scan_string(scanner))
			return false;
		end = scanner->at;
		if (!skip_blanks(scanner))
			return false;
	} while (peek(scanner) == '"');
	scanner->at = end;
	return true;
}

static bool
is_boolean(const char *text, size_t len)
{
	struct bytes word = bytes_make(text, len);

	return bytes_is_nocase(word, "true") || bytes_is_nocase(word, "false");
}

static bool
is_yes_or_no(const char *text, size_t len)
{
	static const char *const words[] = {"yes", "no", "on", "off"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (bytes_is_nocase(bytes_make(text, len), words[i]))
			return true;
	return false;
}

/* Decimal, as every number of ours is. */
static bool
is_number(const char *text, size_t len)
{
	size_t sign = len > 0 && (text[0] == '+' || text[0] == '-');

	for (size_t i = sign; i < len; i++)
		if (!isdigit((unsigned char)text[i]))
			return false;
	return len > sign;
}

/* "name =": a setting begins where a value should be. */
static bool
is_setting(const struct scanner *scanner, size_t from, size_t len)
{
	const char *text = scanner->source->text;
	size_t at = from + len;

	while (text[at] == ' ' || text[at] == '\t')
		at++;
	return text[at] == '=' && is_name_start(text[from]);
}

/* A bare word: a boolean, a number, or a mistake. */
static bool
scan_word(struct scanner *scanner, enum scalar_type *out_type)
{
	const char *word = scanner->source->text + scanner->at;
	size_t len = word_len(scanner, scanner->at);
	struct source_place place = place_at(scanner, scanner->at, len);

	if (len == 0)
		return fail(scanner, 1,
		    at_end(scanner) || *word == ';' || *word == ',' ||
			    *word == '}'
			? "a value is missing here"
			: "expected a value here: a text in quotes, a number, "
			  "true or false");
	scanner->at += len;
	bool boolean = is_boolean(word, len);
	*out_type = boolean ? SCALAR_BOOL : SCALAR_NUMBER;
	if (boolean || is_number(word, len))
		return true;
	if (is_setting(scanner, place.offset, len))
		diagnose_error(scanner->diagnose, place,
		    "a setting begins here, but the one before has no end; "
		    "is a value or a bracket missing?");
	else if (is_yes_or_no(word, len))
		diagnose_error(scanner->diagnose, place,
		    "'%.*s' is neither true nor false; write true or false",
		    (int)len, word);
	else
		diagnose_error(scanner->diagnose, place,
		    "a text needs quotes; write \"%.*s\"", (int)len, word);
	return false;
}

static bool
scan_scalar(struct scanner *scanner, enum scalar_type *out_type)
{
	*out_type = SCALAR_TEXT;
	if (peek(scanner) == '"')
		return scan_strings(scanner);
	return scan_word(scanner, out_type);
}

static bool
scan_array_element(struct scanner *scanner, enum scalar_type *first)
{
	size_t mark;
	size_t start = scanner->at;
	enum scalar_type type;

	if (peek(scanner) == '{' || peek(scanner) == '(' ||
	    peek(scanner) == '[')
		return fail(scanner, 1,
		    "[ ] holds only texts or numbers; write ( ) around it");
	if (!mark_new(scanner, start, 0, &mark) || !scan_scalar(scanner, &type))
		return false;
	scanner->grammar.marks[mark].value_len = scanner->at - start;
	if (*first == SCALAR_NONE)
		*first = type;
	if (*first == type)
		return true;
	scanner->at = start;
	return fail(scanner, 1, "all elements of [ ] must be of one type");
}

static bool
scan_list_element(struct scanner *scanner)
{
	size_t mark;
	size_t start = scanner->at;

	if (!mark_new(scanner, start, 0, &mark) || !scan_value(scanner))
		return false;
	scanner->grammar.marks[mark].value_len = scanner->at - start;
	return true;
}

/* Behind the opening bracket: elements with commas between them. */
static bool
scan_elements(struct scanner *scanner, char closing)
{
	enum scalar_type type = SCALAR_NONE;

	if (!skip_blanks(scanner))
		return false;
	while (peek(scanner) != closing) {
		bool good = closing == ']' ? scan_array_element(scanner, &type)
					   : scan_list_element(scanner);
		if (!good || !skip_blanks(scanner))
			return false;
		if (peek(scanner) == closing)
			break;
		if (peek(scanner) != ',')
			return fail(scanner, 1,
			    closing == ']' ? "expected ',' or ']' here"
					   : "expected ',' or ')' here");
		size_t comma = scanner->at++;
		if (!skip_blanks(scanner))
			return false;
		if (peek(scanner) == closing) {
			scanner->at = comma;
			return fail(scanner, 1,
			    "nothing follows this comma; remove it");
		}
	}
	scanner->at++;
	return true;
}

/* Tell of the setting that was given before, between marks first and last. */
static bool
find_twin(struct scanner *scanner, size_t first, size_t last,
    const struct grammar_mark *mark)
{
	const char *text = scanner->source->text;
	size_t behind = 0; /* marks up to here lie within an earlier setting */

	for (size_t i = first; i < last; i++) {
		const struct grammar_mark *other = &scanner->grammar.marks[i];

		if (other->value < behind)
			continue;
		behind = other->value + other->value_len;
		if (other->name_len != mark->name_len ||
		    memcmp(text + other->name, text + mark->name,
			mark->name_len) != 0)
			continue;
		diagnose_error(scanner->diagnose,
		    place_at(scanner, mark->name, mark->name_len),
		    "'%.*s' is set twice, first in line %u; remove one",
		    (int)mark->name_len, text + mark->name,
		    source_line(scanner->source, other->name));
		return true;
	}
	return false;
}

static void
blank_out(struct scanner *scanner, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (scanner->text[i] != '\n')
			scanner->text[i] = ' ';
}

static bool
scan_assignment(struct scanner *scanner)
{
	const char *text = scanner->source->text;

	if (text[scanner->at] == '@')
		return fail(scanner, 1,
		    "there is no @include here; files "
		    "of their own go into conf.d");
	if (!is_name_start(text[scanner->at]))
		return fail(scanner, 1,
		    strchr(";,", text[scanner->at])
			? "expected a setting here; remove this separator"
			: "expected a setting here: name = value;");
	size_t len = 0;
	while (is_name_part(text[scanner->at + len]))
		len++;
	size_t name = scanner->at;
	scanner->at += len;
	if (!skip_blanks(scanner))
		return false;
	if (peek(scanner) == '=' || peek(scanner) == ':') {
		scanner->at++;
		return true;
	}
	diagnose_error(scanner->diagnose, place_at(scanner, name, len),
	    "expected '=' and a value after '%.*s'", (int)len, text + name);
	return false;
}

/* first: the mark of the group's first setting, to find twins. */
static bool
scan_setting(struct scanner *scanner, size_t first)
{
	size_t mark;
	size_t name = scanner->at;

	if (!scan_assignment(scanner) || !skip_blanks(scanner))
		return false;
	size_t name_len = 0;
	while (is_name_part(scanner->source->text[name + name_len]))
		name_len++;
	if (!mark_new(scanner, name, name_len, &mark) || !scan_value(scanner))
		return false;
	scanner->grammar.marks[mark].value_len =
	    scanner->at - scanner->grammar.marks[mark].value;
	if (!skip_blanks(scanner))
		return false;
	if (peek(scanner) == ';' || peek(scanner) == ',')
		scanner->at++;
	if (find_twin(scanner, first, mark, &scanner->grammar.marks[mark])) {
		blank_out(scanner, name, scanner->at);
		scanner->grammar.count = mark;
	}
	return skip_blanks(scanner);
}

/* closing: '}', or NUL for the whole text. */
static bool
scan_settings(struct scanner *scanner, char closing)
{
	size_t first = scanner->grammar.count;

	if (!skip_blanks(scanner))
		return false;
	while (!at_end(scanner) && peek(scanner) != closing) {
		if (closing == '\0' && peek(scanner) == '}')
			return fail(scanner, 1, "this '}' closes nothing");
		if (!scan_setting(scanner, first))
			return false;
	}
	return true;
}

static bool
scan_bracket(struct scanner *scanner, char closing)
{
	size_t open = scanner->at++;
	bool good;

	if (closing == '}') {
		good = scan_settings(scanner, closing);
		if (good && peek(scanner) == closing)
			scanner->at++;
		else if (good) {
			scanner->at = open;
			good = fail(scanner, 1, "this '{' is never closed");
		}
	} else
		good = scan_elements(scanner, closing);
	return good;
}

static bool
scan_value(struct scanner *scanner)
{
	static const char opening[] = "{([";
	static const char closing[] = "})]";
	enum scalar_type type;
	const char *bracket =
	    at_end(scanner) ? NULL : strchr(opening, peek(scanner));

	if (bracket == NULL)
		return scan_scalar(scanner, &type);
	if (scanner->depth == GRAMMAR_DEPTH_MAX)
		return fail(scanner, 1, "brackets are nested too deeply");
	scanner->depth++;
	bool good = scan_bracket(scanner, closing[bracket - opening]);
	scanner->depth--;
	return good;
}

/* libconfig takes a NUL for the end, and control characters for anything. */
static bool
check_characters(struct scanner *scanner)
{
	const struct source *source = scanner->source;

	for (size_t i = 0; i < source->len; i++) {
		unsigned char c = (unsigned char)source->text[i];

		if (c >= ' ' && c != 0x7f)
			continue;
		if (c != '\0' && strchr("\t\n\r\f", c) != NULL)
			continue;
		scanner->at = i;
		return fail(scanner, 1,
		    "a control character stands here; is this a text file?");
	}
	return true;
}

bool
grammar_scan(const struct source *source, char *text, struct diagnose *diagnose,
    struct grammar *out_grammar)
{
	struct scanner scanner = {
	    .source = source, .text = text, .diagnose = diagnose};

	if (check_characters(&scanner) && scan_settings(&scanner, '\0')) {
		*out_grammar = scanner.grammar;
		return true;
	}
	free(scanner.grammar.marks);
	return false;
}

void
grammar_clear(struct grammar *grammar)
{
	free(grammar->marks);
	*grammar = (struct grammar){0};
}
