/*
 * What postrider smtp tells: text on stdout and stderr as it goes, or with
 * --json one object on stdout at the end, and the exit code.
 *
 * In the object each key stands once.  An error stands in the letter or reply
 * that it is about, and the first one of all in the outermost "error".
 */
#pragma once

#include "base/buffer.h"
#include "control/json_writer.h"
#include "lib/postrider/smtp.h"

#include <stdbool.h>

enum smtp_report_array {
	SMTP_REPORT_LETTERS,
	SMTP_REPORT_REPLIES,
	SMTP_REPORT_ARRAYS
};

/* Arrays grow side by side, whatever is told between their elements. */
struct smtp_report_part {
	struct buffer buffer;
	struct json_writer writer;
};

struct smtp_report {
	const char *name; /* "postrider smtp send", borrowed */
	const char *host; /* borrowed */
	bool json;
	bool has_error;              /* the outermost one was written */
	int code;                    /* with which to end */
	struct smtp_report_part all; /* the JSON, but for the arrays */
	struct smtp_report_part arrays[SMTP_REPORT_ARRAYS];
};

void smtp_report_init(struct smtp_report *report, const char *name,
    const char *verb, const char *host, bool json);
void smtp_report_clear(struct smtp_report *report);
/* code is what to end with, unless something worse was told. */
void smtp_report_code(struct smtp_report *report, int code);
/* Open an object in that array; the caller ends it. */
struct json_writer *smtp_report_element(
    struct smtp_report *report, enum smtp_report_array array);

/*
 * What came of command, and the exit code: err is what its call returned; where
 * that is SMTP_OK the last reply is told, else why, and what to do.
 */
void smtp_report_reply(struct smtp_report *report, const smtp *session,
    const char *command, int err);
/* A command that was not said, by a fault as of smtp_report_fault(). */
void smtp_report_unsaid(struct smtp_report *report, const char *command,
    int code, const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The last call failed with err: why, what to do, and the exit code. */
void smtp_report_error(
    struct smtp_report *report, const smtp *session, int err);
/* A fault of ours or of the command line; code is the exit code. */
void smtp_report_fault(struct smtp_report *report, int code, const char *format,
    ...) __attribute__((format(printf, 3, 4)));
/* The same, of what writer has an object open for; NULL where that is text. */
void smtp_report_fault_of(struct smtp_report *report,
    struct json_writer *writer, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Into the object that writer has open: "error": {...}, or null. */
void smtp_report_write_error(struct smtp_report *report,
    struct json_writer *writer, const smtp *session, int err);
/* What EHLO and TLS said. */
void smtp_report_session(struct smtp_report *report, smtp *session);
/* Print the JSON; the exit code. */
int smtp_report_finish(struct smtp_report *report);

/* One line of a peer's text, as a terminal may see it. */
void smtp_report_shown(struct buffer *buffer, struct bytes line);
/* The lines of a reply, each with its code and its end: "250-a", "250 b". */
void smtp_report_lines(struct buffer *buffer, int code, struct bytes text);
