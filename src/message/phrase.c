#include "message/phrase.h"

#include "base/memory.h"
#include "message/transfer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHARSET_MAX     40
#define CHARSET_UNKNOWN "unknown-8bit"

static bool
is_alphanumeric(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	    (c >= 'a' && c <= 'z');
}

/* RFC 5322 3.2.3, atext. */
static bool
is_atext(char c)
{
	return is_alphanumeric(c) ||
	    bytes_contains(BYTES("!#$%&'*+-/=?^_`{|}~"), c);
}

/* ---- encoded words ---- */

/* The name to give to octets of text. */
static const char *
charset_of(struct bytes text, const char *charset)
{
	if (bytes_is_utf8(text))
		return "utf-8";
	if (charset == NULL || strlen(charset) > CHARSET_MAX)
		return CHARSET_UNKNOWN;
	for (const char *c = charset; *c != '\0'; c++) {
		if (!is_alphanumeric(*c) && *c != '-' && *c != '_')
			return CHARSET_UNKNOWN;
	}
	return charset[0] == '\0' ? CHARSET_UNKNOWN : charset;
}

/* At most max octets, cut between characters where text is UTF-8. */
static size_t
cut_len(struct bytes text, size_t max)
{
	if (text.len <= max)
		return text.len;
	for (size_t len = max; len + 4 > max; len--) {
		if ((text.data[len] & 0xc0) != 0x80)
			return len;
	}
	return max;
}

void
phrase_append_encoded(
    struct buffer *buffer, struct bytes text, const char *charset)
{
	const char *name = charset_of(text, charset);
	size_t framing =
	    strlen("=?") + strlen(name) + strlen("?B?") + strlen("?=");
	size_t max = (PHRASE_WORD_MAX - framing) / 4 * 3;

	for (bool first = true; text.len > 0; first = false) {
		struct bytes part = bytes_first(text, cut_len(text, max));
		buffer_printf(buffer, "%s=?%s?B?", first ? "" : " ", name);
		transfer_base64(buffer, part);
		buffer_append_text(buffer, "?=");
		text = bytes_from(text, part.len);
	}
}

/* ---- names ---- */

/* Needs neither quotes nor encoding. */
static bool
is_bare(struct bytes name)
{
	bool blank = true; /* behind one, or at the front */

	if (bytes_search(name, BYTES("=?")) < name.len)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		if (blank ? !is_atext(name.data[i])
			  : !is_atext(name.data[i]) && name.data[i] != ' ')
			return false;
		blank = name.data[i] == ' ';
	}
	return !blank;
}

static void
append_quoted(struct buffer *buffer, struct bytes name)
{
	buffer_append_char(buffer, '"');
	for (size_t i = 0; i < name.len; i++) {
		if (name.data[i] == '"' || name.data[i] == '\\')
			buffer_append_char(buffer, '\\');
		buffer_append_char(buffer, name.data[i]);
	}
	buffer_append_char(buffer, '"');
}

void
phrase_append(struct buffer *buffer, struct bytes name)
{
	char *clean = memory_copy(bytes_trim(name));
	struct bytes text = bytes_make(clean, bytes_trim(name).len);

	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)clean[i] < ' ' || clean[i] == 0x7f)
			clean[i] = '?';
	}
	if (!bytes_is_ascii(text))
		phrase_append_encoded(buffer, text, NULL);
	else if (is_bare(text))
		buffer_append(buffer, text);
	else
		append_quoted(buffer, text);
	free(clean);
}

/* ---- downgrading: free text ---- */

/* Octets up to the next blank or delimiter. */
static size_t
word_len(struct bytes text, struct bytes delimiters)
{
	size_t len = 0;

	while (len < text.len && !bytes_is_blank_char(text.data[len]) &&
	    !bytes_contains(delimiters, text.data[len]))
		len++;
	return len;
}

static size_t
blank_len(struct bytes text)
{
	size_t len = 0;

	while (len < text.len && bytes_is_blank_char(text.data[len]))
		len++;
	return len;
}

/* Octets of a run of words that are all not ASCII; blanks between belong to it,
 * since those between encoded words are not shown. */
static size_t
run_len(struct bytes text, struct bytes delimiters)
{
	size_t len = 0;
	size_t blanks = 0;

	for (;;) {
		struct bytes rest = bytes_from(text, len + blanks);
		size_t word = word_len(rest, delimiters);
		if (word == 0 || bytes_is_ascii(bytes_first(rest, word)))
			return len;
		len += blanks + word;
		blanks = blank_len(bytes_from(text, len));
	}
}

/* Append text, its words that are not ASCII as encoded words. */
static void
append_words(struct buffer *buffer, struct bytes text, struct bytes delimiters,
    const char *charset)
{
	while (text.len > 0) {
		size_t run = run_len(text, delimiters);
		if (run > 0)
			phrase_append_encoded(
			    buffer, bytes_first(text, run), charset);
		text = bytes_from(text, run);

		size_t plain = word_len(text, delimiters);
		if (plain == 0 && text.len > 0)
			plain = 1;
		buffer_append(buffer, bytes_first(text, plain));
		text = bytes_from(text, plain);
	}
}

static bool
downgrade_text(struct buffer *buffer, struct bytes value, const char *charset)
{
	append_words(buffer, value, BYTES_NONE, charset);
	return true;
}

/* What has no place for people's words: they become '?'. */
static void
append_masked(struct buffer *buffer, struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		bool ascii = (unsigned char)text.data[i] < 0x80;
		buffer_append_char(buffer, ascii ? text.data[i] : '?');
	}
}

static bool
downgrade_structure(
    struct buffer *buffer, struct bytes value, const char *charset)
{
	(void)charset;
	append_masked(buffer, value);
	return true;
}

/* ---- downgrading: addresses ---- */

/* Append phrase without quotes and backslashes. */
static void
append_unquoted(struct buffer *buffer, struct bytes phrase)
{
	bool quoted = false;

	for (size_t i = 0; i < phrase.len; i++) {
		char c = phrase.data[i];
		if (c == '"') {
			quoted = !quoted;
			continue;
		}
		if (quoted && c == '\\' && i + 1 < phrase.len)
			c = phrase.data[++i];
		buffer_append_char(buffer, c);
	}
}

/* Append an address whose mailbox is ASCII. */
static void
append_address(struct buffer *buffer, struct bytes whole, const char *charset)
{
	const struct bytes delimiters = BYTES("()<>,;:\"\\");
	size_t angle = bytes_last_index(whole, '<');
	struct bytes name = bytes_first(whole, angle == whole.len ? 0 : angle);
	struct bytes rest = bytes_from(whole, name.len);
	struct buffer plain;

	if (bytes_is_ascii(name)) {
		buffer_append(buffer, name);
		append_words(buffer, rest, delimiters, charset);
		return;
	}
	buffer_init(&plain, SIZE_MAX);
	append_unquoted(&plain, bytes_trim(name));
	phrase_append_encoded(buffer, buffer_bytes(&plain), charset);
	buffer_clear(&plain);
	buffer_append_char(buffer, ' ');
	append_words(buffer, rest, delimiters, charset);
}

static bool
walk_addresses(struct buffer *buffer, struct bytes value,
    struct buffer *scratch, const char *charset)
{
	const struct bytes delimiters = BYTES("()<>,;:\"\\");
	struct header_address address;
	struct bytes rest = value;
	const char *copied = value.data; /* up to here */
	enum header_address_result result;

	for (;;) {
		result = header_next_address(&rest, scratch, &address);
		if (result != HEADER_ADDRESS)
			break;
		if (!bytes_is_ascii(address.mailbox))
			return false;
		size_t gap = (size_t)(address.whole.data - copied);
		append_words(
		    buffer, bytes_make(copied, gap), delimiters, charset);
		append_address(buffer, address.whole, charset);
		copied = address.whole.data + address.whole.len;
	}
	size_t left = (size_t)(value.data + value.len - copied);
	append_words(buffer, bytes_make(copied, left), delimiters, charset);
	return true;
}

static bool
downgrade_addresses(
    struct buffer *buffer, struct bytes value, const char *charset)
{
	struct buffer scratch;

	buffer_init(&scratch, SIZE_MAX);
	bool ok = walk_addresses(buffer, value, &scratch, charset);
	buffer_clear(&scratch);
	return ok;
}

/* ---- downgrading: MIME parameters ---- */

/* Octets up to the next ';' outside quotes. */
static size_t
parameter_len(struct bytes text)
{
	bool quoted = false;

	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '"')
			quoted = !quoted;
		else if (quoted && text.data[i] == '\\')
			i++;
		else if (!quoted && text.data[i] == ';')
			return i;
	}
	return text.len;
}

/* Append "name*=charset''%D0%BA" for "name=value" (RFC 2231 4). */
static void
append_extended(
    struct buffer *buffer, struct bytes parameter, const char *charset)
{
	struct bytes value = parameter;
	struct bytes name = bytes_cut(&value, '=');
	struct buffer plain;

	buffer_init(&plain, SIZE_MAX);
	append_unquoted(&plain, bytes_trim(value));
	struct bytes text = buffer_bytes(&plain);
	append_masked(buffer, name);
	buffer_printf(buffer, "*=%s''", charset_of(text, charset));
	for (size_t i = 0; i < text.len; i++) {
		if (is_alphanumeric(text.data[i]) || text.data[i] == '.')
			buffer_append_char(buffer, text.data[i]);
		else
			buffer_printf(
			    buffer, "%%%02X", (unsigned char)text.data[i]);
	}
	buffer_clear(&plain);
}

static bool
downgrade_parameters(
    struct buffer *buffer, struct bytes value, const char *charset)
{
	for (bool first = true; value.len > 0; first = false) {
		size_t len = parameter_len(value);
		struct bytes part = bytes_first(value, len);
		size_t equals = bytes_index(part, '=');

		bool extend = !first && equals > 0 && equals < part.len &&
		    part.data[equals - 1] != '*' && !bytes_is_ascii(part);
		if (extend)
			append_extended(buffer, part, charset);
		else
			append_masked(buffer, part);
		if (len < value.len)
			buffer_append_char(buffer, ';');
		value = bytes_from(value, len + 1);
	}
	return true;
}

/* ---- downgrading: fields ---- */

typedef bool downgrade_fn(
    struct buffer *buffer, struct bytes value, const char *charset);

/* Fields whose form is fixed; all others are free text. */
static const struct form {
	const char *name;
	downgrade_fn *downgrade;
} forms[] = {
    {"Bcc", downgrade_addresses},
    {"Cc", downgrade_addresses},
    {"Content-Disposition", downgrade_parameters},
    {"Content-ID", downgrade_structure},
    {"Content-Transfer-Encoding", downgrade_structure},
    {"Content-Type", downgrade_parameters},
    {"Date", downgrade_structure},
    {"DKIM-Signature", downgrade_structure},
    {"Errors-To", downgrade_addresses},
    {"From", downgrade_addresses},
    {"In-Reply-To", downgrade_structure},
    {"Mail-Followup-To", downgrade_addresses},
    {"Message-ID", downgrade_structure},
    {"MIME-Version", downgrade_structure},
    {"Received", downgrade_structure},
    {"References", downgrade_structure},
    {"Reply-To", downgrade_addresses},
    {"Resent-Bcc", downgrade_addresses},
    {"Resent-Cc", downgrade_addresses},
    {"Resent-Date", downgrade_structure},
    {"Resent-From", downgrade_addresses},
    {"Resent-Message-ID", downgrade_structure},
    {"Resent-Sender", downgrade_addresses},
    {"Resent-To", downgrade_addresses},
    {"Return-Path", downgrade_addresses},
    {"Sender", downgrade_addresses},
    {"To", downgrade_addresses},
};

static downgrade_fn *
find_form(struct bytes name)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (bytes_is_nocase(name, forms[i].name))
			return forms[i].downgrade;
	}
	return downgrade_text;
}

bool
phrase_downgrade(struct buffer *buffer, const struct header_field *field,
    const char *charset)
{
	struct buffer value;
	struct buffer ascii;

	if (field->name.len > HEADER_NAME_MAX) {
		append_masked(buffer, field->raw);
		return true;
	}
	buffer_init(&value, SIZE_MAX);
	buffer_init(&ascii, SIZE_MAX);
	char *name = memory_copy(field->name);
	header_unfold(&value, field->value);
	bool ok = find_form(field->name)(&ascii, buffer_bytes(&value), charset);
	if (ok)
		header_write(buffer, name, buffer_bytes(&ascii));
	free(name);
	buffer_clear(&ascii);
	buffer_clear(&value);
	return ok;
}
