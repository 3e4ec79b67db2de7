#include "tools/smtp_talk.h"

#include "base/memory.h"
#include "tools/smtp_dialogue.h"

#include <stdlib.h>
#include <sysexits.h>

/* ---- cmd ---- */

void
smtp_talk_commands(struct smtp_visit *visit)
{
	if (smtp_visit_connect(visit) &&
	    (!smtp_visit_wants_greeting(visit) || smtp_visit_greet(visit)))
		smtp_dialogue_run(visit);
}

/* ---- one command ---- */

typedef int say_fn(smtp *session, const char *argument);

static void
say(struct smtp_visit *visit, const char *verb, const char *argument,
    say_fn *fn)
{
	char *command = argument != NULL
	    ? memory_format("%s %s", verb, argument)
	    : memory_copy_text(verb);

	const int err = fn(visit->session, argument);
	smtp_report_reply(&visit->report, visit->session, command, err);
	free(command);
}

/* Once for each argument; where there is none, once without. */
static void
say_each(struct smtp_visit *visit, const char *verb, say_fn *fn)
{
	const struct smtp_words *words = visit->words;

	if (words->argument_count == 0)
		say(visit, verb, NULL, fn);
	for (int i = 0;
	     i < words->argument_count && smtp_connected(visit->session); i++)
		say(visit, verb, words->arguments[i], fn);
}

static void
say_plainly(struct smtp_visit *visit, const char *verb, say_fn *fn)
{
	if (smtp_visit_connect(visit) &&
	    (!smtp_visit_wants_greeting(visit) || smtp_visit_greet(visit)))
		say_each(visit, verb, fn);
}

/* Those that servers want a greeting before. */
static void
say_greeted(struct smtp_visit *visit, const char *verb, say_fn *fn)
{
	if (smtp_visit_connect(visit) && smtp_visit_greet(visit))
		say_each(visit, verb, fn);
}

static int
say_noop(smtp *session, const char *argument)
{
	return smtp_docmd(session, "noop", argument);
}

static int
say_rset(smtp *session, const char *argument)
{
	(void)argument; /* it has none */
	return smtp_rset(session);
}

void
smtp_talk_ehlo(struct smtp_visit *visit)
{
	if (smtp_visit_connect(visit))
		say_each(
		    visit, visit->words->lmtp ? "LHLO" : "EHLO", smtp_ehlo);
}

void
smtp_talk_helo(struct smtp_visit *visit)
{
	if (smtp_visit_connect(visit))
		say_each(visit, "HELO", smtp_helo);
}

void
smtp_talk_vrfy(struct smtp_visit *visit)
{
	say_greeted(visit, "VRFY", smtp_vrfy);
}

void
smtp_talk_expn(struct smtp_visit *visit)
{
	say_greeted(visit, "EXPN", smtp_expn);
}

void
smtp_talk_help(struct smtp_visit *visit)
{
	say_plainly(visit, "HELP", smtp_help);
}

void
smtp_talk_noop(struct smtp_visit *visit)
{
	say_plainly(visit, "NOOP", say_noop);
}

void
smtp_talk_rset(struct smtp_visit *visit)
{
	say_plainly(visit, "RSET", say_rset);
}

/* ---- ETRN ---- */

void
smtp_talk_etrn(struct smtp_visit *visit)
{
	if (!smtp_visit_connect(visit) || !smtp_visit_greet(visit))
		return;
	if (!visit->words->force && !smtp_has_extn(visit->session, "etrn"))
		smtp_report_fault(&visit->report, EX_UNAVAILABLE,
		    "the server does not offer ETRN; --force asks all the "
		    "same");
	else
		say_each(visit, "ETRN", smtp_etrn);
}
