#include "story/world.h"

#include "base/log.h"
#include "base/memory.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_WALL ((int64_t)1795000000000)
#define START_MONO ((int64_t)1000000)
/* What a unit takes of its segment. */
#define UNIT_BYTES 1024U

static const int64_t delays_ms[] = {60000, 120000, 300000};

/* A message as it is on disk; deep copies go in and out. */
struct world_message {
	struct world_message *next;
	struct message *message;
	struct place place;
	struct place progress_place;
	/* For each recipient: crashes before the one time that an upstream took
	 * it, and 1; 0: none did. Owned. */
	unsigned *taken_at;
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
	memcpy(copy->body.name, from->body.name, sizeof(copy->body.name));
	return copy;
}

static void
free_world_message(struct world_message *one)
{
	message_free(one->message);
	free(one->taken_at);
	free(one);
}

static bool
is_large(const struct message *message)
{
	return message->body.name[0] != '\0';
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

size_t
world_disk_waiting(const struct world *world)
{
	size_t waiting = 0;

	for (const struct world_message *one = world->disk; one != NULL;
	     one = one->next)
		waiting +=
		    progress_count(&one->message->progress, RECIPIENT_WAITING);
	return waiting;
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
write_message(
    struct world *world, const struct message *message, struct place place)
{
	struct world_message **link = find(world, message->id);

	if (*link != NULL) {
		world->moves++;
		(*link)->place = place;
		return;
	}
	struct world_message *one = memory_new(sizeof(*one));
	one->message = copy_message(message);
	one->taken_at = memory_array(
	    message->envelope.recipient_count, sizeof(*one->taken_at));
	one->place = place;
	*link = one;
	world->accepted += message->envelope.recipient_count;
}

/* Each recipient comes to one end. */
static void
count_ends(
    struct world *world, const struct progress *old, const struct progress *new)
{
	for (size_t i = 0; i < new->recipient_count; i++) {
		enum recipient_state before = old->recipients[i].state;
		enum recipient_state after = new->recipients[i].state;
		if (before == after)
			continue;
		cr_assert_eq(before, RECIPIENT_WAITING, "an end is the end");
		if (after == RECIPIENT_DELIVERED)
			world->delivered++;
		else
			world->returned++;
	}
}

static void
write_progress(struct world *world, uint64_t id,
    const struct progress *progress, struct place place)
{
	struct world_message *known = *find(world, id);

	cr_assert_not_null(known);
	count_ends(world, &known->message->progress, progress);
	progress_clear(&known->message->progress);
	progress_copy(&known->message->progress, progress);
	known->progress_place = place;
}

static void
write_finished(struct world *world, const struct commit *commit)
{
	struct world_message **link = find(world, commit->id);
	struct world_message *known = *link;

	cr_assert_not_null(known);
	if (commit->message != NULL)
		count_ends(world, &known->message->progress,
		    &commit->message->progress);
	const struct progress *last = commit->message != NULL
	    ? &commit->message->progress
	    : &known->message->progress;
	world->removed += progress_count(last, RECIPIENT_WAITING);
	*link = known->next;
	free_world_message(known);
}

static void
write_record(struct world *world, const struct commit *commit,
    const struct record *record, struct place place)
{
	switch (record->type) {
	case RECORD_MESSAGE:
		write_message(world,
		    commit->report != NULL && record->id == commit->report->id
			? commit->report
			: commit->message,
		    place);
		break;
	case RECORD_PROGRESS:
		write_progress(world, record->id, record->progress, place);
		break;
	case RECORD_FINISHED:
		write_finished(world, commit);
		break;
	}
}

/* The oldest segment goes: nothing that counts may lie in it. */
static void
drop_segment(struct world *world, uint64_t number)
{
	world->drops++;
	for (struct world_message *one = world->disk; one != NULL;
	     one = one->next) {
		cr_assert_gt(one->place.segment, number);
		cr_assert(one->progress_place.segment == 0 ||
		    one->progress_place.segment > number);
	}
}

static uint64_t
current_segment(const struct world *world)
{
	return world->units_per_segment == 0
	    ? 1
	    : 1 + world->next_offset / world->units_per_segment;
}

/* Recipients that are given up are reported in the same unit, or a crash
 * between the two would swallow the report. */
static void
check_reported(const struct world *world, const struct commit *commit,
    unsigned long returned_before)
{
	const struct unit *unit = &commit->unit;
	bool is_reported = false;

	if (world->returned == returned_before ||
	    envelope_is_null_sender(&commit->message->envelope))
		return;
	for (size_t i = 0; i < unit->count; i++)
		is_reported |= unit->records[i].type == RECORD_MESSAGE &&
		    unit->records[i].id != commit->id;
	cr_assert(is_reported, "given up, and nobody is told");
}

static void
write_unit(struct world *world, struct commit *commit)
{
	struct unit *unit = &commit->unit;
	uint64_t segment = current_segment(world);
	unsigned long returned = world->returned;

	unit->is_committed = true;
	unit->segment = (struct segment_ref){.number = segment, .fd = -1};
	unit->place = (struct place){segment, world->next_offset++, UNIT_BYTES};
	commit->segment_bytes = UNIT_BYTES *
	    (world->units_per_segment == 0
		    ? world->next_offset
		    : 1 + unit->place.offset % world->units_per_segment);
	for (size_t i = 0; i < unit->count; i++)
		write_record(world, commit, &unit->records[i], unit->place);
	check_reported(world, commit, returned);
}

static void
remove_large(struct world *world, uint64_t id)
{
	cr_assert_null(*find(world, id), "its body is still needed");
	cr_assert_gt(world->large_files, 0);
	world->large_files--;
}

static bool
is_full(const struct world *world)
{
	return world->disk_errno == ENOSPC || world->disk_errno == EDQUOT;
}

static bool
is_refused(const struct world *world, const struct commit *commit)
{
	return world->refuses_quarantine && commit->kind == COMMIT_QUARANTINE;
}

/* What needs no room goes well on a full disk, too. */
static bool
goes_well(const struct world *world, const struct commit *commit)
{
	if (is_refused(world, commit) || commit->unit.lacked_room)
		return false;
	return world->disk_errno == 0 ||
	    (is_full(world) && commit->unit.count == 0);
}

static void
do_commit(struct world *world, struct commit *commit)
{
	if (commit->unit.count > 0)
		write_unit(world, commit);
	else if (commit->kind == COMMIT_DROP)
		drop_segment(world, commit->id);
	else
		remove_large(world, commit->id);
}

static void
fail_commit(struct world *world, struct commit *commit)
{
	struct error error = {
	    .kind = ERROR_SYSTEM,
	    .number = commit->unit.lacked_room ? ENOSPC : world->disk_errno,
	};

	(void)snprintf(
	    error.text, sizeof(error.text), "disk: %s", strerror(error.number));
	commit->unit.error = error;
	commit->error = error;
	commit->done = commit->unit.count > 0 && !is_refused(world, commit);
	/* It stays, until the next start. */
	if (commit->kind == COMMIT_REMOVE_LARGE)
		world->large_files--;
}

static void
commit(struct world *world, struct commit *commit)
{
	struct unit *unit = &commit->unit;

	commit->done = true;
	commit->free_bytes =
	    is_full(world) || world->lacks_room ? 0 : world->room;
	commit->lacks_room = world->lacks_room;
	unit->is_committed = false;
	unit->lacked_room = world->lacks_room && unit->needs_room;
	unit->error = (struct error){.kind = ERROR_NONE};
	if (goes_well(world, commit))
		do_commit(world, commit);
	else
		fail_commit(world, commit);
	dispatch_committed(world->dispatch, commit, world->now);
}

/* ---- the worker ---- */

/* No upstream takes it twice, unless a crash came between. */
static void
note_taken(struct world *world, uint64_t id, size_t recipient)
{
	struct world_message *one = *find(world, id);

	cr_assert_not_null(one);
	unsigned *taken_at = &one->taken_at[recipient];

	cr_assert_neq(*taken_at, world->crashes + 1, "%u is delivered twice",
	    number_of(world, id));
	*taken_at = world->crashes + 1;
	world->taken++;
}

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
		if (mood == MOOD_CUT)
			progress_set(progress, r, RECIPIENT_WAITING,
			    BYTES("4.4.2"), BYTES("no reply"), upstream);
		else if (mood == MOOD_TEMPORARY)
			progress_set(progress, r, RECIPIENT_WAITING,
			    BYTES("4.2.0"), BYTES("451 later"), upstream);
		else if (mood == MOOD_PERMANENT || bad)
			progress_set(progress, r, RECIPIENT_FAILED,
			    BYTES("5.1.1"), BYTES("550 no"), upstream);
		else {
			note_taken(world, order->id, r);
			progress_set(progress, r, RECIPIENT_DELIVERED,
			    BYTES("2.0.0"), BYTES("250 ok"), upstream);
		}
	}
	order->in_doubt = mood == MOOD_CUT;
	progress->in_doubt += mood == MOOD_CUT;
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
		order->settlement = settle_elsewhere(&world->settle, message,
		    order->route, world->now.wall_ms, 200);
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
	struct settle_tried tried = {
	    .route = order->route,
	    .recipients = order->recipients,
	    .count = order->recipient_count,
	    .is_last = order->is_last,
	};
	cr_assert(settle_attempt(&world->settle, message, &tried,
	    world->now.wall_ms, 200, &order->settlement, &error));
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
	cr_assert_eq(order->where.progress_place.offset,
	    one->progress_place.offset, "what it has come to is forgotten");
	if (world->disk_mood != DISK_GOOD) {
		order->result = world->disk_mood == DISK_DAMAGED ? ORDER_DAMAGED
								 : ORDER_FAILED;
		(void)snprintf(
		    order->failure, sizeof(order->failure), "bad sector");
		dispatch_result(world->dispatch, order, world->now);
		return;
	}
	order_take_message(order, copy_message(one->message));
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
		order->settlement = settle_elsewhere(&world->settle,
		    order->message, order->route, world->now.wall_ms, 200);
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
	    .segment_size = 4 * UNIT_BYTES,
	    .random = no_random,
	};

	world->dispatch = dispatch_new(&options, world->now);
}

void
world_init(
    struct world *world, const struct route_rule *rules, size_t rule_count)
{
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
	    .room = UINT64_MAX,
	};
	buffer_init(&world->log, (size_t)1024 * 1024);
	log_open(LOG_SINK_CAPTURE, LOG_LEVEL_ERROR, "story", &world->log);
	buffer_init(&world->story, (size_t)1024 * 1024);
	make_dispatch(world);
}

/* With the process, all that was under way. */
static void
forget_kept(struct world *world)
{
	for (size_t i = 0; i < world->order_count; i++)
		order_free(world->orders[i]);
	world->order_count = 0;
	for (size_t i = 0; i < world->commit_count; i++) {
		struct commit *commit = world->commits[i];
		if (commit->receipt != NULL)
			free(commit->receipt->owner);
		commit_free(commit);
	}
	world->commit_count = 0;
}

void
world_clear(struct world *world)
{
	while (world->disk != NULL) {
		struct world_message *one = world->disk;
		world->disk = one->next;
		free_world_message(one);
	}
	forget_kept(world);
	dispatch_free(world->dispatch);
	buffer_clear(&world->story);
	log_open(LOG_SINK_STDERR, LOG_LEVEL_ERROR, "story", NULL);
	buffer_clear(&world->log);
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

	cr_assert_eq(*find(told->world, id) != NULL, answer == DOOR_TAKEN,
	    "%u is told \"%s\"", number_of(told->world, id), words[answer]);
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
	if (world->submits_large) {
		struct queue_id name = queue_id_of(message->id);
		memcpy(message->body.name, name.text, sizeof(name.text));
		world->large_files++;
	}
	told->receipt = (struct receipt){.fn = on_receipt, .owner = told};
	told->world = world;
	dispatch_submit(world->dispatch, message, &told->receipt);
	world_settle(world);
}

static void
take_action(struct world *world, const struct action *action)
{
	if (action->kind == ACTION_COMMIT && world->keeps_commits) {
		cr_assert_lt(world->commit_count, WORLD_KEPT_MAX);
		world->commits[world->commit_count++] = action->commit;
	} else if (action->kind == ACTION_COMMIT) {
		commit(world, action->commit);
	} else if (world->keeps_orders) {
		cr_assert_lt(world->order_count, WORLD_KEPT_MAX);
		world->orders[world->order_count++] = action->order;
	} else {
		carry_out(world, action->order);
	}
}

void
world_settle(struct world *world)
{
	struct action action;
	int i = 0;

	do {
		while (dispatch_next(world->dispatch, world->now, &action)) {
			cr_assert_lt(i++, 10000,
			    "this does not come to an end:"
			    " %s",
			    buffer_to_text(&world->story));
			take_action(world, &action);
		}
	} while (dispatch_deadline(world->dispatch) <= world->now.mono_ms);
}

void
world_let_go_order(struct world *world, size_t i)
{
	struct order *order = world->orders[i];

	world->order_count--;
	world->orders[i] = world->orders[world->order_count];
	carry_out(world, order);
}

void
world_let_go_commit(struct world *world)
{
	struct commit *first = world->commits[0];

	world->commit_count--;
	memmove(world->commits, world->commits + 1,
	    world->commit_count * sizeof(struct commit *));
	commit(world, first);
}

void
world_let_go(struct world *world)
{
	world->keeps_orders = false;
	world->keeps_commits = false;
	while (world->commit_count > 0)
		world_let_go_commit(world);
	while (world->order_count > 0)
		world_let_go_order(world, 0);
	world_settle(world);
}

void
world_jump(struct world *world, int64_t ms)
{
	world->now.wall_ms += ms;
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

static void
replay_segments(struct world *world)
{
	uint64_t first = world->disk == NULL ? 1 : UINT64_MAX;

	for (struct world_message *one = world->disk; one != NULL;
	     one = one->next)
		if (one->place.segment < first)
			first = one->place.segment;
	for (uint64_t number = first; number <= current_segment(world);
	     number++) {
		struct journal_fact fact = {
		    .kind = JOURNAL_SEGMENT,
		    .segment = {.number = number, .fd = -1},
		    .bytes = UNIT_BYTES * world->units_per_segment,
		};
		dispatch_recovered(world->dispatch, &fact, world->now);
	}
}

static void
replay_message(struct world *world, const struct world_message *one)
{
	struct journal_fact fact = {
	    .kind = JOURNAL_MESSAGE,
	    .id = one->message->id,
	    .place = one->place,
	    .envelope = &one->message->envelope,
	    .size = one->message->body.len,
	    .is_large = is_large(one->message),
	    .progress = &one->message->progress,
	};

	dispatch_recovered(world->dispatch, &fact, world->now);
	fact.kind = JOURNAL_PROGRESS;
	fact.place = one->progress_place;
	if (fact.place.segment != 0)
		dispatch_recovered(world->dispatch, &fact, world->now);
}

void
world_crash(struct world *world)
{
	uint64_t highest = dispatch_take_id(world->dispatch, 0);

	world->crashes++;
	/* The journal removes those of nobody. */
	world->large_files = 0;
	for (struct world_message *one = world->disk; one != NULL;
	     one = one->next)
		world->large_files += is_large(one->message);

	forget_kept(world);
	dispatch_free(world->dispatch);
	make_dispatch(world);
	replay_segments(world);
	for (struct world_message *one = world->disk; one != NULL;
	     one = one->next)
		replay_message(world, one);
	dispatch_ready(world->dispatch, highest - 1);
	tell(world, "restarted");
	world_settle(world);
}
