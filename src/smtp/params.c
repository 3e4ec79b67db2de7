#include "smtp/params.h"

#include "base/clock.h"
#include "smtp/extensions.h"

#include <stdint.h>
#include <string.h>

/*
 * Parameters    = *( 1*SP esmtp-keyword [ "=" esmtp-value ] )
 * esmtp-keyword = ( ALPHA / DIGIT ) *( ALPHA / DIGIT / "-" )
 * esmtp-value   = 1*( %d33-60 / %d62-126 / UTF8-non-ascii )
 */

/* One parameter's value into params; false: 501. */
typedef bool value_fn(struct bytes value, void *params);

struct row {
	const char *keyword;
	enum extension extension;
	bool has_value; /* must have one; else must have none */
	value_fn *read;
};

static const struct params_problem NO_PROBLEM = {0, "", ""};

static struct params_problem
bad_parameter(void)
{
	return (struct params_problem){
	    501, "5.5.4", "Syntax error in parameters"};
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool
is_printable(char c)
{
	return c > ' ' && c <= '~';
}

/*
 * Take one xchar / hexchar from the front of *xtext; -1 where none stands
 * there.
 *
 * xchar   = %d33-42 / %d44-60 / %d62-126
 * hexchar = "+" 2( %d48-57 / %d65-70 )
 */
static int
take_xchar(struct bytes *xtext)
{
	char c = xtext->data[0];

	if (!is_printable(c) || c == '=')
		return -1;
	if (c != '+') {
		*xtext = bytes_from(*xtext, 1);
		return (unsigned char)c;
	}
	if (xtext->len < 3)
		return -1;
	int high = hex_digit(xtext->data[1]);
	int low = hex_digit(xtext->data[2]);
	*xtext = bytes_from(*xtext, 3);
	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static bool
is_xtext(struct bytes xtext)
{
	while (xtext.len > 0) {
		int octet = take_xchar(&xtext);
		if (octet < ' ' || octet == 0x7f)
			return false;
	}
	return true;
}

/* MAIL */

static bool
read_size(struct bytes value, void *params)
{
	struct mail_params *mail = params;
	unsigned long long size = 0;

	if (!bytes_to_u64(value, UINT64_MAX, &size))
		return false;
	mail->has_size = true;
	mail->size_bytes = size;
	return true;
}

static bool
read_body(struct bytes value, void *params)
{
	struct mail_params *mail = params;

	if (bytes_is_nocase(value, "7BIT"))
		mail->body = MAIL_BODY_7BIT;
	else if (bytes_is_nocase(value, "8BITMIME"))
		mail->body = MAIL_BODY_8BITMIME;
	else if (bytes_is_nocase(value, "BINARYMIME"))
		mail->body = MAIL_BODY_BINARYMIME;
	return mail->body != MAIL_BODY_UNDECLARED;
}

static bool
read_utf8(struct bytes value, void *params)
{
	struct mail_params *mail = params;

	mail->utf8 = true;
	return value.len == 0;
}

static bool
read_ret(struct bytes value, void *params)
{
	struct mail_params *mail = params;

	if (bytes_is_nocase(value, "FULL"))
		mail->ret = MAIL_RETURN_FULL;
	else if (bytes_is_nocase(value, "HDRS"))
		mail->ret = MAIL_RETURN_HEADERS;
	return mail->ret != MAIL_RETURN_UNDECLARED;
}

static bool
read_envelope_id(struct bytes value, void *params)
{
	struct mail_params *mail = params;

	mail->envelope_id = value;
	return value.len <= PARAMS_ENVELOPE_ID_MAX && is_xtext(value);
}

static bool
read_auth(struct bytes value, void *params)
{
	struct mail_params *mail = params;

	mail->auth = value;
	return is_xtext(value);
}

static bool
read_require_tls(struct bytes value, void *params)
{
	struct mail_params *mail = params;

	mail->require_tls = true;
	return value.len == 0;
}

/* Digits with or without a sign in front; at most nine. */
static bool
read_integer(struct bytes text, int *out_value)
{
	const bool is_negative = bytes_has_prefix(text, "-");
	unsigned long long value = 0;

	if (is_negative || bytes_has_prefix(text, "+"))
		text = bytes_from(text, 1);
	if (text.len > 9 || !bytes_to_u64(text, PARAMS_SECONDS_MAX, &value))
		return false;
	*out_value = is_negative ? -(int)value : (int)value;
	return true;
}

/*
 * by-value = by-time ";" by-mode [by-trace]
 * by-time  = ["-" / "+"] 1*9DIGIT
 * by-mode  = "N" / "R"
 * by-trace = "T"
 */
static bool
read_by(struct bytes value, void *params)
{
	struct mail_params *mail = params;
	struct bytes mode = value;
	const struct bytes seconds = bytes_cut(&mode, ';');

	mail->by_trace =
	    mode.len == 2 && bytes_is_nocase(bytes_from(mode, 1), "T");
	if (mail->by_trace)
		mode = bytes_first(mode, 1);
	if (bytes_is_nocase(mode, "R"))
		mail->by = MAIL_BY_RETURN;
	else if (bytes_is_nocase(mode, "N"))
		mail->by = MAIL_BY_NOTIFY;
	return mail->by != MAIL_BY_UNDECLARED &&
	    read_integer(seconds, &mail->by_s) &&
	    (mail->by != MAIL_BY_RETURN || mail->by_s > 0);
}

/* future-release-interval = 1*9DIGIT */
static bool
read_hold_for(struct bytes value, void *params)
{
	struct mail_params *mail = params;
	unsigned long long seconds = 0;

	if (!bytes_to_u64(value, PARAMS_SECONDS_MAX, &seconds) || seconds == 0)
		return false;
	mail->hold_for_s = (int)seconds;
	return mail->hold_until.len == 0;
}

static bool
read_hold_until(struct bytes value, void *params)
{
	struct mail_params *mail = params;

	mail->hold_until = value;
	return mail->hold_for_s == 0 &&
	    date_parse_rfc3339(value, &mail->hold_until_ms);
}

/* priority-value = (["-"] NZDIGIT) / "0" */
static bool
read_priority(struct bytes value, void *params)
{
	struct mail_params *mail = params;

	mail->has_priority = true;
	return value.len <= 2 && !bytes_has_prefix(value, "+") &&
	    !bytes_is(value, "-0") && read_integer(value, &mail->priority) &&
	    mail->priority <= PARAMS_PRIORITY_MAX;
}

static const struct row mail_rows[] = {
    {"SIZE", EXTENSION_SIZE, true, read_size},
    {"BODY", EXTENSION_8BITMIME, true, read_body},
    {"SMTPUTF8", EXTENSION_SMTPUTF8, false, read_utf8},
    {"RET", EXTENSION_DSN, true, read_ret},
    {"ENVID", EXTENSION_DSN, true, read_envelope_id},
    {"AUTH", EXTENSION_AUTH, true, read_auth},
    {"REQUIRETLS", EXTENSION_REQUIRETLS, false, read_require_tls},
    {"BY", EXTENSION_DELIVERBY, true, read_by},
    {"HOLDFOR", EXTENSION_FUTURERELEASE, true, read_hold_for},
    {"HOLDUNTIL", EXTENSION_FUTURERELEASE, true, read_hold_until},
    {"MT-PRIORITY", EXTENSION_MT_PRIORITY, true, read_priority},
};

/* RCPT */

static const struct {
	const char *word;
	unsigned bit;
} notify_words[] = {
    {"NEVER", NOTIFY_NEVER},
    {"SUCCESS", NOTIFY_SUCCESS},
    {"FAILURE", NOTIFY_FAILURE},
    {"DELAY", NOTIFY_DELAY},
};
#define NOTIFY_WORDS (sizeof(notify_words) / sizeof(notify_words[0]))

static unsigned
notify_bit(struct bytes word)
{
	for (size_t i = 0; i < NOTIFY_WORDS; i++) {
		if (bytes_is_nocase(word, notify_words[i].word))
			return notify_words[i].bit;
	}
	return 0;
}

/* notify-list = "NEVER" / 1#( "SUCCESS" / "FAILURE" / "DELAY" ) */
static bool
read_notify(struct bytes value, void *params)
{
	struct rcpt_params *rcpt = params;
	bool more = true;

	while (more) {
		more = bytes_contains(value, ',');
		unsigned bit = notify_bit(bytes_cut(&value, ','));
		if (bit == 0)
			return false;
		rcpt->notify |= bit;
	}
	return (rcpt->notify & NOTIFY_NEVER) == 0 ||
	    rcpt->notify == NOTIFY_NEVER;
}

static bool
is_keyword(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		bool is_alnum = (c >= 'a' && c <= 'z') ||
		    (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!is_alnum && (c != '-' || i == 0))
			return false;
	}
	return text.len > 0;
}

/*
 * original-recipient-address = addr-type ";" xtext
 *
 * With the type "utf-8" (RFC 6533 3) the address may be UTF-8 as it is, and its
 * "\x{...}" form passes as the xtext it looks like.
 */
static bool
read_original(struct bytes value, void *params)
{
	struct rcpt_params *rcpt = params;
	struct bytes address = value;
	struct bytes type = bytes_cut(&address, ';');

	rcpt->original = value;
	if (!is_keyword(type) || address.len == 0 ||
	    value.len > PARAMS_ORIGINAL_MAX)
		return false;
	if (bytes_is_nocase(type, "utf-8") && !bytes_is_ascii(address))
		return bytes_is_utf8(address) && !bytes_has_control(address);
	return is_xtext(address);
}

static const struct row rcpt_rows[] = {
    {"NOTIFY", EXTENSION_DSN, true, read_notify},
    {"ORCPT", EXTENSION_DSN, true, read_original},
};

/* Both */

static const struct row *
find_row(const struct row *rows, size_t count, struct bytes keyword)
{
	for (size_t i = 0; i < count; i++) {
		if (bytes_is_nocase(keyword, rows[i].keyword))
			return &rows[i];
	}
	return NULL;
}

/* *seen has a bit for each row already read. */
static struct params_problem
read_one(struct bytes text, const struct row *rows, size_t count,
    unsigned allowed, unsigned *seen, void *params)
{
	struct bytes value = text;
	struct bytes keyword = bytes_cut(&value, '=');
	bool has_value = keyword.len < text.len;

	if (!is_keyword(keyword) || (has_value && value.len == 0))
		return bad_parameter();
	const struct row *row = find_row(rows, count, keyword);
	if (row == NULL || (allowed & EXTENSION_BIT(row->extension)) == 0)
		return (struct params_problem){
		    555, "5.5.4", "Parameter not supported"};

	unsigned bit = 1U << (row - rows);
	if (has_value != row->has_value || (*seen & bit) != 0 ||
	    !row->read(value, params))
		return bad_parameter();
	*seen |= bit;
	return NO_PROBLEM;
}

static struct params_problem
read_all(struct bytes text, const struct row *rows, size_t count,
    unsigned allowed, void *params)
{
	unsigned seen = 0;

	if (text.len > 0 && text.data[0] != ' ')
		return bad_parameter();
	while (text.len > 0) {
		struct bytes one = bytes_cut(&text, ' ');
		if (one.len == 0)
			continue;
		struct params_problem problem =
		    read_one(one, rows, count, allowed, &seen, params);
		if (problem.code != 0)
			return problem;
	}
	return NO_PROBLEM;
}

struct params_problem
params_read_mail(
    struct bytes text, unsigned allowed, struct mail_params *out_params)
{
	struct mail_params params = MAIL_PARAMS_NONE;
	struct params_problem problem = read_all(text, mail_rows,
	    sizeof(mail_rows) / sizeof(mail_rows[0]), allowed, &params);

	if (problem.code != 0)
		return problem;
	if (params.body == MAIL_BODY_BINARYMIME &&
	    (allowed & EXTENSION_BIT(EXTENSION_BINARYMIME)) == 0)
		return (struct params_problem){
		    504, "5.5.4", "BINARYMIME is not supported"};
	*out_params = params;
	return NO_PROBLEM;
}

struct params_problem
params_read_rcpt(
    struct bytes text, unsigned allowed, struct rcpt_params *out_params)
{
	struct rcpt_params params = RCPT_PARAMS_NONE;
	struct params_problem problem = read_all(text, rcpt_rows,
	    sizeof(rcpt_rows) / sizeof(rcpt_rows[0]), allowed, &params);

	if (problem.code == 0)
		*out_params = params;
	return problem;
}

enum extension
params_mail_extension(struct bytes keyword)
{
	const struct row *row = find_row(
	    mail_rows, sizeof(mail_rows) / sizeof(mail_rows[0]), keyword);

	return row != NULL ? row->extension : EXTENSION_COUNT;
}

enum extension
params_rcpt_extension(struct bytes keyword)
{
	const struct row *row = find_row(
	    rcpt_rows, sizeof(rcpt_rows) / sizeof(rcpt_rows[0]), keyword);

	return row != NULL ? row->extension : EXTENSION_COUNT;
}

static bool
offers(unsigned offered, enum extension extension)
{
	return (offered & EXTENSION_BIT(extension)) != 0;
}

static void
write_text(struct buffer *buffer, const char *keyword, struct bytes value)
{
	if (value.len == 0)
		return;
	buffer_append_text(buffer, keyword);
	buffer_append(buffer, value);
}

static void
write_body(struct buffer *buffer, enum mail_body body, unsigned offered)
{
	static const char *const texts[] = {
	    [MAIL_BODY_UNDECLARED] = "",
	    [MAIL_BODY_7BIT] = " BODY=7BIT",
	    [MAIL_BODY_8BITMIME] = " BODY=8BITMIME",
	    [MAIL_BODY_BINARYMIME] = " BODY=BINARYMIME",
	};
	enum extension needed = body == MAIL_BODY_BINARYMIME
	    ? EXTENSION_BINARYMIME
	    : EXTENSION_8BITMIME;

	if (offers(offered, needed))
		buffer_append_text(buffer, texts[body]);
}

static void
write_dsn(struct buffer *buffer, const struct mail_params *params)
{
	if (params->ret == MAIL_RETURN_FULL)
		buffer_append_text(buffer, " RET=FULL");
	if (params->ret == MAIL_RETURN_HEADERS)
		buffer_append_text(buffer, " RET=HDRS");
	write_text(buffer, " ENVID=", params->envelope_id);
}

static void
write_by(struct buffer *buffer, const struct mail_params *params)
{
	if (params->by != MAIL_BY_UNDECLARED)
		buffer_printf(buffer, " BY=%d;%c%s", params->by_s,
		    params->by == MAIL_BY_RETURN ? 'R' : 'N',
		    params->by_trace ? "T" : "");
}

static void
write_hold(struct buffer *buffer, const struct mail_params *params)
{
	if (params->hold_for_s > 0)
		buffer_printf(buffer, " HOLDFOR=%d", params->hold_for_s);
	write_text(buffer, " HOLDUNTIL=", params->hold_until);
}

void
params_write_mail(
    struct buffer *buffer, const struct mail_params *params, unsigned offered)
{
	if (params->has_size && offers(offered, EXTENSION_SIZE))
		buffer_printf(buffer, " SIZE=%llu",
		    (unsigned long long)params->size_bytes);
	write_body(buffer, params->body, offered);
	if (params->utf8 && offers(offered, EXTENSION_SMTPUTF8))
		buffer_append_text(buffer, " SMTPUTF8");
	if (offers(offered, EXTENSION_DSN))
		write_dsn(buffer, params);
	if (offers(offered, EXTENSION_AUTH))
		write_text(buffer, " AUTH=", params->auth);
	if (params->require_tls && offers(offered, EXTENSION_REQUIRETLS))
		buffer_append_text(buffer, " REQUIRETLS");
	if (offers(offered, EXTENSION_DELIVERBY))
		write_by(buffer, params);
	if (offers(offered, EXTENSION_FUTURERELEASE))
		write_hold(buffer, params);
	if (params->has_priority && offers(offered, EXTENSION_MT_PRIORITY))
		buffer_printf(buffer, " MT-PRIORITY=%d", params->priority);
}

void
params_write_rcpt(
    struct buffer *buffer, const struct rcpt_params *params, unsigned offered)
{
	const char *separator = " NOTIFY=";

	if (!offers(offered, EXTENSION_DSN))
		return;
	for (size_t i = 0; i < NOTIFY_WORDS; i++) {
		if ((params->notify & notify_words[i].bit) == 0)
			continue;
		buffer_append_text(buffer, separator);
		buffer_append_text(buffer, notify_words[i].word);
		separator = ",";
	}
	write_text(buffer, " ORCPT=", params->original);
}

void
xtext_append(struct buffer *buffer, struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		if (is_printable(c) && c != '+' && c != '=')
			buffer_append_char(buffer, c);
		else
			buffer_printf(buffer, "+%02X", (unsigned char)c);
	}
}

bool
xtext_decode(struct buffer *buffer, struct bytes xtext)
{
	while (xtext.len > 0) {
		int octet = take_xchar(&xtext);
		if (octet < ' ' || octet == 0x7f)
			return false;
		buffer_append_char(buffer, (char)octet);
	}
	return true;
}
