#include "tools/smtp_fetch.h"

#include "base/clock.h"
#include "base/memory.h"
#include "config/config.h"
#include "delivery/maildir.h"
#include "tools/smtp_exit.h"
#include "tools/smtp_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

/* Octets of a letter. */
#define LETTER_MAX ((size_t)1 << 30)
#define TEXT_MAX   ((size_t)64 * 1024)

struct fetch {
	struct smtp_visit *visit;
	struct buffer content; /* of the letter that comes */
	char *from;
	size_t recipients;

	smtp *relay; /* or */
	struct message *message;
	struct maildir_stamp stamp;
	char *hostname; /* of stamp */
};

/* ---- what both do ---- */

static void
begin_letter(struct fetch *fetch, const char *from)
{
	free(fetch->from);
	fetch->from = memory_copy_text(from);
	fetch->recipients = 0;
	buffer_empty(&fetch->content);
}

static int
take_content(void *arg, const void *data, size_t n)
{
	struct fetch *fetch = arg;

	buffer_append(&fetch->content, bytes_make(data, n));
	return fetch->content.overflowed;
}

static void
print_letter(struct fetch *fetch, int code)
{
	struct buffer line;

	buffer_init(&line, TEXT_MAX);
	buffer_printf(&line, "%s: from <", code == 250 ? "taken" : "not taken");
	smtp_report_shown(&line, bytes_of(fetch->from));
	buffer_printf(&line, "> to %zu, %zu octets\n", fetch->recipients,
	    fetch->content.len);
	smtp_report_code(&fetch->visit->report, tool_print(&line));
	buffer_clear(&line);
}

/* Where it comes from and what became of it, for who looks on.  fault: why it
 * was not taken, where that is ours to tell; else NULL. */
static void
tell(struct fetch *fetch, int code, const char *fault)
{
	struct smtp_report *report = &fetch->visit->report;
	struct json_writer *writer = NULL;

	if (report->json) {
		writer = smtp_report_element(report, SMTP_REPORT_LETTERS);
		json_writer_text(writer, "from", fetch->from);
		json_writer_number(
		    writer, "recipients", (int64_t)fetch->recipients);
		json_writer_number(writer, "size", (int64_t)fetch->content.len);
		json_writer_number(writer, "code", code);
	} else {
		print_letter(fetch, code);
	}
	if (fault != NULL)
		smtp_report_fault_of(report, writer, EX_TEMPFAIL, "%s", fault);
	/* It waits there still, or has come back to whom it is from. */
	smtp_report_code(report, smtp_exit_of_reply(code));
	if (writer != NULL)
		json_writer_end(writer);
}

/* It came to nothing: by the server's word, or because it is too large. */
static void
drop_letter(struct fetch *fetch)
{
	char fault[64];

	if (!fetch->content.overflowed)
		return;
	(void)snprintf(fault, sizeof(fault), "a letter has over %zu MiB",
	    LETTER_MAX / 1024 / 1024);
	tell(fetch, 451, fault);
}

/* ---- into the relay: our answers are its own ---- */

static const char *
relay_socket(void)
{
	const char *path = getenv("POSTRIDER_SOCKET");

	return path != NULL && path[0] != '\0' ? path : CONFIG_SMTP_SOCKET;
}

/* Whatever goes wrong there passes. */
static int
code_of(const struct fetch *fetch, int err)
{
	return err == SMTP_OK ? smtp_last_code(fetch->relay) : 451;
}

/* "SIZE=9 SMTPUTF8", word by word. */
static struct smtp_list
options_of(const char *params)
{
	struct bytes rest = bytes_of(params);
	struct smtp_list options = {0};

	while (rest.len > 0)
		smtp_list_add(&options, bytes_cut(&rest, ' '));
	return options;
}

static int
relay_mail(void *arg, const char *from, const char *params)
{
	struct fetch *fetch = arg;
	struct smtp_list options = options_of(params);

	begin_letter(fetch, from);
	const int code = code_of(
	    fetch, smtp_mail(fetch->relay, from, smtp_list_get(&options)));
	smtp_list_clear(&options);
	return code;
}

static int
relay_rcpt(void *arg, const char *to, const char *params)
{
	struct fetch *fetch = arg;
	struct smtp_list options = options_of(params);
	const int code = code_of(
	    fetch, smtp_rcpt(fetch->relay, to, smtp_list_get(&options)));

	smtp_list_clear(&options);
	fetch->recipients += code / 100 == 2;
	return code;
}

static int
relay_end(void *arg)
{
	struct fetch *fetch = arg;
	const int err = smtp_data(fetch->relay,
	    buffer_bytes(&fetch->content).data, fetch->content.len, 1);
	const int code = code_of(fetch, err);
	char *fault = err == SMTP_OK
	    ? NULL
	    : memory_format("the relay at %s: %s", relay_socket(),
		  smtp_last_errmsg(fetch->relay));

	tell(fetch, code, fault);
	free(fault);
	/* Refused before its content, it would stand in the next one's way. */
	if (code / 100 != 2)
		(void)smtp_rset(fetch->relay);
	return code;
}

static void
relay_reset(void *arg)
{
	struct fetch *fetch = arg;

	drop_letter(fetch);
	/* Where that fails the next MAIL does. */
	(void)smtp_rset(fetch->relay);
}

/* Before anything is fetched: who could not keep it does not ask for it. */
static bool
open_relay(struct fetch *fetch)
{
	const smtp_options options = {
	    .size = sizeof(options),
	    .local_hostname = fetch->visit->words->helo,
	};

	fetch->relay = smtp_new(&options);
	if (fetch->visit->words->timeout_ms > 0)
		(void)smtp_set_timeout(
		    fetch->relay, fetch->visit->words->timeout_ms);
	int err = smtp_open(fetch->relay, relay_socket(), NULL);
	if (err == SMTP_OK)
		err = smtp_ehlo_or_helo(fetch->relay);
	if (err == SMTP_OK)
		return true;
	smtp_report_fault(&fetch->visit->report, EX_TEMPFAIL,
	    "the relay at %s: %s; is it running? --maildir keeps the mail "
	    "elsewhere",
	    relay_socket(), smtp_last_errmsg(fetch->relay));
	return false;
}

/* ---- into a maildir ---- */

static int
maildir_mail(void *arg, const char *from, const char *params)
{
	struct fetch *fetch = arg;

	(void)params; /* nothing that a maildir knows */
	begin_letter(fetch, from);
	message_free(fetch->message);
	fetch->message = message_new();
	envelope_set_sender(&fetch->message->envelope, bytes_of(from));
	return 250;
}

static int
maildir_rcpt(void *arg, const char *to, const char *params)
{
	struct fetch *fetch = arg;

	(void)params;
	(void)envelope_add_recipient(&fetch->message->envelope, bytes_of(to));
	fetch->recipients++;
	return 250;
}

static bool
deliver(struct fetch *fetch, const size_t *recipients, struct error *error)
{
	struct message *message = fetch->message;
	const int64_t now = clock_now().wall_ms;

	fetch->stamp.wall_ms = now;
	fetch->stamp.count++;
	message->id = (uint64_t)now * 1000 + fetch->stamp.count % 1000;
	message->envelope.arrived_at = now;
	body_set(&message->body, buffer_bytes(&fetch->content));
	return maildir_deliver(fetch->visit->words->maildir, &fetch->stamp,
		   message, recipients, fetch->recipients,
		   error) == MAILDIR_DELIVERED;
}

static int
maildir_end(void *arg)
{
	struct fetch *fetch = arg;
	size_t *recipients =
	    memory_array(fetch->recipients, sizeof(*recipients));
	struct error error;

	for (size_t i = 0; i < fetch->recipients; i++)
		recipients[i] = i;
	const bool ok = deliver(fetch, recipients, &error);
	free(recipients);
	tell(fetch, ok ? 250 : 451, ok ? NULL : error_text(&error));
	return ok ? 250 : 451;
}

static void
maildir_reset(void *arg)
{
	drop_letter(arg);
}

/* ---- fetching ---- */

static const smtp_taker into_relay = {
    .mail = relay_mail,
    .rcpt = relay_rcpt,
    .content = take_content,
    .end = relay_end,
    .reset = relay_reset,
};
static const smtp_taker into_maildir = {
    .mail = maildir_mail,
    .rcpt = maildir_rcpt,
    .content = take_content,
    .end = maildir_end,
    .reset = maildir_reset,
};

static void
fetch_now(struct fetch *fetch)
{
	struct smtp_visit *visit = fetch->visit;
	const struct smtp_words *words = visit->words;
	smtp_taker taker = words->maildir != NULL ? into_maildir : into_relay;

	taker.arg = fetch;
	const int err = smtp_atrn(visit->session,
	    words->argument_count > 0 ? words->arguments[0] : NULL, &taker);
	/* 453: nothing waits for us, which is no failure. */
	if (err != SMTP_E_RESPONSE || smtp_last_code(visit->session) != 453)
		(void)smtp_visit_check(visit, err);
	else if (!visit->report.json)
		(void)fprintf(
		    stderr, "%s: no mail waits there\n", visit->report.name);
}

void
smtp_fetch_run(struct smtp_visit *visit)
{
	struct fetch fetch = {
	    .visit = visit, .hostname = smtp_default_hostname()};

	fetch.stamp.hostname = fetch.hostname;
	buffer_init(&fetch.content, LETTER_MAX);
	smtp_set_default_port(visit->session, SMTP_ODMR_PORT);
	if ((visit->words->maildir != NULL || open_relay(&fetch)) &&
	    smtp_visit_connect(visit) && smtp_visit_greet(visit))
		fetch_now(&fetch);
	if (fetch.relay != NULL && smtp_connected(fetch.relay))
		(void)smtp_quit(fetch.relay);
	smtp_free(fetch.relay);
	message_free(fetch.message);
	smtp_free_str(fetch.hostname);
	buffer_clear(&fetch.content);
	free(fetch.from);
}
