#include "queue/facts.h"
#include "queue/record.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const struct unit_stamp STAMP = {.salt = 0x1122334455667788,
    .generation = 7,
    .offset = 4096,
    .number = 41,
    .group = 40};

/* A message with everything in it that there may be. */
static struct message *
full_message(void)
{
	struct message *message = message_new();
	struct envelope *envelope = &message->envelope;

	message->id = 1700000000123456;
	envelope_set_sender(envelope, BYTES("a@x.example"));
	envelope->id = strdup("env+2B1");
	envelope->client = strdup("[192.0.2.1]");
	envelope->ret = MAIL_RETURN_HEADERS;
	envelope->body = MAIL_BODY_8BITMIME;
	envelope->utf8 = true;
	envelope->require_tls = true;
	envelope->arrived_at = -5;
	envelope->origin = ORIGIN_DROP;
	envelope->uid = 1000;
	envelope->drop_key = UINT64_MAX;
	struct recipient *recipient =
	    envelope_add_recipient(envelope, BYTES("b@y.example"));
	recipient->notify = NOTIFY_FAILURE | NOTIFY_DELAY;
	recipient->original = strdup("rfc822;b@y.example");
	envelope_add_recipient(envelope, BYTES("c@z.example"));
	body_set(&message->body, BYTES("Subject: x\r\n\r\nunit\0unit\r\n"));
	return message;
}

static void
expect_text(const char *what, const char *left, const char *right)
{
	if (left == NULL || right == NULL)
		cr_expect_eq(left, right, "%s", what);
	else
		cr_expect_str_eq(left, right, "%s", what);
}

static void
expect_envelope(const struct envelope *a, const struct envelope *b)
{
	expect_text("sender", a->sender, b->sender);
	expect_text("id", a->id, b->id);
	expect_text("client", a->client, b->client);
	cr_expect_eq(a->ret, b->ret);
	cr_expect_eq(a->body, b->body);
	cr_expect_eq(a->utf8, b->utf8);
	cr_expect_eq(a->require_tls, b->require_tls);
	cr_expect_eq(a->arrived_at, b->arrived_at);
	cr_expect_eq(a->origin, b->origin);
	cr_expect_eq(a->uid, b->uid);
	cr_expect_eq(a->drop_key, b->drop_key);
	cr_assert_eq(a->recipient_count, b->recipient_count);
	for (size_t i = 0; i < a->recipient_count; i++) {
		const struct recipient *x = &a->recipients[i];
		const struct recipient *y = &b->recipients[i];
		expect_text("address", x->address, y->address);
		expect_text("original", x->original, y->original);
		cr_expect_eq(x->notify, y->notify);
	}
}

Test(record, keeps_an_envelope)
{
	struct message *message = full_message();
	struct envelope read;
	struct buffer facts;
	struct error error;

	buffer_init(&facts, SIZE_MAX);
	facts_put_envelope(&facts, &message->envelope);
	envelope_init(&read);
	cr_assert(facts_read_envelope(buffer_bytes(&facts), &read, &error));
	expect_envelope(&read, &message->envelope);

	envelope_clear(&read);
	buffer_clear(&facts);
	message_free(message);
}

Test(record, keeps_an_envelope_with_almost_nothing)
{
	struct envelope envelope, read;
	struct buffer facts;
	struct error error;

	envelope_init(&envelope);
	buffer_init(&facts, SIZE_MAX);
	facts_put_envelope(&facts, &envelope);
	envelope_init(&read);
	cr_assert(facts_read_envelope(buffer_bytes(&facts), &read, &error));
	expect_envelope(&read, &envelope);

	envelope_clear(&read);
	envelope_clear(&envelope);
	buffer_clear(&facts);
}

static void
make_progress(struct progress *progress)
{
	progress_init(progress, 2);
	progress->attempts = 3;
	progress->attempted_at = 17;
	progress->next_at = INT64_MAX;
	progress->delay_reported = true;
	progress->held = true;
	progress->in_doubt = 2;
	progress_set(progress, 1, RECIPIENT_FAILED, BYTES("5.1.1"),
	    BYTES("no such user"), BYTES("main smtp.example[192.0.2.1]"));
}

Test(record, keeps_a_progress)
{
	struct progress progress;
	struct progress read = {0};
	struct buffer facts;
	struct error error;

	make_progress(&progress);
	buffer_init(&facts, SIZE_MAX);
	facts_put_progress(&facts, &progress);
	cr_assert(facts_read_progress(buffer_bytes(&facts), &read, &error));
	cr_expect_eq(read.attempts, 3);
	cr_expect_eq(read.attempted_at, 17);
	cr_expect_eq(read.next_at, INT64_MAX);
	cr_expect(read.delay_reported);
	cr_expect(read.held);
	cr_expect_eq(read.in_doubt, 2);
	cr_assert_eq(read.recipient_count, 2);
	cr_expect_eq(read.recipients[0].state, RECIPIENT_WAITING);
	expect_text("reason", read.recipients[0].reason, NULL);
	cr_expect_eq(read.recipients[1].state, RECIPIENT_FAILED);
	for (size_t i = 0; i < 2; i++) {
		const struct recipient_progress *x = &read.recipients[i];
		const struct recipient_progress *y = &progress.recipients[i];
		expect_text("status", x->status, y->status);
		expect_text("reason", x->reason, y->reason);
		expect_text("upstream", x->upstream, y->upstream);
	}

	progress_clear(&read);
	progress_clear(&progress);
	buffer_clear(&facts);
}

/* Facts cut short, or with any one octet changed, are refused or read, and
 * either way nothing is read beyond them (for the sanitizers to see). */
Test(record, survives_facts_that_are_nonsense)
{
	struct message *message = full_message();
	struct progress progress;
	struct buffer facts[2];
	struct error error;

	make_progress(&progress);
	buffer_init(&facts[0], SIZE_MAX);
	buffer_init(&facts[1], SIZE_MAX);
	facts_put_envelope(&facts[0], &message->envelope);
	facts_put_progress(&facts[1], &progress);
	for (size_t i = 0; i < 2; i++) {
		struct bytes whole = buffer_bytes(&facts[i]);
		for (size_t at = 0; at < whole.len * 9; at++) {
			char *copy = malloc(whole.len);
			memcpy(copy, whole.data, whole.len);
			size_t len = at < whole.len ? at : whole.len;
			if (at >= whole.len)
				copy[at % whole.len] ^=
				    (char)(1 << (at / whole.len - 1));
			struct bytes bad = bytes_make(copy, len);
			struct envelope envelope;
			struct progress read = {0};
			envelope_init(&envelope);
			bool is_read = i == 0
			    ? facts_read_envelope(bad, &envelope, &error)
			    : facts_read_progress(bad, &read, &error);
			cr_expect(!is_read || at >= whole.len,
			    "cut at %zu of %zu", at, whole.len);
			envelope_clear(&envelope);
			progress_clear(&read);
			free(copy);
		}
	}
	buffer_clear(&facts[0]);
	buffer_clear(&facts[1]);
	progress_clear(&progress);
	message_free(message);
}

/* {MESSAGE, PROGRESS, FINISHED of another}. */
static void
encode(struct buffer *buffer, struct unit *unit, const struct message *message,
    const struct progress *progress)
{
	struct error error;

	unit_init(unit);
	unit_add(unit, record_message(message));
	unit_add(unit, record_progress(message->id, progress));
	unit_add(unit, record_finished(5));
	cr_assert(unit_encode(buffer, unit, &STAMP, disk_real(), &error), "%s",
	    error_text(&error));
}

Test(record, makes_a_unit_of_records)
{
	struct message *message = full_message();
	struct bytes content = buffer_bytes(&message->body.memory);
	struct progress progress;
	struct buffer buffer;
	struct unit unit;
	struct unit_header header;

	make_progress(&progress);
	buffer_init(&buffer, SIZE_MAX);
	encode(&buffer, &unit, message, &progress);
	struct bytes data = buffer_bytes(&buffer);

	cr_assert(unit_header_decode(data, STAMP.salt, STAMP.offset, &header));
	cr_expect_eq(header.number, 41);
	cr_expect_eq(header.group, 40);
	cr_expect_eq(header.generation, 7);
	cr_expect_eq(header.record_count, 3);
	cr_expect_eq(header.content_len, content.len);
	cr_expect_eq(unit_header_size(&header), data.len);
	cr_expect_eq(data.len % 8, 0);
	cr_expect_eq(unit.place.len, UNIT_HEADER_LEN + header.heads_len);

	struct bytes heads =
	    bytes_first(bytes_from(data, UNIT_HEADER_LEN), header.heads_len);
	cr_expect(unit_heads_are_intact(&header, heads, STAMP.salt));
	struct record_cursor cursor = {0};
	struct record_head head;
	bool is_malformed;
	cr_assert(record_next(heads, &cursor, &head, &is_malformed));
	cr_expect_eq(head.type, RECORD_MESSAGE);
	cr_expect_eq(head.id, message->id);
	cr_expect_eq(head.content_len, content.len);
	cr_expect_eq(head.content_offset, 0);
	struct bytes read =
	    bytes_first(bytes_from(data, unit.place.len + head.content_offset),
		content.len);
	cr_expect(bytes_equal(read, content));
	struct record_check *check = record_check_new(head.id);
	record_check_add(check, bytes_first(content, 3));
	record_check_add(check, bytes_from(content, 3));
	cr_expect_eq(record_check_finish(check), head.content_check);
	cr_assert(record_next(heads, &cursor, &head, &is_malformed));
	cr_expect_eq(head.type, RECORD_PROGRESS);
	cr_assert(record_next(heads, &cursor, &head, &is_malformed));
	cr_expect_eq(head.type, RECORD_FINISHED);
	cr_expect_eq(head.id, 5);
	cr_expect_not(record_next(heads, &cursor, &head, &is_malformed));
	cr_expect_not(is_malformed);

	progress_clear(&progress);
	buffer_clear(&buffer);
	message_free(message);
}

/* Every bit of header and heads counts, and so do salt and number. */
Test(record, finds_every_flipped_bit)
{
	struct message *message = full_message();
	struct progress progress;
	struct buffer buffer;
	struct unit unit;
	struct unit_header header;

	make_progress(&progress);
	buffer_init(&buffer, SIZE_MAX);
	encode(&buffer, &unit, message, &progress);
	for (size_t bit = 0; bit < unit.place.len * (size_t)8; bit++) {
		char *octet = &buffer.memory[buffer.start + bit / 8];
		*octet ^= (char)(1 << bit % 8);
		struct bytes data = buffer_bytes(&buffer);
		bool is_valid = unit_header_decode(
				    data, STAMP.salt, STAMP.offset, &header) &&
		    unit_heads_are_intact(&header,
			bytes_first(bytes_from(data, UNIT_HEADER_LEN),
			    header.heads_len),
			STAMP.salt);
		cr_expect_not(is_valid, "bit %zu", bit);
		*octet ^= (char)(1 << bit % 8);
	}
	cr_expect_not(unit_header_decode(
	    buffer_bytes(&buffer), STAMP.salt + 1, STAMP.offset, &header));

	progress_clear(&progress);
	buffer_clear(&buffer);
	message_free(message);
}

Test(record, takes_no_zeros_for_a_unit)
{
	static const char ZEROS[UNIT_HEADER_LEN];
	struct unit_header header;

	cr_expect_not(unit_header_decode(
	    bytes_make(ZEROS, sizeof(ZEROS)), 0, 0, &header));
}

Test(record, refuses_content_that_is_too_large)
{
	struct message *message = full_message();
	struct buffer buffer;
	struct unit unit;
	struct error error;

	message->body.len = (uint64_t)UNIT_CONTENT_MAX + 1;
	buffer_init(&buffer, SIZE_MAX);
	buffer_append_text(&buffer, "before");
	unit_init(&unit);
	unit_add(&unit, record_message(message));
	cr_expect_not(unit_encode(&buffer, &unit, &STAMP, disk_real(), &error));
	cr_expect_eq(error.kind, ERROR_LIMIT);
	cr_expect(bytes_is(buffer_bytes(&buffer), "before"));
	buffer_clear(&buffer);
	message_free(message);
}
