#include "tools/queue_fsck.h"

#include "base/clock.h"
#include "base/memory.h"
#include "config/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#define SHOWN_MAX     ((size_t)1024 * 1024 * 1024)
#define TORN_ONLY     1
#define QUIET_MS      1000 /* before the first word of progress, and between */
#define HUNDRED       100U
#define DEFAULT_QUEUE SPOOLDIR "/queue"

extern char **environ;

/* ---- where it is ---- */

/* The configuration's; the usual one where it cannot be read. */
static char *
find_directory(const struct tool *tool)
{
	struct buffer diagnostics;
	struct config *config;
	char *path;

	buffer_init(&diagnostics, SHOWN_MAX);
	if (config_load(tool->config_file, environ, &config, &diagnostics)) {
		path = memory_copy_text(config->queue.directory);
		config_free(config);
	} else {
		path = memory_copy_text(DEFAULT_QUEUE);
		if (tool->has_config_file)
			(void)fprintf(stderr,
			    "postrider: %s can not be used (see postrider "
			    "config check); looking at %s\n",
			    tool->config_file, path);
	}
	buffer_clear(&diagnostics);
	return path;
}

/* ---- how far it is ---- */

struct progress_line {
	int64_t told_at; /* monotonic, ms */
	bool is_shown;
};

static void
on_progress(uint64_t done, uint64_t all, void *ctx)
{
	struct progress_line *line = ctx;
	int64_t now = clock_now().mono_ms;

	if (now - line->told_at < QUIET_MS)
		return;
	line->told_at = now;
	line->is_shown = true;
	/* Large bodies are not in what there was to read at first. */
	if (done < all)
		(void)fprintf(stderr, "\rpostrider: %3u %% read",
		    (unsigned)(done / (all / HUNDRED + 1)));
	else
		(void)fprintf(stderr, "\rpostrider: large files");
}

/* ---- what went wrong ---- */

static int
tell_failure(const char *path, const struct error *error)
{
	int number = error->kind == ERROR_SYSTEM ? error->number : 0;

	if (number == EWOULDBLOCK) {
		(void)fprintf(stderr,
		    "postrider: queue %s: the daemon, or another process, is "
		    "using it; stop it, or look all the same with --live\n",
		    path);
		return EX_TEMPFAIL;
	}
	(void)fprintf(stderr, "postrider: %s\n", error_text(error));
	if (number == EACCES || number == EPERM)
		return EX_NOPERM;
	if (number == ENOENT || number == ENOTDIR || error->kind == ERROR_DATA)
		return EX_NOINPUT;
	return EX_IOERR;
}

int
queue_fsck_look(struct tool *tool, const char *path, bool is_live,
    bool skips_contents, char **out_path, struct fsck **out_fsck)
{
	struct progress_line line = {.told_at = clock_now().mono_ms};
	struct error error;

	*out_path =
	    path != NULL ? memory_copy_text(path) : find_directory(tool);
	struct fsck_options options = {
	    .disk = disk_real(),
	    .path = *out_path,
	    .is_live = is_live,
	    .skips_contents = skips_contents,
	    .progress_fn = isatty(STDERR_FILENO) == 1 ? on_progress : NULL,
	    .ctx = &line,
	};
	bool is_ok = fsck_run(&options, out_fsck, &error);
	if (line.is_shown)
		(void)fprintf(stderr, "\r\033[K");
	return is_ok ? EX_OK : tell_failure(*out_path, &error);
}

/* ---- the command ---- */

static int
code_of(const struct fsck *fsck)
{
	if (fsck->gravities[FSCK_DAMAGE] > 0)
		return EX_DATAERR;
	return fsck->gravities[FSCK_DOUBTFUL] > 0 ? TORN_ONLY : EX_OK;
}

static int
show(const struct tool *tool, const struct fsck *fsck, const char *path)
{
	struct buffer shown;

	buffer_init(&shown, SHOWN_MAX);
	if (tool->json)
		queue_fsck_json(fsck, path, &shown);
	else
		queue_fsck_text(fsck, path, &shown);
	int code = tool_print(&shown);
	if (code == EX_OK && shown.overflowed) {
		(void)fprintf(
		    stderr, "postrider: that is not all: it is too much\n");
		code = EX_SOFTWARE;
	}
	buffer_clear(&shown);
	return code != EX_OK ? code : code_of(fsck);
}

int
queue_fsck(struct tool *tool, const struct queue_words *words)
{
	struct fsck *fsck = NULL;
	char *path;

	if (words->id_count > 1)
		return tool_usage(
		    tool, "one directory at a time, not %s", words->ids[1]);
	int code =
	    queue_fsck_look(tool, words->id_count == 1 ? words->ids[0] : NULL,
		words->live, false, &path, &fsck);
	if (code == EX_OK)
		code = show(tool, fsck, path);
	fsck_free(fsck);
	free(path);
	return code;
}
