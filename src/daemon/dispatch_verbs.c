/* The administrator's verbs, piece by piece, so that nothing else waits. */
#include "base/log.h"
#include "base/memory.h"
#include "daemon/dispatch_private.h"
#include "smtp/address.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Messages loaded, and outcomes recorded, at once. */
#define OUT_MAX 256

/* Nobody waits for this one, and the same is being done: for all, or for the
 * same domain. */
static bool
is_superfluous(const struct dispatch *dispatch, enum dispatch_verb verb,
    const uint64_t *ids, const char *domain, dispatch_verb_fn *fn)
{
	const struct bulk *bulk;

	if (fn != NULL || ids != NULL)
		return false;
	TAILQ_FOREACH (bulk, &dispatch->bulks, siblings)
		if (bulk->verb == verb && bulk->ids == NULL &&
		    (bulk->domain == NULL ||
			bytes_is_nocase(bytes_of(domain), bulk->domain)))
			return true;
	return false;
}

void
dispatch_do(struct dispatch *dispatch, enum dispatch_verb verb,
    const uint64_t *ids, size_t count, const char *domain, dispatch_verb_fn *fn,
    void *ctx)
{
	if (is_superfluous(dispatch, verb, ids, domain, fn))
		return;
	struct bulk *bulk = memory_new(sizeof(*bulk));

	bulk->verb = verb;
	bulk->count = count;
	/* Above all that are there: an id is not worth saving. */
	bulk->last = ledger_new_id(dispatch->ledger, 0);
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
mark_busy(const struct bulk *bulk, struct ledger_entry *entry)
{
	bool was_to_be_held = (entry->flags & FLAG_WANT_HOLD) != 0;

	switch (bulk->verb) {
	case DISPATCH_HOLD:
		entry->flags &= (uint8_t)~FLAG_WANT_RELEASE;
		entry->flags |= FLAG_WANT_HOLD;
		return true;
	case DISPATCH_REMOVE:
		entry->flags |= FLAG_WANT_REMOVE;
		return true;
	case DISPATCH_RELEASE:
		entry->flags &= (uint8_t)~FLAG_WANT_HOLD;
		entry->flags |= FLAG_WANT_RELEASE;
		return was_to_be_held;
	case DISPATCH_RETRY: /* that is being done */
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
	dispatch_take(dispatch, entry, ORDER_LOAD)->verb = bulk;
	bulk->out++;
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
	if (bulk->verb == DISPATCH_REMOVE) {
		bulk->out++;
		dispatch_remove(dispatch, entry, bulk);
		return;
	}
	bulk->matched++;
	dispatch_rest(dispatch, entry, entry->route, now.mono_ms, false, now);
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

	dispatch->yielded = bulk != NULL && dispatch->verb_budget == 0;
	if (bulk == NULL || dispatch->yielded || bulk->out >= OUT_MAX)
		return false;
	struct ledger_entry *entry = next_entry(dispatch, bulk);
	if (entry == NULL && bulk->out > 0)
		return false;
	if (entry == NULL) {
		bulk_over(dispatch, bulk);
		return true;
	}
	dispatch->verb_budget--;
	handle_entry(dispatch, bulk, entry, now);
	return true;
}

void
dispatch_verbs_late(struct dispatch *dispatch, struct ledger_entry *entry,
    enum dispatch_verb verb)
{
	uint64_t none = 0;

	/* It has an end of its own, and its only message is loaded already. */
	dispatch_do(dispatch, verb, &none, 0, NULL, NULL, NULL);
	load(dispatch, TAILQ_LAST(&dispatch->bulks, bulk_list), entry);
}

/* ---- a message is loaded ---- */

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

/* Record that it is held, or not any more. Takes order's message. */
static void
set_held(struct dispatch *dispatch, struct bulk *bulk,
    struct ledger_entry *entry, struct order *order, bool held,
    struct clock_time now)
{
	struct commit *commit = commit_new(COMMIT_OUTCOME, order->id);

	bulk->out++;
	commit->verb = bulk;
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
		bulk->matched++;
		dispatch_rest(
		    dispatch, entry, order->route, now.mono_ms, false, now);
		break;
	case DISPATCH_HOLD:
		set_held(dispatch, bulk, entry, order, true, now);
		break;
	case DISPATCH_RELEASE:
		set_held(dispatch, bulk, entry, order, false, now);
		break;
	case DISPATCH_REMOVE:
		bulk->out++;
		dispatch_remove(dispatch, entry, bulk);
		break;
	}
}

void
dispatch_verbs_recorded(struct bulk *bulk)
{
	assert(bulk->out > 0);
	bulk->out--;
	bulk->matched++;
}

void
dispatch_verbs_failed(const struct order *order)
{
	struct bulk *bulk = order->verb;

	assert(bulk->out > 0);
	bulk->out--;
}

void
dispatch_verbs_loaded(
    struct dispatch *dispatch, struct order *order, struct clock_time now)
{
	struct bulk *bulk = order->verb;
	struct ledger_entry *entry = ledger_find(dispatch->ledger, order->id);

	assert(bulk->out > 0);
	bulk->out--;
	if (bulk->domain != NULL &&
	    !waits_for_domain(order->message, bulk->domain)) {
		dispatch_rest(dispatch, entry, order->route, order->due,
		    order->was_held, now);
		return;
	}
	do_verb(dispatch, bulk, entry, order, now);
}
