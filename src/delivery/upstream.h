/*
 * One upstream as a worker knows it: how to reach it, and its sessions.  Jobs
 * wait here for a session; sessions are opened as needed, up to a ceiling, used
 * for job after job, and closed when they have been idle for a while.
 *
 * Where a session cannot be opened, all jobs that wait fail with it, unless
 * another session lives.  Until one was opened, one alone is tried at a time: a
 * wrong password or a dead host is tried once, not once for each job.
 */
#pragma once

#include "base/error.h"
#include "delivery/session.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "net/tls.h"
#include "smtp/smtp_client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

enum upstream_transport {
	UPSTREAM_SMTP,
	UPSTREAM_LMTP,
	UPSTREAM_MAILDIR
};
enum upstream_tls {
	UPSTREAM_TLS_STARTTLS, /* required */
	UPSTREAM_TLS_IMPLICIT,
	UPSTREAM_TLS_OPPORTUNISTIC,
	UPSTREAM_TLS_NONE
};

/* Plain values out of the configuration; borrowed as long as the worker lives.
 */
struct upstream_options {
	const char *name;
	enum upstream_transport transport;
	const char *host; /* smtp, lmtp over TCP */
	unsigned port;
	const char *socket; /* smtp, lmtp over a unix socket, or NULL */
	const char *path;   /* maildir */
	enum upstream_tls tls;
	struct tls_client_options tls_options;
	const char *tls_name; /* what the certificate must carry; NULL: host */
	const char *user;     /* NULL: no AUTH */
	const char *password;
	const char *mechanisms;           /* NULL: what is offered */
	bool auth_in_clear;               /* loopback, or spelt out */
	const char *hello;                /* our name */
	const char *source;               /* address to bind to, or NULL */
	unsigned connections;             /* for this worker; 0 counts as 1 */
	unsigned messages_per_connection; /* 0: any number */
	unsigned recipients_max; /* in one transaction; 0: any number */
	int64_t idle_ms;
	bool pipelining;
	bool chunking;
	int64_t timeout_ms[SMTP_PHASE_COUNT]; /* 0: default */
	/* Most time for one message, beside a ms for each of its octets; 0:
	 * half an hour.  Against a server that takes an octet now and then. */
	int64_t order_ms;
};

/* ---- jobs: what is done over a session ---- */

struct upstream_job;

enum upstream_job_state {
	UPSTREAM_JOB_RUNS,
	UPSTREAM_JOB_ENDED,  /* and may be freed already */
	UPSTREAM_JOB_AGAIN,  /* begin it once more, before all others */
	UPSTREAM_JOB_REFUSED /* ended, by no fault of its own: the upstream is
				not well, or this session of it */
};

/* Why a job that waits, or an exclusive one under way, will not be done. */
enum upstream_job_end {
	UPSTREAM_JOB_FAILED, /* the upstream failed */
	UPSTREAM_JOB_DRAINED /* upstream_drain() was called */
};

struct upstream_job_type {
	bool is_exclusive; /* wants a session for itself; orders are commands */
	/* A session is there: give one order (then RUNS), or none. */
	enum upstream_job_state (*begin)(
	    struct upstream_job *job, struct session *session);
	/*
	 * Something was heard.  A message's events go to the job that is its
	 * ctx; the job runs until it says otherwise, at DONE.  REPLY goes to
	 * the exclusive job.
	 */
	enum upstream_job_state (*event)(struct upstream_job *job,
	    struct session *session, const struct smtp_client_event *event);
	/* The job is over, and no longer known here. */
	void (*failed)(struct upstream_job *job, enum upstream_job_end why,
	    const char *reason, const char *remote);
};

/* First member of what does it, or its ctx of a message. Zeroed but for type.
 */
struct upstream_job {
	TAILQ_ENTRY(upstream_job) entry;
	const struct upstream_job_type *type;
};

/* ---- the pool ---- */

struct upstream;

/* Called, in a later turn, when the last session has gone. */
typedef void upstream_empty_fn(void *ctx);

/* All borrowed; tls is loaded here: its errors name the file. */
bool upstream_new(struct loop *loop, struct resolver *resolver,
    const struct upstream_options *options, upstream_empty_fn *fn, void *ctx,
    struct upstream **out_upstream, struct error *error) MUST_USE;
/* Closes all sessions as they are; no job may wait or run. */
void upstream_free(struct upstream *upstream);

/* Queue job; it begins in a later turn. */
void upstream_start(struct upstream *upstream, struct upstream_job *job);
/* Fail the jobs that wait; say QUIT on all sessions as they become idle, and
 * open no more. */
void upstream_drain(struct upstream *upstream);

const struct upstream_options *upstream_options_of(
    const struct upstream *upstream);
/* Sessions open or being opened, and how many of them idle. */
void upstream_sessions(
    const struct upstream *upstream, size_t *out_open, size_t *out_idle);
