#include "smtp/extensions.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

struct row {
	const char *name;
	const char *text; /* the EHLO reply's */
	unsigned offered;
	uint64_t size_max;
	const char *mechanisms;
	uint64_t limits[3]; /* RCPTMAX, MAILMAX, RCPTDOMAINMAX */
};

static const struct row rows[] = {
    {"nothing", "mx.example", 0, 0, "", {0}},
    {"empty", "", 0, 0, "", {0}},
    {"the server's name is no keyword", "PIPELINING\nHELP",
	EXTENSION_BIT(EXTENSION_HELP), 0, "", {0}},
    {"without case", "mx\npipeLining\nsize 10",
	EXTENSION_BIT(EXTENSION_PIPELINING) | EXTENSION_BIT(EXTENSION_SIZE), 10,
	"", {0}},
    {"unknown keywords", "mx\nX-FOO bar\nXCLIENT NAME\nDSN",
	EXTENSION_BIT(EXTENSION_DSN), 0, "", {0}},
    {"junk lines", "mx\n\n-DSN\n DSN?\n\x01HELP\n=\nD SN", 0, 0, "", {0}},
    {"blanks around", "mx\n  DSN  \n\tHELP\t",
	EXTENSION_BIT(EXTENSION_DSN) | EXTENSION_BIT(EXTENSION_HELP), 0, "",
	{0}},
    {"SIZE without a number", "mx\nSIZE", EXTENSION_BIT(EXTENSION_SIZE), 0, "",
	{0}},
    {"SIZE of nothing fixed", "mx\nSIZE 0", EXTENSION_BIT(EXTENSION_SIZE), 0,
	"", {0}},
    {"SIZE too large to count", "mx\nSIZE 99999999999999999999999",
	EXTENSION_BIT(EXTENSION_SIZE), 0, "", {0}},
    {"largest SIZE", "mx\nSIZE 18446744073709551615",
	EXTENSION_BIT(EXTENSION_SIZE), UINT64_MAX, "", {0}},
    {"SIZE below zero", "mx\nSIZE -1", EXTENSION_BIT(EXTENSION_SIZE), 0, "",
	{0}},
    {"the last SIZE counts", "mx\nSIZE 1\nSIZE 2",
	EXTENSION_BIT(EXTENSION_SIZE), 2, "", {0}},
    {"SIZE=1 is no SIZE", "mx\nSIZE=1", 0, 0, "", {0}},
    {"AUTH", "mx\nAUTH PLAIN login", EXTENSION_BIT(EXTENSION_AUTH), 0,
	"PLAIN LOGIN", {0}},
    {"AUTH= of old", "mx\nAUTH=LOGIN PLAIN", EXTENSION_BIT(EXTENSION_AUTH), 0,
	"LOGIN PLAIN", {0}},
    {"AUTH twice adds up", "mx\nAUTH=LOGIN\nAUTH  LOGIN  CRAM-MD5 ",
	EXTENSION_BIT(EXTENSION_AUTH), 0, "LOGIN CRAM-MD5", {0}},
    {"AUTH with nothing", "mx\nAUTH =\nAUTH=", EXTENSION_BIT(EXTENSION_AUTH), 0,
	"", {0}},
    {"no mechanism's name",
	"mx\nAUTH PL\x01IN ABCDEFGHIJKLMNOPQRSTU <> SCRAM_X",
	EXTENSION_BIT(EXTENSION_AUTH), 0, "SCRAM_X", {0}},
    {"LIMITS", "mx\nLIMITS RCPTMAX=20 mailmax=5 RCPTDOMAINMAX=1",
	EXTENSION_BIT(EXTENSION_LIMITS), 0, "", {20, 5, 1}},
    {"LIMITS that are none", "mx\nLIMITS RCPTMAX= MAILMAX=x FOO=1 RCPTMAX",
	EXTENSION_BIT(EXTENSION_LIMITS), 0, "", {0, 0, 0}},
};

/* Row 22. */
Test(extensions, are_read_from_the_reply_to_ehlo)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct extensions read;
		memset(&read, 0xff, sizeof(read));
		extensions_read(&read, bytes_of(row->text));
		cr_expect(read.esmtp, "%s", row->name);
		cr_expect_eq(read.offered, row->offered, "%s", row->name);
		cr_expect_eq(read.size_max, row->size_max, "%s", row->name);
		cr_expect_str_eq(
		    read.mechanisms, row->mechanisms, "%s", row->name);
		cr_expect_eq(read.mechanisms_len, strlen(row->mechanisms));
		cr_expect_eq(
		    read.recipients_max, row->limits[0], "%s", row->name);
		cr_expect_eq(
		    read.messages_max, row->limits[1], "%s", row->name);
		cr_expect_eq(read.recipient_domains_max, row->limits[2], "%s",
		    row->name);
	}
}

Test(extensions, keep_no_more_mechanisms_than_there_is_room_for)
{
	char text[8192] = "mx\nAUTH";
	size_t len = strlen(text);
	struct extensions read;

	for (int i = 0; i < 500; i++)
		len += (size_t)snprintf(
		    text + len, sizeof(text) - len, " MECHANISM-%d", i);
	extensions_read(&read, bytes_of(text));
	cr_expect_lt(read.mechanisms_len, sizeof(read.mechanisms));
	cr_expect_eq(read.mechanisms[read.mechanisms_len], '\0');
	cr_expect(extensions_has_mechanism(&read, "mechanism-0"));
	cr_expect_not(extensions_has_mechanism(&read, "MECHANISM-499"));
}

Test(extensions, have_a_mechanism_only_by_its_whole_name)
{
	struct extensions read;

	extensions_read(&read, BYTES("mx\nAUTH SCRAM-SHA-1-PLUS PLAIN"));
	cr_expect(extensions_has_mechanism(&read, "plain"));
	cr_expect(extensions_has_mechanism(&read, "SCRAM-SHA-1-PLUS"));
	cr_expect_not(extensions_has_mechanism(&read, "SCRAM-SHA-1"));
	cr_expect_not(extensions_has_mechanism(&read, "PLAI"));
	cr_expect_not(extensions_has_mechanism(&read, ""));
	cr_expect_not(extensions_has_mechanism(&read, "PLAIN SCRAM"));
}

Test(extensions, are_found_by_their_names)
{
	for (unsigned i = 0; i < EXTENSION_COUNT; i++) {
		const char *name = extension_name((enum extension)i);
		cr_expect_eq(extension_find(bytes_of(name)), i, "%s", name);
	}
	cr_expect_eq(extension_find(BYTES("8bitmime")), EXTENSION_8BITMIME);
	cr_expect_eq(extension_find(BYTES("SIZES")), EXTENSION_COUNT);
	cr_expect_eq(extension_find(BYTES_NONE), EXTENSION_COUNT);
}

/* Row 22. */
Test(extensions, have_lines_known_or_not)
{
	struct bytes rest =
	    extensions_lines(BYTES("mx\nXFOO  a b \n??\nauth=PLAIN\nHELP"));
	struct bytes keyword, parameters;

	cr_assert(extensions_next_line(&rest, &keyword, &parameters));
	cr_expect(bytes_is(keyword, "XFOO"));
	cr_expect(bytes_is(parameters, "a b"));
	cr_assert(extensions_next_line(&rest, &keyword, &parameters));
	cr_expect(bytes_is(keyword, "auth"));
	cr_expect(bytes_is(parameters, "PLAIN"));
	cr_assert(extensions_next_line(&rest, &keyword, &parameters));
	cr_expect(bytes_is(keyword, "HELP"));
	cr_expect(bytes_is(parameters, ""));
	cr_expect_not(extensions_next_line(&rest, &keyword, &parameters));
}

/* RFC 2852 4, RFC 4865 3. */
Test(extensions, tell_what_deliverby_and_futurerelease_may_ask_for)
{
	static const struct {
		const char *text;
		uint64_t by_min_s, hold_max_s;
		int64_t hold_until_ms;
	} limits[] = {
	    {"mx\nDELIVERBY\nFUTURERELEASE", 0, 0, 0},
	    {"mx\nDELIVERBY 240", 240, 0, 0},
	    {"mx\nDELIVERBY 240,x", 240, 0, 0},
	    {"mx\nDELIVERBY soon", 0, 0, 0},
	    {"mx\nFUTURERELEASE 86400 1970-01-02T00:00:00Z", 0, 86400,
		86400000},
	    {"mx\nFUTURERELEASE 86400", 0, 86400, 0},
	    {"mx\nFUTURERELEASE 1970-01-02T00:00:00Z", 0, 0, 0},
	    {"mx\nFUTURERELEASE 5 later\nFUTURERELEASE -1", 0, 0, 0},
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct extensions read;
		extensions_read(&read, bytes_of(limits[i].text));
		cr_expect_eq(
		    read.by_min_s, limits[i].by_min_s, "%s", limits[i].text);
		cr_expect_eq(read.hold_max_s, limits[i].hold_max_s, "%s",
		    limits[i].text);
		cr_expect_eq(read.hold_until_ms, limits[i].hold_until_ms, "%s",
		    limits[i].text);
	}
}
