#include "delivery/maildir.h"

#include "base/file.h"
#include "base/memory.h"
#include "smtp/params.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE        ((size_t)64 * 1024)
#define HEADER_LIMIT ((size_t)16 * 1024 * 1024)
#define NAME_SIZE    512

/* ---- the name ---- */

/*
 * "<seconds>.M<microseconds>P<pid>Q<count>_<queue id>.<hostname>": no other
 * process has our pid now, no other worker of this one has this message.
 */
static void
write_name(char name[NAME_SIZE], const struct maildir_stamp *stamp,
    const struct message *message)
{
	int len = snprintf(name, NAME_SIZE,
	    "%" PRId64 ".M%06" PRId64 "P%ldQ%" PRIu64 "_%s.%.200s",
	    stamp->wall_ms / 1000, stamp->wall_ms % 1000 * 1000, (long)getpid(),
	    stamp->count, queue_id_of(message->id).text, stamp->hostname);

	/* What the format reserves. */
	for (int i = 0; i < len; i++)
		if (name[i] == '/' || name[i] == ':')
			name[i] = '_';
}

/* ---- what we add above ---- */

/* The recipient as the sender wrote it, where ORCPT says so and it differs. */
static void
append_original(struct buffer *header, const struct recipient *recipient)
{
	struct bytes text = bytes_of(recipient->original);
	struct buffer original;

	if (!bytes_is_nocase(bytes_cut(&text, ';'), "rfc822"))
		return;
	buffer_init(&original, PARAMS_ORIGINAL_MAX);
	if (xtext_decode(&original, text) && original.len > 0 &&
	    !bytes_is(buffer_bytes(&original), recipient->address))
		buffer_printf(header, "X-Original-To: %.*s\n",
		    BYTES_ARGS(buffer_bytes(&original)));
	buffer_clear(&original);
}

static bool
write_header(int fd, const struct envelope *envelope, const size_t *recipients,
    size_t count, struct error *error)
{
	struct buffer header;

	buffer_init(&header, HEADER_LIMIT);
	buffer_printf(&header, "Return-Path: <%s>\n", envelope->sender);
	for (size_t i = 0; i < count; i++)
		buffer_printf(&header, "Delivered-To: %s\n",
		    envelope->recipients[recipients[i]].address);
	for (size_t i = 0; i < count; i++)
		append_original(&header, &envelope->recipients[recipients[i]]);
	bool written = file_write(fd, buffer_bytes(&header), error);
	buffer_clear(&header);
	return written;
}

/* ---- the content ---- */

/*
 * Copy content to lines, CRLF become LF; *after_cr: a CR was the last octet of
 * what came before, and is held back.
 */
static void
append_unix_lines(struct buffer *lines, struct bytes content, bool *after_cr)
{
	while (content.len > 0) {
		if (*after_cr && content.data[0] != '\n')
			buffer_append_char(lines, '\r');
		size_t len = bytes_index(content, '\r');
		buffer_append(lines, bytes_first(content, len));
		*after_cr = len < content.len;
		content = bytes_from(content, len + 1);
	}
}

/* Both are of PIECE octets at least. */
static enum maildir_result
copy_content(int fd, const struct body *body, char *piece, struct buffer *lines,
    struct error *error)
{
	bool after_cr = false;
	size_t len = 0;

	for (uint64_t offset = 0; offset < body->len; offset += len) {
		if (!body_read(body, offset, piece, PIECE, &len, error))
			return MAILDIR_UNREADABLE;
		if (len == 0) {
			(void)error_set(error, ERROR_DATA,
			    "the content ends after %" PRIu64 " of %" PRIu64
			    " octets",
			    offset, body->len);
			return MAILDIR_UNREADABLE;
		}
		buffer_empty(lines);
		append_unix_lines(lines, bytes_make(piece, len), &after_cr);
		if (!file_write(fd, buffer_bytes(lines), error))
			return MAILDIR_FAILED;
	}
	if (after_cr && !file_write(fd, BYTES("\r"), error))
		return MAILDIR_FAILED;
	return MAILDIR_DELIVERED;
}

static enum maildir_result
write_content(int fd, const struct body *body, struct error *error)
{
	char *piece = memory_new(PIECE);
	struct buffer lines;

	buffer_init(&lines, PIECE + 1);
	enum maildir_result result =
	    copy_content(fd, body, piece, &lines, error);
	buffer_clear(&lines);
	free(piece);
	return result;
}

/* ---- the file ---- */

static enum maildir_result
write_message(int fd, const struct message *message, const size_t *recipients,
    size_t count, struct error *error)
{
	if (!write_header(fd, &message->envelope, recipients, count, error))
		return MAILDIR_FAILED;

	enum maildir_result result = write_content(fd, &message->body, error);
	if (result == MAILDIR_DELIVERED && fdatasync(fd) != 0) {
		(void)error_system(error, "fdatasync");
		return MAILDIR_FAILED;
	}
	return result;
}

/* Under the name tmp/NAME and new/NAME; a file in tmp is never left behind. */
static enum maildir_result
write_file(int directory, const char *tmp, const struct message *message,
    const size_t *recipients, size_t count, struct error *error)
{
	int fd = openat(
	    directory, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		(void)error_system(error, "create %s", tmp);
		return MAILDIR_FAILED;
	}

	enum maildir_result result =
	    write_message(fd, message, recipients, count, error);
	if (close(fd) != 0 && result == MAILDIR_DELIVERED) {
		(void)error_system(error, "close %s", tmp);
		result = MAILDIR_FAILED;
	}
	if (result != MAILDIR_DELIVERED)
		(void)unlinkat(directory, tmp, 0); /* readers sweep tmp, too */
	return result;
}

static bool
sync_new(int directory, struct error *error)
{
	int fd = openat(directory, "new", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_system(error, "open new");
	bool synced = file_sync_directory(fd, error);
	(void)close(fd); /* only read */
	return synced;
}

/* Where the directory cannot be synced, the message is taken out again: it will
 * be tried once more, and a copy in between is for nobody's good. */
static bool
move_to_new(
    int directory, const char *tmp, const char *new, struct error *error)
{
	if (renameat(directory, tmp, directory, new) != 0) {
		(void)error_system(error, "rename %s to %s", tmp, new);
		(void)unlinkat(directory, tmp, 0); /* readers sweep tmp, too */
		return false;
	}
	if (sync_new(directory, error))
		return true;
	(void)unlinkat(directory, new, 0); /* at worst it is there twice */
	return false;
}

static enum maildir_result
deliver_in(int directory, const struct maildir_stamp *stamp,
    const struct message *message, const size_t *recipients, size_t count,
    struct error *error)
{
	char name[NAME_SIZE];
	char tmp[NAME_SIZE + sizeof("tmp/")];
	char new[NAME_SIZE + sizeof("new/")];

	write_name(name, stamp, message);
	(void)snprintf(tmp, sizeof(tmp), "tmp/%s", name); /* always fits */
	(void)snprintf(new, sizeof(new), "new/%s", name); /* always fits */
	enum maildir_result result =
	    write_file(directory, tmp, message, recipients, count, error);
	if (result != MAILDIR_DELIVERED)
		return result;
	return move_to_new(directory, tmp, new, error) ? MAILDIR_DELIVERED
						       : MAILDIR_FAILED;
}

/* ---- the maildir ---- */

static bool
is_same_file(int a, int b)
{
	struct stat status_a;
	struct stat status_b;

	return fstat(a, &status_a) == 0 && fstat(b, &status_b) == 0 &&
	    status_a.st_ino == status_b.st_ino &&
	    status_a.st_dev == status_b.st_dev;
}

/*
 * A folder lasts once the one above it is synced, and that one likewise.  Those
 * that we may not open were there before us.
 */
static bool
sync_upwards(int directory, struct error *error)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool synced = true;

	while (synced && fd >= 0) {
		synced = file_sync_directory(fd, error);
		int above =
		    openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		bool is_root = above >= 0 && is_same_file(fd, above);
		(void)close(fd); /* only read */
		fd = above;
		if (is_root)
			break;
	}
	if (fd >= 0)
		(void)close(fd); /* only read */
	return synced;
}

static bool
make_maildir(const char *path, struct error *error)
{
	static const char *const folders[] = {"tmp", "cur", "new"};

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char *folder = memory_format("%s/%s", path, folders[i]);
		bool made = file_make_directories(folder, 0700, error);
		free(folder);
		if (!made)
			return false;
	}
	return true;
}

static bool
has_folder(int directory, const char *name)
{
	struct stat status;

	return fstatat(directory, name, &status, 0) == 0 &&
	    S_ISDIR(status.st_mode);
}

/* A descriptor, or -1 with error set. */
static int
open_maildir(const char *path, struct error *error)
{
	int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (directory >= 0 && has_folder(directory, "tmp") &&
	    has_folder(directory, "new"))
		return directory;
	if (directory >= 0)
		(void)close(directory); /* only read */
	if (!make_maildir(path, error))
		return -1;
	directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0) {
		(void)error_system(error, "open");
	} else if (!sync_upwards(directory, error)) {
		(void)close(directory); /* only read */
		directory = -1;
	}
	return directory;
}

enum maildir_result
maildir_deliver(const char *path, const struct maildir_stamp *stamp,
    const struct message *message, const size_t *recipients, size_t count,
    struct error *error)
{
	enum maildir_result result = MAILDIR_FAILED;
	int directory = open_maildir(path, error);

	if (directory >= 0) {
		result = deliver_in(
		    directory, stamp, message, recipients, count, error);
		(void)close(directory); /* only read */
	}
	if (result == MAILDIR_FAILED)
		(void)error_context(error, "maildir %s", path);
	return result;
}
