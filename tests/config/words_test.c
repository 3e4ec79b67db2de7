/* The small parsers: quantities, endpoints, host names, guesses. */
#include "config/endpoint.h"
#include "config/guess.h"
#include "config/hostname.h"
#include "config/quantity.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

Test(quantity, reads_sizes)
{
	static const struct {
		const char *text;
		int64_t bytes; /* -1: none */
	} rows[] = {
	    {"0", 0},
	    {"512", 512},
	    {"64K", 65536},
	    {"50M", 50 << 20},
	    {"10G", (int64_t)10 << 30},
	    {"1T", (int64_t)1 << 40},
	    {"9223372036854775807", INT64_MAX},
	    {"9223372036854775808", -1},
	    {"8388608T", -1},
	    {"8388607T", (int64_t)8388607 << 40},
	    {"", -1},
	    {"K", -1},
	    {"5k", -1},
	    {"5KB", -1},
	    {"-1", -1},
	    {"1.5M", -1},
	    {" 5", -1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t bytes = -1;

		(void)quantity_parse_size(bytes_of(rows[i].text), &bytes);
		cr_expect_eq(bytes, rows[i].bytes, "%s", rows[i].text);
	}
}

Test(quantity, reads_permissions_and_shares)
{
	static const struct {
		const char *text;
		int64_t mode;
		int64_t percent;
	} rows[] = {
	    {"0660", 0660, -1},
	    {"660", 0660, -1},
	    {"0777", 0777, -1},
	    {"0", -1, -1},
	    {"1777", -1, -1},
	    {"0668", -1, -1},
	    {"66", -1, -1},
	    {"5%", -1, 5},
	    {"100%", -1, 100},
	    {"101%", -1, -1},
	    {"%", -1, -1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t mode = -1;
		int64_t percent = -1;

		(void)quantity_parse_mode(bytes_of(rows[i].text), &mode);
		(void)quantity_parse_percent(bytes_of(rows[i].text), &percent);
		cr_expect_eq(mode, rows[i].mode, "%s", rows[i].text);
		cr_expect_eq(percent, rows[i].percent, "%s", rows[i].text);
	}
}

Test(endpoint, reads_hosts_and_ports)
{
	static const struct {
		const char *text;
		const char *host; /* NULL: none */
		unsigned port;
	} rows[] = {
	    {"a.example", "a.example", 0},
	    {"a.example:25", "a.example", 25},
	    {"a.example.", "a.example.", 0},
	    {"127.0.0.1:65535", "127.0.0.1", 65535},
	    {"::1", "::1", 0},
	    {"[::1]", "::1", 0},
	    {"[::1]:25", "::1", 25},
	    {"b\xc3\xbc"
	     "cher.example",
		"b\xc3\xbc"
		"cher.example",
		0},
	    {"a:0", NULL, 0},
	    {"a:65536", NULL, 0},
	    {"a:", NULL, 0},
	    {"a:x", NULL, 0},
	    {"", NULL, 0},
	    {":25", NULL, 0},
	    {"[::1]:", NULL, 0},
	    {"[::1", NULL, 0},
	    {"[a]:25", NULL, 0},
	    {"[::1]x", NULL, 0},
	    {"a b", NULL, 0},
	    {"-a", NULL, 0},
	    {"a..b", NULL, 0},
	    {"a/b", NULL, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct endpoint endpoint = {BYTES_NONE, 0};
		bool good = endpoint_parse(bytes_of(rows[i].text), &endpoint);

		cr_expect_eq(good, rows[i].host != NULL, "%s", rows[i].text);
		if (!good || rows[i].host == NULL)
			continue;
		cr_expect(
		    bytes_is(endpoint.host, rows[i].host), "%s", rows[i].text);
		cr_expect_eq(endpoint.port, rows[i].port, "%s", rows[i].text);
	}
}

Test(endpoint, knows_this_machine)
{
	cr_expect(endpoint_is_loopback(BYTES("localhost")));
	cr_expect(endpoint_is_loopback(BYTES("127.0.0.1")));
	cr_expect(endpoint_is_loopback(BYTES("127.9.8.7")));
	cr_expect(endpoint_is_loopback(BYTES("::1")));
	cr_expect_not(endpoint_is_loopback(BYTES("127.example.com")));
	cr_expect_not(endpoint_is_loopback(BYTES("10.0.0.1")));
	cr_expect_not(endpoint_is_loopback(BYTES("localhost.example")));
}

Test(hostname, is_qualified_by_the_hosts_file)
{
	static const struct {
		const char *system;
		const char *hosts;
		const char *expected;
	} rows[] = {
	    {"web1.example", "127.0.0.1 localhost\n", "web1.example"},
	    {"web1", "127.0.1.1\tweb1.example web1\n", "web1.example"},
	    {"web1", "127.0.1.1 web1 web1.example # me\n", "web1.example"},
	    {"web1", "# 127.0.1.1 web1.example web1\n", "web1"},
	    {"web1", "127.0.1.1 web2.example web2\n::1 WEB1 a.b\n", "a.b"},
	    {"web1", "", "web1"},
	    {"web1", "web1", "web1"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *name =
		    hostname_qualified(rows[i].system, bytes_of(rows[i].hosts));

		cr_expect_str_eq(name, rows[i].expected);
		free(name);
	}
}

Test(guess, finds_what_was_meant)
{
	static const char *const words[] = {
	    "smarthost", "root", "password_file", "expire", "to"};
	static const struct {
		const char *word;
		const char *expected;
	} rows[] = {
	    {"smarthots", "smarthost"},
	    {"smart_host", "smarthost"},
	    {"passwordfile", "password_file"},
	    {"passwd_file", "password_file"},
	    {"rot", "root"},
	    {"expires", "expire"},
	    {"frobnicate", NULL},
	    {"t", NULL},
	    {"xx", NULL},
	    {"an_extremely_long_word_that_nobody_would_ever_write_here", NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct guess guess = guess_begin(rows[i].word);

		for (size_t j = 0; j < sizeof(words) / sizeof(words[0]); j++)
			guess_try(&guess, words[j]);
		if (rows[i].expected == NULL)
			cr_expect_null(guess.best, "%s", rows[i].word);
		else
			cr_expect_str_eq(guess.best, rows[i].expected);
	}
}
