#include "tools/smtp_words.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WORDS_MAX 16
#define ALL_USES  0x7fU

/* What was told goes nowhere. */
static void
be_quiet(void)
{
	cr_assert_not_null(freopen("/dev/null", "w", stderr));
}

static bool
read_words(unsigned use, const char *const *argv, struct smtp_words *words)
{
	struct tool tool = {.command = "smtp test"};
	char *copy[WORDS_MAX + 1] = {NULL};
	int argc = 0;

	for (; argv[argc] != NULL; argc++)
		copy[argc] = (char *)(uintptr_t)argv[argc];
	return smtp_words_read(&tool, use, argc, copy, words);
}

/* ---- values ---- */

Test(smtp_words, takes_every_kind_of_option)
{
	static const char *const argv[] = {"send", "-d", "host", "-dd",
	    "--from=a@x", "-tb@x,c@x", "--timeout", "1.5", "--tls", "must",
	    "--lmtp", "--pass-fd=3", "--", "-m", NULL};
	struct smtp_words words;

	cr_assert(read_words(ALL_USES, argv, &words));
	cr_expect_str_eq(words.host, "host");
	cr_expect_eq(words.argument_count, 1);
	cr_expect_str_eq(words.arguments[0], "-m");
	cr_expect_eq(words.trace, 3);
	cr_expect_str_eq(words.from, "a@x");
	cr_assert_eq(words.to.count, 2);
	cr_expect_str_eq(words.to.items[0], "b@x");
	cr_expect_str_eq(words.to.items[1], "c@x");
	cr_expect_null(words.to.items[2]);
	cr_expect_eq(words.timeout_ms, 1500);
	cr_expect_eq(words.tls, SMTP_TLS_WORD_MUST);
	cr_expect(words.lmtp);
	cr_expect_eq(words.pass_fd, 3);
	cr_expect_not(words.raw);
	cr_expect_eq(words.letters.count, 0);
	smtp_words_clear(&words);
}

Test(smtp_words, says_nothing_where_nothing_was_said)
{
	static const char *const argv[] = {"send", NULL};
	struct smtp_words words;

	cr_assert(read_words(ALL_USES, argv, &words));
	cr_expect_null(words.host);
	cr_expect_eq(words.argument_count, 0);
	cr_expect_eq(words.pass_fd, -1);
	cr_expect_eq(words.timeout_ms, 0);
	cr_expect_null(smtp_list_get(&words.to));
	smtp_words_clear(&words);
}

Test(smtp_words, cuts_recipients_at_commas_but_not_within_addresses)
{
	static const struct {
		const char *text;
		const char *items[4];
	} rows[] = {
	    {"a@x", {"a@x"}},
	    {"a@x,b@x", {"a@x", "b@x"}},
	    {" a@x , b@x ,", {"a@x", "b@x"}},
	    {"\"a,b\"@x,c@x", {"\"a,b\"@x", "c@x"}},
	    {"\"a\\\",b\"@x,c@x", {"\"a\\\",b\"@x", "c@x"}},
	    {"<@r1,@r2:a@x>,b@x", {"<@r1,@r2:a@x>", "b@x"}},
	    {",,", {NULL}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *const argv[] = {"send", "-t", rows[i].text, NULL};
		struct smtp_words words;
		size_t count = 0;

		cr_assert(
		    read_words(ALL_USES, argv, &words), "%s", rows[i].text);
		for (; rows[i].items[count] != NULL; count++) {
			cr_assert_lt(count, words.to.count, "%s", rows[i].text);
			cr_expect_str_eq(words.to.items[count],
			    rows[i].items[count], "%s", rows[i].text);
		}
		cr_expect_eq(words.to.count, count, "%s", rows[i].text);
		smtp_words_clear(&words);
	}
}

Test(smtp_words, reads_times)
{
	static const struct {
		const char *text;
		int64_t ms; /* 0: none */
	} rows[] = {
	    {"30", 30000},
	    {"0.5", 500},
	    {"0.05", 50},
	    {"1.250", 1250},
	    {"250ms", 250},
	    {"1m30s", 90000},
	    {"0", 0},
	    {"-1", 0},
	    {"1.", 0},
	    {".5", 0},
	    {"1.2345", 0},
	    {"1e3", 0},
	    {"", 0},
	    {"99999999999999999999", 0},
	};

	be_quiet();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *const argv[] = {
		    "send", "--timeout", rows[i].text, NULL};
		struct smtp_words words;
		const bool is_good = read_words(ALL_USES, argv, &words);

		cr_expect_eq(is_good, rows[i].ms > 0, "%s", rows[i].text);
		if (is_good)
			cr_expect_eq(
			    words.timeout_ms, rows[i].ms, "%s", rows[i].text);
		smtp_words_clear(&words);
	}
}

Test(smtp_words, refuses_what_is_wrong)
{
	static const struct {
		unsigned use;
		const char *argv[4];
	} rows[] = {
	    {ALL_USES, {"send", "--tls", "yes"}},
	    {ALL_USES, {"send", "--tls="}},
	    {ALL_USES, {"send", "--tls"}},
	    {ALL_USES, {"send", "--to8", "keep|qp"}},
	    {ALL_USES, {"send", "--quit-after", "dot"}},
	    {ALL_USES, {"send", "--pass-fd", "x"}},
	    {ALL_USES, {"send", "--pass-fd", "99999999999"}},
	    {ALL_USES, {"send", "--lmtp=1"}},
	    {ALL_USES, {"send", "--hellp"}},
	    {ALL_USES, {"send", "-x"}},
	    {ALL_USES, {"send", "-dx"}},
	    {SMTP_USE_ALL, {"probe", "--from", "a@x"}},
	    {SMTP_USE_LETTER, {"send", "--force"}},
	    {SMTP_USE_ETRN, {"etrn", "--message", "x"}},
	};

	be_quiet();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct smtp_words words;

		cr_expect_not(read_words(rows[i].use, rows[i].argv, &words),
		    "row %zu", i);
		smtp_words_clear(&words);
	}
}

/* ---- help ---- */

Test(smtp_words, explains_each_option_within_80_columns)
{
	struct buffer text;

	buffer_init(&text, 1 << 20);
	smtp_words_help(&text, ALL_USES);
	struct bytes rest = buffer_bytes(&text);
	cr_expect_gt(rest.len, 1000);
	while (rest.len > 0) {
		const struct bytes line = bytes_cut(&rest, '\n');
		cr_expect_leq(line.len, 79, "%.*s", BYTES_ARGS(line));
	}
	cr_expect_lt(
	    bytes_search(buffer_bytes(&text), BYTES("--force")), text.len);
	buffer_empty(&text);
	smtp_words_help(&text, SMTP_USE_MAIL);
	cr_expect_eq(
	    bytes_search(buffer_bytes(&text), BYTES("--force")), text.len);
	buffer_clear(&text);
}
