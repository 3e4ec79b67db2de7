#include "delivery/verdict.h"

#include <criterion/criterion.h>
#include <string.h>

#define NONE      0 /* no reply */
#define RECIPIENT VERDICT_RECIPIENT
#define MESSAGE   VERDICT_MESSAGE
#define UPSTREAM  VERDICT_UPSTREAM
#define TAKEN     VERDICT_TAKEN
#define AT_ONCE   VERDICT_AT_ONCE
#define AGAIN     VERDICT_AGAIN
#define GIVE_UP   VERDICT_GIVE_UP

static const struct verdict_row {
	enum smtp_phase phase;
	int code;
	const char *enhanced;
	bool is_accepted;
	enum verdict_scope scope;
	enum verdict_action action;
	const char *status;
} rows[] = {
    /* Until the login the message is not known to the server. */
    {SMTP_PHASE_CONNECT, NONE, "", false, UPSTREAM, AGAIN, "4.4.1"},
    {SMTP_PHASE_GREETING, 421, "", false, UPSTREAM, AGAIN, "4.3.2"},
    {SMTP_PHASE_GREETING, 450, "", false, UPSTREAM, AGAIN, "4.2.0"},
    {SMTP_PHASE_GREETING, 554, "5.7.1", false, UPSTREAM, AGAIN, "4.7.1"},
    {SMTP_PHASE_GREETING, NONE, "", false, UPSTREAM, AGAIN, "4.4.2"},
    {SMTP_PHASE_EHLO, 421, "", false, UPSTREAM, AGAIN, "4.3.2"},
    {SMTP_PHASE_EHLO, 550, "", false, UPSTREAM, AGAIN, "4.0.0"},
    {SMTP_PHASE_EHLO, NONE, "", false, UPSTREAM, AGAIN, "4.4.2"},
    {SMTP_PHASE_HELO, 554, "", false, UPSTREAM, AGAIN, "4.0.0"},
    {SMTP_PHASE_STARTTLS, 454, "4.7.0", false, UPSTREAM, AGAIN, "4.7.0"},
    {SMTP_PHASE_STARTTLS, 502, "", false, UPSTREAM, AGAIN, "4.5.1"},
    {SMTP_PHASE_STARTTLS, NONE, "", false, UPSTREAM, AGAIN, "4.7.5"},
    {SMTP_PHASE_TLS, NONE, "", false, UPSTREAM, AGAIN, "4.7.5"},
    {SMTP_PHASE_AUTH, 421, "", false, UPSTREAM, AGAIN, "4.3.2"},
    {SMTP_PHASE_AUTH, 454, "", false, UPSTREAM, AGAIN, "4.7.0"},
    {SMTP_PHASE_AUTH, 535, "5.7.8", false, UPSTREAM, AGAIN, "4.7.8"},
    {SMTP_PHASE_AUTH, NONE, "", false, UPSTREAM, AGAIN, "4.7.0"},

    {SMTP_PHASE_MAIL, 250, "2.1.0", false, MESSAGE, TAKEN, "2.1.0"},
    {SMTP_PHASE_MAIL, 421, "4.3.2", false, UPSTREAM, AGAIN, "4.3.2"},
    {SMTP_PHASE_MAIL, 450, "", false, MESSAGE, AGAIN, "4.2.0"},
    {SMTP_PHASE_MAIL, 452, "4.3.1", false, MESSAGE, AGAIN, "4.3.1"},
    {SMTP_PHASE_MAIL, 530, "5.7.0", false, UPSTREAM, AGAIN, "4.7.0"},
    {SMTP_PHASE_MAIL, 535, "", false, UPSTREAM, AGAIN, "4.7.8"},
    {SMTP_PHASE_MAIL, 550, "5.1.8", false, MESSAGE, GIVE_UP, "5.1.8"},
    {SMTP_PHASE_MAIL, 552, "", false, MESSAGE, GIVE_UP, "5.2.2"},
    {SMTP_PHASE_MAIL, 553, "", false, MESSAGE, GIVE_UP, "5.1.3"},
    {SMTP_PHASE_MAIL, NONE, "", false, UPSTREAM, AGAIN, "4.4.2"},

    {SMTP_PHASE_RCPT, 250, "", false, RECIPIENT, TAKEN, "2.0.0"},
    {SMTP_PHASE_RCPT, 251, "", false, RECIPIENT, TAKEN, "2.0.0"},
    {SMTP_PHASE_RCPT, 421, "", false, MESSAGE, AGAIN, "4.3.2"},
    {SMTP_PHASE_RCPT, 450, "4.2.0", false, RECIPIENT, AGAIN, "4.2.0"},
    {SMTP_PHASE_RCPT, 550, "5.1.1", false, RECIPIENT, GIVE_UP, "5.1.1"},
    {SMTP_PHASE_RCPT, 551, "", false, RECIPIENT, GIVE_UP, "5.1.6"},
    {SMTP_PHASE_RCPT, 530, "", false, RECIPIENT, AGAIN, "4.7.0"},
    {SMTP_PHASE_RCPT, NONE, "", false, MESSAGE, AGAIN, "4.4.2"},
    /* Too many recipients, or a full mailbox? */
    {SMTP_PHASE_RCPT, 452, "", false, RECIPIENT, AGAIN, "4.3.1"},
    {SMTP_PHASE_RCPT, 452, "", true, RECIPIENT, AT_ONCE, "4.3.1"},
    {SMTP_PHASE_RCPT, 452, "4.5.3", true, RECIPIENT, AT_ONCE, "4.5.3"},
    {SMTP_PHASE_RCPT, 452, "4.5.3", false, RECIPIENT, AGAIN, "4.5.3"},
    {SMTP_PHASE_RCPT, 452, "4.2.2", true, RECIPIENT, AGAIN, "4.2.2"},
    {SMTP_PHASE_RCPT, 552, "", false, RECIPIENT, GIVE_UP, "5.2.2"},
    {SMTP_PHASE_RCPT, 552, "", true, RECIPIENT, AT_ONCE, "4.2.2"},
    {SMTP_PHASE_RCPT, 552, "5.5.3", true, RECIPIENT, AT_ONCE, "4.5.3"},
    {SMTP_PHASE_RCPT, 552, "5.5.3", false, RECIPIENT, AGAIN, "4.5.3"},
    {SMTP_PHASE_RCPT, 552, "5.2.2", true, RECIPIENT, GIVE_UP, "5.2.2"},
    {SMTP_PHASE_RCPT, 550, "5.5.3", true, RECIPIENT, GIVE_UP, "5.5.3"},

    {SMTP_PHASE_DATA, 250, "", false, MESSAGE, AGAIN, "4.0.0"},
    {SMTP_PHASE_DATA, 421, "", false, MESSAGE, AGAIN, "4.3.2"},
    {SMTP_PHASE_DATA, 451, "", false, MESSAGE, AGAIN, "4.3.0"},
    {SMTP_PHASE_DATA, 554, "5.7.1", false, MESSAGE, GIVE_UP, "5.7.1"},
    {SMTP_PHASE_DATA, 530, "", false, MESSAGE, AGAIN, "4.7.0"},
    {SMTP_PHASE_DATA, NONE, "", false, MESSAGE, AGAIN, "4.4.2"},
    {SMTP_PHASE_CONTENT, 250, "", false, MESSAGE, AGAIN, "4.0.0"},
    {SMTP_PHASE_CONTENT, 452, "", false, MESSAGE, AGAIN, "4.3.1"},
    {SMTP_PHASE_CONTENT, 552, "5.3.4", false, MESSAGE, GIVE_UP, "5.3.4"},
    {SMTP_PHASE_CONTENT, NONE, "", false, MESSAGE, AGAIN, "4.4.2"},

    {SMTP_PHASE_END, 250, "2.0.0", false, MESSAGE, TAKEN, "2.0.0"},
    {SMTP_PHASE_END, 354, "", false, MESSAGE, AGAIN, "4.0.0"},
    {SMTP_PHASE_END, 421, "", false, MESSAGE, AGAIN, "4.3.2"},
    {SMTP_PHASE_END, 451, "4.7.1", false, MESSAGE, AGAIN, "4.7.1"},
    {SMTP_PHASE_END, 554, "5.6.0", false, MESSAGE, GIVE_UP, "5.6.0"},
    {SMTP_PHASE_END, NONE, "", false, MESSAGE, AGAIN, "4.4.2"},

    {SMTP_PHASE_RSET, 502, "", false, UPSTREAM, AGAIN, "4.5.1"},
    {SMTP_PHASE_COMMAND, NONE, "", false, UPSTREAM, AGAIN, "4.4.2"},
    {SMTP_PHASE_QUIT, 221, "", false, UPSTREAM, AGAIN, "4.0.0"},
};

static struct smtp_outcome
outcome_of(const struct verdict_row *row)
{
	return (struct smtp_outcome){
	    .kind = row->code == NONE ? SMTP_CLOSED : SMTP_REPLIED,
	    .phase = row->phase,
	    .code = row->code,
	    .enhanced = bytes_of(row->enhanced),
	    .text = BYTES("words"),
	};
}

Test(verdict, of_each_phase_and_reply)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct verdict_row *row = &rows[i];
		const struct smtp_outcome outcome = outcome_of(row);
		const struct verdict verdict = verdict_of(&outcome,
		    (struct verdict_context){.is_accepted = row->is_accepted});
		cr_expect_eq(verdict.scope, row->scope, "%s %d %s",
		    smtp_phase_name(row->phase), row->code, row->enhanced);
		cr_expect_eq(verdict.action, row->action, "%s %d %s",
		    smtp_phase_name(row->phase), row->code, row->enhanced);
		cr_expect_str_eq(verdict.status, row->status, "%s %d %s",
		    smtp_phase_name(row->phase), row->code, row->enhanced);
		cr_expect_eq(verdict.is_reply, row->code != NONE);
	}
}

/* Whatever a server says and whenever, opening a session bounces nothing. */
Test(verdict, never_gives_up_before_a_login)
{
	for (int phase = SMTP_PHASE_CONNECT; phase <= SMTP_PHASE_AUTH; phase++)
		for (int code = 0; code < 600; code++) {
			const struct smtp_outcome outcome = {
			    .kind = code == 0 ? SMTP_CLOSED : SMTP_REPLIED,
			    .phase = (enum smtp_phase)phase,
			    .code = code,
			    .enhanced = BYTES_NONE,
			    .text = BYTES("x"),
			};
			const struct verdict verdict =
			    verdict_of(&outcome, (struct verdict_context){0});
			cr_expect(verdict.scope == VERDICT_UPSTREAM &&
				verdict.action == VERDICT_AGAIN,
			    "phase %d code %d", phase, code);
		}
}

/* Only 2yz behind the dot delivers. */
Test(verdict, takes_only_for_two)
{
	for (int phase = 0; phase < SMTP_PHASE_COUNT; phase++)
		for (int code = 0; code < 600; code++) {
			const struct smtp_outcome outcome = {
			    .kind = SMTP_REPLIED,
			    .phase = (enum smtp_phase)phase,
			    .code = code,
			    .enhanced = BYTES_NONE,
			    .text = BYTES("x"),
			};
			const struct verdict verdict =
			    verdict_of(&outcome, (struct verdict_context){0});
			if (verdict.action == VERDICT_TAKEN)
				cr_expect_eq(code / 100, 2);
			if (verdict.action == VERDICT_GIVE_UP)
				cr_expect_eq(code / 100, 5);
		}
}

static const struct reason_row {
	struct smtp_outcome outcome;
	const char *reason;
} reasons[] = {
    {{SMTP_REPLIED, SMTP_PHASE_RCPT, 550, {"5.1.1", 5},
	 {"5.1.1 no such user", 18}, false},
	"550 5.1.1 no such user (in reply to RCPT)"},
    {{SMTP_REPLIED, SMTP_PHASE_END, 250, {"2.0.0", 5},
	 {"2.0.0 queued as 1", 17}, false},
	"250 2.0.0 queued as 1"},
    {{SMTP_REPLIED, SMTP_PHASE_END, 554, {"", 0}, {"one\ntwo\tthree", 13},
	 false},
	"554 one two three (in reply to end of data)"},
    {{SMTP_CLOSED, SMTP_PHASE_DATA, 0, {"", 0}, {"closed", 6}, false},
	"closed (during DATA)"},
    {{SMTP_TIMED_OUT, SMTP_PHASE_END, 0, {"", 0}, {"timed out", 9}, true},
	"timed out (during end of data); it may have been taken"},
    {{SMTP_NOT_OFFERED, SMTP_PHASE_MAIL, 552, {"5.3.4", 5}, {"too large", 9},
	 false},
	"too large"},
    {{SMTP_REPLIED, SMTP_PHASE_END, 554, {"", 0}, {"\033[2J\r%n\0x", 9}, false},
	"554 ?[2J %n?x (in reply to end of data)"},
};

Test(verdict, says_why_in_one_line)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		const struct verdict verdict = verdict_of(
		    &reasons[i].outcome, (struct verdict_context){0});
		cr_expect_str_eq(verdict.reason, reasons[i].reason);
	}
}

Test(verdict, cuts_a_long_reply_but_says_to_what)
{
	static char text[300000];
	memset(text, 'x', sizeof(text));
	const struct smtp_outcome outcome = {
	    .kind = SMTP_REPLIED,
	    .phase = SMTP_PHASE_END,
	    .code = 554,
	    .enhanced = BYTES_NONE,
	    .text = bytes_make(text, sizeof(text)),
	    .in_doubt = true,
	};
	const struct verdict verdict =
	    verdict_of(&outcome, (struct verdict_context){0});

	cr_expect_lt(strlen(verdict.reason), sizeof(verdict.reason));
	cr_expect_not_null(strstr(
	    verdict.reason, "x (in reply to end of data); it may have been"));
}

Test(verdict, of_our_own)
{
	const struct verdict verdict = verdict_make(
	    VERDICT_MESSAGE, VERDICT_GIVE_UP, "5.6.3", "cannot\nbe converted");

	cr_expect_eq(verdict.scope, VERDICT_MESSAGE);
	cr_expect_eq(verdict.action, VERDICT_GIVE_UP);
	cr_expect_not(verdict.is_reply);
	cr_expect_str_eq(verdict.status, "5.6.3");
	cr_expect_str_eq(verdict.reason, "cannot be converted");
}
