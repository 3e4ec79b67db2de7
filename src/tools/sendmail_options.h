/*
 * The command line of sendmail, mailq and newaliases: what is to be done.
 *
 * Every flag that a sendmail has had is known, so that old callers go on
 * working; most mean nothing here and are passed over with their values.  No
 * value is ever opened as a path.  Nothing here reads or writes anything.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "smtp/params.h"

#include <stdbool.h>
#include <stddef.h>

enum sendmail_mode {
	SENDMAIL_MODE_SUBMIT,
	SENDMAIL_MODE_SESSION, /* -bs: SMTP on stdin and stdout */
	SENDMAIL_MODE_QUEUE,   /* -bp, mailq */
	SENDMAIL_MODE_ALIASES, /* -bi, newaliases */
	SENDMAIL_MODE_FLUSH,   /* -q */
	SENDMAIL_MODE_EXPLAIN  /* -bv */
};

enum sendmail_flush {
	SENDMAIL_FLUSH_ALL,
	SENDMAIL_FLUSH_ID,     /* -qI */
	SENDMAIL_FLUSH_DOMAIN, /* -qR */
	SENDMAIL_FLUSH_SENDER  /* -qS */
};

/* All texts are borrowed from argv; NULL: not given. */
struct sendmail_options {
	enum sendmail_mode mode;
	bool ignore_dots;        /* -i: a lone dot is content */
	bool header_recipients;  /* -t */
	bool verbose;            /* -v */
	const char *sender;      /* -f, -r */
	const char *name;        /* -F */
	unsigned notify;         /* -N, bits of NOTIFY_... */
	enum mail_return ret;    /* -R */
	const char *envelope_id; /* -V, as it was typed */
	bool utf8;               /* -O smtputf8=yes */
	bool require_tls;        /* -O requiretls=yes */
	enum sendmail_flush flush;
	const char *flush_text; /* what follows -qI, -qR, -qS */
	char *const *operands;
	size_t operand_count;
};

/*
 * Read argv, which begins with the program's name and ends in NULL.
 *
 * warnings  gets a line, ended by '\n', for each flag that is unknown
 *
 * Returns EX_OK, or the exit status with which to end; error says why then.
 */
int sendmail_options_read(int argc, char *const *argv,
    struct sendmail_options *out_options, struct buffer *warnings,
    struct error *error);
