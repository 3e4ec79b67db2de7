/* The administrator's verbs, piece by piece, so that nothing else waits. */
#include "base/log.h"
#include "base/memory.h"
#include "daemon/dispatch_private.h"
#include "smtp/address.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Messages looked at in one step, and loaded at once. */
#define PIECE   256
#define LOADING 64

void
dispatch_do(struct dispatch *dispatch, enum dispatch_verb verb,
    const uint64_t *ids, size_t count, const char *domain, dispatch_verb_fn *fn,
    void *ctx)
{
	struct bulk *bulk = memory_new(sizeof(*bulk));

	bulk->verb = verb;
	bulk->count = count;
	bulk->last = UINT64_MAX;
	bulk->fn = fn;
	bulk->ctx = ctx;
	if (ids != NULL) {
		bulk->ids = memory_array(count + 1, sizeof(*ids));
		memcpy(bulk->ids, ids, count * sizeof(*ids));
	}
	if (domain != NULL)
		bulk->domain = memory_copy_text(domain);
	TAILQ_INSERT_TAIL(&dispatch->bulks, bulk, siblings);
}

void
dispatch_do_forget(struct dispatch *dispatch, void *ctx)
{
	struct bulk *bulk;

	TAILQ_FOREACH (bulk, &dispatch->bulks, siblings)
		if (bulk->ctx == ctx)
			bulk->fn = NULL;
}

static void
bulk_free(struct dispatch *dispatch, struct bulk *bulk)
{
	TAILQ_REMOVE(&dispatch->bulks, bulk, siblings);
	free(bulk->ids);
	free(bulk->domain);
	free(bulk);
}

void
dispatch_verbs_free(struct dispatch *dispatch)
{
	while (!TAILQ_EMPTY(&dispatch->bulks))
		bulk_free(dispatch, TAILQ_FIRST(&dispatch->bulks));
}

/* The next message that is meant, or NULL at the end; an id that is not (any
 * more) in the queue is passed over. */
static struct ledger_entry *
next_entry(struct dispatch *dispatch, struct bulk *bulk)
{
	struct ledger_entry *entry;

	if (bulk->ids == NULL) {
		entry = ledger_after(dispatch->ledger, bulk->cursor);
		if (entry == NULL || entry->id > bulk->last)
			return NULL;
		bulk->cursor = entry->id;
		return entry;
	}
	while (bulk->next < bulk->count) {
		entry = ledger_find(dispatch->ledger, bulk->ids[bulk->next++]);
		if (entry != NULL)
			return entry;
	}
	return NULL;
}

/* A message that is under way is marked, and dealt with when it is back. */
static bool
mark_busy(struct bulk *bulk, struct ledger_entry *entry)
{
	switch (bulk->verb) {
	case DISPATCH_HOLD:
		entry->flags |= FLAG_WANT_HOLD;
		return true;
	case DISPATCH_REMOVE:
		entry->flags |= FLAG_WANT_REMOVE;
		return true;
	case DISPATCH_RETRY:   /* that is being done */
	case DISPATCH_RELEASE: /* it is not held */
		return false;
	}
	return false;
}

static bool
is_meant(const struct bulk *bulk, const struct ledger_entry *entry)
{
	switch (bulk->verb) {
	case DISPATCH_RETRY:
	case DISPATCH_HOLD:
		return entry->state == LEDGER_WAITING;
	case DISPATCH_RELEASE:
		return entry->state == LEDGER_HELD;
	case DISPATCH_REMOVE:
		return true;
	}
	return false;
}

static bool
needs_loading(const struct bulk *bulk)
{
	return bulk->domain != NULL || bulk->verb == DISPATCH_HOLD ||
	    bulk->verb == DISPATCH_RELEASE;
}

static void
load(struct dispatch *dispatch, struct bulk *bulk, struct ledger_entry *entry)
{
	struct order *order = order_new(ORDER_LOAD, entry->id);

	order->verb = bulk;
	order->route = entry->route;
	order->settlement.route = entry->route;
	order->where = ledger_where(dispatch->ledger, entry);
	order->was_held = entry->state == LEDGER_HELD;
	ledger_move(dispatch->ledger, entry, LEDGER_IN_FLIGHT);
	dispatch_push_order(dispatch, order);
	bulk->loading++;
}

static void
handle_entry(struct dispatch *dispatch, struct bulk *bulk,
    struct ledger_entry *entry, struct clock_time now)
{
	bool busy =
	    entry->state == LEDGER_IN_FLIGHT || entry->state == LEDGER_SETTLING;

	if (busy) {
		if (bulk->domain == NULL && mark_busy(bulk, entry))
			bulk->matched++;
		return;
	}
	if (!is_meant(bulk, entry))
		return;
	if (needs_loading(bulk)) {
		load(dispatch, bulk, entry);
		return;
	}
	bulk->matched++;
	if (bulk->verb == DISPATCH_REMOVE) {
		log_info("%s: removed by the administrator",
		    queue_id_of(entry->id).text);
		dispatch_finish(dispatch, entry);
	} else {
		ledger_wait(dispatch->ledger, entry, entry->route, now.mono_ms,
		    now.mono_ms);
	}
}

static void
bulk_over(struct dispatch *dispatch, struct bulk *bulk)
{
	dispatch_verb_fn *fn = bulk->fn;
	void *ctx = bulk->ctx;
	unsigned long matched = bulk->matched;

	bulk_free(dispatch, bulk);
	if (fn != NULL)
		fn(matched, ctx);
}

bool
dispatch_verbs_step(struct dispatch *dispatch, struct clock_time now)
{
	struct bulk *bulk = TAILQ_FIRST(&dispatch->bulks);
	int seen = 0;

	while (bulk != NULL && seen < PIECE && bulk->loading < LOADING) {
		struct ledger_entry *entry = next_entry(dispatch, bulk);
		if (entry == NULL && bulk->loading == 0) {
			bulk_over(dispatch, bulk);
			return true;
		}
		if (entry == NULL)
			break;
		handle_entry(dispatch, bulk, entry, now);
		seen++;
	}
	return seen > 0;
}

/* "x.example" is that domain, "@x.example" its subdomains, too. */
static bool
domain_matches(struct bytes domain, const char *wanted)
{
	struct bytes name = bytes_of(wanted);

	if (!bytes_has_prefix(name, "@"))
		return bytes_equal_nocase(domain, name);
	name = bytes_from(name, 1);
	if (bytes_equal_nocase(domain, name))
		return true;
	return domain.len > name.len &&
	    domain.data[domain.len - name.len - 1] == '.' &&
	    bytes_equal_nocase(bytes_from(domain, domain.len - name.len), name);
}

static bool
waits_for_domain(const struct message *message, const char *domain)
{
	const struct progress *progress = &message->progress;

	for (size_t i = 0; i < progress->recipient_count; i++) {
		struct bytes address =
		    bytes_of(message->envelope.recipients[i].address);
		if (progress->recipients[i].state == RECIPIENT_WAITING &&
		    domain_matches(address_domain(address), domain))
			return true;
	}
	return false;
}

/* Back to where it was, untouched. */
static void
put_back(struct dispatch *dispatch, struct ledger_entry *entry,
    const struct order *order, struct clock_time now)
{
	const struct progress *progress = &order->message->progress;

	if (progress->held)
		ledger_move(dispatch->ledger, entry, LEDGER_HELD);
	else
		dispatch_wait(dispatch, entry, order->route,
		    retry_due(&dispatch->options.retry, progress->next_at, now),
		    now.mono_ms);
}

/* Record that it is held, or not any more. Takes order's message. */
static void
set_held(struct dispatch *dispatch, struct ledger_entry *entry,
    struct order *order, bool held, struct clock_time now)
{
	struct commit *commit = commit_new(COMMIT_OUTCOME, order->id);

	commit->message = order->message;
	commit->route = order->route;
	order->message = NULL;
	commit->message->progress.held = held;
	if (!held)
		commit->message->progress.next_at = now.wall_ms;
	unit_add(&commit->unit,
	    record_progress(order->id, &commit->message->progress));
	log_info("%s: %s by the administrator", queue_id_of(order->id).text,
	    held ? "held" : "released");
	ledger_move(dispatch->ledger, entry, LEDGER_SETTLING);
	dispatch_push_commit(dispatch, commit);
}

static void
do_verb(struct dispatch *dispatch, struct bulk *bulk,
    struct ledger_entry *entry, struct order *order, struct clock_time now)
{
	switch (bulk->verb) {
	case DISPATCH_RETRY:
		dispatch_wait(
		    dispatch, entry, order->route, now.mono_ms, now.mono_ms);
		break;
	case DISPATCH_HOLD:
		set_held(dispatch, entry, order, true, now);
		break;
	case DISPATCH_RELEASE:
		set_held(dispatch, entry, order, false, now);
		break;
	case DISPATCH_REMOVE:
		dispatch_finish(dispatch, entry);
		break;
	}
}

void
dispatch_verbs_loaded(
    struct dispatch *dispatch, struct order *order, struct clock_time now)
{
	struct bulk *bulk = order->verb;
	struct ledger_entry *entry = ledger_find(dispatch->ledger, order->id);

	assert(bulk->loading > 0);
	bulk->loading--;
	if (order->result != ORDER_DONE)
		return; /* the caller puts it back, or aside */
	if (bulk->domain != NULL &&
	    !waits_for_domain(order->message, bulk->domain)) {
		put_back(dispatch, entry, order, now);
		return;
	}
	bulk->matched++;
	do_verb(dispatch, bulk, entry, order, now);
}
