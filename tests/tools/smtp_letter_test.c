#include "message/header.h"
#include "tools/smtp_letter.h"

#include <criterion/criterion.h>
#include <string.h>

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

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(smtp_letter_wire_size(bytes_of(rows[i].text)),
		    rows[i].size, "row %zu", i);
}

static bool
make(struct smtp_words *words, const char *from, struct buffer *content)
{
	struct error error;

	buffer_init(content, SMTP_LETTER_MAX);
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
	struct smtp_letter_feed feed;
	char piece[4];
	char all[32] = "";
	int64_t len = 0;

	smtp_letter_feed_begin(&feed, BYTES("0123456789"));
	while ((len = smtp_letter_feed_fn(&feed, piece, sizeof(piece))) > 0)
		memcpy(all + strlen(all), piece, (size_t)len);
	smtp_letter_feed_end(&feed);
	cr_expect_eq(len, 0);
	cr_expect_str_eq(all, "0123456789");
	cr_expect_eq(smtp_letter_feed_fn(&feed, NULL, 0), 0);
	cr_expect_eq(smtp_letter_feed_fn(&feed, piece, 4), 4);
	cr_expect_eq(memcmp(piece, "0123", 4), 0);
}
