#include "smtp/reply.h"
#include "smtp/transcript.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* "code enhanced|text" of each reply, "malformed" and nothing more. */
static void
read_replies(const char *text, struct transcript_cuts *cuts, struct buffer *log,
    void *ctx)
{
	struct bytes rest = bytes_of(text);
	struct transcript_line line;
	struct reply_reader reader;
	struct buffer octets, input;
	enum reply_progress progress = REPLY_UNFINISHED;
	struct reply reply;

	(void)ctx;
	buffer_init(&octets, REPLY_SIZE_MAX);
	buffer_init(&input, REPLY_SIZE_MAX);
	reply_reader_init(&reader);
	while (transcript_next(&rest, &line))
		if (line.kind == 'S')
			transcript_unescape(&octets, line.text);
	while (octets.len > 0 && progress != REPLY_MALFORMED) {
		const size_t len = transcript_piece(cuts, octets.len);
		buffer_append(&input, bytes_first(buffer_bytes(&octets), len));
		buffer_consume(&octets, len);
		do {
			progress = reply_read(&reader, &input, &reply);
			if (progress != REPLY_FINISHED)
				continue;
			buffer_printf(log, "R: %d %.*s|", reply.code,
			    BYTES_ARGS(reply.enhanced));
			transcript_escape(log, reply.text);
			buffer_append_char(log, '\n');
		} while (progress == REPLY_FINISHED);
	}
	if (progress == REPLY_MALFORMED)
		buffer_append_text(log, "R: malformed\n");
	reply_reader_clear(&reader);
	buffer_clear(&octets);
	buffer_clear(&input);
}

static const struct {
	const char *name;
	const char *text;
} rows[] = {
    {"one line", "S: 250 ok\\r\\n\n R: 250 |ok\n"},
    {"no text", "S: 250\\r\\n\n R: 250 |\n"},
    {"a blank and no text", "S: 250 \\r\\n\n R: 250 |\n"},
    {"a bare LF ends a line", "S: 250 ok\\n\n R: 250 |ok\n"},
    {"several lines",
	"S: 250-a\\r\\n250- b \\r\\n250-\\r\\n250 c\\r\\n\n"
	"R: 250 |a\\nb\\n\\nc\n"},
    {"two replies", "S: 220 hi\\r\\n354 go\\r\\n\n R: 220 |hi\n R: 354 |go\n"},
    {"an unfinished line is none", "S: 250 ok\\r\n"},
    {"an unfinished reply is none", "S: 250-ok\\r\\n250\n"},
    {"enhanced code",
	"S: 550 5.1.1 no such user\\r\\n\n R: 550 5.1.1|5.1.1 no such user\n"},
    {"enhanced code alone", "S: 250 2.0.0\\r\\n\n R: 250 2.0.0|2.0.0\n"},
    {"enhanced code of the first line only",
	"S: 550-no\\r\\n550 5.1.1 x\\r\\n\n R: 550 |no\\n5.1.1 x\n"},
    {"enhanced code of another class",
	"S: 550 4.1.1 x\\r\\n\n R: 550 |4.1.1 x\n"},
    {"unknown codes pass", "S: 599 x\\r\\n\n R: 599 |x\n"},
    {"NUL and 8 bit in the text pass",
	"S: 250 a\\x00b\\xff\\x1b\\r\\n\n R: 250 |a\\x00b\\xff\\x1b\n"},
    {"no digits", "S: hello\\r\\n\n R: malformed\n"},
    {"two digits", "S: 25\\r\\n\n R: malformed\n"},
    {"four digits", "S: 2500 ok\\r\\n\n R: malformed\n"},
    {"a number too large", "S: 99999999999999999999 x\\r\\n\n R: malformed\n"},
    {"1yz", "S: 150 ok\\r\\n\n R: malformed\n"},
    {"6yz", "S: 650 ok\\r\\n\n R: malformed\n"},
    {"a sign", "S: +25 ok\\r\\n\n R: malformed\n"},
    {"a blank first", "S: \\x20250 ok\\r\\n\n R: malformed\n"},
    {"a tab behind the code", "S: 250\\tok\\r\\n\n R: malformed\n"},
    {"NUL", "S: \\x00\\r\\n\n R: malformed\n"},
    {"NUL behind the code", "S: 250\\x00ok\\r\\n\n R: malformed\n"},
    {"an empty line", "S: \\r\\n\n R: malformed\n"},
    {"an empty line between", "S: 250-ok\\r\\n\\r\\n\n R: malformed\n"},
    {"another code midway", "S: 250-ok\\r\\n550 no\\r\\n\n R: malformed\n"},
    {"nonsense behind a reply",
	"S: 250 ok\\r\\nnonsense\\r\\n\n R: 250 |ok\n R: malformed\n"},
    {"a lone CR is text", "S: 250 a\\rb\\r\\n\n R: 250 |a\\rb\n"},
};

Test(reply, is_read_however_it_is_cut)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		transcript_check(
		    rows[i].name, rows[i].text, "R", read_replies, NULL);
}

Test(reply, takes_no_line_that_does_not_begin_with_three_digits)
{
	struct reply_reader reader;
	struct buffer input;
	struct reply reply;

	reply_reader_init(&reader);
	for (int octet = 0; octet < 256; octet++) {
		const char line[] = {(char)octet, '5', '0', ' ', '\n'};
		const bool is_code = octet >= '2' && octet <= '5';
		buffer_init(&input, 100);
		buffer_append(&input, bytes_make(line, sizeof(line)));
		if (octet != '\n')
			cr_expect_eq(reply_read(&reader, &input, &reply),
			    is_code ? REPLY_FINISHED : REPLY_MALFORMED, "%d",
			    octet);
		buffer_clear(&input);
	}
	reply_reader_clear(&reader);
}

struct limit {
	const char *name;
	size_t line_len; /* with CRLF */
	size_t lines;
	bool has_end;
	enum reply_progress expected;
	const char *code;
};

/* lines times "250-aaa...", of line_len octets each. */
static enum reply_progress
read_lines(const struct limit *limit, size_t *out_input_len)
{
	struct reply_reader reader;
	struct buffer input;
	struct reply reply;
	enum reply_progress progress = REPLY_UNFINISHED;
	size_t most = 0;

	reply_reader_init(&reader);
	buffer_init(&input, (size_t)16 * 1024);
	for (size_t i = 0; i < limit->lines && progress == REPLY_UNFINISHED;
	     i++) {
		const bool is_last = i + 1 == limit->lines;
		buffer_printf(&input, "%s%c", limit->code,
		    is_last && limit->has_end ? ' ' : '-');
		while (input.len + 2 < limit->line_len)
			buffer_append_char(&input, 'a');
		buffer_append_text(&input, "\r\n");
		progress = reply_read(&reader, &input, &reply);
		most = input.len > most ? input.len : most;
	}
	*out_input_len = most;
	reply_reader_clear(&reader);
	buffer_clear(&input);
	return progress;
}

Test(reply, is_bounded)
{
	static const struct limit limits[] = {
	    {"longest line", REPLY_LINE_MAX, 1, true, REPLY_FINISHED, "250"},
	    {"line too long", REPLY_LINE_MAX + 1, 1, true, REPLY_MALFORMED,
		"250"},
	    {"longest challenge", REPLY_CHALLENGE_MAX, 1, true, REPLY_FINISHED,
		"334"},
	    {"challenge too long", REPLY_CHALLENGE_MAX + 1, 1, true,
		REPLY_MALFORMED, "334"},
	    {"no challenge", REPLY_LINE_MAX + 1, 1, true, REPLY_MALFORMED,
		"335"},
	    {"most lines", 10, REPLY_LINES_MAX, true, REPLY_FINISHED, "250"},
	    {"one line more", 10, REPLY_LINES_MAX + 1, true, REPLY_MALFORMED,
		"250"},
	    {"endless", 10, 1000000, false, REPLY_MALFORMED, "250"},
	    {"largest", REPLY_LINE_MAX, 128, true, REPLY_FINISHED, "250"},
	    {"too large", REPLY_LINE_MAX, 130, true, REPLY_MALFORMED, "250"},
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		size_t input_len = 0;
		cr_expect_eq(read_lines(&limits[i], &input_len),
		    limits[i].expected, "%s", limits[i].name);
	}
}

Test(reply, is_malformed_as_soon_as_a_line_without_end_is_too_long)
{
	struct reply_reader reader;
	struct buffer input;
	struct reply reply;

	reply_reader_init(&reader);
	buffer_init(&input, REPLY_LINE_MAX);
	for (size_t i = 0; i < REPLY_LINE_MAX; i++) {
		cr_assert_eq(
		    reply_read(&reader, &input, &reply), REPLY_UNFINISHED);
		buffer_append_char(&input, '2');
	}
	cr_expect_eq(reply_read(&reader, &input, &reply), REPLY_MALFORMED);
	cr_expect_eq(input.len, REPLY_LINE_MAX, "what is at fault stays");
	reply_reader_clear(&reader);
	buffer_clear(&input);
}

static void
log_line(struct bytes line, void *ctx)
{
	buffer_append(ctx, line);
	buffer_append_char(ctx, '|');
}

Test(reply, shows_each_line_as_it_is_taken)
{
	struct reply_reader reader;
	struct buffer input, lines;
	struct reply reply;

	reply_reader_init(&reader);
	buffer_init(&input, 100);
	buffer_init(&lines, 100);
	reader.on_line = log_line;
	reader.ctx = &lines;
	buffer_append_text(&input, "250-a\r\n25");
	cr_expect_not(reply_is_begun(&reader));
	cr_expect_eq(reply_read(&reader, &input, &reply), REPLY_UNFINISHED);
	cr_expect(reply_is_begun(&reader));
	buffer_append_text(&input, "0 b\n");
	cr_expect_eq(reply_read(&reader, &input, &reply), REPLY_FINISHED);
	cr_expect_not(reply_is_begun(&reader));
	cr_expect(bytes_is(buffer_bytes(&lines), "250-a\r\n|250 b\n|"));
	reply_reader_clear(&reader);
	buffer_clear(&input);
	buffer_clear(&lines);
}

Test(reply, has_an_enhanced_code_only_in_its_form_and_class)
{
	static const struct {
		int code;
		const char *text;
		const char *expected;
	} cases[] = {
	    {250, "2.1.5 ok", "2.1.5"},
	    {250, "2.1.5", "2.1.5"},
	    {250, "2.1.5\nmore", "2.1.5"},
	    {550, "5.123.456 x", "5.123.456"},
	    {452, "4.5.3", "4.5.3"},
	    {550, "5.1234.1 x", ""},
	    {550, "5.1.1234 x", ""},
	    {550, "5.1 x", ""},
	    {550, "5..1 x", ""},
	    {550, "5.1. x", ""},
	    {550, "5.1.1x", ""},
	    {550, "5.1.1.1", ""},
	    {550, "2.1.1 x", ""},
	    {354, "3.0.0 x", ""},
	    {550, "", ""},
	    {550, "5", ""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct bytes found =
		    reply_enhanced(cases[i].code, bytes_of(cases[i].text));
		cr_expect(bytes_is(found, cases[i].expected), "%d %s: \"%.*s\"",
		    cases[i].code, cases[i].text, BYTES_ARGS(found));
	}
}

Test(reply, is_written_as_one_printable_line)
{
	static const struct {
		int code;
		const char *enhanced;
		const char *text;
		const char *expected;
	} cases[] = {
	    {250, "2.1.5", "ok", "250 2.1.5 ok\r\n"},
	    {354, "", "go", "354 go\r\n"},
	    {220, "", "", "220 \r\n"},
	    {501, "5.5.4", "a\r\n250 b\x1b\xff", "501 5.5.4 a??250 b??\r\n"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buffer output;
		buffer_init(&output, 100);
		reply_write(
		    &output, cases[i].code, cases[i].enhanced, cases[i].text);
		cr_expect(bytes_is(buffer_bytes(&output), cases[i].expected),
		    "%s", cases[i].expected);
		buffer_clear(&output);
	}
}
