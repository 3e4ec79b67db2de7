#include "message/body.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/body_test.XXXXXX";
static int directory_fd;

static void
make_directory(void)
{
	cr_assert_not_null(mkdtemp(directory));
	directory_fd = open(directory, O_RDONLY | O_DIRECTORY);
	cr_assert_geq(directory_fd, 0);
}

static void
remove_directory(void)
{
	(void)unlinkat(directory_fd, "0000000000B", 0);
	close(directory_fd);
	rmdir(directory);
}

TestSuite(body, .init = make_directory, .fini = remove_directory);

static void
expect_content(const struct body *body, const char *expected)
{
	struct error error = {0};
	char data[100];
	size_t len = 0;

	cr_assert_eq(body->len, strlen(expected));
	for (uint64_t offset = 0; offset <= body->len + 1; offset++) {
		cr_assert(
		    body_read(body, offset, data, sizeof(data), &len, &error));
		size_t from = offset < body->len ? offset : body->len;
		cr_expect(bytes_equal(
		    bytes_make(data, len), bytes_of(expected + from)));
	}
	cr_assert(body_read(body, 0, data, 2, &len, &error));
	cr_expect_eq(len, strlen(expected) < 2 ? strlen(expected) : 2);
}

static bool
exists(void)
{
	struct stat status;
	return fstatat(directory_fd, "0000000000B", &status, 0) == 0;
}

Test(body, is_empty_at_first)
{
	struct body body;

	body_init(&body);
	expect_content(&body, "");
	body_clear(&body);
}

Test(body, holds_content_in_memory)
{
	struct body body;

	body_init(&body);
	body_set(&body, BYTES("Subject: x\r\n\r\nhello\r\n"));
	expect_content(&body, "Subject: x\r\n\r\nhello\r\n");
	/* A view of itself. */
	body_set(&body, bytes_from(buffer_bytes(&body.memory), 14));
	expect_content(&body, "hello\r\n");
	body_clear(&body);
	expect_content(&body, "");
}

Test(body, reads_a_stretch_of_a_file)
{
	struct body body;
	int fd = openat(directory_fd, "0000000000B", O_RDWR | O_CREAT, 0600);

	cr_assert_eq(write(fd, "....hello....", 13), 13);
	body_init(&body);
	body.fd = fd;
	body.owns_fd = true;
	body.offset = 4;
	body.len = 5;
	expect_content(&body, "hello");
	body_clear(&body);
	cr_expect_eq(close(fd), -1, "it was closed already");
}

Test(body, fails_where_the_file_is_too_short)
{
	struct body body;
	struct error error = {0};
	char data[10];
	size_t len = 42;
	int fd = openat(directory_fd, "0000000000B", O_RDWR | O_CREAT, 0600);

	body_init(&body);
	body.fd = fd;
	body.len = 5;
	cr_expect_not(body_read(&body, 0, data, sizeof(data), &len, &error));
	cr_expect_eq(error.kind, ERROR_DATA);
	cr_expect_eq(len, 42);
	body_clear(&body);
	cr_expect_eq(close(fd), 0, "it was borrowed");
}

Test(body, is_written_to_memory_up_to_the_limit)
{
	struct body_writer writer;
	struct body body;
	struct error error = {0};

	body_writer_init(&writer, directory_fd, "0000000000B", 10);
	cr_expect(body_writer_append(&writer, BYTES("01234"), &error));
	cr_expect(body_writer_append(&writer, BYTES("56789"), &error));
	cr_expect_not(exists());
	body_writer_take(&writer, &body);
	cr_expect_eq(body.fd, -1);
	cr_expect_str_eq(body.name, "");
	expect_content(&body, "0123456789");
	body_clear(&body);
	body_writer_cancel(&writer);
}

Test(body, is_written_to_a_file_past_the_limit)
{
	struct body_writer writer;
	struct body body;
	struct error error = {0};
	struct stat status;

	body_writer_init(&writer, directory_fd, "0000000000B", 10);
	cr_expect(body_writer_append(&writer, BYTES("01234"), &error));
	cr_expect(body_writer_append(&writer, BYTES("56789a"), &error));
	cr_expect(body_writer_append(&writer, BYTES("b"), &error));
	cr_expect(body_writer_append(&writer, BYTES_NONE, &error));
	body_writer_take(&writer, &body);
	cr_expect_str_eq(body.name, "0000000000B");
	cr_expect(body.owns_fd);
	expect_content(&body, "0123456789ab");
	cr_assert_eq(fstat(body.fd, &status), 0);
	cr_expect_eq(status.st_mode & 07777, 0600);
	body_writer_cancel(&writer);
	cr_expect(exists(), "it belongs to body now");
	body_clear(&body);
	cr_expect(exists());
}

Test(body, leaves_no_file_when_given_up)
{
	struct body_writer writer;
	struct error error = {0};

	body_writer_init(&writer, directory_fd, "0000000000B", 0);
	cr_expect(body_writer_append(&writer, BYTES("x"), &error));
	cr_expect(exists());
	body_writer_cancel(&writer);
	cr_expect_not(exists());
}

Test(body, is_limited_without_a_directory)
{
	struct body_writer writer;
	struct error error = {0};

	body_writer_init(&writer, -1, "", 3);
	cr_expect(body_writer_append(&writer, BYTES("012"), &error));
	cr_expect_not(body_writer_append(&writer, BYTES("3"), &error));
	cr_expect_eq(error.kind, ERROR_LIMIT);
	body_writer_cancel(&writer);
}

Test(body, never_writes_to_a_file_that_is_there)
{
	struct body_writer writer;
	struct error error = {0};
	int fd = openat(directory_fd, "0000000000B", O_RDWR | O_CREAT, 0600);

	close(fd);
	body_writer_init(&writer, directory_fd, "0000000000B", 0);
	cr_expect_not(body_writer_append(&writer, BYTES("x"), &error));
	cr_expect_eq(error.kind, ERROR_SYSTEM);
	body_writer_cancel(&writer);
	cr_expect(exists(), "it is another's");
}
