#include "intake/drop_finder.h"

#include "base/log.h"
#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/queue.h>
#include <unistd.h>

/* A scan that nothing asked for. */
#define RESCAN_MS (30 * CLOCK_SECOND)
/* Names told by inotify that are kept; a scan finds the others. */
#define MOVED_MAX 1024

struct moved_name {
	STAILQ_ENTRY(moved_name) entry;
	char name[];
};

enum scan {
	SCAN_NONE,
	SCAN_TAKEN,
	SCAN_DROP
};

struct drop_finder {
	struct loop *loop;
	const struct drop_place *place;
	int64_t settle_ms;
	loop_task_fn *news;
	void *ctx;
	int inotify_fd;
	struct loop_watch *watch;
	STAILQ_HEAD(, moved_name) moved;
	size_t moved_count;
	struct moved_name *current; /* the one given out */
	enum scan scan;
	DIR *directory; /* that is scanned */
	int64_t due;    /* monotonic: when the next scan begins */
};

static int64_t
now(const struct drop_finder *finder)
{
	return loop_now(finder->loop).mono_ms;
}

void
drop_finder_scan_by(struct drop_finder *finder, int64_t deadline)
{
	if (deadline < finder->due)
		finder->due = deadline;
}

int64_t
drop_finder_due(const struct drop_finder *finder)
{
	return finder->due;
}

/* ---- what inotify tells ---- */

static void
note_moved(struct drop_finder *finder, const char *name)
{
	if (finder->moved_count == MOVED_MAX) {
		drop_finder_scan_by(finder, now(finder));
		return;
	}
	struct moved_name *moved =
	    memory_new(sizeof(*moved) + strlen(name) + 1);
	memcpy(moved->name, name, strlen(name));
	STAILQ_INSERT_TAIL(&finder->moved, moved, entry);
	finder->moved_count++;
}

static void
note_event(struct drop_finder *finder, const struct inotify_event *event)
{
	if ((event->mask & IN_MOVED_TO) != 0 && event->len > 0)
		note_moved(finder, event->name);
	else if ((event->mask & IN_Q_OVERFLOW) != 0)
		drop_finder_scan_by(finder, now(finder));
	else
		drop_finder_scan_by(finder, now(finder) + finder->settle_ms);
}

static void
on_inotify(int fd, void *ctx)
{
	struct drop_finder *finder = ctx;
	_Alignas(struct inotify_event) char events[16 * 1024];
	ssize_t got = read(fd, events, sizeof(events));

	for (ssize_t at = 0; at < got;) {
		const struct inotify_event *event =
		    (const struct inotify_event *)(const void *)(events + at);
		note_event(finder, event);
		at += (ssize_t)(sizeof(*event) + event->len);
	}
	finder->news(finder->ctx);
}

static bool
watch_directory(struct drop_finder *finder, struct error *error)
{
	finder->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (finder->inotify_fd < 0)
		return error_system(error, "inotify");
	if (inotify_add_watch(finder->inotify_fd, finder->place->path,
		IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ONLYDIR |
		    IN_DONT_FOLLOW) < 0)
		return error_system(error, "watch %s", finder->place->path);
	finder->watch = loop_watch_readable(
	    finder->loop, finder->inotify_fd, on_inotify, finder);
	return true;
}

bool
drop_finder_new(struct loop *loop, const struct drop_place *place,
    int64_t settle_ms, loop_task_fn *news, void *ctx,
    struct drop_finder **out_finder, struct error *error)
{
	struct drop_finder *finder = memory_new(sizeof(*finder));

	finder->loop = loop;
	finder->place = place;
	finder->settle_ms = settle_ms;
	finder->news = news;
	finder->ctx = ctx;
	finder->due = now(finder);
	STAILQ_INIT(&finder->moved);
	if (!watch_directory(finder, error)) {
		drop_finder_free(finder);
		return false;
	}
	*out_finder = finder;
	return true;
}

/* ---- the scan ---- */

static void
scan_open(struct drop_finder *finder, enum scan scan)
{
	const struct drop_place *place = finder->place;
	int at = scan == SCAN_TAKEN ? place->taken_fd : place->drop_fd;
	int fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	finder->directory = fd < 0 ? NULL : fdopendir(fd);
	finder->scan = scan;
	if (finder->directory != NULL)
		return;
	log_error("drop directory %s cannot be listed: %s", place->path,
	    strerror(errno));
	if (fd >= 0)
		(void)close(fd); /* a directory */
	finder->scan = SCAN_NONE;
}

static void
scan_close(struct drop_finder *finder)
{
	if (finder->directory != NULL)
		(void)closedir(finder->directory); /* only read */
	finder->directory = NULL;
	finder->scan = SCAN_NONE;
}

/* At the end of the taken folder comes the drop directory. */
static void
scan_on(struct drop_finder *finder)
{
	bool more = finder->scan == SCAN_TAKEN;

	scan_close(finder);
	if (more)
		scan_open(finder, SCAN_DROP);
}

static void
scan_if_due(struct drop_finder *finder)
{
	if (finder->scan != SCAN_NONE || now(finder) < finder->due)
		return;
	finder->due = now(finder) + RESCAN_MS;
	scan_open(finder, SCAN_TAKEN);
}

static void
forget_current(struct drop_finder *finder)
{
	free(finder->current);
	finder->current = NULL;
}

void
drop_finder_free(struct drop_finder *finder)
{
	if (finder == NULL)
		return;
	forget_current(finder);
	while (!STAILQ_EMPTY(&finder->moved)) {
		struct moved_name *moved = STAILQ_FIRST(&finder->moved);
		STAILQ_REMOVE_HEAD(&finder->moved, entry);
		free(moved);
	}
	scan_close(finder);
	loop_watch_free(finder->watch);
	if (finder->inotify_fd >= 0)
		(void)close(finder->inotify_fd); /* only read */
	free(finder);
}

static bool
is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

enum drop_find
drop_finder_next(struct drop_finder *finder, const char **out_name)
{
	forget_current(finder);
	if (finder->moved_count > 0) {
		finder->current = STAILQ_FIRST(&finder->moved);
		STAILQ_REMOVE_HEAD(&finder->moved, entry);
		finder->moved_count--;
		*out_name = finder->current->name;
		return DROP_FIND_MOVED;
	}
	scan_if_due(finder);
	while (finder->scan != SCAN_NONE) {
		const struct dirent *entry = readdir(finder->directory);
		if (entry == NULL) {
			scan_on(finder);
		} else if (!is_dots(entry->d_name)) {
			*out_name = entry->d_name;
			return finder->scan == SCAN_TAKEN ? DROP_FIND_TAKEN
							  : DROP_FIND_LYING;
		}
	}
	return DROP_FIND_NOTHING;
}

bool
drop_finder_has_more(const struct drop_finder *finder)
{
	return finder->moved_count > 0 || finder->scan != SCAN_NONE;
}
