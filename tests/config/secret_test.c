#include "base/memory.h"
#include "config/config_folder.h"
#include "config/secret.h"
#include "lib/watched.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(secret, .init = config_folder_enter, .fini = config_folder_leave);

static char nothing[] = "";

static struct secret
secret_of(char *file, char *credential, char *value, char **command)
{
	struct secret secret = {file, credential, value, command, 0};

	while (command != NULL && command[secret.command_len] != NULL)
		secret.command_len++;
	return secret;
}

static void
expect_text(const struct secret *secret, const char *expected)
{
	char *text;
	struct error error;
	bool good = secret_load(secret, config_folder_path(), &text, &error);

	cr_assert(good, "%s", error_text(&error));
	cr_expect_str_eq(text, expected);
	secret_forget(text);
}

static void
expect_error(const struct secret *secret, const char *expected)
{
	char *text;
	struct error error;

	cr_assert_not(secret_load(secret, NULL, &text, &error));
	cr_expect_not_null(
	    strstr(error_text(&error), expected), "%s", error_text(&error));
}

Test(secret, is_the_first_line_of_its_file)
{
	char path[] = "password";
	struct secret secret = secret_of(path, nothing, nothing, NULL);

	config_folder_put(path, "hunter2\nmore\n", 0600);
	expect_text(&secret, "hunter2");
	config_folder_put(path, "pass word \r\n", 0640);
	expect_text(&secret, "pass word ");
	config_folder_put(path, "no line end", 0400);
	expect_text(&secret, "no line end");
	config_folder_put(path, "", 0600);
	expect_error(&secret, "no password in its first line");
	config_folder_put(path, "\nsecond\n", 0600);
	expect_error(&secret, "no password in its first line");
}

Test(secret, is_not_taken_from_a_file_that_others_can_read)
{
	static const struct {
		mode_t mode;
		const char *expected; /* NULL: it is fine */
	} rows[] = {
	    {0600, NULL},
	    {0400, NULL},
	    {0640, NULL},
	    {0644, "can be read by everyone; run: chmod 0640"},
	    {0604, "can be read by everyone"},
	    {0601, "can be read by everyone"},
	    {0660, "can be written by its group; run: chmod 0640"},
	};
	char path[] = "password";
	struct error error;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		config_folder_put(path, "x\n", 0600);
		cr_assert_eq(chmod(path, rows[i].mode), 0);
		bool good = secret_check_file(path, &error);
		cr_expect_eq(
		    good, rows[i].expected == NULL, "%o", rows[i].mode);
		if (!good && rows[i].expected != NULL)
			cr_expect_not_null(
			    strstr(error_text(&error), rows[i].expected), "%s",
			    error_text(&error));
	}
	cr_assert_eq(mkdir("folder", 0700), 0);
	cr_expect_not(secret_check_file("folder", &error));
	cr_expect_str_eq(error_text(&error), "folder is not a regular file");
	cr_expect_not(secret_check_file("missing", &error));
}

Test(secret, can_be_a_credential_of_the_service)
{
	char name[] = "smtp";
	struct secret secret = secret_of(nothing, name, nothing, NULL);

	config_folder_put(name, "from systemd\n", 0400);
	expect_text(&secret, "from systemd");
	expect_error(&secret,
	    "CREDENTIALS_DIRECTORY is not set; add "
	    "LoadCredential=smtp:/path to the service");
}

Test(secret, can_be_a_value)
{
	char value[] = "itself";
	struct secret secret = secret_of(nothing, nothing, value, NULL);

	cr_expect(secret_is_there(&secret));
	expect_text(&secret, "itself");
	secret.value = nothing;
	cr_expect_not(secret_is_there(&secret));
}

Test(secret, can_be_what_a_command_says)
{
	char shell[] = "/bin/sh";
	char dash_c[] = "-c";
	char script[] = "read x; echo \"$HOME $x$PATH\"; echo more";
	char *command[] = {shell, dash_c, script, NULL};
	struct secret secret = secret_of(nothing, nothing, nothing, command);

	/* A clean environment, and nothing to read. */
	expect_text(&secret,
	    " /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
}

Test(secret, is_not_what_a_failing_command_says)
{
	char shell[] = "/bin/sh";
	char dash_c[] = "-c";
	char script[] = "echo secret; exit 3";
	char *command[] = {shell, dash_c, script, NULL};
	struct secret secret = secret_of(nothing, nothing, nothing, command);

	expect_error(&secret, "run /bin/sh: it failed (status 3)");
}

Test(secret, is_not_what_a_missing_command_says)
{
	skip_under_valgrind("its posix_spawn() does not hear from exec()");
	char missing[] = "/does/not/exist";
	char *command[] = {missing, NULL};
	struct secret secret = secret_of(nothing, nothing, nothing, command);

	expect_error(&secret, "/does/not/exist: No such file or directory");
}
