#include "tools/sendmail_options.h"

#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

struct parse {
	struct sendmail_options *options;
	struct buffer *warnings;
	struct error *error;
	int status; /* EX_OK so far */
};

/* Ends the reading of argv. */
static void __attribute__((format(printf, 3, 4)))
refuse(struct parse *parse, int status, const char *format, ...)
{
	char text[sizeof(parse->error->text)];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args); /* may be cut */
	va_end(args);
	(void)error_set(parse->error, ERROR_CONFIG, "%s", text);
	parse->status = status;
}

/* ---- the flags that mean something; value is "" where there is none ---- */

static void
set_mode(struct parse *parse, const char *value)
{
	static const struct {
		char letter;
		enum sendmail_mode mode;
	} modes[] = {
	    {'m', SENDMAIL_MODE_SUBMIT},
	    {'s', SENDMAIL_MODE_SESSION},
	    {'p', SENDMAIL_MODE_QUEUE},
	    {'i', SENDMAIL_MODE_ALIASES},
	    {'v', SENDMAIL_MODE_EXPLAIN},
	};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (value[0] != modes[i].letter)
			continue;
		parse->options->mode = modes[i].mode;
		return;
	}
	if (value[0] == 'd' || value[0] == 'D' || value[0] == 'l')
		refuse(parse, EX_USAGE,
		    "-b%c: the daemon is postriderd, started by its service",
		    value[0]);
	else
		refuse(parse, EX_USAGE, "-b%s: no such mode", value);
}

static void
set_aliases_mode(struct parse *parse, const char *value)
{
	(void)value; /* -I takes none */
	parse->options->mode = SENDMAIL_MODE_ALIASES;
}

static void
set_body(struct parse *parse, const char *value)
{
	/* The content itself tells which it is. */
	if (!bytes_is_nocase(bytes_of(value), "7BIT") &&
	    !bytes_is_nocase(bytes_of(value), "8BITMIME"))
		buffer_printf(parse->warnings, "-B %s: passed over\n", value);
}

static void
set_name(struct parse *parse, const char *value)
{
	if (bytes_has_control(bytes_of(value)))
		refuse(parse, EX_DATAERR, "-F: control character in the name");
	parse->options->name = value;
}

static void
set_sender(struct parse *parse, const char *value)
{
	parse->options->sender = value;
}

static void
set_ignore_dots(struct parse *parse, const char *value)
{
	(void)value; /* -i takes none */
	parse->options->ignore_dots = true;
}

static void
set_notify(struct parse *parse, const char *value)
{
	static const struct {
		const char *name;
		unsigned bit;
	} names[] = {
	    {"never", NOTIFY_NEVER},
	    {"success", NOTIFY_SUCCESS},
	    {"failure", NOTIFY_FAILURE},
	    {"delay", NOTIFY_DELAY},
	};
	struct bytes rest = bytes_of(value);
	unsigned bits = 0;

	do {
		struct bytes word = bytes_trim(bytes_cut(&rest, ','));
		unsigned bit = 0;
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if (bytes_is_nocase(word, names[i].name))
				bit = names[i].bit;
		bool alone = bits == 0 || (bits | bit) != (bits | NOTIFY_NEVER);
		if (bit == 0 || !alone || (bits & NOTIFY_NEVER) != 0) {
			refuse(parse, EX_USAGE,
			    "-N %s: say never, or some of "
			    "success,failure,delay",
			    value);
			return;
		}
		bits |= bit;
	} while (rest.len > 0);
	parse->options->notify = bits;
}

static void
set_return(struct parse *parse, const char *value)
{
	if (bytes_is_nocase(bytes_of(value), "full"))
		parse->options->ret = MAIL_RETURN_FULL;
	else if (bytes_is_nocase(bytes_of(value), "hdrs"))
		parse->options->ret = MAIL_RETURN_HEADERS;
	else
		refuse(parse, EX_USAGE, "-R %s: say full or hdrs", value);
}

static void
set_envelope_id(struct parse *parse, const char *value)
{
	struct buffer xtext;
	struct bytes text = bytes_of(value);

	buffer_init(&xtext, PARAMS_ENVELOPE_ID_MAX);
	xtext_append(&xtext, text);
	if (text.len == 0 || xtext.overflowed || !bytes_is_ascii(text) ||
	    bytes_has_control(text))
		refuse(parse, EX_USAGE,
		    "-V: an envelope id is 1 to %d printable characters",
		    PARAMS_ENVELOPE_ID_MAX);
	buffer_clear(&xtext);
	parse->options->envelope_id = value;
}

/* -oi and -oitrue; the other one-letter options mean nothing here. */
static void
set_short_option(struct parse *parse, const char *value)
{
	if (value[0] == 'i')
		parse->options->ignore_dots = true;
}

static bool
is_yes(struct bytes value)
{
	return value.len == 0 || bytes_is_nocase(value, "yes") ||
	    bytes_is_nocase(value, "true") || bytes_is_nocase(value, "y") ||
	    bytes_is_nocase(value, "t") || bytes_is(value, "1");
}

static void
set_long_option(struct parse *parse, const char *value)
{
	struct bytes rest = bytes_of(value);
	struct bytes name = bytes_trim(bytes_cut(&rest, '='));
	bool yes = is_yes(bytes_trim(rest));

	if (bytes_is_nocase(name, "SMTPUTF8"))
		parse->options->utf8 = yes;
	else if (bytes_is_nocase(name, "RequireTLS"))
		parse->options->require_tls = yes;
	else if (bytes_is_nocase(name, "IgnoreDots"))
		parse->options->ignore_dots = yes;
}

/* -q, -q30m, -qf: all of it; -qIid, -qRdomain, -qSsender: that part. */
static void
set_flush(struct parse *parse, const char *value)
{
	struct sendmail_options *options = parse->options;
	static const struct {
		char letter;
		enum sendmail_flush flush;
	} parts[] = {
	    {'I', SENDMAIL_FLUSH_ID},
	    {'R', SENDMAIL_FLUSH_DOMAIN},
	    {'S', SENDMAIL_FLUSH_SENDER},
	};

	options->mode = SENDMAIL_MODE_FLUSH;
	options->flush = SENDMAIL_FLUSH_ALL;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (value[0] != parts[i].letter)
			continue;
		options->flush = parts[i].flush;
		options->flush_text = value + 1;
		if (value[1] == '\0')
			refuse(parse, EX_USAGE, "-q%c: needs a text behind it",
			    value[0]);
	}
}

static void
set_header_recipients(struct parse *parse, const char *value)
{
	(void)value; /* -t takes none */
	parse->options->header_recipients = true;
}

static void
set_verbose(struct parse *parse, const char *value)
{
	(void)value; /* -v takes none */
	parse->options->verbose = true;
}

/* ---- the table ---- */

enum value {
	VALUE_NONE,
	VALUE_REQUIRED, /* glued, or the next argument */
	VALUE_GLUED     /* glued, or not there */
};

/* set NULL: known, and passed over. */
static const struct flag {
	char letter;
	enum value value;
	void (*set)(struct parse *parse, const char *value);
} flags[] = {
    {'A', VALUE_REQUIRED, NULL}, /* which configuration file */
    {'B', VALUE_REQUIRED, set_body},
    {'b', VALUE_REQUIRED, set_mode},
    {'C', VALUE_REQUIRED, NULL}, /* a configuration file's path */
    {'c', VALUE_NONE, NULL},
    {'D', VALUE_REQUIRED, NULL}, /* a log's path */
    {'d', VALUE_GLUED, NULL},    /* debugging */
    {'e', VALUE_REQUIRED, NULL}, /* how to tell of errors */
    {'F', VALUE_REQUIRED, set_name},
    {'f', VALUE_REQUIRED, set_sender},
    {'G', VALUE_NONE, NULL},
    {'h', VALUE_GLUED, NULL}, /* hop count */
    {'I', VALUE_NONE, set_aliases_mode},
    {'i', VALUE_NONE, set_ignore_dots},
    {'L', VALUE_REQUIRED, NULL}, /* the name for the log */
    {'m', VALUE_NONE, NULL},
    {'N', VALUE_REQUIRED, set_notify},
    {'n', VALUE_NONE, NULL},
    {'O', VALUE_REQUIRED, set_long_option},
    {'o', VALUE_REQUIRED, set_short_option},
    {'p', VALUE_REQUIRED, NULL}, /* the protocol it came by */
    {'q', VALUE_GLUED, set_flush},
    {'R', VALUE_REQUIRED, set_return},
    {'r', VALUE_REQUIRED, set_sender},
    {'s', VALUE_NONE, NULL},
    {'t', VALUE_NONE, set_header_recipients},
    {'U', VALUE_NONE, NULL},
    {'V', VALUE_REQUIRED, set_envelope_id},
    {'v', VALUE_NONE, set_verbose},
    {'X', VALUE_REQUIRED, NULL}, /* a trace's path */
    {'x', VALUE_NONE, NULL},
};

static const struct flag *
find_flag(char letter)
{
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (flags[i].letter == letter)
			return &flags[i];
	return NULL;
}

/* ---- reading ---- */

/*
 * Read a cluster, as "-it" or "-tfa@b", without its hyphen; next is the
 * argument behind it, or NULL.  Returns whether next was its value.
 */
static bool
read_cluster(struct parse *parse, const char *cluster, const char *next)
{
	for (const char *c = cluster; *c != '\0'; c++) {
		const struct flag *flag = find_flag(*c);
		if (flag == NULL) {
			buffer_printf(parse->warnings,
			    "option -%c is unknown and passed over\n", *c);
			continue;
		}
		const char *value = flag->value == VALUE_NONE ? "" : c + 1;
		bool takes_next = flag->value == VALUE_REQUIRED && *value == 0;
		if (takes_next && next == NULL) {
			refuse(parse, EX_USAGE, "option -%c needs a value", *c);
			return false;
		}
		if (flag->set != NULL)
			flag->set(parse, takes_next ? next : value);
		if (flag->value != VALUE_NONE)
			return takes_next;
	}
	return false;
}

static enum sendmail_mode
mode_of_program(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash == NULL ? path : slash + 1;

	if (strcmp(name, "mailq") == 0)
		return SENDMAIL_MODE_QUEUE;
	if (strcmp(name, "newaliases") == 0)
		return SENDMAIL_MODE_ALIASES;
	return SENDMAIL_MODE_SUBMIT;
}

int
sendmail_options_read(int argc, char *const *argv,
    struct sendmail_options *out_options, struct buffer *warnings,
    struct error *error)
{
	struct parse parse = {
	    .options = out_options,
	    .warnings = warnings,
	    .error = error,
	    .status = EX_OK,
	};
	int at = 1;

	*out_options = (struct sendmail_options){
	    .mode = mode_of_program(argc > 0 ? argv[0] : ""),
	};
	for (; at < argc && parse.status == EX_OK; at++) {
		const char *arg = argv[at];
		if (arg[0] != '-' || arg[1] == '\0')
			break;
		if (strcmp(arg, "--") == 0) {
			at++;
			break;
		}
		if (arg[1] == '-')
			buffer_printf(warnings,
			    "option %s is unknown and passed over\n", arg);
		else
			at += read_cluster(&parse, arg + 1, argv[at + 1]);
	}
	if (at < argc) {
		out_options->operands = argv + at;
		out_options->operand_count = (size_t)(argc - at);
	}
	return parse.status;
}
