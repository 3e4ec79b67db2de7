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
#include <sys/random.h>
#include <unistd.h>

/* How long deliveries under way are waited for, and then sessions. */
#define DELIVERING_MAX_MS (30 * CLOCK_SECOND)
#define CLOSING_MAX_MS    (5 * CLOCK_SECOND)
/* How much longer than this a start may take is said again and again. */
#define START_EXTENSION_S 30

/* ---- small things for others ---- */

static uint32_t
random_bits(void *ctx)
{
	uint32_t bits = 0;

	(void)ctx;
	/* Jitter alone hangs on it: 0 will do. */
	(void)!getrandom(&bits, sizeof(bits), GRND_NONBLOCK);
	return bits;
}

static struct clock_time
now_of(const struct daemon *daemon)
{
	return loop_now(daemon->loop);
}

/* ---- actions ---- */

static void
post_order(struct daemon *daemon, struct order *order)
{
	struct worker *worker = daemon->workers[daemon->next_worker];

	daemon->next_worker = (daemon->next_worker + 1) % daemon->worker_count;
	worker_post(worker, order);
}

static void
carry_out(struct daemon *daemon, const struct action *action)
{
	switch (action->kind) {
	case ACTION_COMMIT:
		committer_post(daemon->committer, action->commit);
		break;
	case ACTION_ORDER:
		post_order(daemon, action->order);
		break;
	}
}

static void
pump_etrn(struct daemon *daemon)
{
	struct etrn_order *order;

	if (daemon->state != DAEMON_RUNNING)
		return;
	while ((order = etrn_poller_next(daemon->poller, now_of(daemon))) !=
	    NULL) {
		daemon->etrn_out++;
		worker_post_etrn(daemon->workers[0], order);
	}
}

/* Content waits for the disk: let senders wait, too, rather than hold more. */
static void
regulate(struct daemon *daemon)
{
	uint64_t pressure = dispatch_pressure(daemon->dispatch);
	uint64_t most = daemon->wiring->admission.memory_max / 2;

	if (pressure > most)
		doors_pause(daemon->doors);
	else if (pressure <= most / 2 && daemon->state != DAEMON_CLOSING)
		doors_resume(daemon->doors);
}

static void
check_end(struct daemon *daemon)
{
	if (daemon->state == DAEMON_RUNNING ||
	    dispatch_orders(daemon->dispatch) > 0 || daemon->etrn_out > 0)
		return;
	if (daemon->state == DAEMON_DELIVERING) {
		daemon->state = DAEMON_CLOSING;
		loop_timer_set(
		    &daemon->drain, now_of(daemon).mono_ms + CLOSING_MAX_MS);
		doors_shut(daemon->doors);
	}
	if (doors_sessions(daemon->doors) == 0 &&
	    dispatch_commits(daemon->dispatch) == 0)
		loop_stop(daemon->loop);
}

void
daemon_pump(struct daemon *daemon)
{
	struct action action;

	while (dispatch_next(daemon->dispatch, now_of(daemon), &action))
		carry_out(daemon, &action);
	pump_etrn(daemon);
	regulate(daemon);
	check_end(daemon);

	int64_t deadline = dispatch_deadline(daemon->dispatch);
	int64_t etrn = daemon->state == DAEMON_RUNNING
	    ? etrn_poller_deadline(daemon->poller)
	    : CLOCK_NEVER;
	loop_timer_set(&daemon->timer, deadline < etrn ? deadline : etrn);
}

/* ---- answers ---- */

static void
on_commits(struct letter *letters, void *ctx)
{
	struct daemon *daemon = ctx;

	while (letters != NULL) {
		struct letter *next = letters->next;
		if (letters == &daemon->broken) {
			log_error("the queue cannot be written any more: "
				  "ending, to be started again");
			daemon->end = DAEMON_BROKEN;
			loop_stop(daemon->loop);
		} else {
			dispatch_committed(daemon->dispatch,
			    (struct commit *)(void *)letters, now_of(daemon));
		}
		letters = next;
	}
	daemon_pump(daemon);
}

static void
on_orders(struct letter *letters, void *ctx)
{
	struct daemon *daemon = ctx;

	while (letters != NULL) {
		struct letter *next = letters->next;
		dispatch_result(daemon->dispatch,
		    (struct order *)(void *)letters, now_of(daemon));
		letters = next;
	}
	daemon_pump(daemon);
}

static void
on_etrn_orders(struct letter *letters, void *ctx)
{
	struct daemon *daemon = ctx;

	while (letters != NULL) {
		struct letter *next = letters->next;
		daemon->etrn_out--;
		etrn_poller_answered(daemon->poller,
		    (struct etrn_order *)(void *)letters, now_of(daemon),
		    random_bits(NULL));
		letters = next;
	}
	daemon_pump(daemon);
}

static void
on_timer(void *ctx)
{
	daemon_pump(ctx);
}

/* ---- the door ---- */

static uint64_t
door_take_id(void *ctx)
{
	struct daemon *daemon = ctx;

	return dispatch_take_id(daemon->dispatch, now_of(daemon).wall_ms);
}

static enum door_answer
door_ask(uint64_t size_bytes, void *ctx)
{
	const struct daemon *daemon = ctx;

	if (daemon->state == DAEMON_CLOSING)
		return DOOR_CLOSED;
	return dispatch_ask(daemon->dispatch, size_bytes);
}

static void
door_submit(struct message *message, struct receipt *receipt, void *ctx)
{
	struct daemon *daemon = ctx;

	dispatch_submit(daemon->dispatch, message, receipt);
	daemon_pump(daemon);
}

static void
door_cancel(struct receipt *receipt, void *ctx)
{
	struct daemon *daemon = ctx;

	dispatch_cancel(daemon->dispatch, receipt);
}

/* "x.example" for "x.example" and "@x.example". */
static bool
is_relay_domain(const struct daemon *daemon, struct bytes domain)
{
	const struct config_texts *domains = &daemon->config->relay_domains;

	if (bytes_has_prefix(domain, "@"))
		domain = bytes_from(domain, 1);
	for (size_t i = 0; i < domains->count; i++)
		if (bytes_is_nocase(domain, domains->texts[i]))
			return true;
	return false;
}

static long
door_flush_domain(struct bytes domain, void *ctx)
{
	struct daemon *daemon = ctx;

	if (!is_relay_domain(daemon, domain))
		return -1;
	char *name = memory_copy(domain);
	dispatch_do(
	    daemon->dispatch, DISPATCH_RETRY, NULL, 0, name, NULL, NULL);
	free(name);
	daemon_pump(daemon);
	return 0;
}

static void
make_door(struct daemon *daemon)
{
	daemon->door = (struct door){
	    .take_id = door_take_id,
	    .ask = door_ask,
	    .submit = door_submit,
	    .cancel = door_cancel,
	    .flush_domain = door_flush_domain,
	    .ctx = daemon,
	};
}

/* ---- the end ---- */

static void
begin_end(struct daemon *daemon, enum daemon_end end)
{
	if (daemon->state != DAEMON_RUNNING)
		return;
	daemon->end = end;
	daemon->state = DAEMON_DELIVERING;
	dispatch_stop(daemon->dispatch);
	loop_timer_set(
	    &daemon->drain, now_of(daemon).mono_ms + DELIVERING_MAX_MS);
	daemon_pump(daemon);
}

static void
on_drain_over(void *ctx)
{
	struct daemon *daemon = ctx;

	if (daemon->state == DAEMON_DELIVERING)
		log_warning("%zu deliveries are still under way: they will be "
			    "tried again, and may arrive twice",
		    dispatch_orders(daemon->dispatch));
	else
		log_warning("%zu sessions are still open: their clients will "
			    "have to come again",
		    doors_sessions(daemon->doors));
	daemon->overtime = true;
	loop_stop(daemon->loop);
}

/* Only a configuration without an error is worth going away for. */
static void
reload(struct daemon *daemon)
{
	struct config *config = NULL;
	struct buffer diagnostics;

	buffer_init(&diagnostics, (size_t)256 * 1024);
	bool loaded =
	    config_load(daemon->config->file, environ, &config, &diagnostics);
	struct bytes lines = buffer_bytes(&diagnostics);
	while (lines.len > 0) {
		struct bytes line = bytes_cut(&lines, '\n');
		log_warning("%.*s", BYTES_ARGS(line));
	}
	buffer_clear(&diagnostics);
	if (!loaded) {
		log_error("not reloaded: the configuration has errors; going "
			  "on with the one from before");
		return;
	}
	config_free(config);
	log_info("reloading: the configuration is right");
	(void)service_notify("RELOADING=1\nSTATUS=Reloading");
	begin_end(daemon, DAEMON_REEXEC);
}

static void
on_signal(int number, void *ctx)
{
	struct daemon *daemon = ctx;

	if (number == SIGHUP) {
		reload(daemon);
		return;
	}
	log_info("ending: %s", strsignal(number));
	(void)service_notify("STOPPING=1\nSTATUS=Finishing what is under way");
	begin_end(daemon, DAEMON_STOPPED);
}

/* ---- start ---- */

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
		(void)service_notify("STATUS=Reading the queue: segment %zu of "
				     "%zu\nEXTEND_TIMEOUT_USEC=%d000000",
		    fact->index + 1, fact->count, START_EXTENSION_S);
	if (fact->kind == JOURNAL_MESSAGE && fact->envelope->drop_key != 0)
		remember_drop_key(daemon, fact->envelope->drop_key);
	dispatch_recovered(daemon->dispatch, fact, now_of(daemon));
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
	    .segment_size = (uint64_t)config->queue.segment_size_bytes,
	    .queue_size_max = (uint64_t)config->limits.queue_size_bytes,
	    .random = random_bits,
	};

	daemon->dispatch = dispatch_new(&options);
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

static bool
recover(
    struct daemon *daemon, struct journal **out_journal, struct error *error)
{
	const struct config *config = daemon->config;
	struct journal_report report;
	struct journal_options options = {
	    .disk = disk_real(),
	    .path = config->queue.directory,
	    .segment_size = (uint64_t)config->queue.segment_size_bytes,
	};
	size_t orphans;

	if (!file_make_directories(config->queue.directory, 0700, error) ||
	    !free_floor(config, &options.free_floor, error) ||
	    !journal_open(
		&options, on_fact, daemon, out_journal, &report, error))
		return error_context(
		    error, "queue %s", config->queue.directory);
	dispatch_ready(daemon->dispatch, report.highest_id);
	sort_drop_keys(daemon);
	if (!journal_remove_orphans(
		*out_journal, is_live, daemon, &orphans, error))
		return false;
	log_info("queue: messages=%zu segments=%zu torn=%llu damaged=%llu",
	    ledger_size(dispatch_ledger(daemon->dispatch)), report.segments,
	    (unsigned long long)report.torn_bytes,
	    (unsigned long long)report.damaged);
	return true;
}

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

static void
make_loop(struct daemon *daemon)
{
	static const int signals[DAEMON_SIGNALS] = {
	    SIGTERM, SIGINT, SIGHUP, SIGQUIT};

	daemon->loop = loop_new();
	daemon->started = now_of(daemon);
	for (size_t i = 0; i < DAEMON_SIGNALS; i++)
		daemon->signals[i] = loop_watch_signal(
		    daemon->loop, signals[i], on_signal, daemon);
	loop_timer_init(&daemon->timer, daemon->loop, on_timer, daemon);
	loop_timer_init(&daemon->drain, daemon->loop, on_drain_over, daemon);
	daemon->commits = mailbox_new(daemon->loop, on_commits, daemon);
	daemon->orders = mailbox_new(daemon->loop, on_orders, daemon);
	daemon->etrn_orders = mailbox_new(daemon->loop, on_etrn_orders, daemon);
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
	make_loop(daemon);
	make_door(daemon);
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

/* ---- running ---- */

static void
say_status(struct daemon *daemon)
{
	const struct ledger *ledger = dispatch_ledger(daemon->dispatch);

	(void)service_notify("WATCHDOG=1\nSTATUS=%zu messages in the queue, "
			     "%zu under way",
	    ledger_size(ledger), ledger_count(ledger, LEDGER_IN_FLIGHT));
}

static void
on_watchdog(void *ctx)
{
	struct daemon *daemon = ctx;

	say_status(daemon);
	loop_timer_set(
	    &daemon->watchdog, now_of(daemon).mono_ms + daemon->watchdog_ms);
}

enum daemon_end
daemon_run(struct daemon *daemon)
{
	int64_t asked = service_watchdog_ms();

	daemon->watchdog_ms = asked > 0 ? asked / 3 : 10 * CLOCK_SECOND;
	loop_timer_init(&daemon->watchdog, daemon->loop, on_watchdog, daemon);
	on_watchdog(daemon);
	(void)service_notify("READY=1");
	daemon_pump(daemon);
	loop_run(daemon->loop);
	loop_timer_clear(&daemon->watchdog);
	return daemon->end;
}

static void
free_threads(struct daemon *daemon)
{
	/* A busy worker would be waited for: the process ends it instead. */
	for (size_t i = 0; !daemon->overtime && i < daemon->worker_count; i++)
		worker_free(daemon->workers[i]);
	free(daemon->workers);
	/* Nothing more to come: the last commits are answered, or were never
	 * told to anybody. */
	committer_free(daemon->committer);
}

void
daemon_free(struct daemon *daemon, struct service_sockets *out_sockets)
{
	if (daemon == NULL)
		return;
	control_server_free(daemon->control);
	doors_free(daemon->doors, out_sockets);
	free_threads(daemon);
	etrn_poller_free(daemon->poller);
	dispatch_free(daemon->dispatch);
	free(daemon->drop_keys);
	if (daemon->overtime)
		return; /* what threads still use is left to the process's end
			 */
	wiring_free(daemon->wiring);
	loop_timer_clear(&daemon->timer);
	loop_timer_clear(&daemon->drain);
	for (size_t i = 0; i < DAEMON_SIGNALS; i++)
		loop_watch_free(daemon->signals[i]);
	mailbox_free(daemon->commits);
	mailbox_free(daemon->orders);
	mailbox_free(daemon->etrn_orders);
	loop_free(daemon->loop);
	free(daemon);
}
