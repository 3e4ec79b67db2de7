/*
 * One line and one write for each event.
 *
 * A line begins with the queue id where there is one, then says what happened,
 * then facts as key=value.  Text from a peer goes through log_quote().  Only
 * the top floors log (intake, delivery, daemon, tools); all else returns.
 *
 * The sink is the one global of the program; it is set once, before threads.
 * Logging is safe from any thread.
 */
#pragma once

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"

#include <stdbool.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

enum log_sink {
	LOG_SINK_STDERR,  /* "postriderd: warning: text", info without level;
			   * where systemd reads, "<4>text" */
	LOG_SINK_JOURNAL, /* journald's own socket, with fields; what it cannot
			   * take goes to stderr */
	LOG_SINK_SYSLOG,
	LOG_SINK_JSON,   /* one object a line on stdout, for containers */
	LOG_SINK_CAPTURE /* tests: "warning: text\n" to the buffer given */
};

/*
 * name is borrowed for ever ("postriderd"); capture, only for LOG_SINK_CAPTURE,
 * until the next log_open().  Before it, info and above go to stderr.
 */
void log_open(enum log_sink sink, enum log_level level, const char *name,
    struct buffer *capture);
/* What log.to = "auto" means here: the journal under systemd, else stderr. */
enum log_sink log_sink_auto(void);
bool log_is_on(enum log_level level);
/* For tests: where journald listens, instead of its usual place. */
void log_set_journal_path(const char *path);

/*
 * An event, printf-like, without '\n'; errno stays as it is.  What would break
 * the line or a terminal (controls, octets that are not UTF-8) is written as
 * \n, \t or \xNN.  Cut with "..." at 3840 octets, so that a line fits in one
 * write to a pipe.
 */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Append text in double quotes with quotes, backslashes, control and
 * non-ASCII octets escaped (\" \\ \n \xNN).  Of more than 1 KiB only that is
 * shown, with "..." after the closing quote.
 */
void log_quote(struct buffer *buffer, struct bytes text);
