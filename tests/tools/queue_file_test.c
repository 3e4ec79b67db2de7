#include "base/file.h"
#include "lib/scratch_folder.h"
#include "message/parcel.h"
#include "tools/queue_file.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONTENT "Subject: x\r\n\r\nbody\r\n"

/* ---- a folder, and a message to write to it ---- */

struct scene {
	char *path;
	int fd;
	struct message *message;
	struct queue_file_name name;
};

static uint64_t
check_of(struct bytes content, uint64_t id)
{
	struct record_check *check = record_check_new(id);

	record_check_add(check, content);
	return record_check_finish(check);
}

static void
scene_init(struct scene *scene)
{
	struct message *message = message_new();

	message->id = 1234567890123456;
	envelope_set_sender(&message->envelope, BYTES("a@x.example"));
	envelope_add_recipient(&message->envelope, BYTES("b@y.example"));
	progress_clear(&message->progress);
	progress_init(&message->progress, 1);
	body_set(&message->body, BYTES(CONTENT));
	message->check = check_of(BYTES(CONTENT), message->id);
	scene->path = scratch_folder_new();
	scene->fd = open(scene->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(scene->fd, 0);
	scene->message = message;
	scene->name = queue_file_name_of(message);
}

static void
scene_clear(struct scene *scene)
{
	message_free(scene->message);
	close(scene->fd);
	scratch_folder_remove(scene->path);
}

/* In two pieces. */
static bool
write_file(struct scene *scene, struct bytes content, struct error *error)
{
	struct queue_file file;

	if (!queue_file_begin(&file, scene->fd, scene->message, error))
		return false;
	cr_assert(queue_file_append(&file, bytes_first(content, 3), error));
	cr_assert(queue_file_append(&file, bytes_from(content, 3), error));
	return queue_file_seal(&file, error) && queue_file_sync(&file, error) &&
	    queue_file_end(&file, error);
}

static size_t
file_count(const struct scene *scene)
{
	DIR *folder = opendir(scene->path);
	size_t count = 0;

	cr_assert_neq(folder, NULL);
	while (readdir(folder) != NULL)
		count++;
	closedir(folder);
	return count - 2; /* "." and ".." */
}

/* ---- writing ---- */

Test(queue_file, is_written_whole_and_known_again)
{
	struct scene scene;
	struct error error;
	struct stat facts;
	struct queue_file_map map;

	scene_init(&scene);
	mode_t mask = umask(0777);
	cr_expect(!queue_file_is_there(scene.fd, scene.message));
	cr_assert(write_file(&scene, BYTES(CONTENT), &error), "%s",
	    error_text(&error));
	umask(mask);
	cr_expect_eq(file_count(&scene), 1);
	cr_assert_eq(fstatat(scene.fd, scene.name.text, &facts, 0), 0);
	cr_expect_eq(facts.st_mode & 07777, 0600);
	cr_assert(queue_file_map(scene.fd, scene.name.text, &map, &error));
	cr_expect(bytes_has_prefix(map.bytes, "X-Sender: <a@x.example>\r\n"));
	cr_expect(
	    bytes_equal(bytes_from(map.bytes, map.bytes.len - strlen(CONTENT)),
		BYTES(CONTENT)));
	queue_file_unmap(&map);
	cr_expect(queue_file_is_there(scene.fd, scene.message));
	scene.message->progress.held = true;
	cr_expect(!queue_file_is_there(scene.fd, scene.message),
	    "it was not on hold then");
	scene_clear(&scene);
}

Test(queue_file, is_not_there_where_its_content_is_not_whole)
{
	static const char *const contents[] = {"", "Subject: x\r\n\r\nbod",
	    CONTENT "more", "Subject: y\r\n\r\nbody\r\n"};
	struct scene scene;
	struct error error;

	scene_init(&scene);
	for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
		cr_expect(!write_file(&scene, bytes_of(contents[i]), &error),
		    "%s", contents[i]);
		cr_expect_eq(error.kind, ERROR_DATA);
		cr_expect_eq(file_count(&scene), 0);
	}
	scene_clear(&scene);
}

Test(queue_file, never_takes_the_place_of_another)
{
	struct scene scene;
	struct error error;
	struct buffer kept;

	scene_init(&scene);
	buffer_init(&kept, 100);
	cr_assert(file_replace(
	    scene.fd, scene.name.text, BYTES("mine"), 0600, &error));
	cr_expect(!queue_file_is_there(scene.fd, scene.message));
	cr_expect(!write_file(&scene, BYTES(CONTENT), &error));
	cr_expect(error.kind == ERROR_SYSTEM && error.number == EEXIST);
	cr_expect_eq(file_count(&scene), 1);
	cr_assert(file_read(scene.fd, scene.name.text, &kept, &error));
	cr_expect(bytes_is(buffer_bytes(&kept), "mine"));
	buffer_clear(&kept);
	scene_clear(&scene);
}

Test(queue_file, clears_away_what_a_dead_process_left)
{
	struct scene scene;
	struct error error;
	struct queue_file file;

	scene_init(&scene);
	cr_assert(queue_file_begin(&file, scene.fd, scene.message, &error));
	struct queue_file left = file; /* its process dies here */
	cr_assert_eq(file_count(&scene), 1);
	cr_assert(write_file(&scene, BYTES(CONTENT), &error), "%s",
	    error_text(&error));
	cr_expect_eq(file_count(&scene), 1);
	queue_file_cancel(&left);
	cr_expect(queue_file_is_there(scene.fd, scene.message));
	scene_clear(&scene);
}

/* ---- reading ---- */

Test(queue_file, reads_regular_files_alone)
{
	struct scene scene;
	struct queue_file_map map;
	struct error error;

	scene_init(&scene);
	cr_assert_eq(mkfifoat(scene.fd, "pipe", 0600), 0);
	cr_assert_eq(mkdirat(scene.fd, "folder", 0700), 0);
	cr_assert_eq(symlinkat("empty", scene.fd, "link"), 0);
	cr_assert(file_replace(scene.fd, "empty", BYTES_NONE, 0600, &error));
	cr_expect(!queue_file_map(scene.fd, "pipe", &map, &error));
	cr_expect_eq(error.kind, ERROR_DATA);
	cr_expect(!queue_file_map(scene.fd, "folder", &map, &error));
	cr_expect_eq(error.kind, ERROR_DATA);
	cr_expect(!queue_file_map(scene.fd, "link", &map, &error));
	cr_expect_eq(error.number, ELOOP);
	cr_expect(!queue_file_map(scene.fd, "nowhere", &map, &error));
	cr_expect_eq(error.number, ENOENT);
	cr_assert(queue_file_map(scene.fd, "empty", &map, &error));
	cr_expect_eq(map.bytes.len, 0);
	queue_file_unmap(&map);
	scene_clear(&scene);
}
