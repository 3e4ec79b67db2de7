#include "lib/watched.h"
#include "message/header.h"
#include "smtp/address.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MIB ((size_t)1024 * 1024)
/* As BYTES, for static tables. */
#define TEXT(literal)                                                          \
	{                                                                      \
		literal, sizeof(literal) - 1                                   \
	}

/* ---- walking ---- */

static const struct len_row {
	const char *name;
	struct bytes content;
	size_t expected;
} len_rows[] = {
    {"nothing", TEXT(""), 0},
    {"no header", TEXT("\r\nbody"), 0},
    {"body only", TEXT("hello world\r\n"), 0},
    {"one field", TEXT("To: a\r\n\r\nbody: x\r\n"), 7},
    {"LF", TEXT("To: a\n\nbody: x\n"), 6},
    {"no empty line", TEXT("To: a\r\nhello\r\n"), 7},
    {"no line end", TEXT("To: a"), 5},
    {"folded", TEXT("To: a,\r\n b\r\n\tc\r\n\r\n"), 16},
    {"continuation of nothing", TEXT(" x\r\nTo: a\r\n"), 0},
    {"no name", TEXT(": x\r\nTo: a\r\n"), 0},
    {"blank before the colon", TEXT("To : a\r\n\r\n"), 8},
    {"blank in the name", TEXT("To x: a\r\n\r\n"), 0},
    {"mbox line", TEXT("From x Mon Nov 23 05:52:00 2026\r\nTo: a\r\n"), 0},
    {"empty value", TEXT("To:\r\nCc:\r\n\r\n"), 10},
    {"NUL in a value", TEXT("To: a\0b\r\nCc: x\r\n"), 16},
    {"NUL in a name", TEXT("T\0o: a\r\n"), 0},
    {"high octets in a name", TEXT("T\xc3\xb6: a\r\n"), 0},
    {"a CR is no line end", TEXT("To: a\rCc: b\r\n\r\n"), 13},
    {"a line of blanks continues", TEXT("To: a\r\n \r\nCc: b\r\n\r\n"), 17},
};

Test(header, ends_where_the_body_begins)
{
	for (size_t i = 0; i < sizeof(len_rows) / sizeof(len_rows[0]); i++) {
		size_t len = header_len(len_rows[i].content);
		cr_expect_eq(len, len_rows[i].expected, "%s: %zu",
		    len_rows[i].name, len);
	}
}

Test(header, gives_views_of_each_field)
{
	struct bytes header =
	    BYTES("Subject : a\r\n b\r\nX:\nTo:c@d \r\n\r\nCc: x\r\n");
	struct header_field field;

	cr_assert(header_next(&header, &field));
	cr_expect(bytes_is(field.name, "Subject"));
	cr_expect(bytes_is(field.value, " a\r\n b"));
	cr_expect(bytes_is(field.raw, "Subject : a\r\n b\r\n"));
	cr_assert(header_next(&header, &field));
	cr_expect(bytes_is(field.name, "X"));
	cr_expect(bytes_is(field.value, ""));
	cr_assert(header_next(&header, &field));
	cr_expect(bytes_is(field.value, "c@d "));
	cr_expect_not(header_next(&header, &field));
}

Test(header, finds_and_counts_fields_without_case)
{
	const struct bytes header =
	    BYTES("Received: 1\r\nTo: a\r\nRECEIVED: 2\r\nreceived : 3\r\n");
	struct header_field field;

	cr_expect_eq(header_count(header, "Received"), 3);
	cr_expect_eq(header_count(header, "Receive"), 0);
	cr_assert(header_find(header, "to", &field));
	cr_expect(bytes_is(field.value, " a"));
	cr_expect_not(header_find(header, "Cc", &field));
}

/* Octets out of which headers and trouble are made. */
static void
fill(char *text, size_t len)
{
	static const char alphabet[] =
	    "aaTC:: \t\r\n\r\n,;<>()[]\"\\@.\0\xc3\xb6";

	for (size_t i = 0; i < len; i++)
		text[i] = alphabet[(size_t)rand() % (sizeof(alphabet) - 1)];
}

Test(header, is_the_sum_of_its_fields)
{
	unsigned seed = (unsigned)time(NULL);
	srand(seed);

	for (int round = 0; round < 20000; round++) {
		char text[200];
		size_t len = (size_t)rand() % sizeof(text);
		fill(text, len);
		struct bytes content = bytes_make(text, len);
		struct bytes header = bytes_first(content, header_len(content));
		struct bytes rest = header;
		struct header_field field;
		size_t sum = 0;
		while (header_next(&rest, &field)) {
			cr_assert_eq(field.raw.data, text + sum);
			sum += field.raw.len;
		}
		cr_assert_eq(sum, header.len, "seed %u", seed);
		cr_assert_eq(header_len(header), header.len, "seed %u", seed);
	}
}

/* ---- folding ---- */

static const struct fold_row {
	const char *name;
	struct bytes value;
	const char *expected;
} unfold_rows[] = {
    {"plain", TEXT(" a b "), "a b"},
    {"folds", TEXT(" a\r\n b\n\tc"), "a b\tc"},
    {"a fold of many", TEXT("a\r\n \r\n b"), "a  b"},
    {"a line end that is no fold", TEXT("a\r\nBcc: b"), "a Bcc: b"},
    {"nothing", TEXT(" \r\n "), ""},
};

Test(header, unfolds)
{
	for (size_t i = 0; i < sizeof(unfold_rows) / sizeof(unfold_rows[0]);
	     i++) {
		struct buffer buffer;
		buffer_init(&buffer, 1000);
		header_unfold(&buffer, unfold_rows[i].value);
		cr_expect(
		    bytes_is(buffer_bytes(&buffer), unfold_rows[i].expected),
		    "%s: \"%.*s\"", unfold_rows[i].name,
		    BYTES_ARGS(buffer_bytes(&buffer)));
		buffer_clear(&buffer);
	}
}

#define W20 "aaaaaaaaaaaaaaaaaaa "

static const struct fold_row write_rows[] = {
    {"short", TEXT("a b"), "X: a b\r\n"},
    {"empty", TEXT(""), "X: \r\n"},
    {"just fits", TEXT(W20 W20 W20 "aaaaaaaaaaaaaaa"),
	"X: " W20 W20 W20 "aaaaaaaaaaaaaaa\r\n"},
    {"one too many", TEXT(W20 W20 W20 "aaaaaaaaaaaaaaaa"),
	"X: aaaaaaaaaaaaaaaaaaa aaaaaaaaaaaaaaaaaaa aaaaaaaaaaaaaaaaaaa\r\n"
	" aaaaaaaaaaaaaaaa\r\n"},
    {"a line end is a blank", TEXT("a\r\nBcc: b"), "X: a Bcc: b\r\n"},
    {"a lone CR is a blank", TEXT("a\rb"), "X: a b\r\n"},
    {"a NUL", TEXT("a\0b"), "X: a?b\r\n"},
    {"folds are undone", TEXT(" a\r\n b"), "X: a b\r\n"},
    {"tabs stay", TEXT("a\tb"), "X: a\tb\r\n"},
};

Test(header, writes_folded)
{
	for (size_t i = 0; i < sizeof(write_rows) / sizeof(write_rows[0]);
	     i++) {
		struct buffer buffer;
		buffer_init(&buffer, 1000);
		header_write(&buffer, "X", write_rows[i].value);
		cr_expect(
		    bytes_is(buffer_bytes(&buffer), write_rows[i].expected),
		    "%s: \"%.*s\"", write_rows[i].name,
		    BYTES_ARGS(buffer_bytes(&buffer)));
		buffer_clear(&buffer);
	}
}

/* Every line fits, only the first is a field, and none is only blanks. */
static void
expect_well_folded(struct bytes field, unsigned seed)
{
	struct bytes lines = field;
	bool first = true;

	cr_assert_eq(header_len(field), field.len, "seed %u", seed);
	while (lines.len > 0) {
		struct bytes line = bytes_cut(&lines, '\n');
		cr_assert(bytes_has_suffix_nocase(line, "\r"));
		cr_assert_leq(line.len, HEADER_LINE_MAX + 1);
		cr_assert(first || line.data[0] == ' ' || line.data[0] == '\t');
		cr_assert(first || bytes_trim(line).len > 0);
		first = false;
	}
}

Test(header, writes_anything_as_one_field)
{
	unsigned seed = (unsigned)time(NULL);
	static char text[6000];
	srand(seed);

	for (int round = 0; round < 1000; round++) {
		size_t len = (size_t)rand() % sizeof(text);
		struct buffer buffer;
		fill(text, len);
		/* Some long words and long runs of blanks. */
		if (len > 3000)
			memset(text + 100, round % 2 == 0 ? 'x' : ' ', 2500);
		buffer_init(&buffer, 100000);
		header_write(&buffer, "X-Long", bytes_make(text, len));
		expect_well_folded(buffer_bytes(&buffer), seed);
		buffer_clear(&buffer);
	}
}

Test(header, cuts_long_words_between_characters)
{
	static char text[3001];
	struct buffer buffer;

	for (size_t i = 0; i < 3000; i += 3)
		memcpy(text + i, "\xe4\xb8\xad", 3);
	buffer_init(&buffer, 100000);
	header_write(&buffer, "X", bytes_make(text, 3000));
	cr_expect(bytes_is_utf8(buffer_bytes(&buffer)));
	struct bytes lines = buffer_bytes(&buffer);
	while (lines.len > 0)
		cr_expect(bytes_is_utf8(bytes_cut(&lines, '\n')));
	buffer_clear(&buffer);
}

/* ---- addresses ---- */

/* expected: mailboxes with '|' behind each; "!" for BAD. */
static const struct address_row {
	const char *value;
	const char *expected;
} address_rows[] = {
    {"", ""},
    {"a@b", "a@b|"},
    {"a", "a|"},
    {"root (Cron Daemon)", "root|"},
    {"a@b, c@d,e@f", "a@b|c@d|e@f|"},
    {"<a@b>", "a@b|"},
    {"<>", "|"},
    {"John Doe <a@b>", "a@b|"},
    {"\"Doe, John\" <a@b>, c@d", "a@b|c@d|"},
    {"\"a, b", "!"},
    {"\"Doe \\\"J, x\\\" John\" <a@b>", "a@b|"},
    {"=?utf-8?Q?J=C3=B6rg?= <a@b>", "a@b|"},
    {"J\xc3\xb6rg <a@b>", "a@b|"},
    {"k\xc3\xb6tt@b\xc3\xb6r", "k\xc3\xb6tt@b\xc3\xb6r|"},
    {"a@b (com, ment)", "a@b|"},
    {"(c) a@b (d (e) f)", "a@b|"},
    {"a (x) @ (y) b (z) . c", "a@b.c|"},
    {"a . b @ c . d", "a.b@c.d|"},
    {"<a (x) @ b>", "a@b|"},
    {"< a@b >", "a@b|"},
    {"a@\r\n b", "a@b|"},
    {"A\r\n B <a@b>,\r\n\tc@d", "a@b|c@d|"},
    {"\"a b\"@c", "\"a b\"@c|"},
    {"\"a\r\n b\"@c", "\"a b\"@c|"},
    {"\"a\\\"b\"@c", "\"a\\\"b\"@c|"},
    {"\"a@b\"@c", "\"a@b\"@c|"},
    {"x <\"<\"@c>", "\"<\"@c|"},
    {"<@x,@y:a@b>", "a@b|"},
    {"R <@x:a@b>, c@d", "a@b|c@d|"},
    {"a@[127.0.0.1]", "a@[127.0.0.1]|"},
    {"a@[IPv6:::1], b@c", "a@[IPv6:::1]|b@c|"},
    {"[list] name <a@b>", "a@b|"},
    {"[open <a@b>", "a@b|"},
    {"a:b,c;", "b|c|"},
    {"a:b,c;, d@e", "b|c|d@e|"},
    {"Friends: \"x\" <a@b>, c@d;", "a@b|c@d|"},
    {"undisclosed-recipients:;", ""},
    {"undisclosed recipients: ;", ""},
    {"a: b", "b|"},
    {"a:;, b:;, c", "c|"},
    {"a,,,,;", "a|"},
    {",, a@b ,, c@d ,", "a@b|c@d|"},
    {"a@b; c@d", "a@b|c@d|"},
    {"(only a comment)", ""},
    {"(only), (comments)", ""},
    {"John Doe", "John Doe|"},
    {"a@b c@d", "a@b c@d|"},
    {"\"John Doe\" a@b", "\"John Doe\" a@b|"},
    {"<a@b> <c@d>", "a@b|c@d|"},
    {"A <a@b> B <c@d>", "a@b|c@d|"},
    {"A <a@b> (x) B, c@d", "a@b|c@d|"},
    {"A <a@b> junk", "a@b|"},
    {"<a@b", "!"},
    {"a@b, <c@d", "a@b|!"},
    {"a@b>", "!"},
    {"<<a@b>>", "!"},
    {"a)", "!"},
    {"(a", "!"},
    {"((a)", "!"},
    {"a\\", "a\\|"},
    {"a@b\\", "a@b\\|"},
    {"\"a\\", "!"},
    {"(a\\", "!"},
    {"(\\))a@b", "a@b|"},
    {"it's <o'neil@x>", "o'neil@x|"},
    {"a@b.", "a@b.|"},
    {".a..b@c", ".a..b@c|"},
    {"<a@b, c@d>", "a@b, c@d|"},
    {"Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
	"pete@silly.test|"},
    {"\"Joe & J. Harvey\" <ddd @Org>, JJV\t@\tBBN", "ddd@Org|JJV@BBN|"},
};

static void
walk(struct buffer *output, struct bytes value)
{
	struct buffer scratch;
	struct header_address address;
	enum header_address_result result;

	buffer_init(&scratch, 2 * value.len + 1);
	do {
		result = header_next_address(&value, &scratch, &address);
		if (result == HEADER_ADDRESS) {
			buffer_append(output, address.mailbox);
			buffer_append_char(output, '|');
		}
	} while (result == HEADER_ADDRESS);
	if (result == HEADER_ADDRESS_BAD) {
		buffer_append_char(output, '!');
		cr_expect_eq(value.len, 0);
		cr_expect_eq(header_next_address(&value, &scratch, &address),
		    HEADER_ADDRESS_END);
	}
	buffer_clear(&scratch);
}

Test(header, reads_addresses)
{
	for (size_t i = 0; i < sizeof(address_rows) / sizeof(address_rows[0]);
	     i++) {
		struct buffer output;
		buffer_init(&output, SIZE_MAX);
		walk(&output, bytes_of(address_rows[i].value));
		cr_expect(
		    bytes_is(buffer_bytes(&output), address_rows[i].expected),
		    "\"%s\": \"%.*s\", not \"%s\"", address_rows[i].value,
		    BYTES_ARGS(buffer_bytes(&output)),
		    address_rows[i].expected);
		buffer_clear(&output);
	}
}

Test(header, gives_the_whole_address)
{
	static const struct {
		const char *value;
		const char *whole;
	} rows[] = {
	    {" John Doe <a@b> , c", "John Doe <a@b>"},
	    {"a@b (x)", "a@b"},
	    {"(x) a@b", "a@b"},
	    {"g: \"J\" <a@b>;", "\"J\" <a@b>"},
	    {"<a@b> junk", "<a@b>"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bytes value = bytes_of(rows[i].value);
		struct buffer scratch;
		struct header_address address;
		buffer_init(&scratch, 100);
		cr_assert_eq(header_next_address(&value, &scratch, &address),
		    HEADER_ADDRESS);
		cr_expect(bytes_is(address.whole, rows[i].whole),
		    "%s: \"%.*s\"", rows[i].value, BYTES_ARGS(address.whole));
		buffer_clear(&scratch);
	}
}

Test(header, keeps_cleaned_mailboxes_until_the_walk_is_over)
{
	struct bytes value =
	    BYTES("a (x) @b, c (y) @d, e (z) @f, g@h, i (0) @ j");
	struct header_address addresses[5];
	struct buffer scratch;

	buffer_init(&scratch, 2 * value.len);
	for (size_t i = 0; i < 5; i++)
		cr_assert_eq(
		    header_next_address(&value, &scratch, &addresses[i]),
		    HEADER_ADDRESS);
	cr_expect(bytes_is(addresses[0].mailbox, "a@b"));
	cr_expect(bytes_is(addresses[1].mailbox, "c@d"));
	cr_expect(bytes_is(addresses[2].mailbox, "e@f"));
	cr_expect(bytes_is(addresses[3].mailbox, "g@h"));
	cr_expect(bytes_is(addresses[4].mailbox, "i@j"));
	buffer_clear(&scratch);
}

Test(header, nests_comments_up_to_a_hundred)
{
	for (size_t depth = 99; depth < 103; depth++) {
		char text[300] = "";
		memset(text, '(', depth);
		memset(text + depth, ')', depth);
		memcpy(text + 2 * depth, "a@b", 4);
		struct buffer output;
		buffer_init(&output, 100);
		walk(&output, bytes_of(text));
		cr_expect(bytes_is(buffer_bytes(&output),
			      depth <= 100 ? "a@b|" : "!"),
		    "depth %zu", depth);
		buffer_clear(&output);
	}
}

/* ---- size: each in linear time ---- */

static const struct size_row {
	const char *name;
	struct bytes unit;
} size_rows[] = {
    {"open comments", TEXT("(")},
    {"open quotes", TEXT("\"")},
    {"open brackets", TEXT("[")},
    {"angles", TEXT("<")},
    {"closed angles", TEXT("<>")},
    {"angles and words", TEXT("<a> b ")},
    {"commas", TEXT(",")},
    {"colons", TEXT(":")},
    {"groups", TEXT("a:b;")},
    {"dots", TEXT(". ")},
    {"words", TEXT("a ")},
    {"routes", TEXT("<@a:b>,")},
    {"open route", TEXT("@a,")},
    {"comments", TEXT("(a)")},
    {"literals", TEXT("[a")},
    {"backslashes", TEXT("\\")},
    {"octets", TEXT("x")},
    {"folds", TEXT("\r\n ")},
    {"empty comments", TEXT("a(),")},
};

static char *
repeat(struct bytes unit, size_t size)
{
	char *text = malloc(size);

	cr_assert_not_null(text);
	for (size_t i = 0; i < size; i++)
		text[i] = unit.data[i % unit.len];
	return text;
}

Test(header, reads_megabytes_of_addresses_in_linear_time, .timeout = 600)
{
	for (size_t i = 0; i < sizeof(size_rows) / sizeof(size_rows[0]); i++) {
		char *text = repeat(size_rows[i].unit, 10 * MIB);
		struct buffer output;
		clock_t start = clock();
		buffer_init(&output, SIZE_MAX);
		walk(&output, bytes_make(text, 10 * MIB));
		double seconds = seconds_since(start);
		cr_expect_lt(
		    seconds, 2.0, "%s: %.1f s", size_rows[i].name, seconds);
		buffer_clear(&output);
		free(text);
	}
}

Test(header, walks_megabytes_in_linear_time, .timeout = 60)
{
	static const struct size_row rows[] = {
	    {"100,000 lines of one field", TEXT(" x\r\n")},
	    {"Received", TEXT("Received: by x\r\n")},
	    {"no line ends", TEXT("x")},
	    {"colons", TEXT(":")},
	    {"line ends", TEXT("\r\n")},
	    {"short fields", TEXT("a:\n")},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = repeat(rows[i].unit, 10 * MIB);
		struct buffer output;
		memcpy(text, "X:", 2);
		struct bytes content = bytes_make(text, 10 * MIB);
		clock_t start = clock();
		buffer_init(&output, SIZE_MAX);
		size_t len = header_len(content);
		(void)header_count(bytes_first(content, len), "Received");
		header_write(&output, "X", content);
		double seconds = seconds_since(start);
		cr_expect_lt(seconds, 2.0, "%s: %.1f s", rows[i].name, seconds);
		buffer_clear(&output);
		free(text);
	}
}
