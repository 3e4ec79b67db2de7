#include "tools/smtp_letter.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "message/header.h"
#include "smtp/dot.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <unistd.h>

/* Read at a time. */
#define STRETCH ((size_t)64 * 1024)

/* ---- opening ---- */

/* As many octets as there are, up to len. */
static bool
read_some(int fd, char *room, size_t len, size_t *out_len, struct error *error)
{
	size_t done = 0;

	while (done < len) {
		const ssize_t more = read(fd, room + done, len - done);
		if (more < 0 && errno == EINTR)
			continue;
		if (more < 0)
			return error_system(error, "read");
		if (more == 0)
			break;
		done += (size_t)more;
	}
	*out_len = done;
	return true;
}

static bool
read_head(int fd, struct smtp_letter *letter, struct error *error)
{
	struct buffer *kept = &letter->kept;
	size_t len = STRETCH;

	while (len == STRETCH && kept->len < SMTP_LETTER_HEAD_MAX) {
		char *room = buffer_reserve(kept, STRETCH);
		if (!read_some(fd, room, STRETCH, &len, error))
			return false;
		buffer_commit(kept, len);
	}
	letter->head = buffer_bytes(kept);
	return true;
}

/* A file that is there to be read again, from where fd stands in it. */
static bool
is_lasting(int fd, uint64_t *out_offset, uint64_t *out_len)
{
	const off_t at = lseek(fd, 0, SEEK_CUR);
	struct stat file;

	/* Those of /proc have no length. */
	if (at < 0 || fstat(fd, &file) != 0 || !S_ISREG(file.st_mode) ||
	    file.st_size <= at)
		return false;
	*out_offset = (uint64_t)at;
	*out_len = (uint64_t)(file.st_size - at);
	return true;
}

static bool
keep_rest(int fd, struct smtp_letter *letter, struct error *error)
{
	char *piece = memory_array(STRETCH, 1);
	size_t len = STRETCH;
	bool ok = smtp_spool_open(&letter->rest, error);

	while (ok && len == STRETCH)
		ok = read_some(fd, piece, STRETCH, &len, error) &&
		    smtp_spool_append(
			&letter->rest, bytes_make(piece, len), error);
	free(piece);
	return ok;
}

/* fd is the letter's, or closed. */
static bool
take_file(int fd, struct smtp_letter *letter, struct error *error)
{
	bool ok = read_head(fd, letter, error);
	const bool has_rest = letter->kept.len == SMTP_LETTER_HEAD_MAX;

	if (ok && has_rest &&
	    is_lasting(fd, &letter->offset, &letter->rest.len)) {
		letter->rest.fd = fd;
		return true;
	}
	if (ok && has_rest)
		ok = keep_rest(fd, letter, error);
	(void)close(fd); /* it was only read */
	return ok;
}

bool
smtp_letter_open(
    const char *name, struct smtp_letter *letter, struct error *error)
{
	const bool is_input = strcmp(name, "-") == 0;
	const char *shown = is_input ? "standard input" : name;

	*letter = smtp_letter_of(BYTES_NONE);
	const int fd = is_input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
				: open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_system(error, "%s", shown);
	return take_file(fd, letter, error) ||
	    error_context(error, "%s", shown);
}

struct smtp_letter
smtp_letter_of(struct bytes content)
{
	struct smtp_letter letter = {.head = content};

	buffer_init(&letter.kept, SMTP_LETTER_HEAD_MAX);
	smtp_spool_init(&letter.rest);
	return letter;
}

void
smtp_letter_close(struct smtp_letter *letter)
{
	smtp_spool_clear(&letter->rest);
	buffer_clear(&letter->kept);
	*letter = smtp_letter_of(BYTES_NONE);
}

/* ---- reading ---- */

static uint64_t
len_of(const struct smtp_letter *letter)
{
	return letter->head.len + letter->rest.len;
}

/* Up to len octets; 0 at the end alone.  Fails where a file has become shorter
 * than it was: what is cut off is no letter. */
static bool
read_at(const struct smtp_letter *letter, uint64_t at, void *data, size_t len,
    size_t *out_len, struct error *error)
{
	if (at < letter->head.len) {
		const struct bytes piece =
		    bytes_first(bytes_from(letter->head, (size_t)at), len);
		memcpy(data, piece.data, piece.len);
		*out_len = piece.len;
		return true;
	}
	const uint64_t left = len_of(letter) - at;
	const size_t some = (size_t)MIN(left, len);
	*out_len = some;
	return some == 0 ||
	    file_read_at(letter->rest.fd, data, some,
		letter->offset + at - letter->head.len, error);
}

/* last: the octet before piece, '\n' at first. */
static uint64_t
wire_len(struct bytes piece, char *last)
{
	uint64_t len = piece.len;

	for (size_t i = 0; i < piece.len; i++) {
		const char c = piece.data[i];
		/* A lone CR or LF becomes both. */
		len += (c == '\n') != (*last == '\r');
		*last = c;
	}
	return len;
}

bool
smtp_letter_survey(const struct smtp_letter *letter,
    struct smtp_letter_facts *out_facts, struct error *error)
{
	struct smtp_letter_facts facts = {0};
	char *room = memory_array(STRETCH, 1);
	size_t column = 0;
	size_t len = 0;
	char last = '\n';
	bool ok = true;

	do {
		ok = read_at(letter, facts.len, room, STRETCH, &len, error);
		const struct bytes piece = bytes_make(room, ok ? len : 0);
		facts.len += piece.len;
		facts.wire_len += wire_len(piece, &last);
		facts.is_8bit = facts.is_8bit || !bytes_is_ascii(piece);
		facts.has_long_line =
		    facts.has_long_line || dot_has_long_line(piece, &column);
	} while (ok && len > 0);
	facts.wire_len += last == '\n' ? 0 : last == '\r' ? 1 : 2;
	free(room);
	*out_facts = facts;
	return ok;
}

/* ---- a letter to try things out ---- */

char *
smtp_letter_sender(const char *hostname)
{
	const struct passwd *user = getpwuid(getuid());

	if (user != NULL && user->pw_name[0] != '\0')
		return memory_format("%s@%s", user->pw_name, hostname);
	return memory_format("%lu@%s", (unsigned long)getuid(), hostname);
}

/* The caller's own lines, as far as they are any. */
static bool
append_headers(
    const struct smtp_words *words, struct buffer *content, struct error *error)
{
	struct header_field field;

	for (size_t i = 0; i < words->headers.count; i++) {
		const struct bytes line = bytes_of(words->headers.items[i]);
		struct buffer one;

		buffer_init(&one, line.len + 3);
		buffer_append(&one, line);
		buffer_append_text(&one, "\r\n");
		struct bytes rest = buffer_bytes(&one);
		const bool is_field = header_next(&rest, &field) &&
		    rest.len == 0 && field.name.len > 0;
		buffer_clear(&one);
		if (!is_field)
			return error_set(error, ERROR_CONFIG,
			    "--header %s: say 'Name: text'",
			    words->headers.items[i]);
		buffer_append(content, line);
		buffer_append_char(content, '\n');
	}
	return true;
}

static bool
lacks(const struct buffer *content, size_t from, const char *name)
{
	struct header_field field;

	return !header_find(
	    bytes_from(buffer_bytes(content), from), name, &field);
}

static void
append_recipients(const struct smtp_words *words, struct buffer *content)
{
	buffer_append_text(content, "To: ");
	for (size_t i = 0; i < words->to.count; i++)
		buffer_printf(
		    content, "%s%s", i > 0 ? ",\n\t" : "", words->to.items[i]);
	buffer_append_char(content, '\n');
}

/* What stands behind the '@' of the sender, as of our own host. */
static struct bytes
host_of(const char *from)
{
	const struct bytes text = bytes_of(from);
	const struct bytes host =
	    bytes_from(text, bytes_last_index(text, '@') + 1);

	return host.len > 0 ? host : BYTES("localhost");
}

bool
smtp_letter_make(const struct smtp_words *words, const char *from,
    struct buffer *content, struct error *error)
{
	const struct clock_time now = clock_now();
	const size_t start = content->len;
	struct buffer date;

	if (!append_headers(words, content, error))
		return false;
	buffer_init(&date, 64);
	date_append_rfc5322(&date, now.wall_ms);
	if (lacks(content, start, "Date"))
		buffer_printf(
		    content, "Date: %.*s\n", BYTES_ARGS(buffer_bytes(&date)));
	if (lacks(content, start, "From"))
		buffer_printf(content, "From: %s\n",
		    from[0] != '\0' ? from : "MAILER-DAEMON");
	if (lacks(content, start, "To"))
		append_recipients(words, content);
	if (lacks(content, start, "Subject"))
		buffer_printf(content, "Subject: test %.*s\n",
		    BYTES_ARGS(buffer_bytes(&date)));
	if (lacks(content, start, "Message-ID"))
		buffer_printf(content, "Message-ID: <%llx.%lx@%.*s>\n",
		    (unsigned long long)now.wall_ms, (unsigned long)getpid(),
		    BYTES_ARGS(host_of(from)));
	buffer_printf(content, "\n%s\n",
	    words->body != NULL ? words->body
				: "This is a test letter of postrider smtp.");
	buffer_clear(&date);
	return true;
}

/* ---- feeding ---- */

void
smtp_letter_feed_begin(
    struct smtp_letter_feed *feed, const struct smtp_letter *letter)
{
	*feed = (struct smtp_letter_feed){
	    .letter = letter,
	    .told_at = clock_now().mono_ms,
	};
}

/* At most once a second, and only where someone looks. */
static void
tell(struct smtp_letter_feed *feed)
{
	const int64_t now = clock_now().mono_ms;
	const uint64_t len = len_of(feed->letter);

	if (now - feed->told_at < CLOCK_SECOND || isatty(STDERR_FILENO) != 1)
		return;
	feed->told_at = now;
	feed->is_told = true;
	(void)fprintf(stderr, "\r%llu of %llu KiB, %d %%\033[K",
	    (unsigned long long)feed->given / 1024,
	    (unsigned long long)len / 1024,
	    (int)(100.0 * (double)feed->given / (double)len));
}

int64_t
smtp_letter_feed_fn(void *arg, void *buffer, size_t capacity)
{
	struct smtp_letter_feed *feed = arg;
	struct error error;
	size_t len = 0;

	if (buffer == NULL) {
		feed->given = 0;
		return 0;
	}
	if (!read_at(feed->letter, feed->given, buffer, capacity, &len, &error))
		return -1;
	if (len > 0)
		tell(feed);
	feed->given += len;
	return (int64_t)len;
}

void
smtp_letter_feed_end(struct smtp_letter_feed *feed)
{
	if (feed->is_told)
		(void)fprintf(stderr, "\r\033[K");
	feed->is_told = false;
}
