#include "tools/smtp_exit.h"

#include <stdbool.h>
#include <stddef.h>
#include <sysexits.h>

struct smtp_failure
smtp_exit_failure(const smtp *session, int err)
{
	return (struct smtp_failure){
	    .err = err,
	    .stage = smtp_last_stage(session),
	    .code = smtp_last_code(session),
	};
}

/* ---- replies ---- */

/* RFC 4954 6: log in first, or otherwise; RFC 1985 5.3.5: not this node. */
static bool
is_about_permission(int code)
{
	return code == 459 || code == 530 || code == 534 || code == 535 ||
	    code == 538;
}

int
smtp_exit_of_reply(int code)
{
	if (is_about_permission(code))
		return EX_NOPERM;
	switch (code / 100) {
	case 2:
	case 3:
		return EX_OK;
	case 4:
		return EX_TEMPFAIL;
	case 5:
		return EX_UNAVAILABLE;
	default:
		return EX_PROTOCOL;
	}
}

/* ---- failures ---- */

#define ANYWHERE (-1)

/* The first row that fits decides; exit 0: the reply does. */
static const struct row {
	int err;
	int stage;
	int exit;
	const char *advice;
} rows[] = {
    {SMTP_E_RESOLVE, ANYWHERE, EX_NOHOST, "check the name, or give an address"},
    {SMTP_E_OS, SMTP_S_CONNECT, EX_TEMPFAIL, "does a server listen there?"},
    {SMTP_E_OS, ANYWHERE, EX_TEMPFAIL, "try again later"},
    {SMTP_E_TIMEOUT, SMTP_S_CONNECT, EX_TEMPFAIL,
	"something on the way may be swallowing it; is it the right port?"},
    {SMTP_E_TIMEOUT, SMTP_S_GREETING, EX_TEMPFAIL,
	"a server that waits for TLS does not greet: try --tls implicit"},
    {SMTP_E_TIMEOUT, ANYWHERE, EX_TEMPFAIL,
	"try again later, or wait longer by --timeout"},
    {SMTP_E_DISCONNECTED, ANYWHERE, EX_TEMPFAIL,
	"-dd shows what was said last"},
    {SMTP_E_PROTO, ANYWHERE, EX_PROTOCOL,
	"is it a mail server? -dd shows what it says"},
    {SMTP_E_TLS, ANYWHERE, EX_CONFIG,
	"certificates: --ca FILE, --tls-name NAME; --tls may does not "
	"verify them"},
    {SMTP_E_NOTSUPP, SMTP_S_STARTTLS, EX_CONFIG,
	"--tls off goes on without; --tls implicit is for port 465"},
    {SMTP_E_NOTSUPP, SMTP_S_AUTH, EX_NOPERM,
	"many servers offer it only within TLS: try --tls must"},
    {SMTP_E_RESPONSE, SMTP_S_STARTTLS, EX_CONFIG, "--tls off goes on without"},
    {SMTP_E_NOMECH, ANYWHERE, EX_NOPERM,
	"without TLS passwords are not shown: --tls must, or "
	"--auth-in-clear"},
    {SMTP_E_AUTHLOOP, ANYWHERE, EX_NOPERM, "try another --mech"},
    {SMTP_E_AUTH, ANYWHERE, 0, "check the user and the password"},
    {SMTP_E_NOTSUPP, ANYWHERE, EX_UNAVAILABLE, ""},
    {SMTP_E_INVAL, ANYWHERE, EX_USAGE, ""},
    {SMTP_E_ENCODING, ANYWHERE, EX_UNAVAILABLE,
	"only a server that offers SMTPUTF8 takes it"},
};

static const struct row *
find_row(const struct smtp_failure *failure)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].err == failure->err &&
		    (rows[i].stage == ANYWHERE ||
			rows[i].stage == (int)failure->stage))
			return &rows[i];
	return NULL;
}

int
smtp_exit_of(const struct smtp_failure *failure)
{
	const struct row *row = find_row(failure);

	if (failure->err == SMTP_OK)
		return EX_OK;
	if (row != NULL && row->exit != 0)
		return row->exit;
	const int of_reply = smtp_exit_of_reply(failure->code);
	/* 454 and the like pass; all else at AUTH is about who we are. */
	if (failure->err == SMTP_E_AUTH)
		return of_reply == EX_TEMPFAIL ? EX_TEMPFAIL : EX_NOPERM;
	/* Refused, by words that mean yes. */
	return of_reply == EX_OK ? EX_PROTOCOL : of_reply;
}

int
smtp_exit_worse(int a, int b)
{
	if (a == EX_OK || (a == SMTP_EXIT_SOME && b != EX_OK))
		return b;
	return a;
}

const char *
smtp_exit_advice(const struct smtp_failure *failure)
{
	const struct row *row = find_row(failure);

	if (row != NULL)
		return row->advice;
	switch (smtp_exit_of_reply(failure->code)) {
	case EX_NOPERM:
		return "log in by --user or --auth";
	case EX_TEMPFAIL:
		return "try again later";
	default:
		return "";
	}
}

/* ---- words ---- */

const char *
smtp_exit_error_word(int err)
{
	static const char *const words[] = {
	    [-SMTP_OK] = "ok",
	    [-SMTP_E_DISCONNECTED] = "disconnected",
	    [-SMTP_E_RESPONSE] = "response",
	    [-SMTP_E_SENDER] = "sender",
	    [-SMTP_E_RECIPIENTS] = "recipients",
	    [-SMTP_E_DATA] = "data",
	    [-SMTP_E_CONNECT] = "connect",
	    [-SMTP_E_HELO] = "helo",
	    [-SMTP_E_AUTH] = "auth",
	    [-SMTP_E_NOTSUPP] = "not_offered",
	    [-SMTP_E_NOMECH] = "no_mechanism",
	    [-SMTP_E_AUTHLOOP] = "auth_loop",
	    [-SMTP_E_INVAL] = "invalid",
	    [-SMTP_E_ENCODING] = "encoding",
	    [-SMTP_E_OS] = "system",
	    [-SMTP_E_RESOLVE] = "resolve",
	    [-SMTP_E_TLS] = "tls",
	    [-SMTP_E_TIMEOUT] = "timeout",
	    [-SMTP_E_PROTO] = "protocol",
	    [-SMTP_E_NOMEM] = "memory",
	};

	return err <= 0 && err >= SMTP_E_NOMEM ? words[-err] : "unknown";
}

const char *
smtp_exit_class_word(smtp_class class)
{
	switch (class) {
	case SMTP_C_OK:
		return "ok";
	case SMTP_C_TEMP:
		return "temporary";
	case SMTP_C_PERM:
		return "permanent";
	case SMTP_C_CONN:
		return "host";
	}
	return "";
}

const char *
smtp_exit_stage_word(smtp_stage stage)
{
	static const char *const words[] = {
	    [SMTP_S_CONNECT] = "connect",
	    [SMTP_S_GREETING] = "greeting",
	    [SMTP_S_EHLO] = "ehlo",
	    [SMTP_S_STARTTLS] = "starttls",
	    [SMTP_S_AUTH] = "auth",
	    [SMTP_S_MAIL] = "mail",
	    [SMTP_S_RCPT] = "rcpt",
	    [SMTP_S_DATA] = "data",
	    [SMTP_S_BODY] = "body",
	    [SMTP_S_DOT] = "dot",
	    [SMTP_S_RSET] = "rset",
	    [SMTP_S_QUIT] = "quit",
	    [SMTP_S_CMD] = "command",
	};

	return words[stage];
}
