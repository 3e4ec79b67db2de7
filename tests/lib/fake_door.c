#include "lib/fake_door.h"

#include "base/memory.h"

#include <assert.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t
take_id(void *ctx)
{
	struct fake_door *fake = ctx;
	return ++fake->last_id;
}

static enum door_answer
ask(uint64_t size_bytes, void *ctx)
{
	struct fake_door *fake = ctx;

	fake->asked_size = size_bytes;
	return fake->room;
}

/* Messages that were answered make room for others. */
static void
forget_answered(struct fake_door *fake)
{
	size_t kept = 0;

	for (size_t i = 0; i < fake->count; i++)
		if (fake->letters[i].receipt == NULL)
			message_free(fake->letters[i].message);
		else
			fake->letters[kept++] = fake->letters[i];
	fake->count = kept;
}

static size_t
count_waiting(const struct fake_door *fake)
{
	size_t waiting = 0;

	for (size_t i = 0; i < fake->count; i++)
		waiting += fake->letters[i].receipt != NULL;
	return waiting;
}

static void
submit(struct message *message, struct receipt *receipt, void *ctx)
{
	struct fake_door *fake = ctx;

	if (fake->forgets)
		forget_answered(fake);
	cr_assert_lt(fake->count, FAKE_DOOR_MAX);
	cr_assert_null(receipt->taker);
	receipt->taker = fake;
	fake->letters[fake->count++] = (struct fake_letter){message, receipt};
	size_t waiting = count_waiting(fake);
	if (waiting > fake->most)
		fake->most = waiting;
	if (!fake->later)
		loop_later(fake->loop, &fake->task);
}

static void
cancel(struct receipt *receipt, void *ctx)
{
	struct fake_door *fake = ctx;

	cr_assert_eq(receipt->taker, fake);
	receipt->taker = NULL;
	for (size_t i = 0; i < fake->count; i++) {
		if (fake->letters[i].receipt != receipt)
			continue;
		fake->letters[i].receipt = NULL;
		fake->cancelled++;
		return;
	}
	cr_assert_fail("no such receipt");
}

static long
flush_domain(struct bytes domain, void *ctx)
{
	struct fake_door *fake = ctx;

	(void)snprintf(fake->domain, sizeof(fake->domain), "%.*s",
	    BYTES_ARGS(domain)); /* cut is fine */
	return fake->flushed;
}

void
fake_door_answer(struct fake_door *fake, enum door_answer answer)
{
	for (size_t i = 0; i < fake->count; i++) {
		struct receipt *receipt = fake->letters[i].receipt;
		if (receipt == NULL)
			continue;
		fake->letters[i].receipt = NULL;
		fake->answered++;
		receipt->taker = NULL;
		receipt->fn(receipt, answer, fake->letters[i].message->id);
	}
}

static void
answer_all(void *ctx)
{
	struct fake_door *fake = ctx;
	fake_door_answer(fake, fake->answer);
}

void
fake_door_init(struct fake_door *fake, struct loop *loop)
{
	*fake = (struct fake_door){
	    .door = {take_id, ask, submit, cancel, flush_domain, fake},
	    .loop = loop,
	};
	loop_task_init(&fake->task, answer_all, fake);
}

void
fake_door_clear(struct fake_door *fake)
{
	loop_task_cancel(fake->loop, &fake->task);
	for (size_t i = 0; i < fake->count; i++)
		message_free(fake->letters[i].message);
}

char *
fake_door_content(const struct fake_door *fake, size_t index)
{
	cr_assert_lt(index, fake->count);
	const struct body *body = &fake->letters[index].message->body;
	char *text = memory_array((size_t)body->len + 1, 1);
	size_t len = 0;
	struct error error;

	cr_assert(body_read(body, 0, text, (size_t)body->len, &len, &error),
	    "%s", error.text);
	cr_assert_eq(len, body->len);
	return text;
}
