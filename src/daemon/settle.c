#include "daemon/settle.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define STATUS_EXPIRED "4.4.7"
#define NO_REASON      "no attempt succeeded"

static uint16_t
recipient_route(const struct settle_options *options,
    const struct envelope *envelope, size_t recipient)
{
	return route_find(&options->routes, bytes_of(envelope->sender),
	    bytes_of(envelope->recipients[recipient].address));
}

size_t
settle_group(const struct settle_options *options,
    const struct message *message, uint16_t route, size_t *out_recipients)
{
	const struct progress *progress = &message->progress;
	size_t count = 0;

	for (size_t i = 0; i < progress->recipient_count; i++) {
		if (progress->recipients[i].state != RECIPIENT_WAITING)
			continue;
		if (recipient_route(options, &message->envelope, i) == route)
			out_recipients[count++] = i;
	}
	return count;
}

/* The smallest route of a waiting recipient that is at least from. */
static bool
next_route(const struct settle_options *options,
    const struct envelope *envelope, const struct progress *progress,
    unsigned from, uint16_t *out_route)
{
	bool found = false;

	for (size_t i = 0; i < progress->recipient_count; i++) {
		if (progress->recipients[i].state != RECIPIENT_WAITING)
			continue;
		uint16_t route = recipient_route(options, envelope, i);
		if (route < from || (found && route >= *out_route))
			continue;
		*out_route = route;
		found = true;
	}
	return found;
}

uint16_t
settle_first_route(const struct settle_options *options,
    const struct envelope *envelope, const struct progress *progress)
{
	uint16_t route = ROUTE_NONE;

	(void)next_route(options, envelope, progress, 0, &route); /* or none */
	return route;
}

/* The rest is tried again after a delay, from the first route on. */
static void
end_round(const struct settle_options *options, struct message *message,
    int64_t now, uint32_t random, struct settlement *settlement)
{
	struct progress *progress = &message->progress;

	progress->attempts++;
	progress->next_at =
	    now + retry_delay(&options->retry, progress->attempts, random);
	settlement->route =
	    settle_first_route(options, &message->envelope, progress);
}

struct settlement
settle_elsewhere(const struct settle_options *options, struct message *message,
    uint16_t route, int64_t now, uint32_t random)
{
	const struct envelope *envelope = &message->envelope;
	const struct progress *progress = &message->progress;
	struct settlement settlement = {.route = route};

	if (next_route(
		options, envelope, progress, route + 1U, &settlement.route))
		return settlement;
	uint16_t first = settle_first_route(options, envelope, progress);
	settlement.round_over = first < route;
	if (settlement.round_over)
		end_round(options, message, now, random, &settlement);
	return settlement;
}

/* Give a waiting recipient up, keeping what is known of the newest attempt. */
static void
give_up(struct progress *progress, size_t recipient, struct bytes fallback)
{
	struct recipient_progress *state = &progress->recipients[recipient];
	struct bytes reason =
	    state->reason != NULL ? bytes_of(state->reason) : fallback;
	char *text =
	    memory_format("delivery time expired: %.*s", BYTES_ARGS(reason));
	char *upstream =
	    state->upstream != NULL ? memory_copy_text(state->upstream) : NULL;

	progress_set(progress, recipient, RECIPIENT_FAILED,
	    bytes_of(STATUS_EXPIRED), bytes_of(text), bytes_of(upstream));
	free(upstream);
	free(text);
}

/* Count outcomes, and gather who was given up: into failed. */
static void
count_outcomes(const struct progress *progress, const size_t *recipients,
    size_t count, struct settlement *settlement, size_t *failed)
{
	for (size_t i = 0; i < count; i++)
		switch (progress->recipients[recipients[i]].state) {
		case RECIPIENT_DELIVERED:
			settlement->delivered++;
			break;
		case RECIPIENT_FAILED:
			failed[settlement->failed++] = recipients[i];
			break;
		case RECIPIENT_WAITING:
			settlement->waiting++;
			break;
		}
}

static bool
make_report(const struct settle_options *options, enum report_kind kind,
    const struct message *message, const size_t *recipients, size_t count,
    int64_t now, struct message **out_report, struct error *error)
{
	if (count == 0) {
		*out_report = NULL;
		return true;
	}
	return report_make(&options->report, kind, message, recipients, count,
	    message->envelope.arrived_at + options->retry.lifetime_ms, now,
	    out_report, error);
}

/* When and by which route the rest is tried. */
static void
plan_next(const struct settle_options *options, struct message *message,
    uint16_t route, int64_t now, uint32_t random, struct settlement *settlement)
{
	struct progress *progress = &message->progress;

	progress->attempted_at = now;
	if (next_route(options, &message->envelope, progress, route + 1U,
		&settlement->route))
		progress->next_at = now;
	else
		end_round(options, message, now, random, settlement);
}

static void
give_up_rest(struct progress *progress, const struct settle_tried *tried)
{
	for (size_t i = 0; i < tried->count; i++)
		if (progress->recipients[tried->recipients[i]].state ==
		    RECIPIENT_WAITING)
			give_up(progress, tried->recipients[i],
			    bytes_of(NO_REASON));
}

bool
settle_attempt(const struct settle_options *options, struct message *message,
    const struct settle_tried *tried, int64_t now, uint32_t random,
    struct settlement *out_settlement, struct error *error)
{
	struct progress *progress = &message->progress;
	struct settlement settlement = {.route = tried->route};
	size_t *failed = memory_array(tried->count + 1, sizeof(*failed));

	if (tried->is_last)
		give_up_rest(progress, tried);
	count_outcomes(
	    progress, tried->recipients, tried->count, &settlement, failed);

	bool made = make_report(options, REPORT_FAILED, message, failed,
	    settlement.failed, now, &settlement.report, error);
	free(failed);
	if (!made)
		return false;

	settlement.finished = progress_is_finished(progress);
	plan_next(options, message, tried->route, now, random, &settlement);
	*out_settlement = settlement;
	return true;
}

/* Indexes of all waiting recipients; the caller frees them. */
static size_t *
waiting_recipients(const struct progress *progress, size_t *out_count)
{
	size_t *waiting =
	    memory_array(progress->recipient_count + 1, sizeof(*waiting));
	size_t count = 0;

	for (size_t i = 0; i < progress->recipient_count; i++)
		if (progress->recipients[i].state == RECIPIENT_WAITING)
			waiting[count++] = i;
	*out_count = count;
	return waiting;
}

bool
settle_expired(const struct settle_options *options, struct message *message,
    struct bytes reason, int64_t now, struct settlement *out_settlement,
    struct error *error)
{
	struct settlement settlement = {.finished = true, .route = ROUTE_NONE};
	size_t *waiting =
	    waiting_recipients(&message->progress, &settlement.failed);

	for (size_t i = 0; i < settlement.failed; i++)
		give_up(&message->progress, waiting[i], reason);
	bool made = make_report(options, REPORT_FAILED, message, waiting,
	    settlement.failed, now, &settlement.report, error);
	free(waiting);
	if (made)
		*out_settlement = settlement;
	return made;
}

bool
settle_delayed(const struct settle_options *options, struct message *message,
    struct bytes reason, int64_t now, struct settlement *out_settlement,
    struct error *error)
{
	struct settlement settlement = {.finished = false};
	struct progress *progress = &message->progress;
	size_t *waiting = waiting_recipients(progress, &settlement.waiting);

	for (size_t i = 0; i < settlement.waiting; i++)
		if (progress->recipients[waiting[i]].reason == NULL)
			progress_set(progress, waiting[i], RECIPIENT_WAITING,
			    bytes_of("4.4.1"), reason, BYTES_NONE);
	bool made = make_report(options, REPORT_DELAYED, message, waiting,
	    settlement.waiting, now, &settlement.report, error);
	free(waiting);
	if (!made)
		return false;

	progress->delay_reported = true;
	settlement.route =
	    settle_first_route(options, &message->envelope, progress);
	*out_settlement = settlement;
	return true;
}
