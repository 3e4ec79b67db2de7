/*
 * What postrider smtp tells: text on stdout and stderr as it goes, or with
 * --json one object on stdout at the end, and the exit code.
 */
#pragma once

#include "base/buffer.h"
#include "control/json_writer.h"
#include "lib/postrider/smtp.h"

#include <stdbool.h>

struct smtp_report {
	const char *name; /* "postrider smtp send", borrowed */
	const char *host; /* borrowed */
	bool json;
	bool has_error;       /* it was written */
	int code;             /* with which to end */
	const char *array;    /* the one that is open, or NULL */
	struct buffer buffer; /* the JSON */
	struct json_writer writer;
};

void smtp_report_init(struct smtp_report *report, const char *name,
    const char *verb, const char *host, bool json);
void smtp_report_clear(struct smtp_report *report);
/* code is what to end with, unless something worse was told. */
void smtp_report_code(struct smtp_report *report, int code);
/* Open an object in the array of that name, which is opened where it is not. */
struct json_writer *smtp_report_element(
    struct smtp_report *report, const char *array);

/* The last reply, to command. */
void smtp_report_reply(
    struct smtp_report *report, const smtp *session, const char *command);
/* The last call failed with err: why, what to do, and the exit code. */
void smtp_report_error(
    struct smtp_report *report, const smtp *session, int err);
/* A fault of ours or of the command line; code is the exit code. */
void smtp_report_fault(struct smtp_report *report, int code, const char *format,
    ...) __attribute__((format(printf, 3, 4)));
/* Into the open object, or the outermost: "error": {...}, or null. */
void smtp_report_write_error(
    struct smtp_report *report, const smtp *session, int err);
/* What EHLO and TLS said. */
void smtp_report_session(struct smtp_report *report, smtp *session);
/* Print the JSON; the exit code. */
int smtp_report_finish(struct smtp_report *report);

/* One line of a peer's text, as a terminal may see it. */
void smtp_report_shown(struct buffer *buffer, struct bytes line);
/* The lines of a reply, each with its code and its end: "250-a", "250 b". */
void smtp_report_lines(struct buffer *buffer, int code, struct bytes text);
