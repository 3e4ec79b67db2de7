#include "message/printable.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* As BYTES, for static tables. */
#define TEXT(literal)                                                          \
	{                                                                      \
		literal, sizeof(literal) - 1                                   \
	}

static const struct row {
	const char *name;
	struct bytes text;
	size_t max;
	bool utf8;
	const char *expected;
} rows[] = {
    {"plain", TEXT("550 No such user"), 100, true, "550 No such user"},
    {"empty", TEXT(""), 100, true, ""},
    {"only blanks", TEXT(" \t\r\n "), 100, true, ""},
    {"lines become one", TEXT("a\r\nb\nc\td  e"), 100, true, "a b c d e"},
    {"controls", TEXT("a\x1b[31m\x07z\x7f"), 100, true, "a?[31m?z?"},
    {"NUL", TEXT("a\0b"), 100, true, "a?b"},
    {"UTF-8 stays", TEXT("\xd0\xba\xd0\xbe\xd1\x82"), 100, true,
	"\xd0\xba\xd0\xbe\xd1\x82"},
    {"UTF-8 is not ASCII", TEXT("k\xc3\xb6tt"), 100, false, "k?tt"},
    {"not UTF-8", TEXT("\xff\xc3\x28\xc0\x80"), 100, true,
	"?"
	"?(?"
	"?"},
    {"C1 control",
	TEXT("a\xc2\x9b"
	     "b"),
	100, true, "a?b"},
    {"bidi",
	TEXT("a\xe2\x80\xae"
	     "b\xe2\x81\xa6"),
	100, true, "a?b?"},
    {"hyphen, mark, separator, tag",
	TEXT("a\xc2\xad\xd8\x9c\xe1\xa0\x8e\xf3\xa0\x80\xa1z"), 100, true,
	"a????z"},
    {"line separator", TEXT("\xe2\x80\xa8"), 100, true, "?"},
    {"byte order mark", TEXT("\xef\xbb\xbfx"), 100, true, "?x"},
    {"fits exactly", TEXT("0123456789"), 10, true, "0123456789"},
    {"is cut", TEXT("0123456789x"), 10, true, "0123456..."},
    {"is cut between characters", TEXT("01234\xd0\xba\xd0\xba\xd0\xba"), 10,
	true, "01234\xd0\xba..."},
    {"a percent sign", TEXT("%n%s"), 100, true, "%n%s"},
};

Test(printable, shows_what_is_safe)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		char *copy = printable_copy(row->text, row->max, row->utf8);
		cr_expect_str_eq(
		    copy, row->expected, "%s: \"%s\"", row->name, copy);
		free(copy);
	}
}

Test(printable, is_linear_in_long_texts)
{
	size_t size = 10 * 1024 * 1024;
	char *text = malloc(size);
	cr_assert_not_null(text);

	for (size_t i = 0; i < size; i++)
		text[i] = i % 2 == 0 ? 'a' : '\n';
	char *copy = printable_copy(bytes_make(text, size), size, true);
	cr_expect_str_eq(copy + size - 6, "a a a");
	free(copy);
	free(text);
}
