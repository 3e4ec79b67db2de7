#include "lib/smtp_spool.h"

#include "base/file.h"
#include "base/memory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/param.h>
#include <unistd.h>

void
smtp_spool_init(struct smtp_spool *spool)
{
	*spool = (struct smtp_spool){.fd = -1};
}

/* For file systems that know no files without a name. */
static int
open_named(const char *folder)
{
	char *path = memory_format("%s/postrider.XXXXXX", folder);
	const int fd = mkostemp(path, O_CLOEXEC);

	if (fd >= 0)
		(void)unlink(path); /* a name that stays does no harm */
	free(path);
	return fd;
}

bool
smtp_spool_open(struct smtp_spool *spool, struct error *error)
{
	const char *named = secure_getenv("TMPDIR");
	const char *folder = named != NULL && named[0] == '/' ? named : "/tmp";
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		fd = open_named(folder);
	if (fd < 0)
		return error_system(error, "temporary file in %s", folder);
	spool->fd = fd;
	return true;
}

bool
smtp_spool_append(
    struct smtp_spool *spool, struct bytes octets, struct error *error)
{
	if (!file_write_at(spool->fd, octets, spool->len, error))
		return error_context(error, "temporary file");
	spool->len += octets.len;
	return true;
}

bool
smtp_spool_read(const struct smtp_spool *spool, uint64_t offset, void *data,
    size_t len, size_t *out_len, struct error *error)
{
	const uint64_t left = spool->len - offset;
	const size_t some = (size_t)MIN(left, len);

	if (!file_read_at(spool->fd, data, some, offset, error))
		return error_context(error, "temporary file");
	*out_len = some;
	return true;
}

int
smtp_spool_take(struct smtp_spool *spool)
{
	const int fd = spool->fd;

	smtp_spool_init(spool);
	return fd;
}

void
smtp_spool_clear(struct smtp_spool *spool)
{
	if (spool->fd >= 0)
		close(spool->fd);
	smtp_spool_init(spool);
}
