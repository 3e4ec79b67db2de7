/*
 * Whatever a server does, every recipient is accounted for: servers that
 * misbehave at random, and the promise as invariants.
 */
#include "lib/delivery_world.h"
#include "lib/loop_until.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define SEEDS    150
#define MESSAGES 12
#define RULES    8

/* xorshift32: the same everywhere. */
static unsigned
pick(uint32_t *seed, unsigned count)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed % count;
}

static const char *const replies[] = {
    "421 4.3.2 bye",
    "450 4.2.0 later",
    "452 4.5.3 too many",
    "550 5.1.1 no",
    "552 too many",
    "250 2.0.0 whatever",
    "cut",
    "hang",
    "garbage",
};

static const char *const keywords[] = {
    "",
    "PIPELINING",
    "PIPELINING SIZE 8BITMIME",
    "PIPELINING CHUNKING",
    "CHUNKING SIZE",
};

static void
add_rule(struct fake_upstream *fake, uint32_t *seed)
{
	const struct fake_rule rule = {
	    .stage = (enum fake_stage)pick(seed, FAKE_QUIT + 1),
	    .reply = replies[pick(seed, sizeof(replies) / sizeof(replies[0]))],
	    .skip = pick(seed, 6),
	    .times = 1 + pick(seed, 3),
	};

	fake_upstream_rule(fake, rule);
}

static void
set_up(struct delivery_world *world, uint32_t *seed)
{
	delivery_world_init(world);
	world->fake_options.keywords = keywords[pick(seed, 5)];
	world->fake_options.lmtp = pick(seed, 4) == 0;
	world->options.transport =
	    world->fake_options.lmtp ? UPSTREAM_LMTP : UPSTREAM_SMTP;
	world->options.connections = 1 + pick(seed, 3);
	world->options.messages_per_connection = pick(seed, 4);
	world->options.recipients_max = pick(seed, 4);
	world->options.pipelining = pick(seed, 3) > 0;
	world->options.chunking = pick(seed, 2) > 0;
	for (int phase = 0; phase < SMTP_PHASE_COUNT; phase++)
		world->options.timeout_ms[phase] = 10;
	world->options.timeout_ms[SMTP_PHASE_CONNECT] = 0;
	delivery_world_open(world);
	for (int i = 0; i < RULES; i++)
		add_rule(world->fake, seed);
}

static void
start_all(struct delivery_world *world, uint32_t *seed)
{
	char recipients[256];

	for (int i = 0; i < MESSAGES; i++) {
		size_t len = 0;
		for (unsigned j = 0; j <= pick(seed, 4); j++)
			len += (size_t)snprintf(recipients + len,
			    sizeof(recipients) - len, "%sr%dx%u@y",
			    len > 0 ? " " : "", i, j);
		(void)delivery_world_try(
		    world, recipients, "Subject: x\r\n\r\n.hello\r\n");
	}
}

/* How often the server took a message for address. */
static unsigned
times_taken(const struct delivery_world *world, const char *address)
{
	unsigned count = 0;
	char path[64];

	(void)snprintf(path, sizeof(path), "<%s>", address);
	for (size_t i = 0; i < fake_upstream_messages(world->fake); i++)
		count += strstr(fake_upstream_message(world->fake, i)->rcpt,
			     path) != NULL;
	return count;
}

static void
check_recipient(const struct delivery_try *try, size_t i, uint32_t seed)
{
	const char *address = try->message->envelope.recipients[i].address;
	const struct recipient_progress *progress =
	    &try->message->progress.recipients[i];
	unsigned taken = times_taken(try->world, address);
	bool is_untouched =
	    try->result.upstream_failed || try->result.local_failed;

	cr_expect_eq(is_untouched, progress->status == NULL, "seed %u: %s",
	    seed, address);
	cr_expect_eq(progress->status == NULL, progress->reason == NULL);
	/* The server's LMTP keeps a message that only others were promised. */
	if (try->world->fake_options.lmtp)
		return;
	if (progress->state == RECIPIENT_DELIVERED)
		cr_expect_geq(taken, 1, "seed %u: %s lost", seed, address);
	if (progress->state == RECIPIENT_FAILED)
		cr_expect_eq(taken, 0, "seed %u: %s bounced", seed, address);
	if (progress->state == RECIPIENT_WAITING && taken > 0)
		cr_expect(try->result.in_doubt, "seed %u: %s taken unawares",
		    seed, address);
	if (taken > 1)
		cr_expect(try->result.in_doubt, "seed %u: %s taken twice", seed,
		    address);
}

static void
check_all(struct delivery_world *world, uint32_t seed)
{
	for (size_t i = 0; i < fake_upstream_messages(world->fake); i++)
		cr_expect_str_eq(fake_upstream_message(world->fake, i)->content,
		    "Subject: x\r\n\r\n.hello\r\n", "seed %u", seed);
	for (size_t i = 0; i < world->try_count; i++) {
		const struct delivery_try *try = &world->tries[i];
		cr_expect_not(
		    try->result.upstream_failed && try->result.local_failed);
		for (size_t j = 0; j < try->message->envelope.recipient_count;
		     j++)
			check_recipient(try, j, seed);
	}
}

Test(relay, accounts_for_every_recipient_whatever_the_server_does)
{
	int descriptors = open_descriptors();

	for (uint32_t i = 1; i <= SEEDS; i++) {
		struct delivery_world world;
		uint32_t seed = i * 2654435761U;
		set_up(&world, &seed);
		start_all(&world, &seed);
		delivery_world_wait_all(&world);
		check_all(&world, i);
		delivery_world_drain(&world);
		loop_until_set(world.loop, &world.is_quiet);
		delivery_world_clear(&world);
		cr_assert_eq(open_descriptors(), descriptors, "seed %u", i);
	}
}
