#include "base/bytes.h"

#include <criterion/criterion.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

Test(bytes, of_nothing_are_empty_and_not_null)
{
	const struct bytes rows[] = {BYTES_NONE, BYTES(""), bytes_of(NULL),
	    bytes_of(""), bytes_make(NULL, 0), bytes_make("x", 0)};

	for (size_t i = 0; i < COUNT(rows); i++) {
		cr_expect_not_null(rows[i].data, "row %zu", i);
		cr_expect_eq(rows[i].len, 0, "row %zu", i);
	}
}

Test(bytes, of_a_literal_keep_a_nul)
{
	struct bytes bytes = BYTES("a\0b");

	cr_expect_eq(bytes.len, 3);
	cr_expect_eq(bytes_of("a\0b").len, 1);
	cr_expect(bytes_equal(bytes, bytes_make("a\0b", 3)));
	cr_expect_not(bytes_equal(bytes, BYTES("a\0c")));
	cr_expect_not(bytes_is(bytes, "a"));
}

Test(bytes, are_cut_at_either_end_without_passing_it)
{
	static const struct {
		const char *name, *text;
		size_t len;
		const char *first, *from;
	} rows[] = {
	    {"within", "abcd", 1, "a", "bcd"},
	    {"nothing", "abcd", 0, "", "abcd"},
	    {"all", "abcd", 4, "abcd", ""},
	    {"past the end", "abcd", 5, "abcd", ""},
	    {"far past the end", "abcd", SIZE_MAX, "abcd", ""},
	    {"of nothing", "", 1, "", ""},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bytes text = bytes_of(rows[i].text);
		cr_expect(
		    bytes_is(bytes_first(text, rows[i].len), rows[i].first),
		    "first: %s", rows[i].name);
		cr_expect(bytes_is(bytes_from(text, rows[i].len), rows[i].from),
		    "from: %s", rows[i].name);
	}
}

Test(bytes, are_trimmed_of_blanks_at_both_ends)
{
	static const struct {
		const char *name, *text, *expected;
	} rows[] = {
	    {"nothing to do", "a b", "a b"},
	    {"every blank", " \t\r\na b\n\r\t ", "a b"},
	    {"only blanks", " \t\r\n", ""},
	    {"empty", "", ""},
	    {"other controls stay", "\va\f", "\va\f"},
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		cr_expect(bytes_is(bytes_trim(bytes_of(rows[i].text)),
			      rows[i].expected),
		    "%s", rows[i].name);
}

Test(bytes, are_compared_with_case_and_without)
{
	static const struct {
		const char *name;
		const char *a, *b;
		bool equal, equal_nocase;
	} rows[] = {
	    {"same", "Mail", "Mail", true, true},
	    {"other case", "MAIL", "mail", false, true},
	    {"shorter", "mai", "mail", false, false},
	    {"empty", "", "", true, true},
	    {"empty and not", "", "a", false, false},
	    {"neighbours of letters", "@[`{", "`{@[", false, false},
	    {"only ASCII has case", "\xc3\x84", "\xc3\xa4", false, false},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bytes a = bytes_of(rows[i].a), b = bytes_of(rows[i].b);
		cr_expect_eq(
		    bytes_equal(a, b), rows[i].equal, "%s", rows[i].name);
		cr_expect_eq(
		    bytes_is(a, rows[i].b), rows[i].equal, "%s", rows[i].name);
		cr_expect_eq(bytes_equal_nocase(a, b), rows[i].equal_nocase,
		    "%s", rows[i].name);
		cr_expect_eq(bytes_is_nocase(a, rows[i].b),
		    rows[i].equal_nocase, "%s", rows[i].name);
	}
}

Test(bytes, know_their_prefixes_and_suffixes)
{
	static const struct {
		const char *name, *text, *part;
		bool prefix, prefix_nocase, suffix_nocase;
	} rows[] = {
	    {"front", "AUTH PLAIN", "AUTH", true, true, false},
	    {"front in other case", "auth plain", "AUTH", false, true, false},
	    {"end", "host.example", ".example", false, false, true},
	    {"end in other case", "host.EXAMPLE", ".example", false, false,
		true},
	    {"all of it", "abc", "abc", true, true, true},
	    {"longer than the text", "abc", "abcd", false, false, false},
	    {"longer in front", "bc", "abc", false, false, false},
	    {"empty part", "abc", "", true, true, true},
	    {"empty both", "", "", true, true, true},
	    {"empty text", "", "a", false, false, false},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bytes text = bytes_of(rows[i].text);
		const char *part = rows[i].part;
		cr_expect_eq(bytes_has_prefix(text, part), rows[i].prefix, "%s",
		    rows[i].name);
		cr_expect_eq(bytes_has_prefix_nocase(text, part),
		    rows[i].prefix_nocase, "%s", rows[i].name);
		cr_expect_eq(bytes_has_suffix_nocase(text, part),
		    rows[i].suffix_nocase, "%s", rows[i].name);
	}
}

Test(bytes, find_a_byte_from_either_end)
{
	static const struct {
		const char *name;
		struct bytes text;
		char c;
		size_t first, last;
	} rows[] = {
	    {"once", {"abc", 3}, 'b', 1, 1},
	    {"twice", {"a@b@c", 5}, '@', 1, 3},
	    {"at the ends", {"@b@", 3}, '@', 0, 2},
	    {"missing", {"abc", 3}, '@', 3, 3},
	    {"behind the end", {"abc@", 3}, '@', 3, 3},
	    {"nul", {"a\0b\0c", 5}, '\0', 1, 3},
	    {"high octet", {"a\xff", 2}, '\xff', 1, 1},
	    {"empty", {"", 0}, 'a', 0, 0},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bytes text = rows[i].text;
		cr_expect_eq(bytes_index(text, rows[i].c), rows[i].first, "%s",
		    rows[i].name);
		cr_expect_eq(bytes_last_index(text, rows[i].c), rows[i].last,
		    "%s", rows[i].name);
		cr_expect_eq(bytes_contains(text, rows[i].c),
		    rows[i].first < text.len, "%s", rows[i].name);
	}
}

Test(bytes, find_bytes)
{
	static const struct {
		const char *name;
		struct bytes text, needle;
		size_t expected;
	} rows[] = {
	    {"first of two", {"abcabc", 6}, {"bc", 2}, 1},
	    {"at the end", {"abcabd", 6}, {"abd", 3}, 3},
	    {"missing", {"abc", 3}, {"x", 1}, 3},
	    {"longer than the text", {"ab", 2}, {"abc", 3}, 2},
	    {"across a nul", {"a\0b", 3}, {"\0b", 2}, 1},
	    {"empty needle", {"abc", 3}, {"", 0}, 0},
	    {"both empty", {"", 0}, {"", 0}, 0},
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		cr_expect_eq(bytes_search(rows[i].text, rows[i].needle),
		    rows[i].expected, "%s", rows[i].name);
}

Test(bytes, are_cut_at_a_separator)
{
	static const struct {
		const char *name, *text, *before, *rest;
	} rows[] = {
	    {"in the middle", "a:b:c", "a", "b:c"},
	    {"at the front", ":b", "", "b"},
	    {"at the end", "a:", "a", ""},
	    {"nowhere", "abc", "abc", ""},
	    {"in nothing", "", "", ""},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bytes rest = bytes_of(rows[i].text);
		struct bytes before = bytes_cut(&rest, ':');
		cr_expect(bytes_is(before, rows[i].before), "%s", rows[i].name);
		cr_expect(bytes_is(rest, rows[i].rest), "%s", rows[i].name);
	}
}

Test(bytes, know_ascii_utf8_and_controls)
{
	static const struct {
		const char *name;
		struct bytes text;
		bool ascii, utf8, control;
	} rows[] = {
	    {"empty", {"", 0}, true, true, false},
	    {"printable", {" ~", 2}, true, true, false},
	    {"nul", {"\0", 1}, true, true, true},
	    {"tab", {"a\tb", 3}, true, true, true},
	    {"1f", {"\x1f", 1}, true, true, true},
	    {"delete", {"\x7f", 1}, true, true, true},
	    {"U+0080", {"\xc2\x80", 2}, false, true, false},
	    {"U+07FF", {"\xdf\xbf", 2}, false, true, false},
	    {"U+0800", {"\xe0\xa0\x80", 3}, false, true, false},
	    {"U+D7FF", {"\xed\x9f\xbf", 3}, false, true, false},
	    {"U+E000", {"\xee\x80\x80", 3}, false, true, false},
	    {"U+FFFF", {"\xef\xbf\xbf", 3}, false, true, false},
	    {"U+10000", {"\xf0\x90\x80\x80", 4}, false, true, false},
	    {"U+10FFFF", {"\xf4\x8f\xbf\xbf", 4}, false, true, false},
	    {"text around", {"a\xc3\xa4z", 4}, false, true, false},
	    {"overlong NUL", {"\xc0\x80", 2}, false, false, false},
	    {"overlong in two", {"\xc1\xbf", 2}, false, false, false},
	    {"overlong in three", {"\xe0\x9f\xbf", 3}, false, false, false},
	    {"overlong in four", {"\xf0\x8f\xbf\xbf", 4}, false, false, false},
	    {"first surrogate", {"\xed\xa0\x80", 3}, false, false, false},
	    {"last surrogate", {"\xed\xbf\xbf", 3}, false, false, false},
	    {"above U+10FFFF", {"\xf4\x90\x80\x80", 4}, false, false, false},
	    {"f5", {"\xf5\x80\x80\x80", 4}, false, false, false},
	    {"ff", {"\xff", 1}, false, false, false},
	    {"no beginning", {"\x80", 1}, false, false, false},
	    {"no end of two", {"\xc3", 1}, false, false, false},
	    {"no end of three", {"\xe2\x82", 2}, false, false, false},
	    {"no end of four", {"\xf0\x90\x80", 3}, false, false, false},
	    {"end behind the bytes", {"\xc3\xa4", 1}, false, false, false},
	    {"wrong third", {"\xe2\x82\x28", 3}, false, false, false},
	    {"wrong fourth", {"\xf0\x90\x80\xc0", 4}, false, false, false},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bytes text = rows[i].text;
		cr_expect_eq(
		    bytes_is_ascii(text), rows[i].ascii, "%s", rows[i].name);
		cr_expect_eq(
		    bytes_is_utf8(text), rows[i].utf8, "%s", rows[i].name);
		cr_expect_eq(bytes_has_control(text), rows[i].control, "%s",
		    rows[i].name);
	}
}

/* Wherever it stands, in whatever is left of a word. */
Test(bytes, find_one_octet_that_is_not_ascii)
{
	char text[25];

	for (size_t len = 1; len <= sizeof(text); len++) {
		struct bytes all = bytes_make(text, len);
		memset(text, 0x7f, sizeof(text));
		cr_expect(bytes_is_ascii(all), "%zu octets", len);
		for (size_t i = 0; i < len; i++) {
			text[i] = (char)0x80;
			cr_expect_not(
			    bytes_is_ascii(all), "octet %zu of %zu", i, len);
			text[i] = 0x7f;
		}
	}
}

/* RFC 3629 by arithmetic instead of by ranges. */
static bool
is_character(const unsigned char *octets, size_t len)
{
	static const unsigned long smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned long code = octets[0] & (0xffU >> (len + 1));

	for (size_t i = 1; i < len; i++) {
		if ((octets[i] & 0xc0) != 0x80)
			return false;
		code = code << 6 | (octets[i] & 0x3f);
	}
	return code >= smallest[len] && code <= 0x10ffff &&
	    (code < 0xd800 || code > 0xdfff);
}

static size_t
expected_utf8_len(const unsigned char *octets, size_t len)
{
	size_t wanted = octets[0] < 0x80 ? 1
	    : octets[0] < 0xc0           ? 0
	    : octets[0] < 0xe0           ? 2
	    : octets[0] < 0xf0           ? 3
	    : octets[0] < 0xf8           ? 4
					 : 0;

	if (wanted < 2 || wanted > len)
		return wanted == 1 ? 1 : 0;
	return is_character(octets, wanted) ? wanted : 0;
}

Test(bytes, of_nothing_begin_with_no_character)
{
	cr_expect_eq(bytes_utf8_len(BYTES_NONE), 0);
}

Test(bytes, agree_with_arithmetic_on_every_three_octets)
{
	for (unsigned long code = 0; code < 1UL << 24; code++) {
		const unsigned char octets[] = {(unsigned char)(code >> 16),
		    (unsigned char)(code >> 8), (unsigned char)code, 0x80};
		cr_assert_eq(bytes_utf8_len(bytes_make(octets, 4)),
		    expected_utf8_len(octets, 4), "%06lx and 80", code);
	}
}

Test(bytes, become_a_number_or_nothing)
{
	static const struct {
		const char *name, *text;
		unsigned long long max;
		bool ok;
		unsigned long long expected;
	} rows[] = {
	    {"zero", "0", 0, true, 0},
	    {"plain", "587", 65535, true, 587},
	    {"leading zeros", "000587", 65535, true, 587},
	    {"at the maximum", "65535", 65535, true, 65535},
	    {"past the maximum", "65536", 65535, false, 0},
	    {"largest", "18446744073709551615", ULLONG_MAX, true, ULLONG_MAX},
	    {"overflow by one", "18446744073709551616", ULLONG_MAX, false, 0},
	    {"overflow by a digit", "184467440737095516150", ULLONG_MAX, false,
		0},
	    {"overflow that wraps to little", "36893488147419103233",
		ULLONG_MAX, false, 0},
	    {"empty", "", ULLONG_MAX, false, 0},
	    {"minus", "-1", ULLONG_MAX, false, 0},
	    {"plus", "+1", ULLONG_MAX, false, 0},
	    {"blank before", " 1", ULLONG_MAX, false, 0},
	    {"blank behind", "1 ", ULLONG_MAX, false, 0},
	    {"hexadecimal", "0x10", ULLONG_MAX, false, 0},
	    {"letter", "1a", ULLONG_MAX, false, 0},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		unsigned long long value = 77;
		bool ok =
		    bytes_to_u64(bytes_of(rows[i].text), rows[i].max, &value);
		cr_expect_eq(ok, rows[i].ok, "%s", rows[i].name);
		cr_expect_eq(
		    value, ok ? rows[i].expected : 77, "%s", rows[i].name);
	}
}
