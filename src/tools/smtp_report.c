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
/* Of a fault's text. */
#define FAULT_MAX ((size_t)4096)
/* Of one character as it is shown. */
#define CHARACTER_MAX ((size_t)8)

static void
part_init(struct smtp_report_part *part)
{
	buffer_init(&part->buffer, REPORT_MAX);
	json_writer_init(&part->writer, &part->buffer);
}

void
smtp_report_init(struct smtp_report *report, const char *name, const char *verb,
    const char *host, bool json)
{
	*report = (struct smtp_report){
	    .name = name, .host = host, .json = json, .code = EX_OK};
	part_init(&report->all);
	json_writer_object(&report->all.writer, NULL);
	json_writer_text(&report->all.writer, "command", verb);
	json_writer_text(&report->all.writer, "host", host);
	for (size_t i = 0; i < SMTP_REPORT_ARRAYS; i++) {
		part_init(&report->arrays[i]);
		json_writer_array(&report->arrays[i].writer, NULL);
	}
}

void
smtp_report_clear(struct smtp_report *report)
{
	buffer_clear(&report->all.buffer);
	for (size_t i = 0; i < SMTP_REPORT_ARRAYS; i++)
		buffer_clear(&report->arrays[i].buffer);
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
smtp_report_element(struct smtp_report *report, enum smtp_report_array array)
{
	struct json_writer *writer = &report->arrays[array].writer;

	json_writer_object(writer, NULL);
	return writer;
}

/* The first error of all stands outermost, too. */
static bool
takes_error(struct smtp_report *report)
{
	const bool is_first = !report->has_error;

	report->has_error = true;
	return is_first;
}

static void
write_no_reply(struct json_writer *writer)
{
	json_writer_null(writer, "code");
	json_writer_text(writer, "enhanced", "");
	json_writer_text(writer, "text", "");
}

static void
write_where(struct json_writer *writer, smtp_class class, smtp_stage stage)
{
	json_writer_text(writer, "class", smtp_exit_class_word(class));
	json_writer_text(writer, "stage", smtp_exit_stage_word(stage));
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
		write_no_reply(writer);
	}
	write_where(writer, smtp_last_class(session), smtp_last_stage(session));
}

static void
write_failure(struct json_writer *writer, const smtp *session, int err)
{
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

void
smtp_report_write_error(struct smtp_report *report, struct json_writer *writer,
    const smtp *session, int err)
{
	if (err == SMTP_OK) {
		json_writer_null(writer, "error");
		return;
	}
	write_failure(writer, session, err);
	if (takes_error(report))
		write_failure(&report->all.writer, session, err);
}

static void
write_fault(struct json_writer *writer, const char *text)
{
	json_writer_object(writer, "error");
	json_writer_text(writer, "kind", "fault");
	json_writer_text(writer, "message", text);
	json_writer_end(writer);
}

/* ---- as it goes ---- */

static void
print_reply(struct smtp_report *report, const smtp *session)
{
	struct buffer lines;

	buffer_init(&lines, REPORT_MAX);
	smtp_report_lines(&lines, smtp_last_code(session), last_text(session));
	smtp_report_code(report, tool_print(&lines));
	buffer_clear(&lines);
}

static void
report_code_of(struct smtp_report *report, const smtp *session, int err)
{
	const struct smtp_failure failure = smtp_exit_failure(session, err);

	smtp_report_code(report,
	    err == SMTP_OK ? smtp_exit_of_reply(smtp_last_code(session))
			   : smtp_exit_of(&failure));
}

void
smtp_report_reply(struct smtp_report *report, const smtp *session,
    const char *command, int err)
{
	report_code_of(report, session, err);
	if (report->json) {
		struct json_writer *writer =
		    smtp_report_element(report, SMTP_REPORT_REPLIES);
		json_writer_text(writer, "command", command);
		write_reply(writer, session);
		if (err != SMTP_OK)
			smtp_report_write_error(report, writer, session, err);
		json_writer_end(writer);
	} else if (err == SMTP_OK) {
		print_reply(report, session);
	} else {
		print_error(report, session, err);
	}
}

void
smtp_report_error(struct smtp_report *report, const smtp *session, int err)
{
	report_code_of(report, session, err);
	if (!report->json)
		print_error(report, session, err);
	else if (takes_error(report))
		write_failure(&report->all.writer, session, err);
}

static void
print_fault(const struct smtp_report *report, const char *text)
{
	struct buffer line;

	buffer_init(&line, REPORT_MAX);
	smtp_report_shown(&line, bytes_of(text));
	(void)fprintf(stderr, "%s: %.*s\n", report->name,
	    BYTES_ARGS(buffer_bytes(&line)));
	buffer_clear(&line);
}

static void __attribute__((format(printf, 4, 0)))
tell_fault(struct smtp_report *report, struct json_writer *writer, int code,
    const char *format, va_list args)
{
	char text[FAULT_MAX];

	(void)vsnprintf(text, sizeof(text), format, args); /* may be cut */
	smtp_report_code(report, code);
	if (!report->json) {
		print_fault(report, text);
		return;
	}
	if (writer != NULL)
		write_fault(writer, text);
	if (takes_error(report))
		write_fault(&report->all.writer, text);
}

void
smtp_report_unsaid(struct smtp_report *report, const char *command, int code,
    const char *format, ...)
{
	struct json_writer *writer = NULL;
	va_list args;

	if (report->json) {
		writer = smtp_report_element(report, SMTP_REPORT_REPLIES);
		json_writer_text(writer, "command", command);
		write_no_reply(writer);
		write_where(writer, SMTP_C_PERM, SMTP_S_CMD);
	}
	va_start(args, format);
	tell_fault(report, writer, code, format, args);
	va_end(args);
	if (writer != NULL)
		json_writer_end(writer);
}

void
smtp_report_fault(struct smtp_report *report, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell_fault(report, NULL, code, format, args);
	va_end(args);
}

void
smtp_report_fault_of(struct smtp_report *report, struct json_writer *writer,
    int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell_fault(report, writer, code, format, args);
	va_end(args);
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
	struct json_writer *writer = &report->all.writer;
	const char *name = NULL;

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

/* Behind what stands in the outermost object already: command and host. */
static void
append_array(struct smtp_report *report, enum smtp_report_array array)
{
	static const char *const names[] = {
	    [SMTP_REPORT_LETTERS] = "letters",
	    [SMTP_REPORT_REPLIES] = "replies",
	};
	struct smtp_report_part *part = &report->arrays[array];

	if (!part->writer.comma)
		return; /* it has no element */
	json_writer_end(&part->writer);
	buffer_printf(&report->all.buffer, ",\"%s\":", names[array]);
	buffer_append(&report->all.buffer, buffer_bytes(&part->buffer));
}

int
smtp_report_finish(struct smtp_report *report)
{
	if (!report->json)
		return report->code;
	append_array(report, SMTP_REPORT_LETTERS);
	append_array(report, SMTP_REPORT_REPLIES);
	json_writer_number(&report->all.writer, "exit", report->code);
	json_writer_end_line(&report->all.writer);
	const int printed = tool_print(&report->all.buffer);
	return printed != EX_OK ? printed : report->code;
}
