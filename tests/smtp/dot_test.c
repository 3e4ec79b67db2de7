#include "smtp/dot.h"

#include <criterion/criterion.h>
#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static void
append_encoded(
    struct buffer *output, struct bytes content, bool dots, size_t piece)
{
	struct dot_encoder encoder;

	dot_encoder_init(&encoder);
	while (content.len > 0) {
		dot_encode(&encoder, bytes_first(content, piece), dots, output);
		content = bytes_from(content, piece);
	}
	dot_encode_end(&encoder, dots, output);
}

Test(dot, encodes_for_the_wire_however_it_is_cut)
{
	static const struct {
		const char *content, *data, *bdat;
	} rows[] = {
	    {"", ".\r\n", ""},
	    {"a\r\n", "a\r\n.\r\n", "a\r\n"},
	    {"a", "a\r\n.\r\n", "a\r\n"},
	    {".", "..\r\n.\r\n", ".\r\n"},
	    {".\r\n", "..\r\n.\r\n", ".\r\n"},
	    {"..\r\n", "...\r\n.\r\n", "..\r\n"},
	    {"a.\r\n.b\r\n", "a.\r\n..b\r\n.\r\n", "a.\r\n.b\r\n"},
	    {"\r\n.\r\n", "\r\n..\r\n.\r\n", "\r\n.\r\n"},
	    {"a\n.\nb", "a\r\n..\r\nb\r\n.\r\n", "a\r\n.\r\nb\r\n"},
	    {"a\r.\rb", "a\r\n..\r\nb\r\n.\r\n", "a\r\n.\r\nb\r\n"},
	    {"a\r", "a\r\n.\r\n", "a\r\n"},
	    {"a\r\r\n", "a\r\n\r\n.\r\n", "a\r\n\r\n"},
	    {"a\n\r\n", "a\r\n\r\n.\r\n", "a\r\n\r\n"},
	    {"\n", "\r\n.\r\n", "\r\n"},
	    {"\r", "\r\n.\r\n", "\r\n"},
	    {"\n\n\r\r", "\r\n\r\n\r\n\r\n.\r\n", "\r\n\r\n\r\n\r\n"},
	};
	struct buffer output;

	buffer_init(&output, 1000);
	for (size_t i = 0; i < COUNT(rows) * 5; i++) {
		size_t row = i / 5, piece = i % 5 == 0 ? 100 : i % 5;
		struct bytes content = bytes_of(rows[row].content);
		buffer_empty(&output);
		append_encoded(&output, content, true, piece);
		cr_expect(bytes_is(buffer_bytes(&output), rows[row].data),
		    "DATA row %zu by %zu", row, piece);
		buffer_empty(&output);
		append_encoded(&output, content, false, piece);
		cr_expect(bytes_is(buffer_bytes(&output), rows[row].bdat),
		    "BDAT row %zu by %zu", row, piece);
	}
	buffer_clear(&output);
}

struct decoded {
	struct dot_decoder decoder;
	struct buffer content;
	size_t used; /* of all input */
	bool end;
};

static void
decode(struct decoded *decoded, struct bytes input, bool dots, size_t piece)
{
	dot_decoder_init(&decoded->decoder);
	buffer_empty(&decoded->content);
	decoded->used = 0;
	decoded->end = false;
	while (input.len > 0 && !decoded->end) {
		struct bytes part = bytes_first(input, piece);
		struct bytes content;
		size_t used = dot_decode(
		    &decoded->decoder, part, dots, &content, &decoded->end);
		cr_assert(used <= part.len);
		cr_assert(used > 0 || content.len > 0, "no progress");
		buffer_append(&decoded->content, content);
		decoded->used += used;
		input = bytes_from(input, used);
	}
	if (!decoded->end)
		buffer_append(
		    &decoded->content, dot_decode_end(&decoded->decoder));
}

Test(dot, leaves_lines_as_they_are_where_told_however_it_is_cut)
{
	static const struct {
		const char *content, *data;
	} rows[] = {
	    {"", ".\r\n"},
	    {"a\r\n", "a\r\n.\r\n"},
	    {"a", "a\r\n.\r\n"},
	    {"a\n", "a\n\r\n.\r\n"},
	    {"a\r", "a\r\r\n.\r\n"},
	    {".\n.\r.\n", "..\n..\r.\n\r\n.\r\n"},
	    {".\r\n..\r\n", "..\r\n...\r\n.\r\n"},
	};
	struct dot_encoder encoder;
	struct buffer output;

	buffer_init(&output, 1000);
	for (size_t i = 0; i < COUNT(rows) * 5; i++) {
		const size_t piece = i % 5 == 0 ? 100 : i % 5;
		struct bytes content = bytes_of(rows[i / 5].content);
		buffer_empty(&output);
		dot_encoder_init(&encoder);
		encoder.raw = true;
		for (; content.len > 0; content = bytes_from(content, piece))
			dot_encode(&encoder, bytes_first(content, piece), true,
			    &output);
		dot_encode_end(&encoder, true, &output);
		cr_expect(bytes_is(buffer_bytes(&output), rows[i / 5].data),
		    "%zu by %zu: %.*s", i / 5, piece,
		    BYTES_ARGS(buffer_bytes(&output)));
	}
	buffer_clear(&output);
}

Test(dot, decodes_from_the_wire_however_it_is_cut)
{
	static const struct {
		const char *input;
		bool dots;
		const char *content;
		bool end, bare;
	} rows[] = {
	    {".\r\n", true, "", true, false},
	    {".\r\nrest", true, "", true, false},
	    {"a\r\n.\r\n", true, "a\r\n", true, false},
	    {"a\r\n..\r\n.\r\n", true, "a\r\n.\r\n", true, false},
	    {"a\r\n.b\r\n.\r\n", true, "a\r\nb\r\n", true, false},
	    {"a.\r\n.\r\n", true, "a.\r\n", true, false},
	    {"\r\n\r\n.\r\n", true, "\r\n\r\n", true, false},
	    {"a", true, "a", false, false},
	    {"a\r\n", true, "a\r\n", false, false},
	    {"a\n.\r\n", true, "a\r\n.\r\n", false, true},
	    {"a\n..\r\n", true, "a\r\n.\r\n", false, true},
	    {"a\r.\r\n", true, "a\r\n.\r\n", false, true},
	    {"a\r\n.\rb", true, "a\r\n\r\nb", false, true},
	    {"a\r\n.\nb", true, "a\r\n\r\nb", false, true},
	    {"a\r\r\n.\r\n", true, "a\r\n\r\n", true, true},
	    {"a\r\n.\r\n", false, "a\r\n.\r\n", false, false},
	    {".\r\n..", false, ".\r\n..", false, false},
	    {"a\n.b\rc\r", false, "a\r\n.b\r\nc\r\n", false, true},
	    {"\r\r\n\n", false, "\r\n\r\n\r\n", false, true},
	};
	struct decoded decoded;

	buffer_init(&decoded.content, 1000);
	for (size_t i = 0; i < COUNT(rows) * 5; i++) {
		size_t row = i / 5, piece = i % 5 == 0 ? 100 : i % 5;
		decode(
		    &decoded, bytes_of(rows[row].input), rows[row].dots, piece);
		cr_expect(
		    bytes_is(buffer_bytes(&decoded.content), rows[row].content),
		    "row %zu by %zu", row, piece);
		cr_expect_eq(decoded.end, rows[row].end, "row %zu", row);
		cr_expect_eq(
		    decoded.decoder.saw_bare, rows[row].bare, "row %zu", row);
		cr_expect_not(decoded.decoder.saw_nul, "row %zu", row);
	}
	buffer_clear(&decoded.content);
}

Test(dot, leaves_what_stands_behind_the_end)
{
	struct decoded decoded;

	buffer_init(&decoded.content, 1000);
	for (size_t piece = 1; piece < 20; piece++) {
		decode(&decoded, BYTES("a\r\n.\r\nQUIT\r\n"), true, piece);
		cr_expect(decoded.end);
		cr_expect_eq(decoded.used, 6);
	}
	buffer_clear(&decoded.content);
}

Test(dot, tells_of_nul)
{
	static const struct bytes rows[] = {{"\0", 1}, {"a\r\n\0.\r\n", 7},
	    {"a\r\n.\0\r\n", 7}, {"a\n\0", 3}, {"a\r\0", 3}};
	struct decoded decoded;

	buffer_init(&decoded.content, 1000);
	for (size_t i = 0; i < COUNT(rows) * 4; i++) {
		decode(&decoded, rows[i / 4], i % 2 == 0, i % 4 < 2 ? 1 : 100);
		cr_expect(decoded.decoder.saw_nul, "row %zu", i / 4);
		cr_expect_not(decoded.end);
	}
	buffer_clear(&decoded.content);
}

/* Many lines are one run, not a run each. */
Test(dot, gives_lines_in_long_runs)
{
	struct dot_decoder decoder;
	struct buffer input;
	struct bytes content;
	bool end;

	buffer_init(&input, 100000);
	for (int i = 0; i < 1000; i++)
		buffer_append_text(&input, "a line of some octets\r\n");
	dot_decoder_init(&decoder);
	size_t used =
	    dot_decode(&decoder, buffer_bytes(&input), true, &content, &end);
	cr_expect_eq(used, input.len);
	cr_expect_eq(content.len, input.len);
	cr_expect_eq(content.data, buffer_bytes(&input).data, "a view");
	buffer_clear(&input);
}

/* What is decoded and encoded again is canonical: the same once more. */
Test(dot, makes_any_octets_canonical)
{
	static const char octets[] = "\r\n.a";
	struct buffer once, twice;
	struct decoded decoded;

	buffer_init(&once, 1000);
	buffer_init(&twice, 1000);
	buffer_init(&decoded.content, 1000);
	for (unsigned number = 0; number < 65536; number++) {
		char text[8];
		for (unsigned i = 0; i < 8; i++)
			text[i] = octets[(number >> (2 * i)) & 3];
		buffer_empty(&once);
		append_encoded(&once, bytes_make(text, 8), true, 100);
		decode(&decoded, buffer_bytes(&once), true, 3);
		cr_assert(decoded.end, "%u", number);
		cr_assert_eq(decoded.used, once.len, "%u", number);
		cr_assert_not(decoded.decoder.saw_bare, "%u", number);
		buffer_empty(&twice);
		append_encoded(
		    &twice, buffer_bytes(&decoded.content), true, 100);
		cr_assert(
		    bytes_equal(buffer_bytes(&once), buffer_bytes(&twice)),
		    "%u", number);
	}
	buffer_clear(&once);
	buffer_clear(&twice);
	buffer_clear(&decoded.content);
}

/* RFC 5321 4.5.3.1.6; however it is cut. */
Test(dot, sees_lines_that_are_too_long)
{
	static const struct {
		size_t len;
		const char *between; /* two lines */
		bool is_long;
	} rows[] = {
	    {DOT_LINE_MAX, "\r\n", false},
	    {DOT_LINE_MAX, "\n", false},
	    {DOT_LINE_MAX, "\r", false},
	    {DOT_LINE_MAX / 2, "", false},
	    {DOT_LINE_MAX / 2 + 1, "", true},
	    {DOT_LINE_MAX + 1, "\r\n", true},
	    {DOT_LINE_MAX + 1, "\n", true},
	};
	static const size_t pieces[] = {1, 7, 997, 998, 999, 5000};
	struct buffer text;

	for (size_t i = 0; i < COUNT(rows) * COUNT(pieces); i++) {
		const size_t row = i / COUNT(pieces);
		const size_t piece = pieces[i % COUNT(pieces)];
		size_t column = 0;
		bool is_long = false;
		buffer_init(&text, 4096);
		for (size_t j = 0; j < 2 * rows[row].len; j++) {
			if (j == rows[row].len)
				buffer_append_text(&text, rows[row].between);
			buffer_append_char(&text, '.');
		}
		for (struct bytes rest = buffer_bytes(&text); rest.len > 0;
		     rest = bytes_from(rest, piece))
			is_long |= dot_has_long_line(
			    bytes_first(rest, piece), &column);
		cr_expect_eq(
		    is_long, rows[row].is_long, "%zu by %zu", row, piece);
		buffer_clear(&text);
	}
}
