#include "delivery/verdict.h"

#include "base/seed.h"
#include "message/printable.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* ---- whom it concerns, and whether to try again ---- */

struct judgement {
	enum verdict_scope scope;
	enum verdict_action action;
};

typedef struct judgement judge_fn(
    const struct smtp_outcome *outcome, struct verdict_context context);

static enum verdict_action
action_of_class(int code)
{
	switch (code / 100) {
	case 2:
		return VERDICT_TAKEN;
	case 5:
		return VERDICT_GIVE_UP;
	default:
		return VERDICT_AGAIN;
	}
}

bool
verdict_wants_login(int code)
{
	return code == 530 || code == 534 || code == 535 || code == 538;
}

static bool
is_enhanced(const struct smtp_outcome *outcome, const char *subject_and_detail)
{
	return bytes_is(
	    bytes_from(outcome->enhanced, strlen("5.")), subject_and_detail);
}

/*
 * RFC 5321 4.5.3.1.10: too many recipients is 452, and older servers say 552.
 * A full mailbox says the same; only the enhanced code tells them apart, or
 * that others were accepted before.
 */
static bool
is_too_many(const struct smtp_outcome *outcome, struct verdict_context context)
{
	if (outcome->code != 452 && outcome->code != 552)
		return false;
	if (is_enhanced(outcome, "5.3"))
		return true;
	return context.is_accepted && outcome->enhanced.len == 0;
}

/* Opening a session, and what surrounds messages: never a message's fault. */
static struct judgement
judge_session(
    const struct smtp_outcome *outcome, struct verdict_context context)
{
	(void)outcome;
	(void)context;
	return (struct judgement){VERDICT_UPSTREAM, VERDICT_AGAIN};
}

static struct judgement
judge_mail(const struct smtp_outcome *outcome, struct verdict_context context)
{
	(void)context;
	/* All of it was sent along with MAIL, and may be what broke the server.
	 */
	if (outcome->in_doubt)
		return (struct judgement){VERDICT_MESSAGE, VERDICT_AGAIN};
	if (outcome->code == 0 || outcome->code == 421 ||
	    verdict_wants_login(outcome->code))
		return (struct judgement){VERDICT_UPSTREAM, VERDICT_AGAIN};
	return (struct judgement){
	    VERDICT_MESSAGE, action_of_class(outcome->code)};
}

static struct judgement
judge_rcpt(const struct smtp_outcome *outcome, struct verdict_context context)
{
	if (outcome->code == 0 || outcome->code == 421)
		return (struct judgement){VERDICT_MESSAGE, VERDICT_AGAIN};
	if (is_too_many(outcome, context))
		return (struct judgement){VERDICT_RECIPIENT,
		    context.is_accepted ? VERDICT_AT_ONCE : VERDICT_AGAIN};
	if (verdict_wants_login(outcome->code))
		return (struct judgement){VERDICT_RECIPIENT, VERDICT_AGAIN};
	return (struct judgement){
	    VERDICT_RECIPIENT, action_of_class(outcome->code)};
}

/* DATA itself: a 2yz here promises nothing, no content was sent. */
static struct judgement
judge_data(const struct smtp_outcome *outcome, struct verdict_context context)
{
	(void)context;
	if (outcome->code / 100 == 5 && !verdict_wants_login(outcome->code))
		return (struct judgement){VERDICT_MESSAGE, VERDICT_GIVE_UP};
	return (struct judgement){VERDICT_MESSAGE, VERDICT_AGAIN};
}

static struct judgement
judge_end(const struct smtp_outcome *outcome, struct verdict_context context)
{
	(void)context;
	if (SEED(FINISHED_BEFORE_REPLY) && outcome->in_doubt)
		return (struct judgement){VERDICT_MESSAGE, VERDICT_TAKEN};
	if (verdict_wants_login(outcome->code))
		return (struct judgement){VERDICT_MESSAGE, VERDICT_AGAIN};
	return (struct judgement){
	    VERDICT_MESSAGE, action_of_class(outcome->code)};
}

static const struct phase_row {
	judge_fn *judge;
	const char *status; /* where there was no reply */
} phases[SMTP_PHASE_COUNT] = {
    [SMTP_PHASE_CONNECT] = {judge_session, "4.4.1"},
    [SMTP_PHASE_GREETING] = {judge_session, "4.4.2"},
    [SMTP_PHASE_EHLO] = {judge_session, "4.4.2"},
    [SMTP_PHASE_HELO] = {judge_session, "4.4.2"},
    [SMTP_PHASE_STARTTLS] = {judge_session, "4.7.5"},
    [SMTP_PHASE_TLS] = {judge_session, "4.7.5"},
    [SMTP_PHASE_AUTH] = {judge_session, "4.7.0"},
    [SMTP_PHASE_MAIL] = {judge_mail, "4.4.2"},
    [SMTP_PHASE_RCPT] = {judge_rcpt, "4.4.2"},
    [SMTP_PHASE_DATA] = {judge_data, "4.4.2"},
    [SMTP_PHASE_CONTENT] = {judge_data, "4.4.2"},
    [SMTP_PHASE_END] = {judge_end, "4.4.2"},
    [SMTP_PHASE_RSET] = {judge_session, "4.4.2"},
    [SMTP_PHASE_COMMAND] = {judge_session, "4.4.2"},
    [SMTP_PHASE_QUIT] = {judge_session, "4.4.2"},
};

/* ---- how to say it ---- */

/* For servers that give no enhanced codes, after RFC 5248. */
static const struct status_row {
	int code;
	const char *status;
} statuses[] = {
    {250, "2.0.0"},
    {421, "4.3.2"},
    {450, "4.2.0"},
    {451, "4.3.0"},
    {452, "4.3.1"},
    {454, "4.7.0"},
    {455, "4.5.4"},
    {500, "5.5.2"},
    {501, "5.5.4"},
    {502, "5.5.1"},
    {503, "5.5.1"},
    {504, "5.5.4"},
    {521, "5.3.2"},
    {530, "5.7.0"},
    {534, "5.7.9"},
    {535, "5.7.8"},
    {538, "5.7.11"},
    {551, "5.1.6"},
    {552, "5.2.2"},
    {553, "5.1.3"},
    {555, "5.5.4"},
};

static const char *
status_of_code(int code)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (statuses[i].code == code)
			return statuses[i].status;
	switch (code / 100) {
	case 2:
		return "2.0.0";
	case 5:
		return "5.0.0";
	default:
		return "4.0.0";
	}
}

/* The class says what we do, which is not always what the peer said. */
static char
status_class(enum verdict_action action)
{
	switch (action) {
	case VERDICT_TAKEN:
		return '2';
	case VERDICT_GIVE_UP:
		return '5';
	case VERDICT_AT_ONCE:
	case VERDICT_AGAIN:
		return '4';
	}
	return '4';
}

static void
write_status(struct verdict *verdict, struct bytes status)
{
	/* A peer's enhanced code has at most nine characters. */
	(void)snprintf(verdict->status, sizeof(verdict->status), "%.*s",
	    BYTES_ARGS(bytes_first(status, sizeof(verdict->status) - 1)));
	verdict->status[0] = status_class(verdict->action);
}

static void
write_reason(struct verdict *verdict, struct buffer *text)
{
	struct buffer line;

	buffer_init(&line, sizeof(verdict->reason));
	printable_append(
	    &line, buffer_bytes(text), sizeof(verdict->reason) - 1, true);
	memcpy(verdict->reason, buffer_bytes(&line).data, line.len);
	verdict->reason[line.len] = '\0';
	buffer_clear(&line);
}

/* "550 5.1.1 no such user (in reply to RCPT)", "time-out (during DATA)". */
static void
describe(struct verdict *verdict, const struct smtp_outcome *outcome)
{
	/* Room for the phase behind the longest reply that is shown. */
	const struct bytes said =
	    bytes_first(outcome->text, sizeof(verdict->reason) - 128);
	const char *phase = smtp_phase_name(outcome->phase);
	struct buffer text;

	buffer_init(&text, sizeof(verdict->reason) + 128);
	if (outcome->kind == SMTP_REPLIED)
		buffer_printf(&text, "%d ", outcome->code);
	buffer_append(&text, said);
	if (outcome->code == 0)
		buffer_printf(&text, " (during %s)", phase);
	else if (outcome->code / 100 != 2 && outcome->kind == SMTP_REPLIED)
		buffer_printf(&text, " (in reply to %s)", phase);
	if (outcome->in_doubt)
		buffer_append_text(&text, "; it may have been taken");
	write_reason(verdict, &text);
	buffer_clear(&text);
}

struct verdict
verdict_of(const struct smtp_outcome *outcome, struct verdict_context context)
{
	const struct phase_row *row = &phases[outcome->phase];
	const struct judgement judgement = row->judge(outcome, context);
	struct verdict verdict = {
	    .scope = judgement.scope,
	    .action = judgement.action,
	    .is_reply = outcome->kind == SMTP_REPLIED,
	};

	if (outcome->enhanced.len > 0)
		write_status(&verdict, outcome->enhanced);
	else
		write_status(&verdict,
		    bytes_of(outcome->code == 0
			    ? row->status
			    : status_of_code(outcome->code)));
	describe(&verdict, outcome);
	return verdict;
}

struct verdict
verdict_make(enum verdict_scope scope, enum verdict_action action,
    const char *status, const char *reason)
{
	struct verdict verdict = {.scope = scope, .action = action};
	struct buffer text;

	buffer_init(&text, strlen(reason));
	buffer_append_text(&text, reason);
	write_status(&verdict, bytes_of(status));
	write_reason(&verdict, &text);
	buffer_clear(&text);
	return verdict;
}
