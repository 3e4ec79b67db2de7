#include "config/secret.h"

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECRET_SIZE_MAX    ((size_t)64 * 1024)
#define COMMAND_TIMEOUT_MS (10 * CLOCK_SECOND)

bool
secret_is_there(const struct secret *secret)
{
	return secret->command_len > 0 || secret->file[0] != '\0' ||
	    secret->credential[0] != '\0' || secret->value[0] != '\0';
}

static bool
is_our_group(gid_t group)
{
	gid_t groups[256];
	int count = getgroups(sizeof(groups) / sizeof(groups[0]), groups);

	if (group == 0 || group == getegid())
		return true;
	for (int i = 0; i < count; i++)
		if (groups[i] == group)
			return true;
	return false;
}

bool
secret_check_file(const char *path, struct error *error)
{
	struct stat file;

	if (stat(path, &file) != 0)
		return error_system(error, "%s", path);
	if (!S_ISREG(file.st_mode))
		return error_set(
		    error, ERROR_CONFIG, "%s is not a regular file", path);
	if ((file.st_mode & S_IRWXO) != 0)
		return error_set(error, ERROR_CONFIG,
		    "%s can be read by everyone; run: chmod 0640 %s", path,
		    path);
	if ((file.st_mode & S_IWGRP) != 0)
		return error_set(error, ERROR_CONFIG,
		    "%s can be written by its group; run: chmod 0640 %s", path,
		    path);
	/* root looks at it for the daemon, whose user it does not know. */
	if (geteuid() == 0)
		return true;
	if (file.st_uid != 0 && file.st_uid != geteuid())
		return error_set(error, ERROR_CONFIG,
		    "%s belongs to another user; run: chown root %s", path,
		    path);
	if ((file.st_mode & S_IRWXG) != 0 && !is_our_group(file.st_gid))
		return error_set(error, ERROR_CONFIG,
		    "%s can be read by a group that is not the daemon's; "
		    "run: chgrp postrider %s",
		    path, path);
	return true;
}

/* ---- the output of a command ---- */

static bool
spawn(char *const *argv, int output, pid_t *out_pid, struct error *error)
{
	static char path[] =
	    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	char *environment[] = {path, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;

	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(
	    &actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setflags(
	    &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
	errno = posix_spawn(
	    out_pid, argv[0], &actions, &attributes, argv, environment);
	bool good = errno == 0 || error_system(error, "run %s", argv[0]);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return good;
}

/* One read, when something is there before the deadline; len 0 at the end. */
static bool
read_some(int fd, int64_t deadline, struct buffer *buffer, size_t *out_len,
    struct error *error)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	int64_t left = deadline - clock_now().mono_ms;
	char *room = buffer_reserve(buffer, 4096);

	if (room == NULL)
		return error_set(error, ERROR_LIMIT, "it writes too much");
	if (left <= 0)
		return error_set(error, ERROR_TIMEOUT, "it takes too long");
	if (poll(&wait, 1, (int)left) <= 0) {
		*out_len = 1; /* again, until the deadline */
		return true;
	}
	ssize_t len = read(fd, room, 4096);
	if (len < 0)
		return error_system(error, "read");
	buffer_commit(buffer, (size_t)len);
	*out_len = (size_t)len;
	return true;
}

static bool
read_all(int fd, struct buffer *buffer, struct error *error)
{
	int64_t deadline = clock_now().mono_ms + COMMAND_TIMEOUT_MS;
	size_t len = 1;

	while (len > 0)
		if (!read_some(fd, deadline, buffer, &len, error))
			return false;
	return true;
}

/* A command that closed its output but does not end is ended. */
static bool
reap(pid_t pid, bool kill_it, struct error *error)
{
	int status = 0;
	int64_t deadline = clock_now().mono_ms + CLOCK_SECOND;

	while (!kill_it && waitpid(pid, &status, WNOHANG) == 0) {
		kill_it = clock_now().mono_ms > deadline;
		(void)poll(NULL, 0, 10); /* a short rest; the result is none */
	}
	if (kill_it) {
		(void)kill(-pid, SIGKILL); /* it may have ended meanwhile */
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		return error_set(error, ERROR_TIMEOUT, "it does not end");
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return error_set(error, ERROR_DATA, "it failed (status %d)",
		    WIFEXITED(status) ? WEXITSTATUS(status) : 128);
	return true;
}

static bool
read_command(char *const *argv, struct buffer *buffer, struct error *error)
{
	int ends[2];
	pid_t pid;
	struct error ending;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return error_system(error, "pipe");
	bool good = spawn(argv, ends[1], &pid, error);
	(void)close(ends[1]); /* nothing was written by us */
	if (good) {
		good = read_all(ends[0], buffer, error);
		bool ended = reap(pid, !good, &ending);
		if (good && !ended) {
			*error = ending;
			good = false;
		}
		if (!good)
			error_context(error, "run %s", argv[0]);
	}
	(void)close(ends[0]); /* only read from */
	return good;
}

/* ---- all four ---- */

static bool
read_credential(const char *directory, const char *name, struct buffer *buffer,
    struct error *error)
{
	if (directory == NULL)
		return error_set(error, ERROR_CONFIG,
		    "credential %s: CREDENTIALS_DIRECTORY is not set; "
		    "add LoadCredential=%s:/path to the service",
		    name, name);
	char *path = memory_format("%s/%s", directory, name);
	bool good = file_read(AT_FDCWD, path, buffer, error);
	free(path);
	return good;
}

static bool
read_secret(const struct secret *secret, const char *credentials_directory,
    struct buffer *buffer, struct error *error)
{
	if (secret->file[0] != '\0')
		return secret_check_file(secret->file, error) &&
		    file_read(AT_FDCWD, secret->file, buffer, error);
	if (secret->credential[0] != '\0')
		return read_credential(
		    credentials_directory, secret->credential, buffer, error);
	if (secret->command_len > 0)
		return read_command(secret->command, buffer, error);
	buffer_append_text(buffer, secret->value);
	return true;
}

bool
secret_load(const struct secret *secret, const char *credentials_directory,
    char **out_text, struct error *error)
{
	struct buffer buffer;

	assert(secret_is_there(secret));
	buffer_init(&buffer, SECRET_SIZE_MAX);
	bool good = read_secret(secret, credentials_directory, &buffer, error);
	if (good) {
		struct bytes rest = buffer_bytes(&buffer);
		struct bytes line = bytes_cut(&rest, '\n');

		if (line.len > 0 && line.data[line.len - 1] == '\r')
			line = bytes_first(line, line.len - 1);
		if (line.len == 0 || memchr(line.data, '\0', line.len) != NULL)
			good = error_set(error, ERROR_DATA,
			    "%s: no password in its first line",
			    secret->command_len > 0 ? secret->command[0]
						    : secret->file);
		else
			*out_text = memory_copy(line);
	}
	buffer_clear_secret(&buffer);
	return good;
}

void
secret_forget(char *text)
{
	if (text == NULL)
		return;
	secret_clear(text, strlen(text));
	free(text);
}
