#include "tools/smtp_letter.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "message/header.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Read at a time. */
#define STRETCH ((size_t)64 * 1024)

/* ---- reading ---- */

static bool
read_input(struct buffer *content, struct error *error)
{
	for (;;) {
		char *room = buffer_reserve(content, STRETCH);
		if (room == NULL)
			return error_set(error, ERROR_LIMIT,
			    "standard input: more than %zu octets",
			    SMTP_LETTER_MAX);
		const ssize_t len = read(STDIN_FILENO, room, STRETCH);
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return error_system(error, "standard input");
		if (len == 0)
			return true;
		buffer_commit(content, (size_t)len);
	}
}

bool
smtp_letter_read(const char *name, struct buffer *content, struct error *error)
{
	if (strcmp(name, "-") == 0)
		return read_input(content, error);
	return file_read(AT_FDCWD, name, content, error);
}

uint64_t
smtp_letter_wire_size(struct bytes content)
{
	uint64_t size = 0;
	char last = '\n';

	for (size_t i = 0; i < content.len; i++) {
		const char c = content.data[i];
		/* A lone CR or LF becomes both. */
		size += (c == '\n') != (last == '\r') ? 2 : 1;
		last = c;
	}
	if (last == '\r')
		return size + 1;
	return last == '\n' ? size : size + 2;
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
smtp_letter_feed_begin(struct smtp_letter_feed *feed, struct bytes content)
{
	*feed = (struct smtp_letter_feed){
	    .content = content,
	    .told_at = clock_now().mono_ms,
	};
}

/* At most once a second, and only where someone looks. */
static void
tell(struct smtp_letter_feed *feed)
{
	const int64_t now = clock_now().mono_ms;
	const size_t len = feed->content.len;

	if (now - feed->told_at < CLOCK_SECOND || isatty(STDERR_FILENO) != 1)
		return;
	feed->told_at = now;
	feed->is_told = true;
	(void)fprintf(stderr, "\r%zu of %zu KiB, %zu %%\033[K",
	    feed->given / 1024, len / 1024,
	    (size_t)(100.0 * (double)feed->given / (double)len));
}

int64_t
smtp_letter_feed_fn(void *arg, void *buffer, size_t capacity)
{
	struct smtp_letter_feed *feed = arg;
	const struct bytes piece =
	    bytes_first(bytes_from(feed->content, feed->given), capacity);

	if (buffer == NULL) {
		feed->given = 0;
		return 0;
	}
	if (piece.len > 0)
		tell(feed);
	memcpy(buffer, piece.data, piece.len);
	feed->given += piece.len;
	return (int64_t)piece.len;
}

void
smtp_letter_feed_end(struct smtp_letter_feed *feed)
{
	if (feed->is_told)
		(void)fprintf(stderr, "\r\033[K");
	feed->is_told = false;
}
