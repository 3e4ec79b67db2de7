#include "tools/sendmail_drop.h"

#include "base/clock.h"
#include "base/file.h"
#include "config/config.h"
#include "smtp/params.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* The directory gives the file the daemon's group. */
#define FILE_MODE   0640
#define ALL_OFFERED UINT32_MAX
#define BATCH_MAX   500

/* ".NAME.tmp" until it is complete, "NAME.eml" then. */
struct names {
	char hidden[64];
	char visible[64];
};

const char *
sendmail_drop_path(void)
{
	const char *path = getenv("POSTRIDER_DROP");
	return path != NULL && path[0] != '\0' ? path : SPOOLDIR "/drop";
}

static bool
choose_names(struct names *names, struct error *error)
{
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return error_system(error, "getrandom");
	(void)snprintf(names->hidden, sizeof(names->hidden),
	    ".%" PRId64 ".%016" PRIx64 ".tmp", clock_now().wall_ms,
	    random); /* fits */
	(void)snprintf(names->visible, sizeof(names->visible),
	    "%" PRId64 ".%016" PRIx64 ".eml", clock_now().wall_ms,
	    random); /* fits */
	return true;
}

/* Others who may write there could take the file away, but for the sticky bit.
 * It cannot be read by us, so the descriptor only names it. */
static bool
open_directory(const char *path, int *out_fd, struct error *error)
{
	struct stat facts;
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_system(error, "drop directory %s", path);
	bool ok = fstat(fd, &facts) == 0 ||
	    error_system(error, "drop directory %s", path);
	bool shared = ok && (facts.st_mode & (S_IWGRP | S_IWOTH)) != 0;
	if (shared && (facts.st_mode & S_ISVTX) == 0)
		ok = error_set(error, ERROR_CONFIG,
		    "drop directory %s: mode %04o, must be 3733", path,
		    (unsigned)(facts.st_mode & 07777));
	if (ok)
		*out_fd = fd;
	else
		(void)close(fd); /* nothing was written */
	return ok;
}

/* Recipients of one file: their lines must stay within what is looked into. */
struct batch {
	size_t recipients[BATCH_MAX];
	size_t count;
};

static void
append_envelope(const struct sendmail_job *job, const struct batch *batch,
    struct buffer *out)
{
	struct mail_params mail = sendmail_job_params(job);

	buffer_printf(out, "X-Sender: <%s>", job->envelope->sender);
	params_write_mail(out, &mail, ALL_OFFERED);
	buffer_append_text(out, "\r\n");
	for (size_t i = 0; i < batch->count; i++) {
		const struct recipient *recipient =
		    &job->envelope->recipients[batch->recipients[i]];
		struct rcpt_params rcpt = RCPT_PARAMS_NONE;
		rcpt.notify = recipient->notify;
		buffer_printf(out, "X-Receiver: <%s>", recipient->address);
		params_write_rcpt(out, &rcpt, ALL_OFFERED);
		buffer_append_text(out, "\r\n");
	}
}

/* When it was sent, which the daemon could not tell any more. */
static void
append_date(struct buffer *out)
{
	buffer_append_text(out, "Date: ");
	date_append_rfc5322(out, clock_now().wall_ms);
	buffer_append_text(out, "\r\n");
}

static bool
write_file(int fd, const struct sendmail_job *job, const struct batch *batch,
    struct error *error)
{
	struct buffer envelope;

	buffer_init(&envelope, SIZE_MAX);
	append_envelope(job, batch, &envelope);
	if (job->lacks_date)
		append_date(&envelope);
	bool ok = file_write(fd, buffer_bytes(&envelope), error) &&
	    file_write(fd, job->head, error) &&
	    file_write(fd, job->rest, error);
	buffer_clear(&envelope);
	if (!ok)
		return false;
	if (fchmod(fd, FILE_MODE) != 0)
		return error_system(error, "fchmod");
	return fsync(fd) == 0 || error_system(error, "fsync");
}

/* Make the new name durable.  Where the directory may not be read, which is
 * how it should be, all of its file system is synced. */
static bool
sync_name(const char *path, int fd, struct error *error)
{
	int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (directory < 0)
		return syncfs(fd) == 0 || error_system(error, "syncfs");
	bool ok = file_sync_directory(directory, error);
	(void)close(directory); /* only read */
	return ok;
}

/* Under its hidden name, and then the visible one; neither where it fails. */
static bool
write_names(const char *path, int directory, const struct names *names,
    const struct sendmail_job *job, const struct batch *batch,
    struct error *error)
{
	const char *name = names->hidden;
	int fd = openat(directory, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return error_system(error, "create a file");
	bool ok = write_file(fd, job, batch, error);
	if (ok && renameat(directory, name, directory, names->visible) != 0)
		ok = error_system(error, "rename");
	if (ok) {
		name = names->visible;
		ok = sync_name(path, fd, error);
	}
	if (!ok)
		(void)unlinkat(directory, name, 0); /* the failure counts */
	(void)close(fd);                            /* synced, or given up */
	return ok;
}

static bool
write_message(const char *path, const struct sendmail_job *job,
    const struct batch *batch, struct error *error)
{
	struct names names;
	int directory = -1;

	if (!choose_names(&names, error) ||
	    !open_directory(path, &directory, error))
		return false;
	bool ok = write_names(path, directory, &names, job, batch, error) ||
	    error_context(error, "drop directory %s", path);
	(void)close(directory); /* a name only */
	return ok;
}

static bool
write_batches(const char *path, struct sendmail_job *job, struct error *error)
{
	struct batch batch;

	while (job->open > 0) {
		batch.count =
		    sendmail_job_open(job, batch.recipients, BATCH_MAX);
		if (!write_message(path, job, &batch, error))
			return false;
		for (size_t i = 0; i < batch.count; i++)
			sendmail_job_settle(job, batch.recipients[i]);
	}
	return true;
}

bool
sendmail_drop_write(
    const char *path, struct sendmail_job *job, struct error *error)
{
	sigset_t all;
	sigset_t before;

	/* Killed midway it would leave a hidden file. */
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, &before); /* cannot fail */
	bool ok = write_batches(path, job, error);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return ok;
}
