#include "base/error.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

Test(error, reads_outward_in)
{
	struct error error;

	errno = EACCES;
	cr_expect_not(error_system(&error, "open %s", "0000000a.log"));
	cr_expect_not(error_context(&error, "recover %s", "/var/spool"));
	cr_expect_str_eq(error_text(&error),
	    "recover /var/spool: open 0000000a.log: Permission denied");
	cr_expect_eq(error.kind, ERROR_SYSTEM);
	cr_expect_eq(error.number, EACCES);
}

Test(error, takes_kind_and_text)
{
	struct error error;

	memset(&error, 'x', sizeof(error));
	cr_expect_not(error_set(&error, ERROR_CONFIG, "line %d", 7));
	cr_expect_str_eq(error_text(&error), "line 7");
	cr_expect_eq(error.kind, ERROR_CONFIG);
	cr_expect_eq(error.number, 0);
}

Test(error, replaces_what_was_there)
{
	struct error error;

	errno = ENOSPC;
	(void)error_system(&error, "write");
	(void)error_set(&error, ERROR_TIMEOUT, "connect");
	cr_expect_str_eq(error_text(&error), "connect");
	cr_expect_eq(error.number, 0);
}

Test(error, describes_system_errors)
{
	static const struct {
		int number;
		const char *expected;
	} rows[] = {
	    {ENOSPC, "x: No space left on device"},
	    {EWOULDBLOCK, "x: Resource temporarily unavailable"},
	    {0, "x: Success"},
	    {99999, "x: Unknown error"},
	    {-1, "x: Unknown error"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error error;
		errno = rows[i].number;
		(void)error_system(&error, "x");
		cr_expect_str_eq(error_text(&error), rows[i].expected);
	}
}

Test(error, takes_arguments_out_of_itself)
{
	struct error error;

	(void)error_set(&error, ERROR_TLS, "handshake");
	(void)error_set(
	    &error, ERROR_CLOSED, "%s and %s", error.text, error_text(&error));
	cr_expect_str_eq(error_text(&error), "handshake and handshake");
}

Test(error, cuts_what_does_not_fit)
{
	struct error error;
	const int most = (int)sizeof(error.text) - 1;

	for (int len = most - 1; len < most + 3; len++) {
		size_t shown = (size_t)(len < most ? len : most);
		(void)error_set(&error, ERROR_DATA, "%*d", len, 1);
		cr_expect_eq(strlen(error.text), shown, "%d", len);
		(void)error_context(&error, "outside");
		cr_expect_eq(strlen(error.text), (size_t)most, "%d", len);
		cr_expect_eq(strncmp(error.text, "outside:   ", 11), 0);
	}
	(void)error_context(&error, "%*d", 100000, 1);
	cr_expect_eq(strlen(error.text), (size_t)most);
}

Test(error, needs_something_to_prepend_to, .signal = SIGABRT)
{
	struct error error = {.kind = ERROR_NONE};

	(void)error_context(&error, "outside");
}
