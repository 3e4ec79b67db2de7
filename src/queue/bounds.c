#include "queue/bounds.h"

#include "base/buffer.h"
#include "queue/packed.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/param.h>
#include <xxhash.h>

#define MAGIC     "postboun"
#define COPY_LEN  40
#define COPY_AT   512 /* where the second one begins */
#define CHECK_AT  (COPY_LEN - 8)
#define FILE_LEN  1024
#define FILE_MODE 0600

static uint64_t
check_of(struct bytes bytes)
{
	return XXH3_64bits(bytes.data, bytes.len);
}

/* What a sound copy tells beyond bounds. */
static void
add_copy(struct bytes copy, struct bounds *bounds)
{
	struct packed packed = {.rest = copy};

	struct bytes magic = packed_take(&packed, strlen(MAGIC));
	uint32_t version = packed_take32(&packed);
	uint32_t len = packed_take32(&packed);
	uint64_t oldest = packed_take64(&packed);
	uint64_t newest = packed_take64(&packed);
	if (!bytes_is(magic, MAGIC) || version != BOUNDS_VERSION ||
	    len != COPY_LEN ||
	    packed_take64(&packed) != check_of(bytes_first(copy, CHECK_AT)))
		return;
	bounds->oldest = MAX(bounds->oldest, oldest);
	bounds->newest = MAX(bounds->newest, newest);
}

static bool
read_copies(
    const struct disk *disk, int fd, struct bounds *bounds, struct error *error)
{
	for (uint64_t at = 0; at < FILE_LEN; at += COPY_AT) {
		char data[COPY_LEN];
		size_t len = 0;
		if (!disk_read_some(
			disk, fd, data, sizeof(data), at, &len, error) &&
		    error->number != EIO)
			return false;
		if (len == sizeof(data))
			add_copy(bytes_make(data, len), bounds);
	}
	return true;
}

bool
bounds_read(const struct disk *disk, int directory_fd,
    struct bounds *out_bounds, struct error *error)
{
	struct bounds bounds = {.oldest = 0};
	int fd;

	if (!disk_open_file(
		disk, directory_fd, BOUNDS_NAME, O_RDONLY, 0, &fd, error)) {
		if (error->kind != ERROR_DATA && error->number != ENOENT)
			return false;
		*out_bounds = bounds;
		return true;
	}
	bool is_ok = read_copies(disk, fd, &bounds, error);
	(void)disk->close(disk->ctx, fd); /* only read */
	if (!is_ok)
		return error_context(error, BOUNDS_NAME);
	*out_bounds = bounds;
	return true;
}

static void
encode(struct bounds bounds, char data[FILE_LEN])
{
	struct buffer buffer;

	buffer_init(&buffer, COPY_LEN);
	buffer_append(&buffer, BYTES(MAGIC));
	packed_put32(&buffer, BOUNDS_VERSION);
	packed_put32(&buffer, COPY_LEN);
	packed_put64(&buffer, bounds.oldest);
	packed_put64(&buffer, bounds.newest);
	packed_put64(&buffer, check_of(buffer_bytes(&buffer)));
	assert(buffer.len == COPY_LEN);
	memset(data, 0, FILE_LEN);
	for (size_t at = 0; at < FILE_LEN; at += COPY_AT)
		memcpy(data + at, buffer_bytes(&buffer).data, COPY_LEN);
	buffer_clear(&buffer);
}

bool
bounds_write(const struct disk *disk, int directory_fd, struct bounds bounds,
    bool is_synced, struct error *error)
{
	char data[FILE_LEN];
	int fd;

	if (!disk_open_file(disk, directory_fd, BOUNDS_NAME, O_WRONLY | O_CREAT,
		FILE_MODE, &fd, error))
		return false;
	encode(bounds, data);
	bool is_ok = disk_write_at(disk, fd, data, sizeof(data), 0, error) &&
	    (!is_synced || disk_sync(disk, fd, error));
	(void)disk->close(disk->ctx, fd); /* synced, or of no moment */
	return is_ok || error_context(error, BOUNDS_NAME);
}

bool
bounds_miss_oldest(
    struct bounds bounds, size_t count, uint64_t first, struct bounds *out)
{
	if (bounds.newest == 0 || (count > 0 && first <= bounds.oldest))
		return false;
	*out = (struct bounds){
	    .oldest = bounds.oldest,
	    .newest = count > 0 ? first - 1 : bounds.newest,
	};
	return true;
}

bool
bounds_miss_newest(
    struct bounds bounds, size_t count, uint64_t last, struct bounds *out)
{
	/* Where there is none, all are missing: see above. */
	if (count == 0 || last >= bounds.newest)
		return false;
	*out = (struct bounds){.oldest = last + 1, .newest = bounds.newest};
	return true;
}
