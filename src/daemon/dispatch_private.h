/*
 * What the files of dispatch share; for nobody else:
 *
 *   dispatch.c          making, intake, actions
 *   dispatch_routes.c   which upstream takes a message now
 *   dispatch_entry.c    a message at rest: waiting, held; recovery
 *   dispatch_step.c     what is due: orders, alarms, segments
 *   dispatch_result.c   an order is back
 *   dispatch_answer.c   a commit is back
 *   dispatch_recording.c  outcomes that could not be recorded
 *   dispatch_verbs.c    what the administrator asked for
 */
#pragma once

#include "daemon/dispatch.h"

#include <sys/queue.h>

/* struct ledger_entry.flags */
#define FLAG_DELAY_REPORTED 1U
#define FLAG_MANY_ROUTES    2U /* its recipients go by more than one route */
#define FLAG_WANT_HOLD      4U /* when it is back from under way */
#define FLAG_WANT_REMOVE    8U
#define FLAG_WANT_RELEASE   16U /* should it come back held */

/* Orders at once that are neither attempts nor only load. */
#define DISPATCH_CHORES_MAX 64
/* What failed by our own trouble is tried again after this. */
#define DISPATCH_TROUBLE_MS CLOCK_MINUTE
/* How often a message that is due is asked whether another route is free. */
#define DISPATCH_REROUTE_MS (30 * CLOCK_SECOND)

struct ready_order {
	STAILQ_ENTRY(ready_order) siblings;
	struct order *order;
};

/* A verb that is being carried out. */
struct bulk {
	TAILQ_ENTRY(bulk) siblings;
	enum dispatch_verb verb;
	uint64_t *ids; /* owned; NULL: all */
	size_t count;
	size_t next;     /* in ids */
	uint64_t cursor; /* the id seen last, of all */
	uint64_t last;   /* of all: what came later is not meant */
	char *domain;    /* owned; NULL: any */
	size_t out;      /* orders and commits that are waited for */
	unsigned long matched;
	dispatch_verb_fn *fn;
	void *ctx;
};

STAILQ_HEAD(commit_list, commit);
TAILQ_HEAD(bulk_list, bulk);

/* How outcomes are recorded: see dispatch_recording.c. */
struct recording {
	struct commit_list blocked; /* to be sent again, oldest first, */
	struct commit_list refused; /* each at its own time */
	/* By failure: all that failed and are not recorded yet; some of them
	 * are at the committer again. */
	size_t counts[COMMIT_FAILURES];
	size_t out;         /* outcomes at the committer */
	size_t again;       /* of them, blocked ones */
	size_t window;      /* how many of these there may be */
	int64_t again_at;   /* monotonic: no blocked one is sent before */
	int64_t wait_ms;    /* after the next failure */
	int64_t said_at;    /* when the log was told, monotonic */
	bool is_said;       /* it is to be told of the end, too */
	struct error error; /* why they are blocked */
};

struct dispatch {
	struct dispatch_options options;
	struct ledger *ledger;
	struct breaker *breakers;   /* one for each upstream */
	struct commit_list commits; /* to be carried out */
	struct recording recording;
	STAILQ_HEAD(, ready_order) orders;
	struct bulk_list bulks;
	struct dispatch_counters counters;
	int64_t steady; /* wall clock less monotonic clock, at the start */
	size_t orders_out;
	size_t commits_out;
	size_t chores;         /* orders that alarms have led to */
	uint64_t pressure;     /* octets */
	uint64_t large_octets; /* of the files of large bodies */
	int64_t reopen_at;     /* when a closed route may open by itself */
	int64_t move_at;       /* no pinned message is moved before */
	size_t moves;          /* pinned messages that are on their way */
	uint64_t move_octets;  /* which are so large */
	uint64_t room;         /* free octets on the disk, for all we know */
	bool lacks_room;       /* what is left is kept for outcomes */
	int64_t notice_at;     /* no delay is told of before, where it does */
	bool stopped;
	bool yielded; /* verbs have more to do, and let others go first */
	/* What this turn may still look at. */
	unsigned verb_budget;  /* messages that verbs are about */
	unsigned alarm_budget; /* alarms */
	/* When a message that waits for its turn is looked at again, and how
	 * many are at that moment. */
	int64_t look_at;
	unsigned looks;
};

/* ---- dispatch.c ---- */

void dispatch_push_commit(struct dispatch *dispatch, struct commit *commit);
/* The file of message id is not needed any more. */
void dispatch_remove_large(struct dispatch *dispatch, uint64_t id);

/* ---- dispatch_routes.c ---- */

/* The first upstream of route that can take a message now. */
bool dispatch_find_upstream(const struct dispatch *dispatch, uint16_t route,
    int64_t now, unsigned *out_upstream);
uint16_t dispatch_first_route(
    const struct dispatch *dispatch, const struct envelope *envelope);
bool dispatch_has_many_routes(
    const struct dispatch *dispatch, const struct envelope *envelope);
/* Open or close routes as the upstreams' health says. */
void dispatch_refresh_routes(struct dispatch *dispatch, int64_t now);
/* An attempt by upstream begins. */
void dispatch_upstream_started(
    struct dispatch *dispatch, unsigned upstream, int64_t now);
/* What an attempt that is over says of its upstream. */
void dispatch_judge_upstream(struct dispatch *dispatch,
    const struct order *order, struct clock_time now);

/* ---- dispatch_entry.c ---- */

/* A message is durable at place: it waits, due now. */
void dispatch_begin_waiting(struct dispatch *dispatch,
    const struct message *message, struct place place, uint16_t route,
    struct clock_time now);
bool dispatch_has_expired(const struct dispatch *dispatch,
    const struct ledger_entry *entry, struct clock_time now);
/* Its sender is to be told of the delay. */
bool dispatch_wants_notice(const struct dispatch *dispatch,
    const struct ledger_entry *entry, struct clock_time now);
/* Monotonic: when a message that waits is due; 0 where it is. */
int64_t dispatch_due(const struct ledger_entry *entry);
/* When its age is next to be looked at; it waits until due. */
void dispatch_set_alarm(struct dispatch *dispatch, struct ledger_entry *entry,
    int64_t due, struct clock_time now);
/*
 * Nothing is under way any more: HELD, or WAITING until due on route; unless
 * the administrator wanted something else meanwhile.
 */
void dispatch_rest(struct dispatch *dispatch, struct ledger_entry *entry,
    uint16_t route, int64_t due, bool held, struct clock_time now);
/* The same as progress says: when, or held; and it is remembered of it what is
 * asked for without reading it. */
void dispatch_rest_as(struct dispatch *dispatch, struct ledger_entry *entry,
    const struct progress *progress, uint16_t route, struct clock_time now);
/* Commit FINISHED: removed by the administrator.  bulk waits for it, or is
 * NULL.
 */
void dispatch_remove(
    struct dispatch *dispatch, struct ledger_entry *entry, struct bulk *bulk);
/* It is delivered, returned or removed, durably. Frees entry. */
void dispatch_forget(struct dispatch *dispatch, struct ledger_entry *entry);

/* ---- dispatch_step.c ---- */

/* Take a message that waits or is held for an order, which is returned. */
struct order *dispatch_take(struct dispatch *dispatch,
    struct ledger_entry *entry, enum order_kind kind);
/* It counts among dispatch->chores. */
bool dispatch_is_chore(enum order_kind kind);
/* The move of a pinned message has come to its end, good or bad. */
void dispatch_move_over(struct dispatch *dispatch, uint64_t octets);
/* Find something to do; false: nothing. */
bool dispatch_step(struct dispatch *dispatch, struct clock_time now);

/* ---- dispatch_recording.c ---- */

void dispatch_recording_init(struct recording *recording, int64_t now);
/* What becomes of an order can be recorded, as far as is known. */
bool dispatch_can_record(const struct dispatch *dispatch);
/* An outcome could not be recorded. Takes commit, which is sent again. */
void dispatch_record_again(
    struct dispatch *dispatch, struct commit *commit, struct clock_time now);
/* An outcome is durable. */
void dispatch_recorded(struct dispatch *dispatch, struct commit *commit);
/* Send one again, if it is time; false: it is not. */
bool dispatch_recording_step(struct dispatch *dispatch, struct clock_time now);
/* Monotonic: when it will be. */
int64_t dispatch_recording_deadline(const struct dispatch *dispatch);
/* The next try is now: there may not be another. */
void dispatch_recording_hurry(struct dispatch *dispatch);

/* ---- dispatch_verbs.c ---- */

/* Go on with what the administrator asked; true when something was done. */
bool dispatch_verbs_step(struct dispatch *dispatch, struct clock_time now);
/* An ORDER_LOAD for a verb is back, done. Takes order's message, perhaps. */
void dispatch_verbs_loaded(
    struct dispatch *dispatch, struct order *order, struct clock_time now);
/* What a verb has done to a message is durable. */
void dispatch_verbs_recorded(struct bulk *bulk);
/* An ORDER_LOAD for a verb has failed: order's message is put back, or aside,
 * by the caller. */
void dispatch_verbs_failed(const struct order *order);
/* Hold a message that waits, or release one that is held, because somebody
 * wanted that meanwhile. */
void dispatch_verbs_late(struct dispatch *dispatch, struct ledger_entry *entry,
    enum dispatch_verb verb);
void dispatch_verbs_free(struct dispatch *dispatch);
