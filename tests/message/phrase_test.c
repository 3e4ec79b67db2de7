#include "message/phrase.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* As BYTES, for static tables. */
#define TEXT(literal)                                                          \
	{                                                                      \
		literal, sizeof(literal) - 1                                   \
	}

static const struct row {
	const char *name;
	struct bytes text;
	const char *expected;
} rows[] = {
    {"atoms", TEXT("John Doe"), "John Doe"},
    {"empty", TEXT(""), "\"\""},
    {"blanks around", TEXT("  John "), "John"},
    {"a comma", TEXT("Doe, John"), "\"Doe, John\""},
    {"a dot", TEXT("John Q. Doe"), "\"John Q. Doe\""},
    {"quotes", TEXT("a\"b\\c"), "\"a\\\"b\\\\c\""},
    {"two blanks", TEXT("a  b"), "\"a  b\""},
    {"what looks encoded", TEXT("=?x?="), "\"=?x?=\""},
    {"a line end", TEXT("a\r\nBcc: b"),
	"\"a?"
	"?Bcc: b\""},
    {"UTF-8", TEXT("J\xc3\xb6rg"), "=?utf-8?B?SsO2cmc=?="},
    {"Cyrillic", TEXT("\xd0\x98\xd0\xb2\xd0\xb0\xd0\xbd"),
	"=?utf-8?B?0JjQstCw0L0=?="},
    {"Latin-1", TEXT("J\xf6rg"), "=?unknown-8bit?B?SvZyZw==?="},
};

Test(phrase, writes_names)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buffer buffer;
		buffer_init(&buffer, 1000);
		phrase_append(&buffer, rows[i].text);
		cr_expect(bytes_is(buffer_bytes(&buffer), rows[i].expected),
		    "%s: \"%.*s\"", rows[i].name,
		    BYTES_ARGS(buffer_bytes(&buffer)));
		buffer_clear(&buffer);
	}
}

Test(phrase, writes_encoded_words_of_75_octets_at_most)
{
	struct buffer name;
	struct buffer buffer;

	buffer_init(&name, 1000);
	buffer_init(&buffer, 10000);
	for (int i = 0; i < 100; i++)
		buffer_append(&name, BYTES("\xe4\xb8\xad"));
	phrase_append(&buffer, buffer_bytes(&name));
	struct bytes words = buffer_bytes(&buffer);
	while (words.len > 0) {
		struct bytes word = bytes_cut(&words, ' ');
		cr_expect_leq(word.len, PHRASE_WORD_MAX);
		/* Whole characters: 45 octets are 15 of them, 60 digits. */
		cr_expect_eq((word.len -
				 strlen("=?utf-8?B??"
					"=")) %
			4,
		    0);
		cr_expect(bytes_has_prefix(word, "=?utf-8?B?5Lit"));
	}
	buffer_clear(&name);
	buffer_clear(&buffer);
}

static const struct downgrade_row {
	const char *name;
	struct bytes field;
	const char *expected; /* NULL: refused */
} downgrade_rows[] = {
    {"free text", TEXT("Subject: gr\xc3\xbc\xc3\x9f dich\r\n"),
	"Subject: =?utf-8?B?Z3LDvMOf?= dich\r\n"},
    {"a run of words", TEXT("Subject: a \xc3\xb6 \xc3\xb6 b\r\n"),
	"Subject: a =?utf-8?B?w7Ygw7Y=?= b\r\n"},
    {"runs apart", TEXT("Subject: \xc3\xb6 b \xc3\xb6\r\n"),
	"Subject: =?utf-8?B?w7Y=?= b =?utf-8?B?w7Y=?=\r\n"},
    {"with a charset", TEXT("Subject: \xcf\xf0\r\n"),
	"Subject: =?windows-1251?B?z/A=?=\r\n"},
    {"a name", TEXT("From: J\xc3\xb6rg X <a@b>\r\n"),
	"From: =?utf-8?B?SsO2cmcgWA==?= <a@b>\r\n"},
    {"a quoted name", TEXT("From: \"X, J\xc3\xb6rg\" <a@b>\r\n"),
	"From: =?utf-8?B?WCwgSsO2cmc=?= <a@b>\r\n"},
    {"one of many", TEXT("To: a@b, J\xc3\xb6rg <c@d>, \"e\" <e@f>\r\n"),
	"To: a@b, =?utf-8?B?SsO2cmc=?= <c@d>, \"e\" <e@f>\r\n"},
    {"a group", TEXT("To: K\xc3\xb6: J\xc3\xb6rg <c@d>;\r\n"),
	"To: =?utf-8?B?S8O2?=: =?utf-8?B?SsO2cmc=?= <c@d>;\r\n"},
    {"a comment", TEXT("From: a@b (J\xc3\xb6rg X)\r\n"),
	"From: a@b (=?utf-8?B?SsO2cmc=?= X)\r\n"},
    {"a mailbox", TEXT("From: J <k\xc3\xb6tt@b>\r\n"), NULL},
    {"a bare mailbox", TEXT("To: a@b, k\xc3\xb6tt@b\r\n"), NULL},
    {"a file name",
	TEXT("Content-Disposition: attachment; filename=\"\xc3\xb6 1.txt\"; "
	     "size=1\r\n"),
	"Content-Disposition: attachment; "
	"filename*=utf-8''%C3%B6%201.txt; size=1\r\n"},
    {"an extended file name stays",
	TEXT("Content-Disposition: \xc3\xb6; filename*=utf-8''%C3%B6\r\n"),
	"Content-Disposition: ?"
	"?; filename*=utf-8''%C3%B6\r\n"},
    {"a date", TEXT("Date: Mon, 23 N\xc3\xb6v 2026\r\n"),
	"Date: Mon, 23 N?"
	"?v 2026\r\n"},
    {"folds", TEXT("Subject: a\r\n \xc3\xb6\r\n"),
	"Subject: a =?utf-8?B?w7Y=?=\r\n"},
};

Test(phrase, downgrades_fields)
{
	for (size_t i = 0;
	     i < sizeof(downgrade_rows) / sizeof(downgrade_rows[0]); i++) {
		const struct downgrade_row *row = &downgrade_rows[i];
		struct bytes header = row->field;
		struct header_field field;
		struct buffer buffer;
		buffer_init(&buffer, 1000);
		cr_assert(header_next(&header, &field), "%s", row->name);
		bool ok = phrase_downgrade(&buffer, &field, "windows-1251");
		cr_expect_eq(ok, row->expected != NULL, "%s", row->name);
		cr_expect(
		    bytes_is(buffer_bytes(&buffer), ok ? row->expected : ""),
		    "%s: \"%.*s\"", row->name,
		    BYTES_ARGS(buffer_bytes(&buffer)));
		buffer_clear(&buffer);
	}
}

Test(phrase, downgrades_anything_to_ascii)
{
	unsigned seed = (unsigned)time(NULL);
	static const char *const names[] = {
	    "To", "Subject", "Content-Type", "Received", "From"};
	static const char alphabet[] =
	    "aa;,:=\"\\()<>@. \t\xc3\xb6\xff\xd0\xba\0";
	srand(seed);

	for (int round = 0; round < 20000; round++) {
		char value[100];
		size_t len = (size_t)rand() % sizeof(value);
		for (size_t i = 0; i < len; i++)
			value[i] =
			    alphabet[(size_t)rand() % (sizeof(alphabet) - 1)];
		struct header_field field = {
		    .name = bytes_of(names[round % 5]),
		    .value = bytes_make(value, len),
		};
		struct buffer buffer;
		buffer_init(&buffer, 100000);
		bool ok = phrase_downgrade(&buffer, &field, NULL);
		struct bytes out = buffer_bytes(&buffer);
		cr_assert(bytes_is_ascii(out), "seed %u", seed);
		cr_assert_eq(header_len(out), out.len, "seed %u", seed);
		cr_assert_eq(
		    header_count(out, names[round % 5]), ok, "seed %u", seed);
		buffer_clear(&buffer);
	}
}
