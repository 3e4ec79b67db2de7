#include "daemon/daemon.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "daemon/daemon_private.h"
#include "daemon/resources.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

/* How much longer than this a start may take is said again and again. */
#define START_EXTENSION_S 30

/*
 * Room on the disk for what is done when it is full: until the oldest segment
 * can go, which is room for all else.  Its messages take 400 octets each or
 * more, their FINISHED 96, and what pins it may have to be moved, up to a
 * quarter: half a segment.  A small disk has but a part for this.
 */
#define RESERVE_MIN  ((uint64_t)4 * 1024 * 1024)
#define RESERVE_PART 6

uint32_t
daemon_random(void *ctx)
{
	uint32_t bits = 0;

	(void)ctx;
	/* Jitter alone hangs on it: 0 will do. */
	(void)!getrandom(&bits, sizeof(bits), GRND_NONBLOCK);
	return bits;
}

bool
daemon_is_delivering(const struct daemon *daemon)
{
	return daemon->dispatch != NULL &&
	    (dispatch_orders(daemon->dispatch) > 0 || daemon->etrn_out > 0);
}

/* ---- the queue ---- */

static void
remember_drop_key(struct daemon *daemon, uint64_t key)
{
	if (daemon->drop_key_count == daemon->drop_key_capacity) {
		daemon->drop_key_capacity = 2 * daemon->drop_key_capacity + 64;
		daemon->drop_keys = memory_resize_array(daemon->drop_keys,
		    daemon->drop_key_capacity, sizeof(*daemon->drop_keys));
	}
	daemon->drop_keys[daemon->drop_key_count++] = key;
}

static void
on_fact(const struct journal_fact *fact, void *ctx)
{
	struct daemon *daemon = ctx;

	if (fact->kind == JOURNAL_SEGMENT)
		(void)service_notify("WATCHDOG=1\nSTATUS=Reading the queue: "
				     "segment %zu of %zu\n"
				     "EXTEND_TIMEOUT_USEC=%d000000",
		    fact->index + 1, fact->count, START_EXTENSION_S);
	if (fact->kind == JOURNAL_MESSAGE && fact->envelope->drop_key != 0)
		remember_drop_key(daemon, fact->envelope->drop_key);
	dispatch_recovered(daemon->dispatch, fact, loop_now(daemon->loop));
}

static int
compare_keys(const void *left, const void *right)
{
	const uint64_t *a = left;
	const uint64_t *b = right;

	return (*a > *b) - (*a < *b);
}

static void
sort_drop_keys(struct daemon *daemon)
{
	if (daemon->drop_key_count > 0)
		qsort(daemon->drop_keys, daemon->drop_key_count,
		    sizeof(*daemon->drop_keys), compare_keys);
}

static bool
is_known_drop(uint64_t drop_key, void *ctx)
{
	const struct daemon *daemon = ctx;

	return daemon->drop_key_count > 0 &&
	    bsearch(&drop_key, daemon->drop_keys, daemon->drop_key_count,
		sizeof(drop_key), compare_keys) != NULL;
}

static bool
is_live(uint64_t id, void *ctx)
{
	const struct daemon *daemon = ctx;

	return ledger_find(dispatch_ledger(daemon->dispatch), id) != NULL;
}

/* A file of the queue may be written past its size by a group. */
static uint64_t
file_size_max(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_FSIZE, &limit) == 0 ? limit.rlim_cur / 2
						    : UINT64_MAX;
}

static uint64_t
segment_size(const struct config *config)
{
	uint64_t wanted = (uint64_t)config->queue.segment_size_bytes;
	uint64_t most = file_size_max();

	return MIN(wanted, most);
}

static void
make_dispatch(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	const struct wiring *wiring = daemon->wiring;
	struct dispatch_options options = {
	    .settle = &wiring->settle,
	    .retry = wiring->retry,
	    .upstream_limits = wiring->upstream_limits,
	    .upstream_names = wiring->upstream_names,
	    .upstream_count = wiring->upstream_count,
	    .segment_size = segment_size(config),
	    .queue_size_max = (uint64_t)config->limits.queue_size_bytes,
	    .random = daemon_random,
	};

	daemon->dispatch = dispatch_new(&options, loop_now(daemon->loop));
	daemon->poller = etrn_poller_new(wiring);
}

static bool
free_floor(
    const struct config *config, uint64_t *out_octets, struct error *error)
{
	const struct config_free *floor = &config->limits.min_free;
	uint64_t total = 0;

	if (floor->percent > 0 &&
	    !file_system_size(config->queue.directory, &total, error))
		return false;
	*out_octets =
	    (uint64_t)floor->bytes + total / 100 * (uint64_t)floor->percent;
	return true;
}

static uint64_t
reserve(const struct config *config)
{
	uint64_t wanted = segment_size(config) / 2;
	uint64_t total = UINT64_MAX;
	uint64_t most = file_size_max();
	struct error ignored;

	/* Where this fails, so does all that follows. */
	(void)!file_system_size(config->queue.directory, &total, &ignored);
	wanted = MIN(wanted, total / RESERVE_PART);
	wanted = MAX(wanted, RESERVE_MIN);
	return MIN(wanted, most);
}

static bool
open_journal(struct daemon *daemon, struct journal **out_journal,
    struct journal_report *out_report, struct error *error)
{
	const struct config *config = daemon->config;
	const char *directory = config->queue.directory;
	struct journal_options options = {
	    .disk = disk_real(),
	    .path = directory,
	    .segment_size = segment_size(config),
	};

	if (!file_make_directories(directory, 0700, error) ||
	    !free_floor(config, &options.free_floor, error))
		return error_context(error, "queue %s", directory);
	options.reserve = reserve(config);
	if (journal_open(
		&options, on_fact, daemon, out_journal, out_report, error))
		return true;
	if (error->number == EWOULDBLOCK)
		return error_set(error, ERROR_CONFIG,
		    "queue %s: another postriderd is using it", directory);
	return false;
}

static bool
recover(
    struct daemon *daemon, struct journal **out_journal, struct error *error)
{
	struct journal_report report;
	struct journal *journal;
	size_t orphans;

	if (!open_journal(daemon, &journal, &report, error))
		return false;
	dispatch_ready(daemon->dispatch, report.highest_id);
	sort_drop_keys(daemon);
	if (!journal_remove_orphans(
		journal, is_live, daemon, &orphans, error)) {
		journal_free(journal);
		return false;
	}
	log_info("queue: messages=%zu segments=%zu summaries=%zu ignored=%zu "
		 "torn=%llu damaged=%llu orphans=%zu",
	    ledger_size(dispatch_ledger(daemon->dispatch)), report.segments,
	    report.summaries, report.ignored_summaries,
	    (unsigned long long)report.torn_bytes,
	    (unsigned long long)report.damaged, orphans);
	if (report.kept_files > 0)
		log_warning("queue: damage that was put aside waits to be "
			    "looked at, then taken away: files=%zu in "
			    "%s/corrupt",
		    report.kept_files, daemon->config->queue.directory);
	*out_journal = journal;
	return true;
}

/* ---- threads and doors ---- */

static bool
start_workers(struct daemon *daemon, struct error *error)
{
	const struct wiring *wiring = daemon->wiring;
	size_t wanted = (size_t)daemon->config->workers;

	daemon->worker_options.settle = &wiring->settle;
	daemon->worker_options.upstreams = wiring->upstreams;
	daemon->worker_options.upstream_count = wiring->total_count;
	daemon->worker_options.answers = daemon->orders;
	daemon->worker_options.etrn_answers = daemon->etrn_orders;
	daemon->workers = memory_array(wanted, sizeof(*daemon->workers));
	while (daemon->worker_count < wanted) {
		if (!worker_new(&daemon->worker_options,
			&daemon->workers[daemon->worker_count], error))
			return false;
		daemon->worker_count++;
	}
	return true;
}

static bool
start_control(struct daemon *daemon, struct error *error)
{
	const struct config_admin *admin = &daemon->config->admin;
	struct control_server_options options = {
	    .resources = resources_table(),
	    .resource_count = resources_count(),
	    .ctx = daemon,
	    .readers = admin->readers.texts,
	    .reader_count = admin->readers.count,
	    .writers = admin->writers.texts,
	    .writer_count = admin->writers.count,
	};
	struct buffer warnings;

	buffer_init(&warnings, 4096);
	bool started =
	    control_server_new(daemon->loop, doors_admin_fd(daemon->doors),
		&options, &warnings, &daemon->control, error);
	struct bytes lines = buffer_bytes(&warnings);
	while (lines.len > 0) {
		struct bytes line = bytes_cut(&lines, '\n');
		log_warning("admin socket: %.*s", BYTES_ARGS(line));
	}
	buffer_clear(&warnings);
	return started;
}

static bool
open_doors(struct daemon *daemon, int large_fd, struct service_sockets *sockets,
    struct error *error)
{
	struct doors_options options = {
	    .loop = daemon->loop,
	    .wiring = daemon->wiring,
	    .door = &daemon->door,
	    .large_fd = large_fd,
	    .is_known = is_known_drop,
	    .ctx = daemon,
	};

	return doors_new(&options, sockets, &daemon->doors, error);
}

/* Everything behind the replay; the journal goes to the committer. */
static bool
start(struct daemon *daemon, struct journal *journal,
    struct service_sockets *sockets, struct error *error)
{
	int large_fd = journal_large_fd(journal);

	daemon->worker_options.large_fd = large_fd;
	if (!committer_new(journal, daemon->commits, &daemon->broken,
		&daemon->committer, error)) {
		journal_free(journal);
		return false;
	}
	return start_workers(daemon, error) &&
	    open_doors(daemon, large_fd, sockets, error) &&
	    start_control(daemon, error);
}

bool
daemon_new(const struct config *config, struct service_sockets *sockets,
    struct daemon **out_daemon, struct error *error)
{
	struct daemon *daemon = memory_new(sizeof(*daemon));
	struct journal *journal = NULL;

	daemon->config = config;
	daemon->end = DAEMON_STOPPED;
	daemon_make_loop(daemon);
	daemon_make_door(daemon);
	daemon->started = loop_now(daemon->loop);
	bool started = wiring_new(config, &daemon->wiring, error);
	if (started) {
		make_dispatch(daemon);
		started = recover(daemon, &journal, error) &&
		    start(daemon, journal, sockets, error);
	}
	if (!started) {
		daemon_free(daemon, NULL);
		return false;
	}
	*out_daemon = daemon;
	return true;
}

/* ---- the end ---- */

static void
end_threads(struct daemon *daemon)
{
	for (size_t i = 0; i < daemon->worker_count; i++)
		worker_stop(daemon->workers[i]);
	for (size_t i = 0; i < daemon->worker_count; i++)
		worker_free(daemon->workers[i]);
	free(daemon->workers);
	committer_free(daemon->committer);
}

void
daemon_free(struct daemon *daemon, struct service_sockets *out_sockets)
{
	if (daemon == NULL)
		return;
	control_server_free(daemon->control);
	doors_free(daemon->doors, out_sockets);
	if (daemon_is_delivering(daemon)) {
		/* Workers would be waited for: the process ends them, and all
		 * that they use lives until then. */
		committer_end(daemon->committer);
		return;
	}
	end_threads(daemon);
	etrn_poller_free(daemon->poller);
	dispatch_free(daemon->dispatch);
	free(daemon->drop_keys);
	wiring_free(daemon->wiring);
	daemon_free_loop(daemon);
	free(daemon);
}
