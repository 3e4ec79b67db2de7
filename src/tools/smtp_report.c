#include "tools/smtp_report.h"

#include "base/clock.h"
#include "message/printable.h"
#include "tools/smtp_exit.h"
#include "tools/tool.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define REPORT_MAX ((size_t)256 * 1024 * 1024)
/* Of one character as it is shown. */
#define CHARACTER_MAX ((size_t)8)

void
smtp_report_init(struct smtp_report *report, const char *name, const char *verb,
    const char *host, bool json)
{
	*report = (struct smtp_report){
	    .name = name, .host = host, .json = json, .code = EX_OK};
	buffer_init(&report->buffer, REPORT_MAX);
	json_writer_init(&report->writer, &report->buffer);
	json_writer_object(&report->writer, NULL);
	json_writer_text(&report->writer, "command", verb);
	json_writer_text(&report->writer, "host", host);
}

void
smtp_report_clear(struct smtp_report *report)
{
	buffer_clear(&report->buffer);
}

void
smtp_report_code(struct smtp_report *report, int code)
{
	report->code = smtp_exit_worse(report->code, code);
}

/* ---- text ---- */

void
smtp_report_shown(struct buffer *buffer, struct bytes line)
{
	while (line.len > 0) {
		const size_t len = bytes_utf8_len(line);

		/* printable_append() would join and trim blanks: columns. */
		if (len > 1)
			printable_append(buffer, bytes_first(line, len),
			    CHARACTER_MAX, true);
		else if (line.data[0] == ' ' || line.data[0] == '\t')
			buffer_append_char(buffer, ' ');
		else if (len == 1 && !bytes_has_control(bytes_first(line, 1)))
			buffer_append_char(buffer, line.data[0]);
		else
			buffer_append_char(buffer, '?');
		line = bytes_from(line, len > 0 ? len : 1);
	}
}

void
smtp_report_lines(struct buffer *buffer, int code, struct bytes text)
{
	bool is_last = false;

	while (!is_last) {
		const struct bytes line = bytes_cut(&text, '\n');

		is_last = text.len == 0;
		buffer_printf(buffer, "%03d%c", code, is_last ? ' ' : '-');
		smtp_report_shown(buffer, line);
		buffer_append_char(buffer, '\n');
	}
}

static struct bytes
last_text(const smtp *session)
{
	size_t len = 0;
	const char *text = smtp_last_text(session, &len);

	return bytes_make(text, len);
}

/* "HOST: not offered: why; what to do" */
static void
print_error(const struct smtp_report *report, const smtp *session, int err)
{
	const struct smtp_failure failure = smtp_exit_failure(session, err);
	const char *advice = smtp_exit_advice(&failure);
	struct buffer line;

	buffer_init(&line, REPORT_MAX);
	buffer_printf(&line, "%s: ", report->name);
	smtp_report_shown(&line, bytes_of(report->host));
	buffer_append_text(&line, ": ");
	if (failure.code > 0 || smtp_last_errmsg(session)[0] == '\0')
		buffer_printf(&line, "%s%s", smtp_strerror(err),
		    smtp_last_errmsg(session)[0] != '\0' ? ": " : "");
	smtp_report_shown(&line, bytes_of(smtp_last_errmsg(session)));
	buffer_printf(&line, "%s%s\n", advice[0] != '\0' ? "; " : "", advice);
	(void)fprintf(stderr, "%.*s", BYTES_ARGS(buffer_bytes(&line)));
	buffer_clear(&line);
}

/* ---- JSON ---- */

struct json_writer *
smtp_report_element(struct smtp_report *report, const char *array)
{
	if (report->array != NULL && strcmp(report->array, array) != 0) {
		json_writer_end(&report->writer);
		report->array = NULL;
	}
	if (report->array == NULL)
		json_writer_array(&report->writer, array);
	report->array = array;
	json_writer_object(&report->writer, NULL);
	return &report->writer;
}

static void
close_array(struct smtp_report *report)
{
	if (report->array != NULL)
		json_writer_end(&report->writer);
	report->array = NULL;
}

/* Into the object that is open. */
static void
write_reply(struct json_writer *writer, const smtp *session)
{
	if (smtp_last_code(session) > 0) {
		json_writer_number(writer, "code", smtp_last_code(session));
		json_writer_text(writer, "enhanced", smtp_last_enh(session));
		json_writer_bytes(writer, "text", last_text(session));
	} else {
		json_writer_null(writer, "code");
		json_writer_text(writer, "enhanced", "");
		json_writer_text(writer, "text", "");
	}
	json_writer_text(
	    writer, "class", smtp_exit_class_word(smtp_last_class(session)));
	json_writer_text(
	    writer, "stage", smtp_exit_stage_word(smtp_last_stage(session)));
}

void
smtp_report_write_error(
    struct smtp_report *report, const smtp *session, int err)
{
	struct json_writer *writer = &report->writer;

	if (err == SMTP_OK) {
		json_writer_null(writer, "error");
		return;
	}
	const struct smtp_failure failure = smtp_exit_failure(session, err);
	json_writer_object(writer, "error");
	json_writer_text(writer, "kind", smtp_exit_error_word(err));
	write_reply(writer, session);
	json_writer_text(writer, "message",
	    smtp_last_errmsg(session)[0] != '\0' ? smtp_last_errmsg(session)
						 : smtp_strerror(err));
	json_writer_text(writer, "advice", smtp_exit_advice(&failure));
	json_writer_end(writer);
}

/* ---- as it goes ---- */

void
smtp_report_reply(
    struct smtp_report *report, const smtp *session, const char *command)
{
	struct buffer lines;

	smtp_report_code(report, smtp_exit_of_reply(smtp_last_code(session)));
	if (report->json) {
		struct json_writer *writer =
		    smtp_report_element(report, "replies");
		json_writer_text(writer, "command", command);
		write_reply(writer, session);
		json_writer_end(writer);
		return;
	}
	buffer_init(&lines, REPORT_MAX);
	smtp_report_lines(&lines, smtp_last_code(session), last_text(session));
	smtp_report_code(report, tool_print(&lines));
	buffer_clear(&lines);
}

/* The first one counts; in an object that is open there is no place for it. */
static bool
begins_error(struct smtp_report *report)
{
	const bool is_first = !report->has_error;

	if (is_first)
		close_array(report);
	report->has_error = true;
	return is_first;
}

void
smtp_report_error(struct smtp_report *report, const smtp *session, int err)
{
	const struct smtp_failure failure = smtp_exit_failure(session, err);

	smtp_report_code(report, smtp_exit_of(&failure));
	if (!report->json) {
		print_error(report, session, err);
		return;
	}
	if (begins_error(report))
		smtp_report_write_error(report, session, err);
}

void
smtp_report_fault(struct smtp_report *report, int code, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args); /* may be cut */
	va_end(args);
	smtp_report_code(report, code);
	if (!report->json) {
		(void)fprintf(stderr, "%s: %s\n", report->name, text);
		return;
	}
	if (!begins_error(report))
		return;
	json_writer_object(&report->writer, "error");
	json_writer_text(&report->writer, "kind", "fault");
	json_writer_text(&report->writer, "message", text);
	json_writer_end(&report->writer);
}

static void
write_tls(struct json_writer *writer, smtp *session)
{
	smtp_tls_facts facts;

	if (smtp_tls_info(session, &facts) != SMTP_OK) {
		json_writer_null(writer, "tls");
		return;
	}
	json_writer_object(writer, "tls");
	json_writer_text(writer, "version", facts.version);
	json_writer_text(writer, "cipher", facts.cipher);
	json_writer_text(writer, "subject", facts.subject);
	json_writer_text(writer, "issuer", facts.issuer);
	json_writer_text(writer, "names", facts.names);
	json_writer_time(writer, "not_before", facts.not_before * CLOCK_SECOND);
	json_writer_time(writer, "not_after", facts.not_after * CLOCK_SECOND);
	json_writer_bool(writer, "trusted", facts.trusted != 0);
	json_writer_text(writer, "problem", facts.problem);
	json_writer_end(writer);
}

void
smtp_report_session(struct smtp_report *report, smtp *session)
{
	struct json_writer *writer = &report->writer;
	const char *name = NULL;

	close_array(report);
	json_writer_object(writer, "session");
	json_writer_bool(writer, "esmtp", smtp_does_esmtp(session) != 0);
	json_writer_text(writer, "ehlo", smtp_ehlo_resp(session));
	json_writer_text(writer, "helo", smtp_helo_resp(session));
	json_writer_object(writer, "extensions");
	for (size_t i = 0; (name = smtp_extn_at(session, i)) != NULL; i++)
		json_writer_text(writer, name, smtp_extn(session, name));
	json_writer_end(writer);
	write_tls(writer, session);
	json_writer_end(writer);
}

int
smtp_report_finish(struct smtp_report *report)
{
	if (!report->json)
		return report->code;
	close_array(report);
	json_writer_number(&report->writer, "exit", report->code);
	json_writer_end_line(&report->writer);
	const int printed = tool_print(&report->buffer);
	return printed != EX_OK ? printed : report->code;
}
