#include "smtp/extensions.h"

#include "base/clock.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

typedef void read_fn(struct extensions *extensions, struct bytes parameters);

static read_fn read_size, read_mechanisms, read_limits, read_deliver_by,
    read_future_release;

/* A keyword, and how its parameters are read where we care for them. */
struct row {
	const char *name;
	read_fn *read;
};

static const struct row rows[EXTENSION_COUNT] = {
    [EXTENSION_PIPELINING] = {"PIPELINING", NULL},
    [EXTENSION_SIZE] = {"SIZE", read_size},
    [EXTENSION_8BITMIME] = {"8BITMIME", NULL},
    [EXTENSION_SMTPUTF8] = {"SMTPUTF8", NULL},
    [EXTENSION_CHUNKING] = {"CHUNKING", NULL},
    [EXTENSION_BINARYMIME] = {"BINARYMIME", NULL},
    [EXTENSION_DSN] = {"DSN", NULL},
    [EXTENSION_ENHANCEDSTATUSCODES] = {"ENHANCEDSTATUSCODES", NULL},
    [EXTENSION_STARTTLS] = {"STARTTLS", NULL},
    [EXTENSION_AUTH] = {"AUTH", read_mechanisms},
    [EXTENSION_ETRN] = {"ETRN", NULL},
    [EXTENSION_ATRN] = {"ATRN", NULL},
    [EXTENSION_LIMITS] = {"LIMITS", read_limits},
    [EXTENSION_DELIVERBY] = {"DELIVERBY", read_deliver_by},
    [EXTENSION_FUTURERELEASE] = {"FUTURERELEASE", read_future_release},
    [EXTENSION_REQUIRETLS] = {"REQUIRETLS", NULL},
    [EXTENSION_MT_PRIORITY] = {"MT-PRIORITY", NULL},
    [EXTENSION_VRFY] = {"VRFY", NULL},
    [EXTENSION_EXPN] = {"EXPN", NULL},
    [EXTENSION_HELP] = {"HELP", NULL},
};

static bool
is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static char
to_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool
is_keyword_char(char c)
{
	return is_upper(to_upper(c)) || (c >= '0' && c <= '9') || c == '-';
}

static uint64_t
number_or_none(struct bytes text)
{
	unsigned long long value = 0;

	if (!bytes_to_u64(text, UINT64_MAX, &value))
		return 0;
	return value;
}

/* The next word of *rest; empty at the end. */
static struct bytes
take_word(struct bytes *rest)
{
	struct bytes word;

	do
		word = bytes_cut(rest, ' ');
	while (word.len == 0 && rest->len > 0);
	return word;
}

/* RFC 1870: size-param = *20DIGIT; 0 or none means no fixed limit. */
static void
read_size(struct extensions *extensions, struct bytes parameters)
{
	extensions->size_max = number_or_none(take_word(&parameters));
}

/* RFC 4422: sasl-mech = 1*20 (UPPER-ALPHA / DIGIT / "-" / "_") */
static bool
is_mechanism(struct bytes name)
{
	if (name.len == 0 || name.len > 20)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!is_keyword_char(name.data[i]) && name.data[i] != '_')
			return false;
	return true;
}

static bool
has_mechanism(const struct extensions *extensions, struct bytes name)
{
	struct bytes rest =
	    bytes_make(extensions->mechanisms, extensions->mechanisms_len);

	while (rest.len > 0)
		if (bytes_equal_nocase(bytes_cut(&rest, ' '), name))
			return true;
	return false;
}

static void
add_mechanism(struct extensions *extensions, struct bytes name)
{
	const size_t used = extensions->mechanisms_len;
	const size_t blank = used > 0 ? 1 : 0;

	if (!is_mechanism(name) || has_mechanism(extensions, name))
		return;
	if (used + blank + name.len >= sizeof(extensions->mechanisms))
		return;

	char *end = extensions->mechanisms + used;
	if (blank > 0)
		*end++ = ' ';
	for (size_t i = 0; i < name.len; i++)
		*end++ = to_upper(name.data[i]);
	*end = '\0';
	extensions->mechanisms_len = (unsigned)(end - extensions->mechanisms);
}

static void
read_mechanisms(struct extensions *extensions, struct bytes parameters)
{
	while (parameters.len > 0)
		add_mechanism(extensions, take_word(&parameters));
}

/* RFC 9422: limit = name "=" value */
static void
read_limits(struct extensions *extensions, struct bytes parameters)
{
	while (parameters.len > 0) {
		struct bytes value = take_word(&parameters);
		const struct bytes name = bytes_cut(&value, '=');

		if (bytes_is_nocase(name, "RCPTMAX"))
			extensions->recipients_max = number_or_none(value);
		else if (bytes_is_nocase(name, "MAILMAX"))
			extensions->messages_max = number_or_none(value);
		else if (bytes_is_nocase(name, "RCPTDOMAINMAX"))
			extensions->recipient_domains_max =
			    number_or_none(value);
	}
}

/* RFC 2852 4: deliverby-param = min-by-time *( "," extension-token ) */
static void
read_deliver_by(struct extensions *extensions, struct bytes parameters)
{
	extensions->by_min_s = number_or_none(bytes_cut(&parameters, ','));
}

/* RFC 4865 3: the longest interval, a blank, the latest time */
static void
read_future_release(struct extensions *extensions, struct bytes parameters)
{
	extensions->hold_max_s = number_or_none(take_word(&parameters));
	extensions->hold_until_ms = 0;
	(void)date_parse_rfc3339(/* what is none is none told */
	    take_word(&parameters), &extensions->hold_until_ms);
}

const char *
extension_name(enum extension extension)
{
	assert(extension < EXTENSION_COUNT);
	return rows[extension].name;
}

enum extension
extension_find(struct bytes keyword)
{
	unsigned i = 0;

	while (i < EXTENSION_COUNT && !bytes_is_nocase(keyword, rows[i].name))
		i++;
	return (enum extension)i;
}

void
extensions_read(struct extensions *extensions, struct bytes reply_text)
{
	struct bytes rest = extensions_lines(reply_text);
	struct bytes keyword;
	struct bytes parameters;

	*extensions = (struct extensions){.esmtp = true};
	while (extensions_next_line(&rest, &keyword, &parameters)) {
		const enum extension extension = extension_find(keyword);
		if (extension == EXTENSION_COUNT)
			continue;
		extensions->offered |= EXTENSION_BIT(extension);
		if (rows[extension].read != NULL)
			rows[extension].read(extensions, parameters);
	}
}

bool
extensions_has(const struct extensions *extensions, enum extension extension)
{
	return (extensions->offered & EXTENSION_BIT(extension)) != 0;
}

bool
extensions_has_mechanism(const struct extensions *extensions, const char *name)
{
	return name[0] != '\0' && has_mechanism(extensions, bytes_of(name));
}

struct bytes
extensions_lines(struct bytes reply_text)
{
	(void)bytes_cut(&reply_text, '\n'); /* the server's name */
	return reply_text;
}

/*
 * ehlo-line    = ehlo-keyword *( SP ehlo-param )
 * ehlo-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
 *
 * Old servers write "AUTH=LOGIN".
 */
static bool
split_line(
    struct bytes line, struct bytes *out_keyword, struct bytes *out_parameters)
{
	size_t len = 0;

	while (len < line.len && is_keyword_char(line.data[len]))
		len++;
	if (len == 0 || line.data[0] == '-')
		return false;

	const struct bytes keyword = bytes_first(line, len);
	const char end = len < line.len ? line.data[len] : ' ';
	if (end != ' ' && end != '\t' &&
	    !(end == '=' && bytes_is_nocase(keyword, "AUTH")))
		return false;
	*out_keyword = keyword;
	*out_parameters = bytes_trim(bytes_from(line, len + 1));
	return true;
}

bool
extensions_next_line(
    struct bytes *rest, struct bytes *out_keyword, struct bytes *out_parameters)
{
	while (rest->len > 0) {
		const struct bytes line = bytes_cut(rest, '\n');
		if (split_line(bytes_trim(line), out_keyword, out_parameters))
			return true;
	}
	return false;
}
