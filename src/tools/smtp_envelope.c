#include "tools/smtp_envelope.h"

#include "base/memory.h"
#include "tools/smtp_exit.h"

#include <stdlib.h>

/* Tell what came of "VERB:<address>"; was it accepted? */
static bool
tell(struct smtp_visit *visit, int err, const char *verb, const char *address)
{
	char *command = memory_format("%s:<%s>", verb, address);

	smtp_report_reply(&visit->report, visit->session, command, err);
	free(command);
	return err == SMTP_OK && smtp_last_code(visit->session) / 100 == 2;
}

static void
say_recipients(struct smtp_visit *visit, const char *const *to)
{
	const int before = visit->report.code;
	bool are_said = true;
	size_t accepted = 0;
	size_t count = 0;

	for (; to[count] != NULL && smtp_connected(visit->session); count++) {
		const int err = smtp_rcpt(visit->session, to[count],
		    smtp_list_get(&visit->wishes.rcpt));
		accepted += tell(visit, err, "RCPT TO", to[count]);
		are_said = are_said && err == SMTP_OK;
	}
	if (accepted > 0 && accepted < count && are_said)
		visit->report.code = smtp_exit_worse(before, SMTP_EXIT_SOME);
}

static void
say_data(struct smtp_visit *visit)
{
	const int err = smtp_docmd(visit->session, "data", NULL);

	smtp_report_reply(&visit->report, visit->session, "DATA", err);
	if (err == SMTP_OK && smtp_last_code(visit->session) == 354)
		smtp_close(visit->session);
}

void
smtp_envelope_say(struct smtp_visit *visit, const char *from,
    const char *const *to, enum smtp_stop stop)
{
	const char *const *options = smtp_list_get(&visit->wishes.mail);

	if (!tell(visit, smtp_mail(visit->session, from, options), "MAIL FROM",
		from) ||
	    stop < SMTP_STOP_RCPT)
		return;
	say_recipients(visit, to);
	if (stop == SMTP_STOP_DATA && smtp_connected(visit->session))
		say_data(visit);
}
