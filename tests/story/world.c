#include "story/world.h"

#include "base/log.h"
#include "base/memory.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_WALL ((int64_t)1795000000000)
#define START_MONO ((int64_t)1000000)

static const int64_t delays_ms[] = {60000, 120000, 300000};

/* A message as it is on disk; deep copies go in and out. */
struct world_message {
	struct world_message *next;
	struct message *message;
	struct place place;
	struct place progress_place;
};

static const unsigned limits[WORLD_UPSTREAMS] = {4, 4};
static const char *const names[WORLD_UPSTREAMS] = {"first", "second"};

/* ---- the story ---- */

static void tell(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
tell(struct world *world, const char *format, ...)
{
	va_list args;

	buffer_printf(&world->story, "[%lld] ",
	    (long long)(world->now.mono_ms - START_MONO) / 1000);
	va_start(args, format);
	buffer_vprintf(&world->story, format, args);
	va_end(args);
	buffer_append_char(&world->story, '\n');
}

void
world_expect(struct world *world, const char *expected)
{
	char *told = buffer_to_text(&world->story);

	cr_expect_str_eq(
	    told, expected, "expected:\n%s\nbut told:\n%s", expected, told);
	free(told);
	buffer_empty(&world->story);
}

/* ---- messages ---- */

static struct message *
copy_message(const struct message *from)
{
	struct message *copy = message_new();
	const struct envelope *envelope = &from->envelope;

	copy->id = from->id;
	envelope_set_sender(&copy->envelope, bytes_of(envelope->sender));
	copy->envelope.arrived_at = envelope->arrived_at;
	copy->envelope.uid = envelope->uid;
	copy->envelope.origin = envelope->origin;
	for (size_t i = 0; i < envelope->recipient_count; i++)
		(void)envelope_add_recipient(
		    &copy->envelope, bytes_of(envelope->recipients[i].address));
	progress_init(&copy->progress, envelope->recipient_count);
	if (from->progress.recipient_count == envelope->recipient_count) {
		progress_clear(&copy->progress);
		progress_copy(&copy->progress, &from->progress);
	}
	body_set(&copy->body, buffer_bytes(&from->body.memory));
	return copy;
}

static struct world_message **
find(struct world *world, uint64_t id)
{
	struct world_message **link = &world->disk;

	while (*link != NULL && (*link)->message->id != id)
		link = &(*link)->next;
	return link;
}

size_t
world_disk_size(const struct world *world)
{
	size_t size = 0;

	for (const struct world_message *one = world->disk; one != NULL;
	     one = one->next)
		size++;
	return size;
}

/* Messages are counted in the order of their ids, which are handed out one by
 * one. */
static unsigned
number_of(const struct world *world, uint64_t id)
{
	return (unsigned)(id - world->first_id);
}

uint64_t
world_id(const struct world *world, unsigned number)
{
	return world->first_id + number;
}

/* ---- the committer ---- */

static void
write_record(
    struct world *world, const struct record *record, struct place place)
{
	struct world_message **link = find(world, record->id);
	struct world_message *known = *link;

	switch (record->type) {
	case RECORD_MESSAGE:
		cr_assert_null(known, "a message is written once");
		break;
	case RECORD_PROGRESS:
		cr_assert_not_null(known);
		progress_clear(&known->message->progress);
		progress_copy(&known->message->progress, record->progress);
		known->progress_place = place;
		break;
	case RECORD_FINISHED:
		cr_assert_not_null(known);
		*link = known->next;
		message_free(known->message);
		free(known);
		break;
	}
}

static void
write_message(
    struct world *world, const struct message *message, struct place place)
{
	struct world_message *one = memory_new(sizeof(*one));
	struct world_message **link = &world->disk;

	while (*link != NULL)
		link = &(*link)->next;
	one->message = copy_message(message);
	one->place = place;
	*link = one;
}

static void
commit(struct world *world, struct commit *commit)
{
	struct unit *unit = &commit->unit;

	commit->done = true;
	if (world->disk_errno != 0) {
		unit->error = (struct error){
		    .kind = ERROR_SYSTEM, .number = world->disk_errno};
		(void)snprintf(unit->error.text, sizeof(unit->error.text),
		    "disk: %s", strerror(world->disk_errno));
	} else if (unit->count > 0) {
		unit->is_committed = true;
		unit->segment = (struct segment_ref){.number = 1, .fd = -1};
		unit->place = (struct place){1, world->next_offset++, 64};
		for (size_t i = 0; i < unit->count; i++)
			write_record(world, &unit->records[i], unit->place);
		if (commit->kind == COMMIT_ACCEPT)
			write_message(world, commit->message, unit->place);
		if (commit->report != NULL)
			write_message(world, commit->report, unit->place);
	}
	dispatch_committed(world->dispatch, commit, world->now);
}

/* ---- the worker ---- */

static void
try_recipients(struct world *world, struct order *order)
{
	struct progress *progress = &order->message->progress;
	enum upstream_mood mood = world->moods[order->upstream];
	struct bytes upstream = bytes_of(names[order->upstream]);

	for (size_t i = 0; i < order->recipient_count; i++) {
		size_t r = order->recipients[i];
		bool bad = bytes_has_prefix(
		    bytes_of(order->message->envelope.recipients[r].address),
		    "bad@");
		if (mood == MOOD_TEMPORARY)
			progress_set(progress, r, RECIPIENT_WAITING,
			    BYTES("4.2.0"), BYTES("451 later"), upstream);
		else if (mood == MOOD_PERMANENT || bad)
			progress_set(progress, r, RECIPIENT_FAILED,
			    BYTES("5.1.1"), BYTES("550 no"), upstream);
		else
			progress_set(progress, r, RECIPIENT_DELIVERED,
			    BYTES("2.0.0"), BYTES("250 ok"), upstream);
	}
}

static void
tell_attempt(struct world *world, const struct order *order)
{
	const struct settlement *settlement = &order->settlement;

	tell(world, "%u via %s: %zu delivered, %zu failed, %zu waiting%s%s",
	    number_of(world, order->id), names[order->upstream],
	    settlement->delivered, settlement->failed, settlement->waiting,
	    settlement->report != NULL ? ", report to " : "",
	    settlement->report != NULL
		? settlement->report->envelope.recipients[0].address
		: "");
	if (!settlement->finished && settlement->waiting > 0)
		tell(world, "%u again in %lld s", number_of(world, order->id),
		    (long long)(order->message->progress.next_at -
			world->now.wall_ms) /
			1000);
}

static void
attempt(struct world *world, struct order *order)
{
	struct message *message = order->message;
	struct error error;

	order->recipients =
	    memory_array(message->envelope.recipient_count + 1, sizeof(size_t));
	order->recipient_count = settle_group(
	    &world->settle, message, order->route, order->recipients);
	if (world->moods[order->upstream] == MOOD_DOWN) {
		order->result = ORDER_UPSTREAM_FAILED;
		order->settlement.route =
		    settle_next_route(&world->settle, message, order->route);
		(void)snprintf(order->failure, sizeof(order->failure),
		    "connection refused");
		tell(world, "%u via %s: connection refused",
		    number_of(world, order->id), names[order->upstream]);
		return;
	}
	if (order->recipient_count == 0) {
		order->result = ORDER_REROUTED;
		order->settlement.route = settle_first_route(
		    &world->settle, &message->envelope, &message->progress);
		return;
	}
	try_recipients(world, order);
	order->result = ORDER_DONE;
	/* 200 of 401: no jitter. */
	cr_assert(settle_attempt(&world->settle, message, order->route,
	    order->recipients, order->recipient_count, world->now.wall_ms, 200,
	    &order->settlement, &error));
	tell_attempt(world, order);
}

static void
give_up(struct world *world, struct order *order)
{
	struct error error;

	cr_assert(settle_expired(&world->settle, order->message,
	    bytes_of(order->reason), world->now.wall_ms, &order->settlement,
	    &error));
	tell(world, "%u expired%s%s", number_of(world, order->id),
	    order->settlement.report != NULL ? ", report to " : "",
	    order->settlement.report != NULL
		? order->settlement.report->envelope.recipients[0].address
		: "");
	order->result = ORDER_DONE;
}

static void
tell_sender(struct world *world, struct order *order)
{
	struct error error;

	cr_assert(settle_delayed(&world->settle, order->message,
	    bytes_of(order->reason), world->now.wall_ms, &order->settlement,
	    &error));
	tell(world, "%u delayed: %s", number_of(world, order->id),
	    order->reason);
	order->result = ORDER_DONE;
}

static void
carry_out(struct world *world, struct order *order)
{
	struct world_message *one = *find(world, order->id);

	cr_assert_not_null(one, "an order about a message that is not there");
	cr_assert_eq(order->where.place.offset, one->place.offset);
	order->message = copy_message(one->message);
	switch (order->kind) {
	case ORDER_ATTEMPT:
		attempt(world, order);
		break;
	case ORDER_EXPIRE:
		give_up(world, order);
		break;
	case ORDER_DELAY:
		tell_sender(world, order);
		break;
	case ORDER_REROUTE:
		order->settlement.route = settle_next_route(
		    &world->settle, order->message, order->route);
		order->result = ORDER_REROUTED;
		break;
	case ORDER_LOAD:
		order->result = ORDER_DONE;
		break;
	}
	dispatch_result(world->dispatch, order, world->now);
}

/* ---- the world ---- */

static uint32_t
no_random(void *ctx)
{
	(void)ctx;
	return 0;
}

static void
make_dispatch(struct world *world)
{
	struct dispatch_options options = {
	    .settle = &world->settle,
	    .retry = world->settle.retry,
	    .upstream_limits = limits,
	    .upstream_names = names,
	    .upstream_count = WORLD_UPSTREAMS,
	    .segment_size = (uint64_t)64 * 1024 * 1024,
	    .random = no_random,
	};

	world->dispatch = dispatch_new(&options);
}

void
world_init(
    struct world *world, const struct route_rule *rules, size_t rule_count)
{
	static struct buffer log;

	*world = (struct world){
	    .now = {.wall_ms = START_WALL, .mono_ms = START_MONO},
	    .settle =
		{
		    .report = {.hostname = "relay.example",
			.postmaster = "postmaster@relay.example"},
		    .retry = {.delays_ms = delays_ms,
			.delay_count = 3,
			.lifetime_ms = 5 * CLOCK_DAY,
			.notice_ms = 4 * CLOCK_HOUR},
		    .routes = {.rules = rules, .count = rule_count},
		},
	    .first_id = (uint64_t)START_WALL * 1000 - 1,
	};
	buffer_init(&log, (size_t)1024 * 1024);
	log_open(LOG_SINK_CAPTURE, LOG_LEVEL_ERROR, "story", &log);
	buffer_init(&world->story, (size_t)1024 * 1024);
	make_dispatch(world);
}

void
world_clear(struct world *world)
{
	while (world->disk != NULL) {
		struct world_message *one = world->disk;
		world->disk = one->next;
		message_free(one->message);
		free(one);
	}
	dispatch_free(world->dispatch);
	buffer_clear(&world->story);
}

struct told_receipt {
	struct receipt receipt;
	struct world *world;
};

static void
on_receipt(struct receipt *receipt, enum door_answer answer, uint64_t id)
{
	static const char *const words[] = {
	    [DOOR_TAKEN] = "accepted",
	    [DOOR_DISK_FULL] = "refused: disk full",
	    [DOOR_DISK_FAILED] = "refused: disk failed",
	    [DOOR_CLOSED] = "refused: closed",
	};
	struct told_receipt *told = receipt->owner;

	tell(told->world, "%u %s", number_of(told->world, id), words[answer]);
	free(told);
}

void
world_submit(struct world *world, const char *sender, const char *recipients)
{
	struct message *message = message_new();
	struct told_receipt *told = memory_new(sizeof(*told));
	struct bytes rest = bytes_of(recipients);

	message->id = dispatch_take_id(world->dispatch, START_WALL);
	envelope_set_sender(&message->envelope, bytes_of(sender));
	message->envelope.arrived_at = world->now.wall_ms;
	while (rest.len > 0)
		(void)envelope_add_recipient(
		    &message->envelope, bytes_cut(&rest, ' '));
	progress_init(&message->progress, message->envelope.recipient_count);
	body_set(&message->body, BYTES("Subject: story\r\n\r\n"));
	told->receipt = (struct receipt){.fn = on_receipt, .owner = told};
	told->world = world;
	dispatch_submit(world->dispatch, message, &told->receipt);
	world_settle(world);
}

void
world_settle(struct world *world)
{
	struct action action;

	for (int i = 0; dispatch_next(world->dispatch, world->now, &action);
	     i++) {
		cr_assert_lt(i, 1000, "this does not come to an end: %s",
		    buffer_to_text(&world->story));
		if (action.kind == ACTION_COMMIT)
			commit(world, action.commit);
		else
			carry_out(world, action.order);
	}
}

void
world_pass(struct world *world, int64_t ms)
{
	int64_t end = world->now.mono_ms + ms;

	for (;;) {
		int64_t next = dispatch_deadline(world->dispatch);
		if (next < world->now.mono_ms)
			next = world->now.mono_ms;
		if (next > end)
			next = end;
		world->now.wall_ms += next - world->now.mono_ms;
		world->now.mono_ms = next;
		world_settle(world);
		if (next == end)
			return;
		/* A deadline in the past would be a busy loop. */
		cr_assert_gt(dispatch_deadline(world->dispatch), next);
	}
}

void
world_crash(struct world *world)
{
	struct journal_fact segment = {
	    .kind = JOURNAL_SEGMENT, .segment = {.number = 1, .fd = -1}};
	uint64_t highest = 0;

	dispatch_free(world->dispatch);
	make_dispatch(world);
	dispatch_recovered(world->dispatch, &segment, world->now);
	for (struct world_message *one = world->disk; one != NULL;
	     one = one->next) {
		struct journal_fact fact = {
		    .kind = JOURNAL_MESSAGE,
		    .id = one->message->id,
		    .segment = segment.segment,
		    .place = one->place,
		    .envelope = &one->message->envelope,
		    .size = one->message->body.len,
		    .progress = &one->message->progress,
		};
		dispatch_recovered(world->dispatch, &fact, world->now);
		fact.kind = JOURNAL_PROGRESS;
		fact.place = one->progress_place;
		if (fact.place.segment != 0)
			dispatch_recovered(world->dispatch, &fact, world->now);
		if (fact.id > highest)
			highest = fact.id;
	}
	dispatch_ready(world->dispatch, highest);
	tell(world, "restarted");
	world_settle(world);
}
