#include "message/message.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct id_row {
	uint64_t id;
	const char *text;
} id_rows[] = {
    {0, "00000000000"},
    {1, "00000000001"},
    {9, "00000000009"},
    {10, "0000000000B"},
    {30, "0000000000Z"},
    {31, "00000000010"},
    {QUEUE_ID_MAX - 1, "ZZZZZZZZZZY"},
    {QUEUE_ID_MAX, "ZZZZZZZZZZZ"},
};

Test(message, has_a_queue_id_of_fixed_width)
{
	for (size_t i = 0; i < sizeof(id_rows) / sizeof(id_rows[0]); i++) {
		struct queue_id queue_id = queue_id_of(id_rows[i].id);
		uint64_t id = 0;
		cr_expect_str_eq(queue_id.text, id_rows[i].text);
		cr_expect(queue_id_parse(bytes_of(queue_id.text), &id));
		cr_expect_eq(id, id_rows[i].id);
	}
}

Test(message, shows_an_impossible_id_as_the_last)
{
	cr_expect_str_eq(queue_id_of(UINT64_MAX).text, "ZZZZZZZZZZZ");
	cr_expect_str_eq(queue_id_of(QUEUE_ID_MAX + 1).text, "ZZZZZZZZZZZ");
}

Test(message, has_queue_ids_that_sort_by_time_and_have_no_vowels)
{
	unsigned seed = (unsigned)time(NULL);
	srand(seed);

	for (int i = 0; i < 100000; i++) {
		uint64_t a = ((uint64_t)rand() << 31 | (uint64_t)rand()) %
		    (QUEUE_ID_MAX + 1);
		uint64_t b = i % 2 == 0
		    ? ((uint64_t)rand() << 31 | (uint64_t)rand()) %
			(QUEUE_ID_MAX + 1)
		    : a + 1 - (a == QUEUE_ID_MAX);
		struct queue_id text_a = queue_id_of(a);
		struct queue_id text_b = queue_id_of(b);
		uint64_t again = 0;
		int order = strcmp(text_a.text, text_b.text);
		cr_assert(a < b ? order < 0
			: a > b ? order > 0
				: order == 0,
		    "seed %u", seed);
		cr_assert(queue_id_parse(bytes_of(text_a.text), &again));
		cr_assert_eq(again, a, "seed %u", seed);
		cr_assert_eq(strlen(text_a.text), QUEUE_ID_LEN);
		cr_assert_null(strpbrk(text_a.text, "AEIOUaeiou"));
	}
}

Test(message, reads_queue_ids_without_case)
{
	uint64_t id = 0;

	cr_expect(queue_id_parse(BYTES("zzzzzzzzzzz"), &id));
	cr_expect_eq(id, QUEUE_ID_MAX);
	cr_expect(queue_id_parse(BYTES("0000000000b"), &id));
	cr_expect_eq(id, 10);
}

Test(message, refuses_what_is_no_queue_id)
{
	const struct bytes rows[] = {
	    BYTES(""),
	    BYTES("0000000000"),
	    BYTES("000000000000"),
	    BYTES("0000000000A"),
	    BYTES("0000000000e"),
	    BYTES("0000000000\0"),
	    BYTES("0000000000 "),
	    BYTES("-0000000001"),
	};
	uint64_t id = 42;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_not(queue_id_parse(rows[i], &id), "row %zu", i);
	cr_expect_eq(id, 42);
}

Test(message, is_empty_when_new)
{
	struct message *message = message_new();

	cr_expect_eq(message->id, 0);
	cr_expect(envelope_is_null_sender(&message->envelope));
	cr_expect_eq(message->body.fd, -1);
	cr_expect_eq(message->body.len, 0);
	message_free(message);
	message_free(NULL);
}
