#include "tools/smtp_delivery.h"

#include "tools/smtp_exit.h"

#include <stdarg.h>
#include <stdio.h>
#include <sysexits.h>

#define TEXT_MAX ((size_t)256 * 1024)
/* Of a fault's text. */
#define FAULT_MAX ((size_t)4096)

/* ---- what became of it ---- */

static bool
is_accepted(const smtp_result *result)
{
	return result->cls == SMTP_C_OK && result->stage == SMTP_S_DOT;
}

static size_t
count_accepted(const smtp *session)
{
	size_t count = 0;

	for (size_t i = 0; i < smtp_nresults(session); i++)
		count += is_accepted(smtp_result_at(session, i));
	return count;
}

static void
write_result(struct json_writer *writer, const smtp_result *result)
{
	json_writer_object(writer, NULL);
	json_writer_text(writer, "addr", result->addr);
	if (result->code > 0)
		json_writer_number(writer, "code", result->code);
	else
		json_writer_null(writer, "code");
	json_writer_text(writer, "enhanced", result->enh);
	json_writer_text(writer, "text", result->text);
	json_writer_text(writer, "class", smtp_exit_class_word(result->cls));
	json_writer_text(writer, "stage", smtp_exit_stage_word(result->stage));
	json_writer_end(writer);
}

static void
write_letter(struct smtp_visit *visit, const struct smtp_delivery *delivery,
    uint64_t size, int err)
{
	struct json_writer *writer =
	    smtp_report_element(&visit->report, SMTP_REPORT_LETTERS);

	json_writer_text(writer, "letter", delivery->name);
	json_writer_text(writer, "from", delivery->from);
	json_writer_number(writer, "size", (int64_t)size);
	json_writer_bool(writer, "accepted", err == SMTP_OK);
	json_writer_array(writer, "recipients");
	for (size_t i = 0; i < smtp_nresults(visit->session); i++)
		write_result(writer, smtp_result_at(visit->session, i));
	json_writer_end(writer);
	smtp_report_write_error(&visit->report, writer, visit->session, err);
	json_writer_end(writer);
}

/* A file's, or out of a header: who knows what it holds. */
static void
append_name(struct buffer *line, const char *name)
{
	smtp_report_shown(line, bytes_of(name));
	buffer_append_text(line, ": ");
}

/* "a.eml: 250 2.0.0 ok", with the recipient where each has its own. */
static void
print_accepted(const struct smtp_delivery *delivery, bool is_named,
    const smtp_result *result, struct buffer *lines)
{
	struct buffer reply;

	buffer_init(&reply, TEXT_MAX);
	smtp_report_lines(&reply, result->code, bytes_of(result->text));
	for (struct bytes rest = buffer_bytes(&reply); rest.len > 0;) {
		if (delivery->is_one_of_several)
			append_name(lines, delivery->name);
		if (is_named)
			append_name(lines, result->addr);
		buffer_append(lines, bytes_cut(&rest, '\n'));
		buffer_append_char(lines, '\n');
	}
	buffer_clear(&reply);
}

static void
print_refused(const struct smtp_visit *visit,
    const struct smtp_delivery *delivery, const smtp_result *result)
{
	const struct smtp_failure failure = {
	    SMTP_E_RECIPIENTS, result->stage, result->code};
	const char *advice = smtp_exit_advice(&failure);
	struct buffer line;

	buffer_init(&line, TEXT_MAX);
	buffer_printf(&line, "%s: ", visit->report.name);
	if (delivery->is_one_of_several)
		append_name(&line, delivery->name);
	append_name(&line, result->addr);
	buffer_append_text(&line, "refused: ");
	if (result->code > 0)
		buffer_printf(&line, "%03d ", result->code);
	smtp_report_shown(&line, bytes_of(result->text));
	(void)fprintf(stderr, "%.*s%s%s\n", BYTES_ARGS(buffer_bytes(&line)),
	    advice[0] != '\0' ? "; " : "", advice);
	buffer_clear(&line);
}

static void
print_letter(struct smtp_visit *visit, const struct smtp_delivery *delivery)
{
	const smtp *session = visit->session;
	const bool is_named = visit->words->lmtp && smtp_nresults(session) > 1;
	bool is_told = false;
	struct buffer lines;

	buffer_init(&lines, TEXT_MAX);
	for (size_t i = 0; i < smtp_nresults(session); i++) {
		const smtp_result *result = smtp_result_at(session, i);
		if (is_accepted(result) && (is_named || !is_told)) {
			print_accepted(delivery, is_named, result, &lines);
			is_told = true;
		}
	}
	smtp_report_code(&visit->report, tool_print(&lines));
	buffer_clear(&lines);
	for (size_t i = 0; i < smtp_nresults(session); i++)
		if (!is_accepted(smtp_result_at(session, i)))
			print_refused(
			    visit, delivery, smtp_result_at(session, i));
}

static void
tell(struct smtp_visit *visit, const struct smtp_delivery *delivery,
    uint64_t size, int err)
{
	const struct smtp_failure failure =
	    smtp_exit_failure(visit->session, err);
	const size_t accepted = count_accepted(visit->session);

	if (visit->report.json)
		write_letter(visit, delivery, size, err);
	if (err == SMTP_OK && accepted < smtp_nresults(visit->session))
		smtp_report_code(&visit->report, SMTP_EXIT_SOME);
	else
		smtp_report_code(&visit->report, smtp_exit_of(&failure));
	if (visit->report.json)
		return;
	if (err == SMTP_OK || (err == SMTP_E_RECIPIENTS && failure.code > 0))
		print_letter(visit, delivery);
	else
		smtp_report_error(&visit->report, visit->session, err);
}

/* ---- sending ---- */

static bool
is_ascii(const struct smtp_delivery *delivery)
{
	if (!bytes_is_ascii(bytes_of(delivery->from)))
		return false;
	for (const char *const *to = delivery->to; to != NULL && *to != NULL;
	     to++)
		if (!bytes_is_ascii(bytes_of(*to)))
			return false;
	return !delivery->is_international;
}

/* What this letter needs beside what was asked for. */
static void
add_options(const struct smtp_visit *visit,
    const struct smtp_delivery *delivery, uint64_t len,
    struct smtp_list *options)
{
	const bool is_old = visit->words->compat == SMTP_COMPAT_SMTPLIB2;
	char text[32];

	/* smtplib of Python 2: the size before line ends become CRLF. */
	if (is_old && smtp_has_extn(visit->session, "size")) {
		(void)snprintf(
		    text, sizeof(text), "size=%llu", (unsigned long long)len);
		smtp_list_add(options, bytes_of(text));
	}
	for (size_t i = 0; i < visit->wishes.mail.count; i++)
		smtp_list_add(options, bytes_of(visit->wishes.mail.items[i]));
	if (!is_old && !is_ascii(delivery) &&
	    smtp_has_extn(visit->session, "smtputf8"))
		smtp_list_add(options, BYTES("SMTPUTF8"));
}

/* Its line ends go out as they are: SIZE is what it has. */
static bool
goes_as_it_is(const struct smtp_visit *visit, const struct smtp_list *options)
{
	for (size_t i = 0; i < options->count; i++)
		if (bytes_is_nocase(
			bytes_of(options->items[i]), "BODY=BINARYMIME"))
			return true;
	return visit->words->raw;
}

static int
feed(struct smtp_visit *visit, const struct smtp_delivery *delivery,
    const struct smtp_letter_facts *facts, const struct smtp_list *options)
{
	const bool is_old = visit->words->compat == SMTP_COMPAT_SMTPLIB2;
	struct smtp_letter_feed source;

	smtp_letter_feed_begin(&source, delivery->letter);
	const int err = smtp_sendmail_fn(visit->session, delivery->from,
	    delivery->to, smtp_letter_feed_fn, &source,
	    goes_as_it_is(visit, options) ? facts->len : facts->wire_len,
	    SMTP_SEND_REWIND |
		(facts->is_8bit && !is_old ? SMTP_SEND_8BIT : 0) |
		(facts->has_long_line ? SMTP_SEND_LONG : 0) |
		(visit->words->raw ? SMTP_SEND_RAW : 0),
	    smtp_list_get(options), smtp_list_get(&visit->wishes.rcpt));
	smtp_letter_feed_end(&source);
	return err;
}

static int
send_letter(struct smtp_visit *visit, const struct smtp_delivery *delivery,
    const struct smtp_letter_facts *facts)
{
	const bool is_old = visit->words->compat == SMTP_COMPAT_SMTPLIB2;
	const struct bytes content = delivery->letter->head;
	struct smtp_list options = {0};
	int err = SMTP_OK;

	add_options(visit, delivery, facts->len, &options);
	/* Only what is fed can go undeclared. */
	if (is_old || facts->len > content.len)
		err = feed(visit, delivery, facts, &options);
	else
		err = smtp_sendmail(visit->session, delivery->from,
		    delivery->to, content.data, content.len, !visit->words->raw,
		    smtp_list_get(&options),
		    smtp_list_get(&visit->wishes.rcpt));
	smtp_list_clear(&options);
	return err;
}

void
smtp_delivery_send(
    struct smtp_visit *visit, const struct smtp_delivery *delivery)
{
	struct smtp_letter_facts facts;
	struct error error;

	if (smtp_letter_survey(delivery->letter, &facts, &error))
		tell(visit, delivery, facts.wire_len,
		    send_letter(visit, delivery, &facts));
	else
		smtp_delivery_fault(visit, delivery->name, "%s: %s",
		    delivery->name, error_text(&error));
}

void
smtp_delivery_fault(
    struct smtp_visit *visit, const char *name, const char *format, ...)
{
	struct smtp_report *report = &visit->report;
	struct json_writer *writer = NULL;
	char text[FAULT_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args); /* may be cut */
	va_end(args);
	if (report->json) {
		writer = smtp_report_element(report, SMTP_REPORT_LETTERS);
		json_writer_text(writer, "letter", name);
		json_writer_null(writer, "from");
		json_writer_null(writer, "size");
		json_writer_bool(writer, "accepted", false);
		json_writer_array(writer, "recipients");
		json_writer_end(writer);
	}
	smtp_report_fault_of(report, writer, EX_USAGE, "%s", text);
	if (writer != NULL)
		json_writer_end(writer);
}
