#include "base/log.h"
#include "base/memory.h"
#include "intake/drop_intake.h"
#include "lib/intake_scene.h"
#include "lib/loop_until.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SETTLE_MS 60
#define MESSAGE   "From: a@x.example\nTo: b@y.example\nSubject: s\n\nbody\n"

static struct intake_scene scene;
static struct drop_intake *drop;
static struct drop_intake_options options;
static struct buffer log_lines;
static char root[128];      /* holds the folders */
static char directory[160]; /* the drop directory */
static uint64_t known_key;  /* of is_known() */
static unsigned asked_keys;

static bool
is_known(uint64_t drop_key, void *ctx)
{
	(void)ctx;
	asked_keys++;
	return drop_key == known_key;
}

static void
begin(void)
{
	buffer_init(&log_lines, 1 << 20);
	log_open(LOG_SINK_CAPTURE, LOG_LEVEL_DEBUG, "test", &log_lines);
	intake_scene_init(&scene);
	(void)snprintf(root, sizeof(root), "%s.spool", scene.directory);
	(void)snprintf(directory, sizeof(directory), "%s/drop", root);
	cr_assert_eq(mkdir(root, 0700), 0);
	options = (struct drop_intake_options){
	    .directory = directory,
	    .settle_ms = SETTLE_MS,
	    .rewrite = scene.options.rewrite,
	    .is_known = is_known,
	};
}

static void
start(void)
{
	struct error error;

	cr_assert(drop_intake_new(
		      scene.loop, &scene.admission, &options, &drop, &error),
	    "%s", error.text);
}

static void
stop(void)
{
	drop_intake_free(drop);
	drop = NULL;
}

static void
remove_tree(const char *path)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;

	if (folder == NULL)
		return;
	while ((entry = readdir(folder)) != NULL) {
		bool dots = strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0;
		char *inner = memory_format("%s/%s", path, entry->d_name);
		if (!dots && unlink(inner) != 0)
			remove_tree(inner);
		free(inner);
	}
	closedir(folder);
	rmdir(path);
}

static void
end(void)
{
	stop();
	remove_tree(root);
	intake_scene_clear(&scene);
	buffer_clear(&log_lines);
}

TestSuite(drop_intake, .init = begin, .fini = end);

/* ---- dropping ---- */

/* Valid until the call after the next. */
static const char *
path_of(const char *folder, const char *name)
{
	static char paths[2][1024];
	static unsigned turn;
	char *path = paths[turn++ % 2];

	(void)snprintf(
	    path, sizeof(paths[0]), "%s%s/%s", directory, folder, name);
	return path;
}

static void
write_to(const char *folder, const char *name, struct bytes content)
{

	const char *path = path_of(folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
	cr_assert_geq(fd, 0, "%s", path);
	cr_assert_eq(
	    write(fd, content.data, content.len), (ssize_t)content.len);
	close(fd);
}

/* As programs ought to: hidden first, then renamed. */
static void
drop_bytes(const char *name, struct bytes content)
{
	write_to("", ".new", content);
	cr_assert_eq(rename(path_of("", ".new"), path_of("", name)), 0);
}

static void
drop_text(const char *name, const char *content)
{
	drop_bytes(name, bytes_of(content));
}

static size_t
count_files(const char *folder)
{
	size_t count = 0;
	const struct dirent *entry;

	DIR *opened = opendir(path_of(folder, "."));
	cr_assert_not_null(opened, "%s", folder);
	while ((entry = readdir(opened)) != NULL)
		count += strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0;
	closedir(opened);
	return count;
}

static bool
is_there(const char *folder, const char *name)
{
	struct stat facts;

	const char *path = path_of(folder, name);
	return lstat(path, &facts) == 0;
}

static char *
read_from(const char *folder, const char *name)
{
	static char text[1024];

	const char *path = path_of(folder, name);
	int fd = open(path, O_RDONLY);
	cr_assert_geq(fd, 0, "%s", path);
	ssize_t len = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[len] = '\0';
	return text;
}

struct wish {
	unsigned long taken;
	unsigned long failed;
};

static bool
has_happened(void *ctx)
{
	const struct wish *wish = ctx;
	return drop_intake_taken(drop) >= wish->taken &&
	    drop_intake_failed(drop) >= wish->failed;
}

static void
run_until(unsigned long taken, unsigned long failed)
{
	struct wish wish = {taken, failed};

	loop_until(scene.loop, has_happened, &wish);
	cr_assert_eq(drop_intake_taken(drop), taken);
	cr_assert_eq(drop_intake_failed(drop), failed, "%.*s",
	    BYTES_ARGS(buffer_bytes(&log_lines)));
}

struct nap {
	struct loop_timer timer;
	bool over;
};

static void
wake(void *ctx)
{
	struct nap *nap = ctx;
	nap->over = true;
}

static void
run_for(int64_t ms)
{
	struct nap nap = {.over = false};

	loop_timer_init(&nap.timer, scene.loop, wake, &nap);
	loop_timer_set(&nap.timer, clock_now().mono_ms + ms);
	loop_until_set(scene.loop, &nap.over);
	loop_timer_clear(&nap.timer);
}

static bool
logged(const char *text)
{
	struct bytes lines = buffer_bytes(&log_lines);
	return bytes_search(lines, bytes_of(text)) < lines.len;
}

static const struct envelope *
envelope(size_t index)
{
	cr_assert_lt(index, scene.fake.count);
	return &scene.fake.letters[index].message->envelope;
}

/* ---- taken ---- */

Test(drop_intake, takes_a_file_that_is_renamed_into_place)
{
	start();
	drop_text("one.eml", MESSAGE);
	run_until(1, 0);
	const char *login = getpwuid(getuid())->pw_name;
	char sender[128];
	(void)snprintf(sender, sizeof(sender), "%s@example.org", login);
	cr_expect_str_eq(envelope(0)->sender, sender);
	cr_expect_eq(envelope(0)->recipient_count, 1);
	cr_expect_str_eq(envelope(0)->recipients[0].address, "b@y.example");
	cr_expect_eq(envelope(0)->origin, ORIGIN_DROP);
	cr_expect_eq(envelope(0)->uid, getuid());
	cr_expect_neq(envelope(0)->drop_key, 0);
	cr_expect_str_eq(envelope(0)->client, "one.eml");
	cr_expect_gt(envelope(0)->arrived_at, 0);
	char *content = fake_door_content(&scene.fake, 0);
	cr_expect_eq(
	    strncmp(content, "Received: by mail.example (from uid ", 36), 0,
	    "%s", content);
	cr_expect(strstr(content, "\r\nMessage-ID: ") != NULL, "%s", content);
	cr_expect(strstr(content,
		      "From: a@x.example\r\nTo: b@y.example\r\n"
		      "Subject: s\r\n\r\nbody\r\n") != NULL,
	    "%s", content);
	free(content);
	cr_expect_eq(count_files(""), 0);
	cr_expect_eq(count_files(".taken"), 0);
}

Test(drop_intake, takes_a_file_with_its_envelope)
{
	start();
	drop_text("one.eml",
	    "X-Sender: <ada@mail> BODY=8BITMIME RET=HDRS ENVID=e1\r\n"
	    "X-Receiver: <root> NOTIFY=FAILURE\r\n"
	    "X-Receiver: postmaster\r\n"
	    "X-Receiver: <c@z.example>\r\n"
	    "To: root\r\nBcc: c@z.example\r\nReturn-Path: <x@y>\r\n\r\nb\r\n");
	run_until(1, 0);
	cr_expect_str_eq(envelope(0)->sender, "ada@example.org");
	cr_assert_eq(envelope(0)->recipient_count, 2);
	cr_expect_str_eq(
	    envelope(0)->recipients[0].address, "admin@example.net");
	cr_expect_eq(envelope(0)->recipients[0].notify, NOTIFY_FAILURE);
	cr_expect_str_eq(envelope(0)->recipients[1].address, "c@z.example");
	cr_expect_eq(envelope(0)->ret, MAIL_RETURN_HEADERS);
	cr_expect_str_eq(envelope(0)->id, "e1");
	char *content = fake_door_content(&scene.fake, 0);
	cr_expect_null(strstr(content, "X-Sender"), "%s", content);
	cr_expect_null(strstr(content, "Bcc"), "%s", content);
	cr_expect_null(strstr(content, "Return-Path"), "%s", content);
	cr_expect(strstr(content, "From: ada@example.org\r\n") != NULL, "%s",
	    content);
	cr_expect(
	    strstr(content, "To: root@example.org\r\n") != NULL, "%s", content);
	free(content);
	cr_expect_eq(
	    scene.fake.letters[0].message->progress.recipient_count, 2);
}

Test(drop_intake, makes_crlf_of_any_line_ends)
{
	start();
	drop_text("a", "To: b@y\nX: 1\r\n\n.\r\n\rc\n.\n\r\nlast");
	run_until(1, 0);
	char *content = fake_door_content(&scene.fake, 0);
	cr_expect(
	    strstr(content, "\r\n\r\n.\r\n\r\nc\r\n.\r\n\r\nlast\r\n") != NULL,
	    "%s", content);
	free(content);
}

Test(drop_intake, takes_what_lay_there_before_it_started)
{
	start();
	stop();
	drop_text("one.eml", MESSAGE);
	write_to(".taken", "two.eml", BYTES(MESSAGE));
	start();
	run_until(2, 0);
	cr_expect_eq(asked_keys, 2);
	cr_expect_eq(count_files(""), 0);
	cr_expect_eq(count_files(".taken"), 0);
}

Test(drop_intake, waits_for_a_file_that_is_written_in_place)
{
	start();
	run_for(1);
	int64_t begun = clock_now().mono_ms;
	write_to("", "slow.eml", BYTES("To: b@y.example\n\nhalf"));
	run_for(SETTLE_MS / 2);
	cr_expect_eq(scene.fake.count, 0);
	write_to("", "slow.eml", BYTES("To: b@y.example\n\nwhole\n"));
	run_until(1, 0);
	cr_expect_geq(clock_now().mono_ms - begun, SETTLE_MS);
	char *content = fake_door_content(&scene.fake, 0);
	cr_expect(strstr(content, "whole") != NULL, "%s", content);
	free(content);
}

Test(drop_intake, passes_over_names_that_are_not_ready)
{
	start();
	write_to("", ".hidden", BYTES(MESSAGE));
	write_to("", "a.tmp", BYTES(MESSAGE));
	write_to("", "b.part", BYTES(MESSAGE));
	write_to("", "c.TMP", BYTES(MESSAGE));
	cr_assert_eq(mkdir(path_of("", "folder.eml"), 0700), 0);
	run_for(4 * SETTLE_MS);
	cr_expect_eq(scene.fake.count, 0);
	cr_expect_eq(count_files(""), 5);
	drop_text("d.eml", MESSAGE);
	run_until(1, 0);
	cr_expect_eq(count_files(""), 5);
}

Test(drop_intake, takes_a_large_file_into_a_file_of_its_own)
{
	size_t size = 6 << 20;
	char *text = memory_array(size, 1);

	start();
	memset(text, 'x', size);
	memcpy(text, "To: b@y.example\n\n", 17);
	for (size_t i = 80; i < size; i += 80)
		text[i] = '\n';
	drop_bytes("large.eml", bytes_make(text, size));
	run_until(1, 0);
	const struct body *body = &scene.fake.letters[0].message->body;
	cr_expect_geq(body->fd, 0);
	cr_expect_gt(body->len, size);
	cr_expect_eq(scene.admission.memory, 0);
	free(text);
}

Test(drop_intake, takes_many_files)
{
	scene.fake.forgets = true;
	start();
	stop();
	for (int i = 0; i < 700; i++) {
		char name[32];
		(void)snprintf(name, sizeof(name), "%d.eml", i);
		write_to("", name, BYTES(MESSAGE));
	}
	run_for(SETTLE_MS);
	start();
	for (int i = 0; i < 300; i++) {
		char name[32];
		(void)snprintf(name, sizeof(name), "late %d.eml", i);
		drop_text(name, MESSAGE);
	}
	run_until(1000, 0);
	cr_expect_eq(count_files(""), 0);
	cr_expect_eq(count_files(".taken"), 0);
	cr_expect_leq(scene.fake.most, DROP_INTAKE_MAX);
}

Test(drop_intake, bears_any_name)
{
	static char longest[256];

	memset(longest, 'n', 255);
	start();
	drop_text("a\nb\x1b[31m.eml", MESSAGE);
	drop_text("\xff\xfe.eml", MESSAGE);
	drop_text(".eml", MESSAGE); /* that is hidden */
	drop_text("-rf", MESSAGE);
	drop_text("%n%s", MESSAGE);
	drop_text(longest, MESSAGE);
	run_until(5, 0);
	cr_expect_eq(count_files(""), 1);
	cr_expect_not(logged("\x1b"));
	memset(longest, 'm', 255);
	drop_text(longest, "no recipient\n");
	drop_text("a\nb", "no recipient\n");
	run_until(5, 2);
	cr_expect_eq(count_files(".failed"), 4);
}

/* ---- refused ---- */

static void
expect_failed(const char *name, const char *reason)
{
	char *beside = memory_format("%s.reason", name);

	cr_expect(is_there(".failed", name), "%s", name);
	const char *text = read_from(".failed", beside);
	cr_expect_eq(strncmp(text, reason, strlen(reason)), 0, "%s", text);
	cr_expect(logged(reason), "%s", reason);
	free(beside);
	cr_expect_eq(count_files(".taken"), 0);
}

Test(drop_intake, puts_away_what_it_cannot_understand)
{
	start();
	drop_text("a.eml", "Subject: nobody\n\nx\n");
	run_until(0, 1);
	expect_failed("a.eml", "no recipients");
	drop_text("b.eml", "To: \"a <b\n\nx\n");
	run_until(0, 2);
	expect_failed("b.eml", "To: unbalanced");
	drop_text("c.eml", "");
	run_until(0, 3);
	expect_failed("c.eml", "no recipients");
	drop_text("a.eml", "X-Receiver: <a@@b>\n\nx\n");
	run_until(0, 4);
	expect_failed("a.eml.2", "line 1: X-Receiver");
	cr_expect_eq(scene.fake.count, 0);
}

Test(drop_intake, puts_away_what_is_no_file)
{
	char *other = memory_format("%s/other", root);

	start();
	cr_assert_eq(symlink("/etc/passwd", path_of("", "link.eml")), 0);
	run_until(0, 1);
	expect_failed("link.eml", "this is a symbolic link");

	cr_assert_eq(mkfifo(path_of("", "pipe.eml"), 0666), 0);
	run_until(0, 2);
	expect_failed("pipe.eml", "this is a named pipe");

	close(open(other, O_WRONLY | O_CREAT, 0600));
	cr_assert_eq(link(other, path_of("", "hard.eml")), 0);
	run_until(0, 3);
	expect_failed("hard.eml", "the file has 2 names");

	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr_un address = {AF_UNIX, "sock.eml"};
	cr_assert_eq(chdir(directory), 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	run_until(0, 4);
	expect_failed("sock.eml", "this is a socket");
	close(fd);
	free(other);
	cr_expect_eq(scene.fake.count, 0);
}

Test(drop_intake, puts_away_what_is_too_large_without_reading_it)
{

	start();
	int fd = open(path_of("", ".sparse"), O_WRONLY | O_CREAT, 0600);
	cr_assert_eq(ftruncate(fd, (off_t)10 << 30), 0);
	close(fd);
	cr_assert_eq(rename(path_of("", ".sparse"), path_of("", "sparse")), 0);
	run_until(0, 1);
	expect_failed("sparse", "10737418240 octets are more than");
}

Test(drop_intake, puts_away_what_goes_in_a_circle)
{
	struct buffer text;

	start();
	buffer_init(&text, 1 << 20);
	for (int i = 0; i < 60; i++)
		buffer_append_text(&text, "Received: by x\n");
	buffer_append_text(&text, MESSAGE);
	drop_bytes("loop", buffer_bytes(&text));
	run_until(0, 1);
	expect_failed("loop", "too many hops");
	buffer_clear(&text);
	cr_expect_eq(scene.admission.memory, 0);
}

Test(drop_intake, does_not_cut_off_receivers)
{
	struct buffer text;

	for (int pad = 0; pad < 30; pad++) {
		char name[32];
		if (drop == NULL)
			start();
		buffer_init(&text, 1 << 20);
		buffer_printf(&text, "X-Receiver: <%.*sa@x>\n", pad,
		    "pppppppppppppppppppppppppppppp");
		while (text.len < 400 * 1024)
			buffer_append_text(
			    &text, "X-Receiver: <b@y.example>\n");
		buffer_append_text(&text, "\nbody\n");
		(void)snprintf(name, sizeof(name), "f%d", pad);
		drop_bytes(name, buffer_bytes(&text));
		run_until(0, (unsigned)pad + 1);
		buffer_clear(&text);
	}
	cr_expect_eq(scene.fake.count, 0);
}

/* ---- not now ---- */

Test(drop_intake, keeps_a_file_that_the_door_refuses)
{
	scene.fake.answer = DOOR_DISK_FULL;
	start();
	drop_text("one.eml", MESSAGE);
	while (scene.fake.answered == 0)
		run_for(5);
	run_for(20);
	cr_expect_eq(drop_intake_taken(drop), 0);
	cr_expect(is_there(".taken", "one.eml"));
	cr_expect(logged("no space left"));
	scene.fake.answer = DOOR_TAKEN;
	run_until(1, 0);
	cr_expect_eq(count_files(".taken"), 0);
	cr_expect_eq(scene.fake.count, 2);
}

Test(drop_intake, leaves_files_alone_while_there_is_no_room)
{
	scene.fake.room = DOOR_DISK_FULL;
	start();
	drop_text("one.eml", MESSAGE);
	run_for(50);
	cr_expect_eq(scene.fake.count, 0);
	cr_expect(is_there("", "one.eml"));
	cr_expect_eq(scene.fake.asked_size, strlen(MESSAGE));
	scene.fake.room = DOOR_TAKEN;
	run_until(1, 0);
}

Test(drop_intake, pauses)
{
	start();
	run_for(1);
	drop_intake_pause(drop);
	drop_text("one.eml", MESSAGE);
	run_for(50);
	cr_expect(is_there("", "one.eml"));
	drop_intake_resume(drop);
	run_until(1, 0);
}

Test(drop_intake, removes_what_is_durable_even_while_it_pauses)
{
	scene.fake.later = true;
	start();
	drop_text("one.eml", MESSAGE);
	while (scene.fake.count == 0)
		run_for(2);
	drop_intake_pause(drop);
	cr_expect(is_there(".taken", "one.eml"));
	fake_door_answer(&scene.fake, DOOR_TAKEN);
	cr_expect_not(is_there(".taken", "one.eml"));
	cr_expect_eq(drop_intake_taken(drop), 1);
}

/* Makes the taken folder one that nothing can be removed from. */
static bool
set_append_only(bool on)
{
	int fd = open(path_of(".taken", "."), O_RDONLY);
	int flags = 0;
	bool done = ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0;

	flags = on ? flags | FS_APPEND_FL : flags & ~FS_APPEND_FL;
	done = done && ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
	close(fd);
	return done;
}

Test(drop_intake, does_not_take_twice_what_it_cannot_remove)
{
	scene.fake.later = true;
	start();
	drop_text("one.eml", MESSAGE);
	while (scene.fake.count == 0)
		run_for(2);
	if (!set_append_only(true))
		cr_skip_test("needs root, and a file system with flags");
	scene.fake.later = false;
	fake_door_answer(&scene.fake, DOOR_TAKEN);
	cr_expect(is_there(".taken", "one.eml"));
	cr_expect(logged("cannot be removed"));
	write_to("", ".again", BYTES("")); /* has it scan */
	run_for(3 * SETTLE_MS);
	cr_expect_eq(scene.fake.count, 1);
	cr_assert(set_append_only(false));
	write_to("", ".again", BYTES(""));
	run_for(3 * SETTLE_MS);
	cr_expect_not(is_there(".taken", "one.eml"));
	cr_expect_eq(scene.fake.count, 1);
	cr_expect_eq(drop_intake_taken(drop), 1);
}

Test(drop_intake, reads_a_file_again_that_changes_while_it_is_read)
{
	size_t size = 8 << 20;
	char *text = memory_array(size, 1);

	start();
	memset(text, '\n', size);
	memcpy(text, "To: b@y.example\n", 16);
	drop_bytes("long", bytes_make(text, size));
	while (!is_there(".taken", "long"))
		run_for(1);
	int fd = open(path_of(".taken", "long"), O_WRONLY | O_APPEND);
	cr_assert_eq(write(fd, "end\n", 4), 4);
	close(fd);
	run_until(1, 0);
	cr_expect(logged("the file changed while it was read"));
	char *content = fake_door_content(&scene.fake, 0);
	size_t len = (size_t)scene.fake.letters[0].message->body.len;
	cr_expect_str_eq(content + len - 9, "\r\n\r\nend\r\n");
	cr_expect_eq(intake_scene_files(&scene), 1);
	free(content);
	free(text);
}

/* ---- crashes ---- */

Test(drop_intake, removes_a_file_whose_message_is_in_the_queue)
{
	scene.fake.later = true;
	start();
	run_for(20); /* the clock of files is coarse */
	drop_text("one.eml", MESSAGE);
	while (scene.fake.count == 0)
		run_for(2);
	known_key = envelope(0)->drop_key;
	stop();
	cr_expect_eq(scene.fake.cancelled, 1);
	cr_expect(is_there(".taken", "one.eml"));

	start();
	run_for(50);
	cr_expect_eq(asked_keys, 1);
	cr_expect_not(is_there(".taken", "one.eml"));
	cr_expect_eq(scene.fake.count, 1);
	cr_expect(logged("is in the queue already"));
}

Test(drop_intake, takes_a_file_again_whose_message_was_lost)
{
	scene.fake.later = true;
	start();
	drop_text("one.eml", MESSAGE);
	while (scene.fake.count == 0)
		run_for(2);
	uint64_t key = envelope(0)->drop_key;
	stop();
	scene.fake.later = false;
	start();
	run_until(1, 0);
	cr_expect_eq(envelope(1)->drop_key, key);
}

Test(drop_intake, takes_the_same_text_twice_from_two_files)
{
	start();
	run_for(20); /* the clock of files is coarse */
	drop_text("one.eml", MESSAGE);
	drop_text("two.eml", MESSAGE);
	run_until(2, 0);
	cr_expect_neq(envelope(0)->drop_key, envelope(1)->drop_key);
	cr_expect_eq(asked_keys, 0, "asked of a file that is new");
}

Test(drop_intake, takes_a_name_again_while_the_first_is_under_way)
{
	scene.fake.later = true;
	start();
	drop_text("one.eml", MESSAGE);
	while (scene.fake.count == 0)
		run_for(2);
	drop_text("one.eml", "To: c@z.example\n\nsecond\n");
	run_for(30);
	cr_expect(is_there("", "one.eml"));
	fake_door_answer(&scene.fake, DOOR_TAKEN);
	scene.fake.later = false;
	run_until(2, 0);
	cr_expect_str_eq(envelope(1)->recipients[0].address, "c@z.example");
}

/* ---- folders ---- */

static bool
opens(struct error *error)
{
	struct drop_intake *opened;

	if (!drop_intake_new(
		scene.loop, &scene.admission, &options, &opened, error))
		return false;
	drop_intake_free(opened);
	return true;
}

Test(drop_intake, makes_its_folders)
{
	static const struct {
		const char *suffix;
		mode_t mode;
	} folders[] = {{"", 03733}, {".taken", 0700}, {".failed", 0700}};
	struct error error;

	cr_assert(opens(&error), "%s", error.text);
	for (size_t i = 0; i < 3; i++) {
		char *path =
		    memory_format("%s%s", directory, folders[i].suffix);
		struct stat facts;
		cr_assert_eq(lstat(path, &facts), 0, "%s", path);
		cr_expect_eq(facts.st_mode & 07777, folders[i].mode, "%s: %o",
		    path, facts.st_mode);
		free(path);
	}
	cr_expect(opens(&error), "%s", error.text);
}

static const struct {
	const char *name;
	const char *suffix;
	mode_t mode;
	const char *error; /* NULL: fine */
} modes[] = {
    {"private", "", 0700, NULL},
    {"for a group to read", "", 0750, NULL},
    {"not sticky", "", 0777, "has mode 0777: chmod it to 3733"},
    {"to be listed", "", 03777, "has mode 3777: chmod it to 3733"},
    {"without the group", "", 01733, "has mode 1733: chmod it to 3733"},
    {"taken open", ".taken", 0755, "has mode 0755: chmod it to 0700"},
    {"failed open", ".failed", 0770, "has mode 0770: chmod it to 0700"},
};

Test(drop_intake, refuses_folders_that_others_can_get_at)
{
	struct error error;

	cr_assert(opens(&error), "%s", error.text);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		char *path = memory_format("%s%s", directory, modes[i].suffix);
		struct stat before;
		cr_assert_eq(stat(path, &before), 0);
		cr_assert_eq(chmod(path, modes[i].mode), 0);
		bool ok = opens(&error);
		cr_expect_eq(ok, modes[i].error == NULL, "%s: %s",
		    modes[i].name, ok ? "opened" : error.text);
		if (!ok && modes[i].error != NULL) {
			cr_expect_eq(error.kind, ERROR_CONFIG);
			cr_expect(strstr(error.text, modes[i].error) != NULL,
			    "%s: %s", modes[i].name, error.text);
		}
		cr_assert_eq(chmod(path, before.st_mode & 07777), 0);
		free(path);
	}
}

Test(drop_intake, refuses_a_folder_of_somebody_else)
{
	struct error error;

	if (geteuid() != 0)
		cr_skip_test("needs root");
	cr_assert(opens(&error), "%s", error.text);
	cr_assert_eq(chown(directory, 12345, 12345), 0);
	cr_expect_not(opens(&error));
	cr_expect(
	    strstr(error.text, "belongs to uid 12345, not to uid 0") != NULL,
	    "%s", error.text);
}

Test(drop_intake, refuses_a_link_for_a_folder)
{
	struct error error;

	cr_assert_eq(symlink("/tmp", directory), 0);
	cr_expect_not(opens(&error));
	unlink(directory);
}
