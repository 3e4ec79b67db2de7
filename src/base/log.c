#include "base/log.h"

#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

/*
 * What a message may become, so that the line with all it needs around stays
 * below PIPE_BUF (4096) and lines of several threads never mix in a pipe.
 */
#define MESSAGE_SIZE_MAX ((size_t)3840)
/* A message, escaped once more for JSON, and the other fields. */
#define LINE_SIZE_MAX  (2 * MESSAGE_SIZE_MAX + 512)
#define QUOTE_SIZE_MAX ((size_t)1024)
#define CUT_MARK       "..."

#define JOURNAL_PATH "/run/systemd/journal/socket"

struct level {
	const char *name;
	const char *prefix; /* before the text, where people read */
	int priority;       /* of syslog(3) */
};

static const struct level levels[] = {
    [LOG_LEVEL_ERROR] = {"error", "error: ", LOG_ERR},
    [LOG_LEVEL_WARNING] = {"warning", "warning: ", LOG_WARNING},
    [LOG_LEVEL_INFO] = {"info", "", LOG_INFO},
    [LOG_LEVEL_DEBUG] = {"debug", "debug: ", LOG_DEBUG},
};

static struct {
	enum log_sink sink;
	enum log_level level;
	const char *name;
	struct buffer *capture;
	atomic_flag capture_taken;
	bool systemd_reads; /* what we write to stderr */
	int journal_fd;     /* -1: not open */
	struct sockaddr_un journal_address;
} state = {
    .sink = LOG_SINK_STDERR,
    .level = LOG_LEVEL_INFO,
    .name = "postrider",
    .capture_taken = ATOMIC_FLAG_INIT,
    .journal_fd = -1,
    .journal_address = {.sun_family = AF_UNIX, .sun_path = JOURNAL_PATH},
};

/* \n and the like by letter, all else by number. */
static void
append_escape(struct buffer *line, char c)
{
	static const char letters[] = "\"\"\\\\\nn\rr\tt";

	for (const char *pair = letters; *pair != '\0'; pair += 2) {
		if (pair[0] == c) {
			buffer_printf(line, "\\%c", pair[1]);
			return;
		}
	}
	buffer_printf(line, "\\x%02x", (unsigned int)(unsigned char)c);
}

/*
 * Length of the character text begins with if it can do no harm in a line: it
 * is UTF-8 and no control, neither of ASCII nor U+0080 to U+009F, which some
 * terminals obey as well.
 */
static size_t
harmless_len(struct bytes text)
{
	size_t len = bytes_utf8_len(text);

	if (len == 1 && bytes_has_control(bytes_first(text, 1)))
		return 0;
	if (len == 2 && text.data[0] == '\xc2' && text.data[1] < '\xa0')
		return 0;
	return len;
}

/* One character, or one octet escaped; returns how many octets it took. */
static size_t
append_character(struct buffer *line, struct bytes text)
{
	size_t len = harmless_len(text);

	if (len == 0) {
		append_escape(line, text.data[0]);
		return 1;
	}
	buffer_append(line, bytes_first(text, len));
	return len;
}

/* text on one line: nothing in it can end this line or begin another. */
static void
append_message(struct buffer *line, struct bytes text)
{
	static const size_t longest = sizeof("\\xNN") - 1;
	size_t end = line->len + MESSAGE_SIZE_MAX - strlen(CUT_MARK);

	while (text.len > 0 && line->len + longest <= end)
		text = bytes_from(text, append_character(line, text));
	if (text.len > 0)
		buffer_append_text(line, CUT_MARK);
}

static void
append_json_string(struct buffer *line, struct bytes text)
{
	buffer_append_char(line, '"');
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '"' || text.data[i] == '\\')
			buffer_append_char(line, '\\');
		buffer_append_char(line, text.data[i]);
	}
	buffer_append_char(line, '"');
}

/* There is nobody to tell when it fails. */
static void
write_line(int fd, const struct buffer *line)
{
	struct bytes bytes = buffer_bytes(line);
	ssize_t put;

	do
		put = write(fd, bytes.data, bytes.len);
	while (put < 0 && errno == EINTR);
}

static void
to_stderr(const struct level *level, struct bytes message, struct buffer *line)
{
	if (state.systemd_reads)
		buffer_printf(line, "<%d>", level->priority);
	else
		buffer_printf(line, "%s: %s", state.name, level->prefix);
	buffer_append(line, message);
	buffer_append_char(line, '\n');
	write_line(STDERR_FILENO, line);
}

/*
 * systemd.io/JOURNAL_NATIVE_PROTOCOL: one datagram of NAME=value lines.  We
 * send unconnected, so that a journald that was restarted hears us again.
 */
static bool
send_to_journal(const struct buffer *line)
{
	struct bytes bytes = buffer_bytes(line);
	ssize_t sent;

	do
		sent = sendto(state.journal_fd, bytes.data, bytes.len,
		    MSG_NOSIGNAL, (struct sockaddr *)&state.journal_address,
		    sizeof(state.journal_address));
	while (sent < 0 && errno == EINTR);
	return sent >= 0;
}

static void
to_journal(const struct level *level, struct bytes message, struct buffer *line)
{
	buffer_append_text(line, "MESSAGE=");
	buffer_append(line, message);
	buffer_printf(line,
	    "\nPRIORITY=%d\nSYSLOG_FACILITY=%d\nSYSLOG_IDENTIFIER=%s\n",
	    level->priority, LOG_FAC(LOG_MAIL), state.name);
	if (send_to_journal(line))
		return;

	buffer_empty(line);
	to_stderr(level, message, line);
}

static void
to_syslog(const struct level *level, struct bytes message, struct buffer *line)
{
	(void)line; /* syslog(3) makes its own */
	syslog(level->priority, "%.*s", BYTES_ARGS(message));
}

static void
to_json(const struct level *level, struct bytes message, struct buffer *line)
{
	buffer_append_text(line, "{\"time\":\"");
	date_append_rfc3339(line, clock_now().wall_ms);
	buffer_printf(line,
	    "\",\"level\":\"%s\",\"name\":\"%s\",\"message\":", level->name,
	    state.name);
	append_json_string(line, message);
	buffer_append_text(line, "}\n");
	write_line(STDOUT_FILENO, line);
}

static void
to_capture(const struct level *level, struct bytes message, struct buffer *line)
{
	buffer_append_text(line, level->prefix);
	buffer_append(line, message);
	buffer_append_char(line, '\n');

	/* Held for a copy only, and in tests only. */
	while (atomic_flag_test_and_set(&state.capture_taken))
		continue;
	buffer_append(state.capture, buffer_bytes(line));
	atomic_flag_clear(&state.capture_taken);
}

/* line is empty, and theirs to build what they write. */
static void (*const writers[])(
    const struct level *level, struct bytes message, struct buffer *line) = {
    [LOG_SINK_STDERR] = to_stderr,
    [LOG_SINK_JOURNAL] = to_journal,
    [LOG_SINK_SYSLOG] = to_syslog,
    [LOG_SINK_JSON] = to_json,
    [LOG_SINK_CAPTURE] = to_capture,
};

static void __attribute__((format(printf, 2, 0)))
log_event(enum log_level level, const char *format, va_list args)
{
	int errno_before = errno;
	char text[MESSAGE_SIZE_MAX + 1]; /* one more, so that a cut shows */
	struct buffer message, line;

	buffer_init(&message, MESSAGE_SIZE_MAX);
	buffer_init(&line, LINE_SIZE_MAX);

	(void)vsnprintf(text, sizeof(text), format, args);
	append_message(&message, bytes_of(text));
	writers[state.sink](&levels[level], buffer_bytes(&message), &line);

	buffer_clear(&line);
	buffer_clear(&message);
	errno = errno_before;
}

/* systemd.exec(5): JOURNAL_STREAM names the device and inode it reads from. */
static bool
does_systemd_read_stderr(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat status;

	if (stream == NULL || fstat(STDERR_FILENO, &status) != 0)
		return false;
	struct bytes rest = bytes_of(stream);
	struct bytes device_text = bytes_cut(&rest, ':');
	return bytes_to_u64(device_text, ~0ULL, &device) &&
	    bytes_to_u64(rest, ~0ULL, &inode) && device == status.st_dev &&
	    inode == status.st_ino;
}

void
log_open(enum log_sink sink, enum log_level level, const char *name,
    struct buffer *capture)
{
	assert(sink != LOG_SINK_CAPTURE || capture != NULL);
	state.sink = sink;
	state.level = level;
	state.name = name;
	state.capture = capture;
	state.systemd_reads = does_systemd_read_stderr();

	if (sink == LOG_SINK_SYSLOG)
		openlog(name, LOG_PID, LOG_MAIL);
	/* Without a socket, each sending fails, and goes to stderr instead. */
	if (sink == LOG_SINK_JOURNAL && state.journal_fd < 0)
		state.journal_fd =
		    socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

enum log_sink
log_sink_auto(void)
{
	return does_systemd_read_stderr() ? LOG_SINK_JOURNAL : LOG_SINK_STDERR;
}

bool
log_is_on(enum log_level level)
{
	return level <= state.level;
}

void
log_set_journal_path(const char *path)
{
	assert(strlen(path) < sizeof(state.journal_address.sun_path));
	(void)snprintf(state.journal_address.sun_path,
	    sizeof(state.journal_address.sun_path), "%s", path);
}

void
log_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_event(LOG_LEVEL_ERROR, format, args);
	va_end(args);
}

void
log_warning(const char *format, ...)
{
	va_list args;

	if (!log_is_on(LOG_LEVEL_WARNING))
		return;
	va_start(args, format);
	log_event(LOG_LEVEL_WARNING, format, args);
	va_end(args);
}

void
log_info(const char *format, ...)
{
	va_list args;

	if (!log_is_on(LOG_LEVEL_INFO))
		return;
	va_start(args, format);
	log_event(LOG_LEVEL_INFO, format, args);
	va_end(args);
}

void
log_debug(const char *format, ...)
{
	va_list args;

	if (!log_is_on(LOG_LEVEL_DEBUG))
		return;
	va_start(args, format);
	log_event(LOG_LEVEL_DEBUG, format, args);
	va_end(args);
}

void
log_quote(struct buffer *buffer, struct bytes text)
{
	struct bytes shown = bytes_first(text, QUOTE_SIZE_MAX);

	buffer_append_char(buffer, '"');
	for (size_t i = 0; i < shown.len; i++) {
		char c = shown.data[i];
		if (c < 0x20 || c > 0x7e || c == '"' || c == '\\')
			append_escape(buffer, c);
		else
			buffer_append_char(buffer, c);
	}
	buffer_append_char(buffer, '"');
	if (text.len > shown.len)
		buffer_append_text(buffer, CUT_MARK);
}
