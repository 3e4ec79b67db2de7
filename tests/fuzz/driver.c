/*
 * Stands in for libFuzzer where it is not built in: replays inputs.
 *
 * Use: NAME_fuzz FILE-OR-DIRECTORY...
 *
 * Prints TAP: one point for the target, which has passed when it took every
 * input and returned.  When it dies, the input's name is the last line of
 * stderr.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	SECONDS_FOR_ONE_INPUT = 60
};

static char current_path[4096];
static size_t inputs;

static void
name_the_input(int signal_number)
{
	static const char text[] = "died of the input ";

	/* Nothing can be done when stderr is gone. */
	if (write(STDERR_FILENO, text, strlen(text)) < 0 ||
	    write(STDERR_FILENO, current_path, strlen(current_path)) < 0 ||
	    write(STDERR_FILENO, "\n", 1) < 0)
		_exit(1);
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

static void
fail(const char *what, const char *path)
{
	fprintf(stderr, "%s %s: %s\n", what, path, strerror(errno));
	exit(2);
}

static void
replay_file(const char *path, size_t size)
{
	FILE *file = fopen(path, "rbe");
	/* Exactly as long as the input, so that a sanitizer sees its end. */
	uint8_t *data = malloc(size > 0 ? size : 1);

	if (file == NULL || data == NULL)
		fail("open", path);
	if (fread(data, 1, size, file) != size)
		fail("read", path);
	fclose(file);

	alarm(SECONDS_FOR_ONE_INPUT);
	(void)LLVMFuzzerTestOneInput(data, size);
	alarm(0);
	free(data);
	inputs++;
}

static void
replay(const char *path)
{
	struct stat status;

	if (stat(path, &status) != 0)
		fail("find", path);
	if (!S_ISDIR(status.st_mode)) {
		(void)snprintf(current_path, sizeof(current_path), "%s", path);
		replay_file(path, (size_t)status.st_size);
		return;
	}

	struct dirent **names = NULL;
	int count = scandir(path, &names, NULL, alphasort);
	if (count < 0)
		fail("list", path);
	for (int i = 0; i < count; i++) {
		char inner[4096];

		(void)snprintf(
		    inner, sizeof(inner), "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			replay(inner);
		free(names[i]);
	}
	free(names);
}

int
main(int argc, char **argv)
{
	static const int deaths[] = {
	    SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM};
	const char *slash = strrchr(argv[0], '/');
	const char *name = slash != NULL ? slash + 1 : argv[0];

	for (size_t i = 0; i < sizeof(deaths) / sizeof(deaths[0]); i++)
		signal(deaths[i], name_the_input);

	/* A target may write to stdout, but only the TAP belongs there. */
	int tap = dup(STDOUT_FILENO);
	if (tap < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		fail("redirect", "stdout");

	for (int i = 1; i < argc; i++)
		replay(argv[i]);

	/* A corpus without inputs would test nothing and look fine. */
	dprintf(tap, "1..1\n%s 1 - fuzz: %s takes its %zu inputs\n",
	    inputs > 0 ? "ok" : "not ok", name, inputs);
	return inputs > 0 ? 0 : 1;
}
