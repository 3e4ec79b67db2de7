#include "base/buffer.h"
#include "base/memory.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void
expect_holds(const struct buffer *buffer, const char *text)
{
	struct bytes bytes = buffer_bytes(buffer);
	cr_expect(bytes_is(bytes, text), "holds \"%.*s\", not \"%s\"",
	    BYTES_ARGS(bytes), text);
}

Test(buffer, is_empty_at_first)
{
	struct buffer buffer;

	buffer_init(&buffer, 10);
	cr_expect_not_null(buffer_bytes(&buffer).data);
	expect_holds(&buffer, "");
	cr_expect_null(buffer.memory);
	buffer_consume(&buffer, 0);
	buffer_truncate(&buffer, 0);
	buffer_append(&buffer, BYTES_NONE);
	expect_holds(&buffer, "");
	buffer_clear(&buffer);
	buffer_clear_secret(&buffer);
}

Test(buffer, appends_bytes_text_characters_and_formats)
{
	struct buffer buffer;

	buffer_init(&buffer, 100);
	buffer_append(&buffer, BYTES("MAIL"));
	buffer_append_char(&buffer, ' ');
	buffer_append_text(&buffer, "FROM:");
	buffer_printf(&buffer, "<%s> SIZE=%d", "a@b", 10);
	buffer_printf(&buffer, "%s", "");
	expect_holds(&buffer, "MAIL FROM:<a@b> SIZE=10");
	cr_expect_not(buffer.overflowed);
	buffer_clear(&buffer);
	expect_holds(&buffer, "");
	cr_expect_eq(buffer.limit, 100);
}

Test(buffer, keeps_a_nul)
{
	struct buffer buffer;

	buffer_init(&buffer, 100);
	buffer_append(&buffer, BYTES("a\0b"));
	buffer_append_char(&buffer, '\0');
	cr_expect(bytes_equal(buffer_bytes(&buffer), BYTES("a\0b\0")));
	buffer_clear(&buffer);
}

/* Ways to append the same text. */
static void
by_bytes(struct buffer *buffer, const char *text)
{
	buffer_append(buffer, bytes_of(text));
}

static void
by_format(struct buffer *buffer, const char *text)
{
	buffer_printf(buffer, "%s", text);
}

static void
by_reserve(struct buffer *buffer, const char *text)
{
	char *room = buffer_reserve(buffer, strlen(text));
	if (room == NULL)
		return;
	memcpy(room, text, strlen(text));
	buffer_commit(buffer, strlen(text));
}

static const struct {
	const char *name;
	void (*append)(struct buffer *buffer, const char *text);
} ways[] = {
    {"bytes", by_bytes},
    {"text", buffer_append_text},
    {"format", by_format},
    {"reserve", by_reserve},
};

Test(buffer, takes_all_or_nothing_at_its_ceiling)
{
	static const struct {
		const char *name;
		size_t limit;
		const char *first, *second, *expected;
		bool overflowed;
	} rows[] = {
	    {"below", 10, "abc", "def", "abcdef", false},
	    {"exactly", 6, "abc", "def", "abcdef", false},
	    {"one too many", 5, "abc", "def", "abc", true},
	    {"full already", 3, "abc", "d", "abc", true},
	    {"full already, nothing more", 3, "abc", "", "abc", false},
	    {"no limit", SIZE_MAX, "abc", "def", "abcdef", false},
	    {"nothing allowed", 0, "", "d", "", true},
	    {"nothing allowed, nothing appended", 0, "", "", "", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t w = 0; w < sizeof(ways) / sizeof(ways[0]); w++) {
			struct buffer buffer;
			buffer_init(&buffer, rows[i].limit);
			ways[w].append(&buffer, rows[i].first);
			ways[w].append(&buffer, rows[i].second);
			cr_expect(
			    bytes_is(buffer_bytes(&buffer), rows[i].expected),
			    "%s by %s", rows[i].name, ways[w].name);
			cr_expect_eq(buffer.overflowed, rows[i].overflowed,
			    "%s by %s", rows[i].name, ways[w].name);
			buffer_clear(&buffer);
		}
	}
}

Test(buffer, stays_overflowed_until_emptied)
{
	struct buffer buffer;

	buffer_init(&buffer, 3);
	buffer_append_text(&buffer, "abcd");
	buffer_append_text(&buffer, "ab");
	buffer_consume(&buffer, 1);
	buffer_truncate(&buffer, 0);
	cr_expect(buffer.overflowed);
	buffer_empty(&buffer);
	cr_expect_not(buffer.overflowed);
	buffer_append_text(&buffer, "abcd");
	buffer_clear(&buffer);
	cr_expect_not(buffer.overflowed);
}

Test(buffer, refuses_to_reserve_past_its_ceiling)
{
	static const size_t sizes[] = {11, 1000, SIZE_MAX / 2, SIZE_MAX};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct buffer buffer;
		buffer_init(&buffer, 10);
		cr_expect_null(buffer_reserve(&buffer, sizes[i]));
		cr_expect(buffer.overflowed, "%zu", sizes[i]);
		buffer_clear(&buffer);
	}
}

Test(buffer, loses_bytes_at_either_end)
{
	struct buffer buffer;

	buffer_init(&buffer, 100);
	buffer_append_text(&buffer, "abcdef");
	buffer_consume(&buffer, 2);
	expect_holds(&buffer, "cdef");
	buffer_truncate(&buffer, 3);
	expect_holds(&buffer, "cde");
	buffer_append_text(&buffer, "g");
	expect_holds(&buffer, "cdeg");
	buffer_consume(&buffer, 4);
	cr_expect_eq(buffer.start, 0, "the front is given back");
	buffer_append_text(&buffer, "h");
	expect_holds(&buffer, "h");
	buffer_clear(&buffer);
}

Test(buffer, becomes_a_text_of_its_own)
{
	struct buffer buffer;

	buffer_init(&buffer, 100);
	char *empty = buffer_to_text(&buffer);
	buffer_append_text(&buffer, "xabc");
	buffer_consume(&buffer, 1);
	char *text = buffer_to_text(&buffer);
	buffer_clear(&buffer);
	cr_expect_str_eq(empty, "");
	cr_expect_str_eq(text, "abc");
	free(text);
	free(empty);
}

Test(buffer, of_a_steady_stream_stays_small)
{
	struct buffer buffer;

	buffer_init(&buffer, 1000);
	buffer_append(&buffer, BYTES("0123456789"));
	for (int i = 0; i < 1000000; i++) {
		buffer_append(&buffer, BYTES("0123456789"));
		buffer_consume(&buffer, 10);
	}
	cr_expect(bytes_equal(buffer_bytes(&buffer), BYTES("0123456789")));
	cr_expect_leq(buffer.capacity, 1000);
	buffer_clear(&buffer);
}

Test(buffer, near_its_ceiling_still_consumes_cheaply)
{
	static const size_t limit = 1 << 20;
	struct buffer buffer;
	char *filling = memory_new(limit);

	/* Were each octet to move the rest, this would take minutes. */
	buffer_init(&buffer, limit);
	buffer_append(&buffer, bytes_make(filling, limit));
	for (int i = 0; i < 3000000; i++) {
		buffer_consume(&buffer, 1);
		buffer_append_char(&buffer, 'x');
	}
	cr_expect_eq(buffer.len, limit);
	cr_expect_not(buffer.overflowed);
	cr_expect_leq(buffer.capacity, 4 * limit);
	buffer_clear(&buffer);
	free(filling);
}

Test(buffer, dies_when_more_is_consumed_than_there_is, .signal = SIGABRT)
{
	struct buffer buffer;

	buffer_init(&buffer, 10);
	buffer_append_text(&buffer, "abc");
	buffer_consume(&buffer, 4);
}

Test(buffer, dies_when_more_is_committed_than_reserved, .signal = SIGABRT)
{
	struct buffer buffer;

	buffer_init(&buffer, 10);
	(void)buffer_reserve(&buffer, 5);
	buffer_commit(&buffer, 11);
}

/* The same bytes in the simplest way. */
struct model {
	char octets[3000];
	size_t len;
};

static void
model_append(struct model *model, const char *octets, size_t len)
{
	memcpy(model->octets + model->len, octets, len);
	model->len += len;
}

static void
step(struct buffer *buffer, struct model *model)
{
	size_t amount = (size_t)rand() % 300;
	char octets[300];

	memset(octets, rand(), sizeof(octets));
	if (rand() % 2 == 0) {
		size_t gone = amount < model->len ? amount : model->len;
		buffer_consume(buffer, gone);
		memmove(model->octets, model->octets + gone, model->len - gone);
		model->len -= gone;
	} else if (rand() % 8 == 0) {
		size_t kept = amount < model->len ? amount : model->len;
		buffer_truncate(buffer, kept);
		model->len = kept;
	} else {
		bool fits = amount <= buffer->limit - model->len;
		buffer_append(buffer, bytes_make(octets, amount));
		cr_assert_eq(buffer->overflowed, !fits);
		if (fits)
			model_append(model, octets, amount);
		buffer->overflowed = false;
	}
}

Test(buffer, agrees_with_a_plain_array)
{
	unsigned int seed = (unsigned int)time(NULL);
	struct buffer buffer;
	struct model model = {.len = 0};

	srand(seed);
	buffer_init(&buffer, sizeof(model.octets));
	for (int i = 0; i < 300000; i++) {
		step(&buffer, &model);
		cr_assert(bytes_equal(buffer_bytes(&buffer),
			      bytes_make(model.octets, model.len)),
		    "seed %u, step %d", seed, i);
	}
	buffer_clear(&buffer);
}
