#include "base/file.h"
#include "base/memory.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A directory for each test, which is its working directory meanwhile. */
static char root[] = "/tmp/file_test.XXXXXX";

static void
enter(void)
{
	cr_assert_not_null(mkdtemp(root));
	cr_assert_eq(chdir(root), 0);
	(void)umask(022);
}

static void
leave(void)
{
	char *command[] = {(char[]){"rm"}, (char[]){"-rf"}, root, NULL};

	cr_assert_eq(chdir("/"), 0);
	pid_t pid = fork();
	if (pid == 0) {
		(void)execvp(command[0], command);
		_exit(127);
	}
	(void)waitpid(pid, NULL, 0);
}

TestSuite(file, .init = enter, .fini = leave);

static void
put_file(const char *path, struct bytes content)
{
	FILE *file = fopen(path, "w");
	cr_assert_not_null(file);
	cr_assert_eq(fwrite(content.data, 1, content.len, file), content.len);
	cr_assert_eq(fclose(file), 0);
}

static void
expect_file(const char *path, struct bytes expected)
{
	struct buffer buffer;
	struct error error;

	buffer_init(&buffer, 1 << 24);
	cr_expect(file_read(AT_FDCWD, path, &buffer, &error));
	cr_expect(bytes_equal(buffer_bytes(&buffer), expected), "%s", path);
	buffer_clear(&buffer);
}

static size_t
count_entries(const char *path)
{
	size_t count = 0;
	DIR *directory = opendir(path);

	cr_assert_not_null(directory);
	while (readdir(directory) != NULL)
		count++;
	(void)closedir(directory);
	return count - 2; /* . and .. */
}

/* Files may grow to size octets; SIGXFSZ is ignored as by daemons. */
static void
limit_file_size(rlim_t size)
{
	struct rlimit limit = {size, RLIM_INFINITY};

	(void)signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* size octets in which each place shows. */
static struct bytes
filling(size_t size)
{
	char *memory = memory_new(size);

	for (size_t i = 0; i < size; i++)
		memory[i] = (char)(i % 251);
	return bytes_make(memory, size);
}

static void
release(struct bytes bytes)
{
	free((void *)(uintptr_t)bytes.data);
}

Test(file, is_read_whole)
{
	static const size_t sizes[] = {
	    0, 1, 16383, 16384, 16385, 32768, 1000000};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct bytes content = filling(sizes[i]);
		struct buffer buffer;
		struct error error;
		put_file("x", content);
		buffer_init(&buffer, sizes[i]);
		cr_expect(
		    file_read(AT_FDCWD, "x", &buffer, &error), "%zu", sizes[i]);
		cr_expect(bytes_equal(buffer_bytes(&buffer), content), "%zu",
		    sizes[i]);
		buffer_clear(&buffer);
		release(content);
	}
}

Test(file, is_read_behind_what_the_buffer_holds)
{
	struct buffer buffer;
	struct error error;

	put_file("x", BYTES("b\0c"));
	buffer_init(&buffer, 4);
	buffer_append_text(&buffer, "a");
	cr_expect(file_read(AT_FDCWD, "x", &buffer, &error));
	cr_expect(bytes_equal(buffer_bytes(&buffer), BYTES("ab\0c")));
	buffer_clear(&buffer);
}

Test(file, without_a_size_is_read_whole)
{
	struct buffer buffer;
	struct error error;

	buffer_init(&buffer, 1 << 20);
	cr_expect(file_read(AT_FDCWD, "/proc/self/status", &buffer, &error));
	cr_expect(bytes_has_prefix(buffer_bytes(&buffer), "Name:"));
	buffer_clear(&buffer);
}

Test(file, that_cannot_be_read_leaves_the_buffer_alone)
{
	static const struct {
		const char *name, *path;
		enum error_kind kind;
		int number;
		const char *text;
	} rows[] = {
	    {"missing", "none", ERROR_SYSTEM, ENOENT,
		"open none: No such file or directory"},
	    {"directory", "/", ERROR_SYSTEM, EISDIR, "read /: Is a directory"},
	    {"too large", "large", ERROR_LIMIT, 0,
		"read large: larger than 10 octets"},
	    {"endless", "/dev/zero", ERROR_LIMIT, 0,
		"read /dev/zero: larger than 10 octets"},
	};

	put_file("large", BYTES("0123456789"));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buffer buffer;
		struct error error;
		buffer_init(&buffer, 10);
		buffer_append_text(&buffer, "a");
		cr_expect_not(
		    file_read(AT_FDCWD, rows[i].path, &buffer, &error), "%s",
		    rows[i].name);
		cr_expect_eq(error.kind, rows[i].kind, "%s", rows[i].name);
		cr_expect_eq(error.number, rows[i].number, "%s", rows[i].name);
		cr_expect_str_eq(error_text(&error), rows[i].text);
		cr_expect(
		    bytes_is(buffer_bytes(&buffer), "a"), "%s", rows[i].name);
		cr_expect_not(buffer.overflowed, "%s", rows[i].name);
		buffer_clear(&buffer);
	}
}

Test(file, is_written_and_read_at_an_offset)
{
	struct error error;
	char octets[4] = "";
	int fd = open("x", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	cr_expect(file_write(fd, BYTES("abc"), &error));
	cr_expect(file_write(fd, BYTES_NONE, &error));
	cr_expect(file_write(fd, BYTES("def"), &error));
	cr_expect(file_write_at(fd, BYTES("XY"), 2, &error));
	cr_expect(file_write_at(fd, BYTES("end"), 8, &error));
	expect_file("x", BYTES("abXYef\0\0end"));

	cr_expect(file_read_at(fd, octets, 4, 2, &error));
	cr_expect_eq(memcmp(octets, "XYef", 4), 0);
	cr_expect(file_read_at(fd, octets, 0, 1000, &error));
	(void)close(fd);
}

Test(file, that_ends_too_early_is_damaged)
{
	struct error error;
	char octets[8];
	int fd = open("x", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	cr_expect(file_write(fd, BYTES("abcdef"), &error));
	cr_expect_not(file_read_at(fd, octets, 4, 3, &error));
	cr_expect_eq(error.kind, ERROR_DATA);
	cr_expect_str_eq(
	    error_text(&error), "read at 6: the file ends 1 octets too early");
	cr_expect_not(file_read_at(fd, octets, 1, INT64_MAX - 1, &error));
	cr_expect_eq(error.kind, ERROR_DATA);
	(void)close(fd);
	cr_expect_not(file_read_at(fd, octets, 1, 0, &error));
	cr_expect_eq(error.number, EBADF);
}

Test(file, of_a_pipe_that_takes_little_is_written_whole)
{
	struct bytes content = filling(1000000);
	struct error error;
	struct buffer buffer;
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	pid_t pid = fork();
	if (pid == 0) {
		(void)close(ends[0]);
		_exit(file_write(ends[1], content, &error) ? 0 : 1);
	}
	(void)close(ends[1]);
	buffer_init(&buffer, 2000000);
	char *path = memory_format("/proc/self/fd/%d", ends[0]);
	cr_expect(file_read(AT_FDCWD, path, &buffer, &error));
	cr_expect(bytes_equal(buffer_bytes(&buffer), content));

	int status;
	cr_expect_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
	(void)close(ends[0]);
	free(path);
	buffer_clear(&buffer);
	release(content);
}

Test(file, on_a_full_disk_says_so)
{
	struct error error;
	int fd = open("/dev/full", O_RDWR | O_CLOEXEC);

	cr_assert_geq(fd, 0);
	cr_expect_not(file_write(fd, BYTES("a"), &error));
	cr_expect_eq(error.kind, ERROR_SYSTEM);
	cr_expect_eq(error.number, ENOSPC);
	cr_expect_str_eq(error_text(&error), "write: No space left on device");
	cr_expect_not(file_write_at(fd, BYTES("a"), 7, &error));
	cr_expect_str_eq(
	    error_text(&error), "write at 7: No space left on device");
	(void)close(fd);
}

Test(file, written_short_is_gone_on_with_until_the_error)
{
	struct bytes content = filling(5000);
	struct error error;
	int fd = open("x", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	limit_file_size(4096);
	cr_expect_not(file_write(fd, content, &error));
	cr_expect_eq(error.number, EFBIG);
	expect_file("x", bytes_first(content, 4096));
	cr_expect_not(file_write_at(fd, content, 100, &error));
	cr_expect_str_eq(error_text(&error), "write at 4096: File too large");
	(void)close(fd);
	release(content);
}

Test(file, is_replaced_whole_with_its_mode)
{
	static const struct {
		const char *name;
		mode_t mode;
		struct bytes content;
	} rows[] = {
	    {"a new one", 0600, {"secret", 6}},
	    {"an old one", 0644, {"new", 3}},
	    {"past the umask", 0666, {"new", 3}},
	    {"by nothing", 0640, {"", 0}},
	    {"with a nul", 0400, {"a\0b", 3}},
	};
	int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	cr_assert_geq(fd, 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error error;
		struct stat status;
		cr_expect(file_replace(
			      fd, "x", rows[i].content, rows[i].mode, &error),
		    "%s", rows[i].name);
		expect_file("x", rows[i].content);
		cr_expect_eq(stat("x", &status), 0);
		cr_expect_eq(
		    status.st_mode & 07777, rows[i].mode, "%s", rows[i].name);
		cr_expect_eq(count_entries("."), 1, "%s", rows[i].name);
	}
	(void)close(fd);
}

Test(file, is_replaced_by_a_path_too)
{
	struct error error;

	cr_assert_eq(mkdir("d", 0700), 0);
	cr_expect(file_replace(AT_FDCWD, "x", BYTES("1"), 0600, &error));
	cr_expect(file_replace(AT_FDCWD, "d/x", BYTES("2"), 0600, &error));
	char *path = memory_format("%s/d/y", root);
	cr_expect(file_replace(AT_FDCWD, path, BYTES("3"), 0600, &error));
	expect_file("x", BYTES("1"));
	expect_file("d/x", BYTES("2"));
	expect_file("d/y", BYTES("3"));
	free(path);
}

Test(file, that_cannot_be_replaced_stands_as_it_was)
{
	struct bytes content = filling(5000);
	struct error error;

	put_file("x", BYTES("old"));
	limit_file_size(4096);
	cr_expect_not(file_replace(AT_FDCWD, "x", content, 0600, &error));
	cr_expect_str_eq(
	    error_text(&error), "replace x: write: File too large");
	expect_file("x", BYTES("old"));
	cr_expect_eq(count_entries("."), 1);
	release(content);
}

Test(file, that_is_a_directory_is_not_replaced)
{
	struct error error;

	cr_assert_eq(mkdir("d", 0700), 0);
	cr_expect_not(file_replace(AT_FDCWD, "d", BYTES("x"), 0600, &error));
	cr_expect_str_eq(
	    error_text(&error), "replace d: rename: Is a directory");
	cr_expect_eq(count_entries("."), 1);
	cr_expect_eq(count_entries("d"), 0);
}

Test(file, in_no_directory_is_not_replaced)
{
	struct error error;

	cr_expect_not(file_replace(AT_FDCWD, "d/x", BYTES("x"), 0600, &error));
	cr_expect_str_eq(error_text(&error),
	    "replace d/x: open d/: No such file or directory");
	cr_expect_not(file_replace(-1, "x", BYTES("x"), 0600, &error));
	cr_expect_eq(error.number, EBADF);
	char *name = memory_format("%0240d", 1);
	cr_expect_not(file_replace(AT_FDCWD, name, BYTES("x"), 0600, &error));
	cr_expect_eq(error.number, ENAMETOOLONG);
	cr_expect_eq(count_entries("."), 0);
	free(name);
}

Test(file, directories_are_synced)
{
	struct error error;
	int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	cr_expect(file_sync_directory(fd, &error));
	(void)close(fd);
	cr_expect_not(file_sync_directory(fd, &error));
	cr_expect_eq(error.number, EBADF);
}

Test(file, is_locked_until_closed)
{
	struct error error;
	int fd = -7;
	int other_fd = -7;

	cr_assert(file_lock(AT_FDCWD, "lock", &fd, &error));
	cr_expect_not(file_lock(AT_FDCWD, "lock", &other_fd, &error));
	cr_expect_eq(error.kind, ERROR_SYSTEM);
	cr_expect_eq(error.number, EWOULDBLOCK);
	cr_expect_eq(other_fd, -7);
	cr_expect_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	(void)close(fd);
	cr_assert(file_lock(AT_FDCWD, "lock", &other_fd, &error));
	(void)close(other_fd);
}

Test(file, in_no_directory_is_not_locked)
{
	struct error error;
	int fd = -7;

	cr_expect_not(file_lock(AT_FDCWD, "none/lock", &fd, &error));
	cr_expect_eq(error.number, ENOENT);
	cr_expect_eq(fd, -7);
}

Test(file, directories_are_made_with_their_parents)
{
	static const struct {
		const char *name, *path, *made;
	} rows[] = {
	    {"one", "a", "a"},
	    {"there already", "a", "a"},
	    {"below", "a/b/c", "a/b/c"},
	    {"slashes behind", "d/e//", "d/e"},
	    {"slashes between", "f//g", "f/g"},
	    {"dots", "./h/../i", "i"},
	    {"the root", "/", "/"},
	    {"here", ".", "."},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error error;
		struct stat status;
		cr_expect(file_make_directories(rows[i].path, 0750, &error),
		    "%s", rows[i].name);
		cr_expect_eq(
		    stat(rows[i].made, &status), 0, "%s", rows[i].name);
		cr_expect(S_ISDIR(status.st_mode), "%s", rows[i].name);
	}

	char *path = memory_format("%s/j/k", root);
	struct error error;
	struct stat status;
	cr_expect(file_make_directories(path, 0770, &error));
	cr_expect_eq(stat("j", &status), 0);
	cr_expect_eq(status.st_mode & 07777, 0750, "less the umask");
	free(path);
}

Test(file, in_the_way_of_a_directory_is_an_error)
{
	static const struct {
		const char *name, *path;
		int number;
		const char *text;
	} rows[] = {
	    {"last", "x", ENOTDIR, "make directory x: Not a directory"},
	    {"parent", "x/y", ENOTDIR, "make directory x: Not a directory"},
	    {"empty", "", ENOENT, "make directory : No such file or directory"},
	    {"broken link", "link/y", ENOENT,
		"look at link: No such file or directory"},
	};

	put_file("x", BYTES("x"));
	cr_assert_eq(symlink("nowhere", "link"), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error error;
		cr_expect_not(file_make_directories(rows[i].path, 0700, &error),
		    "%s", rows[i].name);
		cr_expect_eq(error.number, rows[i].number, "%s", rows[i].name);
		cr_expect_str_eq(error_text(&error), rows[i].text);
	}
}
