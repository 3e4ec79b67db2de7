/* Messages that are read back, to be sent or to be moved, on a disk that spoils
 * them in between. */
#include "base/memory.h"
#include "journal_scene.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void
commit(struct world *world, struct unit *const *units, size_t count)
{
	cr_assert(journal_commit(world->journal, units, count, &world->error),
	    "%s", error_text(&world->error));
}

/* Commit a message of len octets; where it lies. */
static struct segment_message
accept(struct world *world, size_t len)
{
	struct message *message = message_new();
	char *content = memory_new(len);
	struct unit unit;
	struct unit *units[1] = {&unit};

	memset(content, 'x', len);
	message->id = ledger_new_id(world->ledger, 1);
	body_set(&message->body, bytes_make(content, len));
	unit_init(&unit);
	unit_add(&unit, record_message(message));
	commit(world, units, 1);
	cr_assert(unit.is_committed, "%s", error_text(&unit.error));
	struct segment_message where = {
	    .id = message->id, .segment = unit.segment, .place = unit.place};
	message_free(message);
	free(content);
	return where;
}

static bool
load(struct world *world, const struct segment_message *where,
    struct message **out_message, struct error *error)
{
	return segment_load(fake_disk_face(world->fake),
	    journal_large_fd(world->journal), where, out_message, error);
}

static struct message *
loaded(struct world *world, const struct segment_message *where)
{
	struct message *message;
	struct error error;

	cr_assert(
	    load(world, where, &message, &error), "%s", error_text(&error));
	return message;
}

/* In the middle of its content. */
static void
spoil_inline(struct world *world, const struct segment_message *where)
{
	scene_ruin(world, SCENE_FIRST,
	    where->place.offset + where->place.len + 100, 1);
}

/* Commit it once more, beside the end of a message that is not there. */
static struct unit
move(struct world *world, const struct message *message)
{
	struct unit moved;
	struct unit other;
	struct unit *units[2] = {&moved, &other};

	unit_init(&moved);
	unit_add(&moved, record_message(message));
	unit_init(&other);
	unit_add(&other, record_finished(1));
	commit(world, units, 2);
	cr_expect(other.is_committed, "%s", error_text(&other.error));
	return moved;
}

static void
expect_refused(const struct unit *unit)
{
	cr_expect_not(unit->is_committed);
	cr_expect_eq(unit->error.kind, ERROR_DATA);
}

Test(loading, keeps_short_content_as_it_was_checked)
{
	static const size_t LENGTHS[] = {101, 4096, SEGMENT_KEPT_MAX};

	for (size_t i = 0; i < sizeof(LENGTHS) / sizeof(*LENGTHS); i++) {
		struct world world;
		struct error error;
		size_t len;

		scene_start(&world, "");
		char *content = memory_new(LENGTHS[i]);
		struct segment_message where = accept(&world, LENGTHS[i]);
		struct message *message = loaded(&world, &where);
		spoil_inline(&world, &where);
		cr_assert(body_read(
		    &message->body, 0, content, LENGTHS[i], &len, &error));
		cr_expect_eq(len, LENGTHS[i]);
		cr_expect_eq(content[100], 'x');

		struct unit moved = move(&world, message);
		cr_expect(moved.is_committed, "%s", error_text(&moved.error));
		message_free(message);
		where.segment = moved.segment;
		where.place = moved.place;
		message_free(loaded(&world, &where));
		free(content);
		world_clear(&world);
	}
}

Test(loading, keeps_no_content_where_there_is_none)
{
	struct world world;
	struct error error;
	char content[8];
	size_t len = 1;

	scene_start(&world, "");
	struct segment_message where = accept(&world, 0);
	struct message *message = loaded(&world, &where);
	cr_expect(body_read(
	    &message->body, 0, content, sizeof(content), &len, &error));
	cr_expect_eq(len, 0);
	message_free(message);
	world_clear(&world);
}

Test(loading, leaves_longer_content_where_it_is)
{
	struct world world;
	struct error error;

	scene_start(&world, "");
	struct segment_message where = accept(&world, SEGMENT_KEPT_MAX + 1);
	struct message *message = loaded(&world, &where);
	cr_expect_eq(message->body.fd, where.segment.fd);
	cr_expect_eq(message->body.memory.len, 0);
	cr_expect(move(&world, message).is_committed);

	fake_disk_break(world.fake, "read", EIO);
	struct unit moved = move(&world, message);
	cr_expect_not(moved.is_committed);
	cr_expect_eq(moved.error.number, EIO);
	fake_disk_break(world.fake, "", 0);

	/* It gets no new check for what it no longer is. */
	spoil_inline(&world, &where);
	moved = move(&world, message);
	expect_refused(&moved);
	message_free(message);
	cr_expect_not(load(&world, &where, &message, &error));
	cr_expect_eq(error.kind, ERROR_DATA);
	world_clear(&world);
}

Test(loading, moves_no_large_body_that_was_spoiled_since)
{
	struct world world;

	scene_start(&world, "l");
	const struct ledger_entry *entry = ledger_after(world.ledger, 0);
	struct segment_message where = ledger_where(world.ledger, entry);
	struct message *message = loaded(&world, &where);
	cr_expect(move(&world, message).is_committed);

	char *path = scene_body("large", entry->id);
	scene_ruin(&world, path, 700, 1);
	struct unit moved = move(&world, message);
	expect_refused(&moved);
	message->body.owns_fd = false; /* no real descriptor */
	message_free(message);
	free(path);
	world_clear(&world);
}
