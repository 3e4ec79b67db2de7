/* Running: actions out, answers in, and how it ends. */
#include "base/log.h"
#include "base/memory.h"
#include "daemon/daemon_private.h"
#include "delivery/verdict.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How long deliveries under way are waited for, and then sessions. */
#define DELIVERING_MAX_MS (30 * CLOCK_SECOND)
#define CLOSING_MAX_MS    (5 * CLOCK_SECOND)
/* How often the service manager is told that all is well, where it does not
 * say how often it wants to hear so. */
#define STATUS_EVERY_MS (10 * CLOCK_SECOND)

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
	if (daemon->state != DAEMON_RUNNING)
		return;
	for (;;) {
		struct etrn_order *order =
		    etrn_poller_next(daemon->poller, now_of(daemon));
		if (order == NULL)
			return;
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
	else if (pressure <= most / 2)
		doors_resume(daemon->doors);
}

/* ---- the end, in three states ---- */

static void
begin_closing(struct daemon *daemon)
{
	daemon->state = DAEMON_CLOSING;
	loop_timer_set(&daemon->drain, now_of(daemon).mono_ms + CLOSING_MAX_MS);
	doors_shut(daemon->doors);
}

/* All that can still be recorded is, and told to who waits for it. */
static bool
is_settled(const struct daemon *daemon)
{
	return doors_sessions(daemon->doors) == 0 &&
	    dispatch_commits(daemon->dispatch) == 0 &&
	    (daemon->end == DAEMON_BROKEN ||
		dispatch_unrecorded(daemon->dispatch) == 0);
}

static void
check_end(struct daemon *daemon)
{
	if (daemon->state == DAEMON_DELIVERING && !daemon_is_delivering(daemon))
		begin_closing(daemon);
	if (daemon->state == DAEMON_CLOSING && is_settled(daemon))
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

static void
on_drain_over(void *ctx)
{
	struct daemon *daemon = ctx;

	if (daemon->state == DAEMON_DELIVERING) {
		log_warning("%zu deliveries are still under way: they will be "
			    "tried again, and may arrive twice",
		    dispatch_orders(daemon->dispatch));
		begin_closing(daemon);
		daemon_pump(daemon);
		return;
	}
	log_warning("%zu sessions are still open: they will have to come again",
	    doors_sessions(daemon->doors));
	loop_stop(daemon->loop);
}

static void
begin_end(struct daemon *daemon, enum daemon_end end)
{
	/* Who asked for a reload may change his mind, but not the other way. */
	if (end == DAEMON_STOPPED && daemon->end == DAEMON_REEXEC)
		daemon->end = end;
	if (daemon->state != DAEMON_RUNNING)
		return;
	daemon->end = end;
	daemon->state = DAEMON_DELIVERING;
	dispatch_stop(daemon->dispatch);
	loop_timer_set(
	    &daemon->drain, now_of(daemon).mono_ms + DELIVERING_MAX_MS);
	daemon_pump(daemon);
}

/* What is not durable now never will be: senders are told, and that is all. */
static void
on_broken(struct daemon *daemon)
{
	log_error("the queue cannot be written any more: ending, to be started "
		  "again");
	daemon->end = DAEMON_BROKEN;
	dispatch_stop(daemon->dispatch);
	if (daemon->state != DAEMON_CLOSING)
		begin_closing(daemon);
}

/* ---- answers ---- */

static void
on_commits(struct letter *letters, void *ctx)
{
	struct daemon *daemon = ctx;

	while (letters != NULL) {
		struct letter *next = letters->next;
		if (letters == &daemon->broken)
			on_broken(daemon);
		else
			dispatch_committed(daemon->dispatch,
			    (struct commit *)(void *)letters, now_of(daemon));
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

/* A login that is refused here is refused for deliveries, too. */
static void
share_refusal(struct daemon *daemon, const struct etrn_order *order)
{
	const struct wiring *wiring = daemon->wiring;
	const struct wiring_etrn *server =
	    &wiring->etrns[order->upstream - wiring->upstream_count];

	for (size_t i = 0; server->has_login && i < order->count; i++)
		if (verdict_wants_login(order->answers[i].code)) {
			dispatch_upstream_fails(daemon->dispatch, server->login,
			    order->answers[i].text, now_of(daemon));
			return;
		}
}

static void
on_etrn_orders(struct letter *letters, void *ctx)
{
	struct daemon *daemon = ctx;

	while (letters != NULL) {
		struct letter *next = letters->next;
		daemon->etrn_out--;
		share_refusal(daemon, (struct etrn_order *)(void *)letters);
		etrn_poller_answered(daemon->poller,
		    (struct etrn_order *)(void *)letters, now_of(daemon),
		    daemon_random(NULL));
		letters = next;
	}
	daemon_pump(daemon);
}

static void
on_timer(void *ctx)
{
	daemon_pump(ctx);
}

/* ---- signals ---- */

/* Everything a start reads is read, too: what fails here would fail there. */
static bool
is_config_right(const struct daemon *daemon)
{
	struct config *config = NULL;
	struct wiring *wiring = NULL;
	struct buffer diagnostics;
	struct error error;

	buffer_init(&diagnostics, (size_t)256 * 1024);
	bool right =
	    config_load(daemon->config->file, environ, &config, &diagnostics);
	struct bytes lines = buffer_bytes(&diagnostics);
	while (lines.len > 0) {
		struct bytes line = bytes_cut(&lines, '\n');
		log_warning("%.*s", BYTES_ARGS(line));
	}
	buffer_clear(&diagnostics);
	if (right && !wiring_new(config, &wiring, &error)) {
		log_error("%s", error_text(&error));
		right = false;
	}
	wiring_free(wiring);
	config_free(config);
	return right;
}

/* What is delivered and not recorded would be delivered again. */
static bool
is_forgetful(const struct daemon *daemon)
{
	const char *problem = dispatch_recording_problem(daemon->dispatch);

	if (problem[0] != '\0')
		log_error("not reloaded: %zu outcomes cannot be recorded, and "
			  "would be forgotten: %s",
		    dispatch_unrecorded(daemon->dispatch), problem);
	return problem[0] != '\0';
}

/* Only a configuration without an error is worth going away for. */
static void
reload(struct daemon *daemon)
{
	if (daemon->state != DAEMON_RUNNING)
		return; /* it will be read again, or never */
	if (is_forgetful(daemon))
		return;
	if (!is_config_right(daemon)) {
		log_error("not reloaded: the configuration has errors; going "
			  "on with the one from before");
		return;
	}
	log_info("reloading: the configuration is right");
	(void)service_notify("RELOADING=1\nMONOTONIC_USEC=%lld\n"
			     "STATUS=Reloading",
	    ((long long)now_of(daemon).mono_ms + 1) * 1000);
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

/* ---- the service manager ---- */

static void
say_status(const struct daemon *daemon)
{
	const struct ledger *ledger = dispatch_ledger(daemon->dispatch);

	(void)service_notify("WATCHDOG=1\nSTATUS=%s%zu messages in the queue, "
			     "%zu under way",
	    daemon->state == DAEMON_RUNNING ? "" : "Ending: ",
	    ledger_size(ledger), ledger_count(ledger, LEDGER_IN_FLIGHT));
}

static void
on_watchdog(void *ctx)
{
	struct daemon *daemon = ctx;
	int64_t asked = service_watchdog_ms();

	say_status(daemon);
	loop_timer_set(&daemon->watchdog,
	    now_of(daemon).mono_ms + (asked > 0 ? asked / 3 : STATUS_EVERY_MS));
}

/* ---- the loop ---- */

static const int signals[DAEMON_SIGNALS] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};

/* What comes while nobody listens waits until somebody does, over a
 * re-execution, too. */
static void
hold_signals(bool hold)
{
	sigset_t set;

	(void)sigemptyset(&set); /* cannot fail, */
	for (size_t i = 0; i < DAEMON_SIGNALS; i++)
		(void)sigaddset(&set, signals[i]); /* nor this, */
	(void)sigprocmask(
	    hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL); /* nor this */
}

static void
on_last_turn(void *ctx)
{
	struct daemon *daemon = ctx;

	loop_stop(daemon->loop);
}

/* A turn more, without waiting, for a signal that was caught behind the last
 * one: who asked for an end gets it, though a reload was under way. */
static void
listen_once_more(struct daemon *daemon)
{
	struct loop_task last;

	hold_signals(true);
	loop_task_init(&last, on_last_turn, daemon);
	loop_later(daemon->loop, &last);
	loop_run(daemon->loop);
}

void
daemon_make_loop(struct daemon *daemon)
{
	daemon->loop = loop_new();
	for (size_t i = 0; i < DAEMON_SIGNALS; i++)
		daemon->signals[i] = loop_watch_signal(
		    daemon->loop, signals[i], on_signal, daemon);
	loop_timer_init(&daemon->timer, daemon->loop, on_timer, daemon);
	loop_timer_init(&daemon->drain, daemon->loop, on_drain_over, daemon);
	loop_timer_init(&daemon->watchdog, daemon->loop, on_watchdog, daemon);
	daemon->commits = mailbox_new(daemon->loop, on_commits, daemon);
	daemon->orders = mailbox_new(daemon->loop, on_orders, daemon);
	daemon->etrn_orders = mailbox_new(daemon->loop, on_etrn_orders, daemon);
}

void
daemon_free_loop(struct daemon *daemon)
{
	loop_timer_clear(&daemon->timer);
	loop_timer_clear(&daemon->drain);
	loop_timer_clear(&daemon->watchdog);
	for (size_t i = 0; i < DAEMON_SIGNALS; i++)
		loop_watch_free(daemon->signals[i]);
	mailbox_free(daemon->commits);
	mailbox_free(daemon->orders);
	mailbox_free(daemon->etrn_orders);
	loop_free(daemon->loop);
}

/* What settles has come to an end that the next process may not know of. */
static void
say_unrecorded(const struct daemon *daemon)
{
	size_t count =
	    ledger_count(dispatch_ledger(daemon->dispatch), LEDGER_SETTLING);

	if (count > 0)
		log_error("%zu outcomes are not recorded: so many messages may "
			  "be delivered twice",
		    count);
}

enum daemon_end
daemon_run(struct daemon *daemon)
{
	on_watchdog(daemon);
	(void)service_notify("READY=1");
	daemon_pump(daemon);
	hold_signals(false);
	loop_run(daemon->loop);
	listen_once_more(daemon);
	say_unrecorded(daemon);
	return daemon->end;
}
