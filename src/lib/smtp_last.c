#include "base/memory.h"
#include "lib/smtp_session.h"
#include "message/printable.h"

#include <stdlib.h>
#include <string.h>

/* Octets of a peer's text, and of all that is told. */
#define TEXT_MAX 1000
#define WHY_MAX  1100

enum smtp_stage
smtp_last_stage_of(enum smtp_phase phase)
{
	static const enum smtp_stage stages[SMTP_PHASE_COUNT] = {
	    [SMTP_PHASE_CONNECT] = SMTP_S_CONNECT,
	    [SMTP_PHASE_GREETING] = SMTP_S_GREETING,
	    [SMTP_PHASE_EHLO] = SMTP_S_EHLO,
	    [SMTP_PHASE_HELO] = SMTP_S_EHLO,
	    [SMTP_PHASE_STARTTLS] = SMTP_S_STARTTLS,
	    [SMTP_PHASE_TLS] = SMTP_S_STARTTLS,
	    [SMTP_PHASE_AUTH] = SMTP_S_AUTH,
	    [SMTP_PHASE_MAIL] = SMTP_S_MAIL,
	    [SMTP_PHASE_RCPT] = SMTP_S_RCPT,
	    [SMTP_PHASE_DATA] = SMTP_S_DATA,
	    [SMTP_PHASE_CONTENT] = SMTP_S_BODY,
	    [SMTP_PHASE_END] = SMTP_S_DOT,
	    [SMTP_PHASE_RSET] = SMTP_S_RSET,
	    [SMTP_PHASE_COMMAND] = SMTP_S_CMD,
	    [SMTP_PHASE_QUIT] = SMTP_S_QUIT,
	};

	return stages[phase];
}

/* ---- what a queue should do ---- */

/* Until a mail is begun it is the host that is at fault. */
static bool
is_opening(enum smtp_stage stage)
{
	return stage <= SMTP_S_STARTTLS;
}

/* A refusal that says: the client's settings are wrong. */
static bool
is_setting(enum smtp_stage stage, int code)
{
	return stage == SMTP_S_AUTH || code == 530 || code == 534 ||
	    code == 535 || code == 538;
}

/* accepted: recipients before this one; 552 is 452 then (RFC 5321 4.5.3.1.10).
 */
static enum smtp_class
class_of_code(enum smtp_stage stage, int code, size_t accepted)
{
	/* DATA that is not answered by 354 has sent nothing. */
	if (stage == SMTP_S_DATA && code / 100 == 2)
		return SMTP_C_TEMP;
	if (code >= 200 && code < 400)
		return SMTP_C_OK;
	if (is_opening(stage))
		return SMTP_C_CONN;
	if (code < 500 || is_setting(stage, code))
		return SMTP_C_TEMP;
	if (stage == SMTP_S_RCPT && code == 552 && accepted > 0)
		return SMTP_C_TEMP;
	return SMTP_C_PERM;
}

static enum smtp_class
class_of_failure(int err, enum smtp_stage stage)
{
	switch (err) {
	case SMTP_OK:
		return SMTP_C_OK;
	case SMTP_E_NOTSUPP:
		return stage == SMTP_S_STARTTLS ? SMTP_C_CONN
		    : stage == SMTP_S_AUTH      ? SMTP_C_TEMP
						: SMTP_C_PERM;
	case SMTP_E_INVAL:
	case SMTP_E_ENCODING:
		return SMTP_C_PERM;
	default:
		return is_opening(stage) ? SMTP_C_CONN : SMTP_C_TEMP;
	}
}

static enum smtp_class
class_of(
    const struct smtp *session, const struct smtp_outcome *outcome, int err)
{
	const enum smtp_stage stage = smtp_last_stage_of(outcome->phase);

	return outcome->code > 0 && stage != SMTP_S_AUTH
	    ? class_of_code(stage, outcome->code, session->accepted)
	    : outcome->code > 0 && outcome->kind == SMTP_REPLIED
	    ? class_of_code(stage, outcome->code, 0)
	    : class_of_failure(err, stage);
}

/* ---- keeping it ---- */

static int
err_of(const struct smtp *session, const struct smtp_outcome *outcome)
{
	switch (outcome->kind) {
	case SMTP_REPLIED:
		return SMTP_OK;
	case SMTP_CLOSED:
		return SMTP_E_DISCONNECTED;
	case SMTP_TIMED_OUT:
		return SMTP_E_TIMEOUT;
	case SMTP_MALFORMED:
		return SMTP_E_PROTO;
	case SMTP_NOT_OFFERED:
		return SMTP_E_NOTSUPP;
	case SMTP_FAILED:
		return session->failure;
	}
	return SMTP_E_PROTO;
}

static void
set_text(struct smtp *session, struct bytes text)
{
	free(session->text);
	session->text = memory_copy(text);
	session->text_len = text.len;
}

static void
copy_enhanced(char enhanced[16], struct bytes value)
{
	const struct bytes cut = bytes_first(value, 15);

	memset(enhanced, 0, 16);
	memcpy(enhanced, cut.data, cut.len);
}

/* Takes words.  Of the peer's nothing reaches a terminal but printable ASCII.
 */
static void
set_why(struct smtp *session, char *words)
{
	free(session->why);
	session->why = printable_copy(bytes_of(words), WHY_MAX, false);
	free(words);
}

static void
explain(struct smtp *session, const struct smtp_outcome *outcome)
{
	set_why(session,
	    memory_format("%s: %.*s%s", smtp_phase_name(outcome->phase),
		BYTES_ARGS(bytes_first(outcome->text, TEXT_MAX)),
		outcome->in_doubt ? " (the message may have been delivered)"
				  : ""));
}

void
smtp_last_clear(struct smtp *session)
{
	session->code = -1;
	set_text(session, BYTES_NONE);
	copy_enhanced(session->enhanced, BYTES_NONE);
	session->cls = SMTP_C_OK;
	session->number = 0;
	smtp_session_set(&session->why, NULL);
}

int
smtp_last_keep(struct smtp *session, const struct smtp_outcome *outcome)
{
	const int err = err_of(session, outcome);

	if (session->keeps_last)
		return err;
	session->stage = smtp_last_stage_of(outcome->phase);
	session->code = outcome->code > 0 ? outcome->code : -1;
	set_text(session, outcome->code > 0 ? outcome->text : BYTES_NONE);
	copy_enhanced(session->enhanced, outcome->enhanced);
	session->cls = class_of(session, outcome, err);
	if (err != SMTP_OK)
		explain(session, outcome);
	return err;
}

int
smtp_last_fail(
    struct smtp *session, int err, enum smtp_stage stage, const char *why)
{
	session->stage = stage;
	session->cls = class_of_failure(err, stage);
	set_why(session, memory_copy_text(why));
	return err;
}

int
smtp_last_refused(struct smtp *session, int err)
{
	/* A success where it is none: nothing has come of it. */
	if (session->cls == SMTP_C_OK)
		session->cls =
		    is_opening(session->stage) ? SMTP_C_CONN : SMTP_C_TEMP;
	set_why(session,
	    memory_format("%d %.*s", session->code,
		BYTES_ARGS(bytes_first(bytes_of(session->text), TEXT_MAX))));
	return err;
}

/* ---- recipients ---- */

void
smtp_last_clear_results(struct smtp *session)
{
	for (size_t i = 0; i < session->results_len; i++) {
		free((void *)(uintptr_t)session->results[i].addr);
		free((void *)(uintptr_t)session->results[i].text);
	}
	free(session->results);
	session->results = NULL;
	session->results_len = 0;
	session->accepted = 0;
}

struct smtp_result *
smtp_last_add_result(struct smtp *session, const char *address)
{
	session->results = memory_resize_array(session->results,
	    session->results_len + 1, sizeof(*session->results));
	struct smtp_result *result = &session->results[session->results_len];
	session->results_len++;
	*result = (struct smtp_result){
	    .addr = memory_copy_text(address),
	    .text = memory_copy_text(""),
	    .cls = SMTP_C_TEMP,
	    .stage = SMTP_S_RCPT,
	};
	return result;
}

void
smtp_last_set_result(struct smtp *session, struct smtp_result *result,
    const struct smtp_outcome *outcome)
{
	free((void *)(uintptr_t)result->text);
	result->text = memory_copy(outcome->text);
	result->code = outcome->code;
	copy_enhanced(result->enh, outcome->enhanced);
	result->stage = smtp_last_stage_of(outcome->phase);
	result->cls = class_of(session, outcome, err_of(session, outcome));
}

void
smtp_last_share(struct smtp *session)
{
	const char *text =
	    session->code > 0 ? session->text : smtp_last_errmsg(session);

	for (size_t i = 0; i < session->results_len; i++) {
		struct smtp_result *result = &session->results[i];
		free((void *)(uintptr_t)result->text);
		result->text = memory_copy_text(text);
		result->code = session->code > 0 ? session->code : 0;
		memcpy(
		    result->enh, session->enhanced, sizeof(session->enhanced));
		result->stage = session->stage;
		result->cls = session->cls;
	}
}

size_t
smtp_nresults(const struct smtp *s)
{
	return s->results_len;
}

const struct smtp_result *
smtp_result_at(const struct smtp *s, size_t i)
{
	return i < s->results_len ? &s->results[i] : NULL;
}

/* ---- what is asked ---- */

int
smtp_last_code(const struct smtp *s)
{
	return s->code;
}

const char *
smtp_last_text(const struct smtp *s, size_t *n)
{
	if (n != NULL)
		*n = s->text_len;
	return s->text;
}

const char *
smtp_last_enh(const struct smtp *s)
{
	return s->enhanced;
}

enum smtp_class
smtp_last_class(const struct smtp *s)
{
	return s->cls;
}

enum smtp_stage
smtp_last_stage(const struct smtp *s)
{
	return s->stage;
}

int
smtp_last_errno(const struct smtp *s)
{
	return s->number;
}

const char *
smtp_last_errmsg(const struct smtp *s)
{
	return s->why != NULL ? s->why : "";
}

const char *
smtp_strerror(int err)
{
	static const char *const words[] = {
	    [-SMTP_OK] = "success",
	    [-SMTP_E_DISCONNECTED] = "not connected",
	    [-SMTP_E_RESPONSE] = "unexpected reply",
	    [-SMTP_E_SENDER] = "sender refused",
	    [-SMTP_E_RECIPIENTS] = "all recipients refused",
	    [-SMTP_E_DATA] = "message refused",
	    [-SMTP_E_CONNECT] = "the server does not greet with 220",
	    [-SMTP_E_HELO] = "EHLO and HELO refused",
	    [-SMTP_E_AUTH] = "login refused",
	    [-SMTP_E_NOTSUPP] = "not offered by the server",
	    [-SMTP_E_NOMECH] = "no suitable AUTH mechanism",
	    [-SMTP_E_AUTHLOOP] = "endless AUTH challenges",
	    [-SMTP_E_INVAL] = "invalid argument",
	    [-SMTP_E_ENCODING] = "not ASCII, and no SMTPUTF8",
	    [-SMTP_E_OS] = "system error",
	    [-SMTP_E_RESOLVE] = "host not found",
	    [-SMTP_E_TLS] = "TLS failed",
	    [-SMTP_E_TIMEOUT] = "timed out",
	    [-SMTP_E_PROTO] = "not SMTP, or out of step",
	    [-SMTP_E_NOMEM] = "out of memory",
	};

	return err <= 0 && err >= SMTP_E_NOMEM ? words[-err] : "unknown error";
}
