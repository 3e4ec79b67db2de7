/*
 * Runs Criterion tests without Criterion's runner, in sanitizer builds.
 *
 * Criterion 2.4.1 gives each test a process with an arena at an address that
 * ThreadSanitizer does not allow, and calls a test passed once its last line
 * has run, whatever a sanitizer reports at exit.  Here each test is a plain
 * fork, and its exit status counts.  The functions below replace those of
 * libcriterion; what formats the messages is still the library's.
 *
 * Use: PROGRAM --tap=FILE [--filter PATTERN] [other options are ignored]
 */
#include <criterion/criterion.h>
#include <criterion/event.h>
#include <criterion/logging.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	EXIT_TEST_FAILED = 101,
	EXIT_TEST_SKIPPED = 102,
	TIMEOUT_S = 300,
};

extern struct criterion_test *__start_cr_tst[];
extern struct criterion_test *__stop_cr_tst[];

/* Weak: a program need not have a suite with options. */
extern struct criterion_suite *__start_cr_sts[] __attribute__((weak));
extern struct criterion_suite *__stop_cr_sts[] __attribute__((weak));

/* Criterion does not say that these take a printf format. */
void criterion_skip_test(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
void criterion_test_die(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
void cr_log(enum criterion_severity severity, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static const struct criterion_test *current_test;
static bool current_failed;

static const struct criterion_test_extra_data *
suite_data(const char *name)
{
	for (struct criterion_suite **at = __start_cr_sts; at < __stop_cr_sts;
	     at++) {
		if (*at != NULL && strcmp((*at)->name, name) == 0)
			return (*at)->data;
	}
	return NULL;
}

static void __attribute__((format(printf, 1, 0)))
say(const char *format, va_list arguments)
{
	if (format == NULL)
		return;
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
}

void
cr_log(enum criterion_severity severity, const char *format, ...)
{
	va_list arguments;

	(void)severity;
	va_start(arguments, format);
	say(format, arguments);
	va_end(arguments);
}

void
criterion_internal_test_setup(void)
{
	const struct criterion_test_extra_data *suite =
	    suite_data(current_test->category);

	if (suite != NULL && suite->init != NULL)
		suite->init();
	if (current_test->data->init != NULL)
		current_test->data->init();
}

void
criterion_internal_test_main(void (*fn)(void))
{
	fn();
}

void
criterion_internal_test_teardown(void)
{
	const struct criterion_test_extra_data *suite =
	    suite_data(current_test->category);

	if (current_test->data->fini != NULL)
		current_test->data->fini();
	if (suite != NULL && suite->fini != NULL)
		suite->fini();
}

void
criterion_send_assert(struct criterion_assert_stats *stats)
{
	if (stats->passed)
		return;
	current_failed = true;
	fprintf(stderr, "%s:%u: assertion failed: %s\n", stats->file,
	    stats->line, stats->message);
}

void
cri_asserts_passed_incr(void)
{
}

/* _exit: what a failed test leaves behind is not a leak worth a report. */
void
criterion_abort_test(void)
{
	_exit(EXIT_TEST_FAILED);
}

void
criterion_continue_test(void)
{
}

void
criterion_skip_test(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(format, arguments);
	va_end(arguments);
	_exit(EXIT_TEST_SKIPPED);
}

void
criterion_test_die(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(format, arguments);
	va_end(arguments);
	_exit(EXIT_TEST_FAILED);
}

static _Noreturn void
run_here(const struct criterion_test *test)
{
	current_test = test;
	alarm(TIMEOUT_S);
	test->test();
	fflush(NULL);
	exit(current_failed ? EXIT_TEST_FAILED : 0);
}

static bool
is_expected(const struct criterion_test *test, int status)
{
	const struct criterion_test_extra_data *suite =
	    suite_data(test->category);
	int want_signal = test->data->signal;
	int want_code = test->data->exit_code;

	if (suite != NULL && want_signal == 0)
		want_signal = suite->signal;
	if (suite != NULL && want_code == 0)
		want_code = suite->exit_code;
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == want_signal;
	return want_signal == 0 && WEXITSTATUS(status) == want_code;
}

static bool
run_test(const struct criterion_test *test, FILE *tap)
{
	const char *result = "not ok";
	const char *remark = "";
	int status = 0;

	fflush(NULL);
	pid_t child = fork();
	if (child == 0)
		run_here(test);
	if (child < 0 || waitpid(child, &status, 0) != child)
		status = EXIT_TEST_FAILED << 8;

	if (is_expected(test, status)) {
		result = "ok";
	} else if (WIFEXITED(status) &&
	    WEXITSTATUS(status) == EXIT_TEST_SKIPPED) {
		result = "ok";
		remark = " # SKIP";
	} else if (WIFSIGNALED(status)) {
		fprintf(stderr, "%s::%s: killed by signal %d (%s)\n",
		    test->category, test->name, WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	} else {
		fprintf(stderr, "%s::%s: exit status %d\n", test->category,
		    test->name, WEXITSTATUS(status));
	}
	fprintf(
	    tap, "%s - %s::%s%s\n", result, test->category, test->name, remark);
	return result[0] == 'o';
}

static bool
is_disabled(const struct criterion_test *test)
{
	const struct criterion_test_extra_data *suite =
	    suite_data(test->category);

	return test->data->disabled || (suite != NULL && suite->disabled);
}

static bool
is_wanted(const struct criterion_test *test, const char *filter)
{
	char name[1024];

	(void)snprintf(name, sizeof(name), "%s/%s", test->category, test->name);
	return filter == NULL || fnmatch(filter, name, 0) == 0;
}

int
main(int argc, char **argv)
{
	FILE *tap = stdout;
	const char *filter = NULL;
	bool failed = false;
	size_t count = 0;

	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "--tap=", strlen("--tap=")) == 0)
			tap = fopen(argv[i] + strlen("--tap="), "we");
		else if (strcmp(argv[i], "--filter") == 0 && i + 1 < argc)
			filter = argv[++i];
	}
	if (tap == NULL) {
		perror("tap");
		return 2;
	}

	for (struct criterion_test **at = __start_cr_tst; at < __stop_cr_tst;
	     at++) {
		if (*at == NULL || !is_wanted(*at, filter))
			continue;
		count++;
		if (is_disabled(*at))
			fprintf(tap, "ok - %s::%s # SKIP disabled\n",
			    (*at)->category, (*at)->name);
		else if (!run_test(*at, tap))
			failed = true;
	}
	fprintf(tap, "1..%zu\n", count);
	return fclose(tap) != 0 || failed;
}
