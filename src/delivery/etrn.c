#include "delivery/etrn.h"

#include "base/clock.h"
#include "base/memory.h"
#include "delivery/attempt_private.h"
#include "message/printable.h"
#include "smtp/reply.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_FIRST CLOCK_MINUTE
#define RETRY_MAX   CLOCK_HOUR
#define REFUSED_FOR (6 * CLOCK_HOUR)

/* ---- what a reply means ---- */

enum meaning {
	STARTED, /* what waits is being sent */
	NOTHING_WAITS,
	COUNTED,
	BUSY,    /* 458 */
	REFUSED, /* 459 */
	WRONG,   /* it will never be taken */
	FAILED
};

/* The first row whose range holds the code. */
static const struct meaning_row {
	int first, last;
	enum meaning meaning;
} meanings[] = {
    {251, 251, NOTHING_WAITS},
    {253, 253, COUNTED},
    {200, 299, STARTED},
    {458, 458, BUSY},
    {459, 459, REFUSED},
    {500, 502, WRONG},
    {504, 504, WRONG},
    {550, 559, WRONG},
    {0, 599, FAILED},
};

static enum meaning
meaning_of(int code)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (code >= meanings[i].first && code <= meanings[i].last)
			return meanings[i].meaning;
	return FAILED;
}

/* "2.0.0 OK, 14 pending messages for node x started": 14; 0 without a number.
 */
static unsigned long
count_of(int code, struct bytes text)
{
	unsigned long long count = 0;

	text = bytes_from(text, reply_enhanced(code, text).len);
	while (text.len > 0) {
		struct bytes word = bytes_cut(&text, ' ');
		if (bytes_to_u64(word, ULONG_MAX, &count))
			return (unsigned long)count;
	}
	return 0;
}

/* "already processing": what we ask for is being done. */
static bool
says_already(const char *text)
{
	struct bytes rest = bytes_of(text);

	for (; rest.len > 0; rest = bytes_from(rest, 1))
		if (bytes_has_prefix_nocase(rest, "already"))
			return true;
	return false;
}

/* ---- the plan ---- */

void
etrn_node_init(struct etrn_node *node, const char *name)
{
	*node = (struct etrn_node){.node = name};
}

/* time_ms +-spread_ms. */
static int64_t
spread(int64_t time_ms, int64_t spread_ms, uint32_t random)
{
	int64_t spread_time = time_ms - spread_ms +
	    (int64_t)(random % 1024) * (2 * spread_ms) / 1023;

	return spread_time > 0 ? spread_time : 0;
}

static int64_t
back_off(unsigned failures, uint32_t random)
{
	int64_t time_ms = RETRY_FIRST;

	for (unsigned i = 1; i < failures && time_ms < RETRY_MAX; i++)
		time_ms *= 2;
	if (time_ms > RETRY_MAX)
		time_ms = RETRY_MAX;
	return spread(time_ms, time_ms / 5, random);
}

static void
remember_reply(struct etrn_node *node, int code, const char *text)
{
	const char *advice = code == 501
	    ? "; this server may want \"@domain\" or \"#queue\""
	    : "";
	char *shown = printable_copy(bytes_of(text), 400, true);

	if (code == 0)
		(void)snprintf(node->last_reply, sizeof(node->last_reply), "%s",
		    shown); /* fits */
	else
		(void)snprintf(node->last_reply, sizeof(node->last_reply),
		    "%d %s%s", code, shown, advice); /* fits */
	free(shown);
}

static void
succeed(struct etrn_node *node, const struct etrn_timing *timing, int64_t now,
    int64_t now_wall, uint32_t random)
{
	node->failures = 0;
	node->last_success_at = now_wall;
	node->next_at =
	    now + spread(timing->every_ms, timing->jitter_ms, random);
}

void
etrn_node_reply(struct etrn_node *node, const struct etrn_timing *timing,
    int code, const char *text, int64_t now, int64_t now_wall, uint32_t random)
{
	const int code_before = node->last_code;

	remember_reply(node, code, text);
	node->last_code = code;
	node->alert = false;
	node->state = ETRN_IDLE;
	switch (meaning_of(code)) {
	case COUNTED:
		node->count = count_of(code, bytes_of(text));
		succeed(node, timing, now, now_wall, random);
		return;
	case STARTED:
	case NOTHING_WAITS:
		succeed(node, timing, now, now_wall, random);
		return;
	case BUSY:
		node->failures = says_already(text) ? 0 : node->failures + 1;
		node->next_at = now + back_off(node->failures, random);
		return;
	case REFUSED:
		node->failures++;
		node->alert = code_before != code;
		node->next_at =
		    now + spread(REFUSED_FOR, REFUSED_FOR / 5, random);
		return;
	case WRONG:
		node->failures++;
		node->alert = true;
		node->state = ETRN_OFF;
		node->next_at = CLOCK_NEVER;
		return;
	case FAILED:
		node->failures++;
		node->next_at = now + back_off(node->failures, random);
		return;
	}
}

/* ---- the session ---- */

#define NOT_OFFERED_CODE 502
#define NOT_OFFERED_TEXT "5.5.1 the server does not offer ETRN"

struct etrn_session {
	struct upstream_job job; /* first */
	const char *const *nodes;
	size_t count;
	size_t asked; /* nodes told of, or being asked for */
	etrn_fn *fn;
	void *ctx;
};

static void
finish(struct etrn_session *etrn, const char *text)
{
	const struct etrn_session copy = *etrn;

	free(etrn);
	copy.fn(copy.count, 0, text, copy.ctx);
}

/* True: the server was asked; false: nothing is left to ask. */
static bool
ask_next(struct etrn_session *etrn, struct session *session)
{
	const bool is_offered = extensions_has(
	    smtp_client_extensions(session_client(session)), EXTENSION_ETRN);

	for (; etrn->asked < etrn->count; etrn->asked++) {
		char *line = memory_format("ETRN %s", etrn->nodes[etrn->asked]);
		bool sent =
		    is_offered && session_command(session, bytes_of(line));
		free(line);
		if (sent)
			return true;
		if (is_offered)
			etrn->fn(etrn->asked, 501,
			    "5.1.3 a node holds no control characters",
			    etrn->ctx);
		else
			etrn->fn(etrn->asked, NOT_OFFERED_CODE,
			    NOT_OFFERED_TEXT, etrn->ctx);
	}
	return false;
}

static enum upstream_job_state
go_on(struct etrn_session *etrn, struct session *session)
{
	/* After 421 the end of the session follows, and failed() with it. */
	if (!smtp_client_is_idle(session_client(session)))
		return UPSTREAM_JOB_RUNS;
	if (ask_next(etrn, session))
		return UPSTREAM_JOB_RUNS;
	finish(etrn, "");
	return UPSTREAM_JOB_ENDED;
}

static enum upstream_job_state
begin(struct upstream_job *job, struct session *session)
{
	return go_on((struct etrn_session *)(void *)job, session);
}

static enum upstream_job_state
replied(struct upstream_job *job, struct session *session,
    const struct smtp_client_event *event)
{
	struct etrn_session *etrn = (struct etrn_session *)(void *)job;

	if (event->kind != SMTP_CLIENT_REPLY ||
	    event->outcome.kind != SMTP_REPLIED)
		return UPSTREAM_JOB_RUNS; /* the end of the session follows */
	char *text = printable_copy(event->outcome.text, 1024, true);
	etrn->fn(etrn->asked++, event->outcome.code, text, etrn->ctx);
	free(text);
	return go_on(etrn, session);
}

static void
failed(struct upstream_job *job, enum upstream_job_end why, const char *reason,
    const char *remote)
{
	(void)why;
	(void)remote;
	finish((struct etrn_session *)(void *)job, reason);
}

static const struct upstream_job_type etrn_job = {
    .is_exclusive = true,
    .begin = begin,
    .event = replied,
    .failed = failed,
};

void
etrn_session_start(struct delivery *delivery, unsigned upstream,
    const char *const *nodes, size_t count, etrn_fn *fn, void *ctx)
{
	struct etrn_session *etrn = memory_new(sizeof(*etrn));

	*etrn = (struct etrn_session){
	    .job = {.type = &etrn_job},
	    .nodes = nodes,
	    .count = count,
	    .fn = fn,
	    .ctx = ctx,
	};
	upstream_start(delivery_upstream(delivery, upstream), &etrn->job);
}
