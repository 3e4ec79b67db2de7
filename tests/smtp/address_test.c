#include "smtp/address.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

Test(address, checks_mailboxes)
{
	static const struct {
		const char *mailbox;
		enum address_problem problem;
	} rows[] = {
	    {"a@b", ADDRESS_OK},
	    {"a.b@c.d", ADDRESS_OK},
	    {"!#$%&'*+-/=?^_`{|}~@b", ADDRESS_OK},
	    {"\"john doe\"@x", ADDRESS_OK},
	    {"\"a\\\"b\"@c", ADDRESS_OK},
	    {"\"a\\\\\"@c", ADDRESS_OK},
	    {"\"\"@c", ADDRESS_OK},
	    {"\"a@b\"@c", ADDRESS_OK},
	    {"\"a>b\"@c", ADDRESS_OK},
	    {"a@[127.0.0.1]", ADDRESS_OK},
	    {"a@[IPv6:::1]", ADDRESS_OK},
	    {"a@[ipv6:2001:db8::1]", ADDRESS_OK},
	    {"a@my_host", ADDRESS_OK},
	    {"a@xn--bcher-kva.example", ADDRESS_OK},
	    {"-a@b", ADDRESS_OK},
	    {"u%h@d", ADDRESS_OK},
	    {"h!u@d", ADDRESS_OK},
	    {"`id`@x", ADDRESS_OK},
	    {"|cmd@x", ADDRESS_OK},
	    {"", ADDRESS_SYNTAX},
	    {"@", ADDRESS_SYNTAX},
	    {"a@", ADDRESS_SYNTAX},
	    {"@b", ADDRESS_SYNTAX},
	    {"a", ADDRESS_SYNTAX},
	    {"a b@c", ADDRESS_SYNTAX},
	    {"a@b c", ADDRESS_SYNTAX},
	    {".a@b", ADDRESS_SYNTAX},
	    {"a.@b", ADDRESS_SYNTAX},
	    {"a..b@c", ADDRESS_SYNTAX},
	    {"a@b@c", ADDRESS_SYNTAX},
	    {"u@d.", ADDRESS_SYNTAX},
	    {"u@-d", ADDRESS_SYNTAX},
	    {"u@d-", ADDRESS_SYNTAX},
	    {"u@a.-d", ADDRESS_SYNTAX},
	    {"u@d..e", ADDRESS_SYNTAX},
	    {"u@.", ADDRESS_SYNTAX},
	    {"u@.d", ADDRESS_SYNTAX},
	    {"$(id)@x", ADDRESS_SYNTAX},
	    {"a\"b\"@c", ADDRESS_SYNTAX},
	    {"\"a\"b@c", ADDRESS_SYNTAX},
	    {"\"a@c", ADDRESS_SYNTAX},
	    {"\"a\\\"@c", ADDRESS_SYNTAX},
	    {"\"a\\", ADDRESS_SYNTAX},
	    {"\"\r\"@c", ADDRESS_SYNTAX},
	    {"\"\\\r\"@c", ADDRESS_SYNTAX},
	    {"\"\x7f\"@c", ADDRESS_SYNTAX},
	    {"a\x01@b", ADDRESS_SYNTAX},
	    {"a@[x]", ADDRESS_SYNTAX},
	    {"a@[]", ADDRESS_SYNTAX},
	    {"a@[127.0.0.1", ADDRESS_SYNTAX},
	    {"a@[IPv6:", ADDRESS_SYNTAX},
	    {"a@[IPv6:]", ADDRESS_SYNTAX},
	    {"a@[IPv6:1]", ADDRESS_SYNTAX},
	    {"a@[::1]", ADDRESS_SYNTAX},
	    {"a@[256.1.1.1]", ADDRESS_SYNTAX},
	    {"a@[1.1.1]", ADDRESS_SYNTAX},
	    {"a@[1.1.1.1]x", ADDRESS_SYNTAX},
	    {"a@[IPv6:0000:0000:0000:0000:0000:0000:0000:0000:0000]",
		ADDRESS_SYNTAX},
	    {"a@b>", ADDRESS_SYNTAX},
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		cr_expect_eq(
		    address_check(bytes_of(rows[i].mailbox), false, false),
		    rows[i].problem, "<%s>", rows[i].mailbox);
}

Test(address, takes_a_nul_for_no_end)
{
	cr_expect_eq(address_check(BYTES("a\0@b"), true, true), ADDRESS_SYNTAX);
	cr_expect_eq(address_check(BYTES("a@b\0"), true, true), ADDRESS_SYNTAX);
	cr_expect_eq(
	    address_check(BYTES("a@[1.1.1.1\0]"), true, true), ADDRESS_SYNTAX);
	cr_expect_eq(
	    address_check(BYTES("\"\\\0\"@b"), true, true), ADDRESS_SYNTAX);
}

Test(address, may_lack_a_domain_where_allowed)
{
	cr_expect_eq(address_check(BYTES("root"), true, false), ADDRESS_OK);
	cr_expect_eq(address_check(BYTES("\"a b\""), true, false), ADDRESS_OK);
	cr_expect_eq(
	    address_check(BYTES("bad local"), true, false), ADDRESS_SYNTAX);
	cr_expect_eq(address_check(BYTES("a@"), true, false), ADDRESS_SYNTAX);
	cr_expect_eq(address_check(BYTES(""), true, false), ADDRESS_SYNTAX);
}

/* "<local>@<domain>" of so many octets. */
static enum address_problem
check_sizes(size_t local, size_t domain)
{
	char *text = malloc(local + 1 + domain);

	memset(text, 'x', local + 1 + domain);
	text[local] = '@';
	/* A dot now and then. */
	for (size_t i = local + 10; i + 1 < local + 1 + domain; i += 50)
		text[i] = '.';
	enum address_problem problem =
	    address_check(bytes_make(text, local + 1 + domain), false, false);
	free(text);
	return problem;
}

Test(address, has_limits)
{
	cr_expect_eq(check_sizes(64, 100), ADDRESS_OK);
	cr_expect_eq(check_sizes(65, 100), ADDRESS_TOO_LONG);
	cr_expect_eq(check_sizes(1, 252), ADDRESS_OK);
	cr_expect_eq(check_sizes(1, 253), ADDRESS_TOO_LONG);
	cr_expect_eq(check_sizes(64, 189), ADDRESS_OK);
	cr_expect_eq(check_sizes(64, 190), ADDRESS_TOO_LONG);
	cr_expect_eq(check_sizes(1, 256), ADDRESS_TOO_LONG);
	cr_expect_eq(check_sizes(500, 500), ADDRESS_TOO_LONG);
}

Test(address, keeps_labels_of_any_length)
{
	char text[2 + 64 + 4 + 1] = "a@";

	memset(text + 2, 'x', 64);
	memcpy(text + 2 + 64, ".com", 5);
	cr_expect_eq(address_check(bytes_of(text), false, false), ADDRESS_OK);
}

Test(address, wants_valid_utf8_that_is_text)
{
	static const struct {
		const char *name, *mailbox;
		enum address_problem with, without;
	} rows[] = {
	    {"local", "\xc3\xbc@x", ADDRESS_OK, ADDRESS_NEEDS_UTF8},
	    {"domain", "a@\xc3\xa4.example", ADDRESS_OK, ADDRESS_NEEDS_UTF8},
	    {"quoted", "\"\xc3\xbc \"@x", ADDRESS_OK, ADDRESS_NEEDS_UTF8},
	    {"four octets", "\xf0\x9f\x93\xae@x", ADDRESS_OK,
		ADDRESS_NEEDS_UTF8},
	    {"quoted pair", "\"\\\xc3\xbc\"@x", ADDRESS_SYNTAX, ADDRESS_SYNTAX},
	    {"latin 1", "\xfc@x", ADDRESS_SYNTAX, ADDRESS_SYNTAX},
	    {"cut", "a@\xc3", ADDRESS_SYNTAX, ADDRESS_SYNTAX},
	    {"overlong", "\xc0\xaf@x", ADDRESS_SYNTAX, ADDRESS_SYNTAX},
	    {"surrogate", "\xed\xa0\x80@x", ADDRESS_SYNTAX, ADDRESS_SYNTAX},
	    {"NEL", "a\xc2\x85@x", ADDRESS_SYNTAX, ADDRESS_SYNTAX},
	    {"LS", "a\xe2\x80\xa8@x", ADDRESS_SYNTAX, ADDRESS_SYNTAX},
	    {"RLO", "a\xe2\x80\xae@x", ADDRESS_SYNTAX, ADDRESS_SYNTAX},
	    {"RLI", "a\xe2\x81\xa7@x", ADDRESS_SYNTAX, ADDRESS_SYNTAX},
	    {"a dash near them", "a\xe2\x80\x94@x", ADDRESS_OK,
		ADDRESS_NEEDS_UTF8},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bytes mailbox = bytes_of(rows[i].mailbox);
		cr_expect_eq(address_check(mailbox, false, true), rows[i].with,
		    "%s", rows[i].name);
		cr_expect_eq(address_check(mailbox, false, false),
		    rows[i].without, "%s", rows[i].name);
	}
}

Test(address, is_taken_out_of_its_path)
{
	static const struct {
		const char *input, *mailbox, *rest; /* mailbox NULL: refused */
	} rows[] = {
	    {"<a@b>", "a@b", ""},
	    {"<>", "", ""},
	    {"<> BODY=8BITMIME", "", " BODY=8BITMIME"},
	    {"<a@b>X", "a@b", "X"},
	    {"<a@b><c@d>", "a@b", "<c@d>"},
	    {"<\"a>b\"@c>", "\"a>b\"@c", ""},
	    {"<@a,@b:u@d>", "u@d", ""},
	    {"<@a:u@d>", "u@d", ""},
	    {"<@[1.2.3.4]:u@d>", "u@d", ""},
	    {"<postmaster>", "postmaster", ""},
	    {"<PostMaster> X", "PostMaster", " X"},
	    {"<a>", NULL, NULL},
	    {"<bad local>", NULL, NULL},
	    {"", NULL, NULL},
	    {"<", NULL, NULL},
	    {">", NULL, NULL},
	    {"a@b", NULL, NULL},
	    {"<a@b", NULL, NULL},
	    {"< a@b>", NULL, NULL},
	    {"<a@b >", NULL, NULL},
	    {" <a@b>", NULL, NULL},
	    {"<@a:>", NULL, NULL},
	    {"<@a:@b:u@d>", NULL, NULL},
	    {"<@a,:u@d>", NULL, NULL},
	    {"<@a,b:u@d>", NULL, NULL},
	    {"<@a u@d>", NULL, NULL},
	    {"<@a", NULL, NULL},
	    {"<@a,", NULL, NULL},
	    {"<@", NULL, NULL},
	    {"<<a@b>>", NULL, NULL},
	    {"<a@b\x01>", NULL, NULL},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bytes input = bytes_of(rows[i].input);
		struct bytes mailbox = BYTES("untouched");
		enum address_problem problem =
		    address_take_path(&input, false, false, &mailbox);
		bool taken = rows[i].mailbox != NULL;
		cr_expect_eq(problem == ADDRESS_OK, taken, "%s", rows[i].input);
		cr_expect(bytes_is(input, taken ? rows[i].rest : rows[i].input),
		    "%s", rows[i].input);
		cr_expect(
		    bytes_is(mailbox, taken ? rows[i].mailbox : "untouched"),
		    "%s", rows[i].input);
	}
}

Test(address, of_a_path_may_be_bare_where_allowed)
{
	struct bytes input = BYTES("<root>"), mailbox;

	cr_expect_eq(
	    address_take_path(&input, true, false, &mailbox), ADDRESS_OK);
	cr_expect(bytes_is(mailbox, "root"));
	input = BYTES("<@a:root>");
	cr_expect_eq(
	    address_take_path(&input, true, false, &mailbox), ADDRESS_OK);
	cr_expect(bytes_is(mailbox, "root"));
}

Test(address, of_256_octets_with_brackets_is_the_longest)
{
	for (size_t domain = 252; domain <= 253; domain++) {
		char text[300], octets[300];
		struct bytes mailbox, input;

		memset(octets, 'x', sizeof(octets));
		snprintf(text, sizeof(text), "<a@%.*s>", (int)domain, octets);
		input = bytes_of(text);
		cr_expect_eq(address_take_path(&input, false, false, &mailbox),
		    domain == 252 ? ADDRESS_OK : ADDRESS_TOO_LONG);
	}
}

Test(address, is_split_at_the_last_at_outside_quotes)
{
	static const struct {
		const char *mailbox, *local, *domain;
	} rows[] = {
	    {"a@b", "a", "b"},
	    {"a", "a", ""},
	    {"", "", ""},
	    {"a@b@c", "a@b", "c"},
	    {"\"a@b\"@c", "\"a@b\"", "c"},
	    {"\"a@b\"", "\"a@b\"", ""},
	    {"\"a\\\"@b\"@c", "\"a\\\"@b\"", "c"},
	    {"\"a@b", "\"a@b", ""},
	    {"a@", "a", ""},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bytes mailbox = bytes_of(rows[i].mailbox);
		cr_expect(bytes_is(address_local(mailbox), rows[i].local),
		    "<%s>", rows[i].mailbox);
		cr_expect(bytes_is(address_domain(mailbox), rows[i].domain),
		    "<%s>", rows[i].mailbox);
	}
}

Test(address, compares_domains_without_case)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} rows[] = {
	    {"a@b", "a@B", true},
	    {"a@b", "A@b", false},
	    {"a", "a", true},
	    {"a", "a@b", false},
	    {"", "", true},
	    {"a@b", "a@bc", false},
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		cr_expect_eq(
		    address_equal(bytes_of(rows[i].a), bytes_of(rows[i].b)),
		    rows[i].equal, "%s %s", rows[i].a, rows[i].b);
}

Test(address, knows_a_domain)
{
	cr_expect(address_is_domain(BYTES("a.b-c.d1"), false));
	cr_expect(address_is_domain(BYTES("localhost"), false));
	cr_expect_not(address_is_domain(BYTES(""), false));
	cr_expect_not(address_is_domain(BYTES("[127.0.0.1]"), false));
	cr_expect_not(address_is_domain(BYTES("a..b"), false));
	cr_expect_not(address_is_domain(BYTES("a.b."), false));
	cr_expect_not(address_is_domain(BYTES("-a"), false));
	cr_expect_not(address_is_domain(BYTES("a b"), false));
	cr_expect_not(address_is_domain(BYTES("\xc3\xa4.example"), false));
	cr_expect(address_is_domain(BYTES("\xc3\xa4.example"), true));
}

Test(address, matches_patterns)
{
	static const struct {
		const char *pattern, *mailbox;
		bool matches;
	} rows[] = {
	    {"*", "a@b", true},
	    {"*", "", true},
	    {"<>", "", true},
	    {"<>", "a@b", false},
	    {"*@b", "a@B", true},
	    {"@b", "a@b", true},
	    {"*@b", "a@c", false},
	    {"*@b", "a@x.b", false},
	    {"*@b", "", false},
	    {"*@b", "a", false},
	    {"*@*.b", "a@x.b", true},
	    {"*@*.b", "a@y.x.B", true},
	    {"*@*.b", "a@b", false},
	    {"*@*.b", "a@xb", false},
	    {"*@*.b", "a@.b", false},
	    {"*@*", "a@b", true},
	    {"u@d", "U@D", true},
	    {"u@d", "v@d", false},
	    {"u@d", "u", false},
	    {"u", "u@anything", true},
	    {"U", "u", true},
	    {"u", "uu@x", false},
	    {"u", "", false},
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		cr_expect_eq(address_matches(bytes_of(rows[i].mailbox),
				 bytes_of(rows[i].pattern)),
		    rows[i].matches, "%s against %s", rows[i].mailbox,
		    rows[i].pattern);
}
