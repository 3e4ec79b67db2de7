#include "lib/watched.h"
#include "message/parts.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The structure as text: a letter for each stretch (H, B, G), its part and its
 * octets in brackets. */
static void
print(struct buffer *output, const struct parts *parts, struct bytes content)
{
	for (size_t i = 0; i < parts->stretch_count; i++) {
		const struct stretch *stretch = &parts->stretches[i];
		struct bytes octets =
		    bytes_first(bytes_from(content, (size_t)stretch->offset),
			(size_t)stretch->len);
		buffer_printf(
		    output, "%c%zu[", "HBG"[stretch->kind], stretch -> part);
		for (size_t k = 0; k < octets.len; k++) {
			if (octets.data[k] == '\r')
				continue;
			buffer_append_char(output,
			    octets.data[k] == '\n' ? '/' : octets.data[k]);
		}
		buffer_append_text(output, "]");
	}
}

static void
find(struct parts *parts, struct bytes content)
{
	struct error error = {0};
	struct body body;

	body_init(&body);
	body_set(&body, content);
	cr_assert(parts_find(&body, parts, &error), "%s", error_text(&error));
	body_clear(&body);
}

#define MIXED "Content-Type: multipart/mixed; boundary=x\r\n\r\n"

static const struct row {
	const char *name;
	const char *content;
	const char *expected;
} rows[] = {
    {"nothing", "", "H0[]B0[]"},
    {"body only", "hello\r\n", "H0[]B0[hello/]"},
    {"header only", "A: b\r\n", "H0[A: b/]B0[]"},
    {"header and body", "A: b\r\n\r\nhello\r\n", "H0[A: b//]B0[hello/]"},
    {"no empty line", "A: b\r\nhello\r\n", "H0[A: b/]B0[hello/]"},
    {"LF", "A: b\n c\n\nhello", "H0[A: b/ c//]B0[hello]"},
    {"a boundary of nothing", "A: b\r\n\r\n--x\r\nC: d\r\n",
	"H0[A: b//]B0[--x/C: d/]"},
    {"two parts",
	MIXED "pre\r\n--x\r\nA: b\r\n\r\n1\r\n--x\r\n\r\n2\r\n--x--"
	      "\r\npost\r\n",
	"H0[Content-Type: multipart/mixed; boundary=x//]G0[pre/]G0[--x/]"
	"H1[A: b//]B1[1]G0[/--x/]H2[/]B2[2]G0[/--x--/post/]"},
    {"empty parts", MIXED "--x\r\n--x\r\n\r\n--x--\r\n",
	"H0[Content-Type: multipart/mixed; boundary=x//]G0[]G0[--x/]"
	"H1[]B1[]G0[--x/]H2[/]B2[]G0[--x--/]"},
    {"not closed", MIXED "--x\r\n\r\n1\r\n",
	"H0[Content-Type: multipart/mixed; boundary=x//]G0[]G0[--x/]"
	"H1[/]B1[1/]"},
    {"no boundary at all", MIXED "hello\r\n",
	"H0[Content-Type: multipart/mixed; boundary=x//]G0[hello/]"},
    {"blanks behind it, and a longer one",
	MIXED "--x \t\r\n\r\n--xy\r\n--x-- \r\n",
	"H0[Content-Type: multipart/mixed; boundary=x//]G0[]G0[--x \t/]"
	"H1[/]B1[--xy]G0[/--x-- /]"},
    {"no empty line before it",
	"Content-Type: multipart/mixed; boundary=x\r\n--x\r\n1\r\n--x--\r\n",
	"H0[Content-Type: multipart/mixed; boundary=x/]G0[]G0[--x/]"
	"H1[]B1[1]G0[/--x--/]"},
    {"nested",
	MIXED "--x\r\nContent-Type: multipart/alternative;\r\n"
	      " boundary=\"y z\"\r\n\r\n--y z\r\n\r\n1\r\n--y z--\r\n--x\r\n"
	      "\r\n2\r\n--x--\r\n",
	"H0[Content-Type: multipart/mixed; boundary=x//]G0[]G0[--x/]"
	"H1[Content-Type: multipart/alternative;/ boundary=\"y z\"//]G1[]"
	"G1[--y z/]H2[/]B2[1]G1[/--y z--/]G0[--x/]H3[/]B3[2]G0[/--x--/]"},
    {"an inner one not closed",
	MIXED "--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n"
	      "\r\n1\r\n--x--\r\n",
	"H0[Content-Type: multipart/mixed; boundary=x//]G0[]G0[--x/]"
	"H1[Content-Type: multipart/mixed; boundary=y//]G1[]G1[--y/]"
	"H2[/]B2[1]G0[/--x--/]"},
    {"signed parts are not looked into",
	"Content-Type: multipart/signed; boundary=x\r\n\r\n--x\r\n\r\n1\r\n",
	"H0[Content-Type: multipart/signed; boundary=x//]B0[--x//1/]"},
    {"nor messages", "Content-Type: message/rfc822\r\n\r\nA: b\r\n\r\n1\r\n",
	"H0[Content-Type: message/rfc822//]B0[A: b//1/]"},
};

Test(parts, finds_the_structure)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bytes content = bytes_of(rows[i].content);
		struct parts parts;
		struct buffer output;
		buffer_init(&output, 10000);
		find(&parts, content);
		print(&output, &parts, content);
		cr_expect(bytes_is(buffer_bytes(&output), rows[i].expected),
		    "%s:\n%.*s\n%s", rows[i].name,
		    BYTES_ARGS(buffer_bytes(&output)), rows[i].expected);
		buffer_clear(&output);
		parts_clear(&parts);
	}
}

static const struct kind_row {
	const char *name;
	const char *header;
	enum part_kind kind;
	enum transfer_encoding encoding;
	bool is_text;
	const char *charset;
} kind_rows[] = {
    {"nothing said", "", PART_LEAF, TRANSFER_7BIT, true, ""},
    {"text",
	"Content-Type: text/html; charset=\"koi8-r\"\r\n"
	"Content-Transfer-Encoding: 8bit\r\n",
	PART_LEAF, TRANSFER_8BIT, true, "koi8-r"},
    {"in capitals, with comments",
	"CONTENT-TYPE: TEXT/PLAIN (x; y) ; CHARSET = utf-8 (z)\r\n"
	"CONTENT-TRANSFER-ENCODING: BASE64 (x)\r\n",
	PART_LEAF, TRANSFER_BASE64, true, "utf-8"},
    {"folded",
	"Content-Type: text/plain;\r\n\tformat=flowed;\r\n"
	"\tcharset=us-ascii\r\n",
	PART_LEAF, TRANSFER_7BIT, true, "us-ascii"},
    {"an image", "Content-Type: image/png\r\n", PART_LEAF, TRANSFER_7BIT, false,
	""},
    {"an encoding of nobody", "Content-Transfer-Encoding: x-uue\r\n", PART_LEAF,
	TRANSFER_OTHER, true, ""},
    {"signed", "Content-Type: multipart/signed; boundary=x\r\n", PART_SEALED,
	TRANSFER_7BIT, false, ""},
    {"encrypted", "Content-Type: Multipart/Encrypted; boundary=x\r\n",
	PART_SEALED, TRANSFER_7BIT, false, ""},
    {"a message", "Content-Type: message/rfc822\r\n", PART_OPAQUE,
	TRANSFER_7BIT, false, ""},
    {"multipart without boundary", "Content-Type: multipart/mixed\r\n",
	PART_OPAQUE, TRANSFER_7BIT, false, ""},
    {"multipart that says base64",
	"Content-Type: multipart/mixed; boundary=x\r\n"
	"Content-Transfer-Encoding: base64\r\n",
	PART_LEAF, TRANSFER_BASE64, false, ""},
    {"a charset that is none", "Content-Type: text/plain; charset=\"a\tb\"\r\n",
	PART_LEAF, TRANSFER_7BIT, true, ""},
};

Test(parts, reads_the_type)
{
	for (size_t i = 0; i < sizeof(kind_rows) / sizeof(kind_rows[0]); i++) {
		const struct kind_row *row = &kind_rows[i];
		struct parts parts;
		find(&parts, bytes_of(row->header));
		const struct part *part = &parts.parts[0];
		cr_expect_eq(part->kind, row->kind, "%s", row->name);
		cr_expect_eq(part->encoding, row->encoding, "%s", row->name);
		cr_expect_eq(part->is_text, row->is_text, "%s", row->name);
		cr_expect_str_eq(part->charset, row->charset, "%s", row->name);
		parts_clear(&parts);
	}
}

Test(parts, takes_the_parts_of_a_digest_for_messages)
{
	struct parts parts;

	find(&parts,
	    BYTES("Content-Type: multipart/digest; boundary=x\r\n\r\n"
		  "--x\r\n\r\nA: b\r\n\r\n1\r\n--x\r\n"
		  "Content-Type: text/plain\r\n\r\n2\r\n--x--\r\n"));
	cr_assert_eq(parts.part_count, 3);
	cr_expect_eq(parts.parts[1].kind, PART_OPAQUE);
	cr_expect_eq(parts.parts[2].kind, PART_LEAF);
	parts_clear(&parts);
}

static const struct traits_row {
	const char *name;
	struct {
		const char *data;
		size_t len;
	} body;
	struct traits expected;
} traits_rows[] = {
#define TEXT(literal)                                                          \
	{                                                                      \
		literal, sizeof(literal) - 1                                   \
	}
    {"ASCII", TEXT("abc\r\n"), {.is_utf8 = true}},
    {"UTF-8", TEXT("\xc3\xb6\r\n"),
	{.has_8bit = true, .is_utf8 = true, .high_count = 2}},
    {"Latin-1", TEXT("\xf6 \r\n"), {.has_8bit = true, .high_count = 1}},
    {"cut UTF-8", TEXT("\xe4\xb8"), {.has_8bit = true, .high_count = 2}},
    {"overlong", TEXT("\xc0\x80"), {.has_8bit = true, .high_count = 2}},
    {"a surrogate", TEXT("\xed\xa0\x80"), {.has_8bit = true, .high_count = 3}},
    {"NUL", TEXT("\0"), {.has_nul = true, .is_utf8 = true}},
};

Test(parts, sees_what_is_in_a_stretch)
{
	for (size_t i = 0; i < sizeof(traits_rows) / sizeof(traits_rows[0]);
	     i++) {
		const struct traits_row *row = &traits_rows[i];
		struct parts parts;
		struct buffer content;
		buffer_init(&content, 1000);
		buffer_append_text(&content, "A: b\r\n\r\n");
		buffer_append(
		    &content, bytes_make(row->body.data, row->body.len));
		find(&parts, buffer_bytes(&content));
		const struct traits *traits = &parts.stretches[1].traits;
		cr_expect_eq(traits->has_8bit, row->expected.has_8bit);
		cr_expect_eq(traits->has_nul, row->expected.has_nul);
		cr_expect_eq(
		    traits->is_utf8, row->expected.is_utf8, "%s", row->name);
		cr_expect_eq(traits->high_count, row->expected.high_count);
		parts_clear(&parts);
		buffer_clear(&content);
	}
}

Test(parts, sees_lines_of_999_octets)
{
	for (size_t len = 996; len < 1002; len++) {
		for (int end = 0; end < 3; end++) {
			static const char *const ends[] = {"", "\n", "\r\n"};
			struct parts parts;
			struct buffer content;
			buffer_init(&content, 2000);
			buffer_append_text(&content, "\r\n");
			for (size_t i = 0; i < len; i++)
				buffer_append_char(&content, 'x');
			buffer_append_text(&content, ends[end]);
			find(&parts, buffer_bytes(&content));
			cr_expect_eq(parts.stretches[1].traits.has_long_line,
			    len > 998, "%zu, %d", len, end);
			parts_clear(&parts);
			buffer_clear(&content);
		}
	}
}

/* Stretches follow each other without a gap, whatever the content. */
static void
expect_covers(const struct parts *parts, size_t len, unsigned seed)
{
	uint64_t at = 0;

	for (size_t i = 0; i < parts->stretch_count; i++) {
		cr_assert_eq(parts->stretches[i].offset, at, "seed %u", seed);
		at += parts->stretches[i].len;
	}
	cr_assert_eq(at, len, "seed %u", seed);
}

Test(parts, covers_everything)
{
	static const char *const words[] = {"\r\n", "\r\n", "\n", "--x", "--y",
	    "--", "A: b", " ", "Content-Type: multipart/mixed; boundary=x\r\n",
	    "Content-Type: multipart/mixed; boundary=y\r\n",
	    "Content-Type: message/rfc822\r\n", "text", "\r", ":"};
	unsigned seed = (unsigned)time(NULL);
	srand(seed);

	for (int round = 0; round < 20000; round++) {
		struct buffer content;
		struct parts parts;
		int count = rand() % 40;
		buffer_init(&content, 10000);
		for (int i = 0; i < count; i++)
			buffer_append_text(&content,
			    words[(size_t)rand() %
				(sizeof(words) / sizeof(words[0]))]);
		find(&parts, buffer_bytes(&content));
		expect_covers(&parts, content.len, seed);
		parts_clear(&parts);
		buffer_clear(&content);
	}
}

Test(parts, has_limits)
{
	struct buffer content;
	struct parts parts;

	/* Multiparts within multiparts. */
	buffer_init(&content, SIZE_MAX);
	for (int i = 0; i < 1000; i++)
		buffer_printf(&content,
		    "%s%dz\r\nContent-Type: multipart/mixed; boundary=%dz\r\n"
		    "\r\n",
		    i == 0 ? "X: " : "--", i - 1, i);
	find(&parts, buffer_bytes(&content));
	expect_covers(&parts, content.len, 0);
	cr_expect_eq(parts.part_count, PARTS_DEPTH_MAX + 1);
	cr_expect_eq(parts.parts[PARTS_DEPTH_MAX].kind, PART_OPAQUE);
	parts_clear(&parts);
	buffer_clear(&content);

	/* Many parts. */
	buffer_append_text(&content, MIXED);
	for (int i = 0; i < 100000; i++)
		buffer_append_text(&content, "--x\r\n\r\n1\r\n");
	find(&parts, buffer_bytes(&content));
	expect_covers(&parts, content.len, 0);
	cr_expect_leq(parts.stretch_count, PARTS_MAX + 5);
	cr_expect_eq(parts.parts[parts.part_count - 1].kind, PART_OPAQUE);
	parts_clear(&parts);
	buffer_clear(&content);
}

Test(parts, reads_megabytes_in_linear_time, .timeout = 600)
{
	static const char *const units[] = {
	    "--", "--x", "--x\r\n", "--x\r\n\r\n", "\r\n", "a: b\r\n", "z"};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		struct buffer content;
		struct parts parts;
		buffer_init(&content, SIZE_MAX);
		/* As deep as can be, with boundaries alike. */
		for (int depth = 0; depth < PARTS_DEPTH_MAX; depth++)
			buffer_printf(&content,
			    "%sContent-Type: multipart/mixed; "
			    "boundary=xxxxxxxxxxxxxxxxxxxxxxxxxxxx%c\r\n\r\n"
			    "--xxxxxxxxxxxxxxxxxxxxxxxxxxxx%c\r\n",
			    "", 'a' + depth, 'a' + depth);
		while (content.len < (size_t)10 * 1024 * 1024)
			buffer_append_text(&content, units[i]);
		clock_t start = clock();
		find(&parts, buffer_bytes(&content));
		double seconds = seconds_since(start);
		cr_expect_lt(seconds, 2.0, "%s: %.1f s", units[i], seconds);
		parts_clear(&parts);
		buffer_clear(&content);
	}
}

Test(parts, tells_when_the_content_cannot_be_read)
{
	struct body body;
	struct parts parts;
	struct error error = {0};

	body_init(&body);
	body.fd = 12345;
	body.len = 10;
	cr_expect_not(parts_find(&body, &parts, &error));
	cr_expect_eq(error.kind, ERROR_SYSTEM);
	parts_clear(&parts);
	body.fd = -1;
	body.len = 0;
	body_clear(&body);
}
