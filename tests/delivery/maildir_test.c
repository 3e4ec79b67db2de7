#include "base/file.h"
#include "base/memory.h"
#include "delivery/maildir.h"
#include "lib/scratch_folder.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct world {
	char *folder;
	char path[96]; /* of the maildir, not made yet */
	struct message *message;
	struct maildir_stamp stamp;
};

static const size_t first_two[] = {0, 1};

static void
begin(struct world *world, const char *content)
{
	*world = (struct world){
	    .stamp = {.wall_ms = 1700000000123, .count = 7, .hostname = "h/x"},
	    .message = message_new(),
	};
	world->folder = scratch_folder_new();
	(void)snprintf(
	    world->path, sizeof(world->path), "%s/a/b/box", world->folder);

	struct envelope *envelope = &world->message->envelope;
	envelope_set_sender(envelope, BYTES("from@x.example"));
	(void)envelope_add_recipient(envelope, BYTES("one@y.example"));
	envelope_add_recipient(envelope, BYTES("two@y.example"))->original =
	    memory_copy_text("rfc822;alias+2Btwo@y.example");
	(void)envelope_add_recipient(envelope, BYTES("three@y.example"));
	progress_init(&world->message->progress, 3);
	world->message->id = 1700000000000000;
	body_set(&world->message->body, bytes_of(content));
}

static void
end(struct world *world)
{
	message_free(world->message);
	scratch_folder_remove(world->folder);
}

static enum maildir_result
deliver(struct world *world, struct error *error)
{
	return maildir_deliver(
	    world->path, &world->stamp, world->message, first_two, 2, error);
}

/* How many files a folder has, and the last one's path (released by the
 * caller). */
static int
files_in(const struct world *world, const char *folder, char **out_path)
{
	char *path = memory_format("%s/%s", world->path, folder);
	DIR *directory = opendir(path);
	int count = 0;

	cr_assert_not_null(directory);
	for (const struct dirent *entry = readdir(directory); entry != NULL;
	     entry = readdir(directory)) {
		if (entry->d_name[0] == '.')
			continue;
		count++;
		free(*out_path);
		*out_path = memory_format("%s/%s", path, entry->d_name);
	}
	closedir(directory);
	free(path);
	return count;
}

/* The caller frees it. */
static char *
text_of(const char *path)
{
	struct buffer content;
	struct error error;

	buffer_init(&content, 1 << 24);
	cr_assert(file_read(AT_FDCWD, path, &content, &error));
	char *text = buffer_to_text(&content);
	buffer_clear(&content);
	return text;
}

Test(maildir, gets_a_file_with_the_envelope_above)
{
	struct world world;
	struct error error;
	struct stat status;
	char *path = NULL;

	begin(&world, "Subject: x\r\n\r\nhello\r\n.dot\r\n");
	cr_assert_eq(deliver(&world, &error), MAILDIR_DELIVERED);
	cr_expect_eq(files_in(&world, "new", &path), 1);
	char *text = text_of(path);
	cr_expect_str_eq(text,
	    "Return-Path: <from@x.example>\n"
	    "Delivered-To: one@y.example\n"
	    "Delivered-To: two@y.example\n"
	    "X-Original-To: alias+two@y.example\n"
	    "Subject: x\n\nhello\n.dot\n");
	cr_expect_eq(stat(path, &status), 0);
	cr_expect_eq(status.st_mode & 0777, 0600);
	const char *name = strrchr(path, '/') + 1;
	cr_expect_eq(strncmp(name, "1700000000.M123000P", 19), 0, "%s", name);
	cr_expect_not_null(strstr(name, "Q7_"));
	cr_expect_null(strchr(name, ':'));
	free(text);
	cr_expect_eq(files_in(&world, "tmp", &path), 0);
	free(path);
	end(&world);
}

static const struct line_row {
	const char *content;
	const char *lines;
} line_rows[] = {
    {"", ""},
    {"\r\n", "\n"},
    {"a\r\nb", "a\nb"},
    {"a\rb\r\r\nc\n", "a\rb\r\nc\n"},
    {"a\r", "a\r"},
};

Test(maildir, has_unix_lines)
{
	for (size_t i = 0; i < sizeof(line_rows) / sizeof(line_rows[0]); i++) {
		struct world world;
		struct error error;
		char *path = NULL;
		begin(&world, line_rows[i].content);
		cr_assert_eq(deliver(&world, &error), MAILDIR_DELIVERED);
		cr_assert_eq(files_in(&world, "new", &path), 1);
		char *text = text_of(path);
		const char *content =
		    strstr(text, "alias+two@y.example\n") + 20;
		cr_expect_str_eq(content, line_rows[i].lines, "%zu", i);
		free(text);
		free(path);
		end(&world);
	}
}

/* CRLF falls on every border of the pieces that are read. */
Test(maildir, cuts_lines_right_where_pieces_meet)
{
	struct buffer content;
	struct world world;
	struct error error;
	char *path = NULL;

	buffer_init(&content, 1 << 22);
	for (int i = 0; i < 65536; i++)
		buffer_append_text(&content, i % 3 == 0 ? "a\r\n" : "\r\n");
	char *crlf = buffer_to_text(&content);
	begin(&world, crlf);
	cr_assert_eq(deliver(&world, &error), MAILDIR_DELIVERED);
	cr_assert_eq(files_in(&world, "new", &path), 1);
	char *text = text_of(path);
	const char *lines = strstr(text, "alias+two@y.example\n") + 20;
	cr_expect_null(strchr(lines, '\r'));
	cr_expect_eq(strlen(lines), 65536 + 65536 / 3 + 1);
	free(text);
	free(path);
	free(crlf);
	buffer_clear(&content);
	end(&world);
}

Test(maildir, names_each_message_differently)
{
	struct world world;
	struct error error;
	char *path = NULL;

	begin(&world, "x\r\n");
	for (int i = 0; i < 5; i++) {
		world.stamp.count++;
		cr_assert_eq(deliver(&world, &error), MAILDIR_DELIVERED);
	}
	cr_expect_eq(files_in(&world, "new", &path), 5);
	free(path);
	end(&world);
}

Test(maildir, that_cannot_be_made_says_so)
{
	struct world world;
	struct error error;

	begin(&world, "x\r\n");
	(void)snprintf(world.path, sizeof(world.path), "/dev/null/box");
	cr_assert_eq(deliver(&world, &error), MAILDIR_FAILED);
	cr_expect_eq(strncmp(error_text(&error), "maildir /dev/null/box: ", 23),
	    0, "%s", error_text(&error));
	end(&world);
}

Test(maildir, keeps_nothing_of_a_message_it_cannot_read)
{
	struct world world;
	struct error error;
	char *path = NULL;

	begin(&world, "x\r\n");
	body_clear(&world.message->body);
	body_init(&world.message->body);
	world.message->body.fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	world.message->body.owns_fd = true;
	world.message->body.len = 100;
	cr_assert_eq(deliver(&world, &error), MAILDIR_UNREADABLE);
	cr_expect_eq(files_in(&world, "new", &path), 0);
	cr_expect_eq(files_in(&world, "tmp", &path), 0);
	end(&world);
}

/* A full disk: nothing is there, and the next delivery works. */
Test(maildir, keeps_nothing_of_a_message_it_cannot_write)
{
	struct world world;
	struct error error;
	char *path = NULL;

	begin(&world, "x\r\n");
	cr_assert_eq(deliver(&world, &error), MAILDIR_DELIVERED);
	char *new = memory_format("%s/new", world.path);
	cr_assert_eq(rmdir(new), -1);
	cr_assert_eq(files_in(&world, "new", &path), 1);
	cr_assert_eq(unlink(path), 0);
	char *gone = memory_format("%s/gone", world.path);
	cr_assert_eq(rename(new, gone), 0);
	FILE *file = fopen(new, "w"); /* where a folder should be */
	cr_assert_not_null(file);
	(void)fclose(file);
	world.stamp.count++;
	cr_assert_eq(deliver(&world, &error), MAILDIR_FAILED);
	cr_assert_eq(unlink(new), 0);
	cr_expect_eq(files_in(&world, "tmp", &path), 0);
	cr_assert_eq(rename(gone, new), 0);
	cr_assert_eq(deliver(&world, &error), MAILDIR_DELIVERED);
	free(new);
	free(gone);
	free(path);
	end(&world);
}
