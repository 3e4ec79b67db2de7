/* What the three files of dispatch share; for nobody else. */
#pragma once

#include "daemon/dispatch.h"

#include <sys/queue.h>

/* struct ledger_entry.flags */
#define FLAG_DELAY_REPORTED 1U
#define FLAG_MANY_ROUTES    2U /* its recipients go by more than one route */
#define FLAG_WANT_HOLD      4U /* when it is back from under way */
#define FLAG_WANT_REMOVE    8U

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
	size_t loading;  /* orders that are out */
	unsigned long matched;
	dispatch_verb_fn *fn;
	void *ctx;
};

STAILQ_HEAD(commit_list, commit);

struct dispatch {
	struct dispatch_options options;
	struct ledger *ledger;
	struct breaker *breakers;   /* one for each upstream */
	struct commit_list commits; /* to be carried out */
	struct commit_list failed;  /* to be sent again, oldest first */
	STAILQ_HEAD(, ready_order) orders;
	TAILQ_HEAD(, bulk) bulks;
	struct dispatch_counters counters;
	size_t orders_out;
	size_t commits_out;
	uint64_t pressure;
	int64_t reopen_at; /* when a closed route may open by itself */
	bool stopped;
	bool moving; /* a pinned message is on its way */
};

/* ---- dispatch.c ---- */

void dispatch_push_commit(struct dispatch *dispatch, struct commit *commit);
void dispatch_push_order(struct dispatch *dispatch, struct order *order);
/* Open or close routes as the upstreams' health says. */
void dispatch_refresh_routes(struct dispatch *dispatch, int64_t now);
/* To WAITING at due; unless somebody wants it held or removed. */
void dispatch_wait(struct dispatch *dispatch, struct ledger_entry *entry,
    uint16_t route, int64_t due, int64_t now);
/* When its age is next to be looked at. */
void dispatch_set_alarm(struct dispatch *dispatch, struct ledger_entry *entry,
    struct clock_time now);
/* {FINISHED}, and nothing else, for a message that is in no hurry. */
void dispatch_finish(struct dispatch *dispatch, struct ledger_entry *entry);

/* ---- dispatch_verbs.c ---- */

/* Go on with what the administrator asked; true when something was done. */
bool dispatch_verbs_step(struct dispatch *dispatch, struct clock_time now);
/* An ORDER_LOAD for a verb is back: whether the verb was done. Takes nothing.
 */
void dispatch_verbs_loaded(
    struct dispatch *dispatch, struct order *order, struct clock_time now);
void dispatch_verbs_free(struct dispatch *dispatch);
