#include "base/log.h"
#include "base/memory.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static void
expect_text(struct bytes text, const char *expected, const char *name)
{
	cr_expect(bytes_is(text, expected), "%s: \"%.*s\", not \"%s\"", name,
	    BYTES_ARGS(text), expected);
}

/* A descriptor turned into a pipe, to read what is written to it. */
struct tap {
	int fd;
	int saved_fd;
	int read_fd;
	char text[32 * 1024];
};

static void
tap_open(struct tap *tap, int fd)
{
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	tap->fd = fd;
	tap->saved_fd = dup(fd);
	tap->read_fd = ends[0];
	cr_assert_eq(dup2(ends[1], fd), fd);
	cr_assert_eq(close(ends[1]), 0);
}

/* What was written, which is gone with the next close of a tap. */
static struct bytes
tap_close(struct tap *tap)
{
	cr_assert_eq(dup2(tap->saved_fd, tap->fd), tap->fd);
	ssize_t got = read(tap->read_fd, tap->text, sizeof(tap->text));
	(void)close(tap->read_fd);
	(void)close(tap->saved_fd);
	return bytes_make(tap->text, got > 0 ? (size_t)got : 0);
}

static void
log_each_level(void)
{
	log_error("e %d", 1);
	log_warning("w %d", 2);
	log_info("i %d", 3);
	log_debug("d %d", 4);
}

Test(log, writes_what_its_level_allows)
{
	static const struct {
		const char *name;
		enum log_level level;
		const char *expected;
	} rows[] = {
	    {"error", LOG_LEVEL_ERROR, "error: e 1\n"},
	    {"warning", LOG_LEVEL_WARNING, "error: e 1\nwarning: w 2\n"},
	    {"info", LOG_LEVEL_INFO, "error: e 1\nwarning: w 2\ni 3\n"},
	    {"debug", LOG_LEVEL_DEBUG,
		"error: e 1\nwarning: w 2\ni 3\ndebug: d 4\n"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer capture;
		buffer_init(&capture, 1000);
		log_open(LOG_SINK_CAPTURE, rows[i].level, "x", &capture);
		log_each_level();
		expect_text(
		    buffer_bytes(&capture), rows[i].expected, rows[i].name);
		for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG;
		     level++)
			cr_expect_eq(log_is_on((enum log_level)level),
			    level <= (int)rows[i].level, "%s", rows[i].name);
		buffer_clear(&capture);
	}
}

Test(log, writes_to_stderr_before_it_is_opened)
{
	struct tap tap;

	tap_open(&tap, STDERR_FILENO);
	log_each_level();
	expect_text(tap_close(&tap),
	    "postrider: error: e 1\npostrider: warning: w 2\npostrider: i 3\n",
	    "stderr");
}

Test(log, writes_to_stderr_with_its_name)
{
	struct tap tap;

	unsetenv("JOURNAL_STREAM");
	tap_open(&tap, STDERR_FILENO);
	log_open(LOG_SINK_STDERR, LOG_LEVEL_DEBUG, "postriderd", NULL);
	log_each_level();
	expect_text(tap_close(&tap),
	    "postriderd: error: e 1\npostriderd: warning: w 2\n"
	    "postriderd: i 3\npostriderd: debug: d 4\n",
	    "stderr");
}

/* As systemd does; each argument may be off by something. */
static void
set_journal_stream(unsigned int device_off, unsigned int inode_off)
{
	struct stat status;

	cr_assert_eq(fstat(STDERR_FILENO, &status), 0);
	char *stream = memory_format("%llu:%llu",
	    (unsigned long long)status.st_dev + device_off,
	    (unsigned long long)status.st_ino + inode_off);
	setenv("JOURNAL_STREAM", stream, 1);
	free(stream);
}

Test(log, writes_to_stderr_with_a_level_where_systemd_reads)
{
	struct tap tap;

	tap_open(&tap, STDERR_FILENO);
	set_journal_stream(0, 0);
	enum log_sink sink = log_sink_auto();
	log_open(LOG_SINK_STDERR, LOG_LEVEL_DEBUG, "postriderd", NULL);
	log_each_level();
	expect_text(
	    tap_close(&tap), "<3>e 1\n<4>w 2\n<6>i 3\n<7>d 4\n", "stderr");
	cr_expect_eq(sink, LOG_SINK_JOURNAL);
}

Test(log, is_not_misled_by_a_stream_of_another)
{
	static const struct {
		const char *name, *stream;
		unsigned int device_off, inode_off;
	} rows[] = {
	    {"other device", NULL, 1, 0},
	    {"other inode", NULL, 0, 1},
	    {"empty", "", 0, 0},
	    {"no inode", "1:", 0, 0},
	    {"no colon", "1", 0, 0},
	    {"no numbers", "a:b", 0, 0},
	    {"too large", "99999999999999999999:1", 0, 0},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct tap tap;
		tap_open(&tap, STDERR_FILENO);
		set_journal_stream(rows[i].device_off, rows[i].inode_off);
		if (rows[i].stream != NULL)
			setenv("JOURNAL_STREAM", rows[i].stream, 1);
		enum log_sink sink = log_sink_auto();
		log_open(LOG_SINK_STDERR, LOG_LEVEL_INFO, "x", NULL);
		log_info("text");
		expect_text(tap_close(&tap), "x: text\n", rows[i].name);
		cr_expect_eq(sink, LOG_SINK_STDERR, "%s", rows[i].name);
	}
}

Test(log, lets_no_line_be_forged)
{
	static const struct {
		const char *name, *text, *expected;
	} rows[] = {
	    {"empty", "", "\n"},
	    {"newline", "a\nerror: b", "a\\nerror: b\n"},
	    {"newline at the end", "a\n", "a\\n\n"},
	    {"carriage return", "a\rb", "a\\rb\n"},
	    {"tab", "a\tb", "a\\tb\n"},
	    {"escape", "\x1b[2J", "\\x1b[2J\n"},
	    {"delete", "\x7f", "\\x7f\n"},
	    {"quotes stay", "from=\"a\\\"b\"", "from=\"a\\\"b\"\n"},
	    {"UTF-8 stays", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
		"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\n"},
	    {"U+0080", "\xc2\x80", "\\xc2\\x80\n"},
	    {"U+009B is an escape, too", "\xc2\x9b", "\\xc2\\x9b\n"},
	    {"U+00A0", "\xc2\xa0", "\xc2\xa0\n"},
	    {"not UTF-8", "a\xff\xe4z", "a\\xff\\xe4z\n"},
	    {"half a character", "\xe2\x82", "\\xe2\\x82\n"},
	    {"overlong newline", "\xc0\x8a", "\\xc0\\x8a\n"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer capture;
		buffer_init(&capture, 1000);
		log_open(LOG_SINK_CAPTURE, LOG_LEVEL_INFO, "x", &capture);
		log_info("%s", rows[i].text);
		expect_text(
		    buffer_bytes(&capture), rows[i].expected, rows[i].name);
		buffer_clear(&capture);
	}
}

Test(log, cuts_long_lines)
{
	static const struct {
		const char *name, *unit;
		size_t count;
		size_t shown; /* octets before "...\n" or "\n" */
		bool cut;
	} rows[] = {
	    {"just fits", "x", 3837, 3837, false},
	    {"longer", "x", 5000, 3834, true},
	    {"endless", "x", 100000, 3834, true},
	    {"no half escape", "\x01", 3840, 3836, true},
	    {"no half character", "\xe2\x82\xac", 3840, 3834, true},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer text, capture;
		buffer_init(&text, 1000000);
		buffer_init(&capture, 10000);
		for (size_t n = 0; n < rows[i].count; n++)
			buffer_append_text(&text, rows[i].unit);
		log_open(LOG_SINK_CAPTURE, LOG_LEVEL_INFO, "x", &capture);
		log_info("%.*s", BYTES_ARGS(buffer_bytes(&text)));

		struct bytes line = buffer_bytes(&capture);
		const char *end = rows[i].cut ? "...\n" : "\n";
		cr_expect_leq(line.len, 3840 + 1, "%s", rows[i].name);
		cr_expect(bytes_is_utf8(line), "%s", rows[i].name);
		cr_expect(
		    bytes_has_suffix_nocase(line, end), "%s", rows[i].name);
		cr_expect_eq(line.len - strlen(end), rows[i].shown, "%s: %zu",
		    rows[i].name, line.len - strlen(end));
		buffer_clear(&capture);
		buffer_clear(&text);
	}
}

Test(log, leaves_errno_alone)
{
	struct tap tap;

	tap_open(&tap, STDERR_FILENO);
	(void)close(STDERR_FILENO);
	errno = ENOENT;
	log_error("open");
	int number = errno;
	(void)tap_close(&tap);
	cr_expect_eq(number, ENOENT);
}

Test(log, writes_json)
{
	struct tap tap;

	tap_open(&tap, STDOUT_FILENO);
	log_open(LOG_SINK_JSON, LOG_LEVEL_INFO, "postriderd", NULL);
	log_warning("a \"b\" \\ \n\x01 \xc3\xa4\xff");
	struct bytes line = tap_close(&tap);

	/* {"time":"2026-11-23T05:52:00.123Z" */
	cr_expect(bytes_has_prefix(line, "{\"time\":\"20"));
	expect_text(bytes_from(line, 34),
	    ",\"level\":\"warning\",\"name\":\"postriderd\",\"message\":"
	    "\"a \\\"b\\\" \\\\ \\\\n\\\\x01 \xc3\xa4\\\\xff\"}\n",
	    "JSON");
}

Test(log, writes_json_lines_whole_however_long)
{
	struct tap tap;

	tap_open(&tap, STDOUT_FILENO);
	log_open(LOG_SINK_JSON, LOG_LEVEL_INFO, "postriderd", NULL);
	char *text = memory_new(10000);
	memset(text, '"', 9999);
	log_info("%s", text);
	struct bytes line = tap_close(&tap);
	cr_expect_gt(line.len, 7000);
	cr_expect(bytes_has_suffix_nocase(line, "\\\"...\"}\n"));
	free(text);
}

/* A socket as journald has it; the path is unlinked at once. */
static int
listen_as_journald(void)
{
	char directory[] = "/tmp/log_test.XXXXXX";
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	cr_assert_not_null(mkdtemp(directory));
	(void)snprintf(
	    address.sun_path, sizeof(address.sun_path), "%s/socket", directory);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	cr_assert_geq(fd, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	log_set_journal_path(address.sun_path);
	return fd;
}

static void
forget_journald(int fd)
{
	struct sockaddr_un address;
	socklen_t size = sizeof(address);

	cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	(void)close(fd);
	(void)unlink(address.sun_path);
	*strrchr(address.sun_path, '/') = '\0';
	(void)rmdir(address.sun_path);
}

static void
expect_datagram(int fd, const char *expected, const char *name)
{
	char text[10000];
	ssize_t got = recv(fd, text, sizeof(text), 0);

	cr_assert_geq(got, 0, "%s", name);
	expect_text(bytes_make(text, (size_t)got), expected, name);
}

Test(log, speaks_to_journald)
{
	int fd = listen_as_journald();

	log_open(LOG_SINK_JOURNAL, LOG_LEVEL_DEBUG, "postriderd", NULL);
	log_each_level();
	log_info("a\nPRIORITY=0");
	expect_datagram(fd,
	    "MESSAGE=e 1\nPRIORITY=3\nSYSLOG_FACILITY=2\n"
	    "SYSLOG_IDENTIFIER=postriderd\n",
	    "error");
	expect_datagram(fd,
	    "MESSAGE=w 2\nPRIORITY=4\nSYSLOG_FACILITY=2\n"
	    "SYSLOG_IDENTIFIER=postriderd\n",
	    "warning");
	expect_datagram(fd,
	    "MESSAGE=i 3\nPRIORITY=6\nSYSLOG_FACILITY=2\n"
	    "SYSLOG_IDENTIFIER=postriderd\n",
	    "info");
	expect_datagram(fd,
	    "MESSAGE=d 4\nPRIORITY=7\nSYSLOG_FACILITY=2\n"
	    "SYSLOG_IDENTIFIER=postriderd\n",
	    "debug");
	expect_datagram(fd,
	    "MESSAGE=a\\nPRIORITY=0\nPRIORITY=6\nSYSLOG_FACILITY=2\n"
	    "SYSLOG_IDENTIFIER=postriderd\n",
	    "forged field");
	forget_journald(fd);
}

Test(log, writes_to_stderr_while_journald_is_away)
{
	struct tap tap;

	unsetenv("JOURNAL_STREAM");
	tap_open(&tap, STDERR_FILENO);
	int fd = listen_as_journald();
	forget_journald(fd);
	log_open(LOG_SINK_JOURNAL, LOG_LEVEL_INFO, "postriderd", NULL);
	log_warning("first");
	fd = listen_as_journald();
	log_warning("second");
	expect_text(tap_close(&tap), "postriderd: warning: first\n", "stderr");
	expect_datagram(fd,
	    "MESSAGE=second\nPRIORITY=4\nSYSLOG_FACILITY=2\n"
	    "SYSLOG_IDENTIFIER=postriderd\n",
	    "journald");
	forget_journald(fd);
}

Test(log, cuts_what_is_too_large_for_journald)
{
	int fd = listen_as_journald();
	char *text = memory_new(1000001);
	char datagram[10000];

	memset(text, 'x', 1000000);
	log_open(LOG_SINK_JOURNAL, LOG_LEVEL_INFO, "postriderd", NULL);
	log_info("%s", text);
	ssize_t got = recv(fd, datagram, sizeof(datagram), 0);
	cr_expect_gt(got, 3000);
	cr_expect_lt(got, 4096);
	cr_expect(bytes_search(bytes_make(datagram, (size_t)got),
		      BYTES("xxx...\nPRIORITY=6\n")) < (size_t)got);
	free(text);
	forget_journald(fd);
}

Test(log, to_syslog_does_no_harm)
{
	log_open(LOG_SINK_SYSLOG, LOG_LEVEL_INFO, "log_test", NULL);
	log_info("%s", "100%s %n");
}

enum {
	THREADS = 4,
	LINES = 1000
};

static void *
log_lines(void *ctx)
{
	const char *word = ctx;

	for (int i = 0; i < LINES; i++)
		log_info("%s%s%s", word, word, word);
	return NULL;
}

Test(log, keeps_lines_of_threads_apart)
{
	static char words[THREADS][8] = {"aaaa", "bbbb", "cccc", "dddd"};
	pthread_t threads[THREADS];
	struct buffer capture;

	buffer_init(&capture, 1000000);
	log_open(LOG_SINK_CAPTURE, LOG_LEVEL_INFO, "x", &capture);
	for (size_t i = 0; i < THREADS; i++)
		cr_assert_eq(
		    pthread_create(&threads[i], NULL, log_lines, words[i]), 0);
	for (size_t i = 0; i < THREADS; i++)
		cr_assert_eq(pthread_join(threads[i], NULL), 0);

	struct bytes rest = buffer_bytes(&capture);
	cr_expect_eq(rest.len, THREADS * LINES * 13);
	while (rest.len > 0) {
		struct bytes line = bytes_cut(&rest, '\n');
		for (size_t i = 0; i < line.len; i++)
			cr_assert_eq(line.data[i], line.data[0]);
	}
	buffer_clear(&capture);
}

Test(log, quotes_text_of_peers)
{
	static const struct {
		const char *name;
		struct bytes text;
		const char *expected;
	} rows[] = {
	    {"empty", {"", 0}, "\"\""},
	    {"plain", {"250 ok ~", 8}, "\"250 ok ~\""},
	    {"quote", {"a\"b", 3}, "\"a\\\"b\""},
	    {"backslash", {"a\\", 2}, "\"a\\\\\""},
	    {"line ends", {"a\r\n\tb", 5}, "\"a\\r\\n\\tb\""},
	    {"nul", {"a\0b", 3}, "\"a\\x00b\""},
	    {"delete", {"\x7f", 1}, "\"\\x7f\""},
	    {"not ASCII", {"\xc3\xa4", 2}, "\"\\xc3\\xa4\""},
	    {"ff", {"\xff", 1}, "\"\\xff\""},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer buffer;
		buffer_init(&buffer, 100);
		log_quote(&buffer, rows[i].text);
		expect_text(
		    buffer_bytes(&buffer), rows[i].expected, rows[i].name);
		buffer_clear(&buffer);
	}
}

Test(log, quotes_a_kibibyte_at_most)
{
	static const struct {
		size_t len, shown;
		const char *end;
	} rows[] = {
	    {1023, 1023, "x\""},
	    {1024, 1024, "x\""},
	    {1025, 1024, "x\"..."},
	    {100000, 1024, "x\"..."},
	};
	char *text = memory_new(100000);

	memset(text, 'x', 100000);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer buffer;
		buffer_init(&buffer, 10000);
		log_quote(&buffer, bytes_make(text, rows[i].len));
		struct bytes quoted = buffer_bytes(&buffer);
		cr_expect(bytes_has_suffix_nocase(quoted, rows[i].end), "%zu",
		    rows[i].len);
		cr_expect_eq(quoted.len, rows[i].shown + strlen(rows[i].end),
		    "%zu", rows[i].len);
		buffer_clear(&buffer);
	}
	free(text);
}
