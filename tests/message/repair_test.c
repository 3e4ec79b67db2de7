#include "message/header.h"
#include "message/repair.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef void repair_fn(
    struct repair *repair, struct bytes piece, struct buffer *output);

static void
fold_plain(struct repair *repair, struct bytes piece, struct buffer *output)
{
	repair_fold(repair, piece, false, output);
}

static void
fold_masked(struct repair *repair, struct bytes piece, struct buffer *output)
{
	repair_fold(repair, piece, true, output);
}

static void
run(repair_fn *fn, struct bytes content, size_t step, struct buffer *output)
{
	struct repair repair = {0};

	while (content.len > 0) {
		fn(&repair, bytes_first(content, step), output);
		content = bytes_from(content, step);
	}
}

static void
expect_lines_fit(struct bytes text)
{
	while (text.len > 0) {
		struct bytes line = bytes_cut(&text, '\n');
		cr_expect_leq(line.len, HEADER_LINE_MAX + 1);
	}
}

static const struct row {
	const char *name;
	repair_fn *fn;
	const char *content;
	const char *expected;
} rows[] = {
    {"fold leaves short lines", fold_plain, "a\r\nb \xff\r\n",
	"a\r\nb \xff\r\n"},
    {"lone CR and LF", fold_plain, "a\rb\nc\r\r\n\n\r",
	"a\r\nb\r\nc\r\n\r\n\r\n\r\n"},
    {"mask", fold_masked, "a\xc3\xb6z\r\n",
	"a?"
	"?z\r\n"},
    {"quoted-printable", repair_quoted, "a=C3\xc3\xb6=\r\nx",
	"a=C3=C3=B6=\r\nx"},
    {"base64", repair_base64, "Zm9v \xff\tYg==\r\n", "Zm9vYg==\r\n"},
};

Test(repair, mends)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buffer output;
		buffer_init(&output, 10000);
		run(rows[i].fn, bytes_of(rows[i].content), 1, &output);
		cr_expect(bytes_is(buffer_bytes(&output), rows[i].expected),
		    "%s: \"%.*s\"", rows[i].name,
		    BYTES_ARGS(buffer_bytes(&output)));
		buffer_clear(&output);
	}
}

Test(repair, folds_at_998_octets_exactly)
{
	char text[2000];
	struct buffer output;

	buffer_init(&output, 10000);
	memset(text, 'x', sizeof(text));
	run(fold_plain, bytes_make(text, 998), 7, &output);
	cr_expect_eq(output.len, 998);
	buffer_empty(&output);
	run(fold_plain, bytes_make(text, 999), 7, &output);
	cr_expect_eq(output.len, 999 + 3);
	cr_expect(bytes_is(bytes_from(buffer_bytes(&output), 998), "\r\n x"));
	buffer_clear(&output);
}

Test(repair, folds_between_characters)
{
	for (size_t shift = 0; shift < 4; shift++) {
		char text[4000];
		struct buffer output;
		memset(text, 'x', shift);
		for (size_t i = shift; i + 4 <= sizeof(text); i += 4)
			memcpy(text + i, "\xf0\x9f\x98\x80", 4);
		buffer_init(&output, 10000);
		run(fold_plain, bytes_make(text, 3600 + shift), 5, &output);
		expect_lines_fit(buffer_bytes(&output));
		cr_expect(bytes_is_utf8(buffer_bytes(&output)));
		struct bytes lines = buffer_bytes(&output);
		while (lines.len > 0)
			cr_expect(bytes_is_utf8(bytes_cut(&lines, '\n')));
		buffer_clear(&output);
	}
}

Test(repair, never_breaks_an_escape)
{
	for (size_t shift = 0; shift < 3; shift++) {
		char text[6000];
		struct buffer output;
		memset(text, 'x', shift);
		for (size_t i = shift; i + 3 <= sizeof(text); i += 3)
			memcpy(text + i, "=D0", 3);
		buffer_init(&output, 20000);
		run(repair_quoted, bytes_make(text, 5700 + shift), 11, &output);
		expect_lines_fit(buffer_bytes(&output));
		struct bytes rest = buffer_bytes(&output);
		size_t breaks = 0;
		for (size_t i = 0; i + 2 < rest.len; i++) {
			if (rest.data[i] != '=')
				continue;
			bool is_break = rest.data[i + 1] == '\r';
			breaks += is_break;
			cr_assert(is_break || rest.data[i + 1] == 'D');
			cr_assert(is_break || rest.data[i + 2] == '0');
		}
		cr_expect_eq(breaks, 5);
		buffer_clear(&output);
	}
}

Test(repair, gives_lines_that_fit_however_it_is_cut)
{
	repair_fn *const fns[] = {
	    fold_plain, fold_masked, repair_quoted, repair_base64};
	static const char alphabet[] = "aaaa==\xc3\xb6\xf0\x9f\xff \r\0";
	unsigned seed = (unsigned)time(NULL);
	srand(seed);

	for (int round = 0; round < 2000; round++) {
		char text[5000];
		struct buffer whole;
		struct buffer cut;
		for (size_t i = 0; i < sizeof(text); i++)
			text[i] =
			    alphabet[(size_t)rand() % (sizeof(alphabet) - 1)];
		buffer_init(&whole, 100000);
		buffer_init(&cut, 100000);
		struct bytes content = bytes_make(text, sizeof(text));
		run(fns[round % 4], content, sizeof(text), &whole);
		run(fns[round % 4], content, (size_t)rand() % 60 + 1, &cut);
		cr_assert(bytes_equal(buffer_bytes(&whole), buffer_bytes(&cut)),
		    "seed %u", seed);
		expect_lines_fit(buffer_bytes(&whole));
		buffer_clear(&whole);
		buffer_clear(&cut);
	}
}
