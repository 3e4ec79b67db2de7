#include "delivery/upstream.h"

#include "base/log.h"
#include "base/memory.h"
#include "message/printable.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* For how long to do without what did not work. */
#define WITHOUT_PIPELINING (10 * CLOCK_MINUTE)
#define WITHOUT_TLS        (10 * CLOCK_MINUTE)
/* Where one more session was refused beside others that work. */
#define WITHOUT_MORE CLOCK_MINUTE

/* A session and what the pool knows of it. */
struct seat {
	TAILQ_ENTRY(seat) entry;
	struct upstream *upstream;
	struct session *session;        /* owned */
	struct upstream_job *exclusive; /* under way, or NULL */
	bool is_refused;   /* a job said that the upstream is not well, */
	char refusal[512]; /* for this reason */
};

TAILQ_HEAD(seats, seat);
TAILQ_HEAD(jobs, upstream_job);

struct upstream {
	struct loop *loop; /* borrowed, as the next three */
	struct resolver *resolver;
	const struct upstream_options *options;
	struct tls_context *tls; /* owned; NULL: none needed */
	upstream_empty_fn *fn;
	void *ctx;

	struct jobs jobs; /* that wait */
	size_t jobs_len;
	struct seats seats;
	size_t seats_len;
	struct loop_task task;   /* brings jobs and sessions together */
	struct loop_timer timer; /* does so at more_at */

	bool is_proven; /* the newest session could be opened */
	bool is_draining;
	bool was_emptied; /* fn is to be told */
	/* Monotonic ms. */
	int64_t more_at;       /* open no session beside others before */
	int64_t pipelining_at; /* do not pipeline before */
	int64_t tls_at;        /* opportunistic: no TLS before */
};

static int64_t
now_of(const struct upstream *upstream)
{
	return loop_now(upstream->loop).mono_ms;
}

static void
work_later(struct upstream *upstream)
{
	loop_later(upstream->loop, &upstream->task);
}

/* ---- jobs ---- */

static void
put_job(struct upstream *upstream, struct upstream_job *job, bool first)
{
	if (first)
		TAILQ_INSERT_HEAD(&upstream->jobs, job, entry);
	else
		TAILQ_INSERT_TAIL(&upstream->jobs, job, entry);
	upstream->jobs_len++;
	work_later(upstream);
}

static struct upstream_job *
take_job(struct upstream *upstream)
{
	struct upstream_job *job = TAILQ_FIRST(&upstream->jobs);

	TAILQ_REMOVE(&upstream->jobs, job, entry);
	upstream->jobs_len--;
	return job;
}

/* Only those that wait now: failed() may start others. */
static void
fail_jobs(struct upstream *upstream, enum upstream_job_end why,
    const char *reason, const char *remote)
{
	for (size_t left = upstream->jobs_len; left > 0; left--) {
		struct upstream_job *job = take_job(upstream);
		job->type->failed(job, why, reason, remote);
	}
}

/* What came of job; true: it was refused. */
static bool
job_went(
    struct seat *seat, struct upstream_job *job, enum upstream_job_state state)
{
	if (seat->exclusive == job && state != UPSTREAM_JOB_RUNS)
		seat->exclusive = NULL;
	if (state == UPSTREAM_JOB_AGAIN)
		put_job(seat->upstream, job, true);
	return state == UPSTREAM_JOB_REFUSED;
}

/* ---- a session offers itself ---- */

static bool
is_used_up(const struct seat *seat)
{
	unsigned max = seat->upstream->options->messages_per_connection;

	return seat->is_refused ||
	    (max > 0 && session_orders(seat->session) >= max);
}

static void
begin_job(struct seat *seat)
{
	struct upstream_job *job = take_job(seat->upstream);

	if (job->type->is_exclusive)
		seat->exclusive = job;
	/* Nobody has spoken to the upstream yet: no refusal. */
	(void)job_went(seat, job, job->type->begin(job, seat->session));
}

/* Jobs that need no order are over at once: on to the next. */
static void
begin_jobs(struct seat *seat)
{
	struct upstream *upstream = seat->upstream;
	unsigned orders = session_orders(seat->session);

	while (upstream->jobs_len > 0 && seat->exclusive == NULL &&
	    orders == session_orders(seat->session)) {
		/* An exclusive job waits until all else is over. */
		if (TAILQ_FIRST(&upstream->jobs)->type->is_exclusive &&
		    !session_is_idle(seat->session))
			return;
		begin_job(seat);
	}
}

static void
session_free_for_work(struct seat *seat)
{
	struct upstream *upstream = seat->upstream;

	if (seat->exclusive != NULL)
		return;
	if (!is_used_up(seat) && !upstream->is_draining)
		begin_jobs(seat);
	if ((is_used_up(seat) || upstream->is_draining) &&
	    session_is_idle(seat->session))
		session_quit(seat->session);
}

/* ---- a session ends ---- */

/*
 * Did it break with replies outstanding that a server without pipelining would
 * not owe?  An idle session that was closed before our MAIL came is no such
 * case.
 */
static bool
broke_pipelining(
    const struct session *session, const struct smtp_outcome *outcome)
{
	if (outcome->kind == SMTP_REPLIED || outcome->kind == SMTP_FAILED ||
	    outcome->kind == SMTP_NOT_OFFERED)
		return false;
	if (outcome->phase < SMTP_PHASE_MAIL || outcome->phase > SMTP_PHASE_END)
		return false;
	if (outcome->kind == SMTP_CLOSED && outcome->phase == SMTP_PHASE_MAIL &&
	    session_orders(session) > 1)
		return false;
	return smtp_client_has_pipelined(session_client(session));
}

/* A handshake that fails where TLS is only welcome: the next goes without. */
static bool
broke_welcome_tls(
    const struct upstream *upstream, const struct smtp_outcome *outcome)
{
	return upstream->options->tls == UPSTREAM_TLS_OPPORTUNISTIC &&
	    (outcome->phase == SMTP_PHASE_TLS ||
		outcome->phase == SMTP_PHASE_STARTTLS) &&
	    now_of(upstream) >= upstream->tls_at;
}

/* "connect to 192.0.2.1:25: Connection refused", "535 5.7.8 no (in AUTH)". */
static void
describe_end(char *text, size_t size, const struct smtp_outcome *outcome)
{
	char *said = printable_copy(outcome->text, size - 64, true);

	/* Cut where it does not fit. */
	if (outcome->kind == SMTP_REPLIED)
		(void)snprintf(text, size, "%d %s (in reply to %s)",
		    outcome->code, said, smtp_phase_name(outcome->phase));
	else if (outcome->phase == SMTP_PHASE_CONNECT)
		(void)snprintf(text, size, "%s", said);
	else
		(void)snprintf(text, size, "%s (during %s)", said,
		    smtp_phase_name(outcome->phase));
	free(said);
}

static void
remove_seat(struct seat *seat)
{
	struct upstream *upstream = seat->upstream;

	TAILQ_REMOVE(&upstream->seats, seat, entry);
	upstream->seats_len--;
	session_free(seat->session);
	free(seat);
	upstream->was_emptied = upstream->seats_len == 0;
	work_later(upstream);
}

/* The session could not be opened, or a job was refused by no fault of its
 * own. */
static void
session_failed(struct seat *seat, const char *reason)
{
	struct upstream *upstream = seat->upstream;

	upstream->is_proven = false;
	log_debug("%s: %s", session_remote(seat->session), reason);
	if (upstream->seats_len > 1)
		upstream->more_at = now_of(upstream) + WITHOUT_MORE;
	else
		fail_jobs(upstream, UPSTREAM_JOB_FAILED, reason,
		    session_remote(seat->session));
}

/* It got nowhere.  One that broke before any order was given counts as well:
 * else the jobs that wait would open the next one at once, and so for ever. */
static bool
is_useless(const struct seat *seat)
{
	return !session_was_ready(seat->session) ||
	    session_orders(seat->session) == 0 || seat->is_refused;
}

static void
session_over(struct seat *seat, const struct smtp_outcome *outcome)
{
	struct upstream *upstream = seat->upstream;
	struct upstream_job *exclusive = seat->exclusive;
	char reason[512];

	describe_end(reason, sizeof(reason), outcome);
	if (broke_pipelining(seat->session, outcome)) {
		upstream->pipelining_at = now_of(upstream) + WITHOUT_PIPELINING;
		log_debug("%s: no pipelining for a while: %s",
		    session_remote(seat->session), reason);
	}
	if (exclusive != NULL)
		exclusive->type->failed(exclusive, UPSTREAM_JOB_FAILED, reason,
		    session_remote(seat->session));
	if (broke_welcome_tls(upstream, outcome)) {
		upstream->tls_at = now_of(upstream) + WITHOUT_TLS;
		log_warning("%s: going on without TLS: %s",
		    session_remote(seat->session), reason);
	} else if (is_useless(seat) && !upstream->is_draining) {
		session_failed(seat, seat->is_refused ? seat->refusal : reason);
	}
	remove_seat(seat);
}

/* ---- what a session says ---- */

static void
job_heard(struct seat *seat, struct upstream_job *job,
    const struct smtp_client_event *heard)
{
	if (!job_went(seat, job, job->type->event(job, seat->session, heard)))
		return;
	seat->is_refused = true;
	describe_end(seat->refusal, sizeof(seat->refusal), &heard->outcome);
}

static struct upstream_job *
job_of(const struct seat *seat, const struct smtp_client_event *heard)
{
	return heard->message != NULL ? heard->message->ctx : seat->exclusive;
}

static void
on_session(struct session *session, enum session_event event,
    const struct smtp_client_event *heard, void *ctx)
{
	struct seat *seat = ctx;
	struct upstream_job *job;

	(void)session; /* the seat's */
	switch (event) {
	case SESSION_READY:
		seat->upstream->is_proven = true;
		work_later(seat->upstream); /* others may be opened now */
		return;
	case SESSION_FREE:
		session_free_for_work(seat);
		return;
	case SESSION_HEARD:
		job = job_of(seat, heard);
		if (job != NULL)
			job_heard(seat, job, heard);
		return;
	case SESSION_OVER:
		session_over(seat, &heard->outcome);
		return;
	}
}

/* ---- bringing jobs and sessions together ---- */

static size_t
count_opening(const struct upstream *upstream)
{
	size_t count = 0;
	const struct seat *seat;

	TAILQ_FOREACH (seat, &upstream->seats, entry)
		count += !session_was_ready(seat->session);
	return count;
}

static void
open_session(struct upstream *upstream)
{
	const int64_t now = now_of(upstream);
	const struct session_place place = {
	    .loop = upstream->loop,
	    .resolver = upstream->resolver,
	    .options = upstream->options,
	    .tls = upstream->tls,
	    .no_pipelining = now < upstream->pipelining_at,
	    .no_tls = now < upstream->tls_at,
	};
	struct seat *seat = memory_new(sizeof(*seat));

	seat->upstream = upstream;
	TAILQ_INSERT_TAIL(&upstream->seats, seat, entry);
	upstream->seats_len++;
	upstream->was_emptied = false;
	seat->session = session_new(&place, on_session, seat);
}

static bool
may_open(const struct upstream *upstream, size_t opening)
{
	size_t max = upstream->options->connections;

	if (upstream->is_draining || upstream->jobs_len <= opening)
		return false;
	if (upstream->seats_len == 0)
		return true;
	return upstream->seats_len < max &&
	    now_of(upstream) >= upstream->more_at &&
	    (upstream->is_proven || opening == 0);
}

/* Those that idle come first: on the others a job would wait its turn. */
static void
run_sessions(struct upstream *upstream, bool idle)
{
	struct seat *seat = TAILQ_FIRST(&upstream->seats);

	while (
	    seat != NULL && (upstream->jobs_len > 0 || upstream->is_draining)) {
		struct seat *next = TAILQ_NEXT(seat, entry);
		if (session_is_idle(seat->session) == idle)
			session_run(seat->session);
		seat = next;
	}
}

static void
work(void *ctx)
{
	struct upstream *upstream = ctx;

	if (upstream->is_draining)
		fail_jobs(upstream, UPSTREAM_JOB_DRAINED, "shutting down",
		    upstream->options->name);
	run_sessions(upstream, true);
	run_sessions(upstream, false);
	for (size_t opening = count_opening(upstream);
	     may_open(upstream, opening); opening++)
		open_session(upstream);
	if (upstream->jobs_len > 0 && now_of(upstream) < upstream->more_at)
		loop_timer_set(&upstream->timer, upstream->more_at);
	if (upstream->was_emptied) {
		upstream->was_emptied = false;
		upstream->fn(upstream->ctx);
	}
}

/* ---- the pool ---- */

static bool
needs_tls(const struct upstream_options *options)
{
	return options->transport != UPSTREAM_MAILDIR &&
	    options->socket == NULL && options->tls != UPSTREAM_TLS_NONE;
}

bool
upstream_new(struct loop *loop, struct resolver *resolver,
    const struct upstream_options *options, upstream_empty_fn *fn, void *ctx,
    struct upstream **out_upstream, struct error *error)
{
	struct tls_context *tls = NULL;

	if (needs_tls(options) &&
	    !tls_client_new(&options->tls_options, &tls, error))
		return error_context(error, "upstream %s", options->name);

	struct upstream *upstream = memory_new(sizeof(*upstream));
	upstream->loop = loop;
	upstream->resolver = resolver;
	upstream->options = options;
	upstream->tls = tls;
	upstream->fn = fn;
	upstream->ctx = ctx;
	TAILQ_INIT(&upstream->jobs);
	TAILQ_INIT(&upstream->seats);
	loop_task_init(&upstream->task, work, upstream);
	loop_timer_init(&upstream->timer, loop, work, upstream);
	*out_upstream = upstream;
	return true;
}

void
upstream_free(struct upstream *upstream)
{
	if (upstream == NULL)
		return;
	assert(upstream->jobs_len == 0);
	while (!TAILQ_EMPTY(&upstream->seats))
		remove_seat(TAILQ_FIRST(&upstream->seats));
	loop_task_cancel(upstream->loop, &upstream->task);
	loop_timer_clear(&upstream->timer);
	tls_context_free(upstream->tls);
	free(upstream);
}

void
upstream_start(struct upstream *upstream, struct upstream_job *job)
{
	put_job(upstream, job, false);
}

void
upstream_drain(struct upstream *upstream)
{
	struct seat *seat;

	upstream->is_draining = true;
	upstream->was_emptied = upstream->seats_len == 0;
	TAILQ_FOREACH (seat, &upstream->seats, entry)
		if (!session_was_ready(seat->session))
			session_quit(seat->session);
	work_later(upstream); /* jobs fail, and the idle ones say QUIT */
}

const struct upstream_options *
upstream_options_of(const struct upstream *upstream)
{
	return upstream->options;
}

void
upstream_sessions(
    const struct upstream *upstream, size_t *out_open, size_t *out_idle)
{
	const struct seat *seat;

	*out_open = upstream->seats_len;
	*out_idle = 0;
	TAILQ_FOREACH (seat, &upstream->seats, entry)
		*out_idle += session_is_idle(seat->session);
}
