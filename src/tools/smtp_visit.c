#include "tools/smtp_visit.h"

#include "base/memory.h"
#include "tools/smtp_secrets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* "12:34:56.789 " */
#define TIME_LEN 13

/* ---- the trace ---- */

static void
show(void *arg, const char *line)
{
	const struct smtp_visit *visit = arg;
	const struct bytes text =
	    bytes_from(bytes_of(line), visit->words->trace >= 2 ? TIME_LEN : 0);
	const bool is_summary = bytes_has_prefix(text, "reply: retcode (") ||
	    bytes_has_prefix(text, "data: (");

	if (!is_summary || !visit->words->trace_short)
		(void)fprintf(stderr, "%s\n", line);
}

/* -d begins where the page of smtplib does: behind the greeting. */
static void
trace_from(struct smtp_visit *visit, unsigned level)
{
	if (visit->words->trace >= level)
		smtp_set_debug(
		    visit->session, (int)visit->words->trace, show, visit);
}

/* ---- the session as it is wanted ---- */

static smtp_tls
tls_of(const struct smtp_visit *visit)
{
	switch ((enum smtp_tls_word)visit->words->tls) {
	case SMTP_TLS_WORD_NONE:
		return visit->user != NULL ? SMTP_TLS_MUST : SMTP_TLS_OFF;
	case SMTP_TLS_WORD_OFF:
		return SMTP_TLS_OFF;
	case SMTP_TLS_WORD_MAY:
		return SMTP_TLS_MAY;
	case SMTP_TLS_WORD_MUST:
		return SMTP_TLS_MUST;
	case SMTP_TLS_WORD_IMPLICIT:
		return SMTP_TLS_IMPLICIT;
	}
	return SMTP_TLS_OFF;
}

static smtp_case
verbs_of(const struct smtp_words *words)
{
	if (words->verbs > 0)
		return (smtp_case)(words->verbs - 1);
	return words->compat == SMTP_COMPAT_SMTPLIB2 ? SMTP_VERB_SEED
						     : SMTP_VERB_LOWER;
}

/* Better told before anyone is connected to. */
static bool
check_authorities(struct smtp_visit *visit)
{
	const char *path = visit->words->ca;

	if (path == NULL || access(path, R_OK) == 0)
		return true;
	smtp_report_fault(
	    &visit->report, EX_CONFIG, "--ca %s: %s", path, strerror(errno));
	return false;
}

static bool
make_session(struct smtp_visit *visit)
{
	const struct smtp_words *words = visit->words;
	const bool is_old = words->compat == SMTP_COMPAT_SMTPLIB2;
	const bool is_plain = words->no_pipelining || is_old;
	static const int conversions[] = {
	    [SMTP_TO8_NONE] = 1,
	    [SMTP_TO8_KEEP] = -1,
	    [SMTP_TO8_QP] = 3,
	    [SMTP_TO8_BASE64] = 2,
	};
	/* Who only looks wants to see bad certificates, too. */
	const bool is_curious = (words->use & SMTP_USE_PROBE) != 0 &&
	    words->tls != SMTP_TLS_WORD_MUST;
	const smtp_options options = {
	    .size = sizeof(options),
	    .local_hostname = words->helo,
	    .source_address = words->source,
	    .tls = tls_of(visit),
	    .tls_name = words->tls_name,
	    .tls_ca = words->ca,
	    .tls_verify = is_curious ? -1 : 0,
	    .lmtp = words->lmtp,
	    .verbs = verbs_of(words),
	    .pipelining = is_plain ? -1 : 0,
	    .chunking = words->chunks,
	    .convert_8bit = is_old ? -1 : conversions[words->to8],
	    .raw_eol = words->raw,
	    .auth_in_clear = words->auth_in_clear,
	};

	visit->session = smtp_new(&options);
	if (visit->session == NULL) {
		smtp_report_fault(&visit->report, EX_USAGE,
		    "--helo is a name in ASCII; --source is 192.0.2.1, "
		    "192.0.2.1:1025 or [2001:db8::1]:1025");
		return false;
	}
	if (words->timeout_ms > 0)
		(void)smtp_set_timeout(visit->session, words->timeout_ms);
	trace_from(visit, 2);
	return true;
}

bool
smtp_visit_begin(struct smtp_visit *visit, const char *name, const char *verb,
    const struct smtp_words *words, bool json)
{
	struct error error;

	*visit = (struct smtp_visit){.words = words};
	smtp_report_init(&visit->report, name, verb, words->host, json);
	if (!smtp_wishes_make(words, &visit->wishes, &error)) {
		smtp_report_fault(
		    &visit->report, EX_USAGE, "%s", error_text(&error));
		return false;
	}
	if (!smtp_secrets_read(words, &visit->user, &visit->password, &error)) {
		smtp_report_fault(
		    &visit->report, EX_CONFIG, "%s", error_text(&error));
		return false;
	}
	return check_authorities(visit) && make_session(visit);
}

/* ---- steps ---- */

bool
smtp_visit_check(struct smtp_visit *visit, int err)
{
	if (err != SMTP_OK)
		smtp_report_error(&visit->report, visit->session, err);
	return err == SMTP_OK;
}

static void
report_greeting(struct smtp_visit *visit)
{
	struct json_writer *writer = &visit->report.all.writer;

	if (!visit->report.json)
		return;
	json_writer_object(writer, "greeting");
	json_writer_number(writer, "code", smtp_last_code(visit->session));
	json_writer_text(writer, "text", smtp_last_text(visit->session, NULL));
	json_writer_end(writer);
}

bool
smtp_visit_connect(struct smtp_visit *visit)
{
	const int err = smtp_open(visit->session, visit->words->host, NULL);

	if (err == SMTP_E_OS && smtp_last_errno(visit->session) == EINVAL) {
		smtp_report_fault(&visit->report, EX_USAGE,
		    "%s: %s; a port is a number, or smtp, submission, smtps, "
		    "lmtp, odmr",
		    visit->words->host, smtp_last_errmsg(visit->session));
		return false;
	}
	if (!smtp_visit_check(visit, err))
		return false;
	report_greeting(visit);
	if (visit->words->trace == 1)
		trace_from(visit, 1);
	return true;
}

bool
smtp_visit_greet(struct smtp_visit *visit)
{
	const struct smtp_words *words = visit->words;

	if (!smtp_visit_check(visit, smtp_ehlo_or_helo(visit->session)))
		return false;
	if (visit->user == NULL)
		return true;
	return smtp_visit_check(visit,
	    smtp_auth(visit->session, words->mechanism, visit->user,
		visit->password, !words->no_initial));
}

bool
smtp_visit_wants_greeting(const struct smtp_visit *visit)
{
	const int tls = visit->words->tls;

	return visit->words->greets || visit->user != NULL ||
	    tls == SMTP_TLS_WORD_MAY || tls == SMTP_TLS_WORD_MUST;
}

int
smtp_visit_end(struct smtp_visit *visit)
{
	if (visit->session != NULL && visit->report.json)
		smtp_report_session(&visit->report, visit->session);
	/* All is done; what becomes of QUIT changes nothing. */
	if (visit->session != NULL && smtp_connected(visit->session))
		(void)smtp_quit(visit->session);
	smtp_free(visit->session);
	smtp_wishes_clear(&visit->wishes);
	smtp_secrets_forget(visit->user);
	smtp_secrets_forget(visit->password);
	const int code = smtp_report_finish(&visit->report);
	smtp_report_clear(&visit->report);
	return code;
}
