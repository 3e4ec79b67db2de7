/* What may be found in a segment, and what is made of it. */
#include "base/memory.h"
#include "lib/fake_disk.h"
#include "queue/scan.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_UNIT 10
#define UNIT_COUNT 5 /* 10 | 11 12 | 13 14: three groups */

static const struct segment_header HEADER = {
    .first_unit = FIRST_UNIT, .generation = 3, .salt = 0xfeed, .highest_id = 9};

/* A segment, and where its units are in it. */
struct image {
	struct buffer data;
	size_t at[UNIT_COUNT + 1]; /* the last: behind them */
};

static void
append_unit(struct buffer *data, const struct segment_header *header,
    uint64_t number, uint64_t group)
{
	struct message *message = message_new();
	struct unit_stamp stamp = {
	    .salt = header->salt,
	    .generation = header->generation,
	    .offset = data->len,
	    .number = number,
	    .group = group,
	};
	struct unit unit;
	struct error error;
	char content[1500];

	message->id = number;
	envelope_set_sender(&message->envelope, BYTES("a@x.example"));
	memset(content, 'a' + (int)(number % 26), sizeof(content));
	body_set(
	    &message->body, bytes_make(content, 100 + (number * 331) % 1400));
	unit_init(&unit);
	unit_add(&unit, record_message(message));
	cr_assert(unit_encode(data, &unit, &stamp, disk_real(), &error));
	message_free(message);
}

static void
make_image(struct image *image, const struct segment_header *header)
{
	static const uint64_t GROUPS[UNIT_COUNT] = {10, 11, 11, 13, 13};
	char head[SEGMENT_HEADER_LEN];

	buffer_init(&image->data, SIZE_MAX);
	segment_header_encode(header, head);
	buffer_append(&image->data, bytes_make(head, sizeof(head)));
	for (size_t i = 0; i < UNIT_COUNT; i++) {
		image->at[i] = image->data.len;
		append_unit(&image->data, header, FIRST_UNIT + i, GROUPS[i]);
	}
	image->at[UNIT_COUNT] = image->data.len;
	for (size_t i = 0; i < UNIT_HEADER_LEN; i++)
		buffer_append_char(&image->data, 0);
}

enum change {
	AS_IT_IS,
	FLIP, /* len octets */
	ZERO, /* len octets */
	CUT,  /* end the file here */
	ADD,  /* len octets 0xff at the end */
	ADD_ZEROS,
	REMOVE, /* len octets, what follows moves up */
	ZERO_UNIT,
	REMOVE_UNIT,
	REPEAT_UNIT, /* at the end */
	SWAP_SECTORS /* 512 octets at this place and at the next multiple */
};

static void
change_image(
    struct image *image, enum change change, size_t at, size_t len, size_t unit)
{
	char *data = image->data.memory + image->data.start;
	size_t size = image->at[unit + 1] - image->at[unit];
	char swap[512];

	switch (change) {
	case AS_IT_IS:
		break;
	case FLIP:
		for (size_t i = 0; i < len; i++)
			data[at + i] ^= 0x10;
		break;
	case ZERO:
		memset(data + at, 0, len);
		break;
	case CUT:
		buffer_truncate(&image->data, at);
		break;
	case ADD:
		for (size_t i = 0; i < len; i++)
			buffer_append_char(&image->data, (char)0xff);
		break;
	case ADD_ZEROS:
		for (size_t i = 0; i < len; i++)
			buffer_append_char(&image->data, 0);
		break;
	case REMOVE:
		memmove(data + at, data + at + len, image->data.len - at - len);
		buffer_truncate(&image->data, image->data.len - len);
		break;
	case ZERO_UNIT:
		memset(data + image->at[unit], 0, size);
		break;
	case REMOVE_UNIT:
		change_image(image, REMOVE, image->at[unit], size, unit);
		break;
	case REPEAT_UNIT: {
		char *copy =
		    memory_copy(bytes_make(data + image->at[unit], size));
		buffer_append(&image->data, bytes_make(copy, size));
		free(copy);
		break;
	}
	case SWAP_SECTORS:
		at = at / 512 * 512;
		memcpy(swap, data + at, sizeof(swap));
		memcpy(data + at, data + at + 512, sizeof(swap));
		memcpy(data + at + 512, swap, sizeof(swap));
		break;
	}
}

/* Events as text: "10 11" units, "[12-13]" damage, "~" a tail. */
static bool
write_event(const struct scan_event *event, void *ctx, struct error *error)
{
	struct buffer *text = ctx;

	(void)error;
	if (event->kind == SCAN_UNIT)
		buffer_printf(
		    text, "%llu ", (unsigned long long)event->header.number);
	else if (event->kind == SCAN_TAIL)
		buffer_append_text(text, "~ ");
	else if (event->missing == 1)
		buffer_printf(
		    text, "[%llu] ", (unsigned long long)event->first_missing);
	else
		buffer_printf(text, "[%llu-%llu] ",
		    (unsigned long long)event->first_missing,
		    (unsigned long long)(event->first_missing + event->missing -
			1));
	return true;
}

static void
expect_events(const char *name, struct bytes content,
    const struct segment_header *header, uint64_t end_unit, bool checks_content,
    const char *expected)
{
	struct fake_disk *fake = fake_disk_new();
	struct buffer text;
	struct scan_end end;
	struct error error;

	fake_disk_put(fake, "segment", content);
	struct scan scan = {
	    .disk = fake_disk_face(fake),
	    .fd = fake_disk_open(fake, "segment"),
	    .header = *header,
	    .end_unit = end_unit,
	    .checks_content = checks_content,
	};
	buffer_init(&text, SIZE_MAX);
	cr_assert(scan_segment(&scan, write_event, &text, &end, &error),
	    "%s: %s", name, error_text(&error));
	struct bytes got = bytes_trim(buffer_bytes(&text));
	cr_expect(bytes_is(got, expected), "%s: \"%.*s\", not \"%s\"", name,
	    BYTES_ARGS(got), expected);
	buffer_clear(&text);
	fake_disk_free(fake);
}

/* Offsets in a unit: in its header, its heads, its content. */
#define IN_HEADER  20
#define IN_HEADS   80
#define IN_CONTENT 180

struct row {
	const char *name;
	enum change change;
	size_t unit; /* the change is in this one, counted from 0, */
	size_t at;   /* here */
	size_t len;
	uint64_t end_unit; /* 0: the last segment */
	bool skips_content;
	const char *expected;
};

static const struct row ROWS[] = {
    {"whole", AS_IT_IS, 0, 0, 0, 0, false, "10 11 12 13 14"},
    {"whole, sealed", AS_IT_IS, 0, 0, 0, 15, true, "10 11 12 13 14"},
    {"zeros behind", ADD_ZEROS, 0, 0, 700, 0, false, "10 11 12 13 14"},
    {"a few zeros behind", ADD_ZEROS, 0, 0, 3, 0, false, "10 11 12 13 14"},
    {"nonsense behind", ADD, 0, 0, 700, 0, false, "10 11 12 13 14 ~"},
    {"one octet behind", ADD, 0, 0, 1, 0, false, "10 11 12 13 14 ~"},
    {"nonsense behind, sealed", ADD, 0, 0, 700, 15, true, "10 11 12 13 14"},
    {"flipped header, first", FLIP, 0, IN_HEADER, 1, 0, false,
	"[10] 11 12 13 14"},
    {"flipped heads, first", FLIP, 0, IN_HEADS, 1, 0, false,
	"[10] 11 12 13 14"},
    {"flipped content, first", FLIP, 0, IN_CONTENT, 1, 0, false,
	"[10] 11 12 13 14"},
    {"flipped header, middle", FLIP, 2, IN_HEADER, 1, 0, false,
	"10 11 [12] 13 14"},
    {"flipped heads, middle", FLIP, 2, IN_HEADS, 1, 0, false,
	"10 11 [12] 13 14"},
    {"flipped content, middle", FLIP, 2, IN_CONTENT, 1, 0, false,
	"10 11 [12] 13 14"},
    {"flipped header, last", FLIP, 4, IN_HEADER, 1, 0, false, "10 11 12 13 ~"},
    {"flipped heads, last", FLIP, 4, IN_HEADS, 1, 0, false, "10 11 12 13 ~"},
    {"flipped content, last", FLIP, 4, IN_CONTENT, 1, 0, false,
	"10 11 12 13 ~"},
    {"flipped header, sealed", FLIP, 2, IN_HEADER, 1, 15, true,
	"10 11 [12] 13 14"},
    {"flipped heads, sealed", FLIP, 2, IN_HEADS, 1, 15, true,
	"10 11 [12] 13 14"},
    {"flipped content, sealed: for the reader to find", FLIP, 2, IN_CONTENT, 1,
	15, true, "10 11 12 13 14"},
    {"flipped last header, sealed", FLIP, 4, IN_HEADER, 1, 15, true,
	"10 11 12 13 [14]"},
    {"the mark of a header", FLIP, 1, 56, 4, 0, false, "10 [11] 12 13 14"},
    {"zeroed unit, first", ZERO_UNIT, 0, 0, 0, 0, false, "[10] 11 12 13 14"},
    {"zeroed unit, middle", ZERO_UNIT, 3, 0, 0, 0, false, "10 11 12 [13] 14"},
    {"zeroed unit, last", ZERO_UNIT, 4, 0, 0, 0, false, "10 11 12 13"},
    {"zeroed sector over two units", ZERO, 2, 0, 512, 0, false,
	"10 11 [12] 13 14"},
    {"zeros from a unit's middle to the next one's", ZERO, 1, 300, 1200, 0,
	false, "10 [11-12] 13 14"},
    {"cut in a header", CUT, 3, IN_HEADER, 0, 0, false, "10 11 12 ~"},
    {"cut in heads", CUT, 3, IN_HEADS, 0, 0, false, "10 11 12 ~"},
    {"cut in content", CUT, 3, IN_CONTENT, 0, 0, false, "10 11 12 ~"},
    {"cut between units", CUT, 3, 0, 0, 0, false, "10 11 12 ~"},
    {"without the zeros at the end", CUT, 4, 0, 0, 0, false, "10 11 12 13 ~"},
    {"cut in the first unit", CUT, 0, IN_HEADER, 0, 0, false, "~"},
    {"no unit at all", CUT, 0, 0, 0, 0, false, "~"},
    {"cut between units, sealed", CUT, 3, 0, 0, 15, true, "10 11 12 [13-14]"},
    {"cut in content, sealed", CUT, 3, IN_CONTENT, 0, 15, true,
	"10 11 12 [13-14]"},
    {"no unit at all, sealed", CUT, 0, 0, 0, 15, true, "[10-14]"},
    {"nothing missing in an empty one", CUT, 0, 0, 0, 10, true, ""},
    {"a unit is gone, nothing is in its place", REMOVE_UNIT, 2, 0, 0, 0, false,
	"10 11 ~"},
    {"the first is gone, nothing is in its place", REMOVE_UNIT, 0, 0, 0, 0,
	false, "~"},
    {"8 octets are gone", REMOVE, 1, IN_CONTENT, 8, 0, false, "10 ~"},
    {"4 octets are gone", REMOVE, 1, IN_CONTENT, 4, 0, false, "10 ~"},
    {"an old unit again at the end", REPEAT_UNIT, 1, 0, 0, 0, false,
	"10 11 12 13 14 ~"},
    {"swapped sectors over two units", SWAP_SECTORS, 1, 100, 0, 0, false,
	"[10-11] 12 13 14"},
    {"units past the next segment's first", AS_IT_IS, 0, 0, 0, 13, true,
	"10 11 12"},
    {"the next segment is far away", AS_IT_IS, 0, 0, 0, 20, true,
	"10 11 12 13 14 [15-19]"},
};

Test(scan, makes_the_best_of_what_is_there)
{
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		const struct row *row = &ROWS[i];
		struct image image;
		make_image(&image, &HEADER);
		change_image(&image, row->change, image.at[row->unit] + row->at,
		    row->len, row->unit);
		expect_events(row->name, buffer_bytes(&image.data), &HEADER,
		    row->end_unit, !row->skips_content, row->expected);
		buffer_clear(&image.data);
	}
}

/* An earlier life of the file shows behind the zeros at the end. */
Test(scan, ignores_an_earlier_life)
{
	struct segment_header old = HEADER;
	struct segment_header recycled = HEADER;
	struct image image, before;

	old.generation = 2;
	old.salt = 0xbeef;
	recycled.is_recycled = true;
	make_image(&image, &recycled);
	make_image(&before, &old);
	buffer_append(
	    &image.data, bytes_from(buffer_bytes(&before.data), 5000));
	expect_events("recycled", buffer_bytes(&image.data), &recycled, 0, true,
	    "10 11 12 13 14");
	expect_events("recycled, torn",
	    bytes_first(buffer_bytes(&image.data), image.at[4] + 200),
	    &recycled, 0, true, "10 11 12 13 ~");
	buffer_clear(&image.data);
	buffer_clear(&before.data);
}

static bool
keep_event(const struct scan_event *event, void *ctx, struct error *error)
{
	(void)error;
	*(struct scan_event *)ctx = *event;
	return true;
}

/* The last event of what is left of image. */
static struct scan_event
last_event(struct image *image)
{
	struct fake_disk *fake = fake_disk_new();
	struct scan_event event = {.kind = SCAN_UNIT};
	struct scan_end end;
	struct error error;

	fake_disk_put(fake, "segment", buffer_bytes(&image->data));
	struct scan scan = {
	    .disk = fake_disk_face(fake),
	    .fd = fake_disk_open(fake, "segment"),
	    .header = HEADER,
	    .checks_content = true,
	};
	cr_assert(scan_segment(&scan, keep_event, &event, &end, &error), "%s",
	    error_text(&error));
	fake_disk_free(fake);
	return event;
}

/* A torn group is no longer than it was, whatever was laid ahead of it. */
Test(scan, leaves_out_zeros_behind_a_torn_end)
{
	static const size_t LAID[] = {0, 100, 300000};

	for (size_t i = 0; i < sizeof(LAID) / sizeof(LAID[0]); i++) {
		struct image image;
		make_image(&image, &HEADER);
		size_t end = image.at[UNIT_COUNT];
		change_image(&image, ADD, 0, 200, 0);
		change_image(&image, ADD_ZEROS, 0, LAID[i], 0);
		struct scan_event event = last_event(&image);
		cr_expect_eq(event.kind, SCAN_TAIL);
		cr_expect_eq(event.offset, end);
		cr_expect_eq(event.len, UNIT_HEADER_LEN + 200);
		buffer_clear(&image.data);
	}
}

/* The same salt, but not this generation. */
Test(scan, asks_for_the_generation)
{
	struct segment_header other = HEADER;
	struct image image;

	other.generation = 4;
	make_image(&image, &HEADER);
	expect_events("other generation", buffer_bytes(&image.data), &other, 0,
	    true, "~");
	buffer_clear(&image.data);
}

static void
expect_all_but(size_t unit, char *text, size_t size)
{
	for (size_t i = 0; i < UNIT_COUNT; i++) {
		size_t len = strlen(text);
		bool is_hit = i == unit;
		bool is_tail = is_hit && i == UNIT_COUNT - 1;
		(void)snprintf(text + len, size - len, "%s%s",
		    i == 0 ? "" : " ",
		    is_hit && !is_tail ? "["
			: is_tail      ? "~"
				       : "");
		len = strlen(text);
		if (!is_tail)
			(void)snprintf(text + len, size - len, "%zu%s",
			    FIRST_UNIT + i, is_hit ? "]" : "");
	}
}

/* Whatever one octet is changed to, at most one unit is lost. */
Test(scan, loses_only_what_is_hit)
{
	struct image image;
	make_image(&image, &HEADER);
	char *data = image.data.memory + image.data.start;

	for (size_t at = SEGMENT_HEADER_LEN; at < image.at[UNIT_COUNT]; at++) {
		char expected[64] = "";
		char before = data[at];
		size_t unit = 0;
		while (at >= image.at[unit + 1])
			unit++;
		expect_all_but(unit, expected, sizeof(expected));
		data[at] = (char)(before + 1);
		struct buffer text;
		struct scan_end end;
		struct error error;
		struct fake_disk *fake = fake_disk_new();
		fake_disk_put(fake, "segment", buffer_bytes(&image.data));
		struct scan scan = {
		    .disk = fake_disk_face(fake),
		    .fd = fake_disk_open(fake, "segment"),
		    .header = HEADER,
		    .checks_content = true,
		};
		buffer_init(&text, SIZE_MAX);
		cr_assert(
		    scan_segment(&scan, write_event, &text, &end, &error));
		struct bytes got = bytes_trim(buffer_bytes(&text));
		/* The filling between units is nobody's. */
		cr_expect(
		    bytes_is(got, expected) || bytes_is(got, "10 11 12 13 14"),
		    "octet %zu: \"%.*s\", not \"%s\"", at, BYTES_ARGS(got),
		    expected);
		data[at] = before;
		buffer_clear(&text);
		fake_disk_free(fake);
	}
	buffer_clear(&image.data);
}

Test(scan, goes_around_bad_sectors)
{
	struct image image;
	struct fake_disk *fake = fake_disk_new();
	struct buffer text;
	struct scan_end end;
	struct error error;

	make_image(&image, &HEADER);
	fake_disk_put(fake, "segment", buffer_bytes(&image.data));
	struct scan scan = {
	    .disk = fake_disk_face(fake),
	    .fd = fake_disk_open(fake, "segment"),
	    .header = HEADER,
	    .checks_content = true,
	};
	buffer_init(&text, SIZE_MAX);
	fake_disk_break(fake, "read", EIO);
	cr_assert(scan_segment(&scan, write_event, &text, &end, &error));
	fake_disk_break(fake, "read", ENOMEM);
	cr_expect_not(scan_segment(&scan, write_event, &text, &end, &error));
	cr_expect_eq(error.number, ENOMEM);
	buffer_clear(&text);
	buffer_clear(&image.data);
	fake_disk_free(fake);
}

/* ---- the segment's own header ---- */

Test(segment, finds_its_header_in_either_copy)
{
	static const struct {
		const char *name;
		size_t at, len;
		enum segment_header_state expected;
	} rows[] = {
	    {"whole", 0, 0, SEGMENT_HEADER_VALID},
	    {"first copy", 20, 1, SEGMENT_HEADER_VALID},
	    {"first sector", 0, 512, SEGMENT_HEADER_VALID},
	    {"second copy", 2048, 64, SEGMENT_HEADER_VALID},
	    {"all but the second", 0, 2048, SEGMENT_HEADER_VALID},
	    {"both", 0, 4096, SEGMENT_HEADER_DAMAGED},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char data[SEGMENT_HEADER_LEN];
		struct segment_header read = {.first_unit = 0};
		uint32_t version;
		segment_header_encode(&HEADER, data);
		memset(data + rows[i].at, 0, rows[i].len);
		cr_expect_eq(
		    segment_header_decode(
			bytes_make(data, sizeof(data)), &read, &version),
		    rows[i].expected, "%s", rows[i].name);
		if (rows[i].expected != SEGMENT_HEADER_VALID)
			continue;
		cr_expect_eq(read.first_unit, HEADER.first_unit);
		cr_expect_eq(read.generation, HEADER.generation);
		cr_expect_eq(read.salt, HEADER.salt);
		cr_expect_eq(read.highest_id, HEADER.highest_id);
	}
}

Test(segment, finds_every_flipped_bit_of_its_header)
{
	for (size_t bit = 0; bit < (size_t)64 * 8; bit++) {
		char data[SEGMENT_HEADER_LEN];
		struct segment_header read;
		uint32_t version;
		segment_header_encode(&HEADER, data);
		data[bit / 8] ^= (char)(1 << bit % 8);
		data[2048 + bit / 8] ^= (char)(1 << bit % 8);
		cr_expect_eq(
		    segment_header_decode(
			bytes_make(data, sizeof(data)), &read, &version),
		    SEGMENT_HEADER_DAMAGED, "bit %zu", bit);
	}
}
