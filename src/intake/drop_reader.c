#include "intake/drop_reader.h"

#include "base/memory.h"
#include "base/table.h"
#include "message/dropfile.h"
#include "message/header.h"
#include "message/printable.h"
#include "message/stamp.h"
#include "smtp/address.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#define NAME_SHOWN_MAX ((size_t)200)
/* A line that is cut off within its name ("X-Recei") is not seen as one. */
#define NAME_SLACK ((size_t)64)

/* ---- opening ---- */

static enum drop_reading
refuse_kind(mode_t mode, struct error *error)
{
	static const struct {
		mode_t kind;
		const char *name;
	} kinds[] = {
	    {S_IFLNK, "a symbolic link"},
	    {S_IFIFO, "a named pipe"},
	    {S_IFSOCK, "a socket"},
	    {S_IFCHR, "a device"},
	    {S_IFBLK, "a device"},
	    {S_IFDIR, "a directory"},
	};
	const char *name = "of a kind unknown";

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if ((mode & S_IFMT) == kinds[i].kind)
			name = kinds[i].name;
	(void)error_set(error, ERROR_DATA,
	    "this is %s, not a file: it was not looked into", name);
	return DROP_READING_REFUSED;
}

/* What the file itself tells before it is read. */
static enum drop_reading
check_facts(const struct stat *facts, uint64_t size_max, struct error *error)
{
	if (!S_ISREG(facts->st_mode))
		return refuse_kind(facts->st_mode, error);
	if (facts->st_nlink != 1) {
		(void)error_set(error, ERROR_DATA,
		    "the file has %lu names, so that it may be somebody "
		    "else's: it was not looked into",
		    (unsigned long)facts->st_nlink);
		return DROP_READING_REFUSED;
	}
	if (size_max > 0 && (uint64_t)facts->st_size > size_max) {
		(void)error_set(error, ERROR_DATA,
		    "%lld octets are more than the limit of %llu",
		    (long long)facts->st_size, (unsigned long long)size_max);
		return DROP_READING_REFUSED;
	}
	return DROP_READING_ON;
}

/* A link, a pipe or a device is not even opened. */
static enum drop_reading
open_file(struct drop_reader *reader, int directory_fd, const char *name,
    struct error *error)
{
	uint64_t max = reader->admission->options->message_size_max;

	if (fstatat(directory_fd, name, &reader->facts, AT_SYMLINK_NOFOLLOW) !=
	    0) {
		(void)error_system(error, "stat");
		return DROP_READING_LATER;
	}
	enum drop_reading reading = check_facts(&reader->facts, max, error);
	if (reading != DROP_READING_ON)
		return reading;
	reader->fd = openat(directory_fd, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (reader->fd < 0 && errno == EACCES) {
		(void)error_set(error, ERROR_DATA,
		    "the daemon may not read the file: give it mode 0640 and "
		    "the group of the drop directory");
		return DROP_READING_REFUSED;
	}
	if (reader->fd < 0 || fstat(reader->fd, &reader->facts) != 0) {
		(void)error_system(error, "open");
		return DROP_READING_LATER;
	}
	return check_facts(&reader->facts, max, error);
}

/* No two files on one file system have both in common, whatever their names;
 * and what is renamed keeps both. */
static uint64_t
seed_of(const struct stat *facts)
{
	return (uint64_t)facts->st_ino ^ (uint64_t)facts->st_mtim.tv_sec << 20 ^
	    (uint64_t)facts->st_mtim.tv_nsec << 32;
}

static struct message *
new_message(const struct drop_reader *reader, const char *name)
{
	const struct door *door = reader->admission->options->door;
	struct message *message = message_new();

	message->id = door->take_id(door->ctx);
	message->envelope.arrived_at = reader->now;
	message->envelope.origin = ORIGIN_DROP;
	message->envelope.uid = (uint32_t)reader->facts.st_uid;
	message->envelope.client =
	    printable_copy(bytes_of(name), NAME_SHOWN_MAX, true);
	return message;
}

enum drop_reading
drop_reader_open(struct drop_reader *reader, struct admission *admission,
    const struct rewrite_options *rewrite, int directory_fd, const char *name,
    int64_t now, struct error *error)
{
	*reader = (struct drop_reader){
	    .admission = admission,
	    .rewrite = rewrite,
	    .now = now,
	    .fd = -1,
	};
	enum drop_reading reading =
	    open_file(reader, directory_fd, name, error);
	if (reading != DROP_READING_ON) {
		drop_reader_clear(reader);
		return reading;
	}
	XXH3_state_t *hash = memory_given(XXH3_createState());
	XXH3_64bits_reset_withSeed(hash, seed_of(&reader->facts));
	reader->hash = hash;
	reader->message = new_message(reader, name);
	buffer_init(&reader->front, HEADER_SIZE_MAX + DROP_READER_STEP);
	dot_encoder_init(&reader->encoder);
	(void)snprintf(reader->submitter, sizeof(reader->submitter), "uid %lu",
	    (unsigned long)reader->facts.st_uid); /* fits */
	return DROP_READING_ON;
}

void
drop_reader_clear(struct drop_reader *reader)
{
	if (reader->admission == NULL)
		return;
	if (reader->has_content && reader->message != NULL)
		content_cancel(&reader->content);
	else if (reader->has_content)
		content_release(&reader->content);
	if (reader->fd >= 0)
		(void)close(reader->fd); /* only read */
	XXH3_freeState(reader->hash);
	buffer_clear(&reader->front);
	message_free(reader->message);
	*reader = (struct drop_reader){.fd = -1};
}

/* ---- the envelope ---- */

/* The login of the file's owner. */
static void
append_login(uid_t uid, struct buffer *out)
{
	const struct passwd *user = getpwuid(uid);

	if (user != NULL &&
	    address_check(bytes_of(user->pw_name), true, true) == ADDRESS_OK)
		buffer_append_text(out, user->pw_name);
	else
		buffer_printf(out, "uid%lu", (unsigned long)uid);
}

static void
set_sender(struct drop_reader *reader, bool has_sender)
{
	struct envelope *envelope = &reader->message->envelope;
	struct buffer given;
	struct buffer sender;

	buffer_init(&given, (size_t)4 * ADDRESS_MAILBOX_MAX);
	buffer_init(&sender, (size_t)4 * ADDRESS_MAILBOX_MAX);
	if (has_sender)
		buffer_append_text(&given, envelope->sender);
	else
		append_login(reader->facts.st_uid, &given);
	rewrite_sender(reader->rewrite, buffer_bytes(&given), &sender);
	envelope_set_sender(envelope, buffer_bytes(&sender));
	buffer_clear(&given);
	buffer_clear(&sender);
}

static char *
rewritten(const struct drop_reader *reader, const char *recipient)
{
	struct buffer address;

	buffer_init(&address, (size_t)4 * ADDRESS_MAILBOX_MAX);
	rewrite_recipient(reader->rewrite, bytes_of(recipient), &address);
	char *text = buffer_to_text(&address);
	buffer_clear(&address);
	return text;
}

static struct bytes
address_key(const void *address)
{
	return bytes_of(address);
}

/* Each as it shall be, and each once: root and postmaster may be the same. */
static void
rewrite_recipients(struct drop_reader *reader)
{
	struct envelope *envelope = &reader->message->envelope;
	struct table known;
	size_t kept = 0;

	table_init(&known, address_key);
	for (size_t i = 0; i < envelope->recipient_count; i++) {
		struct recipient recipient = envelope->recipients[i];
		char *address = rewritten(reader, recipient.address);
		free(recipient.address);
		recipient.address = address;
		if (table_find(&known, bytes_of(address)) == NULL) {
			table_insert(&known, address);
			envelope->recipients[kept++] = recipient;
		} else {
			free(recipient.address);
			free(recipient.original);
		}
	}
	envelope->recipient_count = kept;
	table_clear(&known);
}

static void
begin_content(struct drop_reader *reader)
{
	const struct content_options options = {
	    .admission = reader->admission,
	    .rewrite = reader->rewrite,
	    .submission = true,
	    .strip = true,
	};
	const struct stamp_received received = {
	    .hostname = reader->rewrite->hostname,
	    .client = reader->submitter,
	    .protocol = "local",
	};

	progress_init(&reader->message->progress,
	    reader->message->envelope.recipient_count);
	content_begin(&reader->content, &options, reader->message, &received);
	reader->has_content = true;
}

static enum drop_reading
failure_of(const struct error *error)
{
	return error->kind == ERROR_DATA ? DROP_READING_REFUSED
					 : DROP_READING_LATER;
}

static enum drop_reading
take_content(
    struct drop_reader *reader, struct bytes octets, struct error *error)
{
	struct buffer lines;

	buffer_init(&lines, 4 * (HEADER_SIZE_MAX + DROP_READER_STEP));
	dot_encode(&reader->encoder, octets, false, &lines);
	bool ok = content_append(&reader->content, buffer_bytes(&lines), error);
	buffer_clear(&lines);
	return ok ? DROP_READING_ON : failure_of(error);
}

/* Everything up to the body has been read, or more than we look at. */
static enum drop_reading
begin(struct drop_reader *reader, struct error *error)
{
	struct bytes front = buffer_bytes(&reader->front);
	struct dropfile dropfile;

	if (!dropfile_read(front, &reader->message->envelope, &dropfile, error))
		return DROP_READING_REFUSED;
	/* Recipients further down would be cut off, or shown to others. */
	if (dropfile.has_envelope &&
	    dropfile.content_from + NAME_SLACK > HEADER_SIZE_MAX) {
		(void)error_set(error, ERROR_DATA,
		    "the X-Receiver lines are longer than %zu octets",
		    (size_t)HEADER_SIZE_MAX);
		return DROP_READING_REFUSED;
	}
	set_sender(reader, dropfile.has_sender);
	rewrite_recipients(reader);
	begin_content(reader);
	enum drop_reading reading = take_content(
	    reader, bytes_from(front, dropfile.content_from), error);
	buffer_clear(&reader->front);
	return reading;
}

/* ---- the end ---- */

/* Is the file what it was when it was opened? */
static bool
is_unchanged(const struct drop_reader *reader)
{
	const struct stat *was = &reader->facts;
	struct stat is;

	return fstat(reader->fd, &is) == 0 && is.st_size == was->st_size &&
	    reader->offset == (uint64_t)was->st_size &&
	    is.st_mtim.tv_sec == was->st_mtim.tv_sec &&
	    is.st_mtim.tv_nsec == was->st_mtim.tv_nsec;
}

static bool
end_content(struct drop_reader *reader, struct error *error)
{
	struct buffer held;

	buffer_init(&held, 16);
	dot_encode_end(&reader->encoder, false, &held);
	bool ok =
	    content_append(&reader->content, buffer_bytes(&held), error) &&
	    content_finish(&reader->content, error);
	buffer_clear(&held);
	return ok;
}

static enum drop_reading
finish(struct drop_reader *reader, struct error *error)
{
	if (!is_unchanged(reader)) {
		(void)error_set(
		    error, ERROR_DATA, "the file changed while it was read");
		return DROP_READING_LATER;
	}
	if (!reader->has_content) {
		enum drop_reading reading = begin(reader, error);
		if (reading != DROP_READING_ON)
			return reading;
	}
	if (!end_content(reader, error))
		return failure_of(error);
	if (content_loops(&reader->content)) {
		(void)error_set(error, ERROR_DATA,
		    "too many hops: this message goes in a circle");
		return DROP_READING_REFUSED;
	}
	uint64_t key = XXH3_64bits_digest(reader->hash);
	reader->message->envelope.drop_key = key == 0 ? 1 : key;
	return DROP_READING_DONE;
}

static enum drop_reading
take_piece(struct drop_reader *reader, struct bytes piece, struct error *error)
{
	uint64_t size = (uint64_t)reader->facts.st_size;
	enum drop_reading reading = DROP_READING_ON;

	reader->offset += piece.len;
	XXH3_64bits_update(reader->hash, piece.data, piece.len);
	if (reader->has_content)
		reading = take_content(reader, piece, error);
	else
		buffer_append(&reader->front, piece);
	if (!reader->has_content && reader->front.len >= HEADER_SIZE_MAX)
		reading = begin(reader, error);
	/* One that grows under our hands is read no further. */
	return reading == DROP_READING_ON && reader->offset >= size
	    ? finish(reader, error)
	    : reading;
}

enum drop_reading
drop_reader_step(struct drop_reader *reader, struct error *error)
{
	char piece[DROP_READER_STEP];
	ssize_t got;

	do {
		got = pread(
		    reader->fd, piece, sizeof(piece), (off_t)reader->offset);
	} while (got < 0 && errno == EINTR);
	if (got < 0) {
		(void)error_system(error, "read");
		return DROP_READING_LATER;
	}
	if (got == 0)
		return finish(reader, error);
	return take_piece(reader, bytes_make(piece, (size_t)got), error);
}

struct message *
drop_reader_take(struct drop_reader *reader)
{
	struct message *message = reader->message;

	assert(message != NULL);
	reader->message = NULL;
	return message;
}
