#include "message/header.h"
#include "tools/smtp_letter.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

Test(smtp_letter, counts_octets_as_they_go_over_the_wire)
{
	static const struct {
		const char *text;
		uint64_t size;
	} rows[] = {
	    {"", 0},
	    {"a", 3},
	    {"a\n", 3},
	    {"a\r\n", 3},
	    {"a\r", 3},
	    {"\n", 2},
	    {"\n\n", 4},
	    {"\r\r", 4},
	    {"\n\r", 4},
	    {"\r\n\r\n", 4},
	    {".\n", 3}, /* without the second dot: RFC 1870 5 */
	    {"a\nb\r\nc\rd", 12},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct smtp_letter letter =
		    smtp_letter_of(bytes_of(rows[i].text));
		struct smtp_letter_facts facts;
		struct error error;
		cr_assert(smtp_letter_survey(&letter, &facts, &error));
		cr_expect_eq(facts.wire_len, rows[i].size, "row %zu", i);
		cr_expect_eq(facts.len, strlen(rows[i].text), "row %zu", i);
	}
}

static bool
make(struct smtp_words *words, const char *from, struct buffer *content)
{
	struct error error;

	buffer_init(content, SMTP_LETTER_HEAD_MAX);
	return smtp_letter_make(words, from, content, &error);
}

Test(smtp_letter, makes_a_letter_to_try_things_out)
{
	static char to[] = "a@x";
	static char header[] = "Subject: mine";
	char *items[] = {to, NULL};
	char *headers[] = {header, NULL};
	struct smtp_words words = {
	    .to = {items, 1}, .headers = {headers, 1}, .body = "text"};
	struct buffer content;
	struct header_field field;

	cr_assert(make(&words, "me@host", &content));
	const struct bytes text = buffer_bytes(&content);
	const struct bytes head = bytes_first(text, header_len(text));
	static const char *const names[] = {
	    "Date", "From", "To", "Subject", "Message-ID"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		cr_expect_eq(header_count(head, names[i]), 1, "%s", names[i]);
	cr_assert(header_find(head, "subject", &field));
	cr_expect(bytes_is(bytes_trim(field.value), "mine"));
	cr_assert(header_find(head, "message-id", &field));
	cr_expect(bytes_contains(field.value, '@'));
	cr_expect(bytes_is(bytes_from(text, head.len), "\ntext\n"));
	buffer_clear(&content);
}

Test(smtp_letter, refuses_headers_that_are_none)
{
	static char rows[][32] = {
	    "no colon", "", "A: b\nC: d", "A: b\r\n\r\nbody", " A: b", ": b"};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *headers[] = {rows[i], NULL};
		struct smtp_words words = {.headers = {headers, 1}};
		struct buffer content;

		cr_expect_not(make(&words, "me@host", &content), "%s", rows[i]);
		buffer_clear(&content);
	}
}

Test(smtp_letter, feeds_all_of_it_in_pieces)
{
	const struct smtp_letter letter = smtp_letter_of(BYTES("0123456789"));
	struct smtp_letter_feed feed;
	char piece[4];
	char all[32] = "";
	int64_t len = 0;

	smtp_letter_feed_begin(&feed, &letter);
	while ((len = smtp_letter_feed_fn(&feed, piece, sizeof(piece))) > 0)
		memcpy(all + strlen(all), piece, (size_t)len);
	smtp_letter_feed_end(&feed);
	cr_expect_eq(len, 0);
	cr_expect_str_eq(all, "0123456789");
	cr_expect_eq(smtp_letter_feed_fn(&feed, NULL, 0), 0);
	cr_expect_eq(smtp_letter_feed_fn(&feed, piece, 4), 4);
	cr_expect_eq(memcmp(piece, "0123", 4), 0);
}

/* ---- files ---- */

#define LARGE_LEN (3 * SMTP_LETTER_HEAD_MAX + 1000)

/* Octets that tell where they are, in lines; only the last has 8 bits. */
static char
octet_at(size_t at)
{
	if (at == LARGE_LEN - 1)
		return '\xfc';
	return at % 64 == 63 ? '\n' : (char)('A' + at / 64 % 26);
}

static void
write_large(FILE *file)
{
	for (size_t at = 0; at < LARGE_LEN; at++)
		putc(octet_at(at), file);
	cr_assert_eq(fflush(file), 0);
}

static FILE *
make_large(void)
{
	FILE *file = tmpfile();

	cr_assert_not_null(file);
	write_large(file);
	rewind(file);
	return file;
}

/* Each octet once, in its place. */
static void
expect_large(const struct smtp_letter *letter, struct smtp_letter_feed *feed)
{
	char piece[10007];
	size_t at = 0;
	int64_t len = 0;

	cr_expect_leq(letter->kept.len, SMTP_LETTER_HEAD_MAX);
	while ((len = smtp_letter_feed_fn(feed, piece, sizeof(piece))) > 0)
		for (int64_t i = 0; i < len; i++, at++)
			cr_assert_eq(piece[i], octet_at(at), "at %zu", at);
	cr_expect_eq(len, 0);
	cr_expect_eq(at, LARGE_LEN);
}

static void
expect_input_whole(void)
{
	struct smtp_letter letter;
	struct smtp_letter_facts facts;
	struct smtp_letter_feed feed;
	struct error error;

	cr_assert(
	    smtp_letter_open("-", &letter, &error), "%s", error_text(&error));
	cr_assert(smtp_letter_survey(&letter, &facts, &error));
	cr_expect_eq(facts.len, LARGE_LEN);
	cr_expect(facts.is_8bit);
	cr_expect_not(facts.has_long_line);
	smtp_letter_feed_begin(&feed, &letter);
	expect_large(&letter, &feed);
	cr_expect_eq(smtp_letter_feed_fn(&feed, NULL, 0), 0);
	expect_large(&letter, &feed);
	smtp_letter_close(&letter);
}

Test(smtp_letter, reads_a_large_file_where_it_lies)
{
	FILE *file = make_large();

	cr_assert_geq(dup2(fileno(file), STDIN_FILENO), 0);
	expect_input_whole();
	fclose(file);
}

Test(smtp_letter, keeps_what_comes_by_a_pipe)
{
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	const pid_t writer = fork(); /* a pipe holds less than all of it */
	cr_assert_geq(writer, 0);
	if (writer == 0) {
		close(ends[0]);
		write_large(fdopen(ends[1], "w"));
		_exit(0);
	}
	close(ends[1]);
	cr_assert_geq(dup2(ends[0], STDIN_FILENO), 0);
	expect_input_whole();
	cr_assert_eq(waitpid(writer, NULL, 0), writer);
	close(ends[0]);
}

Test(smtp_letter, is_none_where_its_file_was_cut)
{
	FILE *file = make_large();
	struct smtp_letter letter;
	struct smtp_letter_facts facts;
	struct smtp_letter_feed feed;
	struct error error;
	char piece[4096];
	int64_t len = 0;

	cr_assert_geq(dup2(fileno(file), STDIN_FILENO), 0);
	cr_assert(smtp_letter_open("-", &letter, &error));
	cr_assert_eq(ftruncate(fileno(file), LARGE_LEN - 1), 0);
	smtp_letter_feed_begin(&feed, &letter);
	do
		len = smtp_letter_feed_fn(&feed, piece, sizeof(piece));
	while (len > 0);
	cr_expect_eq(len, -1);
	cr_expect_not(smtp_letter_survey(&letter, &facts, &error));
	smtp_letter_close(&letter);
	fclose(file);
}

Test(smtp_letter, tells_what_cannot_be_read)
{
	struct smtp_letter letter;
	struct error error;

	cr_expect_not(smtp_letter_open("/no/such", &letter, &error));
	cr_expect_str_eq(
	    error_text(&error), "/no/such: No such file or directory");
	smtp_letter_close(&letter);
	cr_expect_not(smtp_letter_open("/", &letter, &error));
	cr_expect_str_eq(error_text(&error), "/: read: Is a directory");
	smtp_letter_close(&letter);
}
