/* Octets that a disk does not give, today: nothing that is there may be given
 * up for that. */
#include "base/memory.h"
#include "fsck_scene.h"
#include "lib/journal_world.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST      "queue/0000000000000001.log"
#define LONG_GROUP 3000

static void
start(struct world *world, const char *script)
{
	world_init(world, fake_disk_new());
	cr_assert(world_start(world), "%s", error_text(&world->error));
	cr_assert(world_run(world, script), "%s", error_text(&world->error));
}

static void
restart(struct world *world)
{
	world_stop(world);
	cr_assert(world_start(world), "%s", error_text(&world->error));
}

static void
expect_kept(struct world *world, const char *what)
{
	struct world_verdict verdict;
	cr_expect(world_check(world, &verdict), "%s: %s", what, verdict.text);
}

static struct place
place_of(const struct world *world, uint64_t id)
{
	return ledger_where(world->ledger, ledger_find(world->ledger, id))
	    .place;
}

/* Where in the message with this id, in the newest segment. */
struct row {
	const char *name;
	uint64_t id;
	bool is_content;
};

static const struct row rows[] = {
    {"the first one's content", 1000, true},
    {"the middle one's content", 1004, true},
    {"the last one's content", 1008, true},
    {"the first one's heads", 1000, false},
    {"the middle one's heads", 1004, false},
    {"the last one's heads", 1008, false},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void
spoil(struct world *world, const struct row *row)
{
	struct place place = place_of(world, row->id);
	uint64_t at = place.offset + (row->is_content ? place.len : 0U);

	fake_disk_spoil(world->fake, FIRST, at + 1, 1);
}

/* The place is read again after some starts, and more mail. */
Test(unread, is_there_again_when_it_can_be_read)
{
	static const char *const meanwhile[] = {"", "a3", "a5 a5", "r a9 r"};

	for (size_t i = 0; i < ROWS; i++) {
		for (size_t m = 0; m < 4; m++) {
			struct world world;

			start(&world, "a9");
			spoil(&world, &rows[i]);
			restart(&world);
			cr_expect_lt(world_size(&world), 9, "%s", rows[i].name);
			cr_expect_gt(world.problems, 0, "%s", rows[i].name);
			cr_expect_geq(world.report.highest_id, 1008,
			    "%s: its id is not given again", rows[i].name);
			cr_assert(world_run(&world, meanwhile[m]), "%s: %s",
			    rows[i].name, error_text(&world.error));
			fake_disk_spoil(world.fake, FIRST, 0, 0);
			restart(&world);
			expect_kept(&world, rows[i].name);
			world_clear(&world);
		}
	}
}

/* Else a commit that was under way hides what was promised. */
Test(unread, is_damage_to_who_looks)
{
	for (size_t i = 0; i < ROWS; i++) {
		struct world world;

		start(&world, "a9");
		spoil(&world, &rows[i]);
		world_stop(&world);
		struct fsck *fsck = fsck_scene_look(world.fake);
		cr_expect_gt(fsck->gravities[FSCK_DAMAGE], 0, "%s: %s",
		    rows[i].name, fsck_scene_told(fsck));
		cr_expect_not(fsck_scene_has(fsck, FSCK_TORN, 0), "%s: %s",
		    rows[i].name, fsck_scene_told(fsck));
		fsck_free(fsck);
		world_clear(&world);
	}
}

/* One group of so many messages, of which the world knows nothing. */
static void
commit_many(struct world *world, size_t count)
{
	struct message *messages[LONG_GROUP];
	struct unit *units[LONG_GROUP];

	cr_assert_leq(count, LONG_GROUP);
	for (size_t i = 0; i < count; i++) {
		messages[i] = message_new();
		messages[i]->id = ledger_new_id(world->ledger, 1);
		units[i] = memory_new(sizeof(*units[i]));
		unit_init(units[i]);
		unit_add(units[i], record_message(messages[i]));
		units[i]->needs_room = true;
	}
	cr_assert(journal_commit(world->journal, units, count, &world->error));
	for (size_t i = 0; i < count; i++) {
		cr_assert(units[i]->is_committed);
		message_free(messages[i]);
		free(units[i]);
	}
}

/* Longer than what is read at a time: they are all there again. */
Test(unread, leaves_a_long_end_its_numbers)
{
	struct world world;

	start(&world, "");
	commit_many(&world, LONG_GROUP);
	struct bytes file = fake_disk_get(world.fake, FIRST);
	fake_disk_spoil(world.fake, FIRST, SEGMENT_HEADER_LEN,
	    file.len - SEGMENT_HEADER_LEN);
	restart(&world);
	cr_expect_eq(world.problems, 1, "%s", world.problem);
	cr_expect_eq(world_size(&world), 0);
	cr_assert(world_run(&world, "a1"), "%s", error_text(&world.error));
	fake_disk_spoil(world.fake, FIRST, 0, 0);
	restart(&world);
	cr_expect_eq(
	    world_size(&world), LONG_GROUP + 1, "%zu", world_size(&world));
	world_clear(&world);
}

/* A recycled file has an earlier life behind its end, which nobody needs. */
Test(unread, means_nothing_behind_the_end_of_a_recycled_segment)
{
	struct world world;

	start(&world, "a9 a9 x d a9 x d a2");
	struct segment_ref current = journal_current(world.journal);
	uint64_t end = journal_current_bytes(world.journal);
	char *path = fake_disk_newest_segment(world.fake);
	struct bytes file = fake_disk_get(world.fake, path);
	cr_assert_gt(file.len, end + 200, "%s has an earlier life", path);
	fake_disk_spoil(world.fake, path, file.len - 100, 100);
	free(path);
	restart(&world);
	cr_expect_eq(world.problems, 0, "%s", world.problem);
	cr_expect_eq(journal_current(world.journal).number, current.number);
	restart(&world);
	cr_expect_eq(world.problems, 0, "%s", world.problem);
	expect_kept(&world, "behind the end");
	world_clear(&world);
}

/* What could not be copied to corrupt/ is not wiped out, either. */
Test(unread, and_what_cannot_be_kept_stays)
{
	struct world world;

	start(&world, "a9");
	struct place place = place_of(&world, 1004);
	struct bytes content = fake_disk_get(world.fake, FIRST);
	char *data = memory_copy(content);
	data[place.offset + place.len + 1] ^= 0x55;
	fake_disk_put(world.fake, FIRST, bytes_make(data, content.len));
	world_stop(&world);
	fake_disk_break(world.fake, "rename", EIO);
	cr_assert(world_start(&world), "%s", error_text(&world.error));
	cr_expect_gt(world.problems, 0);
	fake_disk_break(world.fake, "", 0);
	content = fake_disk_get(world.fake, FIRST);
	cr_expect(bytes_equal(bytes_first(bytes_from(content, place.offset),
				  UNIT_HEADER_LEN),
		      bytes_first(bytes_from(bytes_make(data, content.len),
				      place.offset),
			  UNIT_HEADER_LEN)),
	    "its header is still there");
	restart(&world);
	cr_expect_eq(world.problems, 1);
	cr_expect_not_null(
	    strstr(world.problem, "kept in corrupt/"), "%s", world.problem);
	free(data);
	world_clear(&world);
}

/* ---- segments that are not read whole ---- */

/* An older one, whose middle cannot be read, after all else has ended. */
static void
leave_unread(struct world *world)
{
	start(world, "a9 a9 a2");
	struct place place = place_of(world, 1004);
	fake_disk_spoil(world->fake, FIRST, place.offset + 1, 1);
	restart(world);
	cr_assert_gt(world->problems, 0);
	cr_assert_lt(world_size(world), 20);
	while (world_size(world) > 0)
		cr_assert(world_step(world, "x"));
	cr_assert(world_run(world, "a9 a9 d"), "%s", error_text(&world->error));
}

static size_t
names_with(const struct world *world, const char *folder, const char *part)
{
	char *names = fake_disk_names(world->fake, folder);
	size_t count = 0;

	for (const char *at = names; (at = strstr(at, part)) != NULL; at++)
		count++;
	free(names);
	return count;
}

Test(unread, segment_waits_for_another_start)
{
	struct world world;

	leave_unread(&world);
	cr_expect_eq(names_with(&world, "queue", "0000000000000001.log"), 1);
	fake_disk_spoil(world.fake, FIRST, 0, 0);
	restart(&world);
	expect_kept(&world, "it can be read again");
	cr_assert(world_run(&world, "x d x d a2"));
	restart(&world);
	cr_expect_eq(names_with(&world, "queue", "0000000000000001.log"), 0);
	expect_kept(&world, "it is gone");
	world_clear(&world);
}

Test(unread, segment_goes_to_corrupt_as_a_whole_the_next_time)
{
	struct world world;

	leave_unread(&world);
	restart(&world);
	cr_expect_eq(world.problems, 0, "it was told: %s", world.problem);
	cr_assert(world_run(&world, "x d x d a2"));
	cr_expect_eq(names_with(&world, "queue", "0000000000000001.log"), 0);
	cr_expect_eq(
	    names_with(&world, "queue/corrupt", "0000000000000001.log."), 1);
	restart(&world);
	cr_expect_eq(world.problems, 0, "%s", world.problem);
	world_clear(&world);
}

/* With a summary nobody need read it, and a message waits for its disk. */
Test(unread, content_waits_where_there_is_a_summary)
{
	struct world world;
	struct message *message;
	struct error error;

	start(&world, "a9 a9 a2");
	fsck_scene_summarize(&world);
	struct place place = place_of(&world, 1004);
	fake_disk_spoil(world.fake, FIRST, place.offset + place.len + 1, 1);
	restart(&world);
	cr_expect_eq(world.problems, 0, "%s", world.problem);
	cr_expect_eq(world_size(&world), 20);
	struct segment_message where =
	    ledger_where(world.ledger, ledger_find(world.ledger, 1004));
	cr_expect_not(segment_load(fake_disk_face(world.fake),
	    journal_large_fd(world.journal), &where, &message, &error));
	cr_expect_eq(error.kind, ERROR_SYSTEM, "it is not said to be damaged");
	fake_disk_spoil(world.fake, FIRST, 0, 0);
	expect_kept(&world, "read again");
	world_clear(&world);
}
