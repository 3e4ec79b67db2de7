#include "tools/smtp_secrets.h"

#include "base/buffer.h"
#include "base/file.h"
#include "base/memory.h"
#include "config/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define SECRET_MAX ((size_t)64 * 1024)

void
smtp_secrets_forget(char *text)
{
	secret_forget(text);
}

/* ---- a terminal ---- */

/* Up to the line's end, octet by octet: what follows is another's. ERROR_CLOSED
 * where interrupt stands in it. */
static bool
read_line(int fd, char interrupt, struct buffer *line, struct error *error)
{
	for (;;) {
		char c = '\0';
		const ssize_t len = read(fd, &c, 1);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return error_system(error, "read the password");
		if (len == 0 || c == '\n')
			return true;
		if (c == interrupt)
			return error_set(error, ERROR_CLOSED, "interrupted");
		buffer_append_char(line, c);
		if (line->overflowed)
			return error_set(
			    error, ERROR_LIMIT, "the password is too long");
	}
}

static char *
take_line(struct buffer *line)
{
	const struct bytes text = buffer_bytes(line);
	const bool has_cr = text.len > 0 && text.data[text.len - 1] == '\r';
	char *copy = memory_copy(bytes_first(text, text.len - has_cr));

	buffer_clear_secret(line);
	return copy;
}

/* Unseen.  Ctrl-C ends a line as any other octet would that is said to, so that
 * nobody ends us while the terminal has no echo. */
static struct termios
unseen_of(const struct termios *seen)
{
	struct termios unseen = *seen;

	unseen.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
	unseen.c_lflag |= ECHONL;
	unseen.c_cc[VEOL] = seen->c_cc[VINTR];
	return unseen;
}

char *
smtp_secrets_ask(const char *prompt)
{
	struct termios seen;
	struct buffer line;
	struct error error;
	const int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);

	if (fd < 0 || tcgetattr(fd, &seen) != 0) {
		if (fd >= 0)
			(void)close(fd);
		return NULL;
	}
	const struct termios unseen = unseen_of(&seen);
	/* Unseen first: who is asked may type at once. */
	(void)tcsetattr(fd, TCSAFLUSH, &unseen);
	(void)dprintf(fd, "%s: ", prompt);
	buffer_init(&line, SECRET_MAX);
	const bool is_read =
	    read_line(fd, (char)seen.c_cc[VINTR], &line, &error);
	(void)tcsetattr(fd, TCSAFLUSH, &seen);
	(void)close(fd);
	if (!is_read && error.kind == ERROR_CLOSED)
		(void)raise(SIGINT); /* which ends us, as it would have */
	char *text = take_line(&line);
	if (is_read)
		return text;
	smtp_secrets_forget(text);
	return NULL;
}

/* ---- a file, a descriptor ---- */

static bool
read_file(
    const char *path, char **out_user, char **out_password, struct error *error)
{
	struct buffer content;

	if (!secret_check_file(path, error))
		return false;
	buffer_init(&content, SECRET_MAX);
	if (!file_read(AT_FDCWD, path, &content, error)) {
		buffer_clear_secret(&content);
		return false;
	}
	struct bytes rest = buffer_bytes(&content);
	const struct bytes user = bytes_trim(bytes_cut(&rest, '\n'));
	struct bytes password = bytes_cut(&rest, '\n');
	if (password.len > 0 && password.data[password.len - 1] == '\r')
		password = bytes_first(password, password.len - 1);
	const bool is_whole = user.len > 0 && password.len > 0;
	if (is_whole) {
		*out_user = memory_copy(user);
		*out_password = memory_copy(password);
	}
	buffer_clear_secret(&content);
	return is_whole ||
	    error_set(error, ERROR_CONFIG,
		"%s: its first line is the user, the second the password",
		path);
}

static bool
read_descriptor(int fd, char **out_password, struct error *error)
{
	struct buffer line;

	buffer_init(&line, SECRET_MAX);
	if (!read_line(fd, '\n', &line, error)) {
		buffer_clear_secret(&line);
		return error_context(error, "--pass-fd %d", fd);
	}
	*out_password = take_line(&line);
	return true;
}

bool
smtp_secrets_read(const struct smtp_words *words, char **out_user,
    char **out_password, struct error *error)
{
	*out_user = NULL;
	*out_password = NULL;
	if (words->auth != NULL && words->user != NULL)
		return error_set(error, ERROR_CONFIG,
		    "--auth has the user already; say --user or --auth");
	if (words->auth != NULL)
		return read_file(words->auth, out_user, out_password, error);
	if (words->user == NULL && words->pass_fd < 0)
		return true;
	if (words->user == NULL)
		return error_set(error, ERROR_CONFIG, "whose password? --user");
	if (words->pass_fd >= 0 &&
	    !read_descriptor((int)words->pass_fd, out_password, error))
		return false;
	if (*out_password == NULL)
		*out_password = smtp_secrets_ask("password");
	if (*out_password == NULL)
		return error_set(error, ERROR_CONFIG,
		    "there is no terminal to ask for the password; say "
		    "--pass-fd N or --auth FILE");
	*out_user = memory_copy_text(words->user);
	return true;
}
