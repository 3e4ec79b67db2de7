#include "queue/quarantine.h"

#include "base/memory.h"
#include "message/message.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#define FILE_MODE 0600
#define PART_NAME "part" /* of a copy that is being written */
#define PIECE_LEN ((size_t)64 * 1024)

struct quarantine_name
quarantine_name_of(const struct segment_header *segment, uint64_t offset)
{
	struct quarantine_name name;

	(void)snprintf(name.text, sizeof(name.text), "%016llx-%08llx-%016llx",
	    (unsigned long long)segment->first_unit, (unsigned long long)offset,
	    (unsigned long long)segment->salt);
	return name;
}

/* Up to the next piece's end; what cannot be read is zeros. */
static bool
copy_piece(const struct quarantine *quarantine, int from_fd, uint64_t from,
    int to_fd, uint64_t to, size_t len, struct error *error)
{
	char *piece = memory_new(len);
	size_t got;

	bool is_ok = disk_read_some(
	    quarantine->disk, from_fd, piece, len, from, &got, error);
	if (is_ok || error->number == EIO)
		is_ok = disk_write_at(
		    quarantine->disk, to_fd, piece, len, to, error);
	free(piece);
	return is_ok;
}

static bool
copy_stretch(const struct quarantine *quarantine, int from_fd, uint64_t offset,
    uint64_t len, int to_fd, struct error *error)
{
	for (uint64_t done = 0; done < len;) {
		uint64_t left = len - done;
		size_t size = (size_t)MIN(left, PIECE_LEN);
		if (!copy_piece(quarantine, from_fd, offset + done, to_fd, done,
			size, error))
			return false;
		done += size;
	}
	return disk_sync(quarantine->disk, to_fd, error);
}

/* Writes what is to be kept, and syncs it. */
struct part {
	const struct quarantine *quarantine;
	int from_fd; /* -1: text */
	uint64_t offset, len;
	struct bytes text;
};

static bool
write_part(const struct part *part, int fd, struct error *error)
{
	const struct disk *disk = part->quarantine->disk;

	if (part->from_fd >= 0)
		return copy_stretch(part->quarantine, part->from_fd,
		    part->offset, part->len, fd, error);
	return disk_write_at(
		   disk, fd, part->text.data, part->text.len, 0, error) &&
	    disk_sync(disk, fd, error);
}

/* Under another name until it is whole. */
static bool
keep(const struct part *part, const char *name, bool *out_is_new,
    struct error *error)
{
	const struct disk *disk = part->quarantine->disk;
	int directory_fd = part->quarantine->directory_fd;
	int fd;

	*out_is_new = !disk_has(disk, directory_fd, name);
	/* Its name may be as new as the process that died giving it. */
	if (!*out_is_new)
		return disk_sync_directory(disk, directory_fd, error);
	if (!disk_open_file(disk, directory_fd, PART_NAME,
		O_WRONLY | O_CREAT | O_TRUNC, FILE_MODE, &fd, error))
		return false;
	bool is_ok = write_part(part, fd, error);
	(void)disk->close(disk->ctx, fd); /* synced, or given up */
	if (is_ok &&
	    disk->rename(
		disk->ctx, directory_fd, PART_NAME, directory_fd, name) != 0)
		is_ok = error_system(error, "rename to corrupt/%s", name);
	return is_ok && disk_sync_directory(disk, directory_fd, error);
}

bool
quarantine_keep(const struct quarantine *quarantine, const char *name, int fd,
    uint64_t offset, uint64_t len, bool *out_is_new, struct error *error)
{
	struct part part = {
	    .quarantine = quarantine,
	    .from_fd = fd,
	    .offset = offset,
	    .len = len,
	};

	return keep(&part, name, out_is_new, error);
}

bool
quarantine_note(const struct quarantine *quarantine, const char *name,
    const char *text, bool *out_is_new, struct error *error)
{
	char *line = memory_format("%s\n", text);
	struct part part = {
	    .quarantine = quarantine,
	    .from_fd = -1,
	    .text = bytes_of(line),
	};
	bool is_ok = keep(&part, name, out_is_new, error);

	free(line);
	return is_ok;
}

bool
quarantine_take(const struct quarantine *quarantine, int from_directory_fd,
    const char *from, const char *name, struct error *error)
{
	const struct disk *disk = quarantine->disk;

	if (disk->rename(disk->ctx, from_directory_fd, from,
		quarantine->directory_fd, name) != 0)
		return error_system(
		    error, "rename %s to corrupt/%s", from, name);
	return disk_sync_directory(disk, quarantine->directory_fd, error);
}

bool
quarantine_take_anew(const struct quarantine *quarantine, int from_directory_fd,
    const char *from, struct quarantine_name *out_name, struct error *error)
{
	const struct disk *disk = quarantine->disk;
	uint32_t salt;

	if (disk->random(disk->ctx, &salt, sizeof(salt)) != 0)
		return error_system(error, "random");
	(void)snprintf(out_name->text, sizeof(out_name->text), "%s.%08lx", from,
	    (unsigned long)salt);
	return quarantine_take(
	    quarantine, from_directory_fd, from, out_name->text, error);
}

static bool
count_name(const char *name, void *ctx)
{
	struct quarantine_stock *stock = ctx;
	uint64_t id;

	if (strcmp(name, PART_NAME) == 0)
		return true;
	stock->files++;
	stock->evidence += !queue_id_parse(bytes_of(name), &id);
	return true;
}

bool
quarantine_count(const struct quarantine *quarantine,
    struct quarantine_stock *out_stock, struct error *error)
{
	const struct disk *disk = quarantine->disk;
	struct quarantine_stock stock = {.files = 0};

	if (disk->list(
		disk->ctx, quarantine->directory_fd, count_name, &stock) != 0)
		return error_system(error, "list corrupt/");
	*out_stock = stock;
	return true;
}
