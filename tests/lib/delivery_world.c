#include "lib/delivery_world.h"

#include "base/bytes.h"
#include "base/memory.h"
#include "lib/loop_until.h"

#include <criterion/criterion.h>
#include <stdlib.h>

void
delivery_world_init(struct delivery_world *world)
{
	*world = (struct delivery_world){
	    .loop = loop_new(),
	    .fake_options =
		{
		    .keywords = "PIPELINING 8BITMIME SIZE",
		},
	    .options =
		{
		    .name = "main",
		    .transport = UPSTREAM_SMTP,
		    .host = "127.0.0.1",
		    .tls = UPSTREAM_TLS_NONE,
		    .hello = "here.example",
		    .connections = 1,
		    .idle_ms = CLOCK_MINUTE,
		    .pipelining = true,
		},
	};
}

void
delivery_world_open(struct delivery_world *world)
{
	struct error error = {0};

	world->fake = fake_upstream_new(world->loop, &world->fake_options);
	if (world->options.port == 0)
		world->options.port = fake_upstream_port(world->fake);
	cr_assert(delivery_new(world->loop, &world->options, 1,
		      &world->delivery, &error),
	    "%s", error_text(&error));
}

void
delivery_world_clear(struct delivery_world *world)
{
	delivery_free(world->delivery);
	fake_upstream_free(world->fake);
	for (size_t i = 0; i < world->try_count; i++)
		message_free(world->tries[i].message);
	free(world->text);
	loop_free(world->loop);
}

/* ---- tries ---- */

struct delivery_try *
delivery_world_message(
    struct delivery_world *world, const char *recipients, const char *content)
{
	cr_assert(world->try_count < DELIVERY_TRIES_MAX);
	struct delivery_try *try = &world->tries[world->try_count++];
	struct message *message = message_new();
	struct bytes rest = bytes_of(recipients);

	message->id = 1700000000000000 + world->try_count;
	envelope_set_sender(&message->envelope, BYTES("from@x.example"));
	while (rest.len > 0)
		(void)envelope_add_recipient(
		    &message->envelope, bytes_cut(&rest, ' '));
	message->envelope.arrived_at = loop_now(world->loop).wall_ms;
	progress_init(&message->progress, message->envelope.recipient_count);
	body_set(&message->body, bytes_of(content));
	try->world = world;
	try->message = message;
	return try;
}

static void
over(const struct attempt_result *result, void *ctx)
{
	struct delivery_try *try = ctx;

	cr_assert_not(try->is_over);
	try->is_over = true;
	try->result = *result;
	try->place = ++try->world->over;
}

void
delivery_world_start(struct delivery_try *try)
{
	size_t count = try->message->envelope.recipient_count;
	size_t *recipients = memory_array(count, sizeof(*recipients));

	for (size_t i = 0; i < count; i++)
		recipients[i] = i;
	attempt_start(try->world->delivery, 0, try->message, recipients, count,
	    over, try);
	cr_assert_not(try->is_over);
	free(recipients);
}

struct delivery_try *
delivery_world_try(
    struct delivery_world *world, const char *recipients, const char *content)
{
	struct delivery_try *try =
	    delivery_world_message(world, recipients, content);

	delivery_world_start(try);
	return try;
}

/* ---- waiting ---- */

struct wanted {
	struct delivery_world *world;
	enum fake_stage stage;
	unsigned count;
};

static bool
all_are_over(void *ctx)
{
	const struct delivery_world *world = ctx;

	return world->over == world->try_count;
}

static bool
has_come(void *ctx)
{
	const struct wanted *wanted = ctx;

	return fake_upstream_count(wanted->world->fake, wanted->stage) >=
	    wanted->count;
}

static bool
are_open(void *ctx)
{
	const struct wanted *wanted = ctx;

	return fake_upstream_open(wanted->world->fake) == wanted->count;
}

void
delivery_world_wait(struct delivery_try *try)
{
	loop_until_set(try->world->loop, &try->is_over);
}

void
delivery_world_wait_all(struct delivery_world *world)
{
	loop_until(world->loop, all_are_over, world);
}

void
delivery_world_until(
    struct delivery_world *world, enum fake_stage stage, unsigned count)
{
	struct wanted wanted = {world, stage, count};

	loop_until(world->loop, has_come, &wanted);
}

void
delivery_world_until_open(struct delivery_world *world, unsigned count)
{
	struct wanted wanted = {.world = world, .count = count};

	loop_until(world->loop, are_open, &wanted);
}

static void
quiet(void *ctx)
{
	struct delivery_world *world = ctx;

	cr_assert_not(world->is_quiet);
	world->is_quiet = true;
}

void
delivery_world_drain(struct delivery_world *world)
{
	delivery_drain(world->delivery, quiet, world);
	cr_assert_not(world->is_quiet);
}

/* ---- outcomes ---- */

static const char *
word_of(const struct recipient_progress *progress)
{
	switch (progress->state) {
	case RECIPIENT_WAITING:
		return progress->status == NULL ? "untried" : "waiting";
	case RECIPIENT_DELIVERED:
		return "delivered";
	case RECIPIENT_FAILED:
		return "failed";
	}
	return "?";
}

const char *
delivery_world_outcome(struct delivery_try *try)
{
	const struct message *message = try->message;
	struct buffer text;

	buffer_init(&text, 1 << 20);
	if (try->result.upstream_failed)
		buffer_append_text(&text, "upstream failed\n");
	if (try->result.local_failed)
		buffer_append_text(&text, "local failure\n");
	if (try->result.in_doubt)
		buffer_append_text(&text, "in doubt\n");
	for (size_t i = 0; i < message->progress.recipient_count; i++) {
		const struct recipient_progress *progress =
		    &message->progress.recipients[i];
		buffer_printf(&text, "%s %s%s%s\n",
		    message->envelope.recipients[i].address, word_of(progress),
		    progress->status != NULL ? " " : "",
		    progress->status != NULL ? progress->status : "");
	}
	free(try->world->text);
	try->world->text = buffer_to_text(&text);
	buffer_clear(&text);
	return try->world->text;
}

void
delivery_world_expect(struct delivery_try *try, const char *outcome)
{
	delivery_world_wait(try);
	cr_expect_str_eq(delivery_world_outcome(try), outcome);
}
