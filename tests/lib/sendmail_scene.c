#include "lib/sendmail_scene.h"

#include "base/file.h"
#include "base/memory.h"
#include "lib/loop_until.h"
#include "tools/sendmail_run.h"
#include "tools/sendmail_user.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX 64

void
sendmail_scene_init(struct sendmail_scene *scene)
{
	struct error error;

	*scene = (struct sendmail_scene){0};
	intake_scene_init(&scene->intake);
	const char *directory = scene->intake.directory;
	struct sendmail_user user;
	sendmail_user_find(&user);
	(void)snprintf(scene->login, sizeof(scene->login), "%s", user.login);
	sendmail_user_clear(&user);
	(void)snprintf(scene->socket, sizeof(scene->socket), "%s/s", directory);
	(void)snprintf(scene->drop, sizeof(scene->drop), "%s.drop", directory);
	(void)snprintf(scene->admin, sizeof(scene->admin), "%s/a", directory);
	cr_assert_eq(mkdir(scene->drop, 0700), 0);
	cr_assert_eq(chmod(scene->drop, 03733), 0);
	cr_assert(listener_open(scene->intake.loop, scene->socket, 0666,
		      smtp_intake_accept, scene->intake.intake,
		      &scene->listener, &error),
	    "%s", error.text);
}

void
sendmail_scene_stop(struct sendmail_scene *scene)
{
	listener_free(scene->listener);
	scene->listener = NULL;
}

static void
remove_drop(const char *path)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;

	if (directory == NULL)
		return;
	while ((entry = readdir(directory)) != NULL)
		(void)unlinkat(dirfd(directory), entry->d_name, 0);
	closedir(directory);
	rmdir(path);
}

void
sendmail_scene_clear(struct sendmail_scene *scene)
{
	sendmail_scene_stop(scene);
	remove_drop(scene->drop);
	intake_scene_clear(&scene->intake);
	free(scene->output);
	free(scene->errors);
}

/* ---- the child ---- */

/* Cut text into words in place; what is quoted is one. */
static int
cut_words(char *text, char **words)
{
	int count = 0;
	char *to = text;

	while (*text != '\0') {
		char quote = '\0';
		while (*text == ' ')
			text++;
		if (*text == '\0')
			break;
		cr_assert_lt(count, WORDS_MAX - 1);
		words[count++] = to;
		for (; *text != '\0' && (quote != '\0' || *text != ' '); text++)
			if (*text == '\'')
				quote = quote == '\0' ? *text : '\0';
			else
				*to++ = *text;
		if (*text == ' ')
			text++;
		*to++ = '\0';
	}
	words[count] = NULL;
	return count;
}

static int
file_with(struct bytes content)
{
	struct error error;
	int fd = memfd_create("scene", 0);

	cr_assert_geq(fd, 0);
	cr_assert(file_write(fd, content, &error), "%s", error.text);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static char *
text_of(int fd)
{
	off_t len = lseek(fd, 0, SEEK_END);
	char *text = memory_array((size_t)len + 1, 1);

	cr_assert_eq(pread(fd, text, (size_t)len, 0), len);
	close(fd);
	return text;
}

static void __attribute__((noreturn))
be_sendmail(const struct sendmail_scene *scene, const char *command_line,
    const int *fds, sendmail_scene_fn *prepare)
{
	char *words[WORDS_MAX];
	char *text = memory_copy_text(command_line);
	int count = cut_words(text, words);

	for (int i = 0; i < 3; i++)
		dup2(fds[i], i);
	setenv("POSTRIDER_SOCKET", scene->socket, 1);
	setenv("POSTRIDER_DROP", scene->drop, 1);
	setenv("POSTRIDER_ADMIN_SOCKET", scene->admin, 1);
	setenv("NAME", "Me", 1);
	(void)signal(SIGPIPE, SIG_IGN);
	if (prepare != NULL)
		prepare();
	_exit(sendmail_run(count, words, true));
}

struct child {
	pid_t pid;
	int status;
};

static bool
is_over(void *ctx)
{
	struct child *child = ctx;
	return waitpid(child->pid, &child->status, WNOHANG) == child->pid;
}

void
sendmail_scene_run(struct sendmail_scene *scene, const char *command_line,
    struct bytes input, sendmail_scene_fn *prepare)
{
	int fds[] = {
	    file_with(input), file_with(BYTES_NONE), file_with(BYTES_NONE)};
	struct child child = {.pid = fork()};

	cr_assert_geq(child.pid, 0);
	if (child.pid == 0)
		be_sendmail(scene, command_line, fds, prepare);
	loop_until(scene->intake.loop, is_over, &child);
	scene->status = WIFSIGNALED(child.status) ? 128 + WTERMSIG(child.status)
						  : WEXITSTATUS(child.status);
	free(scene->output);
	free(scene->errors);
	close(fds[0]);
	scene->output = text_of(fds[1]);
	scene->errors = text_of(fds[2]);
}

/* ---- what came of it ---- */

const char *
sendmail_scene_envelope(const struct sendmail_scene *scene, size_t index)
{
	static char text[4096];
	const struct fake_door *fake = &scene->intake.fake;
	int len = 0;

	text[0] = '\0';
	if (index >= fake->count)
		return text;
	const struct envelope *envelope =
	    &fake->letters[index].message->envelope;
	len = snprintf(text, sizeof(text), "%s", envelope->sender);
	for (size_t i = 0; i < envelope->recipient_count; i++)
		len += snprintf(text + len, sizeof(text) - (size_t)len, "%s%s",
		    i == 0 ? ">" : ",", envelope->recipients[i].address);
	return text;
}

char *
sendmail_scene_dropped(struct sendmail_scene *scene)
{
	DIR *directory = opendir(scene->drop);
	const struct dirent *entry;
	struct buffer content;
	struct error error;
	char *text = NULL;

	cr_assert_not_null(directory);
	buffer_init(&content, SIZE_MAX);
	while ((entry = readdir(directory)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		cr_assert_neq(entry->d_name[0], '.', "left: %s", entry->d_name);
		cr_assert_null(text, "a second one: %s", entry->d_name);
		cr_assert(file_read(dirfd(directory), entry->d_name, &content,
			      &error),
		    "%s", error.text);
		text = buffer_to_text(&content);
		struct stat facts;
		cr_assert_eq(
		    fstatat(dirfd(directory), entry->d_name, &facts, 0), 0);
		scene->dropped_mode = facts.st_mode & 07777;
	}
	closedir(directory);
	buffer_clear(&content);
	return text;
}

size_t
sendmail_scene_dropped_files(const struct sendmail_scene *scene)
{
	DIR *directory = opendir(scene->drop);
	const struct dirent *entry;
	size_t count = 0;

	cr_assert_not_null(directory);
	while ((entry = readdir(directory)) != NULL)
		count += entry->d_name[0] != '.';
	closedir(directory);
	return count;
}
